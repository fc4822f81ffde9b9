"""A program with one merged task, and a product whose figures a test writes down."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from posthog_code.app.container import Container
from posthog_code.domain.cloud import Account
from posthog_code.domain.code_signals import CodeSignals
from posthog_code.domain.code_use import CodeUse, UseKind
from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import SessionId, TaskId
from posthog_code.domain.inbox import ErrorSample, Evidence, Inbox, Report
from posthog_code.domain.pull_request import PullRequest, PullRequestState
from posthog_code.domain.state import AppState
from posthog_code.domain.task import Task, TaskPhase, Workspace
from posthog_code.ports.forge import Landing
from posthog_code.ports.signals import OutgoingSignal, Table
from posthog_code.services.emitting import Emitting
from posthog_code.services.flaky_scan import FlakyScan
from posthog_code.services.release_code import ReleaseCode
from posthog_code.services.release_follow_up import FollowUps
from posthog_code.services.releases import ReleaseParts, ReleaseWatches
from tests.helpers import git, make_repository, running

T = TaskId("task1")
NOW = 1_800_000_000.0
HOUR = 3600.0
REPORT = "report-1"
STACK = '[{"type": "GatewayTimeout", "stacktrace": {"frames": [{"source": "/app/src/pay.py", "lineno": 3}]}}]'


class Time:
    def __init__(self, now: float = NOW) -> None:
        self.at, self.number = now, 0

    def now(self) -> float:
        return self.at

    def new_id(self) -> str:
        self.number += 1
        return f"id{id(self):x}-{self.number}"


@dataclass
class Product:
    """Answers the queries of a watch from rates an hour. Implements the part of ProductSignals that is asked."""

    clock: Time
    released: float = NOW
    errors: tuple[int, int] = (0, 0)
    """An hour before and after the release."""
    new_errors: int = 0
    pages: int = 100
    events: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    failure: UserError | None = None
    emit_failure: UserError | None = None
    project_id: int = 7
    asked: list[str] = field(default_factory=list)
    sent: list[OutgoingSignal] = field(default_factory=list)

    async def query(self, hogql: str, values: Mapping[str, Any] | None = None, *, name: str = "") -> Table:
        self.asked.append(name)
        if self.failure is not None:
            raise self.failure
        hours = max(0, int((min(self.clock.now(), self.released + 24 * HOUR) - self.released) // HOUR))
        match name:
            case "release errors":
                columns = (
                    "fingerprint", "issue_id", "types", "exceptions", "occurrences", "late", "people", "first_seen",
                )  # fmt: skip
                before, after = self.errors
                late, total = after * hours, after * hours + before * 168
                rows = [("f1", "i1", '["GatewayTimeout"]', STACK, total, late, 9, self.released - 9e5)] if total else []
                if self.new_errors:
                    count = self.new_errors
                    rows.append(("f2", "i2", '["KeyError"]', STACK, count, count, 2, self.released + 60))
                rows.append(("f9", "", "[]", STACK.replace("pay", "other"), 50, 50, 5, self.released + 60))
                return Table(columns, tuple(rows))
            case "release pages":
                return Table(("place", "volume"), (("/checkout", 900), (None, 3)))
            case "release hours":
                series = {"$exception": self.errors, "$pageview": (self.pages, self.pages), **self.events}
                found = [(h, n, b) for n, (b, _) in series.items() for h in range(168) if b]
                found += [(168 + h, n, a) for n, (_, a) in series.items() for h in range(hours) if a]
                return Table(("slot", "event", "volume"), tuple(found))
            case "release funnels":
                return Table(
                    ("late", "began0", "began1", "went0_1", "went1_0"), ((0, 900, 600, 500, 10), (1, 90, 60, 50, 0))
                )
            case "before the merge":
                return Table(
                    ("failed", "volume", "people", "sessions"), ((True, 214, 87, 90), (False, 18_200, 9_000, 8_000))
                )
        raise AssertionError(name)

    async def emit(self, signal: OutgoingSignal) -> None:
        if self.emit_failure is not None:
            raise self.emit_failure
        self.sent.append(signal)


@dataclass
class World:
    container: Container
    product: Product
    clock: Time
    releases: ReleaseWatches
    emitting: Emitting
    landing: Landing | UserError
    resolved: list[tuple[str, str]]

    @property
    def state(self) -> AppState:
        return self.container.services.store.state

    def after(self, hours: float) -> None:
        self.clock.at = self.product.released + hours * HOUR


class Code:
    """What the code signals tell."""

    async def refresh(self, task_id: TaskId) -> CodeSignals:
        use = CodeUse(UseKind.EVENT, "payment_submitted", "src/pay.py", 3, 3)
        return CodeSignals(uses=(use, replace(use, name="checkout_timed_out", line=4), replace(use, dynamic=True)))


@asynccontextmanager
async def world(home: Path, product: Product | None = None, *, every: float = 600.0) -> AsyncIterator[World]:
    """A program on `home`; the second one on the same folder finds what the first has made."""
    clock = product.clock if product else Time()
    product = product or Product(clock)
    if not (home / "repo").exists():
        _make_code(home)
    async with running(home / "data") as container:
        services = container.services
        account = services.account

        async def restore() -> Account:
            return account.account

        account.restore = restore  # type: ignore[method-assign]
        account.signals = lambda project_id=0: product  # type: ignore[method-assign,assignment,misc]
        if T not in services.store.state.tasks:
            await _make_rows(container, home)
        emitting = Emitting(
            services.store,
            account.signals,
            FlakyScan(services.store, container.services.sessions._parts.journals, services.changes.between),
            clock,
        )
        resolved: list[tuple[str, str]] = []

        async def resolve(report_id: str, proof: str, _project_id: int) -> None:
            resolved.append((report_id, proof))
            reports = services.store.state.inbox.reports
            done = {**reports, report_id: replace(reports[report_id], status="resolved")}
            await services.store.update(lambda state: replace(state, inbox=replace(state.inbox, reports=done)))

        async def landed(task_id: TaskId) -> Landing:
            if isinstance(made.landing, UserError):
                raise made.landing
            return made.landing

        parts = ReleaseParts(
            services.store,
            account,
            ReleaseCode(services.store, services.changes, services.changes._changes, Code()),
            FollowUps(services.store, emitting, services.tasks, services.agents),
            landed,
            resolve,
            clock,
            services.scope,
        )
        releases = ReleaseWatches(parts, every=every)
        made = World(container, product, clock, releases, emitting, Landing("c0ffee", NOW), resolved)
        yield made


def _make_code(home: Path) -> None:
    repository = make_repository(home / "repo")
    (repository / "src").mkdir()
    (repository / "src" / "pay.py").write_text("def pay(order):\n    charge(order)\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "Pay")
    git(repository, "remote", "add", "origin", "https://github.com/acme/shop.git")
    git(repository, "worktree", "add", "-q", "-b", "fix/pay", str(home / "tree"), "main")
    (home / "tree" / "src" / "pay.py").write_text("def pay(order):\n    if not order.paid:\n        charge(order)\n")
    git(home / "tree", "commit", "-qam", "Charge once")


async def _make_rows(container: Container, home: Path) -> None:
    services = container.services
    repository_id = await services.repositories.add(home / "repo")
    head = git(home / "tree", "rev-parse", "HEAD")
    task = Task(
        T, repository_id, "Charge once", "Charge once", Workspace.WORKTREE, "custom", SessionId("s1"), NOW, NOW,
        phase=TaskPhase.READY, base="main", base_commit=git(home / "repo", "rev-parse", "main"), branch="fix/pay",
        path=str(home / "tree"), report_id=REPORT, agent_command="true",
    )  # fmt: skip
    url = "https://github.com/acme/shop/pull/482"
    pull = PullRequest(482, "Charge once", url, PullRequestState.MERGED, "fix/pay", "main", head, updated_at=NOW)
    evidence = Evidence(REPORT, errors=(ErrorSample("f1", "GatewayTimeout"),))
    inbox = Inbox({REPORT: Report(REPORT, "Charged twice", status="ready")}, {REPORT: evidence}, project_id=7)
    account = Account(host="https://eu.example", login="api_key", project_id=7)
    await services.store.update(
        lambda state: replace(state, tasks={T: task}, pull_requests={T: pull}, inbox=inbox, account=account)
    )
