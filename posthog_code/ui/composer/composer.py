"""The composer: what is typed is never lost, and the agent gets it now or after the running turn."""

from __future__ import annotations

import shiboken6
from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QCloseEvent, QHideEvent, QImage, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from posthog_code.domain.errors import StorageFailed, UserError
from posthog_code.domain.ids import RepositoryId, TaskId
from posthog_code.domain.review import CommentState
from posthog_code.domain.session import Session, SessionPhase
from posthog_code.domain.state import Topic
from posthog_code.domain.task import Task, TaskPhase, Workspace
from posthog_code.domain.text import plural
from posthog_code.ui.composer.bar import ComposerBar
from posthog_code.ui.composer.drafts import Drafts
from posthog_code.ui.composer.editor import Editor
from posthog_code.ui.composer.files import choose_files, keep_picture
from posthog_code.ui.composer.frame import Frame
from posthog_code.ui.composer.keys import meaning
from posthog_code.ui.composer.outbox import Outbox
from posthog_code.ui.composer.queue import QueueList
from posthog_code.ui.composer.queue_deeds import QueueDeeds
from posthog_code.ui.composer.strip import AttachmentStrip
from posthog_code.ui.composer.suggest import Suggestions
from posthog_code.ui.composer.words import placeholder
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit.chips import Chip
from posthog_code.ui.kit.popup import MenuItem, PopupList
from posthog_code.ui.theme import theme

_LOW_WINDOW = 700
"""In a window that is less high the composer starts with one line."""
_TOPICS = ("task", "session", "queue", "comments", "drafts", "settings", "tasks")


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
        self._placeholder = ""
        self._right_inset = 0
        self._attachments: dict[str, tuple[str, ...]] = {}
        self.outbox = Outbox(ctx, self._put_back)
        self.setObjectName("composer")
        self.setAccessibleName("Message")
        self.queue = QueueList(self)
        self.comments = Chip("", self, tone="accent", icon="ph.chat-centered-text")
        self.comments.hide()
        self.frame = Frame(self)
        self.strip = AttachmentStrip(self.frame)
        self.editor = Editor(self.frame)
        self.bar = ComposerBar(self.frame)
        self.suggestions = Suggestions(self.editor, self._load_files)
        self.waiting = QueueDeeds(self.queue, self.outbox, lambda: self._task_id, self._edit_again)
        self._build()
        self.drafts = Drafts(ctx, self.text, draft_key, self)
        self._connect()
        self.set_text(self.drafts.restore(draft_key))
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
        self.bar.ring.clicked.connect(self._open_ring)
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
        self._attachments[self.drafts.key] = self.strip.paths()
        self._task_id = task_id
        self.suggestions.set_files(())
        self.set_text(self.drafts.restore(task_id or ""))
        self.strip.set_paths(self._attachments.get(self.drafts.key, ()))
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
        self.bar.show_session(session, task.workspace if task is not None else Workspace.WORKTREE)
        if session is not None:
            self.suggestions.set_commands(session.commands)
        archived = task is not None and task.phase in (TaskPhase.ARCHIVED, TaskPhase.DELETED)
        self.editor.setReadOnly(archived)
        self.bar.set_options_enabled(not archived)
        words = self._placeholder or placeholder(task, session, pending)
        if words != self.editor.placeholderText():
            self.editor.setPlaceholderText(words)
            self.editor.viewport().update()  # Qt paints new words only when they appear or go
        phase = session.phase if session is not None else SessionPhase.IDLE
        can_send = not archived and (not self.is_empty() or pending > 0)
        self.bar.set_busy(phase.busy, phase is SessionPhase.CANCELLING, can_send)

    # -- keys

    def _on_key(self, event: QKeyEvent) -> bool:
        if self.suggestions.handle_key(event):
            return True
        enter_sends = self.ctx.state.settings.send_with_enter
        match meaning(event, enter_sends=enter_sends, empty=not self.text()):
            case "send":
                self.send()
            case "send_now":
                self.send_now()
            case "next_mode":
                self.bar.next_mode()
            case "attach":
                self.attach()
            case "escape":
                self.escapePressed.emit()
            case ("model" | "thought_level") as category:
                return self.bar.open_select(category)
            case "take_back":
                return self.waiting.edit_last()
            case "answer":
                event.setAccepted(False)
                self.keyForCard.emit(event)
                return event.isAccepted()
            case "":
                return False
        return True

    # -- sending

    def send(self) -> None:
        """Give the text to the agent, or queue it; with pending review comments it becomes their note."""
        self._send(now=False)

    def send_now(self) -> None:
        """Stop the running turn and send this first; with nothing typed, the first message that waits."""
        if self._task_id is None or not self.is_empty() or not self.waiting.send_first_now():
            self._send(now=True)

    def _send(self, *, now: bool) -> None:
        task_id, text, attachments = self._task_id, self.text().strip(), self.strip.paths()
        review = self._pending_comments() > 0 and not attachments
        if task_id is None:
            if text:
                self.submitted.emit(text, attachments)
            return
        if self.editor.isReadOnly() or self.outbox.is_sending(task_id) or not (text or attachments or review):
            return
        # Emptied first: what fails is put back, and what is typed meanwhile is a new message.
        self.clear()
        self.save_draft()
        if review and not now:
            self.outbox.review(task_id, text)
        else:
            self.outbox.prompt(task_id, text, attachments, now=now)
        self.refresh()

    def _put_back(self, task_id: TaskId, text: str, attachments: tuple[str, ...]) -> None:
        if not shiboken6.isValid(self):
            return
        if self._task_id == task_id:
            self._take_back(text, ())
            self.strip.set_paths((*attachments, *self.strip.paths()))
        else:
            tasks = self.ctx.services.tasks
            self.ctx.actions.start(f"draft:{task_id}", lambda: tasks.save_draft(task_id, text))

    def _take_back(self, text: str, attachments: tuple[str, ...]) -> None:
        """A message that waited is written on."""
        self.set_text(f"{text}\n{self.text()}" if self.text().strip() else text)
        self.strip.add(*attachments)

    def _edit_again(self, text: str, attachments: tuple[str, ...]) -> None:
        self._take_back(text, attachments)
        self.focus_text()

    def stop(self) -> None:
        if self._task_id is not None:
            self.outbox.stop(self._task_id)

    def _open_ring(self) -> None:
        """What can be done about a full memory, if the agent offers it."""
        session = self._session()
        if session is None or not any(command.name == "compact" for command in session.commands):
            return
        item = MenuItem("compact", "Compact", icon="ph.sparkle", detail="keeps the plan, the decisions, the open files")
        popup = PopupList((item,), self.window(), name="Context")
        popup.chosen.connect(self._compact)
        popup.closed.connect(popup.deleteLater)
        popup.popup(self.bar.ring, above=True, align_right=True)

    def _compact(self, item_id: str) -> None:
        if self._task_id is not None:
            self.outbox.prompt(self._task_id, f"/{item_id}", ())

    def _option_chosen(self, option_id: str, value: str) -> None:
        if self._task_id is not None:
            self.outbox.set_option(self._task_id, option_id, value, self._option_refused)

    def _option_refused(self) -> None:
        if shiboken6.isValid(self):
            self.bar.forget_options()
            self.refresh()

    # -- attachments and mentions

    def attach(self) -> None:
        """Choose files; the dialog does not block."""
        task = self._task()
        choose_files(self, task.path if task is not None else "", self._files_dropped)

    def _files_dropped(self, paths: list[str]) -> None:
        self.strip.add(*paths)

    def _image_pasted(self, image: QImage) -> None:
        try:
            self.strip.add(keep_picture(image))
        except StorageFailed as error:
            self.ctx.toasts.show(error.title, error.hint, "error")

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

    def _text_changed(self) -> None:
        session = self._session()
        phase = session.phase if session is not None else SessionPhase.IDLE
        can_send = not self.editor.isReadOnly() and (not self.is_empty() or self._pending_comments() > 0)
        self.bar.set_busy(phase.busy, phase is SessionPhase.CANCELLING, can_send)
        self.drafts.later()
        self.textChanged.emit()

    def save_draft(self) -> None:
        self.drafts.save()

    # -- Qt

    def _focus_changed(self, on: bool) -> None:
        self.frame.active = on
        self.frame.update()
        if not on:
            self.suggestions.close()

    def resizeEvent(self, event: QEvent) -> None:
        super().resizeEvent(event)  # type: ignore[arg-type]
        self._set_margins()
        least = theme().size("layout.composer.minLines")
        self.editor.set_lines(
            1 if self.window().height() < _LOW_WINDOW else least, theme().size("layout.composer.maxLines")
        )

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.save_draft()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.save_draft()
        super().closeEvent(event)
