"""The start as a person has it: the real window on a full data folder, until its list is painted and after."""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication

from posthog_code.app.paths import Paths

if TYPE_CHECKING:
    # Nothing is imported here that the window itself would not import: it would be counted.
    from posthog_code.app.bench import Options
    from posthog_code.app.container import Container
    from posthog_code.ui.context import UiContext
    from posthog_code.ui.shell.main_window import MainWindow

LATER = (
    *("acp", "pydantic", "httpx", "git", "keyring", "pygments", "tree_sitter"),
    *("asyncio", "qasync", "logging.handlers", "ctypes"),
)
"""What must not be imported before the first paint."""
_SETTLED_S = 1.5


def memory_mb() -> float:
    """Resident memory of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def start(options: Options, paths: Paths) -> int:
    """Open the window; tell times since `--since` (monotonic clock, s), CPU and memory; end.

    With `--size` above 0 a task is opened and every panel shown before memory is read again. What is above 1 is how
    many seconds the window is then left alone.
    """
    from posthog_code.app.window import open_window

    measured = _Start(options.since)
    return open_window(paths, partial(measured.after_start, options.size), before_paint=measured.watch)


class _Start(QObject):
    """Sees the list being painted, then everything else being loaded."""

    def __init__(self, since: float) -> None:
        super().__init__()
        self._since = since
        self._figures: dict[str, float | str] = {}

    def watch(self, window: MainWindow) -> None:
        self._window = window
        window.sidebar.list.viewport().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint and self._window.sidebar.rows:
            watched.removeEventFilter(self)
            # Posted events come before timers, with which the program waits for its first paint.
            QApplication.postEvent(self, QEvent(QEvent.Type.User))
        return False

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.User:
            self._painted()
        return super().event(event)

    def _painted(self) -> None:
        self._figures = {
            "content": (time.monotonic() - self._since) * 1000,
            "cpu": time.process_time() * 1000,
            "memory": memory_mb(),
            "modules": float(len(sys.modules)),
            "offenders": ",".join(name for name in LATER if name in sys.modules) or "none",
        }

    def after_start(self, size: int, container: Container, context: UiContext) -> None:
        if size > 0:
            container.services.scope.spawn(self._load(size - 1, container, context), "bench-load")
        else:
            self._end()

    async def _load(self, idle: float, container: Container, context: UiContext) -> None:
        import asyncio

        task = container.services.store.state.visible_tasks()[0]
        for panel in ("changes", "logs", "pull_request", "changes"):
            context.nav.open_task(task.id, panel)
            await asyncio.sleep(_SETTLED_S / 2)
        await container.services.agents.detect()
        await asyncio.sleep(_SETTLED_S)
        self._figures["loaded"] = memory_mb()
        used = time.process_time()
        await asyncio.sleep(idle)
        if idle:
            self._figures["idle_percent"] = (time.process_time() - used) / idle * 100
        self._end()

    def _end(self) -> None:
        from posthog_code.app.bench import show

        show("start", self._figures)
        self._window.closing.emit()
