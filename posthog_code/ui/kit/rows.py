"""Rows in bordered lists, and the headings above them."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from posthog_code.ui.kit import painting
from posthog_code.ui.kit.focus_ring import keys_in_use
from posthog_code.ui.kit.labels import ElidedLabel, Label
from posthog_code.ui.theme import theme


class RowList(QWidget):
    """A bordered column of rows with a line between each two."""

    def __init__(self, parent: QWidget | None = None, *, fill: str = "surface.window") -> None:
        super().__init__(parent)
        self._fill = fill
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(1, 1, 1, 1)
        self.column.setSpacing(1)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)

    def add(self, row: QWidget) -> None:
        self.column.addWidget(row)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        line = look.color("border.subtle")
        with QPainter(self) as painter:
            painting.rounded(painter, QRectF(self.rect()), look.size("radius.lg"), look.color(self._fill), line)
            for index in range(1, self.column.count()):
                item = self.column.itemAt(index)
                row = item.widget() if item is not None else None
                if row is not None and not row.isHidden():
                    painting.hairline(painter, 1, row.y() - 1, self.width() - 1, row.y() - 1, line)


class Row(QWidget):
    """One row that can be the current one and can be pressed. Parts go into `row`."""

    pressed = Signal()

    def __init__(self, parent: QWidget | None = None, *, height: int = 30, name: str = "") -> None:
        super().__init__(parent)
        self._current = False
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(12, 0, 10, 0)
        self.row.setSpacing(8)
        self.setMinimumHeight(theme().px(height))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setAccessibleName(name)

    def set_current(self, on: bool) -> None:
        if on != self._current:
            self._current = on
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self.pressed.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        box = QRectF(self.rect())
        with QPainter(self) as painter:
            if self.underMouse() or self._current:
                path = QPainterPath()
                path.addRoundedRect(box, 6, 6)
                painter.setRenderHint(QPainter.RenderHint.Antialiasing)
                painter.fillPath(path, look.color("surface.hover"))
            if self._current and keys_in_use():
                painting.focus_ring(painter, box.adjusted(1, 1, -1, -1), 6)


class SectionHead(QWidget):
    """A heading with a muted note; controls are added to `row` at the right."""

    def __init__(self, title: str, note: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(0, 0, 0, 0)
        self.row.setSpacing(8)
        self.note = ElidedLabel(note, self, font="small", token="text.muted", tabular=True)
        self.row.addWidget(Label(title, self, font="heading"))
        self.row.addWidget(self.note, 1)
        self.setMinimumHeight(theme().px(28))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
