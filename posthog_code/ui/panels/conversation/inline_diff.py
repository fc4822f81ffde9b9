"""The change of one tool call as a few lines, for opened rows. The Changes tab shows the whole."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from posthog_code.domain.transcript import DiffContent

CONTEXT = 2
MAX_COMPARED = 1500
"""Lines of the differing middle; more are shown as replaced, since comparing them takes too long."""
MAX_LINES = 400


@dataclass(frozen=True, slots=True)
class DiffLine:
    sign: str
    """+, −, a space, or @ for lines left out."""
    text: str


def diff_lines(diff: DiffContent) -> list[DiffLine]:
    """The lines of a change with a little context."""
    old, new = _lines(diff.old_text), _lines(diff.new_text)
    head, tail = _common(old, new)
    middle = _compare(old[head : len(old) - tail], new[head : len(new) - tail])
    lines = [DiffLine(" ", line) for line in old[max(0, head - CONTEXT) : head]]
    lines += middle
    lines += [DiffLine(" ", line) for line in old[len(old) - tail : len(old) - tail + CONTEXT]] if tail else []
    if len(lines) > MAX_LINES:
        lines = [*lines[:MAX_LINES], DiffLine("@", f"{len(lines) - MAX_LINES:,} more lines in Changes")]
    return lines


def counts(diffs: Sequence[DiffContent]) -> tuple[int, int]:
    """Added and removed lines."""
    added = removed = 0
    for diff in diffs:
        old, new = _lines(diff.old_text), _lines(diff.new_text)
        head, tail = _common(old, new)
        for line in _compare(old[head : len(old) - tail], new[head : len(new) - tail], context=0):
            added += line.sign == "+"
            removed += line.sign == "−"
    return added, removed


def _lines(text: str) -> list[str]:
    return text.splitlines()


def _common(old: list[str], new: list[str]) -> tuple[int, int]:
    """How many lines at the start and at the end are the same."""
    short = min(len(old), len(new))
    head = 0
    while head < short and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < short - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return head, tail


def _compare(old: list[str], new: list[str], context: int = CONTEXT) -> list[DiffLine]:
    if len(old) + len(new) > MAX_COMPARED or not old or not new:
        return [DiffLine("−", line) for line in old] + [DiffLine("+", line) for line in new]
    lines: list[DiffLine] = []
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for number, group in enumerate(matcher.get_grouped_opcodes(context)):
        if number and context:
            lines.append(DiffLine("@", ""))
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                lines += [DiffLine(" ", line) for line in old[i1:i2]]
            else:
                lines += [DiffLine("−", line) for line in old[i1:i2]]
                lines += [DiffLine("+", line) for line in new[j1:j2]]
    return lines
