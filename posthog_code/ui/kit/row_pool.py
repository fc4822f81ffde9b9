"""Rows of a virtual list: what it asks of its source, and the widgets it recycles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from PySide6.QtWidgets import QWidget

from posthog_code.ui.kit.a11y import mark_item

POOL_SIZE = 16
"""Idle widgets kept for each kind."""


class RowSource(Protocol):
    """What the list shows. Heights include the space a row wants around itself."""

    def count(self) -> int: ...
    def key(self, row: int) -> str:
        """The row's identity; it stays the same when rows before it come or go."""
        ...

    def kind(self, row: int) -> str:
        """Rows of one kind share recycled widgets."""
        ...

    def estimate(self, row: int, width: int) -> int:
        """A cheap guess of the height; asked for every row."""
        ...

    def create(self, kind: str) -> QWidget: ...
    def bind(self, widget: QWidget, row: int, width: int) -> int:
        """Show the row in the widget; gives its true height at this width."""
        ...


@dataclass(slots=True)
class MountedRow:
    widget: QWidget
    key: str
    kind: str
    stale: bool = True


@dataclass(slots=True)
class Anchor:
    """The row that keeps its place on the screen while heights change."""

    row: int
    y: int
    """Top of the row in the viewport."""
    at_end: bool = False
    """Keep the end of the list at the bottom instead."""


class RowPool:
    """Idle widgets by kind."""

    def __init__(self) -> None:
        self._idle: dict[str, list[QWidget]] = {}

    def take(self, kind: str, source: RowSource, parent: QWidget) -> QWidget:
        """A widget for a row of this kind, hidden and still showing another row."""
        idle = self._idle.get(kind)
        if idle:
            return idle.pop()
        widget = source.create(kind)
        # Before anything asks what it is: Qt keeps the first answer.
        mark_item(widget)
        widget.setParent(parent)
        return widget

    def give_back(self, item: MountedRow) -> None:
        idle = self._idle.setdefault(item.kind, [])
        item.widget.hide()
        if len(idle) < POOL_SIZE:
            idle.append(item.widget)
        else:
            item.widget.deleteLater()
