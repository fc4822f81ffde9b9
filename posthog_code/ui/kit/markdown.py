"""Markdown, painted: fast enough to be laid out again with every word an agent writes."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QGuiApplication, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from posthog_code.ui.kit import painting
from posthog_code.ui.kit.md_blocks import Block, Chunk, parse
from posthog_code.ui.kit.md_layout import LaidBlock, Unit
from posthog_code.ui.kit.plain_text import PlainTextView
from posthog_code.ui.kit.text_view import Position, TextView
from posthog_code.ui.kit.warm_lexers import warm_lexers
from posthog_code.ui.theme import notifier, theme
from posthog_code.ui.theme.icons import paint_icon

__all__ = ["MarkdownView", "PlainTextView"]

_COPIED_MS = 1500
_COPY_SIDE = 24


class MarkdownView(TextView):
    """A Markdown text with selectable words, links, coloured code and a copy button on each code block.

    `height_for` gives its height at a width; the owner sizes it. Text that is appended lays out only the last block.
    Nothing is ever fetched: images are links, raw HTML is text.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._source = ""
        self._chunks: list[Chunk] = []
        self._blocks: list[Block] = []
        self._laid: list[LaidBlock] = []
        self._tops: list[float] = []
        self._units: list[tuple[int, Unit]] = []
        self._width = 0
        self._height = 0
        self._hover_block = self._copied_block = -1
        self._copied_timer = QTimer(self)
        self._copied_timer.setSingleShot(True)
        self._copied_timer.timeout.connect(self._forget_copied)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        notifier().changed.connect(self._drop_layout)
        warm_lexers().ready.connect(self._color)

    # -- content

    def markdown(self) -> str:
        return self._source

    def set_markdown(self, text: str) -> None:
        """Show a text. When it only continues the one that is shown, what is above its last element stays laid out."""
        if text == self._source:
            return
        grows = bool(self._source) and text.startswith(self._source)
        if grows and len(self._chunks) > 1:
            kept, first = self._chunks[:-1], self._chunks[-1].line
            tail = _from_line(text, first)
            fresh = [Chunk(chunk.line + first, chunk.blocks) for chunk in parse(tail)]
            self._chunks = [*kept, *fresh]
        else:
            self._chunks = parse(text)
        if not grows:
            self.clear_selection()
            self._hover_block = self._copied_block = -1
        self._source = text
        self._blocks = [block for chunk in self._chunks for block in chunk.blocks]
        self.setAccessibleName(text[:4000])
        if self._width:
            self._lay_out(self._width)
        self.updateGeometry()
        self.update()

    def height_for(self, width: int) -> int:
        """Height of the text at this width, in pixels."""
        if width != self._width:
            self._lay_out(width)
        return self._height

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self.height_for(width)

    def sizeHint(self) -> QSize:
        return QSize(self._width or 400, self.height_for(self._width or 400))

    def _color(self) -> None:
        """Lexers have come: colours change no height."""
        if any(item.pale for item in self._laid):
            self._drop_layout()

    def _drop_layout(self) -> None:
        self._laid = []
        if self._width:
            self._lay_out(self._width)
        self.update()

    def _lay_out(self, width: int) -> None:
        if width != self._width:
            self._laid, self._width = [], width
        laid: list[LaidBlock] = []
        last = len(self._blocks) - 1
        for number, block in enumerate(self._blocks):
            old = self._laid[number] if number < len(self._laid) else None
            same = old is not None and old.block == block and (not old.growing or number == last)
            laid.append(old if same and old is not None else LaidBlock(block, width, growing=number == last))
        self._laid = laid
        self._tops, self._units = [], []
        y = 0.0
        for number, item in enumerate(laid):
            y += _gap(laid[number - 1].block, item.block) if number else 0
            self._tops.append(y)
            self._units.extend((number, unit) for unit in item.units)
            y += item.height
        self._height = round(y + 0.49)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != self._width:
            self._lay_out(event.size().width())

    # -- text

    def unit_count(self) -> int:
        return len(self._units)

    def unit_text(self, unit: int) -> str:
        return self._units[unit][1].text

    def unit_separator(self, unit: int) -> str:
        block, item = self._units[unit]
        following = self._units[unit + 1][0] if unit + 1 < len(self._units) else block
        if following == block or _close(self._laid[block].block, self._laid[following].block):
            return item.separator
        return "\n\n"

    def position_at(self, point: QPointF) -> Position | None:
        if not self._units:
            return None
        best, distance = 0, float("inf")
        for number, (block, unit) in enumerate(self._units):
            top = self._tops[block] + unit.y
            dy = max(top - point.y(), 0, point.y() - (top + unit.height))
            dx = abs(point.x() - unit.x) / 10_000 if point.x() >= unit.x else 0.5
            if dy + dx < distance:
                best, distance = number, dy + dx
        block, unit = self._units[best]
        inner = QPointF(point.x() - unit.x, point.y() - self._tops[block] - unit.y)
        return best, _offset_in(unit, inner)

    def link_at(self, point: QPointF) -> str:
        for block, unit in self._units:
            inner = QPointF(point.x() - unit.x, point.y() - self._tops[block] - unit.y)
            if not unit.links or not 0 <= inner.y() < unit.height:
                continue
            for start, end, href in unit.links:
                if any(box.adjusted(0, -3, 0, 3).contains(inner) for box in unit.boxes(start, end)):
                    return href
        return ""

    # -- copy buttons of code blocks

    def _copy_rect(self, number: int) -> QRectF:
        box = self._laid[number].code_box().translated(0, self._tops[number])
        if box.isEmpty():
            return QRectF()
        return QRectF(box.right() - _COPY_SIDE - 5, box.top() + 5, _COPY_SIDE, _COPY_SIDE)

    def _code_at(self, point: QPointF) -> int:
        boxes = (item.code_box().translated(0, self._tops[n]) for n, item in enumerate(self._laid))
        return next((n for n, box in enumerate(boxes) if box.contains(point)), -1)

    def cursor_at(self, point: QPointF) -> Qt.CursorShape:
        over = self._code_at(point)
        if over != self._hover_block:
            self._hover_block = over
            self.update()
        if over >= 0 and self._copy_rect(over).contains(point):
            return Qt.CursorShape.ArrowCursor
        return Qt.CursorShape.IBeamCursor

    def leaveEvent(self, event: object) -> None:
        if self._hover_block >= 0:
            self._hover_block = -1
            self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        number = self._code_at(event.position())
        if number >= 0 and self._copy_rect(number).contains(event.position()):
            QGuiApplication.clipboard().setText(self._laid[number].block.content.text)
            self._copied_block = number
            self._copied_timer.start(_COPIED_MS)
            self.update()
            return
        super().mousePressEvent(event)

    mouseDoubleClickEvent = mousePressEvent

    def _forget_copied(self) -> None:
        self._copied_block = -1
        self.update()

    # -- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        clip, look = QRectF(event.rect()), theme()
        with QPainter(self) as painter:
            for number, item in enumerate(self._laid):
                top = self._tops[number]
                if top + item.height >= clip.top() and top <= clip.bottom():
                    item.paint_under(painter, top)
            for number, (block, unit) in enumerate(self._units):
                y = self._tops[block] + unit.y
                if y + unit.height >= clip.top() and y <= clip.bottom():
                    for box in unit.code_boxes:
                        behind = box.translated(unit.x, y)
                        painting.rounded(painter, behind, look.size("radius.sm"), look.color("surface.inset"))
                    unit.layout.draw(painter, QPointF(unit.x, y), self.selection_formats(number), clip)
            for number in range(len(self._laid)):
                self._paint_copy(painter, number)

    def _paint_copy(self, painter: QPainter, number: int) -> None:
        rect = self._copy_rect(number)
        if rect.isEmpty():
            return
        look = theme()
        done = number == self._copied_block
        if number == self._hover_block:
            painting.rounded(painter, rect, 5, look.color("surface.overlay"), look.color("border.strong"))
        box = QRectF(0, 0, 14, 14)
        box.moveCenter(rect.center())
        paint_icon(painter, box, "ph.check" if done else "ph.copy", "glyph.success" if done else "text.muted")


def _gap(above: Block, below: Block) -> int:
    """Room between two blocks."""
    if below.kind == "heading":
        return 16 if below.level <= 2 else 12
    if above.kind == "heading":
        return 4
    return 3 if _close(above, below) else 10


def _close(above: Block, below: Block) -> bool:
    """Whether two blocks are items of one list, or parts of one item."""
    return below.tight and above.indent > 0


def _from_line(text: str, line: int) -> str:
    at = 0
    for _ in range(line):
        at = text.index("\n", at) + 1
    return text[at:]


def _offset_in(unit: Unit, point: QPointF) -> int:
    layout = unit.layout
    chosen = layout.lineAt(0) if layout.lineCount() else None
    for number in range(layout.lineCount()):
        line = layout.lineAt(number)
        chosen = line
        if point.y() < line.y() + line.height() + 3:
            break
    return int(chosen.xToCursor(point.x())) if chosen is not None else 0
