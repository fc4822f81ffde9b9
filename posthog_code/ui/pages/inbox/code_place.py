"""*Where it happens*: a few lines of the file on this machine, round the likely place."""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QPointF, QRectF, QSize
from PySide6.QtGui import QAccessible, QColor, QPainter, QPaintEvent, QTextCharFormat, QTextLayout, QTextOption
from PySide6.QtWidgets import QSizePolicy, QWidget

from posthog_code.ui.kit import painting
from posthog_code.ui.kit.a11y import set_role
from posthog_code.ui.theme import Theme, notifier, theme
from posthog_code.ui.theme.syntax import Run, syntax_runs

ABOVE, BELOW = 2, 3
_LARGEST = 512 * 1024
_LONGEST = 400
_SIDE, _NUMBERS = 12, 44


@dataclass(frozen=True, slots=True)
class CodeLines:
    """Lines of a file; `mark` is the number of the likely one, 0 for none."""

    path: str
    first: int
    lines: tuple[str, ...]
    runs: tuple[list[Run], ...] = ()
    mark: int = 0


async def read_place(folder: str, path: str, line: int) -> CodeLines | None:
    """None when it is not there, or nothing to show: what a server names is only looked at inside of the folder."""
    return await asyncio.to_thread(lines_at, Path(folder), path, line)


def lines_at(folder: Path, path: str, line: int) -> CodeLines | None:
    try:
        place = (folder / path).resolve()
        root = folder.resolve()
        if root not in place.parents or ".git" in place.relative_to(root).parts:
            return None
        # Opened without waiting: a named pipe would wait for a writer.
        handle = os.open(place, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(handle, "rb") as file:
            facts = os.fstat(handle)
            if not stat.S_ISREG(facts.st_mode) or facts.st_size > _LARGEST:
                return None
            data = file.read(_LARGEST)
    except (OSError, ValueError):
        return None
    if b"\0" in data:
        return None
    text = data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\t", "    ")
    every = text.split("\n")
    if not text.strip():
        return None
    line = line if line <= len(every) else 0  # the file has changed since
    at = max(1, line)
    start = max(1, at - ABOVE)
    stop = min(len(every), at + BELOW if line else ABOVE + BELOW + 1)
    runs = syntax_runs(text, place.name)
    chosen = range(start - 1, stop)
    return CodeLines(
        path,
        start,
        tuple(every[n][:_LONGEST] for n in chosen),
        tuple(runs[n] if len(every[n]) <= _LONGEST else [] for n in chosen),
        line,
    )


class CodeView(QWidget):
    """The lines, painted as in a diff; the likely one stands out."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._code: CodeLines | None = None
        self._layouts: list[QTextLayout] = []
        set_role(self, QAccessible.Role.StaticText)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        notifier().changed.connect(self._drop)

    @property
    def code(self) -> CodeLines | None:
        return self._code

    def set_code(self, code: CodeLines | None) -> None:
        self._code = code
        spoken = "\n".join(f"{code.first + n}: {line}" for n, line in enumerate(code.lines)) if code else ""
        self.setAccessibleName(f"Code of {code.path}" if code else "Code")
        self.setAccessibleDescription(spoken)
        self._drop()

    def _drop(self) -> None:
        self._layouts = []
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        look = theme()
        return QSize(200, look.line("code") * (len(self._code.lines) if self._code else 0) + look.px(10))

    def paintEvent(self, event: QPaintEvent) -> None:
        code, look = self._code, theme()
        if code is None:
            return
        if not self._layouts:
            self._layouts = [_laid(line, runs, look) for line, runs in zip(code.lines, code.runs, strict=True)]
        height = look.line("code")
        with QPainter(self) as painter:
            painting.rounded(
                painter,
                QRectF(self.rect()),
                look.size("radius.lg"),
                look.color("surface.inset"),
                look.color("border.subtle"),
            )
            painter.setClipRect(QRectF(self.rect()).adjusted(1, 1, -1, -1))
            for number, layout in enumerate(self._layouts):
                y = look.px(5) + number * height
                marked = code.first + number == code.mark
                if marked:
                    painter.fillRect(QRectF(1, y, self.width() - 2, height), look.color("diff.del.bg"))
                gutter = QRectF(0, y, look.px(_NUMBERS) - _SIDE, height)
                token = "text.primary" if marked else "diff.lineNumber"
                shown = str(code.first + number)
                painting.text(painter, gutter, shown, look.font("code"), look.color(token), painting.RIGHT)
                line = layout.lineAt(0)
                layout.draw(painter, QPointF(look.px(_NUMBERS), y + (height - line.height()) / 2))


def _laid(text: str, runs: list[Run], look: Theme) -> QTextLayout:
    layout = QTextLayout(text, look.font("code"))
    option = QTextOption()
    option.setWrapMode(QTextOption.WrapMode.NoWrap)
    layout.setTextOption(option)
    formats = [_format(0, len(text), look.color("syntax.text"))]
    formats += [_format(start, length, look.color(token)) for start, length, token in runs]
    layout.setFormats(formats)
    layout.beginLayout()
    layout.createLine()
    layout.endLayout()
    return layout


def _format(start: int, length: int, color: QColor) -> QTextLayout.FormatRange:
    made = QTextLayout.FormatRange()
    words = QTextCharFormat()
    words.setForeground(color)
    made.start, made.length, made.format = start, length, words
    return made
