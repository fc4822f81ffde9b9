"""The floating way back to the end of the conversation."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QWidget

from posthog_code.ui.kit import painting
from posthog_code.ui.kit.focus_ring import set_focus_ring
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.icons import paint_icon

_MARGIN = 6
"""Room for the shadow."""


class LatestPill(QAbstractButton):
    """ "Jump to latest", with the number of new rows."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._count = 0
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        set_focus_ring(self, 13)
        self.set_count(0)
        self.hide()

    def set_count(self, count: int) -> None:
        self._count = count
        words = f"Jump to latest · {count} new" if count else "Jump to latest"
        self.setText(words)
        self.setAccessibleName(words)
        self.setToolTip("Jump to latest (End)")
        self.resize(self.sizeHint())
        self.update()

    def sizeHint(self) -> QSize:
        width = painting.text_width(self.text(), theme().font("smallStrong")) + 44
        return QSize(width + 2 * _MARGIN, theme().px(26) + 2 * _MARGIN)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        box = QRectF(self.rect()).adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
        with QPainter(self) as painter:
            fill = look.color("surface.selected" if self.underMouse() else "surface.overlay")
            painting.rounded(painter, box, box.height() / 2, fill, look.color("border.strong"))
            icon = QRectF(box.left() + 11, box.center().y() - 6.5, 13, 13)
            paint_icon(painter, icon, "ph.arrow-down", "text.secondary")
            words = box.adjusted(30, 0, -8, 0)
            painting.text(painter, words, self.text(), look.font("smallStrong"), look.color("text.primary"))
