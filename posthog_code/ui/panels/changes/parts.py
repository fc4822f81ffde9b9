"""Small parts of the panel of changes."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from posthog_code.domain.ids import TaskId
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit.empty import Skeleton


class Watch:
    """The one task whose files, and what they mean, are watched; outlives the panel just long enough to let go."""

    def __init__(self, ctx: UiContext) -> None:
        self._ctx = ctx
        self._task_id: TaskId | None = None

    def follow(self, task_id: TaskId | None) -> None:
        if task_id == self._task_id:
            return
        services = self._ctx.services
        for watched in (services.changes, services.code_signals):
            if self._task_id is not None:
                watched.unwatch(self._task_id)
            if task_id is not None:
                watched.watch(task_id)
        self._task_id = task_id


class Loading(QWidget):
    """Bars where the diff will be."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 12)
        column.addWidget(Skeleton(self, rows=12, row_height=24))
        column.addStretch(1)
