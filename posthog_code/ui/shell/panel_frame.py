"""What frames the panels: the line of tabs, and the rail that stays when they are closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from posthog_code.ui.kit import painting
from posthog_code.ui.kit.buttons import IconButton
from posthog_code.ui.kit.tabs import TabStrip
from posthog_code.ui.shell.panels import PanelSpec
from posthog_code.ui.theme import theme


class PanelTabs(QWidget):
    """Tabs at the left; review focus and close at the right."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.strip = TabStrip((), self, name="Task panels")
        self.strip.setObjectName("panelTabs")
        self.focus_button = IconButton("ph.corners-out", "Focus the panel", self, keys="F11", size="sm")
        self.close_button = IconButton("ph.x", "Close the panel", self, keys="Ctrl+Shift+B", size="sm")
        row = QHBoxLayout(self)
        row.setContentsMargins(7, 0, 8, 0)
        row.setSpacing(4)
        row.addWidget(self.strip, 1)
        row.addWidget(self.focus_button)
        row.addWidget(self.close_button)

    def set_modes(self, *, compact: bool, focused: bool) -> None:
        self.focus_button.setVisible(not compact)
        self.close_button.setVisible(not compact and not focused)
        self.focus_button.set_icon("ph.corners-in" if focused else "ph.corners-out")
        self.focus_button.set_name("Leave the focus" if focused else "Focus the panel")

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), look.color("surface.panel"))
            y = self.height() - 1
            painting.hairline(painter, 0, y, self.width(), y, look.color("border.subtle"))


class PanelRail(QWidget):
    """Closed panels: their icons and counts, each opens its panel."""

    chosen = Signal(str)
    opened = Signal()

    def __init__(self, specs: Sequence[PanelSpec], parent: QWidget) -> None:
        super().__init__(parent)
        self.setAccessibleName("Closed panels")
        self._counts: dict[str, str] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 6, 0, 6)
        column.setSpacing(6)
        opener = IconButton("ph.arrow-line-left", "Open the panel", self, keys="Ctrl+Shift+B")
        opener.clicked.connect(self.opened)
        column.addWidget(opener, 0, Qt.AlignmentFlag.AlignHCenter)
        self.buttons: dict[str, IconButton] = {}
        for spec in specs:
            button = IconButton(spec.icon, spec.title, self, keys=spec.keys)
            button.clicked.connect(lambda _on=False, panel=spec.id: self.chosen.emit(panel))
            column.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
            self.buttons[spec.id] = button
        column.addStretch(1)

    def set_counts(self, counts: Mapping[str, str]) -> None:
        self._counts = dict(counts)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), look.color("surface.panel"))
            painting.hairline(painter, 0, 0, 0, self.height(), look.color("border.subtle"))
            font = look.sized_font("ui", 10, 500)
            for panel_id, text in self._counts.items():
                if text:
                    below = self.buttons[panel_id].geometry().bottom()
                    box = QRectF(0, below - 3, self.width(), look.px(10))
                    painting.text(painter, box, text, font, look.color("text.muted"), painting.CENTER)
