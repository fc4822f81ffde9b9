"""A task of the cloud, from sign-in to its pull request, by mouse and keys, in the real window on the demo world."""

from __future__ import annotations

import asyncio
import threading
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QPlainTextEdit, QWidget

from posthog_code.app.demo import DemoWorld
from posthog_code.demo.world import DemoPostHog, start_posthog
from posthog_code.domain.ids import TaskId
from posthog_code.domain.session import SessionPhase
from posthog_code.domain.task import TaskPhase, Workspace
from posthog_code.domain.transcript import AgentText, AskItem, ToolCall, UserMessage
from posthog_code.ports.cloud import SignIn
from posthog_code.ui.cloud.watching import begin_cloud
from posthog_code.ui.kit.toggles import Segmented
from posthog_code.ui.models.task_list import TaskRow
from posthog_code.ui.pages.settings.page import NavRow
from tests.e2e.person import Person
from tests.e2e.stage import World
from tests.e2e.stage import play as on_stage

pytestmark = pytest.mark.e2e
Story = Callable[[World, DemoPostHog], Awaitable[None]]
TITLE = "Nightly job runs twice on the DST night"
PROMPT = "The nightly job ran twice on the night of the DST change. Make next_run safe for it, with a test."


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DemoWorld]:
    for name in ("GITHUB_API_URL", "GITHUB_TOKEN"):
        monkeypatch.setenv(name, "")
    world = DemoWorld.open(tmp_path / "demo", lambda words: None, pace=0.0)
    world.posthog = start_posthog(tmp_path / "demo", 0.0, seeds=False)
    yield world
    world.close()


def play(qapp: QApplication, demo: DemoWorld, story: Story) -> None:
    posthog = demo.posthog
    assert posthog is not None

    async def watched(world: World) -> None:
        world.context.open_url = _allow_in_the_browser
        world.services.cloud._visible = 0.3
        begin_cloud(world.context, world.window)
        await story(world, posthog)

    on_stage(qapp, demo, watched, 120)


def _allow_in_the_browser(url: str) -> bool:
    """A browser whose person allows at once."""

    def visit() -> None:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}&auto=1", timeout=20) as page:
            page.read()

    threading.Thread(target=visit, daemon=True).start()
    return True


def test_sign_in_watch_answer_take_over_open_the_pull_request(qapp: QApplication, demo: DemoWorld) -> None:
    play(qapp, demo, _cloud_job)


async def _cloud_job(world: World, posthog: DemoPostHog) -> None:
    person, services = world.person, world.services

    # Signed in with a key, by keys; then out, and in again with the browser.
    await person.presses("Ctrl+,")
    await _clicks_nav(person, "Cloud account")
    where = await person.finds(Segmented)
    where.setFocus()
    await person.presses("Right")
    await person.presses("Right")
    address = await person.finds(QLineEdit, "Address of your PostHog")
    address.setFocus()
    await person.types(posthog.url)
    key = await person.finds(QLineEdit, "Personal API key")
    key.setFocus()
    await person.types("phx_wrong key")
    await person.presses("Return")
    await person.sees(lambda: _labels(world, "This is no API key"), "the refusal")
    key.selectAll()
    await person.types(posthog.token)
    await person.presses("Return")
    await person.sees(lambda: world.state.account.signed_in, "the account")
    assert world.state.account.login == "api_key" and world.state.account.kept == "memory"
    await person.clicks("Sign out")
    await person.sees(lambda: not world.state.account.signed_in, "the signed-out account")
    await person.clicks("Sign in with the browser")
    await person.sees(lambda: world.state.account.login == "oauth", "the account of the browser")
    assert world.state.account.user.name.startswith("Mira")
    await person.clicks("account")
    menu = await person.sees(QApplication.activePopupWidget, "the account's menu")
    assert "Cloud tasks" in [action.text() for action in menu.actions()]
    menu.close()
    world.window.activateWindow()

    # A task that Ana made in Slack appears by itself.
    await asyncio.to_thread(
        posthog.appear,
        title=TITLE,
        prompt=PROMPT,
        origin="slack",
        creator=8,
        ends="waiting",
        mode="acceptEdits",
        publish="pull_request",
        speed=0.0,
    )
    row = await person.sees(lambda: _row(world, TITLE), "the task in the list")
    assert row.cloud and not row.opened and row.who == "Ana started it from Slack"
    assert _section(world, row.section) == "harbor-api"
    await _clicks_row(world, TITLE)
    task_id = await person.sees(
        lambda: next((t.id for t in world.state.tasks.values() if t.title == TITLE), None), "the opened task"
    )
    assert world.state.tasks[task_id].workspace is Workspace.CLOUD

    # Its history and what it does now are one conversation; it waits for a permission, which is answered once.
    ask = await person.sees(lambda: next(iter(world.state.session_of(task_id).asks), None), "the permission")
    assert world.state.session_of(task_id).phase is SessionPhase.WAITING
    await person.sees(
        lambda: (shown := _row(world, TITLE)) is not None and shown.word == "Waiting for permission", "the row's word"
    )
    items = services.sessions.transcript(task_id).items
    assert {AgentText, ToolCall, AskItem} <= {type(item) for item in items}
    panel = await person.sees(lambda: world.window.task_page.panel("conversation"), "the conversation")
    await person.sees(lambda: panel.stream.card_row() >= 0, "the card")
    panel.stream.setFocus()
    await person.presses("1")
    await person.sees(lambda: not world.state.session_of(task_id).asks, "the answer")
    journal = await asyncio.to_thread(posthog.control, "GET", "journal")
    assert journal["counts"]["commands"] == {"permission_response": 1}, ask

    # The turn goes on to its pull request.
    await person.sees(lambda: world.state.session_of(task_id).phase is SessionPhase.READY, "the end of the turn", 40)
    cloud_id = world.state.tasks[task_id].cloud_task_id
    await person.sees(
        lambda: (run := world.state.cloud.tasks[cloud_id].run) is not None and run.pr_url, "the pull request's address"
    )
    await person.presses("Ctrl+Shift+D")
    await person.sees(lambda: (c := world.state.changes.get(task_id)) is not None and c.files, "its changes")

    # Taken over: the branch, its changes and the conversation are here.
    await person.clicks("Take over here")
    local = await person.sees(lambda: _local(world, cloud_id), "the local task", 40)
    await person.sees(lambda: world.state.tasks[local].phase is TaskPhase.READY, "the end of the steps", 40)
    await person.sees(lambda: world.context.nav.task_id == local, "the local task in view")
    task = world.state.tasks[local]
    assert task.workspace is Workspace.WORKTREE and Path(task.path, "jobs/schedule.py").exists()
    kept = await services.sessions.load_transcript(local)
    assert any(isinstance(item, AgentText) for item in kept.items)

    # Its pull request.
    await person.presses("Ctrl+Shift+R")
    pull = await person.sees(lambda: world.state.pull_requests.get(local), "the pull request")
    assert pull.head == task.branch


def test_start_in_the_cloud_steer_end_go_on_and_send_a_local_task(qapp: QApplication, demo: DemoWorld) -> None:
    play(qapp, demo, _starting)


async def _starting(world: World, posthog: DemoPostHog) -> None:
    person, services = world.person, world.services
    await services.account.sign_in(SignIn(posthog.url, posthog.token, keep=False))

    # A new task with the workspace Cloud.
    await person.presses("Ctrl+N")
    await person.sees(lambda: person.widgets(QPlainTextEdit), "the prompt")
    where = await person.finds(Segmented)
    where.setFocus()
    await person.presses("Right")
    await person.presses("Right")
    page = world.window.page("new_task")
    await person.sees(lambda: page.cloud.choices.loaded, "what the cloud offers")
    page.grid.repository.changed.emit("harbor/harbor-api")
    page.prompt.editor.setFocus()
    await person.types("Describe the quote limits in the guide")
    before = set(world.state.tasks)
    await person.presses("Ctrl+Return")
    task_id = await person.sees(lambda: next(iter(set(world.state.tasks) - before), None), "the task", 40)
    await person.sees(lambda: world.context.nav.task_id == task_id, "the task in view")
    first = world.state.tasks[task_id]
    assert first.workspace is Workspace.CLOUD and first.cloud_run_id

    def phase() -> SessionPhase:
        return world.state.session_of(task_id).phase

    async def settled(what: str) -> None:
        """What it asks for is allowed, by key, until it waits for a message."""
        while True:
            await person.sees(lambda: phase() is SessionPhase.READY or world.state.session_of(task_id).asks, what, 40)
            asks = world.state.session_of(task_id).asks
            if not asks:
                return
            stream = world.window.task_page.panel("conversation").stream
            await person.sees(lambda stream=stream: stream.card_row() >= 0, "the card")
            stream.setFocus()
            await person.presses("1")
            await person.sees(
                lambda asked=asks[0].id: all(a.id != asked for a in world.state.session_of(task_id).asks), "the answer"
            )

    await settled("the end of the first turn")

    # A follow-up, and another one after the run has ended: that goes on as a new run.
    panel = await person.sees(lambda: world.window.task_page.panel("conversation"), "the conversation")
    panel.composer.focus_text()
    await person.types("Say it in one sentence")
    await person.presses("Return")
    await person.sees(lambda: _prompts(world, task_id) == 2, "the follow-up", 40)
    await settled("the end of the second turn")
    assert world.state.tasks[task_id].cloud_run_id == first.cloud_run_id
    world.context.commands.run("cloud.end_run")
    await person.clicks("End the run")
    await person.sees(lambda: phase() is SessionPhase.IDLE, "the ended run")
    panel.composer.focus_text()
    await person.types("And add an example")
    await person.presses("Return")
    await person.sees(lambda: world.state.tasks[task_id].cloud_run_id != first.cloud_run_id, "the new run", 40)
    await person.sees(lambda: _prompts(world, task_id) == 3, "the message in it", 40)

    # A task of this machine goes there too.
    local = next(t for t in world.state.tasks.values() if t.title.startswith("Stop double charges"))
    world.context.nav.open_task(local.id)
    world.context.commands.run("cloud.send")
    await person.clicks("Send to the cloud")
    await person.sees(lambda: world.state.tasks[local.id].workspace is Workspace.CLOUD, "the sent task", 60)
    assert Path(local.path).is_dir(), "its worktree stays unless it was to be archived"


def _prompts(world: World, task_id: TaskId) -> int:
    return sum(isinstance(item, UserMessage) for item in world.services.sessions.transcript(task_id).items)


def _local(world: World, cloud_id: str) -> TaskId | None:
    tasks = world.state.tasks.values()
    return next((t.id for t in tasks if t.cloud_task_id == cloud_id and t.workspace is not Workspace.CLOUD), None)


def _row(world: World, title: str) -> TaskRow | None:
    rows = world.window.sidebar.rows
    return next((row for row in rows if isinstance(row, TaskRow) and row.title == title), None)


def _section(world: World, key: str) -> str:
    return next(row.title for row in world.window.sidebar.rows if not isinstance(row, TaskRow) and row.key == key)


async def _clicks_row(world: World, title: str) -> None:
    shown = world.window.sidebar.list
    at = next(n for n, row in enumerate(world.window.sidebar.rows) if row.title == title)
    index = shown.model().index(at, 0)
    shown.scrollTo(index)
    QTest.mouseClick(
        shown.viewport(),
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
        shown.visualRect(index).center(),
    )
    await asyncio.sleep(0)


async def _clicks_nav(person: Person, name: str) -> None:
    row = await person.finds(NavRow, name)
    QTest.mouseClick(row, Qt.MouseButton.LeftButton)
    await asyncio.sleep(0.02)


def _labels(world: World, words: str) -> list[QWidget]:
    from posthog_code.ui.kit.labels import Label

    return [label for label in world.window.findChildren(Label) if label.isVisible() and words in label.text()]
