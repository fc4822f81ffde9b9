"""The ground that the parts of the diff view work on: rows, positions, folds, scrolling."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping

from PySide6.QtCore import QPoint, QRect, Signal
from PySide6.QtWidgets import QAbstractScrollArea, QWidget

from posthog_code.domain.diff_index import DiffIndex, Row
from posthog_code.domain.review import Comment
from posthog_code.ui.diff.columns import Columns, make_columns
from posthog_code.ui.diff.geometry import Geometry, Heights
from posthog_code.ui.diff.header import HeaderState
from posthog_code.ui.diff.layouts import LineLayouts
from posthog_code.ui.diff.marks import Gutter
from posthog_code.ui.diff.rows import make_places
from posthog_code.ui.diff.spots import Spot, row_of, spot_of
from posthog_code.ui.diff.syntax import Syntax
from posthog_code.ui.theme import theme

MIN_SPLIT_HALF = 380
_BELOW = 40
"""Empty pixels below the last file."""

LINES_ABOVE = 4
"""Lines of context that stay above a line that was asked for."""


class Surface(QAbstractScrollArea):
    """A scroll area over the places of an index. What is drawn on it and done with it is up to its parts."""

    commentWritten = Signal(object, bool)
    """A CommentDraft; True when it is to be sent at once."""
    commentEdited = Signal(object, str)
    commentDiscarded = Signal(object)
    commentResolved = Signal(object)
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
    resized = Signal()
    """The room for the halves of split has changed."""
    scopeAsked = Signal()
    filterAsked = Signal()
    painted = Signal()
    signPressed = Signal(str, str, int)
    """Path, side and line of a mark that tells of production."""
    turnPressed = Signal(int)
    cursorMoved = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.index = DiffIndex()
        self.syntax = Syntax(self)
        self.layouts = LineLayouts(self.syntax)
        self.revertible = True
        self.cursor_place = -1
        self.keyboard = False
        """The last move was made by keys: the cursor is shown."""
        self.hover_place = -1
        self.hover_part = ""
        """The button of the floating bar below the pointer."""
        self.comments: tuple[Comment, ...] = ()
        self.gutter = Gutter()
        self._split = self._wrap = False
        self._highest = self._counted_hunks = self._known_files = 0
        self._viewed: Mapping[str, bool] = {}
        self._folded_paths: set[str] = set()
        self._current_file = ""
        self.columns: Columns = make_columns(self.viewport().width(), False, 0)
        self._set_places()

    def placed(self) -> None:
        """Places have changed; for what stands on them."""

    # ---- what is shown

    def set_index(self, index: DiffIndex) -> None:
        """Show another diff, or the same one read again: place, cursor and folds stay where they can."""
        spots, top_offset = self._remember()
        self.index = index
        self.syntax.set_index(index)
        self.layouts.set_index(index)
        self._highest = self._counted_hunks = self._known_files = 0
        self._set_places()
        self.extend()
        self._recall(spots, top_offset)

    def extend(self) -> None:
        """The index has read more."""
        seen = self.geometry_index.height >= self.scroll_top() + self.viewport().height()
        columns = self.columns
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
        self.placed()
        self.fit()
        if not seen or self.columns != columns:
            self.tell_current_file()
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

    @property
    def split_wanted(self) -> bool:
        return self._split

    def set_split(self, on: bool) -> None:
        self._split = on
        if (on and self.split_fits()) != self.columns.split:
            self.rearrange()

    def set_wrap(self, on: bool) -> None:
        if on != self._wrap:
            self._wrap = on
            self.rearrange()

    @property
    def wrap(self) -> bool:
        return self._wrap

    def set_word_changes(self, on: bool) -> None:
        self.layouts.word_changes = on
        self.layouts.clear()
        self.viewport().update()

    def rearrange(self) -> None:
        spots, top_offset = self._remember()
        self._set_places()
        self.placed()
        self.fit()
        self._recall(spots, top_offset)
        self.viewport().update()

    def _set_places(self) -> None:
        look = theme()
        width = self.viewport().width()
        split = self._split and self.split_fits()
        self.columns = make_columns(width, split, self._highest)
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
        return max(
            (self.layouts.lines(row) for row in self.places.pair(place) if row >= 0 and self._is_line(row)), default=1
        )

    def _is_line(self, row: int) -> bool:
        return self.index.kinds[row] in (Row.CONTEXT, Row.ADDED, Row.REMOVED, Row.RAW)

    # ---- keeping the place

    def _remember(self) -> tuple[dict[str, Spot | None], int]:
        if not len(self.index) or not hasattr(self, "geometry_index"):
            return {}, 0
        top, place = self.scroll_top(), self.anchor_place()
        spots = {"top": spot_of(self.index, self.row_at(place))}
        if self.cursor_place >= 0:
            spots["cursor"] = spot_of(self.index, self.row_at(self.cursor_place))
        return spots, top - self.geometry_index.top(place)

    def anchor_place(self) -> int:
        """The first place that is read, below the header on top: it stays where it is when others change; -1 for
        none."""
        if not len(self.places):
            return -1
        return self.geometry_index.place_at(self.scroll_top() + self.geometry_index.heights.file)

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
        comments = sum(comment.path == header.path for comment in self.comments)
        return HeaderState(
            header.path, header.old_path, header.state, added, removed, comments, bool(viewed), viewed is False,
            file in self.geometry_index.folded, header.binary,
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
        self.tell_current_file(path)
        return True

    def show_line(self, path: str, side: str, line: int) -> bool:
        """Bring a line into view, unfolded and with the cursor on it; False when the diff does not show it (yet)."""
        row = self.index.find_line(path, side, line)
        if row < 0:
            return False
        self.set_folded(self.index.file_of(row), False)
        place = self.places.place_of(row)
        self.scroll_to(place, margin=LINES_ABOVE * self.geometry_index.heights.line)
        self.set_cursor(place, keyboard=True)
        self.tell_current_file(path)
        return True

    def set_cursor(self, place: int, *, keyboard: bool = False) -> None:
        self.cursor_place, self.keyboard = place, keyboard
        self.viewport().update()
        self.cursorMoved.emit()

    def set_folded(self, file: int, folded: bool) -> None:
        path = self.index.files[file].path
        geometry = self.geometry_index
        if folded == (file in geometry.folded):
            return
        stuck = self.file_at_top() == file
        (self._folded_paths.add if folded else self._folded_paths.discard)(path)
        (geometry.folded.add if folded else geometry.folded.discard)(file)
        geometry.refold(file)
        self.fit()
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
        self.rearrange()

    # ---- sizes

    def set_card_room(self, room: Mapping[int, int]) -> None:
        top, place = self.scroll_top(), self.anchor_place()
        before = self.geometry_index.top(place) if place >= 0 else 0
        self.geometry_index.set_cards(room)
        self.fit()
        if place >= 0:
            moved = self.geometry_index.top(place) - before
            if moved and top:  # the very top stays the very top
                self.verticalScrollBar().setValue(top + moved)

    def fit(self) -> None:
        """Scroll bars and columns after sizes have changed."""
        port = self.viewport()
        self.columns = make_columns(port.width(), self.columns.split, self._highest)
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

    def tell_current_file(self, path: str = "") -> None:
        if not path:
            number = self.file_at_top()
            path = self.index.files[number].path if number >= 0 else ""
        if path != self._current_file:
            self._current_file = path
            self.currentFileChanged.emit(path)

    @property
    def current_file(self) -> str:
        return self._current_file

    def hunk_at(self, place: int) -> int:
        """Number of the hunk at a place; for a file header the file's first one; -1 for none."""
        row = self.row_at(place)
        if row < 0:
            return -1
        number = self.index.hunk_of(row)
        if number < 0:
            number = bisect_right(self.index.hunk_rows, row)
            if number >= len(self.index.hunk_rows) or self.index.file_of(
                self.index.hunk_rows[number]
            ) != self.index.file_of(row):
                return -1
        return number
