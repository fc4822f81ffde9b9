"""Drawing of lines and hunk headers."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QTextLayout

from posthog_code.domain.diff_index import DiffIndex, Row, hunk_label
from posthog_code.ui.diff.columns import Columns, Half
from posthog_code.ui.diff.layouts import LineLayouts, x_of
from posthog_code.ui.theme import theme

_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_CENTER = Qt.AlignmentFlag.AlignCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_NUMBER_PAD = 6


class Marks:
    """What lies over a row's text: selected and found parts as (start, end) in UTF-16 units."""

    __slots__ = ("current", "found", "line", "selected")

    def __init__(self) -> None:
        self.selected: tuple[int, int] | None = None
        self.found: list[tuple[int, int]] = []
        self.current: tuple[int, int] | None = None
        self.line = False
        """The whole line is part of a range."""


NO_MARKS = Marks()


class RowPainter:
    """Paints rows of one index. `columns` and `offset` (horizontal scroll) are set by the view before it paints."""

    def __init__(self, layouts: LineLayouts) -> None:
        self._layouts = layouts
        self.index = DiffIndex()
        self.columns: Columns
        self.offset = 0
        self.restyle()

    def restyle(self) -> None:
        look = theme()
        self._line = look.size("row.diffLine")
        self._fonts = look.font("code"), look.font("small")
        color = look.color
        context = (color("diff.context.bg"), color("diff.context.gutter"), color("diff.lineNumber"))
        self._styles: dict[int, tuple[QColor, QColor, QColor]] = {
            Row.ADDED: (color("diff.add.bg"), color("diff.add.gutter"), color("diff.add.text")),
            Row.REMOVED: (color("diff.del.bg"), color("diff.del.gutter"), color("diff.del.text")),
        }
        self._context = context
        self._text = color("syntax.text")
        self._muted = color("text.muted")
        self._filler = color("diff.filler")
        self._border = color("border.subtle")
        self._selection = color("selection.bg")
        self._match, self._current = color("selection.match"), color("selection.matchCurrent")
        self._hunk_back, self._hunk_text = color("diff.hunk.bg"), color("diff.hunk.text")

    def line(self, p: QPainter, pair: tuple[int, int], y: int, height: int, marks: dict[str, Marks]) -> None:
        """One place. `marks` is keyed by side, "" when unified."""
        columns = self.columns
        if not columns.split:
            self._half(p, columns.new, "", pair[1], y, height, marks.get("", NO_MARKS))
            return
        self._half(p, columns.old, "old", pair[0], y, height, marks.get("old", NO_MARKS))
        self._half(p, columns.new, "new", pair[1], y, height, marks.get("new", NO_MARKS))
        p.fillRect(columns.new.left - 1, y, 1, height, self._border)

    def _half(self, p: QPainter, half: Half, side: str, row: int, y: int, height: int, marks: Marks) -> None:
        if row < 0:
            p.fillRect(half.left, y, half.right - half.left, height, self._filler)
            return
        kind = self.index.kinds[row]
        back, gutter, number_color = self._styles.get(kind, self._context)
        p.fillRect(half.left, y, half.right - half.left, height, self._selection if marks.line else back)
        if gutter != back:
            p.fillRect(half.numbers, y, half.sign - half.numbers, height, gutter)
        if kind == Row.NO_NEWLINE:
            self._note(p, half, "No newline at end of file", y)
            return
        old, new = self.index.numbers(row)
        p.setFont(self._fonts[0])
        p.setPen(number_color)
        width = self.columns.number
        if side != "new" and old:
            p.drawText(QRect(half.numbers, y, width - _NUMBER_PAD, self._line), _RIGHT, str(old))
        if side != "old" and new:
            right = half.numbers + (width if side == "" else 0)
            p.drawText(QRect(right, y, width - _NUMBER_PAD, self._line), _RIGHT, str(new))
        if kind in (Row.ADDED, Row.REMOVED):
            sign = "+" if kind == Row.ADDED else "-"
            p.drawText(QRect(half.sign, y, half.code - half.sign - 2, self._line), _CENTER, sign)
        self._code(p, half, row, y, height, marks)

    def _code(self, p: QPainter, half: Half, row: int, y: int, height: int, marks: Marks) -> None:
        layout = self._layouts.layout(row)
        clip = bool(self.offset) or self.columns.split
        if clip:
            p.save()
            p.setClipRect(half.code, y, half.width, height)
        x = half.code - self.offset
        if marks.found:
            for span in marks.found:
                fill = self._current if span == marks.current else self._match
                self._fill(p, layout, span, x, y, fill)
        if marks.selected:
            self._fill(p, layout, marks.selected, x, y, self._selection)
        p.setPen(self._text)
        layout.draw(p, QPointF(x, y), self._overlays(marks))
        if clip:
            p.restore()

    def _overlays(self, marks: Marks) -> list[QTextLayout.FormatRange]:
        """Fills of changed words are part of the layout; what is found or selected covers them."""
        pieces = []
        spans = [(span, self._current if span == marks.current else self._match) for span in marks.found]
        if marks.selected:
            spans.append((marks.selected, self._selection))
        for span, fill in spans:
            piece = QTextLayout.FormatRange()
            piece.start, piece.length = span[0], max(0, span[1] - span[0])
            piece.format.setBackground(fill)
            pieces.append(piece)
        return pieces

    def _fill(self, p: QPainter, layout: QTextLayout, span: tuple[int, int], x: int, y: int, fill: QColor) -> None:
        for number in range(layout.lineCount()):
            line = layout.lineAt(number)
            start, end = line.textStart(), line.textStart() + line.textLength()
            a, b = max(span[0], start), min(span[1], end)
            if a > b or (a == b and span[0] != span[1]):
                continue
            left, right = x_of(line, a), x_of(line, b)
            if span[1] > end and number == layout.lineCount() - 1:
                right += self._layouts.char / 2  # the line's end is selected as well
            p.fillRect(QRectF(x + left, y + number * self._line, right - left, self._line), fill)

    def note(self, p: QPainter, text: str, y: int, height: int) -> None:
        """A line about the file, over the whole width."""
        half = self.columns.new if not self.columns.split else self.columns.old
        p.fillRect(0, y, self.columns.new.right, height, self._context[0])
        self._note(p, half, text, y)

    def _note(self, p: QPainter, half: Half, text: str, y: int) -> None:
        p.setFont(self._fonts[1])
        p.setPen(self._muted)
        p.drawText(QRect(half.code, y, half.width, self._line), _LEFT, text)

    def hunk(self, p: QPainter, row: int, y: int, height: int) -> None:
        half = self.columns.old
        p.fillRect(0, y, self.columns.new.right, height, self._hunk_back)
        ranges, name = hunk_label(self.index.text(row, 400))
        p.setFont(self._fonts[0])
        p.setPen(self._hunk_text)
        rect = QRect(half.code, y, self.columns.new.right - half.code - 8, height)
        p.drawText(rect, _LEFT, f"{ranges} {name}".rstrip())
