"""The composer: what is typed is never lost, and the agent gets it now or after the running turn."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Coroutine
from typing import Any

from PySide6.QtCore import QEvent, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QHideEvent, QImage, QKeyEvent, QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import RepositoryId, TaskId
from posthog_code.domain.review import CommentState
from posthog_code.domain.session import AskKind, Session, SessionPhase
from posthog_code.domain.state import Topic
from posthog_code.domain.task import Task, TaskPhase
from posthog_code.domain.text import plural
from posthog_code.ui.composer.bar import ComposerBar
from posthog_code.ui.composer.editor import Editor
from posthog_code.ui.composer.queue import QueueList
from posthog_code.ui.composer.strip import AttachmentStrip
from posthog_code.ui.composer.suggest import Suggestions
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit import painting
from posthog_code.ui.kit.chips import Chip
from posthog_code.ui.theme import theme

DRAFT_DELAY_MS = 400
_TOPICS = ("task", "session", "queue", "comments", "drafts", "settings", "tasks")


class _Frame(QWidget):
    """The rounded box round text and bar."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.active = False
        self.dropping = False

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        border = "accent.default" if self.dropping else "border.control" if self.active else "border.strong"
        with QPainter(self) as painter:
            fill = look.color("surface.raised")
            painting.rounded(painter, QRectF(self.rect()), look.size("radius.xl"), fill, look.color(border))


class Composer(QWidget):
    """For a task it sends by itself; without one (New task) it emits `submitted`."""

    submitted = Signal(str, tuple)
    """Text and attachments, when there is no task."""
    textChanged = Signal()
    escapePressed = Signal()
    keyForCard = Signal(object)
    """A key pressed in the empty composer that may answer a pending card; `accept` the event to take it."""

    def __init__(self, ctx: UiContext, parent: QWidget | None = None, *, draft_key: str = "") -> None:
        super().__init__(parent)
        self.ctx = ctx
        self._task_id: TaskId | None = None
        self._repository_id: RepositoryId | None = None
        self._draft_key = draft_key
        self._draft_saved = ""
        self._placeholder = ""
        self._right_inset = 0
        self._attachments: dict[str, tuple[str, ...]] = {}
        self.setObjectName("composer")
        self.setAccessibleName("Message")
        self.queue = QueueList(self)
        self.comments = Chip("", self, tone="accent", icon="ph.chat-centered-text")
        self.comments.hide()
        self.frame = _Frame(self)
        self.strip = AttachmentStrip(self.frame)
        self.editor = Editor(self.frame)
        self.bar = ComposerBar(self.frame)
        self.suggestions = Suggestions(self.editor, self._load_files)
        self._build()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DRAFT_DELAY_MS)
        self._timer.timeout.connect(self.save_draft)
        self._connect()
        self._restore_draft()
        self.refresh()

    # -- made of

    def _build(self) -> None:
        inner = QVBoxLayout(self.frame)
        inner.setContentsMargins(1, 1, 1, 1)
        inner.setSpacing(0)
        text = QVBoxLayout()
        text.setContentsMargins(12, 11, 8, 4)
        text.setSpacing(0)
        text.addWidget(self.strip)
        text.addWidget(self.editor)
        inner.addLayout(text)
        inner.addWidget(self.bar)
        self._column = QVBoxLayout(self)
        self._column.setSpacing(0)
        self._column.addWidget(self.queue)
        chips = QVBoxLayout()
        chips.setContentsMargins(0, 0, 0, 6)
        chips.addWidget(self.comments, 0, Qt.AlignmentFlag.AlignLeft)
        self._chips = chips
        self._column.addLayout(chips)
        self._column.addWidget(self.frame)
        self._set_margins()
        self.frame.setAcceptDrops(False)

    def _set_margins(self) -> None:
        """The column is as wide as the conversation's text."""
        reading = theme().size("layout.conversation.reading")
        left = max(12, (self.width() - self._right_inset - reading) // 2)
        self._column.setContentsMargins(left, 0, max(12, self.width() - left - reading), 12)

    def set_right_inset(self, pixels: int) -> None:
        """Width of the scroll bar beside the text above, so that both columns have the same edges."""
        if pixels != self._right_inset:
            self._right_inset = pixels
            self._set_margins()

    def _connect(self) -> None:
        self.editor.on_key = self._on_key
        self.editor.textChanged.connect(self._text_changed)
        self.editor.focusChanged.connect(self._focus_changed)
        self.editor.imagePasted.connect(self._image_pasted)
        self.editor.filesDropped.connect(self._files_dropped)
        self.strip.changed.connect(self._attachments_changed)
        self.comments.clicked.connect(self._show_comments)
        self.bar.sendRequested.connect(self.send)
        self.bar.stopRequested.connect(self.stop)
        self.bar.attachRequested.connect(self.attach)
        self.bar.optionChosen.connect(self._option_chosen)
        self.queue.sendNow.connect(self._send_queued_now)
        self.queue.edit.connect(self.edit_queued)
        self.queue.remove.connect(self._remove_queued)
        self.queue.moved.connect(self._move_queued)
        self.ctx.bridge.changed.connect(self._on_changed)

    # -- what it shows

    @property
    def task_id(self) -> TaskId | None:
        return self._task_id

    def set_task(self, task_id: TaskId | None) -> None:
        """Write to another task; the draft of the one before is kept."""
        if task_id == self._task_id:
            self.refresh()
            return
        self.save_draft()
        self._attachments[self._draft_key] = self.strip.paths()
        self._task_id = task_id
        self._draft_key = task_id or ""
        self.suggestions.set_files(())
        self._restore_draft()
        self.strip.set_paths(self._attachments.get(self._draft_key, ()))
        self.refresh()

    def set_repository(self, repository_id: RepositoryId | None) -> None:
        """Whose files are suggested while there is no task."""
        if repository_id != self._repository_id:
            self._repository_id = repository_id
            self.suggestions.set_files(())

    def set_placeholder(self, text: str) -> None:
        """Words in place of those that come from the task's state."""
        self._placeholder = text
        self.refresh()

    def text(self) -> str:
        return self.editor.toPlainText()

    def set_text(self, text: str) -> None:
        if text != self.text():
            self.editor.setPlainText(text)
            cursor = self.editor.textCursor()
            cursor.movePosition(cursor.MoveOperation.End)
            self.editor.setTextCursor(cursor)

    def attachments(self) -> tuple[str, ...]:
        return self.strip.paths()

    def clear(self) -> None:
        self.editor.clear()
        self.strip.set_paths(())

    def focus_text(self) -> None:
        self.editor.setFocus(Qt.FocusReason.OtherFocusReason)

    def is_empty(self) -> bool:
        return not self.text().strip() and not self.strip.paths()

    def _task(self) -> Task | None:
        return self.ctx.state.tasks.get(self._task_id) if self._task_id else None

    def _session(self) -> Session | None:
        return self.ctx.state.session_of(self._task_id) if self._task_id else None

    def _pending_comments(self) -> int:
        comments = self.ctx.state.comments.get(self._task_id, ()) if self._task_id else ()
        return sum(comment.state is CommentState.PENDING for comment in comments)

    def _on_changed(self, topics: frozenset[Topic]) -> None:
        ids = ("", self._task_id)
        if any(topic.kind in _TOPICS and topic.id in ids for topic in topics):
            self.refresh()

    def refresh(self) -> None:
        """Show what the state says now."""
        session, task = self._session(), self._task()
        queue = self.ctx.state.queue.get(self._task_id, ()) if self._task_id else ()
        self.queue.set_messages(queue)
        pending = self._pending_comments()
        self.comments.setVisible(pending > 0)
        self._chips.setContentsMargins(0, 0, 0, 6 if pending else 0)
        if pending:
            self.comments.setText(plural(pending, "review comment"))
        self.bar.show_session(session)
        if session is not None:
            self.suggestions.set_commands(session.commands)
        archived = task is not None and task.phase in (TaskPhase.ARCHIVED, TaskPhase.DELETED)
        self.editor.setReadOnly(archived)
        self.editor.setPlaceholderText(self._placeholder or self._state_placeholder(task, session, pending))
        phase = session.phase if session is not None else SessionPhase.IDLE
        can_send = not archived and (not self.is_empty() or pending > 0)
        self.bar.set_busy(phase.busy, phase is SessionPhase.CANCELLING, can_send)

    def _state_placeholder(self, task: Task | None, session: Session | None, pending: int) -> str:
        if task is None:
            return "What should the agent do?"
        if task.phase in (TaskPhase.ARCHIVED, TaskPhase.DELETED):
            return "This task is archived. Restore it to go on."
        if task.phase is TaskPhase.SETUP_FAILED:
            return "Queue a message for when the worktree is ready"
        if task.phase is TaskPhase.SETTING_UP:
            return "Queue a message while the worktree is set up"
        phase = session.phase if session is not None else SessionPhase.IDLE
        if session is not None and phase is SessionPhase.WAITING and session.asks:
            ask = session.asks[0]
            count = len(ask.options) if ask.kind is AskKind.PERMISSION else sum(len(f.choices) for f in ask.fields[:1])
            return f"Queue a message, or answer above with 1 to {count}" if count > 1 else "Queue a message"
        if pending:
            return "Add a note to your review, or just send it"
        if phase.busy or phase is SessionPhase.STARTING:
            return "Queue a message"
        if phase in (SessionPhase.FAILED, SessionPhase.INTERRUPTED):
            return "Tell the agent what to do differently"
        return "Reply to the agent"

    # -- keys

    def _on_key(self, event: QKeyEvent) -> bool:
        if self.suggestions.handle_key(event):
            return True
        key, mods = event.key(), event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        none, ctrl = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier
        shift, alt = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            enter_sends = getattr(self.ctx.state.settings, "enter_sends", True)
            if mods == alt:
                self.send_now()
            elif mods == ctrl or (mods == none and enter_sends):
                self.send()
            else:
                return mods == ctrl | shift
            return True
        if key == Qt.Key.Key_Backtab or (key == Qt.Key.Key_Tab and mods == shift):
            self.bar.next_mode()
            return True
        if key == Qt.Key.Key_U and mods == ctrl:
            self.attach()
            return True
        if mods == alt and key in (Qt.Key.Key_M, Qt.Key.Key_E):
            return self.bar.open_select("model" if key == Qt.Key.Key_M else "thought_level")
        if key == Qt.Key.Key_Up and mods == none and not self.text() and self.queue.messages():
            self.edit_queued(self.queue.messages()[-1].id)
            return True
        if key == Qt.Key.Key_Escape:
            self.escapePressed.emit()
            return True
        digit = Qt.Key.Key_1 <= key <= Qt.Key.Key_9
        if digit and (mods == alt or (mods == none and not self.text())):
            event.setAccepted(False)
            self.keyForCard.emit(event)
            return event.isAccepted()
        return False

    # -- sending

    def send(self) -> None:
        """Give the text to the agent, or queue it; with pending review comments it becomes their note."""
        text, attachments = self.text().strip(), self.strip.paths()
        if self._task_id is None:
            if text:
                self.submitted.emit(text, attachments)
            return
        if self._pending_comments() and not attachments:
            self._send_review(text)
        elif text or attachments:
            self._start_send(text, attachments, now=False)

    def send_now(self) -> None:
        """Stop the running turn and send this first."""
        text, attachments = self.text().strip(), self.strip.paths()
        if self._task_id is None:
            self.send()
        elif text or attachments:
            self._start_send(text, attachments, now=True)
        elif self.queue.messages():
            self._send_queued_now(self.queue.messages()[0].id)

    def _start_send(self, text: str, attachments: tuple[str, ...], *, now: bool) -> None:
        task_id = self._task_id
        assert task_id is not None
        services = self.ctx.services

        async def run() -> None:
            sent = await services.sessions.prompt(task_id, text, attachments)
            waiting = self.ctx.state.queue.get(task_id, ())
            if now and not sent and waiting:
                await services.sessions.send_now(task_id, waiting[-1].id)

        self._begin(f"send:{task_id}", run(), text, attachments)

    def _send_review(self, note: str) -> None:
        task_id = self._task_id
        assert task_id is not None
        self._begin(f"send:{task_id}", self.ctx.services.reviews.send(task_id, note), note, ())

    def _begin(self, name: str, coro: Coroutine[Any, Any, Any], text: str, attachments: tuple[str, ...]) -> None:
        """Start a sending and empty the editor; when it fails, what was typed comes back."""
        task_id = self._task_id

        def put_back() -> None:
            if self._task_id == task_id:
                self.set_text(f"{text}\n{self.text()}" if self.text().strip() else text)
                self.strip.set_paths((*attachments, *self.strip.paths()))

        def failed(error: UserError) -> None:
            put_back()
            self.ctx.toasts.show(error.title, error.hint, "error")

        if self.ctx.actions.is_running(name):
            coro.close()
            return
        self.clear()
        self.save_draft()
        self.ctx.actions.start(name, lambda: coro, on_error=failed)
        self.refresh()

    def stop(self) -> None:
        task_id = self._task_id
        if task_id is not None:
            self.ctx.actions.start(f"stop:{task_id}", lambda: self.ctx.services.sessions.stop(task_id))

    def _option_chosen(self, option_id: str, value: str) -> None:
        task_id = self._task_id
        if task_id is not None:
            sessions = self.ctx.services.sessions
            self.ctx.actions.start(
                f"option:{task_id}:{option_id}",
                lambda: sessions.set_option(task_id, option_id, value),
                on_error=self._option_failed,
            )

    def _option_failed(self, error: UserError) -> None:
        self.ctx.toasts.show(error.title, error.hint, "error")
        self.refresh()

    # -- the queue

    def edit_queued(self, message_id: str) -> None:
        """Take a waiting message back into the editor."""
        message = next((m for m in self.queue.messages() if m.id == message_id), None)
        task_id = self._task_id
        if message is None or task_id is None:
            return
        attachments = message.attachments

        def taken(text: str) -> None:
            self.set_text(f"{text}\n{self.text()}" if self.text().strip() else text)
            if attachments:
                self.strip.add(*attachments)
            self.focus_text()

        sessions = self.ctx.services.sessions
        self.ctx.actions.start(f"unqueue:{message_id}", lambda: sessions.unqueue(task_id, message.id), on_done=taken)

    def _remove_queued(self, message_id: str) -> None:
        message = next((m for m in self.queue.messages() if m.id == message_id), None)
        task_id = self._task_id
        if message is None or task_id is None:
            return
        sessions = self.ctx.services.sessions

        def removed(text: str) -> None:
            put_back = [("Undo", lambda: self._queue_again(task_id, text, message.attachments))]
            self.ctx.toasts.show("Removed a queued message", "", "info", put_back, 10.0)

        self.ctx.actions.start(f"unqueue:{message_id}", lambda: sessions.unqueue(task_id, message.id), on_done=removed)

    def _queue_again(self, task_id: TaskId, text: str, attachments: tuple[str, ...]) -> None:
        sessions = self.ctx.services.sessions
        self.ctx.actions.start(f"send:{task_id}", lambda: sessions.prompt(task_id, text, attachments))

    def _send_queued_now(self, message_id: str) -> None:
        message = next((m for m in self.queue.messages() if m.id == message_id), None)
        task_id = self._task_id
        if message is not None and task_id is not None:
            sessions = self.ctx.services.sessions
            self.ctx.actions.start(f"now:{message_id}", lambda: sessions.send_now(task_id, message.id))

    def _move_queued(self, message_id: str, place: int) -> None:
        message = next((m for m in self.queue.messages() if m.id == message_id), None)
        task_id = self._task_id
        if message is not None and task_id is not None:
            sessions = self.ctx.services.sessions
            self.ctx.actions.start(f"move:{message_id}", lambda: sessions.move_queued(task_id, message.id, place))

    # -- attachments and mentions

    def attach(self) -> None:
        """Choose files; the dialog does not block."""
        dialog = QFileDialog(self, "Attach files")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        task = self._task()
        if task is not None and task.path:
            dialog.setDirectory(task.path)
        dialog.filesSelected.connect(self._files_dropped)
        dialog.open()

    def _files_dropped(self, paths: list[str]) -> None:
        self.strip.add(*paths)

    def _image_pasted(self, image: QImage) -> None:
        folder = os.path.join(tempfile.gettempdir(), "posthog-code-pasted")
        os.makedirs(folder, mode=0o700, exist_ok=True)
        handle, path = tempfile.mkstemp(prefix="image-", suffix=".png", dir=folder)
        os.close(handle)
        if image.save(path):
            self.strip.add(path)
        else:
            self.ctx.toasts.show("The picture could not be kept", f"{folder} cannot be written.", "error")

    def _attachments_changed(self) -> None:
        self.refresh()
        self.textChanged.emit()

    def _load_files(self) -> None:
        """The files for @: asked for when a mention begins, since the agent makes new ones all the time."""
        task = self._task()
        repository_id = task.repository_id if task is not None else self._repository_id
        if repository_id is None:
            return
        files = self.ctx.services.repositories.files
        task_id = self._task_id if task is not None and task.path else None
        changes = self.ctx.state.changes.get(self._task_id) if self._task_id else None
        if changes is not None:
            self.suggestions.set_recent([file.path for file in changes.files][:20])
        self.ctx.actions.start(
            f"files:{repository_id}:{task_id}",
            lambda: files(repository_id, task_id),
            on_done=self.suggestions.set_files,
            on_error=self._no_files,
        )

    def _no_files(self, error: UserError) -> None:
        """Without a list there are no suggestions; what is typed still goes to the agent."""
        self.suggestions.set_files(())

    def _show_comments(self) -> None:
        if self._task_id is not None:
            self.ctx.nav.open_task(self._task_id, "changes")

    # -- drafts

    def _restore_draft(self) -> None:
        draft = self.ctx.state.drafts.get(self._draft_key, "")
        self._draft_saved = draft
        self.set_text(draft)

    def _text_changed(self) -> None:
        session = self._session()
        phase = session.phase if session is not None else SessionPhase.IDLE
        can_send = not self.editor.isReadOnly() and (not self.is_empty() or self._pending_comments() > 0)
        self.bar.set_busy(phase.busy, phase is SessionPhase.CANCELLING, can_send)
        self._timer.start()
        self.textChanged.emit()

    def save_draft(self) -> None:
        """Keep what is typed; called a moment after the last key, and before the composer shows something else."""
        self._timer.stop()
        key, text = self._draft_key, self.text()
        if text == self._draft_saved:
            return
        if self.ctx.actions.start(f"draft:{key}", lambda: self.ctx.services.tasks.save_draft(key, text)):
            self._draft_saved = text
        else:
            self._timer.start()

    # -- Qt

    def _focus_changed(self, on: bool) -> None:
        self.frame.active = on
        self.frame.update()
        if not on:
            self.suggestions.close()

    def resizeEvent(self, event: QEvent) -> None:
        super().resizeEvent(event)  # type: ignore[arg-type]
        self._set_margins()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.save_draft()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.save_draft()
        super().closeEvent(event)
