"""The log of a run that is done here, told to the cloud as it grows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from posthog_code.domain.cloud_errors import OutcomeUnknown
from posthog_code.domain.errors import InvalidInput, NotFound, NotSignedIn, Offline, RateLimited, UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.state import Topic
from posthog_code.ports.clock import Clock
from posthog_code.ports.cloud import Cloud
from posthog_code.services.handover_log import EntryMaker, entry, missing
from posthog_code.services.sessions import Sessions
from posthog_code.services.store import Store

log = logging.getLogger("runner")
DEBOUNCE, LONGEST = 0.5, 5.0
"""Seconds of silence before something is sent, and seconds after which it is sent without."""
TRIES, LONGEST_WAIT = 10, 30.0
BATCH = 200
_KINDS = ("transcript", "session", "log")


class LogMirror:
    """Entries go up in order. What was not taken after all tries stays in the local journal only."""

    def __init__(
        self,
        store: Store,
        sessions: Sessions,
        cloud: Cloud,
        clock: Clock,
        task_id: TaskId,
        place: tuple[str, str],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`place` is the cloud's task and run."""
        self._store, self._sessions, self._cloud, self._clock = store, sessions, cloud, clock
        self._task_id, self._place, self._sleep = task_id, place, sleep
        self._maker = EntryMaker()
        self._read = 0
        self._changed = asyncio.Event()
        self._stopping = False
        self.sent = 0
        self.dropped = 0

    def note(self, method: str, **params: Any) -> None:
        """Something that the journal does not have, for those who watch."""
        frame = {"jsonrpc": "2.0", "method": f"_posthog/{method}", "params": params}
        self._maker.found.append(entry(frame, self._clock.now()))
        self._changed.set()

    async def run(self) -> None:
        """Send until `stop`. Not to be cancelled: what is on its way could then be sent a second time."""
        unsubscribe = self._store.subscribe(self._on_change)
        try:
            while not self._stopping:
                await self._changed.wait()
                await self._quiet()
                await self._send()
        finally:
            unsubscribe()

    def stop(self) -> None:
        self._stopping = True
        self._changed.set()

    async def finish(self) -> None:
        """Send the rest, once nothing comes any more."""
        await self._collect()
        self._maker.flush()
        await self._send()

    def _on_change(self, topics: frozenset[Topic]) -> None:
        if any(topic.id == self._task_id and topic.kind in _KINDS for topic in topics):
            self._changed.set()

    async def _quiet(self) -> None:
        """Until nothing has come for a moment, or it has waited long enough."""
        waited = 0.0
        while self._changed.is_set() and waited < LONGEST and not self._stopping:
            self._changed.clear()
            await self._sleep(DEBOUNCE)
            waited += DEBOUNCE
        self._changed.clear()

    async def _collect(self) -> None:
        lines, self._read = await asyncio.to_thread(self._sessions.journaled_since, self._task_id, self._read)
        for frame, way, at in lines:
            self._maker.take(frame, way, at)

    async def _send(self) -> None:
        await self._collect()
        while self._maker.found:
            batch = self._maker.found[:BATCH]
            await self._append(batch)
            del self._maker.found[: len(batch)]

    async def _append(self, batch: list[dict[str, Any]]) -> None:
        left = batch
        for attempt in range(TRIES):
            try:
                if left:
                    await self._cloud.append_log(*self._place, left)
                self.sent += len(batch)
                return
            except (InvalidInput, NotFound, NotSignedIn) as error:
                log.warning("the log of %s is not taken: %s", self._place[1], error)
                break
            except UserError as error:
                wait = min(LONGEST_WAIT, float(2**attempt))
                if isinstance(error, RateLimited):
                    wait = max(wait, min(error.until - self._clock.now(), 300.0))
                await self._sleep(wait)
                if isinstance(error, OutcomeUnknown | Offline):
                    left = await self._not_there(left)
        self.dropped += len(batch)

    async def _not_there(self, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """After a request without an answer: what of it did not arrive."""
        try:
            return missing(batch, await self._cloud.whole_log(*self._place))
        except UserError:
            return batch
