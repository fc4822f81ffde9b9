"""The end of a run that was done here: its log goes up under the lease, and what is done is never handed back."""

from __future__ import annotations

import asyncio
from typing import Any

from posthog_code.domain.cloud import CloudRunInfo, CloudTask
from posthog_code.domain.errors import Conflict
from posthog_code.services.runner import RunnerPlan, _Job
from posthog_code.services.runner_claim import Lease
from posthog_code.services.scope import Scope
from tests.helpers import run, until

DONE = {"status": "completed", "branch": "b", "pr_url": "https://github.com/acme/web/pull/1"}


class Clock:
    def now(self) -> float:
        return 1_000.0

    def new_id(self) -> str:
        return "id"


class Claims:
    def __init__(self) -> None:
        self.renewed = 0
        self.released: list[Any] = []
        self.lost = False

    async def renew(self, _run: CloudRunInfo) -> float:
        if self.lost:
            raise Conflict("This run is not ours any more.")
        self.renewed += 1
        return 2_000.0

    async def release(self, _run: CloudRunInfo, fields: Any) -> None:
        self.released.append(fields["status"])


class Mirror:
    """A log that goes up slowly."""

    def __init__(self) -> None:
        self.taken = asyncio.Event()
        self.begun = 0

    async def finish(self) -> None:
        self.begun += 1
        await self.taken.wait()


class Job(_Job):
    async def _do(self, scope: Any) -> dict[str, Any]:
        return dict(DONE)


def job(claims: Claims, mirror: Mirror) -> Job:
    plan = RunnerPlan({}, "agent", lease=Lease(length=0.03))
    task, info = CloudTask("t1"), CloudRunInfo("r1", "t1")
    made = Job(None, None, Clock(), plan, claims, None, task, info)  # type: ignore[arg-type]
    made._mirror = mirror  # type: ignore[assignment]
    return made


async def begun(claims: Claims, mirror: Mirror) -> asyncio.Task[dict[str, Any]]:
    scope = Scope("test", lambda name, error: None)
    working = scope.spawn(job(claims, mirror).work(scope), "job")
    await until(lambda: mirror.begun)
    return working


def test_the_lease_is_kept_while_the_log_goes_up() -> None:
    async def go() -> None:
        claims, mirror = Claims(), Mirror()
        working = await begun(claims, mirror)
        await until(lambda: claims.renewed >= 3)
        assert not claims.released
        mirror.taken.set()
        assert await working == DONE and claims.released == ["completed"]

    run(go())


def test_what_is_done_is_told_when_the_runner_stops_meanwhile() -> None:
    async def go() -> None:
        claims, mirror = Claims(), Mirror()
        working = await begun(claims, mirror)
        working.cancel()
        mirror.taken.set()
        assert await working == DONE and claims.released == ["completed"]

    run(go())


def test_a_run_that_somebody_else_has_is_left_alone() -> None:
    async def go() -> None:
        claims, mirror = Claims(), Mirror()
        working = await begun(claims, mirror)
        claims.lost = True
        await until(lambda: working.cancelling())
        mirror.taken.set()
        assert await working == {"status": "lost"} and not claims.released

    run(go())
