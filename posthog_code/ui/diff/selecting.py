"""Selected text and ranges of lines, and what is copied from them."""

from __future__ import annotations

from collections.abc import Iterator

from posthog_code.domain.diff_index import Row
from posthog_code.domain.hunk import copy_code, copy_patch
from posthog_code.ui.diff.comments import CommentDraft
from posthog_code.ui.diff.painter import Marks
from posthog_code.ui.diff.surface import Surface
from posthog_code.ui.theme.syntax import utf16_length

_CODE = (Row.CONTEXT, Row.ADDED, Row.REMOVED, Row.RAW)
Position = tuple[int, int]
"""(place, UTF-16 units into the line)."""


class Selecting:
    """At most one of the two: a stretch of text (mouse), or whole lines (keys, gutter)."""

    def __init__(self, view: Surface) -> None:
        self._view = view
        self.side = ""
        self._anchor: Position | None = None
        self._head: Position | None = None
        self._lines: tuple[int, int] | None = None
        """Places: where the range began, and where it is now."""

    def clear(self) -> None:
        self._anchor = self._head = self._lines = None

    @property
    def text_range(self) -> tuple[Position, Position] | None:
        if self._anchor is None or self._head is None or self._anchor == self._head:
            return None
        return min(self._anchor, self._head), max(self._anchor, self._head)

    @property
    def line_range(self) -> tuple[int, int] | None:
        return (min(self._lines), max(self._lines)) if self._lines else None

    def __bool__(self) -> bool:
        return self.text_range is not None or self._lines is not None

    def start_text(self, position: Position, side: str) -> None:
        self.clear()
        self.side, self._anchor, self._head = side, position, position

    def move_text(self, position: Position) -> None:
        self._head = position

    def select_text(self, place: int, start: int, end: int, side: str) -> None:
        self.clear()
        self.side, self._anchor, self._head = side, (place, start), (place, end)

    def start_lines(self, place: int, side: str) -> None:
        self.clear()
        self.side, self._lines = side, (place, place)

    def move_lines(self, place: int) -> None:
        if self._lines:
            self._lines = (self._lines[0], place)

    def select_all(self) -> None:
        """All code of the file in view."""
        view = self._view
        file = view.file_at_top()
        if file >= 0:
            first = view.places.place_of(view.index.files[file].row)
            last = view.places.place_of(view.index.file_end_row(file) - 1)
            self.clear()
            self.side, self._lines = "", (first, last)

    # ---- painting

    def marks(self, place: int, pair: tuple[int, int]) -> dict[str, Marks]:
        found: dict[str, Marks] = {}
        lines, text = self.line_range, self.text_range
        split = self._view.columns.split
        if lines and lines[0] <= place <= lines[1]:
            marks = Marks()
            marks.line = True
            if not split:
                found[""] = marks
            else:
                for side in (self.side,) if self.side else ("old", "new"):
                    found[side] = marks
        if text and text[0][0] <= place <= text[1][0]:
            row = self._row(place, pair)
            if row >= 0:
                marks = found.setdefault(self.side if split else "", Marks())
                start = text[0][1] if place == text[0][0] else 0
                end = text[1][1] if place == text[1][0] else 1 << 20
                marks.selected = (start, end)
        return found

    def _row(self, place: int, pair: tuple[int, int]) -> int:
        if not self._view.columns.split:
            return pair[1]
        return pair[0] if self.side == "old" else pair[1]

    # ---- what is selected

    def _rows(self, first: int, last: int) -> Iterator[int]:
        view = self._view
        index = view.index
        for place in range(first, last + 1):
            pair = view.places.pair(place)
            row = self._row(place, pair)
            if row >= 0 and index.kinds[row] in _CODE:
                yield row

    def code(self) -> str:
        """What Copy takes: code without numbers and signs."""
        view = self._view
        text = self.text_range
        if text is not None:
            lines = []
            for row in self._rows(text[0][0], text[1][0]):
                line = view.index.text(row)
                place = view.places.place_of(row)
                end = _units(line, text[1][1]) if place == text[1][0] else len(line)
                start = _units(line, text[0][1]) if place == text[0][0] else 0
                lines.append(line[start:end])
            return "\n".join(lines)
        lines_range = self.line_range
        if lines_range is None:
            place = view.cursor_place
            if place < 0 or view.kind_at(place) not in _CODE:
                return ""
            lines_range = (place, place)
        if view.columns.split and not self.side:
            first, last = self._row_bounds(*lines_range)
            return copy_code(view.index, range(first, last + 1))
        return copy_code(view.index, self._rows(*lines_range))

    def patch(self) -> bytes:
        """What Copy as patch takes: the chosen lines, or the hunk at the cursor."""
        view = self._view
        text = self.text_range
        chosen = self.line_range or ((text[0][0], text[1][0]) if text else None)
        if chosen is None:
            number = view.hunk_at(view.cursor_place)
            if number < 0:
                return b""
            hunk = view.index.hunk(number)
            return copy_patch(view.index, hunk.row, hunk.end_row - 1)
        first, last = self._row_bounds(*chosen)
        return copy_patch(view.index, first, last)

    def _row_bounds(self, first: int, last: int) -> tuple[int, int]:
        pairs = [self._view.places.pair(place) for place in (first, last)]
        rows = [row for pair in pairs for row in pair if row >= 0]
        return min(rows), max(rows)

    def draft(self, first: int, last: int, side: str) -> CommentDraft | None:
        """The lines between two places as what a comment is about; None when there are none, or in two files."""
        view = self._view
        index = view.index
        keep, self.side = self.side, side
        first, last = min(first, last), max(first, last)
        if view.columns.split and not side:
            low, high = self._row_bounds(first, last)
            rows = [row for row in range(low, high + 1) if index.kinds[row] in _CODE]
        else:
            rows = list(self._rows(first, last))
        self.side = keep
        rows = [row for row in rows if index.file_of(row) == index.file_of(rows[-1])]
        numbered = [(row, index.numbers(row)) for row in rows]
        on_new = [new for _, (_, new) in numbered if new]
        on_old = [old for _, (old, _) in numbered if old]
        if side == "old" or not on_new:
            side, lines = "old", on_old
        else:
            side, lines = "new", on_new
        if not lines:
            return None
        path = index.files[index.file_of(rows[0])].path
        return CommentDraft(path, side, lines[0], lines[-1], copy_code(index, rows))


def _units(line: str, units: int) -> int:
    """Characters for a count of UTF-16 units."""
    if line.isascii():
        return min(units, len(line))
    at = used = 0
    while at < len(line) and used < units:
        used += utf16_length(line[at])
        at += 1
    return at
