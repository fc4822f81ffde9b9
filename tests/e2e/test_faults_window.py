"""Bad input in the real window, by mouse and keys: what is said, and the way on that is pressed."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLineEdit, QPlainTextEdit

from posthog_code.app.demo import DemoWorld
from posthog_code.domain.ids import TaskId
from posthog_code.domain.session import SessionPhase
from posthog_code.domain.task import TaskDraft, TaskPhase
from posthog_code.domain.transcript import Notice, TurnFooter
from posthog_code.ui.dialogs.create_pr import CreatePrDialog
from posthog_code.ui.pages.add_repository import AddRepository
from posthog_code.ui.panels.conversation.row_notice import CardRow
from tests.e2e.test_main_job import World, play
from tests.e2e.test_main_job import demo as demo
from tests.helpers import DEMO_AGENT, git, make_repository

pytestmark = pytest.mark.e2e


def spoken(world: World) -> str:
    """What a screen reader would say of the cards that are on the screen."""
    return "\n".join(row.spoken() for row in world.person.widgets(CardRow))


async def clicks_on_card(world: World, name: str) -> None:
    """Other panels have buttons of the same name."""
    button = await world.person.sees(
        lambda: next(
            (
                b
                for row in world.person.widgets(CardRow)
                for b in row.findChildren(QAbstractButton)
                if b.isVisible() and b.isEnabled() and b.text() == name
            ),
            None,
        ),
        f"{name} on a card",
    )
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


async def opened(world: World, draft: TaskDraft) -> TaskId:
    task_id = await world.services.tasks.create(draft)
    world.context.nav.open_task(task_id)
    return task_id


async def worked(world: World, task_id: TaskId) -> None:
    await world.person.sees(
        lambda: (s := world.state.session_of(task_id)) and s.turn and s.turn.stop_reason == "end_turn", "the turn's end"
    )


def test_bad_input_in_the_window(
    qapp: QApplication, demo: DemoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(world: World) -> None:
        await repositories_and_set_up(world, tmp_path)
        await agent_and_pull_request(world, tmp_path)
        await the_prompt_is_not_lost_on_a_full_disk(world, monkeypatch)

    play(qapp, demo, story)


async def repositories_and_set_up(world: World, tmp_path: Path) -> None:
    """Not a repository; a missing base; a repository that is deleted after it was added."""
    repository = make_repository(tmp_path / "mine")
    plain = tmp_path / "plain folder"
    plain.mkdir()

    person, services = world.person, world.services
    world.context.nav.open_settings("repositories")
    adder = await person.finds(AddRepository)
    adder.field.edit.setFocus()
    await person.types(str(plain))
    await person.presses("Return")
    await person.sees(lambda: "is not a git repository" in adder.field.message.text(), "the reason")
    assert "git init" in adder.field.message.text() and adder.field.text() == str(plain), "what was typed stays"
    adder.field.edit.selectAll()
    await person.types(str(repository))
    await person.presses("Return")
    repository_id = await person.sees(
        lambda: next((r.id for r in world.state.repositories.values() if r.path == str(repository)), None), "mine"
    )

    draft = TaskDraft("Improve add", repository_id, "custom", agent_command=DEMO_AGENT, mode="auto", base="later")
    task_id = await opened(world, draft)
    await person.sees(lambda: world.state.tasks[task_id].phase is TaskPhase.SETUP_FAILED, "the failed set-up")
    await person.sees(lambda: "Create the worktree did not work" in spoken(world), "the card")
    assert "later" in world.state.tasks[task_id].steps[0].detail
    git(repository, "branch", "later")
    await clicks_on_card(world, "Try again")
    await worked(world, task_id)

    gone = repository.rename(tmp_path / "gone")
    other = await opened(world, replace(draft, base="main"))
    await person.sees(lambda: world.state.tasks[other].phase is TaskPhase.SETUP_FAILED, "the failed set-up")
    await person.sees(lambda: "did not work" in spoken(world), "the card")
    assert "not there" in world.state.tasks[other].steps[0].detail
    # The earlier task can still be read.
    world.context.nav.open_task(task_id)
    await person.sees(
        lambda: any(isinstance(i, TurnFooter) for i in services.sessions.transcript(task_id).items), "its turn"
    )
    gone.rename(repository)
    world.context.nav.open_task(other)
    await clicks_on_card(world, "Try again")
    await worked(world, other)


async def agent_and_pull_request(world: World, tmp_path: Path) -> None:
    """An agent that is not installed; a push that finds no server."""

    person = world.person
    repository = next(iter(world.state.repositories.values()))
    draft = TaskDraft("Improve the cart", repository.id, "custom", agent_command="no-such-agent --acp", mode="auto")
    task_id = await opened(world, draft)
    await person.sees(lambda: world.state.session_of(task_id).phase is SessionPhase.FAILED, "the failed start")
    await person.sees(lambda: "no-such-agent was not found" in spoken(world), "the card")
    notice = world.services.sessions.transcript(task_id).items[-1]
    assert isinstance(notice, Notice) and "retry_turn" in notice.actions
    tools = tmp_path / "tools"
    tools.mkdir()
    agent = tools / "no-such-agent"
    agent.write_text(f"#!/bin/sh\nexec {DEMO_AGENT}\n")
    agent.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
        await clicks_on_card(world, "Retry the turn")
        await worked(world, task_id)

    worktree = Path(world.state.tasks[task_id].path)
    git(worktree, "config", "remote.origin.pushurl", "http://127.0.0.1:9/nothing.git")
    await person.presses("Ctrl+Shift+G")
    field = await person.sees(
        lambda: next((f for f in person.widgets(QLineEdit) if "cart" in f.text().lower()), None), "the title"
    )
    title = field.text()
    await person.presses("Ctrl+Return")
    await person.sees(
        lambda: any(s.state.value == "failed" for s in world.state.publishing.get(task_id, ())), "the failed step"
    )
    steps = {step.id: step for step in world.state.publishing[task_id]}
    assert steps["commit"].state.value == "done" and "cannot be reached" in steps["push"].detail
    kept = world.services.pull_requests.form(task_id)
    assert kept is not None and kept.title == title, "what was typed is kept"
    git(worktree, "config", "--unset", "remote.origin.pushurl")
    dialog = await person.finds(CreatePrDialog)
    await person.sees(lambda: dialog.submit.text() == "Try again" and dialog.submit.isEnabled(), "Try again")
    QTest.mouseClick(dialog.submit, Qt.MouseButton.LeftButton)
    pull = await person.sees(lambda: world.state.pull_requests.get(task_id), "the pull request")
    assert pull.title == title


async def the_prompt_is_not_lost_on_a_full_disk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start while nothing can be saved: the reason is said, and the prompt is still there to be started again."""
    from posthog_code.adapters.storage.journal import FileJournal
    from posthog_code.domain.errors import StorageFailed

    person = world.person
    await person.presses("Ctrl+N")
    await person.types("Say something about the cart")
    editor = QApplication.focusWidget()
    assert isinstance(editor, QPlainTextEdit)
    before = set(world.state.tasks)

    def full(self: FileJournal, line: bytes, direction: str, at: float) -> None:
        raise StorageFailed("The conversation could not be saved.", "Check free space.", "ENOSPC")

    with monkeypatch.context() as patch:
        patch.setattr(FileJournal, "append_raw", full)
        await person.presses("Ctrl+Return")
        await person.sees(
            lambda: not world.context.actions.is_running("task.create") and world.window.isVisible(), "the answer"
        )
        await person.sees(lambda: editor.toPlainText() == "Say something about the cart", "the prompt")
        assert set(world.state.tasks) == before
    editor.setFocus()
    await person.presses("Ctrl+Return")
    await person.sees(lambda: set(world.state.tasks) - before, "the task")
