"""Small marks: chips that can be pressed, badges that name a state, caps that show keys."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QAccessible, QColor, QFont, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from posthog_code.ui.kit import painting
from posthog_code.ui.kit.a11y import set_role
from posthog_code.ui.kit.focus_ring import set_focus_ring
from posthog_code.ui.kit.keys import caps, tooltip
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.icons import paint_icon

TONES = ("running", "waiting", "question", "success", "failed", "merged", "draft", "cloud")
_CAP_GAP = 2


def _cap_font() -> QFont:
    return theme().sized_font("ui", 10, 500)


def _cap_width(cap: str, font: QFont) -> int:
    return max(theme().size("control.keycap"), painting.text_width(cap, font) + 8)


def keycaps_width(keys: str) -> int:
    """Width of a key sequence drawn as caps."""
    font = _cap_font()
    widths = [_cap_width(cap, font) for cap in caps(keys)]
    return sum(widths) + _CAP_GAP * max(0, len(widths) - 1)


def paint_keycaps(
    painter: QPainter, x: float, middle: float, keys: str, color: QColor | None = None, line: QColor | None = None
) -> None:
    """Draw a key sequence as caps from `x` on, centred on the height `middle`."""
    look, font = theme(), _cap_font()
    height = look.size("control.keycap")
    for cap in caps(keys):
        box = QRectF(x, round(middle - height / 2), _cap_width(cap, font), height)
        painting.rounded(painter, box, look.size("radius.sm"), None, line or look.color("border.strong"))
        painting.text(painter, box, cap, font, color or look.color("text.muted"), painting.CENTER)
        x += box.width() + _CAP_GAP


class KeyCap(QWidget):
    """A key sequence as caps."""

    def __init__(self, keys: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._keys = ""
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.set_keys(keys)

    def set_keys(self, keys: str) -> None:
        self._keys = keys
        self.setAccessibleName(keys)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(keycaps_width(self._keys), theme().size("control.keycap"))

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            paint_keycaps(painter, 0, self.height() / 2, self._keys)


class Chip(QAbstractButton):
    """A small pressable mark with an icon and words.

    `tone` "accent" is for what waits for the person; `quiet` leaves the border out; `caret` says that it opens a list.
    A chip that only informs is made with `interactive=False`.
    """

    def __init__(
        self,
        text: str = "",
        parent: QWidget | None = None,
        *,
        icon: str = "",
        keys: str = "",
        name: str = "",
        caret: bool = False,
        mono: bool = False,
        quiet: bool = False,
        tone: str = "",
        interactive: bool = True,
    ) -> None:
        super().__init__(parent)
        self._icon, self._caret, self._mono, self._quiet, self._tone = icon, caret, mono, quiet, tone
        self._keys, self._name = keys, name
        self._max_width = 260
        self._interactive = interactive
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus if interactive else Qt.FocusPolicy.NoFocus)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        set_focus_ring(self, 5)
        self.setText(text)

    def setText(self, text: str) -> None:
        super().setText(text)
        self.setAccessibleName(f"{self._name}: {text}" if self._name and text else self._name or text)
        self.setToolTip(tooltip(self._name or text, self._keys))
        self.updateGeometry()
        self.update()

    def set_icon(self, name: str) -> None:
        self._icon = name
        self.updateGeometry()
        self.update()

    def set_tone(self, tone: str) -> None:
        self._tone = tone
        self.update()

    def set_max_width(self, pixels: int) -> None:
        self._max_width = pixels
        self.updateGeometry()

    def _font(self) -> QFont:
        return theme().font("codeSmall" if self._mono else "small")

    def _side(self) -> int:
        return 5 if self._quiet else 7

    def _fixed_width(self) -> int:
        icon = theme().px(13) + (5 if self.text() else 0) if self._icon else 0
        return 2 * self._side() + icon + (14 if self._caret else 0)

    def sizeHint(self) -> QSize:
        width = self._fixed_width() + painting.text_width(self.text(), self._font())
        return QSize(min(width, self._max_width), theme().size("control.chip"))

    def minimumSizeHint(self) -> QSize:
        hint = self.sizeHint()
        return QSize(min(hint.width(), self._fixed_width() + (30 if self.text() else 0)), hint.height())

    def hitButton(self, pos: object) -> bool:
        return self._interactive and super().hitButton(pos)  # type: ignore[arg-type]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._interactive:
            self.click()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        hover = self._interactive and self.underMouse() and self.isEnabled()
        border = None if self._quiet else look.color("border.subtle")
        fill: QColor | None = None
        words, icon = look.color("text.secondary"), look.color("text.muted")
        if not self.isEnabled():
            words = icon = look.color("text.disabled")
        elif self._tone == "accent":
            fill, border = look.color("accent.soft"), look.color("accent.line")
            words = icon = look.color("accent.text")
        elif self._tone in TONES:
            words = icon = look.color(f"status.{self._tone}")
        if self._interactive and self.isDown():
            fill = look.color("surface.active")
        elif self.isChecked():
            fill, border, words = (
                look.color("surface.selected"),
                look.color("border.strong"),
                look.color("text.primary"),
            )
        elif hover and self._tone != "accent":
            fill = look.color("surface.hover")
            words = look.color("text.primary") if not self._tone else words
        with QPainter(self) as painter:
            painting.rounded(painter, QRectF(self.rect()), 5, fill, border)
            x = float(self._side())
            if self._icon:
                side = look.px(13)
                paint_icon(painter, QRectF(x, round((self.height() - side) / 2), side, side), self._icon, icon)
                x += side + 5
            right = self.width() - self._side() - (14 if self._caret else 0)
            box = QRectF(x, 0, right - x, self.height())
            painting.text(painter, box, self.text(), self._font(), words, elide=Qt.TextElideMode.ElideMiddle)
            if self._caret:
                painting.caret(painter, QRectF(right + 4, 0, 10, self.height()), icon)


class Badge(QWidget):
    """A pill that names a state: `tone` is one of `TONES`, "accent", "needs" (solid) or "" (plain count)."""

    def __init__(self, text: str = "", tone: str = "", parent: QWidget | None = None, *, icon: str = "") -> None:
        super().__init__(parent)
        self._text, self._tone, self._icon = text, tone, icon
        set_role(self, QAccessible.Role.StaticText)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(text)

    def text(self) -> str:
        return self._text

    def set_text(self, text: str, tone: str | None = None) -> None:
        self._text = text
        self._tone = self._tone if tone is None else tone
        self.setAccessibleName(text)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return badge_size(self._text, self._icon)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            paint_badge(painter, QRectF(self.rect()), self._text, self._tone, self._icon)


def badge_size(text: str, icon: str = "") -> QSize:
    look = theme()
    width = painting.text_width(text, _badge_font()) + 14 + (look.px(16) if icon else 0)
    height = look.size("control.badge") + 2
    return QSize(max(width, height), height)


def _badge_font() -> QFont:
    return theme().sized_font("ui", 11, 500)


def paint_badge(painter: QPainter, rect: QRectF, text: str, tone: str, icon: str = "") -> None:
    """Draw a badge into a row that is painted."""
    look = theme()
    border: QColor | None = None
    if tone in TONES:
        fill, words = look.color(f"status.{tone}Soft"), look.color(f"status.{tone}")
        border = words if look.high_contrast else None
    elif tone == "accent":
        fill, words, border = look.color("accent.soft"), look.color("accent.text"), look.color("accent.line")
    elif tone == "needs":
        fill, words = look.color("badge.needs"), look.color("badge.needsText")
    else:
        fill, words = look.color("surface.selected"), look.color("text.secondary")
    painting.rounded(painter, rect, rect.height() / 2, fill, border)
    inner = rect.adjusted(7, 0, -7, 0) if icon else rect
    if icon:
        side = look.px(12)
        paint_icon(painter, QRectF(inner.left(), round(rect.center().y() - side / 2), side, side), icon, words)
        inner.setLeft(inner.left() + side + 4)
    painting.text(painter, inner, text, _badge_font(), words, painting.LEFT if icon else painting.CENTER)
