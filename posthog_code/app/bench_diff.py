"""A big diff in the real diff view: its first screen, the whole of it read, and frames while scrolling."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

from PySide6.QtWidgets import QApplication

from posthog_code.app import loop
from posthog_code.app.bench import Options
from posthog_code.app.bench_data import make_diff, percentile
from posthog_code.app.bench_start import memory_mb
from posthog_code.app.paths import Paths
from posthog_code.domain.diff_index import DiffIndex
from posthog_code.ui.diff.feeder import Feeder
from posthog_code.ui.diff.view import DiffView
from posthog_code.ui.theme import apply_theme

_PIECE = 1 << 20
_FRAMES = 200
_WIDTH, _HEIGHT = 1100, 860


def diff(options: Options, paths: Paths) -> dict[str, float | str]:
    """A diff of `--size` lines, unified or `--split`."""
    lines = options.size or 1000
    app = QApplication(["posthog-code"])
    apply_theme(app, "dark")
    data = make_diff(lines)
    figures: dict[str, float | str] = {"lines": float(lines), "mb": len(data) / 1e6}

    async def main() -> int:
        # What is made once in a program's life (fonts, lexers, glyphs) is made with a small diff.
        await _show(make_diff(200), options.split, {})
        before = memory_mb()
        view = await _show(data, options.split, figures)
        figures["memory"] = memory_mb() - before
        await asyncio.sleep(0.2)
        _scroll(view, figures)
        view.hide()
        return 0

    loop.run(app, main)
    return figures


async def _show(data: bytes, split: bool, figures: dict[str, float | str]) -> DiffView:
    view = DiffView()
    view.resize(_WIDTH, _HEIGHT)
    view.set_split(split)
    view.show()
    await asyncio.sleep(0.1)
    index = DiffIndex()
    painted, finished = asyncio.Event(), asyncio.Event()
    at: list[float] = []

    def on_painted() -> None:
        if len(index) and not at:
            at.append(time.perf_counter())
            painted.set()

    view.painted.connect(on_painted)
    started = time.perf_counter()
    view.set_index(index)
    feeder = Feeder(index, view)
    feeder.advanced.connect(view.extend)
    feeder.finished.connect(finished.set)
    stalls: list[float] = []
    watch = loop.StallWatch(view, limit=0.0, on_stall=stalls.append)
    for place in range(0, len(data), _PIECE):
        feeder.push(data[place : place + _PIECE])
        await asyncio.sleep(0)  # as they come from git: one after the other
    feeder.end()
    await painted.wait()
    await finished.wait()
    figures["first"] = (at[0] - started) * 1000
    figures["whole"] = (time.perf_counter() - started) * 1000
    watch.stop()
    figures["longest_gap"] = max(stalls, default=0.0) * 1000
    return view


def _scroll(view: DiffView, figures: dict[str, float | str]) -> None:
    """CPU time of frames: three lines further, as a wheel does, and anywhere."""
    bar, port = view.verticalScrollBar(), view.viewport()
    rng = random.Random(5)
    steps: dict[str, Callable[[], int]] = {
        "wheel": lambda: bar.value() + 3 * bar.singleStep(),
        "jump": lambda: rng.randrange(max(1, bar.maximum())),
    }
    for name, next_value in steps.items():
        bar.setValue(0)
        port.repaint()
        took = []
        for _ in range(_FRAMES):
            started = time.thread_time()
            bar.setValue(next_value())
            port.repaint()
            took.append((time.thread_time() - started) * 1000)
        figures |= {
            f"{name}_p50": percentile(took, 0.5),
            f"{name}_p95": percentile(took, 0.95),
            f"{name}_max": max(took),
        }
