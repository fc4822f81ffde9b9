"""The instrumentation check in front of *Create PR*."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from posthog_code.domain.coverage import Coverage, CoverageMissing
from posthog_code.domain.coverage_rules import place_line, summary
from posthog_code.domain.errors import Refused, UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.text import plural
from posthog_code.services.store import Store

log = logging.getLogger("signals")
Check = Callable[[TaskId], Awaitable[Coverage]]
PATIENCE = 5.0
"""Seconds that a proposal waits for the check."""
SHOWN = 20


@dataclass(frozen=True, slots=True)
class GateView:
    summary: str = ""
    refuses: bool = False
    """`create` would refuse."""


class CoverageGate:
    def __init__(self, store: Store, check: Check | None) -> None:
        self._store, self._check = store, check
        self._waived: set[TaskId] = set()

    def waive(self, task_id: TaskId, on: bool = True) -> None:
        """A person goes on without the check: also when steps that failed are run again."""
        if on:
            self._waived.add(task_id)
        else:
            self._waived.discard(task_id)

    def required(self, task_id: TaskId) -> bool:
        repository = self._store.state.repository_of(task_id)
        return repository is not None and repository.require_coverage

    async def look(self, task_id: TaskId) -> GateView:
        """For a proposal: what the check says, if it says so soon. Never raises."""
        if self._check is None:
            return GateView()
        try:
            async with asyncio.timeout(PATIENCE):
                found = await self._check(task_id)
        except (UserError, TimeoutError) as error:
            log.info("coverage of task %s: %s", task_id, error)
            return GateView()
        return GateView(summary(found), self.required(task_id) and not found.passed)

    async def check(self, task_id: TaskId) -> None:
        """Raises CoverageMissing where the check is required and fails, Refused where it cannot be made."""
        if self._check is None or not self.required(task_id) or task_id in self._waived:
            return
        try:
            found = await self._check(task_id)
        except UserError as error:
            raise Refused(
                "The instrumentation check that this repository requires could not be made.",
                f"{error} You can also go on without it.",
                error.detail,
            ) from error
        missing = [place for place in found.places if not place.covered]
        if not missing:
            return
        lines = [place_line(place) for place in missing[:SHOWN]]
        if len(missing) > SHOWN:
            lines.append(f"and {len(missing) - SHOWN} more")
        verb = "misses" if len(missing) == 1 else "miss"
        raise CoverageMissing(
            f"{plural(len(missing), 'changed path')} of {len(found.places)} {verb} what the product should hear of: "
            f"{'; '.join(' '.join(line.split()) for line in lines[:3])}.",
            "Have the agent add it, or go on without the check.",
            "\n".join(lines),
            found,
        )
