"""Where a task happens: repository, start, workspace, environment."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QSizePolicy, QWidget

from posthog_code.domain.task import Workspace
from posthog_code.ui.kit import painting
from posthog_code.ui.kit.labels import Label
from posthog_code.ui.kit.popup import MenuItem
from posthog_code.ui.kit.select import Select
from posthog_code.ui.kit.sizes import fix_size
from posthog_code.ui.kit.toggles import Segmented
from posthog_code.ui.theme import theme

_LABEL = 88
_ONE_COLUMN_BELOW = 620


_WORKSPACES = (
    MenuItem(Workspace.WORKTREE.value, "Worktree"),
    MenuItem(Workspace.LOCAL.value, "Local"),
    MenuItem(Workspace.CLOUD.value, "Cloud"),
)


class OptionGrid(QWidget):
    """Two by two cells; one below the other where it is narrow."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.repository = _select(self, "Repository", "ph.folder-simple")
        self.base = _select(self, "Start from", "ph.git-branch")
        self.workspace = Segmented(
            _WORKSPACES[:2],
            self,
            name="Workspace",
            current=Workspace.WORKTREE.value,
        )
        self.script = _select(self, "Environment", "ph.package")
        self._cells = [
            _Cell("Repository", self.repository, self),
            _Cell("Start from", self.base, self),
            _Cell("Workspace", self.workspace, self),
            _Cell("Environment", self.script, self),
        ]
        self._columns = 0
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(1, 1, 1, 1)
        self._grid.setSpacing(0)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._arrange(2)

    def offer_cloud(self, on: bool) -> None:
        """Whether a task can be started in the cloud."""
        current = self.workspace.current()
        usual = Workspace.WORKTREE.value
        self.workspace.set_items(
            _WORKSPACES if on else _WORKSPACES[:2], current if on or current != Workspace.CLOUD.value else usual
        )

    def show_cloud(
        self, repositories: Sequence[MenuItem], repository: str, branches: Sequence[MenuItem], branch: str,
        environments: Sequence[MenuItem],
    ) -> None:  # fmt: skip
        """The choices of a task in the cloud."""
        self.repository.set_items(repositories, repository)
        known = {item.id for item in branches}
        self.base.set_items(branches, self.base.current() if self.base.current() in known else branch)
        self.base.setEnabled(True)
        first = environments[0].id
        known = {item.id for item in environments}
        self.script.set_items(environments, self.script.current() if self.script.current() in known else first)
        self.script.setEnabled(True)

    def show_branches(self, items: Sequence[MenuItem], default: str, local: bool) -> None:
        """Branches to start from; a local task starts from what is checked out."""
        if local:
            items = [MenuItem("current", "What is checked out")]
        current = self.base.current()
        known = {item.id for item in items}
        self.base.set_items(items, current if current in known else "current" if local else default)
        self.base.setEnabled(not local)

    def show_script(self, items: Sequence[MenuItem], default: str, local: bool) -> None:
        current = self.script.current()
        known = [item.id for item in items if item.choosable]
        self.script.set_items(items, current if current in known else default if default in known else known[0])
        self.script.setEnabled(not local)

    def _arrange(self, columns: int) -> None:
        if columns == self._columns:
            return
        self._columns = columns
        for number, cell in enumerate(self._cells):
            self._grid.addWidget(cell, number // columns, number % columns)
        for column in range(2):
            self._grid.setColumnStretch(column, 1 if column < columns else 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._arrange(2 if self.width() >= _ONE_COLUMN_BELOW else 1)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        line = look.color("border.subtle")
        with QPainter(self) as painter:
            painting.rounded(painter, QRectF(self.rect()), look.size("radius.xl"), look.color("surface.panel"), line)
            for cell in self._cells:
                box = cell.geometry()
                if box.top() > 2:
                    painting.hairline(painter, box.left(), box.top(), box.right() + 1, box.top(), line)
                if box.left() > 2:
                    painting.hairline(painter, box.left(), box.top(), box.left(), box.bottom() + 1, line)


class _Cell(QWidget):
    def __init__(self, name: str, control: QWidget, parent: QWidget) -> None:
        super().__init__(parent)
        label = Label(name, self, font="small", token="text.muted")
        fix_size(label, width=_LABEL)
        label.setBuddy(control)
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 0, 8, 0)
        row.setSpacing(10)
        row.addWidget(label)
        if isinstance(control, Segmented):
            row.addSpacing(2)
            row.addWidget(control)
            row.addStretch(1)
        else:
            row.addWidget(control, 1)
        fix_size(self, height=44)


def _select(parent: QWidget, name: str, icon: str) -> Select:
    select = Select((), parent, name=name, quiet=True, icon=icon)
    select.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return select
