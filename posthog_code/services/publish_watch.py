"""Reads that repeat while somebody looks, each as soon as it is due."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import TaskId


class Spawner(Protocol):
    """The part of a Scope that is needed."""

    def spawn(self, coro: Coroutine[Any, Any, Any], name: str, /) -> asyncio.Task[Any]: ...


@dataclass(slots=True)
class _Watch:
    count: int = 0
    running: asyncio.Task[Any] | None = None
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    read: bool = True
    """Read when woken, rather than only work out the next time again."""


class Watches:
    """One loop a task, while at least one watcher is there."""

    def __init__(
        self,
        scope: Spawner,
        read: Callable[[TaskId], Awaitable[object]],
        delay: Callable[[TaskId], float | None],
    ) -> None:
        """`read` keeps its own failures; `delay` gives the seconds until the next read, None for not before `wake`."""
        self._scope, self._read, self._delay = scope, read, delay
        self._watches: dict[TaskId, _Watch] = {}

    def __contains__(self, task_id: object) -> bool:
        return task_id in self._watches

    def add(self, task_id: TaskId) -> None:
        watch = self._watches.setdefault(task_id, _Watch())
        watch.count += 1
        if watch.running is None or watch.running.done():
            watch.running = self._scope.spawn(self._follow(task_id, watch), f"pull-request-{task_id}")

    def remove(self, task_id: TaskId) -> None:
        watch = self._watches.get(task_id)
        if watch is None:
            return
        watch.count -= 1
        if watch.count <= 0:
            del self._watches[task_id]
            if watch.running is not None:
                watch.running.cancel()

    def wake(self, task_id: TaskId, *, read: bool = True) -> None:
        """Read now, or with `read=False` only work out anew when."""
        watch = self._watches.get(task_id)
        if watch is not None:
            watch.read = watch.read or read
            watch.wake.set()

    def wake_all(self) -> None:
        for task_id in self._watches:
            self.wake(task_id)

    async def _follow(self, task_id: TaskId, watch: _Watch) -> None:
        while True:
            watch.wake.clear()
            if watch.read:
                try:
                    await self._read(task_id)
                except UserError:
                    pass  # the reader keeps it, and it is shown
            watch.read = False
            try:
                await asyncio.wait_for(watch.wake.wait(), self._delay(task_id))
            except TimeoutError:
                watch.read = True
