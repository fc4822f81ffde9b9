"""The Logs panel: switches, search, the lines, and the raw event of one."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QKeyEvent, QKeySequence, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedLayout, QVBoxLayout, QWidget

from posthog_code.domain.ids import TaskId
from posthog_code.domain.logs import LogSource
from posthog_code.domain.state import Topic
from posthog_code.domain.text import count, plural
from posthog_code.ui import platform
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit import painting
from posthog_code.ui.kit.buttons import Button, IconButton
from posthog_code.ui.kit.empty import EmptyState
from posthog_code.ui.kit.inputs import SearchField
from posthog_code.ui.kit.labels import Label
from posthog_code.ui.panels.logs.chips import SourceBar
from posthog_code.ui.panels.logs.index import Lines, LogIndex, Search
from posthog_code.ui.panels.logs.raw_pane import RawPane
from posthog_code.ui.panels.logs.view import LogList, copy_of
from posthog_code.ui.theme import notifier, theme


class LogsPanel(QWidget):
    """Shows the log of one task. Everything in it can be rebuilt from the log itself."""

    KEYS = (
        ("J K", "Next, previous line"),
        ("Return", "The whole event"),
        ("/", "Search"),
        ("N P", "Next, previous match"),
        ("1…6", "Switch a source"),
        ("L", "Follow the end"),
    )
    """For the list of keys."""

    def __init__(self, ctx: UiContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ctx = ctx
        self._task_id: TaskId | None = None
        self._stale = False
        self._index = LogIndex()
        self._search = Search(self._index)
        self.sources = SourceBar(self)
        self.field = SearchField("Search the log", self, keys="/")
        self._hits = Label("", self, font="small", token="text.muted")
        self._previous = IconButton("ph.caret-up", "Previous match", self, size="sm", keys="Shift+Return")
        self._next = IconButton("ph.caret-down", "Next match", self, size="sm", keys="Return")
        self._follow = Button("Follow", self, icon="ph.arrow-line-down", keys="L")
        self._follow.setCheckable(True)
        self._follow.setChecked(True)
        self.list = LogList(self._index, self)
        self.raw = RawPane(self)
        self.raw.hide()
        self._empty = EmptyState(
            "ph.list-dashes", "No log lines yet", "What the agent, git and set-up do appears here."
        )
        self._nothing = EmptyState("ph.magnifying-glass", "No log line matches")
        self._build()
        self._connect()
        self._slice = QTimer(self)
        self._slice.setInterval(0)
        self._slice.timeout.connect(self._search_on)
        self._want_first = False

    def _build(self) -> None:
        self._bar = QWidget(self)
        row = QHBoxLayout(self._bar)
        row.setContentsMargins(10, 0, 10, 0)
        row.setSpacing(6)
        row.addWidget(self.field, 1)
        row.addWidget(self._hits)
        row.addWidget(self._previous)
        row.addWidget(self._next)
        row.addWidget(self._follow)
        body = QWidget(self)
        self._stack = QStackedLayout(body)
        self._stack.addWidget(self.list)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._nothing)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.sources)
        column.addWidget(self._bar)
        column.addWidget(body, 1)
        column.addWidget(self.raw)
        self._dress()
        self.setFocusProxy(self.list)

    def _connect(self) -> None:
        self.sources.changed.connect(self._on_sources)
        self.field.textChanged.connect(self._on_search)
        self.field.edit.installEventFilter(self)
        self.list.opened.connect(self._on_opened)
        self.list.selected.connect(self._on_selected)
        self.list.follow_changed.connect(self._follow.setChecked)
        self.list.installEventFilter(self)
        self._follow.toggled.connect(self.list.set_follow)
        self._previous.clicked.connect(lambda: self._step(False))
        self._next.clicked.connect(lambda: self._step(True))
        self.raw.closed.connect(self._on_raw_closed)
        self._ctx.bridge.changed.connect(self._on_changed)
        notifier().changed.connect(self._dress)

    def set_task(self, task_id: TaskId | None) -> None:
        """Shows another task's log, from its end."""
        if self._task_id is not None and self._task_id != task_id:
            self._ctx.services.logs.forget(self._task_id)
        self._task_id = task_id
        self.raw.hide()
        self.list.select(-1)
        self.list.set_follow(True)
        self._show_lines(None)
        if task_id is not None:
            self._ctx.actions.start(
                f"log.load {task_id}", lambda: self._ctx.services.logs.load(task_id), on_done=self._on_loaded
            )

    @property
    def badge(self) -> str:
        """What stands beside the tab's name."""
        return ""

    # state

    def _show_lines(self, lines: Lines | None) -> None:
        self._index.set_lines(lines)
        self._search.restart(0)
        self._refresh_all()

    def _on_loaded(self, _result: object) -> None:
        if self._task_id is not None:
            self._show_lines(self._ctx.services.logs.lines(self._task_id))

    def _on_changed(self, topics: frozenset[Topic]) -> None:
        if self._task_id is None or Topic("log", self._task_id) not in topics:
            return
        if self.isVisible():
            self._read_on()
        else:
            self._stale = True

    def _read_on(self) -> None:
        self._stale = False
        first = self._index.update()
        self._search.restart(first)
        self._refresh_all()

    def _refresh_all(self) -> None:
        self.sources.set_counts(self._index.counts)
        self.list.refresh()
        if self._search.done:
            self._show_hits()
        else:
            self._slice.start()
        self._show_body()

    def _show_body(self) -> None:
        needle = self.field.text()
        if needle and self._search.done and not self._search.hits:
            off = [chip.text() for chip in self.sources.chips if not chip.isChecked()]
            self._nothing.set_text("ph.magnifying-glass", f"No log line matches {needle}", _switched_off(off))
            everywhere = [("Search all sources", self._on_search_all)] if off else []
            self._nothing.set_actions([*everywhere, ("Clear", self._on_clear, "ghost")])
            self._stack.setCurrentWidget(self._nothing)
        elif not self._index.rows and not any(self._index.counts.values()):
            self._stack.setCurrentWidget(self._empty)
        else:
            self._stack.setCurrentWidget(self.list)

    # search

    def _on_search(self, text: str) -> None:
        self._search.start(text.strip())
        self.list.set_needle(self._search.needle)
        self._want_first = bool(self._search.needle)
        self._slice.start()

    def _search_on(self) -> None:
        done = self._search.step()
        if done:
            self._slice.stop()
        if self._want_first and self._search.hits:
            self._want_first = False
            line = self.list.line if self.list.line >= 0 else self._search.hits[-1] + 1
            here = self._search.next_from(line - 1, True) if self.list.line >= 0 else self._search.hits[0]
            if here is not None:
                self.list.select(here)
        self._show_hits()
        if done:
            self._show_body()

    def _show_hits(self) -> None:
        number, shown = len(self._search.hits), bool(self._search.needle)
        at = self._search.position(self.list.line)
        self._hits.setText(f"{count(at)} of {count(number)}" if number else "" if not shown else "0 of 0")
        for widget in (self._hits, self._previous, self._next):
            widget.setVisible(shown)
        self._previous.setEnabled(number > 0)
        self._next.setEnabled(number > 0)

    def _step(self, forward: bool) -> None:
        line = self._search.next_from(self.list.line, forward)
        if line is not None:
            self.list.select(line)
            if self.raw.isVisible():
                self._on_opened(line)

    def _on_search_all(self) -> None:
        self._want_first = True
        self.sources.switch_all_on()

    def _on_clear(self) -> None:
        self.field.setText("")
        self.list.setFocus()

    # lines

    def _on_sources(self, on: frozenset[LogSource]) -> None:
        self._index.set_sources(on)
        self._search.restart(0)
        self._refresh_all()

    def _on_selected(self, line: int) -> None:
        if self._search.needle:
            self._show_hits()
        if line >= 0 and self.raw.isVisible():
            self._show_raw(line)

    def _on_opened(self, line: int) -> None:
        self._show_raw(line)
        if not self.raw.isVisible():
            self.raw.show()
            self.list.select(line)

    def _show_raw(self, line: int) -> None:
        if self._task_id is not None:
            self.raw.show_line(self._ctx.services.logs.lines(self._task_id).line(line))

    def _on_raw_closed(self) -> None:
        self.raw.hide()
        self.list.setFocus()

    # keys

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            if watched is self.field.edit:
                return self._field_key(event)
            if watched is self.list:
                return self._list_key(event)
        return super().eventFilter(watched, event)

    def _field_key(self, event: QKeyEvent) -> bool:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._step(not event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            return True
        if (event.key() == Qt.Key.Key_Escape and not self.field.text()) or event.key() == Qt.Key.Key_Down:
            self.list.setFocus()
            return True
        return False

    def _list_key(self, event: QKeyEvent) -> bool:
        key = event.key()
        if event.matches(QKeySequence.StandardKey.Copy):
            if self.list.line >= 0:
                platform.copy_text(copy_of(self._index.brief_line(self.list.line)))
            return True
        if event.modifiers() not in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier):
            return False
        if Qt.Key.Key_1 <= key <= Qt.Key.Key_6:
            self.sources.switch(key - Qt.Key.Key_1)
        elif key == Qt.Key.Key_Slash:
            self.field.edit.setFocus(Qt.FocusReason.ShortcutFocusReason)
            self.field.edit.selectAll()
        elif key == Qt.Key.Key_L:
            self._follow.toggle()
        elif key in (Qt.Key.Key_N, Qt.Key.Key_P) and self._search.hits:
            self._step(key == Qt.Key.Key_N)
        elif key == Qt.Key.Key_Escape and self.raw.isVisible():
            self._on_raw_closed()
        else:
            return False
        return True

    def showEvent(self, event: object) -> None:
        if self._stale:
            self._read_on()

    def _dress(self) -> None:
        look = theme()
        self.sources.setFixedHeight(look.size("layout.panelToolbar"))
        self._bar.setFixedHeight(look.size("layout.panelToolbar"))
        self.raw.setFixedHeight(look.size("layout.logDetail"))

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), look.color("surface.panel"))
            for widget in (self.sources, self._bar):
                y = widget.geometry().bottom()
                painting.hairline(painter, 0, y, self.width(), y, look.color("border.subtle"))


def _switched_off(names: list[str]) -> str:
    if not names:
        return "All sources were searched."
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{plural(len(names), 'source is', 'sources are')} switched off: {listed}."
