"""Claims: whatever the delays, of several runners at most one gets a run, and in the end one does."""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from posthog_code.domain.cloud import CloudRunInfo
from posthog_code.domain.errors import Conflict
from posthog_code.services.runner_claim import OWNER, PREFIX, UNTIL, Claims, Lease

LEASE = Lease(settle=3.0, length=60.0, skew=5.0)


class Time:
    """Simulated time: sleepers wake in order, at once."""

    def __init__(self) -> None:
        self.at = 1_000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> float:
        return self.at

    def new_id(self) -> str:
        return "id"

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self.at + seconds, self._count, future))
        await future

    async def play(self, *work: Any) -> list[Any]:
        running = [asyncio.ensure_future(one) for one in work]
        while not all(one.done() for one in running):
            for _ in range(20):
                await asyncio.sleep(0)
            if self._sleepers:
                self.at, _, future = heapq.heappop(self._sleepers)
                future.set_result(None)
        return [one.result() for one in running]


class FakeCloud:
    """One run's row; each call takes effect somewhere within its delay."""

    def __init__(self, time: Time, delay: Callable[[], float]) -> None:
        self.time, self.delay = time, delay
        self.row = CloudRunInfo("run", "task", "queued", environment="local", state={})

    async def run(self, task_id: str, run_id: str) -> CloudRunInfo:
        await self.time.sleep(self.delay())
        row = self.row
        await self.time.sleep(self.delay())
        return row

    async def patch_run(self, task_id: str, run_id: str, fields: Mapping[str, Any]) -> CloudRunInfo:
        await self.time.sleep(self.delay())
        gone = fields.get("state_remove_keys", ())
        state = {key: value for key, value in self.row.state.items() if key not in gone} | dict(fields.get("state", {}))
        self.row = replace(self.row, status=fields.get("status", self.row.status), state=state)
        row = self.row
        await self.time.sleep(self.delay())
        return row


def claims(cloud: FakeCloud, name: str, offset: float = 0.0) -> Claims:
    class Clock:
        def now(self) -> float:
            return cloud.time.at + offset

        def new_id(self) -> str:
            return "id"

    return Claims(cloud, name, Clock(), LEASE, sleep=cloud.time.sleep, monotonic=cloud.time.now)  # type: ignore[arg-type]


@pytest.mark.parametrize("longest", [0.05, 0.4, 1.2, 6.0])
def test_a_thousand_races(longest: float) -> None:
    rng = random.Random(int(longest * 100))
    none = 0

    async def race(number: int) -> int:
        time = Time()
        cloud = FakeCloud(time, lambda: rng.uniform(0.0, longest))
        runners = [claims(cloud, f"r{i}-{number}", rng.uniform(-4, 4)) for i in range(rng.randint(2, 6))]

        async def attempt(one: Claims) -> bool:
            await time.sleep(rng.uniform(0.0, 4.0))
            return await one.take(cloud.row) is not None

        won = sum(await time.play(*(attempt(one) for one in runners)))
        if won:
            assert cloud.row.status == "in_progress" and str(cloud.row.state[OWNER]).startswith("r")
        return won

    async def all_races() -> None:
        nonlocal none
        for number in range(250):
            won = await race(number)
            assert won <= 1, f"{won} runners have the same run"
            none += won == 0

    asyncio.run(all_races())
    if longest < 0.5:
        assert none == 0, "with a quick network somebody always gets it at once"


def test_a_lease_keeps_others_away_until_it_has_run_out() -> None:
    async def scenario() -> None:
        time = Time()
        cloud = FakeCloud(time, lambda: 0.01)
        one, other = claims(cloud, "one"), claims(cloud, "other")
        (taken,) = await time.play(one.take(cloud.row))
        assert taken is not None and cloud.row.state[OWNER] == "one"
        assert not other.free(cloud.row)
        time.at += LEASE.length - 1
        await time.play(one.renew(cloud.row))
        time.at += LEASE.length - 1
        assert (await time.play(other.take(cloud.row))) == [None]
        time.at += LEASE.skew + 2
        assert other.free(cloud.row)
        (taken,) = await time.play(other.take(cloud.row))
        assert taken is not None and cloud.row.state[OWNER] == "other"
        with pytest.raises(Conflict):
            await time.play(one.renew(cloud.row))
        await time.play(other.release(cloud.row, {"status": "queued"}))
        left = [key for key in cloud.row.state if key in (OWNER, UNTIL, PREFIX + "other")]
        assert cloud.row.status == "queued" and not left

    asyncio.run(scenario())


def test_what_is_not_for_runners_is_left_alone() -> None:
    cloud = FakeCloud(Time(), lambda: 0.0)
    one = claims(cloud, "one")
    assert one.free(cloud.row)
    assert not one.free(replace(cloud.row, environment="cloud"))
    assert not one.free(replace(cloud.row, mode="interactive"))
    assert not one.free(replace(cloud.row, status="completed"))
    assert not one.free(replace(cloud.row, status="in_progress")), "somebody's own app does it"
