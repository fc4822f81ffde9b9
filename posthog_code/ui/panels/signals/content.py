"""What the panel shows for one state: built at once, replaced when the state is another one."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from posthog_code.domain.code_signals import CodeSignals
from posthog_code.domain.inbox import Evidence, Report
from posthog_code.domain.release_watch import ReleaseWatch
from posthog_code.ui.kit.buttons import Button, IconButton
from posthog_code.ui.kit.cards import Banner
from posthog_code.ui.kit.empty import EmptyState, Skeleton
from posthog_code.ui.kit.labels import Label
from posthog_code.ui.kit.rows import SectionHead
from posthog_code.ui.panels.signals import words
from posthog_code.ui.panels.signals.coverage import CoverageSection, PlaceRow
from posthog_code.ui.panels.signals.report import ErrorRow, RecordingRow, ReportCard
from posthog_code.ui.panels.signals.table import MOST_ROWS, SignalLine, SignalTable
from posthog_code.ui.panels.signals.watch import MetricRow, WatchSection

SIDE = 16
Stop = SignalLine | PlaceRow | ErrorRow | RecordingRow | MetricRow


class Content(QWidget):
    sign_in = Signal()
    not_now = Signal()
    again = Signal()

    def __init__(
        self,
        *,
        report: Report | None,
        evidence: Evidence | None,
        watch: ReleaseWatch | None,
        signals: CodeSignals | None,
        signed_in: bool,
        offered: bool,
        trouble: str,
        now: float,
    ) -> None:
        """`offered`: signing in may be offered. `trouble`: why PostHog is not fresh, in one sentence."""
        super().__init__()
        self.report: ReportCard | None = None
        self.watch: WatchSection | None = None
        self.table: SignalTable | None = None
        self.coverage: CoverageSection | None = None
        self.refresh: IconButton | None = None
        """Reads the figures again; with a watch its own button does it."""
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(SIDE, 14, SIDE, 20)
        self.column.setSpacing(8)
        empty = report is None and watch is None and (signals is None or not (signals.rows or signals.coverage.places))
        if not signed_in and empty and (signals is None or not signals.loading):
            self._add_absent(offered)
            return
        if not signed_in and offered:
            self._add_offer()
        elif trouble:
            self.column.addWidget(Banner(trouble, self, tone="waiting", icon="ph.cloud-slash"))
        if report is not None:
            self.report = ReportCard(report, evidence, watch, self)
            self.column.addWidget(self.report)
        if watch is not None:
            self.watch = WatchSection(watch, now, self, told=trouble)
            self.column.addWidget(self.watch)
        self._add_code(signals, signed_in, trouble)
        self.column.addStretch(1)

    def stops(self) -> list[tuple[str, Stop]]:
        """Everything that J and K go through, with a key that outlives this content."""
        found: list[tuple[str, Stop]] = []
        for number, row in enumerate(self.report.rows if self.report else ()):
            if isinstance(row, ErrorRow | RecordingRow):
                found.append((f"evidence:{number}", row))
        found += [(f"metric:{row.compared.id}", row) for row in (self.watch.rows if self.watch else ())]
        for number, line in enumerate(self.table.lines if self.table else ()):
            found.append((f"signal:{number}", line))
        for place in self.coverage.rows if self.coverage else ():
            found.append((f"place:{place.place.entry.path}:{place.place.entry.line}", place))
        return found

    # -- parts ---------------------------------------------------------------------------------------------------

    def _add_absent(self, offered: bool) -> None:
        actions = [("Sign in", self.sign_in.emit, "primary")]
        if offered:
            actions.append(("Not now", self.not_now.emit, "default"))
        text = "Sign in to PostHog to see errors, recordings and flags that touch this code."
        self.column.addWidget(EmptyState("ph.activity", "No signals connected.", text, actions, self), 1)

    def _add_offer(self) -> None:
        said = "Sign in to PostHog to see what these flags and events do in production."
        banner = Banner(said, self, tone="running", icon="ph.activity")
        for label, slot, kind in (("Sign in", self.sign_in, "default"), ("Not now", self.not_now, "ghost")):
            button = Button(label, banner, kind=kind, size="sm")
            button.clicked.connect(slot)
            banner.row.addWidget(button)
        self.column.addWidget(banner)

    def _add_code(self, signals: CodeSignals | None, signed_in: bool, trouble: str) -> None:
        note = words.rows_note(signals) if signals else ""
        head = SectionHead("In the changed code", note, self)
        if signed_in and signals is not None and (self.watch is None or self.watch.refresh is None):
            self.refresh = IconButton("ph.arrows-clockwise", "Read the figures again", head, keys="R", size="sm")
            self.refresh.set_loading(signals.loading)
            self.refresh.clicked.connect(self.again)
            head.row.addWidget(self.refresh)
        self.column.addWidget(head)
        if signals is None or (signals.loading and not signals.rows and not signals.fingerprint):
            self.column.addWidget(Skeleton(self, rows=4))
            return
        if signals.rows:
            self.table = SignalTable(signals.rows, signals.loading, self)
            self.column.addWidget(self.table)
            if len(signals.rows) > MOST_ROWS:
                self._say(f"{len(signals.rows) - MOST_ROWS} more are in the changes.")
        elif not signals.problem:
            kinds = "flags, events or errors" if signed_in else "flags or events"
            self._say(f"No {kinds} are in the changed lines.")
        for said in dict.fromkeys((words.touched(signals), signals.problem, signals.facts.problem)):
            # What the banner tells is not told again.
            if said and said not in trouble:
                self._say(said)
        self.coverage = CoverageSection(signals.coverage, self)
        self.column.addWidget(self.coverage)

    def _say(self, text: str) -> None:
        self.column.addWidget(Label(text, self, font="small", token="text.muted", wrap=True))
