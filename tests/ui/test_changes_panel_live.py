"""The Changes panel over real git: it follows the files, and takes hunks back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from posthog_code.adapters.git import make_git
from posthog_code.app import loop
from posthog_code.domain.state import AppState, Topic
from posthog_code.services.changes import ChangesService
from posthog_code.services.scope import Scope
from posthog_code.services.store import Store
from posthog_code.ui.actions import Actions
from posthog_code.ui.panels.changes import ChangesPanel
from tests.helpers import git, until
from tests.ui.diff_world import TASK, World


class NoDatabase:
    async def save(self, old: AppState, new: AppState) -> None:
        return


class Ids:
    def now(self) -> float:
        return 1_000.0

    def new_id(self) -> str:
        return "id1"


def test_it_follows_the_files_and_takes_hunks_back(qapp: Any, repository: Path) -> None:
    git(repository, "checkout", "-qb", "feature")
    file = repository / "code.py"
    file.write_text("".join(f"line {n}\n" for n in range(60)))
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "code")
    git(repository, "branch", "-f", "base")
    original = file.read_text()
    file.write_text(original.replace("line 5\n", "line five\n").replace("line 50\n", "line fifty\n"))
    world = World()
    task = replace(world.state.tasks[TASK], path=str(repository), base="base")
    world.state = replace(world.state, tasks={TASK: task})
    crashes: list[BaseException] = []

    async def main() -> int:
        scope = Scope("test", lambda _name, error: crashes.append(error))
        adapters = make_git(is_local=lambda _folder: True)
        database: Any = NoDatabase()
        store = Store(database, world.state)

        def told(topics: frozenset[Topic]) -> None:
            world.state = store.state
            world.tell(*topics)

        store.subscribe(told)
        service = ChangesService(
            store,
            adapters.git,
            adapters.changes,
            adapters.checkpoints,
            adapters.watcher,
            Ids(),
            scope,
        )
        world.services.changes = service
        actions: Any = Actions(scope, on_user_error=crashes.append, on_crash=crashes.append)
        world.actions = actions
        panel = ChangesPanel(world)  # type: ignore[arg-type]
        try:
            panel.resize(900, 600)
            panel.set_task(TASK)
            panel.show()
            await _review(panel, world, file, original)
        finally:
            panel.hide()
            panel.deleteLater()
            await scope.close()
        return 0

    assert loop.run(qapp, main) == 0
    assert crashes == []


async def _review(panel: ChangesPanel, world: World, file: Path, original: str) -> None:
    view = panel.view
    await until(lambda: view.index.finished and len(view.index.hunk_rows) == 2)
    (file.parent / "fresh.txt").write_text("new\n")
    await until(lambda: view.index.find_file("fresh.txt") >= 0)
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_J)
    QTest.keyClick(view, Qt.Key.Key_X)
    await until(lambda: _has(file, "line five\n") is False)
    assert file.read_text() == original.replace("line 50\n", "line fifty\n")
    await until(lambda: world.toasts.shown)
    title, toast_actions = world.toasts.shown[-1]
    assert title == "Reverted 1 hunk in code.py."
    await until(lambda: len(list(view.index.hunks(view.index.find_file("code.py")))) == 1)
    undo: Callable[[], Awaitable[None]] = toast_actions[0][1]  # type: ignore[assignment]
    undo()
    await until(lambda: _has(file, "line five\n"))
    await until(lambda: len(list(view.index.hunks(view.index.find_file("code.py")))) == 2)
    await _take_out_a_new_file(panel, world, file.parent / "fresh.txt")


async def _take_out_a_new_file(panel: ChangesPanel, world: World, fresh: Path) -> None:
    """Git does not know it yet; reverting its only hunk removes it."""
    view = panel.view
    view.show_file("fresh.txt")
    shown = len(world.toasts.shown)
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_X)
    await until(lambda: not fresh.exists())
    await until(lambda: len(world.toasts.shown) > shown)
    title, toast_actions = world.toasts.shown[-1]
    assert title == "Reverted 1 hunk in fresh.txt."
    await until(lambda: view.index.find_file("fresh.txt") < 0)
    undo: Callable[[], Awaitable[None]] = toast_actions[0][1]  # type: ignore[assignment]
    undo()
    await until(lambda: fresh.exists() and fresh.read_text() == "new\n")


def _has(file: Path, words: str) -> bool | None:
    """None while git replaces the file: it unlinks the old one first."""
    try:
        return words in file.read_text()
    except FileNotFoundError:
        return None
