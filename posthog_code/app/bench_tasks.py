"""Making a task: the press of *Start*, the worktree behind it, and the list of what changed; git alone beside them."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication

from posthog_code.app import window
from posthog_code.app.bench import Options
from posthog_code.app.bench_data import GIT_ENV, change_files, git, percentile
from posthog_code.app.container import Container, build, open_database
from posthog_code.app.paths import Paths
from posthog_code.domain.ids import RepositoryId, SessionId, TaskId
from posthog_code.domain.session import Session
from posthog_code.domain.task import Task, TaskDraft, TaskPhase, Workspace
from posthog_code.services import edits
from posthog_code.ui.context import UiContext
from posthog_code.ui.shell.main_window import MainWindow

_START_S = 3.0
"""Until the start is over: agents looked for, everything imported."""
_PROMPT = "Round the total of an order once, in the ledger."


class Painted(QObject):
    """Tells when a widget was painted."""

    def __init__(self, widget: QObject) -> None:
        super().__init__(widget)
        self.done = asyncio.Event()
        self.at = 0.0
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint and not self.at:
            QApplication.postEvent(self, QEvent(QEvent.Type.User))
        return False

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.User and not self.at:
            self.at = time.perf_counter()
            self.done.set()
        return super().event(event)


def create(options: Options, paths: Paths) -> dict[str, float | str] | int:
    """From *Start* pressed in the real window to the new task's composer painted and holding the keyboard."""
    took: list[float] = []
    failed: list[BaseException] = []

    async def prepare() -> None:
        container = build(paths, *open_database(paths))
        await container.services.repositories.add(Path(options.repo))
        await container.services.settings.set(default_agent="demo")
        await container.close()

    async def press(container: Container, context: UiContext, shown: MainWindow) -> None:
        try:
            await asyncio.sleep(_START_S)
            for _ in range(options.runs + 1):
                took.append(await _press_start(container, context, shown))
        except BaseException as error:
            failed.append(error)
            raise
        finally:
            shown.closing.emit()

    def attach(container: Container, context: UiContext) -> None:
        shown = next(w for w in QApplication.topLevelWidgets() if isinstance(w, MainWindow))
        container.services.scope.spawn(press(container, context, shown), "bench-create")

    asyncio.run(prepare())
    code = window.open_window(paths, attach)
    if failed or code:
        return code or 1
    return {"first": took[0], "create": percentile(took[1:], 0.5), "worst": max(took[1:])}


async def _press_start(container: Container, context: UiContext, shown: MainWindow) -> float:
    """Milliseconds; the task is forgotten again."""
    context.nav.open_new_task()
    page: Any = shown.page("new_task")
    page.prompt.set_text(_PROMPT)
    await asyncio.sleep(0.3)
    pressed = time.perf_counter()
    page.prompt.start.click()
    took = (await _typeable(shown, context) - pressed) * 1000
    task_id = context.nav.task_id
    assert task_id is not None
    await container.services.tasks.cancel_setup(task_id)
    return took


async def _typeable(shown: MainWindow, context: UiContext) -> float:
    """When the composer of the task in view was painted with the keyboard in it."""
    arrived = asyncio.Event()
    context.nav.changed.connect(lambda _place: arrived.set())
    await asyncio.wait_for(arrived.wait(), 30)
    panel: Any = shown.task_page.panel("conversation")  # made before the place is told
    editor = panel.composer.editor
    painted = Painted(editor.viewport())
    editor.viewport().update()
    await asyncio.wait_for(painted.done.wait(), 30)
    if not editor.hasFocus():
        raise OSError("The composer was shown without the keyboard.")
    return painted.at


def worktree(options: Options, paths: Paths) -> dict[str, float | str]:
    """From the draft to a workspace that is ready, against `git worktree add`, in turn."""
    repository = Path(options.repo)
    ours: list[float] = []
    plain: list[float] = []

    async def main() -> None:
        container = build(paths, *open_database(paths))
        services = container.services
        repository_id = await services.repositories.add(repository)
        for turn in range(options.runs + 1):
            os.sync()  # neither side pays for writing out what the other one made
            started = time.perf_counter()
            draft = TaskDraft(_PROMPT, repository_id, "demo", run_setup=False, branch=f"bench-{os.getpid()}-{turn}")
            task_id = await services.tasks.create(draft)
            await services.tasks.wait_for_setup(task_id)
            ours.append((time.perf_counter() - started) * 1000)
            task = services.store.state.tasks[task_id]
            if task.phase is not TaskPhase.READY:
                raise OSError(f"The worktree was not made: {task.steps}")
            await services.sessions.end(task_id)
            _forget(repository, Path(task.path), task.branch)
            plain_name = f"plain-{os.getpid()}-{turn}"
            other = paths.worktrees / plain_name
            os.sync()
            started = time.perf_counter()
            await asyncio.to_thread(git, repository, "worktree", "add", "-q", "-b", plain_name, str(other))
            plain.append((time.perf_counter() - started) * 1000)
            _forget(repository, other, plain_name)
        await container.close()

    asyncio.run(main())
    return _against(ours[1:], plain[1:], "worktree")


def _forget(repository: Path, path: Path, branch: str) -> None:
    shutil.rmtree(path)
    for entry in (repository / ".git" / "worktrees").glob("*"):
        shutil.rmtree(entry)
    git(repository, "branch", "-q", "-D", branch)


def changes(options: Options, paths: Paths) -> dict[str, float | str]:
    """The list of changed files with counts, against the same git calls one after the other, in turn."""
    repository = Path(options.repo)
    name = f"changes-{options.changed}-{os.getpid()}"
    path = paths.worktrees / name
    git(repository, "worktree", "add", "-q", "-b", name, str(path))
    change_files(path, options.size, options.changed)
    base = git(repository, "rev-parse", "HEAD").decode().strip()
    ours: list[float] = []
    plain: list[float] = []
    cpu: list[float] = []
    found = 0

    async def main() -> None:
        nonlocal found
        container = build(paths, *open_database(paths))
        task_id = await _adopt(container, repository, path, base)
        await asyncio.sleep(1.1)  # git reads files again that are as young as its index
        for _ in range(options.runs + 1):
            started, used = time.perf_counter(), time.process_time()
            listed = await container.services.changes.refresh(task_id)
            ours.append((time.perf_counter() - started) * 1000)
            cpu.append((time.process_time() - used) * 1000)
            found = len(listed.files)
            started = time.perf_counter()
            await asyncio.to_thread(_plain_calls, path, base)
            plain.append((time.perf_counter() - started) * 1000)
        await container.close()

    asyncio.run(main())
    _forget(repository, path, name)
    return {"found": float(found)} | _against(ours[1:], plain[1:], "changes") | {"own_cpu": percentile(cpu[1:], 0.5)}


async def _adopt(container: Container, repository: Path, path: Path, base: str) -> TaskId:
    """A task whose worktree exists already."""
    repository_id: RepositoryId = await container.services.repositories.add(repository)
    task = Task(
        TaskId("bench"), repository_id, _PROMPT, _PROMPT, Workspace.WORKTREE, "demo", SessionId("bench"), 0.0, 0.0,
        TaskPhase.READY, "main", base, path.name, str(path),
    )  # fmt: skip
    session = Session(task.session_id, task.id, "demo")
    await container.services.store.update(lambda state: edits.put_session(edits.put_task(state, task), session))
    return task.id


def _plain_calls(path: Path, base: str) -> None:
    """What any client has to ask: what differs from the base, with counts, and what is untracked."""
    environment = os.environ | GIT_ENV | {"GIT_OPTIONAL_LOCKS": "0"}
    for words in (
        ("diff", "--raw", "--numstat", "-z", "-M", "--no-abbrev", base, "--"),
        ("ls-files", "-z", "-t", "--others", "--unmerged", "--exclude-standard"),
    ):
        command = ["git", *words]
        subprocess.run(command, cwd=path, check=True, capture_output=True, env=environment)


def _against(ours: list[float], plain: list[float], name: str) -> dict[str, float | str]:
    ratios = [a / b for a, b in zip(ours, plain, strict=True)]
    return {
        name: percentile(ours, 0.5),
        "limit": percentile(plain, 0.5),
        "ratio": percentile(ratios, 0.5),
        "least": min(ratios),
        "most": max(ratios),
    }
