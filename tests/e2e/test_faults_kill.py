"""The window and the movers of worktrees are killed at random moments: what was there is there again."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from contextlib import closing
from pathlib import Path

import pytest

from posthog_code.domain.task import TaskPhase
from tests.e2e.test_kill import ask, check_nothing_lost, journal_lines, wait_until_gone
from tests.helpers import DEMO_AGENT, finished, git, make_repository, running, start_task, task_of, tree_hash

pytestmark = pytest.mark.e2e
WINDOW_KILLS, MOVE_KILLS = 10, 20

WINDOW = """
import sys
from pathlib import Path
from posthog_code.app.paths import Paths
from posthog_code.app.window import open_window
from posthog_code.domain.task import TaskDraft

home, repository, command, prompt = sys.argv[1:]

def after_start(container, context):
    services = container.services

    async def go():
        repository_id = await services.repositories.add(Path(repository))
        draft = TaskDraft(prompt, repository_id, "custom", agent_command=command, mode="auto")
        task_id = await services.tasks.create(draft)
        context.nav.open_task(task_id)
        print(task_id, flush=True)

    services.scope.spawn(go(), "test")

sys.exit(open_window(Paths(Path(home)), after_start))
"""

MOVER = """
import asyncio, sys
from pathlib import Path
from posthog_code.app.container import build, open_database
from posthog_code.app.paths import Paths

async def main():
    paths = Paths(Path(sys.argv[1]))
    services = build(paths, *open_database(paths)).services
    await services.reconcile.run()
    print("ready", flush=True)
    while True:
        await services.tasks.archive(sys.argv[2])
        await services.tasks.restore(sys.argv[2])
        print("round", flush=True)

asyncio.run(main())
"""


def script(code: str, *words: str, home: Path, speed: str = "0.05") -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={
            **os.environ,
            "POSTHOG_CODE_HOME": str(home),
            "POSTHOG_CODE_DEMO_SPEED": speed,
            "QT_QPA_PLATFORM": "offscreen",
        },
        start_new_session=True,
    )


def test_the_window_is_killed(tmp_path: Path) -> None:
    rng = random.Random(7)
    repository, home = make_repository(tmp_path / "repo"), tmp_path / "home"
    checkout = tree_hash(repository), git(repository, "status", "--porcelain")
    known: set[str] = set()
    states = []
    for number in range(WINDOW_KILLS):
        prompt = f"Improve the add function, attempt {number}"
        process = script(WINDOW, str(home), str(repository), DEMO_AGENT, prompt, home=home)
        assert process.stdout is not None
        task_id = process.stdout.readline().decode().strip()
        assert task_id, process.communicate()[1].decode()
        known.add(task_id)
        time.sleep(rng.uniform(0.0, 1.5))
        os.kill(process.pid, signal.SIGKILL)
        errors = process.communicate()[1].decode()
        assert "Traceback" not in errors
        wait_until_gone(home)
        check_nothing_lost_before = dict(journal_lines(home))
        with closing(sqlite3.connect(home / "state.sqlite3")) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        if number % 3 == 2 or number == WINDOW_KILLS - 1:
            tasks = ask(home, "tasks", "--json")
            assert isinstance(tasks, list)
            assert {task["id"] for task in tasks} == known
            assert not [
                t for t in tasks if t["state"] in ("working", "starting", "waiting", "cancelling", "setting_up")
            ]
            states = [task["state"] for task in tasks]
            check_nothing_lost(home, check_nothing_lost_before, [])
    assert "interrupted" in states, states
    assert (tree_hash(repository), git(repository, "status", "--porcelain")) == checkout
    registered = git(repository, "worktree", "list", "--porcelain").count("worktree ") - 1
    assert registered == len([p for p in (home / "worktrees").glob("*/*") if p.is_dir()])


def test_the_window_is_asked_to_end(tmp_path: Path) -> None:
    repository, home = make_repository(tmp_path / "repo"), tmp_path / "home"
    process = script(WINDOW, str(home), str(repository), DEMO_AGENT, "silent: think for ever", home=home)
    assert process.stdout is not None
    task_id = process.stdout.readline().decode().strip()

    def phase() -> str:
        with closing(sqlite3.connect(home / "state.sqlite3", timeout=5)) as database:
            row = database.execute("SELECT phase FROM sessions WHERE task_id = ?", (task_id,)).fetchone()
        return str(row[0]) if row else ""

    deadline = time.monotonic() + 30
    while phase() != "working":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    errors = process.communicate(timeout=20)[1].decode()
    assert process.returncode == 0 and "Traceback" not in errors, errors
    wait_until_gone(home)
    shown = ask(home, "show", task_id, "--json")
    assert isinstance(shown, dict) and shown["state"] in ("interrupted", "idle", "ready")
    assert shown["turn_list"][-1]["stop_reason"] in ("interrupted", "cancelled")


def test_archive_and_restore_are_killed(tmp_path: Path) -> None:
    rng = random.Random(11)
    repository, home = make_repository(tmp_path / "repo"), tmp_path / "home"

    async def make() -> tuple[str, Path]:
        async with running(home) as container:
            task_id = await start_task(container.services, repository, "Improve add")
            await finished(container.services, task_id)
            worktree = Path(task_of(container.services, task_id).path)
            (worktree / "untracked.bin").write_bytes(os.urandom(200_000))
            (worktree / "staged.txt").write_text("staged\n")
            git(worktree, "add", "staged.txt")
            (worktree / "calc.py").write_text("unstaged\n")
            (worktree / "link").symlink_to("calc.py")
            (worktree / "run.sh").write_text("#!/bin/sh\n")
            (worktree / "run.sh").chmod(0o755)
            (worktree / "debug.log").write_text("ignored\n")
            return task_id, worktree

    task_id, worktree = asyncio.run(make())
    tree, index = tree_hash(worktree), git(worktree, "ls-files", "--stage")

    async def repair() -> str:
        """What a person does after the next start; gives where the kill had left it."""
        async with running(home) as container:
            services = container.services
            await services.reconcile.run()
            task = task_of(services, task_id)
            found = f"{task.phase} {'there' if worktree.is_dir() else 'gone'}"
            if task.phase is TaskPhase.READY and (not worktree.is_dir() or tree_hash(worktree) != tree):
                await services.tasks.archive(task_id)
            if task_of(services, task_id).phase is TaskPhase.ARCHIVED:
                await services.tasks.restore(task_id)
            return found

    places = set()
    for _ in range(MOVE_KILLS):
        process = script(MOVER, str(home), task_id, home=home)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n", process.communicate()[1].decode()
        time.sleep(rng.uniform(0.0, 0.5))
        os.kill(process.pid, signal.SIGKILL)
        assert b"Traceback" not in process.communicate()[1]
        wait_until_gone(home)
        places.add(asyncio.run(repair()))
        assert tree_hash(worktree) == tree
        assert git(worktree, "ls-files", "--stage") == index
    assert len(places) > 1, f"the kills hit one place only: {places}"
    shown = ask(home, "show", task_id, "--json")
    assert isinstance(shown, dict) and json.dumps(shown)
