"""Which view holds the selected text: at most one in the program, as in a browser page."""

from __future__ import annotations

import shiboken6
from PySide6.QtWidgets import QWidget

_owner: QWidget | None = None


def take(view: QWidget) -> None:
    """`view` has text selected now: the view that had some before drops it."""
    global _owner
    before, _owner = owner(), view
    if before is not None and before is not view:
        before.clear_selection()  # type: ignore[attr-defined]


def drop(view: QWidget) -> None:
    """`view` has nothing selected any more."""
    global _owner
    if _owner is view:
        _owner = None


def owner() -> QWidget | None:
    """The view that holds the selection."""
    if _owner is not None and shiboken6.isValid(_owner):
        return _owner
    return None
