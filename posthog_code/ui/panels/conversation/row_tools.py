"""The bordered list of tool calls that follow each other."""

from __future__ import annotations

import os.path
from bisect import bisect_right
from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QMouseEvent, QPainter, QPainterPath, QPen

from posthog_code.domain.transcript import ToolCall
from posthog_code.ui.kit.spinner import arc_clock
from posthog_code.ui.kit.warm_lexers import warm_lexers
from posthog_code.ui.panels.conversation import inline_diff, words
from posthog_code.ui.panels.conversation.row_base import GAP, Row, draw_text, paint_card, paint_ring
from posthog_code.ui.panels.conversation.tool_lines import Line, tool_lines
from posthog_code.ui.panels.conversation.view_state import ViewState
from posthog_code.ui.theme import Theme, theme
from posthog_code.ui.theme.glyphs import Glyph, paint_glyph
from posthog_code.ui.theme.icons import paint_icon
from posthog_code.ui.theme.syntax import Run, syntax_runs

INDENT = 22
_SMALL = 24
"""Height of lines that are only told."""


class ToolsRow(Row):
    """Lines of 28 px; opened ones have their details below them."""

    def __init__(self, view: ViewState) -> None:
        super().__init__(view)
        self._lines: list[Line] = []
        self._tops: list[int] = []
        self._height = 0
        self._hovered = -1
        self._counts: dict[tuple[str, int], tuple[int, int]] = {}
        self._runs: dict[tuple[str, int, int], list[list[Run]]] = {}
        warm_lexers().ready.connect(self.update)

    def measure(self, width: int) -> int:
        items = self.view.transcript.items[self.block.first : self.block.last + 1]
        self._lines = tool_lines(items, self.block.key, self.view.opened, self.view.whole)
        self._tops, y = [], 1
        for line in self._lines:
            self._tops.append(y)
            y += _height_of(line)
        self._height = y + 1
        self._hovered = -1
        return self._height + GAP

    def line_at(self, y: float) -> int:
        row = bisect_right(self._tops, y) - 1
        return row if row >= 0 and y < self._height - 1 else -1

    def line_top(self, key: str) -> int:
        """Top of the line of a key, 0 when it has none."""
        return next((top for line, top in zip(self._lines, self._tops, strict=True) if line.key == key), 0)

    def is_running(self) -> bool:
        return any(line.call is not None and line.call.status not in words.SETTLED for line in self._lines)

    def is_current(self) -> bool:
        return False

    def draw(self, painter: QPainter, look: Theme, exposed: QRectF) -> None:
        card = QRectF(0, 0, self.width(), self._height)
        paint_card(painter, card, look, fill="")
        clip = QPainterPath()
        clip.addRoundedRect(card.adjusted(1, 1, -1, -1), 7, 7)
        painter.setClipPath(clip)
        first = max(0, bisect_right(self._tops, exposed.top()) - 1)
        for number in range(first, len(self._lines)):
            top = self._tops[number]
            if top > exposed.bottom():
                break
            self._draw_line(
                painter, look, number, QRectF(1, top, self.width() - 2, _height_of(self._lines[number])), exposed
            )
        painter.setClipping(False)

    def _draw_line(self, painter: QPainter, look: Theme, number: int, rect: QRectF, exposed: QRectF) -> None:
        line = self._lines[number]
        if line.kind == "call" or line.kind == "summary":
            if line.opened and not line.nested:
                painter.fillRect(rect, look.color("surface.raised"))
            if number == self._hovered:
                painter.fillRect(rect, look.color("surface.hover"))
        if number and not line.nested and line.kind in ("call", "summary", "answered"):
            painter.fillRect(QRectF(rect.left(), rect.top(), rect.width(), 1), look.color("border.subtle"))
        if line.kind == "call":
            self._draw_call(painter, look, line, rect, number == self._hovered)
        elif line.kind == "summary":
            self._draw_summary(painter, look, line, rect)
        elif line.kind == "output":
            self._draw_output(painter, look, line, rect, exposed)
        elif line.kind == "diff":
            self._draw_diff(painter, look, line, rect, exposed)
        elif line.kind == "more":
            painter.fillRect(rect, look.color("surface.inset"))
            draw_text(painter, rect.adjusted(34, 0, -10, 0), line.text, look.font("caption"), look.color("text.link"))
        else:
            left = 11 + INDENT if line.nested or line.kind == "said" else 34
            muted = look.color("text.muted")
            if line.kind == "answered":
                paint_icon(painter, QRectF(11, rect.center().y() - 7, 14, 14), "ph.shield-check", muted)
            draw_text(painter, rect.adjusted(left, 0, -10, 0), line.text, look.font("caption"), muted)
        if self.view.focused and line.key and line.key == self.view.current:
            paint_ring(painter, rect.adjusted(2, 2, -2, -2), look, 5)

    def _draw_summary(self, painter: QPainter, look: Theme, line: Line, rect: QRectF) -> None:
        muted = look.color("text.secondary")
        paint_icon(painter, QRectF(11, rect.center().y() - 7, 14, 14), "ph.list-dashes", "text.muted")
        said, _, took = line.text.partition(" · ")
        font = look.font("caption", tabular=True)
        used = self._right_text(painter, rect, rect.right() - 10, took, font, look.color("text.muted"))
        room = rect.adjusted(34, 0, -40 - used, 0)
        width = draw_text(painter, room, said, look.font("small", tabular=True), muted)
        caret = "ph.caret-down" if line.opened else "ph.caret-right"
        paint_icon(painter, QRectF(34 + width + 8, rect.center().y() - 6, 12, 12), caret, "text.muted")

    def _draw_call(self, painter: QPainter, look: Theme, line: Line, rect: QRectF, hovered: bool) -> None:
        call = line.call
        assert call is not None
        left = rect.left() + 10 + (INDENT if line.nested else 0)
        mid = rect.center().y()
        paint_icon(painter, QRectF(left, mid - 7, 14, 14), words.icon_of(call, line.children > 0), "text.muted")
        right = rect.right() - 10
        if not (line.nested and call.status == "completed"):
            self._draw_state(painter, look, call, QRectF(right - 14, mid - 7, 14, 14))
            right -= 22
        right -= self._draw_result(painter, look, line, rect, right)
        x = left + 23
        verb = words.verb_of(call, line.children > 0)
        if verb:
            font = look.font("small")
            x += (
                draw_text(
                    painter, QRectF(x, rect.top(), right - x, rect.height()), verb, font, look.color("text.secondary")
                )
                + 8
            )
        mono = bool(call.kind in words.VERBS and call.kind not in ("think", "switch_mode") and not line.children)
        shown = words.object_of(call, self.view.worktree, line.children > 0)
        where = QRectF(x, rect.top(), right - x - 20, rect.height())
        elide = Qt.TextElideMode.ElideMiddle if call.kind in ("read", "edit", "delete") else Qt.TextElideMode.ElideRight
        color = look.color("text.primary")
        x += draw_text(painter, where, shown, look.font("code" if mono else "small"), color, elide=elide)
        if hovered or line.opened:
            caret = "ph.caret-down" if line.opened else "ph.caret-right"
            paint_icon(painter, QRectF(x + 6, mid - 6, 12, 12), caret, "text.muted")

    def _draw_state(self, painter: QPainter, look: Theme, call: ToolCall, rect: QRectF) -> None:
        if call.status == "completed":
            paint_icon(painter, rect, "ph.check", "text.muted")
        elif call.status == "failed":
            paint_icon(painter, rect, "ph.x", "status.failed")
        elif call.status == "stopped":
            paint_icon(painter, rect, "ph.minus-circle", "text.muted")
        elif call.status == "pending":
            paint_glyph(painter, rect, Glyph.TODO, look)
        else:
            paint_glyph(painter, rect, Glyph.RUNNING, look, arc_clock().phase())
            arc_clock().painted(self, rect.toAlignedRect())

    def _draw_result(self, painter: QPainter, look: Theme, line: Line, rect: QRectF, right: float) -> float:
        """The words at the right end; gives the width they took."""
        call = line.call
        assert call is not None
        font = look.font("caption", tabular=True)
        taken = 0.0
        if call.diffs:
            added, removed = self._diff_counts(call)
            for number, sign, token in ((removed, "−", "diff.del.text"), (added, "+", "diff.add.text")):
                if number or (sign == "+" and not removed):
                    taken += (
                        self._right_text(painter, rect, right - taken, f"{sign}{number}", font, look.color(token)) + 5
                    )
        result = words.result_of(call, line.children)
        if (result and not call.diffs) or (call.status in ("failed", "stopped") and result):
            taken += self._right_text(painter, rect, right - taken, result, font, look.color("text.muted")) + 5
        return taken + 8 if taken else 0.0

    @staticmethod
    def _right_text(painter: QPainter, rect: QRectF, right: float, shown: str, font: object, color: object) -> float:
        where = QRectF(max(rect.left(), right - 220), rect.top(), min(220, right - rect.left()), rect.height())
        return draw_text(painter, where, shown, font, color, align=Qt.AlignmentFlag.AlignRight)  # type: ignore[arg-type]

    def _diff_counts(self, call: ToolCall) -> tuple[int, int]:
        key = (call.key, call.rev)
        found = self._counts.get(key)
        if found is None:
            if len(self._counts) > 200:
                self._counts.clear()
            found = self._counts[key] = inline_diff.counts(call.diffs)
        return found

    def _draw_output(self, painter: QPainter, look: Theme, line: Line, rect: QRectF, exposed: QRectF) -> None:
        painter.fillRect(rect, look.color("surface.inset"))
        height = look.line("codeSmall")
        font, color = look.font("codeSmall"), look.color("terminal.text")
        top = rect.top() + 8
        first = max(0, int((exposed.top() - top) // height))
        last = min(len(line.output), int((exposed.bottom() - top) // height) + 1)
        for number in range(first, last):
            where = QRectF(rect.left() + 33, top + number * height, rect.width() - 43, height)
            draw_text(painter, where, line.output[number].expandtabs(4)[:400], font, color)

    def _draw_diff(self, painter: QPainter, look: Theme, line: Line, rect: QRectF, exposed: QRectF) -> None:
        height = look.size("row.diffLine")
        runs = self._syntax(line)
        font = look.font("code")
        first = max(0, int((exposed.top() - rect.top()) // height))
        last = min(len(line.diff), int((exposed.bottom() - rect.top()) // height) + 1)
        painter.fillRect(rect, look.color("diff.context.bg"))
        for number in range(first, last):
            one = line.diff[number]
            where = QRectF(rect.left(), rect.top() + number * height, rect.width(), height)
            side = {"+": "add", "−": "del"}.get(one.sign)
            if side:
                painter.fillRect(where, look.color(f"diff.{side}.bg"))
                painter.fillRect(QRectF(where.left(), where.top(), 26, height), look.color(f"diff.{side}.gutter"))
                sign = QRectF(where.left() + 9, where.top(), 12, height)
                draw_text(painter, sign, one.sign, font, look.color(f"diff.{side}.text"))
            if one.sign == "@":
                painter.fillRect(where, look.color("diff.hunk.bg"))
                text = one.text or "⋯"
                draw_text(painter, where.adjusted(34, 0, -8, 0), text, font, look.color("diff.hunk.text"))
                continue
            _draw_code(
                painter, look, where.adjusted(34, 0, -4, 0), one.text, runs[number] if number < len(runs) else []
            )

    def _syntax(self, line: Line) -> list[list[Run]]:
        call = line.call
        assert call is not None
        key = (call.key, call.rev, id(line.diff))
        found = self._runs.get(key)
        if found is None:
            if len(self._runs) > 20:
                self._runs.clear()
            text = "\n".join(one.text if one.sign != "@" else "" for one in line.diff)
            # By the ending: one lexer is made ready for all files of a kind.
            name = f"a{os.path.splitext(line.path)[1]}" if "." in os.path.basename(line.path) else line.path
            if len(text) >= 40_000:
                return []
            if not warm_lexers().ask(name):
                return []
            found = self._runs[key] = syntax_runs(text, name)
        return found

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        number = self.line_at(event.position().y())
        active = number >= 0 and bool(self._lines[number].key)
        self.setCursor(Qt.CursorShape.PointingHandCursor if active else Qt.CursorShape.ArrowCursor)
        hovered = number if active else -1
        if hovered != self._hovered:
            self._hovered = hovered
            self.update()

    def leaveEvent(self, event: object) -> None:
        self._hovered = -1
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        number = self.line_at(event.position().y())
        if number < 0 or event.button() is not Qt.MouseButton.LeftButton or not self._lines[number].key:
            return
        line = self._lines[number]
        self.view.select(line.key)
        if line.kind == "more":
            self.view.show_whole(line.key)
        else:
            self.view.toggle(line.key)

    def spoken(self) -> str:
        return "Tool calls: " + ", ".join(_spoken_line(line, self.view.worktree) for line in self._lines if line.key)

    def plain_text(self) -> str:
        for line in self._lines:
            if line.key == self.view.current and line.call is not None:
                return line.call.command or line.call.output or words.object_of(line.call, self.view.worktree)
        return "\n".join(_spoken_line(line, self.view.worktree) for line in self._lines if line.key)


def stops(lines: Sequence[Line]) -> list[str]:
    """The keys that J and K stop at."""
    return [line.key for line in lines if line.key and line.kind in ("call", "summary")]


def _spoken_line(line: Line, worktree: str) -> str:
    if line.call is None:
        return line.text
    verb = words.verb_of(line.call, line.children > 0)
    state = "" if line.call.status == "completed" else line.call.status.replace("_", " ")
    return " ".join(part for part in (verb, words.object_of(line.call, worktree, line.children > 0), state) if part)


def _height_of(line: Line) -> int:
    look = theme()
    if line.kind in ("call", "summary"):
        return look.px(_SMALL) if line.nested else look.size("row.tool")
    if line.kind == "output":
        return len(line.output) * look.line("codeSmall") + 16
    if line.kind == "diff":
        return len(line.diff) * look.size("row.diffLine")
    return look.px(_SMALL)


def _draw_code(painter: QPainter, look: Theme, rect: QRectF, text: str, runs: list[Run]) -> None:
    """One line of code with its syntax colours."""
    font = look.font("code")
    advance = look.metrics("code").horizontalAdvance("0")
    painter.setFont(font)
    baseline = rect.top() + (rect.height() + look.metrics("code").ascent() - look.metrics("code").descent()) / 2
    room = int(rect.width() // advance) + 1
    if "\t" in text:
        text, runs = text.expandtabs(4), []
    text = text[:room]
    painter.setPen(QPen(look.color("syntax.text")))
    if not runs or not text.isascii():
        painter.drawText(QPointF(rect.left(), baseline), text)
        return
    at = 0
    for start, length, token in runs:
        if start > at:
            painter.setPen(look.color("syntax.text"))
            painter.drawText(QPointF(rect.left() + at * advance, baseline), text[at:start])
        painter.setPen(look.color(token))
        painter.drawText(QPointF(rect.left() + start * advance, baseline), text[start : start + length])
        at = start + length
    if at < len(text):
        painter.setPen(look.color("syntax.text"))
        painter.drawText(QPointF(rect.left() + at * advance, baseline), text[at:])
