"""The ring round the control that has the keyboard focus, shown only to people who use keys."""

from __future__ import annotations

import shiboken6
from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QApplication, QWidget

from posthog_code.ui.kit.painting import focus_ring
from posthog_code.ui.theme import theme

_PROPERTY = "kitFocusRing"
_MODIFIERS = {Qt.Key.Key_Shift, Qt.Key.Key_Control, Qt.Key.Key_Alt, Qt.Key.Key_Meta, Qt.Key.Key_AltGr}
_shown_by_keys = False


def set_focus_ring(widget: QWidget, radius: int, *, inside: bool = False) -> None:
    """Ask for a ring round `widget` (of this corner radius), or along its inner edge as in rows of a list."""
    widget.setProperty(_PROPERTY, -radius - 1 if inside else radius + 1)


def keys_in_use() -> bool:
    """Whether the last thing the person did was a key: painted rows show their focus only then."""
    return _shown_by_keys


class FocusRing(QWidget):
    """One overlay per window that follows the focus and draws the ring of widgets that asked for one."""

    _target: QWidget | None = None

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._target = None
        self._parents: list[QWidget] = []
        self._radius = 6
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.hide()
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.focusChanged.connect(self._focus_changed)

    def _focus_changed(self, old: QWidget | None, new: QWidget | None) -> None:
        self._watch(new)
        if QApplication.mouseButtons() != Qt.MouseButton.NoButton:
            _set_keys(False)
        self._follow()

    def _watch(self, target: QWidget | None) -> None:
        for widget in [self._target, *self._parents]:
            if widget is not None and shiboken6.isValid(widget):
                widget.removeEventFilter(self)
        window = self._window
        self._target = target if target is not None and target is not window and window.isAncestorOf(target) else None
        self._parents = []
        if self._target is not None:
            self._target.installEventFilter(self)
            # Scrolling moves a parent, not the control itself.
            parent = self._target.parentWidget()
            while parent is not None and parent is not window:
                parent.installEventFilter(self)
                self._parents.append(parent)
                parent = parent.parentWidget()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            if Qt.Key(event.key()) not in _MODIFIERS and not keys_in_use():
                _set_keys(True)
                self._follow()
        elif kind == QEvent.Type.MouseButtonPress:
            if keys_in_use():
                _set_keys(False)
                self._follow()
        elif kind in (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.Hide):
            self._follow()
        return False

    def _follow(self) -> None:
        target = self._target
        wish = target.property(_PROPERTY) if target is not None and shiboken6.isValid(target) else None
        if target is None or not wish or not keys_in_use() or target.visibleRegion().isEmpty():
            self.hide()
            return
        look = theme()
        inside = wish < 0
        grow = 0 if inside else look.value("focus.width") + look.value("focus.offset")
        self._radius = abs(wish) - 1 + (0 if inside else look.value("focus.radiusAdd"))
        corner = target.mapTo(self._window, QPoint(0, 0))
        self.setGeometry(QRect(corner, target.size()).adjusted(-grow, -grow, grow, grow))
        self.show()
        self.raise_()

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            focus_ring(painter, QRectF(self.rect()), self._radius)


def _set_keys(on: bool) -> None:
    global _shown_by_keys
    if on != _shown_by_keys:
        _shown_by_keys = on
        focused = QApplication.focusWidget()
        if focused is not None:
            focused.update()
