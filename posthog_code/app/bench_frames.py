"""From an agent's write to the pixel: agents as real processes, one of them in view in the real window."""

from __future__ import annotations

import asyncio
import re
import shlex
import sys
import tempfile
import time
from pathlib import Path

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication

from posthog_code.app import loop, qt, window
from posthog_code.app.bench import Options
from posthog_code.app.bench_data import make_repository, percentile
from posthog_code.app.container import build, open_database
from posthog_code.app.paths import Paths
from posthog_code.domain.ids import TaskId
from posthog_code.domain.task import TaskDraft, Workspace
from posthog_code.domain.transcript import AgentText
from posthog_code.services.app import Services
from posthog_code.ui.context import UiContext
from posthog_code.ui.shell.main_window import MainWindow

_RATE = 25
"""Chunks per second of each agent: twice as fast as most models write."""
_SECONDS = 2.0
_WARM_UP = 1.5
_STAMP = re.compile(r"<(\d+\.\d+)>")


class Pixels(QObject):
    """Which stamps were shown when, by the window's repaints."""

    def __init__(self, shown: MainWindow, context: UiContext, task_id: TaskId) -> None:
        super().__init__(shown)
        self._services, self._task_id = context.services, task_id
        self._seen = time.monotonic()
        self._drawn: list[float] = []
        self.latencies: list[float] = []
        self.frames = 0
        # Connected after the panel: when this is called, the panel has taken over what is in the transcript.
        context.bridge.changed.connect(self._on_changed)
        shown.installEventFilter(self)

    def _on_changed(self, _topics: object) -> None:
        items = self._services.sessions.transcript(self._task_id).items
        for item in items[-2:]:
            if isinstance(item, AgentText):
                stamps = [float(found) for found in _STAMP.findall(item.text)]
                self._drawn += [stamp for stamp in stamps if stamp > self._seen]
        self._seen = max([self._seen, *self._drawn])

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.UpdateRequest:
            # Handled right after this; a posted event comes when it is done.
            QApplication.postEvent(self, QEvent(QEvent.Type.User))
        return False

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.User and self._drawn:
            now = time.monotonic()
            self.frames += 1
            self.latencies += [(now - stamp) * 1000 for stamp in self._drawn]
            self._drawn.clear()
        return super().event(event)


def frames(options: Options, paths: Paths) -> dict[str, float | str]:
    """`--size` live agents (4 by default) for `--runs` times two seconds."""
    app = qt.make_application()
    figures: dict[str, float | str] = {}

    async def main() -> int:
        container = build(paths, *open_database(paths))
        services = container.services
        window.dress(app, container)
        context = window.make_context(container)
        shown = MainWindow(context)
        shown.show()
        with tempfile.TemporaryDirectory(prefix="posthog-code-bench-") as folder:
            tasks = [await _begin(services, Path(folder) / f"r{n}") for n in range(options.size or 4)]
            context.nav.open_task(tasks[0], "logs")
            await asyncio.sleep(_WARM_UP)
            pixels = Pixels(shown, context, tasks[0])
            stalls: list[float] = []
            watch = loop.StallWatch(shown, limit=0.0, on_stall=stalls.append)
            used = time.process_time()
            await asyncio.sleep(_SECONDS * options.runs)
            cpu = (time.process_time() - used) / (_SECONDS * options.runs)
            watch.stop()
            figures.update(
                p50=percentile(pixels.latencies, 0.5),
                p95=percentile(pixels.latencies, 0.95),
                most=max(pixels.latencies),
                chunks=float(len(pixels.latencies)),
                frames=float(pixels.frames),
                longest_gap=max(stalls) * 1000,
                core_share=cpu,
            )
            shown.hide()
            await container.close()
        return 0

    loop.run(app, main)
    return figures


async def _begin(services: Services, folder: Path) -> TaskId:
    make_repository(folder, 20)
    repository_id = await services.repositories.add(folder)
    command = shlex.join([sys.executable, "-m", "posthog_code.app.bench_agent", str(_RATE)])
    draft = TaskDraft("Talk.", repository_id, "custom", Workspace.LOCAL, agent_command=command)
    task_id = await services.tasks.create(draft)
    await services.tasks.wait_for_setup(task_id)
    await services.sessions.wait_started(task_id)
    return task_id
