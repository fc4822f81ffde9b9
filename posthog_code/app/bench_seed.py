"""A data folder that is as full as a busy person's."""

from __future__ import annotations

import asyncio
import json
import time

from posthog_code.adapters.storage.journal import FileJournals
from posthog_code.app.bench import Options
from posthog_code.app.bench_data import git, make_repository, updates
from posthog_code.app.container import build, open_database
from posthog_code.app.paths import Paths
from posthog_code.domain.ids import SessionId, TaskId
from posthog_code.domain.session import Session
from posthog_code.domain.state import AppState
from posthog_code.domain.task import Task, TaskPhase, Workspace
from posthog_code.services import edits

_EVENTS = 400
"""Length of each task's conversation, in frames."""


def seed(options: Options, paths: Paths) -> dict[str, float | str]:
    """Fill the data folder with so many idle tasks; each has its worktree and a conversation."""
    root = paths.home / "repository"
    make_repository(root, 200)

    async def fill() -> None:
        container = build(paths, *open_database(paths))
        services = container.services
        repository_id = await services.repositories.add(root)
        base = git(root, "rev-parse", "HEAD").decode().strip()
        made: list[tuple[Task, Session]] = []
        for number in range(options.size):
            task_id, session_id = TaskId(f"task{number:04}"), SessionId(f"session{number:04}")
            path = paths.worktrees / f"work-{number}"
            at = time.time() - 600 * number
            git(root, "worktree", "add", "-q", "-b", f"work-{number}", str(path))
            task = Task(
                task_id, repository_id, f"Round the total of order {number} once", "Round once.", Workspace.WORKTREE,
                "demo", session_id, at, at, TaskPhase.READY, "main", base,
                f"work-{number}", str(path), pinned=number < 2, unread=number % 5 == 0,
            )  # fmt: skip
            made.append((task, Session(session_id, task_id, "demo")))
            _converse(paths, session_id)

        def change(state: AppState) -> AppState:
            for task, session in made:
                state = edits.put_session(edits.put_task(state, task), session)
            return state

        await services.store.update(change)
        await container.close()

    asyncio.run(fill())
    paths.layout.write_text(json.dumps({"last_task": "task0000"}), encoding="utf-8")
    return {"tasks": float(options.size)}


def _converse(paths: Paths, session_id: SessionId) -> None:
    journal = FileJournals(paths.journals).open(session_id)
    for frame in updates(_EVENTS):
        journal.append(frame, "in", time.time())
    journal.close()
