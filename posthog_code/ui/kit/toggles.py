"""Switches, check boxes and segmented choices."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAccessible, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from posthog_code.ui.kit import painting
from posthog_code.ui.kit.a11y import set_role
from posthog_code.ui.kit.focus_ring import set_focus_ring
from posthog_code.ui.kit.keys import tooltip
from posthog_code.ui.kit.popup import MenuItem
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.icons import paint_icon

_NOTE_GAP = 5


class Switch(QAbstractButton):
    """On or off, at once. `toggled` is Qt's own signal."""

    def __init__(self, name: str, parent: QWidget | None = None, *, on: bool = False) -> None:
        super().__init__(parent)
        self.setCheckable(True)
        self.setChecked(on)
        self.setAccessibleName(name)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        set_focus_ring(self, 10)

    def sizeHint(self) -> QSize:
        look = theme()
        # The mark is smaller than what can be hit.
        return QSize(look.size("control.toggle.w") + 4, max(24, look.size("control.toggle.h")))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        width, height = look.size("control.toggle.w"), look.size("control.toggle.h")
        track = QRectF((self.width() - width) / 2, (self.height() - height) / 2, width, height)
        knob = look.color("surface.window")
        if not self.isEnabled():
            fill = look.color("border.strong")
        elif self.isChecked():
            fill, knob = look.color("accent.hover" if self.underMouse() else "accent.default"), look.color("accent.on")
        else:
            fill = look.color("border.control")
        with QPainter(self) as painter:
            painting.rounded(painter, track, height / 2, fill)
            side = height - 4
            x = track.right() - side - 2 if self.isChecked() else track.left() + 2
            painting.rounded(painter, QRectF(x, track.top() + 2, side, side), side / 2, knob)


class CheckBox(QAbstractButton):
    """A box with a tick and words; with `round=True` a radio button."""

    def __init__(
        self, text: str = "", parent: QWidget | None = None, *, name: str = "", on: bool = False, round: bool = False
    ) -> None:
        super().__init__(parent)
        self._round = round
        self.setCheckable(True)
        self.setAutoExclusive(round)
        self.setChecked(on)
        self.setText(text)
        self.setAccessibleName(name or text)
        if not text:
            self.setToolTip(name)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        set_focus_ring(self, 5)

    def sizeHint(self) -> QSize:
        look = theme()
        side = look.size("control.checkbox")
        words = painting.text_width(self.text(), look.font("body")) + 8 if self.text() else 0
        return QSize(max(24, side + 6 + words), max(24, look.line("body")))

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        side = look.size("control.checkbox")
        left = 3.0 if self.text() else (self.width() - side) / 2
        box = QRectF(left, (self.height() - side) / 2, side, side)
        radius = side / 2 if self._round else look.size("radius.sm")
        with QPainter(self) as painter:
            if not self.isEnabled():
                painting.rounded(painter, box, radius, None, look.color("border.strong"))
            elif self.isChecked():
                painting.rounded(painter, box, radius, look.color("accent.default"))
            else:
                hover = look.color("surface.hover") if self.underMouse() else None
                painting.rounded(painter, box, radius, hover, look.color("border.control"))
            if self.isChecked():
                mark = look.color("accent.on" if self.isEnabled() else "text.disabled")
                if self._round:
                    painting.rounded(painter, box.adjusted(4, 4, -4, -4), side / 2, mark)
                else:
                    paint_icon(painter, box.adjusted(2, 2, -2, -2), "ph.check-bold", mark)
            if self.text():
                words = look.color("text.primary" if self.isEnabled() else "text.disabled")
                area = QRectF(box.right() + 8, 0, self.width() - box.right() - 8, self.height())
                painting.text(painter, area, self.text(), look.font("body"), words)


class Segmented(QWidget):
    """A few choices side by side, of which one is on. `changed` tells the id a person chose."""

    changed = Signal(str)

    def __init__(
        self, items: Sequence[MenuItem], parent: QWidget | None = None, *, name: str = "", current: str = ""
    ) -> None:
        super().__init__(parent)
        self._items = list(items)
        self._current = current or (self._items[0].id if self._items else "")
        self._hover = -1
        self._name = name
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        set_role(self, QAccessible.Role.Grouping)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        set_focus_ring(self, theme().size("radius.md"))
        self.set_current(self._current)

    def current(self) -> str:
        return self._current

    def set_items(self, items: Sequence[MenuItem], current: str = "") -> None:
        self._items = list(items)
        self.set_current(current or self._current)
        self.updateGeometry()

    def set_current(self, item_id: str) -> None:
        self._current = item_id
        words = next((f"{one.text or one.detail} {one.note}".strip() for one in self._items if one.id == item_id), "")
        self.setAccessibleName(f"{self._name}: {words}" if self._name else words)
        self.update()

    def _widths(self) -> list[int]:
        look = theme()
        widths = []
        for item in self._items:
            words = painting.text_width(item.text, look.font("smallStrong")) if item.text else 0
            icon = look.px(15) if item.icon else 0
            note = _note_width(item)
            side = (7 if note else 9) if item.text else 7
            widths.append(max(24, words + icon + (5 if words and icon else 0) + note + 2 * side))
        return widths

    def sizeHint(self) -> QSize:
        return QSize(sum(self._widths()) + max(0, len(self._items) - 1) + 4, theme().px(26))

    def _rects(self) -> list[QRectF]:
        rects, x = [], 2.0
        for width in self._widths():
            rects.append(QRectF(x, 2, width, self.height() - 4))
            x += width + 1
        return rects

    def _at(self, event: QMouseEvent) -> int:
        return next((n for n, rect in enumerate(self._rects()) if rect.contains(event.position())), -1)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        hover = self._at(event)
        if hover != self._hover:
            self._hover = hover
            item = self._items[hover] if hover >= 0 else None
            self.setToolTip((item.reason or tooltip(item.detail or item.text, item.keys)) if item else "")
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._hover = -1
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pick(self._at(event))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        by = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()), 0)
        if not by:
            event.ignore()
            return
        ids = [item.id for item in self._items]
        at = ids.index(self._current) if self._current in ids else 0
        self._pick(max(0, min(at + by, len(ids) - 1)))

    def _pick(self, number: int) -> None:
        if number < 0 or not self._items[number].choosable or self._items[number].id == self._current:
            return
        self.set_current(self._items[number].id)
        self.changed.emit(self._current)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        with QPainter(self) as painter:
            whole = QRectF(self.rect())
            painting.rounded(
                painter, whole, look.size("radius.md"), look.color("surface.inset"), look.color("border.strong")
            )
            for number, (item, rect) in enumerate(zip(self._items, self._rects(), strict=True)):
                on = item.id == self._current
                if on:
                    fill, line = look.color("surface.overlay"), look.color("border.strong")
                    painting.rounded(painter, rect, look.size("radius.sm"), fill, line)
                strong = on or number == self._hover
                token = "text.primary" if strong else "text.muted"
                words = look.color(token if self.isEnabled() and item.choosable else "text.disabled")
                font = look.font("smallStrong" if on else "small")
                width = painting.text_width(item.text, font) if item.text else 0
                side = look.px(15) if item.icon else 0
                note = _note_width(item)
                x = rect.center().x() - (width + side + (5 if width and side else 0) + note) / 2
                if side:
                    box = QRectF(round(x), round(rect.center().y() - side / 2), side, side)
                    paint_icon(painter, box, item.icon, words)
                    x += side + 5
                if width:
                    painting.text(painter, QRectF(x, rect.top(), width, rect.height()), item.text, font, words)
                if note:
                    box = QRectF(x + width + _NOTE_GAP, rect.top(), note, rect.height())
                    painting.text(painter, box, item.note, look.font("small", tabular=True), look.color("text.muted"))


def _note_width(item: MenuItem) -> int:
    """Room for the muted figure after a word."""
    font = theme().font("small", tabular=True)
    return painting.text_width(item.note, font) + _NOTE_GAP if item.note and item.text else 0
