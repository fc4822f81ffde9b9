"""Small pictures of figures: a sparkline, the marks on a recording, the bars of a priority, a meter."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from posthog_code.ui.kit import painting
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.glyphs import paint_priority

FILL_ALPHA = 0.14
LINE = 1.5


def paint_sparkline(painter: QPainter, rect: QRectF, values: Sequence[float], token: str = "status.failed") -> None:
    """A line of figures over a light fill, from zero to the highest of them."""
    if len(values) < 2:
        return
    top = max(values) or 1.0
    step = (rect.width() - 2) / (len(values) - 1)
    points = [
        QPointF(rect.left() + 1 + index * step, rect.bottom() - 2 - value / top * (rect.height() - 5))
        for index, value in enumerate(values)
    ]
    paint_area(painter, points, rect.bottom() - 1, token)


def paint_area(painter: QPainter, points: Sequence[QPointF], floor: float, token: str) -> None:
    """A line through `points` and a light fill down to `floor`."""
    look = theme()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(look.alpha(token, FILL_ALPHA))
    under = [QPointF(points[0].x(), floor), *points, QPointF(points[-1].x(), floor)]
    painter.drawPolygon(QPolygonF(under))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(
        QPen(look.color(token), LINE, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
    )
    painter.drawPolyline(QPolygonF(list(points)))


def paint_timeline(painter: QPainter, rect: QRectF, duration: float, marks: Sequence[float]) -> None:
    """The length of a recording as a bar, with a mark at each moment (seconds) at which the problem shows."""
    look = theme()
    bar = QRectF(rect.left(), rect.center().y() - 2, rect.width(), 4)
    painting.rounded(painter, bar, 2, look.color("border.subtle"))
    if duration <= 0:
        return
    for at in marks:
        x = rect.left() + min(1.0, max(0.0, at / duration)) * (rect.width() - 3)
        painting.rounded(painter, QRectF(x, rect.center().y() - 5, 3, 10), 1.5, look.color("status.failed"))


def _fit(chart: QWidget, height: int) -> None:
    """As wide as in the design where there is room."""
    look = theme()
    chart.setMinimumWidth(look.px(48))
    chart.setMaximumWidth(look.px(120))
    chart.setFixedHeight(look.px(height))
    chart.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)


class Sparkline(QWidget):
    def __init__(self, values: Sequence[float], parent: QWidget | None = None, *, name: str = "") -> None:
        super().__init__(parent)
        self._values = tuple(values)
        _fit(self, 26)
        self.setAccessibleName(name)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            paint_sparkline(painter, QRectF(self.rect()), self._values)


class Timeline(QWidget):
    def __init__(self, duration: float, marks: Sequence[float], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._duration, self._marks = duration, tuple(marks)
        _fit(self, 14)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            paint_timeline(painter, QRectF(self.rect()), self._duration, self._marks)


class PriorityBars(QWidget):
    """Four bars: P0 fills all of them, P3 one; none while nobody has judged."""

    def __init__(self, priority: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._level = priority_level(priority)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(f"Priority {priority}" if priority else "No priority yet")
        self.setToolTip(self.accessibleName())

    def sizeHint(self) -> QSize:
        return QSize(theme().px(18), theme().px(12))

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            paint_priority(painter, QRectF(self.rect()), self._level, theme())


def priority_level(priority: str) -> int:
    """0 for P0 to 4 for P4 and for none."""
    return int(priority[1]) if len(priority) == 2 and priority[0] == "P" and priority[1] in "01234" else 4


class Meter(QWidget):
    """How many of a few things are done: one segment for each, the done ones first."""

    MOST = 24
    """Segments; of more things the share is shown."""

    def __init__(self, done: int, of: int, parent: QWidget | None = None, *, name: str = "") -> None:
        super().__init__(parent)
        self._done, self._of = done, of
        self.setFixedHeight(theme().px(6))
        self.setMinimumWidth(theme().px(60))
        self.setMaximumWidth(theme().px(150))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(name or f"{done} of {of}")

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._of:
            return
        look = theme()
        segments = min(self._of, self.MOST)
        full = self._done if segments == self._of else int(self._done / self._of * segments)
        gap = 2
        width = (self.width() - gap * (segments - 1)) / segments
        with QPainter(self) as painter:
            for number in range(segments):
                box = QRectF(number * (width + gap), 0, width, self.height())
                token = "glyph.success" if number < full else "border.strong"
                painting.rounded(painter, box, 3, look.color(token))
