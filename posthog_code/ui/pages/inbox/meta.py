"""The column beside a report: how urgent it is and why, how it stands, who knows the code, where it belongs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAccessible, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from posthog_code.domain.cloud_lists import local_repository
from posthog_code.domain.ids import TaskId
from posthog_code.domain.inbox import Evidence, Factor, Report, Score, SuggestedReviewer, Triage
from posthog_code.domain.inbox_lists import is_snoozed
from posthog_code.domain.state import AppState
from posthog_code.domain.text import age, one_line, plural
from posthog_code.ui.kit import painting
from posthog_code.ui.kit.a11y import set_role
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.cards import Icon
from posthog_code.ui.kit.charts import priority_level
from posthog_code.ui.kit.chips import Chip
from posthog_code.ui.kit.labels import AVATAR_TONES, Avatar, ElidedLabel, Label, StateLabel
from posthog_code.ui.models.inbox_list import (
    found_by,
    priority_words,
    short,
    state_words,
    task_of_report,
)
from posthog_code.ui.models.task_view import task_state
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.glyphs import Glyph, paint_priority

_PRIORITY_TOKENS = ("status.failed", "status.question")


class MetaColumn(QWidget):
    """Made anew only when what it says has changed."""

    task_asked = Signal(str)
    flag_asked = Signal(str)
    weights_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("About the report")
        self._shown: object = None
        self._inner: QWidget | None = None
        self._outer = QVBoxLayout(self)
        self._outer.setContentsMargins(16, 16, 14, 24)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def minimumSizeHint(self) -> QSize:
        # Qt would take the height that the words have at their narrowest.
        return QSize(0, 0)

    def show_report(self, state: AppState, report: Report, score: Score | None, now: float) -> None:
        evidence = state.inbox.evidence.get(report.id, Evidence(report.id))
        triage = state.inbox.triage.get(report.id, Triage())
        task_id = task_of_report(state, report.id)
        view = task_state(state, task_id) if task_id else None
        here = local_repository(evidence.repository, state.repositories.values()) if evidence.repository else None
        grouped = age(max(0.0, now - report.created_at)) if report.created_at else ""
        shown = (report, score, evidence, triage, task_id, view, here, grouped)
        if shown == self._shown:
            return
        self._shown = shown
        self._begin()
        self._add_priority(report, score)
        self._add_state(report, evidence, triage)
        if task_id is not None and view is not None:
            self._add_task(state, task_id)
        self._add_reviewers(evidence)
        self._add_repository(evidence, here is not None)
        self._add_flags(evidence)
        words = f"{found_by(report)}, grouped {grouped} ago" if grouped not in ("", "now") else found_by(report)
        self._add_text("Found by", words)
        self._column.addStretch(1)

    def _begin(self) -> None:
        if self._inner is not None:
            self._outer.removeWidget(self._inner)
            self._inner.hide()
            self._inner.deleteLater()
        self._inner = QWidget(self)
        self._column = QVBoxLayout(self._inner)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._outer.addWidget(self._inner)

    def _part(self, title: str) -> QVBoxLayout:
        """A heading, and where its content goes."""
        if self._column.count():
            self._column.addSpacing(18)
        self._column.addWidget(Label(title, self._inner, font="small", token="text.muted"))
        self._column.addSpacing(4)
        part = QVBoxLayout()
        part.setSpacing(4)
        self._column.addLayout(part)
        return part

    def _add_text(self, title: str, words: str) -> None:
        if words:
            self._part(title).addWidget(Label(words, self._inner, token="text.secondary", wrap=True))

    # parts

    def _add_priority(self, report: Report, score: Score | None) -> None:
        part = self._part("Priority")
        part.addWidget(PriorityLine(report, self._inner))
        if score is None:
            return
        part.addSpacing(4)
        row = QHBoxLayout()
        row.addWidget(Label(f"Score {round(score.total)}", self._inner, font="bodyStrong"))
        row.addWidget(Label("of 100, because", self._inner, font="small", token="text.muted"))
        row.addStretch(1)
        part.addLayout(row)
        for factor in sorted(score.factors, key=lambda factor: -factor.points):
            if round(factor.points):
                part.addWidget(FactorRow(factor, self._inner))
        idle = [f"{factor.label.lower()} ({factor.value})" for factor in score.factors if not round(factor.points)]
        if idle:
            words = f"Adds nothing: {', '.join(idle)}"
            part.addWidget(Label(words, self._inner, font="caption", token="text.muted", wrap=True))
        weigh = Button("Change what counts", self._inner, kind="link", size="sm")
        weigh.clicked.connect(self.weights_asked)
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(weigh)
        line.addStretch(1)
        part.addLayout(line)

    def _add_state(self, report: Report, evidence: Evidence, triage: Triage) -> None:
        part = self._part("State")
        snoozed = is_snoozed(report, triage)
        word, glyph = ("Snoozed", Glyph.PAUSED) if snoozed else state_words(report)
        part.addWidget(StateLabel(glyph, word, self._inner, font="body"))
        if snoozed:
            words = f"Comes back with {plural(triage.snoozed_signals - report.signal_count, 'more signal')}"
            part.addWidget(Label(words, self._inner, font="small", token="text.muted", wrap=True))
        why = one_line(evidence.actionability_reason or report.dismissal_note, 300)
        if why:
            part.addWidget(Label(why, self._inner, font="small", token="text.muted", wrap=True))

    def _add_task(self, state: AppState, task_id: TaskId) -> None:
        part = self._part("Task")
        view = task_state(state, task_id)
        part.addWidget(StateLabel(view.glyph, view.word, self._inner, font="body"))
        button = Button("Open the task", self._inner, size="sm", icon="ph.arrow-square-in")
        button.setToolTip(state.tasks[task_id].title)
        button.clicked.connect(_told(self.task_asked.emit, task_id))
        line = QHBoxLayout()
        line.addWidget(button)
        line.addStretch(1)
        part.addLayout(line)

    def _add_reviewers(self, evidence: Evidence) -> None:
        if not evidence.reviewers:
            return
        part = self._part("Suggested reviewers")
        part.setSpacing(8)
        for number, reviewer in enumerate(evidence.reviewers[:5]):
            part.addWidget(_reviewer(reviewer, AVATAR_TONES[(number + 3) % len(AVATAR_TONES)], self._inner))

    def _add_repository(self, evidence: Evidence, here: bool) -> None:
        if not evidence.repository:
            return
        part = self._part("Repository")
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(Icon("ph.folder-simple", "text.muted", self._inner))
        name = ElidedLabel(short(evidence.repository), self._inner, mode="middle")
        name.setToolTip(evidence.repository)
        row.addWidget(name, 1)
        part.addLayout(row)
        if not here:
            part.addWidget(Label("Not on this machine yet", self._inner, font="small", token="text.muted"))

    def _add_flags(self, evidence: Evidence) -> None:
        if not evidence.flags:
            return
        part = self._part("Flags involved")
        for key in evidence.flags[:6]:
            chip = Chip(one_line(key, 80), self._inner, icon="ph.flag", mono=True, name="Flag")
            chip.set_max_width(theme().px(180))
            chip.clicked.connect(_told(self.flag_asked.emit, key))
            part.addWidget(chip)


class PriorityLine(QWidget):
    """Bars, "P1" and what that means."""

    def __init__(self, report: Report, parent: QWidget | None) -> None:
        super().__init__(parent)
        self._level = priority_level(report.priority)
        self._name, self._words = priority_words(report)
        set_role(self, QAccessible.Role.StaticText)
        self.setAccessibleName(f"{self._name}, {self._words}")

    def sizeHint(self) -> QSize:
        return QSize(120, theme().line("body"))

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        height = look.px(12)
        with QPainter(self) as painter:
            bars = QRectF(0, round((self.height() - height) / 2), height * 1.5, height)
            paint_priority(painter, bars, self._level, look)
            token = _PRIORITY_TOKENS[self._level] if self._level < len(_PRIORITY_TOKENS) else "text.primary"
            x = bars.right() + 8
            width = painting.text_width(self._name, look.font("bodyStrong"))
            place = QRectF(x, 0, width, self.height())
            painting.text(painter, place, self._name, look.font("bodyStrong"), look.color(token))
            rest = QRectF(place.right() + 6, 0, self.width() - place.right() - 6, self.height())
            painting.text(painter, rest, self._words, look.font("body"), look.color("text.muted"))


class FactorRow(QWidget):
    """One reason of the score: what it adds, that as a bar of what it could add, and the fact behind it."""

    def __init__(self, factor: Factor, parent: QWidget | None) -> None:
        super().__init__(parent)
        points = points_words(factor.points)
        set_role(self, QAccessible.Role.StaticText)
        most = f"{factor.weight:.0f}"
        self.setAccessibleName(f"{factor.label}: {factor.value}, {points} of {most} points")
        self.setToolTip(f"{points} of {most} points")
        line = QHBoxLayout()
        line.addWidget(ElidedLabel(factor.label, self, font="small", token="text.secondary"), 1)
        token = "status.failed" if factor.points < 0 else "text.primary"
        line.addWidget(ElidedLabel(points, self, font="smallStrong", token=token, tabular=True))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 2, 0, 4)
        column.setSpacing(3)
        column.addLayout(line)
        column.addWidget(ShareBar(factor, self))
        column.addWidget(Label(factor.value, self, font="caption", token="text.muted", wrap=True))


class ShareBar(QWidget):
    def __init__(self, factor: Factor, parent: QWidget) -> None:
        super().__init__(parent)
        self._share = abs(factor.points) / factor.weight if factor.weight else 0.0
        self._token = "status.failed" if factor.points < 0 else "text.muted"
        self.setFixedHeight(3)

    def paintEvent(self, event: QPaintEvent) -> None:
        look, whole = theme(), QRectF(self.rect())
        radius = whole.height() / 2
        with QPainter(self) as painter:
            painting.rounded(painter, whole, radius, look.color("border.subtle"))
            filled = whole.width() * min(1.0, self._share)
            if filled > 0:
                bar = QRectF(0, 0, max(whole.height(), filled), whole.height())
                painting.rounded(painter, bar, radius, look.color(self._token))


def points_words(points: float) -> str:
    """ "+18", "−4", "0"."""
    whole = round(points)
    return f"+{whole}" if whole > 0 else f"−{-whole}" if whole < 0 else "0"


def _reviewer(reviewer: SuggestedReviewer, tone: str, parent: QWidget | None) -> QWidget:
    row = QWidget(parent)
    line = QHBoxLayout(row)
    line.setContentsMargins(0, 0, 0, 0)
    line.setSpacing(8)
    name = one_line(reviewer.name or reviewer.login, 80)
    line.addWidget(Avatar(name, row, tone=tone), 0, Qt.AlignmentFlag.AlignTop)
    words = QVBoxLayout()
    words.setSpacing(0)
    words.addWidget(ElidedLabel(name, row))
    reason = one_line(reviewer.reason, 300)
    if reason:
        words.addWidget(ElidedLabel(reason, row, font="small", token="text.muted"))
    line.addLayout(words, 1)
    row.setAccessibleName(f"{name}, {reason}" if reason else name)
    return row


def _told(tell: Callable[[str], object], what: str) -> Callable[[], object]:
    """A slot without Qt's `checked` argument."""
    return partial(lambda: tell(what))
