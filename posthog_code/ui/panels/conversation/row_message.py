"""Rows of what is said: the person's messages and the agent's thoughts."""

from __future__ import annotations

import os.path

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QMouseEvent, QPainter, QPen

from posthog_code.domain import text
from posthog_code.domain.fences import Part, split_fences
from posthog_code.domain.transcript import Thought, UserMessage
from posthog_code.ui.kit import painting
from posthog_code.ui.kit.spinner import arc_clock
from posthog_code.ui.panels.conversation import words
from posthog_code.ui.panels.conversation.row_base import GAP, Paragraph, Row, draw_text, paint_card
from posthog_code.ui.theme import Theme, theme
from posthog_code.ui.theme.glyphs import Glyph, paint_glyph
from posthog_code.ui.theme.icons import paint_icon

_FOLD_LINES = 14
"""A longer message of the person is folded to this many lines."""
_CODE_INSET, _PART_GAP = 8, 6


class UserRow(Row):
    """A card with name, time, text (plain but for fenced code) and attachments."""

    _parts: tuple[tuple[Paragraph, bool], ...] = ()
    """From top to bottom; True for code."""
    _message = UserMessage(key="", at=0.0)
    _folded = False

    def message(self) -> UserMessage:
        item = self.view.transcript.items[self.block.first]
        assert isinstance(item, UserMessage)
        return item

    def measure(self, width: int) -> int:
        item = self._message = self.message()
        opened = self.block.key in self.view.opened
        shown = item.text.strip()
        lines = shown.split("\n")
        self._folded = not opened and (len(lines) > _FOLD_LINES or len(shown) > 3000)
        if self._folded:
            shown = "\n".join(lines[:_FOLD_LINES])[:3000]
        self._parts = tuple((_paragraph(part), part.code) for part in split_fences(shown))
        height = 12 + 20 + 12
        for number, (paragraph, code) in enumerate(self._parts):
            inset = _CODE_INSET if code else 0
            height += paragraph.layout(width - 26 - 2 * inset) + 2 * inset + (_PART_GAP if number else 0)
        if self._folded:
            height += 22
        if item.attachments:
            height += theme().size("control.chip") + 8
        return height + GAP

    def draw(self, painter: QPainter, look: Theme, exposed: QRectF) -> None:
        card = QRectF(0, 0, self.width(), self.height() - GAP)
        paint_card(painter, card, look)
        avatar = QRectF(12, 10, 18, 18)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(look.color("status.questionSoft"))
        painter.drawEllipse(avatar)
        paint_icon(painter, avatar.adjusted(4, 4, -4, -4), "ph.user", "status.question")
        author = self.view.author if self._message.turn <= 1 else "You"
        width = draw_text(painter, QRectF(37, 10, 260, 18), author, look.font("small"), look.color("text.secondary"))
        turn = f"turn {self._message.turn}" if self._message.turn > 1 else ""
        where = QRectF(37 + width + 8, 10, 100, 18)
        draw_text(painter, where, turn, look.font("caption"), look.color("text.muted"))
        time = QRectF(card.right() - 72, 10, 60, 18)
        right = Qt.AlignmentFlag.AlignRight
        draw_text(
            painter,
            time,
            words.clock(self._message.at),
            look.font("caption", tabular=True),
            look.color("text.muted"),
            align=right,
        )
        y = 32.0
        for number, (paragraph, code) in enumerate(self._parts):
            y += _PART_GAP if number else 0
            inset = _CODE_INSET if code else 0
            whole = paragraph.height + 2 * inset
            if code:
                painting.rounded(painter, QRectF(13, y, self.width() - 26, whole), 5, look.color("surface.inset"))
            paragraph.draw(painter, 13 + inset, y + inset, look)
            y += whole
        if self._folded:
            more = QRectF(13, y + 2, 200, 20)
            draw_text(painter, more, "Show the whole message", look.font("small"), look.color("text.muted"))
            y += 22
        self._draw_attachments(painter, look, y + 8)

    def _draw_attachments(self, painter: QPainter, look: Theme, y: float) -> None:
        x, height = 12.0, look.size("control.chip")
        metrics = look.metrics("small")
        for path in self._message.attachments:
            name = text.elide_middle(os.path.basename(path.rstrip("/")) or path, 32)
            width = metrics.horizontalAdvance(name) + 30
            if x + width > self.width() - 12 and x > 12:
                draw_text(painter, QRectF(x, y, 40, height), "…", look.font("small"), look.color("text.muted"))
                return
            chip = QRectF(x, y, width, height)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(look.color("border.strong"), 1))
            painter.drawRoundedRect(chip.adjusted(0.5, 0.5, -0.5, -0.5), 5, 5)
            icon = "ph.image" if name.lower().endswith((".png", ".jpg", ".jpeg", ".gif", ".webp")) else "ph.paperclip"
            paint_icon(painter, QRectF(x + 7, y + (height - 12) / 2, 12, 12), icon, "text.muted")
            draw_text(painter, chip.adjusted(23, 0, -6, 0), name, look.font("small"), look.color("text.secondary"))
            x += width + 6

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.view.select(self.block.key)
        if self._folded and event.button() is Qt.MouseButton.LeftButton:
            self.view.toggle(self.block.key)

    def spoken(self) -> str:
        return f"You, {words.clock(self._message.at)}: {self._message.text}"

    def plain_text(self) -> str:
        return self._message.text


def _paragraph(part: Part) -> Paragraph:
    return Paragraph(part.text.expandtabs(4), "code") if part.code else Paragraph(part.text, "reading", rich=True)


class ThoughtRow(Row):
    """ "Thought for 6 s", opened with the thought itself."""

    _paragraph = Paragraph("")
    _thought = Thought(key="", at=0.0)

    def measure(self, width: int) -> int:
        item = self.view.transcript.items[self.block.first]
        assert isinstance(item, Thought)
        self._thought = item
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        if self.block.key not in self.view.opened:
            return 20 + GAP
        self._paragraph = Paragraph(item.text.strip(), "reading", "text.muted")
        return 20 + 6 + self._paragraph.layout(width - 24) + GAP

    def _title(self) -> str:
        if self._thought.open:
            return "Thinking"
        seconds = self._thought.ended_at - self._thought.at
        if seconds < 1:
            return "Thought"
        return f"Thought for {seconds:.0f} s" if seconds < 59.5 else f"Thought for {text.duration(seconds)}"

    def draw(self, painter: QPainter, look: Theme, exposed: QRectF) -> None:
        opened = self.block.key in self.view.opened
        muted = look.color("text.muted")
        box = QRectF(1, 3, 14, 14)
        if self._thought.open:
            paint_glyph(painter, box, Glyph.RUNNING, look, arc_clock().phase())
            arc_clock().painted(self, box.toAlignedRect())
        else:
            paint_icon(painter, box, "ph.brain", muted)
        width = draw_text(painter, QRectF(22, 0, self.width() - 50, 20), self._title(), look.font("small"), muted)
        caret = "ph.caret-down" if opened else "ph.caret-right"
        paint_icon(painter, QRectF(22 + width + 8, 4, 12, 12), caret, muted)
        if opened:
            painter.fillRect(QRectF(7, 26, 2, self._paragraph.height), look.color("border.strong"))
            self._paragraph.draw(painter, 22, 26, look)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.view.select(self.block.key)
        if event.button() is Qt.MouseButton.LeftButton and event.position().y() < 24:
            self.view.toggle(self.block.key)

    def spoken(self) -> str:
        return self._title()

    def plain_text(self) -> str:
        return self._thought.text.strip()
