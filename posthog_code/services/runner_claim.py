"""Claims on runs: of several runners that want the same run, exactly one gets it.

A claim is a key of its own in the state of the run: claims never overwrite each other. A runner reads the run, sees no
claim, writes its own within half of the settling time, waits for the whole of it, and reads again: whoever wrote before
or meanwhile is seen by then, by everybody, and all of them choose the same winner. Clocks do not matter for that; they
only decide when the lease of a runner that is gone has run out.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from posthog_code.domain.cloud import NOT_STARTED, CloudRunInfo
from posthog_code.domain.cloud_parse import mapping, text
from posthog_code.domain.errors import Conflict
from posthog_code.ports.clock import Clock
from posthog_code.ports.cloud import Cloud
from posthog_code.services.handover_parts import MARK

PREFIX = "runner_claim_"
OWNER, UNTIL = "runner", "runner_until"


@dataclass(frozen=True, slots=True)
class Lease:
    settle: float = 3.0
    """Seconds between a claim and the look at who else claims."""
    length: float = 120.0
    """Seconds that a run stays with a runner that tells nothing any more; renewed three times as often."""
    skew: float = 30.0
    """Seconds by which the clocks of runners may differ."""


class Claims:
    def __init__(
        self,
        cloud: Cloud,
        runner_id: str,
        clock: Clock,
        lease: Lease = Lease(),
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.runner_id = runner_id
        self._cloud, self._clock, self._lease = cloud, clock, lease
        self._sleep, self._monotonic = sleep, monotonic
        self._key = PREFIX + runner_id

    def free(self, run: CloudRunInfo) -> bool:
        """Whether a runner may take this run: it waits for one, or its runner is gone."""
        if run.environment != "local" or run.mode == "interactive" or run.over or text(run.state.get(MARK)):
            return False
        owner = text(run.state.get(OWNER))
        if owner and self._lives(run.state.get(UNTIL)):
            return False
        return run.status in NOT_STARTED or bool(owner)

    async def take(self, run: CloudRunInfo) -> CloudRunInfo | None:
        """Try to become the run's runner; None when it goes to somebody else."""
        began = self._monotonic()
        seen = await self._cloud.run(run.task_id, run.id)
        if not self.free(seen) or self._claims(seen):
            return None
        await self._patch(run, {"state": {self._key: self._until()}})
        if self._monotonic() - began > self._lease.settle / 2:
            # Somebody may have looked before this was there.
            await self._withdraw(run)
            return None
        await self._sleep(self._lease.settle)
        seen = await self._cloud.run(run.task_id, run.id)
        claims = self._claims(seen)
        if (
            not self.free(seen)
            or self._key not in claims
            or min(claims, key=lambda key: _rank(run.id, key)) != self._key
        ):
            await self._withdraw(run)
            return None
        state = {OWNER: self.runner_id, UNTIL: self._until()}
        return await self._patch(run, {"status": "in_progress", "state": state})

    async def renew(self, run: CloudRunInfo) -> float:
        """Keep the run; gives the time (UNIX, s) until which it is ours. Raises Conflict when it is not any more."""
        until = self._until()
        told = await self._patch(run, {"state": {UNTIL: until}})
        if text(told.state.get(OWNER)) != self.runner_id or told.over or told.environment != "local":
            raise Conflict("This run is not ours any more.", "", f"{told.status} {told.state.get(OWNER)}")
        return until

    async def release(self, run: CloudRunInfo, fields: Mapping[str, Any]) -> CloudRunInfo:
        """Let go of it, with a last change of its row."""
        return await self._patch(run, {**fields, "state_remove_keys": [self._key, OWNER, UNTIL]})

    async def _withdraw(self, run: CloudRunInfo) -> None:
        await self._patch(run, {"state_remove_keys": [self._key]})

    async def _patch(self, run: CloudRunInfo, fields: Mapping[str, Any]) -> CloudRunInfo:
        return await self._cloud.patch_run(run.task_id, run.id, fields)

    def _claims(self, run: CloudRunInfo) -> list[str]:
        owner = text(run.state.get(OWNER))
        return [
            key
            for key, until in mapping(run.state).items()
            if key.startswith(PREFIX) and self._lives(until) and key != PREFIX + owner
        ]

    def _lives(self, until: Any) -> bool:
        told = float(until) if isinstance(until, int | float) and not isinstance(until, bool) else 0.0
        return self._clock.now() <= told + self._lease.skew

    def _until(self) -> float:
        return round(self._clock.now() + self._lease.length, 3)


def _rank(run_id: str, key: str) -> str:
    """An order that all runners agree on and none is favoured by."""
    return hashlib.sha256(f"{run_id} {key}".encode()).hexdigest()
