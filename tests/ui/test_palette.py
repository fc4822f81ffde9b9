"""The command palette: finding by name, by kind, and by keys."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from posthog_code.ui.models.palette import ACTIONS, SETTINGS, TASKS, Entry, find, split_prefix
from posthog_code.ui.shell.main_window import MainWindow
from posthog_code.ui.shell.panels import Panels
from tests.ui.shell_world import context_of, world


class FakePanel(QLabel):
    def __init__(self, ctx: object, parent: object) -> None:
        super().__init__(parent)

    def set_task(self, task_id: object) -> None:
        pass


@pytest.fixture
def window(qtbot):
    ctx = context_of(world())
    window = MainWindow(ctx, Panels({"conversation": FakePanel, "changes": FakePanel}))
    window.ctx = ctx
    qtbot.addWidget(window)
    with qtbot.waitExposed(window):
        window.show()
    yield window
    ctx.bridge.close()


def titles(window: MainWindow, section: str = "") -> list[str]:
    entries = window.palette_sheet.rows.entries
    return [entry.title for entry in entries if not section or entry.section == section]


def test_it_finds_actions_tasks_and_settings(window):
    window.open_palette()
    field = window.palette_sheet.field
    field.setText("theme")
    assert titles(window, SETTINGS)[0] == "Theme"
    field.setText("vite")
    assert titles(window) == ["Upgrade Vite and drop legacy polyfills"]
    assert window.palette_sheet.rows.entries[0].keys == "Ctrl+2"
    field.setText("new t")
    assert titles(window)[0] == "New task"
    field.setText("no such thing at all")
    assert titles(window) == [] and window.palette_sheet._nothing.isVisible()


def test_a_prefix_lists_one_kind(window):
    window.open_palette("#")
    assert titles(window, TASKS) == titles(window) and len(titles(window)) == 10
    window.palette_sheet.field.setText(">")
    assert titles(window, ACTIONS) == titles(window)
    assert "Open task 1" not in titles(window), "one of nine numbered keys is no row"


def test_enter_runs_and_gives_the_focus_back(window):
    window.sidebar.list.setFocus()
    window.open_palette("quotes")
    field = window.palette_sheet.field
    QTest.keyClick(field, Qt.Key.Key_Down)
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert window.ctx.nav.place.task_id == "quotes"
    assert window.palette_sheet is None


def test_esc_closes_it_and_nothing_happens(window):
    window.open_palette("settings")
    QTest.keyClick(window.palette_sheet.field, Qt.Key.Key_Escape)
    assert window.palette_sheet is None and window.ctx.nav.place.page == "new_task"
    window.open_palette()
    window.open_palette()
    assert window.palette_sheet is not None, "a second one is never opened"


def test_arrows_go_round(window):
    window.open_palette(">")
    rows = window.palette_sheet.rows
    QTest.keyClick(window.palette_sheet.field, Qt.Key.Key_Up)
    assert rows.current == len(rows.entries) - 1
    QTest.keyClick(window.palette_sheet.field, Qt.Key.Key_Down)
    assert rows.current == 0


def test_disabled_actions_are_not_listed(window):
    window.ctx.nav.open_settings()
    window.open_palette(">archive")
    assert "Archive the task" not in titles(window)


def test_words_are_ranked_and_marked():
    entries = [
        Entry(ACTIONS, "Preview the card", lambda: None),
        Entry(ACTIONS, "Send review to agent", lambda: None),
        Entry(TASKS, "Revert it", lambda: None),
    ]
    hits = find(entries, "rev")
    assert [hit.title for hit in hits] == ["Send review to agent", "Preview the card", "Revert it"]
    assert hits[0].positions == (5, 6, 7)
    assert split_prefix("> rev ") == (ACTIONS, "rev")
    assert split_prefix("rev") == ("", "rev")


def test_keys_of_the_window_rest_while_a_dialog_is_open(window, qtbot):
    with qtbot.waitActive(window):
        window.activateWindow()
    window.ctx.nav.open_task("pay")
    window.open_palette()
    QTest.keyClick(window, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    assert window.ctx.nav.place.task_id == "pay"
    QTest.keyClick(window.palette_sheet.field, Qt.Key.Key_Escape)
    QTest.keyClick(window, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    assert window.ctx.nav.place.page == "new_task"
