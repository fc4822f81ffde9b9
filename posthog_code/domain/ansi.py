"""Terminal output as plain lines: escape sequences dropped, overwritten lines and backspaces applied."""

from __future__ import annotations

import re

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # control sequences: colours, cursor
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # operating system commands: titles, links
    r"|\x1b[PX^_].*?\x1b\\"  # device control, private strings
    r"|\x1b[ -/]*[0-~]"  # two-character escapes
    r"|\x1b",
    re.DOTALL,
)
_RUBBED_OUT = re.compile("[^\x08]\x08")
_CONTROLS = re.compile(r"[\x00-\x07\x0b\x0c\x0e-\x1f\x7f]")


def plain(text: str) -> str:
    """What a terminal would show at the end, without colours."""
    if "\x1b" in text:
        text = _ESCAPES.sub("", text)
    text = text.replace("\r\n", "\n")
    if "\r" in text or "\b" in text:
        text = "\n".join(_overwritten(line) for line in text.split("\n"))
    return _CONTROLS.sub("", text)


def _overwritten(line: str) -> str:
    if "\r" in line:
        parts = [part for part in line.split("\r") if part]
        shown = ""
        for part in parts:
            shown = part + shown[len(part) :]
        line = shown
    while "\b" in line:
        shorter = _RUBBED_OUT.sub("", line)
        if shorter == line:
            return line.replace("\b", "")
        line = shorter
    return line
