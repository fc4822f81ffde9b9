"""One report in full, with what can be done about it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from posthog_code.domain.cloud_lists import local_repository
from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.inbox import Evidence, Report, Triage
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit.buttons import Button, IconButton, SplitButton
from posthog_code.ui.kit.cards import Surface
from posthog_code.ui.kit.chips import KeyCap
from posthog_code.ui.kit.labels import ElidedLabel, Label
from posthog_code.ui.kit.scroll import ScrollArea
from posthog_code.ui.kit.sizes import fix_size
from posthog_code.ui.models.inbox_list import path_and_line, task_of_report, title_of
from posthog_code.ui.pages.inbox import code_place, triage
from posthog_code.ui.pages.inbox.meta import MetaColumn
from posthog_code.ui.pages.inbox.sections import SIDE, ReportBody
from posthog_code.ui.pages.inbox.start import StartDeeds
from posthog_code.ui.theme import theme

META = 214
_BESIDE_FROM = 600
"""Width from which the column stands beside the text; below, it follows the text."""
_CLOUD_FROM = 480
_WIDEST, _CAPPED_FROM = 1200, 2560
"""Widest report, in windows from this width on: in others the room that is left would only be a gap."""
_SEEN_AFTER_MS = 1000


class ReportDetail(QWidget):
    """Shows the state of one report. What it needs is asked for when it comes into view."""

    back_asked = Signal()

    def __init__(self, ctx: UiContext, deeds: triage.Triage, start: StartDeeds, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("inboxDetail")
        self.setAccessibleName("Report")
        self._ctx, self._deeds, self._start = ctx, deeds, start
        self._id = ""
        self._code_of: object = None
        self._trouble = ""
        """Why nothing more is known of the report."""
        self._beside: bool | None = None
        self.back = IconButton("ph.arrow-left", "Back to the list", self, keys="Esc")
        self.back.clicked.connect(self.back_asked)
        self.back.hide()
        self.title = ElidedLabel("", self, font="title")
        self._make_buttons()
        self.body = ReportBody(self)
        self.body.opened.connect(self._open_page)
        self.meta = MetaColumn(self)
        self.meta.task_asked.connect(self._open_task)
        self.meta.flag_asked.connect(self._open_flag)
        self.meta.weights_asked.connect(self._open_weights)
        self._build()
        self._seen = QTimer(self)
        self._seen.setSingleShot(True)
        self._seen.setInterval(_SEEN_AFTER_MS)
        self._seen.timeout.connect(self._on_seen)

    def _make_buttons(self) -> None:
        self.start = SplitButton(
            "Start task", self, kind="primary", icon="ph.play-fill", keys="S", menu_name="Where, and by whom"
        )
        self.start.clicked.connect(self.start_task)
        self.start.menuRequested.connect(self.open_start_menu)
        self.task = SplitButton(
            "Open the task", self, kind="primary", icon="ph.arrow-square-in", keys="S", menu_name="Start another task"
        )
        self.task.clicked.connect(self.open_task)
        self.task.menuRequested.connect(self.open_start_menu)
        self.cloud = Button("Run in cloud", self, icon="ph.cloud", keys="Shift+S")
        self.cloud.clicked.connect(self.start_in_cloud)
        self.snooze = Button("Snooze", self, icon="ph.bell-z", keys="H", caret=True)
        self.snooze.clicked.connect(self._on_snooze)
        self.dismiss = Button("Dismiss", self, icon="ph.x", keys="E", caret=True)
        self.dismiss.clicked.connect(self._on_dismiss)
        self.restore = Button("Restore", self, icon="ph.arrow-counter-clockwise", keys="R")
        self.restore.clicked.connect(self._on_restore)
        self.pull = Button("", self, icon="ph.git-pull-request")
        self.pull.clicked.connect(self._open_pull)
        self.page = IconButton("ph.arrow-square-out", "Open in PostHog", self, keys="B")
        self.page.clicked.connect(self.open_in_posthog)

    def _build(self) -> None:
        head = Surface("surface.window", self, edge="bottom")
        first = QHBoxLayout()
        first.setSpacing(8)
        first.addWidget(self.back)
        first.addWidget(self.title, 1)
        second = QHBoxLayout()
        second.setSpacing(8)
        for button in (self.start, self.task, self.cloud, self.snooze, self.dismiss, self.restore, self.pull):
            second.addWidget(button)
        second.addStretch(1)
        self._hints = self._make_hints(head)
        second.addWidget(self._hints)
        second.addWidget(self.page)
        lines = QVBoxLayout(head)
        lines.setContentsMargins(SIDE, 14, 14, 12)
        lines.setSpacing(9)
        lines.addLayout(first)
        lines.addLayout(second)
        self._inner = _Column(self)
        self._content = QVBoxLayout(self._inner)
        self._content.setContentsMargins(0, 0, 0, 0)
        self._content.setSpacing(0)
        self._content.addWidget(self.body, 1)
        self._scroll = ScrollArea(self._inner, self, name="Report")
        self._side = Surface("surface.window", self, edge="left")
        fix_size(self._side, width=META)
        side = QVBoxLayout(self._side)
        side.setContentsMargins(1, 0, 0, 0)
        self._side_scroll = ScrollArea(None, self._side, name="About the report")
        side.addWidget(self._side_scroll)
        self._row = row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self._scroll, 1)
        row.addWidget(self._side)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(head)
        column.addLayout(row, 1)
        self._fold(_BESIDE_FROM)

    def _make_hints(self, parent: QWidget) -> QWidget:
        hints = QWidget(parent)
        row = QHBoxLayout(hints)
        row.setContentsMargins(0, 0, 6, 0)
        row.setSpacing(5)
        for keys, words in (("E", "dismiss"), ("H", "snooze")):
            row.addWidget(KeyCap(keys, hints))
            row.addWidget(Label(words, hints, font="small", token="text.muted"))
        return hints

    # what it shows

    @property
    def report_id(self) -> str:
        return self._id

    def report(self) -> Report | None:
        return self._ctx.state.inbox.reports.get(self._id)

    def show_report(self, report_id: str) -> None:
        """Another report, or "" for none; its evidence is read when it is not fresh."""
        if report_id != self._id:
            self._id = report_id
            self._scroll.verticalScrollBar().setValue(0)
            self._side_scroll.verticalScrollBar().setValue(0)
            self.body.show_code(None)
            self._code_of = None
            self._trouble = ""
            self._seen.stop()
            if report_id and self.report() is not None:
                self._load(report_id)
        self.refresh()

    def _load(self, report_id: str) -> None:
        inbox = self._ctx.services.inbox
        self._ctx.actions.start(
            f"inbox.evidence {report_id}",
            lambda: inbox.load_evidence(report_id),
            on_done=self._loaded,
            on_error=self._not_loaded,
        )

    def _loaded(self, _evidence: Evidence) -> None:
        self.refresh()

    def _not_loaded(self, error: UserError) -> None:
        """What was known stays."""
        self._trouble = f"{error.title} {error.hint}".strip()
        self.refresh()

    def _evidence(self) -> Evidence | None:
        return self._ctx.state.inbox.evidence.get(self._id)

    def refresh(self) -> None:
        report = self.report()
        if report is None:
            return
        ctx, state, now = self._ctx, self._ctx.state, self._ctx.now()
        known = state.inbox.triage.get(self._id, Triage())
        evidence = self._evidence()
        self.title.setText(title_of(report))
        loading = ctx.actions.is_running(f"inbox.evidence {self._id}")
        problem = evidence.problem if evidence else self._trouble
        self.body.show_report(report, evidence, known, problem, loading, now)
        self.meta.show_report(state, report, ctx.services.inbox.score(self._id), now)
        self._show_buttons(report)
        self._show_code(evidence)
        if known.seen_at <= 0 and self.isVisible() and not self._seen.isActive():
            self._seen.start()

    def _show_buttons(self, report: Report) -> None:
        state = self._ctx.state
        has_task = task_of_report(state, report.id) is not None
        away = triage.can_restore(state, [report.id])
        resolved = report.status == "resolved"
        self.task.setVisible(has_task)
        self.start.setVisible(not has_task and not resolved)
        self.restore.setVisible(away and not resolved)
        self.snooze.setVisible(not away)
        self.dismiss.setVisible(not away)
        self.cloud.setVisible(not has_task and not resolved and self.width() >= _CLOUD_FROM)
        self.pull.setVisible(bool(report.pull_request_url))
        number = report.pull_request_url.rstrip("/").rpartition("/")[2]
        words = f"#{number}" if number.isdigit() else "Pull request"
        self.pull.setText(f"{words} merged" if report.pull_request_merged else words)
        self.pull.set_icon("ph.git-merge" if report.pull_request_merged else "ph.git-pull-request")
        buttons = (self.start, self.task, self.cloud, self.snooze, self.dismiss, self.restore, self.pull, self.page)
        taken = sum(button.sizeHint().width() + 8 for button in buttons if button.isVisibleTo(self)) + 2 * SIDE
        self._hints.setVisible(not away and taken + self._hints.sizeHint().width() < self.width())

    def _show_code(self, evidence: Evidence | None) -> None:
        """Lines of this machine's checkout round the likely place."""
        state = self._ctx.state
        here = local_repository(evidence.repository, state.repositories.values()) if evidence else None
        repository = state.repositories.get(here) if here else None
        place = likely_place(evidence) if evidence else ""
        wanted = (self._id, repository.path if repository else "", place)
        if wanted == self._code_of:
            return
        self._code_of = wanted
        if repository is None or not place:
            self.body.show_code(None)
            return
        path, line = path_and_line(place)

        def read(code: code_place.CodeLines | None) -> None:
            if wanted == self._code_of:
                self.body.show_code(code)

        folder = repository.path
        self._ctx.actions.start(
            f"inbox.code {self._id} {place}", lambda: code_place.read_place(folder, path, line), on_done=read
        )

    def _on_seen(self) -> None:
        report_id = self._id
        if report_id and self.isVisible() and not self.window().isMinimized():
            inbox = self._ctx.services.inbox
            self._ctx.actions.start(f"inbox.seen {report_id}", lambda: inbox.mark_seen(report_id))

    # what a person does

    def start_task(self) -> None:
        """With a task already, that is shown."""
        if self.task.isVisibleTo(self):
            self.open_task()
        elif self._id:
            self._start.start(self._id, busy=self.start)

    def start_in_cloud(self) -> None:
        if self._id and not self.task.isVisibleTo(self):
            self._start.start(self._id, in_cloud=True, busy=self.cloud)

    def open_start_menu(self) -> None:
        if self._id:
            self._start.menu(self._id, self.task if self.task.isVisibleTo(self) else self.start)

    def open_task(self) -> None:
        task_id = task_of_report(self._ctx.state, self._id)
        if task_id is not None:
            self._ctx.nav.open_task(task_id)

    def _open_task(self, task_id: str) -> None:
        self._ctx.nav.open_task(TaskId(task_id))

    def _on_snooze(self) -> None:
        self._deeds.snooze_menu(self.snooze, [self._id])

    def _on_dismiss(self) -> None:
        self._deeds.dismiss_menu(self.dismiss, [self._id])

    def _on_restore(self) -> None:
        self._deeds.restore([self._id])

    def open_in_posthog(self) -> None:
        self._show_url(lambda: self._ctx.services.inbox.url(self._id))

    def _open_flag(self, key: str) -> None:
        self._show_url(lambda: self._ctx.services.account.signals().flag_url(key))

    def _open_pull(self) -> None:
        report = self.report()
        if report is not None:
            self._open_page(report.pull_request_url)

    def _open_weights(self) -> None:
        self._ctx.nav.open_settings("signals")

    def _open_page(self, url: str) -> None:
        if url.startswith(("https://", "http://")):
            self._ctx.open_url(url)

    def _show_url(self, make: Callable[[], str]) -> None:
        async def show() -> None:
            self._open_page(make())

        self._ctx.actions.start("inbox.page", show)

    # room

    def set_over(self, on: bool) -> None:
        """It is shown in place of the list, with a way back."""
        self.back.setVisible(on)

    def _fold(self, width: int) -> None:
        beside = width >= _BESIDE_FROM
        if beside == self._beside:
            return
        self._beside = beside
        if beside:
            self._content.removeWidget(self.meta)
            self._side_scroll.setWidget(self.meta)
        else:
            self._side_scroll.takeWidget()
            self._content.addWidget(self.meta)
        self.meta.show()
        self._side.setVisible(beside)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fold(self.width())
        wide = self.window().width() >= theme().px(_CAPPED_FROM)
        spare = max(0, self.width() - theme().px(_WIDEST)) if wide else 0
        self._row.setContentsMargins(0, 0, spare, 0)
        report = self.report()
        if report is not None:
            self._show_buttons(report)

    def hideEvent(self, event: object) -> None:
        self._seen.stop()

    def showEvent(self, event: object) -> None:
        self.refresh()

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.fillRect(event.rect(), theme().color("surface.window"))


class _Column(QWidget):
    """What scrolls, as high as it is at its width."""

    def minimumSizeHint(self) -> QSize:
        return QSize(0, 0)


def likely_place(evidence: Evidence) -> str:
    """`path:line` to look at: the most likely file, with the line of an error in it when it tells none itself."""
    first = evidence.paths[0] if evidence.paths else ""
    places = [error.place for error in evidence.errors if error.place]
    if not first:
        return places[0] if places else ""
    path, line = path_and_line(first)
    if line:
        return first
    return next((place for place in places if path_and_line(place)[0] == path), first)
