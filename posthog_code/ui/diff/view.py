"""The diff view: one painted surface over all files of a diff."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping

from PySide6.QtCore import QEvent, QPoint, QRect, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QWidget

from posthog_code.domain.diff_index import DiffIndex, Row
from posthog_code.domain.review import Comment
from posthog_code.ui.diff import hunkbar
from posthog_code.ui.diff.cards import CardLayer
from posthog_code.ui.diff.columns import Columns, make_columns
from posthog_code.ui.diff.comments import CommentDraft
from posthog_code.ui.diff.finder import Finder
from posthog_code.ui.diff.geometry import Geometry, Heights
from posthog_code.ui.diff.header import HeaderState, paint_header
from posthog_code.ui.diff.keys import Keys
from posthog_code.ui.diff.layouts import LineLayouts
from posthog_code.ui.diff.painter import RowPainter
from posthog_code.ui.diff.pointer import Pointer
from posthog_code.ui.diff.rows import make_places
from posthog_code.ui.diff.selecting import Selecting
from posthog_code.ui.diff.spots import Spot, row_of, spot_of
from posthog_code.ui.diff.syntax import Syntax
from posthog_code.ui.theme import notifier, theme
from posthog_code.ui.theme.icons import paint_icon

MIN_SPLIT_HALF = 380
_BELOW = 40
"""Empty pixels below the last file."""


class DiffView(QAbstractScrollArea):
    """Shows a DiffIndex. It knows files, lines and comments, but not where they come from or go to."""

    commentWritten = Signal(object, bool)
    """A CommentDraft; True when it is to be sent at once."""
    commentEdited = Signal(object, str)
    commentDiscarded = Signal(object)
    draftsChanged = Signal()
    revertAsked = Signal(object)
    """The Hunk to take back."""
    viewedAsked = Signal(str, bool)
    openAsked = Signal(str, int)
    """Path and line to open in the editor."""
    menuAsked = Signal(str, QPoint)
    """Path of the file, and where on the screen."""
    currentFileChanged = Signal(str)
    foldsChanged = Signal()
    splitAsked = Signal()
    scopeAsked = Signal()
    filterAsked = Signal()
    painted = Signal()

    def __init__(self, parent: QWidget | None = None, *, now: Callable[[], float] = time.time) -> None:
        super().__init__(parent)
        self.setObjectName("diffView")
        self.setAccessibleName("Changes")
        self.setFrameShape(QAbstractScrollArea.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.now = now
        self.index = DiffIndex()
        self.columns: Columns
        self.revertible = True
        self.cursor_place = -1
        self.keyboard = False
        """The last move was made by keys: the cursor is shown."""
        self._split = self._wrap = False
        self._highest, self._counted_hunks = 0, 0
        self._viewed: Mapping[str, bool] = {}
        self._folded_paths: set[str] = set()
        self._known_files = 0
        self._current_file = ""
        self._syntax = Syntax(self)
        self.layouts = LineLayouts(self._syntax)
        self._painter = RowPainter(self.layouts)
        self.selecting = Selecting(self)
        self.cards = CardLayer(self)
        self.pointer = Pointer(self)
        self._keys = Keys(self)
        self._set_places()
        self.finder = Finder(self)
        viewport = self.viewport()
        viewport.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        viewport.setMouseTracking(True)
        viewport.setCursor(Qt.CursorShape.ArrowCursor)
        self._repaint_soon = QTimer(self, interval=16, singleShot=True)
        self._repaint_soon.timeout.connect(viewport.update)
        self._syntax.ready.connect(self._repaint_soon.start)
        notifier().changed.connect(self.restyle)
        self.restyle()

    # ---- what is shown

    def set_index(self, index: DiffIndex) -> None:
        """Show another diff, or the same one read again: place, cursor and folds stay where they can."""
        spots, top_offset = self._remember()
        self.index = index
        self._syntax.set_index(index)
        self.layouts.set_index(index)
        self._painter.index = index
        self._highest = self._counted_hunks = self._known_files = 0
        self.selecting.clear()
        self.finder.index_changed()
        self._set_places()
        self.extend()
        self._recall(spots, top_offset)

    def extend(self) -> None:
        """The index has read more."""
        self.places.update()
        self.geometry_index.extend()
        files = self.index.files
        for number in range(self._known_files, len(files)):
            if files[number].path in self._folded_paths:
                self.geometry_index.folded.add(number)
                self.geometry_index.refold(number)
        self._known_files = len(files)
        self._highest = max(self._highest, self.index.highest_number(self._counted_hunks))
        self._counted_hunks = max(0, len(self.index.hunk_rows) - 1)
        if self.cards.comments or self.cards.drafts:
            self.cards.place()
        self._fit()
        self._tell_current_file()
        self.viewport().update()

    def set_comments(self, comments: Iterable[Comment]) -> None:
        self.cards.set_comments(comments)
        self.viewport().update()

    def set_viewed(self, viewed: Mapping[str, bool]) -> None:
        """Paths that were marked: True while the mark holds, False when the file has changed since."""
        self._viewed = viewed
        self.viewport().update()

    def is_viewed(self, path: str) -> bool:
        return self._viewed.get(path, False)

    def split_fits(self) -> bool:
        return self.viewport().width() // 2 >= MIN_SPLIT_HALF

    @property
    def split(self) -> bool:
        """Whether two columns are shown; asked for, but unified while a half would be too narrow."""
        return self.columns.split

    def set_split(self, on: bool) -> None:
        self._split = on
        if (on and self.split_fits()) != self.columns.split:
            self._rearrange()

    def set_wrap(self, on: bool) -> None:
        if on != self._wrap:
            self._wrap = on
            self._rearrange()

    @property
    def wrap(self) -> bool:
        return self._wrap

    def set_word_changes(self, on: bool) -> None:
        self.layouts.word_changes = on
        self.layouts.clear()
        self.viewport().update()

    def restyle(self) -> None:
        self.layouts.restyle()
        self._painter.restyle()
        self._rearrange()

    def _rearrange(self) -> None:
        spots, top_offset = self._remember()
        self._set_places()
        self.cards.place()
        self._fit()
        self._recall(spots, top_offset)
        self.viewport().update()

    def _set_places(self) -> None:
        look = theme()
        width = self.viewport().width()
        split = self._split and self.split_fits()
        self.columns = make_columns(width, split, self._highest)
        self._painter.columns = self.columns
        self.places = make_places(self.index, split)
        heights = Heights(look.size("row.diffLine"), look.size("row.diffFileHeader"), look.size("row.diffHunkHeader"))
        folded = {self.index.find_file(path) for path in self._folded_paths} - {-1}
        self.geometry_index = Geometry(self.index, self.places, heights)
        for number in folded:
            self.geometry_index.folded.add(number)
            self.geometry_index.refold(number)
        self._set_wrap_width()

    def _set_wrap_width(self) -> None:
        width = min(self.columns.old.width, self.columns.new.width) - 6 if self._wrap else 0
        self.layouts.set_wrap(max(80, width) if self._wrap else 0)
        self.geometry_index.set_wrap(self._lines if self._wrap else None)

    def _lines(self, place: int) -> int:
        return max((self.layouts.lines(row) for row in self.places.pair(place) if row >= 0 and self._is_line(row)), default=1)

    def _is_line(self, row: int) -> bool:
        return self.index.kinds[row] in (Row.CONTEXT, Row.ADDED, Row.REMOVED, Row.RAW)

    # ---- keeping the place

    def _remember(self) -> tuple[dict[str, Spot | None], int]:
        if not len(self.index) or not hasattr(self, "geometry_index"):
            return {}, 0
        top = self.scroll_top()
        place = self.geometry_index.place_at(top) if len(self.places) else 0
        spots = {"top": spot_of(self.index, self.row_at(place))}
        if self.cursor_place >= 0:
            spots["cursor"] = spot_of(self.index, self.row_at(self.cursor_place))
        return spots, top - self.geometry_index.top(place)

    def _recall(self, spots: Mapping[str, Spot | None], offset: int) -> None:
        cursor = spots.get("cursor")
        row = row_of(self.index, cursor) if cursor else -1
        self.cursor_place = self.places.place_of(row) if row >= 0 else -1
        top = spots.get("top")
        row = row_of(self.index, top) if top else -1
        if row >= 0:
            self.verticalScrollBar().setValue(self.geometry_index.top(self.places.place_of(row)) + offset)

    # ---- rows and positions

    def scroll_top(self) -> int:
        return self.verticalScrollBar().value()

    def row_at(self, place: int, side: str = "") -> int:
        """The row of the index at a place: of that side, else the new one, else the old one."""
        if not 0 <= place < len(self.places):
            return -1
        left, right = self.places.pair(place)
        if side == "old" and self.columns.split:
            return left
        if side == "new" and self.columns.split:
            return right
        return right if right >= 0 else left

    def kind_at(self, place: int) -> int:
        row = self.row_at(place)
        return self.index.kinds[row] if row >= 0 else 0

    def is_folded(self, place: int) -> bool:
        return self.index.file_of(self.row_at(place)) in self.geometry_index.folded

    def file_at_top(self) -> int:
        """Number of the file whose header is on top; -1 when there is none."""
        if not len(self.places):
            return -1
        return self.index.file_of(self.row_at(self.geometry_index.place_at(self.scroll_top())))

    def header_rect(self, file: int) -> QRect:
        """Where a file's header is drawn now."""
        heights = self.geometry_index.heights
        gap = heights.gap if file else 0
        y = self.geometry_index.file_header(file) + gap - self.scroll_top()
        if y < 0 and file == self.file_at_top():
            below = self.viewport().height()
            if file + 1 < len(self.index.files):
                below = self.geometry_index.file_header(file + 1) - self.scroll_top()
            y = min(0, below - heights.file)
        return QRect(0, y, self.viewport().width(), heights.file)

    def header_state(self, file: int) -> HeaderState:
        entry = self.index.files[file]
        header = entry.header
        added, removed = entry.added, entry.removed
        if not entry.end:
            added = self.index.kinds.count(Row.ADDED, entry.row)
            removed = self.index.kinds.count(Row.REMOVED, entry.row)
        viewed = self._viewed.get(header.path)
        return HeaderState(
            header.path, header.old_path, header.state, added, removed, self.cards.count(header.path),
            bool(viewed), viewed is False, file in self.geometry_index.folded, header.binary,
        )  # fmt: skip

    # ---- moving

    def scroll_to(self, place: int, *, margin: int = 0) -> None:
        """Bring a place to the top, below the file's header."""
        top = self.geometry_index.top(place) - margin
        if self.kind_at(place) != Row.FILE:
            top -= self.geometry_index.heights.file
        elif place:
            top += self.geometry_index.heights.gap
        self.verticalScrollBar().setValue(top)

    def ensure_visible(self, place: int) -> None:
        heights = self.geometry_index.heights
        y, height = self.geometry_index.top(place), self.geometry_index.row_height(place)
        top = self.scroll_top() + heights.file
        bottom = self.scroll_top() + self.viewport().height()
        if y < top:
            self.verticalScrollBar().setValue(y - heights.file - 2 * heights.line)
        elif y + height > bottom:
            self.verticalScrollBar().setValue(y + height - self.viewport().height() + 2 * heights.line)

    def show_file(self, path: str) -> bool:
        """Bring a file's header to the top; False when the diff does not have it (yet)."""
        number = self.index.find_file(path)
        if number < 0:
            return False
        self.cursor_place = self.places.place_of(self.index.files[number].row)
        self.scroll_to(self.cursor_place)
        self._tell_current_file(path)
        return True

    def show_comment(self, comment_id: str) -> None:
        place = self.cards.place_of(comment_id)  # type: ignore[arg-type]
        if place >= 0:
            self.unfold(place)
            self.set_cursor(place)
            self.scroll_to(place, margin=80)

    def set_cursor(self, place: int, *, keyboard: bool = False) -> None:
        self.cursor_place, self.keyboard = place, keyboard
        self.viewport().update()
        self.accessible_moved()

    def accessible_moved(self) -> None:
        """Tell a screen reader which line has the cursor."""
        from posthog_code.ui.diff import accessible

        accessible.tell_focus(self)

    def set_folded(self, file: int, folded: bool) -> None:
        path = self.index.files[file].path
        geometry = self.geometry_index
        if folded == (file in geometry.folded):
            return
        stuck = self.file_at_top() == file
        (self._folded_paths.add if folded else self._folded_paths.discard)(path)
        (geometry.folded.add if folded else geometry.folded.discard)(file)
        geometry.refold(file)
        self._fit()
        if stuck and folded:
            self.verticalScrollBar().setValue(geometry.file_header(file) + (geometry.heights.gap if file else 0))
        self.foldsChanged.emit()
        self.viewport().update()

    def unfold(self, place: int) -> None:
        self.set_folded(self.index.file_of(self.row_at(place)), False)

    def fold_all(self, folded: bool) -> None:
        for file in range(len(self.index.files)):
            self.set_folded(file, folded)

    def set_folded_paths(self, paths: Iterable[str]) -> None:
        self._folded_paths = set(paths)
        self._rearrange()

    # ---- sizes

    def set_card_room(self, room: Mapping[int, int]) -> None:
        top = self.scroll_top()
        place = self.geometry_index.place_at(top) if len(self.places) else -1
        before = self.geometry_index.top(place) if place >= 0 else 0
        self.geometry_index.set_cards(room)
        self._fit()
        if place >= 0:
            moved = self.geometry_index.top(place) - before
            if moved:
                self.verticalScrollBar().setValue(top + moved)

    def _fit(self) -> None:
        """Scroll bars and columns after sizes have changed."""
        port = self.viewport()
        self.columns = make_columns(port.width(), self.columns.split, self._highest)
        self._painter.columns = self.columns
        vertical, horizontal = self.verticalScrollBar(), self.horizontalScrollBar()
        height = self.geometry_index.height
        vertical.setRange(0, max(0, height + (_BELOW if height > port.height() else 0) - port.height()))
        vertical.setPageStep(max(1, port.height() - self.geometry_index.heights.file))
        vertical.setSingleStep(self.geometry_index.heights.line)
        widest = 0 if self._wrap else int(min(self.index.longest, 5000) * self.layouts.char) + 24
        room = min(self.columns.old.width, self.columns.new.width)
        horizontal.setRange(0, max(0, widest - room))
        horizontal.setPageStep(room)
        horizontal.setSingleStep(int(4 * self.layouts.char))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width() and (self._wrap or self._split):
            self._rearrange()
        else:
            self._fit()
        self.cards.measure_all()
        self.finder.arrange()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        self.viewport().update()
        if dy:
            self._tell_current_file()
            self.pointer.scrolled()

    def _tell_current_file(self, path: str = "") -> None:
        if not path:
            number = self.file_at_top()
            path = self.index.files[number].path if number >= 0 else ""
        if path != self._current_file:
            self._current_file = path
            self.currentFileChanged.emit(path)

    @property
    def current_file(self) -> str:
        return self._current_file

    def focus_widget(self) -> QWidget | None:
        return QApplication.focusWidget()

    # ---- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        port = self.viewport()
        height = port.height()
        self._prepare()
        top = self.scroll_top()
        geometry, index = self.geometry_index, self.index
        self._painter.offset = self.horizontalScrollBar().value()
        look = theme()
        with QPainter(port) as p:
            p.fillRect(port.rect(), look.color("surface.panel"))
            for place, at in geometry.visible(top, top + height):
                self._paint_place(p, place, at - top, geometry.row_height(place))
            if len(self.places):
                stuck = self.header_rect(self.file_at_top())
                if stuck.y() <= 0:
                    self._paint_header(p, self.file_at_top(), stuck)
            if index.files:
                hunkbar.paint(p, self)
        self.painted.emit()

    def _prepare(self) -> None:
        """Measure what is about to be painted, and put the cards where they belong."""
        top, height = self.scroll_top(), self.viewport().height()
        if self._wrap and len(self.places):
            place = self.geometry_index.place_at(top)
            offset = top - self.geometry_index.top(place)
            for _ in range(3):
                if not self.geometry_index.measure(top, top + height):
                    break
                self._fit()
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

    def _paint_line_extras(self, p: QPainter, place: int, y: int, height: int) -> None:
        look = theme()
        if self.pointer.comment_place == place:
            box = self.columns.button(self.pointer.comment_side, y, height)
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
        focused = self.keyboard and self.hasFocus() and self.cursor_place == self.places.place_of(self.index.files[file].row)
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

    # ---- commenting

    def comment_on(self, first: int, last: int, side: str = "") -> None:
        """Open the editor for the lines between two places."""
        draft = self.selecting.draft(first, last, side)
        if draft is None:
            return
        card = self.cards.add_draft(draft)
        place = self.cards.place_of(draft.key)
        if place >= 0:
            self.cards.measure_all()
            self.ensure_visible(place)
            bottom = self.geometry_index.top(place) + self.geometry_index.row_height(place)
            need = bottom + card.height() + 24 - self.viewport().height()
            if need > self.scroll_top():
                self.verticalScrollBar().setValue(need)
        self.cards.arrange()
        card.editor.setFocus()
        self.viewport().update()

    def set_drafts(self, drafts: Iterable[CommentDraft]) -> None:
        """Editors that were open when the view was last shown."""
        for draft in drafts:
            self.cards.drafts.setdefault(draft.key, draft)
        self.cards.place()
        self.viewport().update()

    def hunk_at(self, place: int) -> int:
        """Number of the hunk at a place; for a file header the file's first one; -1 for none."""
        row = self.row_at(place)
        if row < 0:
            return -1
        number = self.index.hunk_of(row)
        if number < 0:
            number = bisect_right(self.index.hunk_rows, row)
            if number >= len(self.index.hunk_rows) or self.index.file_of(self.index.hunk_rows[number]) != self.index.file_of(row):
                return -1
        return number
