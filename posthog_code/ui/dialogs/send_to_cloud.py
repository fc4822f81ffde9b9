"""*Send to the cloud*: a local task goes on in a sandbox, with its changes and its conversation."""

from __future__ import annotations

import re

from PySide6.QtWidgets import QWidget

from posthog_code.domain.cloud_errors import GitHubNeeded
from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.task import StepState, Task, TaskPhase, Workspace
from posthog_code.ui.context import UiContext
from posthog_code.ui.dialogs.handover import HandoverSheet
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.toggles import CheckBox

_WORDS = (
    "The branch is pushed; what is not committed is uploaded beside it. Ignored files stay here. The run goes on when "
    "this machine is off."
)


class SendToCloudDialog(HandoverSheet):
    """Says what will happen, then does it."""

    def __init__(self, ctx: UiContext, task_id: TaskId, window: QWidget) -> None:
        super().__init__(ctx, "Send to the cloud", _WORDS, window)
        self.setObjectName("sendToCloud")
        self._sent = task_id
        self._url = ""
        self.archive = CheckBox("Archive the worktree once the run is at work", self)
        task = ctx.state.tasks.get(task_id)
        self.archive.setVisible(task is not None and task.workspace is Workspace.WORKTREE)
        self.body.addWidget(self.archive)
        self.stay = self.add_button(Button("Go on here", self, kind="ghost"), left=True)
        self.stay.clicked.connect(self._on_stay)
        self.stay.hide()
        self.connect_github = self.add_button(Button("Connect GitHub", self, icon="ph.arrow-square-out"), left=True)
        self.connect_github.clicked.connect(self._on_connect)
        self.connect_github.hide()
        self.go.setText("Send to the cloud")
        self.set_first_focus(self.go)
        if task is not None and task.phase in (TaskPhase.SETTING_UP, TaskPhase.SETUP_FAILED):
            self.archive.hide()
            self.follow(task_id)

    def begin(self) -> None:
        archive = self.archive.isVisibleTo(self) and self.archive.isChecked()
        self.archive.hide()
        self._ctx.actions.start(
            f"send {self._sent}",
            lambda: self._ctx.services.handover.send(self._sent, archive=archive),
            on_done=self._begun,
            on_error=self._failed,
            busy=self._busy,
        )

    def _busy(self, on: bool) -> None:
        self.go.set_loading(on, "Sending…")

    def _begun(self, _result: object) -> None:
        self.follow(self._sent)

    def _failed(self, error: UserError) -> None:
        self.refused(error)
        self._url = error.url if isinstance(error, GitHubNeeded) else ""
        self.connect_github.setVisible(bool(self._url))

    def _render(self) -> None:
        super()._render()
        task = self._task()
        failed = task is not None and task.phase is TaskPhase.SETUP_FAILED
        self.stay.setVisible(failed)
        self._url = _connect_url(task) if task is not None and failed else ""
        self.connect_github.setVisible(bool(self._url))

    def arrived(self, task: Task) -> None:
        if task.workspace is Workspace.CLOUD:
            self._ctx.nav.open_task(task.id, "conversation")
            self._ctx.toasts.show("The task goes on in the cloud.", task.title, kind="success")
            self.close_sheet(task.id)

    def _on_stay(self) -> None:
        task_id = self._sent
        self._ctx.actions.start(
            f"send.give-up {task_id}",
            lambda: self._ctx.services.handover.give_up(task_id),
            on_done=self._stayed,
            busy=self.stay,
        )

    def _stayed(self, _result: object) -> None:
        self.close_sheet(None)

    def _on_connect(self) -> None:
        self._ctx.open_url(self._url)


def _connect_url(task: Task) -> str:
    """The page of PostHog that mends the step at which it stopped; "" when that is not what is missing."""
    failed = next((step for step in task.steps if step.state is StepState.FAILED), None)
    found = re.search(r"Connect GitHub at (https?://\S+)", failed.detail) if failed is not None else None
    return found[1] if found is not None else ""
