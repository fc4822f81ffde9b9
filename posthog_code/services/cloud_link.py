"""What a watcher of a cloud run and those who listen to it have in common."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from posthog_code.domain.cloud import CloudRunInfo
from posthog_code.domain.errors import UserError
from posthog_code.services.cloud_stream import CloudStream, Timed

T = TypeVar("T")


class Link(StrEnum):
    """How it stands between the run and us."""

    CONNECTING = "connecting"
    LIVE = "live"
    BROKEN = "broken"
    """It is being opened again."""
    LOST = "lost"
    """Given up for now; `retry` begins anew."""
    GONE = "gone"
    """The run is not there any more."""
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Pace:
    """Times, s."""

    batch: float = 0.016
    quiet: float = 0.2
    """A stream that says nothing for so long has told what it had kept."""
    catch_up: float = 2.0
    first_wait: float = 2.0
    longest_wait: float = 30.0
    after_end: float = 5.0
    """From the word that the run has ended to the end of its stream."""


class RunSink(Protocol):
    """Who is told what a run does. All calls are synchronous and on the loop."""

    stream: CloudStream

    def told(self, frames: list[Timed]) -> None:
        """Frames that were just taken into the stream."""

    def rebuilt(self, frames: list[Timed]) -> None:
        """The whole conversation was told anew."""

    def permission(self, event: Mapping[str, Any]) -> None: ...

    def run_state(self, run: CloudRunInfo) -> None:
        """Final states come after the last line."""

    def link(self, link: Link, error: UserError | None, heard_at: float) -> None: ...


async def outcome(coro: Coroutine[Any, Any, Any]) -> Any:
    """What it gave, or the error that a person can act on, as a value."""
    try:
        return await coro
    except UserError as error:
        return error


@asynccontextmanager
async def closing(events: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Ends an iterator with the one who reads it, also on cancellation: a connection that is left to the garbage
    collector is closed by another task, which it refuses."""
    try:
        yield events
    finally:
        aclose = getattr(events, "aclose", None)
        if aclose is not None:
            await aclose()
