"""A small invented world for tests of the window's shell: a store, services that only take notes, and some tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from posthog_code.domain.agent import AgentInfo, AgentSpec, AgentStatus
from posthog_code.domain.errors import InvalidInput, UserError
from posthog_code.domain.ids import RepositoryId, RequestId, SessionId, TaskId
from posthog_code.domain.logs import LogLine, LogSource
from posthog_code.domain.mcp import McpState
from posthog_code.domain.pull_request import Check, CheckState, PullRequest, PullRequestState
from posthog_code.domain.session import Ask, AskKind, Session, SessionPhase, Turn
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import DiffStat, Repository, Step, StepState, Task, TaskDraft, TaskPhase, Workspace
from posthog_code.ports.git import Branch
from posthog_code.ui.actions import Actions
from posthog_code.ui.bridge import Bridge
from posthog_code.ui.commands import CommandRegistry
from posthog_code.ui.context import Toasts, UiContext
from posthog_code.ui.nav import Nav

NOW = 1_760_000_000.0


class Now:
    """Runs coroutines to their end at once, one after the other: enough for services that never really wait."""

    def __init__(self) -> None:
        self._waiting: list[Coroutine[Any, Any, Any]] = []
        self._busy = False

    def spawn(self, coro: Coroutine[Any, Any, Any], name: str) -> None:
        self._waiting.append(coro)
        if self._busy:
            return
        self._busy = True
        try:
            while self._waiting:
                self._drive(self._waiting.pop(0))
        finally:
            self._busy = False

    def _drive(self, coro: Coroutine[Any, Any, Any]) -> None:
        try:
            while True:
                coro.send(None)
        except (StopIteration, asyncio.CancelledError):
            return


class Store:
    def __init__(self, state: AppState) -> None:
        self.state = state
        self._callbacks: list[Callable[[frozenset[Topic]], None]] = []

    def subscribe(self, callback: Callable[[frozenset[Topic]], None]) -> Callable[[], None]:
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def change(self, change: Callable[[AppState], AppState], *topics: Topic) -> None:
        self.state = change(self.state)
        self.touch(*topics)

    def touch(self, *topics: Topic) -> None:
        for callback in list(self._callbacks):
            callback(frozenset(topics))


@dataclass
class Notes:
    """Base of the fake services: every call is noted in `calls`."""

    store: Store
    calls: list[tuple[str, tuple[Any, ...]]]

    def note(self, name: str, *args: Any) -> None:
        self.calls.append((name, args))

    def edit_task(self, task_id: TaskId, **fields: Any) -> None:
        task = replace(self.store.state.tasks[task_id], **fields)
        self.store.change(
            lambda s: replace(s, tasks={**s.tasks, task_id: task}), Topic("tasks"), Topic("task", task_id)
        )


@dataclass
class FakeRisk:
    uncommitted: tuple[str, ...] = ()
    unpushed_commits: int = 0


@dataclass
class FakeTasks(Notes):
    at_risk: FakeRisk = field(default_factory=FakeRisk)

    async def create(self, draft: TaskDraft) -> TaskId:
        self.note("create", draft)
        task_id = TaskId(f"new-{len(self.store.state.tasks)}")
        task = task_of(task_id, draft.prompt, draft.repository_id, "", NOW, phase=TaskPhase.SETTING_UP)
        self.store.change(
            lambda s: replace(s, tasks={**s.tasks, task_id: task}), Topic("tasks"), Topic("task", task_id)
        )
        return task_id

    async def rename(self, task_id: TaskId, title: str) -> None:
        self.note("rename", task_id, title)
        self.edit_task(task_id, title=title)

    async def pin(self, task_id: TaskId, on: bool) -> None:
        self.note("pin", task_id, on)
        self.edit_task(task_id, pinned=on)

    async def mark_read(self, task_id: TaskId) -> None:
        self.note("mark_read", task_id)
        self.edit_task(task_id, unread=False)

    async def archive(self, task_id: TaskId) -> None:
        self.note("archive", task_id)
        self.edit_task(task_id, phase=TaskPhase.ARCHIVED, archived_at=NOW)

    async def restore(self, task_id: TaskId) -> None:
        self.note("restore", task_id)
        self.edit_task(task_id, phase=TaskPhase.READY)

    async def delete(self, task_id: TaskId) -> None:
        self.note("delete", task_id)
        self.edit_task(task_id, phase=TaskPhase.DELETED)

    async def undo_delete(self, task_id: TaskId) -> None:
        self.note("undo_delete", task_id)
        self.edit_task(task_id, phase=TaskPhase.READY)

    async def risk(self, task_id: TaskId) -> FakeRisk:
        return self.at_risk

    async def save_draft(self, key: str, text: str) -> None:
        self.note("save_draft", key, text)
        self.store.state = replace(self.store.state, drafts={**self.store.state.drafts, key: text})

    async def retry_setup(self, task_id: TaskId) -> None:
        self.note("retry_setup", task_id)

    async def cancel_setup(self, task_id: TaskId) -> None:
        self.note("cancel_setup", task_id)

    async def continue_without_setup(self, task_id: TaskId) -> None:
        self.note("continue_without_setup", task_id)


@dataclass
class FakeRepositories(Notes):
    error: UserError | None = None

    async def add(self, path: Path) -> RepositoryId:
        self.note("add", path)
        if self.error is not None:
            raise self.error
        added = repository_of(path.name)
        self.store.change(lambda s: replace(s, repositories={**s.repositories, added.id: added}), Topic("repositories"))
        return added.id

    async def remove(self, repository_id: RepositoryId) -> None:
        self.note("remove", repository_id)
        kept = {key: value for key, value in self.store.state.repositories.items() if key != repository_id}
        self.store.change(lambda s: replace(s, repositories=kept), Topic("repositories"))

    async def branches(self, repository_id: RepositoryId) -> tuple[Branch, ...]:
        if repository_id not in self.store.state.repositories:
            raise InvalidInput("There is no such repository.")
        return (
            Branch("main", "a1", NOW - 60),
            Branch("fix/double-charge", "b2", NOW - 600, checked_out="/home/mira/.worktrees/pay"),
            Branch("origin/release/4.2", "c3", NOW - 90_000, remote=True),
        )

    async def files(self, repository_id: RepositoryId, task_id: TaskId | None = None) -> tuple[str, ...]:
        return ("README.md", "src/orders/OrderTable.tsx")

    async def update(self, repository_id: RepositoryId, **fields: Any) -> None:
        self.note("update", repository_id, fields)
        changed = replace(self.store.state.repositories[repository_id], **fields)
        self.store.change(
            lambda s: replace(s, repositories={**s.repositories, repository_id: changed}), Topic("repositories")
        )


@dataclass
class FakeSettings(Notes):
    async def set(self, **fields: Any) -> None:
        self.note("set", fields)
        self.store.change(lambda s: replace(s, settings=replace(s.settings, **fields)), Topic("settings"))


@dataclass
class FakeAgents(Notes):
    async def detect(self) -> None:
        self.note("detect")

    def info(self, agent_id: str) -> AgentInfo | None:
        return next((info for info in self.store.state.agents if info.spec.id == agent_id), None)


@dataclass
class FakeSessions(Notes):
    async def stop(self, task_id: TaskId) -> None:
        self.note("stop", task_id)

    async def prompt(self, task_id: TaskId, text: str, attachments: tuple[str, ...] = ()) -> bool:
        self.note("prompt", task_id, text)
        return True


class FakeLog:
    def __init__(self, lines: list[LogLine] | None = None) -> None:
        self.lines = lines or []
        self.rev = len(self.lines)

    @property
    def count(self) -> int:
        return len(self.lines)

    def line(self, index: int) -> LogLine:
        return self.lines[index]

    def append(self, *lines: LogLine) -> None:
        self.lines += lines
        self.rev += 1


@dataclass
class FakeLogs(Notes):
    views: dict[TaskId, FakeLog] = field(default_factory=dict)

    def lines(self, task_id: TaskId) -> FakeLog:
        return self.views.setdefault(task_id, FakeLog())

    async def load(self, task_id: TaskId) -> None:
        self.note("load", task_id)

    def forget(self, task_id: TaskId) -> None:
        self.note("forget", task_id)


@dataclass
class FakeMcp(Notes):
    trouble: McpState | None = None

    def state(self, repository_id: RepositoryId) -> McpState:
        if not self.store.state.repositories[repository_id].posthog_mcp:
            return McpState("Off", "neutral", "Agents here do not get them.")
        return self.trouble or McpState("On", "success", "Agents get them with their next start.")

    async def check(self) -> None:
        self.note("check")


@dataclass
class FakeServices:
    store: Store
    tasks: FakeTasks
    repositories: FakeRepositories
    settings: FakeSettings
    agents: FakeAgents
    sessions: FakeSessions
    logs: FakeLogs
    mcp: FakeMcp
    calls: list[tuple[str, tuple[Any, ...]]]

    def called(self, name: str) -> list[tuple[Any, ...]]:
        return [args for called, args in self.calls if called == name]


def services_of(state: AppState) -> FakeServices:
    store, calls = Store(state), []
    return FakeServices(
        store,
        FakeTasks(store, calls),
        FakeRepositories(store, calls),
        FakeSettings(store, calls),
        FakeAgents(store, calls),
        FakeSessions(store, calls),
        FakeLogs(store, calls),
        FakeMcp(store, calls),
        calls,
    )


@dataclass
class ToastNotes:
    """Keeps what would have been shown."""

    shown: list[tuple[str, str, str, Any]] = field(default_factory=list)

    def show_toast(self, title: str, text: str, kind: str, actions: Any, timeout: float, key: str) -> None:
        self.shown.append((title, text, kind, actions))


def context_of(state: AppState, layout_path: Path | None = None) -> UiContext:
    """A context on fake services; actions run at once and crashes are raised."""
    services = services_of(state)
    toasts = Toasts()

    def crash(error: BaseException) -> None:
        raise error

    actions = Actions(
        Now(),
        on_user_error=lambda error: toasts.show(error.title, error.hint, "error"),
        on_crash=crash,
    )
    return UiContext(
        services=services,  # type: ignore[arg-type]
        bridge=Bridge(services.store, frame_ms=0),
        actions=actions,
        nav=Nav(),
        toasts=toasts,
        commands=CommandRegistry(),
        layout_path=layout_path,
        now=lambda: NOW,
    )


def repository_of(name: str, script: str = "") -> Repository:
    return Repository(
        RepositoryId(name),
        f"/home/mira/{name}",
        name,
        "main",
        f"git@github.com:harbor/{name}.git",
        script,
        added_at={"harbor-web": 1.0, "harbor-api": 2.0}.get(name, 3.0),
    )


def task_of(
    task_id: str, title: str, repository: str, branch: str, at: float, *, added: int = 0, removed: int = 0, **more: Any
) -> Task:
    fields: dict[str, Any] = {
        "phase": TaskPhase.READY,
        "base": "main",
        "branch": branch,
        "path": f"/home/mira/.worktrees/{task_id}",
        "model": "Opus 4.5",
        "mode": "acceptEdits",
        "stat": DiffStat(7 if added else 0, added, removed),
        **more,
    }
    return Task(
        TaskId(task_id),
        RepositoryId(repository),
        title,
        title,
        Workspace.WORKTREE,
        "claude",
        SessionId(f"s-{task_id}"),
        at,
        at,
        **fields,
    )


def session_of(task_id: str, at: float, phase: SessionPhase = SessionPhase.IDLE, **more: Any) -> Session:
    busy = phase.busy
    turn = Turn(3, "…", at - 161, 0.0 if busy else at, "" if busy else more.pop("stop", "end_turn"))
    asks = more.pop("asks", ())
    return Session(SessionId(f"s-{task_id}"), TaskId(task_id), "claude", phase=phase, turns=(turn,), asks=asks, **more)


def permission(request: str = "p1") -> Ask:
    return Ask(RequestId(request), AskKind.PERMISSION, "Run pnpm build", NOW - 60, command="pnpm build")


def question(request: str = "q1") -> Ask:
    return Ask(RequestId(request), AskKind.QUESTION, "Which limit?", NOW - 60)


def pull_request(number: int = 482, **more: Any) -> PullRequest:
    fields: dict[str, Any] = {
        "state": PullRequestState.OPEN,
        "checks": (*(Check(f"check {i}", CheckState.PASSED) for i in range(6)), Check("e2e", CheckState.FAILED)),
        **more,
    }
    return PullRequest(number, "A pull request", "https://github.com/x/y/pull/1", head="a", base="main", **fields)


def agents() -> tuple[AgentInfo, ...]:
    modes = (("plan", "Plan"), ("default", "Ask"), ("acceptEdits", "Accept edits"))
    claude = AgentSpec(
        "claude", "Claude Code", "C", ("claude-agent-acp",), modes=modes, default_mode="default", install="npm i -g c"
    )
    codex = AgentSpec("codex", "Codex", "X", ("codex-acp",), install="npm i -g codex-acp", sign_in="codex login")
    gemini = AgentSpec("gemini", "Gemini CLI", "G", ("gemini", "--acp"), install="npm i -g @google/gemini-cli")
    return (
        AgentInfo(claude, AgentStatus.READY, "/usr/bin/claude-agent-acp", "2.0.31"),
        AgentInfo(codex, AgentStatus.SIGNED_OUT, "/usr/bin/codex-acp", "0.48.0"),
        AgentInfo(gemini, AgentStatus.NOT_INSTALLED),
    )


def world() -> AppState:
    """The tasks of the design's pictures."""
    minute, hour = 60.0, 3600.0
    rows = [
        ("pay", "Stop double charges on checkout retry", "harbor-web", "fix/double-charge", 2 * minute, 197, 94),
        ("orders", "Virtualise the order history table", "harbor-web", "perf/order-history", 4 * minute, 312, 88),
        ("vite", "Upgrade Vite and drop legacy polyfills", "harbor-web", "chore/vite-7", minute, 41, 206),
        (
            "address",
            "Move address form to server actions",
            "harbor-web",
            "feat/address-actions-form",
            3 * hour,
            455,
            310,
        ),
        ("focus", "Fix focus trap in the cart drawer", "harbor-web", "fix/cart-focus", 30 * hour, 23, 9),
        ("quotes", "Rate-limit the public quotes API", "harbor-api", "feat/quote-limits", 6 * minute, 88, 12),
        ("currency", "Backfill missing invoice currency", "harbor-api", "fix/invoice-currency", 22 * minute, 64, 3),
        ("hooks", "Split billing webhooks by provider", "harbor-api", "refactor/webhooks", 5 * hour, 690, 544),
        ("audit", "Index the audit log by actor", "harbor-api", "perf/audit-index", 2 * hour, 0, 0),
        ("zstd", "Try zstd for event batches", "ingest-worker", "spike/zstd", 72 * hour, 120, 31),
        ("old", "Remove the old feature flags", "harbor-web", "chore/flags", 200 * hour, 12, 90),
    ]
    tasks = {
        TaskId(key): task_of(key, title, repository, branch, NOW - ago, added=added, removed=removed)
        for key, title, repository, branch, ago, added, removed in rows
    }
    changes: dict[str, dict[str, Any]] = {
        "pay": {"pinned": True, "unread": True},
        "currency": {"unread": True},
        "old": {"phase": TaskPhase.ARCHIVED, "archived_at": NOW - 90 * hour},
    }
    for key, fields in changes.items():
        tasks[TaskId(key)] = replace(tasks[TaskId(key)], **fields)
    phases: dict[str, dict[str, Any]] = {
        "orders": {"phase": SessionPhase.WORKING},
        "vite": {"phase": SessionPhase.WAITING, "asks": (permission(),)},
        "quotes": {"phase": SessionPhase.WAITING, "asks": (question(),)},
        "audit": {"phase": SessionPhase.FAILED, "stop": "error"},
    }
    sessions = {
        SessionId(f"s-{key}"): session_of(key, NOW - ago, **phases.get(key, {})) for key, _, _, _, ago, _, _ in rows
    }
    return AppState(
        repositories={
            RepositoryId(name): repository_of(name, "pnpm install" if name == "harbor-web" else "")
            for name in ("harbor-web", "harbor-api", "ingest-worker")
        },
        tasks=tasks,
        sessions=sessions,
        pull_requests={
            TaskId("address"): pull_request(479),
            TaskId("focus"): pull_request(471, state=PullRequestState.MERGED, checks=()),
            TaskId("hooks"): pull_request(480, state=PullRequestState.DRAFT, checks=()),
        },
        agents=agents(),
    )


def log_lines(number: int) -> list[LogLine]:
    sources = list(LogSource)
    return [
        LogLine(NOW - number + i, sources[i % len(sources)], f"line {i} of the log", data=f'{{"n": {i}}}')
        for i in range(number)
    ]


def set_up_steps() -> tuple[Step, ...]:
    return (
        Step("worktree", "Create the worktree", StepState.DONE, NOW - 12, NOW - 11),
        Step("setup", "pnpm install", StepState.RUNNING, NOW - 9),
    )
