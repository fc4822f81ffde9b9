"""Which lines of a log are shown, and where a search hits. Pure; arrays of numbers, so that 200,000 lines are cheap."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import Protocol

from posthog_code.domain.logs import LogLine, LogSource

SOURCES = tuple(LogSource)
_NUMBERS = {source: number for number, source in enumerate(SOURCES)}
_OVERLAP = 256
"""Two writers may overlap by some lines, so the last ones are read again."""


class Lines(Protocol):
    """The part of a LogView that is needed here."""

    @property
    def count(self) -> int: ...
    def line(self, index: int, /) -> LogLine: ...


class LogIndex:
    """Rows (what is shown, from the top) to lines (what the log holds) and back, for a set of switched-on sources."""

    def __init__(self) -> None:
        self._lines: Lines | None = None
        self._read: Callable[[int], LogLine] = _nothing
        self._dropped = 0
        self._sources = bytearray()
        self._rows = array("I")
        self._on = frozenset(SOURCES)
        self.counts: dict[LogSource, int] = dict.fromkeys(SOURCES, 0)

    @property
    def rows(self) -> int:
        return len(self._rows)

    @property
    def sources_on(self) -> frozenset[LogSource]:
        return self._on

    def set_lines(self, lines: Lines | None) -> None:
        self._lines = lines
        self._dropped = -1
        # Raw frames stay on disk: painting and searching never need them.
        self._read = getattr(lines, "brief", lines.line) if lines is not None else _nothing
        self.update()

    def set_sources(self, on: frozenset[LogSource]) -> None:
        self._on = on
        self._rows = array("I", self._shown(0))

    def update(self) -> int:
        """Reads what is new; the first row that changed."""
        count = self._lines.count if self._lines is not None else 0
        dropped = getattr(self._lines, "dropped", 0)
        start = max(0, len(self._sources) - _OVERLAP)
        if dropped != self._dropped or count < len(self._sources):
            start = 0
        self._dropped = dropped
        for number in self._sources[start:]:
            self.counts[SOURCES[number]] -= 1
        del self._sources[start:]
        first = bisect_left(self._rows, start)
        del self._rows[first:]
        for line in range(start, count):
            source = self._read(line).source
            self._sources.append(_NUMBERS[source])
            self.counts[source] += 1
        self._rows.extend(self._shown(start))
        return first

    def line_at(self, row: int) -> int:
        return self._rows[row]

    def brief(self, row: int) -> LogLine:
        return self._read(self._rows[row])

    def row_of(self, line: int) -> int:
        """The row of a line, or of the next one that is shown."""
        return bisect_left(self._rows, line)

    def _shown(self, start: int) -> Iterator[int]:
        wanted = {_NUMBERS[source] for source in self._on}
        sources = self._sources
        if len(wanted) == len(SOURCES):
            return iter(range(start, len(sources)))
        return (line for line in range(start, len(sources)) if sources[line] in wanted)

    def brief_line(self, line: int) -> LogLine:
        return self._read(line)


class Search:
    """Finds a text in the shown lines, a slice at a time, so that the window never waits."""

    def __init__(self, index: LogIndex) -> None:
        self._index = index
        self._at = 0
        self.needle = ""
        self.hits = array("I")
        """Lines (not rows) that match, in order."""

    @property
    def done(self) -> bool:
        return not self.needle or self._at >= self._index.rows

    def start(self, text: str) -> None:
        self.needle = text.casefold()
        self.restart(0)

    def restart(self, row: int) -> None:
        """Searches again from `row` on."""
        if row <= 0:
            self._at = 0
            self.hits = array("I")
        elif row < self._at:
            self._at = row
            line = self._index.line_at(row) if row < self._index.rows else None
            if line is not None:
                del self.hits[bisect_left(self.hits, line) :]

    def step(self, rows: int = 4000) -> bool:
        """Looks at some more rows; True when the end is reached."""
        if not self.needle:
            return True
        end = min(self._index.rows, self._at + rows)
        for row in range(self._at, end):
            if self.needle in self._index.brief(row).text.casefold():
                self.hits.append(self._index.line_at(row))
        self._at = end
        return self.done

    def next_from(self, line: int, forward: bool) -> int | None:
        """The hit after (or before) a line, going round at the end."""
        if not self.hits:
            return None
        if forward:
            return self.hits[bisect_right(self.hits, line) % len(self.hits)]
        return self.hits[bisect_left(self.hits, line) - 1]

    def position(self, line: int) -> int:
        """Number of the hit on `line`, from 1; 0 when there is none."""
        at = bisect_left(self.hits, line)
        return at + 1 if at < len(self.hits) and self.hits[at] == line else 0


def _nothing(_line: int) -> LogLine:
    raise IndexError("no log is shown")
