"""The state plane's one door: a change is on disk before anybody sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from posthog_code.domain.state import AppState, Topic
from posthog_code.services.merge import merged
from posthog_code.services.scope import carried_through

if TYPE_CHECKING:
    import asyncio

    from posthog_code.ports.storage import Database

Listener = Callable[[frozenset[Topic]], None]


class Store:
    """Holds the current `AppState`. Services change it; everybody else reads it and is told what changed."""

    def __init__(self, database: Database, state: AppState) -> None:
        self._database = database
        self._state = state
        self._listeners: list[Listener] = []
        self._turns: asyncio.Lock | None = None

    @property
    def _lock(self) -> asyncio.Lock:
        """Made by the first change: the state is shown before there is a loop, and before asyncio is imported."""
        if self._turns is None:
            import asyncio

            self._turns = asyncio.Lock()
        return self._turns

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

        Changes are applied one after the other, so `change` always sees the newest state, also what another program
        has written meanwhile (then it is called a second time). Once it has begun it is carried through, even when the
        caller is cancelled. Raises StorageFailed; then nothing has changed.
        """
        async with self._lock:
            told = await carried_through(self._save(change))
        self.touch(*topics, *told)
        return self._state

    async def _save(self, change: Callable[[AppState], AppState]) -> frozenset[Topic]:
        told: frozenset[Topic] = frozenset()
        while (new := change(old := self._state)) is not old:
            newer = await self._database.save(old, new)
            if newer is None:
                # What was adopted while the disk was busy stays.
                self._state = new if self._state is old else change(self._state)
                break
            told |= self._take_over(newer)
        return told

    def _take_over(self, newer: AppState) -> frozenset[Topic]:
        self._state, told = merged(self._state, newer)
        return told

    async def refresh(self) -> frozenset[Topic]:
        """Take over what other programs on the same data folder wrote; gives what that was."""
        async with self._lock:
            newer = await self._database.newer()
            told = self._take_over(newer) if newer is not None else frozenset()
        self.touch(*told)
        return told

    def adopt(self, state: AppState, *topics: Topic) -> None:
        """Show a state that the disk does not have (yet): it could not be written, or was read from there just now."""
        self._state = state
        self.touch(*topics)

    def touch(self, *topics: Topic) -> None:
        """Tell that something of the stream plane (transcript, log) changed."""
        if topics:
            changed = frozenset(topics)
            for listener in tuple(self._listeners):
                listener(changed)
