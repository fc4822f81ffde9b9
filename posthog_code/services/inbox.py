"""The inbox: reports of the chosen project, kept fresh, weighed, and sorted by how urgent they are for this person."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from posthog_code.domain import inbox_lists
from posthog_code.domain.errors import NotFound, UserError
from posthog_code.domain.ids import RepositoryId, TaskId
from posthog_code.domain.inbox import DISMISSED, RESOLVED, Evidence, Inbox, Report, Score, Triage
from posthog_code.domain.inbox_lists import Tab
from posthog_code.domain.report_prompt import ReportTask
from posthog_code.domain.state import AppState
from posthog_code.ports.clock import Clock
from posthog_code.ports.signals import ProductSignals, ReportQuery
from posthog_code.services.account import AccountService
from posthog_code.services.inbox_evidence import InboxEvidence
from posthog_code.services.inbox_nearness import InboxNearness
from posthog_code.services.inbox_ranking import InboxRanking
from posthog_code.services.inbox_triage import INBOX, InboxTriage
from posthog_code.services.polling import Polling, Sleep
from posthog_code.services.report_tasks import ReportTasks, Wish
from posthog_code.services.scope import Scope
from posthog_code.services.store import Store

VISIBLE = 15.0
HIDDEN = 300.0
DISMISSED_EVERY = 120.0
"""Seconds between two looks at what was dismissed."""
MOST = 500
MOST_DISMISSED = 200
MOST_ASKED = 5
"""Reports beside the list that are asked for one by one in one look: those of tasks, and those that were opened."""
GONE_FOR = 600.0
"""Seconds for which a report that the project does not have is not asked for again."""


class InboxService:
    """Also what a person does with reports; the parts are in modules of their own."""

    def __init__(
        self,
        store: Store,
        account: AccountService,
        evidence: InboxEvidence,
        nearness: InboxNearness,
        triage: InboxTriage,
        tasks: ReportTasks,
        clock: Clock,
        scope: Scope,
        *,
        visible: float = VISIBLE,
        hidden: float = HIDDEN,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._store, self._account, self._clock, self._scope = store, account, clock, scope
        self._evidence, self._triage, self._tasks = evidence, triage, tasks
        self._ranking = InboxRanking(store, nearness, clock)
        self._polling = Polling("inbox", self._look, clock, scope, visible=visible, hidden=hidden, sleep=sleep)
        self._fetching = asyncio.Lock()
        self._opened: set[str] = set()
        self._asked_at: dict[str, float] = {}
        self._gone_at: dict[str, float] = {}
        """Reports that the project does not have, and when it said so."""
        self._whose = ("", "")
        """Host and user of whom the list is."""
        self._dismissed_at = 0.0
        self._weighing: asyncio.Task[None] | None = None
        self.fetches = 0
        account.on_change(self._account_changed)

    @property
    def inbox(self) -> Inbox:
        return self._store.state.inbox

    def get(self, report_id: str) -> Report:
        found = self.inbox.reports.get(report_id)
        if found is None:
            raise NotFound("There is no such report.", "posthog-code inbox lists them.")
        return found

    # -- the list ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Keep the list fresh from now on; does nothing while nobody is signed in."""
        self._polling.start()

    def set_visible(self, on: bool) -> None:
        """Whether a person can see the list or the suggestions: it is asked for more often then, and weighed."""
        self._polling.set_visible(on)
        if on:
            self._weigh()
        elif self._weighing is not None:
            self._weighing.cancel()

    async def _look(self) -> None:
        await self._account.restore()
        if self._account.account.signed_in:
            await self.refresh()
        elif self.inbox.reports:
            await self._forget(0)  # the sign-in of the last run is gone

    async def refresh(self) -> Inbox:
        """Ask the server now. Raises what it says; the list then stays, with the reason beside it."""
        async with self._fetching:
            await self._account.restore()
            mark = self._triage.busy.mark()
            project_id = self._account.account.project_id
            try:
                port = self._account.signals()
                self._whose = (self._account.account.host, self._account.account.user.uuid)
                await self._loading(port.project_id)
                fetched, dismissed_too = await self._fetch(port)
            except UserError as error:
                await self._failed(error, project_id)
                raise
            self.fetches += 1
            if port.project_id != self._account.account.project_id:
                return self.inbox  # another project was chosen meanwhile
            self._polling.worked()
            await self._take(port.project_id, fetched, dismissed_too, mark)
            await self._account.worked()
        self._weigh()
        return self.inbox

    async def _fetch(self, port: ProductSignals) -> tuple[list[Report], bool]:
        found = {one.id: one for one in await port.reports(ReportQuery(limit=MOST))}
        now = self._clock.now()
        dismissed_too = self.inbox.project_id != port.project_id or not (
            self._dismissed_at <= now < self._dismissed_at + DISMISSED_EVERY
        )
        if dismissed_too:
            for one in await port.reports(ReportQuery((DISMISSED,), MOST_DISMISSED)):
                found.setdefault(one.id, one)
            self._dismissed_at = now
        for one in await self._beside(port, found):
            found.setdefault(one.id, one)
        return list(found.values()), dismissed_too

    async def _beside(self, port: ProductSignals, listed: Mapping[str, Report]) -> list[Report]:
        """Reports that the list leaves out, and that somebody works on or looks at: what became of them."""
        state = self._store.state
        wanted = {task.report_id for task in state.tasks.values() if task.report_id and not task.deleted_at}
        wanted |= {key for key, one in state.inbox.triage.items() if one.task_ids} | self._opened
        found, asked, now = [], 0, self._clock.now()
        # Those first that were not asked for the longest: each gets its turn, however many there are.
        wanted -= {key for key, one in state.inbox.triage.items() if one.project_id not in (0, port.project_id)}
        for report_id in sorted(wanted - listed.keys(), key=lambda one: (self._asked_at.get(one, 0.0), one)):
            known = state.inbox.reports.get(report_id)
            over = known is not None and known.status in (RESOLVED, DISMISSED)
            if over or asked >= MOST_ASKED or 0 <= now - self._gone_at.get(report_id, -GONE_FOR) < GONE_FOR:
                found += [known] if known is not None else []
                continue
            asked += 1
            self._asked_at[report_id] = now
            try:
                found.append(await port.report(report_id))
            except NotFound:
                # Deleted, or of another project: tasks and decisions of all projects are known here.
                self._gone_at[report_id] = now
                self._opened.discard(report_id)
            except UserError:
                found += [known] if known is not None else []
        return found

    async def _take(self, project_id: int, fetched: list[Report], dismissed_too: bool, mark: int) -> None:
        now = self._clock.now()

        def change(state: AppState) -> AppState:
            old = state.inbox
            if state.account.project_id != project_id:
                return state
            known: Mapping[str, Report] = old.reports if old.project_id == project_id else {}
            reports = inbox_lists.merged(known, fetched, self._triage.busy.since(mark), dismissed_too)
            triage = inbox_lists.noticed(reports, old.triage)
            evidence = old.evidence
            if gone := evidence.keys() - reports.keys():
                evidence = {key: one for key, one in evidence.items() if key not in gone}
            return replace(state, inbox=Inbox(reports, evidence, triage, project_id, now))

        await self._store.update(change, INBOX)

    async def _loading(self, project_id: int) -> None:
        def change(state: AppState) -> AppState:
            old = state.inbox
            if old.project_id == project_id:
                return replace(state, inbox=replace(old, loading=True))
            return replace(state, inbox=Inbox(triage=old.triage, project_id=project_id, loading=True))

        await self._store.update(change, INBOX)

    async def _failed(self, error: UserError, project_id: int) -> None:
        if project_id != self._account.account.project_id:
            return  # it tells nothing of the project that was chosen meanwhile
        self._polling.failed(error)
        await self._account.failed(error)
        await self._store.update(
            lambda state: replace(state, inbox=replace(state.inbox, loading=False, error=error.title, hint=error.hint)),
            INBOX,
        )

    def _account_changed(self) -> None:
        account = self._account.account
        if self._weighing is not None:
            self._weighing.cancel()
        whose = (account.host, account.user.uuid) if account.signed_in else ("", "")
        another = self._whose not in (("", ""), whose)
        self._whose = whose
        if another or not account.signed_in or account.project_id != self.inbox.project_id:
            self._opened.clear()
            self._asked_at.clear()
            self._gone_at.clear()
            self._dismissed_at = 0.0
            self._scope.spawn(
                self._forget(account.project_id if whose != ("", "") and not another else 0), "inbox-forget"
            )
        self._polling.anew()

    async def _forget(self, project_id: int) -> None:
        def change(state: AppState) -> AppState:
            old = state.inbox
            if project_id and old.project_id == project_id:
                return state
            return replace(state, inbox=Inbox(triage=old.triage, project_id=project_id))

        await self._store.update(change, INBOX)

    async def find(self, report_id: str) -> Report:
        """A report by its id, whether the list has it or not. Raises NotFound, NotSignedIn, Offline."""
        known = self.inbox.reports.get(report_id)
        if known is not None:
            return known
        await self._account.restore()
        port = self._account.signals()
        report = await port.report(report_id)
        self._opened.add(report.id)

        def change(state: AppState) -> AppState:
            inbox = state.inbox
            if inbox.project_id != port.project_id or report.id in inbox.reports:
                return state
            return replace(state, inbox=replace(inbox, reports={**inbox.reports, report.id: report}))

        await self._store.update(change, INBOX)
        return report

    # -- evidence and order ------------------------------------------------------------------------------------

    async def load_evidence(self, report_id: str, *, force: bool = False) -> Evidence:
        """What stands behind a report, read now unless it is known. What could not be read is in its `problem`.

        Raises NotFound, NotSignedIn."""
        return await self._evidence.load(await self.find(report_id), force=force)

    def _weigh(self) -> None:
        """Read evidence of what is at the top of the list, as long as somebody sees it."""
        running = self._weighing is not None and not self._weighing.done() and not self._weighing.cancelling()
        if self._polling.shown and not running and self._account.account.signed_in:
            self._weighing = self._scope.spawn(self._weigh_quietly(), "inbox-weigh")

    async def _weigh_quietly(self) -> None:
        try:
            await self.weigh()
        except UserError as error:
            await self._account.failed(error)

    async def weigh(self) -> None:
        """Read what the order of the open reports hangs on, until it is there."""
        await self._evidence.weigh(self._by_hope())

    def _by_hope(self) -> list[Report]:
        """Open reports, what looks the most urgent first, as far as is known."""
        return [report for report, _ in self.ranked(Tab.ALL)]

    def ranked(
        self, tab: str = Tab.FOR_YOU, search: str = "", sources: Collection[str] = (), repository: str = ""
    ) -> list[tuple[Report, Score]]:
        """Reports of a tab, the most urgent first. Pure over the state; asked again with the same, it costs nothing."""
        return self._ranking.ranked(tab, search, tuple(sources), repository)

    def score(self, report_id: str) -> Score:
        """Raises NotFound."""
        return self._ranking.score(self.get(report_id))

    def counts(self) -> Mapping[str, int]:
        """Reports by tab."""
        return {tab.value: len(self.ranked(tab)) for tab in Tab}

    def is_unread(self, report_id: str) -> bool:
        report = self.inbox.reports.get(report_id)
        return report is not None and inbox_lists.is_unread(report, self.inbox.triage.get(report_id))

    def url(self, report_id: str) -> str:
        """The report's page in PostHog; "" while nobody is signed in."""
        try:
            return self._account.signals(self.inbox.project_id).report_url(report_id)
        except UserError:
            return ""

    # -- what a person does ------------------------------------------------------------------------------------

    async def snooze(self, ids: Sequence[str], for_signals: int = 5) -> Mapping[str, str]:
        """Until there are so many further signals. Outcome by id: "" when it was done, else why not."""
        return await self._triage.snooze(ids, for_signals)

    async def dismiss(self, ids: Sequence[str], reason: str, note: str = "") -> Mapping[str, str]:
        """Off the list until there are further signals. Outcome by id, as for `snooze`."""
        return await self._triage.dismiss(ids, reason, note)

    async def restore(self, ids: Sequence[str]) -> Mapping[str, str]:
        """Back onto the list. Outcome by id, as for `snooze`."""
        told = await self._triage.restore(ids)
        self._polling.wake()  # the server knows what state it is in now
        return told

    async def resolve(self, report_id: str, proof: str, project_id: int = 0) -> None:
        """Its fix is merged; `proof` is what tells so, in one sentence with figures. `project_id` is the report's
        project, 0 the chosen one."""
        await self._triage.resolve(report_id, proof, project_id)

    async def mark_seen(self, report_id: str) -> None:
        await self._triage.mark_seen(report_id)

    # -- tasks -------------------------------------------------------------------------------------------------

    def tasks_of(self, report_id: str) -> tuple[TaskId, ...]:
        """Our tasks made from it, the newest first."""
        return inbox_lists.tasks_of(self._store.state, report_id)

    def triage_of(self, report_id: str) -> Triage:
        return self.inbox.triage.get(report_id, Triage())

    def task_draft(self, report_id: str) -> ReportTask:
        """What a task made from it would be told, and where it would work. Raises NotFound."""
        return self._tasks.draft(self.get(report_id), self.url(report_id))

    async def start_task(
        self,
        report_id: str,
        *,
        in_cloud: bool = False,
        repository_id: RepositoryId | None = None,
        agent_id: str = "",
        prompt: str = "",
        agent_command: str = "",
        mode: str = "",
    ) -> TaskId | str:
        """Make a task from it: a TaskId, or the cloud task's id. Asked twice at once, one is made.

        `prompt` stands in for the drafted one. Raises InvalidInput (no repository), UsageLimit (the team's cap), and
        what making a task raises.
        """
        report = await self.find(report_id)
        try:
            await self._evidence.load(report)
        except UserError:
            pass  # the task says what is known
        return await self._tasks.start(
            report,
            self.url(report_id),
            Wish(in_cloud, repository_id, agent_id, prompt, agent_command, mode),
        )
