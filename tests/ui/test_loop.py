"""asyncio on Qt's loop: it runs, tells of stalls, and collects on the UI thread only."""

from __future__ import annotations

import asyncio
import gc
import threading
import time

from posthog_code.app import loop


def test_a_coroutine_runs_to_its_exit_code(qapp):
    threads = []

    async def main() -> int:
        await asyncio.sleep(0.01)
        threads.append(await asyncio.to_thread(threading.current_thread))
        process = await asyncio.create_subprocess_exec("echo", "hello", stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        return len(out)

    assert loop.run(qapp, main) == 6
    assert threads[0].name.startswith("worker"), "not one of qasync's threads"
    assert gc.isenabled()


def test_a_generator_that_is_dropped_half_way_is_closed(qapp):
    closed = asyncio.Event()

    async def numbers():
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            closed.set()

    async def main() -> int:
        async for _number in numbers():
            break
        await asyncio.wait_for(closed.wait(), 10)
        return 0

    assert loop.run(qapp, main) == 0


def test_a_stall_is_told(qapp):
    stalls: list[float] = []

    async def main() -> int:
        watch = loop.StallWatch(limit=0.1, beat_ms=20, on_stall=stalls.append)
        await asyncio.sleep(0.2)
        watch.start()
        time.sleep(0.3)
        while not stalls:
            await asyncio.sleep(0.01)
        watch.stop()
        return 0

    assert loop.run(qapp, main) == 0
    assert stalls[-1] > 0.2


def test_cycles_are_collected_by_the_timer(qtbot):
    collector = loop.Collector()
    try:
        assert not gc.isenabled()
        for _ in range(gc.get_threshold()[0] + 10):
            cycle: list[object] = []
            cycle.append(cycle)
        before = gc.get_count()[0]
        collector._collect()
        assert gc.get_count()[0] < before
    finally:
        collector.stop()
    assert gc.isenabled()
