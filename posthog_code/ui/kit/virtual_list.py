"""A list of very many rows of different heights, of which only those in sight are widgets."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QFrame, QWidget

from posthog_code.ui.kit import a11y, selection
from posthog_code.ui.kit.row_pool import Anchor, RowSource
from posthog_code.ui.kit.row_stage import RowStage
from posthog_code.ui.theme import notifier

STICK_DISTANCE = 48
"""Nearer to the end than this many pixels the list follows what is added."""
_PASSES = 5


class VirtualList(QAbstractScrollArea):
    """Mounts the rows in sight, recycles the others, and keeps the reader's place.

    After a change of the source call `rows_inserted`, `rows_removed`, `rows_changed` or `reset`; the work is done once
    before the next paint, or at once by `flush`.
    """

    atEndChanged = Signal(bool)
    newBelow = Signal(int)
    """Rows that were added below while the reader was elsewhere; 0 once the end is in sight."""
    scrolled = Signal()

    def __init__(self, parent: QWidget | None = None, *, max_width: int = 720, padding: int = 16) -> None:
        super().__init__(parent)
        self._source: RowSource | None = None
        self._stage = RowStage(self.viewport())
        self._max_width, self._padding = max_width, padding
        self._top_padding = self._bottom_padding = 12
        self._anchor: Anchor | None = None
        self._follow = False
        self._at_end = True
        self._new_below = 0
        self._dirty = self._busy = self._posted = False
        a11y.install()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.verticalScrollBar().setSingleStep(24)
        notifier().changed.connect(self.relayout)

    # -- what the owner tells

    def set_source(self, source: RowSource | None) -> None:
        """Show another source from its top, or from its end when the list follows the end."""
        self._stage.release_all()
        self._source = source
        self._set_new_below(0)
        self._stage.clear()
        self._anchor = None
        self._at_end = True
        self.verticalScrollBar().setValue(0)
        if source is not None and self.isVisible():
            self._stage.fill(source, self.column_width())
            self._stage.set_width(self.column_width())
        elif source is not None:
            # Guessing many heights costs: it waits until the list has the width that it is shown at.
            self._stage.count_only(source)
        if source is None:
            self.verticalScrollBar().setRange(0, 0)
        self._anchor = Anchor(0, self._top_padding, at_end=self._follow)
        self._later()

    def set_padding(self, top: int, bottom: int) -> None:
        """Room above the first and below the last row."""
        self._take_anchor()
        self._top_padding, self._bottom_padding = top, bottom
        self._later()

    def set_column(self, max_width: int, padding: int) -> None:
        """The widest a row may be (0 for no limit), and the least room at its sides."""
        self._max_width, self._padding = max_width, padding
        self._take_anchor()
        self._later()

    def rows_inserted(self, first: int, count: int) -> None:
        source = self._source
        if source is None or count <= 0:
            return
        self._take_anchor()
        end = len(self._stage.index)
        width = self.column_width()
        heights = [source.estimate(row, width) for row in range(first, first + count)]
        if first == end:
            for height in heights:
                self._stage.index.append(height)
        else:
            self._stage.index.insert(first, heights)
            self._stage.shift(first, count)
            if self._anchor is not None and self._anchor.row >= first:
                self._anchor.row += count
        if first == end and not self._at_end:
            self._set_new_below(self._new_below + count)
        self._later()

    def rows_removed(self, first: int, count: int) -> None:
        if count <= 0:
            return
        self._take_anchor()
        for row in range(first, first + count):
            self._stage.drop(row)
        self._stage.index.remove(first, count)
        self._stage.shift(first, -count)
        anchor = self._anchor
        if anchor is not None and anchor.row >= first:
            anchor.row = max(first - 1, 0) if anchor.row < first + count else anchor.row - count
        self._later()

    def rows_changed(self, first: int, last: int) -> None:
        """Rows `first` to `last` (inclusive) show something else, perhaps at another height."""
        source = self._source
        if source is None:
            return
        self._take_anchor()
        width = self.column_width()
        for row in range(max(0, first), min(last, len(self._stage.index) - 1) + 1):
            item = self._stage.get(row)
            if item is not None:
                item.stale = True
            else:
                self._stage.index.set(row, source.estimate(row, width))
        self._later()

    def reset(self) -> None:
        """Everything may have changed. The row at the top of the view keeps its place if it still exists."""
        source = self._source
        if source is None:
            return
        self._take_anchor()
        anchor = self._anchor
        key = ""
        item = self._stage.get(anchor.row) if anchor is not None and not anchor.at_end else None
        if item is not None:
            key = item.key
        self._stage.park()
        self._stage.fill(source, self.column_width())
        if key and anchor is not None:
            anchor.row = self._stage.row_of_key(source, key, anchor.row)
        self._later()

    def relayout(self) -> None:
        """Heights of all rows may have changed, e.g. by another text size."""
        self.reset()

    # -- where the reader is

    def stick_to_bottom(self, on: bool = True) -> None:
        """Follow the end: go there, and stay there while the reader is within 48 px of it and has nothing selected."""
        self._follow = on
        if on:
            self.scroll_to_end()

    def at_end(self) -> bool:
        return self._at_end

    def distance_to_end(self) -> int:
        """Pixels that are still below the view."""
        bar = self.verticalScrollBar()
        return bar.maximum() - bar.value()

    def scroll_to_end(self) -> None:
        self._anchor = Anchor(max(0, len(self._stage.index) - 1), 0, at_end=True)
        self.flush()

    def scroll_to_row(self, row: int, offset: int = 0) -> None:
        """Put the top of a row `offset` pixels below the top of the view."""
        if 0 <= row < len(self._stage.index):
            self._anchor = Anchor(row, offset)
            self.flush()

    def first_visible(self) -> int:
        """The row at the top of the view, -1 when there are none."""
        return self._stage.index.row_at(self.verticalScrollBar().value() - self._top_padding)

    def row_rect(self, row: int) -> tuple[int, int]:
        """Top (in the viewport) and height of a row, estimated where it was never in sight."""
        top = self._top_padding + self._stage.index.offset_of(row) - self.verticalScrollBar().value()
        return top, self._stage.index.height(row)

    def widget_at(self, row: int) -> QWidget | None:
        """The widget of a mounted row."""
        item = self._stage.get(row)
        return item.widget if item else None

    def row_of(self, widget: QWidget) -> int:
        """The row a widget, or a part of one, belongs to; -1 when it is not mounted."""
        return self._stage.row_of(widget)

    def mounted_rows(self) -> list[int]:
        return list(self._stage)

    def mounted_widgets(self) -> list[QWidget]:
        """The widgets of the mounted rows, from the top."""
        return [item.widget for row in self._stage if (item := self._stage.get(row)) is not None]

    def ensure_visible(self, widget: QWidget) -> None:
        """Scroll as little as needed to show a part of a mounted row."""
        top = widget.mapTo(self.viewport(), widget.rect().topLeft()).y()
        bottom = top + widget.height()
        bar = self.verticalScrollBar()
        if top < 0 or widget.height() > self.viewport().height():
            bar.setValue(bar.value() + top - 8)
        elif bottom > self.viewport().height():
            bar.setValue(bar.value() + bottom - self.viewport().height() + 8)

    def column_width(self) -> int:
        """Width that rows get."""
        room = self.viewport().width() - 2 * self._padding
        return max(1, min(room, self._max_width) if self._max_width else room)

    def flush(self) -> None:
        """Do now what is due before the next paint."""
        self._dirty = True
        self._sync()

    # -- Qt

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest and self._posted:
            self._posted = False
            if self._dirty:
                self._sync()
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size() != event.oldSize() and not self._busy:
            self._take_anchor()
            self.flush()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.flush()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        if self._busy:
            return
        if self._anchor is not None:
            # A change waits to be laid out: move what was agreed on instead of reading a position that is out of date.
            self._anchor = None if self._anchor.at_end else Anchor(self._anchor.row, self._anchor.y + dy)
        else:
            self._anchor = self._visible_anchor()
        self._dirty = True
        self._sync()
        self.scrolled.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        bar = self.verticalScrollBar()
        page = max(24, self.viewport().height() - 40)
        steps = {
            Qt.Key.Key_PageUp: -page,
            Qt.Key.Key_PageDown: page,
            Qt.Key.Key_Up: -bar.singleStep(),
            Qt.Key.Key_Down: bar.singleStep(),
        }
        key = Qt.Key(event.key())
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            event.ignore()
        elif key in steps:
            bar.setValue(bar.value() + steps[key])
        elif key == Qt.Key.Key_Home:
            self.scroll_to_row(0, self._top_padding)
        elif key == Qt.Key.Key_End:
            self.scroll_to_end()
        else:
            event.ignore()

    def focusNextPrevChild(self, forward: bool) -> bool:
        moved = super().focusNextPrevChild(forward)
        focused = QApplication.focusWidget()
        if focused is not None and self.viewport().isAncestorOf(focused):
            self.ensure_visible(focused)
        return moved

    # -- layout

    def _later(self) -> None:
        self._dirty = True
        if not self._posted and self.isVisible():
            self._posted = True
            QCoreApplication.postEvent(self, QEvent(QEvent.Type.LayoutRequest))

    def _take_anchor(self) -> None:
        """Agree, before anything moves, on what stays where it is."""
        if self._anchor is None and self._source is not None:
            if self._follow and self._at_end and not self._has_selection():
                self._anchor = Anchor(max(0, len(self._stage.index) - 1), 0, at_end=True)
            else:
                self._anchor = self._visible_anchor()

    def _visible_anchor(self) -> Anchor | None:
        """The first row in sight that was measured, so that guesses above it cannot move it."""
        value = self.verticalScrollBar().value()
        row = self.first_visible()
        if row < 0:
            return None
        top, _ = self.row_rect(row)
        first = Anchor(row, top)
        bottom = self.viewport().height()
        while row < len(self._stage.index) and top < bottom:
            if self._stage.measured(row):
                return Anchor(row, top)
            top += self._stage.index.height(row)
            row += 1
        if value == 0:
            first.y = self._top_padding
        return first

    def _has_selection(self) -> bool:
        owner = selection.owner()
        return owner is not None and self.isAncestorOf(owner)

    def _sync(self) -> None:
        if not self._stage.is_alive():
            # Qt takes a window down from its leaves: the list may hear of a scroll when its viewport is gone.
            return
        if self._busy or self._source is None or not self.isVisible():
            return
        self._busy = True
        try:
            self._take_anchor()
            anchor, self._anchor, self._dirty = self._anchor, None, False
            self._check_width()
            if anchor is not None and len(self._stage.index):
                self._lay_out(self._source, anchor)
            else:
                self._stage.release_all()
                self.verticalScrollBar().setRange(0, 0)
        finally:
            self._busy = False
        self._after()

    def _check_width(self) -> None:
        width = self.column_width()
        if width == self._stage.width:
            return
        if not self._stage.width:
            # Now the list has a size to guess for.
            self._stage.fill(self._source, width)
        self._stage.set_width(width)

    def _lay_out(self, source: RowSource, anchor: Anchor) -> None:
        bar = self.verticalScrollBar()
        view = self.viewport().height()
        value = bar.value()
        wanted = range(0)
        for _ in range(_PASSES):
            wanted = self._stage.mount_around(source, anchor, view, self._bottom_padding)
            content = self._top_padding + self._stage.index.total + self._bottom_padding
            maximum = max(0, content - view)
            asked = self._top_padding + self._stage.index.offset_of(anchor.row) - anchor.y
            value = max(0, min(asked, maximum))
            bar.setRange(0, maximum)
            bar.setPageStep(view)
            if value == asked:
                break
            # The anchor cannot be where it was (an end of the list is in the way): start from where the view ends up.
            row = self._stage.index.row_at(value - self._top_padding)
            anchor = Anchor(row, self._top_padding + self._stage.index.offset_of(row) - value)
        bar.setValue(value)
        self._stage.keep_only(wanted)
        self._stage.place(self._top_padding - value)

    def _after(self) -> None:
        at_end = self.distance_to_end() <= STICK_DISTANCE
        if at_end:
            self._set_new_below(0)
        if at_end != self._at_end:
            self._at_end = at_end
            self.atEndChanged.emit(at_end)

    def _set_new_below(self, count: int) -> None:
        if count != self._new_below:
            self._new_below = count
            self.newBelow.emit(count)
