"""The card of a permission that the agent waits for."""

from __future__ import annotations

import os.path
from bisect import bisect_right

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPen

from posthog_code.domain.asks import reach_words
from posthog_code.domain.session import Ask, AskOption
from posthog_code.domain.transcript import AskItem, ToolCall
from posthog_code.ui.kit.chips import keycaps_width, paint_keycaps
from posthog_code.ui.panels.conversation import inline_diff, words
from posthog_code.ui.panels.conversation.row_base import GAP, Paragraph, Row, draw_text, paint_card
from posthog_code.ui.panels.conversation.row_notice import _HEAD as HEAD
from posthog_code.ui.panels.conversation.view_state import ViewState
from posthog_code.ui.theme import Theme, theme
from posthog_code.ui.theme.icons import paint_icon

_OPTION = 30
_MAX_COMMAND = 6000
"""Characters; what is longer is said to be, and stands in the log."""


class PermissionRow(Row):
    """Head, reason, command, what it touches, and the options with their keys."""

    def __init__(self, view: ViewState) -> None:
        super().__init__(view)
        self._ask: Ask | None = None
        self._sending = ""
        self._highlighted = 0
        self._reason = Paragraph("")
        self._command = Paragraph("")
        self._names: list[Paragraph] = []
        self._tops: list[int] = []
        self._facts: list[tuple[str, str, str]] = []
        self._diff: list[inline_diff.DiffLine] = []
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def measure(self, width: int) -> int:
        item = self.view.transcript.items[self.block.first]
        assert isinstance(item, AskItem) and item.ask is not None
        if self._ask is None or self._ask.id != item.ask.id or self._ask.asked_at != item.ask.asked_at:
            self._sending, self._highlighted = "", 0
        self._ask = ask = item.ask
        command = ask.command
        if len(command) > _MAX_COMMAND:
            command = f"{command[:_MAX_COMMAND]}\n… {len(command) - _MAX_COMMAND:,} more characters in the log"
        self._command = Paragraph(command.expandtabs(4), "code")
        self._reason = Paragraph(self._reason_words(ask), "body", "text.secondary")
        self._facts = self._fact_words(ask)
        self._diff = self._diff_lines(ask)
        y = HEAD + 10
        if self._reason.text:
            y += self._reason.layout(width - 26) + 7
        if self._command.text:
            y += self._command.layout(width - 64) + 16 + 8
        if self._diff:
            y += len(self._diff) * theme().size("row.diffLine") + 10
        if self._facts:
            y += 24
        y += 2
        self._names, self._tops = [], []
        for option in ask.options:
            name = Paragraph(option.name.replace("`", "") or option.id, "body")
            self._names.append(name)
            self._tops.append(y)
            y += name.layout(width - 12 - 38 - 64) + _OPTION - theme().line("body")
        self._tops.append(y)
        return y + 6 + GAP

    def _reason_words(self, ask: Ask) -> str:
        if ask.detail and ask.detail.strip() not in (ask.title.strip(), ask.command.strip()):
            return ask.detail
        if ask.command and not ask.title.strip("`").startswith(ask.command[:20]):
            return ask.title
        return "" if ask.command else ask.title.replace("`", "")

    def _fact_words(self, ask: Ask) -> list[tuple[str, str, str]]:
        """Icon, words and colour: where it happens and what it touches, as far as it is known."""
        facts: list[tuple[str, str, str]] = []
        if self.view.worktree and (ask.command or ask.paths) and not ask.outside:
            facts.append(("ph.folder-simple", self.view.place, "text.muted"))
        for shown in reach_words(ask, self.view.worktree):
            icon = "ph.globe-simple" if shown == "uses the network" else "ph.file-text"
            outside = ask.outside and icon == "ph.file-text"
            facts.append((icon, shown, "status.waiting" if outside else "text.muted"))
        return facts

    def _diff_lines(self, ask: Ask) -> list[inline_diff.DiffLine]:
        call = next(
            (
                item
                for item in reversed(self.view.transcript.items[max(0, self.block.first - 40) : self.block.first + 1])
                if isinstance(item, ToolCall) and item.call_id == ask.tool_call_id and item.diffs
            ),
            None,
        )
        if call is None:
            return []
        lines = [line for diff in call.diffs for line in inline_diff.diff_lines(diff)]
        return [*lines[:12], inline_diff.DiffLine("@", f"{len(lines) - 12} more lines")] if len(lines) > 13 else lines

    def draw(self, painter: QPainter, look: Theme, exposed: QRectF) -> None:
        ask = self._ask
        if ask is None:
            return
        card = QRectF(0, 0, self.width(), self.height() - GAP)
        paint_card(painter, card, look, border="glyph.waiting")
        painter.save()
        painter.setClipRect(QRectF(0, 0, self.width(), HEAD))
        painter.setPen(QPen(look.color("glyph.waiting"), 1))
        painter.setBrush(look.color("status.waitingSoft"))
        painter.drawRoundedRect(card.adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
        painter.restore()
        paint_icon(painter, QRectF(12, 10, 16, 16), "ph.shield-warning-fill", "glyph.waiting")
        title = words.permission_title(ask.tool_kind, self.view.agent, ask.outside)
        waiting = "Sending…" if self._sending else self._waiting_words(ask)
        metrics = look.metrics("small").horizontalAdvance(waiting)
        room = self.width() - 36 - metrics - 32
        draw_text(painter, QRectF(36, 0, room, HEAD), title, look.font("bodyStrong"), look.color("text.primary"))
        right = QRectF(self.width() - 13 - metrics - 10, 0, metrics + 10, HEAD)
        draw_text(
            painter,
            right,
            waiting,
            look.font("small", tabular=True),
            look.color("text.muted"),
            align=Qt.AlignmentFlag.AlignRight,
        )
        self._draw_body(painter, look)
        for number, option in enumerate(ask.options):
            self._draw_option(painter, look, number, option)

    def _waiting_words(self, ask: Ask) -> str:
        seconds = int(self.view.ctx.now() - ask.asked_at)
        if seconds < 5 or seconds > 86_400 * 30:
            return ""
        return f"waiting {seconds} s" if seconds < 60 else f"waiting {seconds // 60} m"

    def _draw_body(self, painter: QPainter, look: Theme) -> None:
        y = HEAD + 10.0
        if self._reason.text:
            self._reason.draw(painter, 13, y, look)
            y += self._reason.height + 7
        if self._command.text:
            box = QRectF(13, y, self.width() - 26, self._command.height + 16)
            paint_card(painter, box, look, fill="surface.inset")
            sign = QRectF(24, y + 8, 12, look.line("code"))
            draw_text(painter, sign, "$", look.font("code"), look.color("text.muted"))
            self._command.draw(painter, 39, y + 8, look)
            y += box.height() + 8
        if self._diff:
            y = self._draw_diff(painter, look, y)
        x = 13.0
        for icon, shown, token in self._facts:
            paint_icon(painter, QRectF(x, y + 3, 14, 14), icon, token)
            room = QRectF(x + 19, y, max(0.0, self.width() - x - 30), 20)
            taken = draw_text(
                painter, room, shown, look.font("small"), look.color(token), elide=Qt.TextElideMode.ElideMiddle
            )
            x += 19 + taken + 14

    def _draw_diff(self, painter: QPainter, look: Theme, y: float) -> float:
        height = look.size("row.diffLine")
        box = QRectF(13, y, self.width() - 26, len(self._diff) * height)
        painter.fillRect(box, look.color("surface.inset"))
        for number, line in enumerate(self._diff):
            where = QRectF(box.left(), y + number * height, box.width(), height)
            side = {"+": "add", "−": "del"}.get(line.sign)
            if side:
                painter.fillRect(where, look.color(f"diff.{side}.bg"))
                sign = where.adjusted(8, 0, 0, 0)
                draw_text(painter, sign, line.sign, look.font("code"), look.color(f"diff.{side}.text"))
            token = "diff.hunk.text" if line.sign == "@" else "syntax.text"
            shown = line.text.expandtabs(4) if line.sign != "@" else line.text or "⋯"
            draw_text(painter, where.adjusted(24, 0, -6, 0), shown, look.font("code"), look.color(token))
        return y + box.height() + 10

    def _draw_option(self, painter: QPainter, look: Theme, number: int, option: AskOption) -> None:
        row = QRectF(6, self._tops[number], self.width() - 12, self._tops[number + 1] - self._tops[number])
        sent = self._sending == option.id
        if number == self._highlighted or sent:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.color("surface.selected"))
            painter.drawRoundedRect(row, 5, 5)
            if self.hasFocus() and self.view.focused:
                painter.setPen(QPen(look.color("focus.ring"), 2))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRoundedRect(row.adjusted(1, 1, -1, -1), 5, 5)
        if number < 9:
            paint_keycaps(painter, row.left() + 10, row.center().y(), str(number + 1))
        name = self._names[number]
        name.set_color("text.disabled" if self._sending and not sent else "text.primary")
        name.draw(painter, row.left() + 38, row.top() + (row.height() - name.height) / 2, look)
        letter = self.letter_of(number)
        x = row.right() - 10
        if number == self._highlighted:
            x -= keycaps_width("Return")
            paint_keycaps(painter, x, row.center().y(), "Return")
            x -= 8
        if letter:
            font = look.font("caption")
            draw_text(
                painter,
                QRectF(x - 16, row.top(), 14, row.height()),
                letter,
                font,
                look.color("text.muted"),
                align=Qt.AlignmentFlag.AlignRight,
            )

    # -- answering

    def letter_of(self, number: int) -> str:
        """A for the first option that allows once, R for the first that rejects."""
        options = self._ask.options if self._ask else ()
        for letter, kinds in (("A", ("allow_once",)), ("R", ("reject_once", "reject_always"))):
            first = next((n for n, option in enumerate(options) if option.kind in kinds), -1)
            if first == number:
                return letter
        return ""

    def take_key(self, key: int, *, enter: bool) -> bool:
        """Answer or move by a key; `enter` says whether Enter counts."""
        if self._ask is None:
            return False
        if self._sending:
            # An answer is on its way: a second press must not end up as text in the composer.
            return Qt.Key.Key_1 <= key <= Qt.Key.Key_9
        options = self._ask.options
        if Qt.Key.Key_1 <= key <= Qt.Key.Key_9 and key - Qt.Key.Key_1 < len(options):
            self.choose(key - Qt.Key.Key_1)
        elif key in (Qt.Key.Key_A, Qt.Key.Key_R):
            letter = "A" if key == Qt.Key.Key_A else "R"
            number = next((n for n in range(len(options)) if self.letter_of(n) == letter), -1)
            if number < 0:
                return False
            self.choose(number)
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down) and enter and options:
            self._highlighted = (self._highlighted + (1 if key == Qt.Key.Key_Down else -1)) % len(options)
            self.update()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and enter and options:
            self.choose(self._highlighted)
        else:
            return False
        return True

    def choose(self, number: int) -> None:
        if self._ask is None or self._sending or not 0 <= number < len(self._ask.options):
            return
        option = self._ask.options[number]
        self._sending, self._highlighted = option.id, number
        self.update()
        self.view.answer(self._ask.id, option.id)

    def answer_failed(self) -> None:
        """The answer did not reach the agent: it can be given again."""
        self._sending = ""
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
        if not plain or not self.take_key(event.key(), enter=True):
            event.ignore()

    def _option_at(self, y: float) -> int:
        number = bisect_right(self._tops, y) - 1
        return number if self._ask is not None and 0 <= number < len(self._ask.options) else -1

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        number = self._option_at(event.position().y())
        self.setCursor(Qt.CursorShape.PointingHandCursor if number >= 0 else Qt.CursorShape.ArrowCursor)
        if number >= 0 and number != self._highlighted and not self._sending:
            self._highlighted = number
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton and self._option_at(event.position().y()) >= 0:
            self.choose(self._option_at(event.position().y()))

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    def spoken(self) -> str:
        if self._ask is None:
            return ""
        title = words.permission_title(self._ask.tool_kind, self.view.agent, self._ask.outside)
        what = self._ask.command or ", ".join(os.path.basename(path) for path in self._ask.paths) or self._ask.title
        options = ", ".join(f"{n + 1} {option.name}" for n, option in enumerate(self._ask.options))
        return f"{title}: {what}. {options}"

    def plain_text(self) -> str:
        return (self._ask.command or self._ask.title) if self._ask else ""
