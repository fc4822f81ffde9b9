"""The sidebar's list of tasks: pointer, keys, rename in place and hover buttons."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QFocusEvent, QHelpEvent, QKeyEvent, QMouseEvent, QPalette
from PySide6.QtWidgets import QAbstractItemView, QLineEdit, QListView, QToolTip, QWidget

from posthog_code.domain.ids import TaskId
from posthog_code.ui.models.task_list import Row, SectionRow, TaskRow
from posthog_code.ui.models.task_list_model import TaskListModel
from posthog_code.ui.shell.task_delegate import TaskDelegate
from posthog_code.ui.theme import theme

_ACTION_TIPS = {"pin": "Pin", "unpin": "Unpin", "archive": "Archive", "restore": "Restore", "delete": "Delete"}
_KEYBOARD_REASONS = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)


class TaskListView(QListView):
    """Shows rows; tells what a person asks of a task. Its cursor is apart from the task in view."""

    task_opened = Signal(str)
    section_toggled = Signal(str)
    action_asked = Signal(str, str)
    """Name (pin, archive, restore, delete, menu) and task id."""
    menu_asked = Signal(str, QPoint)
    renamed = Signal(str, str)
    pointer_left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sidebar")
        self.setAccessibleName("Tasks")
        # For a widget that Qt itself has made, PySide sets up every kind of widget that there is, to see which it is.
        viewport = QWidget(self)
        viewport.setBackgroundRole(QPalette.ColorRole.Base)
        viewport.setAutoFillBackground(True)
        self.setViewport(viewport)
        self._rows = TaskListModel(self)
        self._delegate = TaskDelegate(self)
        self.setModel(self._rows)
        self.setItemDelegate(self._delegate)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_Hover)
        self._editor: QLineEdit | None = None
        self._edited: TaskId | None = None
        self._cursor: str | None = None

    @property
    def rows(self) -> list[Row]:
        return self._rows.rows

    @property
    def pointer_inside(self) -> bool:
        return self.underMouse()

    def set_rows(self, rows: Sequence[Row]) -> None:
        place, bar = self.verticalScrollBar().value(), self.verticalScrollBar()
        if self._rows.set_rows(rows):
            bar.setValue(place)
            at = next((n for n, row in enumerate(rows) if _key(row) == self._cursor), -1)
            if at >= 0:
                self.setCurrentIndex(self._rows.index(at))
            self._place_editor()

    def set_current(self, task_id: TaskId | None) -> None:
        """Marks the task in view and brings it into sight."""
        if self._delegate.current_id != task_id:
            self._delegate.current_id = task_id
            row = self._rows.row_of_task(task_id)
            if row >= 0:
                self.setCurrentIndex(self._rows.index(row))
                self.scrollTo(self._rows.index(row))
            self.viewport().update()

    def set_rail(self, on: bool) -> None:
        if self._delegate.rail != on:
            self._delegate.rail = on
            self.setVerticalScrollBarPolicy(
                Qt.ScrollBarPolicy.ScrollBarAlwaysOff if on else Qt.ScrollBarPolicy.ScrollBarAsNeeded
            )
            self.scheduleDelayedItemsLayout()

    def relayout(self) -> None:
        """After a change of text size."""
        self.scheduleDelayedItemsLayout()
        self.viewport().update()

    def rename(self, task_id: TaskId) -> None:
        """Opens the title of a task for editing, in place."""
        row = self._rows.row_of_task(task_id)
        if row < 0 or self._delegate.rail:
            return
        self.scrollTo(self._rows.index(row))
        self._end_edit()
        task = self._rows.rows[row]
        editor = QLineEdit(task.title, self.viewport())
        editor.setAccessibleName("Title")
        editor.setFont(theme().font("body"))
        editor.setProperty("kit", "inline")
        editor.editingFinished.connect(self._on_edited)
        editor.installEventFilter(self)
        self._editor, self._edited = editor, task_id
        self._place_editor()
        editor.show()
        editor.selectAll()
        editor.setFocus(Qt.FocusReason.OtherFocusReason)

    # editing

    def _place_editor(self) -> None:
        if self._editor is None:
            return
        row = self._rows.row_of_task(self._edited)
        if row < 0:
            self._end_edit()
            return
        rect = self.visualRect(self._rows.index(row))
        self._editor.setGeometry(rect.left() + 26, rect.top() + 2, rect.width() - 30, 26)

    def _on_edited(self) -> None:
        editor, task_id = self._editor, self._edited
        if editor is None or task_id is None:
            return
        text = editor.text().strip()
        row = self._rows.row_of_task(task_id)
        before = self._rows.rows[row].title if row >= 0 else ""
        self._end_edit()
        if text and text != before:
            self.renamed.emit(task_id, text)

    def _end_edit(self) -> None:
        editor, self._editor, self._edited = self._editor, None, None
        if editor is not None:
            editor.hide()
            editor.deleteLater()

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        if watched is self._editor and event.type() is QEvent.Type.KeyPress:
            assert isinstance(event, QKeyEvent)
            if event.key() == Qt.Key.Key_Escape:
                self._end_edit()
                self.setFocus()
                return True
        return super().eventFilter(watched, event)  # type: ignore[arg-type]

    # pointer

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._delegate.keyboard_focus = False
        index = self.indexAt(event.position().toPoint())
        row = index.data(Qt.ItemDataRole.UserRole) if index.isValid() else None
        if isinstance(row, TaskRow) and event.button() is Qt.MouseButton.LeftButton:
            action = self._action_at(event.position().toPoint(), index, row)
            if not action:
                self._delegate.pressed_id = row.task_id
                self.viewport().update()
        if index.isValid():
            self.setCurrentIndex(index)
        self.setFocus(Qt.FocusReason.MouseFocusReason)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        pressed, self._delegate.pressed_id = self._delegate.pressed_id, None
        self.viewport().update()
        if event.button() is not Qt.MouseButton.LeftButton:
            return
        point = event.position().toPoint()
        index = self.indexAt(point)
        row = index.data(Qt.ItemDataRole.UserRole) if index.isValid() else None
        if isinstance(row, SectionRow):
            self.section_toggled.emit(row.key)
        elif isinstance(row, TaskRow):
            action = self._action_at(point, index, row)
            if action:
                self.action_asked.emit(action, row.task_id)
            elif pressed == row.task_id:
                self.task_opened.emit(row.task_id)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        point = event.position().toPoint()
        index = self.indexAt(point)
        row = index.data(Qt.ItemDataRole.UserRole) if index.isValid() else None
        action = self._action_at(point, index, row) if isinstance(row, TaskRow) else ""
        if action != self._delegate.hovered_action:
            self._delegate.hovered_action = action
            self.viewport().update()
        super().mouseMoveEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self._delegate.hovered_action = ""
        super().leaveEvent(event)
        self.pointer_left.emit()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        by_key = event.reason() is QContextMenuEvent.Reason.Keyboard
        index = self.currentIndex() if by_key else self.indexAt(event.pos())
        row = index.data(Qt.ItemDataRole.UserRole) if index.isValid() else None
        if isinstance(row, TaskRow):
            spot = self.visualRect(index).center() if by_key else event.pos()
            self.menu_asked.emit(row.task_id, self.viewport().mapToGlobal(spot))

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() is QEvent.Type.ToolTip:
            assert isinstance(event, QHelpEvent)
            index = self.indexAt(event.pos())
            row = index.data(Qt.ItemDataRole.UserRole) if index.isValid() else None
            if isinstance(row, TaskRow):
                action = self._action_at(event.pos(), index, row)
                tip = _ACTION_TIPS.get("unpin" if action == "pin" and row.pinned else action, "")
                QToolTip.showText(event.globalPos(), tip or _about(row), self)
            return True
        return super().viewportEvent(event)

    def _action_at(self, point: QPoint, index: QModelIndex, row: TaskRow) -> str:
        rects = self._delegate.action_rects(self.visualRect(index), row)
        return next((name for name, rect in rects.items() if rect.contains(point)), "")

    # keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        self._delegate.keyboard_focus = True
        index = self.currentIndex()
        row = index.data(Qt.ItemDataRole.UserRole) if index.isValid() else None
        key = event.key()
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            if isinstance(row, SectionRow):
                self.section_toggled.emit(row.key)
            elif isinstance(row, TaskRow):
                self.task_opened.emit(row.task_id)
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right) and row is not None:
            section = row.key if isinstance(row, SectionRow) else row.section
            folded = isinstance(row, SectionRow) and row.collapsed
            if folded == (key == Qt.Key.Key_Right):
                self.section_toggled.emit(section)
        elif key == Qt.Key.Key_F2 and isinstance(row, TaskRow) and row.opened and not row.archived:
            self.rename(row.task_id)
        elif key == Qt.Key.Key_Delete and isinstance(row, TaskRow) and not row.cloud:
            self.action_asked.emit("delete" if row.archived else "archive", row.task_id)
        elif event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier == Qt.KeyboardModifier.NoModifier and key in (
            Qt.Key.Key_Up,
            Qt.Key.Key_Down,
            Qt.Key.Key_Home,
            Qt.Key.Key_End,
            Qt.Key.Key_PageUp,
            Qt.Key.Key_PageDown,
        ):
            super().keyPressEvent(event)
        else:
            event.ignore()
            return
        self.viewport().update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._delegate.keyboard_focus = event.reason() in _KEYBOARD_REASONS
        if not self.currentIndex().isValid() and self._rows.rows:
            at = max(0, self._rows.row_of_task(TaskId(self._delegate.current_id or "")))
            self.setCurrentIndex(self._rows.index(at))
        super().focusInEvent(event)

    def currentChanged(
        self, current: QModelIndex | QPersistentModelIndex, previous: QModelIndex | QPersistentModelIndex
    ) -> None:
        row = current.data(Qt.ItemDataRole.UserRole) if current.isValid() else None
        if row is not None:
            self._cursor = _key(row)
        super().currentChanged(current, previous)


def _about(row: TaskRow) -> str:
    words = " · ".join(dict.fromkeys(part for part in (row.word, row.branch, row.note) if part))
    return "\n".join(part for part in (row.title, words, row.who) if part)


def _key(row: Row) -> str:
    return f"section {row.key}" if isinstance(row, SectionRow) else row.task_id
