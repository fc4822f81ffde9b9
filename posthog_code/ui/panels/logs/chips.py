"""The switches for a log's sources."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QSizePolicy, QWidget

from posthog_code.domain.logs import LogSource
from posthog_code.domain.text import count
from posthog_code.ui.kit import painting
from posthog_code.ui.kit.focus_ring import set_focus_ring
from posthog_code.ui.panels.logs.view import SOURCE_TOKENS
from posthog_code.ui.theme import theme

_SIDE, _DOT, _GAP = 8, 6, 5


class SourceChip(QAbstractButton):
    """A dot in the source's colour, its name and how many lines it has."""

    def __init__(self, source: LogSource, key: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.source = source
        self._number = 0
        self._short = False
        self.setCheckable(True)
        self.setChecked(True)
        self.setText(source.value.capitalize())
        self.setToolTip(f"{self.text()} ({key})")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        set_focus_ring(self, 5)
        self.set_number(0)

    def set_number(self, number: int) -> None:
        wider = len(count(number)) != len(count(self._number))
        self._number = number
        self.setAccessibleName(f"{self.text()}, {number} lines")
        if wider:
            self.updateGeometry()
        self.update()

    def set_short(self, on: bool) -> None:
        """Leaves the count out."""
        if on != self._short:
            self._short = on
            self.updateGeometry()
            self.update()

    def full_width(self) -> int:
        look = theme()
        width = 2 * _SIDE + _DOT + _GAP + painting.text_width(self.text(), look.font("small"))
        return width + _GAP + painting.text_width(count(self._number), look.font("small", tabular=True))

    def sizeHint(self) -> QSize:
        look = theme()
        width = self.full_width()
        if self._short:
            width -= _GAP + painting.text_width(count(self._number), look.font("small", tabular=True))
        return QSize(width, look.size("control.chip"))

    def paintEvent(self, event: QPaintEvent) -> None:
        look, on = theme(), self.isChecked()
        fill = "surface.selected" if on else "surface.hover" if self.underMouse() else ""
        with QPainter(self) as painter:
            rect = QRectF(self.rect())
            border = look.color("border.strong" if on else "border.subtle")
            painting.rounded(painter, rect, 5, look.color(fill) if fill else None, border)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.color(SOURCE_TOKENS[self.source] if on else "text.disabled"))
            painter.drawEllipse(QRectF(_SIDE, (self.height() - _DOT) / 2, _DOT, _DOT))
            x = _SIDE + _DOT + _GAP
            font = look.font("small")
            width = painting.text_width(self.text(), font)
            box = QRectF(x, 0, width, self.height())
            painting.text(painter, box, self.text(), font, look.color("text.primary" if on else "text.secondary"))
            if not self._short:
                box = QRectF(x + width + _GAP, 0, self.width() - x - width - _GAP, self.height())
                painting.text(
                    painter, box, count(self._number), look.font("small", tabular=True), look.color("text.muted")
                )


class SourceBar(QWidget):
    """One chip a source, in the order of their keys 1 to 6."""

    changed = Signal(object)
    """frozenset[LogSource] that are switched on."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 0, 10, 0)
        row.setSpacing(4)
        self.chips = [SourceChip(source, str(number), self) for number, source in enumerate(LogSource, start=1)]
        for chip in self.chips:
            row.addWidget(chip)
            chip.toggled.connect(self._on_toggled)
        row.addStretch(1)
        self.setMinimumWidth(0)

    def minimumSizeHint(self) -> QSize:
        return QSize(100, theme().size("layout.panelToolbar"))

    def sources(self) -> frozenset[LogSource]:
        return frozenset(chip.source for chip in self.chips if chip.isChecked())

    def switch(self, number: int) -> None:
        """Switches the source with this number, from 0."""
        if 0 <= number < len(self.chips):
            self.chips[number].toggle()

    def switch_all_on(self) -> None:
        for chip in self.chips:
            blocked = chip.blockSignals(True)
            chip.setChecked(True)
            chip.blockSignals(blocked)
            chip.update()
        self.changed.emit(self.sources())

    def set_counts(self, counts: dict[LogSource, int]) -> None:
        for chip in self.chips:
            chip.set_number(counts[chip.source])
        self._fold()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fold()

    def _fold(self) -> None:
        need = sum(chip.full_width() + 4 for chip in self.chips) + 20
        for chip in self.chips:
            chip.set_short(need > self.width())

    def _on_toggled(self, _on: bool) -> None:
        self.changed.emit(self.sources())
