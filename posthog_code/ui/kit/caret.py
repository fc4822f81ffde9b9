"""The text cursor in the accent colour: Qt's own takes the colour of the text."""

from __future__ import annotations

from PySide6.QtCore import QObject, QRect, QTimer
from PySide6.QtGui import QGuiApplication, QPainter
from PySide6.QtWidgets import QPlainTextEdit

from posthog_code.ui.theme import theme

_WIDTH = 2


class Caret(QObject):
    """Blinks while the editor has the focus. The editor calls `paint` after its own painting."""

    def __init__(self, editor: QPlainTextEdit) -> None:
        super().__init__(editor)
        self._editor = editor
        self._on = True
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._blink)
        # Drawn by us alone; nothing of Qt's cursor is left but its place.
        editor.setCursorWidth(0)
        editor.cursorPositionChanged.connect(self.show)
        editor.textChanged.connect(self.show)

    def show(self) -> None:
        """Visible now, and for half a period: after the focus came, and after each key."""
        self._on = True
        half = QGuiApplication.styleHints().cursorFlashTime() // 2
        if self._editor.hasFocus() and half > 0:
            self._timer.start(half)
        else:
            self._timer.stop()
        self._editor.viewport().update()

    def rect(self) -> QRect:
        """Where it is, in the viewport."""
        place = self._editor.cursorRect()
        return QRect(place.left(), place.top(), _WIDTH, place.height())

    def paint(self) -> None:
        if self._on and self._editor.hasFocus() and not self._editor.isReadOnly():
            with QPainter(self._editor.viewport()) as painter:
                painter.fillRect(self.rect(), theme().color("accent.default"))

    def _blink(self) -> None:
        self._on = not self._on
        self._editor.viewport().update(self.rect())
