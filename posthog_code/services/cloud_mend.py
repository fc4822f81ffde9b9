"""The stored log of a run, and what of it a conversation lacks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from posthog_code.domain.cloud_entries import (
    at_of,
    beginning_of_own,
    differs,
    frame_of,
    news,
    said_by_agent,
    unstored,
)
from posthog_code.ports.cloud import Cloud
from posthog_code.services.cloud_stream import Received, Timed

PAGES = 400
"""Of one log; each has up to 5,000 entries. What is beyond is left to the stream."""


@dataclass(frozen=True, slots=True)
class Mending:
    more: list[Timed] = field(default_factory=list)
    """To be told after what was told."""
    anew: list[Timed] | None = None
    """The whole run, to be told instead of what was told of it; None when that can stay."""
    settled: bool = True
    """False when the end of the log is left to the stream."""


async def stored_pages(cloud: Cloud, task_id: str, run_id: str) -> AsyncIterator[list[Timed]]:
    """The stored log page by page, however many the server says there are."""
    offset = 0
    for _ in range(PAGES):
        page = await cloud.session_log(task_id, run_id, offset)
        yield [(frame, at_of(entry)) for entry in page.entries if (frame := frame_of(entry)) is not None]
        offset += len(page.entries) + page.broken
        if not page.more or not (page.entries or page.broken):
            return


async def stored_log(cloud: Cloud, task_id: str, run_id: str) -> list[Timed]:
    """Every page."""
    return [timed async for page in stored_pages(cloud, task_id, run_id) for timed in page]


def mend(stored: list[Timed], received: Received, live: bool) -> Mending:
    """What makes the conversation agree with the stored log. With a `live` stream the end of the log is left to it."""
    if not stored:
        return Mending()  # kept for 30 days only, or not written yet
    since = received.since
    earlier = [frame for frame, _ in received.before]
    # A log may begin with the runs that this one goes on from.
    own = stored[beginning_of_own(earlier, [frame for frame, _ in stored]) :]
    theirs, ours = [frame for frame, _ in own], [frame for frame, _ in since]
    if not differs(theirs, ours):
        return Mending()
    missing = news(ours, theirs)
    tail = len(theirs)
    while missing and missing[-1] == tail - 1:
        tail = missing.pop()
    if not missing and not differs(theirs[:tail], ours):
        if live:
            return Mending(settled=False)
        half = bool(ours) and said_by_agent(ours[-1]) is not None and said_by_agent(theirs[tail]) is not None
        if not half:
            return Mending(own[tail:])
    if live:
        own, theirs = own[:tail], theirs[:tail]
    return Mending(anew=[*own, *(since[index] for index in unstored(theirs, ours))])
