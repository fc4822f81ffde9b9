"""Marks of lines: which turn wrote them, and what they mean in production."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sign:
    """A flag, event or error on a line."""

    icon: str
    token: str
    words: str
    """For the tooltip and the screen reader: "Flag checkout-retry-v2: Stale, 94 days"."""


@dataclass(frozen=True, slots=True)
class Run:
    """Lines one after the other that one turn, or the person, has written."""

    start: int
    end: int
    """The last line, included."""
    label: str
    """ "T3", or "You"."""
    token: str
    words: str
    """For the tooltip: the turn's prompt."""
    turn: int = 0
    """0 for the person."""


@dataclass(frozen=True)
class Gutter:
    """Marks by path, side and line."""

    signs: Mapping[tuple[str, str, int], Sign] = field(default_factory=dict)
    runs: Mapping[tuple[str, str], Sequence[Run]] = field(default_factory=dict)
    """By path and side, in the order of their lines."""

    def run_at(self, path: str, side: str, line: int) -> Run | None:
        runs = self.runs.get((path, side), ())
        number = bisect_right(runs, line, key=lambda run: run.start) - 1
        return runs[number] if number >= 0 and line <= runs[number].end else None


def signs_of(marks: Iterable[tuple[str, str, int, Sign]]) -> dict[tuple[str, str, int], Sign]:
    """The first sign of each line; the words of the others are added to it."""
    found: dict[tuple[str, str, int], Sign] = {}
    for path, side, line, sign in marks:
        known = found.get((path, side, line))
        words = f"{known.words}\n{sign.words}" if known else sign.words
        first = known or sign
        found[path, side, line] = Sign(first.icon, first.token, words)
    return found
