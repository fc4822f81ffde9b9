"""Output of terminals: colours and what else escape sequences do to a line. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_ESCAPE = re.compile(r"\x1b(?:\[([0-?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_]|[()][A-Z0-9])")
_OTHER_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

_TOKENS = (
    "text.disabled",
    "status.failed",
    "status.success",
    "status.waiting",
    "status.running",
    "status.merged",
    "status.cloud",
    "text.secondary",
)
_BRIGHT_TOKENS = ("text.muted", *_TOKENS[1:7], "text.primary")
_SOFT_TOKENS = (
    "surface.active",
    "status.failedSoft",
    "status.successSoft",
    "status.waitingSoft",
    "status.runningSoft",
    "status.mergedSoft",
    "status.cloudSoft",
    "surface.selected",
)
_CUBE = (0, 95, 135, 175, 215, 255)


@dataclass(frozen=True, slots=True)
class Style:
    """How a run of characters looks. Colours are token paths or `#rrggbb`; "" is the default."""

    fore: str = ""
    back: str = ""
    bold: bool = False
    faint: bool = False
    underline: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    runs: tuple[tuple[int, int, Style], ...] = ()
    """Start, end (Python characters) and style, where it is not the default."""


def parse_ansi(text: str) -> list[Line]:
    """The lines of an output. A carriage return starts its line anew, as progress bars do."""
    lines: list[Line] = []
    style = Style()
    for raw in text.split("\n"):
        if "\x1b" not in raw and "\r" not in raw and "\b" not in raw and style == Style():
            lines.append(Line(_OTHER_CONTROLS.sub("", raw).expandtabs(8)))
            continue
        line, style = _parse_line(raw, style)
        lines.append(line)
    return lines


def _parse_line(raw: str, style: Style) -> tuple[Line, Style]:
    raw = raw.rstrip("\r")
    text = ""
    runs: list[tuple[int, int, Style]] = []
    at = 0
    while at <= len(raw):
        match = _ESCAPE.search(raw, at)
        part = raw[at : match.start() if match else len(raw)]
        for number, piece in enumerate(part.split("\r")):
            if number:
                text, runs = "", []
            piece = _OTHER_CONTROLS.sub("", _backspaced(piece))
            start = len(text)
            text = (text + piece).expandtabs(8)
            if len(text) > start and style != Style():
                runs.append((start, len(text), style))
        if match is None:
            break
        at = match.end()
        if match.group(2) == "m":
            style = _sgr(match.group(1), style)
        elif match.group(2) == "K" and match.group(1) in ("1", "2"):
            text, runs = "", []
    return Line(text, tuple(runs)), style


def _backspaced(text: str) -> str:
    while "\b" in text:
        at = text.index("\b")
        text = text[: max(0, at - 1)] + text[at + 1 :]
    return text


def _sgr(params: str, style: Style) -> Style:
    codes = [int(part) if part.isdigit() else 0 for part in params.replace(":", ";").split(";")]
    at = 0
    while at < len(codes):
        code = codes[at]
        if code == 0:
            style = Style()
        elif code == 1:
            style = replace(style, bold=True)
        elif code == 2:
            style = replace(style, faint=True)
        elif code == 4:
            style = replace(style, underline=True)
        elif code == 22:
            style = replace(style, bold=False, faint=False)
        elif code == 24:
            style = replace(style, underline=False)
        elif 30 <= code <= 37:
            style = replace(style, fore=_TOKENS[code - 30])
        elif 90 <= code <= 97:
            style = replace(style, fore=_BRIGHT_TOKENS[code - 90])
        elif 40 <= code <= 47 or 100 <= code <= 107:
            style = replace(style, back=_SOFT_TOKENS[code % 10])
        elif code == 39:
            style = replace(style, fore="")
        elif code == 49:
            style = replace(style, back="")
        elif code in (38, 48):
            color, used = _extended(codes[at + 1 :])
            at += used
            style = replace(style, fore=color) if code == 38 else replace(style, back=color)
        at += 1
    return style


def _extended(codes: list[int]) -> tuple[str, int]:
    """A colour of the 256 or of all, and how many codes say so."""
    if len(codes) >= 2 and codes[0] == 5:
        number = codes[1]
        if number < 8:
            return _TOKENS[number], 2
        if number < 16:
            return _BRIGHT_TOKENS[number - 8], 2
        if number < 232:
            red, rest = divmod(number - 16, 36)
            green, blue = divmod(rest, 6)
            return f"#{_CUBE[min(red, 5)]:02x}{_CUBE[green]:02x}{_CUBE[blue]:02x}", 2
        grey = min(8 + (number - 232) * 10, 255)
        return f"#{grey:02x}{grey:02x}{grey:02x}", 2
    if len(codes) >= 4 and codes[0] == 2:
        red, green, blue = (min(value, 255) for value in codes[1:4])
        return f"#{red:02x}{green:02x}{blue:02x}", 4
    return "", len(codes)
