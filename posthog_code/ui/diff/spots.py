"""A place in words that outlive the index: what the view keeps when the diff is read again."""

from __future__ import annotations

from dataclasses import dataclass

from posthog_code.domain.diff_index import DiffIndex, Row
from posthog_code.domain.hunk import hunk_digest

_LARGE = 2000
"""Rows of hunks that are not worth a hash only to keep a place."""


@dataclass(frozen=True, slots=True)
class Spot:
    path: str
    hunk: str = ""
    """Digest of the hunk, "" outside of one."""
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
    key = hunk_digest(index, hunk) if hunk.end_row - hunk.row < _LARGE else ""
    return Spot(path, key, row - hunk.row, "new" if new else "old", new or old)


def row_of(index: DiffIndex, spot: Spot) -> int:
    """The row that a spot names now: the same line of the same hunk, else the line of that number, else what is
    nearest in the file; -1 when the file is gone."""
    number = index.find_file(spot.path)
    if number < 0:
        return -1
    if not spot.line:
        return index.files[number].row
    nearest, same, distance = index.files[number].row, -1, _LARGE
    for hunk in index.hunks(number):
        start, lines = (hunk.new, hunk.new_lines) if spot.side == "new" else (hunk.old, hunk.old_lines)
        if start <= spot.line:
            nearest = hunk.row if spot.line >= start + lines else nearest
        away = abs(start + spot.inside - spot.line)
        fits = spot.hunk and away < distance and spot.inside < hunk.end_row - hunk.row < _LARGE
        if fits and hunk_digest(index, hunk) == spot.hunk:
            same, distance = hunk.row + spot.inside, away
    if same >= 0:
        return same
    found = index.find_line(spot.path, spot.side, spot.line)
    return found if found >= 0 else nearest
