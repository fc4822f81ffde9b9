"""Fixed sizes that follow the text size at once."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from posthog_code.ui.theme import notifier, theme


class _Follow(QObject):
    def __init__(self, widget: QWidget, width: int, height: int) -> None:
        super().__init__(widget)
        self._widget, self._width, self._height = widget, width, height
        self._fit()
        notifier().changed.connect(self._fit)

    def _fit(self) -> None:
        if self._width:
            self._widget.setFixedWidth(theme().px(self._width))
        if self._height:
            self._widget.setFixedHeight(theme().px(self._height))


def fix_size(widget: QWidget, *, width: int = 0, height: int = 0) -> None:
    """Fix one or both sides, in pixels of the design; 0 leaves a side free."""
    _Follow(widget, width, height)
