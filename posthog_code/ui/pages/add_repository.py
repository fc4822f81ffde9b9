"""Adding a repository: a path, or a folder that is picked. What is wrong with it is said in place."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QWidget

from posthog_code.domain.errors import UserError
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.inputs import TextField


class AddRepository(QWidget):
    """One row: field, Choose…, Add."""

    added = Signal(str)
    """Id of the repository."""
    cancelled = Signal()

    def __init__(self, ctx: UiContext, parent: QWidget | None = None, *, cancellable: bool = True) -> None:
        super().__init__(parent)
        self._ctx = ctx
        self._dialog: QFileDialog | None = None
        self.field = TextField("", self, name="Folder of the repository", placeholder="/path/to/repository", mono=True)
        self.field.returnPressed.connect(self.add)
        self.field.textChanged.connect(self._on_text)
        self._choose = Button("Choose…", self, icon="ph.folder-simple")
        self._choose.clicked.connect(self.choose)
        self._add = Button("Add repository", self, kind="primary")
        self._add.clicked.connect(self.add)
        self._add.setEnabled(False)
        self._cancel = Button("Cancel", self, kind="ghost")
        self._cancel.clicked.connect(self.cancelled)
        self._cancel.setVisible(cancellable)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.setAlignment(Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.field, 1)
        for button in (self._choose, self._add, self._cancel):
            row.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)

    def set_cancellable(self, on: bool) -> None:
        self._cancel.setVisible(on)

    def start(self, text: str = "") -> None:
        """Ready for a new path."""
        self.field.setText(text)
        self.field.set_error("")
        self.field.edit.setFocus(Qt.FocusReason.OtherFocusReason)

    def choose(self) -> None:
        """Picks a folder; the window keeps running meanwhile."""
        if self._dialog is not None:
            return
        dialog = QFileDialog(self, "Choose a repository")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self._on_chosen)
        dialog.finished.connect(self._on_closed)
        self._dialog = dialog
        dialog.open()

    def add(self) -> None:
        text = self.field.text().strip()
        if not text:
            return
        path = Path(text).expanduser()
        self._ctx.actions.start(
            "repository.add",
            lambda: self._ctx.services.repositories.add(path),
            on_done=self._on_added,
            on_error=self._on_error,
            busy=self._add,
        )

    def _on_chosen(self, path: str) -> None:
        self.field.setText(path)
        self.add()

    def _on_closed(self, _result: int) -> None:
        self._dialog = None

    def _on_text(self, text: str) -> None:
        self.field.set_error("")
        self._add.setEnabled(bool(text.strip()))

    def _on_added(self, repository_id: str) -> None:
        self.field.setText("")
        self.added.emit(repository_id)

    def _on_error(self, error: UserError) -> None:
        self.field.set_error(f"{error.title} {error.hint}".strip())
