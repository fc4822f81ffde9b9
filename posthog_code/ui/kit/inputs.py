"""Fields, selects and switches: what a person fills in or sets."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QLineEdit, QSizePolicy, QVBoxLayout, QWidget

from posthog_code.ui.kit import painting
from posthog_code.ui.kit.chips import keycaps_width, paint_keycaps
from posthog_code.ui.kit.keys import tooltip
from posthog_code.ui.kit.labels import Label
from posthog_code.ui.kit.popup import MenuItem
from posthog_code.ui.kit.select import ComboBox, Select
from posthog_code.ui.kit.spinner import arc_clock
from posthog_code.ui.kit.toggles import CheckBox, Segmented, Switch
from posthog_code.ui.theme import notifier, theme
from posthog_code.ui.theme.glyphs import Glyph, paint_glyph
from posthog_code.ui.theme.icons import paint_icon

__all__ = ["CheckBox", "ComboBox", "MenuItem", "SearchField", "Segmented", "Select", "Switch", "TextField"]


class _FieldBox(QWidget):
    """The painted box of a field round a bare line edit."""

    def __init__(self, parent: QWidget, icon: str = "", keys: str = "") -> None:
        super().__init__(parent)
        self.icon, self.keys = icon, keys
        self.invalid = self.loading = False
        self.edit = QLineEdit(self)
        self.edit.setProperty("kit", "bare")
        self.edit.installEventFilter(self)
        self.setFocusProxy(self.edit)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.edit.textChanged.connect(self._redraw)

    def sizeHint(self) -> QSize:
        return QSize(160, theme().size("control.input"))

    def minimumSizeHint(self) -> QSize:
        return QSize(60, theme().size("control.input"))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut, QEvent.Type.EnabledChange):
            self.update()
        return False

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.place()

    def place(self) -> None:
        left = 10 + (theme().px(14) + 6 if self.icon else 0)
        right = 9 + (theme().px(14) + 6 if self.invalid or self.loading else 0)
        if self.keys and not self.edit.text():
            right += keycaps_width(self.keys) + 4
        self.edit.setGeometry(left, 1, max(0, self.width() - left - right), self.height() - 2)

    def _redraw(self) -> None:
        self.place()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        fill: QColor | None = look.color("surface.raised")
        line, pen = look.color("border.strong"), 1
        if not self.isEnabled():
            fill, line = None, look.color("border.subtle")
        elif self.edit.hasFocus():
            line, pen = look.color("focus.ring"), look.value("focus.width")
        elif self.invalid:
            line = look.color("status.failed")
        elif self.underMouse():
            line = look.color("border.control")
        with QPainter(self) as painter:
            painting.rounded(painter, QRectF(self.rect()), look.size("radius.md"), fill, line, pen)
            side = look.px(14)
            y = round((self.height() - side) / 2)
            if self.icon:
                paint_icon(painter, QRectF(9, y, side, side), self.icon, look.color("text.muted"))
            at_right = QRectF(self.width() - 9 - side, y, side, side)
            if self.loading:
                paint_glyph(painter, at_right, Glyph.RUNNING, look, arc_clock().phase())
            elif self.invalid:
                paint_icon(painter, at_right, "ph.warning-circle", look.color("status.failed"))
            elif self.keys and not self.edit.text():
                x = self.width() - 8 - keycaps_width(self.keys)
                paint_keycaps(painter, x, self.height() / 2, self.keys)
        if self.loading:
            arc_clock().painted(self)


class TextField(QWidget):
    """A line of text with a name, and a message below when it is not valid."""

    textChanged = Signal(str)
    returnPressed = Signal()

    def __init__(
        self,
        text: str = "",
        parent: QWidget | None = None,
        *,
        name: str = "",
        placeholder: str = "",
        icon: str = "",
        keys: str = "",
        mono: bool = False,
    ) -> None:
        super().__init__(parent)
        self._mono = mono
        self.box = _FieldBox(self, icon, keys)
        self.edit = self.box.edit
        self.edit.setText(text)
        self.edit.setPlaceholderText(placeholder)
        self.edit.setAccessibleName(name or placeholder)
        self.edit.textChanged.connect(self.textChanged)
        self.edit.returnPressed.connect(self.returnPressed)
        self.message = Label("", self, font="small", token="status.failed", wrap=True)
        self.message.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.box)
        column.addWidget(self.message)
        self.setFocusProxy(self.edit)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._dress()
        notifier().changed.connect(self._dress)

    def _dress(self) -> None:
        self.edit.setFont(theme().font("code" if self._mono else "body"))
        self.box.updateGeometry()
        self.box.place()

    def text(self) -> str:
        return self.edit.text()

    def setText(self, text: str) -> None:
        if text != self.edit.text():
            self.edit.setText(text)

    def set_error(self, message: str) -> None:
        """Mark the text as not valid and say why; "" takes the mark away."""
        self.box.invalid = bool(message)
        self.message.setText(message)
        self.message.setVisible(bool(message))
        self.edit.setAccessibleDescription(message)
        self.box.place()
        self.box.update()

    def set_loading(self, on: bool) -> None:
        self.box.loading = on
        self.box.place()
        self.box.update()


class SearchField(TextField):
    """A field that filters. Esc empties it first, and is passed on when it is empty."""

    def __init__(
        self, placeholder: str = "Search", parent: QWidget | None = None, *, keys: str = "", name: str = ""
    ) -> None:
        super().__init__("", parent, name=name, placeholder=placeholder, icon="ph.magnifying-glass", keys=keys)
        self.edit.installEventFilter(self)
        self.edit.setToolTip(tooltip(name or placeholder, keys) if keys else "")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and watched is self.edit:
            escaping = event.key() == Qt.Key.Key_Escape and bool(self.edit.text())
            if escaping:
                self.edit.clear()
                return True
        return super().eventFilter(watched, event)
