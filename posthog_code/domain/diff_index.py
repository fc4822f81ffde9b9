"""A diff as bytes and flat arrays: what lines it has is known without an object for any of them.

A million lines cost nine bytes each beside git's own output. Rows are what a view shows: a header per file, notes (mode
changes, binary files), a header per hunk, and lines. Feed the output in slices of some 100 KB between two frames.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import accumulate
from operator import itemgetter

from posthog_code.domain.changes import FileState
from posthog_code.domain.diff_header import FileHeader, decode, parse_header


class Row(IntEnum):
    """Kinds of rows; a line has the byte of its sign."""

    FILE = ord("F")
    NOTE = ord("I")
    HUNK = ord("H")
    CONTEXT = ord(" ")
    ADDED = ord("+")
    REMOVED = ord("-")
    NO_NEWLINE = ord("\\")
    """ "No newline at end of file", about the line before it."""
    RAW = ord("R")
    """A line of a combined diff, signs included."""


@dataclass(slots=True)
class DiffFile:
    """One file of the diff. Rows and counts grow while its hunks are being read."""

    header: FileHeader
    row: int
    """Its header's row."""
    start: int
    """First byte of its header."""
    body: int
    """First byte after its header."""
    end: int = 0
    """One past its last byte; 0 while it is being read."""
    end_row: int = 0
    first_hunk: int = 0
    end_hunk: int = 0
    added: int = 0
    removed: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def path(self) -> str:
        return self.header.path


@dataclass(frozen=True, slots=True)
class Hunk:
    """One hunk, made on request."""

    number: int
    """Its place in the whole diff."""
    file: int
    row: int
    """Row of its header; its lines are the rows up to `end_row`."""
    end_row: int
    old: int
    old_lines: int
    new: int
    new_lines: int
    start: int
    """First byte of its header."""
    end: int


_FIRST = itemgetter(0)
_MORE = (1).__add__
_NOT_BODY = re.compile(rb"[^ +\-\\]")
_HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_MARK = 1024
_OUTSIDE, _HEADER, _BODY, _RAW = range(4)


class DiffIndex:
    """Rows of a diff. Feed it, then `finish()`; what was fed can be read at any time."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.kinds = bytearray()
        self.offsets = array("Q")
        """First byte of each row's line in `data`."""
        self.files: list[DiffFile] = []
        self.section_rows = array("I")
        """Rows of file headers and hunk headers, in order."""
        self.hunk_rows = array("I")
        self.longest = 0
        """Bytes of the longest line so far."""
        self.finished = False
        self._file_rows = array("I")
        self._old, self._old_lines = array("I"), array("I")
        self._new, self._new_lines = array("I"), array("I")
        self._by_path: dict[str, int] = {}
        self._mode = _OUTSIDE
        self._header: list[bytes] = []
        self._header_start = 0
        self._parsed = 0
        self._marks: dict[int, list[tuple[int, int]]] = {}

    def __len__(self) -> int:
        return len(self.kinds)

    # ---- reading git's output

    def feed(self, chunk: bytes | memoryview) -> None:
        """Take more output, cut anywhere. Costs some 0.3 us a line."""
        self.data += chunk
        end = self.data.rfind(b"\n", self._parsed) + 1
        if end > self._parsed:
            self._consume(end)

    def finish(self) -> None:
        """No more output will come."""
        if self.finished:
            return
        if self._parsed < len(self.data):
            self.data += b"\n"
            self._consume(len(self.data))
        self._end_file(len(self.data))
        self.finished = True

    def _consume(self, end: int) -> None:
        base = self._parsed
        lines = bytes(memoryview(self.data)[base:end]).split(b"\n")
        lines.pop()
        try:
            signs = bytes(map(_FIRST, lines))
        except IndexError:  # diff.suppressBlankEmpty leaves out the sign of empty context lines
            signs = bytes(line[0] if line else 32 for line in lines)
        lengths = list(map(len, lines))
        self.longest = max(self.longest, max(lengths))
        offsets = array("Q", accumulate(map(_MORE, lengths), initial=base))
        place, count = 0, len(lines)
        while place < count:
            if self._mode == _BODY:
                found = _NOT_BODY.search(signs, place)
                stop = found.start() if found else count
                if stop > place:
                    self.kinds += signs[place:stop]
                    self.offsets += offsets[place:stop]
                    place = stop
                    continue
            place += self._special(lines, place, offsets[place])
        self._parsed = end

    def _special(self, lines: list[bytes], place: int, offset: int) -> int:
        """Handle a line that is no hunk's body; how many lines were used."""
        line = lines[place]
        if line.startswith(b"diff --"):
            self._end_file(offset)
            self._mode, self._header, self._header_start = _HEADER, [line], offset
        elif line.startswith(b"@@"):
            if self._mode == _HEADER:
                self._begin_file(offset, has_hunks=True)
            if self._mode == _BODY:
                self._begin_hunk(line, offset)
            elif self._mode == _RAW:
                self._append(Row.RAW, offset)
        elif self._mode == _HEADER:
            if not self._header[-1].startswith(b"GIT binary patch"):
                self._header.append(line)
        elif self._mode == _RAW:
            self._append(Row.RAW, offset)
        return 1

    def _begin_file(self, offset: int, *, has_hunks: bool) -> None:
        header = parse_header(self._header)
        number, row = len(self.files), len(self.kinds)
        file = DiffFile(header, row, self._header_start, offset, first_hunk=len(self.hunk_rows))
        file.notes = _notes(header, has_hunks)
        self.files.append(file)
        self._file_rows.append(row)
        self._by_path[header.path] = number
        self.section_rows.append(row)
        self._append(Row.FILE, self._header_start)
        for _ in file.notes:
            self._append(Row.NOTE, self._header_start)
        self._mode = _RAW if header.combined else _BODY

    def _begin_hunk(self, line: bytes, offset: int) -> None:
        match = _HUNK.match(line)
        old, old_lines, new, new_lines = match.groups() if match else (b"0", b"0", b"0", b"0")
        row = len(self.kinds)
        self.hunk_rows.append(row)
        self.section_rows.append(row)
        self._old.append(int(old))
        self._old_lines.append(1 if old_lines is None else int(old_lines))
        self._new.append(int(new))
        self._new_lines.append(1 if new_lines is None else int(new_lines))
        self.kinds.append(Row.HUNK)
        self.offsets.append(offset)

    def _end_file(self, offset: int) -> None:
        if self._mode == _HEADER:
            self._begin_file(offset, has_hunks=False)
        if self._mode in (_BODY, _RAW):
            file = self.files[-1]
            file.end, file.end_row, file.end_hunk = offset, len(self.kinds), len(self.hunk_rows)
            file.added = self.kinds.count(Row.ADDED, file.row, file.end_row)
            file.removed = self.kinds.count(Row.REMOVED, file.row, file.end_row)
        self._mode = _OUTSIDE

    def _append(self, kind: Row, offset: int) -> None:
        self.kinds.append(kind)
        self.offsets.append(offset)

    # ---- reading rows

    def line(self, row: int) -> bytes:
        """The bytes of a row as git wrote them, sign included, without the newline."""
        start = self.offsets[row]
        end = self.data.find(b"\n", start)
        return bytes(self.data[start : end if end >= 0 else len(self.data)])

    def text(self, row: int, limit: int = 0) -> str:
        """A line without its sign (a header or raw line as it is), cut after `limit` bytes when one is given."""
        kind = self.kinds[row]
        if kind == Row.NOTE:
            file = self.files[self.file_of(row)]
            return file.notes[row - file.row - 1]
        signed = kind in _SIGNED
        start = self.offsets[row] + signed
        end = self.data.find(b"\n", start - signed)
        if end < start:  # an empty context line without its sign
            return ""
        if limit and end - start > limit:
            end = start + limit
        return self.data[start:end].decode("utf-8", "replace")

    def length(self, row: int) -> int:
        """Bytes of a line."""
        return self.data.find(b"\n", self.offsets[row]) - self.offsets[row]

    def file_of(self, row: int) -> int:
        return bisect_right(self._file_rows, row) - 1

    def file_end_row(self, number: int) -> int:
        file = self.files[number]
        return file.end_row or len(self.kinds)

    def hunk_of(self, row: int) -> int:
        """Number of the hunk that a row belongs to; -1 for rows outside of hunks."""
        hunk = bisect_right(self.hunk_rows, row) - 1
        return hunk if hunk >= 0 and self.file_of(self.hunk_rows[hunk]) == self.file_of(row) else -1

    def find_file(self, path: str) -> int:
        """Number of a file; -1 when the diff has none of that path."""
        return self._by_path.get(path, -1)

    def hunk(self, number: int) -> Hunk:
        row = self.hunk_rows[number]
        file = self.file_of(row)
        following = self.hunk_rows[number + 1] if number + 1 < len(self.hunk_rows) else len(self.kinds)
        end_row = min(following, self.file_end_row(file))
        end = self.files[file].end or self._parsed
        if end_row == following < len(self.kinds):
            end = min(end, self.offsets[following])
        return Hunk(
            number, file, row, end_row, self._old[number], self._old_lines[number],
            self._new[number], self._new_lines[number], self.offsets[row], end,
        )  # fmt: skip

    def hunks(self, file: int) -> Iterator[Hunk]:
        entry = self.files[file]
        for number in range(entry.first_hunk, entry.end_hunk if entry.end else len(self.hunk_rows)):
            yield self.hunk(number)

    def highest_number(self, first_hunk: int = 0) -> int:
        """The largest line number in the hunks from `first_hunk` on."""
        old = max(map(int.__add__, self._old[first_hunk:], self._old_lines[first_hunk:]), default=0)
        return max(old, max(map(int.__add__, self._new[first_hunk:], self._new_lines[first_hunk:]), default=0))

    def numbers(self, row: int) -> tuple[int, int]:
        """(old, new) line number of a row; 0 where it has none."""
        kind = self.kinds[row]
        if kind not in _LINES:
            return 0, 0
        old, new = self.numbers_before(row)
        return (old if kind != Row.ADDED else 0), (new if kind != Row.REMOVED else 0)

    def numbers_before(self, row: int) -> tuple[int, int]:
        """The (old, new) numbers that the next lines from a hunk's row on would have."""
        return self._before(bisect_right(self.hunk_rows, row) - 1, row)

    def _before(self, number: int, row: int) -> tuple[int, int]:
        first = self.hunk_rows[number] + 1
        marks = self._marks.setdefault(number, [(self._old[number], self._new[number])])
        wanted = max(0, row - first) // _MARK
        while len(marks) <= wanted:
            start = first + (len(marks) - 1) * _MARK
            marks.append(self._advance(*marks[-1], start, start + _MARK))
        return self._advance(*marks[wanted], first + wanted * _MARK, row)

    def _advance(self, old: int, new: int, start: int, end: int) -> tuple[int, int]:
        count = self.kinds.count
        context = count(Row.CONTEXT, start, end)
        return old + context + count(Row.REMOVED, start, end), new + context + count(Row.ADDED, start, end)

    def find_line(self, path: str, side: str, line: int) -> int:
        """Row of a line by its number on the "old" or "new" side; -1 when the diff does not show it."""
        number = self.find_file(path)
        if number < 0:
            return -1
        file = self.files[number]
        last = file.end_hunk if file.end else len(self.hunk_rows)
        starts = self._new if side == "new" else self._old
        hunk = bisect_right(starts, line, file.first_hunk, last) - 1
        if hunk < file.first_hunk:
            return -1
        place = self.hunk(hunk)
        begin = 1 if side == "new" else 0
        rows = range(place.row + 1, place.end_row)
        found = bisect_left(rows, line + 1, key=lambda row: self._before(hunk, row + 1)[begin])
        if found >= len(rows) or self.numbers(rows[found])[begin] != line:
            return -1
        return rows[found]


_SIGNED = frozenset({Row.CONTEXT, Row.ADDED, Row.REMOVED, Row.NO_NEWLINE})
_LINES = frozenset({Row.CONTEXT, Row.ADDED, Row.REMOVED})


def hunk_label(line: str) -> tuple[str, str]:
    """A hunk header as (ranges, name of what encloses it)."""
    end = line.find("@@", 2)
    return (line[: end + 2], line[end + 2 :].strip()) if end > 0 else (line, "")


def concat(parts: Sequence[bytes]) -> DiffIndex:
    """An index over complete output; for short diffs and tests."""
    index = DiffIndex()
    for part in parts:
        index.feed(part)
    index.finish()
    return index


def file_bytes(index: DiffIndex, number: int) -> bytes:
    """All that git wrote about one file."""
    file = index.files[number]
    return bytes(index.data[file.start : file.end or len(index.data)])


def _notes(header: FileHeader, has_hunks: bool) -> list[str]:
    notes = []
    if header.old_mode and header.new_mode and header.old_mode != header.new_mode:
        notes.append(f"Mode changed from {header.old_mode} to {header.new_mode}")
    if header.binary:
        notes.append("Binary file, not shown")
    elif header.combined:
        notes.append("Unresolved merge; both sides are shown as they are")
    elif not has_hunks:
        if header.state is FileState.RENAMED:
            notes.append(f"Renamed from {header.old_path}, contents unchanged")
        elif header.state is FileState.COPIED:
            notes.append(f"Copied from {header.old_path}, contents unchanged")
        elif header.state in (FileState.ADDED, FileState.DELETED):
            notes.append("Empty file")
    if header.submodule:
        notes.append("Submodule")
    return notes


__all__ = ["DiffFile", "DiffIndex", "Hunk", "Row", "concat", "decode", "file_bytes", "hunk_label"]
