"""How near reports are to what the person works on: their own commits, and what their open tasks change.

Asked of git beside everything else, and kept; the ranking reads what is known.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from posthog_code.domain import cloud_lists
from posthog_code.domain.changes import Scope as DiffScope
from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import RepositoryId, TaskId
from posthog_code.domain.inbox import Evidence
from posthog_code.domain.inbox_evidence import bare_path
from posthog_code.domain.priority import Nearness
from posthog_code.domain.state import AppState
from posthog_code.domain.task import DiffStat, Repository, Task, TaskPhase, Workspace
from posthog_code.ports.clock import Clock
from posthog_code.ports.git import Changes, Git, OwnWork
from posthog_code.services.store import Store

DAYS = 90
FRESH = 600.0
"""Seconds for which git's answer is taken for good."""
MOST_TASKS = 20
"""Open tasks whose changes are looked at."""
AT_ONCE = 2
MET = 2_000
"""Pairs of a report and what somebody touched, of which it is kept whether they meet."""
_OPEN = (TaskPhase.READY,)


class _Paths:
    """Finds files of a repository by paths that a stack or a person names: whole, or from some folder on."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._by_name: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            self._by_name[path.rpartition("/")[2]].append(path)

    def find(self, wanted: str) -> str | None:
        candidates = self._by_name.get(wanted.rpartition("/")[2], ())
        fits = [one for one in candidates if one == wanted or one.endswith(f"/{wanted}") or wanted.endswith(f"/{one}")]
        return max(fits, key=lambda one: (one == wanted, len(one)), default=None)


@dataclass(frozen=True, slots=True)
class _Own:
    work: Mapping[str, OwnWork]
    paths: _Paths
    read_at: float


@dataclass(frozen=True, slots=True)
class _Touched:
    of: tuple[float, DiffStat]
    paths: _Paths


class InboxNearness:
    def __init__(self, store: Store, git: Git, changes: Changes, clock: Clock) -> None:
        self._store, self._git, self._changes, self._clock = store, git, changes, clock
        self._own: dict[RepositoryId, _Own] = {}
        self._touched: dict[TaskId, _Touched] = {}
        self._looking = asyncio.Semaphore(AT_ONCE)
        self._repositories: Mapping[RepositoryId, Repository] = {}
        self._ids: dict[str, RepositoryId | None] = {}
        self._met: dict[tuple[tuple[str, ...], int], tuple[_Paths, tuple[str, ...]]] = {}
        self.version = 0
        """Moves whenever `of` may give something else than before."""

    def of(self, state: AppState, evidence: Evidence, made: Iterable[TaskId] = ()) -> Nearness:
        """As far as it was looked up. Tasks `made` for the report say nothing of how near it is."""
        repository_id = self._here(state, evidence.repository)
        own = self._own.get(repository_id) if repository_id else None
        if own is None or repository_id is None:
            return Nearness()
        left_out = frozenset(made)
        titles = [
            task.title
            for task_id, touched in self._touched.items()
            if task_id not in left_out
            and (task := state.tasks.get(task_id)) is not None
            and task.repository_id == repository_id
            and task.phase in _OPEN
            and self._hits(evidence, touched.paths)
        ]
        hits = {path: own.work[path] for path in self._hits(evidence, own.paths)}
        return Nearness(
            commits=len(frozenset().union(*(work.commits for work in hits.values()))),
            last=max((work.last for work in hits.values()), default=0.0),
            paths=tuple(hits),
            tasks=tuple(titles),
            known=True,
        )

    def _here(self, state: AppState, repository: str) -> RepositoryId | None:
        if self._repositories is not state.repositories:
            self._repositories, self._ids = state.repositories, {}
        if repository not in self._ids:
            self._ids[repository] = cloud_lists.local_repository(repository, state.repositories.values())
        return self._ids[repository]

    def _hits(self, evidence: Evidence, paths: _Paths) -> tuple[str, ...]:
        """Which of these the evidence names: asked with every move of the list, so it is kept."""
        key = (evidence.paths, id(paths))
        known = self._met.get(key)
        if known is None:
            wanted = dict.fromkeys(bare_path(path) for path in evidence.paths)
            found = dict.fromkeys(hit for path in wanted if (hit := paths.find(path)) is not None)
            if len(self._met) >= MET:
                self._met.clear()
            # Held with what was found, so that no other paths get its id meanwhile.
            known = self._met[key] = (paths, tuple(found))
        return known[1]

    async def look(self, repository: str) -> None:
        """Bring what is known of one repository (`owner/name`) up to date, if it is here. Never raises for git."""
        state = self._store.state
        repository_id = cloud_lists.local_repository(repository, state.repositories.values())
        if repository_id is None:
            return
        async with self._looking:
            await self._look_own(repository_id, Path(state.repositories[repository_id].path))
        for task_id in [one for one in self._touched if one not in state.tasks]:
            del self._touched[task_id]
        for task in _open_tasks(state, repository_id):
            async with self._looking:
                await self._look_task(task)

    async def _look_own(self, repository_id: RepositoryId, path: Path) -> None:
        known, now = self._own.get(repository_id), self._clock.now()
        if known is not None and known.read_at <= now < known.read_at + FRESH:
            return
        try:
            work = await self._git.own_work(path, now - DAYS * 86_400.0)
        except UserError:
            # The folder is gone, or git fails: what was known stays, and it is not asked at every turn.
            work = known.work if known else {}
        if known is not None and known.work == work:
            self._own[repository_id] = _Own(known.work, known.paths, now)
            return
        self._own[repository_id] = _Own(work, _Paths(work), now)
        self.version += 1

    async def _look_task(self, task: Task) -> None:
        of = (task.updated_at, task.stat)
        known = self._touched.get(task.id)
        if known is not None and known.of == of:
            return
        try:
            changed = await self._changes.summary(Path(task.path), scope=DiffScope.ALL, old=task.base_commit)
            paths = [file.path for file in changed.files]
        except UserError:
            paths = []
        self._touched[task.id] = _Touched(of, _Paths(paths))
        self.version += 1


def _open_tasks(state: AppState, repository_id: RepositoryId) -> list[Task]:
    found = [
        task
        for task in state.visible_tasks()
        if task.repository_id == repository_id
        and task.phase in _OPEN
        and task.workspace is not Workspace.CLOUD
        and task.path
        and task.base_commit
    ]
    return found[:MOST_TASKS]
