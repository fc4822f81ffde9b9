"""The keyboard in the diff: single letters of a review, arrows, copying and finding."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence

from posthog_code.domain.diff_index import Row
from posthog_code.domain.review import CommentState
from posthog_code.ui.diff import gutter
from posthog_code.ui.diff.cards import CardLayer
from posthog_code.ui.diff.finder import Finder
from posthog_code.ui.diff.selecting import Selecting
from posthog_code.ui.diff.surface import Surface

_K = Qt.Key
_SHIFT = Qt.KeyboardModifier.ShiftModifier
_CTRL = Qt.KeyboardModifier.ControlModifier
_NONE = Qt.KeyboardModifier.NoModifier
_CODE = (Row.CONTEXT, Row.ADDED, Row.REMOVED, Row.RAW)

DIFF_KEYS = (
    ("J K", "Next, previous hunk"),
    ("Shift+J Shift+K", "Next, previous file"),
    ("Up Down", "Line by line, with Shift a range"),
    ("C", "Comment on the line or the range"),
    ("X", "Revert the hunk"),
    ("V", "Mark the file as viewed"),
    ("E", "Open in the editor"),
    ("Return", "Show what the mark of the line stands for"),
    ("Shift+Return", "Show the turn that wrote the line"),
    ("S", "Split or unified"),
    ("Z", "Fold the file"),
    ("N P", "Next, previous comment"),
    ("D", "Resolve the thread"),
    ("T", "Filter the files"),
    ("G Shift+G", "First, last line"),
    (".", "Choose what is compared"),
    ("/", "Find in the changes"),
    ("Ctrl+Shift+C", "Copy as a patch"),
)
"""For the list of keys."""


class Keys:
    """Keys of one view. They work while the view itself has the focus, so never in a comment's editor."""

    def __init__(self, view: Surface, selecting: Selecting, cards: CardLayer, finder: Finder) -> None:
        self._view, self._selecting, self._cards, self._finder = view, selecting, cards, finder
        self._table: dict[tuple[int, Qt.KeyboardModifier], Callable[[], object]] = {
            (_K.Key_J, _NONE): lambda: self.step_hunk(1),
            (_K.Key_K, _NONE): lambda: self.step_hunk(-1),
            (_K.Key_J, _SHIFT): lambda: self.step_file(1),
            (_K.Key_K, _SHIFT): lambda: self.step_file(-1),
            (_K.Key_Down, _NONE): lambda: self.step_line(1),
            (_K.Key_Up, _NONE): lambda: self.step_line(-1),
            (_K.Key_Down, _SHIFT): lambda: self.step_line(1, extend=True),
            (_K.Key_Up, _SHIFT): lambda: self.step_line(-1, extend=True),
            (_K.Key_Left, _NONE): lambda: self._sideways(-1),
            (_K.Key_Right, _NONE): lambda: self._sideways(1),
            (_K.Key_PageDown, _NONE): lambda: self._page(1),
            (_K.Key_PageUp, _NONE): lambda: self._page(-1),
            (_K.Key_Space, _NONE): lambda: self._page(1),
            (_K.Key_Space, _SHIFT): lambda: self._page(-1),
            (_K.Key_Home, _NONE): self._first,
            (_K.Key_End, _NONE): self._last,
            (_K.Key_G, _NONE): self._first,
            (_K.Key_G, _SHIFT): self._last,
            (_K.Key_C, _NONE): self._comment,
            (_K.Key_X, _NONE): self._revert,
            (_K.Key_V, _NONE): self._viewed,
            (_K.Key_E, _NONE): self._open,
            (_K.Key_Return, _NONE): self._mark,
            (_K.Key_Enter, _NONE): self._mark,
            (_K.Key_Return, _SHIFT): self._turn,
            (_K.Key_Enter, _SHIFT): self._turn,
            (_K.Key_S, _NONE): view.splitAsked.emit,
            (_K.Key_Z, _NONE): self._fold,
            (_K.Key_N, _NONE): lambda: self.step_comment(1),
            (_K.Key_P, _NONE): lambda: self.step_comment(-1),
            (_K.Key_D, _NONE): self._resolve,
            (_K.Key_T, _NONE): view.filterAsked.emit,
            (_K.Key_Period, _NONE): view.scopeAsked.emit,
            (_K.Key_Slash, _NONE): self._find,
            (_K.Key_F, _CTRL): self._find,
            (_K.Key_F3, _NONE): lambda: self._finder.step(1),
            (_K.Key_F3, _SHIFT): lambda: self._finder.step(-1),
            (_K.Key_C, _CTRL | _SHIFT): self.copy_patch,
        }

    def press(self, event: QKeyEvent) -> bool:
        """Whether the key was for the diff."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
            return True
        if event.matches(QKeySequence.StandardKey.SelectAll):
            self._selecting.select_all()
            self._view.viewport().update()
            return True
        if event.key() == _K.Key_Escape:
            return self._escape()
        action = self._table.get(self._of(event))
        if action is None:
            return False
        if len(self._view.places):
            action()
        return True

    def claims(self, event: QKeyEvent) -> bool:
        """Keys that are ours even where the window has a shortcut for them."""
        return self._of(event) in self._table and event.key() != _K.Key_Escape

    def _of(self, event: QKeyEvent) -> tuple[int, Qt.KeyboardModifier]:
        modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if event.key() in (_K.Key_Slash, _K.Key_Period):
            modifiers &= ~_SHIFT  # some keyboards need it for the character itself
        return event.key(), modifiers

    def _escape(self) -> bool:
        view = self._view
        if self._finder.is_open:
            self._finder.close()
        elif self._selecting:
            self._selecting.clear()
            view.viewport().update()
        else:
            return False
        return True

    # ---- moving

    def _here(self) -> int:
        """The row that moves start from: the cursor's when it is in view, else the first one in view."""
        view = self._view
        top = view.scroll_top()
        if view.cursor_place >= 0 and not view.geometry_index.is_hidden(view.cursor_place):
            y = view.geometry_index.top(view.cursor_place)
            if top - view.geometry_index.heights.hunk <= y <= top + view.viewport().height():
                return view.row_at(view.cursor_place)
        below = top + view.geometry_index.heights.file
        place = view.geometry_index.place_at(below)
        row = view.row_at(place)
        # A place that begins just below the header on top is still ahead.
        return max(0, row - 1) if view.geometry_index.top(place) >= below else row

    def _go(self, row: int, *, top: bool = True) -> None:
        view = self._view
        place = view.places.place_of(row)
        view.set_cursor(place, keyboard=True)
        (view.scroll_to if top else view.ensure_visible)(place)

    def step_hunk(self, by: int) -> None:
        view = self._view
        hunks, here = view.index.hunk_rows, self._here()
        number = bisect_right(hunks, here) if by > 0 else bisect_left(hunks, here) - 1
        while 0 <= number < len(hunks):
            if view.index.file_of(hunks[number]) not in view.geometry_index.folded:
                self._selecting.clear()
                self._go(hunks[number])
                return
            number += by

    def step_file(self, by: int) -> None:
        view = self._view
        number = view.index.file_of(self._here())
        if by < 0 and self._here() != view.index.files[number].row:
            number += 1
        number += by
        if 0 <= number < len(view.index.files):
            self._selecting.clear()
            self._go(view.index.files[number].row)

    def step_line(self, by: int, *, extend: bool = False) -> None:
        view = self._view
        selecting = self._selecting
        place = view.cursor_place
        if place < 0:
            place = view.places.place_of(self._here()) - by
        if extend and selecting.line_range is None and view.kind_at(place) in _CODE:
            selecting.start_lines(place, "")
        elif not extend:
            selecting.clear()
        place += by
        while 0 <= place < len(view.places) and view.geometry_index.is_hidden(place):
            place += by
        if not 0 <= place < len(view.places):
            return
        if extend:
            selecting.move_lines(place)
        view.set_cursor(place, keyboard=True)
        view.ensure_visible(place)

    def step_comment(self, by: int) -> None:
        view = self._view
        places = self._cards.comment_places()
        if not places:
            return
        here = view.cursor_place
        number = bisect_right(places, here) if by > 0 else bisect_left(places, here) - 1
        place = places[number % len(places)]
        view.unfold(place)
        view.set_cursor(place, keyboard=True)
        view.scroll_to(place, margin=80)

    def _sideways(self, by: int) -> None:
        bar = self._view.horizontalScrollBar()
        bar.setValue(bar.value() + by * bar.singleStep())

    def _page(self, by: int) -> None:
        bar = self._view.verticalScrollBar()
        bar.setValue(bar.value() + by * bar.pageStep())

    def _first(self) -> None:
        self._view.set_cursor(0, keyboard=True)
        self._view.verticalScrollBar().setValue(0)

    def _last(self) -> None:
        self._view.set_cursor(len(self._view.places) - 1, keyboard=True)
        self._view.verticalScrollBar().setValue(self._view.verticalScrollBar().maximum())

    # ---- doing

    def copy(self) -> None:
        code = self._selecting.code()
        if code:
            QGuiApplication.clipboard().setText(code)

    def copy_patch(self) -> None:
        patch = self._selecting.patch()
        if patch:
            QGuiApplication.clipboard().setText(patch.decode("utf-8", "replace"))

    def _comment(self) -> None:
        view = self._view
        chosen = self._selecting.line_range
        text = self._selecting.text_range
        if chosen:
            self._cards.comment_on(*chosen, self._selecting.side)
        elif text:
            self._cards.comment_on(text[0][0], text[1][0], self._selecting.side)
        elif view.kind_at(view.cursor_place) in _CODE:
            self._cards.comment_on(view.cursor_place, view.cursor_place)
        else:
            place = view.cursor_place if view.cursor_place >= 0 else view.places.place_of(self._here())
            number = view.hunk_at(place)
            if number >= 0:
                self._cards.comment_on_hunk(number)

    def _resolve(self) -> None:
        """The comments that were sent about the line at the cursor are settled."""
        for comment in self._view.comments:
            if comment.state is CommentState.SENT and self._cards.place_of(comment.id) == self._view.cursor_place:
                self._view.commentResolved.emit(comment.id)

    def _hunk(self) -> int:
        return self._view.hunk_at(self._view.places.place_of(self._here()))

    def _revert(self) -> None:
        number = self._hunk()
        if number >= 0:
            self._view.revertAsked.emit(self._view.index.hunk(number))

    def _file(self) -> int:
        return self._view.index.file_of(self._here())

    def _viewed(self) -> None:
        path = self._view.index.files[self._file()].path
        self._view.viewedAsked.emit(path, not self._view.is_viewed(path))

    def _fold(self) -> None:
        view, file = self._view, self._file()
        view.set_folded(file, file not in view.geometry_index.folded)
        view.set_cursor(view.places.place_of(view.index.files[file].row), keyboard=True)
        view.ensure_visible(view.cursor_place)

    def _open(self) -> None:
        view, row = self._view, self._here()
        line = 0
        if view.kind_at(view.places.place_of(row)) in _CODE:
            line = view.index.numbers(row)[1]
        view.openAsked.emit(view.index.files[view.index.file_of(row)].path, line)

    def _mark(self) -> None:
        if not gutter.show_sign(self._view, self._view.cursor_place):
            self._turn()

    def _turn(self) -> None:
        gutter.show_turn(self._view, self._view.cursor_place)

    def _find(self) -> None:
        self._finder.open()
