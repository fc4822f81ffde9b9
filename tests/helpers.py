"""What several tests need: repositories, services on a temporary folder, waiting for conditions."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from posthog_code.app.container import Container, build, open_database
from posthog_code.app.paths import Paths
from posthog_code.domain.ids import RepositoryId, TaskId
from posthog_code.domain.session import Ask, Session
from posthog_code.domain.task import Task, TaskDraft
from posthog_code.services.app import Services

DEMO_AGENT = f"{sys.executable} -m posthog_code.demo.agent"

GIT_ENV = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}


def git(folder: Path, *words: str, data: bytes | None = None) -> str:
    done = subprocess.run(
        ["git", *words], cwd=folder, input=data, capture_output=True, check=False, env={**os.environ, **GIT_ENV}
    )
    assert done.returncode == 0, f"git {words}: {done.stderr.decode()}"
    return done.stdout.decode(errors="surrogateescape").strip()


def make_repository(folder: Path) -> Path:
    """A small Python program with a test that passes, on branch main."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "Ada")
    git(folder, "config", "user.email", "ada@example.com")
    (folder / "calc.py").write_text('"""Sums."""\n\n\ndef add(a, b):\n    return a + b\n')
    (folder / "tests").mkdir()
    (folder / "tests" / "__init__.py").write_text("")
    (folder / "tests" / "test_calc.py").write_text(
        "import unittest\n\nfrom calc import add\n\n\nclass AddTest(unittest.TestCase):\n"
        "    def test_add(self):\n        self.assertEqual(add(1, 2), 3)\n"
    )
    (folder / ".gitignore").write_text("*.log\n__pycache__/\n.env\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "A calculator")
    return folder


def tree_hash(folder: Path) -> dict[str, str]:
    """Every file below a folder with type, mode and content; `.git` is left out."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if ".git" in relative.parts[:1]:
            continue
        if path.is_symlink():
            found[str(relative)] = f"link {os.readlink(path)}"
        elif path.is_file():
            mode = "x" if os.access(path, os.X_OK) else "-"
            found[str(relative)] = f"{mode} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    return found


@asynccontextmanager
async def running(home: Path, policy: Callable[[TaskId, Ask], str | None] | None = None) -> AsyncIterator[Container]:
    """All services on a data folder, ended with their processes."""
    errors: list[str] = []
    paths = Paths(home)
    container = build(
        paths,
        *open_database(paths),
        on_error=lambda name, error: errors.append(f"{name}: {error!r}"),
        **({"policy": policy} if policy else {}),
    )
    try:
        yield container
    finally:
        await container.close()
    assert not errors, errors


async def until(condition: Callable[[], Any], timeout: float = 20.0) -> Any:
    """The condition's value once it is true; fails after `timeout` seconds."""
    deadline = asyncio.get_running_loop().time() + timeout
    while not (value := condition()):
        assert asyncio.get_running_loop().time() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.01)
    return value


def task_of(services: Services, task_id: TaskId) -> Task:
    return services.store.state.tasks[task_id]


def session_of(services: Services, task_id: TaskId) -> Session:
    session = services.store.state.session_of(task_id)
    assert session is not None
    return session


async def start_task(services: Services, repository: Path, prompt: str, **fields: Any) -> TaskId:
    """A task for the demo agent, set up and running its first turn."""
    repository_id: RepositoryId = await services.repositories.add(repository)
    draft = TaskDraft(
        prompt=prompt,
        repository_id=repository_id,
        **{"agent_id": "custom", "agent_command": DEMO_AGENT, "mode": "auto", **fields},
    )
    task_id = await services.tasks.create(draft)
    await services.tasks.wait_for_setup(task_id)
    return task_id


async def finished(services: Services, task_id: TaskId) -> Session:
    await asyncio.wait_for(services.sessions.wait_idle(task_id), 30)
    return session_of(services, task_id)


def run(coro: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coro)
