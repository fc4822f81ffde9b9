"""The inbox's rows as a Qt model."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from posthog_code.ui.models.inbox_list import ReportRow

ROW = Qt.ItemDataRole.UserRole
_ROOT = QModelIndex()


class ReportListModel(QAbstractListModel):
    """Rows that only changed their words are told one by one; a new order resets the model."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: list[ReportRow] = []

    def set_rows(self, rows: Sequence[ReportRow]) -> bool:
        """True when rows came, went or moved."""
        if [row.id for row in rows] == [row.id for row in self.rows]:
            old, self.rows = self.rows, list(rows)
            for number, (before, after) in enumerate(zip(old, rows, strict=True)):
                if before != after:
                    index = self.index(number)
                    self.dataChanged.emit(index, index)
            return False
        self.beginResetModel()
        self.rows = list(rows)
        self.endResetModel()
        return True

    def row_of(self, report_id: str) -> int:
        """-1 when it is not listed."""
        return next((number for number, row in enumerate(self.rows) if row.id == report_id), -1)

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
            return row.spoken
        if role == Qt.ItemDataRole.ToolTipRole:
            return row.tip
        return None
