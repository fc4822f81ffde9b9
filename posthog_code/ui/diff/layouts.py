"""Laid out lines: text, syntax colours and changed words, kept for what was painted last."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from PySide6.QtCore import QPointF
from PySide6.QtGui import QFontMetricsF, QTextCharFormat, QTextLayout, QTextLine, QTextOption

from posthog_code.domain.diff_index import DiffIndex, Row
from posthog_code.domain.diff_words import Span, word_changes
from posthog_code.ui.diff.syntax import Syntax
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.syntax import Run, utf16_length

_KEPT = 1500
_LONGEST = 5000
"""Bytes of a line that are drawn; more only makes Qt slow. Copies are whole."""
_WINDOW = 2000
_TAB = 4
_UNBOUND = 1e6

_SHOWN = {code: 0x2400 + code for code in range(32) if code != 9}
_SHOWN.update({0x7F: 0x2421, 0x85: 0x2424, 0x2028: 0x2424, 0x2029: 0x2424})
# Marks that change the order of letters can make code read as something else than it is.
_SHOWN.update(dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)], 0xFFFD))


def x_of(line: QTextLine, position: int) -> float:
    """Where a character of a laid out line begins."""
    found: Any = line.cursorToX(position)  # PySide gives (x, position), its stubs say otherwise
    return float(found[0])


class WordChanges:
    """Which removed line stands against which added one, and the words that differ."""

    def __init__(self, index: DiffIndex) -> None:
        self._index = index
        self._spans: OrderedDict[int, tuple[Span, ...]] = OrderedDict()

    def partner(self, row: int) -> int:
        """The line that a changed line replaces or is replaced by; -1 for none."""
        kinds = self._index.kinds
        low = max(0, row - _WINDOW)
        before = bytes(kinds[low : row + 1])
        if kinds[row] == Row.ADDED:
            added = low + len(before.rstrip(b"+"))
            end = added - 1 if added and kinds[added - 1] == Row.NO_NEWLINE else added
            removed = low + len(before[: max(0, end - low)].rstrip(b"-"))
            found = removed + row - added
            return found if found < end else -1
        removed = low + len(before.rstrip(b"-"))
        after = bytes(kinds[row : row + _WINDOW])
        added = row + len(after) - len(after.lstrip(b"-"))
        if added < len(kinds) and kinds[added] == Row.NO_NEWLINE:
            added += 1
        found = added + row - removed
        run = bytes(kinds[added : found + 1])
        return found if run and not run.strip(b"+") and found < len(kinds) else -1

    def spans(self, row: int, text: str) -> tuple[Span, ...]:
        known = self._spans.get(row)
        if known is None:
            partner = self.partner(row)
            if partner < 0:
                known = ()
            else:
                other = self._index.text(partner, _LONGEST).rstrip("\r").translate(_SHOWN)
                if self._index.kinds[row] == Row.REMOVED:
                    known, theirs = word_changes(text, other)
                else:
                    theirs, known = word_changes(other, text)
                self._spans[partner] = theirs
            self._spans[row] = known
            while len(self._spans) > 2 * _KEPT:
                self._spans.popitem(last=False)
        return known


class LineLayouts:
    """Text layouts by row of the index."""

    def __init__(self, syntax: Syntax) -> None:
        self._syntax = syntax
        self._index = DiffIndex()
        self._words = WordChanges(self._index)
        self._made: OrderedDict[int, tuple[QTextLayout, bool]] = OrderedDict()
        self._formats: dict[str, QTextCharFormat] = {}
        self._option = QTextOption()
        self.wrap_width = 0.0
        """Pixels; 0 for one line each."""
        self.word_changes = True
        self.restyle()

    def restyle(self) -> None:
        """Fonts or colours have changed."""
        self.font = theme().font("code")
        self.char = QFontMetricsF(self.font).horizontalAdvance("0")
        self._formats.clear()
        self._set_option()
        self._made.clear()

    def set_index(self, index: DiffIndex) -> None:
        self._index = index
        self._words = WordChanges(index)
        self._made.clear()

    def set_wrap(self, width: float) -> None:
        if width != self.wrap_width:
            self.wrap_width = width
            self._set_option()
            self._made.clear()

    def clear(self) -> None:
        self._made.clear()

    def _set_option(self) -> None:
        mode = QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere if self.wrap_width else QTextOption.WrapMode.NoWrap
        self._option = QTextOption()
        self._option.setWrapMode(mode)
        self._option.setTabStopDistance(_TAB * self.char)

    def text(self, row: int) -> str:
        """A line as it is drawn: one character for each of the line's, with none that moves others."""
        text = self._index.text(row, _LONGEST)
        if text.endswith("\r"):
            text = text[:-1]
            if self._index.kinds[row] in (Row.ADDED, Row.REMOVED):
                partner = self._words.partner(row)
                if partner >= 0 and self._index.text(partner, _LONGEST) == text:
                    text += "\r"  # the line's end is all that changed
        return text if text.isascii() and text.isprintable() else text.translate(_SHOWN)

    def lines(self, row: int) -> int:
        """How many lines a row takes; most are known from their length alone."""
        if not self.wrap_width:
            return 1
        if self._index.length(row) * self.char < self.wrap_width and b"\t" not in self._index.line(row):
            return 1
        return max(1, self.layout(row).lineCount())

    def layout(self, row: int) -> QTextLayout:
        made = self._made.get(row)
        if made is not None and made[1]:
            return made[0]
        changed = self._index.kinds[row] in (Row.ADDED, Row.REMOVED)
        lexed = changed or self._index.kinds[row] == Row.CONTEXT
        runs = self._syntax.runs(row) if lexed else []
        if made is not None and runs is None:
            return made[0]
        text = self.text(row)
        layout = QTextLayout(text, self.font)
        layout.setTextOption(self._option)
        layout.setCacheEnabled(True)
        words = self._words.spans(row, text) if changed and self.word_changes else ()
        layout.setFormats(self._ranges(text, runs or [], words, self._index.kinds[row]))
        layout.beginLayout()
        y, line_height = 0.0, theme().size("row.diffLine")
        while True:
            line = layout.createLine()
            if not line.isValid():
                break
            line.setLineWidth(self.wrap_width or _UNBOUND)
            line.setPosition(QPointF(0.0, y + (line_height - line.height()) / 2))
            y += line_height
        layout.endLayout()
        self._made[row] = (layout, runs is not None)
        if len(self._made) > _KEPT:
            self._made.popitem(last=False)
        return layout

    def _ranges(self, text: str, runs: list[Run], words: tuple[Span, ...], kind: int) -> list[QTextLayout.FormatRange]:
        ranges = [_range(start, length, self._format(path)) for start, length, path in runs]
        fill = self._format("diff.add.word" if kind == Row.ADDED else "diff.del.word", back=True)
        for start, end in words:
            if not text.isascii():
                start, end = utf16_length(text[:start]), utf16_length(text[:end])
            ranges.append(_range(start, end - start, fill))
        return ranges

    def _format(self, path: str, back: bool = False) -> QTextCharFormat:
        found = self._formats.get(path)
        if found is None:
            found = self._formats[path] = QTextCharFormat()
            if back:
                found.setBackground(theme().color(path))
            else:
                found.setForeground(theme().color(path))
                if path == "syntax.comment":
                    found.setFontItalic(True)
        return found


def _range(start: int, length: int, style: QTextCharFormat) -> QTextLayout.FormatRange:
    made = QTextLayout.FormatRange()
    made.start, made.length, made.format = start, length, style
    return made
