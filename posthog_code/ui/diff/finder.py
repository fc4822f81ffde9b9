"""Find in the diff: matches over the bytes of all files, and the bar that asks for the words."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right

from PySide6.QtCore import QRectF, Qt, QTimer
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QWidget

from posthog_code.domain.diff_index import Row
from posthog_code.domain.text import count
from posthog_code.ui.diff.painter import Marks
from posthog_code.ui.diff.surface import Surface
from posthog_code.ui.kit import painting
from posthog_code.ui.kit.buttons import IconButton
from posthog_code.ui.kit.labels import Label
from posthog_code.ui.theme import theme
from posthog_code.ui.theme.syntax import utf16_length

_SLICE = 2 << 20
_LINES = frozenset({Row.CONTEXT, Row.ADDED, Row.REMOVED, Row.RAW})
Span = tuple[int, int]


class Finder:
    """Matches as positions in the bytes, found in slices so that a big diff does not stop the window."""

    def __init__(self, view: Surface) -> None:
        self._view = view
        self.bar = FindBar(view, self)
        self.bar.hide()
        self._pattern: re.Pattern[bytes] | None = None
        self._starts, self._lengths = array("Q"), array("I")
        self._searched = 0
        self.current = -1
        self._wanted_from = 0
        self._timer = QTimer(view, interval=0)
        self._timer.timeout.connect(self._more)

    # ---- the bar

    def open(self) -> None:
        self.bar.show()
        self.arrange()
        self.bar.raise_()
        self.bar.field.setFocus()
        self.bar.field.selectAll()
        if self.bar.field.text():
            self.search(self.bar.field.text())

    def close(self) -> None:
        self.bar.hide()
        self.search("")
        self._view.setFocus()

    @property
    def is_open(self) -> bool:
        return not self.bar.isHidden()

    def arrange(self) -> None:
        port = self._view.viewport()
        self.bar.adjustSize()
        width = min(self.bar.width(), port.width() - 16)
        self.bar.setGeometry(port.width() - width - 8, theme().size("row.diffFileHeader") + 6, width, self.bar.height())

    # ---- searching

    def search(self, words: str) -> None:
        """Find words, without regard to case unless they have capitals."""
        self._starts, self._lengths = array("Q"), array("I")
        self._searched, self.current = 0, -1
        self._wanted_from = self._offset_at_top()
        flags = re.IGNORECASE if words == words.lower() else 0
        self._pattern = re.compile(re.escape(words.encode("utf-8", "surrogateescape")), flags) if words else None
        if self._pattern:
            self._more()
            if self._searched < len(self._view.index.data):
                self._timer.start()
        else:
            self._timer.stop()
        self._changed()

    def index_changed(self) -> None:
        """The diff was read again: find anew."""
        if self._pattern is not None:
            self.search(self.bar.field.text())

    def index_grew(self) -> None:
        """More can be searched."""
        if self._pattern is not None and self._searched < len(self._view.index.data):
            self._timer.start()

    @property
    def running(self) -> bool:
        return self._timer.isActive()

    def __len__(self) -> int:
        return len(self._starts)

    def _offset_at_top(self) -> int:
        view = self._view
        if not len(view.places):
            return 0
        row = view.row_at(view.geometry_index.place_at(view.scroll_top()))
        return view.index.offsets[row]

    def _more(self) -> None:
        index, pattern = self._view.index, self._pattern
        if pattern is None:
            return
        start = self._searched
        end = min(len(index.data), start + _SLICE)
        if end < len(index.data):
            end = index.data.rfind(b"\n", start, end) + 1 or len(index.data)
        offsets, kinds = index.offsets, index.kinds
        for match in pattern.finditer(bytes(memoryview(index.data)[start:end])):
            at = match.start() + start
            row = bisect_right(offsets, at) - 1
            # The header of a file is one row, whatever lines git wrote for it; the sign is no part of a line.
            if row >= 0 and kinds[row] in _LINES and (kinds[row] == Row.RAW or at > offsets[row]):
                self._starts.append(at)
                self._lengths.append(match.end() - match.start())
        self._searched = end
        if end >= len(index.data):
            self._timer.stop()  # started again when the index grows
        if self.current < 0 and self._starts and self._starts[-1] >= self._wanted_from:
            self._go(bisect_left(self._starts, self._wanted_from))
        elif self.current < 0 and self._starts and not self._timer.isActive():
            self._go(0)
        self._changed()

    def step(self, by: int) -> None:
        """To the next match (1) or the one before (-1), round the ends."""
        if self._starts:
            self._go((self.current + by) % len(self._starts))
            self._changed()

    def _go(self, number: int) -> None:
        view = self._view
        self.current = number
        row = bisect_right(view.index.offsets, self._starts[number]) - 1
        place = view.places.place_of(row)
        view.unfold(place)
        view.set_cursor(place)
        view.ensure_visible(place)
        self._show_column(row, number)

    def _show_column(self, row: int, number: int) -> None:
        view = self._view
        start, end = self._span(row, number)
        bar, char = view.horizontalScrollBar(), view.layouts.char
        room = view.columns.new.width
        if (end + 2) * char > bar.value() + room or start * char < bar.value():
            bar.setValue(int((start - 8) * char) if end * char > room else 0)

    def _span(self, row: int, number: int) -> Span:
        index = self._view.index
        begin = index.offsets[row] + (index.kinds[row] != Row.RAW)
        at, length = self._starts[number], self._lengths[number]
        before = index.data[begin:at].decode("utf-8", "replace")
        found = index.data[at : at + length].decode("utf-8", "replace")
        start = utf16_length(before)
        return start, start + utf16_length(found)

    def add_marks(self, pair: tuple[int, int], marks: dict[str, Marks]) -> None:
        """Matches of a place, for painting."""
        if not self._starts:
            return
        split = self._view.columns.split
        for side, row in (("old", pair[0]), ("new", pair[1])) if split else (("", pair[1]),):
            if row < 0:
                continue
            start = self._view.index.offsets[row]
            end = start + self._view.index.length(row)
            first = bisect_left(self._starts, start)
            last = bisect_left(self._starts, end)
            if first == last:
                continue
            mark = marks.setdefault(side, Marks())
            mark.found = [self._span(row, number) for number in range(first, last)]
            if first <= self.current < last:
                mark.current = mark.found[self.current - first]

    def _changed(self) -> None:
        self.bar.tell(len(self._starts), self.current, self._timer.isActive())
        self._view.viewport().update()


class FindBar(QFrame):
    """Floats at the top right of the diff."""

    def __init__(self, view: Surface, finder: Finder) -> None:
        super().__init__(view.viewport())
        self._finder = finder
        self.setObjectName("findBar")
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_NoMousePropagation)
        self.setBackgroundRole(QPalette.ColorRole.Window)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 4, 4, 4)
        row.setSpacing(2)
        self.field = _Field(self)
        self.hits = Label("", self, font="small", token="text.muted")
        self.hits.setMinimumWidth(72)
        self.hits.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        previous = IconButton("ph.caret-up", "Previous match", self, size="sm", keys="Shift+Return")
        following = IconButton("ph.caret-down", "Next match", self, size="sm", keys="Return")
        close = IconButton("ph.x", "Close find", self, size="sm", keys="Esc")
        for widget in (self.field, self.hits, previous, following, close):
            row.addWidget(widget)
        self.field.textChanged.connect(finder.search)
        previous.clicked.connect(self._back)
        following.clicked.connect(self._on)
        close.clicked.connect(finder.close)

    def tell(self, hits: int, current: int, running: bool) -> None:
        if not self.field.text():
            self.hits.setText("")
        elif not hits:
            self.hits.setText("Searching…" if running else "No match")
        else:
            self.hits.setText(f"{count(current + 1)} of {count(hits)}{'…' if running else ''}")

    def _back(self) -> None:
        self._finder.step(-1)

    def _on(self) -> None:
        self._finder.step(1)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self._finder.close()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_F3):
            self._finder.step(-1 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        with QPainter(self) as p:
            line, back = look.color("border.strong"), look.color("surface.overlay")
            painting.rounded(p, QRectF(self.rect()), look.size("radius.lg"), back, line)


class _Field(QLineEdit):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFrame(False)
        self.setProperty("kit", "bare")
        self.setPlaceholderText("Find in the diff")
        self.setAccessibleName("Find in the diff")
        self.setMinimumWidth(150)
