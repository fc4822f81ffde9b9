"""The rounded box of the composer."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from posthog_code.ui.kit import painting
from posthog_code.ui.theme import theme


class Frame(QWidget):
    """The rounded box round text and bar."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.active = False
        self.dropping = False

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        border = "accent.default" if self.dropping else "border.control" if self.active else "border.strong"
        with QPainter(self) as painter:
            fill = look.color("surface.raised")
            painting.rounded(painter, QRectF(self.rect()), look.size("radius.xl"), fill, look.color(border))
