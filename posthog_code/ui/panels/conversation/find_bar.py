"""Find in the conversation."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from posthog_code.ui.kit import painting
from posthog_code.ui.kit.buttons import IconButton
from posthog_code.ui.kit.inputs import SearchField
from posthog_code.ui.kit.labels import Label
from posthog_code.ui.theme import theme


class FindBar(QWidget):
    """A field, "2 of 7", previous, next, close. The newest match comes first."""

    queryChanged = Signal(str)
    stepped = Signal(int)
    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Find in the conversation")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 5, 8, 6)
        row.setSpacing(4)
        self.field = SearchField("Find in the conversation", self)
        self.count = Label("", self, font="small", token="text.muted")
        previous = IconButton("ph.caret-up", "Previous match", self, keys="Shift+Return", size="sm")
        following = IconButton("ph.caret-down", "Next match", self, keys="Return", size="sm")
        close = IconButton("ph.x", "Close find", self, keys="Esc", size="sm")
        for widget in (self.field, self.count, previous, following, close):
            row.addWidget(widget)
        self.field.textChanged.connect(self.queryChanged)
        previous.clicked.connect(self._previous)
        following.clicked.connect(self._next)
        close.clicked.connect(self.closed)
        self.hide()

    def open(self) -> None:
        self.show()
        self.field.edit.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.field.edit.selectAll()

    def show_count(self, number: int, total: int) -> None:
        """`number` from 1; a total of 0 says that nothing was found."""
        if not self.field.text():
            self.count.setText("")
        else:
            self.count.setText(f"{number} of {total}" if total else "No match")

    def _previous(self) -> None:
        self.stepped.emit(-1)

    def _next(self) -> None:
        self.stepped.emit(1)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.stepped.emit(-1 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            look = theme()
            painter.fillRect(self.rect(), look.color("surface.window"))
            bottom = QRectF(self.rect()).bottom() - 1
            painting.hairline(painter, 0, bottom, self.width(), bottom, look.color("border.subtle"))
