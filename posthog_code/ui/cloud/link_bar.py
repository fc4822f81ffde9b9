"""What is wrong with the line to a cloud run, above the place to write."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from posthog_code.domain.ids import TaskId
from posthog_code.domain.session import SessionPhase
from posthog_code.domain.task import Workspace
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.cards import Banner


class LinkBar(Banner):
    """Shown while a run cannot be followed, or a message could not be sent. A run that failed has a card of its own."""

    def __init__(self, ctx: UiContext, parent: QWidget | None = None) -> None:
        super().__init__("", parent, tone="waiting", icon="ph.cloud-slash")
        self._ctx = ctx
        self._task_id: TaskId | None = None
        self.again = Button("Try again", self, size="sm")
        self.again.clicked.connect(self._on_again)
        self.row.addWidget(self.again)
        self.hide()

    def show_task(self, task_id: TaskId | None) -> None:
        """Look at what the state says of this task now."""
        self._task_id = task_id
        state = self._ctx.state
        task = state.tasks.get(task_id) if task_id else None
        session = state.session_of(task.id) if task else None
        wrong = session is not None and bool(session.error) and session.phase is not SessionPhase.FAILED
        shown = task is not None and task.workspace is Workspace.CLOUD and wrong
        if shown and session is not None:
            words = f"{session.error} {session.error_hint}".strip()
            self.set_text(words)
            self.label.setToolTip(words)
        self.setVisible(shown)

    def _on_again(self) -> None:
        task_id = self._task_id
        if task_id is not None:
            retry = self._ctx.services.sessions.retry_turn
            self._ctx.actions.start(f"cloud.retry {task_id}", lambda: retry(task_id), busy=self.again)
