"""A splitter with a line of one pixel that is easy to grab."""

from __future__ import annotations

import shiboken6
from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSplitter, QSplitterHandle, QWidget

from posthog_code.ui.theme import theme


class Splitter(QSplitter):
    """Parts side by side (or one above the other); a double click on a line gives back the first sizes."""

    resetRequested = Signal()

    def __init__(self, orientation: Qt.Orientation = Qt.Orientation.Horizontal, parent: QWidget | None = None) -> None:
        super().__init__(orientation, parent)
        self._defaults: list[int] = []
        self.setHandleWidth(theme().size("control.splitter.line"))
        self.setChildrenCollapsible(False)

    def set_default_sizes(self, sizes: list[int]) -> None:
        """Sizes to start with and to go back to."""
        self._defaults = sizes
        self.setSizes(sizes)

    def reset(self) -> None:
        if self._defaults:
            self.setSizes(self._defaults)
        self.resetRequested.emit()

    def createHandle(self) -> QSplitterHandle:
        return _Handle(self.orientation(), self)


class _Handle(QSplitterHandle):
    _grab: _Grab | None = None

    def __init__(self, orientation: Qt.Orientation, splitter: Splitter) -> None:
        super().__init__(orientation, splitter)
        self._grab = _Grab(splitter, self)
        self.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kinds = (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.Hide)
        # Python's attribute may be gone while Qt takes the window apart, and the grab before the handle.
        if self._grab is not None and event.type() in kinds and shiboken6.isValid(self._grab):
            self._grab.follow(event.type() != QEvent.Type.Hide)
        return False

    def move_to(self, position: int) -> None:
        self.moveSplitter(position)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.fillRect(self.contentsRect(), theme().color("border.subtle"))


class _Grab(QWidget):
    """The invisible strip over the line, wide enough to hit."""

    def __init__(self, splitter: Splitter, handle: _Handle) -> None:
        super().__init__(splitter)
        self._splitter, self._handle = splitter, handle
        self._offset: int | None = None
        across = splitter.orientation() == Qt.Orientation.Horizontal
        self.setCursor(Qt.CursorShape.SplitHCursor if across else Qt.CursorShape.SplitVCursor)

    def follow(self, shown: bool) -> None:
        line = self._line_rect()
        extra = (theme().size("control.splitter.grab") - theme().size("control.splitter.line")) // 2
        across = self._splitter.orientation() == Qt.Orientation.Horizontal
        dx, dy = (extra, 0) if across else (0, extra)
        self.setGeometry(line.adjusted(-dx, -dy, dx, dy))
        self.setVisible(shown)
        self.raise_()

    def _position(self, event: QMouseEvent) -> int:
        point: QPoint = self.mapTo(self._splitter, event.position().toPoint())
        return point.x() if self._splitter.orientation() == Qt.Orientation.Horizontal else point.y()

    def _line_rect(self) -> QRect:
        # Qt makes the handle of a thin line wider by margins of its own.
        return self._handle.contentsRect().translated(self._handle.pos())

    def _line(self) -> int:
        place = self._line_rect().topLeft()
        return place.x() if self._splitter.orientation() == Qt.Orientation.Horizontal else place.y()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._offset = self._position(event) - self._line()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._offset is not None:
            self._handle.move_to(self._position(event) - self._offset)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._offset = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._offset = None
        self._splitter.reset()
