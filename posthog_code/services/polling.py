"""Asking a server again and again: often while somebody looks, slowly while nobody does, less often when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from posthog_code.domain.errors import RateLimited, UserError
from posthog_code.ports.clock import Clock
from posthog_code.services.scope import Scope

LONGEST = 300.0
LONGEST_ASKED = 600.0
"""Seconds that a server which asks to be left alone is left alone."""

Sleep = Callable[[float], Awaitable[None]]


class Polling:
    """Calls `look` until its scope closes. What `look` raises as a UserError is expected to be told by it."""

    def __init__(
        self,
        name: str,
        look: Callable[[], Awaitable[object]],
        clock: Clock,
        scope: Scope,
        *,
        visible: float,
        hidden: float,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._name, self._look, self._clock, self._scope = name, look, clock, scope
        self._visible, self._hidden, self._sleep = visible, hidden, sleep
        self._failures = 0
        self._not_before = 0.0
        self._wake = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self.shown = False

    def start(self) -> None:
        if self._running is None or self._running.done():
            self._running = self._scope.spawn(self._go_on(), self._name)

    def set_visible(self, on: bool) -> None:
        if on != self.shown:
            self.shown = on
            if on:
                self._wake.set()

    def anew(self) -> None:
        """What stood in the way is gone: look at once."""
        self.worked()
        self._wake.set()

    def wake(self) -> None:
        """Look soon."""
        self._wake.set()

    def worked(self) -> None:
        self._failures, self._not_before = 0, 0.0

    def failed(self, error: UserError) -> None:
        self._failures = min(self._failures + 1, 6)
        if isinstance(error, RateLimited):
            self._not_before = error.until

    async def _go_on(self) -> None:
        while True:
            # Before the look: what is woken for during one (another project, a sign-in) may have come too late for it.
            self._wake.clear()
            try:
                await self._look()
            except UserError:
                pass  # whoever looks has told it
            await self._rest()

    async def _rest(self) -> None:
        every = self._visible if self.shown else self._hidden
        wait = min(max(LONGEST, every), every * 2**self._failures) if self._failures else every
        wait = max(wait, min(self._not_before - self._clock.now(), LONGEST_ASKED))
        waking = self._scope.spawn(self._wake.wait(), f"{self._name}-wake")
        resting = self._scope.spawn(self._slept(wait), f"{self._name}-rest")
        try:
            await asyncio.wait([waking, resting], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waking.cancel()
            resting.cancel()

    async def _slept(self, seconds: float) -> None:
        await self._sleep(seconds)
