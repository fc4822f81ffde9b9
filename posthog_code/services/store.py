"""The state plane's one door: a change is on disk before anybody sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from posthog_code.domain.state import AppState, Topic
from posthog_code.ports.storage import Database

Listener = Callable[[frozenset[Topic]], None]


class Store:
    """Holds the current `AppState`. Services change it; everybody else reads it and is told what changed."""

    def __init__(self, database: Database, state: AppState) -> None:
        self._database = database
        self._state = state
        self._listeners: list[Listener] = []
        self._lock = asyncio.Lock()

    @property
    def state(self) -> AppState:
        return self._state

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with the topics of every change; gives the way to stop that."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    async def update(self, change: Callable[[AppState], AppState], *topics: Topic) -> AppState:
        """Apply a pure function to the state: durable first, then visible, then told.

        Changes are applied one after the other, so `change` always sees the newest state. Raises StorageFailed; then
        nothing has changed.
        """
        async with self._lock:
            old = self._state
            new = change(old)
            if new is not old:
                await self._database.save(old, new)
                self._state = new
        self.touch(*topics)
        return self._state

    def adopt(self, state: AppState, *topics: Topic) -> None:
        """Take over what was read from disk (start, or a change made by another process)."""
        self._state = state
        self.touch(*topics)

    def touch(self, *topics: Topic) -> None:
        """Tell that something of the stream plane (transcript, log) changed."""
        if topics:
            changed = frozenset(topics)
            for listener in tuple(self._listeners):
                listener(changed)
