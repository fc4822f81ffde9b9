"""The composer, by mouse and keys."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QMimeData, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from posthog_code.domain.errors import InvalidInput
from posthog_code.domain.ids import CommentId
from posthog_code.domain.review import Comment
from posthog_code.domain.session import AgentCommand, Choice, ConfigOption, SessionPhase, Usage
from posthog_code.domain.settings import Settings
from posthog_code.domain.task import TaskPhase
from posthog_code.ui.composer import Composer
from posthog_code.ui.composer.bar import mode_icon
from posthog_code.ui.composer.mentions import rank_files, token_at
from posthog_code.ui.kit.popup import PopupList
from tests.ui.conversation_world import REPOSITORY, TASK, World

Key, Mod = Qt.Key, Qt.KeyboardModifier


class Desk:
    def __init__(self, qtbot: QtBot, world: World) -> None:
        self.qtbot, self.world = qtbot, world
        self.window = QWidget()
        self.window.resize(600, 800)
        qtbot.addWidget(self.window)
        self.composer = Composer(world.ctx, self.window)
        self.composer.setGeometry(0, 560, 600, 240)
        self.composer.set_task(TASK)
        self.window.show()
        qtbot.waitExposed(self.window)
        self.composer.focus_text()

    def type(self, text: str) -> None:
        self.qtbot.keyClicks(self.composer.editor, text)

    def key(self, key: Qt.Key, mods: Qt.KeyboardModifier = Mod.NoModifier) -> None:
        self.qtbot.keyClick(self.composer.editor, key, mods)
        self.settle()

    def settle(self) -> None:
        self.world.ctx.bridge.flush()
        assert not self.world.crashes, self.world.crashes


@pytest.fixture
def desk(qtbot: QtBot) -> Iterator[Desk]:
    made = Desk(qtbot, World())
    yield made
    made.window.close()


def test_enter_sends_and_shift_enter_breaks_the_line(desk: Desk) -> None:
    desk.type("one")
    desk.key(Key.Key_Return, Mod.ShiftModifier)
    desk.type("two")
    desk.key(Key.Key_Return)
    assert desk.world.called("sessions.prompt") == [(TASK, "one\ntwo", ())]
    assert desk.composer.text() == ""
    desk.key(Key.Key_Return)
    assert len(desk.world.called("sessions.prompt")) == 1


def test_while_the_agent_works_sending_queues_and_the_button_stops(desk: Desk) -> None:
    desk.world.set_session(phase=SessionPhase.WORKING)
    desk.settle()
    desk.type("later")
    desk.key(Key.Key_Return)
    assert [m.text for m in desk.composer.queue.messages()] == ["later"]
    assert desk.composer.bar.send.is_stop()
    desk.qtbot.mouseClick(desk.composer.bar.send, Qt.MouseButton.LeftButton)
    assert desk.world.called("sessions.stop") == [(TASK,)]


def test_alt_enter_stops_and_sends_now(desk: Desk) -> None:
    desk.world.set_session(phase=SessionPhase.WORKING)
    desk.type("now")
    desk.key(Key.Key_Return, Mod.AltModifier)
    queued = desk.composer.queue.messages()[0]
    assert desk.world.called("sessions.send_now") == [(TASK, queued.id)]


def test_up_takes_the_last_queued_message_back(desk: Desk) -> None:
    desk.world.queue("first")
    desk.world.queue("second")
    desk.settle()
    desk.key(Key.Key_Up)
    assert desk.composer.text() == "second"
    assert [m.text for m in desk.composer.queue.messages()] == ["first"]


def test_the_queue_by_mouse_and_keys(desk: Desk) -> None:
    desk.world.queue("first")
    desk.world.queue("second")
    desk.settle()
    rows = desk.composer.queue.rows
    desk.qtbot.mouseClick(rows[1]._buttons[0], Qt.MouseButton.LeftButton)
    assert desk.world.called("sessions.send_now") == [(TASK, rows[1].message_id)]
    desk.qtbot.keyClick(rows[1], Key.Key_Up, Mod.ShiftModifier)
    assert desk.world.called("sessions.move_queued") == [(TASK, rows[1].message_id, 0)]
    desk.qtbot.mouseClick(rows[0]._buttons[2], Qt.MouseButton.LeftButton)
    desk.settle()
    assert [m.text for m in desk.composer.queue.messages()] == ["second"]
    assert ("info", "Removed a queued message") in desk.world.toasts


def test_what_could_not_be_sent_comes_back(desk: Desk) -> None:
    desk.world.fail["prompt"] = InvalidInput("This task is archived.")
    desk.type("precious")
    desk.key(Key.Key_Return)
    assert desk.composer.text() == "precious"
    assert ("error", "This task is archived.") in desk.world.toasts


def test_it_takes_messages_while_the_task_is_set_up(desk: Desk) -> None:
    desk.world.set_task(phase=TaskPhase.SETTING_UP)
    desk.settle()
    assert desk.composer.editor.placeholderText() == "Queue a message while the worktree is set up"
    desk.type("hello")
    desk.key(Key.Key_Return)
    assert desk.world.called("sessions.prompt") == [(TASK, "hello", ())]


def test_pending_comments_go_with_the_message(desk: Desk) -> None:
    comments = tuple(Comment(CommentId(f"c{n}"), TASK, "a.py", "new", 1, 1, "x", "why", 0.0) for n in range(3))
    desk.world.set(comments={TASK: comments})
    desk.settle()
    assert desk.composer.comments.isVisible() and desk.composer.comments.text() == "3 review comments"
    assert desk.composer.bar.send.isEnabled()
    desk.type("note")
    desk.key(Key.Key_Return)
    assert desk.world.called("reviews.send") == [(TASK, "note")]


def test_mentions(desk: Desk) -> None:
    desk.type("see @sub")
    popup = desk.composer.suggestions.popup()
    assert popup is not None and popup.isVisible()
    assert desk.composer.editor.hasFocus()
    assert [item.id for item in popup.items()] == ["src/payments/submitPayment.ts"]
    desk.key(Key.Key_Return)
    assert desk.composer.text() == "see @src/payments/submitPayment.ts "
    assert not desk.world.called("sessions.prompt")
    desk.type("@ret")
    desk.key(Key.Key_Escape)
    assert not popup.isVisible()
    desk.type("r")
    assert not popup.isVisible()


def test_commands(desk: Desk) -> None:
    desk.type("/re")
    popup = desk.composer.suggestions.popup()
    assert popup is not None and [item.text for item in popup.items()] == ["/review", "/release", "/replay"]
    desk.key(Key.Key_Down)
    desk.key(Key.Key_Tab)
    assert desk.composer.text() == "/release "
    desk.composer.clear()
    desk.type("no /re")
    assert not desk.composer.suggestions.is_open()


def test_drafts_are_kept_and_restored(desk: Desk) -> None:
    desk.type("half a tho")
    desk.qtbot.waitUntil(lambda: desk.world.called("tasks.save_draft") == [(TASK, "half a tho")], timeout=3000)
    desk.world.set(drafts={TASK: "half a tho"})
    desk.composer.set_task(None)
    assert desk.composer.text() == ""
    desk.composer.set_task(TASK)
    assert desk.composer.text() == "half a tho"


def test_leaving_a_task_saves_its_draft_at_once(desk: Desk) -> None:
    desk.type("abc")
    desk.composer.set_task(None)
    assert desk.world.called("tasks.save_draft")[-1] == (TASK, "abc")


def test_options_and_shift_tab(desk: Desk) -> None:
    bar = desk.composer.bar
    assert bar.selects["mode"].text() == "Ask" and bar.selects["model"].text() == "Opus 4.5"
    desk.key(Key.Key_Backtab, Mod.ShiftModifier)
    assert desk.world.called("sessions.set_option") == [(TASK, "mode", "acceptEdits")]
    bar.selects["model"].changed.emit("haiku")
    assert desk.world.called("sessions.set_option")[-1] == (TASK, "model", "haiku")


def test_context_ring(desk: Desk) -> None:
    ring = desk.composer.bar.ring
    assert ring.percent() == 22 and ring.toolTip() == "22 % of 200k tokens · $0.34"
    desk.world.set_session(usage=Usage())
    desk.settle()
    assert not ring.isVisible()


def test_the_ring_offers_to_compact(desk: Desk) -> None:
    desk.world.set_session(commands=(AgentCommand("compact"),))
    desk.settle()
    desk.qtbot.mouseClick(desk.composer.bar.ring, Qt.MouseButton.LeftButton)
    popup = next(p for p in desk.window.findChildren(PopupList) if p.accessibleName() == "Context")
    desk.qtbot.keyClick(popup, Key.Key_Return)
    assert desk.world.called("sessions.prompt") == [(TASK, "/compact", ())]


def test_enter_breaks_the_line_when_it_is_not_to_send(desk: Desk) -> None:
    desk.world.set(settings=Settings(send_with_enter=False))
    desk.type("one")
    desk.key(Key.Key_Return)
    assert desk.composer.text() == "one\n" and not desk.world.called("sessions.prompt")
    desk.key(Key.Key_Return, Mod.ControlModifier)
    assert desk.world.called("sessions.prompt") == [(TASK, "one", ())]


def test_it_grows_from_two_to_twelve_lines(desk: Desk) -> None:
    heights = []
    for lines in (1, 2, 5, 12, 40):
        desk.composer.set_text("\n".join(["x"] * lines))
        heights.append(desk.composer.editor.sizeHint().height())
    assert heights[0] == heights[1] < heights[2] < heights[3] == heights[4]


def test_attachments_from_files_and_pasted_pictures(desk: Desk) -> None:
    composer = desk.composer
    picture = QMimeData()
    image = QImage(4, 4, QImage.Format.Format_RGB32)
    image.fill(0)
    picture.setImageData(image)
    composer.editor.insertFromMimeData(picture)
    assert len(composer.attachments()) == 1 and composer.attachments()[0].endswith(".png")
    composer._files_dropped(["/tmp/report.txt"])
    assert composer.strip.isVisible()
    composer.strip.setFocus()
    desk.qtbot.keyClick(composer.strip, Key.Key_Right)
    desk.qtbot.keyClick(composer.strip, Key.Key_Delete)
    assert len(composer.attachments()) == 1
    composer.focus_text()
    desk.key(Key.Key_Return)
    sent = desk.world.called("sessions.prompt")[0]
    assert sent[1] == "" and sent[2][0].endswith(".png")
    assert composer.attachments() == ()


def test_without_a_task_it_hands_the_text_over(desk: Desk) -> None:
    composer = desk.composer
    composer.set_task(None)
    composer.set_repository(REPOSITORY)
    composer.focus_text()
    desk.type("start this")
    with desk.qtbot.waitSignal(composer.submitted) as signal:
        desk.key(Key.Key_Return)
    assert signal.args == ["start this", ()]
    assert composer.text() == "start this"


def test_tokens() -> None:
    assert token_at("/re", 3).query == "re"  # type: ignore[union-attr]
    assert token_at("a @b/c", 6).query == "b/c"  # type: ignore[union-attr]
    assert token_at("mail@b", 6) is None
    assert token_at("x /re", 5) is None
    assert token_at("/re\nx", 5) is None


def test_ranking_of_files() -> None:
    files = [f"deep/{n}/file{n}.py" for n in range(300)] + ["src/app.py", "src/happy.py", "docs/a_p_p.md"]
    assert rank_files("app", files)[:2] == ["src/app.py", "src/happy.py"]
    assert "docs/a_p_p.md" in rank_files("app", files)
    assert rank_files("", files, ["src/happy.py"])[0] == "src/happy.py"


def test_icons_of_modes() -> None:
    assert mode_icon("https://example.org/modes#plan") == "ph.compass"
    assert mode_icon("acceptEdits") == "ph.pencil-line"
    assert mode_icon("bypassPermissions") == "ph.lightning"
    assert mode_icon("default") == "ph.shield-check"


def test_a_tight_bar_drops_whole_words_the_one_of_effort_first(desk: Desk) -> None:
    levels = tuple(Choice(level, level.capitalize()) for level in ("medium", "high"))
    modes = (Choice("acceptEdits", "Accept edits"), Choice("plan", "Plan"))
    models = (Choice("large", "Demo Large"), Choice("small", "Demo Small"))
    desk.world.set_session(
        options=(
            ConfigOption("mode", "Mode", "mode", "acceptEdits", modes),
            ConfigOption("model", "Model", "model", "large", models),
            ConfigOption("effort", "Effort", "thought_level", "medium", levels),
        ),
        usage=Usage(used=10, size=100),
    )
    desk.settle()
    bar = desk.composer.bar
    selects = bar.selects

    def with_words(width: int) -> list[str]:
        bar.resize(width, bar.height())
        return [name for name, select in selects.items() if select.sizeHint().width() == select.full_width()]

    assert with_words(640) == ["mode", "model", "thought_level"]
    tight = next(width for width in range(640, 340, -1) if "thought_level" not in with_words(width))
    assert with_words(tight) == ["mode", "model"] and "Medium" in selects["thought_level"].toolTip()
    tighter = next(width for width in range(tight, 240, -1) if "model" not in with_words(width))
    assert with_words(tighter) == ["mode"]
