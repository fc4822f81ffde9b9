"""The bar that floats on the header of the hunk under the pointer or the cursor: Comment, Revert."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QRectF, Qt
from PySide6.QtGui import QPainter

from posthog_code.ui.diff.surface import Surface
from posthog_code.ui.kit import painting
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.icons import paint_icon

COMMENT, REVERT = "comment", "revert"
_PARTS = ((COMMENT, "Comment", "C", "ph.chat-centered-text"), (REVERT, "Revert", "X", "ph.arrow-counter-clockwise"))
_HEIGHT, _RIGHT = 24, 8


def hunk_number(view: Surface) -> int:
    """The hunk that has the bar; -1 for none."""
    place = view.hover_place
    if place < 0 and view.keyboard and view.hasFocus():
        place = view.cursor_place
    row = view.row_at(place)
    return view.index.hunk_of(row) if row >= 0 else -1


def areas(view: Surface) -> dict[str, QRect]:
    """Where its buttons are; empty while it is not shown."""
    number = hunk_number(view)
    if number < 0:
        return {}
    place = view.places.place_of(view.index.hunk_rows[number])
    if view.geometry_index.is_hidden(place):
        return {}
    y = view.geometry_index.top(place) - view.scroll_top()
    height = view.geometry_index.heights.hunk
    if y < view.geometry_index.heights.file - height // 2 or y > view.viewport().height() - height:
        return {}
    look = theme()
    words, cap = look.metrics("smallStrong"), look.metrics("caption")
    right = view.viewport().width() - _RIGHT - 3
    found: dict[str, QRect] = {}
    bar = look.px(_HEIGHT)
    for name, label, key, _ in reversed(_PARTS):
        if name == REVERT and not view.revertible:
            continue
        width = 8 + 14 + 6 + round(words.horizontalAdvance(label)) + 7 + round(cap.horizontalAdvance(key)) + 8
        found[name] = QRect(right - width, y + (height - bar) // 2 + 2, width, bar - 4)
        right -= width + 2
    return found


def frame(found: dict[str, QRect]) -> QRect:
    whole = QRect()
    for rect in found.values():
        whole = whole.united(rect)
    return whole.adjusted(-3, -2, 3, 2)


def part_at(view: Surface, point: QPoint) -> str:
    """Name of the button at a point; "bar" between the buttons, "" outside."""
    found = areas(view)
    for name, rect in found.items():
        if rect.contains(point):
            return name
    return "bar" if found and frame(found).contains(point) else ""


def paint(p: QPainter, view: Surface) -> None:
    found = areas(view)
    if not found:
        return
    look = theme()
    whole = QRectF(frame(found))
    painting.rounded(p, whole, look.size("radius.md"), look.color("surface.overlay"), look.color("border.strong"))
    middle = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
    for name, label, key, icon in _PARTS:
        rect = found.get(name)
        if rect is None:
            continue
        hover = view.hover_part == name
        if hover:
            painting.rounded(p, QRectF(rect), look.size("radius.sm"), look.color("surface.selected"), None)
        tone = "text.primary" if hover else "text.secondary"
        paint_icon(p, QRectF(rect.left() + 8, rect.center().y() - 6.5, 14, 14), icon, tone)
        p.setFont(look.font("smallStrong"))
        p.setPen(look.color(tone))
        p.drawText(rect.adjusted(28, 0, 0, 0), middle, label)
        p.setFont(look.font("caption"))
        p.setPen(look.color("text.muted"))
        p.drawText(rect.adjusted(0, 0, -8, 0), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, key)
