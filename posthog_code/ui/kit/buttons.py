"""Buttons: something to press, with all of its states."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from posthog_code.ui.kit import painting
from posthog_code.ui.kit.chips import keycaps_width, paint_keycaps
from posthog_code.ui.kit.focus_ring import set_focus_ring
from posthog_code.ui.kit.keys import tooltip
from posthog_code.ui.kit.spinner import arc_clock
from posthog_code.ui.theme import Theme, theme
from posthog_code.ui.theme.glyphs import Glyph, paint_arc, paint_glyph
from posthog_code.ui.theme.icons import paint_icon

_HEIGHTS = {"sm": "control.buttonSm", "md": "control.button", "lg": "control.buttonLg"}
_SIDES = {"sm": 8, "md": 10, "lg": 14}
_GAP = 6
ARROW_WIDTH = 24


class _Part:
    """State of one press area."""

    __slots__ = ("down", "enabled", "hover", "on")

    def __init__(self, enabled: bool, hover: bool, down: bool, on: bool = False) -> None:
        self.enabled, self.hover, self.down, self.on = enabled, hover, down, on


def button_colors(look: Theme, kind: str, part: _Part) -> tuple[QColor | None, QColor | None, QColor, QColor]:
    """Fill, border, text and icon colour of a button part."""
    if not part.enabled:
        border = None if kind == "ghost" else look.color("border.subtle")
        return None, border, look.color("text.disabled"), look.color("text.disabled")
    if kind == "primary":
        fill = look.color("accent.active" if part.down else "accent.hover" if part.hover else "accent.default")
        return fill, fill, look.color("accent.on"), look.color("accent.on")
    if kind == "link":
        words = look.color("text.primary" if part.hover or part.down else "accent.text")
        return None, None, words, words
    if kind == "ghost":
        name = (
            "surface.active" if part.down else "surface.selected" if part.on else "surface.hover" if part.hover else ""
        )
        strong = part.hover or part.on or part.down
        words = look.color("text.primary" if strong else "text.secondary")
        return look.color(name) if name else None, None, words, words
    fill = look.color(
        "surface.active" if part.down else "surface.selected" if part.hover or part.on else "surface.raised"
    )
    border = look.color("border.control" if part.down else "border.strong")
    if kind == "danger":
        return fill, border, look.color("status.failed"), look.color("status.failed")
    return fill, border, look.color("text.primary"), look.color("text.secondary")


class Button(QAbstractButton):
    """A button with words: `kind` is "primary", "default", "ghost", "danger" or "link", `size` is "sm", "md" or "lg".

    `keys` stand in the tooltip, and on the button as caps with `show_keys`.
    """

    def __init__(
        self,
        text: str = "",
        parent: QWidget | None = None,
        *,
        kind: str = "default",
        icon: str = "",
        keys: str = "",
        size: str = "md",
        show_keys: bool = False,
        caret: bool = False,
    ) -> None:
        super().__init__(parent)
        self._kind, self._icon, self._keys, self._size = kind, icon, keys, size
        self._show_keys, self._caret = show_keys, caret
        self._loading = False
        self._loading_text = ""
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        set_focus_ring(self, theme().size("radius.md"))
        self.setText(text)

    # -- what it shows

    def setText(self, text: str) -> None:
        super().setText(text)
        self.setAccessibleName(text)
        self.setToolTip(tooltip(text, self._keys) if self._keys else "")
        self.updateGeometry()
        self.update()

    def set_icon(self, name: str) -> None:
        """A Phosphor name, "" for none."""
        self._icon = name
        self.updateGeometry()
        self.update()

    def set_kind(self, kind: str) -> None:
        self._kind = kind
        self.update()

    def set_keys(self, keys: str) -> None:
        self._keys = keys
        self.setText(self.text())

    def loading(self) -> bool:
        return self._loading

    def set_loading(self, on: bool, text: str = "") -> None:
        """Show an arc in place of the icon, with other words such as "Pushing…"; it cannot be pressed meanwhile."""
        self._loading, self._loading_text = on, text
        self.setAccessibleDescription("Working" if on else "")
        self.updateGeometry()
        self.update()

    def shown_text(self) -> str:
        return (self._loading and self._loading_text) or self.text()

    # -- measures

    def button_font(self) -> QFont:
        return theme().font("smallStrong" if self._size == "sm" else "bodyStrong")

    def icon_size(self) -> int:
        return theme().px(14 if self._size == "sm" else 15)

    def content_width(self) -> int:
        width = 0
        if self._icon or self._loading:
            width += self.icon_size()
        if self.shown_text():
            width += (_GAP if width else 0) + painting.text_width(self.shown_text(), self.button_font())
        if self._show_keys and self._keys:
            width += 8 + keycaps_width(self._keys)
        if self._caret:
            width += 16
        return width

    def sizeHint(self) -> QSize:
        side = 0 if self._kind == "link" else _SIDES[self._size]
        return QSize(self.content_width() + 2 * side, theme().size(_HEIGHTS[self._size]))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    # -- pressing

    def hitButton(self, pos: object) -> bool:
        return not self._loading and super().hitButton(pos)  # type: ignore[arg-type]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._loading:
            event.ignore()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.isAutoRepeat():
            self.click()
        else:
            super().keyPressEvent(event)

    # -- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        part = _Part(self.isEnabled(), self.underMouse(), self.isDown(), self.isChecked())
        with QPainter(self) as painter:
            fill, border, words, icon = button_colors(look, self._kind, part)
            radius = look.size("radius.md") - (1 if self._size == "sm" else 0)
            painting.rounded(painter, QRectF(self.rect()), radius, fill, border)
            self.paint_content(painter, QRectF(self.rect()), words, icon)

    def paint_content(self, painter: QPainter, rect: QRectF, words: QColor, icon: QColor) -> None:
        look, side = theme(), self.icon_size()
        x = rect.left() + (rect.width() - self.content_width()) / 2
        if self._loading:
            box = QRectF(x, rect.center().y() - side / 2, side, side)
            self._paint_arc(painter, box, words)
        elif self._icon:
            box = QRectF(round(x), round(rect.center().y() - side / 2), side, side)
            paint_icon(painter, box, self._icon, icon)
        x += side + _GAP if self._icon or self._loading else 0
        shown = self.shown_text()
        if shown:
            width = painting.text_width(shown, self.button_font())
            painting.text(painter, QRectF(x, rect.top(), width, rect.height()), shown, self.button_font(), words)
            x += width
        if self._show_keys and self._keys:
            line = look.alpha("accent.on", 0.35) if self._kind == "primary" else look.color("border.strong")
            cap = words if self._kind == "primary" else look.color("text.muted")
            paint_keycaps(painter, x + 8, rect.center().y(), self._keys, cap, line)
            x += 8 + keycaps_width(self._keys)
        if self._caret:
            painting.caret(painter, QRectF(x + 4, rect.top(), 12, rect.height()), icon)

    def _paint_arc(self, painter: QPainter, box: QRectF, words: QColor) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        look, phase = theme(), arc_clock().phase()
        if self._kind == "primary" and self.isEnabled():
            # Blue would not be seen on the accent.
            turn = None if look.reduced_motion else phase
            paint_arc(painter, box.center(), box.width() * 0.34, box.width() * 0.11, words, turn)
        else:
            paint_glyph(painter, box, Glyph.RUNNING, look, phase)
        arc_clock().painted(self)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        self.update()


class IconButton(Button):
    """A square button with an icon only; `name` is its tooltip and accessible name."""

    def __init__(
        self,
        icon: str,
        name: str,
        parent: QWidget | None = None,
        *,
        keys: str = "",
        kind: str = "ghost",
        size: str = "md",
    ) -> None:
        self._name = name
        super().__init__("", parent, kind=kind, icon=icon, keys=keys, size=size)
        self.set_name(name)

    def set_name(self, name: str) -> None:
        self._name = name
        self.setText("")

    def setText(self, text: str) -> None:
        super().setText("")
        self.setAccessibleName(self._name)
        self.setToolTip(tooltip(self._name, self._keys))

    def icon_size(self) -> int:
        return theme().px(14 if self._size == "sm" else 16)

    def sizeHint(self) -> QSize:
        side = theme().size(_HEIGHTS[self._size])
        return QSize(side, side)


class SplitButton(Button):
    """A button and, behind a divider, an arrow that opens its other choices. Alt+Down opens them as well."""

    menuRequested = Signal()

    def __init__(
        self,
        text: str = "",
        parent: QWidget | None = None,
        *,
        kind: str = "default",
        icon: str = "",
        keys: str = "",
        size: str = "md",
        menu_name: str = "More choices",
        show_keys: bool = False,
    ) -> None:
        self._menu_name = menu_name
        self._arrow_hover = self._arrow_down = False
        super().__init__(text, parent, kind=kind, icon=icon, keys=keys, size=size, show_keys=show_keys)
        self.setMouseTracking(True)

    def arrow_rect(self) -> QRect:
        return QRect(self.width() - ARROW_WIDTH, 0, ARROW_WIDTH, self.height())

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        return QSize(hint.width() + ARROW_WIDTH, hint.height())

    def hitButton(self, pos: object) -> bool:
        return super().hitButton(pos) and not self.arrow_rect().contains(pos)  # type: ignore[call-overload]

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.arrow_rect().contains(event.position().toPoint()):
            self._arrow_down = True
            self.update()
            self.menuRequested.emit()
        else:
            super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._arrow_down = False
        self.update()
        super().mouseReleaseEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        hover = self.arrow_rect().contains(event.position().toPoint())
        if hover != self._arrow_hover:
            self._arrow_hover = hover
            self.setToolTip(self._menu_name if hover else tooltip(self.text(), self._keys))
            self.update()
        super().mouseMoveEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self._arrow_hover = False
        super().leaveEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Down and event.modifiers() & Qt.KeyboardModifier.AltModifier:
            self.menuRequested.emit()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        hover = self.underMouse()
        main = _Part(self.isEnabled(), hover and not self._arrow_hover, self.isDown())
        side = _Part(self.isEnabled(), hover and self._arrow_hover, self._arrow_down)
        arrow = QRectF(self.arrow_rect())
        whole = QRectF(self.rect())
        radius = look.size("radius.md")
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            outline = QPainterPath()
            outline.addRoundedRect(whole, radius, radius)
            fill, border, words, icon = button_colors(look, self._kind, main)
            side_fill, side_border, _, side_icon = button_colors(look, self._kind, side)
            body = QRectF(0, 0, arrow.left(), whole.height())
            for area, color, line in ((body, fill, border), (arrow, side_fill, side_border)):
                painter.setClipRect(area)
                painting.rounded(painter, whole, radius, color, line)
            painter.setClipping(False)
            if self._kind == "primary" and self.isEnabled():
                painting.hairline(
                    painter, arrow.left(), 5, arrow.left(), whole.height() - 5, look.alpha("accent.on", 0.35)
                )
            elif border is not None:
                painting.hairline(painter, arrow.left(), 0, arrow.left(), whole.height(), border)
            self.paint_content(painter, body, words, icon)
            painting.caret(painter, arrow, side_icon)
