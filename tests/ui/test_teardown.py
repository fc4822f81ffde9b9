"""Windows that are opened and destroyed in the middle of what they do, on the program's own loop and services."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QtMsgType, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

from posthog_code.app import loop, window
from posthog_code.app.container import Container, build, open_database
from posthog_code.app.paths import Paths
from posthog_code.domain.state import AppState
from posthog_code.ui.shell.main_window import MainWindow
from tests.ui.shell_world import world

_TABS = ("changes", "logs", "pull_request", "conversation")
_HARMLESS = ("propagateSizeHints",)


@pytest.fixture
def troubles() -> Iterator[list[str]]:
    """What Qt warned of, and exceptions that Python could not raise into anybody."""
    found: list[str] = []

    def from_qt(kind: QtMsgType, context: object, message: str) -> None:
        if not any(word in message for word in _HARMLESS):
            found.append(f"{kind.name}: {message}")

    def unraisable(told: Any) -> None:
        found.append(f"{told.exc_type.__name__}: {told.exc_value} in {told.object!r}")

    def raised(kind: type[BaseException], error: BaseException, trace: object) -> None:
        found.append(f"{kind.__name__}: {error}")

    before = qInstallMessageHandler(from_qt)
    hooks = sys.unraisablehook, sys.excepthook
    sys.unraisablehook, sys.excepthook = unraisable, raised
    yield found
    sys.unraisablehook, sys.excepthook = hooks
    qInstallMessageHandler(before)


def test_windows_come_and_go(
    qapp: QApplication, tmp_path: Path, troubles: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    paths = Paths(tmp_path)
    database, _ = open_database(paths)
    tasks = world()
    state = replace(AppState(), repositories=tasks.repositories, tasks=tasks.tasks, sessions=tasks.sessions)
    state = replace(state, tasks={key: replace(task, path="") for key, task in state.tasks.items()})

    async def main() -> int:
        container = build(paths, database, AppState())
        container.services.store.adopt(state)
        try:
            for number in range(30):
                await _one_window(container, state, number)
        finally:
            await container.close()
        return 0

    assert loop.run(qapp, main) == 0
    qapp.processEvents()
    gc.collect()
    assert troubles == []
    assert "did not expect" not in capsys.readouterr().err


async def _one_window(container: Container, state: AppState, number: int) -> None:
    context = window.make_context(container)
    context.layout_path = None
    shown = MainWindow(context)
    shown.resize(1440 if number % 3 else 960, 900)
    shown.show()
    task_id = list(state.tasks)[number % len(state.tasks)]
    context.nav.open_task(task_id, _TABS[number % len(_TABS)])
    for _ in range(number % 5):
        await asyncio.sleep(0)
    if number % 2:
        shown.task_page.build_panels()
        gc.collect(number % 3)
    if number % 4 == 1:
        shown.open_palette()
    elif number % 4 == 2:
        shown.show_keys()
    await asyncio.sleep(0.02 if number % 6 else 0.1)
    shown.close()
    context.bridge.close()
    shown.deleteLater()
    del shown
    gc.collect(number % 3)
    await asyncio.sleep(0)
