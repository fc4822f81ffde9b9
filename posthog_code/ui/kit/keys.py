"""Keys as people read them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from PySide6.QtGui import QKeySequence

_CAPS = {
    "shift": "⇧",
    "return": "↵",
    "enter": "↵",
    "meta": "⌘",
    "esc": "Esc",
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
}


def caps(keys: str) -> list[str]:
    """The caps of a key sequence: `"Ctrl+Shift+G"` gives Ctrl, ⇧, G."""
    parts: list[str] = []
    for part in keys.replace("++", "+plus").split("+"):
        word = "+" if part == "plus" else part.strip()
        if sys.platform == "darwin" and word.lower() == "ctrl":
            word = "⌘"
        if word:
            parts.append(_CAPS.get(word.lower(), word))
    return parts


def native(keys: str) -> str:
    """A key sequence as the platform writes it."""
    return QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText) or keys


def tooltip(name: str, keys: str | Sequence[str] = "") -> str:
    """A control's tooltip: what it does, and its keys."""
    listed = [keys] if isinstance(keys, str) else list(keys)
    words = ", ".join(native(item) for item in listed if item)
    return f"{name} ({words})" if words and name else name or words
