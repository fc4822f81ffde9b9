"""The conversation panel, by mouse and keys."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAccessible, QGuiApplication
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from posthog_code.domain.errors import Refused
from posthog_code.domain.session import SessionPhase
from posthog_code.domain.task import Step, StepState, TaskPhase
from posthog_code.ui.panels.conversation import ConversationPanel
from posthog_code.ui.panels.conversation.row_cards import FooterRow
from posthog_code.ui.panels.conversation.row_message import UserRow
from posthog_code.ui.panels.conversation.row_notice import NoticeRow, SetupRow
from posthog_code.ui.panels.conversation.row_permission import PermissionRow
from posthog_code.ui.panels.conversation.row_question import QuestionRow
from posthog_code.ui.panels.conversation.row_text import TextRow
from posthog_code.ui.panels.conversation.row_tools import ToolsRow
from posthog_code.ui.shell.confirm import ConfirmSheet
from tests.ui.conversation_world import NOW, TASK, TREE, World

Key = Qt.Key


class Screen:
    def __init__(self, qtbot: QtBot, world: World) -> None:
        self.qtbot, self.world = qtbot, world
        self.panel = ConversationPanel(world.ctx)
        qtbot.addWidget(self.panel)
        self.panel.resize(432, 700)
        self.panel.show()
        qtbot.waitExposed(self.panel)
        self.panel.set_task(TASK)
        self.settle()

    def settle(self) -> None:
        self.world.ctx.bridge.flush()
        self.panel.stream.flush()
        assert not self.world.crashes, self.world.crashes

    def rows(self, kind: type[QWidget]) -> list[QWidget]:
        stream = self.panel.stream
        found = [stream.widget_at(row) for row in stream.mounted_rows()]
        return [widget for widget in found if isinstance(widget, kind)]

    def one(self, kind: type[QWidget]) -> QWidget:
        found = self.rows(kind)
        assert len(found) == 1, found
        return found[0]

    def key(
        self, key: Qt.Key, widget: QWidget | None = None, mods: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
    ) -> None:
        self.qtbot.keyClick(widget or self.panel.stream, key, mods)
        self.settle()


@pytest.fixture
def world(qapp: object) -> World:
    return World()


@pytest.fixture
def screen(qtbot: QtBot, world: World) -> Iterator[Screen]:
    made = Screen(qtbot, world)
    yield made
    made.panel.close()


def test_names(screen: Screen) -> None:
    assert screen.panel.objectName() == "conversation"
    assert screen.panel.accessibleName() == "Conversation"
    assert screen.panel.composer.objectName() == "composer"
    assert screen.panel.composer.editor.accessibleName() == "Message"


def test_an_empty_task_shows_its_prompt(screen: Screen) -> None:
    assert screen.panel.source.kind(0) == "prompt"
    screen.world.prompt("Stop the double charge.")
    screen.settle()
    assert screen.panel.source.kind(0) == "user"


def test_fenced_code_in_a_message_of_the_person_is_code(screen: Screen) -> None:
    screen.world.prompt("src/pay.ts, line 3:\n```\n**not bold** `x`\n```\nWhy?")
    screen.settle()
    row = screen.rows(UserRow)[0]
    assert isinstance(row, UserRow)
    assert [(paragraph.text, code) for paragraph, code in row._parts] == [
        ("src/pay.ts, line 3:", False),
        ("**not bold** `x`", True),
        ("Why?", False),
    ]


def test_streaming_two_thousand_chunks_stays_at_the_end_and_binds_only_the_last_row(screen: Screen) -> None:
    world = screen.world
    world.prompt("go")
    world.say("First paragraph.\n\n" * 30)
    screen.settle()
    bound = 0
    original = screen.panel.source.bind

    def count(widget: QWidget, row: int, width: int) -> int:
        nonlocal bound
        bound += 1
        return original(widget, row, width)

    screen.panel.source.bind = count  # type: ignore[method-assign]
    for number in range(2000):
        world.say(f"word{number} ")
        if number % 100 == 99:
            screen.settle()
    assert bound <= 60
    assert world.transcript.items[-1].text.endswith("word1999 ")
    assert screen.panel.stream.distance_to_end() == 0
    text = screen.rows(TextRow)[-1]
    assert isinstance(text, TextRow) and text.text.markdown().endswith("word1999 ")


def test_new_text_does_not_move_what_is_being_read(screen: Screen) -> None:
    world = screen.world
    world.prompt("go")
    for number in range(30):
        world.say(f"Paragraph {number}.\n\n")
        world.call(f"c{number}", kind="read", title=f"Read {number}")
    screen.settle()
    stream = screen.panel.stream
    stream.scroll_to_row(2, 10)
    before = stream.row_rect(2)[0]
    assert screen.panel.pill.isVisible()
    world.say("More at the end.")
    world.call("last", kind="execute", title="make")
    screen.settle()
    assert stream.row_rect(2)[0] == before
    assert "new" in screen.panel.pill.text()
    screen.qtbot.mouseClick(screen.panel.pill, Qt.MouseButton.LeftButton)
    assert stream.distance_to_end() == 0
    assert not screen.panel.pill.isVisible()


def test_end_key_goes_to_the_latest(screen: Screen) -> None:
    screen.world.prompt("go")
    screen.world.say("line\n\n" * 200)
    screen.settle()
    screen.panel.stream.scroll_to_row(0)
    screen.key(Key.Key_End)
    assert screen.panel.stream.distance_to_end() == 0


def test_tool_calls_share_a_list_and_open(screen: Screen) -> None:
    world = screen.world
    world.prompt("go")
    diff = [{"type": "diff", "path": f"{TREE}/a.py", "oldText": "a\nb\n", "newText": "a\nc\n"}]
    world.call("c1", kind="edit", title="Edit", content=diff)
    output = [{"type": "content", "content": {"type": "text", "text": "\n".join(f"line {n}" for n in range(40))}}]
    world.call("c2", kind="execute", title="make", rawInput={"command": "make"}, content=output)
    screen.settle()
    tools = screen.one(ToolsRow)
    closed = tools.height()
    assert "Edit a.py" in tools.accessibleName() and "Run make" in tools.accessibleName()
    screen.qtbot.mouseClick(tools, Qt.MouseButton.LeftButton, pos=QPoint(60, 15))
    screen.settle()
    opened = screen.one(ToolsRow).height()
    assert opened > closed
    calls = [item for item in world.transcript.items if getattr(item, "call_id", "") == "c2"]
    screen.panel.toggle(calls[0].key)
    twelve = screen.one(ToolsRow).height()
    assert twelve > opened
    screen.panel._show_whole(calls[0].key)
    assert screen.one(ToolsRow).height() > twelve
    screen.panel.toggle(calls[0].key)
    assert screen.one(ToolsRow).height() == opened


def test_more_than_six_settled_calls_fold(screen: Screen) -> None:
    world = screen.world
    world.prompt("go")
    for number in range(9):
        world.call(f"c{number}", kind="read", title="Read", locations=[{"path": f"{TREE}/f{number}"}])
    world.call("run", "in_progress", kind="execute", title="make", rawInput={"command": "make"})
    screen.settle()
    tools = screen.one(ToolsRow)
    assert tools.accessibleName() == "Tool calls: Explored 9 files, Run make in progress"
    folded = tools.height()
    screen.qtbot.mouseClick(tools, Qt.MouseButton.LeftButton, pos=QPoint(60, 15))
    screen.settle()
    assert screen.one(ToolsRow).height() == folded + 9 * 28


def test_keys_move_open_and_copy(screen: Screen) -> None:
    world = screen.world
    world.prompt("first")
    world.say("thinking", "agent_thought_chunk", after=3)
    world.say("An *answer*.", after=3)
    world.call("c", kind="execute", title="make", rawInput={"command": "make all"})
    screen.settle()
    screen.panel.stream.setFocus()
    screen.key(Key.Key_J)
    screen.key(Key.Key_J)
    assert screen.panel.view.current == world.transcript.items[1].key
    screen.key(Key.Key_Return)
    assert world.transcript.items[1].key in screen.panel.view.opened
    screen.key(Key.Key_J)
    screen.key(Key.Key_Y)
    assert QGuiApplication.clipboard().text() == "An *answer*."
    screen.key(Key.Key_J)
    screen.key(Key.Key_Y)
    assert QGuiApplication.clipboard().text() == "make all"
    screen.key(Key.Key_K)
    screen.key(Key.Key_BracketLeft)
    assert screen.panel.view.current == world.transcript.items[0].key


def test_a_permission_is_answered_by_a_digit_in_the_stream(screen: Screen) -> None:
    screen.world.prompt("go")
    screen.world.ask(title="Migrate", kind="execute", rawInput={"command": "migrate"})
    screen.settle()
    card = screen.one(PermissionRow)
    assert "asks to run a command: migrate" in card.accessibleName()
    screen.panel.stream.setFocus()
    screen.key(Key.Key_3)
    assert screen.world.called("sessions.answer") == [(TASK, "77", "no")]
    screen.key(Key.Key_1)
    assert len(screen.world.called("sessions.answer")) == 1
    screen.world.answer(77, "no")
    screen.settle()
    assert not screen.rows(PermissionRow)
    assert screen.world.transcript.items[-1].answer == "Reject"


def test_enter_answers_only_when_the_card_has_the_focus(screen: Screen) -> None:
    screen.world.prompt("go")
    screen.world.ask(title="Migrate", kind="execute", rawInput={"command": "migrate"})
    screen.settle()
    screen.panel.stream.setFocus()
    screen.key(Key.Key_Return)
    screen.key(Key.Key_Escape)
    assert not screen.world.called("sessions.answer")
    assert screen.panel.focus_card()
    card = screen.one(PermissionRow)
    screen.key(Key.Key_Down, card)
    screen.key(Key.Key_Return, card)
    assert screen.world.called("sessions.answer") == [(TASK, "77", "always")]


def test_a_permission_is_answered_with_letters_and_by_mouse(screen: Screen) -> None:
    world = screen.world
    world.prompt("go")
    world.ask(1, title="One", kind="execute", rawInput={"command": "one"})
    screen.settle()
    screen.panel.stream.setFocus()
    screen.key(Key.Key_A)
    world.answer(1, "once")
    world.ask(2, title="Two", kind="execute", rawInput={"command": "two"})
    screen.settle()
    card = screen.one(PermissionRow)
    assert isinstance(card, PermissionRow)
    y = card._tops[2] + 10
    screen.qtbot.mouseClick(card, Qt.MouseButton.LeftButton, pos=QPoint(60, y))
    assert screen.world.called("sessions.answer") == [(TASK, "1", "once"), (TASK, "2", "no")]


def test_digits_in_the_empty_composer_answer_but_not_in_a_text(screen: Screen) -> None:
    screen.world.prompt("go")
    screen.world.ask(title="Migrate", kind="execute", rawInput={"command": "migrate"})
    screen.settle()
    editor = screen.panel.composer.editor
    editor.setFocus()
    screen.qtbot.keyClicks(editor, "x1")
    assert editor.toPlainText() == "x1"
    assert not screen.world.called("sessions.answer")
    editor.clear()
    screen.key(Key.Key_1, editor)
    assert screen.world.called("sessions.answer") == [(TASK, "77", "once")]
    assert editor.toPlainText() == ""


def test_an_answer_that_fails_can_be_given_again(screen: Screen) -> None:
    screen.world.prompt("go")
    screen.world.ask(title="Migrate", kind="execute", rawInput={"command": "migrate"})
    screen.settle()
    screen.world.fail["answer"] = Refused("The agent is gone.")
    screen.panel.stream.setFocus()
    screen.key(Key.Key_1)
    assert ("error", "The agent is gone.") in screen.world.toasts
    screen.key(Key.Key_1)
    assert len(screen.world.called("sessions.answer")) == 2


def test_the_command_of_a_permission_is_shown_whole(screen: Screen) -> None:
    screen.world.prompt("go")
    screen.world.ask(title="x", kind="execute", rawInput={"command": "echo short"})
    screen.settle()
    short = screen.one(PermissionRow).height()
    screen.world.answer(77, "once")
    screen.world.ask(79, title="x", kind="execute", rawInput={"command": "echo " + "long " * 60})
    screen.settle()
    assert screen.one(PermissionRow).height() > short + 60


def test_a_question_is_answered_by_its_form(screen: Screen) -> None:
    screen.world.prompt("go")
    screen.world.question()
    screen.settle()
    card = screen.one(QuestionRow)
    assert isinstance(card, QuestionRow)
    assert not card._answer.isEnabled()
    card._fields[1][1].setText("neither")
    screen.qtbot.mouseClick(card._answer, Qt.MouseButton.LeftButton)
    assert screen.world.called("sessions.answer_question") == [(TASK, "78", {"other": "neither"})]


def test_a_question_is_answered_by_a_digit_or_declined(screen: Screen) -> None:
    screen.world.prompt("go")
    screen.world.question()
    screen.settle()
    screen.panel.stream.setFocus()
    screen.key(Key.Key_2)
    assert screen.world.called("sessions.answer_question") == [(TASK, "78", {"answer": "b"})]
    screen.world.frame({"id": 78, "result": {"action": "accept", "content": {"answer": "b"}}}, "out")
    screen.world.question(80)
    screen.settle()
    card = screen.one(QuestionRow)
    assert isinstance(card, QuestionRow)
    screen.qtbot.mouseClick(card._decline, Qt.MouseButton.LeftButton)
    assert screen.world.called("sessions.answer_question")[-1] == (TASK, "80", None)


def test_an_error_card_acts(screen: Screen) -> None:
    screen.world.prompt("go")
    screen.world.frame({"method": "_posthog_code/process_exited", "params": {"code": 137}}, "note")
    screen.world.set_session(phase=SessionPhase.INTERRUPTED)
    screen.settle()
    card = screen.one(NoticeRow)
    assert isinstance(card, NoticeRow)
    assert [button.text() for button in card._buttons] == ["Retry the turn", "Continue", "Show in logs", "Copy details"]
    screen.qtbot.mouseClick(card._buttons[0], Qt.MouseButton.LeftButton)
    screen.qtbot.mouseClick(card._buttons[2], Qt.MouseButton.LeftButton)
    assert screen.world.called("sessions.retry_turn") == [(TASK,)]
    assert screen.world.ctx.nav.place.tab == "logs"
    screen.world.prompt("again")
    screen.settle()
    assert screen.one(NoticeRow)._buttons == []  # type: ignore[attr-defined]


def test_the_set_up_card_tells_its_steps_and_retries(screen: Screen) -> None:
    steps = (
        Step("worktree", "Create worktree", StepState.DONE, NOW, NOW + 2),
        Step("script", "Run make", StepState.RUNNING, NOW + 2),
    )
    screen.world.set_task(phase=TaskPhase.SETTING_UP, steps=steps)
    screen.settle()
    assert [screen.panel.source.kind(row) for row in range(2)] == ["prompt", "setup"]
    failed = (*steps[:1], Step("script", "Run make", StepState.FAILED, NOW + 2, NOW + 3, "no rule\nto make target"))
    screen.world.set_task(phase=TaskPhase.SETUP_FAILED, steps=failed)
    screen.settle()
    card = screen.one(SetupRow)
    assert isinstance(card, SetupRow)
    assert card.accessibleName().startswith("Run make did not work")
    for button in card._buttons[:2]:
        screen.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert screen.world.called("tasks.retry_setup") and screen.world.called("tasks.continue_without_setup")
    first = (Step("worktree", "Create worktree", StepState.FAILED, NOW, NOW + 2, "The branch is taken. " * 30),)
    screen.world.set_task(phase=TaskPhase.SETUP_FAILED, steps=first)
    screen.settle()
    names = [button.text() for button in screen.one(SetupRow)._buttons]
    assert "Try again" in names and "Start without it" not in names
    screen.world.set_task(phase=TaskPhase.READY, steps=())
    screen.settle()
    assert not screen.rows(SetupRow)


def test_find_goes_from_match_to_match(screen: Screen) -> None:
    world = screen.world
    world.prompt("needle one")
    world.say("Nothing.\n\n" * 60)
    world.call("c", kind="execute", title="x", rawInput={"command": "grep Needle"})
    world.say("Last.\n\n" * 60)
    screen.settle()
    screen.panel.stream.setFocus()
    screen.key(Key.Key_F, mods=Qt.KeyboardModifier.ControlModifier)
    bar = screen.panel.find_bar
    assert bar.isVisible()
    screen.qtbot.keyClicks(bar.field.edit, "needle")
    assert bar.count.text() == "2 of 2"
    screen.key(Key.Key_Return, bar.field.edit)
    assert bar.count.text() == "1 of 2"
    assert screen.panel.view.found == world.transcript.items[0].key
    screen.qtbot.keyClicks(bar.field.edit, "zzz")
    assert bar.count.text() == "No match"
    screen.panel.close_find()
    assert not bar.isVisible() and screen.panel.view.query == ""


def test_escape_twice_stops(screen: Screen) -> None:
    screen.world.prompt("go")
    screen.settle()
    screen.panel.composer.editor.setFocus()
    screen.key(Key.Key_Escape, screen.panel.composer.editor)
    assert not screen.world.called("sessions.stop")
    screen.key(Key.Key_Escape)
    assert screen.world.called("sessions.stop") == [(TASK,)]


def test_a_hidden_panel_catches_up_when_it_is_shown(screen: Screen) -> None:
    screen.panel.hide()
    screen.world.prompt("go")
    screen.world.say("Text that came meanwhile.")
    screen.settle()
    screen.panel.show()
    screen.settle()
    assert [screen.panel.source.kind(row) for row in range(screen.panel.source.count())] == ["user", "text"]


def test_both_themes_and_many_widths_paint(screen: Screen, qapp: object) -> None:
    from posthog_code.ui.theme import apply_theme

    world = screen.world
    world.prompt("go `code` and @src/a.py " + "long " * 80)
    world.say("thought", "agent_thought_chunk", after=2)
    world.say("# Title\n\n- a\n- b\n\n```py\nx = 1\n```\n")
    world.update(sessionUpdate="plan", entries=[{"content": "step", "status": "in_progress"}])
    world.call("c", "failed", kind="execute", title="x", rawInput={"command": "make"})
    world.update(sessionUpdate="strange_kind", a=1)
    world.ask(title="Edit", kind="edit", locations=[{"path": "/etc/hosts"}])
    for name in ("dark", "light"):
        apply_theme(qapp, name)  # type: ignore[arg-type]
        for width in (360, 432, 1085):
            screen.panel.resize(width, 700)
            screen.settle()
            assert not screen.panel.grab().isNull()


def _restorable(world: World) -> None:
    world.prompt("Keep one helper")
    world.say("Done.")
    world.frame({"method": "_posthog_code/turn_started", "params": {"turn": 1, "checkpoint": "c0ffee"}}, "note")
    world.end(files=2, added=3, removed=1, checkpointBefore="c0ffee")


class _Restore:
    def __init__(self, own: tuple[str, ...] = ()) -> None:
        self.own, self.calls = own, []  # type: ignore[var-annotated]

    async def own_edits(self, task_id: object) -> tuple[str, ...]:
        return self.own

    async def before_turn(self, task_id: object, number: int) -> str:
        self.calls.append(("before", number))
        return "kept"

    async def undo(self, task_id: object, commit: str) -> None:
        self.calls.append(("undo", commit))


def test_a_turn_is_restored_from_its_footer(qtbot: QtBot, world: World) -> None:
    restore = world.ctx.services.restore = _Restore()  # type: ignore[misc,assignment]
    _restorable(world)
    screen = Screen(qtbot, world)
    footer = screen.one(FooterRow)
    spot = footer._restore_rect().center().toPoint()  # type: ignore[attr-defined]
    qtbot.mouseClick(footer, Qt.MouseButton.LeftButton, pos=QPoint(10, spot.y()))
    assert restore.calls == []
    qtbot.mouseClick(footer, Qt.MouseButton.LeftButton, pos=spot)
    assert restore.calls == [("before", 1)]
    assert world.toasts[-1][1] == "Restored the files to before turn 1."
    world.set_session(phase=SessionPhase.WORKING)
    screen.settle()
    qtbot.mouseClick(footer, Qt.MouseButton.LeftButton, pos=spot)
    assert restore.calls == [("before", 1)]
    screen.panel.close()


def test_restoring_over_own_edits_asks_first(qtbot: QtBot, world: World) -> None:
    restore = world.ctx.services.restore = _Restore(("mine.txt",))  # type: ignore[misc,assignment]
    _restorable(world)
    screen = Screen(qtbot, world)
    assert world.ctx.commands.run("conversation.restore")
    sheet = screen.panel.findChild(ConfirmSheet)
    assert sheet is not None and restore.calls == []
    qtbot.mouseClick(sheet.danger, Qt.MouseButton.LeftButton)
    assert restore.calls == [("before", 1)]
    screen.panel.close()


def test_a_file_is_shown_in_the_changes(qtbot: QtBot, world: World) -> None:
    screen = Screen(qtbot, world)
    screen.panel._open_file(f"{TREE}/src/payments/retry.ts")
    place = world.ctx.nav.place
    assert (place.tab, place.path) == ("changes", "src/payments/retry.ts")
    screen.panel.close()


def test_rows_are_items_of_a_list_for_screen_readers(qtbot: QtBot, world: World) -> None:
    world.prompt("Keep one helper")
    world.say("Done, one is left.")
    screen = Screen(qtbot, world)
    stream = QAccessible.queryAccessibleInterface(screen.panel.stream)
    assert stream.role() == QAccessible.Role.List and stream.childCount() >= 2
    items = [stream.child(number) for number in range(stream.childCount())]
    assert {item.role() for item in items} == {QAccessible.Role.ListItem}
    spoken = [item.text(QAccessible.Text.Name) for item in items]
    assert any("Keep one helper" in words for words in spoken) and "Done, one is left." in spoken
    screen.panel.close()
