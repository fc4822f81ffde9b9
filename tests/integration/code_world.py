"""A task with real files in a real repository, code that is read by patterns, and a product that can be bad."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from posthog_code.adapters.git import make_git
from posthog_code.domain.cloud import Account, Project
from posthog_code.domain.code_signals import CodeSignals
from posthog_code.domain.code_use import CodeUse, EntryKind, EntryPoint, FileUses, UseKind
from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import RepositoryId, SessionId, TaskId
from posthog_code.domain.product import EventFacts, Experiment, Flag
from posthog_code.domain.state import AppState
from posthog_code.domain.task import Repository, Task, TaskPhase, Workspace
from posthog_code.ports.signals import Table
from posthog_code.services.account import AccountService
from posthog_code.services.changes import ChangesService
from posthog_code.services.code_reading import ChangedCodeReader
from posthog_code.services.code_search import CodeSearch
from posthog_code.services.code_signals import CodeSignalsService
from posthog_code.services.product_facts import ProductFactsReader
from posthog_code.services.scope import Scope
from posthog_code.services.store import Store
from tests.helpers import git, until

T, R = TaskId("t1"), RepositoryId("r1")
DAY = 86_400.0
_CALLS = re.compile(r"(capture|isFeatureEnabled|captureException|identify)\((?:\"([^\"]*)\")?")
_KINDS = {
    "capture": UseKind.EVENT,
    "isFeatureEnabled": UseKind.FLAG,
    "captureException": UseKind.ERROR,
    "identify": UseKind.IDENTIFY,
}
_ROUTE = re.compile(r"export function (\w+)")


class PatternReader:
    """Implements ports.code.CodeReader for files that are laid out as these tests write them."""

    def __init__(self) -> None:
        self.parsed: list[str] = []
        self.asked: list[str] = []

    def language_of(self, path: str) -> str:
        return "typescript" if path.endswith(".ts") else ""

    def read_text(self, path: str, text: bytes) -> FileUses:
        self.parsed.append(path)
        lines = text.decode("utf-8", "replace").splitlines()
        uses = [
            CodeUse(_KINDS[call[1]], call[2] or "", path, number, number, call[1])
            for number, line in enumerate(lines, 1)
            for call in _CALLS.finditer(line)
        ]
        entries = []
        for number, line in enumerate(lines, 1):
            if match := _ROUTE.search(line):
                end = next((n for n in range(number, len(lines) + 1) if lines[n - 1] == "}"), len(lines))
                entries.append(EntryPoint(EntryKind.ROUTE, match[1], path, number, end))
        problem = "it is not text" if b"\0" in text else ""
        return FileUses(path, "typescript", tuple(uses), tuple(entries), problem=problem)

    async def read(
        self, root: Path, paths: Iterable[str], texts: Mapping[str, bytes] | None = None
    ) -> Mapping[str, FileUses]:
        found = {}
        for path in paths:
            self.asked.append(path)
            data = (texts or {}).get(path)
            found[path] = self.read_text(path, (root / path).read_bytes() if data is None else data)
            await asyncio.sleep(0)
        return found

    async def read_all(self, root: Path, paths: Iterable[str]) -> Mapping[str, FileUses]:
        return await self.read(root, paths)


@dataclass
class FakeProduct:
    """Implements the part of ports.signals.ProductSignals that is asked."""

    project_id: int = 1
    known_flags: tuple[Flag, ...] = ()
    known_experiments: tuple[Experiment, ...] = ()
    known_events: tuple[EventFacts, ...] = ()
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By the query's name."""
    fail: dict[str, UserError] = field(default_factory=dict)
    """By method, or by the query's name."""
    hold: asyncio.Event | None = None
    """Queries wait for it."""
    calls: list[str] = field(default_factory=list)
    cancelled: int = 0
    values: dict[str, Any] = field(default_factory=dict)

    def _step(self, name: str) -> None:
        self.calls.append(name)
        if name in self.fail:
            raise self.fail[name]

    async def flags(self) -> tuple[Flag, ...]:
        self._step("flags")
        return self.known_flags

    async def flag(self, key: str) -> Flag | None:
        self._step("flag")
        return next((flag for flag in self.known_flags if flag.key == key), None)

    async def experiments(self) -> tuple[Experiment, ...]:
        self._step("experiments")
        return self.known_experiments

    async def events(self, names: Sequence[str]) -> tuple[EventFacts, ...]:
        self._step("events")
        return tuple(event for event in self.known_events if event.name in names)

    async def query(self, hogql: str, values: Mapping[str, Any] | None = None, *, name: str = "") -> Table:
        self.values[name] = values
        self._step(name)
        if self.hold is not None:
            try:
                await self.hold.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        rows = self.tables.get(name, [])
        columns = tuple(rows[0]) if rows else ()
        return Table(columns, tuple(tuple(row.get(column) for column in columns) for row in rows))

    def forget_answers(self) -> None:
        self.calls.append("forget")

    def flag_url(self, flag: Flag | str) -> str:
        return f"/flags/{flag if isinstance(flag, str) else flag.id}"

    def event_url(self, event: EventFacts) -> str:
        return f"/events/{event.id}"

    def experiment_url(self, experiment: Experiment) -> str:
        return f"/experiments/{experiment.id}"

    def error_url(self, issue_id: str) -> str:
        return f"/errors/{issue_id}"


class _Disk:
    def load(self) -> AppState:
        return AppState()

    async def save(self, old: AppState, new: AppState) -> None:
        return None


class _Port:
    """The part of ports.cloud.CloudAccount that is asked."""

    def __init__(self) -> None:
        self.products: dict[int, FakeProduct] = {}

    async def restore(self, account: Account) -> Account:
        return account

    def signals(self, account: Account, project_id: int) -> FakeProduct:
        return self.products[project_id]


class Clock:
    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def now(self) -> float:
        return self.time

    def new_id(self) -> str:
        return "id"


@dataclass
class CodeWorld:
    folder: Path
    store: Store
    service: CodeSignalsService
    changes: ChangesService
    reader: PatternReader
    product: FakeProduct
    port: _Port
    clock: Clock
    facts: ProductFactsReader
    search: CodeSearch
    account: AccountService
    prompts: list[tuple[TaskId, str]]

    @property
    def shown(self) -> CodeSignals:
        return self.store.state.code_signals.get(T, CodeSignals())

    def states(self) -> dict[str, str]:
        return {row.name: row.state for row in self.shown.rows}

    def write(self, path: str, *lines: str) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{line}\n" for line in lines))

    async def sign_in(self, on: bool = True) -> None:
        account = Account(
            host="https://eu.posthog.com" if on else "",
            login="oauth" if on else "",
            projects=(Project(1, "Harbor"), Project(2, "Harbor EU")),
            project_id=1,
        )
        await self.account._put(account)

    async def live(self) -> None:
        """Until changes of files are noticed as they happen: those before the watcher began are not."""
        await until(lambda: T in self.store.state.changes)
        loop, written, probe = asyncio.get_running_loop(), -9.0, 0

        def noticed() -> bool:
            nonlocal written, probe
            if loop.time() - written > 1.0:  # further ones would only put off the telling
                written, probe = loop.time(), probe + 1
                self.write(f"probe{probe}.txt", "x")
            # The first may be in the list that was read when the watch began.
            return f"probe{probe}.txt" in str(self.store.state.changes[T]) and probe > 1

        await until(noticed)

    async def settled(self) -> CodeSignals:
        """What is shown once the code is read and the product has answered."""
        await until(lambda: self.shown.fingerprint and not self.shown.loading)
        return self.shown


ROUTE = ("export function pay() {", "  charge()", '  capture("paid")', "}")


@asynccontextmanager
async def code_world(folder: Path, *, signed_in: bool = True, **files: Sequence[str]) -> AsyncIterator[CodeWorld]:
    """On the branch `fix` from `main`, with src/pay.ts (and what else is given) committed."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "Ada")
    git(folder, "config", "user.email", "ada@example.com")
    for path, lines in {"src/pay.ts": ROUTE, **files}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("".join(f"{line}\n" for line in lines))
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "First")
    git(folder, "switch", "-qc", "fix")
    task = Task(
        T, R, "Fix", "Fix", Workspace.WORKTREE, "demo", SessionId("s"), 0.0, 0.0,
        phase=TaskPhase.READY, base="main", branch="fix", path=str(folder),
    )  # fmt: skip
    repository = Repository(R, str(folder), "web", "main")
    store = Store(_Disk(), AppState(repositories={R: repository}, tasks={T: task}))
    errors: list[str] = []
    scope = Scope("test", lambda name, error: errors.append(f"{name}: {error!r}"))
    made, clock, reader, port = make_git(), Clock(), PatternReader(), _Port()
    changes = ChangesService(store, made.git, made.changes, made.checkpoints, made.watcher, clock, scope)
    product = FakeProduct()
    port.products = {1: product, 2: FakeProduct(2)}
    account = AccountService(store, port)  # type: ignore[arg-type]
    facts, search = ProductFactsReader(account, clock), CodeSearch(made.git, reader)
    prompts: list[tuple[TaskId, str]] = []

    async def prompt(task_id: TaskId, text: str) -> bool:
        prompts.append((task_id, text))
        return True

    code = ChangedCodeReader(store, changes, made.git, reader)
    service = CodeSignalsService(store, changes, code, facts, search, prompt, clock, scope)
    world = CodeWorld(
        folder, store, service, changes, reader, product, port, clock, facts, search, account, prompts
    )  # fmt: skip
    if signed_in:
        await world.sign_in()
    try:
        yield world
    finally:
        assert await scope.close() == []
    assert not errors, errors


def stale_flag(key: str = "checkout-v2", days: float = 94) -> Flag:
    return Flag(1, key, rollout=100, created_at=1_800_000_000.0 - days * DAY)


def with_task(world: CodeWorld, **fields: Any) -> None:
    """Change the task behind everybody's back."""
    state = world.store.state
    world.store.adopt(replace(state, tasks={T: replace(state.tasks[T], **fields)}))
