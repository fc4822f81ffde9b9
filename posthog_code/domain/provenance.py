"""Which turn wrote, or took away, each line of a change: found by following the lines from checkpoint to checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from posthog_code.domain.diff_index import DiffIndex

YOU = 0
"""Author of what no turn did."""
EARLIER = -1
"""Author of what was done by turns that are not told apart any more."""
LONGEST = 200_000
"""Lines of a file up to which its lines are followed."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A hunk without context: `old_lines` lines from `old` on became `new_lines` lines from `new` on. Lines count from
    1; where nothing was there before, `old` is the line after which it was put in (as git tells it)."""

    old: int
    old_lines: int
    new: int
    new_lines: int


@dataclass(frozen=True, slots=True)
class FileEdits:
    path: str
    old_path: str = ""
    """Of a file that was renamed."""
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """What happened between two checkpoints, and who did it: the number of a turn, YOU or EARLIER."""

    author: int
    files: tuple[FileEdits, ...]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Lines `start` to `end`, both included, by one author."""

    start: int
    end: int
    author: int


Provenance = Mapping[tuple[str, str], tuple[Stretch, ...]]
"""By path as it is now and side: lines of the new side that were written, lines of the old one that were taken away."""


def edits_of(index: DiffIndex) -> tuple[FileEdits, ...]:
    """All files of a diff that was made without lines of context."""
    found = []
    for number, file in enumerate(index.files):
        edits = tuple(Edit(h.old, h.old_lines, h.new, h.new_lines) for h in index.hunks(number))
        old_path = file.header.old_path if file.header.old_path != file.path else ""
        if edits or old_path:
            found.append(FileEdits(file.path, old_path, edits))
    return tuple(found)


class _File:
    """The lines of one file as they are so far: who wrote each of them, and which line of the base it is."""

    def __init__(self, lines: int) -> None:
        self.authors: list[int | None] = [None] * lines
        self.base: list[int] = list(range(1, lines + 1))
        self.removed: dict[int, int] = {}

    def apply(self, edits: Sequence[Edit], author: int) -> None:
        # From the end, so that the numbers of the earlier ones stay true.
        for edit in reversed(edits):
            start = edit.old - 1 if edit.old_lines else edit.old
            end = start + edit.old_lines
            for line in self.base[start:end]:
                if line:
                    self.removed[line] = author
            self.authors[start:end] = [author] * edit.new_lines
            self.base[start:end] = [0] * edit.new_lines


def attribute(segments: Sequence[Segment]) -> Provenance:
    """Follow the lines through all segments, oldest first."""
    sizes = _sizes(segments)
    files: dict[str, _File] = {}
    for segment in segments:
        moved = {edits.old_path: files.pop(edits.old_path) for edits in segment.files if edits.old_path in files}
        for edits in segment.files:
            size = sizes.get(edits.path, 0)
            if size > LONGEST:
                continue
            file = moved.get(edits.old_path) or files.get(edits.path) or _File(size)
            files[edits.path] = file
            file.apply(edits.edits, segment.author)
    found: dict[tuple[str, str], tuple[Stretch, ...]] = {}
    for path, file in files.items():
        written = ((number, author) for number, author in enumerate(file.authors, 1) if author is not None)
        found[path, "new"] = _stretches(written)
        found[path, "old"] = _stretches(sorted(file.removed.items()))
    return found


def _sizes(segments: Sequence[Segment]) -> dict[str, int]:
    """Lines that have to be followed of each file, by every name it had: no edit reaches beyond them."""
    reach: dict[str, int] = {}
    for segment in segments:
        for edits in segment.files:
            before = reach.get(edits.old_path or edits.path, 0)
            furthest = max((edit.old + edit.old_lines for edit in edits.edits), default=0)
            grown = sum(edit.old_lines + edit.new_lines for edit in edits.edits)
            reach[edits.path] = max(before, reach.get(edits.path, 0), furthest) + grown
    for segment in reversed(segments):
        for edits in segment.files:
            if edits.old_path:
                reach[edits.old_path] = max(reach.get(edits.old_path, 0), reach[edits.path])
    return reach


def _stretches(lines: Iterable[tuple[int, int]]) -> tuple[Stretch, ...]:
    found: list[Stretch] = []
    for line, author in lines:
        last = found[-1] if found else None
        if last is not None and last.author == author and last.end == line - 1:
            found[-1] = Stretch(last.start, line, author)
        else:
            found.append(Stretch(line, line, author))
    return tuple(found)
