"""What a task changed: lists, diffs, and files as they were, live while somebody looks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

from posthog_code.domain.changes import ChangeSet, Scope
from posthog_code.domain.errors import NotFound, UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import DiffStat, Task, TaskPhase
from posthog_code.ports.clock import Clock
from posthog_code.ports.git import Changes, Checkpoints, Git, Watcher
from posthog_code.services import edits
from posthog_code.services.scope import Scope as RunScope
from posthog_code.services.store import Store

log = logging.getLogger("changes")
_AWAY = (TaskPhase.ARCHIVED, TaskPhase.DELETED)


class ChangesService:
    def __init__(
        self,
        store: Store,
        git: Git,
        changes: Changes,
        checkpoints: Checkpoints,
        watcher: Watcher,
        clock: Clock,
        scope: RunScope,
    ) -> None:
        self._store = store
        self._git = git
        self._changes = changes
        self._checkpoints = checkpoints
        self._watcher = watcher
        self._clock = clock
        self._scope = scope
        self._watches: dict[TaskId, tuple[int, asyncio.Task[None]]] = {}
        self._reverted: dict[str, tuple[TaskId, bytes]] = {}

    def _task(self, task_id: TaskId) -> Task:
        task = self._store.state.tasks.get(task_id)
        if task is None:
            raise NotFound("This task is not there any more.")
        return task

    async def _points(self, task: Task, scope: Scope) -> tuple[Path, str, str]:
        """(folder, old commit, new commit or "" for the files on disk) of a scope."""
        folder = Path(task.path) if task.path else None
        if folder is None or not folder.is_dir() or task.phase is TaskPhase.ARCHIVED:
            repository = self._store.state.repositories.get(task.repository_id)
            if task.snapshot and repository:
                return Path(repository.path), task.base_commit, task.snapshot
            raise NotFound(
                "The worktree of this task is not there.",
                "Its conversation is kept. Restore the task to make the worktree again.",
                task.path,
            )
        if scope is Scope.UNCOMMITTED:
            return folder, await self._git.resolve(folder, "HEAD"), ""
        if scope is Scope.LAST_TURN:
            session = self._store.state.sessions.get(task.session_id)
            turn = session.turn if session else None
            if turn is None or not turn.checkpoint_before:
                return folder, await self._git.resolve(folder, "HEAD"), ""
            return folder, turn.checkpoint_before, turn.checkpoint_after
        if not task.base:
            return folder, await self._git.resolve(folder, "HEAD"), ""
        return folder, await self._git.merge_base(folder, task.base), ""

    def note(self, task_id: TaskId) -> str:
        """What a person should know of where the changes come from; "" for the files themselves."""
        return ""

    async def refresh(self, task_id: TaskId, scope: Scope = Scope.ALL) -> ChangeSet:
        """Read the list again. The scope ALL also becomes the task's known size and state."""
        task = self._task(task_id)
        folder, old, new = await self._points(task, scope)
        found = await self._changes.summary(folder, scope=scope, old=old, new=new)
        if scope is Scope.ALL:
            stat = DiffStat(len(found.files), found.added, found.removed)
            same = self._store.state.changes.get(task_id) == found and task.stat == stat

            def change(state: AppState) -> AppState:
                state = edits.edit_task(state, task_id, stat=stat)
                return replace(state, changes={**state.changes, task_id: found})

            if not same:
                await self._store.update(change, Topic("changes", task_id), *edits.task_topics(task_id))
        return found

    async def diff(self, task_id: TaskId, scope: Scope = Scope.ALL, paths: Sequence[str] = ()) -> AsyncIterator[bytes]:
        """Unified diff in chunks, as git writes them."""
        folder, old, new = await self._points(self._task(task_id), scope)
        async for chunk in self._changes.diff(folder, old=old, new=new, paths=paths):
            yield chunk

    async def blob(self, task_id: TaskId, side: str, path: str, scope: Scope = Scope.ALL) -> bytes | None:
        """A whole file on the "old" or "new" side of a scope; None when it is not there."""
        folder, old, new = await self._points(self._task(task_id), scope)
        return await self._changes.blob(folder, old if side == "old" else new, path)

    async def between(self, folder: Path, old: str, new: str) -> DiffStat:
        """Size of the difference of two commits."""
        found = await self._changes.summary(folder, scope=Scope.LAST_TURN, old=old, new=new)
        return DiffStat(len(found.files), found.added, found.removed)

    async def revert(self, task_id: TaskId, patch: bytes, label: str) -> str:
        """Take a hunk back out of the files; gives a token for `undo_revert`.

        A checkpoint is taken first. Raises Conflict when the hunk does not fit any more.
        """
        task = self._task(task_id)
        token = self._clock.new_id()
        await self._checkpoints.take(Path(task.path), f"refs/posthog-code/{task_id}/revert-{token}", f"Before: {label}")
        await self._changes.apply(Path(task.path), patch, reverse=True)
        self._reverted[token] = (task_id, patch)
        await self.refresh(task_id)
        return token

    async def undo_revert(self, task_id: TaskId, token: str) -> None:
        kept = self._reverted.get(token)
        if kept is None or kept[0] != task_id:
            raise NotFound("This cannot be undone any more.", "A checkpoint from before it is kept.")
        await self._changes.apply(Path(self._task(task_id).path), kept[1], reverse=False)
        del self._reverted[token]
        await self.refresh(task_id)

    def watch(self, task_id: TaskId) -> None:
        """Keep the list live until `unwatch`; may be nested."""
        if task_id in self._watches:
            count, running = self._watches[task_id]
            self._watches[task_id] = (count + 1, running)
        else:
            self._watches[task_id] = (1, self._scope.spawn(self._follow(task_id), f"watch-{task_id}"))

    def unwatch(self, task_id: TaskId) -> None:
        if task_id not in self._watches:
            return
        count, running = self._watches[task_id]
        if count > 1:
            self._watches[task_id] = (count - 1, running)
        else:
            running.cancel()
            del self._watches[task_id]

    async def _follow(self, task_id: TaskId) -> None:
        changed = asyncio.Event()
        unsubscribe = self._store.subscribe(lambda topics: changed.set() if Topic("task", task_id) in topics else None)
        try:
            while (task := self._store.state.tasks.get(task_id)) is not None:
                path = Path(task.path)
                if task.path and task.phase not in _AWAY and path.is_dir():
                    await self._try_refresh(task_id)
                    with contextlib.suppress(UserError):
                        # Closed at once when the task of this loop is cancelled, also between two events.
                        async with aclosing(self._watcher.changes(path)) as events:  # type: ignore[type-var]
                            async for _event in events:
                                await self._try_refresh(task_id)
                # Its folder is not there (yet): set-up or a restore will tell.
                await changed.wait()
                changed.clear()
        finally:
            unsubscribe()

    async def _try_refresh(self, task_id: TaskId) -> None:
        """What cannot be read now (the worktree went away, git is busy) leaves the last known list."""
        try:
            await self.refresh(task_id)
        except UserError as error:
            log.info("changes of task %s: %s %s", task_id, error, error.detail)
            self._store.touch(Topic("changes", task_id))
