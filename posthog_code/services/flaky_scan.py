"""Looking through conversations for flaky tests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from posthog_code.domain import flaky
from posthog_code.domain.cloud_lists import remote_name
from posthog_code.domain.errors import UserError
from posthog_code.domain.flaky import FlakyTest, Sighting
from posthog_code.domain.fold import Fold
from posthog_code.domain.ids import RepositoryId
from posthog_code.domain.session import Turn
from posthog_code.domain.task import DiffStat, Task, TaskPhase
from posthog_code.ports.storage import Journals
from posthog_code.services.store import Store

TASKS = 200
"""The newest ones are looked through."""
LONGEST = 16_000_000
"""Bytes of a conversation above which it is left out."""
Between = Callable[[Path, str, str], Awaitable[DiffStat]]
"""Size of the difference of two commits of a repository."""


class FlakyScan:
    def __init__(self, store: Store, journals: Journals, between: Between) -> None:
        self._store, self._journals, self._between = store, journals, between
        self._known: dict[str, tuple[int, tuple[Sighting, ...]]] = {}
        """By session: bytes that were read, and what was found."""
        self._running = asyncio.Lock()

    async def run(self) -> tuple[FlakyTest, ...]:
        async with self._running:
            state = self._store.state
            tasks = [task for task in state.tasks.values() if task.phase is not TaskPhase.DELETED]
            newest = sorted(tasks, key=lambda task: -task.updated_at)[:TASKS]
            seen: dict[RepositoryId, list[Sighting]] = {}
            for task in newest:
                if found := await self._of(task):
                    seen.setdefault(task.repository_id, []).extend(found)
            named = [(state.repositories[key], ones) for key, ones in seen.items() if key in state.repositories]
            return flaky.gathered((one.id, remote_name(one.remote_url)[1] or one.name, ones) for one, ones in named)

    async def _of(self, task: Task) -> tuple[Sighting, ...]:
        size = self._journals.size(task.session_id)
        if not 0 < size <= LONGEST:
            return ()
        known = self._known.get(task.session_id)
        if known is None or known[0] != size:
            found = await asyncio.to_thread(self._read, task)
            known = size, tuple([one for one in found if not await self._changed_between(task, one)])
            self._known[task.session_id] = known
        return known[1]

    def _read(self, task: Task) -> tuple[Sighting, ...]:
        fold = Fold(worktree=task.path)
        for frame, direction, at in self._journals.read(task.session_id):
            fold.apply(frame, direction, at)
        return flaky.sightings(task.id, fold.transcript.items)

    async def _changed_between(self, task: Task, one: Sighting) -> bool:
        """Whether somebody changed files between the two turns, which no row of the conversation tells."""
        session = self._store.state.sessions.get(task.session_id)
        repository = self._store.state.repositories.get(task.repository_id)
        if session is None or repository is None:
            return False
        turns = {turn.number: turn for turn in session.turns}
        for number in range(one.failed_turn, one.passed_turn):
            old, new = _end_of(turns.get(number)), _start_of(turns.get(number + 1))
            if old and new and old != new:
                try:
                    if (await self._between(Path(repository.path), old, new)).files:
                        return True
                except UserError:
                    return True  # it cannot be told any more: no evidence
        return False


def _end_of(turn: Turn | None) -> str:
    return turn.checkpoint_after if turn else ""


def _start_of(turn: Turn | None) -> str:
    return turn.checkpoint_before if turn else ""
