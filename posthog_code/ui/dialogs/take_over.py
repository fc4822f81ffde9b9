"""*Take over here*: a cloud run becomes a local task, with branch, changes and conversation."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QWidget

from posthog_code.domain.errors import Conflict, Refused, UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.task import Task, TaskPhase, Workspace
from posthog_code.services.handover import TakeOverWish
from posthog_code.ui.context import UiContext
from posthog_code.ui.dialogs.handover import HandoverSheet
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.inputs import TextField
from posthog_code.ui.kit.labels import Label

_WORDS = "The cloud copy stays until the local agent has answered once."


class TakeOverDialog(HandoverSheet):
    """Begins when it opens. What stands in the way is told, with the ways round it: a folder, or another branch."""

    def __init__(self, ctx: UiContext, cloud_task_id: str, window: QWidget, *, project_id: int = 0) -> None:
        super().__init__(ctx, "Bringing the task here", _WORDS, window)
        self.setObjectName("takeOver")
        self._cloud_id, self._project_id = cloud_task_id, project_id
        self._repository: Path | None = None
        self._clone_to: Path | None = None
        self._dialog: QFileDialog | None = None
        self.places = self._make_places()
        self.branch = TextField("", self, name="Another branch name", mono=True)
        self.branch.hide()
        self.branch.returnPressed.connect(self._on_go)
        self._branch_label = Label("Take it over to another branch", self, font="small", token="text.secondary")
        self._branch_label.hide()
        at = self.body.indexOf(self.steps)
        for number, part in enumerate((self.places, self._branch_label, self.branch)):
            self.body.insertWidget(at + number, part)
        self.go.hide()

    def _make_places(self) -> QWidget:
        part = QWidget(self)
        row = QHBoxLayout(part)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self.choose = Button("Choose its folder…", part, icon="ph.folder-simple")
        self.choose.clicked.connect(lambda: self._pick("Choose the checkout", self.set_repository))
        self.clone = Button("Clone into…", part, kind="ghost", icon="ph.arrow-line-down")
        self.clone.clicked.connect(lambda: self._pick("Choose where the clone goes", self.set_clone_folder))
        row.addWidget(self.choose)
        row.addWidget(self.clone)
        row.addStretch(1)
        part.hide()
        return part

    def open(self) -> None:
        super().open()
        self.begin()

    # the person's part

    def set_repository(self, folder: str) -> None:
        """The checkout that was chosen."""
        self._repository = Path(folder)
        self.begin()

    def set_clone_folder(self, folder: str) -> None:
        """The folder that the clone is put in, under the repository's own name."""
        known = self._ctx.state.cloud.tasks.get(self._cloud_id)
        name = known.repository.rpartition("/")[2] if known else ""
        self._clone_to = Path(folder) / (name or "repository")
        self.begin()

    def _pick(self, title: str, then: object) -> None:
        dialog = QFileDialog(self, title)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(then)
        dialog.open()

    # steps

    def begin(self) -> None:
        wish = TakeOverWish(
            repository=self._repository,
            clone_to=self._clone_to,
            branch=self.branch.text().strip() if self.branch.isVisibleTo(self) else "",
            project_id=self._project_id,
        )
        self.say("")
        for part in (self.places, self._branch_label, self.branch):
            part.hide()
        self._ctx.actions.start(
            f"take-over {self._cloud_id}",
            lambda: self._ctx.services.handover.take_over(self._cloud_id, wish),
            on_done=self._begun,
            on_error=self._failed,
            busy=self._busy,
        )

    def _busy(self, on: bool) -> None:
        self.go.setVisible(on or self.go.isVisibleTo(self))
        self.go.set_loading(on, "Looking…")

    def _begun(self, task_id: TaskId) -> None:
        self.follow(task_id)

    def _failed(self, error: UserError) -> None:
        if isinstance(error, Conflict):
            self.say(f"{error.title} Nothing was overwritten.", error.detail)
            self._offer_branch(self._run_branch())
        elif isinstance(error, Refused) and "/" in error.detail and "\n" not in error.detail:
            # The repository is not on this machine: its name is the detail.
            self.say(f"{error.title} Choose the folder of a checkout, or let it be cloned.")
            self.places.show()
            self.go.hide()
        else:
            self.refused(error)
            self.go.setText("Try again")
            self.go.show()
        self.relayout()

    def _offer_branch(self, taken: str) -> None:
        if not self.branch.text().strip():  # what the person typed is theirs to change
            self.branch.setText(f"{taken}-here" if taken else "")
        for part in (self._branch_label, self.branch):
            part.show()
        self.go.setText("Take over to this branch")
        self.go.show()
        self.branch.edit.setFocus(Qt.FocusReason.OtherFocusReason)

    def _run_branch(self) -> str:
        known = self._ctx.state.cloud.tasks.get(self._cloud_id)
        return known.run.branch if known and known.run else ""

    def _render(self) -> None:
        super()._render()
        task = self._task()
        if task is not None and task.phase is TaskPhase.SETUP_FAILED and _stopped_at_branch(task):
            self._offer_branch(task.branch)
            self.relayout()

    def arrived(self, task: Task) -> None:
        if task.workspace is Workspace.CLOUD:
            return
        self._ctx.nav.open_task(task.id, "conversation")
        self._ctx.toasts.show("The task is here.", f"Branch {task.branch}", kind="success")
        self.close_sheet(task.id)


def _stopped_at_branch(task: Task) -> bool:
    failed = next((step for step in task.steps if step.state.value == "failed"), None)
    return failed is not None and not task.path and "branch" in failed.detail
