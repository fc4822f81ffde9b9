"""A message as prose and fenced code."""

from __future__ import annotations

import re
from typing import NamedTuple

_OPEN = re.compile(r" {0,3}(`{3,}|~{3,})([^`]*)$")


class Part(NamedTuple):
    text: str
    code: bool
    language: str = ""


def split_fences(message: str) -> list[Part]:
    """The parts from top to bottom, without the lines of the fences. A fence that is left open ends with the text."""
    parts: list[Part] = []
    lines: list[str] = []
    fence, language = "", ""

    def close(code: bool) -> None:
        text = "\n".join(lines) if code else "\n".join(lines).strip("\n")
        if text.strip():
            parts.append(Part(text, code, language if code else ""))
        lines.clear()

    for line in message.replace("\r\n", "\n").split("\n"):
        if fence:
            end = line.strip()
            if len(end) >= len(fence) and set(end) == {fence[0]}:
                close(True)
                fence = ""
            else:
                lines.append(line)
        elif found := _OPEN.match(line):
            close(False)
            fence, language = found[1], (found[2].split() or [""])[0]
        else:
            lines.append(line)
    close(bool(fence))
    return parts
