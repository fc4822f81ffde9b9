"""Where each of very many rows is, when any row may change its height."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate


class HeightIndex:
    """Heights of rows in pixels with fast prefix sums (a Fenwick tree).

    `set`, `offset_of`, `row_at` and `append` cost O(log n); `insert` and `remove` in the middle rebuild the tail.
    """

    __slots__ = ("_heights", "_total", "_tree")

    def __init__(self, heights: Iterable[int] = ()) -> None:
        self._heights = list(heights)
        self._tree: list[int] = []
        self._total = 0
        self._rebuild(0)

    def __len__(self) -> int:
        return len(self._heights)

    @property
    def total(self) -> int:
        return self._total

    def height(self, row: int) -> int:
        """Raises IndexError for a row that is not there."""
        return self._heights[self._check(row)]

    def append(self, height: int) -> None:
        self._heights.append(height)
        self._total += height
        node = len(self._heights)
        # A node of the tree holds the sum of the `node & -node` rows that end with it.
        value, child = height, 1
        while child < node & -node:
            value += self._tree[node - child - 1]
            child *= 2
        self._tree.append(value)

    def extend(self, heights: Iterable[int]) -> None:
        at = len(self._heights)
        self._heights.extend(heights)
        self._rebuild(at)

    def insert(self, row: int, heights: Iterable[int]) -> None:
        """Put rows before `row`. Raises IndexError outside 0..len."""
        if not 0 <= row <= len(self._heights):
            raise IndexError(row)
        self._heights[row:row] = heights
        self._rebuild(row)

    def remove(self, row: int, count: int = 1) -> None:
        """Take `count` rows out, the first of them `row`."""
        if count < 0 or not 0 <= row <= len(self._heights) - count:
            raise IndexError(row)
        del self._heights[row : row + count]
        self._rebuild(row)

    def truncate(self, count: int) -> None:
        """Keep the first `count` rows only."""
        if count < len(self._heights):
            self.remove(count, len(self._heights) - count)

    def set(self, row: int, height: int) -> int:
        """Change one height; gives the difference to the old one."""
        row = self._check(row)
        delta = height - self._heights[row]
        if delta:
            self._heights[row] = height
            self._total += delta
            node, size = row + 1, len(self._tree)
            while node <= size:
                self._tree[node - 1] += delta
                node += node & -node
        return delta

    def offset_of(self, row: int) -> int:
        """Top of a row: the sum of the heights before it. `row` may be len, which gives the total."""
        if not 0 <= row <= len(self._heights):
            raise IndexError(row)
        result, node = 0, row
        while node:
            result += self._tree[node - 1]
            node -= node & -node
        return result

    def row_at(self, y: int) -> int:
        """The row that covers `y`; the first or last row outside, -1 when there are no rows."""
        size = len(self._tree)
        if not size:
            return -1
        if y < 0:
            return 0
        node, rest = 0, y
        step = 1 << (size.bit_length() - 1)
        while step:
            following = node + step
            if following <= size and self._tree[following - 1] <= rest:
                node = following
                rest -= self._tree[following - 1]
            step >>= 1
        return min(node, size - 1)

    def _check(self, row: int) -> int:
        if not 0 <= row < len(self._heights):
            raise IndexError(row)
        return row

    def _rebuild(self, first: int) -> None:
        """Build the tree anew from row `first` on; the nodes before it stay true."""
        size = len(self._heights)
        before = [0, *accumulate(self._heights)]
        # `node & (node - 1)` is the node without its lowest bit: where its sum begins.
        self._tree[first:] = [before[node] - before[node & (node - 1)] for node in range(first + 1, size + 1)]
        self._total = before[-1]
