"""Archive, restore, delete with undo: stop, snapshot, verify, and only then move anything."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posthog_code.domain.errors import Conflict, InvalidInput, NotFound, UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.task import Repository, Task, TaskPhase, Workspace
from posthog_code.ports.clock import Clock
from posthog_code.ports.git import Checkpoints, Git, Publishing, Snapshot, Worktrees
from posthog_code.services import edits
from posthog_code.services.store import Store


@dataclass(frozen=True, slots=True)
class DeletionRisk:
    """What is in a worktree and nowhere else."""

    uncommitted: tuple[str, ...] = ()
    unpushed_commits: int = 0

    @property
    def any(self) -> bool:
        return bool(self.uncommitted or self.unpushed_commits)


class Shelf:
    def __init__(
        self,
        store: Store,
        git: Git,
        worktrees: Worktrees,
        checkpoints: Checkpoints,
        publishing: Publishing,
        clock: Clock,
        trash: Path,
        stop_run: Callable[[TaskId], Awaitable[None]],
    ) -> None:
        self._store = store
        self._git = git
        self._worktrees = worktrees
        self._checkpoints = checkpoints
        self._publishing = publishing
        self._clock = clock
        self._trash = trash
        self._stop_run = stop_run
        """Ends the task's agent and returns when its process is gone."""

    async def archive(self, task: Task) -> None:
        if task.phase is TaskPhase.ARCHIVED:
            return
        put_away = await self._put_away(task)
        await self._edit(task.id, phase=TaskPhase.ARCHIVED, archived_at=self._clock.now(), pinned=False, **put_away)

    async def delete(self, task: Task) -> None:
        put_away = await self._put_away(task)
        await self._edit(task.id, phase=TaskPhase.DELETED, deleted_at=self._clock.now(), pinned=False, **put_away)

    async def undo_delete(self, task: Task) -> None:
        """As it was before `delete`: an archived task is archived again, any other gets its worktree back."""
        if task.phase is not TaskPhase.DELETED:
            return
        if task.archived_at:
            await self._edit(task.id, phase=TaskPhase.ARCHIVED, deleted_at=0.0)
        else:
            await self._bring_back(task)

    async def restore(self, task: Task) -> None:
        if task.phase is not TaskPhase.ARCHIVED:
            raise InvalidInput("This task is not archived.", "Open it from the list.")
        await self._bring_back(task)

    async def risk(self, task: Task) -> DeletionRisk:
        path = Path(task.path)
        if task.workspace is Workspace.LOCAL or not task.path or not path.is_dir():
            return DeletionRisk()
        uncommitted, ahead = await self._publishing.status(path, task.base)
        pull_request = self._store.state.pull_requests.get(task.id)
        head = await self._git.resolve(path, "HEAD")
        pushed = pull_request is not None and pull_request.head_sha == head
        return DeletionRisk(uncommitted, 0 if pushed else ahead)

    # -- the law of deletion -----------------------------------------------------------------------------------

    async def put_away(self, task: Task) -> dict[str, Any]:
        """Move the worktree of a task to trash that goes on elsewhere; gives the fields that say where it is."""
        return await self._put_away(task)

    async def _put_away(self, task: Task) -> dict[str, Any]:
        await self._stop_run(task.id)
        path = Path(task.path)
        if task.workspace is Workspace.LOCAL or not task.path:
            return {}
        if not path.is_dir():
            # Removed by hand: the conversation, the branch and the last checkpoint are still there.
            return {"snapshot": task.snapshot or self._last_checkpoint(task)}
        snapshot = await self._checkpoints.take(
            path, f"refs/posthog-code/{task.id}/archive", f"Archive of {task.title}"
        )
        await self._edit(task.id, snapshot=snapshot.commit)
        try:
            trashed = await self._worktrees.remove_to_trash(
                Path(self._repository(task).path), path, task_id=task.id, snapshot=snapshot, trash=self._trash
            )
        except UserError:
            if path.is_dir():
                # It stays and is worked on: what is lost later is not to be repaired from this snapshot.
                await self._edit(task.id, snapshot=task.snapshot)
            raise
        return {"snapshot": snapshot.commit, "trash_path": str(trashed)}

    def _last_checkpoint(self, task: Task) -> str:
        session = self._store.state.sessions.get(task.session_id)
        for turn in reversed(session.turns if session else ()):
            if commit := turn.checkpoint_after or turn.checkpoint_before:
                return commit
        return ""

    async def _bring_back(self, task: Task) -> None:
        phase = TaskPhase.READY if task.path else TaskPhase.SETUP_FAILED
        if task.workspace is Workspace.WORKTREE and task.path:
            await self._remake(task)
        await self._edit(task.id, phase=phase, archived_at=0.0, deleted_at=0.0, snapshot="", trash_path="")

    async def _remake(self, task: Task) -> None:
        """The worktree as it was put away: the folder itself from the trash, else its snapshot."""
        repository, path = Path(self._repository(task).path), Path(task.path)
        if path.exists():
            await self._finish_half_made(task, path, await self._snapshot(task))
            return
        with contextlib.suppress(NotFound, Conflict):
            await self._worktrees.put_back(repository, Path(task.trash_path or self._trash), path, task_id=task.id)
            return
        snapshot = await self._snapshot(task)
        branch = snapshot.branch or task.branch
        await self._worktrees.readd(repository, path, branch=branch, head=snapshot.head, task_id=task.id)
        await self._checkpoints.restore(path, snapshot)
        with contextlib.suppress(NotFound):
            # Without its trash the snapshot is all there is, and all that was promised.
            await self._worktrees.take_rest(Path(task.trash_path or self._trash), path)

    async def _snapshot(self, task: Task) -> Snapshot:
        hint = f"The branch {task.branch} still has its commits."
        if not task.snapshot:
            raise NotFound("There is no snapshot of this worktree.", hint)
        try:
            return await self._checkpoints.read(Path(self._repository(task).path), task.snapshot)
        except NotFound as error:
            raise NotFound("The snapshot of this worktree is not there any more.", hint, error.detail) from error

    async def _finish_half_made(self, task: Task, path: Path, snapshot: Snapshot) -> None:
        """A restore that was cut short left the folder: complete it, but only if it is ours."""
        known = await self._worktrees.list(Path(self._repository(task).path))
        if not any(facts.path == path and facts.task_id == task.id for facts in known):
            raise Conflict(f"{path} exists and is not this task's worktree.", "Move it away, then restore again.")
        if not await self._checkpoints.verify(path, snapshot):
            await self._checkpoints.take(path, f"refs/posthog-code/{task.id}/before-restore", "Before a second restore")
            await self._checkpoints.restore(path, snapshot)

    def _repository(self, task: Task) -> Repository:
        repository = self._store.state.repositories.get(task.repository_id)
        if repository is None:
            raise NotFound("The repository of this task is not in the list.", "Add its folder again.")
        return repository

    async def _edit(self, task_id: TaskId, **fields: Any) -> None:
        await self._store.update(lambda state: edits.edit_task(state, task_id, **fields), *edits.task_topics(task_id))
