"""The cloud for tests of the window: an account, tasks as the list tells them, and services that only take notes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

from posthog_code.domain.cloud import (
    Account,
    CloudList,
    CloudRunInfo,
    CloudTask,
    CloudUser,
    Organization,
    Project,
)
from posthog_code.domain.cloud_lists import mark
from posthog_code.domain.cloud_requests import CloudDraft, CloudEnvironment, CloudModel, GitHubInstallation
from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import RepositoryId, SessionId, TaskId
from posthog_code.domain.session import Session
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import Step, StepState, Task, TaskPhase, Workspace
from posthog_code.ports.cloud import OpenBrowser, SignIn
from posthog_code.services.handover import TakeOverWish
from posthog_code.ui.context import UiContext
from tests.ui.shell_world import NOW, Notes, context_of, world

ME = CloudUser(7, "u-7", "Mira Okafor", "mira@harbor.example")
ANA = CloudUser(8, "u-8", "Ana Kovač", "ana@harbor.example")
ACCOUNT = Account(
    "https://eu.posthog.com",
    "eu",
    "oauth",
    ME,
    (Organization("o-1", "Harbor"),),
    "o-1",
    (Project(1, "Harbor", "o-1"), Project(2, "Harbor Mobile", "o-1")),
    1,
)


def cloud_task(task_id: str, title: str, **more: Any) -> CloudTask:
    status = more.pop("status", "in_progress")
    run = None
    if status:
        names = ("branch", "base", "pr_url", "error", "environment")
        fields = {name: more.pop(name) for name in names if name in more}
        run = CloudRunInfo(f"r-{task_id}", task_id, status, adapter="claude", created_at=NOW - 2400, **fields)
    fields = {"repository": "harbor/harbor-api", "creator": ANA, "updated_at": NOW - 60, "project_id": 1, **more}
    task = CloudTask(task_id, title=title, description=title, run=run, **fields)
    return task if "seen" in more else replace(task, seen=mark(task))


def cloud_tasks() -> tuple[CloudTask, ...]:
    return (
        cloud_task("c1", "Nightly job fails on DST change", origin="slack", branch="posthog/dst-nightly", base="main"),
        cloud_task("c2", "Quotes time out", origin="signal_report", creator=CloudUser(), status="completed", seen=""),
        cloud_task("c3", "Crash on the order screen", repository="harbor/harbor-mobile", status="failed"),
        cloud_task(
            "c4",
            "Describe the audit log",
            creator=ME,
            status="completed",
            pr_url="https://github.com/harbor/harbor-api/pull/21",
            branch="docs/audit",
        ),
    )


@dataclass
class FakeAccount(Notes):
    keyring: bool = True
    error: UserError | None = None
    wait: asyncio.Event | None = None
    offer: Any = None

    async def keyring_available(self) -> bool:
        return self.keyring

    async def sign_in(self, request: SignIn, open_browser: OpenBrowser) -> Account:
        self.note("sign_in", request)
        if not request.api_key:
            open_browser("https://eu.posthog.com/oauth/authorize/?state=1")
        if self.error is not None:
            raise self.error
        self.put(ACCOUNT)
        return ACCOUNT

    async def sign_out(self) -> bool:
        self.note("sign_out")
        self.put(Account(host=ACCOUNT.host, region=ACCOUNT.region))
        return False

    async def choose_project(self, project_id: int) -> None:
        self.note("choose_project", project_id)
        self.put(replace(self.store.state.account, project_id=project_id))

    async def refresh(self) -> Account:
        self.note("account.refresh")
        return self.store.state.account

    def cloud(self, project_id: int = 0) -> Any:
        return self.offer

    def put(self, account: Account) -> None:
        self.store.change(lambda s: replace(s, account=account), Topic("account"))


@dataclass
class FakeOffer:
    connected: bool = True

    async def installations(self) -> tuple[GitHubInstallation, ...]:
        return (GitHubInstallation("55", account="harbor"),) if self.connected else ()

    async def repositories(self, installation: GitHubInstallation) -> tuple[str, ...]:
        return ("harbor/harbor-api", "harbor/harbor-mobile")

    async def branches(self, installation: GitHubInstallation, repository: str) -> tuple[tuple[str, ...], str]:
        return ("release", "main"), "main"

    async def environments(self) -> tuple[CloudEnvironment, ...]:
        return (CloudEnvironment("e-1", "Android", "trusted"), CloudEnvironment("e-2", "Other", "", ("x/y",)))

    async def models(self) -> tuple[CloudModel, ...]:
        return (CloudModel("claude", "opus", "Opus"), CloudModel("codex", "gpt", "GPT"))

    def connect_github_url(self) -> str:
        return "https://eu.posthog.com/settings/integrations"

    def task_url(self, task_id: str, run_id: str = "") -> str:
        return f"https://eu.posthog.com/tasks/{task_id}" + (f"?run={run_id}" if run_id else "")


@dataclass
class FakeCloud(Notes):
    error: UserError | None = None
    visible: list[bool] = field(default_factory=list)

    def start(self) -> None:
        self.note("cloud.start")

    def set_visible(self, on: bool) -> None:
        self.visible.append(on)

    async def refresh(self) -> CloudList:
        self.note("cloud.refresh")
        return self.store.state.cloud

    async def open(self, task_id: str, run_id: str = "", project_id: int = 0) -> TaskId:
        self.note("cloud.open", task_id, run_id)
        if self.error is not None:
            raise self.error
        known = self.store.state.cloud.tasks[task_id]
        return self.put(opened(known)).id

    def put(self, task: Task) -> Task:
        session = Session(task.session_id, task.id, "cloud")
        self.store.change(
            lambda s: replace(s, tasks={**s.tasks, task.id: task}, sessions={**s.sessions, task.session_id: session}),
            Topic("tasks"),
            Topic("task", task.id),
        )
        return task

    async def mark_read(self, task_id: str) -> None:
        self.note("cloud.mark_read", task_id)

    async def create(self, draft: CloudDraft) -> TaskId:
        self.note("cloud.create", draft)
        if self.error is not None:
            raise self.error
        return await self.open("c1")

    async def end_run(self, task_id: TaskId, reason: str = "") -> None:
        self.note("cloud.end_run", task_id)

    async def rename(self, task_id: TaskId, title: str) -> None:
        self.note("cloud.rename", task_id, title)


@dataclass
class FakeHandover(Notes):
    errors: list[UserError] = field(default_factory=list)
    steps: tuple[Step, ...] = (Step("a", "Fetch the branch", StepState.RUNNING), Step("b", "Copy the conversation"))

    async def take_over(self, cloud_task_id: str, wish: TakeOverWish) -> TaskId:
        self.note("take_over", cloud_task_id, wish)
        if self.errors:
            raise self.errors.pop(0)
        task = replace(
            opened(self.store.state.cloud.tasks[cloud_task_id]),
            id=TaskId("local"),
            session_id=SessionId("s-local"),
            workspace=Workspace.WORKTREE,
            phase=TaskPhase.SETTING_UP,
            steps=self.steps,
        )
        self.store.change(
            lambda s: replace(s, tasks={**s.tasks, task.id: task}), Topic("tasks"), Topic("task", task.id)
        )
        return task.id

    async def send(self, task_id: TaskId, *, archive: bool = False) -> None:
        self.note("send", task_id, archive)
        if self.errors:
            raise self.errors.pop(0)
        self.edit_task(task_id, phase=TaskPhase.SETTING_UP, steps=self.steps)

    async def give_up(self, task_id: TaskId) -> None:
        self.note("give_up", task_id)
        self.edit_task(task_id, phase=TaskPhase.READY, steps=())


@dataclass
class FakeWatching(Notes):
    watched: list[str] = field(default_factory=list)

    def watch(self, task_id: TaskId) -> None:
        self.watched.append(task_id)

    async def unwatch(self, task_id: TaskId) -> None:
        self.watched.remove(task_id)

    async def retry_turn(self, task_id: TaskId) -> None:
        self.note("retry_turn", task_id)

    async def stop(self, task_id: TaskId) -> None:
        self.note("stop", task_id)


def opened(known: CloudTask) -> Task:
    run = known.run
    return Task(
        TaskId(f"cloud-{known.id}"),
        RepositoryId("harbor-api" if known.repository == "harbor/harbor-api" else ""),
        known.title,
        known.description,
        Workspace.CLOUD,
        "cloud",
        SessionId(f"cloud-{known.id}"),
        NOW - 100,
        NOW - 100,
        TaskPhase.READY,
        branch=run.branch if run else "",
        cloud_project_id=1,
        cloud_task_id=known.id,
        cloud_run_id=run.id if run else "",
    )


def cloud_state(*tasks: CloudTask, account: Account = ACCOUNT) -> AppState:
    listed = {task.id: task for task in tasks or cloud_tasks()}
    return replace(world(), account=account, cloud=CloudList(listed, 1, NOW - 5))


def cloud_context(state: AppState | None = None) -> UiContext:
    """As `shell_world.context_of`, signed in."""
    ctx = context_of(state or cloud_state())
    services: Any = ctx.services
    store, calls = services.store, services.calls
    services.account = FakeAccount(store, calls, offer=FakeOffer())
    services.cloud = FakeCloud(store, calls)
    services.handover = FakeHandover(store, calls)
    services.sessions = FakeWatching(store, calls)
    urls: list[str] = []
    ctx.open_url = lambda url: urls.append(url) is None
    services.urls = urls
    return ctx
