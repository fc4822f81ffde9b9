"""Which lines of which files a diff changes, on both sides."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from posthog_code.domain.changes import FileState
from posthog_code.domain.diff_index import DiffIndex, Row, concat

Lines = tuple[tuple[int, int], ...]
"""(first, last) line numbers from 1, both included, in order and apart from each other."""

_BLOCK = re.compile(rb"[+\-\\]+| +")
_RUN = re.compile(rb"\++|-+|\\+| +")
_HASH, _SLASH = re.compile(rb"\s*(#.*)?$"), re.compile(rb"\s*((//|/\*|\*/|\*(?=\s)|\*$).*)?$")
_HASHED = frozenset({".py", ".pyi", ".rb", ".rake", ".sh", ".yml", ".yaml", ".toml"})
_LONG = 20_000
"""Lines of one run from which on nobody looks which of them are empty."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """What a diff does to the lines of one file."""

    path: str
    """On the new side; the old one of a deleted file."""
    old_path: str = ""
    """On the old side; "" for an added file."""
    state: FileState = FileState.MODIFIED
    added: Lines = ()
    """Lines of the new side."""
    removed: Lines = ()
    """Lines of the old side."""
    said: Lines = ()
    """Those of `added` that are more than white space and comments."""
    cuts: tuple[int, ...] = ()
    """Lines of the new side after which lines that said something went away and none came in their place; 0 is the
    beginning of the file."""
    blocks: tuple[tuple[int, int, int, int], ...] = ()
    """What was replaced by what: (old line, lines, new line, lines), in order. A side without lines has the line that
    comes after."""

    def adds(self, first: int, last: int = 0) -> bool:
        """Whether a line from `first` to `last` of the new side is new."""
        return overlaps(self.added, first, last or first)

    def removes(self, first: int, last: int = 0) -> bool:
        """Whether a line from `first` to `last` of the old side is gone."""
        return overlaps(self.removed, first, last or first)

    def touches(self, first: int, last: int) -> bool:
        """Whether something that says something was added to these lines of the new side, or taken out of them."""
        return overlaps(self.said, first, last) or any(first <= cut < last for cut in self.cuts)

    def new_line(self, old: int) -> int:
        """Where a line of the old side is on the new side; of a line that is gone, where it would be."""
        place = bisect_right(self.blocks, (old, 1 << 62, 0, 0)) - 1
        if place < 0:
            return old
        before, count, after, now = self.blocks[place]
        if old >= before + count:
            return old - (before + count) + after + now
        return min(after + (old - before), after + max(now - 1, 0))


def overlaps(lines: Lines, first: int, last: int) -> bool:
    place = bisect_right(lines, (last, 1 << 62)) - 1
    return place >= 0 and lines[place][1] >= first


def changed_lines(
    diff: DiffIndex | bytes | Iterable[bytes], wanted: Callable[[str], bool] = lambda path: True
) -> Mapping[str, FileChange]:
    """Changes by path. Binary files, merges in progress and submodules have none; `wanted` tells which are read."""
    if isinstance(diff, DiffIndex):
        index = diff
    else:
        index = concat([diff] if isinstance(diff, bytes) else list(diff))
    found: dict[str, FileChange] = {}
    for number, file in enumerate(index.files):
        header = file.header
        if header.binary or header.combined or header.submodule or not wanted(header.path):
            continue
        found[header.path] = _Reading(index, number).change()
    return found


def old_text(index: DiffIndex, change: FileChange, new: bytes) -> bytes:
    """A file as it was before the change, from what it is now; b"" when the diff does not have it."""
    number = index.find_file(change.path)
    if number < 0:
        return b""
    file = index.files[number]
    kinds = index.kinds
    removed = [index.line(row)[1:] for row in range(file.row, file.end_row) if kinds[row] == Row.REMOVED]
    lines, out, taken, at = new.split(b"\n"), [], 0, 0
    for _old, count, after, now in change.blocks:
        out += lines[at : after - 1]
        out += removed[taken : taken + count]
        taken, at = taken + count, after - 1 + now
    return b"\n".join(out + lines[at:])


class _Reading:
    """Collects the ranges of one file, run of equal signs by run."""

    def __init__(self, index: DiffIndex, number: int) -> None:
        self._index, self._number = index, number
        self._header = index.files[number].header
        self._added: list[tuple[int, int]] = []
        self._removed: list[tuple[int, int]] = []
        self._said: list[tuple[int, int]] = []
        self._cuts: list[int] = []
        self._blocks: list[tuple[int, int, int, int]] = []
        hashed = PurePosixPath(self._header.path).suffix.lower() in _HASHED
        self._nothing = _HASH if hashed else _SLASH

    def change(self) -> FileChange:
        for hunk in self._index.hunks(self._number):
            # A side without lines is named by the line before it.
            self._read(hunk.row + 1, hunk.end_row, hunk.old + (not hunk.old_lines), hunk.new + (not hunk.new_lines))
        header = self._header
        return FileChange(
            path=header.path,
            old_path="" if header.state is FileState.ADDED else header.old_path or header.path,
            state=header.state,
            added=_joined(self._added),
            removed=_joined(self._removed),
            said=_joined(self._said),
            cuts=tuple(dict.fromkeys(self._cuts)),
            blocks=tuple(self._blocks),
        )

    def _read(self, row: int, end: int, old: int, new: int) -> None:
        """One hunk, block of changed lines by block."""
        kinds = bytes(self._index.kinds[row:end])
        for block in _BLOCK.finditer(kinds):
            old_start, new_start, said_before = old, new, len(self._said)
            gone = False
            for run in _RUN.finditer(kinds, block.start(), block.end()):
                sign, count, first = kinds[run.start()], run.end() - run.start(), row + run.start()
                if sign == Row.ADDED:
                    self._added.append((new, new + count - 1))
                    self._said += self._saying(first, count, new)
                    new += count
                elif sign == Row.REMOVED:
                    self._removed.append((old, old + count - 1))
                    gone = gone or bool(self._saying(first, count, old))
                    old += count
                elif sign == Row.CONTEXT:
                    old, new = old + count, new + count
            if (old, new) == (old_start, new_start) or kinds[block.start()] == Row.CONTEXT:
                continue
            self._blocks.append((old_start, old - old_start, new_start, new - new_start))
            if gone and len(self._said) == said_before:
                self._cuts.append(new_start - 1)

    def _saying(self, row: int, count: int, line: int) -> list[tuple[int, int]]:
        """The ranges of a run without its empty lines and comments; `line` is the number of its first one."""
        if count > _LONG:
            return [(line, line + count - 1)]
        found: list[tuple[int, int]] = []
        for place in range(count):
            if not self._nothing.match(self._index.line(row + place)[1:]):
                found.append((line + place, line + place))
        return found


def _joined(lines: list[tuple[int, int]]) -> Lines:
    """Ranges in order, those that meet as one."""
    out: list[tuple[int, int]] = []
    for first, last in lines:
        if out and first <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(last, out[-1][1]))
        else:
            out.append((first, last))
    return tuple(out)
