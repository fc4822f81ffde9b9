"""Showing the window before there is a loop for anything that waits."""

from __future__ import annotations

from PySide6.QtCore import QEventLoop
from PySide6.QtWidgets import QWidget

from posthog_code.ui.kit.after_paint import after_paint


def show_painted(window: QWidget, part: QWidget) -> None:
    """Show `window`; come back once its `part` was painted, or soon if it is not (the window starts minimised)."""
    # A loop inside a loop would stop the coroutines of the outer one. There is none yet, and not even asyncio.
    waiting = QEventLoop()
    after_paint(part, waiting.quit)
    window.show()
    # Keys and the pointer wait: the window is not complete.
    waiting.exec(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
