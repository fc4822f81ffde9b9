"""What a running program is made of, in the order in which it is needed: the state at once, the services after."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from posthog_code.adapters.storage.database import SqliteDatabase
from posthog_code.app.paths import Paths
from posthog_code.domain.ids import TaskId
from posthog_code.domain.session import Ask
from posthog_code.domain.state import AppState
from posthog_code.services.app import Services
from posthog_code.services.scope import OnError, Scope
from posthog_code.services.store import Store

if TYPE_CHECKING:
    from posthog_code.adapters.forge.github import GitHub
    from posthog_code.app.wiring import Wired
    from posthog_code.ports.clock import Clock
    from posthog_code.ports.git import Git
    from posthog_code.services.session_parts import AskPolicy

log = logging.getLogger("app")


class SystemClock:
    """Implements ports.clock.Clock."""

    def now(self) -> float:
        return time.time()

    def new_id(self) -> str:
        return os.urandom(8).hex()


def ask_the_person(_task_id: TaskId, _ask: Ask) -> str | None:
    return None


def log_error(name: str, error: BaseException) -> None:
    log.error("%s failed", name, exc_info=error)


class Late:
    """The adapters and services, made when they are first asked for."""

    def __init__(self, make: Callable[[], Wired]) -> None:
        self._make = make
        self.made: Wired | None = None

    def __call__(self) -> Wired:
        if self.made is None:
            self.made = self._make()
        return self.made


class LateServices(Services):
    """All services. The store and the scope are there at once; the first of the others brings them all."""

    def __init__(self, store: Store, scope: Scope, problems: tuple[str, ...], late: Late) -> None:
        # The base class is frozen: its fields are filled in past it.
        vars(self).update(store=store, scope=scope, problems=problems, _late=late)

    def __getattr__(self, name: str) -> Any:
        if name not in _SERVICES:
            raise AttributeError(name)
        vars(self).update(vars(vars(self)["_late"]().services))
        return vars(self)[name]


_SERVICES = frozenset(field.name for field in fields(Services))


@dataclass
class Container:
    """The services, and the way to end them."""

    services: Services
    database: SqliteDatabase
    paths: Paths
    late: Late

    @property
    def forge(self) -> GitHub:
        return self.late().forge

    @property
    def git(self) -> Git:
        return self.late().git

    async def mend(self) -> tuple[int, int]:
        """After the start: (tasks found again when the database was lost, turns that were interrupted)."""
        found = await self.services.rebuild.run() if self.database.is_new else 0
        return found, await self.services.reconcile.run()

    async def close(self) -> None:
        """End agents first, then everything that waits, then the files."""
        import asyncio

        if self.late.made is not None:
            await self.services.sessions.close()
        stuck = await self.services.scope.close()
        if stuck:
            log.warning("did not stop in time: %s", ", ".join(stuck))
        if self.late.made is not None:
            await self.forge.close()
            await self.services.mcp.close()
            await self.services.account.close()
        await asyncio.to_thread(self.database.close)


def open_database(paths: Paths) -> tuple[SqliteDatabase, AppState]:
    """Raises StorageFailed, in words for the person, when there is nothing to work on."""
    database = SqliteDatabase(paths.database)
    return database, database.load()


def build(
    paths: Paths,
    database: SqliteDatabase,
    state: AppState,
    *,
    policy: AskPolicy = ask_the_person,
    on_error: OnError = log_error,
    clock: Clock | None = None,
    env: Mapping[str, str] | None = None,
) -> Container:
    """Everything, connected. Call it on the loop's thread."""
    store = Store(database, state)
    scope = Scope("app", on_error)

    def make() -> Wired:
        from posthog_code.app.wiring import wire

        return wire(paths, database, store, scope, policy=policy, clock=clock or SystemClock(), env=env)

    late = Late(make)
    return Container(LateServices(store, scope, tuple(database.problems), late), database, paths, late)
