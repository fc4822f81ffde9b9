"""Finding what needs a person, a file, a key; and sending the review from anywhere in a task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from posthog_code.domain.changes import ChangedFile, ChangeSet, FileState, Scope
from posthog_code.domain.ids import CommentId, TaskId
from posthog_code.domain.review import Comment
from posthog_code.domain.session import SessionPhase
from posthog_code.domain.state import AppState, Topic
from posthog_code.ui.models.task_list import TaskRow, waiting_count
from posthog_code.ui.models.task_view import needs_you
from posthog_code.ui.shell.key_list import KeyList
from posthog_code.ui.shell.main_window import MainWindow
from posthog_code.ui.shell.panels import Panels
from tests.ui.shell_world import ToastNotes, context_of, world

PAY, VITE, ORDERS = TaskId("pay"), TaskId("vite"), TaskId("orders")
WAITING = {"pay", "vite", "quotes", "currency", "audit"}
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


class Panel(QWidget):
    KEYS = (("J K", "Next, previous hunk"),)

    def __init__(self, ctx: object, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.task: TaskId | None = None
        self.shown: list[tuple[str, int, str]] = []

    def set_task(self, task_id: TaskId | None) -> None:
        self.task = task_id

    def show_line(self, path: str, line: int, side: str) -> None:
        assert self.task is not None
        self.shown.append((path, line, side))


class Reviews:
    def __init__(self) -> None:
        self.sent: list[tuple[TaskId, str]] = []

    async def send(self, task_id: TaskId, note: str) -> bool:
        self.sent.append((task_id, note))
        return False


Shown = tuple[MainWindow, Any]


@pytest.fixture
def opened(qtbot: QtBot) -> Iterator[Any]:
    made: list[Any] = []

    def make(state: AppState | None = None, width: int = 1440) -> Shown:
        ctx = context_of(state or world())
        ctx.services.reviews = Reviews()  # type: ignore[attr-defined,assignment]
        window = MainWindow(ctx, Panels(dict.fromkeys(("conversation", "changes", "logs", "pull_request"), Panel)))
        window.resize(width, 900)
        qtbot.addWidget(window)
        made.append(ctx)
        with qtbot.waitExposed(window):
            window.show()
        return window, ctx

    yield make
    for ctx in made:
        ctx.bridge.close()


def listed(window: MainWindow) -> set[str]:
    return {row.task_id for row in window.sidebar.rows if isinstance(row, TaskRow)}


def test_needs_you_lists_only_what_waits(opened: Any) -> None:
    window, ctx = opened()
    assert waiting_count(ctx.state) == len(WAITING) == window.sidebar.needs.count()
    QTest.mouseClick(window.sidebar.needs, Qt.MouseButton.LeftButton)
    assert listed(window) == WAITING
    # The one in view stays, also when it needs nobody any more.
    ctx.nav.open_task(ORDERS)
    assert listed(window) == WAITING | {"orders"}
    QTest.keyClick(window, Qt.Key.Key_Y, CTRL | SHIFT)
    assert len(listed(window)) > len(WAITING) + 1


def test_an_interrupted_turn_needs_you_and_a_running_one_does_not(opened: Any) -> None:
    state = world()
    session = state.session_of(ORDERS)
    assert session is not None and not needs_you(state, ORDERS)
    interrupted = replace(session, phase=SessionPhase.INTERRUPTED)
    assert needs_you(replace(state, sessions={**state.sessions, session.id: interrupted}), ORDERS)


def test_nobody_waits(opened: Any) -> None:
    state = world()
    window, _ = opened(replace(state, tasks={}, sessions={}))
    QTest.mouseClick(window.sidebar.needs, Qt.MouseButton.LeftButton)
    assert window.sidebar._nobody.isVisible() and not window.sidebar.list.isVisible()
    QTest.mouseClick(window.sidebar.needs, Qt.MouseButton.LeftButton)
    assert window.sidebar.list.isVisible()


def test_ctrl_j_goes_through_what_needs_you(opened: Any) -> None:
    window, ctx = opened()
    seen = set()
    for _ in WAITING:
        QTest.keyClick(window, Qt.Key.Key_J, CTRL)
        seen.add(ctx.nav.task_id)
    assert seen == WAITING


def test_a_place_with_a_line_reaches_the_panel(opened: Any) -> None:
    window, ctx = opened()
    ctx.nav.open_file(PAY, "src/a.ts", 28)
    changes = window.task_page.panel("changes")
    assert changes.task == PAY and changes.shown == [("src/a.ts", 28, "new")]
    ctx.nav.open_task(VITE)
    ctx.nav.back()
    # Coming back finds the diff as it was left.
    assert ctx.nav.task_id == PAY and len(changes.shown) == 1


def test_go_to_a_file(opened: Any, qtbot: QtBot) -> None:
    files = (ChangedFile("src/b.py", FileState.MODIFIED, 1, 1),)
    state = world()
    state = replace(
        state,
        tasks={**state.tasks, PAY: replace(state.tasks[PAY], path="/home/mira/pay")},
        changes={PAY: ChangeSet(Scope.ALL, files, "main")},
    )
    window, ctx = opened(state)
    ctx.nav.open_task(PAY)
    QTest.keyClick(window, Qt.Key.Key_P, CTRL)
    palette = window.palette_sheet
    assert palette is not None and palette.rows.entries[0].title == "src/b.py"
    QTest.keyClicks(palette.field, "b.py")
    QTest.keyClick(palette.field, Qt.Key.Key_Return)
    assert window.task_page.panel("changes").shown == [("src/b.py", 0, "new")]


def test_f1_lists_the_keys_of_the_screen(opened: Any) -> None:
    window, ctx = opened()
    ctx.nav.open_task(PAY, "changes")
    QTest.keyClick(window, Qt.Key.Key_F1)
    sheet = window.findChild(KeyList)
    titles = [title for title, _ in sheet.sections]
    assert titles[:2] == ["Conversation", "Changes"] and "Anywhere" in titles
    rows = {words: keys for _, section in sheet.sections for keys, words in section}
    assert rows["New task"] == "Ctrl+N" and rows["Next, previous hunk"] == "J K"
    assert rows["Open task 1 to 9"] == "Ctrl+1…9"
    assert "Send the review to the agent" not in rows  # there is none
    QTest.keyClick(sheet, Qt.Key.Key_Escape)
    assert not sheet.is_open()


def test_the_review_is_sent_from_anywhere_in_the_task(opened: Any) -> None:
    window, ctx = opened()
    notes = ToastNotes()
    ctx.toasts.attach(notes)
    ctx.nav.open_task(PAY, "logs")
    assert not ctx.commands.run("review.send")
    comment = Comment(CommentId("c"), PAY, "a.py", "new", 1, 1, "x", "Why?", 0.0)
    ctx.services.store.change(lambda s: replace(s, comments={PAY: (comment,)}), Topic("comments", PAY))
    QTest.keyClick(window, Qt.Key.Key_Return, CTRL | SHIFT)
    assert ctx.services.reviews.sent == [(PAY, "")]
    assert notes.shown[-1][0].startswith("Queued")


def test_ctrl_l_brings_the_conversation_into_sight(opened: Any) -> None:
    window, ctx = opened(width=1000)
    ctx.nav.open_task(PAY, "changes")
    assert window.task_page.panel("conversation") is None
    QTest.keyClick(window, Qt.Key.Key_L, CTRL)
    assert window.task_page.tab == "conversation" and window.task_page.panel("conversation").isVisible()
