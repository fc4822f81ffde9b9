"""Where each place stands: segments of equal rows, so that a million rows cost a few thousand numbers."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate

from posthog_code.domain.diff_index import DiffIndex, Row
from posthog_code.ui.diff.rows import Places

_PART = 512
"""Places in a segment at most: what wrapping has to measure at once."""


@dataclass(frozen=True, slots=True)
class Heights:
    """Pixels."""

    line: int = 20
    file: int = 34
    hunk: int = 26
    gap: int = 8
    """Above each file but the first."""


class Geometry:
    """Positions in pixels from the top of the whole diff."""

    def __init__(self, index: DiffIndex, places: Places, heights: Heights) -> None:
        self._index, self._places, self.heights = index, places, heights
        self._starts, self._files = array("I"), array("I")
        self._kinds = bytearray()
        self._pixels: list[int] = []
        self._tops: list[int] = [0]
        self._section = 0
        self._cards: dict[int, int] = {}
        self._card_places: list[int] = []
        self._lines: Callable[[int], int] | None = None
        self._measured: set[int] = set()
        self._inner: dict[int, list[int]] = {}
        self.folded: set[int] = set()
        """Numbers of files whose hunks are hidden; call `refold` after a change."""
        self.extend()

    # ---- building

    def extend(self) -> None:
        """Take over what the places have gained. Only the last segment is made again."""
        index, places = self._index, self._places
        total, sections = len(places), index.section_rows
        place = 0
        if self._starts:
            last = len(self._starts) - 1
            place = self._starts.pop()
            self._files.pop()
            self._kinds.pop()
            self._pixels.pop()
            self._inner.pop(last, None)
            self._measured.discard(last)
        del self._tops[len(self._pixels) + 1 :]
        first, started = len(self._pixels), self._section
        begin = places.place_of(sections[started]) if sections else 0
        file = index.file_of(sections[started]) if sections else 0
        for section in range(started, len(sections)):
            row = sections[section]
            kind = index.kinds[row]
            if kind == Row.FILE and section > started:
                file += 1
            end = places.place_of(sections[section + 1]) if section + 1 < len(sections) else total
            if place != begin:
                kind = Row.CONTEXT
            while place < end:
                self._starts.append(place)
                self._files.append(file)
                self._kinds.append(kind)
                count = min(_PART, end - place)
                self._pixels.append(self._head(len(self._pixels)) + (count - 1) * self.heights.line)
                place += count
                kind = Row.CONTEXT
            begin = end
            self._section = section
        if self._cards or self.folded:
            for segment in range(first, len(self._starts)):
                self._pixels[segment] = self._height(segment)
        self._sum(first)

    def _sum(self, first: int) -> None:
        base = self._tops[first]
        self._tops[first:] = accumulate(self._pixels[first:], initial=base)

    def _end(self, segment: int) -> int:
        return self._starts[segment + 1] if segment + 1 < len(self._starts) else len(self._places)

    def _height(self, segment: int) -> int:
        kind = self._kinds[segment]
        folded = self._files[segment] in self.folded
        if folded and kind != Row.FILE:
            return 0
        if not folded and self._irregular(segment):
            return self._rows(segment)[-1]
        count = 1 if folded else self._end(segment) - self._starts[segment]
        return self._head(segment) + (count - 1) * self.heights.line

    def _head(self, segment: int) -> int:
        kind = self._kinds[segment]
        if kind == Row.FILE:
            return self.heights.file + (self.heights.gap if segment else 0)
        return self.heights.hunk if kind == Row.HUNK else self.heights.line

    def _irregular(self, segment: int) -> bool:
        if segment in self._measured:
            return True
        at = bisect_left(self._card_places, self._starts[segment])
        return at < len(self._card_places) and self._card_places[at] < self._end(segment)

    def _rows(self, segment: int) -> list[int]:
        """Tops of the places inside an irregular segment, and its height."""
        inner = self._inner.get(segment)
        if inner is None:
            tops, lines = [0], self._lines if segment in self._measured else None
            start = self._starts[segment]
            for place in range(start, self._end(segment)):
                if place == start and self._kinds[segment] in (Row.FILE, Row.HUNK):
                    height = self._head(segment)
                else:
                    height = self.heights.line * (lines(place) if lines else 1)
                tops.append(tops[-1] + height + self._cards.get(place, 0))
            inner = self._inner[segment] = tops
        return inner

    # ---- changing

    def set_cards(self, cards: Mapping[int, int]) -> None:
        """Room below places, in pixels by place."""
        touched = {self._segment(place) for place in {*cards, *self._cards} if place < len(self._places)}
        self._cards, self._card_places = dict(cards), sorted(cards)
        self._again(touched)

    def set_wrap(self, lines: Callable[[int], int] | None) -> None:
        """With `lines` (how many lines a place needs), segments are measured by `measure` when they come into view."""
        touched = set(self._measured)
        self._lines = lines
        self._measured.clear()
        self._again(touched)

    def measure(self, top: int, bottom: int) -> bool:
        """Measure what is between two positions; True when something was new, so that positions have changed."""
        if self._lines is None or not self._starts:
            return False
        touched = {
            segment
            for segment in range(self.segment_at(top), self.segment_at(bottom) + 1)
            if segment not in self._measured and self._pixels[segment]
        }
        self._measured |= touched
        self._again(touched)
        return bool(touched)

    def refold(self, file: int) -> None:
        """Take over a change of `folded`."""
        low, high = bisect_left(self._files, file), bisect_right(self._files, file)
        self._again(set(range(low, high)))

    def _again(self, segments: set[int]) -> None:
        for segment in segments:
            self._inner.pop(segment, None)
            self._pixels[segment] = self._height(segment)
        if segments:
            self._sum(min(segments))

    # ---- asking

    @property
    def height(self) -> int:
        return self._tops[-1]

    def _segment(self, place: int) -> int:
        return bisect_right(self._starts, place) - 1

    def segment_at(self, y: int) -> int:
        return min(max(0, bisect_right(self._tops, y) - 1), len(self._starts) - 1)

    def is_hidden(self, place: int) -> bool:
        segment = self._segment(place)
        return (self._files[segment] in self.folded and place != self._starts[segment]) or not self._pixels[segment]

    def top(self, place: int) -> int:
        """A hidden place stands where it would begin."""
        segment = self._segment(place)
        base, inside = self._tops[segment], place - self._starts[segment]
        if not inside or not self._pixels[segment]:
            return base
        if self._files[segment] in self.folded:
            return base
        if self._irregular(segment):
            return base + self._rows(segment)[inside]
        return base + self._head(segment) + (inside - 1) * self.heights.line

    def row_height(self, place: int) -> int:
        """Without the card below it; a file header with the gap above it."""
        segment = self._segment(place)
        if place == self._starts[segment] and self._kinds[segment] in (Row.FILE, Row.HUNK):
            return self._head(segment)
        if segment in self._measured and not self.is_hidden(place):
            tops, inside = self._rows(segment), place - self._starts[segment]
            return tops[inside + 1] - tops[inside] - self._cards.get(place, 0)
        return self.heights.line

    def card_room(self, place: int) -> int:
        """Room below a place that is shown."""
        return 0 if not self._cards or self.is_hidden_below(place) else self._cards.get(place, 0)

    def is_hidden_below(self, place: int) -> bool:
        """Whether a place belongs to a folded file: then no card is shown below it, not even below the header."""
        return self._files[self._segment(place)] in self.folded

    def place_at(self, y: int) -> int:
        """The place at a position, its card included."""
        segment = self.segment_at(y)
        start, inside = self._starts[segment], y - self._tops[segment]
        if self._files[segment] in self.folded:
            return start
        if self._irregular(segment):
            found = bisect_right(self._rows(segment), inside) - 1
        else:
            found = 0 if inside < self._head(segment) else 1 + (inside - self._head(segment)) // self.heights.line
        return min(start + max(0, found), self._end(segment) - 1)

    def visible(self, top: int, bottom: int) -> Iterator[tuple[int, int]]:
        """(place, position) of what is to be seen between two positions."""
        if not self._starts or bottom <= top:
            return
        place = self.place_at(top)
        segment = self._segment(place)
        y = self.top(place)
        while segment < len(self._starts):
            if self._pixels[segment]:
                end = place + 1 if self._files[segment] in self.folded else self._end(segment)
                while place < end:
                    if y >= bottom:
                        return
                    yield place, y
                    y += self.row_height(place) + self._cards.get(place, 0)
                    place += 1
                y = self._tops[segment + 1]
            segment += 1
            if segment < len(self._starts):
                place = self._starts[segment]
                if not self._pixels[segment]:  # leap over folded files
                    segment = bisect_right(self._tops, y) - 1
                    if segment >= len(self._starts):
                        return
                    place = self._starts[segment]

    def file_header(self, number: int) -> int:
        """Position of a file's header, the gap above it included."""
        return self.top(self._places.place_of(self._index.files[number].row))
