"""Status glyphs: one shape and one colour for each state a task, a step or a pull request can be in.

All are drawn on a 16 × 16 grid and scaled to the rectangle they are given.
"""

from __future__ import annotations

import math
from enum import StrEnum

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPixmap

from posthog_code.ui.theme.icons import paint_icon
from posthog_code.ui.theme.theme import Theme

GRID = 16
_ARC_DEGREES = 110
_STILL_ARC_DEGREES = 270
_RING_RADIUS = 5.5
_BAR_HEIGHTS = (4, 6, 9, 12)


class Glyph(StrEnum):
    RUNNING = "running"
    SETTING_UP = "setting_up"
    QUEUED = "queued"
    WAITING = "waiting"
    QUESTION = "question"
    FINISHED = "finished"
    """Finished and not read yet."""
    IDLE = "idle"
    """Finished and read."""
    PAUSED = "paused"
    FAILED = "failed"
    PR_DRAFT = "pr_draft"
    PR_OPEN = "pr_open"
    PR_MERGED = "pr_merged"
    PR_CLOSED = "pr_closed"
    CHECKS_RUNNING = "checks_running"
    CHECKS_FAILING = "checks_failing"
    CHANGES_REQUESTED = "changes_requested"
    APPROVED = "approved"
    CLOUD = "cloud"
    CLOUD_RUNNING = "cloud_running"
    UNKNOWN = "unknown"
    ARCHIVED = "archived"
    DONE = "done"
    """A step that is over."""
    TODO = "todo"
    SKIPPED = "skipped"
    CHECK_PASSED = "check_passed"
    CHECK_FAILED = "check_failed"


MOVING = frozenset({Glyph.RUNNING, Glyph.SETTING_UP, Glyph.CHECKS_RUNNING, Glyph.CLOUD_RUNNING})
"""Glyphs that use the phase and so want the arc clock."""

WORDS = {
    Glyph.RUNNING: "running",
    Glyph.SETTING_UP: "setting up",
    Glyph.QUEUED: "queued",
    Glyph.WAITING: "waiting for permission",
    Glyph.QUESTION: "asks a question",
    Glyph.FINISHED: "finished, not read yet",
    Glyph.IDLE: "idle",
    Glyph.PAUSED: "paused",
    Glyph.FAILED: "failed",
    Glyph.PR_DRAFT: "draft pull request",
    Glyph.PR_OPEN: "pull request open",
    Glyph.PR_MERGED: "pull request merged",
    Glyph.PR_CLOSED: "pull request closed",
    Glyph.CHECKS_RUNNING: "checks running",
    Glyph.CHECKS_FAILING: "checks failing",
    Glyph.CHANGES_REQUESTED: "changes requested",
    Glyph.APPROVED: "approved",
    Glyph.CLOUD: "in the cloud",
    Glyph.CLOUD_RUNNING: "running in the cloud",
    Glyph.UNKNOWN: "unknown",
    Glyph.ARCHIVED: "archived",
    Glyph.DONE: "done",
    Glyph.TODO: "to do",
    Glyph.SKIPPED: "skipped",
    Glyph.CHECK_PASSED: "passed",
    Glyph.CHECK_FAILED: "failed",
}
"""What a screen reader says for each glyph."""

TEXT_TOKENS = {
    Glyph.RUNNING: "status.running",
    Glyph.SETTING_UP: "status.running",
    Glyph.QUEUED: "status.draft",
    Glyph.WAITING: "status.waiting",
    Glyph.QUESTION: "status.question",
    Glyph.FINISHED: "status.success",
    Glyph.FAILED: "status.failed",
    Glyph.PR_DRAFT: "status.draft",
    Glyph.PR_OPEN: "status.success",
    Glyph.PR_MERGED: "status.merged",
    Glyph.PR_CLOSED: "status.failed",
    Glyph.CHECKS_RUNNING: "status.running",
    Glyph.CHECKS_FAILING: "status.failed",
    Glyph.CHANGES_REQUESTED: "status.waiting",
    Glyph.APPROVED: "status.success",
    Glyph.CLOUD: "status.cloud",
    Glyph.CLOUD_RUNNING: "status.cloud",
    Glyph.DONE: "status.success",
    Glyph.CHECK_PASSED: "status.success",
    Glyph.CHECK_FAILED: "status.failed",
}
"""Colour of the state's word beside its glyph; a glyph that is missing here has `text.muted`."""

_ICONS = {
    Glyph.QUEUED: ("ph.clock", "glyph.draft"),
    Glyph.WAITING: ("ph.shield-warning-fill", "glyph.waiting"),
    Glyph.QUESTION: ("ph.question-fill", "glyph.question"),
    Glyph.FINISHED: ("ph.check-circle-fill", "glyph.success"),
    Glyph.IDLE: ("ph.check-circle", "text.muted"),
    Glyph.PAUSED: ("ph.pause-circle", "text.muted"),
    Glyph.FAILED: ("ph.x-circle-fill", "glyph.failed"),
    Glyph.PR_DRAFT: ("ph.git-pull-request-bold", "glyph.draft"),
    Glyph.PR_OPEN: ("ph.git-pull-request-bold", "glyph.success"),
    Glyph.PR_MERGED: ("ph.git-merge-bold", "glyph.merged"),
    Glyph.CLOUD: ("ph.cloud-bold", "glyph.cloud"),
    Glyph.UNKNOWN: ("ph.cloud-slash", "text.disabled"),
    Glyph.ARCHIVED: ("ph.archive-box", "text.muted"),
    Glyph.DONE: ("ph.check-circle-fill", "glyph.success"),
    Glyph.SKIPPED: ("ph.minus-circle", "text.muted"),
    Glyph.CHECK_PASSED: ("ph.check-bold", "glyph.success"),
    Glyph.CHECK_FAILED: ("ph.x-bold", "glyph.failed"),
}
_OVERLAYS = {
    Glyph.PR_CLOSED: ("ph.git-pull-request-bold", "glyph.failed", "bar", "glyph.failed"),
    Glyph.CHECKS_RUNNING: ("ph.git-pull-request-bold", "glyph.success", "arc", "glyph.running"),
    Glyph.CHECKS_FAILING: ("ph.git-pull-request-bold", "glyph.success", "cross", "glyph.failed"),
    Glyph.CHANGES_REQUESTED: ("ph.git-pull-request-bold", "glyph.success", "dot", "glyph.waiting"),
    Glyph.APPROVED: ("ph.git-pull-request-bold", "glyph.success", "tick", "glyph.success"),
    Glyph.CLOUD_RUNNING: ("ph.cloud-bold", "glyph.cloud", "arc", "glyph.running"),
}
_cut_icons: dict[tuple[object, ...], QPixmap] = {}


def paint_glyph(painter: QPainter, rect: QRectF, glyph: Glyph, look: Theme, phase: float = 0.0) -> None:
    """Draw a glyph in the middle of `rect`. `phase` is the arc's turn, 0.0 to 1.0."""
    side = min(rect.width(), rect.height())
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(rect.center().x() - side / 2, rect.center().y() - side / 2)
    if glyph in _ICONS:
        name, token = _ICONS[glyph]
        inset = side / 16 if glyph in (Glyph.CHECK_PASSED, Glyph.CHECK_FAILED) else 0.0
        paint_icon(painter, QRectF(inset, inset, side - 2 * inset, side - 2 * inset), name, look.color(token))
    elif glyph in _OVERLAYS:
        _paint_overlaid(painter, side, glyph, look, phase)
    else:
        painter.scale(side / GRID, side / GRID)
        if glyph is Glyph.RUNNING:
            paint_arc(painter, QPointF(8, 8), _RING_RADIUS, 1.75, look.color("glyph.running"), _turn(look, phase))
        elif glyph is Glyph.SETTING_UP:
            _paint_dashes(painter, look.color("glyph.running"), _turn(look, phase))
        else:
            _ring(painter, look.color("border.control"), 1.4)
    painter.restore()


def paint_arc(
    painter: QPainter, center: QPointF, radius: float, pen: float, color: QColor, phase: float | None
) -> None:
    """The running arc over its faint ring; `phase` None draws the still three-quarter ring."""
    faint = QColor(color)
    faint.setAlphaF(0.28)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(faint, pen))
    painter.drawEllipse(center, radius, radius)
    painter.setPen(QPen(color, pen, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    box = QRectF(center.x() - radius, center.y() - radius, 2 * radius, 2 * radius)
    degrees = _STILL_ARC_DEGREES if phase is None else _ARC_DEGREES
    # Qt counts sixteenths of a degree against the clock from three o'clock.
    start = 90 - 360 * (phase or 0.0)
    painter.drawArc(box, round(start * 16), -degrees * 16)


def paint_context_ring(painter: QPainter, rect: QRectF, share: float, look: Theme) -> None:
    """How full the agent's memory is, `share` 0.0 to 1.0: amber from 80 %, red from 95 %."""
    token = "glyph.failed" if share >= 0.95 else "glyph.waiting" if share >= 0.80 else "text.secondary"
    side = min(rect.width(), rect.height())
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(rect.center().x() - side / 2, rect.center().y() - side / 2)
    painter.scale(side / GRID, side / GRID)
    _ring(painter, look.color("border.strong"), 2)
    painter.setPen(QPen(look.color(token), 2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    painter.drawArc(QRectF(2.5, 2.5, 11, 11), 90 * 16, -round(max(0.0, min(1.0, share)) * 360 * 16))
    painter.restore()


def paint_priority(painter: QPainter, rect: QRectF, priority: int, look: Theme) -> None:
    """Four bars, of which P0 fills four and P3 one; 18 × 12 on the grid."""
    token = {0: "status.failed", 1: "status.question"}.get(priority, "text.secondary")
    unit = rect.height() / _BAR_HEIGHTS[-1]
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    for index, height in enumerate(_BAR_HEIGHTS):
        painter.setBrush(look.color(token if index < 4 - priority else "border.strong"))
        bar = QRectF(rect.left() + index * 5 * unit, rect.bottom() - height * unit, 3 * unit, height * unit)
        painter.drawRoundedRect(bar, unit, unit)
    painter.restore()


def _turn(look: Theme, phase: float) -> float | None:
    return None if look.reduced_motion else phase


def _ring(painter: QPainter, color: QColor, pen: float) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(color, pen))
    painter.drawEllipse(QPointF(8, 8), _RING_RADIUS, _RING_RADIUS)


def _paint_dashes(painter: QPainter, color: QColor, phase: float | None) -> None:
    pen = QPen(color, 1.6, Qt.PenStyle.CustomDashLine, Qt.PenCapStyle.FlatCap)
    # Eight dashes and gaps that close the circle exactly; Qt counts them in pen widths.
    step = 2 * math.pi * _RING_RADIUS / 8 / 1.6
    pen.setDashPattern([step * 2.2 / 4.3, step * 2.1 / 4.3])
    pen.setDashOffset(-8 * step * (phase or 0.0))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(pen)
    painter.drawEllipse(QPointF(8, 8), _RING_RADIUS, _RING_RADIUS)


def _paint_overlaid(painter: QPainter, side: float, glyph: Glyph, look: Theme, phase: float) -> None:
    name, token, mark, mark_token = _OVERLAYS[glyph]
    ratio = painter.device().devicePixelRatioF()
    painter.drawPixmap(QPointF(0, 0), _cut_icon(name, look.color(token), side, ratio))
    painter.scale(side / GRID, side / GRID)
    color = look.color(mark_token)
    round_pen = QPen(color, 1.7, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
    painter.setPen(round_pen)
    if mark == "cross":
        painter.drawLine(QPointF(10.9, 10.9), QPointF(13.9, 13.9))
        painter.drawLine(QPointF(13.9, 10.9), QPointF(10.9, 13.9))
    elif mark == "tick":
        painter.drawPolyline([QPointF(10.4, 12.6), QPointF(11.8, 14), QPointF(14.4, 11)])
    elif mark == "bar":
        painter.drawLine(QPointF(10.2, 12.4), QPointF(14.4, 12.4))
    elif mark == "dot":
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color)
        painter.drawEllipse(QPointF(12.4, 12.4), 2.4, 2.4)
    else:
        paint_arc(painter, QPointF(12.3, 12.3), 2.5, 1.4, color, _turn(look, phase))


def _cut_icon(name: str, color: QColor, side: float, ratio: float) -> QPixmap:
    """The icon with a disc cleared at the bottom right, so that the mark stands free on any surface."""
    key = (name, color.rgba(), side, ratio)
    found = _cut_icons.get(key)
    if found is None:
        pixels = math.ceil(side * ratio)
        found = QPixmap(pixels, pixels)
        found.setDevicePixelRatio(ratio)
        found.fill(Qt.GlobalColor.transparent)
        unit = side / GRID
        with QPainter(found) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            paint_icon(painter, QRectF(-0.6 * unit, 0, 15 * unit, 15 * unit), name, color)
            painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Clear)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(Qt.GlobalColor.black)
            painter.drawEllipse(QPointF(12.4 * unit, 12.4 * unit), 4.2 * unit, 4.2 * unit)
        if len(_cut_icons) > 200:
            _cut_icons.clear()
        _cut_icons[key] = found
    return found
