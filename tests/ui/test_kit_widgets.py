"""Buttons, fields, popups and dialogs by keyboard and mouse."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import shiboken6
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QScrollArea, QWidget
from pytestqt.qtbot import QtBot

from posthog_code.ui.kit import focus_ring
from posthog_code.ui.kit.buttons import Button, IconButton, SplitButton
from posthog_code.ui.kit.focus_ring import FocusRing
from posthog_code.ui.kit.inputs import MenuItem, SearchField, Segmented, Select, Switch, TextField
from posthog_code.ui.kit.overlay import PopupList, Sheet
from posthog_code.ui.kit.spinner import Spinner, arc_clock
from posthog_code.ui.kit.splitter import Splitter, _Grab
from posthog_code.ui.kit.tabs import Tab, TabStrip
from posthog_code.ui.kit.toast import ToastArea
from posthog_code.ui.theme import apply_theme

ITEMS = [MenuItem("a", "Alpha"), MenuItem("b", "Beta", reason="not now"), MenuItem(), MenuItem("c", "Gamma")]


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[QWidget]:
    made = QWidget()
    qtbot.addWidget(made)
    made.resize(900, 700)
    made.show()
    qtbot.waitExposed(made)
    made.activateWindow()
    yield made


def test_buttons_by_mouse_and_keys(window: QWidget, qtbot: QtBot) -> None:
    button = Button("Push", window, keys="Ctrl+P")
    button.show()
    pressed: list[bool] = []
    button.clicked.connect(lambda: pressed.append(True))
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.keyClick(button, Qt.Key.Key_Return)
    qtbot.keyClick(button, Qt.Key.Key_Space)
    assert len(pressed) == 3
    assert button.toolTip() == "Push (Ctrl+P)"
    button.set_loading(True, "Pushing…")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.keyClick(button, Qt.Key.Key_Return)
    assert len(pressed) == 3
    assert button.shown_text() == "Pushing…"


def test_icon_buttons_have_a_name_and_are_large_enough(window: QWidget) -> None:
    button = IconButton("ph.x", "Close panel", window, size="sm", keys="Esc")
    assert button.accessibleName() == "Close panel"
    assert button.toolTip() == "Close panel (Esc)"
    assert button.sizeHint().width() >= 24
    assert button.sizeHint().height() >= 24


def test_split_buttons_have_two_areas(window: QWidget, qtbot: QtBot) -> None:
    button = SplitButton("Create PR", window, kind="primary")
    button.resize(button.sizeHint())
    button.show()
    told: list[str] = []
    button.clicked.connect(lambda: told.append("main"))
    button.menuRequested.connect(lambda: told.append("menu"))
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton, pos=QPoint(20, 10))
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton, pos=button.arrow_rect().center())
    qtbot.keyClick(button, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    assert told == ["main", "menu", "menu"]


def test_fields_show_errors_and_escape_empties_a_search(window: QWidget, qtbot: QtBot) -> None:
    field = TextField("fix it", window, name="Branch")
    height = field.sizeHint().height()
    field.set_error("A branch name cannot contain spaces.")
    assert field.sizeHint().height() > height
    assert field.edit.accessibleDescription() == "A branch name cannot contain spaces."
    field.set_error("")
    assert field.sizeHint().height() == height
    search = SearchField("Filter files", window, keys="T")
    search.show()
    search.setFocus()
    qtbot.keyClicks(search.edit, "abc")
    qtbot.keyClick(search.edit, Qt.Key.Key_Escape)
    assert search.text() == ""


def test_a_select_is_chosen_from_by_keys(window: QWidget, qtbot: QtBot) -> None:
    select = Select(ITEMS, window, name="Mode")
    select.show()
    select.setFocus()
    with qtbot.waitSignal(select.changed) as chosen:
        qtbot.keyClick(select, Qt.Key.Key_Down)
        popup = window.findChild(PopupList)
        assert popup is not None
        assert popup.current() == "a"
        qtbot.keyClick(popup, Qt.Key.Key_Down)
        assert popup.current() == "c"
        qtbot.keyClick(popup, Qt.Key.Key_Return)
    assert chosen.args == ["c"]
    assert select.current() == "c"
    assert select.accessibleName() == "Mode: Gamma"
    assert select.hasFocus()


def test_popup_lists_filter_and_close(window: QWidget, qtbot: QtBot) -> None:
    anchor = Button("Menu", window)
    anchor.show()
    popup = PopupList(ITEMS, window, filterable=True)
    popup.popup(anchor)
    assert popup.filter.hasFocus()
    qtbot.keyClicks(popup.filter, "gam")
    assert [item.id for item in popup.items()] == ["c"]
    with qtbot.waitSignal(popup.chosen) as chosen:
        qtbot.keyClick(popup.filter, Qt.Key.Key_Return)
    assert chosen.args == ["c"]
    assert not popup.isVisible()
    popup.popup(anchor)
    qtbot.mouseClick(window, Qt.MouseButton.LeftButton, pos=QPoint(800, 650))
    assert not popup.isVisible()
    popup.popup(anchor)
    with qtbot.waitSignal(popup.closed):
        qtbot.keyClick(popup.filter, Qt.Key.Key_Escape)


def test_a_composers_popup_leaves_the_focus(window: QWidget, qtbot: QtBot) -> None:
    field = TextField("", window, name="Message")
    field.show()
    field.setFocus()
    popup = PopupList(ITEMS, window, takes_focus=False)
    popup.popup(field, above=True)
    assert field.edit.hasFocus()
    popup.close_popup()
    assert field.edit.hasFocus()


def test_popups_stay_inside_the_window(window: QWidget) -> None:
    anchor = Button("Menu", window)
    anchor.move(850, 660)
    anchor.show()
    popup = PopupList([MenuItem(str(n), f"Number {n}") for n in range(40)], window)
    popup.popup(anchor)
    box = popup.box().translated(popup.pos())
    assert window.rect().contains(box)
    assert box.bottom() <= anchor.y()


def test_switch_and_segments(window: QWidget, qtbot: QtBot) -> None:
    switch = Switch("Reduced motion", window)
    switch.show()
    with qtbot.waitSignal(switch.toggled):
        qtbot.keyClick(switch, Qt.Key.Key_Space)
    segments = Segmented([MenuItem("u", "Unified"), MenuItem("s", "Split")], window, name="View")
    segments.show()
    with qtbot.waitSignal(segments.changed) as changed:
        qtbot.keyClick(segments, Qt.Key.Key_Right)
    assert changed.args == ["s"]
    assert segments.accessibleName() == "View: Split"


def test_tabs_by_keys_and_mouse(window: QWidget, qtbot: QtBot) -> None:
    strip = TabStrip([Tab("c", "Changes", "7"), Tab("l", "Logs", enabled=False), Tab("f", "Files")], window)
    strip.resize(500, 38)
    strip.show()
    with qtbot.waitSignal(strip.changed) as changed:
        qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=strip.rects()[2].center().toPoint())
    assert changed.args == ["f"]
    qtbot.keyClick(strip, Qt.Key.Key_Home)
    assert strip.current() == "c"
    qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=strip.rects()[1].center().toPoint())
    assert strip.current() == "c"


def test_sheets_hold_the_focus_and_give_it_back(window: QWidget, qtbot: QtBot) -> None:
    before = TextField("", window, name="Before")
    before.show()
    before.setFocus()
    sheet = Sheet(window, "Create pull request")
    title = TextField("Fix it", name="Title")
    sheet.body.addWidget(title)
    cancel = sheet.add_button(Button("Cancel"))
    create = sheet.add_button(Button("Create PR", kind="primary"))
    sheet.open()
    assert title.edit.hasFocus()
    seen = set()
    for _ in range(8):
        focused = QApplication.focusWidget()
        assert focused is not None
        assert sheet.isAncestorOf(focused)
        seen.add(focused)
        qtbot.keyClick(focused, Qt.Key.Key_Tab)
    assert {title.edit, cancel, create} <= seen
    with qtbot.waitSignal(sheet.finished) as finished:
        qtbot.keyClick(sheet, Qt.Key.Key_Escape)
    assert finished.args == [None]
    assert before.edit.hasFocus()


def test_tab_in_a_sheet_leaves_the_rest_of_the_window_alive(window: QWidget, qtbot: QtBot) -> None:
    viewport = QScrollArea(window).viewport()
    sheet = Sheet(window, "Delete?")
    keep = sheet.add_button(Button("Keep"))
    delete = sheet.add_button(Button("Delete"))
    sheet.set_first_focus(keep)
    sheet.open()
    qtbot.keyClick(keep, Qt.Key.Key_Tab)
    assert delete.hasFocus()
    scrim = sheet.scrim
    with qtbot.waitSignal(scrim.destroyed):
        sheet.close_sheet(True)
    assert shiboken6.isValid(viewport)


def test_a_press_outside_closes_one_thing_at_a_time(window: QWidget, qtbot: QtBot) -> None:
    sheet = Sheet(window, "Settings")
    select = Select(ITEMS, name="Mode")
    sheet.body.addWidget(select)
    sheet.open()
    select.open()
    popup = window.findChild(PopupList)
    assert popup is not None
    qtbot.mouseClick(sheet.scrim, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    assert not popup.isVisible()
    assert sheet.is_open()
    qtbot.mouseClick(sheet.scrim, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    assert not sheet.is_open()


def test_a_sheet_closes_with_a_result_once(window: QWidget, qtbot: QtBot) -> None:
    sheet = Sheet(window, "Delete?", width="sm")
    results: list[object] = []
    sheet.finished.connect(results.append)
    sheet.open()
    sheet.close_sheet("delete")
    sheet.close_sheet("again")
    assert results == ["delete"]


def test_three_toasts_at_most_and_the_pointer_stops_the_time(window: QWidget, qtbot: QtBot) -> None:
    area = ToastArea(window)
    for number in range(5):
        area.show_toast(f"Toast {number}")
    assert [toast.title.text() for toast in area.toasts()] == ["Toast 2", "Toast 3", "Toast 4"]
    assert window.rect().contains(area.geometry().center())
    done: list[str] = []
    area.clear()
    toast = area.show_toast("Reverted 1 hunk", actions=[("Undo", lambda: done.append("undo"))], timeout=0.05)
    toast.enterEvent(None)  # type: ignore[arg-type]
    assert toast.paused()
    toast.leaveEvent(None)  # type: ignore[arg-type]
    assert not toast.paused()
    button = toast.findChildren(Button)[0]
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert done == ["undo"]
    assert area.toasts() == ()
    area.show_toast("Short", timeout=0.02)
    qtbot.waitUntil(lambda: area.toasts() == ())
    first = area.show_toast("Copying", key="copy", timeout=0)
    first.set_progress(0.5)
    area.show_toast("Copied", key="copy")
    assert [toast.title.text() for toast in area.toasts()] == ["Copied"]


def test_the_focus_ring_is_for_keys_only(window: QWidget, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    # What the test before this one did last may have been a key.
    monkeypatch.setattr(focus_ring, "_shown_by_keys", False)
    ring = FocusRing(window)
    one, two = Button("One", window), Button("Two", window)
    two.move(100, 40)
    one.show()
    two.show()
    one.setFocus()
    assert not ring.isVisible()
    qtbot.keyClick(one, Qt.Key.Key_Tab)
    two.setFocus()
    assert ring.isVisible()
    assert ring.geometry() == two.geometry().adjusted(-3, -3, 3, 3)
    two.move(120, 60)
    assert ring.geometry().center() == two.geometry().center()
    qtbot.mouseClick(two, Qt.MouseButton.LeftButton)
    assert not ring.isVisible()


def test_the_arc_clock_rests_while_nothing_turns(window: QWidget, qtbot: QtBot) -> None:
    spinner = Spinner(window)
    spinner.show()
    qtbot.waitUntil(lambda: arc_clock().running)
    spinner.hide()
    qtbot.waitUntil(lambda: not arc_clock().running)


def test_reduced_motion_keeps_arcs_still(window: QWidget, qtbot: QtBot) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    apply_theme(app, "dark", reduced_motion=True)
    try:
        spinner = Spinner(window)
        spinner.show()
        spinner.grab()
        qtbot.waitUntil(lambda: not arc_clock().running)
    finally:
        apply_theme(app, "dark")


def test_a_splitter_is_grabbed_beside_its_line_and_reset(window: QWidget, qtbot: QtBot) -> None:
    splitter = Splitter(Qt.Orientation.Horizontal, window)
    splitter.addWidget(QWidget())
    splitter.addWidget(QWidget())
    splitter.resize(600, 200)
    splitter.set_default_sizes([200, 399])
    splitter.show()
    qtbot.waitExposed(splitter)
    line = splitter.handle(1).x()
    grab = next(item for item in splitter.findChildren(_Grab) if item.isVisible())
    assert grab.width() == 7
    assert grab.geometry().center().x() == splitter.sizes()[0]
    qtbot.mousePress(grab, Qt.MouseButton.LeftButton, pos=QPoint(1, 50))
    qtbot.mouseMove(grab, QPoint(61, 50))
    qtbot.mouseRelease(grab, Qt.MouseButton.LeftButton, pos=QPoint(1, 50))
    assert splitter.handle(1).x() == line + 60
    qtbot.mouseDClick(grab, Qt.MouseButton.LeftButton)
    assert splitter.handle(1).x() == line
