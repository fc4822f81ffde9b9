"""Fuzzy matching for the palette: which letters of a text a query hits, and how well."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Match:
    score: float
    """Higher is better."""
    positions: tuple[int, ...]
    """Indices of the matched characters."""


def match(query: str, text: str) -> Match | None:
    """All letters of `query` in order, whole words and starts of words before scattered letters.

    None when they are not all there. An empty query matches everything with score 0.
    """
    wanted = [part for part in query.lower().split() if part]
    if not wanted:
        return Match(0.0, ())
    low = text.lower()
    if len(low) != len(text):
        # A few letters grow when lowered, and positions would be off.
        low = "".join(char.lower()[:1] or char for char in text)
    total, positions = 0.0, set[int]()
    for part in wanted:
        found = _substring(part, low) or _scattered(part, low)
        if found is None:
            return None
        total += found.score
        positions.update(found.positions)
    return Match(total - len(text) * 0.01, tuple(sorted(positions)))


def _substring(part: str, low: str) -> Match | None:
    best = -1
    at = low.find(part)
    while at >= 0:
        if _starts_word(low, at):
            return Match(20.0 + len(part) * 4 - at * 0.05 + (5 if at == 0 else 0), tuple(range(at, at + len(part))))
        if best < 0:
            best = at
        at = low.find(part, at + 1)
    if best < 0:
        return None
    return Match(8.0 + len(part) * 3 - best * 0.05, tuple(range(best, best + len(part))))


def _scattered(part: str, low: str) -> Match | None:
    """Letters in order, each at the start of a word or right after the one before, else where it comes first."""
    positions: list[int] = []
    score, at = 0.0, 0
    for char in part:
        first = low.find(char, at)
        if first < 0:
            return None
        place = first
        if not (positions and first == positions[-1] + 1):
            start = next((i for i in range(first, len(low)) if low[i] == char and _starts_word(low, i)), -1)
            if start >= 0 and _in_order(part[len(positions) + 1 :], low, start + 1):
                place = start
        score += 3.0 if _starts_word(low, place) else (1.0 if positions and place == positions[-1] + 1 else -1.0)
        positions.append(place)
        at = place + 1
    # Letters far from each other are chance, not meaning.
    spread = positions[-1] - positions[0] + 1 - len(part)
    score -= spread * 0.5
    return Match(score, tuple(positions)) if score > len(part) * 0.5 else None


def _in_order(rest: str, low: str, at: int) -> bool:
    for char in rest:
        at = low.find(char, at) + 1
        if at == 0:
            return False
    return True


def _starts_word(low: str, at: int) -> bool:
    return at == 0 or not low[at - 1].isalnum()
