"""Several lines of text in the box of a field."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRectF, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QPlainTextEdit, QSizePolicy, QVBoxLayout, QWidget

from posthog_code.ui.kit import painting
from posthog_code.ui.theme import notifier, theme


class TextArea(QWidget):
    """A plain text editor that looks as a field does; Tab leaves it."""

    changed = Signal()

    def __init__(self, name: str, parent: QWidget | None = None, *, lines: int = 6, placeholder: str = "") -> None:
        super().__init__(parent)
        self._lines = lines
        self.edit = QPlainTextEdit(self)
        self.edit.setFrameShape(QPlainTextEdit.Shape.NoFrame)
        self.edit.setTabChangesFocus(True)
        self.edit.setPlaceholderText(placeholder)
        self.edit.setAccessibleName(name)
        self.edit.textChanged.connect(self.changed)
        self.edit.installEventFilter(self)
        self.edit.viewport().setAutoFillBackground(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(7, 5, 3, 5)
        column.addWidget(self.edit)
        self.setFocusProxy(self.edit)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._dress()
        notifier().changed.connect(self._dress)

    def text(self) -> str:
        return self.edit.toPlainText()

    def setText(self, text: str) -> None:
        if text != self.edit.toPlainText():
            self.edit.setPlainText(text)

    def _dress(self) -> None:
        self.edit.setFont(theme().font("body"))
        self.setFixedHeight(theme().line("body") * self._lines + 20)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut, QEvent.Type.EnabledChange):
            self.update()
        return False

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        fill, line, pen = look.color("surface.raised"), look.color("border.strong"), 1.0
        if not self.isEnabled():
            line = look.color("border.subtle")
        elif self.edit.hasFocus():
            line, pen = look.color("focus.ring"), look.value("focus.width")
        with QPainter(self) as painter:
            painting.rounded(painter, QRectF(self.rect()), look.size("radius.md"), fill, line, pen)
