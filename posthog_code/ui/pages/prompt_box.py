"""The first prompt of a task: text, mentions, attachments, and the line of choices below."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import RepositoryId
from posthog_code.domain.session import AgentCommand
from posthog_code.ui.composer.editor import Editor
from posthog_code.ui.composer.strip import AttachmentStrip
from posthog_code.ui.composer.suggest import Suggestions
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit import painting
from posthog_code.ui.kit.buttons import Button, IconButton
from posthog_code.ui.theme import theme

_LINES = (5, 14)


class PromptBox(QWidget):
    """What should change. `bar` takes selects at its left."""

    submitted = Signal()
    changed = Signal()
    next_mode_asked = Signal()
    agent_asked = Signal()
    model_asked = Signal()

    def __init__(self, ctx: UiContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ctx = ctx
        self._repository_id: RepositoryId | None = None
        self.setObjectName("composer")
        self.setAccessibleName("Message")
        self.editor = Editor(self)
        self.editor.setPlaceholderText("Describe the change. @ mentions a file, / is a command.")
        self.editor.set_lines(*_LINES)
        self.editor.on_key = self._on_key
        self.editor.textChanged.connect(self._on_changed)
        self.editor.focusChanged.connect(self._on_focus)
        self.editor.filesDropped.connect(self._on_files)
        self.strip = AttachmentStrip(self)
        self.strip.changed.connect(self._on_changed)
        self.suggestions = Suggestions(self.editor, self._load_files, below=True)
        self.bar = QHBoxLayout()
        self.bar.setContentsMargins(8, 0, 8, 8)
        self.bar.setSpacing(2)
        self._mention = IconButton("ph.at", "Mention a file", self, keys="@")
        self._mention.clicked.connect(self._on_mention)
        self._attach = IconButton("ph.paperclip", "Attach files", self, keys="Ctrl+U")
        self._attach.clicked.connect(self.attach)
        self.start = Button("Start task", self, kind="primary", keys="Ctrl+Return", show_keys=True)
        self.start.clicked.connect(self.submitted)
        self._build()

    def _build(self) -> None:
        text = QVBoxLayout()
        text.setContentsMargins(16, 13, 12, 6)
        text.setSpacing(4)
        text.addWidget(self.strip)
        text.addWidget(self.editor)
        self.bar.addStretch(1)
        self.bar.addWidget(self._mention)
        self.bar.addWidget(self._attach)
        self.bar.addSpacing(6)
        self.bar.addWidget(self.start)
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        column.addLayout(text)
        column.addLayout(self.bar)

    def add_choice(self, widget: QWidget) -> None:
        """Puts a select into the bar, after those that are there."""
        self.bar.insertWidget(self.bar.count() - 5, widget)

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

    def set_repository(self, repository_id: RepositoryId | None) -> None:
        if repository_id != self._repository_id:
            self._repository_id = repository_id
            self.suggestions.set_files(())

    def set_commands(self, commands: Sequence[AgentCommand]) -> None:
        """What / offers."""
        self.suggestions.set_commands(commands)

    def attach(self) -> None:
        dialog = QFileDialog(self, "Attach files")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.filesSelected.connect(self._on_files)
        dialog.open()

    def _on_files(self, paths: list[str]) -> None:
        self.strip.add(*paths)

    def _on_mention(self) -> None:
        self.editor.setFocus(Qt.FocusReason.OtherFocusReason)
        self.editor.insertPlainText("@")

    def _on_key(self, event: QKeyEvent) -> bool:
        if self.suggestions.handle_key(event):
            return True
        control = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier == Qt.KeyboardModifier.ControlModifier
        if control and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.submitted.emit()
            return True
        if control and event.key() == Qt.Key.Key_U:
            self.attach()
            return True
        if event.key() == Qt.Key.Key_Backtab:
            self.next_mode_asked.emit()
            return True
        if event.key() == Qt.Key.Key_A and event.modifiers() == Qt.KeyboardModifier.AltModifier:
            self.agent_asked.emit()
            return True
        if event.key() == Qt.Key.Key_M and event.modifiers() == Qt.KeyboardModifier.AltModifier:
            self.model_asked.emit()
            return True
        return False

    def _on_changed(self) -> None:
        self.changed.emit()

    def _on_focus(self, on: bool) -> None:
        if not on:
            self.suggestions.close()
        self.update()

    def _load_files(self) -> None:
        repository_id = self._repository_id
        if repository_id is not None:
            self._ctx.actions.start(
                f"files:{repository_id}",
                lambda: self._ctx.services.repositories.files(repository_id),
                on_done=self.suggestions.set_files,
                on_error=self._on_no_files,
            )

    def _on_no_files(self, error: UserError) -> None:
        """Without a list there are no suggestions; what is typed still counts."""
        self.suggestions.set_files(())

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        border = "border.control" if self.editor.hasFocus() else "border.strong"
        with QPainter(self) as painter:
            painting.rounded(
                painter, QRectF(self.rect()), look.size("radius.xl"), look.color("surface.raised"), look.color(border)
            )
