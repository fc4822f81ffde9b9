"""The diff for screen readers: a list of the rows in view."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, QPoint, QRect, Qt
from PySide6.QtGui import QAccessible, QAccessibleEvent, QAccessibleInterface
from PySide6.QtWidgets import QWidget

from posthog_code.domain.diff_index import Row, hunk_label
from posthog_code.domain.review import CommentState
from posthog_code.domain.text import plural
from posthog_code.ui.diff.surface import Surface

_DIRECT = Qt.FindChildOption.FindDirectChildrenOnly
_WORDS = {Row.ADDED: "added", Row.REMOVED: "removed", Row.CONTEXT: "unchanged"}


def describe(view: Surface, place: int) -> str:
    """A row as it is spoken: "added, line 28, const prior = 1, comment pending"."""
    index = view.index
    row = view.row_at(place)
    if row < 0:
        return ""
    kind = index.kinds[row]
    if kind == Row.FILE:
        state = view.header_state(index.file_of(row))
        words = [state.path, state.state.name.lower().replace("_", " ")]
        words += [f"{state.added} added", f"{state.removed} removed"]
        words += ["viewed"] * state.viewed + ["folded"] * state.folded
        words += [plural(state.comments, "comment")] if state.comments else []
        return ", ".join(words)
    if kind == Row.HUNK:
        ranges, name = hunk_label(index.text(row, 400))
        return f"hunk {ranges.strip('@ ')}{', ' + name if name else ''}"
    if kind == Row.NO_NEWLINE:
        return "No newline at end of file"
    left, right = view.places.pair(place)
    spoken = [_line(view, each) for each in dict.fromkeys((left, right)) if each >= 0]
    return "; ".join(spoken)


def _line(view: Surface, row: int) -> str:
    index = view.index
    old, new = index.numbers(row)
    side, line = ("new", new) if new else ("old", old)
    path = index.files[index.file_of(row)].path
    words = [_WORDS.get(Row(index.kinds[row]), "line"), f"line {line}", index.text(row, 400).strip()]
    for comment in view.comments:
        if comment.path == path and comment.side == side and comment.end == line:
            words.append("comment pending" if comment.state is CommentState.PENDING else "comment sent")
    sign = view.gutter.signs.get((path, side, line))
    words += [sign.words] if sign else []
    run = view.gutter.run_at(path, side, line)
    words += [f"turn {run.turn}" if run.turn else "written by you"] if run else []
    return ", ".join(word for word in words if word)


def tell_focus(view: Surface) -> None:
    """Say the row of the cursor, when something listens."""
    if not QAccessible.isActive() or not view.hasFocus():
        return
    event = QAccessibleEvent(view, QAccessible.Event.Focus)
    event.setChild(_shown(view).index(view.cursor_place) if view.cursor_place in _shown(view) else -1)
    QAccessible.updateAccessibility(event)


def _shown(view: Surface) -> list[int]:
    if not len(view.places):
        return []
    top = view.scroll_top()
    return [place for place, _ in view.geometry_index.visible(top, top + view.viewport().height())]


class _RowInterface(QAccessibleInterface):
    """One row in view. It has no object of its own; it is asked for by its place."""

    def __init__(self, parent: DiffInterface, view: Surface, place: int) -> None:
        super().__init__()
        self._parent, self._view, self.place = parent, view, place

    def isValid(self) -> bool:
        return self._parent.isValid() and self.place < len(self._view.places)

    def object(self) -> Any:
        return None

    def parent(self) -> QAccessibleInterface:
        return self._parent

    def child(self, index: int) -> Any:
        return None

    def childAt(self, x: int, y: int) -> Any:
        return None

    def childCount(self) -> int:
        return 0

    def indexOfChild(self, child: QAccessibleInterface) -> int:
        return -1

    def role(self) -> QAccessible.Role:
        return QAccessible.Role.ListItem

    def rect(self) -> QRect:
        view = self._view
        y = view.geometry_index.top(self.place) - view.scroll_top()
        port = view.viewport()
        corner = port.mapToGlobal(QPoint(0, y))
        return QRect(corner.x(), corner.y(), port.width(), view.geometry_index.row_height(self.place))

    def setText(self, t: QAccessible.Text, text: str) -> None:
        return

    def state(self) -> QAccessible.State:
        state = QAccessible.State()
        state.focusable = True
        state.focused = self.place == self._view.cursor_place and self._view.hasFocus()
        return state

    def text(self, t: QAccessible.Text) -> str:
        if t == QAccessible.Text.Name:
            return describe(self._view, self.place)
        if t == QAccessible.Text.Value:
            return f"{self.place + 1} of {len(self._view.places)}"
        return ""


class DiffInterface(QAccessibleInterface):
    """The view as a list of what is to be seen."""

    def __init__(self, view: Surface) -> None:
        super().__init__()
        self._view = view
        self._rows: dict[int, _RowInterface] = {}

    def isValid(self) -> bool:
        import shiboken6

        return shiboken6.isValid(self._view)

    def object(self) -> QObject:
        return self._view

    def window(self) -> Any:
        return self._view.window().windowHandle()

    def parent(self) -> QAccessibleInterface:
        return QAccessible.queryAccessibleInterface(self._view.parentWidget() or self._view.window())

    def _row(self, place: int) -> _RowInterface:
        found = self._rows.get(place)
        if found is None:
            if len(self._rows) > 500:
                self._rows.clear()
            found = self._rows[place] = _RowInterface(self, self._view, place)
        return found

    def child(self, index: int) -> Any:
        shown, cards = _shown(self._view), self._cards()
        if 0 <= index < len(shown):
            return self._row(shown[index])
        index -= len(shown)
        return QAccessible.queryAccessibleInterface(cards[index]) if 0 <= index < len(cards) else None

    def _cards(self) -> list[QWidget]:
        """Comments and their editors, after the rows."""
        port = self._view.viewport()
        return [widget for widget in port.findChildren(QWidget, options=_DIRECT) if widget.isVisible()]

    def childAt(self, x: int, y: int) -> Any:
        for place in _shown(self._view):
            row = self._row(place)
            if row.rect().contains(x, y):
                return row
        return None

    def childCount(self) -> int:
        return len(_shown(self._view)) + len(self._cards())

    def indexOfChild(self, child: QAccessibleInterface) -> int:
        shown = _shown(self._view)
        if not isinstance(child, _RowInterface):
            cards: list[QObject] = list(self._cards())
            return len(shown) + cards.index(child.object()) if child.object() in cards else -1
        place = child.place
        return shown.index(place) if place in shown else -1

    def focusChild(self) -> Any:
        place = self._view.cursor_place
        return self._row(place) if place >= 0 else None

    def role(self) -> QAccessible.Role:
        return QAccessible.Role.List

    def rect(self) -> QRect:
        corner = self._view.mapToGlobal(QPoint(0, 0))
        return QRect(corner, self._view.size())

    def setText(self, t: QAccessible.Text, text: str) -> None:
        return

    def state(self) -> QAccessible.State:
        state = QAccessible.State()
        state.focusable = True
        state.focused = self._view.hasFocus()
        state.readOnly = True
        return state

    def text(self, t: QAccessible.Text) -> str:
        return self._view.accessibleName() if t == QAccessible.Text.Name else ""


_kept: dict[int, DiffInterface] = {}


def _forget(key: int) -> None:
    _kept.pop(key, None)


def _make(key: str, made_for: QObject) -> QAccessibleInterface | None:
    if not isinstance(made_for, Surface):
        return None
    interface = DiffInterface(made_for)
    number = id(made_for)
    _kept[number] = interface  # Qt does not own interfaces made in Python
    made_for.destroyed.connect(lambda _object=None, number=number: _forget(number))
    return interface


def install() -> None:
    """Let screen readers find the rows; once, when the first view is made."""
    global _installed
    if not _installed:
        _installed = True
        QAccessible.installFactory(_make)


_installed = False
