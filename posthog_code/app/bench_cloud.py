"""Watched cloud runs: what they cost at rest and at work, and how long an event takes to the pixel."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import tempfile
import time
from pathlib import Path

from posthog_code.app import loop, qt, window
from posthog_code.app.bench import Options
from posthog_code.app.bench_cloud_feed import frame
from posthog_code.app.bench_data import percentile
from posthog_code.app.bench_frames import Pixels
from posthog_code.app.bench_start import memory_mb
from posthog_code.app.container import build, open_database
from posthog_code.app.paths import Paths
from posthog_code.demo.world import DemoPostHog, start_posthog
from posthog_code.domain.cloud_requests import NewCloudTask, RunRequest
from posthog_code.domain.ids import TaskId
from posthog_code.services.app import Services
from posthog_code.services.cloud_link import Link
from posthog_code.ui.shell.main_window import MainWindow

RATE = 100
"""Events a second of all runs together."""
_HISTORY = 100
"""Events of a run before it is watched."""
_SECONDS = 2.0
_SETTLED = 1.5


def cloud(options: Options, paths: Paths) -> dict[str, float | str]:
    """`--size` watched runs (20 by default): memory, and CPU at rest and at 100 events a second, for `--runs` times two
    seconds each."""
    app = qt.make_application()
    count = options.size or 20
    figures: dict[str, float | str] = {"runs": float(count)}

    async def main() -> int:
        with tempfile.TemporaryDirectory(prefix="posthog-code-bench-") as folder:
            server = await asyncio.to_thread(start_posthog, Path(folder), seeds=False)
            os.environ["POSTHOG_API_KEY"], os.environ["POSTHOG_HOST"] = server.token, server.url
            container = build(paths, *open_database(paths))
            try:
                services = container.services
                window.dress(app, container)
                context = window.make_context(container)
                shown = MainWindow(context)
                shown.show()
                await services.account.restore()
                made = [await _begin(services, server, number) for number in range(count)]
                await services.cloud.refresh()
                # Whatever is loaded with the first one is not a matter of their number.
                tasks = [await _watched(services, made[0][0])]
                context.nav.open_task(tasks[0], "conversation")
                await asyncio.sleep(_SETTLED)
                gc.collect()
                before = memory_mb()
                tasks += [await _watched(services, cloud_id) for cloud_id, _ in made[1:]]
                await asyncio.sleep(_SETTLED)
                gc.collect()
                if count > 1:
                    figures["mb_a_run"] = (memory_mb() - before) / (count - 1)
                seconds = _SECONDS * options.runs
                used = time.process_time()
                await asyncio.sleep(seconds)
                figures["idle_percent"] = (time.process_time() - used) / seconds * 100
                pixels = Pixels(shown, context, tasks[0])
                used = time.process_time()
                await _fed(server, seconds, [run_id for _, run_id in made])
                figures["busy_percent"] = (time.process_time() - used) / seconds * 100
                await asyncio.sleep(_SETTLED)
                figures.update(
                    p50=percentile(pixels.latencies, 0.5),
                    p95=percentile(pixels.latencies, 0.95),
                    most=max(pixels.latencies),
                    events=float(len(pixels.latencies)),
                    memory=memory_mb(),
                )
                shown.hide()
            finally:
                await container.close()
                await asyncio.to_thread(server.stop)
        return 0

    loop.run(app, main)
    return figures


async def _begin(services: Services, server: DemoPostHog, number: int) -> tuple[str, str]:
    """A task with a run at work, and the beginning of its conversation."""
    cloud = services.account.cloud()
    task = await cloud.create_task(NewCloudTask(f"Watch run {number}.", title=f"Watched run {number}"))
    run = await cloud.create_run(task.id, RunRequest(environment="local"))
    await cloud.patch_run(task.id, run.id, {"status": "in_progress"})
    prompt = {"sessionId": "s", "prompt": [{"type": "text", "text": f"Watch run {number}."}]}
    frames = [
        {"jsonrpc": "2.0", "method": "_posthog/run_started", "params": {"sessionId": "s", "runId": run.id}},
        {"jsonrpc": "2.0", "id": 1, "method": "session/prompt", "params": prompt},
        *(frame(f"Line {line} of what came before.\n\n") for line in range(_HISTORY)),
    ]
    for one in frames:
        await asyncio.to_thread(server.control, "POST", f"runs/{run.id}/emit", {"notification": one})
    return task.id, run.id


async def _watched(services: Services, cloud_id: str) -> TaskId:
    task_id = await services.cloud.open(cloud_id)
    services.sessions.watch(task_id)
    session = services.sessions.cloud(task_id)
    if not await session.until(lambda: session.link_state is Link.LIVE, 30.0):
        raise RuntimeError(f"{cloud_id} is {session.link_state}: {session.problem}")
    return task_id


async def _fed(server: DemoPostHog, seconds: float, runs: list[str]) -> None:
    """From a process of its own: what it costs is not ours."""
    words = ["-m", "posthog_code.app.bench_cloud_feed", server.url, str(RATE), str(seconds), *runs]
    child = await asyncio.create_subprocess_exec(sys.executable, *words)
    try:
        await child.wait()
    finally:
        if child.returncode is None:
            child.kill()
