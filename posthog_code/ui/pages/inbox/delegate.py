"""How a report is painted in the list."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter
from PySide6.QtWidgets import QAbstractItemView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from posthog_code.ui.kit import painting
from posthog_code.ui.kit.focus_ring import keys_in_use
from posthog_code.ui.kit.spinner import arc_clock
from posthog_code.ui.models.inbox_list import ReportRow
from posthog_code.ui.pages.inbox.list_model import ROW
from posthog_code.ui.theme import Theme, theme
from posthog_code.ui.theme.glyphs import MOVING, TEXT_TOKENS, paint_glyph, paint_priority
from posthog_code.ui.theme.icons import paint_icon

_DOT_X, _BARS_X, _TEXT_X, _RIGHT = 4, 14, 42, 15
_TOP, _DOT = 9, 6
_FIGURE_GAP = 12


class ReportDelegate(QStyledItemDelegate):
    """Three lines: what it is, what it amounts to, where it is."""

    def __init__(self, view: QAbstractItemView) -> None:
        super().__init__(view)
        self._view = view

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(0, theme().size("row.inbox"))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        row: ReportRow = index.data(ROW)
        look = theme()
        rect = QRectF(option.rect)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.save()
        token = "surface.selected" if selected else ""
        if not token and option.state & QStyle.StateFlag.State_MouseOver:
            token = "surface.hover"
        if token:
            painter.fillRect(rect, look.color(token))
        line = look.color("border.strong" if selected else "border.subtle")  # many that are selected stay apart
        painting.hairline(painter, rect.left(), rect.bottom(), rect.right() + 1, rect.bottom(), line)
        self._paint_marks(painter, look, rect, row)
        self._paint_words(painter, look, rect, row, selected)
        if option.state & QStyle.StateFlag.State_HasFocus and self._view.hasFocus() and keys_in_use():
            painting.focus_ring(painter, rect.adjusted(2, 2, -2, -3), look.size("radius.md"))
        painter.restore()

    def _paint_marks(self, painter: QPainter, look: Theme, rect: QRectF, row: ReportRow) -> None:
        middle = rect.top() + look.px(_TOP) + look.line("body") / 2
        if row.unread:
            dot = QRectF(rect.left() + _DOT_X, middle - _DOT / 2, _DOT, _DOT)
            painting.rounded(painter, dot, _DOT / 2, look.color("accent.default"))
        height = look.px(12)
        bars = QRectF(rect.left() + look.px(_BARS_X), round(middle - height / 2), height * 1.5, height)
        paint_priority(painter, bars, row.priority, look)

    def _paint_words(self, painter: QPainter, look: Theme, rect: QRectF, row: ReportRow, selected: bool) -> None:
        left, right = rect.left() + look.px(_TEXT_X), rect.right() - _RIGHT
        caption = look.font("caption", tabular=True)
        y = rect.top() + look.px(_TOP)
        line = QRectF(left, y, right - left, look.line("body"))
        ago = painting.text_width(row.age, caption)
        painting.text(painter, line, row.age, caption, look.color("text.muted"), painting.RIGHT)
        strong = row.unread or selected
        token = "text.muted" if row.quiet and not selected else "text.primary" if strong else "text.secondary"
        title = line.adjusted(0, 0, -ago - 10, 0)
        painting.text(painter, title, row.title, look.font("bodyStrong" if strong else "body"), look.color(token))
        second = QRectF(left, line.bottom() - 1, right - left, look.line("small") + 2)
        end = self._paint_task(painter, look, second, row)
        self._paint_figures(painter, look, second.adjusted(0, 0, end - second.right(), 0), row)
        third = QRectF(left, second.bottom(), right - left, look.line("caption"))
        mode = Qt.TextElideMode.ElideMiddle
        painting.text(painter, third, row.place, look.font("caption"), look.color("text.muted"), elide=mode)

    def _paint_task(self, painter: QPainter, look: Theme, line: QRectF, row: ReportRow) -> float:
        """Gives where its words begin."""
        if row.task is None:
            return line.right()
        font = look.font("small")
        width = painting.text_width("task", font)
        side = look.px(13)
        words = QRectF(line.right() - width, line.top(), width, line.height())
        color = look.color(TEXT_TOKENS.get(row.task, "text.muted"))
        painting.text(painter, words, "task", font, color)
        box = QRectF(words.left() - side - 5, round(line.center().y() - side / 2), side, side)
        paint_glyph(painter, box, row.task, look, arc_clock().phase())
        if row.task in MOVING:
            arc_clock().painted(self._view.viewport(), box.toAlignedRect())
        return box.left() - 8

    def _paint_figures(self, painter: QPainter, look: Theme, line: QRectF, row: ReportRow) -> None:
        font = look.font("small", tabular=True)
        metrics = QFontMetricsF(font)
        side = look.px(13)
        x = line.left()
        for figure in row.figures:
            box = QRectF(x, round(line.center().y() - side / 2), side, side)
            words = box.right() + 4
            room = line.right() - words
            if room < look.px(12):
                break
            width = min(metrics.horizontalAdvance(figure.text) + 1, room)
            paint_icon(painter, box, figure.icon, look.color("text.muted"))
            place = QRectF(words, line.top(), width, line.height())
            painting.text(painter, place, figure.text, font, look.color("text.muted"))
            x = words + width + _FIGURE_GAP
