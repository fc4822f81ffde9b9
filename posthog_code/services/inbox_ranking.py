"""Scores and order of the inbox, computed from the state and kept as long as nothing that they hang on has moved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from posthog_code.domain import inbox_lists, priority
from posthog_code.domain.ids import TaskId
from posthog_code.domain.inbox import Evidence, Report, Score, Triage
from posthog_code.domain.priority import Facts, Nearness, Spent
from posthog_code.domain.state import AppState
from posthog_code.domain.task import TaskPhase
from posthog_code.ports.clock import Clock
from posthog_code.services.inbox_nearness import InboxNearness
from posthog_code.services.store import Store

Ranked = list[tuple[Report, Score]]
STEP = 1800.0
"""Seconds after which reports have aged enough to be scored anew."""
KEPT = 16
_NO_NEARNESS = Nearness()
_NO_SPENT = Spent()
_NO_TRIAGE = Triage()


class InboxRanking:
    def __init__(self, store: Store, nearness: InboxNearness, clock: Clock) -> None:
        self._store, self._nearness, self._clock = store, nearness, clock
        self._basis: tuple[object, ...] = ()
        self._lists: dict[tuple[object, ...], Ranked] = {}
        self._tasks_basis: tuple[object, ...] = ()
        self._tasks: dict[str, tuple[TaskId, ...]] = {}
        self._spent: dict[str, Spent] = {}
        self._chosen: Mapping[str, str] = {}
        self._weights = priority.weights(self._chosen)
        self._scores: dict[str, tuple[tuple[object, ...], Score, float]] = {}
        """By report: what it was made of, the score, and its closeness."""

    def ranked(self, tab: str, search: str, sources: tuple[str, ...], repository: str) -> Ranked:
        state = self._prepared()
        key = (str(tab), search.strip().lower(), tuple(sorted(sources)), repository.strip().lower())
        if (known := self._lists.get(key)) is None:
            while len(self._lists) >= KEPT:
                del self._lists[next(iter(self._lists))]
            known = self._lists[key] = self._made(state, *key)
        return known

    def score(self, report: Report) -> Score:
        return self._scored(self._prepared(), report)[0]

    def _made(self, state: AppState, tab: str, search: str, sources: tuple[str, ...], repository: str) -> Ranked:
        inbox = state.inbox
        repositories = tuple(state.repositories.values())
        found: Ranked = []
        for report in inbox.reports.values():
            triage = inbox.triage.get(report.id, _NO_TRIAGE)
            evidence = inbox.evidence.get(report.id)
            # Filters first: a score is what costs.
            if not inbox_lists.in_tab(report, triage, tab, for_you=True):
                continue
            if not inbox_lists.matches(report, evidence, search, sources, repository):
                continue
            scored, near = self._scored(state, report)
            if tab == inbox_lists.Tab.FOR_YOU:
                taken = report.id in self._tasks
                if not inbox_lists.is_for_you(report, evidence, near, repositories, taken=taken):
                    continue
            found.append((report, scored))
        found.sort(key=lambda pair: priority.order(*pair))
        return found

    def _prepared(self) -> AppState:
        """The state, with what no longer fits it forgotten."""
        state = self._store.state
        inbox = state.inbox
        step = self._clock.now() // STEP
        if state.settings.priority_weights is not self._chosen:
            self._chosen = state.settings.priority_weights
            self._weights = priority.weights(self._chosen)
        tasks_basis = (state.tasks, state.sessions, state.cloud.tasks, inbox.triage)
        if not _same(tasks_basis, self._tasks_basis):
            self._tasks_basis = tasks_basis
            self._tasks = _tasks_by_report(state)
            self._spent = {key: _spent(state, ids) for key, ids in self._tasks.items()}
        basis = (inbox.reports, inbox.evidence, state.settings.priority_weights, state.repositories, *tasks_basis)
        if not _same((*basis, step, self._nearness.version), self._basis):
            self._basis = (*basis, step, self._nearness.version)
            self._lists.clear()
        if len(self._scores) > 2 * len(inbox.reports) + 100:
            self._scores.clear()
        return state

    def _scored(self, state: AppState, report: Report) -> tuple[Score, float]:
        evidence = state.inbox.evidence.get(report.id)
        made = self._tasks.get(report.id, ())
        near = self._near(state, report, evidence, made)
        spent = self._spent.get(report.id, _NO_SPENT)
        now = (self._clock.now() // STEP) * STEP
        chosen = state.settings.priority_weights
        basis = (report, evidence, near, spent, now, chosen)
        known = self._scores.get(report.id)
        if known is None or not _alike(basis, known[0]):
            # The beginning of the step would make anything younger than it look as if it came from the future.
            facts = Facts(report, evidence, near, spent, now + STEP)
            known = (basis, priority.score(facts, self._weights), priority.closeness(facts))
            self._scores[report.id] = known
        return known[1], known[2]

    def _near(self, state: AppState, report: Report, evidence: Evidence | None, made: tuple[TaskId, ...]) -> Nearness:
        return self._nearness.of(state, evidence, made) if evidence is not None else _NO_NEARNESS


def _same(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    """Mappings and trees by identity, numbers by value."""
    return len(one) == len(other) and all(
        a is b or (isinstance(a, (int, float)) and a == b) for a, b in zip(one, other, strict=True)
    )


def _alike(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    """As `_same`; small facts by value too."""
    return all(
        a is b or (isinstance(a, (int, float, Nearness, Spent, Mapping)) and a == b)
        for a, b in zip(one, other, strict=True)
    )


def _tasks_by_report(state: AppState) -> dict[str, tuple[TaskId, ...]]:
    """Our tasks by the report that they were made from, in one pass."""
    found: dict[str, set[TaskId]] = defaultdict(set)
    for report_id, triage in state.inbox.triage.items():
        for task_id in triage.task_ids:
            found[report_id].add(task_id)
    for task in state.tasks.values():
        cloud = state.cloud.tasks.get(task.cloud_task_id) if task.cloud_task_id else None
        if report_id := task.report_id or (cloud.report_id if cloud else ""):
            found[report_id].add(task.id)
    kept: dict[str, tuple[TaskId, ...]] = {}
    for report_id, ids in found.items():
        here = [one for one in ids if one in state.tasks and state.tasks[one].phase is not TaskPhase.DELETED]
        if here:
            kept[report_id] = tuple(sorted(here))
    return kept


def _spent(state: AppState, ids: tuple[TaskId, ...]) -> Spent:
    turns = tokens = 0
    for task_id in ids:
        session = state.session_of(task_id)
        if session is not None:
            turns += len(session.turns)
            tokens += sum(max(0, turn.tokens) for turn in session.turns)
    return Spent(len(ids), turns, tokens)
