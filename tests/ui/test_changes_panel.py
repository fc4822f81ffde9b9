"""The Changes panel over fake services."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from posthog_code.domain.changes import Scope
from posthog_code.domain.errors import GitFailed
from posthog_code.domain.review import CommentState
from posthog_code.domain.state import Topic
from posthog_code.ui.diff.comments import CommentDraft, DraftCard
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.panels.changes import ChangesPanel
from posthog_code.ui.panels.changes.drafts import draft_key, from_text, to_text
from posthog_code.ui.panels.changes.review_bar import PreviewSheet
from tests.ui.diff_world import DIFF, SUBMIT, TASK, World, change_set, comment, long_diff

K = Qt.Key
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def open_panel(world: World, qtbot: QtBot) -> Callable[[], ChangesPanel]:
    def make() -> ChangesPanel:
        panel = ChangesPanel(world)  # type: ignore[arg-type]
        qtbot.addWidget(panel)
        panel.resize(900, 700)
        panel.set_task(TASK)
        panel.show()
        qtbot.waitUntil(lambda: not panel._loader.busy)
        return panel

    return make


def read_again(panel: ChangesPanel, world: World, qtbot: QtBot) -> None:
    world.state = replace(world.state, changes={TASK: change_set(world.changes.data)})
    world.tell(Topic("changes", TASK))
    qtbot.waitUntil(lambda: not panel._loader.busy)


def test_it_shows_the_list_and_the_diff(open_panel: Callable[[], ChangesPanel], world: World) -> None:
    panel = open_panel()
    assert panel.pages.currentWidget() is panel.splitter
    assert panel.toolbar.scope.text() == "All changes vs main"
    assert panel.toolbar.totals.accessibleName() == "7 files, 22 added, 7 removed"
    names = [entry.name for entry in panel.tree.model.entries]
    assert names[:3] == ["src/payments", "submitPayment.ts", "idempotency.ts"] and names[-1] == "CHANGELOG.md"
    assert len(panel.view.index.files) == 7 and panel.view.index.finished
    assert world.changes.watched == [TASK]
    panel.hide()
    assert world.changes.watched == []


def test_comments_do_not_scroll_a_diff_that_is_being_read(
    open_panel: Callable[[], ChangesPanel], world: World, qtbot: QtBot
) -> None:
    world.state = replace(world.state, comments={TASK: (comment(1, 28, "Match it"), comment(2, 900, "Gone"))})
    panel = open_panel()
    panel.resize(900, 300)
    panel.grab()
    assert panel.view.scroll_top() == 0
    assert panel.view.cards.place_of(world.state.comments[TASK][1].id) == 0  # below the header of its file


def test_no_changes_yet(open_panel: Callable[[], ChangesPanel], world: World, qtbot: QtBot) -> None:
    world.changes.data = b""
    panel = open_panel()
    assert panel.pages.currentWidget() is panel.empty and panel.empty.title.text() == "No changes yet."
    world.changes.data = DIFF
    read_again(panel, world, qtbot)
    assert panel.pages.currentWidget() is panel.splitter
    world.changes.data = b""
    read_again(panel, world, qtbot)
    assert panel.pages.currentWidget() is panel.empty


def test_an_error_can_be_tried_again(open_panel: Callable[[], ChangesPanel], world: World, qtbot: QtBot) -> None:
    world.changes.error = GitFailed("Git could not compare.", "Look at the log.")
    panel = open_panel()
    assert panel.empty.title.text() == "Git could not compare."
    world.changes.error = None
    retry = next(button for button in panel.empty.findChildren(Button) if button.text() == "Try again")
    QTest.mouseClick(retry, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.pages.currentWidget() is panel.splitter and not panel._loader.busy)
    world.changes.error = GitFailed("Git is busy.")
    world.state = replace(world.state, changes={})
    world.tell(Topic("changes", TASK))
    assert panel.pages.currentWidget() is panel.splitter  # the last known diff stays
    assert world.toasts.shown[-1][0] == "Git is busy."


def test_only_what_differs_is_read_again(open_panel: Callable[[], ChangesPanel], world: World, qtbot: QtBot) -> None:
    world.changes.data = DIFF + long_diff()
    panel = open_panel()
    view = panel.view
    place = view.places.place_of(view.index.find_line("long.py", "new", 423))
    view.scroll_to(place)
    view.set_cursor(place)
    before = view.geometry_index.top(place) - view.scroll_top()
    text = view.index.text(view.row_at(place))
    world.changes.data = world.changes.data.replace(b"no longer charges twice", b"charges once")
    read_again(panel, world, qtbot)
    assert world.changes.diffs == [(), ("CHANGELOG.md",)]
    assert b"charges once" in view.index.data and len(view.index.files) == 8
    assert view.index.text(view.row_at(view.cursor_place)) == text
    assert view.geometry_index.top(view.cursor_place) - view.scroll_top() == before
    count = len(world.changes.diffs)
    read_again(panel, world, qtbot)
    assert len(world.changes.diffs) == count  # nothing differs, nothing is read


def test_hidden_it_does_nothing(open_panel: Callable[[], ChangesPanel], world: World, qtbot: QtBot) -> None:
    panel = open_panel()
    panel.hide()
    count = len(world.changes.diffs)
    world.changes.data = DIFF + long_diff(3)
    world.tell(Topic("changes", TASK))
    assert len(world.changes.diffs) == count
    panel.show()
    qtbot.waitUntil(lambda: len(panel.view.index.files) == 8)
    assert world.changes.diffs[-1] == ("long.py",)


def test_comments_are_written_edited_discarded_and_sent(
    open_panel: Callable[[], ChangesPanel], world: World, qtbot: QtBot
) -> None:
    panel = open_panel()
    view = panel.view
    view.setFocus()
    view.set_cursor(view.places.place_of(view.index.find_line(SUBMIT, "new", 28)))
    QTest.keyClick(view, K.Key_C)
    card = view.findChild(DraftCard)
    assert card is not None
    QTest.keyClicks(card.editor, "Match the gateway")
    QTest.keyClick(card.editor, K.Key_Return, CTRL)
    (written,) = world.state.comments[TASK]
    assert (written.path, written.start, written.text) == (SUBMIT, 28, "Match the gateway")
    assert panel.review_bar.isVisible() and panel.review_bar.count.text() == "1 comment"
    assert panel.tree.model.comments == {SUBMIT: 1}
    QTest.mouseClick(panel.review_bar.discard, Qt.MouseButton.LeftButton)
    assert world.state.comments[TASK] == () and not panel.review_bar.isVisible()
    title, actions = world.toasts.shown[-1]
    assert title == "Discarded 1 comment." and actions[0][0] == "Undo"
    actions[0][1]()
    assert panel.review_bar.isVisible()
    QTest.keyClick(view, K.Key_Return, CTRL | SHIFT)
    assert world.reviews.sent == [("", None)] and not panel.review_bar.isVisible()
    assert world.state.comments[TASK][0].state is CommentState.SENT


def test_send_now_sends_one_comment_only(open_panel: Callable[[], ChangesPanel], world: World) -> None:
    world.state = replace(world.state, comments={TASK: (comment(1, 28, "pending"),)})
    panel = open_panel()
    panel.view.commentWritten.emit(CommentDraft(SUBMIT, "new", 25, 25, "code", "now"), True)
    assert world.reviews.sent == [("", ("c2",))]
    assert [c.state for c in world.state.comments[TASK]] == [CommentState.PENDING, CommentState.SENT]


def test_the_preview_sends_with_a_note(open_panel: Callable[[], ChangesPanel], world: World, qtbot: QtBot) -> None:
    world.state = replace(world.state, comments={TASK: (comment(1, 28, "Match it"),)})
    panel = open_panel()
    QTest.mouseClick(panel.review_bar.preview, Qt.MouseButton.LeftButton)
    sheet = panel.window().findChild(PreviewSheet)
    assert sheet is not None and "Match it" in sheet.text.toPlainText()
    sheet.note.setPlainText("All of it")
    assert sheet.text.toPlainText().startswith("All of it")
    QTest.mouseClick(sheet.send, Qt.MouseButton.LeftButton)
    assert world.reviews.sent == [("All of it", None)]


def test_drafts_survive_the_panel(open_panel: Callable[[], ChangesPanel], world: World) -> None:
    panel = open_panel()
    view = panel.view
    place = view.places.place_of(view.index.find_line(SUBMIT, "new", 28))
    view.cards.comment_on(place, place)
    card = view.findChild(DraftCard)
    assert card is not None
    QTest.keyClicks(card.editor, "half a thought")
    panel.hide()
    assert "half a thought" in world.state.drafts[draft_key(TASK)]
    again = open_panel()
    (draft,) = again.view.cards.draft_texts()
    assert draft.text == "half a thought" and draft.start == 28


def test_draft_texts_round_trip() -> None:
    draft = CommentDraft("a", "old", 1, 2, "x", "y")
    assert from_text(to_text([draft])) == (draft,)
    assert to_text([replace(draft, text=" ")]) == "" and from_text("") == () and from_text("[1]") == ()


def test_reverting_a_hunk_can_be_undone(open_panel: Callable[[], ChangesPanel], world: World) -> None:
    panel = open_panel()
    panel.view.setFocus()
    QTest.keyClick(panel.view, K.Key_J)
    QTest.keyClick(panel.view, K.Key_X)
    (patch,) = world.changes.reverted
    assert patch.startswith(b"diff --git a/src/payments/submitPayment.ts") and patch.count(b"@@ -") == 1
    title, actions = world.toasts.shown[-1]
    assert title == "Reverted 1 hunk in submitPayment.ts."
    actions[0][1]()
    assert world.changes.undone == ["token"]


def test_viewed_marks(open_panel: Callable[[], ChangesPanel], world: World, qtbot: QtBot) -> None:
    panel = open_panel()
    panel.view.setFocus()
    QTest.keyClick(panel.view, K.Key_V)
    assert world.state.viewed[TASK][SUBMIT] and panel.toolbar.viewed.accessibleName() == "1 of 7 files viewed"
    assert 0 in panel.view.geometry_index.folded and panel.tree.model.viewed == {SUBMIT: True}
    world.changes.data = DIFF.replace(b"charge(cart, { key })", b"charge(cart, key)")
    read_again(panel, world, qtbot)
    assert panel.toolbar.viewed.accessibleName() == "0 of 7 files viewed"
    assert panel.view.header_state(0).changed_since


def test_scopes(open_panel: Callable[[], ChangesPanel], world: World, qtbot: QtBot) -> None:
    panel = open_panel()
    world.changes.data = b""
    panel.toolbar.scopeChosen.emit(Scope.UNCOMMITTED)
    qtbot.waitUntil(lambda: panel.pages.currentWidget() is panel.empty)
    assert "uncommitted" in panel.empty.title.text() and panel.toolbar.scope.text() == "Uncommitted"
    world.changes.data = DIFF
    back = next(button for button in panel.empty.findChildren(Button) if button.text() == "Show all changes")
    QTest.mouseClick(back, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.pages.currentWidget() is panel.splitter)


def test_the_tree_filters_folds_and_opens(open_panel: Callable[[], ChangesPanel], world: World) -> None:
    panel = open_panel()
    panel.view.setFocus()
    QTest.keyClick(panel.view, K.Key_T)
    QTest.keyClicks(panel.tree.filter.edit, "change")
    assert [entry.name for entry in panel.tree.model.entries] == ["CHANGELOG.md"]
    QTest.keyClick(panel.tree.filter.edit, K.Key_Return)
    assert panel.view.hasFocus() and panel.view.index.files[panel.view.index.file_of(panel.view.cursor_place)].path == (
        "CHANGELOG.md"
    )
    panel.tree.filter.edit.clear()
    panel.tree.model.toggle("src/payments")
    assert panel.tree.model.entries[1].name == "assets"


def test_narrow_panels_have_a_chip_in_place_of_the_tree(open_panel: Callable[[], ChangesPanel]) -> None:
    panel = open_panel()
    assert panel.tree.isVisible() and not panel.files.isVisible()
    panel.resize(520, 600)
    assert not panel.tree.isVisible() and panel.files.isVisible()
    assert panel.files.text() == "submitPayment.ts  1 of 7"
    assert panel.minimumSizeHint().width() <= 520
    QTest.mouseClick(panel.files, Qt.MouseButton.LeftButton)
    popup: Any = panel._menus._popup
    assert len(popup.items()) == 7
    popup.chosen.emit("CHANGELOG.md")
    assert panel.view.index.file_of(panel.view.cursor_place) == 6


def test_split_is_kept_in_the_settings(open_panel: Callable[[], ChangesPanel], world: World) -> None:
    panel = open_panel()
    panel.view.setFocus()
    QTest.keyClick(panel.view, K.Key_S)
    assert world.state.settings.split_diff and not panel.view.split
    assert panel.toolbar.layout_choice.current() == "unified"  # what is shown: a half would be under 380 px
    assert world.toasts.shown[-1][0] == "Split needs a wider panel (F11)"
    panel.resize(1200, 700)
    assert panel.view.split and panel.toolbar.layout_choice.current() == "split"


def test_revert_comes_with_the_worktree_and_says_why_it_does_nothing(
    open_panel: Callable[[], ChangesPanel], world: World
) -> None:
    task = world.state.tasks[TASK]
    world.state = replace(world.state, tasks={TASK: replace(task, path="")})
    panel = open_panel()
    panel.view.setFocus()
    QTest.keyClick(panel.view, K.Key_X)
    assert not panel.view.revertible and not world.changes.reverted
    assert world.toasts.shown[-1][0] == "Nothing can be reverted here."
    world.state = replace(world.state, tasks={TASK: task})
    world.tell(Topic("task", TASK))
    assert panel.view.revertible


def test_everything_that_takes_the_focus_has_a_name(open_panel: Callable[[], ChangesPanel], world: World) -> None:
    world.state = replace(world.state, comments={TASK: (comment(1, 5, "Match it"),)})
    panel = open_panel()
    panel.view.finder.open()
    panel.view.cards.comment_on(3, 3)
    panel.grab()
    nameless = [
        widget
        for widget in panel.findChildren(QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and widget.isVisible()
        and widget.focusProxy() is None
        and not widget.accessibleName()
    ]
    assert nameless == []


def test_a_line_is_brought_into_view_once_it_is_read(
    open_panel: Callable[[], ChangesPanel], world: World, qtbot: QtBot
) -> None:
    world.changes.data = DIFF + long_diff()
    panel = ChangesPanel(world)  # type: ignore[arg-type]
    qtbot.addWidget(panel)
    panel.resize(900, 500)
    panel.set_task(TASK)
    panel.show_line("long.py", 423, "new")
    panel.show()
    qtbot.waitUntil(lambda: not panel._loader.busy and panel.view.cursor_place > 0)
    view = panel.view
    row = view.index.find_line("long.py", "new", 423)
    assert view.row_at(view.cursor_place) == row
    top = view.geometry_index.top(view.cursor_place) - view.scroll_top()
    assert 0 < top < view.viewport().height()
    # A line that is not in the diff: at least its file.
    panel.show_line(SUBMIT, 99_999, "new")
    assert view.current_file == SUBMIT


def test_another_task_before_the_reading_began(world: World, qtbot: QtBot) -> None:
    panel = ChangesPanel(world)  # type: ignore[arg-type]
    qtbot.addWidget(panel)
    starts: list[Any] = []
    world.actions.start = lambda name, run, **rest: starts.append(run)  # type: ignore[method-assign]
    panel._loader.open(TASK, Scope.ALL)
    panel._loader.open(None, Scope.ALL)
    with pytest.raises(StopIteration):
        starts[0]().send(None)
