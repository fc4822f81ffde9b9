"""The Signals panel. All of it is drawn from the state; only what is current is its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QHideEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from posthog_code.domain.ids import TaskId
from posthog_code.domain.inbox import Report
from posthog_code.domain.state import Topic
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit.scroll import ScrollArea
from posthog_code.ui.models.inbox_list import seen_words
from posthog_code.ui.panels.signals.content import Content, Stop
from posthog_code.ui.panels.signals.coverage import PlaceRow
from posthog_code.ui.panels.signals.report import ErrorRow, RecordingRow
from posthog_code.ui.panels.signals.table import SignalLine
from posthog_code.ui.panels.signals.watch import MetricRow
from posthog_code.ui.panels.signals.words import SIGNAL_KEYS
from posthog_code.ui.theme import notifier

if TYPE_CHECKING:
    from posthog_code.domain.code_signals import SignalRow

_OF_TASK = ("task", "code_signals", "watch", "pull_request")
_OF_ALL = ("inbox", "account")


class SignalsPanel(QWidget):
    """The report, the release watch, what the changed code means, and the coverage meter; reads only while in view."""

    KEYS = SIGNAL_KEYS

    def __init__(self, ctx: UiContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ctx = ctx
        self._task_id: TaskId | None = None
        self._followed: TaskId | None = None
        self._stale = True
        self._current = ""
        self._shown: object = None
        self._declined = False
        self.content: Content | None = None
        self.area = ScrollArea(None, self, name="Signals")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.area)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setObjectName("signals")
        self.setAccessibleName("Signals")
        ctx.bridge.changed.connect(self._on_changed)
        notifier().changed.connect(self._look_changed)

    # -- what is shown -------------------------------------------------------------------------------------------

    def set_task(self, task_id: TaskId | None) -> None:
        if task_id != self._task_id:
            self._task_id = task_id
            self._current, self._shown = "", None
            self._mark()
            self._follow()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._follow()
        if self._stale:
            self._render()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._follow()

    def report(self) -> Report | None:
        state = self._ctx.state
        task = state.tasks.get(self._task_id) if self._task_id is not None else None
        return state.inbox.reports.get(task.report_id) if task is not None and task.report_id else None

    def _follow(self) -> None:
        """Read the task in view, and none while the panel is hidden."""
        seen = self._task_id if self.isVisible() and self._task_id in self._ctx.state.tasks else None
        if seen == self._followed:
            return
        signals = self._ctx.services.code_signals
        if self._followed is not None:
            signals.unwatch(self._followed)
        self._followed = seen
        if seen is not None:
            signals.watch(seen)
            self._read_evidence(seen)

    def _read_evidence(self, task_id: TaskId) -> None:
        report_id, inbox = self._ctx.state.tasks[task_id].report_id, self._ctx.services.inbox
        if report_id and self._ctx.state.account.signed_in:
            # What fails is told by the evidence itself, or by the age of the inbox.
            self._ctx.actions.start(
                f"evidence {report_id}", lambda: inbox.load_evidence(report_id), on_error=lambda _error: self._mark()
            )

    def _on_changed(self, topics: frozenset[Topic]) -> None:
        if any(t.kind in _OF_ALL or (t.id == self._task_id and t.kind in _OF_TASK) for t in topics):
            self._mark()

    def _look_changed(self) -> None:
        """Heights follow the text size: build it again."""
        self._shown = None
        self._mark()

    def _mark(self) -> None:
        self._stale = True
        if self.isVisible():
            self._render()

    def _trouble(self, now: float) -> str:
        """Why what PostHog says is old, with its age; "" while it is fresh."""
        inbox = self._ctx.state.inbox
        if not inbox.error or not self._ctx.state.account.signed_in:
            return ""
        return f"{inbox.error} {seen_words(inbox.fetched_at, now)}"

    def _render(self) -> None:
        """Build the content again if anything of what it is made from differs; keeps the place and the focus."""
        self._stale = False
        task_id, state, now = self._task_id, self._ctx.state, self._ctx.now()
        if task_id is None or task_id not in state.tasks:
            self._shown = None
            self._put(None)
            return
        report = self.report()
        made_from = (
            task_id,
            report,
            state.inbox.evidence.get(report.id) if report is not None else None,
            state.watches.get(task_id),
            state.code_signals.get(task_id),
            state.account.signed_in,
            not self._declined,
            self._trouble(now),
            int(now // 60),
        )
        if made_from == self._shown:
            return
        self._shown = made_from
        place = self.area.verticalScrollBar().value()
        content = Content(
            report=report,
            evidence=made_from[2],
            watch=made_from[3],
            signals=made_from[4],
            signed_in=state.account.signed_in,
            offered=not self._declined,
            trouble=made_from[7],
            now=now,
        )
        self._connect(content)
        had_focus = self.content is not None and self.content.isAncestorOf(self.focusWidget() or self)
        self._put(content)
        self.area.verticalScrollBar().setValue(place)
        if had_focus:
            self.setFocus(Qt.FocusReason.OtherFocusReason)
        self._mark_current()

    def _put(self, content: Content | None) -> None:
        old = self.area.takeWidget()
        if old is not None:
            # Not at once: the change may come from a press on something inside it.
            old.hide()
            old.deleteLater()
        self.content = content
        if content is not None:
            self.area.setWidget(content)

    def _connect(self, content: Content) -> None:
        content.sign_in.connect(self._sign_in)
        content.not_now.connect(self._decline)
        content.again.connect(self._again)
        if content.report is not None:
            content.report.open_report.connect(self._open_report)
            content.report.browse.connect(self._browse)
        if content.watch is not None:
            content.watch.released.connect(self._released)
            content.watch.again.connect(self._again)
            content.watch.follow_up.connect(self._follow_up)
            content.watch.show_place.connect(self._show_place)
        if content.table is not None:
            content.table.show_row.connect(self._show_row)
            content.table.ask_row.connect(self._ask)
        if content.coverage is not None:
            content.coverage.add.connect(self._add_with_agent)
            content.coverage.show_place.connect(self._show_line)

    # -- deeds ---------------------------------------------------------------------------------------------------

    def _sign_in(self) -> None:
        self._ctx.nav.open_settings("account")

    def _decline(self) -> None:
        """Until the window is opened again."""
        self._declined = True
        self._mark()

    def _open_report(self) -> None:
        report = self.report()
        if report is not None:
            self._ctx.nav.open_inbox(report.id)

    def _browse(self, url: str) -> None:
        if url.startswith(("https://", "http://")):
            self._ctx.open_url(url)

    def _show_row(self, row: SignalRow) -> None:
        if self._task_id is not None:
            self._ctx.nav.open_file(self._task_id, row.path, row.line, "old" if row.removed else "new")

    def _show_line(self, path: str, line: int) -> None:
        if self._task_id is not None:
            self._ctx.nav.open_file(self._task_id, path, line)

    def _show_place(self, place: str) -> None:
        path, _, line = place.rpartition(":")
        if line.isdecimal():
            self._show_line(path, int(line))

    def _ask(self, row: SignalRow) -> None:
        task_id, signals = self._task_id, self._ctx.services.code_signals
        if task_id is not None and row.ask:
            self._ctx.actions.start(f"ask {task_id}", lambda: signals.ask(task_id, row), on_done=self._asked)

    def _add_with_agent(self) -> None:
        task_id, signals = self._task_id, self._ctx.services.code_signals
        if task_id is not None:
            self._ctx.actions.start(f"ask {task_id}", lambda: signals.add_with_agent(task_id), on_done=self._asked)

    def _asked(self, _result: object) -> None:
        self._ctx.toasts.show("Sent to the agent", "It is a follow-up in this conversation.", kind="success", timeout=4)

    def _released(self) -> None:
        task_id, releases, now = self._task_id, self._ctx.services.releases, self._ctx.now()
        if task_id is not None:
            self._ctx.actions.start(f"released {task_id}", lambda: releases.begin(task_id, now))

    def _again(self) -> None:
        task_id, services = self._task_id, self._ctx.services
        if task_id is None:
            return
        self._ctx.actions.start(f"signals {task_id}", lambda: services.code_signals.refresh(task_id))
        if task_id in self._ctx.state.watches:
            busy = self.content.watch.refresh if self.content is not None and self.content.watch is not None else None
            check = f"watch {task_id}"
            self._ctx.actions.start(
                check, lambda: services.releases.check(task_id), busy=busy.set_loading if busy is not None else None
            )

    def _follow_up(self) -> None:
        task_id, releases = self._task_id, self._ctx.services.releases
        if task_id is not None:
            self._ctx.actions.start(f"follow-up {task_id}", lambda: releases.report_worse(task_id), on_done=self._made)

    def _made(self, task_id: object) -> None:
        if isinstance(task_id, str) and task_id in self._ctx.state.tasks:
            self._ctx.nav.open_task(TaskId(task_id))

    # -- keys ----------------------------------------------------------------------------------------------------

    def _stops(self) -> list[tuple[str, Stop]]:
        return self.content.stops() if self.content is not None else []

    def _mark_current(self) -> None:
        for key, widget in self._stops():
            widget.set_current(key == self._current)

    def _step(self, by: int) -> None:
        stops = self._stops()
        if not stops:
            return
        keys = [key for key, _ in stops]
        at = keys.index(self._current) if self._current in keys else (-1 if by > 0 else len(keys))
        at = max(0, min(at + by, len(keys) - 1))
        self._current = keys[at]
        self._mark_current()
        self.setAccessibleDescription(stops[at][1].accessibleName())
        self.area.ensureWidgetVisible(stops[at][1], 0, 24)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, plain = event.key(), event.modifiers() == Qt.KeyboardModifier.NoModifier
        widget = next((one for name, one in self._stops() if name == self._current), None)
        if plain and key in (Qt.Key.Key_J, Qt.Key.Key_Down):
            self._step(1)
        elif plain and key in (Qt.Key.Key_K, Qt.Key.Key_Up):
            self._step(-1)
        elif plain and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and widget is not None:
            widget.pressed.emit()
        elif plain and key == Qt.Key.Key_A and isinstance(widget, SignalLine):
            self._ask(widget.signal)
        elif plain and key == Qt.Key.Key_A and isinstance(widget, PlaceRow):
            self._add_with_agent()
        elif plain and key == Qt.Key.Key_B:
            self._browse_current(widget)
        elif plain and key == Qt.Key.Key_R:
            self._again()
        else:
            super().keyPressEvent(event)

    def _browse_current(self, widget: Stop | None) -> None:
        if isinstance(widget, SignalLine):
            self._browse(widget.signal.url)
        elif isinstance(widget, ErrorRow | RecordingRow):
            self._browse(widget.url)
        elif not isinstance(widget, MetricRow) and (report := self.report()) is not None:
            self._browse(self._ctx.services.inbox.url(report.id))
