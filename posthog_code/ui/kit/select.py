"""One choice out of a list that opens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from posthog_code.ui.kit import painting
from posthog_code.ui.kit.focus_ring import set_focus_ring
from posthog_code.ui.kit.keys import tooltip
from posthog_code.ui.kit.popup import MenuItem, PopupList
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.icons import paint_icon


class Select(QAbstractButton):
    """One choice out of a list. The list has a filter once it is long. `changed` tells the id a person chose."""

    changed = Signal(str)

    FILTER_FROM = 10

    def __init__(
        self,
        items: Sequence[MenuItem] = (),
        parent: QWidget | None = None,
        *,
        name: str = "",
        placeholder: str = "Choose…",
        quiet: bool = False,
        icon: str = "",
        keys: str = "",
    ) -> None:
        super().__init__(parent)
        self._items: list[MenuItem] = []
        self._current = ""
        self._name, self._placeholder, self._quiet, self._icon, self._keys = name, placeholder, quiet, icon, keys
        self._popup: PopupList | None = None
        self._tone = ""
        self._brief = False
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        policy = QSizePolicy.Policy.Maximum if quiet else QSizePolicy.Policy.Expanding
        self.setSizePolicy(policy, QSizePolicy.Policy.Fixed)
        set_focus_ring(self, theme().size("radius.md"))
        self.clicked.connect(self.open)
        self.set_items(items)

    def set_items(self, items: Sequence[MenuItem], current: str = "") -> None:
        self._items = list(items)
        wanted = current or self._current
        known = [item.id for item in self._items if item.id]
        self._current = wanted if wanted in known else next(iter(known), "") if not self._placeholder else ""
        self._told()

    def current(self) -> str:
        return self._current

    def set_current(self, item_id: str) -> None:
        self._current = item_id
        self._told()

    def current_item(self) -> MenuItem | None:
        return next((item for item in self._items if item.id == self._current and item.id), None)

    def set_tone(self, token: str) -> None:
        """Show the choice in the colour of a token, "" for the usual one."""
        if token != self._tone:
            self._tone = token
            self.update()

    def set_brief(self, on: bool) -> None:
        """Only its icon, where there is no room for the word; the word is in the tooltip."""
        if on != self._brief:
            self._brief = on
            self._told()

    def full_width(self) -> int:
        """Its width with the word."""
        width = painting.text_width(self.text(), theme().font("body")) + (34 if self._quiet else 42)
        return width + (theme().px(15) + 7 if self._shown_icon() else 0)

    def brief_width(self) -> int:
        """Its width without the word; as before when it has no icon to show instead."""
        return theme().px(15) + 34 if self._shown_icon() else self.full_width()

    def _shown_icon(self) -> str:
        item = self.current_item()
        return (item.icon if item else "") or self._icon

    def open(self) -> None:
        if self._popup is None:
            self._popup = PopupList(
                (), self.window(), filterable=len(self._items) >= self.FILTER_FROM, name=self._name or "Choices"
            )
            self._popup.chosen.connect(self._chosen)
            self._popup.closed.connect(self._closed)
        items = [replace(item, checked=item.id == self._current) if item.id else item for item in self._items]
        self._popup.set_items(items, self._current)
        self._popup.popup(self, width=self.width() if not self._quiet else 0)

    def _closed(self) -> None:
        popup, self._popup = self._popup, None
        if popup is not None:
            popup.deleteLater()
        self.update()

    def _chosen(self, item_id: str) -> None:
        if item_id != self._current:
            self.set_current(item_id)
            self.changed.emit(item_id)

    def _told(self) -> None:
        item = self.current_item()
        words = item.text if item else self._placeholder
        self.setText(words)
        self.setAccessibleName(f"{self._name}: {words}" if self._name else words)
        told = f"{self._name}: {words}" if self._brief else self._name
        self.setToolTip(tooltip(told, self._keys) if self._name else "")
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        width = self.brief_width() if self._brief else self.full_width()
        return QSize(width, theme().size("control.input"))

    def minimumSizeHint(self) -> QSize:
        return QSize(min(64, self.sizeHint().width()), self.sizeHint().height())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Down, Qt.Key.Key_Up):
            self.open()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        opened = self._popup is not None and self._popup.isVisible()
        hover = self.underMouse() and self.isEnabled()
        item = self.current_item()
        words = (
            look.color("text.primary" if item else "text.muted") if self.isEnabled() else look.color("text.disabled")
        )
        with QPainter(self) as painter:
            rect = QRectF(self.rect())
            if self._quiet:
                if hover or opened or self.isDown():
                    painting.rounded(painter, rect, look.size("radius.md"), look.color("surface.hover"))
                words = (
                    look.color("text.primary" if hover or opened else "text.secondary") if self.isEnabled() else words
                )
            else:
                line = "border.control" if hover or opened else "border.strong" if self.isEnabled() else "border.subtle"
                fill = look.color("surface.raised") if self.isEnabled() else None
                painting.rounded(painter, rect, look.size("radius.md"), fill, look.color(line))
            if self._tone and self.isEnabled():
                words = look.color(self._tone)
            x = 8.0 if self._quiet else 10.0
            icon = self._shown_icon()
            if icon:
                side = look.px(15)
                box = QRectF(x, round((self.height() - side) / 2), side, side)
                paint_icon(painter, box, icon, look.color(self._tone or "text.muted"))
                x += side + 7
            if not self._brief or not icon:
                box = QRectF(x, 0, self.width() - x - 22, self.height())
                painting.text(painter, box, self.text(), look.font("body"), words)
            painting.caret(painter, QRectF(self.width() - 20, 0, 12, self.height()), look.color("text.muted"))


ComboBox = Select
