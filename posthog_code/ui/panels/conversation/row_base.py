"""Rows paint themselves; this is what they have in common."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QPainter,
    QPaintEvent,
    QPen,
    QTextCharFormat,
    QTextLayout,
    QTextOption,
)
from PySide6.QtWidgets import QWidget

from posthog_code.ui.panels.conversation.blocks import Block
from posthog_code.ui.panels.conversation.view_state import ViewState
from posthog_code.ui.theme import Theme, theme

GAP = 12
"""Below each row."""


class Row(QWidget):
    """One mounted row. `show_block` binds it, `draw` paints it."""

    def __init__(self, view: ViewState) -> None:
        super().__init__()
        self.view = view
        self.block = Block("", "", 0, 0)
        self.setMouseTracking(True)

    def show_block(self, block: Block, width: int) -> int:
        """Show a block at this width; gives the height with the room below it."""
        self.block = block
        height = self.measure(width)
        self.setAccessibleName(self.spoken())
        self.update()
        return height

    def measure(self, width: int) -> int:
        raise NotImplementedError

    def draw(self, painter: QPainter, look: Theme, exposed: QRectF) -> None:
        raise NotImplementedError

    def spoken(self) -> str:
        """What a screen reader says for the row."""
        return ""

    def plain_text(self) -> str:
        """What *copy* takes."""
        return self.spoken()

    def is_current(self) -> bool:
        return self.view.focused and self.view.current == self.block.key

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            if self.view.found == self.block.key and self.view.query:
                painter.fillRect(QRectF(0, 0, self.width(), self.height() - GAP), look.alpha("selection.match", 0.45))
            self.draw(painter, look, QRectF(event.rect()))
            if self.is_current():
                ring = QRectF(1, 1, self.width() - 2, self.height() - GAP - 2)
                paint_ring(painter, ring, look)


def paint_ring(painter: QPainter, rect: QRectF, look: Theme, radius: float = 6) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(look.color("focus.ring"), 2))
    painter.drawRoundedRect(rect, radius, radius)


def paint_card(
    painter: QPainter, rect: QRectF, look: Theme, *, fill: str = "surface.raised", border: str = "border.subtle"
) -> None:
    painter.setBrush(look.color(fill) if fill else Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(look.color(border), 1))
    painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)


def draw_text(
    painter: QPainter,
    rect: QRectF,
    text: str,
    font: QFont,
    color: QColor,
    *,
    align: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
    elide: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
) -> float:
    """One line of text, elided to fit; gives its width."""
    metrics = QFontMetricsF(font)
    shown = metrics.elidedText(text, elide, max(0.0, rect.width()))
    painter.setFont(font)
    painter.setPen(color)
    painter.drawText(rect, int(align | Qt.AlignmentFlag.AlignVCenter) | int(Qt.TextFlag.TextSingleLine), shown)
    return metrics.horizontalAdvance(shown)


class Paragraph:
    """Wrapped text in one font, with `code` and @mentions in their own look."""

    def __init__(self, text: str, style: str = "body", color: str = "text.primary", *, rich: bool = False) -> None:
        self._style, self._color = style, color
        self._layouts: list[QTextLayout] = []
        self._width = -1
        self._rich = rich
        self.text = text.replace("\r\n", "\n").strip("\n")
        self._theme_key: tuple[object, ...] = ()
        self.height = 0

    def set_color(self, token: str) -> None:
        self._color = token

    def layout(self, width: int) -> int:
        look = theme()
        if width == self._width and look.key == self._theme_key:
            return self.height
        self._width, self._theme_key = width, look.key
        line_height = look.line(self._style)
        font = look.font(self._style)
        self._layouts = []
        y = 0.0
        for paragraph in self.text.split("\n"):
            shown, formats = _inline_formats(paragraph, look) if self._rich else (paragraph, [])
            layout = QTextLayout(shown, font)
            option = QTextOption()
            option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
            layout.setTextOption(option)
            layout.setFormats(formats)
            layout.beginLayout()
            while True:
                line = layout.createLine()
                if not line.isValid():
                    break
                line.setLineWidth(max(1, width))
                line.setPosition(QPointF(0, y + (line_height - line.height()) / 2))
                y += line_height
            layout.endLayout()
            self._layouts.append(layout)
        self.height = round(y)
        return self.height

    def draw(self, painter: QPainter, x: float, y: float, look: Theme) -> None:
        painter.setPen(look.color(self._color))
        for layout in self._layouts:
            layout.draw(painter, QPointF(x, y))


def _inline_formats(text: str, look: Theme) -> tuple[str, list[QTextLayout.FormatRange]]:
    """The text without its backticks, and what was between them as code; mentions of files in the accent colour."""
    shown: list[str] = []
    formats: list[QTextLayout.FormatRange] = []
    length = 0
    for number, part in enumerate(text.split("`")) if text.count("`") >= 2 else [(0, text)]:
        if number % 2 and part:
            code = QTextCharFormat()
            code.setFont(look.font("code"))
            code.setBackground(look.color("surface.inset"))
            formats.append(_range(length, len(part), code))
        else:
            for word_at, word in _mentions(part):
                mention = QTextCharFormat()
                mention.setForeground(look.color("accent.text"))
                mention.setBackground(look.color("accent.soft"))
                formats.append(_range(length + word_at, len(word), mention))
        shown.append(part)
        length += len(part)
    return "".join(shown), formats


def _mentions(text: str) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    at = text.find("@")
    while at >= 0:
        end = at + 1
        while end < len(text) and not text[end].isspace():
            end += 1
        word = text[at:end].rstrip(".,;:!?)")
        if len(word) > 1 and (at == 0 or text[at - 1].isspace()):
            found.append((at, word))
        at = text.find("@", end)
    return found


def _range(start: int, length: int, char_format: QTextCharFormat) -> QTextLayout.FormatRange:
    made = QTextLayout.FormatRange()
    made.start, made.length, made.format = start, length, char_format
    return made
