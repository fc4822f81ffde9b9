"""Parts of the settings pages: groups, rows, and the page's column."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from posthog_code.ui.kit import painting
from posthog_code.ui.kit.cards import Card, Hairline
from posthog_code.ui.kit.labels import Label
from posthog_code.ui.kit.scroll import ScrollArea
from posthog_code.ui.pages.catalog import setting
from posthog_code.ui.theme import theme


class SettingRow(QWidget):
    """A title and what it means at the left, its control at the right."""

    def __init__(self, title: str, detail: str, control: QWidget | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = Label(title, self)
        self.detail = Label(detail, self, font="small", token="text.muted", wrap=True)
        self.detail.setVisible(bool(detail))
        self._marked = False
        words = QVBoxLayout()
        words.setContentsMargins(0, 0, 0, 0)
        words.setSpacing(1)
        words.addStretch(1)
        words.addWidget(self.title)
        words.addWidget(self.detail)
        words.addStretch(1)
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(14, 8, 14, 8)
        self.row.setSpacing(16)
        self.row.addLayout(words, 1)
        if control is not None:
            self.row.addWidget(control, 0, Qt.AlignmentFlag.AlignVCenter)
        self.setMinimumHeight(theme().size("row.setting"))

    def set_marked(self, on: bool) -> None:
        """Stands out: it is what was searched for."""
        self._marked = on
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._marked:
            look = theme()
            with QPainter(self) as painter:
                painting.rounded(painter, QRectF(self.rect()), look.size("radius.md"), look.color("accent.soft"))


class SettingsColumn(QWidget):
    """One page of settings: a title, then groups, 680 wide in the middle of a scrolling area."""

    def __init__(self, title: str, detail: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: dict[str, SettingRow] = {}
        self.head = QHBoxLayout()
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(Label(title, self, font="title"))
        words.addWidget(Label(detail, self, token="text.muted", wrap=True))
        self.head.addLayout(words, 1)
        self._inner = QWidget(self)
        self.column = QVBoxLayout(self._inner)
        self.column.setContentsMargins(0, 22, 0, 40)
        self.column.setSpacing(0)
        self.column.addLayout(self.head)
        body = QWidget(self)
        centre = QHBoxLayout(body)
        centre.setContentsMargins(24, 0, 24, 0)
        centre.addStretch(1)
        centre.addWidget(self._inner, 100)
        centre.addStretch(1)
        self._inner.setMaximumWidth(theme().size("layout.content.settings"))
        self.area = ScrollArea(body, self, name=title)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.area)

    def group(self, title: str, card: Card | None = None) -> Card:
        """A new card with its heading."""
        heading = Label(title, self._inner, font="heading")
        heading.setContentsMargins(0, 20, 0, 8)
        card = card or Card(self._inner, fill="surface.panel")
        self.column.addWidget(heading)
        self.column.addWidget(card)
        return card

    def finish(self) -> None:
        self.column.addStretch(1)

    def add_setting(self, card: Card, setting_id: str, control: QWidget | None) -> SettingRow:
        """A row of the catalogue's words."""
        words = setting(setting_id)
        row = SettingRow(words.title, words.detail, control, card)
        add_row(card, row)
        self.rows[setting_id] = row
        return row

    def reveal(self, setting_id: str) -> None:
        """Scrolls to a setting and marks it."""
        for name, row in self.rows.items():
            row.set_marked(name == setting_id)
        row_found = self.rows.get(setting_id)
        if row_found is not None:
            layout = self._inner.layout()
            if layout is not None:
                layout.activate()
            self.area.ensureWidgetVisible(row_found, 0, 80)


def add_row(card: Card, row: QWidget) -> None:
    """Adds a row to a card, with a line above all but the first."""
    if card.body.count():
        card.body.addWidget(Hairline(card))
    card.body.addWidget(row)


def clear_rows(card: Card) -> None:
    while (item := card.body.takeAt(0)) is not None:
        widget = item.widget()
        if widget is not None:
            widget.hide()
            widget.deleteLater()
