"""What a screen reader hears of painted widgets: their roles, and the rows of a virtual list.

Without this Qt tells of a painted widget only that it is there, and of a scroll area nothing but its bars.
"""

from __future__ import annotations

from functools import partial

import shiboken6
from PySide6.QtCore import QObject
from PySide6.QtGui import QAccessible, QAccessibleInterface
from PySide6.QtWidgets import QAccessibleWidget, QWidget

_ITEM = "kitListItem"
_ROLE = "kitRole"
_interfaces: dict[int, QAccessibleInterface] = {}
"""Qt keeps interfaces by plain pointers, so Python has to keep them alive; by the address of their widget."""
_installed = False


class ListInterface(QAccessibleWidget):
    """Role list; its children are the mounted rows, from the top."""

    def __init__(self, view: QWidget) -> None:
        super().__init__(view, QAccessible.Role.List, view.accessibleName())

    def _rows(self) -> list[QWidget]:
        # No reference is kept: an interface must not keep its widget alive.
        view = self.object()
        return view.mounted_widgets() if hasattr(view, "mounted_widgets") else []

    def childCount(self) -> int:
        return len(self._rows())

    def child(self, index: int) -> QAccessibleInterface | None:  # type: ignore[override]
        rows = self._rows()
        return QAccessible.queryAccessibleInterface(rows[index]) if 0 <= index < len(rows) else None

    def indexOfChild(self, child: QAccessibleInterface) -> int:
        widget = child.object()
        rows = self._rows()
        return rows.index(widget) if isinstance(widget, QWidget) and widget in rows else -1


class ItemInterface(QAccessibleWidget):
    """Role list item; its parent is the list, not the viewport between them."""

    def __init__(self, row: QWidget) -> None:
        super().__init__(row, QAccessible.Role.ListItem, "")

    def parent(self) -> QAccessibleInterface | None:  # type: ignore[override]
        row = self.object()
        viewport = row.parentWidget() if isinstance(row, QWidget) else None
        view = viewport.parentWidget() if viewport is not None else None
        return QAccessible.queryAccessibleInterface(view) if view is not None else super().parent()


def set_role(widget: QWidget, role: QAccessible.Role) -> None:
    """Say what a painted widget is; its name is its `accessibleName`."""
    widget.setProperty(_ROLE, role.value)
    install()


def mark_item(row: QWidget) -> None:
    """Make `row` a list item for screen readers."""
    row.setProperty(_ITEM, True)


def install() -> None:
    """Tell Qt about the interfaces, once for the program."""
    global _installed
    if not _installed:
        _installed = True
        QAccessible.installFactory(_make)


def _make(class_name: str, watched: QObject) -> QAccessibleInterface | None:
    # Qt asks for each class of the object in turn, the most special one first.
    if not isinstance(watched, QWidget) or class_name != watched.metaObject().className():
        return None
    if hasattr(watched, "mounted_widgets"):
        made: QAccessibleInterface = ListInterface(watched)
    elif watched.property(_ITEM):
        made = ItemInterface(watched)
    elif (role := watched.property(_ROLE)) is not None:
        made = QAccessibleWidget(watched, QAccessible.Role(role), "")
    else:
        return None
    address = shiboken6.getCppPointer(watched)[0]
    _interfaces[address] = made
    watched.destroyed.connect(partial(_forget, address))
    return made


def _forget(address: int, _: QObject | None = None) -> None:
    _interfaces.pop(address, None)
