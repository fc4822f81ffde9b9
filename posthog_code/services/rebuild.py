"""Tasks found again when the database was lost: from worktree markers, hidden refs, the trash and journals."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from pathlib import Path

from posthog_code.domain.errors import NotFound, UserError
from posthog_code.domain.ids import RepositoryId, SessionId, TaskId
from posthog_code.domain.journal_facts import JournalFacts, read_facts
from posthog_code.domain.session import Session
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import Repository, Step, StepState, Task, TaskPhase, Workspace
from posthog_code.domain.text import title_from_prompt
from posthog_code.ports.clock import Clock
from posthog_code.ports.git import Checkpoints, MarkedWorktree, Remains, TrashedWorktree
from posthog_code.ports.storage import Journals
from posthog_code.services import edits
from posthog_code.services.environment import free_port_base
from posthog_code.services.repositories import Repositories
from posthog_code.services.setup import WORKTREE
from posthog_code.services.store import Store

log = logging.getLogger("rebuild")


@dataclass(frozen=True, slots=True)
class Folders:
    worktrees: Path
    trash: Path


@dataclass(frozen=True, slots=True)
class _Found:
    """All that is left of one task."""

    task_id: TaskId
    session_id: SessionId
    facts: JournalFacts
    worktree: MarkedWorktree | None
    trashed: TrashedWorktree | None

    @property
    def repository(self) -> str:
        place = self.worktree or self.trashed
        return str(place.repository) if place else self.facts.task.get("repository", "")


class Rebuild:
    def __init__(
        self,
        store: Store,
        repositories: Repositories,
        checkpoints: Checkpoints,
        remains: Remains,
        journals: Journals,
        clock: Clock,
        folders: Folders,
    ) -> None:
        self._store = store
        self._repositories = repositories
        self._checkpoints = checkpoints
        self._remains = remains
        self._journals = journals
        self._clock = clock
        self._folders = folders

    async def run(self) -> int:
        """Make tasks of what no row tells of; gives their number. Nothing on disk is changed.

        For a database that was lost. Rows that merely cannot be read are not this: they would be written over.
        """
        count = 0
        for found in await self._look():
            try:
                count += await self._restore(found)
            except UserError as error:
                log.warning("task %s was not found again: %s %s", found.task_id, error, error.detail)
        return count

    async def _look(self) -> list[_Found]:
        state = self._store.state
        worktrees = {w.task_id: w for w in await self._remains.worktrees(self._folders.worktrees)}
        trashed = {t.task_id: t for t in await self._remains.trashed(self._folders.trash)}
        by_path = {str(w.path): w.task_id for w in worktrees.values()} | {
            str(t.path): t.task_id for t in trashed.values()
        }
        found: list[_Found] = []
        for session_id in await asyncio.to_thread(self._journals.sessions):
            if session_id in state.sessions:
                continue
            facts = await asyncio.to_thread(read_facts, self._journals.read(session_id))
            task_id = TaskId(facts.task.get("id", "")) or by_path.get(facts.folder) or TaskId(self._clock.new_id())
            found.append(_Found(task_id, session_id, facts, worktrees.get(task_id), trashed.get(task_id)))
        told = {one.task_id for one in found} | set(state.tasks)
        for task_id in (worktrees.keys() | trashed.keys()) - told:
            session_id = SessionId(self._clock.new_id())
            found.append(_Found(task_id, session_id, JournalFacts(), worktrees.get(task_id), trashed.get(task_id)))
        return [one for one in found if one.task_id not in state.tasks]

    async def _restore(self, found: _Found) -> bool:
        if found.facts.task.get("workspace") == Workspace.CLOUD.value:
            raise NotFound("It ran in the cloud.", "PostHog still has it.")
        folder = found.repository or found.facts.folder
        if not folder:
            raise NotFound("Its journal names no repository.", "", str(self._journals.path(found.session_id)))
        repository_id = await self._repositories.add(Path(folder))
        task = await self._task(found, self._store.state.repositories[repository_id])
        session = Session(
            id=found.session_id,
            task_id=task.id,
            agent_id=task.agent_id,
            agent_session_id=found.facts.agent_session_id,
            turns=found.facts.turns,
        )

        def change(state: AppState) -> AppState:
            if task.id in state.tasks:
                return state
            return edits.put_session(edits.put_task(state, task), session)

        await self._store.update(change, *edits.task_topics(task.id), Topic("session", task.id))
        return True

    async def _task(self, found: _Found, repository: Repository) -> Task:
        known, facts = found.facts.task, found.facts
        worktree, trashed = found.worktree, found.trashed
        branch = (worktree or trashed).branch if worktree or trashed else known.get("branch", "")  # type: ignore[union-attr]
        local = known.get("workspace") == Workspace.LOCAL.value
        task = Task(
            id=found.task_id,
            repository_id=RepositoryId(repository.id),
            title=known.get("title") or title_from_prompt(facts.prompt) or branch or found.task_id,
            prompt=facts.prompt,
            workspace=Workspace.LOCAL if local else Workspace.WORKTREE,
            agent_id=known.get("agent", "") or self._store.state.settings.default_agent,
            session_id=found.session_id,
            created_at=facts.began_at or self._clock.now(),
            updated_at=facts.ended_at or self._clock.now(),
            phase=TaskPhase.READY,
            base=known.get("base", "") or repository.default_branch,
            branch=branch,
            agent_command=known.get("command", ""),
            mode=known.get("mode", ""),
            model=known.get("model", ""),
            unread=True,
            port_base=free_port_base({task.port_base for task in self._store.state.tasks.values()}),
        )
        if local:
            return replace(task, path=facts.folder or repository.path)
        if worktree is not None:
            return replace(task, path=str(worktree.path), base_commit=worktree.base_commit)
        snapshot = await self._snapshot(repository, task.id)
        path = str(trashed.path) if trashed else facts.folder
        if snapshot and path:
            trash_path = str(trashed.trashed) if trashed else ""
            put_away = {"snapshot": snapshot, "trash_path": trash_path, "archived_at": task.updated_at}
            return replace(task, phase=TaskPhase.ARCHIVED, path=path, unread=False, **put_away)  # type: ignore[arg-type]
        reason = "Its worktree was not found. Run this step to make a new one."
        steps = (Step(WORKTREE, "Create the worktree", StepState.FAILED, detail=reason),)
        return replace(task, phase=TaskPhase.SETUP_FAILED, steps=steps)

    async def _snapshot(self, repository: Repository, task_id: TaskId) -> str:
        try:
            return (await self._checkpoints.read(Path(repository.path), f"refs/posthog-code/{task_id}/archive")).commit
        except NotFound:
            return ""
