"""*From your signals* below the prompt of New task, and the line that tells which report a task is made from."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import islice

from PySide6.QtCore import QRectF, QSize, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QTextCursor
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from posthog_code.domain.inbox import Report
from posthog_code.domain.inbox_lists import can_start
from posthog_code.domain.report_prompt import ReportTask
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit import painting
from posthog_code.ui.kit.buttons import Button, IconButton
from posthog_code.ui.kit.cards import Banner, Card, Hairline
from posthog_code.ui.kit.charts import PriorityBars
from posthog_code.ui.kit.labels import ElidedLabel, Label
from posthog_code.ui.models.inbox_list import (
    PEOPLE,
    Figure,
    figures_of,
    folder_of,
    found_by,
    score_tip,
    short,
    tasks_by_report,
    title_of,
)
from posthog_code.ui.pages.prompt_box import PromptBox
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.icons import paint_icon

MOST = 3


class FromSignals(QWidget):
    """The reports at the top of the inbox that a task can be started from. With none there is nothing to see."""

    used = Signal(str)
    """Id of the report whose prompt is wanted."""

    def __init__(self, ctx: UiContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ctx = ctx
        self._shown: tuple[object, ...] = ()
        self._card: Card | None = None
        head = QHBoxLayout()
        head.setSpacing(9)
        head.addWidget(Label("From your signals", self, font="heading"))
        head.addWidget(Label("what is most urgent for you", self, font="small", token="text.muted"))
        head.addStretch(1)
        self.all = Button("Open inbox", self, kind="link", size="sm")
        self.all.clicked.connect(self._open_all)
        head.addWidget(self.all)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 20, 0, 0)
        self._column.setSpacing(6)
        self._column.addLayout(head)
        self.hide()

    def refresh(self) -> None:
        """Costs nothing while nobody is signed in or nothing has changed."""
        state = self._ctx.state
        found = self._best() if state.account.signed_in and state.inbox.reports and state.repositories else []
        rows = tuple((report, self._detail(report), self._figure(report), tip) for report, tip in found)
        self.setVisible(bool(rows))
        if rows == self._shown:
            return
        self._shown = rows
        if self._card is not None:
            self._column.removeWidget(self._card)
            self._card.hide()
            self._card.deleteLater()
        self._card = card = Card(self, fill="surface.panel")
        self._column.addWidget(card)
        for number, (report, detail, figure, tip) in enumerate(rows):
            if number:
                card.body.addWidget(Hairline(card))
            card.body.addWidget(self._row(card, report, detail, figure, tip))

    def _best(self) -> list[tuple[Report, str]]:
        state = self._ctx.state
        ranked, taken = self._ctx.services.inbox.ranked("for_you"), tasks_by_report(state)
        free = (pair for pair in ranked if can_start(pair[0]) and pair[0].id not in taken)
        return [(report, score_tip(score)) for report, score in islice(free, MOST)]

    def _detail(self, report: Report) -> str:
        """ "640 people · harbor-web, src/auth"."""
        evidence = self._ctx.state.inbox.evidence.get(report.id)
        figures = figures_of(report, evidence)
        people = next((figure.spoken for figure in figures if figure.icon == PEOPLE), "")
        place = [short(evidence.repository), folder_of(evidence)] if evidence else []
        where = ", ".join(part for part in place if part)
        return " · ".join(part for part in (people, where or found_by(report)) if part)

    def _figure(self, report: Report) -> Figure | None:
        figures = figures_of(report, self._ctx.state.inbox.evidence.get(report.id))
        return next((figure for figure in figures if figure.icon != PEOPLE), None)

    def _row(self, card: Card, report: Report, detail: str, figure: Figure | None, tip: str) -> QWidget:
        title = title_of(report)
        row = QWidget(card)
        row.setToolTip(tip)
        line = QHBoxLayout(row)
        line.setContentsMargins(11, 4, 10, 4)
        line.setSpacing(10)
        line.addWidget(PriorityBars(report.priority, row))
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(ElidedLabel(title, row, font="bodyStrong"))
        words.addWidget(ElidedLabel(detail, row, font="small", token="text.muted"))
        line.addLayout(words, 1)
        if figure is not None:
            line.addWidget(_FigureMark(figure, row))
        button = Button("Use", row, size="sm")
        button.setAccessibleName(f"Use {title}")
        button.clicked.connect(partial(self._use, report.id))
        line.addWidget(button)
        row.setAccessibleName(", ".join(part for part in (title, detail, figure.spoken if figure else "") if part))
        row.setMinimumHeight(theme().px(44))
        return row

    def _use(self, report_id: str) -> None:
        self.used.emit(report_id)

    def _open_all(self) -> None:
        self._ctx.nav.open_inbox()


class ReportLink(Banner):
    """Above the prompt: the task will be linked to a report. Hidden without one."""

    changed = Signal()

    def __init__(self, ctx: UiContext, parent: QWidget | None = None) -> None:
        super().__init__("", parent, tone="running", icon="ph.tray")
        self._ctx = ctx
        self.report_id = self.task_title = ""
        self._looked = False
        self.open = Button("Open the report", self, kind="ghost", size="sm")
        self.open.clicked.connect(self._on_open)
        self.remove = IconButton("ph.x", "Remove the link to the report", self, size="sm")
        self.remove.clicked.connect(self.clear)
        self.row.addWidget(self.open)
        self.row.addWidget(self.remove)
        self.hide()

    def use(self, report_id: str, prompt: PromptBox, then: Callable[[ReportTask], object]) -> None:
        """Put the prompt that a report makes in place of what is there, which can be had back."""
        inbox = self._ctx.services.inbox

        def apply(_read: object = None) -> None:
            report = self._ctx.state.inbox.reports.get(report_id)
            if report is not None:
                draft = inbox.task_draft(report_id)
                self._put(draft.prompt, prompt)
                self.set_report(report, draft.title)
                then(draft)

        if report_id in self._ctx.state.inbox.evidence or report_id not in self._ctx.state.inbox.reports:
            apply()
        else:
            # What the prompt tells is read first; without it, it says what is known.
            load = partial(inbox.load_evidence, report_id)
            self._ctx.actions.start(f"inbox.use {report_id}", load, on_done=apply, on_error=apply)

    def restore(self, text: str) -> bool:
        """Once the inbox is known, link a draft of an earlier run again: it names the page of its report.

        True when there is a link."""
        state = self._ctx.state
        if self._looked or not state.account.signed_in or not state.inbox.fetched_at:
            return bool(self.report_id)
        self._looked = True
        named = (report for report in state.inbox.reports.values() if f"/inbox/{report.id}" in text)
        report = next(named, None) if text and not self.report_id else None
        if report is not None:
            self.set_report(report, self._ctx.services.inbox.task_draft(report.id).title)
        return bool(self.report_id)

    def _put(self, text: str, prompt: PromptBox) -> None:
        before = prompt.text()
        prompt.set_text(text)
        prompt.editor.moveCursor(QTextCursor.MoveOperation.Start)
        prompt.editor.setFocus()
        if before.strip() and before != text:

            def put_back() -> None:
                self.clear()
                prompt.set_text(before)

            self._ctx.toasts.show("Your draft was replaced.", "", "info", [("Undo", put_back)], 10.0, "draft")

    def set_report(self, report: Report, title: str) -> None:
        """`title` is what the task will be called."""
        self.report_id, self.task_title = report.id, title
        self.set_text(f"The task will be linked to the report “{title_of(report)}”")
        self.show()
        self.changed.emit()

    def clear(self) -> None:
        """The prompt stays; the task is one like any other."""
        if self.report_id:
            self.report_id = self.task_title = ""
            self.hide()
            self.changed.emit()

    def _on_open(self) -> None:
        self._ctx.nav.open_inbox(self.report_id)


class _FigureMark(QWidget):
    """An icon and a number with its word."""

    def __init__(self, figure: Figure, parent: QWidget) -> None:
        super().__init__(parent)
        self._figure = figure
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(figure.spoken)

    def sizeHint(self) -> QSize:
        look = theme()
        words = painting.text_width(self._figure.spoken, look.font("small", tabular=True))
        return QSize(look.px(14) + 5 + words, look.line("small"))

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        side = look.px(14)
        with QPainter(self) as painter:
            mark = QRectF(0, round((self.height() - side) / 2), side, side)
            paint_icon(painter, mark, self._figure.icon, look.color("text.muted"))
            words = QRectF(side + 5, 0, self.width() - side - 5, self.height())
            font = look.font("small", tabular=True)
            painting.text(painter, words, self._figure.spoken, font, look.color("text.muted"))
