"""What a person does with reports: shown at once, told to the server, taken back when it refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from posthog_code.domain import inbox_lists
from posthog_code.domain.errors import Conflict, InvalidInput, NotFound, UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.inbox import DISMISSED, RESOLVED, Report, Triage
from posthog_code.domain.state import AppState, Topic
from posthog_code.ports.clock import Clock
from posthog_code.ports.signals import ProductSignals, StateChange
from posthog_code.services.account import AccountService
from posthog_code.services.store import Store

INBOX = Topic("inbox")
AT_ONCE = 100
"""Reports in one request."""
LONGEST_NOTE = 4_000
"""Characters that the server takes."""
MERGED = "pr_merged"
Edit = Callable[[Report | None, Triage], tuple[Report | None, Triage]]


class InboxTriage:
    def __init__(self, store: Store, account: AccountService, clock: Clock) -> None:
        self._store, self._account, self._clock = store, account, clock
        self.busy = Busy()

    async def snooze(self, ids: Sequence[str], for_signals: int = 5) -> Mapping[str, str]:
        if not 1 <= for_signals <= inbox_lists.MOST_SNOOZE:
            raise InvalidInput("A report is snoozed for 1 to 100,000 further signals.", "Give another number.")

        def edit(report: Report | None, known: Triage) -> tuple[Report | None, Triage]:
            if report is None:
                return None, known
            open_again = replace(report, status="potential") if report.status == DISMISSED else report
            return open_again, inbox_lists.snoozed(report, known, for_signals)

        return await self._change(ids, StateChange("potential", snooze_for=for_signals), edit)

    async def dismiss(self, ids: Sequence[str], reason: str, note: str = "") -> Mapping[str, str]:
        note = note.strip()[:LONGEST_NOTE]

        def edit(report: Report | None, known: Triage) -> tuple[Report | None, Triage]:
            if report is None:
                return None, known
            gone = replace(report, status=DISMISSED, dismissal_reason=reason, dismissal_note=note)
            return gone, inbox_lists.dismissed(report, known)

        return await self._change(ids, StateChange(DISMISSED, reason, note), edit)

    async def restore(self, ids: Sequence[str]) -> Mapping[str, str]:
        def edit(report: Report | None, known: Triage) -> tuple[Report | None, Triage]:
            if report is not None and report.status == DISMISSED:
                report = replace(report, status="potential", dismissal_reason="", dismissal_note="")
            return report, inbox_lists.restored(known)

        return await self._change(ids, StateChange("potential"), edit)

    async def resolve(self, report_id: str, proof: str, project_id: int = 0) -> None:
        """The fix is merged. Done once; a report that somebody else dealt with meanwhile stays as it is. `project_id`
        is the report's project, 0 the chosen one."""
        await self._account.restore()
        port = self._account.signals(project_id)
        report = self._store.state.inbox.reports.get(report_id)
        if report is None or report.status != RESOLVED:
            with self.busy.telling([report_id]):
                report = await self._resolved(port, report_id, proof)
                await self._edit({report_id: partial(_solved, report, proof)}, port.project_id)
        elif proof:
            await self._edit({report_id: partial(_solved, report, proof)}, port.project_id)

    async def _resolved(self, port: ProductSignals, report_id: str, proof: str) -> Report:
        try:
            told = await port.set_state(report_id, StateChange(RESOLVED, MERGED, proof[:LONGEST_NOTE]))
        except Conflict:
            told = await port.report(report_id)
            if told.status not in (RESOLVED, DISMISSED):
                raise
        # Older servers only know how to dismiss; it is solved all the same.
        return replace(told, status=RESOLVED)

    async def mark_seen(self, report_id: str) -> None:
        inbox = self._store.state.inbox
        if report_id in inbox.reports and inbox.triage.get(report_id, Triage()).seen_at <= 0:
            await self._edit({report_id: partial(_seen, self._clock.now())}, inbox.project_id)

    async def link(self, report_id: str, task_id: TaskId) -> None:
        """A task was made from it here."""
        project_id = self._store.state.inbox.project_id
        await self._edit({report_id: partial(_linked, task_id, project_id, self._clock.now())}, project_id)

    async def _change(self, ids: Sequence[str], change: StateChange, edit: Edit) -> Mapping[str, str]:
        """Outcome by id: "" when it was done, else why not. Raises what keeps the whole of it from being done."""
        wanted = list(dict.fromkeys(ids))
        await self._account.restore()
        inbox = self._store.state.inbox
        # The project of the list that the person sees: another one may have been chosen a moment ago.
        port = self._account.signals(inbox.project_id)
        before = {key: (inbox.reports[key], inbox.triage.get(key, Triage())) for key in wanted if key in inbox.reports}
        if wanted and not before:
            raise NotFound("There is no such report.", "posthog-code inbox lists them.")
        outcome = {key: "There is no such report." for key in wanted if key not in before}
        told = list(before)
        undo = {key: partial(_as_before, *pair) for key, pair in before.items()}
        with self.busy.telling(told):
            await self._edit(dict.fromkeys(told, edit), port.project_id)
            for start in range(0, len(told), AT_ONCE):
                some = told[start : start + AT_ONCE]
                try:
                    answer = await port.set_states(some, change)
                except BaseException as error:
                    # What was not asked is taken back, and so is what was asked in vain.
                    await self._edit({key: undo[key] for key in told[start:]}, port.project_id)
                    if isinstance(error, UserError):
                        await self._account.failed(error)
                    raise
                outcome |= {key: answer.get(key, "The server did not say what became of it.") for key in some}
                await self._edit({key: undo[key] for key in some if outcome[key]}, port.project_id)
        return {key: outcome[key] for key in wanted}

    async def _edit(self, edits: Mapping[str, Edit], project_id: int) -> None:
        """What is known here of reports of a project; the reports themselves only while its list is the one shown."""

        def change(state: AppState) -> AppState:
            inbox = state.inbox
            reports, triage = inbox.reports, inbox.triage
            for key, edit in edits.items():
                report, known = edit(reports.get(key), triage.get(key, Triage()))
                if inbox.project_id == project_id and report is not None and report != reports.get(key):
                    reports = {**reports, key: report}
                if known != triage.get(key, Triage()):
                    triage = inbox_lists.with_triage(triage, key, known)
            if reports is inbox.reports and triage is inbox.triage:
                return state
            return replace(state, inbox=replace(inbox, reports=reports, triage=triage))

        if edits:
            await self._store.update(change, INBOX)


def _solved(told: Report, proof: str, report: Report | None, known: Triage) -> tuple[Report, Triage]:
    return told, replace(known, proof=proof or known.proof, snoozed_signals=0)


def _seen(now: float, report: Report | None, known: Triage) -> tuple[Report | None, Triage]:
    return report, replace(known, seen_at=known.seen_at or now)


def _linked(
    task_id: TaskId, project_id: int, now: float, report: Report | None, known: Triage
) -> tuple[Report | None, Triage]:
    task_ids = known.task_ids if task_id in known.task_ids else (*known.task_ids, task_id)
    # The list may show another project by now: it is only believed when it has the report.
    where = project_id if report is not None else known.project_id
    return report, replace(known, task_ids=task_ids, project_id=where, seen_at=known.seen_at or now)


def _as_before(was: Report, before: Triage, report: Report | None, known: Triage) -> tuple[Report, Triage]:
    """Only what was changed here is taken back: whatever else is known of the report by now stays."""
    back = replace(
        report or was, status=was.status, dismissal_reason=was.dismissal_reason, dismissal_note=was.dismissal_note
    )
    marks = replace(known, dismissed_signals=before.dismissed_signals, snoozed_signals=before.snoozed_signals)
    return back, marks


class Busy:
    """Reports that the server is being told about, or was a moment ago: a list that was asked for before does not know
    it yet."""

    def __init__(self) -> None:
        self._now: dict[str, int] = {}
        self._told: dict[str, int] = {}
        self._count = 0

    @contextmanager
    def telling(self, ids: Sequence[str]) -> Iterator[None]:
        for key in ids:
            self._now[key] = self._now.get(key, 0) + 1
        try:
            yield
        finally:
            self._count += 1
            for key in ids:
                self._told[key] = self._count
                self._now[key] -= 1
                if not self._now[key]:
                    del self._now[key]

    def mark(self) -> int:
        """To be noted before a list is asked for."""
        return self._count

    def since(self, mark: int) -> set[str]:
        """Reports of which a list that was asked for at `mark` may be wrong."""
        self._told = {key: count for key, count in self._told.items() if count > mark}
        return self._now.keys() | self._told.keys()
