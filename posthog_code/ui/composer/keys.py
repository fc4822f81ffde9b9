"""What a key means in the composer."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent

_NONE, _CTRL = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier
_SHIFT, _ALT = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


def meaning(event: QKeyEvent, *, enter_sends: bool, empty: bool) -> str:
    """send, send_now, next_mode, attach, model, thought_level, take_back, escape, answer, nothing (taken, does
    nothing) or "" for a key that is the editor's own. `empty` says that nothing is typed."""
    key, mods = event.key(), event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    if key in _ENTER:
        if mods == _ALT:
            return "send_now"
        if mods == _CTRL or (mods == _NONE and enter_sends):
            return "send"
        return "nothing" if mods == _CTRL | _SHIFT else ""
    if key == Qt.Key.Key_Backtab or (key == Qt.Key.Key_Tab and mods == _SHIFT):
        return "next_mode"
    if key == Qt.Key.Key_Escape:
        return "escape"
    if key == Qt.Key.Key_U and mods == _CTRL:
        return "attach"
    if mods == _ALT and key in (Qt.Key.Key_M, Qt.Key.Key_E):
        return "model" if key == Qt.Key.Key_M else "thought_level"
    if key == Qt.Key.Key_Up and mods == _NONE and empty:
        return "take_back"
    digit = Qt.Key.Key_1 <= key <= Qt.Key.Key_9
    return "answer" if digit and (mods == _ALT or (mods == _NONE and empty)) else ""
