"""The part of a CI log that says why it failed. Logs are untrusted text: they are only cut, cleaned and fenced here."""

from __future__ import annotations

import re

LINES = 200
BYTES = 8_000
AROUND = 3
"""Lines kept before each line that GitHub marks as an error."""

_TIME = re.compile(r"^\ufeff?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z ?")
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_SECRET = re.compile(
    r"\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{20,}|sk-[A-Za-z0-9_-]{20,}|phx?_[A-Za-z0-9]{20,}"
    r"|xox[abprs]-[A-Za-z0-9-]{10,}|AKIA[0-9A-Z]{16}|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,})"
)
_GROUP, _END, _ERROR = "##[group]", "##[endgroup]", "##[error]"


def scrub(text: str) -> str:
    """The same text without what looks like a credential."""
    return _SECRET.sub("***", text)


def clean(log: str) -> list[str]:
    """Lines without time stamps, colours, control characters and credentials; a line that was redrawn is its last
    state."""
    lines = []
    for line in log.split("\n"):
        line = _ANSI.sub("", _TIME.sub("", line.rstrip("\r")))
        line = _CONTROL.sub("", line.rpartition("\r")[2])
        lines.append(scrub(line))
    return lines


def failing_step(lines: list[str]) -> tuple[str, list[str]]:
    """(name, lines) of the step that failed, from a whole job's clean log: up to the first error, from the group of
    the step that it belongs to. Without an error mark that is the whole log and no name."""
    error = next((i for i, line in enumerate(lines) if line.startswith(_ERROR)), -1)
    if error < 0:
        return "", lines
    start, name = 0, ""
    for index in range(error, -1, -1):
        if lines[index].startswith(_GROUP + "Run "):
            start, name = index, lines[index].removeprefix(_GROUP + "Run ")
            break
    end = next((i for i in range(error + 1, len(lines)) if lines[i].startswith(_GROUP + "Run ")), len(lines))
    later = next((i for i in range(error + 1, end) if lines[i].startswith(("Post job cleanup", "Cleaning up"))), end)
    return name.strip(), lines[start:later]


def cut(log: str, *, lines: int = LINES, limit: int = BYTES) -> str:
    """The failing step's last lines and what stands around each error mark, `limit` bytes at most.

    GitHub's own marks are taken off, except that an error keeps "Error: " before it.
    """
    _name, step = failing_step(clean(log))
    marked = [i for i, line in enumerate(step) if line.startswith(_ERROR)]
    keep = set(range(max(0, len(step) - lines), len(step)))
    for index in marked:
        keep.update(range(max(0, index - AROUND), index + 1))
    chosen: list[str] = []
    size, last = 0, len(step)
    for index in sorted(keep, reverse=True):  # from the end: what comes last says most
        text = _plain(step[index])
        if text is None:
            last = index
            continue
        if index < last - 1:
            chosen.append("…")
        size += len(text.encode("utf-8", "replace")) + 1
        if size > limit:
            chosen.append("…")
            break
        chosen.append(text)
        last = index
    return "\n".join(reversed(chosen)).strip("\n")


def step_name(log: str) -> str:
    return failing_step(clean(log))[0]


def _plain(line: str) -> str | None:
    if line.startswith(_END):
        return None
    if line.startswith(_GROUP):
        return line.removeprefix(_GROUP)
    if line.startswith(_ERROR):
        return "Error: " + line.removeprefix(_ERROR)
    return re.sub(r"^##\[(?:command|debug|warning|section|notice)\]", "", line)
