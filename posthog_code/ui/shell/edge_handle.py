"""The line between two regions, which can be dragged."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from posthog_code.ui.theme import theme

GRAB = 7


class EdgeHandle(QWidget):
    """7 px to grab, 1 px to see. Whoever lays out the regions moves it."""

    dragged = Signal(int)
    """Pixels since the last signal."""
    finished = Signal()
    reset = Signal()
    """Double-click."""

    def __init__(self, name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self._x: float | None = None

    def place(self, x: int, y: int, height: int) -> None:
        """Puts the line at `x` of the parent."""
        self.setGeometry(x - GRAB // 2, y, GRAB, height)
        self.raise_()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self._x = event.globalPosition().x()
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._x is not None:
            moved = round(event.globalPosition().x() - self._x)
            if moved:
                self._x += moved
                self.dragged.emit(moved)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._x is not None:
            self._x = None
            self.update()
            self.finished.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.reset.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -16, Qt.Key.Key_Right: 16}.get(Qt.Key(event.key()), 0)
        if step:
            self.dragged.emit(step)
            self.finished.emit()
        else:
            event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        with QPainter(self) as painter:
            painter.fillRect(GRAB // 2, 0, 1, self.height(), look.color("border.subtle"))
            if self._x is not None:
                painter.fillRect(GRAB // 2 - 1, 0, 2, self.height(), look.color("accent.default"))
