"""Every coroutine that runs by itself has an owner; closing the owner ends it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    # Imported where it is used: a window is on the screen before anything is spawned.
    import asyncio

T = TypeVar("T")
OnError = Callable[[str, BaseException], None]


class Scope:
    """A tree of running coroutines. `asyncio.create_task` is used nowhere else.

    A failed coroutine is told to `on_error(name, exception)`; it takes nobody else down.
    """

    def __init__(self, name: str, on_error: OnError) -> None:
        self.name = name
        self._on_error = on_error
        self._tasks: set[asyncio.Task[Any]] = set()
        self._children: set[Scope] = set()
        self._parent: Scope | None = None
        self._closed = False

    def child(self, name: str) -> Scope:
        """A scope that is closed with this one."""
        scope = Scope(f"{self.name}/{name}", self._on_error)
        scope._closed = self._closed
        scope._parent = self
        self._children.add(scope)
        return scope

    def spawn(self, coro: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run `coro` until it ends or the scope closes. Raises RuntimeError when the scope is closed."""
        if self._closed:
            coro.close()
            raise RuntimeError(f"scope {self.name} is closed")
        import asyncio

        task = asyncio.get_running_loop().create_task(coro, name=f"{self.name}/{name}")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_error(task.get_name(), error)

    async def close(self, grace: float = 5.0) -> list[str]:
        """Cancel everything, children first, and wait. Gives the names of what refused to stop within `grace` s."""
        import asyncio

        self._closed = True
        stuck: list[str] = []
        for scope in tuple(self._children):
            stuck += await scope.close(grace)
        self._children.clear()
        if self._parent is not None:
            self._parent._children.discard(self)
        current = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not current]
        for task in tasks:
            task.cancel()
        if tasks:
            _done, pending = await asyncio.wait(tasks, timeout=grace)
            stuck += [task.get_name() for task in pending]
        return stuck


async def carried_through(work: Coroutine[Any, Any, T]) -> T:
    """Await to its end what must not be half done; a cancellation of the caller comes afterwards."""
    import asyncio

    running = asyncio.get_running_loop().create_task(work)  # owned: awaited below whatever happens
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([running])
        if not running.cancelled():
            running.exception()
        raise
