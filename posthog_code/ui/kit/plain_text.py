"""Output of tools in a fixed-width font: wrapped like a terminal, coloured, selectable, and as long as it likes."""

from __future__ import annotations

import unicodedata
from collections import OrderedDict

from PySide6.QtCore import QPointF, QRectF, QSize
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QResizeEvent, QTextCharFormat, QTextLayout
from PySide6.QtWidgets import QSizePolicy, QWidget

from posthog_code.ui.kit.ansi import Line, Style, parse_ansi
from posthog_code.ui.kit.text_view import Position, TextView
from posthog_code.ui.theme import Theme, notifier, theme
from posthog_code.ui.theme.syntax import utf16_length

_CACHED_ROWS = 400


class PlainTextView(TextView):
    """Lines of text with ANSI colours. Each wrapped row has the same height, so its height needs no layout."""

    def __init__(self, parent: QWidget | None = None, *, font: str = "codeSmall", token: str = "terminal.text") -> None:
        super().__init__(parent)
        self._font, self._token = font, token
        self._text = ""
        self._lines: list[Line] = []
        self._rows: list[tuple[int, int, int]] = []
        """Line number, first and last character of each row."""
        self._columns = 0
        self._cache: OrderedDict[int, QTextLayout] = OrderedDict()
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        notifier().changed.connect(self._drop_layout)

    def text(self) -> str:
        return self._text

    def set_text(self, text: str) -> None:
        """Show an output with its escape sequences; the line end of the last line is not a line of its own."""
        if text == self._text:
            return
        if not (self._text and text.startswith(self._text)):
            self.clear_selection()
        self._text = text
        self._lines = parse_ansi(text.removesuffix("\n")) if text else []
        self.setAccessibleName("\n".join(line.text for line in self._lines[:60])[:4000])
        self._columns = 0
        self._wrap(self.width())
        self.updateGeometry()
        self.update()

    def line_count(self) -> int:
        return len(self._lines)

    def row_height(self) -> int:
        return theme().line(self._font)

    def height_for(self, width: int) -> int:
        self._wrap(width)
        return len(self._rows) * self.row_height()

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self.height_for(width)

    def sizeHint(self) -> QSize:
        width = self.width() or 400
        return QSize(width, self.height_for(width))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._wrap(event.size().width())

    def _drop_layout(self) -> None:
        self._columns = 0
        self._cache.clear()
        self._wrap(self.width())
        self.update()

    def _wrap(self, width: int) -> None:
        columns = max(8, int(width / theme().metrics(self._font).horizontalAdvance("0")))
        if columns == self._columns:
            return
        self._columns = columns
        self._cache.clear()
        rows: list[tuple[int, int, int]] = []
        for number, line in enumerate(self._lines):
            size = len(line.text)
            if size <= columns and line.text.isascii():
                rows.append((number, 0, size))
            else:
                rows.extend((number, start, end) for start, end in wrapped(line.text, columns))
        self._rows = rows

    # -- text

    def unit_count(self) -> int:
        return len(self._rows)

    def unit_text(self, unit: int) -> str:
        line, start, end = self._rows[unit]
        return self._lines[line].text[start:end]

    def unit_separator(self, unit: int) -> str:
        # A row that was only wrapped goes on in the next one.
        return "\n" if unit + 1 >= len(self._rows) or self._rows[unit + 1][0] != self._rows[unit][0] else ""

    def position_at(self, point: QPointF) -> Position | None:
        if not self._rows:
            return None
        row = max(0, min(int(point.y() // self.row_height()), len(self._rows) - 1))
        line = self._layout(row).lineAt(0)
        return row, int(line.xToCursor(point.x()))

    # -- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        height = self.row_height()
        first = max(0, event.rect().top() // height)
        last = min(len(self._rows) - 1, event.rect().bottom() // height)
        with QPainter(self) as painter:
            clip = QRectF(event.rect())
            for row in range(first, last + 1):
                layout = self._layout(row)
                drop = round((height - layout.lineAt(0).height()) / 2)
                layout.draw(painter, QPointF(0, row * height + drop), self.selection_formats(row), clip)

    def _layout(self, row: int) -> QTextLayout:
        found = self._cache.get(row)
        if found is not None:
            self._cache.move_to_end(row)
            return found
        look = theme()
        number, start, end = self._rows[row]
        line = self._lines[number]
        text = line.text[start:end]
        layout = QTextLayout(text, look.font(self._font))
        formats = [_format(0, utf16_length(text), Style(fore=self._token), look)]
        for low, high, style in line.runs:
            low, high = max(low, start), min(high, end)
            if low < high:
                at = utf16_length(line.text[start:low])
                formats.append(_format(at, utf16_length(line.text[low:high]), style, look))
        layout.setFormats(formats)
        layout.beginLayout()
        layout.createLine().setLineWidth(100_000)
        layout.endLayout()
        self._cache[row] = layout
        if len(self._cache) > _CACHED_ROWS:
            self._cache.popitem(last=False)
        return layout


def wrapped(text: str, columns: int) -> list[tuple[int, int]]:
    """Where rows of at most `columns` cells start and end; wide characters take two cells."""
    if text.isascii():
        return [(at, min(at + columns, len(text))) for at in range(0, len(text), columns)] or [(0, 0)]
    rows: list[tuple[int, int]] = []
    start = used = 0
    for at, char in enumerate(text):
        cells = 0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if used + cells > columns and at > start:
            rows.append((start, at))
            start, used = at, 0
        used += cells
    rows.append((start, len(text)))
    return rows


def _format(start: int, length: int, style: Style, look: Theme) -> QTextLayout.FormatRange:
    shape = QTextCharFormat()
    if style.fore or style.faint:
        shape.setForeground(_color(style.fore or "text.muted", look))
    if style.back:
        shape.setBackground(_color(style.back, look))
    if style.bold:
        shape.setFontWeight(QFont.Weight.DemiBold)
    if style.underline:
        shape.setFontUnderline(True)
    made = QTextLayout.FormatRange()
    made.start, made.length, made.format = start, length, shape
    return made


def _color(name: str, look: Theme) -> QColor:
    return QColor(name) if name.startswith("#") else look.color(name)
