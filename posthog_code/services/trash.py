"""What deleting has set aside, until a person says that it may go. Nothing here ever runs by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from posthog_code.domain.errors import NotFound, UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import Task, TaskPhase
from posthog_code.ports.git import Checkpoints, Remains, TrashedWorktree
from posthog_code.ports.storage import Attachments, Journals, TaskLogs
from posthog_code.services import edits
from posthog_code.services.store import Store

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class TrashEntry:
    """One worktree in the trash, or a deleted task that has none there."""

    at: float
    """UNIX time when it was put away, s."""
    worktree: TrashedWorktree | None
    task: Task | None

    @property
    def size(self) -> int:
        return self.worktree.size if self.worktree else 0

    @property
    def removable(self) -> bool:
        """Only what a task's record knows; absence of a record is no reason to delete."""
        return self.task is not None


@dataclass(frozen=True, slots=True)
class SessionHooks:
    """What is asked of sessions before a task is gone for good."""

    end: Callable[[TaskId], Awaitable[None]]
    """End its agent. Raises Conflict while another program drives the session."""
    release: Callable[[Task], None]
    """Let go of its journal."""


@dataclass(frozen=True, slots=True)
class Emptied:
    removed: tuple[TrashEntry, ...] = ()
    kept: tuple[tuple[TrashEntry, str], ...] = ()
    """With the reason."""


class Trash:
    def __init__(
        self,
        store: Store,
        checkpoints: Checkpoints,
        remains: Remains,
        journals: Journals,
        logs: TaskLogs,
        attachments: Attachments,
        hooks: SessionHooks,
        folder: Path,
    ) -> None:
        self._store = store
        self._checkpoints = checkpoints
        self._remains = remains
        self._journals = journals
        self._logs = logs
        self._attachments = attachments
        self._hooks = hooks
        self._folder = folder

    async def list(self, before: float | None = None) -> tuple[TrashEntry, ...]:
        """Oldest first; with `before` only what was put away earlier than that UNIX time."""
        tasks = self._store.state.tasks
        found = [TrashEntry(one.at, one, tasks.get(one.task_id)) for one in await self._remains.trashed(self._folder)]
        there = {entry.task.id for entry in found if entry.task}
        for task in tasks.values():
            if task.phase is TaskPhase.DELETED and task.id not in there:
                found.append(TrashEntry(task.deleted_at, None, task))
        found.sort(key=lambda entry: entry.at)
        return tuple(entry for entry in found if before is None or entry.at < before)

    async def empty(self, entries: tuple[TrashEntry, ...]) -> Emptied:
        """Remove these for good. An archived task can still be restored from its snapshot, without ignored files; a
        deleted task is gone with its conversation and checkpoints. Branches stay."""
        removed: list[TrashEntry] = []
        kept: list[tuple[TrashEntry, str]] = []
        for entry in entries:
            try:
                await self._remove(entry)
            except UserError as error:
                kept.append((entry, str(error)))
            else:
                removed.append(entry)
        return Emptied(tuple(removed), tuple(kept))

    async def _remove(self, entry: TrashEntry) -> None:
        task = self._store.state.tasks.get(entry.task.id) if entry.task else None
        if task is None:
            raise NotFound("No task knows this worktree.", "Remove its folder by hand if nothing in it is needed.")
        gone = task.phase is TaskPhase.DELETED
        if gone:
            await self._hooks.end(task.id)
        if task.phase is TaskPhase.ARCHIVED:
            # From now on the snapshot is all there is.
            await self._checkpoints.read(self._repository(task), task.snapshot)
        if entry.worktree is not None:
            await self._remains.remove(entry.worktree)
        if gone:
            await self._forget(task)
        elif entry.worktree and task.trash_path == str(entry.worktree.trashed):
            await self._store.update(
                lambda state: edits.edit_task(state, task.id, trash_path=""), *edits.task_topics(task.id)
            )

    async def _forget(self, task: Task) -> None:
        """A deleted task, for good: checkpoints, then its row, then its files."""
        if task.repository_id in self._store.state.repositories:
            await self._checkpoints.delete_refs(self._repository(task), f"refs/posthog-code/{task.id}/")
        await self._store.update(lambda state: _without(state, task), Topic("tasks"), Topic("task", task.id))

        self._hooks.release(task)

        def files() -> None:
            self._journals.remove(task.session_id)
            self._logs.remove(task.id)
            self._attachments.forget(task.id)

        await asyncio.to_thread(files)

    def _repository(self, task: Task) -> Path:
        repository = self._store.state.repositories.get(task.repository_id)
        if repository is None:
            raise NotFound("The repository of this task is not in the list.", "Add its folder again.")
        return Path(repository.path)


def _without(state: AppState, task: Task) -> AppState:
    def rest(rows: Mapping[TaskId, V]) -> dict[TaskId, V]:
        return {key: row for key, row in rows.items() if key != task.id}

    return replace(
        state,
        tasks=rest(state.tasks),
        sessions={key: row for key, row in state.sessions.items() if key != task.session_id},
        queue=rest(state.queue),
        comments=rest(state.comments),
        viewed=rest(state.viewed),
        drafts={key: text for key, text in state.drafts.items() if task.id not in key},
        pull_requests=rest(state.pull_requests),
        publishing=rest(state.publishing),
        changes=rest(state.changes),
    )
