"""Side by side: which line stands beside which, as runs over the rows of an index."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right

from posthog_code.domain.diff_index import DiffIndex, Row

_RUN = re.compile(rb"-+|\++|\\|[^-+\\]+")


class SplitRows:
    """Paired rows. `update()` takes over what the index has read since; costs some 1 us a run of lines.

    A segment is a run of rows that both sides share, or removed lines on the left beside added lines on the right.
    """

    def __init__(self, index: DiffIndex) -> None:
        self._index = index
        self._first = array("I")
        self._rows = array("I")
        """The first row of the index in each segment."""
        self._left, self._left_count = array("I"), array("I")
        self._right, self._right_count = array("I"), array("I")
        self._taken = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def update(self) -> None:
        kinds = self._index.kinds
        end = len(kinds)
        first, left, right = self._first, self._left, self._right
        left_count, right_count = self._left_count, self._right_count
        for run in _RUN.finditer(bytes(memoryview(kinds)[self._taken :])):
            row, length = run.start() + self._taken, run.end() - run.start()
            kind = kinds[row]
            change = bool(first) and left[-1] != right[-1]
            if kind == Row.NO_NEWLINE and first:
                # It belongs to the line above it, on the side of that line.
                if not change:
                    left_count[-1] += 1
                    right_count[-1] += 1
                elif right_count[-1]:
                    right_count[-1] += 1
                else:
                    left_count[-1] += 1
            elif kind == Row.REMOVED:
                if change and not right_count[-1]:
                    left_count[-1] += length
                else:
                    self._open(row, length, _NONE, 0)
            elif kind == Row.ADDED:
                if change and not right_count[-1]:
                    right[-1], right_count[-1] = row, length
                elif change and right[-1] + right_count[-1] == row:
                    right_count[-1] += length
                else:
                    self._open(_NONE, 0, row, length)
            elif first and not change and left[-1] + left_count[-1] == row:
                left_count[-1] += length
                right_count[-1] += length
            else:
                self._open(row, length, row, length)
        self._taken = end
        self._count = first[-1] + max(left_count[-1], right_count[-1]) if first else 0

    def _open(self, left: int, left_count: int, right: int, right_count: int) -> None:
        start = 0
        if self._first:
            before, beside = self._left_count[-1], self._right_count[-1]
            start = self._first[-1] + (before if before > beside else beside)
        self._first.append(start)
        self._rows.append(left if left < right else right)
        self._left.append(left)
        self._left_count.append(left_count)
        self._right.append(right)
        self._right_count.append(right_count)

    def pair(self, place: int) -> tuple[int, int]:
        """The rows of the index on the left and right; -1 where that side is empty."""
        segment = bisect_right(self._first, place) - 1
        inside = place - self._first[segment]
        return (
            self._left[segment] + inside if inside < self._left_count[segment] else -1,
            self._right[segment] + inside if inside < self._right_count[segment] else -1,
        )

    def place_of(self, row: int) -> int:
        """Where a row of the index stands."""
        segment = bisect_right(self._rows, row) - 1
        left = row - self._left[segment]
        if 0 <= left < self._left_count[segment]:
            return self._first[segment] + left
        return self._first[segment] + row - self._right[segment]


_NONE = 0xFFFFFFFF
