"""The list of reports: one cursor, a selection that may hold many, and nothing of its own besides."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QItemSelection, QItemSelectionModel, QModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QMouseEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QAbstractItemView, QListView, QWidget

from posthog_code.ui.models.inbox_list import ReportRow
from posthog_code.ui.pages.inbox.delegate import ReportDelegate
from posthog_code.ui.pages.inbox.list_model import ReportListModel
from posthog_code.ui.theme import notifier

_MOVES = (
    Qt.Key.Key_Up,
    Qt.Key.Key_Down,
    Qt.Key.Key_Home,
    Qt.Key.Key_End,
    Qt.Key.Key_PageUp,
    Qt.Key.Key_PageDown,
)
_Flag = QItemSelectionModel.SelectionFlag


class ReportList(QListView):
    """Letters are the page's; here only what moves the cursor or selects."""

    chosen = Signal(list)
    """Ids of the selection, in the order of the list."""
    opened = Signal(str)
    menu_asked = Signal(QPoint)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("inboxList")
        self.setAccessibleName("Reports")
        self._rows = ReportListModel(self)
        self._quiet = False
        self.setModel(self._rows)
        self.setItemDelegate(ReportDelegate(self))
        self.setUniformItemSizes(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_Hover)
        notifier().changed.connect(self._on_look)
        self.selectionModel().selectionChanged.connect(self._on_selection)

    @property
    def rows(self) -> list[ReportRow]:
        return self._rows.rows

    def selected(self) -> list[str]:
        """Ids in the order of the list."""
        return [self.rows[at].id for at in sorted({index.row() for index in self.selectionModel().selectedIndexes()})]

    def current(self) -> str:
        at = self.currentIndex().row()
        return self.rows[at].id if 0 <= at < len(self.rows) else ""

    def set_rows(self, rows: Sequence[ReportRow]) -> None:
        """Show rows; what was selected stays so as far as it is there, and the cursor stays near its place."""
        bar, place = self.verticalScrollBar(), self.verticalScrollBar().value()
        chosen, cursor, at = self.selected(), self.current(), self.currentIndex().row()
        self._quiet = True
        if self._rows.set_rows(rows):
            self._restore(chosen, cursor, at)
            bar.setValue(place)
        self._quiet = False
        if self.selected() != chosen:
            self.chosen.emit(self.selected())

    def _restore(self, chosen: list[str], cursor: str, at: int) -> None:
        rows = [number for one in chosen if (number := self._rows.row_of(one)) >= 0]
        number = self._rows.row_of(cursor)
        model = self.selectionModel()
        if number < 0 and rows:
            number = rows[0]
        if number < 0 and self.rows and at >= 0:
            number = min(at, len(self.rows) - 1)  # what it stood on is gone: the next one takes its place
            rows = [number]
        if number >= 0:
            model.setCurrentIndex(self._rows.index(number), _Flag.NoUpdate)
        selection = QItemSelection()
        for row in rows:
            selection.select(self._rows.index(row), self._rows.index(row))
        model.select(selection, _Flag.ClearAndSelect)

    def select(self, report_id: str) -> bool:
        """Select one report alone and bring it into sight; False when it is not listed."""
        number = self._rows.row_of(report_id)
        if number < 0:
            return False
        index = self._rows.index(number)
        self.selectionModel().setCurrentIndex(index, _Flag.ClearAndSelect)
        if self.isVisible():
            self.scrollTo(index)
        return True

    def only_current(self) -> None:
        """Of many that are selected, the one under the cursor stays so."""
        if self.current():
            self.select(self.current())

    def step(self, by: int) -> None:
        """To another row; from nowhere to the first."""
        if not self.rows:
            return
        at = self.currentIndex().row()
        self.select(self.rows[max(0, min(at + by, len(self.rows) - 1)) if at >= 0 else 0].id)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """What was chosen while the list was out of view, or before it had its size, is in sight."""
        super().resizeEvent(event)
        self.scrollTo(self.currentIndex())

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.scrollTo(self.currentIndex())

    def _on_look(self) -> None:
        """Rows are as high as the text wants."""
        self.scheduleDelayedItemsLayout()
        self.viewport().update()

    def _on_selection(self, *_what: object) -> None:
        if not self._quiet:
            self.chosen.emit(self.selected())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        plain = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier == Qt.KeyboardModifier.NoModifier
        every = event.key() == Qt.Key.Key_A and event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and plain and self.current():
            self.opened.emit(self.current())
        elif event.key() in _MOVES or every:
            super().keyPressEvent(event)
        else:
            event.ignore()  # Qt would look for a row that begins with the letter

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._open_at(event.position().toPoint())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        held = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
        if event.button() == Qt.MouseButton.LeftButton and not event.modifiers() & held:
            self._open_at(event.position().toPoint())

    def _open_at(self, point: QPoint) -> None:
        index: QModelIndex = self.indexAt(point)
        if index.isValid():
            self.opened.emit(self.rows[index.row()].id)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if self.selected():
            self.menu_asked.emit(event.globalPos())
