"""What a task's change touched: its code, and the events that code sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Protocol

from posthog_code.domain.code_signals import CodeSignals
from posthog_code.domain.code_use import UseKind
from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.release_watch import TouchedCode
from posthog_code.domain.touched_code import touched_code
from posthog_code.ports.git import Changes
from posthog_code.services.changes import ChangesService
from posthog_code.services.store import Store

LARGEST = 16_000_000
"""Bytes of a diff that are looked through."""


class ReadsCode(Protocol):
    """The part of the code signals that is needed."""

    def refresh(self, task_id: TaskId) -> Awaitable[CodeSignals]: ...


class ReleaseCode:
    def __init__(self, store: Store, changes: ChangesService, git: Changes, code: ReadsCode | None = None) -> None:
        """`git` compares commits of a repository, where there is no worktree any more."""
        self._store, self._changes, self._git, self._code = store, changes, git, code

    async def touched(self, task_id: TaskId) -> TouchedCode:
        """Raises NotFound when neither the worktree nor the commits are here."""
        error: UserError | None = None
        for diff in (lambda: self._changes.diff(task_id), lambda: self._committed(task_id)):
            try:
                found = await self._read(diff)
            except UserError as failed:
                error = error or failed
                continue
            if found.files:
                return found
        if error is not None:
            raise error
        return TouchedCode()

    async def _read(self, diff: Callable[[], AsyncIterator[bytes]]) -> TouchedCode:
        chunks, size = [], 0
        async for chunk in diff():
            chunks.append(chunk)
            size += len(chunk)
            if size > LARGEST:
                break
        return await asyncio.to_thread(touched_code, chunks)

    async def _committed(self, task_id: TaskId) -> AsyncIterator[bytes]:
        """Once the base has the change, the worktree does not differ from it any more: its commits still do."""
        task, repository = self._store.state.tasks.get(task_id), self._store.state.repository_of(task_id)
        pull = self._store.state.pull_requests.get(task_id)
        head = pull.head_sha if pull else ""
        if task is None or repository is None or not task.base_commit or not head:
            return
        async for chunk in self._git.diff(Path(repository.path), old=task.base_commit, new=head):
            yield chunk

    async def events(self, task_id: TaskId) -> dict[str, str]:
        """Events that the changed lines send, with the place of each; none where the code cannot be read."""
        known = self._store.state.code_signals.get(task_id)
        if (known is None or known.loading or not known.uses) and self._code is not None:
            try:
                known = await self._code.refresh(task_id)
            except UserError:
                known = None
        found: dict[str, str] = {}
        for use in known.uses if known else ():
            if use.kind is UseKind.EVENT and use.name and not use.dynamic:
                found.setdefault(use.name, f"{use.path}:{use.line}")
        return found
