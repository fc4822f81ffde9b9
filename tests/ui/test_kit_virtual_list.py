"""The virtual list keeps the reader's place and mounts only what is in sight."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from posthog_code.ui.kit import selection
from posthog_code.ui.kit.virtual_list import VirtualList
from posthog_code.ui.theme import apply_theme


class Rows:
    """Rows named by key; the true height differs from the estimate."""

    def __init__(self, count: int, height: int = 70) -> None:
        self.keys = [f"k{n}" for n in range(count)]
        self.heights = {key: height + (n * 37) % 90 for n, key in enumerate(self.keys)}
        self.bound: list[int] = []
        self.created = 0
        self.wide = False

    def count(self) -> int:
        return len(self.keys)

    def key(self, row: int) -> str:
        return self.keys[row]

    def kind(self, row: int) -> str:
        return "edit" if row % 5 == 0 else "label"

    def estimate(self, row: int, width: int) -> int:
        return 60

    def create(self, kind: str) -> QWidget:
        self.created += 1
        return QLineEdit() if kind == "edit" else QLabel()

    def bind(self, widget: QWidget, row: int, width: int) -> int:
        self.bound.append(row)
        widget.setProperty("key", self.keys[row])
        widget.setAccessibleName(self.keys[row])
        return self.heights[self.keys[row]] * (2 if self.wide and width < 400 else 1)

    def add(self, count: int = 1, height: int = 80, at: int | None = None) -> None:
        for _ in range(count):
            key = f"n{len(self.heights)}"
            self.keys.insert(len(self.keys) if at is None else at, key)
            self.heights[key] = height


@pytest.fixture
def view(qtbot: QtBot) -> Iterator[VirtualList]:
    made = VirtualList()
    qtbot.addWidget(made)
    made.resize(600, 500)
    made.show()
    qtbot.waitExposed(made)
    yield made


def fill(view: VirtualList, count: int = 300) -> Rows:
    rows = Rows(count)
    view.set_source(rows)
    view.flush()
    return rows


def middle(view: VirtualList) -> tuple[int, int]:
    """A row in the middle of the list and its top, after scrolling there."""
    view.scroll_to_row(150, 100)
    row = view.first_visible() + 1
    return row, view.row_rect(row)[0]


def assert_contiguous(view: VirtualList) -> None:
    """Mounted rows in sight stand below each other without gaps, and cover the view."""
    in_sight = [row for row in view.mounted_rows() if view.row_rect(row)[0] < view.viewport().height()]
    for row in in_sight:
        widget = view.widget_at(row)
        assert widget is not None
        assert (widget.y(), widget.height()) == view.row_rect(row)


def test_only_rows_in_sight_are_widgets(view: VirtualList) -> None:
    rows = fill(view, 5000)
    assert 5 <= len(view.mounted_rows()) <= 25
    before = rows.created
    for row in range(0, 4000, 400):
        view.scroll_to_row(row)
    assert rows.created <= before + 20
    assert len(view.mounted_rows()) <= 25
    assert_contiguous(view)


def test_recycled_rows_show_their_own_item(view: VirtualList) -> None:
    rows = fill(view)
    view.scroll_to_row(200)
    for row in view.mounted_rows():
        widget = view.widget_at(row)
        assert widget is not None
        assert widget.property("key") == rows.keys[row]
        assert view.row_of(widget) == row


def test_short_lists_start_at_the_top(view: VirtualList) -> None:
    rows = Rows(2)
    view.stick_to_bottom()
    view.set_source(rows)
    view.flush()
    assert view.row_rect(0)[0] == 12
    assert view.verticalScrollBar().maximum() == 0
    assert view.at_end()


def test_a_change_above_does_not_move_what_is_read(view: VirtualList) -> None:
    rows = fill(view)
    row, top = middle(view)
    for changed in (row - 2, row - 8, 3):
        rows.heights[rows.keys[changed]] += 400
        view.rows_changed(changed, changed)
    view.flush()
    assert view.row_rect(row)[0] == top
    assert_contiguous(view)


def test_a_row_that_opens_keeps_its_top(view: VirtualList) -> None:
    rows = fill(view)
    view.scroll_to_row(150, -30)
    rows.heights[rows.keys[150]] += 400
    view.rows_changed(150, 150)
    view.flush()
    assert view.row_rect(150)[0] == -30
    assert_contiguous(view)


def test_rows_added_and_removed_above_do_not_move_what_is_read(view: VirtualList) -> None:
    rows = fill(view)
    row, top = middle(view)
    key = rows.keys[row]
    rows.add(10, at=20)
    view.rows_inserted(20, 10)
    view.flush()
    assert rows.keys[row + 10] == key
    assert view.row_rect(row + 10)[0] == top
    del rows.keys[0:5]
    view.rows_removed(0, 5)
    view.flush()
    assert view.row_rect(row + 5)[0] == top
    assert_contiguous(view)


def test_reset_keeps_the_place_by_key(view: VirtualList) -> None:
    rows = fill(view)
    row, _ = middle(view)
    key = rows.keys[row]
    first = view.first_visible()
    first_top = view.row_rect(first)[0]
    first_key = rows.keys[first]
    widget = view.widget_at(row)
    rows.keys = [f"x{n}" for n in range(40)] + rows.keys
    rows.heights.update({f"x{n}": 33 for n in range(40)})
    view.reset()
    view.flush()
    found = rows.keys.index(first_key)
    assert view.row_rect(found)[0] == first_top
    assert view.widget_at(rows.keys.index(key)) is widget


def test_scrolling_up_over_unmeasured_rows_is_steady(view: VirtualList) -> None:
    fill(view)
    view.scroll_to_row(200)
    for _ in range(60):
        row = view.first_visible() + 1
        before = view.row_rect(row)[0]
        bar = view.verticalScrollBar()
        bar.setValue(bar.value() - 50)
        assert view.row_rect(row)[0] == before + 50
        assert_contiguous(view)


def test_the_end_is_followed_while_the_reader_is_there(view: VirtualList) -> None:
    rows = fill(view)
    view.stick_to_bottom()
    assert view.distance_to_end() == 0
    rows.add(3, height=140)
    view.rows_inserted(300, 3)
    view.flush()
    assert view.distance_to_end() == 0
    rows.heights[rows.keys[-1]] += 700
    view.rows_changed(302, 302)
    view.flush()
    assert view.distance_to_end() == 0
    bar = view.verticalScrollBar()
    bar.setValue(bar.value() - 40)
    rows.add()
    view.rows_inserted(303, 1)
    view.flush()
    assert view.distance_to_end() == 0


def test_away_from_the_end_nothing_moves_and_new_rows_are_counted(view: VirtualList, qtbot: QtBot) -> None:
    rows = fill(view)
    view.stick_to_bottom()
    counts: list[int] = []
    ends: list[bool] = []
    view.newBelow.connect(counts.append)
    view.atEndChanged.connect(ends.append)
    bar = view.verticalScrollBar()
    bar.setValue(bar.value() - 200)
    assert ends == [False]
    row = view.first_visible()
    top = view.row_rect(row)
    rows.add(2)
    view.rows_inserted(300, 2)
    rows.add()
    view.rows_inserted(302, 1)
    qtbot.waitUntil(lambda: counts == [2, 3])
    view.flush()
    assert view.row_rect(row) == top
    assert not view.at_end()
    view.scroll_to_end()
    assert counts[-1] == 0
    assert ends == [False, True]


def test_selected_text_is_not_scrolled_away(view: VirtualList) -> None:
    rows = fill(view)
    view.stick_to_bottom()
    last = view.widget_at(299)
    assert last is not None
    selection.take(last)
    try:
        row = view.first_visible()
        top = view.row_rect(row)
        rows.add(5, height=200)
        view.rows_inserted(300, 5)
        view.flush()
        assert view.row_rect(row) == top
        view.scroll_to_row(0)
        assert view.widget_at(299) is last
    finally:
        selection.drop(last)


def test_the_focused_row_stays_mounted(view: VirtualList) -> None:
    fill(view)
    view.activateWindow()
    view.scroll_to_row(100)
    edit = view.widget_at(100)
    assert isinstance(edit, QLineEdit)
    edit.setFocus()
    edit.setText("half a word")
    view.scroll_to_row(250)
    assert view.widget_at(100) is edit
    assert edit.isVisible()
    view.setFocus()
    view.scroll_to_row(0)
    assert 100 not in view.mounted_rows()


def test_another_width_measures_mounted_rows_only_and_keeps_the_place(view: VirtualList) -> None:
    rows = fill(view)
    row, _ = middle(view)
    first = view.first_visible()
    top = view.row_rect(first)[0]
    rows.wide = True
    rows.bound.clear()
    view.resize(380, 500)
    view.flush()
    assert len(rows.bound) <= 25
    assert view.row_rect(first)[0] == top
    assert_contiguous(view)
    assert view.column_width() == view.viewport().width() - 32
    view.resize(1200, 500)
    assert view.column_width() == 720
    widget = view.widget_at(row)
    assert widget is not None
    assert abs(widget.geometry().center().x() - view.viewport().width() // 2) <= 1


def test_rows_get_the_room_beside_the_scroll_bar_once_it_is_there(view: VirtualList, qtbot: QtBot) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    # The bars of the bare style float above the rows.
    apply_theme(app, "dark")
    rows = fill(view, 2)
    widget = view.widget_at(0)
    assert widget is not None
    assert widget.width() == view.viewport().width() - 32
    wide = widget.width()
    rows.add(20)
    view.rows_inserted(2, 20)
    qtbot.waitUntil(lambda: widget.width() < wide)
    assert widget.width() == view.viewport().width() - 32
    assert_contiguous(view)


def test_keys_scroll(view: VirtualList, qtbot: QtBot) -> None:
    fill(view)
    bar = view.verticalScrollBar()
    qtbot.keyClick(view, Qt.Key.Key_PageDown)
    assert bar.value() == view.viewport().height() - 40
    qtbot.keyClick(view, Qt.Key.Key_End)
    assert view.distance_to_end() == 0
    qtbot.keyClick(view, Qt.Key.Key_Home)
    assert bar.value() == 0
    qtbot.keyClick(view, Qt.Key.Key_Down)
    assert bar.value() == bar.singleStep()


def test_an_empty_list_and_one_that_becomes_empty(view: VirtualList) -> None:
    rows = fill(view, 0)
    assert view.mounted_rows() == []
    rows.add(4)
    view.rows_inserted(0, 4)
    view.flush()
    assert view.mounted_rows() == [0, 1, 2, 3]
    rows.keys.clear()
    view.reset()
    view.flush()
    assert view.mounted_rows() == []
    assert view.verticalScrollBar().maximum() == 0


def test_rows_are_list_items_for_screen_readers(view: VirtualList) -> None:
    fill(view)
    view.setAccessibleName("Conversation")
    told = QAccessible.queryAccessibleInterface(view)
    assert told.role() == QAccessible.Role.List
    assert told.childCount() == len(view.mounted_rows())
    child = told.child(1)
    assert child.role() == QAccessible.Role.ListItem
    assert child.text(QAccessible.Text.Name) == "k1"
    assert told.indexOfChild(child) == 1


def test_a_hundred_thousand_rows(view: VirtualList) -> None:
    rows = fill(view, 100_000)
    view.stick_to_bottom()
    assert view.distance_to_end() == 0
    assert max(rows.bound) == 99_999
    assert len(rows.bound) < 80
    rows.bound.clear()
    rows.heights[rows.keys[-1]] += 10
    view.rows_changed(99_999, 99_999)
    view.flush()
    assert len(rows.bound) <= 3


def test_heights_are_guessed_once_when_it_opens(qtbot: QtBot) -> None:
    class Counting(Rows):
        guesses = 0

        def estimate(self, row: int, width: int) -> int:
            self.guesses += 1
            return super().estimate(row, width)

    hidden, shown = Counting(200), Counting(200)
    view = VirtualList()
    qtbot.addWidget(view)
    view.resize(400, 300)
    view.set_source(hidden)
    assert hidden.guesses == 0
    view.show()
    qtbot.waitUntil(lambda: bool(view.mounted_rows()))
    assert hidden.guesses == 200
    view.set_source(shown)
    view.flush()
    assert shown.guesses == 200 and view.mounted_rows()
