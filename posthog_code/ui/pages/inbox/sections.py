"""What a report says, from top to bottom: summary, errors, recordings, tickets, the place in the code, its research."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from posthog_code.domain.inbox import Evidence, Report, Triage
from posthog_code.domain.text import count, plural
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.cards import Banner, Card
from posthog_code.ui.kit.empty import Skeleton
from posthog_code.ui.kit.labels import ElidedLabel, Label
from posthog_code.ui.kit.markdown import MarkdownView
from posthog_code.ui.models import inbox_log
from posthog_code.ui.models.inbox_list import week_words
from posthog_code.ui.pages.inbox.code_place import CodeLines, CodeView
from posthog_code.ui.pages.inbox.evidence_rows import ErrorRow, EvidenceRow, RecordingRow, TicketRow
from posthog_code.ui.pages.inbox.research_log import ResearchLog

FEW, MOST = 4, 30
"""Rows of a section at first, and once all are asked for."""
SIDE = 20


class ReportBody(QWidget):
    """Sections are made anew when the evidence is another one; the text stays laid out."""

    opened = Signal(str)
    """A page to show."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.proof = Banner("", self, tone="success", icon="ph.check-circle")
        self.proof.hide()
        self.problem = Banner("", self, tone="waiting", icon="ph.warning")
        self.problem.hide()
        self.summary = MarkdownView(self)
        self.summary.linkActivated.connect(self.opened)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setAccessibleName("Evidence")
        self._id = ""
        self._evidence: Evidence | None = None
        self._sections: QWidget | None = None
        self.skeleton = Skeleton(self, rows=4)
        self.skeleton.hide()
        self.code_head = SectionTitle("Where it happens", "", self)
        self.code = CodeView(self)
        self.log: ResearchLog | None = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(SIDE, 14, SIDE, 28)
        self._column.setSpacing(0)
        for part in (self.proof, self.problem, self.summary, self.skeleton, self.code_head, self.code):
            self._column.addWidget(part)
        self._column.addStretch(1)
        self.show_code(None)

    def minimumSizeHint(self) -> QSize:
        # Qt would take the height that the text has at its narrowest.
        return QSize(0, 0)

    def show_report(
        self, report: Report, evidence: Evidence | None, triage: Triage, problem: str, loading: bool, now: float
    ) -> None:
        self.proof.setVisible(bool(triage.proof))
        self.proof.set_text(triage.proof)
        self.proof.label.setToolTip(triage.proof)
        self.summary.set_markdown(report.summary or "_There is no summary yet._")
        self.problem.setVisible(bool(problem))
        self.problem.set_text(problem)
        self.problem.label.setToolTip(problem)
        self.skeleton.setVisible(evidence is None and loading)
        if (report.id, evidence) != (self._id, self._evidence):
            unfolded = report.id == self._id and self.log is not None and self.log.opened
            self._id, self._evidence = report.id, evidence
            self._replace(evidence, now)
            if unfolded and self.log is not None:
                self.log.toggle()

    def show_code(self, code: CodeLines | None) -> None:
        self.code_head.setVisible(code is not None)
        self.code.setVisible(code is not None)
        self.code.set_code(code)
        if code is not None:
            self.code_head.note.setText(code.path)

    def _replace(self, evidence: Evidence | None, now: float) -> None:
        for old in (self._sections, self.log):
            if old is not None:
                self._column.removeWidget(old)
                old.hide()
                old.deleteLater()
        self._sections, self.log = None, None
        if evidence is None:
            return
        self._sections = box = QWidget(self)
        self._parts = QVBoxLayout(box)
        self._parts.setContentsMargins(0, 0, 0, 0)
        self._parts.setSpacing(0)
        self._add_errors(evidence)
        self._add_recordings(evidence)
        self._add_tickets(evidence, now)
        self._column.insertWidget(self._column.indexOf(self.skeleton), box)
        lines = inbox_log.research(evidence)
        if lines:
            self.log = ResearchLog(lines, now, self)
            self._column.insertWidget(self._column.count() - 1, self.log)
            self.log.setContentsMargins(0, 16, 0, 0)

    def _add_errors(self, evidence: Evidence) -> None:
        shown = evidence.errors[:MOST]
        card = self._card("Errors", week_words(evidence), shown)
        rows = [ErrorRow(error, card, first=not n) for n, error in enumerate(shown)] if card else []
        self._fill(card, rows, len(evidence.errors))

    def _add_recordings(self, evidence: Evidence) -> None:
        shown = evidence.recordings[:MOST]
        card = self._card("Recordings", count(len(evidence.recordings)), shown)
        rows = [RecordingRow(one, card, first=not n) for n, one in enumerate(shown)] if card else []
        self._fill(card, rows, len(evidence.recordings))

    def _add_tickets(self, evidence: Evidence, now: float) -> None:
        every = inbox_log.tickets(evidence)
        for title, word, quote in (("Support", "ticket", True), ("Issues", "issue", False)):
            found = [ticket for ticket in every if ticket.quote == quote]
            shown = found[:MOST]
            card = self._card(title, plural(len(found), word), shown)
            rows = [TicketRow(one, now, card, first=not n) for n, one in enumerate(shown)] if card else []
            self._fill(card, rows, len(found))

    def _card(self, title: str, note: str, shown: Sequence[object]) -> Card | None:
        if not shown:
            return None
        self._parts.addWidget(SectionTitle(title, note, self._sections))
        card = Card(self._sections, fill="surface.panel")
        card.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._parts.addWidget(card)
        return card

    def _fill(self, card: Card | None, rows: Sequence[EvidenceRow], whole: int) -> None:
        if card is None:
            return
        for number, row in enumerate(rows):
            row.clicked.connect(self._on_row)
            # One that stands alone after the few is shown at once: a button would take its place.
            row.setVisible(number < FEW or len(rows) == FEW + 1)
            card.body.addWidget(row)
        hidden = [row for row in rows if row.isHidden()]
        left = whole - len(rows)
        if hidden:
            more = Button(f"Show {len(hidden)} more", card, kind="ghost", size="sm", icon="ph.caret-down")
            more.clicked.connect(partial(_unfold, more, hidden))
            line = QHBoxLayout()
            line.setContentsMargins(6, 4, 6, 4)
            line.addWidget(more)
            line.addStretch(1)
            card.body.addLayout(line)
        if left > 0:
            words = Label(f"{count(left)} more in PostHog", card, font="small", token="text.muted")
            words.setContentsMargins(12, 6, 12, 8)
            card.body.addWidget(words)

    def _on_row(self) -> None:
        row = self.sender()
        if isinstance(row, EvidenceRow) and row.url:
            self.opened.emit(row.url)


def _unfold(more: QWidget, rows: Sequence[QWidget]) -> None:
    for row in rows:
        row.show()
    more.hide()


class SectionTitle(QWidget):
    """A heading, and a few muted words after it."""

    def __init__(self, title: str, note: str, parent: QWidget | None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 20, 0, 8)
        row.setSpacing(9)
        row.addWidget(Label(title, self, font="heading"))
        self.note = ElidedLabel(note, self, font="small", token="text.muted", tabular=True)
        row.addWidget(self.note, 1)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
