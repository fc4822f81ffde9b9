"""The rows of a virtual list that are widgets right now."""

from __future__ import annotations

from collections.abc import Iterator

import shiboken6
from PySide6.QtWidgets import QApplication, QWidget

from posthog_code.ui.kit import selection
from posthog_code.ui.kit.height_index import HeightIndex
from posthog_code.ui.kit.row_pool import Anchor, MountedRow, RowPool, RowSource

OVERSCAN = 160
"""Rows this many pixels outside the viewport are mounted as well, so that a wheel step shows no gap."""


class RowStage:
    """Mounts rows on a viewport, measures them, and hands their widgets on when they are out of sight."""

    def __init__(self, viewport: QWidget) -> None:
        self.index = HeightIndex()
        self.width = 0
        """Width that the mounted rows were bound at."""
        self._viewport = viewport
        self._rows: dict[int, MountedRow] = {}
        self._parked: dict[str, MountedRow] = {}
        self._pool = RowPool()

    def __contains__(self, row: int) -> bool:
        return row in self._rows

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._rows))

    def get(self, row: int) -> MountedRow | None:
        return self._rows.get(row)

    def measured(self, row: int) -> bool:
        """Whether the row's height in the index is the true one."""
        item = self._rows.get(row)
        return item is not None and not item.stale

    def row_of(self, widget: QWidget) -> int:
        for row, item in self._rows.items():
            if item.widget is widget or item.widget.isAncestorOf(widget):
                return row
        return -1

    def fill(self, source: RowSource | None, width: int) -> None:
        """Build the index from guesses."""
        count = source.count() if source else 0
        self.index = HeightIndex(source.estimate(row, width) for row in range(count)) if source else HeightIndex()

    def count_only(self, source: RowSource) -> None:
        """Build the index with a row's place for each row, but no guess yet."""
        self.index = HeightIndex([1] * source.count())

    def clear(self) -> None:
        """No rows, and no width that they were guessed for."""
        self.index = HeightIndex()
        self.width = 0

    def set_width(self, width: int) -> None:
        self.width = width
        self.make_stale()

    def make_stale(self) -> None:
        for item in self._rows.values():
            item.stale = True

    def shift(self, first: int, by: int) -> None:
        """Rows from `first` on have another number now."""
        self._rows = {row + by if row >= first else row: item for row, item in self._rows.items()}

    def drop(self, row: int) -> None:
        """The row does not exist any more."""
        if row in self._rows:
            self._pool.give_back(self._rows.pop(row))

    def park(self) -> None:
        """Row numbers mean nothing any more: keep the widgets by key until the next layout claims them."""
        self.make_stale()
        self._parked.update({item.key: item for item in self._rows.values()})
        self._rows = {}

    def mount(self, source: RowSource, row: int) -> int:
        """Make sure a row has its widget and its true height; gives the height."""
        item = self._rows.get(row)
        if item is not None and not item.stale:
            return self.index.height(row)
        key, kind = source.key(row), source.kind(row)
        if item is not None and (item.kind, item.key) != (kind, key):
            self.drop(row)
            item = None
        if item is None:
            item = self._claim(source, key, kind)
            self._rows[row] = item
        height = max(0, source.bind(item.widget, row, self.width))
        item.stale = False
        self.index.set(row, height)
        return height

    def _claim(self, source: RowSource, key: str, kind: str) -> MountedRow:
        parked = self._parked.pop(key, None)
        if parked is not None and parked.kind == kind:
            return parked
        if parked is not None:
            self._pool.give_back(parked)
        return MountedRow(self._pool.take(kind, source, self._viewport), key, kind)

    def keep_only(self, wanted: range) -> None:
        """Hand on what is out of sight, but for the row with the focus or the selected text."""
        for row in [row for row in self._rows if row not in wanted]:
            if not _in_use(self._rows[row].widget):
                self.drop(row)
        for item in self._parked.values():
            self._pool.give_back(item)
        self._parked = {}

    def release_all(self) -> None:
        for item in [*self._rows.values(), *self._parked.values()]:
            self._pool.give_back(item)
        self._rows, self._parked = {}, {}

    def mount_around(self, source: RowSource, anchor: Anchor, view: int, padding: int) -> range:
        """Mount the rows that fill the view when the anchor is in its place; gives them."""
        last = len(self.index) - 1
        row = anchor.row = max(0, min(anchor.row, last))
        if anchor.at_end:
            row = anchor.row = last
            anchor.y = view - padding - self.mount(source, row)
            bottom = view
        else:
            bottom = anchor.y + self.mount(source, row)
        below = row
        while below < last and bottom < view + OVERSCAN:
            below += 1
            bottom += self.mount(source, below)
        top, above = anchor.y, row
        while above > 0 and top > -OVERSCAN:
            above -= 1
            top -= self.mount(source, above)
        return range(above, below + 1)

    def row_of_key(self, source: RowSource, key: str, near: int) -> int:
        """The row with a key, searched from `near` outward; `near` when it is gone."""
        count = len(self.index)
        for distance in range(count):
            for row in {near - distance, near + distance}:
                if 0 <= row < count and source.key(row) == key:
                    return row
        return max(0, min(near, count - 1))

    def is_alive(self) -> bool:
        """Whether there is still a viewport to place rows in."""
        return shiboken6.isValid(self._viewport)

    def place(self, top: int) -> None:
        """Put the widgets where their rows are; `top` is where the first row begins in the viewport."""
        x = (self._viewport.width() - self.width) // 2
        for row, item in self._rows.items():
            item.widget.setGeometry(x, top + self.index.offset_of(row), self.width, self.index.height(row))
            if item.widget.isHidden():
                item.widget.show()


def _in_use(widget: QWidget) -> bool:
    for inner in (QApplication.focusWidget(), selection.owner()):
        if inner is not None and (inner is widget or widget.isAncestorOf(inner)):
            return True
    return False
