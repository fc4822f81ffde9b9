"""The diff view: one painted surface over all files of a diff."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from PySide6.QtCore import QEvent, QRect, Qt, QTimer
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from posthog_code.domain.diff_index import DiffIndex, Row
from posthog_code.domain.review import Comment
from posthog_code.ui.diff import accessible, gutter, hunkbar
from posthog_code.ui.diff.cards import CardLayer
from posthog_code.ui.diff.comments import CommentDraft
from posthog_code.ui.diff.finder import Finder
from posthog_code.ui.diff.header import paint_header
from posthog_code.ui.diff.keys import Keys
from posthog_code.ui.diff.marks import Gutter
from posthog_code.ui.diff.painter import RowPainter
from posthog_code.ui.diff.pointer import Pointer
from posthog_code.ui.diff.selecting import Selecting
from posthog_code.ui.diff.surface import Surface
from posthog_code.ui.theme import notifier, theme
from posthog_code.ui.theme.icons import paint_icon


class DiffView(Surface):
    """Shows a DiffIndex. It knows files, lines and comments, but not where they come from or go to."""

    def __init__(self, parent: QWidget | None = None, *, now: Callable[[], float] = time.time) -> None:
        super().__init__(parent)
        accessible.install()
        self.setObjectName("diffView")
        self.setAccessibleName("Changes")
        self.setFrameShape(Surface.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._painter = RowPainter(self.layouts)
        self.selecting = Selecting(self)
        self.cards = CardLayer(self, self.selecting, now)
        self.pointer = Pointer(self, self.selecting, self.cards)
        self.finder = Finder(self)
        self._keys = Keys(self, self.selecting, self.cards, self.finder)
        viewport = self.viewport()
        viewport.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        viewport.setMouseTracking(True)
        viewport.setCursor(Qt.CursorShape.ArrowCursor)
        self._repaint_soon = QTimer(self, interval=16, singleShot=True)
        self._repaint_soon.timeout.connect(viewport.update)
        self.syntax.ready.connect(self._repaint_soon.start)
        self.cursorMoved.connect(self._tell_cursor)
        notifier().changed.connect(self.restyle)
        self.restyle()

    # ---- what is shown

    def set_index(self, index: DiffIndex) -> None:
        self._painter.index = index
        self.selecting.clear()
        super().set_index(index)
        self.finder.index_changed()

    def extend(self) -> None:
        super().extend()
        self.finder.index_grew()

    def placed(self) -> None:
        self.cards.place()

    def restyle(self) -> None:
        """The theme has changed."""
        self.layouts.restyle()
        self._painter.restyle()
        self.rearrange()

    def set_comments(self, comments: Iterable[Comment]) -> None:
        self.cards.set_comments(comments)
        self.viewport().update()

    def set_gutter(self, marks: Gutter) -> None:
        """What stands left of the line numbers."""
        if marks != self.gutter:
            self.gutter = marks
            self.viewport().update()

    def set_drafts(self, drafts: Iterable[CommentDraft]) -> None:
        """Editors that were open when the view was last shown."""
        for draft in drafts:
            self.cards.drafts.setdefault(draft.key, draft)
        self.cards.place()
        self.viewport().update()

    def show_comment(self, comment_id: str) -> None:
        place = self.cards.place_of(comment_id)  # type: ignore[arg-type]
        if place >= 0:
            self.unfold(place)
            self.set_cursor(place)
            self.scroll_to(place, margin=80)

    def _tell_cursor(self) -> None:
        accessible.tell_focus(self)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width() and (self._wrap or self._split):
            self.rearrange()
        else:
            self.fit()
        self.cards.measure_all()
        self.finder.arrange()
        self.resized.emit()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        self.viewport().update()
        if dy:
            self.tell_current_file()
            self.pointer.scrolled()

    # ---- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        port = self.viewport()
        height = port.height()
        self._prepare()
        top = self.scroll_top()
        geometry, index = self.geometry_index, self.index
        self._painter.columns = self.columns
        self._painter.offset = self.horizontalScrollBar().value()
        look = theme()
        self.syntax.begin_frame()
        with QPainter(port) as p:
            p.fillRect(port.rect(), look.color("surface.panel"))
            for place, at in geometry.visible(top, top + height):
                row_height = geometry.row_height(place)
                self._paint_place(p, place, at - top, row_height)
                room = geometry.card_room(place)
                if room:
                    self._paint_card_room(p, QRect(0, at - top + row_height, port.width(), room))
            if len(self.places):
                stuck = self.header_rect(self.file_at_top())
                if stuck.y() <= 0:
                    self._paint_header(p, self.file_at_top(), stuck)
            if index.files:
                hunkbar.paint(p, self)
        self.syntax.end_frame()
        self.painted.emit()

    def _prepare(self) -> None:
        """Measure what is about to be painted, and put the cards where they belong."""
        top, height = self.scroll_top(), self.viewport().height()
        if self._wrap and len(self.places):
            place = self.anchor_place()
            offset = top - self.geometry_index.top(place)
            for _ in range(3):
                if not self.geometry_index.measure(top, top + height):
                    break
                self.fit()
                top = self.geometry_index.top(place) + offset
                self.verticalScrollBar().setValue(top)
        self.cards.arrange()

    def _paint_place(self, p: QPainter, place: int, y: int, height: int) -> None:
        pair = self.places.pair(place)
        row = pair[1] if pair[1] >= 0 else pair[0]
        kind = self.index.kinds[row]
        if kind == Row.FILE:
            gap = self.geometry_index.heights.gap if row else 0
            self._paint_header(p, self.index.file_of(row), QRect(0, y + gap, self.viewport().width(), height - gap))
        elif kind == Row.HUNK:
            self._painter.hunk(p, row, y, height)
            if place == self.cursor_place and self.keyboard and self.hasFocus():
                p.fillRect(0, y, 2, height, theme().color("accent.default"))
        elif kind == Row.NOTE:
            self._painter.note(p, self.index.text(row), y, height)
        else:
            marks = self.selecting.marks(place, pair)
            self.finder.add_marks(pair, marks)
            self._painter.line(p, pair, y, height, marks)
            self._paint_line_extras(p, place, y, height)

    def _paint_card_room(self, p: QPainter, rect: QRect) -> None:
        line = theme().color("border.subtle")
        if self.columns.split:
            p.fillRect(0, rect.top(), self.columns.new.left, rect.height(), theme().color("diff.filler"))
            p.fillRect(self.columns.new.left - 1, rect.top(), 1, rect.height(), line)
        p.fillRect(rect.left(), rect.top(), rect.width(), 1, line)
        p.fillRect(rect.left(), rect.bottom(), rect.width(), 1, line)

    def _paint_line_extras(self, p: QPainter, place: int, y: int, height: int) -> None:
        look = theme()
        gutter.paint(p, self, place, y, height)
        if self.pointer.comment_place == place:
            box = gutter.button(self, place, self.pointer.comment_side, y, height)
            p.save()
            p.setRenderHint(QPainter.RenderHint.Antialiasing)
            p.setPen(Qt.PenStyle.NoPen)
            p.setBrush(look.color("accent.default"))
            p.drawRoundedRect(box, 4, 4)
            p.restore()
            paint_icon(p, box.adjusted(3, 3, -3, -3).toRectF(), "ph.plus-bold", "accent.on")
        if place == self.cursor_place and self.keyboard and self.hasFocus():
            p.fillRect(0, y, 2, height, look.color("accent.default"))

    def _paint_header(self, p: QPainter, file: int, rect: QRect) -> None:
        hover = self.pointer.header_part if self.pointer.header_file == file else ""
        focused = (
            self.keyboard and self.hasFocus() and self.cursor_place == self.places.place_of(self.index.files[file].row)
        )
        paint_header(p, self.header_state(file), rect, hover, focused)

    # ---- input goes to the parts that know

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.pointer.press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.pointer.move(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.pointer.release(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.pointer.double(event)

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Leave, QEvent.Type.HoverLeave):
            self.pointer.leave()
        elif event.type() == QEvent.Type.ToolTip and self.pointer.tooltip(event):  # type: ignore[arg-type]
            return True
        return super().viewportEvent(event)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and self._keys.claims(event):  # type: ignore[arg-type]
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self._keys.press(event):
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        if event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason):
            self.keyboard = True
            if self.cursor_place < 0 and len(self.places):
                self.cursor_place = self.geometry_index.place_at(self.scroll_top())
        super().focusInEvent(event)
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.viewport().update()
