"""The report's repository is not on this machine: where it is, or where it goes."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QSizePolicy, QWidget

from posthog_code.domain.cloud_lists import remote_name
from posthog_code.domain.errors import InvalidInput, UserError
from posthog_code.domain.ids import RepositoryId
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.labels import Label
from posthog_code.ui.kit.overlay import Sheet
from posthog_code.ui.kit.popup import MenuItem
from posthog_code.ui.kit.select import Select
from posthog_code.ui.models.inbox_list import short


class MissingRepository(Sheet):
    """Ends with a repository that tasks can be made in."""

    found = Signal(str)
    """Its id."""
    cloud_asked = Signal()

    def __init__(self, ctx: UiContext, repository: str, window: QWidget) -> None:
        """`repository` is `owner/name`, "" when the report names none."""
        title = f"{short(repository)} is not on this machine" if repository else "Which repository is it about?"
        super().__init__(window, title)
        self.setObjectName("missingRepository")
        self._ctx, self._repository = ctx, repository
        words = (
            f"The report is about {repository}. Choose the folder of a checkout, or let it be cloned."
            if repository
            else "The report names no repository. Choose the one that the task is made in."
        )
        self.body.addWidget(Label(words, self, token="text.secondary", wrap=True))
        self.body.addWidget(self._make_places())
        self.problem = Label("", self, font="small", token="status.failed", wrap=True, selectable=True)
        self.problem.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self.problem.hide()
        self.body.addWidget(self.problem)
        self.cloud = self.add_button(Button("Run in the cloud instead", self, kind="ghost", icon="ph.cloud"), left=True)
        self.cloud.setVisible(bool(repository))
        self.cloud.clicked.connect(self._on_cloud)
        cancel = self.add_button(Button("Cancel", self, kind="ghost"))
        cancel.clicked.connect(self._on_cancel)
        self.set_first_focus(self.choose)

    def _make_places(self) -> QWidget:
        part = QWidget(self)
        row = QHBoxLayout(part)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self.choose = Button("Choose its folder…", part, icon="ph.folder-simple")
        self.choose.clicked.connect(lambda: self._pick("Choose the checkout", self.set_folder))
        self.clone = Button("Clone into…", part, icon="ph.arrow-line-down")
        self.clone.setVisible(bool(self._repository))
        self.clone.clicked.connect(lambda: self._pick("Choose where the clone goes", self.set_clone_folder))
        known = sorted(self._ctx.state.repositories.values(), key=lambda one: one.name)
        items = [MenuItem(one.id, one.name, "ph.folder-simple") for one in known]
        self.others = Select(items, part, name="Another repository", placeholder="Use another one")
        self.others.setVisible(bool(items))
        self.others.changed.connect(self._end)
        row.addWidget(self.choose)
        row.addWidget(self.clone)
        row.addWidget(self.others, 1)
        return part

    def _pick(self, title: str, then: object) -> None:
        dialog = QFileDialog(self, title)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(then)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    # the person's part

    def set_folder(self, folder: str) -> None:
        """The checkout that was chosen. One of another repository is refused."""

        async def add() -> RepositoryId:
            found = await self._ctx.services.repositories.add(Path(folder))
            remote = remote_name(self._ctx.state.repositories[found].remote_url)[1]
            if self._repository and remote not in ("", self._repository):
                raise InvalidInput(f"This is a checkout of {remote}.", f"Choose one of {self._repository}.")
            return found

        self._ctx.actions.start("inbox.folder", add, on_done=self._end, on_error=self._refused, busy=self.choose)

    def set_clone_folder(self, folder: str) -> None:
        """The folder that the clone is put in, under the repository's own name."""
        place = Path(folder) / (short(self._repository) or "repository")
        self._ctx.actions.start(
            "inbox.clone",
            lambda: self._ctx.services.handover.clone(self._repository, place),
            on_done=self._end,
            on_error=self._refused,
            busy=self.clone,
        )

    def _end(self, repository_id: str) -> None:
        self.close_sheet(repository_id)
        self.found.emit(repository_id)

    def _refused(self, error: UserError) -> None:
        self.problem.setText(str(error))
        self.problem.show()
        self.relayout()

    def _on_cloud(self) -> None:
        self.close_sheet(None)
        self.cloud_asked.emit()

    def _on_cancel(self) -> None:
        self.close_sheet(None)
