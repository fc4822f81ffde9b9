"""A strip of tabs with counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAccessible, QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from posthog_code.ui.kit import painting
from posthog_code.ui.kit.a11y import set_role
from posthog_code.ui.kit.focus_ring import keys_in_use
from posthog_code.ui.kit.keys import tooltip
from posthog_code.ui.kit.spinner import arc_clock
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.glyphs import Glyph, paint_glyph


@dataclass(frozen=True, slots=True)
class Tab:
    id: str
    text: str
    count: str = ""
    keys: str = ""
    loading: bool = False
    """An arc in place of the count."""
    enabled: bool = True


class TabStrip(QWidget):
    """Tabs on one line; ←→ move, and the strip is one stop of the Tab key. `changed` tells the id a person chose."""

    changed = Signal(str)

    def __init__(self, tabs: Sequence[Tab] = (), parent: QWidget | None = None, *, name: str = "Tabs") -> None:
        super().__init__(parent)
        self._tabs: list[Tab] = []
        self._current = ""
        self._hover = -1
        self.setAccessibleName(name)
        set_role(self, QAccessible.Role.PageTabList)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.set_tabs(tabs)

    def tabs(self) -> tuple[Tab, ...]:
        return tuple(self._tabs)

    def set_tabs(self, tabs: Sequence[Tab], current: str = "") -> None:
        self._tabs = list(tabs)
        known = [tab.id for tab in self._tabs]
        wanted = current or self._current
        self._current = wanted if wanted in known else known[0] if known else ""
        self._told()

    def current(self) -> str:
        return self._current

    def set_current(self, tab_id: str) -> None:
        self._current = tab_id
        self._told()

    def set_count(self, tab_id: str, count: str) -> None:
        self._change(tab_id, count=count)

    def set_loading(self, tab_id: str, on: bool) -> None:
        self._change(tab_id, loading=on)

    def _change(self, tab_id: str, **fields: object) -> None:
        changed = [replace(tab, **fields) if tab.id == tab_id else tab for tab in self._tabs]  # type: ignore[arg-type]
        if changed != self._tabs:
            self._tabs = changed
            self.updateGeometry()
            self.update()

    def _told(self) -> None:
        words = next((tab.text for tab in self._tabs if tab.id == self._current), "")
        self.setAccessibleDescription(words)
        self.updateGeometry()
        self.update()

    def _widths(self, counts: bool = True) -> list[int]:
        look = theme()
        widths = []
        for tab in self._tabs:
            width = painting.text_width(tab.text, look.font("bodyStrong"))
            if counts and (tab.count or tab.loading):
                width += 6 + (12 if tab.loading else painting.text_width(tab.count, look.font("caption")))
            widths.append(width + 20)
        return widths

    def _shows_counts(self) -> bool:
        return sum(self._widths()) <= self.width()

    def rects(self) -> list[QRectF]:
        """Where each tab is; counts go first when the room is short, then the room between the words."""
        widths = self._widths(self._shows_counts())
        total = sum(widths)
        squeeze = max(0.0, total - self.width()) / len(widths) if widths else 0.0
        rects, x = [], 0.0
        for width in widths:
            rects.append(QRectF(x, 0, max(24.0, width - squeeze), self.height()))
            x += rects[-1].width()
        return rects

    def sizeHint(self) -> QSize:
        return QSize(sum(self._widths()), theme().size("layout.panelTabs"))

    def minimumSizeHint(self) -> QSize:
        return QSize(24 * len(self._tabs), self.sizeHint().height())

    def _at(self, event: QMouseEvent) -> int:
        return next((n for n, rect in enumerate(self.rects()) if rect.contains(event.position())), -1)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        hover = self._at(event)
        if hover != self._hover:
            self._hover = hover
            tab = self._tabs[hover] if hover >= 0 else None
            self.setToolTip(tooltip(tab.text, tab.keys) if tab else "")
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._hover = -1
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pick(self._at(event))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        ids = [tab.id for tab in self._tabs]
        at = ids.index(self._current) if self._current in ids else 0
        targets = {Qt.Key.Key_Left: at - 1, Qt.Key.Key_Right: at + 1, Qt.Key.Key_Home: 0, Qt.Key.Key_End: len(ids) - 1}
        key = Qt.Key(event.key())
        if key in targets and not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            self._pick(max(0, min(targets[key], len(ids) - 1)))
        else:
            event.ignore()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    def _pick(self, number: int) -> None:
        if 0 <= number < len(self._tabs) and self._tabs[number].enabled and self._tabs[number].id != self._current:
            self.set_current(self._tabs[number].id)
            self.changed.emit(self._current)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        counts = self._shows_counts()
        with QPainter(self) as painter:
            line = look.color("border.subtle")
            painting.hairline(painter, 0, self.height() - 1, self.width(), self.height() - 1, line)
            for number, (tab, rect) in enumerate(zip(self._tabs, self.rects(), strict=True)):
                on = tab.id == self._current
                token = "text.primary" if on or number == self._hover else "text.muted"
                words = look.color(token if tab.enabled else "text.disabled")
                font = look.font("bodyStrong" if on else "body")
                inner = rect.adjusted(10, 0, -8, 0)
                width = min(painting.text_width(tab.text, font), inner.width())
                painting.text(painter, QRectF(inner.left(), 0, width, rect.height()), tab.text, font, words)
                x = inner.left() + width + 6
                if tab.loading and counts:
                    box = QRectF(x, (rect.height() - 12) / 2, 12, 12)
                    paint_glyph(painter, box, Glyph.RUNNING, look, arc_clock().phase())
                    arc_clock().painted(self, box.toAlignedRect())
                elif tab.count and counts:
                    area = QRectF(x, 0, rect.right() - x, rect.height())
                    painting.text(
                        painter, area, tab.count, look.font("caption", tabular=True), look.color("text.muted")
                    )
                if on:
                    under = QRectF(rect.left() + 8, self.height() - 2, rect.width() - 16, 2)
                    painter.fillRect(under, look.color("accent.default"))
                    if self.hasFocus() and keys_in_use():
                        painting.focus_ring(painter, rect.adjusted(1, 4, -1, -4), look.size("radius.md"))
