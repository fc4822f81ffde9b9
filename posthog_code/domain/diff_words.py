"""Which words of a changed line are new."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

Span = tuple[int, int]
"""(start, end) in characters."""

_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_MOST_WORDS = 400
_LONGEST = 4000


def word_changes(old: str, new: str) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """Changed parts of a removed line and of the added line beside it.

    Both are empty when the lines are the same or have nothing in common: then the whole line is the change.
    """
    if old == new or len(old) > _LONGEST or len(new) > _LONGEST:
        return (), ()
    before, after = _WORD.findall(old), _WORD.findall(new)
    head = 0
    for a, b in zip(before, after, strict=False):
        if a != b:
            break
        head += 1
    tail = 0
    for a, b in zip(reversed(before[head:]), reversed(after[head:]), strict=False):
        if a != b:
            break
        tail += 1
    middle_old, middle_new = before[head : len(before) - tail], after[head : len(after) - tail]
    shared = any(not word.isspace() for word in before[:head] + before[len(before) - tail :])
    if len(middle_old) + len(middle_new) > _MOST_WORDS:
        changed_old, changed_new = [(0, len(middle_old))], [(0, len(middle_new))]
    else:
        changed_old, changed_new = [], []
        for tag, a, b, c, d in SequenceMatcher(None, middle_old, middle_new, autojunk=False).get_opcodes():
            if tag == "equal":
                shared = shared or any(not word.isspace() for word in middle_old[a:b])
                continue
            changed_old.append((a, b))
            changed_new.append((c, d))
    if not shared:
        return (), ()
    return _spans(before, head, changed_old), _spans(after, head, changed_new)


def _spans(words: list[str], head: int, changed: list[tuple[int, int]]) -> tuple[Span, ...]:
    """Ranges of words as ranges of characters, joined over blanks between them, without blanks at their ends."""
    starts = [0]
    for word in words:
        starts.append(starts[-1] + len(word))
    spans: list[Span] = []
    for a, b in changed:
        a, b = a + head, b + head
        while a < b and words[a].isspace() and b - a > 1:
            a += 1
        while b > a and words[b - 1].isspace() and b - a > 1:
            b -= 1
        if a == b:
            continue
        if spans and all(word.isspace() for word in words[_index(starts, spans[-1][1]) : a]):
            spans[-1] = (spans[-1][0], starts[b])
        else:
            spans.append((starts[a], starts[b]))
    return tuple(spans)


def _index(starts: list[int], position: int) -> int:
    return starts.index(position)
