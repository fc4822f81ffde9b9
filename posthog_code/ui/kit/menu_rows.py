"""The rows of a popup list, and how they are drawn."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from posthog_code.ui.kit import painting
from posthog_code.ui.kit.chips import keycaps_width, paint_keycaps
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.icons import paint_icon


@dataclass(frozen=True, slots=True)
class MenuItem:
    """One row of a popup list. With only `heading` set it is a title, with nothing set a line between groups."""

    id: str = ""
    text: str = ""
    icon: str = ""
    detail: str = ""
    """Muted words after the text."""
    note: str = ""
    """Muted words at the right."""
    keys: str = ""
    checked: bool = False
    danger: bool = False
    reason: str = ""
    """Why it cannot be chosen; "" means that it can."""
    heading: str = ""
    marks: tuple[int, ...] = ()
    """Characters of the text that what was typed hits."""

    @property
    def choosable(self) -> bool:
        return bool(self.id) and not self.reason


class MenuRows(QWidget):
    """The painted rows of a popup list."""

    pressed = Signal(int)
    pointed = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.items: list[MenuItem] = []
        self.current = -1
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def height_of(self, item: MenuItem) -> int:
        if item.id:
            return theme().size("row.menu")
        return theme().px(24) if item.heading else 9

    def rect_of(self, row: int) -> QRect:
        top = 4 + sum(self.height_of(item) for item in self.items[:row])
        return QRect(4, top, self.width() - 8, self.height_of(self.items[row]))

    def row_at(self, y: int) -> int:
        top = 4
        for row, item in enumerate(self.items):
            top += self.height_of(item)
            if y < top:
                return row
        return -1

    def sizeHint(self) -> QSize:
        look = theme()
        width = 120
        icons = 24 if any(item.icon or item.checked for item in self.items) else 0
        for item in self.items:
            line = painting.text_width(item.text or item.heading, look.font("body")) + 26 + icons
            for words in (item.detail, item.note, item.reason):
                line += painting.text_width(words, look.font("small")) + 12 if words else 0
            line += keycaps_width(item.keys) + 16 if item.keys else 0
            width = max(width, line)
        return QSize(min(width, 560), 8 + sum(self.height_of(item) for item in self.items))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.pointed.emit(self.row_at(event.position().toPoint().y()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.pressed.emit(self.row_at(event.position().toPoint().y()))

    def paintEvent(self, event: QPaintEvent) -> None:
        icons = any(item.icon or item.checked for item in self.items)
        with QPainter(self) as painter:
            for row, item in enumerate(self.items):
                rect = QRectF(self.rect_of(row))
                if rect.intersects(QRectF(event.rect())):
                    self._paint_row(painter, rect, item, row == self.current, icons)

    def _paint_row(self, painter: QPainter, rect: QRectF, item: MenuItem, current: bool, icons: bool) -> None:
        look = theme()
        if not item.id:
            if item.heading:
                box = rect.adjusted(8, 4, -8, 0)
                painting.text(painter, box, item.heading, look.font("caption"), look.color("text.muted"))
            else:
                y = rect.center().y()
                painting.hairline(painter, 0, y, self.width(), y, look.color("border.subtle"))
            return
        if current:
            painting.rounded(painter, rect, 5, look.color("surface.selected"))
        off = not item.choosable
        words = look.color("text.disabled" if off else "status.failed" if item.danger else "text.primary")
        muted = look.color("text.disabled" if off else "text.muted")
        x, right = rect.left() + 8, rect.right() - 8
        if icons:
            side = look.px(15)
            box = QRectF(x, round(rect.center().y() - side / 2), side, side)
            if item.checked:
                paint_icon(painter, box, "ph.check", look.color("accent.text"))
            elif item.icon:
                paint_icon(painter, box, item.icon, words if item.danger else muted)
            x += side + 8
        if item.keys:
            right -= keycaps_width(item.keys)
            paint_keycaps(painter, right, rect.center().y(), item.keys)
            right -= 12
        note = item.reason or item.note
        if note:
            wide = painting.text_width(note, look.font("small"))
            box = QRectF(right - wide, rect.top(), wide, rect.height())
            painting.text(painter, box, note, look.font("small", tabular=True), muted)
            right -= wide + 12
        width = min(painting.text_width(item.text, look.font("body")), right - x)
        painting.text(painter, QRectF(x, rect.top(), width, rect.height()), item.text, look.font("body"), words)
        for place in item.marks:
            before = painting.text_width(item.text[:place], look.font("body"))
            wide = painting.text_width(item.text[: place + 1], look.font("body")) - before
            if before + wide <= width:
                box = QRectF(x + before, rect.top(), wide + 1, rect.height())
                painting.text(painter, box, item.text[place], look.font("body"), look.color("accent.text"))
        x += width + 10
        if item.detail and right - x > 20:
            box = QRectF(x, rect.top(), right - x, rect.height())
            painting.text(painter, box, item.detail, look.font("small"), muted)
