"""The whole loop in the real window: a signal becomes a task, the task a pull request, and its release is proof."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication, QLineEdit

from posthog_code.app.demo import DemoWorld
from posthog_code.demo.signals import REPORT
from posthog_code.demo.world import start_posthog
from posthog_code.domain.ids import TaskId
from posthog_code.domain.inbox import RESOLVED
from posthog_code.domain.pull_request import PullRequestState
from posthog_code.domain.release_watch import Direction, WatchState
from posthog_code.ui.diff.view import DiffView
from posthog_code.ui.pages.inbox.page import InboxPage
from posthog_code.ui.pages.inbox.watching import begin_inbox
from posthog_code.ui.panels.signals import SignalsPanel
from tests.e2e.stage import World, play

pytestmark = pytest.mark.e2e
UPLOADER = REPORT % "b9"
PATH = "src/media/uploader.ts"
HOURS = 25


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DemoWorld]:
    for name in ("GITHUB_API_URL", "GITHUB_TOKEN", "POSTHOG_HOST", "POSTHOG_API_KEY"):
        monkeypatch.setenv(name, "")
    world = DemoWorld.open(tmp_path / "demo", lambda words: None, pace=0.0)
    world.sign_in(start_posthog(tmp_path / "demo", 0.0, seeds=False))
    yield world
    world.close()


def test_from_signal_to_proof(qapp: QApplication, demo: DemoWorld) -> None:
    async def story(world: World) -> None:
        await _loop(world, demo)

    play(qapp, demo, story, 150)


async def _loop(world: World, demo: DemoWorld) -> None:
    person, services = world.person, world.services
    assert demo.posthog is not None
    begin_inbox(world.context, world.window, world.window.sidebar.show_inbox_count)
    services.releases.start()
    services.scope.spawn(services.account.restore(), "account")

    # Signals are ranked reports, and the order is explained.
    await person.presses("Ctrl+Shift+I")
    await person.sees(lambda: UPLOADER in world.state.inbox.reports, "the report")
    await person.sees(lambda: UPLOADER in world.state.inbox.evidence, "its evidence", 40)
    ranked = services.inbox.ranked("all")
    assert [score.total for _, score in ranked] == sorted((score.total for _, score in ranked), reverse=True)
    assert ranked[0][0].priority == "P0"
    score = services.inbox.score(UPLOADER)
    assert {"people", "severity"} <= {factor.id for factor in score.factors}

    # One key makes a task of it, whose prompt carries the evidence.
    world.context.nav.open_inbox(UPLOADER)
    before = set(world.state.tasks)
    page = await person.finds(InboxPage)
    await person.sees(lambda: page.detail.isVisible() and page.detail.report_id == UPLOADER, "the report's page")
    page.column.list.setFocus()
    await person.presses("S")
    task_id = await person.sees(lambda: next(iter(set(world.state.tasks) - before), None), "the task")
    task = world.state.tasks[task_id]
    assert task.report_id == UPLOADER
    await person.sees(lambda: task_id in services.inbox.triage_of(UPLOADER).task_ids, "the task at the report")
    assert PATH in task.prompt and "Unhandled rejection" in task.prompt
    await _work(world, task_id)
    assert PATH in {file.path for file in (await services.changes.refresh(task_id)).files}

    # The diff says who wrote what, and what the code means.
    world.context.nav.open_task(task_id, "changes")
    view = await person.finds(DiffView)
    await person.sees(lambda: view.gutter.runs, "marks of turns")
    assert any(run.label == "T1" for runs in view.gutter.runs.values() for run in runs)
    await person.presses("Ctrl+Shift+S")
    panel = await person.finds(SignalsPanel)
    await person.sees(
        lambda: (
            (found := world.state.code_signals.get(task_id)) is not None and found.fingerprint and not found.loading
        ),
        "what the code means",
    )
    await person.sees(lambda: panel.content is not None and panel.content.report is not None, "the report's card")
    assert panel.content.coverage is not None

    # The coverage check, as a machine would ask for it.
    checked = await asyncio.to_thread(_command, demo, "qa", task_id)
    assert checked["places"] is not None

    # The pull request, and its merge by somebody else.
    await person.presses("Ctrl+Shift+G")
    await person.sees(lambda: [f for f in person.widgets(QLineEdit) if f.text().strip()], "the proposed title")
    await person.presses("Ctrl+Return")
    pull = await person.sees(lambda: world.state.pull_requests.get(task_id), "the pull request", 40)
    await asyncio.to_thread(demo.github.merge, "harbor-web", pull.number)
    await services.pull_requests.refresh(task_id)
    assert world.state.pull_requests[task_id].state is PullRequestState.MERGED

    # The watch begins by itself; a day after the release the same signals are proof, and the report is resolved.
    await person.sees(lambda: task_id in world.state.watches, "the watch")
    moved = await asyncio.to_thread(
        demo.posthog.control, "POST", "release", {"repository": "harbor-web", "hours": HOURS}
    )
    await services.releases.begin(task_id, float(moved["released_at"]))
    watch = await services.releases.check(task_id)
    errors = next(metric for metric in watch.metrics if metric.id == "errors")
    assert errors.direction is Direction.BETTER and errors.after < errors.before, watch
    assert watch.state is WatchState.BETTER and "%" in watch.verdict
    await person.sees(lambda: world.state.inbox.reports[UPLOADER].status == RESOLVED, "the resolved report")
    assert services.inbox.triage_of(UPLOADER).proof
    await person.presses("Ctrl+Shift+S")
    await person.sees(lambda: panel.content is not None and panel.content.watch is not None, "the proof on the task")
    told = await asyncio.to_thread(_command, demo, "inbox", "show", UPLOADER)
    assert told["status"] == RESOLVED and told["id"] == UPLOADER


async def _work(world: World, task_id: TaskId) -> None:
    """Whatever the agent asks is allowed, until its turn is over."""
    while True:
        session = await world.person.sees(
            lambda: (
                (s := world.state.session_of(task_id))
                and (s.asks or (s.turns and s.turns[-1].stop_reason and not s.phase.busy))
                and s
            ),
            "a question or the end of the turn",
            40,
        )
        if not session.asks:
            assert session.turns[-1].stop_reason == "end_turn"
            return
        ask = session.asks[0]
        option = next((one.id for one in ask.options if one.kind.startswith("allow")), ask.options[0].id)
        await world.services.sessions.answer(task_id, ask.id, option)
        await world.person.sees(
            lambda a=ask.id: all(x.id != a for x in world.state.session_of(task_id).asks), "answered"
        )


def _command(demo: DemoWorld, *words: str) -> Any:
    env = {**os.environ, "POSTHOG_CODE_HOME": str(demo.paths.home)}
    done = subprocess.run(
        [sys.executable, "-m", "posthog_code", *words, "--json"], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)
