"""The one timer that turns all arcs, and a widget that is only an arc."""

from __future__ import annotations

import time

import shiboken6
from PySide6.QtCore import QObject, QRect, QRectF, QSize, QTimer
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from posthog_code.ui.theme import theme
from posthog_code.ui.theme.glyphs import Glyph, paint_glyph

TICK_MS = 33
_clock: ArcClock | None = None


class ArcClock(QObject):
    """Repaints what turns, thirty times a second, and rests while nothing turns.

    Whoever paints something that moves calls `painted` each time. What is not painted again, because it is hidden or
    scrolled away, is forgotten by itself, and with the last of them the timer stops.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)
        self._moving: list[tuple[QWidget, QRect]] = []

    @property
    def running(self) -> bool:
        return self._timer.isActive()

    def phase(self) -> float:
        """How far the turn is, 0.0 to 1.0; the same for all arcs."""
        if theme().reduced_motion:
            return 0.0
        period: float = theme().value("motion.spinnerPeriod") / 1000
        return (time.monotonic() % period) / period

    def painted(self, widget: QWidget, rect: QRect | None = None) -> None:
        """`widget` has just painted something that moves inside `rect`."""
        if theme().reduced_motion:
            return
        self._moving.append((widget, rect if rect is not None else widget.rect()))
        if not self._timer.isActive():
            self._timer.start()

    def _tick(self) -> None:
        moving, self._moving = self._moving, []
        if not moving:
            self._timer.stop()
        for widget, rect in moving:
            if shiboken6.isValid(widget) and widget.isVisible():
                widget.update(rect)


def arc_clock() -> ArcClock:
    """The one clock of the program."""
    global _clock
    if _clock is None or not shiboken6.isValid(_clock):
        _clock = ArcClock()
    return _clock


class Spinner(QWidget):
    """A running arc."""

    def __init__(self, parent: QWidget | None = None, *, size: int = 14) -> None:
        super().__init__(parent)
        self._size = size
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Working")

    def sizeHint(self) -> QSize:
        return QSize(self._size, self._size)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            paint_glyph(painter, QRectF(self.rect()), Glyph.RUNNING, theme(), arc_clock().phase())
        arc_clock().painted(self)
