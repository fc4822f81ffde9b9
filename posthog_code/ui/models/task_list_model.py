"""The sidebar's rows as a Qt model."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from posthog_code.domain.ids import TaskId
from posthog_code.ui.models.task_list import Row, SectionRow, TaskRow

ROW = Qt.ItemDataRole.UserRole
_ROOT = QModelIndex()


class TaskListModel(QAbstractListModel):
    """Rows as they are. Rows that only changed their words are told one by one; a new order resets the model."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: list[Row] = []

    def set_rows(self, rows: Sequence[Row]) -> bool:
        """True when rows came, went or moved."""
        if [_identity(row) for row in rows] == [_identity(row) for row in self.rows]:
            old, self.rows = self.rows, list(rows)
            for number, (before, after) in enumerate(zip(old, rows, strict=True)):
                if before != after:
                    index = self.index(number)
                    self.dataChanged.emit(index, index, [ROW, Qt.ItemDataRole.DisplayRole])
            return False
        self.beginResetModel()
        self.rows = list(rows)
        self.endResetModel()
        return True

    def row_of_task(self, task_id: TaskId | None) -> int:
        """-1 when it is not listed."""
        return next(
            (number for number, row in enumerate(self.rows) if isinstance(row, TaskRow) and row.task_id == task_id), -1
        )

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.rows)

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid() or index.row() >= len(self.rows):
            return None
        row = self.rows[index.row()]
        if role == ROW:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return row.title
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return _spoken(row)
        return None

    def flags(self, index: QModelIndex | QPersistentModelIndex) -> Qt.ItemFlag:
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable


def _identity(row: Row) -> tuple[str, str]:
    return ("section", row.key) if isinstance(row, SectionRow) else (row.section, row.task_id)


def _spoken(row: Row) -> str:
    if isinstance(row, SectionRow):
        return f"{row.title}, {row.count} tasks, {'folded' if row.collapsed else 'open'}"
    return row.spoken
