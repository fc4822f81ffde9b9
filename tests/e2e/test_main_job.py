"""From prompt to pull request, by mouse and keys, in the real window on the demo world."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QLineEdit, QPlainTextEdit

from posthog_code.app.demo import DemoWorld
from posthog_code.domain.review import CommentState
from posthog_code.domain.session import SessionPhase
from posthog_code.domain.transcript import AgentText, AskItem, ToolCall, TurnFooter
from posthog_code.ui.composer.composer import Composer
from posthog_code.ui.diff.view import DiffView
from posthog_code.ui.kit.popup import PopupList
from tests.e2e.stage import World, play

pytestmark = pytest.mark.e2e


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DemoWorld]:
    for name in ("GITHUB_API_URL", "GITHUB_TOKEN"):
        monkeypatch.setenv(name, "")
    world = DemoWorld.open(tmp_path / "demo", lambda words: None, pace=0.0)
    yield world
    world.close()


def test_from_prompt_to_pull_request(qapp: QApplication, demo: DemoWorld) -> None:
    play(qapp, demo, _main_job)


async def _main_job(world: World) -> None:
    person, services = world.person, world.services

    # A new task: prompt with a mention, Start; the conversation can be typed in at once.
    await person.presses("Ctrl+N")
    await person.sees(lambda: person.widgets(QPlainTextEdit), "the prompt")
    before = set(world.state.tasks)
    await person.types("Say in the cart what happens to guests, see @cartSt")
    # The files are asked for when the mention begins, and come when git has told them.
    await person.sees(lambda: [p for p in person.widgets(PopupList, "Suggestions") if p.items()], "the suggestions")
    await person.presses("Return")
    editor = QApplication.focusWidget()
    assert isinstance(editor, QPlainTextEdit)
    assert "cartStore.ts" in editor.toPlainText()
    started = time.perf_counter()
    await person.presses("Ctrl+Return")
    task_id = await person.sees(lambda: next(iter(set(world.state.tasks) - before), None), "the task")
    composer = await person.sees(
        lambda: (
            isinstance(QApplication.focusWidget(), QPlainTextEdit)
            and QApplication.focusWidget() is not editor
            and QApplication.focusWidget()
        ),
        "the composer",
    )
    ready = time.perf_counter() - started
    assert ready < 1.0, f"typing was possible after {ready:.2f} s only"

    # A follow-up typed while the worktree comes up waits, and is taken back.
    await person.types("Never mind this one")
    await person.presses("Return")
    await person.sees(lambda: any(c.queue.messages() for c in person.widgets(Composer)), "the queued message")
    await person.presses("Up")
    await person.sees(lambda: not world.state.queue.get(task_id), "the empty queue")
    await person.sees(lambda: composer.toPlainText() == "Never mind this one", "the text that was taken back")
    composer.selectAll()
    await person.presses("Delete")

    # The agent asks for what it does; the answers are single keys.
    answers = 0
    while True:
        session = await person.sees(
            lambda: (s := world.state.session_of(task_id)) and (s.asks or (s.turns and s.turns[-1].stop_reason)) and s,
            "a permission or the end of the turn",
        )
        if not session.asks:
            break
        asked = session.asks[0].id
        await person.sees(lambda asked=asked: _card_is_shown(world, asked), "the card")
        await person.presses("1")
        await person.sees(
            lambda asked=asked: all(a.id != asked for a in world.state.session_of(task_id).asks), "the answer"
        )
        answers += 1
    assert answers >= 2
    items = services.sessions.transcript(task_id).items
    assert {AgentText, ToolCall, AskItem, TurnFooter} <= {type(item) for item in items}
    assert world.state.session_of(task_id).turns[0].stop_reason == "end_turn"

    # The diff, a comment on a line, sent to the agent as a follow-up with path, lines and code.
    await person.presses("Ctrl+Shift+D")
    view = await person.finds(DiffView)
    await person.sees(lambda: world.state.changes.get(task_id) and view.index is not None, "the diff")
    view.setFocus()
    await person.presses("J")
    for _ in range(3):
        await person.presses("Down")
    await person.presses("C")
    await person.sees(lambda: view.isAncestorOf(QApplication.focusWidget()), "the comment's editor")
    await person.types("Say who a guest is")
    await person.presses("Ctrl+Return")
    comments = await person.sees(lambda: world.state.comments.get(task_id), "the pending comment")
    await person.presses("Ctrl+Shift+Return")
    await person.sees(lambda: len(world.state.session_of(task_id).turns) == 2, "the follow-up")
    prompt = world.state.session_of(task_id).turns[1].prompt
    assert comments[0].path in prompt and "Say who a guest is" in prompt and comments[0].code.strip() in prompt
    await person.sees(lambda: world.state.comments[task_id][0].state is CommentState.SENT, "the sent comment")

    # Stop ends the turn, not the session.
    await person.sees(lambda: world.state.session_of(task_id).phase.busy, "the running turn")
    await person.clicks("Stop the agent")
    await person.sees(lambda: world.state.session_of(task_id).phase is SessionPhase.READY, "the stopped turn")
    assert world.state.session_of(task_id).turns[1].stop_reason == "cancelled"

    # The log: search, and the raw frame.
    await person.presses("Ctrl+Shift+L")
    await person.sees(lambda: services.logs.lines(task_id).count > 5, "log lines")
    field = await person.finds(QLineEdit, "Search the log")
    field.setFocus()
    await person.types("initialize")
    await person.presses("Return")

    # The pull request: proposed, committed, pushed, opened, with its checks.
    await person.presses("Ctrl+Shift+G")
    await person.sees(lambda: [f for f in person.widgets(QLineEdit) if "guests" in f.text()], "the proposed title")
    await person.presses("Ctrl+Return")
    pull = await person.sees(lambda: world.state.pull_requests.get(task_id), "the pull request")
    assert pull.head == world.state.tasks[task_id].branch
    await person.presses("Ctrl+Shift+R")
    await person.sees(lambda: world.state.pull_requests[task_id].checks, "checks")
    assert all(step.state.value == "done" for step in world.state.publishing.get(task_id, ()))


def _card_is_shown(world: World, request_id: str) -> bool:
    """The card on the screen is the one that the agent waits for."""
    panel = world.window.task_page.panel("conversation")
    row = panel.stream.card_row()
    if row < 0:
        return False
    items = world.services.sessions.transcript(panel.view.task_id).items
    item = items[panel.stream.source.block(row).first]
    return isinstance(item, AskItem) and item.ask is not None and item.ask.id == request_id


def test_closing_in_the_middle_of_a_turn_and_coming_back(qapp: QApplication, demo: DemoWorld) -> None:
    task_ids: list[str] = []

    async def first(world: World) -> None:
        person = world.person
        await person.presses("Ctrl+N")
        await person.types("silent: think for ever")
        before = set(world.state.tasks)
        await person.presses("Ctrl+Return")
        task_id = await person.sees(lambda: next(iter(set(world.state.tasks) - before), None))
        await person.sees(lambda: world.state.session_of(task_id).phase is SessionPhase.WORKING)
        await person.types("a draft that is not sent")
        await person.sees(lambda: world.state.drafts.get(task_id), "the kept draft")
        task_ids.append(task_id)

    play(qapp, demo, first)

    async def second(world: World) -> None:
        person, task_id = world.person, task_ids[0]
        assert await world.services.reconcile.run() <= 1
        session = world.state.session_of(task_id)
        assert session.turns[-1].stop_reason in ("interrupted", "cancelled", "error")
        world.context.nav.open_task(task_id)
        composer = await person.finds(QPlainTextEdit)
        await person.sees(lambda: composer.toPlainText() == "a draft that is not sent", "the draft")
        items = (await world.services.sessions.load_transcript(task_id)).items
        assert any(isinstance(item, TurnFooter) for item in items)

    play(qapp, demo, second)


def test_demo_opens_a_window_on_a_screen(tmp_path: Path) -> None:
    """The very command of `make demo`, on a virtual screen, ended as a person would."""
    import shutil
    import signal

    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed")
    display = f":{90 + os.getpid() % 400}"
    screen = subprocess.Popen(["Xvfb", display, "-screen", "0", "1600x1000x24"], stderr=subprocess.DEVNULL)
    program = None
    try:
        env = {**os.environ, "DISPLAY": display, "QT_QPA_PLATFORM": "xcb", "POSTHOG_CODE_HOME": str(tmp_path)}
        program = subprocess.Popen([sys.executable, "-m", "posthog_code", "demo"], env=env, stderr=subprocess.PIPE)
        database = tmp_path / "demo" / "data" / "state.sqlite3"
        deadline = time.monotonic() + 60
        while not _has_eight_tasks(database):
            assert program.poll() is None, program.communicate()[1].decode()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        program.send_signal(signal.SIGTERM)
        _, errors = program.communicate(timeout=30)
        assert program.returncode == 0, errors.decode()
        assert b"Traceback" not in errors
    finally:
        if program is not None and program.poll() is None:
            program.kill()
            program.wait()
        screen.terminate()
        screen.wait()


def _has_eight_tasks(database: Path) -> bool:
    import sqlite3

    if not database.exists():
        return False
    try:
        with sqlite3.connect(database, timeout=5) as connection:
            count = connection.execute(
                "SELECT count(*) FROM sessions WHERE phase IN ('waiting', 'working')"
            ).fetchone()[0]
    except sqlite3.Error:
        return False
    return bool(count >= 3)
