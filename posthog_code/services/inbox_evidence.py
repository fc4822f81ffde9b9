"""Reading what stands behind reports: for whoever looks at one, and for what is at the top of a list in view."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from posthog_code.domain import inbox_evidence as rules
from posthog_code.domain import inbox_lists
from posthog_code.domain.errors import NotSignedIn, RateLimited, UserError
from posthog_code.domain.inbox import Artefact, Evidence, Recording, Report, ReportSignal
from posthog_code.domain.inbox_evidence import Figures
from posthog_code.domain.state import AppState, Topic
from posthog_code.ports.clock import Clock
from posthog_code.ports.signals import ProductSignals, RecordingFacts, Table
from posthog_code.services.account import AccountService
from posthog_code.services.inbox_nearness import InboxNearness
from posthog_code.services.polling import LONGEST_ASKED
from posthog_code.services.scope import Scope
from posthog_code.services.store import Store

INBOX = Topic("inbox")
AT_ONCE = 3
"""Reports that are weighed at the same time."""
TOGETHER = 6
"""Evidences that are put into the state at once while the list is weighed: each change is saved and drawn."""
LOOKED_AT = 600.0
"""Seconds for which evidence is shown to a person as it is; figures are of a week."""
WEIGHED = 3600.0
"""Seconds for which it is good enough for the order of the list."""
AGAIN = 120.0
"""Seconds after which what could not be read is tried again."""
FLAGS_FRESH = 600.0
MOST_RECORDINGS = 3
"""Recordings whose length is asked for one by one when nothing else told it."""

T = TypeVar("T")


@dataclass(eq=False)
class _Reading:
    task: asyncio.Task[Evidence]
    waiting: int = 0


@dataclass
class _Tries:
    """Reads of which any may fail, and what failed."""

    errors: list[UserError] = field(default_factory=list)

    async def give(self, work: Awaitable[T], otherwise: T) -> T:
        try:
            return await work
        except UserError as error:
            self.errors.append(error)
            return otherwise

    @property
    def problem(self) -> str:
        return rules.figures_problem(error.title for error in self.errors)


class InboxEvidence:
    def __init__(
        self, store: Store, account: AccountService, nearness: InboxNearness, clock: Clock, scope: Scope
    ) -> None:
        self._store, self._account, self._nearness, self._clock, self._scope = store, account, nearness, clock, scope
        self._reading: dict[tuple[int, str], _Reading] = {}
        self._flags: tuple[int, float, tuple[str, ...]] = (0, 0.0, ())
        self._wanted: frozenset[str] = frozenset()
        """Reports whose evidence the order of the list needs."""
        self._asking_flags = asyncio.Lock()
        self._not_before = 0.0
        """UNIX time before which the server does not want to be asked in bulk."""
        self.reads = 0

    async def load(self, report: Report, *, force: bool = False) -> Evidence:
        """Read now unless it is known and fresh; nothing that fails but the sign-in is raised."""
        known = self._store.state.inbox.evidence.get(report.id)
        if known is not None and not force and not self._stale(report, known, LOOKED_AT):
            return known
        await self._account.restore()
        port = self._account.signals()
        if force:
            port.forget_answers()
        evidence = await self._shared(port, report)
        await self._put([evidence], port.project_id)
        await self._look(evidence.repository)
        return evidence

    async def weigh(self, reports: Sequence[Report]) -> None:
        """Read the evidence of reports, the first ones first, a few at a time, as much as is kept."""
        try:
            port = self._account.signals()
        except UserError:
            return
        top = reports[: inbox_lists.MOST_WEIGHED]
        self._wanted = frozenset(report.id for report in top)
        evidence = self._store.state.inbox.evidence
        queue = [report for report in top if self._stale(report, evidence.get(report.id), WEIGHED)]
        queue.reverse()
        read: list[Evidence] = []

        async def work() -> None:
            while queue and self._clock.now() >= self._not_before:
                found = await self._shared(port, queue.pop())
                if self._account.account.project_id != port.project_id:
                    queue.clear()
                    return
                read.append(found)
                await self._look(found.repository)
                if len(read) >= TOGETHER:
                    some = read[:]
                    read.clear()
                    await self._put(some, port.project_id)

        # What is known already has its repositories too.
        for repository in sorted({one.repository for one in evidence.values()}):
            await self._look(repository)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(AT_ONCE, len(queue))):
                    group.create_task(work())
        except ExceptionGroup as failures:
            # Several that failed together had one cause as a rule; a bug goes first.
            bugs = (one for one in failures.exceptions if not isinstance(one, UserError))
            raise next(bugs, failures.exceptions[0]) from failures
        finally:
            if read:
                await self._put(read, port.project_id)

    async def _look(self, repository: str) -> None:
        """How near it is to what the person works on; the order of the list may move by it."""
        before = self._nearness.version
        await self._nearness.look(repository)
        if self._nearness.version != before:
            self._store.touch(INBOX)

    def _stale(self, report: Report, known: Evidence | None, good_for: float) -> bool:
        if known is None or not inbox_lists.fresh(report, known):
            return True
        old = self._clock.now() - known.fetched_at
        return not 0 <= old < (min(AGAIN, good_for) if known.problem else good_for)

    # -- one report --------------------------------------------------------------------------------------------

    async def _shared(self, port: ProductSignals, report: Report) -> Evidence:
        """Read once, however many ask for it; ended when nobody waits for it any more."""
        key = (port.project_id, report.id)
        reading = self._reading.get(key)
        if reading is None or reading.task.done():
            reading = _Reading(self._scope.spawn(self._read(port, report), f"evidence-{report.id}"))
            self._reading[key] = reading
        reading.waiting += 1
        try:
            return await asyncio.shield(reading.task)
        finally:
            reading.waiting -= 1
            if not reading.waiting:
                reading.task.cancel()
                if self._reading.get(key) is reading:
                    del self._reading[key]

    async def _read(self, port: ProductSignals, report: Report) -> Evidence:
        self.reads += 1
        tries = _Tries()
        known = self._store.state.inbox.evidence.get(report.id)
        old = known or Evidence(report.id)
        no_signals: tuple[ReportSignal, ...] = old.signals
        no_artefacts: tuple[Artefact, ...] = old.artefacts
        signals, artefacts, flags = await asyncio.gather(
            tries.give(port.signals(report.id), no_signals),
            tries.give(port.artefacts(report.id), no_artefacts),
            self._flag_keys(port),
        )
        await self._refused(tries.errors)
        if any(isinstance(error, (RateLimited, NotSignedIn)) for error in tries.errors) and known is not None:
            # Nothing new can be known now: what is there stays as it is, with the reason.
            return replace(known, problem=tries.problem, of=report.updated_at, fetched_at=self._clock.now())
        before = len(tries.errors)
        figures = await self._figures(port, signals, artefacts, tries)
        await self._refused(tries.errors[before:])
        now = self._clock.now()
        # Thousands of flags are looked for in long texts: not on the loop.
        found = await asyncio.to_thread(rules.gather, report, signals, artefacts, figures, flag_keys=flags, now=now)
        if len(tries.errors) > before and old.events:
            found = replace(found, errors=old.errors, people=old.people, events=old.events, trend=old.trend)
        found = await self._with_lengths(port, found)
        return replace(_with_links(port, found), problem=tries.problem)

    async def _figures(
        self, port: ProductSignals, signals: Sequence[ReportSignal], artefacts: Sequence[Artefact], tries: _Tries
    ) -> Figures:
        prints, sessions = rules.fingerprints(signals), rules.session_ids(signals, artefacts)

        async def ask(wanted: bool, query: str, values: Mapping[str, Any], name: str) -> list[dict[str, Any]] | None:
            if not wanted:
                return None
            table: Table | None = await tries.give(port.query(query, values, name=name), None)
            return table.records() if table is not None else None

        errors, people, watched = await asyncio.gather(
            ask(bool(prints), rules.ERRORS_QUERY, {"fingerprints": list(prints)}, "report errors"),
            ask(len(prints) > 1, rules.PEOPLE_QUERY, {"fingerprints": list(prints)}, "report people"),
            ask(bool(sessions), rules.SESSIONS_QUERY, {"sessions": list(sessions)}, "report sessions"),
        )
        return Figures(errors, people[0] if people else None, watched)

    async def _with_lengths(self, port: ProductSignals, found: Evidence) -> Evidence:
        """How long recordings are when nothing told it yet; a recording that cannot be read stays without."""
        silent = [one for one in found.recordings if not one.duration][:MOST_RECORDINGS]
        if not silent:
            return found
        unread = RecordingFacts("")
        read = await asyncio.gather(*(_Tries().give(port.recording(one.session_id), unread) for one in silent))
        told = {one.session_id: facts for one, facts in zip(silent, read, strict=True)}

        def longer(one: Recording) -> Recording:
            facts = told.get(one.session_id, unread)
            return replace(one, duration=one.duration or facts.duration, person=one.person or facts.person)

        return replace(found, recordings=tuple(longer(one) for one in found.recordings))

    async def _flag_keys(self, port: ProductSignals) -> tuple[str, ...]:
        """Flags of the project, to find those that texts name; none when they cannot be read."""
        async with self._asking_flags:
            project, read_at, keys = self._flags
            if project == port.project_id and 0 <= self._clock.now() - read_at < FLAGS_FRESH:
                return keys
            tries = _Tries()
            listed = await tries.give(port.flags(), ())
            now = self._clock.now()
            if tries.errors:
                # Those of before are still good, and the next reports do not wait for a server that fails.
                keys, now = keys if project == port.project_id else (), now - FLAGS_FRESH + AGAIN
            else:
                keys = tuple(flag.key for flag in listed)
            self._flags = (port.project_id, now, keys)
            return keys

    async def _refused(self, errors: Sequence[UserError]) -> None:
        """A server that wants to be left alone is; one that knows nobody any more is told of as such."""
        for error in errors:
            if isinstance(error, RateLimited):
                self._not_before = max(self._not_before, min(error.until, self._clock.now() + LONGEST_ASKED))
            await self._account.failed(error)

    async def _put(self, news: Sequence[Evidence], project_id: int) -> None:
        def change(state: AppState) -> AppState:
            inbox = state.inbox
            if inbox.project_id != project_id:
                return state
            worked_on = {task.report_id for task in state.tasks.values() if task.report_id}
            kept = inbox_lists.with_evidence(inbox.evidence, news, inbox.reports, self._wanted, worked_on)
            return replace(state, inbox=replace(inbox, evidence=kept))

        await self._store.update(change, INBOX)


def _with_links(port: ProductSignals, found: Evidence) -> Evidence:
    return replace(
        found,
        errors=tuple(replace(one, url=port.error_url(one.issue_id) if one.issue_id else "") for one in found.errors),
        recordings=tuple(
            replace(one, url=port.recording_url(one.session_id, one.marks[0] if one.marks else 0.0))
            for one in found.recordings
        ),
    )
