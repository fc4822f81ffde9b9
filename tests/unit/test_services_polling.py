"""Polling: what wakes it is never lost."""

from __future__ import annotations

import asyncio

from posthog_code.services.polling import Polling
from posthog_code.services.scope import Scope
from tests.helpers import run, until


class Clock:
    def now(self) -> float:
        return 1_000_000.0

    def new_id(self) -> str:
        return "id"


def test_what_wakes_it_during_a_look_is_not_lost() -> None:
    async def go() -> None:
        scope = Scope("test", lambda name, error: None)
        looks: list[int] = []
        looking, go_on = asyncio.Event(), asyncio.Event()

        async def look() -> None:
            looks.append(len(looks))
            looking.set()
            await go_on.wait()

        async def sleep(seconds: float) -> None:
            await asyncio.Event().wait()

        polling = Polling("test", look, Clock(), scope, visible=15.0, hidden=300.0, sleep=sleep)
        polling.start()
        await looking.wait()
        polling.anew()
        go_on.set()
        await until(lambda: len(looks) == 2)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(looks) == 2  # and then it rests
        await scope.close()

    run(go())
