"""Errors an hour before and after the release."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from posthog_code.domain.release_watch import ReleaseWatch
from posthog_code.ui.kit import painting
from posthog_code.ui.kit.charts import paint_area
from posthog_code.ui.panels.signals.words import clock
from posthog_code.ui.theme import theme

HEIGHT = 118
BEFORE = 14 * 3600.0
AFTER = 24 * 3600.0
"""Seconds that are drawn on either side of the release."""
_MIDDLE = 1800.0
"""A count stands in the middle of its hour: one that began before the release is not drawn after it."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 32, 8, 10, 24


class WatchChart(QWidget):
    def __init__(self, watch: ReleaseWatch, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._watch = watch
        self.setMinimumWidth(theme().px(150))
        self.setFixedHeight(theme().px(HEIGHT))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Errors an hour in the changed code, before and after the release")

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        scale = look.scale
        plot = QRectF(self.rect()).adjusted(_LEFT * scale, _TOP * scale, -_RIGHT * scale, -_BOTTOM * scale)
        at = self._watch.released_at
        points = [(when, value) for when, value in self._watch.series if at - BEFORE <= when <= at + AFTER]
        top = _ceiling(max((self._usual(points), *(value for _, value in points))))
        with QPainter(self) as painter:
            font = look.sized_font("ui", 10, 400)
            self._scale(painter, plot, top, font)
            middle = plot.left() + plot.width() * BEFORE / (BEFORE + AFTER)
            soft = look.color("status.mergedSoft")
            painter.fillRect(QRectF(middle, plot.top(), plot.right() - middle, plot.height()), soft)
            self._course(painter, plot, points, top)
            painter.fillRect(QRectF(middle, plot.top(), 1, plot.height()), look.color("status.merged"))
            self._captions(painter, plot, middle, font)

    def _scale(self, painter: QPainter, plot: QRectF, top: float, font: QFont) -> None:
        look = theme()
        for share in (0.0, 0.5, 1.0):
            y = plot.bottom() - share * plot.height()
            painting.hairline(painter, plot.left(), y, plot.right(), y, look.color("border.subtle"))
            label = QRectF(0, y - 8, plot.left() - 8, 16)
            painting.text(painter, label, f"{share * top:g}", font, look.color("text.muted"), painting.RIGHT)

    def _course(self, painter: QPainter, plot: QRectF, points: list[tuple[float, float]], top: float) -> None:
        if not points:
            return
        look, start = theme(), self._watch.released_at - BEFORE
        placed = [
            QPointF(
                plot.left() + min(1.0, (when + _MIDDLE - start) / (BEFORE + AFTER)) * plot.width(),
                plot.bottom() - value / top * plot.height(),
            )
            for when, value in points
        ]
        usual = self._usual(points)
        if usual:
            y = plot.bottom() - min(1.0, usual / top) * plot.height()
            painter.setPen(QPen(look.color("status.failed"), 1, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))
        if len(placed) > 1:
            paint_area(painter, placed, plot.bottom(), "status.failed")
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(look.color("status.success"))
        painter.drawEllipse(placed[-1], 3, 3)

    def _usual(self, points: list[tuple[float, float]]) -> float:
        """Errors an hour in the time that is compared with; while it is not known, in the hours that are drawn."""
        compared = next((metric.before for metric in self._watch.metrics if metric.id == "errors"), 0.0)
        before = [value for when, value in points if when < self._watch.released_at]
        return compared or (sum(before) / len(before) if before else 0.0)

    def _captions(self, painter: QPainter, plot: QRectF, middle: float, font: QFont) -> None:
        look = theme()
        line = QRectF(plot.left(), plot.bottom() + 4, plot.width(), 16)
        words = f"released {clock(self._watch.released_at)}"
        half = painting.text_width(words, font) / 2 + 4
        box = QRectF(middle - half, line.top(), 2 * half, 16)
        painting.text(painter, box, words, font, look.color("status.merged"), painting.CENTER)
        muted = look.color("text.muted")
        if painting.text_width("14 h before", font) < box.left() - line.left():
            painting.text(painter, line, "14 h before", font, muted)
        if painting.text_width("24 h after", font) < line.right() - box.right():
            painting.text(painter, line, "24 h after", font, muted, painting.RIGHT)


def _ceiling(value: float) -> float:
    """A round figure above the highest one, that halves well."""
    if value <= 2:
        return 2.0
    unit = 1.0
    while True:
        for step in (2, 4, 10):
            if value <= step * unit * 1.05:
                return step * unit
        unit *= 10
