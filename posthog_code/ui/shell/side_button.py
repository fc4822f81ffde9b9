"""The sidebar's own buttons: an icon, a word, keys at the right; in the rail the icon alone."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from posthog_code.ui.kit import painting
from posthog_code.ui.kit.chips import badge_size, keycaps_width, paint_badge, paint_keycaps
from posthog_code.ui.kit.focus_ring import set_focus_ring
from posthog_code.ui.kit.keys import tooltip
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.icons import paint_icon

_RAIL_WIDTH, _RAIL_HEIGHT = 36, 32


class SideButton(QAbstractButton):
    """`style` is "raised" (New task), "field" (search), "nav" (a place) or "row" (the foot)."""

    def __init__(
        self,
        text: str,
        icon: str,
        parent: QWidget | None = None,
        *,
        style: str = "row",
        keys: str = "",
        icon_token: str = "text.muted",
        text_token: str = "",
    ) -> None:
        super().__init__(parent)
        self._icon, self._style, self._keys = icon, style, keys
        self._icon_token, self._text_token = icon_token, text_token
        self._rail = False
        self._count = 0
        self._plain = False
        self.setText(text)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(text)
        self.setToolTip(tooltip(text, keys))
        set_focus_ring(self, theme().size("radius.md"))

    def set_rail(self, on: bool) -> None:
        self._rail = on
        self.updateGeometry()
        self.update()

    def set_count(self, count: int, *, plain: bool = False) -> None:
        """How many wait, in a badge at the right, or as a quiet figure; none for 0."""
        if (count, plain) != (self._count, self._plain):
            self._count, self._plain = count, plain
            self.setAccessibleName(f"{self.text()}, {count}" if count else self.text())
            self.update()

    def count(self) -> int:
        return self._count

    def set_words(self, text: str, icon: str, icon_token: str, tip: str = "") -> None:
        self.setText(text)
        self._icon, self._icon_token = icon, icon_token
        self.setAccessibleName(text)
        self.setToolTip(tip or tooltip(text, self._keys))
        self.update()

    def sizeHint(self) -> QSize:
        look = theme()
        if self._rail:
            return QSize(_RAIL_WIDTH, look.px(_RAIL_HEIGHT))
        return QSize(120, look.px(28 if self._style in ("field", "nav") else 30))

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        rect = QRectF(self.rect())
        raised = self._style == "raised" and not self._rail
        fill = "surface.raised" if raised else ""
        if self.isChecked():
            fill = "surface.selected"
        elif self.underMouse():
            fill = "surface.selected" if raised else "surface.hover"
        if self.isDown():
            fill = "surface.active"
        border = {"raised": "border.strong", "field": "border.subtle"}.get(self._style, "") if not self._rail else ""
        side = look.px(16 if self._rail else 15)
        with QPainter(self) as painter:
            if fill or border:
                painting.rounded(
                    painter,
                    rect,
                    look.size("radius.md"),
                    look.color(fill) if fill else None,
                    look.color(border) if border else None,
                )
            x = round((rect.width() - side) / 2) if self._rail else 9
            mark = "text.secondary" if self._rail and self._icon_token == "text.muted" else self._icon_token
            paint_icon(
                painter, QRectF(x, round(rect.center().y() - side / 2), side, side), self._icon, look.color(mark)
            )
            if self._rail:
                if self._count and not self._plain:
                    dot = QRectF(x + side - 5, round(rect.center().y() - side / 2) - 3, 8, 8)
                    painting.rounded(painter, dot, 4, look.color("badge.needs"))
                return
            if self._count:
                told = str(self._count)
                size = badge_size(told)
                place = QRectF(rect.width() - size.width() - 8, 0, size.width(), size.height())
                place.moveTop(round((rect.height() - size.height()) / 2))
                if self._plain:
                    font = look.font("small", tabular=True)
                    painting.text(painter, place, told, font, look.color("text.muted"), painting.RIGHT)
                else:
                    paint_badge(painter, place, told, "needs")
            keys = keycaps_width(self._keys) if self._keys and self._style != "nav" else 0
            words = QRectF(x + side + 8, 0, rect.width() - x - side - 8 - keys - 12, rect.height())
            token = self._text_token or ("text.primary" if raised else "text.muted")
            if (self.underMouse() or self.isChecked()) and self._style != "raised":
                token = "text.primary"
            font = look.font("bodyStrong" if raised else "body")
            painting.text(painter, words, self.text(), font, look.color(token))
            if keys:
                paint_keycaps(painter, rect.width() - keys - 8, rect.center().y(), self._keys)
