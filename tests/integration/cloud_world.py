"""A program on a temporary data folder, signed in to a small PostHog of its own, and counts of what it shows."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from posthog_code.adapters.posthog import http
from posthog_code.domain.cloud_entries import key_of, said_by_agent
from posthog_code.domain.ids import TaskId
from posthog_code.services.app import Services
from posthog_code.services.cloud_link import Link, Pace
from posthog_code.services.cloud_session import CloudSession
from tests.helpers import run as drive
from tests.helpers import running, until
from tests.integration.cloud_server import KEY, CloudServer, RunData, cloud_server

FAST = Pace(quiet=0.08, first_wait=0.05, longest_wait=0.2, after_end=0.5)


@dataclass
class World:
    server: CloudServer
    services: Services
    run: RunData
    task_id: TaskId = field(default_factory=lambda: TaskId(""))

    @property
    def session(self) -> CloudSession:
        return self.services.sessions.cloud(self.task_id)

    async def watch(self) -> CloudSession:
        await self.services.cloud.refresh()
        self.task_id = await self.services.cloud.open(self.run.task)
        self.session.watch()
        return self.session

    async def link(self, *wanted: Link) -> None:
        await until(lambda: self.session.link_state in wanted)
        await self.session.settled()


@asynccontextmanager
async def world(home: Path) -> AsyncIterator[World]:
    waits, http._backoff = http._backoff, lambda attempt: 0.01
    async with cloud_server() as server:
        os.environ["POSTHOG_API_KEY"], os.environ["POSTHOG_HOST"] = KEY, server.url
        try:
            async with running(home) as container:
                services = container.services
                services.sessions._new_session = lambda parts, task: CloudSession(
                    parts, task.id, task.session_id, pace=FAST, patience=0.4
                )
                yield World(server, services, server.add())
        finally:
            http._backoff = waits
            del os.environ["POSTHOG_API_KEY"], os.environ["POSTHOG_HOST"]


@dataclass
class Counts:
    expected: int
    shown: int
    lost: int
    doubled: int
    text: bool
    said: str = ""


async def counts(place: World, run: RunData | None = None) -> Counts:
    """What happened in the run against what the conversation holds."""
    run = run or place.run
    happened = place.server.frames(run)
    received = await place.session.stream.received(run.id)
    shown = [frame for frame, _ in received.since]
    was = Counter(key_of(f) for f in happened if said_by_agent(f) is None)
    now = Counter(key_of(f) for f in shown if said_by_agent(f) is None)
    said = "".join(filter(None, (said_by_agent(f) for f in happened)))
    told = "".join(filter(None, (said_by_agent(f) for f in shown)))
    return Counts(was.total(), now.total(), (was - now).total(), (now - was).total(), said == told, told)


async def all_shown(place: World, run: RunData | None = None) -> Counts:
    deadline = asyncio.get_running_loop().time() + 10
    while True:
        found = await counts(place, run)
        good = not found.lost and not found.doubled and found.text
        if good or asyncio.get_running_loop().time() > deadline:
            assert good, found
            return found
        await asyncio.sleep(0.02)


def scenario(steps: Callable[[World], Any]) -> Callable[[Path], None]:
    def test(tmp_path: Path) -> None:
        async def go() -> None:
            async with world(tmp_path) as place:
                await steps(place)

        drive(go())

    return test
