"""A place in words that outlive the index: what the view keeps when the diff is read again."""

from __future__ import annotations

from dataclasses import dataclass

from posthog_code.domain.diff_index import DiffIndex, Row
from posthog_code.domain.hunk import hunk_key

_LARGE = 2000
"""Rows of hunks that are not worth a hash only to keep a place."""


@dataclass(frozen=True, slots=True)
class Spot:
    path: str
    hunk: str = ""
    """Key of the hunk, "" outside of one."""
    inside: int = 0
    """Rows below the hunk's header."""
    side: str = ""
    line: int = 0


def spot_of(index: DiffIndex, row: int) -> Spot | None:
    if not 0 <= row < len(index):
        return None
    path = index.files[index.file_of(row)].path
    number = index.hunk_of(row)
    if number < 0:
        return Spot(path)
    hunk = index.hunk(number)
    old, new = index.numbers(row)
    if index.kinds[row] == Row.HUNK:
        old, new = hunk.old, hunk.new
    key = hunk_key(index, hunk) if hunk.end_row - hunk.row < _LARGE else ""
    return Spot(path, key, row - hunk.row, "new" if new else "old", new or old)


def row_of(index: DiffIndex, spot: Spot) -> int:
    """The row that a spot names now: the same line of the same hunk, else the line of that number, else what is
    nearest in the file; -1 when the file is gone."""
    number = index.find_file(spot.path)
    if number < 0:
        return -1
    if not spot.line:
        return index.files[number].row
    nearest = index.files[number].row
    for hunk in index.hunks(number):
        start, lines = (hunk.new, hunk.new_lines) if spot.side == "new" else (hunk.old, hunk.old_lines)
        if spot.hunk and hunk.end_row - hunk.row < _LARGE and spot.inside < hunk.end_row - hunk.row:
            near = abs(start - spot.line) < _LARGE
            if near and hunk_key(index, hunk) == spot.hunk:
                return hunk.row + spot.inside
        if start <= spot.line:
            nearest = hunk.row if spot.line >= start + lines else nearest
    found = index.find_line(spot.path, spot.side, spot.line)
    return found if found >= 0 else nearest
