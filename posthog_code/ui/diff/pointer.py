"""The mouse in the diff: hover, pressing, selecting, dragging over the gutter."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QCursor, QGuiApplication, QHelpEvent, QMouseEvent
from PySide6.QtWidgets import QToolTip

from posthog_code.domain.diff_index import Row
from posthog_code.ui.diff import gutter, hunkbar
from posthog_code.ui.diff.cards import CardLayer
from posthog_code.ui.diff.header import COMMENTS, COPY, FOLD, MENU, NAME, VIEWED, layout_header
from posthog_code.ui.diff.selecting import Selecting
from posthog_code.ui.diff.surface import Surface

_CODE = (Row.CONTEXT, Row.ADDED, Row.REMOVED, Row.RAW)
_EDGE_MS = 30
_TIPS = {
    FOLD: "Fold or unfold the file (Z)",
    COPY: "Copy path",
    COMMENTS: "Go to the first comment",
    VIEWED: "Viewed (V)",
    MENU: "More",
    hunkbar.COMMENT: "Comment on this hunk (C)",
    hunkbar.REVERT: "Take this hunk back (X)",
}


class Pointer:
    """State of the pointer over one view."""

    def __init__(self, view: Surface, selecting: Selecting, cards: CardLayer) -> None:
        self._view, self._selecting, self._cards = view, selecting, cards
        self.header_file = -1
        self.header_part = ""
        self.comment_place = -1
        """The line that shows the "+" button."""
        self.comment_side = ""
        self._drag = ""
        """ "text", "lines" or "" ."""
        self._drag_side = ""
        self._last = QPoint()
        self._clicked = (-1, 0)
        self._edge = QTimer(view, interval=_EDGE_MS)
        self._edge.timeout.connect(self._scroll_at_edge)

    # ---- finding what is below the pointer

    def _header_at(self, point: QPoint) -> tuple[int, str]:
        view = self._view
        if not len(view.places):
            return -1, ""
        file = view.file_at_top()
        rect = view.header_rect(file)
        if not rect.contains(point):
            place = view.geometry_index.place_at(point.y() + view.scroll_top())
            if view.kind_at(place) != Row.FILE:
                return -1, ""
            file = view.index.file_of(view.row_at(place))
            rect = view.header_rect(file)
            if not rect.contains(point):
                return -1, ""
        return file, layout_header(view.header_state(file), rect).at(point.x(), point.y())

    def _place_at(self, point: QPoint) -> int:
        view = self._view
        y = point.y() + view.scroll_top()
        if not len(view.places) or y >= view.geometry_index.height or y < 0:
            return -1
        return view.geometry_index.place_at(y)

    def _in_gutter(self, x: int) -> bool:
        columns = self._view.columns
        return any(half.left <= x < half.code for half in (columns.old, columns.new))

    def _column(self, place: int, point: QPoint, side: str) -> int:
        view = self._view
        row = view.row_at(place, side)
        if row < 0 or view.index.kinds[row] not in _CODE:
            return 0
        half = view.columns.half(side)
        layout = view.layouts.layout(row)
        y = point.y() + view.scroll_top() - view.geometry_index.top(place)
        number = max(0, min(layout.lineCount() - 1, y // view.geometry_index.heights.line))
        x = point.x() - half.code + view.horizontalScrollBar().value()
        return int(layout.lineAt(number).xToCursor(float(x)))

    # ---- moving

    def move(self, event: QMouseEvent) -> None:
        point = event.position().toPoint()
        self._last = point
        if self._drag:
            self._drag_to(point)
            return
        self._hover(point)

    def _hover(self, point: QPoint) -> None:
        view = self._view
        before = (
            self._view.hover_place,
            self.header_file,
            self.header_part,
            self._view.hover_part,
            self.comment_place,
            self.comment_side,
        )
        self.header_file, self.header_part = self._header_at(point)
        self._view.hover_place = -1 if self.header_file >= 0 else self._place_at(point)
        self._view.hover_part = hunkbar.part_at(view, point) if self.header_file < 0 else ""
        self.comment_place, self.comment_side = -1, view.columns.side_at(point.x())
        if self._view.hover_place >= 0 and not self._view.hover_part:
            row = view.row_at(self._view.hover_place, self.comment_side)
            if row >= 0 and view.index.kinds[row] in _CODE:
                self.comment_place = self._view.hover_place
        self._set_cursor(point)
        after = (
            self._view.hover_place,
            self.header_file,
            self.header_part,
            self._view.hover_part,
            self.comment_place,
            self.comment_side,
        )
        if before != after:
            view.viewport().update()

    def _set_cursor(self, point: QPoint) -> None:
        shape = Qt.CursorShape.ArrowCursor
        if self.header_part or self._view.hover_part in (hunkbar.COMMENT, hunkbar.REVERT):
            shape = Qt.CursorShape.PointingHandCursor
        elif self.comment_place >= 0:
            shape = Qt.CursorShape.PointingHandCursor if self._in_gutter(point.x()) else Qt.CursorShape.IBeamCursor
        if self._view.viewport().cursor().shape() != shape:
            self._view.viewport().setCursor(shape)

    def scrolled(self) -> None:
        """The rows have moved below a pointer that stands still."""
        view = self._view
        if self._drag:
            self._drag_to(self._last)
        elif self._view.hover_place >= 0 or self.header_file >= 0:
            point = view.viewport().mapFromGlobal(QCursor.pos())
            if view.viewport().rect().contains(point) and point == self._last:
                self._hover(point)
            else:
                self.leave()

    def leave(self) -> None:
        self._view.hover_place = self.header_file = self.comment_place = -1
        self.header_part = self._view.hover_part = ""
        self._view.viewport().update()

    # ---- pressing

    def press(self, event: QMouseEvent) -> None:
        view = self._view
        point = event.position().toPoint()
        self._last = point
        self._hover(point)
        view.keyboard = False
        if event.button() == Qt.MouseButton.RightButton:
            if self.header_file >= 0:
                path = view.index.files[self.header_file].path
                view.menuAsked.emit(path, view.viewport().mapToGlobal(point))
            return
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if self.header_file >= 0:
            self._press_header(self.header_file, self.header_part, point)
        elif self._view.hover_part:
            self._press_bar()
        elif self._view.hover_place >= 0 and view.kind_at(self._view.hover_place) in _CODE:
            if not self._press_mark(point):
                self._begin(point, event.modifiers())
        elif self._view.hover_place >= 0:
            self._selecting.clear()
            view.set_cursor(self._view.hover_place)

    def _press_mark(self, point: QPoint) -> bool:
        """A mark left of the numbers: what it stands for is shown elsewhere."""
        view, place = self._view, self._view.hover_place
        if not gutter.in_column(view, point.x()):
            return False
        if gutter.show_sign(view, place):
            return True
        return gutter.label_at(view, place) is not None and gutter.show_turn(view, place)

    def _begin(self, point: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        view = self._view
        side = view.columns.side_at(point.x())
        self._drag_side = side
        shift = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
        if self._in_gutter(point.x()):
            if shift and self._selecting.line_range:
                self._selecting.move_lines(self._view.hover_place)
            else:
                self._selecting.start_lines(self._view.hover_place, side)
            self._drag = "lines"
        else:
            position = (self._view.hover_place, self._column(self._view.hover_place, point, side))
            if shift and self._selecting.text_range:
                self._selecting.move_text(position)
            else:
                self._selecting.start_text(position, side)
            self._drag = "text"
        view.set_cursor(self._view.hover_place)

    def _drag_to(self, point: QPoint) -> None:
        view = self._view
        port = view.viewport()
        inside = QPoint(point.x(), max(0, min(port.height() - 1, point.y())))
        place = self._place_at(inside)
        if place < 0:
            place = len(view.places) - 1 if point.y() > 0 else 0
        if self._drag == "lines":
            self._selecting.move_lines(place)
        else:
            self._selecting.move_text((place, self._column(place, inside, self._drag_side)))
        view.cursor_place = place
        outside = point.y() < view.geometry_index.heights.file or point.y() > port.height()
        if outside != self._edge.isActive():
            (self._edge.start if outside else self._edge.stop)()
        port.update()

    def _scroll_at_edge(self) -> None:
        bar, y = self._view.verticalScrollBar(), self._last.y()
        top, bottom = self._view.geometry_index.heights.file, self._view.viewport().height()
        far = y - top if y < top else max(0, y - bottom)
        bar.setValue(bar.value() + far)
        self._drag_to(self._last)

    def release(self, event: QMouseEvent) -> None:
        view = self._view
        drag, self._drag = self._drag, ""
        self._edge.stop()
        if drag == "lines" and event.button() == Qt.MouseButton.LeftButton:
            chosen = self._selecting.line_range
            point = event.position().toPoint()
            button = gutter.button(self._view, self._view.hover_place, self._drag_side, 0, 99)
            on_button = button.left() - 3 <= point.x() <= button.right() + 3
            # A press on a number chooses the line; the "+", or a drag over several lines, comments on them.
            if chosen and (on_button or chosen[0] != chosen[1]):
                self._cards.comment_on(*chosen, self._drag_side)
        elif drag == "text":
            clipboard = QGuiApplication.clipboard()
            if clipboard.supportsSelection() and self._selecting.text_range:
                clipboard.setText(self._selecting.code(), clipboard.Mode.Selection)
        self._hover(event.position().toPoint())
        view.viewport().update()

    def double(self, event: QMouseEvent) -> None:
        """Select the word, or fold the file by its header."""
        view = self._view
        point = event.position().toPoint()
        if self.header_file >= 0 or self._view.hover_part or self._view.hover_place < 0 or self._in_gutter(point.x()):
            self.press(event)
            return
        side = view.columns.side_at(point.x())
        row = view.row_at(self._view.hover_place, side)
        if row < 0 or view.index.kinds[row] not in _CODE:
            return
        text, at = view.layouts.text(row), self._column(self._view.hover_place, point, side)
        start = end = min(at, len(text))
        while start and _wordy(text[start - 1]):
            start -= 1
        while end < len(text) and _wordy(text[end]):
            end += 1
        self._selecting.select_text(self._view.hover_place, start, end, side)
        view.viewport().update()

    def _press_header(self, file: int, part: str, point: QPoint) -> None:
        view = self._view
        path = view.index.files[file].path
        rect = view.header_rect(file)
        parts = layout_header(view.header_state(file), rect)
        if part == COPY:
            QGuiApplication.clipboard().setText(path)
            QToolTip.showText(view.viewport().mapToGlobal(point), "Path copied", view)
        elif part == VIEWED:
            view.viewedAsked.emit(path, not view.is_viewed(path))
        elif part == MENU:
            view.menuAsked.emit(path, view.viewport().mapToGlobal(parts.menu.bottomLeft()))
        elif part == COMMENTS:
            first = next((comment.id for comment in view.comments if comment.path == path), None)
            if first is not None:
                place = self._cards.place_of(first)
                view.unfold(place)
                view.scroll_to(place, margin=80)
        elif part in (FOLD, NAME):
            view.set_folded(file, file not in view.geometry_index.folded)
            view.set_cursor(view.places.place_of(view.index.files[file].row))

    def _press_bar(self) -> None:
        view = self._view
        number = hunkbar.hunk_number(view)
        if self._view.hover_part == hunkbar.COMMENT:
            self._cards.comment_on_hunk(number)
        elif self._view.hover_part == hunkbar.REVERT:
            view.revertAsked.emit(view.index.hunk(number))

    def tooltip(self, event: QHelpEvent) -> bool:
        point = event.pos()
        file, part = self._header_at(point)
        text = ""
        if file >= 0:
            header = self._view.index.files[file].header
            renamed = f"{header.old_path} → {header.path}" if header.old_path else header.path
            text = renamed if part == NAME else _TIPS[part]
        else:
            text = _TIPS.get(hunkbar.part_at(self._view, point), "")
            place = self._place_at(point)
            if not text and place >= 0 and gutter.in_column(self._view, point.x()):
                text = gutter.words_at(self._view, place)
            if not text and self.comment_place >= 0 and point.x() < self._view.columns.half(self.comment_side).numbers:
                text = "Comment on this line; drag for several (C)" if self._in_gutter(point.x()) else ""
        if text:
            QToolTip.showText(event.globalPos(), text, self._view)
        else:
            QToolTip.hideText()
        return True


def _wordy(char: str) -> bool:
    return char.isalnum() or char == "_"
