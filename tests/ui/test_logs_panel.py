"""The Logs panel: filters, search, following, and two hundred thousand lines."""

from __future__ import annotations

import time

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from posthog_code.domain.ids import TaskId
from posthog_code.domain.logs import LogLine, LogSource
from posthog_code.domain.state import Topic
from posthog_code.ui.panels.logs import LogsPanel
from posthog_code.ui.panels.logs.index import LogIndex, Search
from posthog_code.ui.panels.logs.raw_pane import pretty
from tests.ui.shell_world import NOW, FakeLog, context_of, log_lines, world

T = TaskId("audit")


@pytest.fixture
def panel(qtbot):
    ctx = context_of(world())
    ctx.services.logs.views[T] = FakeLog(log_lines(600))
    panel = LogsPanel(ctx)
    panel.ctx = ctx
    qtbot.addWidget(panel)
    panel.resize(740, 700)
    panel.set_task(T)
    with qtbot.waitExposed(panel):
        panel.show()
    yield panel
    ctx.bridge.close()


def search(qtbot, panel: LogsPanel, text: str) -> None:
    panel.field.setText(text)
    qtbot.waitUntil(lambda: panel._search.done and not panel._slice.isActive())


def test_sources_are_switched_by_their_numbers(panel):
    assert [chip._number for chip in panel.sources.chips] == [100] * 6
    panel.list.setFocus()
    QTest.keyClick(panel.list, Qt.Key.Key_6)
    assert panel._index.rows == 500
    assert LogSource.NETWORK not in panel.sources.sources()
    QTest.keyClick(panel.list, Qt.Key.Key_6)
    assert panel._index.rows == 600


def test_it_follows_until_somebody_scrolls_up(panel):
    bar, log = panel.list.verticalScrollBar(), panel.ctx.services.logs.views[T]
    assert bar.value() == bar.maximum() > 0
    log.append(LogLine(NOW + 1, LogSource.GIT, "one more"))
    panel.ctx.services.store.touch(Topic("log", T))
    panel.ctx.bridge.flush()
    assert panel._index.rows == 601 and bar.value() == bar.maximum()
    bar.setValue(100)
    assert not panel._follow.isChecked()
    log.append(LogLine(NOW + 2, LogSource.GIT, "and another"))
    panel.ctx.services.store.touch(Topic("log", T))
    panel.ctx.bridge.flush()
    assert bar.value() == 100, "what is being read does not move"
    QTest.keyClick(panel.list, Qt.Key.Key_L)
    assert bar.value() == bar.maximum()


def test_search_counts_and_steps(panel, qtbot):
    panel.list.setFocus()
    QTest.keyClick(panel.list, Qt.Key.Key_Slash)
    assert panel.field.edit.hasFocus()
    search(qtbot, panel, "line 59")
    assert panel._hits.text() == "1 of 11"
    QTest.keyClick(panel.field.edit, Qt.Key.Key_Return)
    assert panel._hits.text() == "2 of 11" and panel.list.line == 590
    QTest.keyClick(panel.field.edit, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClick(panel.field.edit, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert panel._hits.text() == "11 of 11", "it goes round"
    row = panel.list.row_rect(panel._index.row_of(panel.list.line))
    assert row.top() >= 0 and row.bottom() <= panel.list.viewport().height()


def test_nothing_found_offers_the_other_sources(panel, qtbot):
    panel.sources.switch(5)
    search(qtbot, panel, "line 599 ")
    assert panel._stack.currentWidget() is panel._nothing
    assert panel._nothing.title.text() == "No log line matches line 599 "
    assert panel._nothing.text.text() == "1 source is switched off: Network."
    panel._on_search_all()
    qtbot.waitUntil(lambda: panel._hits.text() == "1 of 1")
    assert panel._stack.currentWidget() is panel.list


def test_a_line_opens_its_raw_event(panel):
    panel.list.setFocus()
    panel.list.select(42)
    QTest.keyClick(panel.list, Qt.Key.Key_Return)
    assert panel.raw.isVisible() and panel.raw.text() == '{\n  "n": 42\n}'
    QTest.keyClick(panel.list, Qt.Key.Key_J)
    assert panel.raw.text() == '{\n  "n": 43\n}'
    QTest.keyClick(panel.list, Qt.Key.Key_Escape)
    assert not panel.raw.isVisible()


def test_hidden_it_only_remembers_that_it_is_stale(panel):
    panel.hide()
    panel.ctx.services.logs.views[T].append(LogLine(NOW, LogSource.GIT, "unseen"))
    panel.ctx.services.store.touch(Topic("log", T))
    panel.ctx.bridge.flush()
    assert panel._index.rows == 600
    panel.show()
    assert panel._index.rows == 601


def test_an_empty_log_says_so(panel):
    panel.set_task(TaskId("pay"))
    assert panel._stack.currentWidget() is panel._empty
    panel.set_task(None)
    assert panel._index.rows == 0


def test_two_hundred_thousand_lines_are_cheap(panel, qtbot):
    panel.ctx.services.logs.views[T] = FakeLog(log_lines(200_000))
    panel.set_task(T)
    panel.list.viewport().grab()
    started = time.perf_counter()
    panel.list.verticalScrollBar().setValue(1_000_000)
    panel.list.viewport().grab()
    assert time.perf_counter() - started < 0.1, "a screen costs the same at any length"
    log = panel.ctx.services.logs.views[T]
    log.append(LogLine(NOW, LogSource.GIT, "the last"))
    started = time.perf_counter()
    panel._read_on()
    assert time.perf_counter() - started < 0.05, "only what is new is read"


def test_lines_of_two_writers_may_overlap():
    log, index = FakeLog(log_lines(300)), LogIndex()
    index.set_lines(log)
    log.lines.insert(298, LogLine(NOW, LogSource.SETUP, "late"))
    index.update()
    assert index.rows == 301 and index.brief(298).text == "late"
    assert sum(index.counts.values()) == 301


def test_search_goes_on_where_lines_were_added():
    log, index = FakeLog(log_lines(5000)), LogIndex()
    index.set_lines(log)
    found = Search(index)
    found.start("LINE 4999")
    while not found.step(1000):
        pass
    assert list(found.hits) == [4999]
    log.append(LogLine(NOW, LogSource.GIT, "line 4999 again"))
    found.restart(index.update())
    while not found.step(1000):
        pass
    assert list(found.hits) == [4999, 5000]
    assert found.next_from(5000, True) == 4999


def test_raw_events_are_shown_as_they_are():
    assert pretty(LogLine(NOW, LogSource.GIT, "plain")) == "plain"
    assert pretty(LogLine(NOW, LogSource.GIT, "", data="{broken")) == "{broken"
    long = pretty(LogLine(NOW, LogSource.GIT, "", data="x" * 300_000))
    assert long.endswith("… 100,000 more characters")
