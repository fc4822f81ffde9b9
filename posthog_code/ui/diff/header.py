"""File headers: what they show, where one can press, and how they are drawn."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPen, QPolygonF

from posthog_code.domain.changes import FileState
from posthog_code.domain.text import MINUS, count
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.icons import paint_icon

FOLD, COPY, COMMENTS, VIEWED, MENU, NAME = "fold", "copy", "comments", "viewed", "menu", "name"
STATE_COLORS = {
    FileState.ADDED: "diff.add.text",
    FileState.DELETED: "diff.del.text",
    FileState.MODIFIED: "status.waiting",
    FileState.RENAMED: "status.running",
    FileState.COPIED: "status.running",
    FileState.TYPE_CHANGED: "status.waiting",
    FileState.CONFLICTED: "status.failed",
}
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_TIGHT = 430
"""Below this width the word "Viewed" goes."""


@dataclass(frozen=True, slots=True)
class HeaderState:
    """All that one file header shows."""

    path: str
    old_path: str
    state: FileState
    added: int
    removed: int
    comments: int
    viewed: bool
    changed_since: bool
    """It was viewed, and has changed since."""
    folded: bool
    binary: bool


@dataclass(frozen=True, slots=True)
class HeaderParts:
    """Hit areas, at least 24 px wide."""

    fold: QRect
    name: QRect
    copy: QRect
    comments: QRect
    viewed: QRect
    menu: QRect

    def at(self, x: int, y: int) -> str:
        for name in (COPY, COMMENTS, VIEWED, MENU, FOLD):
            if getattr(self, name).contains(x, y):
                return name
        return NAME


def layout_header(state: HeaderState, rect: QRect) -> HeaderParts:
    look = theme()
    body, small = look.metrics("body"), look.metrics("small")
    height, right = rect.height(), rect.right() - 4
    top = rect.top()
    menu = QRect(right - 24, top, 24, height)
    word = round(body.horizontalAdvance("Viewed")) + 8 if rect.width() >= _TIGHT else 0
    viewed = QRect(menu.left() - 24 - word, top, 24 + word, height)
    x = viewed.left() - 10
    if state.added or state.removed:
        x -= round(body.horizontalAdvance(_counts(state)))
    chars = round(small.horizontalAdvance(count(state.comments))) if state.comments else 0
    comments = QRect(x - 12 - 20 - chars, top, 20 + chars + 8, height) if state.comments else QRect(x, top, 0, height)
    limit = (comments.left() if state.comments else x) - 34
    start = rect.left() + 52
    folder, name = _path(state)
    wanted = round(body.horizontalAdvance(folder) + look.metrics("heading").horizontalAdvance(name)) + 2
    width = max(0, min(wanted, limit - start))
    copy = QRect(start + width + 4, top, 26, height)
    return HeaderParts(
        QRect(rect.left(), top, 32, height), QRect(start, top, width, height), copy, comments, viewed, menu
    )


def _path(state: HeaderState) -> tuple[str, str]:
    folder, slash, name = state.path.rpartition("/")
    return _printable(folder + slash), _printable(name)


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text


def _counts(state: HeaderState) -> str:
    return f"+{count(state.added)} {MINUS}{count(state.removed)}"


def paint_header(p: QPainter, state: HeaderState, rect: QRect, hover: str, focused: bool) -> None:
    look = theme()
    parts = layout_header(state, rect)
    p.fillRect(rect, look.color("surface.raised"))
    line = look.color("border.subtle")
    p.fillRect(rect.left(), rect.top(), rect.width(), 1, line)
    p.fillRect(rect.left(), rect.bottom(), rect.width(), 1, line)
    middle = rect.center().y()
    icon = "ph.caret-right" if state.folded else "ph.caret-down"
    paint_icon(p, QRectF(rect.left() + 9, middle - 5.5, 12, 12), icon, _tone(hover == FOLD))
    p.setFont(look.font("codeSmall"))
    p.setPen(look.color(STATE_COLORS[state.state]))
    letter = p.font()
    letter.setBold(True)
    p.setFont(letter)
    p.drawText(QRect(rect.left() + 30, rect.top(), 14, rect.height()), Qt.AlignmentFlag.AlignCenter, str(state.state))
    _paint_path(p, state, parts.name)
    if parts.copy.right() < parts.comments.left() + 8:
        paint_icon(p, QRectF(parts.copy.left() + 5, middle - 6.5, 14, 14), "ph.copy", _tone(hover == COPY))
    if state.comments:
        box = parts.comments
        paint_icon(p, QRectF(box.left(), middle - 6.5, 14, 14), "ph.chat-centered-text", "text.muted")
        p.setFont(look.font("small", tabular=True))
        p.setPen(look.color("text.muted"))
        p.drawText(QRect(box.left() + 18, box.top(), box.width(), box.height()), _LEFT, count(state.comments))
    if state.added or state.removed:
        _paint_counts(p, state, parts.viewed.left() - 10, rect)
    _paint_viewed(p, state, parts.viewed, hover == VIEWED)
    paint_icon(p, QRectF(parts.menu.left() + 4, middle - 7.5, 16, 16), "ph.dots-three", _tone(hover == MENU))
    if focused:
        p.fillRect(rect.left(), rect.top(), 2, rect.height(), look.color("accent.default"))


def _tone(hover: bool) -> str:
    return "text.primary" if hover else "text.muted"


def _paint_path(p: QPainter, state: HeaderState, rect: QRect) -> None:
    look = theme()
    folder, name = _path(state)
    body, bold = look.metrics("body"), look.metrics("heading")
    tone = "text.muted" if state.viewed else "text.secondary"
    room = rect.width() - bold.horizontalAdvance(name)
    x = float(rect.left())
    if folder:
        shown = folder if body.horizontalAdvance(folder) <= room + 1 else _elide(body, folder, room)
        p.setFont(look.font("body"))
        p.setPen(look.color(tone))
        p.drawText(QRectF(x, rect.top(), max(0.0, room + 2), rect.height()), _LEFT, shown)
        x += body.horizontalAdvance(shown)
    p.setFont(look.font("heading"))
    p.setPen(look.color("text.secondary" if state.viewed else "text.primary"))
    left = rect.right() + 2 - x
    shown = name if bold.horizontalAdvance(name) <= left + 1 else _elide(bold, name, left)
    p.drawText(QRectF(x, rect.top(), max(0.0, left + 2), rect.height()), _LEFT, shown)


def _elide(metrics: QFontMetricsF, text: str, width: float) -> str:
    return metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, width) if width > 16 else ""


def _paint_counts(p: QPainter, state: HeaderState, right: int, rect: QRect) -> None:
    look = theme()
    p.setFont(look.font("body", tabular=True))
    metrics = QFontMetricsF(p.font())
    removed = f"{MINUS}{count(state.removed)}"
    box = QRect(rect.left(), rect.top(), right - rect.left(), rect.height())
    p.setPen(look.color("diff.del.text"))
    p.drawText(box, _RIGHT, removed)
    box.setRight(box.right() - round(metrics.horizontalAdvance(removed + " ")))
    p.setPen(look.color("diff.add.text"))
    p.drawText(box, _RIGHT, f"+{count(state.added)}")


def _paint_viewed(p: QPainter, state: HeaderState, box: QRect, hover: bool) -> None:
    look = theme()
    size = look.size("control.checkbox")
    mark = QRectF(box.left() + 5.5, box.center().y() - size / 2 + 0.5, size - 1, size - 1)
    p.save()
    p.setRenderHint(QPainter.RenderHint.Antialiasing)
    if state.viewed:
        p.setPen(Qt.PenStyle.NoPen)
        p.setBrush(look.color("accent.default"))
        p.drawRoundedRect(mark.adjusted(-0.5, -0.5, 0.5, 0.5), 3, 3)
        p.setPen(QPen(look.color("accent.on"), 1.6, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        x, y, w, h = mark.x(), mark.y(), mark.width(), mark.height()
        p.drawPolyline(
            QPolygonF(
                [
                    QPointF(x + w * 0.24, y + h * 0.54),
                    QPointF(x + w * 0.43, y + h * 0.72),
                    QPointF(x + w * 0.78, y + h * 0.3),
                ]
            )
        )
    else:
        p.setPen(QPen(look.color("border.control"), 1))
        p.setBrush(look.color("surface.hover") if hover else Qt.BrushStyle.NoBrush)
        p.drawRoundedRect(mark, 3, 3)
        if state.changed_since:
            p.setPen(Qt.PenStyle.NoPen)
            p.setBrush(look.color("status.waiting"))
            p.drawEllipse(mark.center(), 2.5, 2.5)
    p.restore()
    if box.width() > 24:
        p.setFont(look.font("body"))
        p.setPen(look.color("text.primary" if hover else "text.secondary"))
        p.drawText(QRect(box.left() + 26, box.top(), box.width() - 22, box.height()), _LEFT, "Viewed")
