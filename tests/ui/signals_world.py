"""A fake context for the Signals panel, with a report, a release and code that means something."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from posthog_code.domain.cloud import Account
from posthog_code.domain.code_signals import CodeSignals, SignalRow
from posthog_code.domain.code_use import EntryKind, EntryPoint
from posthog_code.domain.coverage import Coverage, Place
from posthog_code.domain.ids import TaskId
from posthog_code.domain.inbox import ErrorSample, Evidence, Inbox, Recording, Report
from posthog_code.domain.product import CodeError, ProductFacts
from posthog_code.domain.release_watch import Direction, Metric, ReleaseWatch, WatchState
from tests.ui.pull_request_world import NOW, T, World

REPORT = Report(
    "rep-1",
    "Customers are charged twice after a timeout",
    "The gateway answers late, the page shows an error, and a second tap on Pay starts a **new charge**. 87 people "
    "were affected in seven days, mostly on mobile.\n\nMore below.",
    status="ready",
    priority="P1",
    updated_at=NOW - 9000,
)
EVIDENCE = Evidence(
    "rep-1",
    errors=(
        ErrorSample(
            "f1",
            "GatewayTimeout in submitPayment",
            "src/payments/submitPayment.ts:24",
            count=214,
            people=87,
            series=(12, 18, 22, 30, 34, 44, 54),
            first_seen=NOW - 40 * 86400,
            url="https://eu.posthog.com/project/1/error_tracking/i1",
        ),
    ),
    recordings=tuple(
        Recording(f"s{n}", f"Person {who}", what, length, marks, f"https://eu.posthog.com/project/1/replay/s{n}")
        for n, (who, what, length, marks) in enumerate(
            (
                ("4f1c", "taps Pay three times at 0:42", 138.0, (42.0, 45.0, 48.0)),
                ("a97e", "leaves after the second charge", 245.0, (44.0, 145.0, 151.0)),
                ("0d52", "reloads, pays again with another card", 111.0, (55.0, 81.0)),
                *((f"{n:04x}", "pays", 60.0, ()) for n in range(9)),
            )
        )
    ),
)
WATCH = ReleaseWatch(
    T,
    WatchState.WATCHING,
    "rep-1",
    482,
    merged_at=NOW - 30000,
    released_at=NOW - 29280,
    released_by="deployment",
    until=NOW - 29280 + 86400,
    checked_at=NOW - 60,
    metrics=(
        Metric("errors", "errors per hour", 36.0, 1.0, Direction.BETTER),
        Metric("new_errors", "new errors in the changed code", 0.0, 0.0, Direction.SAME),
        Metric("rage_clicks", "rage clicks per hour", 4.0, 1.5, Direction.BETTER, place="src/PayButton.tsx:12"),
        Metric("event:payment_submitted", "payment_submitted per hour", 108.0, 111.0, Direction.SAME),
    ),
    series=tuple(
        (NOW - 29280 + hour * 3600.0, float(count))
        for hour, count in enumerate(
            (34, 31, 36, 33, 38, 35, 40, 37, 33, 36, 39, 35, 38, 36, 22, 9, 3, 2, 1, 2, 1, 1), start=-14
        )
    ),
)
PATH = "src/payments"
ROWS = (
    SignalRow("flag", "checkout-retry-v2", f"{PATH}/submitPayment.ts", 31, "100 % on for all", "Stale, 94 days", "warn",
              "Served everyone the same for 94 days.", "https://eu.posthog.com/f/1", ask="Remove the stale flag"),
    SignalRow("flag", "pay-sheet-mobile", f"{PATH}/route.ts", 12, "50 % of mobile", "Active", "good"),
    SignalRow("event", "payment_submitted", f"{PATH}/submitPayment.ts", 40, "18.2k events", "Active", "good"),
    SignalRow("event", "checkout_timed_out", f"{PATH}/route.ts", 58, "301 events", "Active", "good"),
    SignalRow("event", "payment_retried", f"{PATH}/retry.ts", 19, "0 events", "New in this task", "info",
              ask="Verify the event"),
)  # fmt: skip


def place(name: str, kind: EntryKind, line: int, missing: tuple[str, ...] = ()) -> Place:
    return Place(EntryPoint(kind, name, f"{PATH}/{name.split()[0]}.ts", line, line + 9), (), missing)


COVERAGE = Coverage(
    (
        place("route POST", EntryKind.ROUTE, 10),
        place("submitPayment", EntryKind.ACTION, 20),
        place("retry", EntryKind.ERROR_PATH, 30),
        place("claim", EntryKind.JOB, 40),
        place("webhook handler", EntryKind.HANDLER, 77, ("event",)),
    )
)
FACTS = ProductFacts(
    errors=(CodeError("f1", "GatewayTimeout", f"{PATH}/submitPayment.ts", 24, 214, 87),), recordings=12
)
SIGNALS = CodeSignals(ROWS, facts=FACTS, coverage=COVERAGE, fingerprint="x")
ACCOUNT = Account("https://eu.posthog.com", "eu", "oauth", project_id=1)


class SignalsWorld(World):
    """The world of a pull request, and what its signals say. Calls of services are kept in `calls`."""

    def __init__(self, **fields: Any) -> None:
        super().__init__()
        self.calls: list[tuple[str, Any]] = []
        self.watched: list[TaskId] = []
        task = replace(self.store.state.tasks[T], report_id="rep-1")
        full = {
            "tasks": {T: task},
            "account": ACCOUNT,
            "inbox": Inbox({"rep-1": REPORT}, {"rep-1": EVIDENCE}, project_id=1, fetched_at=NOW - 30),
            "watches": {T: WATCH},
            "code_signals": {T: SIGNALS},
        }
        self.store.change(**(full | fields))
        services = self.ctx.services
        services.code_signals = SimpleNamespace(  # type: ignore[attr-defined]
            watch=self.watched.append,
            unwatch=self.watched.remove,
            ask=self._call("ask"),
            add_with_agent=self._call("add_with_agent"),
            refresh=self._call("refresh"),
        )
        services.inbox = SimpleNamespace(  # type: ignore[attr-defined]
            load_evidence=self._call("load_evidence"),
            find=self._call("find"),
            url=lambda report: f"https://eu.posthog.com/r/{report}",
        )
        services.releases = SimpleNamespace(  # type: ignore[attr-defined]
            begin=self._call("begin"), check=self._call("check"), report_worse=self._call("report_worse", T)
        )
        self.pages: list[str] = []
        self.ctx.open_url = lambda url: bool(self.pages.append(url)) or True

    def _call(self, name: str, answer: Any = None) -> Any:
        async def call(*words: Any) -> Any:
            self.calls.append((name, words))
            return answer

        return call
