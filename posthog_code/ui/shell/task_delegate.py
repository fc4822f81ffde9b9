"""How a row of the sidebar is painted, and where its hover buttons are."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter
from PySide6.QtWidgets import QAbstractItemView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from posthog_code.domain.text import MINUS, count
from posthog_code.ui.kit.spinner import arc_clock
from posthog_code.ui.models.task_list import ARCHIVED, PINNED, Row, SectionRow, TaskRow
from posthog_code.ui.models.task_list_model import ROW
from posthog_code.ui.theme import Theme, theme
from posthog_code.ui.theme.glyphs import MOVING, paint_glyph
from posthog_code.ui.theme.icons import pixmap

_RADIUS = 6
_TEXT_X = 33
_RAIL_ROW = 34
_EDGE = 10


class TaskDelegate(QStyledItemDelegate):
    """Two lines and a glyph; in a rail the glyph alone."""

    def __init__(self, view: QAbstractItemView) -> None:
        super().__init__(view)
        self._view = view
        self.rail = False
        self.hovered_action = ""
        self.keyboard_focus = False
        self.current_id: str | None = None
        """The task in view."""
        self.pressed_id: str | None = None

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        look = theme()
        row = index.data(ROW)
        if self.rail:
            bare = isinstance(row, SectionRow) and (row.collapsed or index.row() == 0)
            height = 2 if bare else 13 if isinstance(row, SectionRow) else look.px(_RAIL_ROW)
        elif isinstance(row, SectionRow):
            height = look.size("row.section")
        else:
            height = look.size("row.task") + 1
        return QSize(0, height)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        row: Row = index.data(ROW)
        look = theme()
        rect = self._inner(QRect(option.rect))
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        focused = self.keyboard_focus and bool(option.state & QStyle.StateFlag.State_HasFocus)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if isinstance(row, SectionRow):
            self._paint_section(painter, look, rect, row, index.row() == 0, focused)
        elif self.rail:
            self._paint_rail(painter, look, rect, row, hovered, focused)
        else:
            self._paint_task(painter, look, rect.adjusted(0, 0, 0, -1), row, hovered, focused)
        painter.restore()

    def action_rects(self, rect: QRect, row: Row) -> dict[str, QRect]:
        """Hover buttons of a row whose item fills `rect`: 24 × 24, at its right."""
        return self._action_rects(self._inner(rect).adjusted(0, 0, 0, -1), row)

    def _inner(self, rect: QRect) -> QRect:
        """Where a row is drawn: the list reaches to the edge so that its scroll bar can, rows do not."""
        free = self.rail or self._view.verticalScrollBar().isVisible()
        return rect if free else rect.adjusted(0, 0, -_EDGE, 0)

    def _action_rects(self, rect: QRect, row: Row) -> dict[str, QRect]:
        if self.rail or not isinstance(row, TaskRow):
            return {}
        if row.cloud:
            names: tuple[str, ...] = ("pin",) if row.opened else ()
        else:
            names = ("restore", "delete") if row.archived else ("pin", "archive")
        side = 24
        x, y = rect.right() - 5 - side * len(names), rect.top() + 2
        return {name: QRect(x + number * side, y, side, side) for number, name in enumerate(names)}

    def _paint_section(
        self, painter: QPainter, look: Theme, rect: QRect, row: SectionRow, first: bool, focused: bool
    ) -> None:
        if self.rail:
            if not first and not row.collapsed:
                y = rect.center().y()
                painter.fillRect(QRect(rect.center().x() - 14, y, 28, 1), look.color("border.subtle"))
            return
        middle = rect.center().y() + 1
        icon = "ph.push-pin" if row.key == PINNED else "ph.caret-right" if row.collapsed else "ph.caret-down"
        if row.key == ARCHIVED and row.collapsed:
            icon = "ph.caret-right"
        size = 12 if row.key == PINNED else 10
        if row.key == PINNED and row.collapsed:
            icon, size = "ph.caret-right", 10
        mark = pixmap(icon, "text.muted", size, painter.device().devicePixelRatioF())
        painter.drawPixmap(QPointF(rect.left() + 14 - size / 2, middle - size / 2), mark)
        font = QFont(look.font("caption", tabular=True))
        font.setWeight(QFont.Weight.Medium)
        painter.setFont(font)
        painter.setPen(look.color("text.muted"))
        metrics = QFontMetricsF(font)
        number = "" if row.key == PINNED else count(row.count)
        number_width = metrics.horizontalAdvance(number)
        text = QRectF(rect.left() + 24, rect.top() + 2, rect.width() - 24 - 12 - number_width, rect.height() - 2)
        title = metrics.elidedText(row.title, Qt.TextElideMode.ElideRight, text.width())
        painter.drawText(text, Qt.AlignmentFlag.AlignVCenter, title)
        box = QRectF(rect.left(), rect.top() + 2, rect.width() - 8, rect.height() - 2)
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, number)
        if focused:
            self._ring(painter, look, rect)

    def _paint_task(
        self, painter: QPainter, look: Theme, rect: QRect, row: TaskRow, hovered: bool, focused: bool
    ) -> None:
        current = row.task_id == self.current_id
        self._fill(painter, look, rect, row, current, hovered)
        glyph_top = rect.top() + look.px(6)
        side = look.px(16)
        self._paint_glyph(painter, look, QRectF(rect.left() + 8, glyph_top, side, side), row)
        x, right = rect.left() + _TEXT_X + side - 16, rect.right() + 1 - 8
        strong = row.strong or current
        title_font = look.font("bodyStrong" if strong else "body")
        title_end = right
        if hovered:
            title_end = min((r.left() for r in self._action_rects(rect, row).values()), default=right + 4) - 4
        title = QRectF(x, rect.top() + 4, title_end - x, look.px(19))
        painter.setFont(title_font)
        muted = row.archived and not current
        painter.setPen(look.color("text.muted" if muted else "text.primary" if strong else "text.secondary"))
        metrics = QFontMetricsF(title_font)
        painter.drawText(
            title,
            Qt.AlignmentFlag.AlignVCenter,
            metrics.elidedText(row.title, Qt.TextElideMode.ElideRight, title.width()),
        )
        second = QRectF(x, title.bottom(), right - x, look.px(16))
        self._paint_second(painter, look, second, row)
        if hovered:
            self._paint_actions(painter, look, rect, row)
        if focused:
            self._ring(painter, look, rect)

    def _paint_second(self, painter: QPainter, look: Theme, box: QRectF, row: TaskRow) -> None:
        font = look.font("caption", tabular=True)
        metrics = QFontMetricsF(font)
        painter.setFont(font)
        right = box.right()

        def put(text: str, token: str) -> None:
            nonlocal right
            width = metrics.horizontalAdvance(text)
            painter.setPen(look.color(token))
            painter.drawText(QRectF(right - width - 1, box.top(), width + 1, box.height()), 0, text)
            right -= width

        put(row.age, "text.muted")
        right = min(right, box.right() - look.px(20)) - 6
        if row.added or row.removed:
            put(f"{MINUS}{count(row.removed)}", "diff.del.text")
            right -= 3
            put(f"+{count(row.added)}", "diff.add.text")
            right -= 6
        if row.note:
            put(row.note, "text.muted")
            right -= 6
        left = box.left()
        if row.cloud:
            side = look.px(12)
            mark = pixmap("ph.cloud", "text.muted", side, painter.device().devicePixelRatioF())
            painter.drawPixmap(QPointF(left, box.top() + round((metrics.height() - side) / 2)), mark)
            left += side + 4
        name = metrics.elidedText(row.branch, Qt.TextElideMode.ElideMiddle, right - left)
        painter.setPen(look.color("text.muted"))
        painter.drawText(QRectF(left, box.top(), right - left, box.height()), 0, name)

    def _paint_actions(self, painter: QPainter, look: Theme, rect: QRect, row: TaskRow) -> None:
        icons = {
            "pin": "ph.push-pin-slash" if row.pinned else "ph.push-pin",
            "archive": "ph.archive-box",
            "restore": "ph.arrow-counter-clockwise",
            "delete": "ph.trash",
        }
        for name, box in self._action_rects(rect, row).items():
            hot = name == self.hovered_action
            if hot:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(look.color("surface.active"))
                painter.drawRoundedRect(box, 5, 5)
            mark = pixmap(
                icons[name], "text.primary" if hot else "text.muted", 14, painter.device().devicePixelRatioF()
            )
            painter.drawPixmap(box.center().x() - 6, box.center().y() - 6, mark)

    def _paint_rail(
        self, painter: QPainter, look: Theme, rect: QRect, row: TaskRow, hovered: bool, focused: bool
    ) -> None:
        box = QRect(rect.center().x() - 18, rect.top() + 1, 37, rect.height() - 2)
        self._fill(painter, look, box, row, row.task_id == self.current_id, hovered)
        side = look.px(16)
        center = QRectF(box).center()
        self._paint_glyph(painter, look, QRectF(center.x() - side / 2, center.y() - side / 2, side, side), row)
        if focused:
            self._ring(painter, look, box)

    def _paint_glyph(self, painter: QPainter, look: Theme, box: QRectF, row: TaskRow) -> None:
        paint_glyph(painter, box, row.glyph, look, arc_clock().phase())
        if row.glyph in MOVING:
            arc_clock().painted(self._view.viewport(), box.toAlignedRect())

    def _fill(self, painter: QPainter, look: Theme, rect: QRect, row: TaskRow, current: bool, hovered: bool) -> None:
        token = "surface.selected" if current else "surface.active" if row.task_id == self.pressed_id else ""
        if not token and hovered:
            token = "surface.hover"
        if token:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.color(token))
            painter.drawRoundedRect(rect, _RADIUS, _RADIUS)

    def _ring(self, painter: QPainter, look: Theme, rect: QRect) -> None:
        pen = painter.pen()
        pen.setColor(look.color("focus.ring"))
        pen.setWidth(2)
        pen.setStyle(Qt.PenStyle.SolidLine)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(QRectF(rect).adjusted(1, 1, -1, -1), _RADIUS - 1, _RADIUS - 1)
