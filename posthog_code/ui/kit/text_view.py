"""Selecting and copying text in painted views."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QAccessible,
    QColor,
    QContextMenuEvent,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QTextCharFormat,
    QTextLayout,
)
from PySide6.QtWidgets import QApplication, QMenu, QWidget

from posthog_code.ui.kit import selection
from posthog_code.ui.kit.a11y import set_role
from posthog_code.ui.kit.md_blocks import LINE
from posthog_code.ui.theme import theme

Position = tuple[int, int]
"""Number of a unit of text, and an offset within it in UTF-16 units."""


class TextView(QWidget):
    """A painted view made of numbered units of text that can be selected with the mouse and copied.

    A subclass says where its units are by `position_at`, `unit_count`, `unit_text`, `unit_separator` and `link_at`.
    """

    linkActivated = Signal(str)
    selectionChanged = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._anchor: Position | None = None
        self._cursor: Position | None = None
        self._pressed_link = ""
        self._selecting = False
        self._clicks = 0
        self._last_press = QPoint(-100, -100)
        set_role(self, QAccessible.Role.StaticText)
        self._click_timer = QTimer(self)
        self._click_timer.setSingleShot(True)
        self._click_timer.timeout.connect(self._forget_clicks)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setCursor(Qt.CursorShape.IBeamCursor)

    # -- what a subclass answers

    def unit_count(self) -> int:
        raise NotImplementedError

    def unit_text(self, unit: int) -> str:
        raise NotImplementedError

    def unit_separator(self, unit: int) -> str:
        return "\n"

    def position_at(self, point: QPointF) -> Position | None:
        raise NotImplementedError

    def link_at(self, point: QPointF) -> str:
        return ""

    # -- selection

    def has_selection(self) -> bool:
        return self._anchor is not None and self._cursor is not None and self._anchor != self._cursor

    def selection(self) -> tuple[Position, Position] | None:
        """The first and the last selected position."""
        if self._anchor is None or self._cursor is None or self._anchor == self._cursor:
            return None
        return min(self._anchor, self._cursor), max(self._anchor, self._cursor)

    def selected_text(self) -> str:
        chosen = self.selection()
        if chosen is None:
            return ""
        (first, start), (last, end) = chosen
        parts: list[str] = []
        for unit in range(first, min(last, self.unit_count() - 1) + 1):
            text = self.unit_text(unit)
            low = start if unit == first else 0
            high = end if unit == last else None
            parts.append(_cut(text, low, high))
            if unit != last:
                parts.append(self.unit_separator(unit))
        return "".join(parts).replace(LINE, "\n")

    def clear_selection(self) -> None:
        had = self.has_selection()
        self._anchor = self._cursor = None
        selection.drop(self)
        if had:
            self.selectionChanged.emit()
            self.update()

    def select_all(self) -> None:
        count = self.unit_count()
        if count:
            self._select((0, 0), (count - 1, _length(self.unit_text(count - 1))))

    def copy(self) -> None:
        text = self.selected_text()
        if text:
            QGuiApplication.clipboard().setText(text)

    def _select(self, anchor: Position, cursor: Position) -> None:
        self._anchor, self._cursor = anchor, cursor
        if self.has_selection():
            selection.take(self)
        else:
            selection.drop(self)
        self.selectionChanged.emit()
        self.update()

    def selection_formats(self, unit: int) -> list[QTextLayout.FormatRange]:
        """What of a unit is selected, as its layout's `draw` wants it."""
        chosen = self.selection()
        if chosen is None or not chosen[0][0] <= unit <= chosen[1][0]:
            return []
        (first, start), (last, end) = chosen
        low = start if unit == first else 0
        high = end if unit == last else _length(self.unit_text(unit))
        look = theme()
        made = QTextLayout.FormatRange()
        shape = QTextCharFormat()
        shape.setBackground(QColor(look.color("selection.bg")))
        made.start, made.length, made.format = low, high - low, shape
        return [made]

    # -- mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            event.ignore()
            return
        point = event.position()
        near = (point.toPoint() - self._last_press).manhattanLength() < 6
        self._clicks = self._clicks + 1 if near and self._click_timer.isActive() else 1
        self._last_press = point.toPoint()
        self._click_timer.start(QApplication.doubleClickInterval())
        self._pressed_link = self.link_at(point)
        at = self.position_at(point)
        if at is None:
            self.clear_selection()
            return
        if self._clicks == 2:
            self._select_word(at)
        elif self._clicks >= 3:
            self._select((at[0], 0), (at[0], _length(self.unit_text(at[0]))))
        elif event.modifiers() & Qt.KeyboardModifier.ShiftModifier and self._anchor is not None:
            self._select(self._anchor, at)
        else:
            self.clear_selection()
            self._anchor = self._cursor = at
            self._selecting = True

    mouseDoubleClickEvent = mousePressEvent

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._selecting and self._anchor is not None:
            at = self.position_at(event.position())
            if at is not None and at != self._cursor:
                self._select(self._anchor, at)
            return
        link = self.link_at(event.position())
        self.setCursor(Qt.CursorShape.PointingHandCursor if link else self.cursor_at(event.position()))
        self.setToolTip(link)

    def cursor_at(self, point: QPointF) -> Qt.CursorShape:
        return Qt.CursorShape.IBeamCursor

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._selecting = False
        link, self._pressed_link = self._pressed_link, ""
        if link and not self.has_selection() and self.link_at(event.position()) == link:
            self.linkActivated.emit(link)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            wants_copy = event.matches(QKeySequence.StandardKey.Copy) and self.has_selection()
            if wants_copy or event.matches(QKeySequence.StandardKey.SelectAll):
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy) and self.has_selection():
            self.copy()
        elif event.matches(QKeySequence.StandardKey.SelectAll):
            self.select_all()
        elif event.key() == Qt.Key.Key_Escape and self.has_selection():
            self.clear_selection()
        else:
            event.ignore()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        copy = menu.addAction("Copy", self.copy)
        copy.setShortcut(QKeySequence(QKeySequence.StandardKey.Copy))
        copy.setEnabled(self.has_selection())
        link = self.link_at(QPointF(event.pos()))
        if link:
            menu.addAction("Copy link", lambda: QGuiApplication.clipboard().setText(link))
        menu.addAction("Copy all", self._copy_all)
        menu.addAction("Select all", self.select_all)
        menu.popup(event.globalPos())

    def _copy_all(self) -> None:
        QGuiApplication.clipboard().setText(self.plain_text())

    def plain_text(self) -> str:
        """All text as it would be copied."""
        count = self.unit_count()
        parts = [self.unit_text(n) + (self.unit_separator(n) if n < count - 1 else "") for n in range(count)]
        return "".join(parts).replace(LINE, "\n")

    def _forget_clicks(self) -> None:
        self._clicks = 0

    def _select_word(self, at: Position) -> None:
        text = _utf16(self.unit_text(at[0]))
        start = end = min(at[1], len(text))
        while start > 0 and _in_word(text[start - 1]):
            start -= 1
        while end < len(text) and _in_word(text[end]):
            end += 1
        if start == end and end < len(text):
            end += 1
        self._select((at[0], start), (at[0], end))


def _in_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _utf16(text: str) -> list[str]:
    """One entry for each position Qt counts."""
    if text.isascii():
        return list(text)
    units: list[str] = []
    for char in text:
        units.append(char)
        if ord(char) > 0xFFFF:
            units.append(char)
    return units


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def _cut(text: str, low: int, high: int | None) -> str:
    """A part of a text by Qt's positions."""
    if text.isascii():
        return text[low:high]
    raw = text.encode("utf-16-le")
    return raw[2 * low : None if high is None else 2 * high].decode("utf-16-le", "replace")
