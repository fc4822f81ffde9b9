"""A fake context for the Pull request panel and the Create PR dialog."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import shiboken6
from PySide6.QtWidgets import QWidget

from posthog_code.domain.errors import NotFound, UserError
from posthog_code.domain.ids import RepositoryId, SessionId, TaskId
from posthog_code.domain.publishing import NewPullRequest, PullRequestProposal
from posthog_code.domain.pull_request import (
    Check,
    CheckState,
    Mergeable,
    PullRequest,
    PullRequestState,
    Review,
    ReviewState,
    ReviewThread,
)
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import DiffStat, Repository, Step, StepState, Task, TaskPhase, Workspace
from posthog_code.ports.git import Branch
from posthog_code.services.pull_requests import Unpushed
from posthog_code.ui.actions import Actions
from posthog_code.ui.bridge import Bridge
from posthog_code.ui.context import UiContext
from posthog_code.ui.nav import Nav

NOW = 1_760_000_000.0
T, R = TaskId("t1"), RepositoryId("r1")
LOG = (
    "Run pnpm e2e checkout --project=webkit\n"
    "  await page.getByTestId('pay-button').click();\n"
    "  await expect(page.getByText('Paid')).toBeVisible();\n"
    "TimeoutError: locator.click: 30000ms exceeded\n"
    "  waiting for getByTestId('pay-button') to be enabled\n"
    "  at tests/e2e/checkout.spec.ts:212:47"
)


def check(name: str, state: CheckState, took: float, **fields: Any) -> Check:
    return Check(
        name,
        state,
        id=f"id-{name}",
        url="https://github.com/acme/web/actions/runs/1/job/2",
        started_at=NOW - 900,
        ended_at=0.0 if state is CheckState.RUNNING else NOW - 900 + took,
        is_job=True,
        **fields,
    )


CHECKS = (
    check("e2e / checkout (webkit)", CheckState.FAILED, 258, summary="1 of 6 tests failed", required=True),
    check("unit / payments", CheckState.PASSED, 62),
    check("typecheck", CheckState.PASSED, 48),
    check("e2e / checkout (chromium)", CheckState.PASSED, 231),
    check("lint", CheckState.PASSED, 12),
    check("build", CheckState.PASSED, 90),
    check("bundle size", CheckState.PASSED, 30),
)
THREADS = (
    ReviewThread(
        "TH1",
        "src/payments/submitPayment.ts",
        28,
        False,
        False,
        (
            (
                "priya-raman",
                "What happens if Redis is down here? I would rather charge once and log than block.",
                NOW - 1320,
            ),
        ),
        code="+  const prior = await claim(key, { ttl: '48h' });",
        url="https://github.com/acme/web/pull/482#discussion_r1",
    ),
    ReviewThread(
        "TH2", "src/payments/retry.ts", 9, True, False, (("jonas-lind", "Name this after what it does.", NOW - 2000),)
    ),
)
PULL = PullRequest(
    number=482,
    title="Make payment submission idempotent",
    url="https://github.com/acme/web/pull/482",
    state=PullRequestState.OPEN,
    head="fix/double-charge",
    base="main",
    head_sha="c2",
    node_id="N",
    author="mo",
    created_at=NOW - 3700,
    commits=6,
    added=197,
    removed=94,
    files=7,
    mergeable=Mergeable.BLOCKED,
    review_decision="CHANGES_REQUESTED",
    checks=CHECKS,
    reviews=(
        Review("priya-raman", ReviewState.CHANGES_REQUESTED, NOW - 1320),
        Review("jonas-lind", ReviewState.APPROVED, NOW - 2460),
    ),
    threads=THREADS,
    fetched_at=NOW - 20,
    by_viewer=True,
)
BODY = (
    "## Why\n\nPeople who tapped Pay again after a timeout were charged twice.\n\n## What\n\n"
    "- The key comes from the checkout session and cart version\n- The first result is kept for 48 hours\n"
    "- One retry helper; declined cards are not retried"
)
PROPOSAL = PullRequestProposal(
    NewPullRequest("Make payment submission idempotent", BODY, "main", False, "Match the gateway's 48 hour window"),
    branch="fix/double-charge",
    uncommitted=("src/payments/retry.ts", "tests/payments.test.ts"),
    commits_ahead=5,
    files=7,
    added=197,
    removed=94,
)
FAILED_STEPS = (
    Step("commit", "Commit 2 files", StepState.DONE, NOW - 9, NOW - 8.2),
    Step(
        "push",
        "Push fix/double-charge",
        StepState.FAILED,
        NOW - 8,
        NOW - 6,
        "Push rejected. The branch moved on GitHub: pull, then push again.\n"
        "! [rejected] fix/double-charge -> fix/double-charge (fetch first)",
    ),
    Step("pull_request", "Open the pull request"),
)


class Inline:
    """Runs coroutines to their end at once, those that they start after them."""

    def __init__(self) -> None:
        self._waiting: list[Coroutine[Any, Any, Any]] = []
        self._running = False

    def spawn(self, coro: Coroutine[Any, Any, Any], name: str, /) -> None:
        self._waiting.append(coro)
        if self._running:
            return
        self._running = True
        try:
            while self._waiting:
                asyncio.run(self._waiting.pop(0))
        finally:
            self._running = False


class FakeStore:
    def __init__(self, state: AppState) -> None:
        self.state = state
        self._listeners: list[Callable[[frozenset[Topic]], None]] = []

    def subscribe(self, listener: Callable[[frozenset[Topic]], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def change(self, *topics: Topic, **fields: Any) -> None:
        self.state = replace(self.state, **fields)
        for listener in self._listeners:
            listener(frozenset(topics))


class FakePulls:
    def __init__(self, store: FakeStore) -> None:
        self.store = store
        self.watched: list[str] = []
        self.calls: list[tuple[str, Any]] = []
        self.trouble: UserError | None = None
        self.is_loaded, self.is_creating = True, False
        self.proposal = PROPOSAL
        self.refuse: UserError | None = None
        """What `create` says unless it is told to go on without the check."""
        self.fail: UserError | None = None
        self.keyring = True
        self.behind = Unpushed()
        self.typed: NewPullRequest | None = None

    def watch(self, task_id: TaskId) -> None:
        self.watched.append(task_id)

    def unwatch(self, task_id: TaskId) -> None:
        self.watched.remove(task_id)

    def problem(self, task_id: TaskId) -> UserError | None:
        return self.trouble

    def loaded(self, task_id: TaskId) -> bool:
        return self.is_loaded

    def creating(self, task_id: TaskId) -> bool:
        return self.is_creating

    def unpushed(self, task_id: TaskId) -> Unpushed:
        return self.behind

    async def push(self, task_id: TaskId, message: str = "") -> PullRequest:
        self.calls.append(("push", task_id))
        self.behind = Unpushed()
        self.store.change(Topic("pull_request", T))
        return PULL

    def form(self, task_id: TaskId) -> NewPullRequest | None:
        return self.typed

    async def keep_form(self, task_id: TaskId, new: NewPullRequest | None) -> None:
        self.typed = new

    async def propose(self, task_id: TaskId) -> PullRequestProposal:
        return replace(self.proposal, new=self.typed) if self.typed else self.proposal

    async def create(self, task_id: TaskId, new: NewPullRequest, *, without_coverage: bool = False) -> PullRequest:
        self.calls.append(("create", new))
        if self.refuse is not None and not without_coverage:
            raise self.refuse
        if self.fail is not None:
            self.store.change(Topic("publish", T), publishing={T: FAILED_STEPS})
            raise self.fail
        self.store.change(Topic("pull_request", T), Topic("publish", T), pull_requests={T: PULL}, publishing={})
        return PULL

    async def dismiss_failure(self, task_id: TaskId) -> None:
        self.store.change(Topic("publish", T), publishing={})

    async def refresh(self, task_id: TaskId) -> PullRequest | None:
        self.calls.append(("refresh", task_id))
        return self.store.state.pull_requests.get(task_id)

    async def check_log(self, task_id: TaskId, check: Check) -> str:
        if not check.is_job:
            raise NotFound("This check has no log.")
        return LOG

    async def failure_prompt(self, task_id: TaskId, checks: Sequence[Check], note: str = "") -> str:
        return "fix " + ", ".join(check.name for check in checks)

    def thread_prompt(self, task_id: TaskId, thread: ReviewThread, note: str = "") -> str:
        return f"answer {thread.id}"

    async def can_store_token(self) -> bool:
        return self.keyring

    async def sign_in(self, task_id: TaskId, token: str) -> str:
        self.calls.append(("sign_in", token))
        if self.fail is not None:
            raise self.fail
        return "mo"


class World:
    def __init__(self, pull: PullRequest | None = None, **fields: Any) -> None:
        task = Task(
            T,
            R,
            "Stop double charges on checkout retry",
            "Stop double charges",
            Workspace.WORKTREE,
            "demo",
            SessionId("s1"),
            NOW,
            NOW,
            phase=TaskPhase.READY,
            base="main",
            branch="fix/double-charge",
            path="/nowhere",
            stat=DiffStat(7, 197, 94),
        )
        repository = Repository(R, "/nowhere", "harbor-web", "main", "git@github.com:acme/web.git")
        pulls = {T: pull} if pull else {}
        self.store = FakeStore(AppState(repositories={R: repository}, tasks={T: task}, pull_requests=pulls, **fields))
        self.pulls = FakePulls(self.store)
        self.prompts: list[str] = []
        self.read: list[str] = []
        """Tasks whose code is being read."""
        self.errors: list[BaseException] = []
        self.toasts: list[str] = []
        self.kept: list[QWidget] = []
        services = SimpleNamespace(
            store=self.store,
            pull_requests=self.pulls,
            code_signals=SimpleNamespace(watch=self.read.append, unwatch=self.read.remove),
            sessions=SimpleNamespace(prompt=self._prompt),
            repositories=SimpleNamespace(branches=self._branches),
        )
        self.bridge = Bridge(self.store, frame_ms=0)
        self.nav = Nav()
        self.actions = Actions(Inline(), on_user_error=self.errors.append, on_crash=self.errors.append)
        self.ctx = UiContext(services, self.bridge, self.actions, self.nav, now=lambda: NOW)  # type: ignore[arg-type]
        self.ctx.toasts.attach(SimpleNamespace(show_toast=self._toast))

    def close(self) -> None:
        """Destroy the windows now: left to the garbage collector they would take events half torn down."""
        self.bridge.close()
        for window in self.kept:
            window.hide()
            shiboken6.delete(window)
        self.kept.clear()

    def _toast(self, title: str, *rest: Any) -> None:
        self.toasts.append(title)

    async def _prompt(self, task_id: TaskId, text: str, attachments: tuple[str, ...] = ()) -> bool:
        self.prompts.append(text)
        return True

    async def _branches(self, repository_id: RepositoryId) -> tuple[Branch, ...]:
        return (
            Branch("main", "c0", NOW),
            Branch("fix/double-charge", "c1", NOW),
            Branch("origin/next", "c2", NOW, True),
        )
