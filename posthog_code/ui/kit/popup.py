"""Lists that open over the window: menus, choices of a select, and the composer's suggestions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAccessible, QHideEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QApplication, QFrame, QLineEdit, QScrollArea, QVBoxLayout, QWidget

from posthog_code.ui.kit import painting
from posthog_code.ui.kit.a11y import set_role
from posthog_code.ui.kit.menu_rows import MenuItem, MenuRows
from posthog_code.ui.theme import theme

__all__ = ["MenuItem", "PopupFrame", "PopupList"]

_GAP = 4
SCRIM = "kitScrim"
"""Property of the widgets that darken the window behind a dialog."""


class PopupFrame(QFrame):
    """A floating box that is a child of the window: it never becomes a native window and need not take the focus.

    It closes on Esc, on a press outside and when the window loses the focus.
    """

    closed = Signal()

    def __init__(self, parent: QWidget | None = None, *, takes_focus: bool = True) -> None:
        super().__init__(parent)
        self._takes_focus = takes_focus
        self._anchor: QWidget | None = None
        self._focus_before: QWidget | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if takes_focus else Qt.FocusPolicy.NoFocus)
        self.content = QVBoxLayout(self)
        self._set_margins()
        self.hide()

    def _set_margins(self) -> None:
        margin = painting.shadow_margin() + 1
        self.content.setContentsMargins(margin, margin, margin, margin)
        self.content.setSpacing(0)

    def box(self) -> QRect:
        """The visible box without its shadow."""
        margin = painting.shadow_margin()
        return self.rect().adjusted(margin, margin, -margin, -margin)

    def popup(
        self,
        anchor: QWidget,
        *,
        above: bool = False,
        align_right: bool = False,
        width: int = 0,
        at: QPoint | None = None,
    ) -> None:
        """Open under `anchor` (or above it), or with its corner at `at` in the anchor's coordinates; kept inside the
        window in any case."""
        window = anchor.window()
        self._anchor = anchor
        if self.parentWidget() is not window:
            self.setParent(window)
        margin = painting.shadow_margin()
        self.ensurePolished()
        hint = self.sizeHint()
        size = QSize(max(hint.width(), width + 2 * margin), hint.height())
        corner = anchor.mapTo(window, at or QPoint(0, 0))
        height = 0 if at else anchor.height()
        room_below = window.height() - corner.y() - height - _GAP
        if above or (size.height() - margin > room_below and corner.y() > room_below):
            available = corner.y() - _GAP
            size.setHeight(min(size.height(), available + margin))
            y = corner.y() - _GAP - (size.height() - margin)
        else:
            size.setHeight(min(size.height(), room_below + margin))
            y = corner.y() + height + _GAP - margin
        x = corner.x() + (anchor.width() - (size.width() - margin) if align_right else -margin)
        x = max(4 - margin, min(x, window.width() - size.width() + margin - 4))
        self.setGeometry(x, y, size.width(), size.height())
        if not self.isVisible():
            self._focus_before = QApplication.focusWidget()
            app = QApplication.instance()
            if app is not None:
                app.installEventFilter(self)
        self.show()
        self.raise_()
        if self._takes_focus:
            self.first_focus().setFocus(Qt.FocusReason.PopupFocusReason)

    def first_focus(self) -> QWidget:
        return self

    def close_popup(self) -> None:
        if self.isVisible():
            self.hide()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        app = QApplication.instance()
        if app is not None:
            app.removeEventFilter(self)
        before, self._focus_before = self._focus_before, None
        focused = QApplication.focusWidget()
        if (
            self._takes_focus
            and before is not None
            and (focused is None or self.isAncestorOf(focused) or focused is self)
        ):
            try:
                before.setFocus(Qt.FocusReason.PopupFocusReason)
            except RuntimeError:
                # The control that opened the popup was destroyed meanwhile.
                pass
        self.closed.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind == QEvent.Type.MouseButtonPress and isinstance(watched, QWidget) and isinstance(event, QMouseEvent):
            inside = watched is self or self.isAncestorOf(watched)
            if not inside or (watched is self and not self.box().contains(event.position().toPoint())):
                self.close_popup()
                # A press on the control that opened the list closes it, and must not open it again.
                # One on the scrim of a dialog is for this list, not for the dialog below it.
                return watched is self._anchor or bool(watched.property(SCRIM))
        elif (kind == QEvent.Type.WindowDeactivate and watched is self.window()) or (
            kind == QEvent.Type.Resize and watched is self.window()
        ):
            self.close_popup()
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.close_popup()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        with QPainter(self) as painter:
            box, radius = QRectF(self.box()), look.size("radius.lg")
            painting.paint_shadow(painter, box, radius)
            painting.rounded(painter, box, radius, look.color("surface.overlay"), look.color("border.strong"))


class PopupList(PopupFrame):
    """A list of choices with icons, ticks and keys; optionally filtered by typing.

    A list that belongs to a text editor is made with `takes_focus=False`: the editor keeps the focus and hands its
    keys to `handle_key`.
    """

    chosen = Signal(str)

    def __init__(
        self,
        items: Sequence[MenuItem] = (),
        parent: QWidget | None = None,
        *,
        filterable: bool = False,
        takes_focus: bool = True,
        name: str = "Choices",
        max_height: int = 380,
    ) -> None:
        super().__init__(parent, takes_focus=takes_focus)
        self._all: list[MenuItem] = []
        self._max_height = max_height
        self.setAccessibleName(name)
        set_role(self, QAccessible.Role.PopupMenu)
        self.filter = QLineEdit(self)
        self.filter.setProperty("kit", "bare")
        self.filter.setPlaceholderText("Filter")
        self.filter.setAccessibleName("Filter")
        self.filter.setTextMargins(11, 9, 11, 7)
        self.filter.textChanged.connect(self._filter_changed)
        self.filter.installEventFilter(self)
        self.filter.setVisible(filterable)
        self._filterable = filterable
        self._rows = MenuRows(self)
        self._rows.pressed.connect(self._choose)
        self._rows.pointed.connect(self._point)
        self._scroll = QScrollArea(self)
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setWidget(self._rows)
        self._scroll.viewport().setAutoFillBackground(False)
        self._rows.setAutoFillBackground(False)
        self.content.addWidget(self.filter)
        self.content.addWidget(self._scroll)
        self.set_items(items)

    def set_items(self, items: Sequence[MenuItem], current: str = "") -> None:
        """Show other rows; the one with id `current`, else the ticked or first one is highlighted."""
        self._all = list(items)
        self._show(current)

    def items(self) -> list[MenuItem]:
        """The rows that pass the filter."""
        return list(self._rows.items)

    def current(self) -> str:
        """The id of the highlighted row."""
        row = self._rows.current
        return self._rows.items[row].id if 0 <= row < len(self._rows.items) else ""

    def first_focus(self) -> QWidget:
        return self.filter if self._filterable else self

    def sizeHint(self) -> QSize:
        rows = self._rows.sizeHint()
        margins = self.content.contentsMargins()
        height = min(rows.height(), self._max_height) + (self.filter.sizeHint().height() if self._filterable else 0)
        return QSize(rows.width() + 2 * margins.left() + 10, height + margins.top() + margins.bottom())

    def handle_key(self, event: QKeyEvent) -> bool:
        """Move, choose or close by a key; False when the key is not one of the list's."""
        key = event.key()
        if key == Qt.Key.Key_Down:
            self._step(1)
        elif key == Qt.Key.Key_Up:
            self._step(-1)
        elif key in (Qt.Key.Key_PageDown, Qt.Key.Key_PageUp):
            self._step(8 if key == Qt.Key.Key_PageDown else -8)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) or (key == Qt.Key.Key_Tab and not self._takes_focus):
            if not self.current():
                return False
            self._choose(self._rows.current)
        elif key == Qt.Key.Key_Escape:
            self.close_popup()
        else:
            return False
        return True

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self.handle_key(event):
            return
        letter = event.text().strip().lower()
        rows = self._rows.items
        for row in [*range(self._rows.current + 1, len(rows)), *range(self._rows.current + 1)] if letter else ():
            if rows[row].choosable and rows[row].text.lower().startswith(letter):
                self._point(row)
                return

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and watched is self.filter:
            return self.handle_key(event)
        return super().eventFilter(watched, event)

    def hideEvent(self, event: QHideEvent) -> None:
        self.filter.blockSignals(True)
        self.filter.clear()
        self.filter.blockSignals(False)
        self._show("")
        super().hideEvent(event)

    def _filter_changed(self, text: str) -> None:
        self._show("")

    def _show(self, current: str) -> None:
        words = self.filter.text().lower().split()
        rows = self._all
        if words:
            rows = [
                item for item in rows if item.id and all(word in f"{item.text} {item.detail}".lower() for word in words)
            ]
        self._rows.items = list(rows)
        matching: Sequence[Callable[[MenuItem], bool]] = (
            lambda item: bool(current) and item.id == current,
            lambda item: item.checked,
            lambda item: item.choosable,
        )
        self._rows.current = next((row for fits in matching for row, item in enumerate(rows) if fits(item)), -1)
        self._rows.setFixedHeight(self._rows.sizeHint().height())
        self._rows.update()
        self._say_current()

    def _step(self, by: int) -> None:
        open_rows = [row for row, item in enumerate(self._rows.items) if item.choosable]
        if not open_rows:
            return
        at = open_rows.index(self._rows.current) if self._rows.current in open_rows else -1 if by > 0 else 0
        target = (at + by) % len(open_rows) if abs(by) == 1 else max(0, min(at + by, len(open_rows) - 1))
        self._point(open_rows[target])
        rect = self._rows.rect_of(self._rows.current)
        self._scroll.ensureVisible(rect.center().x(), rect.center().y(), 0, rect.height())

    def _point(self, row: int) -> None:
        if row != self._rows.current and 0 <= row < len(self._rows.items) and self._rows.items[row].choosable:
            self._rows.current = row
            self._rows.update()
            self._say_current()

    def _say_current(self) -> None:
        row = self._rows.current
        words = self._rows.items[row].text if 0 <= row < len(self._rows.items) else "Nothing found"
        self.setAccessibleDescription(words)

    def _choose(self, row: int) -> None:
        if 0 <= row < len(self._rows.items) and self._rows.items[row].choosable:
            chosen = self._rows.items[row].id
            self.close_popup()
            self.chosen.emit(chosen)
