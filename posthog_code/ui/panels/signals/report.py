"""The report that a task was made from, with its evidence."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from posthog_code.domain.inbox import ErrorSample, Evidence, Recording, Report
from posthog_code.domain.release_watch import ReleaseWatch
from posthog_code.domain.text import count
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.cards import Card, Hairline, Icon
from posthog_code.ui.kit.charts import PriorityBars, Sparkline, Timeline, priority_level
from posthog_code.ui.kit.chips import Badge
from posthog_code.ui.kit.labels import ElidedLabel, Label
from posthog_code.ui.kit.rows import Row
from posthog_code.ui.models.inbox_list import person_words
from posthog_code.ui.panels.signals import words
from posthog_code.ui.theme import theme

ERRORS_SHOWN = 3
RECORDINGS_SHOWN = 3
_PRIORITY_TOKENS = {0: "status.failed", 1: "status.question"}
_SUMMARY = 320
"""Letters of the summary; the whole of it is in the inbox."""


class ErrorRow(Row):
    """An error with its course over the last days."""

    opened = Signal(str)

    def __init__(self, error: ErrorSample, parent: QWidget | None = None) -> None:
        super().__init__(parent, height=44, name=f"{error.name}, {error.count} times, {error.people} people")
        self.url = error.url
        self.row.addWidget(Icon("ph.warning-octagon", "status.failed", self))
        text = QVBoxLayout()
        text.setSpacing(0)
        text.addStretch(1)
        text.addWidget(ElidedLabel(error.name, self, font="bodyStrong"))
        seen = f"first seen {words.day(error.first_seen)}" if error.first_seen else ""
        below = " · ".join(filter(None, (error.place, seen)))
        if below:
            text.addWidget(ElidedLabel(below, self, font="small", token="text.muted", mode="middle"))
        text.addStretch(1)
        self.row.addLayout(text, 2)
        if len(error.series) > 1:
            self.row.addWidget(Sparkline(error.series, self, name="Occurrences a day"), 1)
        people = f"{count(error.people)} {'person' if error.people == 1 else 'people'}"
        self.row.addWidget(_Figures(count(error.count), people if error.people else "", self))
        self.pressed.connect(self._open)

    def _open(self) -> None:
        if self.url:
            self.opened.emit(self.url)


class RecordingRow(Row):
    """A recorded session; opens in the browser at its first mark."""

    opened = Signal(str)

    def __init__(self, recording: Recording, parent: QWidget | None = None) -> None:
        who = person_words(recording)
        super().__init__(parent, height=34, name=f"Recording of {who}: {recording.what}")
        self.url = recording.url
        self.row.addWidget(Icon("ph.play-circle", "status.running", self, size=17))
        name = ElidedLabel(who, self, font="bodyStrong")
        name.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.row.addWidget(name)
        self.row.addWidget(ElidedLabel(recording.what, self, font="small", token="text.muted"), 2)
        self.row.addWidget(Timeline(recording.duration, recording.marks, self), 1)
        spent = Label(words.clip(recording.duration), self, font="small", token="text.muted")
        spent.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        spent.setFixedWidth(theme().px(40))
        self.row.addWidget(spent)
        self.pressed.connect(self._open)

    def _open(self) -> None:
        if self.url:
            self.opened.emit(self.url)


class _Figures(QWidget):
    """A count over its unit, at the right."""

    def __init__(self, figure: str, unit: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addStretch(1)
        for text, font, token in ((figure, "bodyStrong", "text.primary"), (unit, "caption", "text.muted")):
            if text:
                label = Label(text, self, font=font, token=token)
                label.setAlignment(Qt.AlignmentFlag.AlignRight)
                column.addWidget(label)
        column.addStretch(1)
        self.setFixedWidth(theme().px(66))


class ReportCard(Card):
    """Title, state, summary, errors and recordings."""

    open_report = Signal()
    browse = Signal(str)

    def __init__(
        self, report: Report, evidence: Evidence | None, watch: ReleaseWatch | None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.rows: list[Row] = []
        self._add_head(report, watch)
        errors = evidence.errors if evidence else ()
        recordings = evidence.recordings if evidence else ()
        for error in errors[:ERRORS_SHOWN]:
            self._add_row(ErrorRow(error, self))
        for recording in recordings[:RECORDINGS_SHOWN]:
            self._add_row(RecordingRow(recording, self))
        self._add_foot(evidence)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)

    def _add_head(self, report: Report, watch: ReleaseWatch | None) -> None:
        head = QVBoxLayout()
        head.setContentsMargins(14, 10, 12, 10)
        head.setSpacing(5)
        first = QHBoxLayout()
        first.setSpacing(8)
        first.addWidget(PriorityBars(report.priority, self))
        if report.priority:
            token = _PRIORITY_TOKENS.get(priority_level(report.priority), "text.secondary")
            first.addWidget(Label(report.priority, self, font="smallStrong", token=token))
        first.addWidget(ElidedLabel(report.title or "Untitled report", self, font="heading"), 1)
        text, tone, icon = words.report_badge(report, watch)
        first.addWidget(Badge(text, tone, self, icon=icon))
        head.addLayout(first)
        summary = _shortened(report.summary)
        if summary:
            head.addWidget(Label(summary, self, token="text.secondary", wrap=True))
        self.body.addLayout(head)

    def _add_row(self, row: ErrorRow | RecordingRow) -> None:
        self.body.addWidget(Hairline(self))
        row.opened.connect(self.browse)
        self.rows.append(row)
        self.body.addWidget(row)

    def _add_foot(self, evidence: Evidence | None) -> None:
        self.body.addWidget(Hairline(self))
        foot = QHBoxLayout()
        foot.setContentsMargins(12, 4, 8, 4)
        if evidence is None:
            said = "Reading the evidence…"
        else:
            said = evidence.problem or words.recordings_left(evidence, RECORDINGS_SHOWN)
        foot.addWidget(ElidedLabel(said, self, font="small", token="text.muted"), 1)
        show = Button("Open report", self, kind="link", size="sm")
        show.clicked.connect(self.open_report)
        foot.addWidget(show)
        self.body.addLayout(foot)


def _shortened(summary: str) -> str:
    """The first paragraph, without Markdown's marks that would only be noise here."""
    first = next((part.strip() for part in summary.split("\n\n") if part.strip() and part.strip()[0] != "#"), "")
    plain = " ".join(first.replace("**", "").replace("`", "").split())
    return plain if len(plain) <= _SUMMARY else plain[:_SUMMARY].rsplit(" ", 1)[0] + "…"
