"""Places (rows on the screen) over the rows of an index, unified or side by side."""

from __future__ import annotations

from typing import Protocol

from posthog_code.domain.diff_index import DiffIndex
from posthog_code.domain.diff_split import SplitRows


class Places(Protocol):
    """A place shows one row of the index, or one on each side."""

    def __len__(self) -> int: ...

    def update(self) -> None:
        """Take over what the index has read since."""

    def pair(self, place: int) -> tuple[int, int]:
        """Rows at the left and right; the same row when they share it, -1 for none."""

    def place_of(self, row: int) -> int: ...


class UnifiedRows:
    """Each row of the index is a place."""

    def __init__(self, index: DiffIndex) -> None:
        self._index = index
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def update(self) -> None:
        self._count = len(self._index)

    def pair(self, place: int) -> tuple[int, int]:
        return place, place

    def place_of(self, row: int) -> int:
        return row


def make_places(index: DiffIndex, split: bool) -> Places:
    places: Places = SplitRows(index) if split else UnifiedRows(index)
    places.update()
    return places
