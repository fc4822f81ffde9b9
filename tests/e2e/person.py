"""A person at the real window: mouse, keys and eyes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget

from posthog_code.ui.shell.main_window import MainWindow

W = TypeVar("W", bound=QWidget)
_MODIFIERS = {
    "Ctrl": Qt.KeyboardModifier.ControlModifier,
    "Shift": Qt.KeyboardModifier.ShiftModifier,
    "Alt": Qt.KeyboardModifier.AltModifier,
}


class Person:
    def __init__(self, window: MainWindow) -> None:
        self.window = window

    # -- eyes --------------------------------------------------------------------------------------------------

    async def sees(self, condition: Callable[[], Any], what: str = "", timeout: float = 20.0) -> Any:
        """The condition's value once it is true."""
        deadline = asyncio.get_running_loop().time() + timeout
        while not (value := condition()):
            assert asyncio.get_running_loop().time() < deadline, f"did not see: {what or condition}"
            await asyncio.sleep(0.02)
        return value

    def widgets(self, kind: type[W], name: str = "") -> list[W]:
        """Visible widgets of a kind whose accessible or object name is, or text begins with, `name`."""
        return [w for w in self.window.findChildren(kind) if w.isVisible() and (not name or _named(w, name))]

    async def finds(self, kind: type[W], name: str = "") -> W:
        found = await self.sees(lambda: self.widgets(kind, name), f"{kind.__name__} {name}")
        return found[0]

    # -- hands -------------------------------------------------------------------------------------------------

    async def clicks(self, name: str) -> None:
        """Click a button by its name once it can be pressed."""
        button = await self.sees(
            lambda: next((b for b in self.widgets(QAbstractButton, name) if b.isEnabled()), None), f"button {name}"
        )
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        await asyncio.sleep(0)

    async def clicks_at(self, widget: QWidget, point: QPoint) -> None:
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, point)
        await asyncio.sleep(0)

    async def presses(self, keys: str) -> None:
        """ "Ctrl+Shift+D", "Return", "A": to whatever has the focus; shortcuts of the window work too."""
        *held, key = keys.split("+")
        modifiers = Qt.KeyboardModifier.NoModifier
        for name in held:
            modifiers |= _MODIFIERS[name]
        named = getattr(Qt.Key, f"Key_{key}", None)
        target = QApplication.focusWidget() or self.window
        if named is not None:
            QTest.keyClick(target, named, modifiers)
        else:
            QTest.keyClick(target, key, modifiers)
        await asyncio.sleep(0.02)

    async def types(self, text: str) -> None:
        """Into whatever has the focus."""
        target = QApplication.focusWidget()
        assert target is not None, "nothing has the focus"
        QTest.keyClicks(target, text)
        await asyncio.sleep(0.02)


def _named(widget: QWidget, name: str) -> bool:
    text = widget.text() if isinstance(widget, QAbstractButton) else ""
    return name in (widget.accessibleName(), widget.objectName()) or (bool(text) and text.startswith(name))
