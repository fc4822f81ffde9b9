"""The research of a report, folded until somebody asks for it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from posthog_code.domain.text import age, plural
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.cards import Card, Hairline
from posthog_code.ui.kit.labels import Label
from posthog_code.ui.models.inbox_log import LogLine
from posthog_code.ui.theme import theme

MOST = 60


class ResearchLog(QWidget):
    """Its lines are made when it is opened."""

    def __init__(self, lines: Sequence[LogLine], now: float, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lines, self._now = list(lines), now
        self._card: Card | None = None
        self.fold = Button(f"Research log, {plural(len(lines), 'entry', 'entries')}", self, kind="link", size="sm")
        self.fold.set_icon("ph.caret-right")
        self.fold.clicked.connect(self.toggle)
        head = QHBoxLayout()
        head.setContentsMargins(0, 0, 0, 0)
        head.addWidget(self.fold)
        head.addStretch(1)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(6)
        self._column.addLayout(head)

    @property
    def opened(self) -> bool:
        return self._card is not None and self._card.isVisibleTo(self)

    def toggle(self) -> None:
        if self._card is None:
            self._card = self._make()
            self._column.addWidget(self._card)
            self._card.show()
        else:
            self._card.setVisible(not self._card.isVisibleTo(self))
        self.fold.set_icon("ph.caret-down" if self.opened else "ph.caret-right")

    def _make(self) -> Card:
        card = Card(self, fill="surface.window")
        for number, line in enumerate(self._lines[:MOST]):
            if number:
                card.body.addWidget(Hairline(card))
            card.body.addWidget(self._row(line, card))
        return card

    def _row(self, line: LogLine, card: Card) -> QWidget:
        row = QWidget(card)
        box = QHBoxLayout(row)
        box.setContentsMargins(12, 7, 12, 7)
        box.setSpacing(12)
        title = Label(line.title, row, font="smallStrong", token="text.secondary", wrap=True)
        title.setFixedWidth(theme().px(120))
        box.addWidget(title, 0, Qt.AlignmentFlag.AlignTop)
        box.addWidget(Label(line.text, row, font="small", token="text.secondary", wrap=True, selectable=True), 1)
        if line.at:
            ago = Label(age(max(0.0, self._now - line.at)), row, font="small", token="text.muted")
            box.addWidget(ago, 0, Qt.AlignmentFlag.AlignTop)
        return row
