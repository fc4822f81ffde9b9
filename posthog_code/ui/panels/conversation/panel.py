"""The conversation panel: the stream of rows, find, the way to the latest, and the composer."""

from __future__ import annotations

import shiboken6
from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtGui import (
    QGuiApplication,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QVBoxLayout, QWidget

from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.session import SessionPhase
from posthog_code.domain.state import Topic
from posthog_code.domain.task import TaskPhase, Workspace
from posthog_code.domain.transcript import Transcript, TurnFooter
from posthog_code.ui.cloud.link_bar import LinkBar
from posthog_code.ui.composer import Composer
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit.empty import EmptyState
from posthog_code.ui.models.header_words import author_words
from posthog_code.ui.panels.conversation import words
from posthog_code.ui.panels.conversation.announcer import Announcer
from posthog_code.ui.panels.conversation.blocks import Block
from posthog_code.ui.panels.conversation.deeds import Deeds, register_commands
from posthog_code.ui.panels.conversation.find_bar import FindBar
from posthog_code.ui.panels.conversation.finder import Finder
from posthog_code.ui.panels.conversation.pill import LatestPill
from posthog_code.ui.panels.conversation.row_base import Row
from posthog_code.ui.panels.conversation.row_cards import can_restore
from posthog_code.ui.panels.conversation.source import ConversationSource
from posthog_code.ui.panels.conversation.stream import StreamView
from posthog_code.ui.panels.conversation.view_state import ViewState
from posthog_code.ui.theme import theme

PILL_DISTANCE = 80
STOP_AGAIN_MS = 2000
_TOPICS = frozenset({"transcript", "session", "task", "tasks", "agents"})


class ConversationPanel(QWidget):
    """Shows one task's conversation; all that it knows comes from the state and the transcript."""

    KEYS = words.CONVERSATION_KEYS

    def __init__(self, ctx: UiContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.ctx = ctx
        self.setObjectName("conversation")
        self.setAccessibleName("Conversation")
        self.view = ViewState(ctx)
        self.source = ConversationSource(self.view)
        self.find_bar = FindBar(self)
        self.stream = StreamView(self.view, self.source, self)
        self.empty = EmptyState("ph.chat-centered-text", "Nothing here yet", "Tell the agent what to do.", parent=self)
        self.finder = Finder(self.find_bar, self.stream)
        self.pill = LatestPill(self)
        self.composer = Composer(ctx, self)
        self.announcer = Announcer(self.view, self.source, self.stream, self)
        self.deeds = Deeds(self.view, self._copy_details, self._answer_failed, self.window)
        self._stale = False
        self._loading = False
        self._new_below = 0
        self._stop_armed = QTimer(self)
        self._stop_armed.setSingleShot(True)
        self._stop_armed.setInterval(STOP_AGAIN_MS)
        self._clock = QTimer(self)
        self._clock.setInterval(1000)
        self._clock.timeout.connect(self._tick)
        self._build()
        self._connect()

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.find_bar)
        column.addWidget(self.stream, 1)
        column.addWidget(self.empty, 1)
        self.link_bar = LinkBar(self.ctx, self)
        column.addWidget(self.link_bar)
        column.addWidget(self.composer)
        self.empty.hide()
        self.stream.set_padding(14, 8)
        self.setMinimumWidth(theme().size("layout.conversation.min"))

    def _connect(self) -> None:
        view = self.view
        view.toggle = self.toggle
        view.show_whole = self._show_whole
        view.select = self._select
        view.act = self.deeds.act
        view.answer = self.deeds.answer
        view.answer_question = self.deeds.answer_question
        view.resized = self._resized
        self.pill.clicked.connect(self.jump_to_latest)
        self.stream.verticalScrollBar().valueChanged.connect(self._place_pill)
        self.stream.verticalScrollBar().rangeChanged.connect(self._place_pill)
        self.stream.findRequested.connect(self.find_bar.open)
        self.stream.fileRequested.connect(self._open_file)
        self.stream.escapePressed.connect(self._escape)
        self.find_bar.queryChanged.connect(self.finder.find)
        self.find_bar.stepped.connect(self.finder.step)
        self.find_bar.closed.connect(self.close_find)
        self.composer.keyForCard.connect(self._composer_key)
        self.composer.escapePressed.connect(self._composer_escape)
        self.ctx.bridge.changed.connect(self._on_changed)
        self.ctx.nav.turn_asked.connect(self._show_turn)
        register_commands(
            self.ctx.commands,
            self,
            find=self.find_bar.open,
            latest=self.jump_to_latest,
            stop=self.composer.stop,
            restore=self._restore_last,
            may_restore=lambda: self._last_footer() is not None,
            answer=self.answer_number,
            waits=self.waits_for_answer,
        )

    # -- which task

    def set_task(self, task_id: TaskId | None) -> None:
        if task_id == self.view.task_id:
            self.composer.set_task(task_id)
            return
        self.close_find()
        view = self.view
        view.task_id, view.current = task_id, ""
        view.opened, view.whole = set(), set()
        self.announcer.restart()
        self.composer.set_task(task_id)
        self._load()

    def _load(self) -> None:
        """Show what is in memory at once, or bars until it is read."""
        task_id = self.view.task_id
        self.view.transcript = Transcript()
        self._describe()
        if task_id is None:
            self._loading = False
            self._show_source()
            return
        self._loading = True
        self._show_source()
        sessions = self.ctx.services.sessions

        def loaded(transcript: Transcript) -> None:
            if shiboken6.isValid(self) and self.view.task_id == task_id:
                self._loading = False
                self.view.transcript = transcript
                self._show_source()

        def failed(error: UserError) -> None:
            loaded(Transcript())
            self.ctx.toasts.show(error.title, error.hint, "error")

        self.ctx.actions.start(
            f"transcript:{task_id}", lambda: sessions.load_transcript(task_id), on_done=loaded, on_error=failed
        )

    def _show_source(self) -> None:
        self.source.restart()
        if self._loading:
            self.source.after = [Block("skeleton", "skeleton", 0, 0)]
        self.stream.set_source(self.source)
        self.stream.stick_to_bottom()
        self._show_empty()
        self._place_pill()
        self.announcer.look()

    def _describe(self) -> None:
        """What the rows say about task and agent."""
        state, view = self.ctx.state, self.view
        self.link_bar.show_task(view.task_id)
        task = state.tasks.get(view.task_id) if view.task_id else None
        view.worktree = task.path if task else ""
        view.place = "task worktree"
        if task is not None and task.workspace is Workspace.CLOUD:
            view.place = "sandbox in the cloud"
            view.worktree = self.ctx.services.sessions.cloud_folder(task.id)
        session = state.session_of(task.id) if task else None
        busy = session is not None and session.phase.busy
        own = task is not None and task.workspace is Workspace.WORKTREE and task.phase is TaskPhase.READY
        may_restore = own and bool(view.worktree) and not busy
        if may_restore != view.may_restore:
            view.may_restore = may_restore
            self.stream.update_rows()
        view.agent = "The agent"
        view.author = author_words(state, task) if task else "You"
        if task is not None:
            info = next((info for info in state.agents if info.spec.id == task.agent_id), None)
            name = info.spec.name if info else session.agent_name if session and session.agent_name else ""
            view.agent = name or "The agent"

    # -- keeping up

    def _on_changed(self, topics: frozenset[Topic]) -> None:
        task_id = self.view.task_id
        if task_id is None or not any(t.kind in _TOPICS and t.id in ("", task_id) for t in topics):
            return
        if not self.isVisible():
            self._stale = True
            return
        self.refresh()

    def refresh(self) -> None:
        """Bring the rows up to the transcript and the state."""
        self._stale = False
        if self._loading or (self.view.task_id is not None and self.view.task_id not in self.ctx.state.tasks):
            return
        self._describe()
        transcript = self.view.transcript
        if self.view.task_id is not None:
            transcript = self.ctx.services.sessions.transcript(self.view.task_id)
        if transcript is not self.view.transcript:
            self.view.transcript = transcript
            self._show_source()
        else:
            away = self.stream.distance_to_end() > PILL_DISTANCE
            added = self.source.follow(self.stream)
            self._count_new(self._new_below + added if away else 0)
        self._show_empty()
        self._place_pill()
        self.announcer.look()
        self._run_clock()

    def _run_clock(self) -> None:
        """Seconds on the screen: a permission that waits, a set-up step that runs."""
        task = self.ctx.state.tasks.get(self.view.task_id) if self.view.task_id else None
        waits = self.stream.card_row() >= 0 or (task is not None and task.phase is TaskPhase.SETTING_UP)
        if waits and self.isVisible():
            if not self._clock.isActive():
                self._clock.start()
        else:
            self._clock.stop()

    def _tick(self) -> None:
        for row in self.stream.mounted_rows():
            widget = self.stream.widget_at(row)
            if widget is not None and self.source.kind(row) in ("permission", "question", "setup"):
                widget.update()
        if not self.isVisible():
            self._clock.stop()

    def _show_empty(self) -> None:
        empty = self.source.count() == 0
        if empty != self.empty.isVisibleTo(self):
            self.empty.setVisible(empty)
            self.stream.setVisible(not empty)

    # -- rows

    def toggle(self, key: str) -> None:
        """Open or fold a row or a call."""
        opened = self.view.opened
        if key in opened:
            opened.discard(key)
        else:
            opened.add(key)
        self._resized(key)

    def _show_whole(self, key: str) -> None:
        self.view.whole.add(key)
        self._resized(key)

    def _resized(self, key: str) -> None:
        row = self.source.row_of(key)
        if row >= 0:
            self.stream.rows_changed(row, row)
            self.stream.flush()
            self._place_pill()

    def _select(self, key: str) -> None:
        self.view.current = key
        self.stream.setFocus(Qt.FocusReason.MouseFocusReason)
        self.stream.update_rows()

    def _open_file(self, path: str) -> None:
        """`path` is as the agent gave it: mostly absolute."""
        if self.view.task_id is not None:
            inside = path.removeprefix(f"{self.view.worktree}/") if self.view.worktree else path
            self.ctx.nav.open_file(self.view.task_id, inside)

    # -- doing

    def _last_footer(self) -> TurnFooter | None:
        """The end of the last turn, when its files can be put back."""
        if not self.view.may_restore:
            return None
        items = reversed(self.view.transcript.items)
        return next((item for item in items if isinstance(item, TurnFooter) and can_restore(item)), None)

    def _restore_last(self) -> None:
        footer = self._last_footer()
        if footer is not None:
            self.deeds.act("restore", footer.key)

    def _copy_details(self, key: str) -> None:
        row = self.source.row_of(key)
        widget = self.stream.widget_at(row) if row >= 0 else None
        if isinstance(widget, Row):
            QGuiApplication.clipboard().setText(widget.plain_text())
            self.ctx.toasts.show("Copied the details", "", "success", (), 3.0)

    def _answer_failed(self) -> None:
        card = self.stream.card()
        if card is not None:
            card.answer_failed()

    def _composer_key(self, event: QKeyEvent) -> None:
        if self.stream.answer_by_key(event.key()):
            event.accept()

    def waits_for_answer(self) -> bool:
        return self.isVisible() and self.stream.card_row() >= 0

    def answer_number(self, number: int) -> None:
        """Answer the pending card with its option `number`, from 1."""
        self.stream.answer_by_key(Qt.Key.Key_0 + number)

    def focus_card(self) -> bool:
        """Give the pending card the keyboard; False when nothing waits."""
        card = self.stream.show_card()
        if card is None:
            return False
        card.setFocus(Qt.FocusReason.OtherFocusReason)
        return True

    # -- stopping by Esc

    def _composer_escape(self) -> None:
        if self._stop_armed.isActive():
            self._escape()
        else:
            self.stream.setFocus(Qt.FocusReason.OtherFocusReason)
            self._escape()

    def _escape(self) -> None:
        """With nothing left to close: the second Esc within two seconds stops the agent."""
        session = self.ctx.state.session_of(self.view.task_id) if self.view.task_id else None
        if session is None or session.phase not in (SessionPhase.WORKING, SessionPhase.WAITING):
            return
        if self._stop_armed.isActive():
            self._stop_armed.stop()
            self.composer.stop()
        else:
            self._stop_armed.start()
            self.ctx.toasts.show("Press Esc again to stop the agent", "", "info", (), STOP_AGAIN_MS / 1000)

    # -- the latest

    def _show_turn(self, task_id: TaskId, number: int) -> None:
        if task_id == self.view.task_id and self.isVisible():
            self.stream.go_to_turn(number)

    def jump_to_latest(self) -> None:
        self.stream.stick_to_bottom()
        self._place_pill()

    def _count_new(self, count: int) -> None:
        """Rows that came while the reader was elsewhere."""
        if count != self._new_below:
            self._new_below = count
            self.pill.set_count(count)

    def _place_pill(self) -> None:
        self.composer.set_right_inset(self.stream.width() - self.stream.viewport().width())
        far = self.stream.isVisible() and self.stream.distance_to_end() > PILL_DISTANCE
        self.pill.setVisible(far)
        if not far:
            self._count_new(0)
        if far:
            x = (self.width() - self.pill.width()) // 2
            self.pill.move(x, self.stream.geometry().bottom() - self.pill.height() - 4)
            self.pill.raise_()

    # -- find

    def close_find(self) -> None:
        if self.find_bar.isVisibleTo(self):
            self.find_bar.hide()
            self.stream.setFocus(Qt.FocusReason.OtherFocusReason)
        self.finder.clear()

    # -- Qt

    def keyPressEvent(self, event: QKeyEvent) -> None:
        mods = event.modifiers()
        if mods == Qt.KeyboardModifier.ControlModifier and event.key() == Qt.Key.Key_F:
            self.find_bar.open()
        elif mods == Qt.KeyboardModifier.ControlModifier and event.key() == Qt.Key.Key_L:
            self.composer.focus_text()
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QEvent) -> None:
        super().resizeEvent(event)  # type: ignore[arg-type]
        self._place_pill()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self.refresh()
        self._run_clock()

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.fillRect(event.rect(), theme().color("surface.window"))
