"""The start as a person has it: the real window on a full data folder, until its list is painted and after."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication

from posthog_code.app.bench_data import git, make_repository, memory_mb, updates
from posthog_code.app.container import Container, build, open_database
from posthog_code.app.paths import Paths
from posthog_code.domain.ids import SessionId, TaskId
from posthog_code.domain.session import Session
from posthog_code.domain.state import AppState
from posthog_code.domain.task import Task, TaskPhase, Workspace
from posthog_code.services import edits
from posthog_code.ui.context import UiContext

LATER = ("acp", "pydantic", "httpx", "git", "keyring", "pygments")
"""What must not be imported before the first paint."""
_EVENTS = 400
"""Length of each task's conversation, in frames."""
_SETTLED_S = 1.5


def seed(options: argparse.Namespace, paths: Paths) -> dict[str, float | str]:
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
            git(root, "worktree", "add", "-q", "-b", f"work-{number}", str(path))
            task = Task(
                task_id, repository_id, f"Round the total of order {number} once", "Round once.", Workspace.WORKTREE,
                "demo", session_id, time.time() - 600 * number, time.time() - 300 * number, TaskPhase.READY, "main", base,
                f"work-{number}", str(path), pinned=number < 2, unread=number % 5 == 0,
            )  # fmt: skip
            made.append((task, Session(session_id, task_id, "demo")))
            _converse(paths.journals / f"{session_id}.jsonl", container, session_id)

        def change(state: AppState) -> AppState:
            for task, session in made:
                state = edits.put_session(edits.put_task(state, task), session)
            return state

        await services.store.update(change)
        await container.close()

    asyncio.run(fill())
    return {"tasks": float(options.size)}


def _converse(path: Path, container: Container, session_id: SessionId) -> None:
    from posthog_code.adapters.storage.journal import FileJournals

    journal = FileJournals(path.parent).open(session_id)
    for frame in updates(_EVENTS):
        journal.append(frame, "in", time.time())
    journal.close()


def start(options: argparse.Namespace, paths: Paths) -> int:
    """Open the window; tell times since `--since` (monotonic clock, s), CPU and memory; end.

    With `--size` above 0 a task is opened and every panel shown before memory is read again.
    """
    from posthog_code.app.window import open_window

    kept: list[_Start] = []

    def attach(container: Container, context: UiContext) -> None:
        kept.append(_Start(options.since, options.size > 0, container, context))

    return open_window(paths, attach)


class _Start(QObject):
    """Sees the list being painted, then everything else being loaded."""

    def __init__(self, since: float, load_all: bool, container: Container, context: UiContext) -> None:
        super().__init__()
        from posthog_code.ui.shell.main_window import MainWindow

        self._since, self._load_all = since, load_all
        self._container, self._context = container, context
        self._window = next(w for w in QApplication.topLevelWidgets() if isinstance(w, MainWindow))
        self._figures: dict[str, float | str] = {}
        self._window.sidebar.list.viewport().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint and self._window.sidebar.rows:
            watched.removeEventFilter(self)
            QTimer.singleShot(0, self._painted)
        return False

    def _painted(self) -> None:
        self._figures = {
            "content": (time.monotonic() - self._since) * 1000,
            "cpu": time.process_time() * 1000,
            "memory": memory_mb(),
            "modules": float(len(sys.modules)),
            "offenders": ",".join(name for name in LATER if name in sys.modules) or "none",
        }
        if self._load_all:
            self._container.services.scope.spawn(self._load(), "bench-load")
        else:
            self._end()

    async def _load(self) -> None:
        task = self._container.services.store.state.visible_tasks()[0]
        for panel in ("changes", "logs", "pull_request", "changes"):
            self._context.nav.open_task(task.id, panel)
            await asyncio.sleep(_SETTLED_S / 2)
        while not self._container.services.store.state.agents:
            await asyncio.sleep(0.05)
        await asyncio.sleep(_SETTLED_S)
        self._figures["loaded"] = memory_mb()
        self._figures["loaded_cpu"] = time.process_time() * 1000
        self._end()

    def _end(self) -> None:
        from posthog_code.app.bench import show

        show("start", self._figures)
        self._window.closing.emit()
