"""Cards with a way out: errors, notices, and the set-up of a task."""

from __future__ import annotations

import textwrap

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPen

from posthog_code.domain import text
from posthog_code.domain.ansi import plain
from posthog_code.domain.task import Step, StepState, TaskPhase
from posthog_code.domain.transcript import Notice
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.spinner import arc_clock
from posthog_code.ui.panels.conversation.row_base import GAP, Paragraph, Row, draw_text, paint_card
from posthog_code.ui.panels.conversation.view_state import ViewState
from posthog_code.ui.theme import Theme, theme
from posthog_code.ui.theme.glyphs import Glyph, paint_glyph
from posthog_code.ui.theme.icons import paint_icon

LABELS = {
    "retry_turn": ("Retry the turn", "ph.arrow-clockwise"),
    "continue_turn": ("Continue", "ph.play"),
    "show_logs": ("Show in logs", ""),
    "choose_agent": ("Choose…", ""),
    "sign_in": ("Sign in", ""),
    "retry_setup": ("Try again", "ph.arrow-clockwise"),
    "start_without": ("Start without it", ""),
    "cancel_setup": ("Stop", ""),
    "copy_details": ("Copy details", "ph.copy"),
}
_HEAD = 36
_STEP_CHARACTERS = 32
_TONES = {
    "error": ("glyph.failed", "status.failedSoft", "ph.warning-octagon-fill"),
    "warning": ("glyph.waiting", "status.waitingSoft", "ph.warning-octagon-fill"),
    "info": ("border.subtle", "", "ph.info"),
}


class CardRow(Row):
    """A card with a head and a row of buttons."""

    def __init__(self, view: ViewState) -> None:
        super().__init__(view)
        self._buttons: list[Button] = []
        self._actions: tuple[str, ...] = ()

    def set_actions(self, actions: tuple[str, ...], first: str = "primary") -> None:
        if actions == self._actions:
            return
        self._actions = actions
        for button in self._buttons:
            button.deleteLater()
        self._buttons = []
        for number, action in enumerate(actions):
            label, icon = LABELS.get(action, (action.replace("_", " ").capitalize(), ""))
            kind = first if number == 0 else "ghost" if action == "copy_details" else "default"
            button = Button(label, self, kind=kind, icon=icon, size="sm")
            button.clicked.connect(lambda _=False, name=action: self.view.act(name, self.block.key))
            self._buttons.append(button)
            button.show()

    def place_buttons(self, width: int, y: int) -> int:
        """Put the buttons in a row that wraps; gives the y below them."""
        x = 12
        for button, action in zip(self._buttons, self._actions, strict=True):
            hint = button.sizeHint()
            if x + hint.width() > width - 12 and x > 12:
                x, y = 12, y + hint.height() + 6
            left = x
            if action == "copy_details" and x > 12:
                left = width - 12 - hint.width()
            button.setGeometry(left, y, hint.width(), hint.height())
            x += hint.width() + 6
        return y + (self._buttons[0].height() if self._buttons else 0)

    def draw_head(self, painter: QPainter, look: Theme, title: str, level: str, height: float) -> None:
        border, soft, icon = _TONES.get(level, _TONES["info"])
        card = QRectF(0, 0, self.width(), height)
        paint_card(painter, card, look, border=border)
        if soft:
            painter.save()
            painter.setClipRect(QRectF(0, 0, self.width(), _HEAD))
            painter.setPen(QPen(look.color(border), 1))
            painter.setBrush(look.color(soft))
            painter.drawRoundedRect(card.adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
            painter.restore()
        paint_icon(painter, QRectF(12, 10, 16, 16), icon, border if soft else "text.secondary")
        where = QRectF(36, 0, self.width() - 48, _HEAD)
        draw_text(painter, where, title.rstrip("."), look.font("bodyStrong"), look.color("text.primary"))


class NoticeRow(CardRow):
    """What went wrong, and what can be done about it."""

    _notice = Notice(key="", at=0.0)
    _paragraph = Paragraph("")

    def measure(self, width: int) -> int:
        item = self.view.transcript.items[self.block.first]
        assert isinstance(item, Notice)
        self._notice = item
        self._paragraph = Paragraph(item.text, "body", "text.secondary")
        y = _HEAD
        if item.text:
            y += 9 + self._paragraph.layout(width - 26)
        actions = item.actions
        if self._is_last() and item.level == "error" and "copy_details" not in actions:
            actions = (*actions, "copy_details")
        self.set_actions(actions if self._is_last() else (), "primary" if item.level == "error" else "default")
        if self._buttons:
            y = self.place_buttons(width, y + 9)
        return y + (11 if y > _HEAD else 0) + GAP

    def _is_last(self) -> bool:
        """Whether its actions still make sense: not once another turn has begun."""
        from posthog_code.domain.transcript import UserMessage

        later = self.view.transcript.items[self.block.last + 1 :][:50]
        return not any(isinstance(item, UserMessage) for item in later)

    def draw(self, painter: QPainter, look: Theme, exposed: QRectF) -> None:
        self.draw_head(painter, look, self._notice.title, self._notice.level, self.height() - GAP)
        if self._notice.text:
            self._paragraph.draw(painter, 13, _HEAD + 9, look)

    def spoken(self) -> str:
        return f"{self._notice.title} {self._notice.text}".strip()

    def plain_text(self) -> str:
        return "\n".join(part for part in (self._notice.title, self._notice.text, self._notice.raw) if part)


_STEP_GLYPHS = {
    StepState.RUNNING: Glyph.RUNNING,
    StepState.DONE: Glyph.DONE,
    StepState.FAILED: Glyph.FAILED,
    StepState.SKIPPED: Glyph.SKIPPED,
    StepState.TODO: Glyph.TODO,
}
_TAIL_LINES = 6
_SCRIPT = "script"
"""The set-up step that a person can leave out (services/setup.py)."""


def _wrapped(detail: str, width: int) -> list[str]:
    """Lines of a step's output that fit the card; a reason is a whole sentence and may be long."""
    column = max(24, int((width - 44) / theme().metrics("codeSmall").averageCharWidth()))
    lines = [line for line in detail.rstrip().split("\n") if line.strip()]
    return [part for line in lines for part in textwrap.wrap(line, column, subsequent_indent="  ") or [""]]


class SetupRow(CardRow):
    """The steps from a prompt to a worktree, as they happen."""

    def __init__(self, view: ViewState) -> None:
        super().__init__(view)
        self._steps: tuple[Step, ...] = ()
        self._details: dict[str, list[str]] = {}
        self._failed = False

    def measure(self, width: int) -> int:
        task = self.view.ctx.state.tasks.get(self.view.task_id) if self.view.task_id else None
        self._steps = task.steps if task else ()
        self._failed = task is not None and task.phase is TaskPhase.SETUP_FAILED
        self._details = {}
        y = _HEAD + 6
        for step in self._steps:
            y += 24
            if step.detail and step.state in (StepState.RUNNING, StepState.FAILED):
                wanted = _TAIL_LINES if step.state is StepState.RUNNING else 12
                lines = _wrapped(plain(step.detail), width)[-wanted:]
                self._details[step.id] = lines
                y += len(lines) * 18 + (16 if lines else 0)
        if self._failed:
            # Only the repository's own script can be left out: without a worktree there is nothing to start in.
            script = any(step.id == _SCRIPT and step.state is StepState.FAILED for step in self._steps)
            without = ("start_without",) if script else ()
            self.set_actions(("retry_setup", *without, "show_logs", "copy_details"))
        else:
            self.set_actions(("cancel_setup",) if self._steps else (), "default")
        if self._buttons:
            y = self.place_buttons(width, y + 6)
        return y + 11 + GAP

    def _title(self) -> str:
        failed = next((step for step in self._steps if step.state is StepState.FAILED), None)
        if failed is not None or self._failed:
            return f"{text.elide_middle(failed.title, _STEP_CHARACTERS) if failed else 'Setting up'} did not work"
        return "Setting up the worktree"

    def draw(self, painter: QPainter, look: Theme, exposed: QRectF) -> None:
        self.draw_head(painter, look, self._title(), "error" if self._failed else "info", self.height() - GAP)
        y = _HEAD + 6.0
        now = self.view.ctx.now()
        for step in self._steps:
            box = QRectF(13, y + 5, 14, 14)
            glyph = _STEP_GLYPHS[step.state]
            paint_glyph(painter, box, glyph, look, arc_clock().phase())
            if glyph is Glyph.RUNNING:
                arc_clock().painted(self, box.toAlignedRect())
            waiting = step.state in (StepState.TODO, StepState.SKIPPED)
            color = look.color("text.muted" if waiting else "text.primary")
            draw_text(painter, QRectF(36, y, self.width() - 130, 24), step.title, look.font("body"), color)
            if step.started_at:
                seconds = (step.ended_at or now) - step.started_at
                where = QRectF(self.width() - 92, y, 80, 24)
                shown = text.duration(seconds) if step.ended_at or seconds >= 1 else ""
                font = look.font("caption", tabular=True)
                draw_text(painter, where, shown, font, look.color("text.muted"), align=Qt.AlignmentFlag.AlignRight)
            y += 24
            lines = self._details.get(step.id, [])
            if lines:
                height = len(lines) * 18 + 12
                inset = QRectF(13, y, self.width() - 26, height)
                paint_card(painter, inset, look, fill="surface.inset")
                for number, line in enumerate(lines):
                    where = QRectF(22, y + 6 + number * 18, self.width() - 44, 18)
                    draw_text(painter, where, line, look.font("codeSmall"), look.color("terminal.text"))
                y += height + 4

    def spoken(self) -> str:
        return self._title() + ": " + ", ".join(f"{step.title} {step.state.value}" for step in self._steps)

    def plain_text(self) -> str:
        return "\n".join(f"{step.title}: {step.state.value}\n{step.detail}".rstrip() for step in self._steps)
