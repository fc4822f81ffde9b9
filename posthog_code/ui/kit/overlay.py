"""Dialogs over a scrim: children of the window, never a nested event loop."""

from __future__ import annotations

import shiboken6
from PySide6.QtCore import QEvent, QObject, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QAccessible, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QApplication, QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from posthog_code.ui.kit import painting
from posthog_code.ui.kit.a11y import set_role
from posthog_code.ui.kit.buttons import Button, IconButton
from posthog_code.ui.kit.labels import Label
from posthog_code.ui.kit.popup import SCRIM, MenuItem, PopupFrame, PopupList
from posthog_code.ui.theme import theme

__all__ = ["MenuItem", "PopupFrame", "PopupList", "Scrim", "Sheet"]

_SAME_LINE = 8
"""Widgets whose middles are nearer than this are side by side."""


class Scrim(QWidget):
    """Darkens the whole window and takes its presses."""

    pressed = Signal()

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setProperty(SCRIM, True)
        self.cover()
        window.installEventFilter(self)
        self.hide()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # Python's attributes may be gone while Qt takes the window apart.
        if event.type() == QEvent.Type.Resize and watched is self.parent():
            self.cover()
        return False

    def cover(self) -> None:
        window = self.parentWidget()
        if window is not None:
            self.setGeometry(window.rect())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.pressed.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.fillRect(event.rect(), theme().color("surface.scrim"))


class Sheet(QFrame):
    """A dialog over the window. Build it, fill `body`, add buttons, `open` it and listen to `finished`.

    `finished` tells the result given to `close_sheet`, None when the person closed it by Esc, by the scrim or by the
    cross. The focus stays inside while it is open and then goes back to where it was.
    `width` is "sm", "md", "lg" or pixels; `top` puts it there instead of in the middle.
    """

    finished = Signal(object)

    def __init__(
        self, window: QWidget, title: str = "", *, width: str | int = "md", top: int = -1, closable: bool = True
    ) -> None:
        self.scrim = Scrim(window.window())
        super().__init__(self.scrim)
        self._wanted_width = theme().size(f"layout.dialog.{width}") if isinstance(width, str) else width
        self._top = top
        self._closable = closable
        self._opened = False
        self._focus_before: QWidget | None = None
        self._first_focus: QWidget | None = None
        self.setAccessibleName(title)
        set_role(self, QAccessible.Role.Dialog)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._column = QVBoxLayout(self)
        margin = painting.shadow_margin("dialog") + 1
        self._column.setContentsMargins(margin, margin, margin, margin)
        self._column.setSpacing(0)
        self.head = self._make_head(title) if title else None
        self.body = QVBoxLayout()
        self.body.setContentsMargins(20, 4 if title else 16, 20, 16)
        self.body.setSpacing(12)
        self._column.addLayout(self.body, 1)
        self.buttons: QHBoxLayout | None = None
        self.scrim.pressed.connect(self._dismiss)
        self.scrim.installEventFilter(self)

    def _make_head(self, title: str) -> QWidget:
        head = QWidget(self)
        row = QHBoxLayout(head)
        row.setContentsMargins(20, 14, 12, 6)
        self.title = Label(title, head, font="title")
        self.title.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        row.addWidget(self.title, 1)
        if self._closable:
            cross = IconButton("ph.x", "Close", head, keys="Esc")
            cross.clicked.connect(self._dismiss)
            row.addWidget(cross)
        self._column.addWidget(head)
        return head

    def add_button(self, button: Button, *, left: bool = False) -> Button:
        """Put a button into the row at the bottom, at its right unless `left`."""
        if self.buttons is None:
            row = QWidget(self)
            self.buttons = QHBoxLayout(row)
            self.buttons.setContentsMargins(20, 4, 20, 16)
            self.buttons.setSpacing(8)
            self.buttons.addStretch(1)
            self._column.addWidget(row)
        button.setParent(self)
        if left:
            self.buttons.insertWidget(0, button)
        else:
            self.buttons.addWidget(button)
        return button

    def set_first_focus(self, widget: QWidget) -> None:
        """Where the focus is when the sheet opens: the safe button, or the first field."""
        self._first_focus = widget

    def box(self) -> QRect:
        margin = painting.shadow_margin("dialog")
        return self.rect().adjusted(margin, margin, -margin, -margin)

    def open(self) -> None:
        if self._opened:
            return
        self._opened = True
        self._focus_before = QApplication.focusWidget()
        self.scrim.cover()
        self.scrim.show()
        self.scrim.raise_()
        self.show()
        self._place()
        (self._first_focus or self._first_in_order() or self).setFocus(Qt.FocusReason.ActiveWindowFocusReason)

    def is_open(self) -> bool:
        return self._opened

    def close_sheet(self, result: object = None) -> None:
        """Take the sheet away and tell `result`; the sheet is destroyed afterwards."""
        if not self._opened:
            return
        self._opened = False
        self.scrim.hide()
        before = self._focus_before
        if before is not None and shiboken6.isValid(before):
            before.setFocus(Qt.FocusReason.ActiveWindowFocusReason)
        self.finished.emit(result)
        self.scrim.deleteLater()

    def _dismiss(self) -> None:
        if self._closable:
            self.close_sheet(None)

    def relayout(self) -> None:
        """Fit the sheet to what it holds now."""
        self._place()

    def _place(self) -> None:
        if not self._opened:
            return
        shadow = 2 * painting.shadow_margin("dialog")
        room = self.scrim.rect()
        width = min(self._wanted_width, room.width() - 32) + shadow
        self._column.activate()
        height = self._column.heightForWidth(width) if self._column.hasHeightForWidth() else -1
        height = self._column.sizeHint().height() if height < 0 else height
        height = min(height, room.height() - 32 + shadow)
        y = self._top - shadow // 2 if self._top >= 0 else (room.height() - height) // 2
        self.setGeometry((room.width() - width) // 2, max(-shadow // 2, y), width, height)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and watched is self.parent():
            self._place()
        return False

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            self._place()
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self._dismiss()
        # Keys never reach the window below.
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if not self.box().contains(event.position().toPoint()):
            self._dismiss()

    def focusNextPrevChild(self, forward: bool) -> bool:
        stops = self._focus_stops()
        if not stops:
            return False
        focused = QApplication.focusWidget()
        at = stops.index(focused) if focused in stops else (-1 if forward else 0)
        reason = Qt.FocusReason.TabFocusReason if forward else Qt.FocusReason.BacktabFocusReason
        stops[(at + (1 if forward else -1)) % len(stops)].setFocus(reason)
        return True

    def _focus_stops(self) -> list[QWidget]:
        """What Tab reaches inside, line by line from the left."""
        # Not by nextInFocusChain(): shiboken makes each widget it gives a child of the one it was asked of, so that the
        # wrappers of the whole window (the conversation's viewport among them) would end with the sheet.
        stops = [
            widget
            for widget in self.findChildren(QWidget)
            if bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)
            and widget.focusProxy() is None
            and widget.isVisible()
            and widget.isEnabled()
        ]
        centers = {widget: widget.mapTo(self, widget.rect().center()) for widget in stops}
        lines: list[list[QWidget]] = []
        for widget in sorted(stops, key=lambda stop: centers[stop].y()):
            if lines and centers[widget].y() - centers[lines[-1][0]].y() < _SAME_LINE:
                lines[-1].append(widget)
            else:
                lines.append([widget])
        return [widget for line in lines for widget in sorted(line, key=lambda stop: centers[stop].x())]

    def _first_in_order(self) -> QWidget | None:
        stops = self._focus_stops()
        inside = [stop for stop in stops if self.head is None or not self.head.isAncestorOf(stop)]
        return next(iter(inside or stops), None)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        with QPainter(self) as painter:
            box, radius = QRectF(self.box()), look.size("radius.xl")
            painting.paint_shadow(painter, box, radius, "dialog")
            painting.rounded(painter, box, radius, look.color("surface.overlay"), look.color("border.strong"))
