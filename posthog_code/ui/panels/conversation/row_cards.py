"""Plan, turn footer, single muted lines, and the line of an agent that works."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, Qt
from PySide6.QtGui import QMouseEvent, QPainter

from posthog_code.domain.transcript import AskItem, Notice, Plan, TurnFooter
from posthog_code.ui.kit.spinner import arc_clock
from posthog_code.ui.panels.conversation import words
from posthog_code.ui.panels.conversation.row_base import GAP, Paragraph, Row, draw_text, paint_card
from posthog_code.ui.panels.conversation.view_state import ViewState
from posthog_code.ui.theme import Theme, theme
from posthog_code.ui.theme.glyphs import Glyph, paint_glyph
from posthog_code.ui.theme.icons import paint_icon

_GLYPHS = {"completed": Glyph.DONE, "in_progress": Glyph.RUNNING}


class PlanRow(Row):
    """Title, n of m, a segment for each step, and the steps."""

    def __init__(self, view: ViewState) -> None:
        super().__init__(view)
        self._plan = Plan(key="", at=0.0)
        self._steps: list[Paragraph] = []

    def measure(self, width: int) -> int:
        item = self.view.transcript.items[self.block.first]
        assert isinstance(item, Plan)
        self._plan = item
        self._steps = []
        height = 46
        for entry in item.entries:
            now = entry.status == "in_progress"
            color = "text.muted" if entry.status == "completed" else "text.primary"
            paragraph = Paragraph(" ".join(entry.text.split()), "bodyStrong" if now else "body", color)
            height += paragraph.layout(width - 48) + 3
            self._steps.append(paragraph)
        return height + 8 + GAP

    def _done(self) -> int:
        return sum(entry.status == "completed" for entry in self._plan.entries)

    def draw(self, painter: QPainter, look: Theme, exposed: QRectF) -> None:
        paint_card(painter, QRectF(0, 0, self.width(), self.height() - GAP), look, fill="")
        paint_icon(painter, QRectF(13, 13, 16, 16), "ph.list-bullets", "text.secondary")
        draw_text(painter, QRectF(36, 11, 200, 20), "Plan", look.font("bodyStrong"), look.color("text.primary"))
        count = f"{self._done()} of {len(self._plan.entries)}"
        right = QRectF(self.width() - 112, 11, 100, 20)
        font = look.font("small", tabular=True)
        draw_text(painter, right, count, font, look.color("text.muted"), align=Qt.AlignmentFlag.AlignRight)
        self._draw_segments(painter, look)
        y = 46.0
        for entry, paragraph in zip(self._plan.entries, self._steps, strict=True):
            box = QRectF(13, y + 3, 14, 14)
            if entry.status == "in_progress" and self._plan.stopped:
                paint_glyph(painter, box, Glyph.PAUSED, look)
            else:
                glyph = _GLYPHS.get(entry.status, Glyph.TODO)
                paint_glyph(painter, box, glyph, look, arc_clock().phase())
                if glyph is Glyph.RUNNING:
                    arc_clock().painted(self, box.toAlignedRect())
            paragraph.draw(painter, 36, y, look)
            y += paragraph.height + 3

    def _draw_segments(self, painter: QPainter, look: Theme) -> None:
        entries = self._plan.entries
        room = self.width() - 26
        gap = 2 if len(entries) < 40 else 0
        each = max(1.0, (room - gap * (len(entries) - 1)) / len(entries))
        painter.setPen(Qt.PenStyle.NoPen)
        for number, entry in enumerate(entries):
            token = "border.strong"
            if entry.status == "completed":
                token = "glyph.success"
            elif entry.status == "in_progress":
                token = "text.muted" if self._plan.stopped else "glyph.running"
            painter.setBrush(look.color(token))
            painter.drawRoundedRect(QRectF(13 + number * (each + gap), 36, each, 4), 2, 2)

    def spoken(self) -> str:
        steps = ", ".join(f"{e.text} {e.status.replace('_', ' ')}" for e in self._plan.entries)
        return f"Plan, {self._done()} of {len(self._plan.entries)}: {steps}"

    def plain_text(self) -> str:
        marks = {"completed": "[x]", "in_progress": "[-]"}
        return "\n".join(f"{marks.get(entry.status, '[ ]')} {entry.text}" for entry in self._plan.entries)


def can_restore(footer: TurnFooter) -> bool:
    """Whether the turn changed files, and what was before it is kept."""
    return bool(footer.checkpoint_before and footer.files)


class FooterRow(Row):
    """Turn, duration, files, lines, tokens, cost; at the right Restore."""

    _footer = TurnFooter(key="", at=0.0)
    _hot = False

    def measure(self, width: int) -> int:
        item = self.view.transcript.items[self.block.first]
        assert isinstance(item, TurnFooter)
        self._footer = item
        self.setMouseTracking(True)
        return 20 + GAP + 6

    def draw(self, painter: QPainter, look: Theme, exposed: QRectF) -> None:
        font, metrics = look.font("caption", tabular=True), look.metrics("caption")
        room = self._restore_rect().left() if self._restorable() else float(self.width())
        x, gap = 0.0, metrics.horizontalAdvance("·") + 12
        for group in self._figures():
            wide = sum(metrics.horizontalAdvance(shown) + 5 for shown, _ in group)
            if x and x + gap + wide > room:
                break  # what does not fit is left out, with all that follows
            if x:
                draw_text(painter, QRectF(x + 6, 0, gap, 20), "·", font, look.color("text.muted"))
                x += gap
            for number, (shown, token) in enumerate(group):
                x += 5 if number else 0
                x += draw_text(painter, QRectF(x, 0, max(0.0, room - x), 20), shown, font, look.color(token))
        if self._restorable():
            self._draw_restore(painter, look)

    def _figures(self) -> list[list[tuple[str, str]]]:
        """Words and their colours, in groups that a dot stands between."""
        footer, muted = self._footer, "text.muted"
        groups = [
            [(part, "status.failed" if part in ("Stopped", "Interrupted") else muted)]
            for part in words.footer_parts(footer)
        ]
        if footer.files:
            files = f"{footer.files} file" + ("s" if footer.files != 1 else "")
            groups.append(
                [(files, muted), (f"+{footer.added}", "diff.add.text"), (f"−{footer.removed}", "diff.del.text")]
            )
        if footer.tokens:
            groups.append([(words.tokens_words(footer.tokens), muted)])
        if footer.cost >= 0.005:
            groups.append([(f"${footer.cost:.2f}", muted)])
        return groups

    def _restorable(self) -> bool:
        return self.view.may_restore and can_restore(self._footer)

    def _restore_rect(self) -> QRectF:
        width = 18 + theme().metrics("small").horizontalAdvance("Restore") + 12
        return QRectF(self.width() - width, -2, width, 24)

    def _draw_restore(self, painter: QPainter, look: Theme) -> None:
        box = self._restore_rect()
        painter.setPen(Qt.PenStyle.NoPen)
        # Over the figures where the row is narrow.
        painter.setBrush(look.color("surface.hover" if self._hot else "surface.window"))
        painter.drawRoundedRect(box, 6, 6)
        token = look.color("text.primary" if self._hot else "text.secondary")
        paint_icon(painter, QRectF(box.left() + 6, box.center().y() - 7, 14, 14), "ph.arrow-counter-clockwise", token)
        draw_text(painter, box.adjusted(24, 2, 0, -2), "Restore", look.font("small"), token)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        hot = self._restorable() and self._restore_rect().contains(event.position())
        if hot != self._hot:
            self._hot = hot
            self.setCursor(Qt.CursorShape.PointingHandCursor if hot else Qt.CursorShape.ArrowCursor)
            self.setToolTip("Restore checkpoint: put the files back as they were before this turn" if hot else "")
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._hot = False
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        inside = self._restorable() and self._restore_rect().contains(event.position())
        if inside and event.button() is Qt.MouseButton.LeftButton:
            self.view.act("restore", self.block.key)

    def spoken(self) -> str:
        footer = self._footer
        parts = words.footer_parts(footer)
        if footer.files:
            parts.append(f"{footer.files} files, {footer.added} added, {footer.removed} removed")
        return ", ".join(parts)


class LineRow(Row):
    """One muted line: an answer that was given, or something told in passing."""

    _text = ""
    _raw = ""

    def measure(self, width: int) -> int:
        item = self.view.transcript.items[self.block.first]
        self._raw = ""
        if isinstance(item, AskItem):
            title = item.ask.title if item.ask is not None and item.ask.fields else ""
            self._text = words.answered_line(item)
            if title:
                self._text = f"{' '.join(title.split())[:60]} · {self._text}"
            self._icon = "ph.shield-check"
        else:
            assert isinstance(item, Notice)
            self._text = " ".join(f"{item.title} {item.text}".split())
            self._icon = "ph.info"
            self._raw = item.raw
        if self._raw and self.block.key in self.view.opened:
            self._paragraph = Paragraph(self._raw[:4000], "codeSmall", "text.muted")
            return 20 + self._paragraph.layout(width - 22) + GAP
        return 20 + GAP

    def draw(self, painter: QPainter, look: Theme, exposed: QRectF) -> None:
        muted = look.color("text.muted")
        paint_icon(painter, QRectF(1, 3, 14, 14), self._icon, muted)
        draw_text(painter, QRectF(22, 0, self.width() - 22, 20), self._text, look.font("small"), muted)
        if self._raw and self.block.key in self.view.opened:
            self._paragraph.draw(painter, 22, 20, look)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.view.select(self.block.key)
        if self._raw:
            self.view.toggle(self.block.key)

    def spoken(self) -> str:
        return self._text


class WorkingRow(Row):
    """Shown below everything while the agent has nothing else on the screen that moves."""

    def measure(self, width: int) -> int:
        return 20 + GAP

    def _words(self) -> str:
        state = self.view.ctx.state
        session = state.session_of(self.view.task_id) if self.view.task_id else None
        if session is not None and session.phase.value == "starting":
            return f"Starting {self.view.agent}"
        if session is not None and session.phase.value == "cancelling":
            return "Stopping"
        return "Working"

    def draw(self, painter: QPainter, look: Theme, exposed: QRectF) -> None:
        box = QRectF(1, 3, 14, 14)
        paint_glyph(painter, box, Glyph.RUNNING, look, arc_clock().phase())
        arc_clock().painted(self, box.toAlignedRect())
        draw_text(
            painter, QRectF(22, 0, self.width() - 22, 20), self._words(), look.font("small"), look.color("text.muted")
        )

    def spoken(self) -> str:
        return self._words()


class SkeletonRow(Row):
    """Still bars while a conversation is read."""

    def measure(self, width: int) -> int:
        return 3 * 20 + 16 + GAP

    def draw(self, painter: QPainter, look: Theme, exposed: QRectF) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().color("surface.active"))
        for number, share in enumerate((0.9, 0.72, 0.45)):
            painter.drawRoundedRect(QRectF(0, 8 + number * 22, self.width() * share, 10), 4, 4)

    def spoken(self) -> str:
        return "Loading the conversation"
