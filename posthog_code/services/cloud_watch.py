"""Watching one cloud run: stored log and live stream as one conversation, through whatever the network does."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from posthog_code.domain import cloud_parse as parse
from posthog_code.domain.cloud import CloudRunInfo
from posthog_code.domain.cloud_entries import (
    at_of,
    extension,
    frame_of,
    is_piece,
    key_of,
    news,
    said_by_agent,
)
from posthog_code.domain.errors import NotFound, NotSignedIn, Offline, RateLimited, UserError
from posthog_code.ports.clock import Clock
from posthog_code.ports.cloud import Cloud, StreamEvent
from posthog_code.services.cloud_events import in_order, merged, order_of
from posthog_code.services.cloud_link import Link, Pace, RunSink, closing, outcome
from posthog_code.services.cloud_mend import mend, stored_log
from posthog_code.services.cloud_stream import Received, Timed
from posthog_code.services.scope import Scope

ATTEMPTS = 5
LONG_SILENCE = 60.0
"""Seconds without a sign of life after which the server may have dropped what we missed."""
_IDS_KEPT = 4096


class CloudRun:
    """One watcher. `run` goes on until the run is over, gone, or the watcher is cancelled."""

    def __init__(
        self,
        cloud: Cloud,
        task_id: str,
        run_id: str,
        sink: RunSink,
        clock: Clock,
        scope: Scope,
        *,
        pace: Pace = Pace(),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cloud, self.task_id, self.run_id = cloud, task_id, run_id
        self._sink, self._clock, self._scope, self._pace = sink, clock, scope, pace
        self._sleep, self._monotonic = sleep, monotonic
        self.info: CloudRunInfo | None = None
        self.state = Link.CONNECTING
        self.heard_at = 0.0
        """UNIX time of the last sign of life, s."""
        self.duplicates = 0
        """Events that came again and were left out."""
        self.repairs = 0
        """How often the conversation was told anew from the stored log."""
        self._retry = asyncio.Event()
        self._last_id = ""
        self._order: tuple[int, int] | None = None
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._held: list[StreamEvent] | None = None
        self._batch: list[StreamEvent] = []
        self._timer: asyncio.TimerHandle | None = None
        self._problem: UserError | None = None
        self._progress = False
        self._progress_at = 0.0
        """When the stream last gave a sign of life."""
        self._doubtful = False
        """Something may have been missed: the stored log decides at the next end of a turn."""
        self._read_done = False
        self._last_event = 0.0
        self._ending: asyncio.Timeout | None = None
        self._checking: asyncio.Task[None] | None = None
        self._agreeing = False

    def retry(self) -> None:
        """Do not wait any longer, and count anew."""
        self._retry.set()

    async def run(self) -> None:
        attempts = 0
        while True:
            self._progress = False
            try:
                try:
                    info = await self.cloud.run(self.task_id, self.run_id)
                except NotFound as gone:
                    self._tell(Link.GONE, gone)
                    return
                self._heard()
                if info.over:
                    await self._finish(info)
                    return
                self._tell_info(info)
                rotated = await self._connect()
                if rotated:
                    attempts = 0
                    continue
                attempts = 0 if self._progress else attempts
                # A clean end decides nothing: the next look at the run does. It is waited for, but not counted.
                await self._pause(min(self._pace.first_wait, 1.0) if self._progress else self._pace.first_wait)
            except NotSignedIn as error:
                await self._give_up(error)
                attempts = 0
            except UserError as error:
                attempts = 1 if self._progress else attempts + 1
                if attempts > ATTEMPTS:
                    await self._give_up(error)
                    attempts = 0
                    continue
                wait = min(self._pace.longest_wait, self._pace.first_wait * 2 ** (attempts - 1))
                if isinstance(error, RateLimited):
                    wait = max(wait, min(error.until - self._clock.now(), 300.0))
                self._tell(Link.BROKEN, error)
                if await self._pause(wait):
                    attempts = 0

    def _spawn(self, coro: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        try:
            return self._scope.spawn(coro, name)
        except RuntimeError:
            raise asyncio.CancelledError from None  # the session was closed meanwhile

    async def _give_up(self, error: UserError) -> None:
        self._retry.clear()
        self._tell(Link.LOST, error)
        await self._retry.wait()
        self._retry.clear()
        self._tell(Link.CONNECTING, None)

    async def _pause(self, seconds: float) -> bool:
        """Wait; True when somebody wants it tried at once."""
        self._retry.clear()
        waiting = self._spawn(self._retry.wait(), "retry")
        sleeping = self._spawn(_sleep(self._sleep, seconds), "pause")
        try:
            await asyncio.wait([waiting, sleeping], return_when=asyncio.FIRST_COMPLETED)
            return self._retry.is_set()
        finally:
            waiting.cancel()
            sleeping.cancel()

    # -- one connection ----------------------------------------------------------------------------------------

    async def _connect(self) -> bool:
        """Follow the stream until it ends; True when it is to be opened again at once. Raises UserError."""
        if self._progress_at and self._clock.now() - self._progress_at > LONG_SILENCE:
            # The server may have dropped what came meanwhile, and does not tell: begin as if for the first time.
            self._last_id = ""
        first = not self._last_id
        if first:
            self._ids.clear()  # what was held back when a join failed comes again
        self._doubtful = self._doubtful or not first
        self._read_done, self._problem = False, None
        self._held = [] if first else None
        reading = self._spawn(outcome(self._read()), "stream")
        joining = self._spawn(outcome(self._join()), "join") if first else None
        try:
            if joining is not None:
                await asyncio.wait([reading, joining], return_when=asyncio.FIRST_COMPLETED)
                if reading.done():
                    self._read_done = True
                    if isinstance(failed := reading.result(), BaseException) and self._held == []:
                        raise failed
                joined = await joining
                if isinstance(joined, BaseException):
                    raise joined
            ended = await reading
            if (current := asyncio.current_task()) is not None and current.cancelling():
                # A client library may turn its cancellation into an error of the connection.
                raise asyncio.CancelledError
        finally:
            reading.cancel()
            if joining is not None:
                joining.cancel()
            self._flush()
            self._held = None
        if isinstance(ended, BaseException):
            raise ended
        return bool(ended)

    async def _read(self) -> bool:
        """True for a rotation, False for any other end."""
        try:
            async with asyncio.timeout(None) as self._ending:
                async with closing(self.cloud.stream(self.task_id, self.run_id, self._last_id)) as events:
                    async for event in events:
                        if self._problem is not None:
                            raise self._problem
                        self._heard()
                        self._progress_at = self.heard_at
                        if self.state is not Link.LIVE and self._held is None:
                            self._tell(Link.LIVE, None)
                        if event.name == "end":
                            return True
                        if event.name == "stream-end":
                            return False
                        if event.name == "error":
                            words = parse.text(parse.mapping(event.data).get("error")) or "the stream broke"
                            raise Offline("The stream of this run broke.", "It is opened again.", words)
                        self._event(event)
        except TimeoutError:
            pass
        finally:
            self._ending = None
        return False

    def _event(self, event: StreamEvent) -> None:
        if event.broken:
            self._doubtful = True
            return
        data = event.data
        if not isinstance(data, Mapping) or data.get("type") in ("keepalive", "connected"):
            return
        if event.id:
            if event.id in self._ids:
                self.duplicates += 1
                return
            self._ids[event.id] = None
            if len(self._ids) > _IDS_KEPT:
                self._ids.popitem(last=False)
        self._progress = True
        self._last_event = self._monotonic()
        if self._held is not None:
            self._held.append(event)
            return
        self._batch.append(event)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._pace.batch, self._flush)

    def _flush(self) -> None:
        """What came within one batch, in the order of its ids, to the conversation."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._agreeing:
            return  # it goes in when that is done
        batch, self._batch = self._batch, []
        if not batch:
            return
        try:
            self._apply(in_order(batch), None)
        except UserError as error:
            self._problem = error

    def _apply(self, events: list[StreamEvent], told: list[Timed] | None) -> None:
        """`told`: what the conversation holds already, when this is the first batch of a join."""
        frames = [(event, frame) for event in events if (frame := frame_of(event.data)) is not None]
        fresh = set(range(len(frames)))
        if told is not None:
            fresh = set(news([frame for frame, _ in told], [frame for _, frame in frames]))
            self.duplicates += len(frames) - len(fresh)
            self._doubtful = self._doubtful or bool(frames and is_piece(frames[0][1]))
        shown = {id(frames[index][0]) for index in fresh}
        taken: list[Timed] = []
        turn_over = False
        for event in events:
            order = order_of(event.id)
            if order is not None:
                if self._order is not None and order < self._order:
                    self._doubtful = True
                else:
                    self._order = order
            frame = frame_of(event.data)
            if frame is not None:
                if id(event) in shown:
                    taken.append((frame, at_of(event.data)))
                    turn_over = turn_over or extension(frame) == "turn_complete"
                continue
            # Frames first: what else is told refers to them.
            self._take(taken)
            taken = []
            self._other(event.data)
        self._take(taken)
        last = next((event.id for event in reversed(events) if event.id), "")
        self._last_id = last or self._last_id
        if turn_over and self._doubtful and (self._checking is None or self._checking.done()):
            self._checking = self._spawn(self._check(), "check")

    def _take(self, frames: list[Timed]) -> None:
        if frames:
            self._sink.stream.take(frames)
            self._sink.told(frames)

    def _other(self, data: Mapping[str, Any]) -> None:
        kind = data.get("type")
        if kind == "permission_request":
            self._sink.permission(data)
        elif kind == "task_run_state":
            info = parse.run(data, self.task_id)
            known = self.info
            if known is None or info.updated_at <= known.updated_at:
                return
            told = merged(known, info)
            if told.over:
                # The last lines may still be on their way.
                if self._ending is not None:
                    self._ending.reschedule(asyncio.get_running_loop().time() + self._pace.after_end)
                return
            self._tell_info(told)

    # -- the stored log ----------------------------------------------------------------------------------------

    async def _join(self) -> None:
        """The stored log first, then what the stream has kept and is not in it. From then on the stream alone."""
        stored = await stored_log(self.cloud, self.task_id, self.run_id)
        await self._agree(stored)
        await self._caught_up(stored)
        told = (await self._sink.stream.received(self.run_id)).since
        held, self._held = self._held or [], None
        self._apply(held, list(told))
        if not self._read_done:
            self._tell(Link.LIVE, None)

    async def _caught_up(self, stored: list[Timed]) -> None:
        """Until the stream has come to the end of the stored log: it told its last frame, or falls silent."""
        last = next((frame for frame, _ in reversed(stored) if said_by_agent(frame) is None), None)
        wanted = key_of(last) if last is not None else b""
        times = sum(1 for frame, _ in stored if frame == last)
        looked, met = 0, 0
        deadline = self._monotonic() + self._pace.catch_up
        self._last_event = max(self._last_event, self._monotonic())
        while not self._read_done and (now := self._monotonic()) < deadline:
            held = self._held or []
            frames = (frame_of(event.data) for event in held[looked:])
            met += sum(1 for frame in frames if frame is not None and key_of(frame) == wanted)
            looked = len(held)
            silent = now - self._last_event
            if (wanted and met >= times) or silent >= self._pace.quiet:
                # Silence may also be a slow network: then the log decides at the end of the turn.
                self._doubtful = self._doubtful or (bool(wanted) and met < times and bool(held))
                return
            await asyncio.sleep(min(self._pace.quiet - silent, 0.03))
        self._doubtful = self._doubtful or not self._read_done

    async def _check(self) -> None:
        """Compare with the stored log, and tell anew what does not agree."""
        try:
            self._doubtful = not await self._agree(await stored_log(self.cloud, self.task_id, self.run_id), live=True)
        except UserError:
            pass  # the next turn, or the end of the run, tries again

    async def _agree(self, stored: list[Timed], live: bool = False) -> bool:
        """Make the conversation agree with the stored log. With a `live` stream the end of the log is left to it; False
        when that leaves something open."""
        self._flush()
        self._agreeing = True
        try:
            return self._make_agree(stored, live, await self._sink.stream.received(self.run_id))
        finally:
            self._agreeing = False
            self._flush()

    def _make_agree(self, stored: list[Timed], live: bool, received: Received) -> bool:
        mending = mend(stored, received, live)
        if mending.anew is not None:
            self.repairs += 1
            self._sink.stream.rebuild(received.before, mending.anew, self.run_id)
            self._sink.rebuilt([*received.before, *mending.anew])
        self._take(mending.more)
        return mending.settled

    async def _finish(self, info: CloudRunInfo) -> None:
        """The run is over: its last lines, then its state."""
        if self._checking is not None and not self._checking.done():
            await asyncio.wait([self._checking])
        await self._agree(await stored_log(self.cloud, self.task_id, self.run_id))
        self._tell_info(info)
        self._tell(Link.OVER, None)

    # -- telling -----------------------------------------------------------------------------------------------

    def _heard(self) -> None:
        self.heard_at = self._clock.now()

    def _tell_info(self, info: CloudRunInfo) -> None:
        self.info = info
        self._sink.run_state(info)

    def _tell(self, link: Link, error: UserError | None) -> None:
        self.state = link
        self._sink.link(link, error, self.heard_at)


async def _sleep(sleep: Callable[[float], Awaitable[None]], seconds: float) -> None:
    await sleep(seconds)
