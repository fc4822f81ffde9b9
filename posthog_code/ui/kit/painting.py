"""Shapes and words that many widgets draw in the same way."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPaintDevice, QPainter, QPen

from posthog_code.ui.theme import theme

LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
CENTER = Qt.AlignmentFlag.AlignCenter


def rounded(
    painter: QPainter,
    rect: QRectF,
    radius: float,
    fill: QColor | None = None,
    border: QColor | None = None,
    pen: float = 1,
) -> None:
    """A rounded box whose border lies inside `rect`."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(fill if fill is not None else Qt.BrushStyle.NoBrush)
    if border is None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawRoundedRect(rect, radius, radius)
        return
    half = pen / 2
    painter.setPen(QPen(border, pen))
    painter.drawRoundedRect(rect.adjusted(half, half, -half, -half), max(0.0, radius - half), max(0.0, radius - half))


def hairline(painter: QPainter, x1: float, y1: float, x2: float, y2: float, color: QColor) -> None:
    """A horizontal or vertical line of one logical pixel that begins at the top left of its pixel row."""
    if y1 == y2:
        painter.fillRect(QRectF(x1, y1, x2 - x1, 1), color)
    else:
        painter.fillRect(QRectF(x1, y1, 1, y2 - y1), color)


def text(
    painter: QPainter,
    rect: QRectF,
    words: str,
    font: QFont,
    color: QColor,
    align: Qt.AlignmentFlag = LEFT,
    elide: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
) -> None:
    """One line of text, elided to the rectangle."""
    metrics = QFontMetricsF(font)
    if metrics.horizontalAdvance(words) > rect.width() + 0.5:
        words = metrics.elidedText(words, elide, rect.width())
    painter.setFont(font)
    painter.setPen(color)
    painter.drawText(rect, int(align | Qt.TextFlag.TextSingleLine), words)


def text_width(words: str, font: QFont) -> int:
    """Width of one line, rounded up once."""
    return int(QFontMetricsF(font).horizontalAdvance(words) + 0.999)


def focus_ring(painter: QPainter, rect: QRectF, radius: float) -> None:
    """The keyboard focus ring just inside `rect`."""
    look = theme()
    rounded(painter, rect, radius, None, look.color("focus.ring"), look.value("focus.width"))


def paint_shadow(painter: QPainter, rect: QRectF, radius: float, level: str = "popup") -> None:
    """The shadow round a floating box, as nested outlines of falling strength; `level` is "popup" or "dialog"."""
    look = theme()
    outlines = look.value(f"elevation.{level}.outlines")
    strength = look.value(f"elevation.{level}.alpha") * look.color("shadow.popup").alphaF() * 2
    drop = look.value(f"elevation.{level}.offsetY")
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    color = QColor(look.color("shadow.popup"))
    for step in range(1, outlines + 1):
        color.setAlphaF(min(1.0, strength * (1 - step / (outlines + 1)) ** 2))
        grow = step - 0.5
        painter.setPen(QPen(color, 1))
        box = rect.adjusted(-grow, -grow, grow, grow).translated(0, drop * step / outlines)
        painter.drawRoundedRect(box, radius + grow, radius + grow)


def shadow_margin(level: str = "popup") -> int:
    """Room a shadow needs at each side."""
    look = theme()
    return int(look.value(f"elevation.{level}.outlines")) + int(look.value(f"elevation.{level}.offsetY"))


def caret(painter: QPainter, rect: QRectF, color: QColor) -> None:
    """The small arrow of a control that opens something."""
    center = rect.center()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(color, 1.3, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
    painter.drawPolyline(
        [
            QPointF(center.x() - 3.2, center.y() - 1.6),
            QPointF(center.x(), center.y() + 1.6),
            QPointF(center.x() + 3.2, center.y() - 1.6),
        ]
    )


def ratio_of(device: QPaintDevice) -> float:
    return device.devicePixelRatioF()
