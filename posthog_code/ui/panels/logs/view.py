"""The lines of a log, painted: the height of a row is fixed, so any number of them costs the same."""

from __future__ import annotations

import time

from PySide6.QtCore import QPoint, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QAccessible, QColor, QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractScrollArea, QWidget

from posthog_code.domain.logs import LogLine, LogSource
from posthog_code.ui.kit.a11y import set_role
from posthog_code.ui.panels.logs.index import LogIndex
from posthog_code.ui.theme import notifier, theme

SOURCE_TOKENS = {
    LogSource.AGENT: "status.running",
    LogSource.TOOLS: "status.merged",
    LogSource.GIT: "status.cloud",
    LogSource.SETUP: "status.success",
    LogSource.STDERR: "status.failed",
    LogSource.NETWORK: "text.muted",
}
_LEVEL_FILLS = {"error": "status.failedSoft", "warning": "status.waitingSoft"}
_PAD, _TEXT_END = 12, 12
_MAX_CHARS = 2000
"""Of a line that are painted; the raw event has all of it."""


class LogList(QAbstractScrollArea):
    """Rows of time, source and text. Selects one; follows the end until somebody scrolls up."""

    selected = Signal(int)
    """Line, or -1."""
    opened = Signal(int)
    follow_changed = Signal(bool)

    def __init__(self, index: LogIndex, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("logView")
        self.setAccessibleName("Logs")
        set_role(self, QAccessible.Role.List)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.viewport().setMouseTracking(True)
        self._index = index
        self._line = -1
        self._needle = ""
        self._hover = -1
        self._follow = True
        self._ranging = False
        self._widest = 0
        self.verticalScrollBar().valueChanged.connect(self._on_scrolled)
        notifier().changed.connect(self._on_theme)
        self._measure()

    @property
    def line(self) -> int:
        """The selected line, or -1."""
        return self._line

    @property
    def follow(self) -> bool:
        return self._follow

    def set_follow(self, on: bool) -> None:
        if on:
            self.verticalScrollBar().setValue(self.verticalScrollBar().maximum())
        if on != self._follow:
            self._follow = on
            self.follow_changed.emit(on)

    def set_needle(self, needle: str) -> None:
        self._needle = needle
        self.viewport().update()

    def refresh(self) -> None:
        """Shows what the index holds now; what is being read does not move."""
        self._set_ranges()
        if self._follow:
            self.verticalScrollBar().setValue(self.verticalScrollBar().maximum())
        self.viewport().update()

    def select(self, line: int, *, reveal: bool = True) -> None:
        """Selects a line and scrolls to it."""
        self._line = line
        if line >= 0 and reveal:
            row = self._index.row_of(line)
            height = self._row_height
            top, bar = row * height, self.verticalScrollBar()
            visible = self.viewport().height()
            if top < bar.value() or top + height > bar.value() + visible:
                self.set_follow(False)
                bar.setValue(max(0, top - visible // 2))
        if line >= 0:
            words = self._index.brief_line(line)
            place = f"{self._index.row_of(line) + 1} of {self._index.rows}"
            self.setAccessibleDescription(f"{words.source.value}: {words.text[:200]}, {place}")
        self.viewport().update()
        self.selected.emit(line)

    def row_rect(self, row: int) -> QRect:
        y = row * self._row_height - self.verticalScrollBar().value()
        return QRect(0, y, self.viewport().width(), self._row_height)

    # events

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        height = self._row_height
        offset = self.verticalScrollBar().value()
        first = max(0, (event.rect().top() + offset) // height)
        last = min(self._index.rows - 1, (event.rect().bottom() + offset) // height)
        shift = -self.horizontalScrollBar().value()
        widest = self._widest
        with QPainter(self.viewport()) as painter:
            painter.fillRect(event.rect(), look.color("surface.panel"))
            painter.setFont(look.font("code"))
            for row in range(first, last + 1):
                rect = self.row_rect(row)
                widest = max(widest, self._paint_row(painter, row, rect, shift))
        if widest > self._widest:
            self._widest = widest
            self._set_ranges()

    def _paint_row(self, painter: QPainter, row: int, rect: QRect, shift: int) -> int:
        look = theme()
        line = self._index.brief(row)
        selected = self._index.line_at(row) == self._line
        fill = "surface.selected" if selected else _LEVEL_FILLS.get(line.level, "")
        if not fill and row == self._hover:
            fill = "surface.hover"
        if fill:
            painter.fillRect(rect, look.color(fill))
        baseline = rect.top() + self._ascent
        x = _PAD + shift
        painter.setPen(look.color("text.muted"))
        painter.drawText(QPoint(x, baseline), clock(line.at))
        painter.setPen(look.color(SOURCE_TOKENS[line.source]))
        painter.drawText(QPoint(x + self._source_x, baseline), line.source.value)
        text = line.text[:_MAX_CHARS].replace("\t", "    ")
        text_x = x + self._text_x
        if self._needle:
            self._paint_hits(painter, text, text_x, rect, selected)
        painter.setPen(look.color("text.primary" if selected or line.level == "error" else "text.secondary"))
        painter.drawText(QPoint(text_x, baseline), text)
        if selected and self.hasFocus():
            painter.fillRect(QRect(0, rect.top(), 2, rect.height()), look.color("accent.default"))
        return self._text_x + _PAD + _TEXT_END + round(len(text) * self._char)

    def _paint_hits(self, painter: QPainter, text: str, x: int, rect: QRect, current: bool) -> None:
        metrics = painter.fontMetrics()
        token = "selection.matchCurrent" if current else "selection.match"
        color = QColor(theme().color(token))
        low, at = text.casefold(), 0
        # Letters that grow when folded would shift the marks; those lines are left without.
        while len(low) == len(text) and (at := low.find(self._needle, at)) >= 0:
            left = x + metrics.horizontalAdvance(text[:at])
            width = metrics.horizontalAdvance(text[at : at + len(self._needle)])
            painter.fillRect(QRectF(left - 1, rect.top() + 2, width + 2, rect.height() - 4), color)
            at += len(self._needle)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._set_ranges()
        if self._follow:
            self.verticalScrollBar().setValue(self.verticalScrollBar().maximum())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        row = self._row_at(event.position().toPoint().y())
        if event.button() is Qt.MouseButton.LeftButton and row >= 0:
            self.select(self._index.line_at(row), reveal=False)
            self.opened.emit(self._line)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._set_hover(self._row_at(event.position().toPoint().y()))

    def leaveEvent(self, event: object) -> None:
        self._set_hover(-1)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.viewport().update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        page = max(1, self.viewport().height() // self._row_height - 1)
        steps = {
            Qt.Key.Key_J: 1,
            Qt.Key.Key_Down: 1,
            Qt.Key.Key_K: -1,
            Qt.Key.Key_Up: -1,
            Qt.Key.Key_PageDown: page,
            Qt.Key.Key_PageUp: -page,
        }
        plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
        key = Qt.Key(event.key())
        if plain and key in steps and self._index.rows:
            self._move(steps[key])
        elif plain and key is Qt.Key.Key_Home and self._index.rows:
            self.select(self._index.line_at(0))
        elif plain and key is Qt.Key.Key_End:
            self.set_follow(True)
            if self._index.rows:
                self.select(self._index.line_at(self._index.rows - 1))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._line >= 0:
            self.opened.emit(self._line)
        else:
            event.ignore()

    def _move(self, step: int) -> None:
        last = self._index.rows - 1
        if self._line < 0:
            bottom = (self.verticalScrollBar().value() + self.viewport().height()) // self._row_height - 1
            row = min(last, max(0, bottom))
        else:
            row = max(0, min(last, self._index.row_of(self._line) + step))
        self.select(self._index.line_at(row))

    def _row_at(self, y: int) -> int:
        row = (y + self.verticalScrollBar().value()) // self._row_height
        return row if 0 <= row < self._index.rows else -1

    def _set_hover(self, row: int) -> None:
        if row != self._hover:
            for changed in (row, self._hover):
                if changed >= 0:
                    self.viewport().update(self.row_rect(changed))
            self._hover = row

    def _on_scrolled(self, value: int) -> None:
        at_end = value >= self.verticalScrollBar().maximum()
        if not at_end and self._follow and not self._ranging:
            self._follow = False
            self.follow_changed.emit(False)

    def _on_theme(self) -> None:
        self._measure()
        self.refresh()

    def _measure(self) -> None:
        look = theme()
        metrics = look.metrics("code")
        self._row_height = look.size("row.log")
        self._char = metrics.horizontalAdvance("0")
        self._ascent = round((self._row_height - metrics.height()) / 2 + metrics.ascent())
        self._source_x = round(self._char * 13.5)
        self._text_x = self._source_x + round(self._char * 9.5)
        self._widest = 0

    def _set_ranges(self) -> None:
        # A value that moves because the range did is nobody's scrolling.
        self._ranging = True
        bar = self.verticalScrollBar()
        bar.setRange(0, max(0, self._index.rows * self._row_height - self.viewport().height()))
        bar.setPageStep(self.viewport().height())
        bar.setSingleStep(self._row_height)
        self._ranging = False
        wide = self.horizontalScrollBar()
        wide.setRange(0, max(0, self._widest - self.viewport().width()))
        wide.setPageStep(self.viewport().width())


def clock(at: float) -> str:
    """ "13:46:41.207", local time."""
    return time.strftime("%H:%M:%S", time.localtime(at)) + f".{int(at * 1000) % 1000:03d}"


def copy_of(line: LogLine) -> str:
    return f"{clock(line.at)} {line.source.value} {line.text}"
