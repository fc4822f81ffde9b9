"""What the changed code of a task means in production, live while somebody looks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from posthog_code.domain.changes import ChangeSet
from posthog_code.domain.code_asks import add_events, follow_up, habit_of
from posthog_code.domain.code_facts import Names, with_last_known
from posthog_code.domain.code_join import Links, join, uses_on_changed_lines
from posthog_code.domain.code_signals import CodeSignals, SignalRow
from posthog_code.domain.coverage import Coverage
from posthog_code.domain.errors import InvalidInput, NotFound, NotSignedIn, UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.product import ProductFacts
from posthog_code.domain.state import Topic
from posthog_code.domain.task import Task, TaskPhase
from posthog_code.ports.clock import Clock
from posthog_code.ports.signals import ProductSignals
from posthog_code.services.changes import ChangesService
from posthog_code.services.code_reading import ChangedCodeReader, Reading
from posthog_code.services.code_search import CodeSearch
from posthog_code.services.product_facts import ProductFactsReader
from posthog_code.services.scope import Scope
from posthog_code.services.store import Store

log = logging.getLogger("signals")
Prompt = Callable[[TaskId, str], Awaitable[bool]]
FRESH = 300.0
"""Seconds that the figures of the same names are shown again without asking."""
AGAIN = 30.0
"""Seconds after which figures that could not be read are asked for again, when there is a reason to."""
TASKS_KEPT = 12
"""Tasks that nobody looks at whose last facts are kept."""
PACE = 0.25
"""Seconds between two readings of code that goes on changing."""


@dataclass(slots=True)
class _Asked:
    """What the product last told about one task."""

    place: tuple[str, int]
    """Host and project."""
    names: Names
    facts: ProductFacts
    signals: ProductSignals


@dataclass(slots=True)
class _Watch:
    count: int
    running: asyncio.Task[None]


class CodeSignalsService:
    """Two stages: the code is read and shown at once, then the product is asked about the names in it. Without an
    account there is only the first."""

    def __init__(
        self,
        store: Store,
        changes: ChangesService,
        reader: ChangedCodeReader,
        facts: ProductFactsReader,
        search: CodeSearch,
        prompt: Prompt,
        clock: Clock,
        scope: Scope,
    ) -> None:
        self._store, self._changes, self._reader, self._facts = store, changes, reader, facts
        self._prompt, self._clock, self._scope = prompt, clock, scope
        self.search = search
        self._watches: dict[TaskId, _Watch] = {}
        self._asked: dict[TaskId, _Asked] = {}
        self._readings: dict[TaskId, Reading] = {}

    # -- while somebody looks --------------------------------------------------------------------------------------

    def watch(self, task_id: TaskId) -> None:
        """Keep `state.code_signals` of a task live until `unwatch`; may be nested."""
        watch = self._watches.get(task_id)
        if watch is not None and not watch.running.done():
            watch.count += 1
            return
        count = watch.count + 1 if watch is not None else 1
        if watch is None:
            self._changes.watch(task_id)
        self._watches[task_id] = _Watch(count, self._scope.spawn(self._follow(task_id), f"code-signals-{task_id}"))

    def unwatch(self, task_id: TaskId) -> None:
        watch = self._watches.get(task_id)
        if watch is None:
            return
        watch.count -= 1
        if watch.count <= 0:
            del self._watches[task_id]
            watch.running.cancel()
            self._changes.unwatch(task_id)

    async def _follow(self, task_id: TaskId) -> None:
        changed = asyncio.Event()
        changed.set()
        wanted = {Topic("changes", task_id), Topic("account")}
        unsubscribe = self._store.subscribe(lambda topics: changed.set() if topics & wanted else None)
        asking: asyncio.Task[None] | None = None
        asked_for: object = None
        try:
            while True:
                await changed.wait()
                changed.clear()
                task = self._store.state.tasks.get(task_id)
                if task is None:
                    break
                reading = await self._read_known(task)
                if reading is None:
                    continue
                wanted_now = (reading.names, self._place(task))
                if asking is not None and (asking.done() or asked_for != wanted_now):
                    asking.cancel()
                    asking = None
                if asking is None:
                    asked_for = wanted_now
                    asking = self._scope.spawn(self._ask_product(task_id), f"product-facts-{task_id}")
                await asyncio.sleep(PACE)
        finally:
            unsubscribe()
            if asking is not None:
                asking.cancel()

    async def _read_known(self, task: Task) -> Reading | None:
        """Read the change set that is in the state; None while there is none, or it cannot be read."""
        found = self._store.state.changes.get(task.id)
        if found is None and task.phase is TaskPhase.SETTING_UP:
            return None  # the watch of its changes tells when there is something
        try:
            if found is None:
                found = await self._changes.refresh(task.id)
            return await self._read(task.id, found)
        except UserError as error:
            await self._cannot_read(task.id, error)
            return None

    # -- reading ---------------------------------------------------------------------------------------------------

    async def refresh(self, task_id: TaskId) -> CodeSignals:
        """Read the code and ask the product anew. Never raises for what git, the network or the server does: that is
        the `problem`. Raises NotFound when there is no such task."""
        self._task(task_id)
        try:
            await self._read(task_id, await self._changes.refresh(task_id))
        except UserError as error:
            return await self._cannot_read(task_id, error)
        await self._ask_product(task_id, anew=True)
        return self._store.state.code_signals.get(task_id, CodeSignals())

    async def coverage(self, task_id: TaskId) -> Coverage:
        """Whether changed entry points tell the product what happens. Needs no account and asks nobody. Raises
        UserError when the changes cannot be read."""
        self._task(task_id)
        reading = await self._reader.read(task_id, await self._changes.refresh(task_id))
        if reading.problem and not reading.code.new and not reading.code.old:
            raise NotFound(reading.problem, "The check needs the files: take the task over to have them here.")
        return reading.coverage

    async def _read(self, task_id: TaskId, found: ChangeSet) -> Reading:
        """The first stage; shown with what was known of the product before."""
        reading = await self._reader.read(task_id, found)
        if self._readings.get(task_id) is reading and task_id in self._store.state.code_signals:
            return reading
        self._readings.pop(task_id, None)  # to the end: those at the beginning are the ones to be dropped
        self._readings[task_id] = reading
        await self._drop_old()
        asked = self._asked_here(task_id)
        loading = self._store.state.account.signed_in and bool(reading.names)
        await self._show(task_id, asked, loading=loading)
        return reading

    async def _ask_product(self, task_id: TaskId, *, anew: bool = False) -> None:
        """The second stage. Cancelled when nobody looks any more. `anew`: also what was answered a moment ago."""
        task, reading = self._store.state.tasks.get(task_id), self._readings.get(task_id)
        if task is None or reading is None:
            return  # it was deleted meanwhile
        names = reading.names
        signals = await self._facts.signals(task.cloud_project_id)
        if signals is None:
            self._asked.pop(task_id, None)
            await self._show(task_id, None)
            return
        known = self._asked_here(task_id)
        asked = _Asked(self._place(task), names, ProductFacts(fetched_at=self._clock.now()), signals)
        if not names:
            self._asked[task_id] = asked
            await self._show(task_id, asked)
            return
        if known is not None and known.names == names and not anew and self._is_fresh(known.facts):
            await self._show(task_id, known)
            return
        if known is not None and anew:
            self._facts.forget()
            signals.forget_answers()
            await self._show(task_id, known, loading=True)
        try:
            asked.facts = await self._facts.definitions(signals, names)
            if known is None:
                self._asked[task_id] = asked
                await self._show(task_id, asked, loading=True)
            asked.facts = await self._facts.figures(signals, asked.facts, names)
        except NotSignedIn as error:
            await self._show(task_id, known, problem=error.title)
            return
        if asked.place != self._place(task):
            await self._show(task_id, self._asked_here(task_id))  # somebody else is signed in by now
            return
        if known is not None:
            asked.facts = with_last_known(asked.facts, known.facts)
        self._asked[task_id] = asked
        await self._show(task_id, asked)

    def _asked_here(self, task_id: TaskId) -> _Asked | None:
        """What was told before, if it is of the account and project that would be asked now."""
        asked, task = self._asked.get(task_id), self._store.state.tasks.get(task_id)
        return asked if asked is not None and task is not None and asked.place == self._place(task) else None

    def _place(self, task: Task) -> tuple[str, int]:
        account = self._store.state.account
        return (account.host if account.signed_in else "", task.cloud_project_id or account.project_id)

    def _is_fresh(self, facts: ProductFacts) -> bool:
        # What went wrong is tried again soon, but not with every line that an agent writes.
        lasts = AGAIN if facts.problem or facts.partial else FRESH
        return 0 <= self._clock.now() - facts.fetched_at < lasts

    async def _drop_old(self) -> None:
        tasks = self._store.state.tasks
        idle = [one for one in self._readings if one not in self._watches]
        dropped = frozenset(idle[:-TASKS_KEPT]) | {one for one in idle if one not in tasks}
        for task_id in dropped:
            self._readings.pop(task_id, None)
            self._asked.pop(task_id, None)
        if dropped & self._store.state.code_signals.keys():
            await self._store.update(
                lambda state: replace(
                    state, code_signals={key: one for key, one in state.code_signals.items() if key not in dropped}
                )
            )

    # -- showing ---------------------------------------------------------------------------------------------------

    async def _show(self, task_id: TaskId, asked: _Asked | None, *, loading: bool = False, problem: str = "") -> None:
        reading = self._readings.get(task_id)
        if reading is None:
            return
        facts = asked.facts if asked is not None else None
        links = links_of(asked.signals) if asked is not None else None
        rows = await asyncio.to_thread(join, reading.code, facts, self._clock.now(), links)
        shown = CodeSignals(
            rows=rows,
            uses=uses_on_changed_lines(reading.code),
            facts=facts or ProductFacts(),
            coverage=reading.coverage,
            loading=loading,
            problem=problem or reading.problem or (facts.problem if facts is not None else ""),
            fingerprint=reading.fingerprint,
        )
        await self._put(task_id, shown)

    async def _cannot_read(self, task_id: TaskId, error: UserError) -> CodeSignals:
        """What was known stays, with the reason why it is not fresher."""
        log.info("changed code of task %s: %s %s", task_id, error, error.detail)
        before = self._store.state.code_signals.get(task_id, CodeSignals())
        shown = replace(before, loading=False, problem=error.title)
        await self._put(task_id, shown)
        return shown

    async def _put(self, task_id: TaskId, shown: CodeSignals) -> None:
        if self._store.state.code_signals.get(task_id) != shown and task_id in self._store.state.tasks:
            await self._store.update(
                lambda state: replace(state, code_signals={**state.code_signals, task_id: shown}),
                Topic("code_signals", task_id),
            )

    # -- telling the agent -----------------------------------------------------------------------------------------

    async def ask(self, task_id: TaskId, row: SignalRow) -> None:
        """Send what can be done about a row as a follow-up. Raises InvalidInput when there is nothing to do."""
        if not row.ask:
            raise InvalidInput(f"There is nothing to do about {row.name}.")
        shown = self._store.state.code_signals.get(task_id, CodeSignals())
        lines = [
            use.line
            for use in shown.uses
            if not row.removed and (use.kind.value, use.name, use.path) == (row.kind, row.name, row.path)
        ]
        await self._prompt(task_id, follow_up(row, lines))

    async def add_with_agent(self, task_id: TaskId) -> None:
        """Send one follow-up that names the places that miss something, and how this project sends events. Raises
        InvalidInput when nothing is missing."""
        found = await self.coverage(task_id)
        if found.passed:
            raise InvalidInput("Nothing is missing: every changed path sends what it should.")
        reading = await self._reader.read(task_id, await self._changes.refresh(task_id))
        seen = {**reading.siblings, **reading.code.new}
        habit = habit_of(seen.values())
        if not habit.example:
            habit = habit_of((await self.search.near(self._task(task_id), seen)).values())
        await self._prompt(task_id, add_events(found, habit))

    def _task(self, task_id: TaskId) -> Task:
        task = self._store.state.tasks.get(task_id)
        if task is None:
            raise NotFound("This task is not there any more.")
        return task


def links_of(signals: ProductSignals) -> Links:
    return Links(signals.flag_url, signals.event_url, signals.experiment_url, signals.error_url)
