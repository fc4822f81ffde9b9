"""Blocks of Markdown laid out as text at a width."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QTextCharFormat, QTextLayout, QTextLine, QTextOption

from posthog_code.ui.kit import painting
from posthog_code.ui.kit.md_blocks import LINE, Block, Text
from posthog_code.ui.kit.warm_lexers import warm_lexers
from posthog_code.ui.theme import Theme, theme
from posthog_code.ui.theme.syntax import syntax_runs, utf16_length

INDENT = 22
QUOTE = 14
CODE_PADDING = 10
CELL_SIDE, CELL_TOP = 10, 5
MAX_COLORED_WHILE_GROWING = 6000
"""A longer code block that still grows is coloured once it is complete."""


@dataclass(slots=True)
class Unit:
    """One piece of selectable text and where it is within its block."""

    layout: QTextLayout
    x: float
    y: float
    height: float
    separator: str = "\n"
    """What stands between it and the next one in copied text."""
    links: list[tuple[int, int, str]] = field(default_factory=list)
    codes: list[tuple[int, int]] = field(default_factory=list)
    """Where inline code is."""
    code_boxes: list[QRectF] = field(default_factory=list)
    """The boxes behind inline code, once the lines are broken."""

    @property
    def text(self) -> str:
        return self.layout.text()

    def boxes(self, start: int, end: int) -> Iterator[QRectF]:
        """Where a range of the text is: one box for each line it is on."""
        for number in range(self.layout.lineCount()):
            line = self.layout.lineAt(number)
            low, high = max(start, line.textStart()), min(end, line.textStart() + line.textLength())
            if low < high:
                left, right = cursor_x(line, low), cursor_x(line, high)
                yield QRectF(left, line.y(), right - left, line.height())


class LaidBlock:
    """A block with its text laid out at one width."""

    def __init__(self, block: Block, width: int, growing: bool = False) -> None:
        self.block, self.width, self.growing = block, width, growing
        self.units: list[Unit] = []
        self.height = 0.0
        self.pale = False
        """Code that waits for its lexer."""
        self._boxes: list[QRectF] = []
        self._left = block.quote * QUOTE + block.indent * INDENT
        look = theme()
        if block.kind == "code":
            self._lay_code(look)
        elif block.kind == "table":
            self._lay_table(look)
        elif block.kind == "rule":
            self.height = 9
        else:
            self._lay_text(look)
        for unit in self.units:
            unit.code_boxes = [box.adjusted(-3, -1, 3, 1) for part in unit.codes for box in unit.boxes(*part)]

    # -- laying out

    def _style(self) -> str:
        if self.block.kind == "heading":
            return "title" if self.block.level <= 2 else "heading"
        return "reading"

    def _lay_text(self, look: Theme) -> None:
        style = self._style()
        token = "text.secondary" if self.block.quote else "text.primary"
        unit = make_unit(self.block.content, look.font(style), look.color(token), look)
        unit.x = self._left
        unit.height = fill_lines(unit.layout, max(20, self.width - self._left), look.line(style))
        self.units = [unit]
        self.height = unit.height

    def _lay_code(self, look: Theme) -> None:
        source = self.block.content.text.expandtabs(4)
        layout = QTextLayout(source.replace("\n", LINE), look.font("code"))
        formats = [_range(0, utf16_length(source), look.color("syntax.text"))]
        if not (self.growing and len(source) > MAX_COLORED_WHILE_GROWING):
            if warm_lexers().ask(self.block.language, source):
                formats += code_formats(source, self.block.language, look)
            else:
                self.pale = True
        layout.setFormats(formats)
        unit = Unit(layout, self._left + CODE_PADDING + 2, CODE_PADDING, 0)
        room = max(20, self.width - self._left - 2 * CODE_PADDING - 4)
        unit.height = fill_lines(layout, room, look.line("code"))
        self.units = [unit]
        self.height = unit.height + 2 * CODE_PADDING

    def _lay_table(self, look: Theme) -> None:
        rows = self.block.rows
        columns = max((len(row) for row in rows), default=0)
        if not columns:
            return
        cells = [
            [
                make_unit(text, look.font("smallStrong" if number == 0 else "small"), look.color("text.primary"), look)
                for text in row
            ]
            for number, row in enumerate(rows)
        ]
        natural = [1.0] * columns
        for row in cells:
            for column, cell in enumerate(row):
                natural[column] = max(natural[column], natural_width(cell.layout) + 2 * CELL_SIDE)
        widths = share_widths(natural, self.width - self._left)
        y = 0.0
        for row in cells:
            x, height = float(self._left), 0.0
            for column, cell in enumerate(row):
                align = self.block.aligns[column] if column < len(self.block.aligns) else "left"
                room = widths[column] - 2 * CELL_SIDE
                cell.height = fill_lines(cell.layout, max(10, room), look.line("small"), align=align)
                cell.x, cell.y = x + CELL_SIDE, y + CELL_TOP
                cell.separator = "\n" if column == len(row) - 1 else "\t"
                height = max(height, cell.height + 2 * CELL_TOP)
                x += widths[column]
                self.units.append(cell)
            self._boxes.append(QRectF(self._left, y, sum(widths), height))
            y += height
        self.height = y

    # -- what is under a point

    def code_box(self) -> QRectF:
        """The box of a code block, for its copy button; empty for others."""
        if self.block.kind != "code":
            return QRectF()
        return QRectF(self._left, 0, self.width - self._left, self.height)

    # -- painting

    def paint_under(self, painter: QPainter, y: float) -> None:
        """Boxes, lines and markers that stand behind or beside the text."""
        look, block = theme(), self.block
        for depth in range(block.quote):
            painter.fillRect(QRectF(depth * QUOTE, y, 2, self.height), look.color("border.strong"))
        if block.marker:
            box = QRectF(self._left - INDENT, y + (CODE_PADDING if block.kind == "code" else 0), INDENT - 7, 0)
            box.setHeight(look.line(self._style()))
            font = look.font("reading", tabular=True)
            align = painting.RIGHT if block.marker[0].isdigit() else painting.CENTER
            if painting.text_width(block.marker, font) > box.width():
                box.setLeft(box.left() - 12)
            painting.text(painter, box, block.marker, font, look.color("text.muted"), align)
        if block.kind == "code":
            fill, line = look.color("surface.inset"), look.color("border.subtle")
            painting.rounded(painter, self.code_box().translated(0, y), look.size("radius.lg"), fill, line)
        elif block.kind == "rule":
            painting.hairline(painter, self._left, y + 4, self.width, y + 4, look.color("border.subtle"))
        elif block.kind == "table" and self._boxes:
            whole = self._boxes[0].united(self._boxes[-1]).translated(0, y)
            painting.rounded(painter, whole, look.size("radius.md"), None, look.color("border.subtle"))
            for box in self._boxes[1:]:
                line = look.color("border.subtle")
                painting.hairline(painter, box.left(), y + box.top(), box.right(), y + box.top(), line)


def make_unit(content: Text, font: QFont, color: QColor, look: Theme) -> Unit:
    """A unit with the formats of a text's spans, not yet broken into lines."""
    text = content.text
    layout = QTextLayout(text, font)
    layout.setCacheEnabled(True)
    formats = [_range(0, utf16_length(text), color)]
    links: list[tuple[int, int, str]] = []
    codes: list[tuple[int, int]] = []
    for span in content.spans:
        start = utf16_length(text[: span.start])
        length = utf16_length(text[span.start : span.end])
        shape = QTextCharFormat()
        if span.style == "strong":
            shape.setFontWeight(QFont.Weight.DemiBold)
        elif span.style == "emphasis":
            # The design has no italics in text.
            shape.setFontWeight(QFont.Weight.Medium)
        elif span.style == "strike":
            shape.setFontStrikeOut(True)
        elif span.style == "code":
            mono = QFont(look.font("code"))
            mono.setPixelSize(max(1, font.pixelSize() - 1))
            shape.setFont(mono, QTextCharFormat.FontPropertiesInheritanceBehavior.FontPropertiesSpecifiedOnly)
            codes.append((start, start + length))
            shape.setForeground(color)
        else:
            shape.setForeground(look.color("text.link"))
            links.append((start, start + length, span.href))
        formats.append(_format_range(start, length, shape))
    layout.setFormats(formats)
    return Unit(layout, 0, 0, 0, links=links, codes=codes)


def code_formats(source: str, language: str, look: Theme) -> list[QTextLayout.FormatRange]:
    """Syntax colours of a code block whose lines stand in one layout."""
    formats: list[QTextLayout.FormatRange] = []
    offset = 0
    for line, runs in zip(source.split("\n"), syntax_runs(source, language), strict=True):
        for start, length, token in runs:
            item = _range(offset + start, length, look.color(token))
            if token == "syntax.comment":
                shape = item.format
                shape.setFontItalic(True)
                item.format = shape
            formats.append(item)
        offset += utf16_length(line) + 1
    return formats


def fill_lines(layout: QTextLayout, width: float, line_height: int, *, align: str = "left") -> float:
    """Break a layout into lines of a fixed height; gives the height of all."""
    option = QTextOption()
    option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
    if align != "left":
        option.setAlignment(Qt.AlignmentFlag.AlignRight if align == "right" else Qt.AlignmentFlag.AlignHCenter)
    layout.setTextOption(option)
    layout.beginLayout()
    y = 0.0
    while (line := layout.createLine()).isValid():
        line.setLineWidth(width)
        line.setPosition(QPointF(0, y + round((line_height - line.height()) / 2)))
        y += line_height
    layout.endLayout()
    return y


def natural_width(layout: QTextLayout) -> float:
    """Width of the text on as few lines as it has."""
    layout.beginLayout()
    width = 0.0
    while (line := layout.createLine()).isValid():
        line.setLineWidth(100_000)
        width = max(width, line.naturalTextWidth())
    layout.endLayout()
    return width + 1


def share_widths(natural: list[float], room: float) -> list[float]:
    """Column widths that fit the room: narrow columns keep their width, wide ones share what is left."""
    if sum(natural) <= room:
        return natural
    widths = list(natural)
    fixed: set[int] = set()
    while len(fixed) < len(natural):
        left = room - sum(widths[n] for n in fixed)
        share = left / (len(natural) - len(fixed))
        small = {n for n in range(len(natural)) if n not in fixed and natural[n] <= share}
        if not small:
            for n in range(len(natural)):
                if n not in fixed:
                    widths[n] = max(2 * CELL_SIDE + 10, share)
            break
        fixed |= small
    return widths


def cursor_x(line: QTextLine, position: int) -> float:
    # PySide gives a pair: the x, and the position that was really used.
    found: Any = line.cursorToX(position)
    return float(found[0] if isinstance(found, tuple) else found)


def _range(start: int, length: int, color: QColor) -> QTextLayout.FormatRange:
    shape = QTextCharFormat()
    shape.setForeground(color)
    return _format_range(start, length, shape)


def _format_range(start: int, length: int, shape: QTextCharFormat) -> QTextLayout.FormatRange:
    made = QTextLayout.FormatRange()
    made.start, made.length, made.format = start, length, shape
    return made
