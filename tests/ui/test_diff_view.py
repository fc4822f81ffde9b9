"""The diff view by mouse and keys."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAccessible, QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from posthog_code.domain.diff_index import DiffIndex, Row
from posthog_code.domain.review import CommentState
from posthog_code.ui.diff import hunkbar
from posthog_code.ui.diff.accessible import describe
from posthog_code.ui.diff.comments import CommentCard, CommentDraft, DraftCard
from posthog_code.ui.diff.feeder import Feeder
from posthog_code.ui.diff.header import layout_header
from posthog_code.ui.diff.view import DiffView
from tests.ui.diff_world import DIFF, NOW, SUBMIT, comment, index_of, long_diff

K = Qt.Key
SHIFT, CTRL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def view(qtbot: QtBot) -> DiffView:
    made = DiffView(now=lambda: NOW)
    qtbot.addWidget(made)
    made.resize(800, 600)
    made.set_index(index_of())
    made.show()
    qtbot.waitExposed(made)
    made.setFocus()
    return made


def place(view: DiffView, line: int, path: str = SUBMIT, side: str = "new") -> int:
    row = view.index.find_line(path, side, line)
    assert row >= 0
    return view.places.place_of(row)


def point(view: DiffView, at: int, x: int | None = None) -> QPoint:
    y = view.geometry_index.top(at) - view.scroll_top() + 10
    return QPoint(view.columns.new.code + 10 if x is None else x, y)


def press(view: DiffView, *keys: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    for key in keys:
        QTest.keyClick(view, key, modifiers)


def cursor_text(view: DiffView) -> str:
    return view.index.text(view.row_at(view.cursor_place))


def clipboard() -> str:
    return QGuiApplication.clipboard().text()


def test_hunks_and_files_by_keys(view: DiffView) -> None:
    press(view, K.Key_J)
    assert cursor_text(view).startswith("@@ -1,4")
    press(view, K.Key_J)
    assert cursor_text(view).startswith("@@ -22")
    press(view, K.Key_K)
    assert cursor_text(view).startswith("@@ -1,4")
    press(view, K.Key_J, modifiers=SHIFT)
    assert view.kind_at(view.cursor_place) == Row.FILE
    assert view.current_file == "src/payments/idempotency.ts"
    press(view, K.Key_K, modifiers=SHIFT)
    assert view.index.file_of(view.row_at(view.cursor_place)) == 0
    press(view, K.Key_G, modifiers=SHIFT)
    assert view.scroll_top() == view.verticalScrollBar().maximum()
    press(view, K.Key_G)
    assert view.scroll_top() == 0


def test_a_range_by_keys_is_copied_as_code_and_as_patch(view: DiffView) -> None:
    view.set_cursor(place(view, 24, side="old"), keyboard=True)
    press(view, K.Key_Down, modifiers=SHIFT)
    press(view, K.Key_C, modifiers=CTRL)
    assert clipboard() == "  attempt = 1,\n  session: CheckoutSession,"
    press(view, K.Key_C, modifiers=CTRL | SHIFT)
    patch = clipboard()
    assert patch.startswith("diff --git a/src/payments/submitPayment.ts")
    assert "-  attempt = 1," in patch and "+  session: CheckoutSession," in patch and "idempotencyKey(" not in patch
    press(view, K.Key_Escape)
    assert not view.selecting


def test_text_is_selected_by_the_mouse(view: DiffView) -> None:
    at = place(view, 2)
    char = view.layouts.char
    left = view.columns.new.code
    port = view.viewport()
    QTest.mousePress(port, Qt.MouseButton.LeftButton, pos=point(view, at, int(left + char * 9 + 1)))
    QTest.mouseMove(port, point(view, at, int(left + char * 18 + 1)))
    QTest.mouseRelease(port, Qt.MouseButton.LeftButton, pos=point(view, at, int(left + char * 18 + 1)))
    assert view.selecting.code() == "withRetry"
    press(view, K.Key_C, modifiers=CTRL)
    assert clipboard() == "withRetry"
    QTest.mouseDClick(port, Qt.MouseButton.LeftButton, pos=point(view, at, int(left + char * 22)))
    assert view.selecting.code() == "isTransient"


def test_a_comment_by_key_and_ctrl_enter(view: DiffView, qtbot: QtBot) -> None:
    view.set_cursor(place(view, 28), keyboard=True)
    press(view, K.Key_C)
    card = view.findChild(DraftCard)
    assert card is not None and card.isVisible() and not card.add.isEnabled()
    top = view.geometry_index.top(place(view, 28)) - view.scroll_top() + 20
    assert card.y() >= top and card.y() < top + 20
    QTest.keyClicks(card.editor, "jk why")  # letters in the editor are no commands
    assert card.text() == "jk why"
    with qtbot.waitSignal(view.commentWritten) as told:
        QTest.keyClick(card.editor, K.Key_Return, CTRL)
    draft, now = told.args
    assert (draft.path, draft.side, draft.start, draft.end, draft.text, now) == (SUBMIT, "new", 28, 28, "jk why", False)
    assert draft.code.strip() == "const prior = await claim(key, { ttl: '24h' });"
    assert not view.cards.drafts


def test_the_plus_button_and_dragging_over_lines(view: DiffView) -> None:
    port = view.viewport()
    first, last = place(view, 27), place(view, 29)
    QTest.mouseMove(port, point(view, first, 300))
    assert view.pointer.comment_place == first
    QTest.mousePress(port, Qt.MouseButton.LeftButton, pos=point(view, first, 8))
    QTest.mouseMove(port, point(view, last, 8))
    QTest.mouseRelease(port, Qt.MouseButton.LeftButton, pos=point(view, last, 8))
    (key,) = view.cards.drafts
    assert key == (SUBMIT, "new", 27, 29)
    card = view.findChild(DraftCard)
    assert card is not None
    QTest.keyClick(card.editor, K.Key_Escape)
    assert not view.cards.drafts and view.hasFocus()


def test_pending_comments_stand_below_their_line(view: DiffView, qtbot: QtBot) -> None:
    before = view.geometry_index.height
    view.set_comments([comment(1, 28, "Match it, or a slow retry charges again.")])
    qtbot.waitUntil(lambda: view.findChild(CommentCard) is not None and view.findChild(CommentCard).isVisible())
    card = view.findChild(CommentCard)
    assert card is not None
    line = place(view, 28)
    assert card.y() == view.geometry_index.top(line) + 20 + 8 - view.scroll_top()
    assert view.geometry_index.height == before + card.height() + 16
    assert view.geometry_index.top(line + 1) == view.geometry_index.top(line) + 20 + card.height() + 16
    with qtbot.waitSignal(view.commentDiscarded):
        QTest.mouseClick(card.discard, Qt.MouseButton.LeftButton)
    QTest.mouseClick(card.edit, Qt.MouseButton.LeftButton)
    editor = view.findChild(DraftCard)
    assert editor is not None
    QTest.keyClicks(editor.editor, "Shorter")
    with qtbot.waitSignal(view.commentEdited) as told:
        QTest.keyClick(editor.editor, K.Key_Return, CTRL)
    assert told.args == ["c1", "Shorter"]
    view.set_comments([])
    assert view.geometry_index.height == before


def test_the_hunk_bar(view: DiffView, qtbot: QtBot) -> None:
    port = view.viewport()
    at = place(view, 26)
    assert not hunkbar.areas(view)
    y_before = view.geometry_index.top(at)
    QTest.mouseMove(port, point(view, at, 300))
    areas = hunkbar.areas(view)
    assert set(areas) == {"comment", "revert"} and view.geometry_index.top(at) == y_before
    QTest.mouseMove(port, areas["revert"].center())
    with qtbot.waitSignal(view.revertAsked) as told:
        QTest.mouseClick(port, Qt.MouseButton.LeftButton, pos=areas["revert"].center())
    assert told.args[0].new == 23
    with qtbot.waitSignal(view.revertAsked):
        press(view, K.Key_X)


def test_the_file_header(view: DiffView, qtbot: QtBot) -> None:
    port = view.viewport()
    parts = layout_header(view.header_state(0), view.header_rect(0))
    with qtbot.waitSignal(view.viewedAsked) as told:
        QTest.mouseClick(port, Qt.MouseButton.LeftButton, pos=parts.viewed.center())
    assert told.args == [SUBMIT, True]
    QTest.mouseClick(port, Qt.MouseButton.LeftButton, pos=parts.copy.center())
    assert clipboard() == SUBMIT
    height = view.geometry_index.height
    QTest.mouseClick(port, Qt.MouseButton.LeftButton, pos=parts.fold.center())
    assert view.geometry_index.height < height and 0 in view.geometry_index.folded
    press(view, K.Key_Z)
    assert view.geometry_index.height == height
    with qtbot.waitSignal(view.menuAsked):
        QTest.mouseClick(port, Qt.MouseButton.LeftButton, pos=parts.menu.center())
    with qtbot.waitSignal(view.viewedAsked):
        press(view, K.Key_V)


def test_the_header_stays_on_top(view: DiffView) -> None:
    view.resize(800, 200)
    view.verticalScrollBar().setValue(200)
    assert view.header_rect(0).top() == 0
    below = view.geometry_index.file_header(1)
    view.verticalScrollBar().setValue(below - 10)
    assert view.header_rect(0).top() == 10 - 34


def test_find(view: DiffView, qtbot: QtBot) -> None:
    press(view, K.Key_F, modifiers=CTRL)
    assert view.finder.is_open
    QTest.keyClicks(view.finder.bar.field, "retry")
    assert len(view.finder) == 9 and view.finder.bar.hits.text().endswith("of 9")
    first = view.finder.current
    QTest.keyClick(view.finder.bar.field, K.Key_Return)
    assert view.finder.current == first + 1
    QTest.keyClick(view.finder.bar.field, K.Key_Return, SHIFT)
    QTest.keyClick(view.finder.bar.field, K.Key_Return, SHIFT)
    assert view.finder.current == (first - 1) % 9
    view.finder.bar.field.setText("Retry")
    assert len(view.finder) == 3  # capitals count
    view.finder.bar.field.setText("nowhere")
    assert view.finder.bar.hits.text() == "No match"
    QTest.keyClick(view.finder.bar.field, K.Key_Escape)
    assert not view.finder.is_open and view.hasFocus()


def test_split_shows_both_sides(view: DiffView) -> None:
    view.resize(1000, 600)
    view.set_split(True)
    assert view.split
    at = place(view, 25)
    old, new = view.places.pair(at)
    assert view.index.text(old) == "  attempt = 1," and view.index.text(new) == "  session: CheckoutSession,"
    port = view.viewport()
    gutter = view.columns.old.left + 10
    QTest.mousePress(port, Qt.MouseButton.LeftButton, pos=point(view, at, gutter))
    QTest.mouseRelease(port, Qt.MouseButton.LeftButton, pos=point(view, at, gutter))
    press(view, K.Key_C, modifiers=CTRL)
    assert clipboard() == "  attempt = 1,"
    press(view, K.Key_C)
    assert next(iter(view.cards.drafts))[:3] == (SUBMIT, "old", 24)
    view.resize(700, 600)
    assert not view.split and view.split_wanted
    view.resize(1000, 600)
    assert view.split


def test_wrapped_lines_take_more_room_and_keep_the_place(view: DiffView, qtbot: QtBot) -> None:
    view.resize(420, 300)
    press(view, K.Key_J, K.Key_J)
    row = view.row_at(view.geometry_index.place_at(view.scroll_top() + 40))
    view.set_wrap(True)
    view.grab()
    assert view.horizontalScrollBar().maximum() == 0
    assert view.row_at(view.geometry_index.place_at(view.scroll_top() + 40)) == row
    long = place(view, 27)
    view.grab()
    assert view.geometry_index.row_height(long) == 40


def test_reading_again_keeps_place_cursor_folds_and_drafts(view: DiffView) -> None:
    data = long_diff()
    view.set_index(index_of(DIFF + data))
    view.set_folded(0, True)
    at = place(view, 423, "long.py")
    view.set_cursor(at)
    view.scroll_to(at)
    view.set_drafts([CommentDraft("long.py", "new", 423, 423, "code", "half a thought")])
    view.grab()
    offset = view.geometry_index.top(at) - view.scroll_top()
    text = cursor_text(view)
    changed = DIFF + data.replace(b" part 3\n a = 1\n", b" part 3\n a = 1\n+one more\n+and more\n")
    view.set_index(index_of(changed))
    assert cursor_text(view) == text
    assert view.geometry_index.top(view.cursor_place) - view.scroll_top() == offset
    assert 0 in view.geometry_index.folded
    (draft,) = view.cards.draft_texts()
    assert draft.text == "half a thought"


def test_fed_in_slices_the_first_screen_comes_at_once(qtbot: QtBot) -> None:
    view = DiffView()
    qtbot.addWidget(view)
    index = DiffIndex()
    view.set_index(index)
    view.show()
    feeder = Feeder(index, view)
    feeder.advanced.connect(view.extend)
    data = long_diff(8000)
    with qtbot.waitSignal(feeder.finished):
        feeder.push(data)
        assert 0 < len(index) < 6000 and view.geometry_index.height > view.height()
        feeder.end()
    assert len(view.places) == len(index_of(data))
    assert view.geometry_index.height == view.geometry_index.top(len(view.places) - 1) + 20


def test_syntax_colours_arrive(view: DiffView, qtbot: QtBot) -> None:
    row = view.index.find_line(SUBMIT, "new", 1)
    view.grab()
    qtbot.waitUntil(lambda: view.syntax.runs(row) is not None, timeout=10_000)
    assert ("syntax.keyword") in {path for _, _, path in view.syntax.runs(row) or []}
    view.grab()
    assert view.layouts.layout(row).formats()


def test_screen_readers_hear_a_list(view: DiffView) -> None:
    view.set_comments([comment(1, 28, "Match it")])
    said = describe(view, place(view, 28))
    assert said == "added, line 28, const prior = await claim(key, { ttl: '24h' });, comment pending"
    assert describe(view, 0).startswith(f"{SUBMIT}, modified, 10 added, 4 removed")
    interface = QAccessible.queryAccessibleInterface(view)
    assert interface.role() == QAccessible.Role.List and interface.text(QAccessible.Text.Name) == "Changes"
    child = interface.child(1)
    assert child.role() == QAccessible.Role.ListItem
    assert child.text(QAccessible.Text.Name) == "hunk -1,4 +1,5"
    assert child.text(QAccessible.Text.Value) == f"2 of {len(view.places)}"
    assert interface.childCount() > 10 and interface.indexOfChild(child) == 1


def test_screen_readers_reach_the_comments(view: DiffView, qtbot: QtBot) -> None:
    view.set_comments([comment(1, 28, "Match it")])
    qtbot.waitUntil(lambda: view.findChild(CommentCard) is not None and view.findChild(CommentCard).isVisible())
    interface = QAccessible.queryAccessibleInterface(view)
    last = interface.child(interface.childCount() - 1)
    assert last.text(QAccessible.Text.Name) == "Comment, pending: Match it"
    assert interface.indexOfChild(last) == interface.childCount() - 1


def test_d_settles_what_was_sent(view: DiffView, qtbot: QtBot) -> None:
    view.set_comments([replace(comment(1, 28, "Match it"), state=CommentState.SENT)])
    press(view, K.Key_N)
    with qtbot.waitSignal(view.commentResolved) as told:
        press(view, K.Key_D)
    assert told.args == ["c1"]


def test_files_without_lines_say_why(view: DiffView) -> None:
    notes = [view.index.text(row) for row in range(len(view.index)) if view.index.kinds[row] == Row.NOTE]
    assert notes == [
        "Binary file, not shown",
        "Mode changed from 100644 to 100755",
        "Renamed from docs/old.md, contents unchanged",
    ]
    view.verticalScrollBar().setValue(view.verticalScrollBar().maximum())
    assert not view.grab().isNull()
