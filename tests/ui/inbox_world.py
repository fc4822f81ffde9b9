"""The inbox for tests of the window: the reports of the design's picture, and a service that only takes notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from posthog_code.domain import inbox_lists, priority
from posthog_code.domain.cloud import Account
from posthog_code.domain.cloud_lists import local_repository
from posthog_code.domain.errors import NotFound, UserError
from posthog_code.domain.ids import RepositoryId, TaskId
from posthog_code.domain.inbox import (
    Artefact,
    ErrorSample,
    Evidence,
    Inbox,
    Recording,
    Report,
    ReportSignal,
    Score,
    SuggestedReviewer,
    Triage,
)
from posthog_code.domain.priority import Facts
from posthog_code.domain.report_prompt import ReportTask
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import TaskPhase
from posthog_code.ui.context import UiContext
from tests.ui.cloud_world import ACCOUNT, cloud_context, cloud_state
from tests.ui.shell_world import NOW, Notes, task_of

HOUR = 3600.0
CHARGED, SIGN_IN, SEARCH, ORDERS, FLAG = "rep-charged", "rep-sign-in", "rep-search", "rep-orders", "rep-flag"
SNOOZED, GONE = "rep-snoozed", "rep-gone"


def report(report_id: str, title: str, priority: str, ago: float, **more: Any) -> Report:
    fields: dict[str, Any] = {
        "status": "ready",
        "actionability": "immediately_actionable",
        "signal_count": 9,
        "sources": ("error_tracking",),
        "summary": f"{title}.\n\nLikely fix: see `src`.",
        "for_me": True,
        "created_at": NOW - ago,
        "updated_at": NOW - ago,
        **more,
    }
    return Report(report_id, title, priority=priority, **fields)


def reports() -> tuple[Report, ...]:
    return (
        report(SIGN_IN, "Sign-in loops on Safari 18", "P0", 0.4 * HOUR),
        report(
            CHARGED,
            "Customers are charged twice after a timeout",
            "P1",
            3 * HOUR,
            sources=("error_tracking", "session_replay", "zendesk"),
            summary="When the payment gateway takes longer than **10 seconds**, the page shows an error while the "
            "first charge is still in flight.\n\nLikely fix: derive the key from the checkout session. Two functions "
            "in `src/payments` would change.",
        ),
        report(
            SEARCH,
            "Search finds nothing when the query has an apostrophe",
            "P3",
            26 * HOUR,
            sources=("session_replay",),
        ),
        report(
            ORDERS, "Order history freezes with 2,000 orders", "P2", 27 * HOUR, for_me=False, sources=("analytics",)
        ),
        report(
            FLAG, "Flag old-cart has served one variant for 94 days", "", 50 * HOUR, for_me=False, status="potential"
        ),
        report(SNOOZED, "Unhandled rejection in the image uploader", "P4", 90 * HOUR),
        report(GONE, "Survey asks for dark mode", "P4", 120 * HOUR, status="suppressed", dismissal_reason="other"),
    )


def evidence_of() -> dict[str, Evidence]:
    charged = Evidence(
        CHARGED,
        signals=(
            ReportSignal("s1", "The first try said it failed, now I see two payments", "zendesk", at=NOW - 26 * HOUR,
                         extra={"url": "https://harbor.zendesk.example/1"}, reason="It tells of the same timeout."),
            ReportSignal("s2", "Gateway timeouts", "github", at=NOW - 30 * HOUR, extra={"html_url": "javascript:x"}),
        ),
        artefacts=(
            Artefact("a1", "priority_judgment", {"priority": "P1", "explanation": "People pay twice."}, NOW - 3 * HOUR),
            Artefact("a2", "signal_finding", {"relevant_code_paths": ["src/payments/submitPayment.ts"], "verified": 1}),
            Artefact("a3", "mystery", 42),
        ),
        errors=(
            ErrorSample("f1", "GatewayTimeout in submitPayment", "src/payments/submitPayment.ts:26", "i1", 171, 80,
                        (4, 6, 5, 9, 12, 18, 25), url="https://eu.posthog.com/e/1"),
            ErrorSample("f2", "DuplicateCharge by gateway", "src/payments/webhook.ts:77", "i2", 37, 35, (1, 2, 3)),
            ErrorSample("f3", "Unhandled rejection in PayButton", "", "i3", 6, 6),
        ),
        recordings=(
            Recording("0199-4f1c", "Person 4f1c", "taps Pay three times", 138.0, (44.0, 48.0, 51.0), "https://eu.posthog.com/r/1"),
            Recording("0199-a97e", "", "leaves after the second charge"),
        ),
        repository="harbor/harbor-web",
        paths=("src/payments/submitPayment.ts", "src/payments/webhook.ts:77"),
        reviewers=(SuggestedReviewer("Priya Raman", "priya", reason="wrote 68 % of submitPayment.ts"),),
        flags=("checkout-retry-v2",),
        people=87,
        events=214,
        trend=2.1,
        of=NOW,
        fetched_at=NOW,
    )  # fmt: skip
    sign_in = Evidence(SIGN_IN, repository="harbor/harbor-web", paths=("src/auth/session.ts",), people=640, events=1900,
                       errors=(ErrorSample("f9", "Loop", count=1900),), of=NOW, fetched_at=NOW)  # fmt: skip
    search = Evidence(SEARCH, repository="harbor/harbor-shop", paths=("app/search/query.py",), people=31, of=NOW)
    orders = Evidence(ORDERS, repository="harbor/harbor-web", paths=("src/orders/OrderTable.tsx",), people=118, of=NOW)
    return {one.report_id: one for one in (charged, sign_in, search, orders)}


def inbox(*listed: Report, **more: Any) -> Inbox:
    fields: dict[str, Any] = {
        "evidence": evidence_of(),
        "triage": {SNOOZED: Triage(snoozed_signals=14, seen_at=NOW), SEARCH: Triage(seen_at=NOW)},
        "project_id": 1,
        "fetched_at": NOW - 5,
        **more,
    }
    return Inbox({one.id: one for one in listed or reports()}, **fields)


def inbox_state(found: Inbox | None = None, account: Account = ACCOUNT) -> AppState:
    return replace(cloud_state(account=account), inbox=found or inbox())


@dataclass
class FakeInbox(Notes):
    """Ranks like the real one, without nearness; every call is noted."""

    error: UserError | None = None
    refused: dict[str, str] = field(default_factory=dict)
    visible: list[bool] = field(default_factory=list)
    asked: int = 0

    @property
    def inbox(self) -> Inbox:
        return self.store.state.inbox

    def start(self) -> None:
        self.note("inbox.start")

    def set_visible(self, on: bool) -> None:
        self.visible.append(on)

    async def refresh(self) -> Inbox:
        self.note("inbox.refresh")
        if self.error is not None:
            raise self.error
        return self.inbox

    async def find(self, report_id: str) -> Report:
        self.note("inbox.find", report_id)
        if self.error is not None:
            raise self.error
        if report_id not in self.inbox.reports:
            raise NotFound("There is no such report.")
        return self.inbox.reports[report_id]

    async def load_evidence(self, report_id: str, *, force: bool = False) -> Evidence:
        self.note("inbox.evidence", report_id)
        if self.error is not None:
            raise self.error
        return self.inbox.evidence.get(report_id, Evidence(report_id))

    def ranked(
        self, tab: str = "for_you", search: str = "", sources: Sequence[str] = (), repository: str = ""
    ) -> list[tuple[Report, Score]]:
        self.asked += 1
        found = []
        for one in self.inbox.reports.values():
            known = self.inbox.triage.get(one.id, Triage())
            if not inbox_lists.in_tab(one, known, tab, for_you=one.for_me):
                continue
            if inbox_lists.matches(one, self.inbox.evidence.get(one.id), search, sources, repository):
                found.append((one, self.score(one.id)))
        return sorted(found, key=lambda pair: priority.order(*pair))

    def score(self, report_id: str) -> Score:
        facts = Facts(self.inbox.reports[report_id], self.inbox.evidence.get(report_id), now=NOW)
        return priority.score(facts, priority.weights(self.store.state.settings.priority_weights))

    def is_unread(self, report_id: str) -> bool:
        return inbox_lists.is_unread(self.inbox.reports[report_id], self.inbox.triage.get(report_id))

    async def snooze(self, ids: Sequence[str], for_signals: int = 5) -> dict[str, str]:
        self.note("snooze", tuple(ids), for_signals)
        return self._put(ids, snoozed_signals=9 + for_signals)

    async def dismiss(self, ids: Sequence[str], reason: str, note: str = "") -> dict[str, str]:
        self.note("dismiss", tuple(ids), reason, note)
        return self._put(ids, dismissed_signals=9)

    async def restore(self, ids: Sequence[str]) -> dict[str, str]:
        self.note("restore", tuple(ids))
        return self._put(ids, dismissed_signals=0, snoozed_signals=0)

    def _put(self, ids: Sequence[str], **fields: Any) -> dict[str, str]:
        if self.error is not None:
            raise self.error
        outcome = {one: self.refused.get(one, "") for one in ids}
        done = [one for one, why in outcome.items() if not why]
        if fields.get("dismissed_signals") == 0:
            self.change(
                reports={
                    key: replace(one, status="ready") if key in done else one for key, one in self.inbox.reports.items()
                }
            )
        known = self.inbox.triage
        self.change(triage={**known, **{one: replace(known.get(one, Triage()), **fields) for one in done}})
        return outcome

    async def mark_seen(self, report_id: str) -> None:
        self.note("mark_seen", report_id)
        known = self.inbox.triage
        self.change(triage={**known, report_id: replace(known.get(report_id, Triage()), seen_at=NOW)})

    def task_draft(self, report_id: str) -> ReportTask:
        evidence = self.inbox.evidence.get(report_id, Evidence(report_id))
        here = local_repository(evidence.repository, self.store.state.repositories.values())
        one = self.inbox.reports[report_id]
        return ReportTask(f"Fix this: {one.title}", one.title, here, evidence.repository, paths=evidence.paths)

    async def start_task(
        self,
        report_id: str,
        *,
        in_cloud: bool = False,
        repository_id: RepositoryId | None = None,
        agent_id: str = "",
        prompt: str = "",
    ) -> str:
        self.note("start_task", report_id, in_cloud, repository_id, agent_id)
        if self.error is not None:
            raise self.error
        if in_cloud:
            return "c1"
        here = repository_id or self.task_draft(report_id).repository_id
        made = task_of(f"for-{report_id}", "A fix", here or "", "fix/it", NOW, phase=TaskPhase.SETTING_UP)
        made = replace(made, report_id=report_id)
        self.store.change(
            lambda s: replace(s, tasks={**s.tasks, made.id: made}), Topic("tasks"), Topic("task", made.id)
        )
        return TaskId(made.id)

    def url(self, report_id: str) -> str:
        return f"https://eu.posthog.com/project/1/inbox/{report_id}"

    def change(self, **fields: Any) -> None:
        self.store.change(lambda s: replace(s, inbox=replace(s.inbox, **fields)), Topic("inbox"))


def inbox_context(state: AppState | None = None) -> UiContext:
    """As `cloud_context`, with reports."""
    ctx = cloud_context(state or inbox_state())
    services: Any = ctx.services
    services.inbox = FakeInbox(services.store, services.calls)
    return ctx
