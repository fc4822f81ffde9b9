"""What a person starts: coroutines with an owner, one of a name at a time, with their errors told."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import shiboken6
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from posthog_code.domain.errors import UserError

CoroutineFactory = Callable[[], Coroutine[Any, Any, Any]]


class Spawner(Protocol):
    """The part of a Scope that actions need."""

    def spawn(self, coro: Coroutine[Any, Any, Any], name: str, /) -> Any: ...


class Actions:
    """Starts coroutines from slots. A slot is never async itself, and nothing here runs a nested loop."""

    def __init__(
        self,
        scope: Spawner,
        *,
        on_user_error: Callable[[UserError], None],
        on_crash: Callable[[BaseException], None],
    ) -> None:
        """`on_user_error` shows what a person can act on; `on_crash` gets everything else."""
        self._scope = scope
        self._on_user_error = on_user_error
        self._on_crash = on_crash
        self._running: set[str] = set()

    def start(
        self,
        name: str,
        coro_factory: CoroutineFactory,
        *,
        on_done: Callable[[Any], object] | None = None,
        on_error: Callable[[UserError], object] | None = None,
        busy: object = None,
    ) -> bool:
        """Runs the coroutine unless one of the same name is running; False when it was not started.

        `on_done` gets the result. `on_error` takes a UserError in place of the toast. `busy` is told while it runs:
        a callable with True and False, an object with `set_loading` or `set_busy`, or a widget, which is disabled
        meanwhile.
        Callbacks of widgets that are gone by then are left out.
        """
        if name in self._running:
            return False
        self._running.add(name)
        _tell_busy(busy, True)
        self._scope.spawn(self._run(name, coro_factory, on_done, on_error, busy), name)
        return True

    def is_running(self, name: str) -> bool:
        return name in self._running

    async def _run(
        self,
        name: str,
        coro_factory: CoroutineFactory,
        on_done: Callable[[Any], object] | None,
        on_error: Callable[[UserError], object] | None,
        busy: object,
    ) -> None:
        try:
            result = await coro_factory()
        except UserError as error:
            self._finish(name, busy)
            if on_error is not None and _alive(on_error):
                on_error(error)
            else:
                self._on_user_error(error)
        except Exception as error:
            # Anything that is not meant for a person is a bug: it goes to the one crash report.
            self._finish(name, busy)
            self._on_crash(error)
        else:
            self._finish(name, busy)
            if on_done is not None and _alive(on_done):
                try:
                    on_done(result)
                except Exception as error:
                    self._on_crash(error)
        finally:
            self._finish(name, busy)

    def _finish(self, name: str, busy: object) -> None:
        if name in self._running:
            self._running.discard(name)
            _tell_busy(busy, False)


def _alive(callback: object) -> bool:
    """False for what belongs to a widget that is gone: its method, the widget itself, or a function inside a method."""
    held = [getattr(callback, "__self__", callback)]
    for cell in getattr(callback, "__closure__", None) or ():
        try:
            held.append(cell.cell_contents)
        except ValueError:
            continue
    return all(shiboken6.isValid(one) for one in held if isinstance(one, QObject))


def _tell_busy(busy: object, on: bool) -> None:
    if busy is None or not _alive(busy):
        return
    tell = getattr(busy, "set_loading", None) or getattr(busy, "set_busy", None)
    if tell is not None:
        tell(on)
    elif isinstance(busy, QWidget):
        busy.setEnabled(not on)
    elif callable(busy):
        busy(on)
