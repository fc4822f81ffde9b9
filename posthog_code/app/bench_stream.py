"""A flood of updates into the real conversation panel, and the journal under it."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QApplication

from posthog_code.adapters.storage.journal import FileJournals
from posthog_code.app import loop, qt, window
from posthog_code.app.bench import Options
from posthog_code.app.bench_data import make_repository, percentile, updates
from posthog_code.app.container import Container, build, open_database
from posthog_code.app.paths import Paths
from posthog_code.domain.fold import Fold
from posthog_code.domain.ids import SessionId, TaskId
from posthog_code.domain.session import Session
from posthog_code.domain.task import Task, TaskPhase, Workspace
from posthog_code.services import edits
from posthog_code.ui.context import UiContext
from posthog_code.ui.shell.main_window import MainWindow

_FRAMES = 120
_BATCHES = (16, 160, 800, 1600)
"""Updates folded before each frame; 1,600 in 16 ms are 100,000 a second."""


def stream(options: Options, paths: Paths) -> dict[str, float | str]:
    """A conversation of `--size` updates opened, then a flood folded and drawn frame by frame."""
    app = qt.make_application()
    history = options.size or 10_000
    figures: dict[str, float | str] = {"history": float(history), "fold_per_s": _fold_rate(min(history, 100_000))}

    async def main() -> int:
        container = build(paths, *open_database(paths))
        small = await _with_history(container, paths, 50)
        task_id = await _with_history(container, paths, history)
        window.dress(app, container)
        context = window.make_context(container)
        shown = MainWindow(context)
        shown.show()
        # Panels are imported and made with the first task that is looked at.
        context.nav.open_task(small, "conversation")
        await asyncio.sleep(1.0)
        started = time.perf_counter()
        context.nav.open_task(task_id, "conversation")
        panel: Any = shown.task_page.panel("conversation")
        # The panel tells nobody when it has loaded.
        while panel.view.task_id != task_id or not panel.view.transcript.items:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        shown.repaint()
        figures["open"] = (time.perf_counter() - started) * 1000
        _flood(app, container, context, shown, task_id, figures)
        shown.hide()
        await container.close()
        return 0

    loop.run(app, main)
    return figures


def _fold_rate(count: int) -> float:
    frames = list(updates(count))
    fold = Fold()
    started = time.process_time()
    for frame in frames:
        fold.apply(frame, "in", 0.0)
    return count / (time.process_time() - started)


async def _with_history(container: Container, paths: Paths, history: int) -> TaskId:
    root = paths.home / "repository"
    if not root.exists():
        make_repository(root, 20)
    repository_id = await container.services.repositories.add(root)
    task_id, session_id = TaskId(f"stream{history}"), SessionId(f"stream{history}")
    journals = FileJournals(paths.journals)
    if journals.exists(session_id):
        os.unlink(journals.path(session_id))
    journal = journals.open(session_id)
    for frame in updates(history):
        journal.append(frame, "in", time.time())
    journal.close()
    task = Task(
        task_id, repository_id, "Flood", "Flood.", Workspace.LOCAL, "demo", session_id, 0.0, 0.0, TaskPhase.READY,
        "main", path=str(root),
    )  # fmt: skip
    session = Session(session_id, task_id, "demo")
    await container.services.store.update(lambda state: edits.put_session(edits.put_task(state, task), session))
    return task_id


def _flood(
    app: QApplication,
    container: Container,
    context: UiContext,
    shown: MainWindow,
    task_id: TaskId,
    figures: dict[str, float | str],
) -> None:
    """Frames of the UI thread by CPU time: fold a batch, tell the panel, paint."""
    kept = container.services.sessions._actor(task_id).stream
    panel: Any = shown.task_page.panel("conversation")
    viewport = panel.stream.viewport()
    best = 0.0
    for batch in _BATCHES:
        feed = iter(list(updates(batch * _FRAMES, f"flood-{batch}")))
        took: list[float] = []
        for _ in range(_FRAMES):
            frames = [next(feed) for _ in range(batch)]
            started = time.thread_time()
            for frame in frames:
                kept.fold(frame, "in", 0.0)
            context.bridge.flush()
            app.sendPostedEvents()
            viewport.repaint()
            took.append((time.thread_time() - started) * 1000)
        median, p95 = percentile(took, 0.5), percentile(took, 0.95)
        figures |= {f"frame{batch}": median, f"frame{batch}_p95": p95}
        if p95 <= 16:
            best = batch / (p95 / 1000)
    figures["events_per_s_16ms"] = best


def journal(options: Options, paths: Paths) -> dict[str, float | str]:
    """Appends of `--size` frames, each timed, against the same bytes written by one call, in turn."""
    count = options.size or 20_000
    frames = list(updates(count))
    kept = FileJournals(paths.journals).open(SessionId("bench"))
    plain = os.open(paths.journals / "plain.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    ours: list[float] = []
    limit: list[float] = []
    for frame in frames:
        started = time.perf_counter()
        kept.append(frame, "in", 1.0)
        between = time.perf_counter()
        os.write(plain, b"x" * 300)
        ours.append((between - started) * 1000)
        limit.append((time.perf_counter() - between) * 1000)
    kept.close()
    os.close(plain)
    for path in (kept.path, Path(paths.journals / "plain.jsonl")):
        path.unlink()
    figures: dict[str, float | str] = {}
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        figures |= {name: percentile(ours, share), f"limit_{name}": percentile(limit, share)}
    return figures
