"""What cloud tasks changed: from the run's branch when it can be fetched, else from what the agent's tools told."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from posthog_code.domain import tool_changes
from posthog_code.domain.changes import ChangeSet, Scope
from posthog_code.domain.errors import NotFound, UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.session import SessionPhase
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import DiffStat, Repository, Task, Workspace
from posthog_code.domain.tool_changes import EditedFile
from posthog_code.domain.transcript import Transcript
from posthog_code.ports.git import Git, Transfer
from posthog_code.services import edits
from posthog_code.services.changes import ChangesService

log = logging.getLogger("changes")
_FETCH_EVERY = 30.0
"""Seconds between two fetches of one branch, unless a turn has ended meanwhile."""
_PACE, _FIRST_PACE = 2.0, 0.2
"""Seconds between two looks at a run that goes on, and until a first change is found."""


@dataclass(slots=True)
class _Known:
    """What was last found out about the branch of one task."""

    branch: str = ""
    commit: str = ""
    base: str = ""
    fetched_at: float = -1e9
    phase: SessionPhase | None = None
    note: str = ""


class CloudSource:
    """Where the changes of cloud tasks come from."""

    def __init__(
        self,
        git: Git,
        transfer: Transfer,
        transcript: Callable[[TaskId], Transcript],
        folder: Callable[[TaskId], str],
    ) -> None:
        """`folder` tells where a run's checkout is in its sandbox, "" when that is not known."""
        self._git, self._transfer = git, transfer
        self._transcript, self._folder = transcript, folder
        self._known: dict[TaskId, _Known] = {}

    def note(self, task_id: TaskId) -> str:
        """Why it is not the branch that is shown, in one sentence; "" when it is."""
        known = self._known.get(task_id)
        return known.note if known else ""

    def files(self, task_id: TaskId) -> tuple[EditedFile, ...]:
        return tool_changes.edited(self._transcript(task_id).items, self._folder(task_id))

    async def branch(
        self, task: Task, repository: Repository | None, phase: SessionPhase | None
    ) -> tuple[Path, str, str] | None:
        """(repository, merge base, commit) of a branch with changes; None when the tools' word must do."""
        known = self._known.setdefault(task.id, _Known())
        if repository is None:
            known.note = "The repository is not on this machine: this is what the agent's edits tell."
            return None
        root, base = Path(repository.path), task.base or repository.default_branch
        if not task.branch or task.branch == base:
            known.note = "Nothing is pushed yet: this is what the agent's edits tell."
            return None
        now = asyncio.get_running_loop().time()
        settled = phase is not known.phase and phase not in (SessionPhase.WORKING, SessionPhase.WAITING)
        if known.branch != task.branch or settled or now - known.fetched_at > _FETCH_EVERY:
            await self._fetch(known, root, task.branch, base)
            known.branch, known.fetched_at, known.phase = task.branch, now, phase
        if not known.commit or known.commit == known.base:
            known.note = known.note or "Nothing is pushed yet: this is what the agent's edits tell."
            return None
        known.note = ""
        return root, known.base, known.commit

    async def _fetch(self, known: _Known, root: Path, branch: str, base: str) -> None:
        known.note = ""
        try:
            known.commit = await self._transfer.fetch(root, branch)
        except UserError as error:
            known.note = (
                f"The branch cannot be fetched ({error.title.rstrip('.')}): this is what the agent's edits tell."
            )
            with contextlib.suppress(UserError):
                known.commit = await self._git.resolve(root, f"refs/remotes/origin/{branch}")
        if known.commit:
            try:
                known.base = await self._git.merge_base(root, base, known.commit)
            except UserError as error:
                known.commit = ""
                known.note = f"{error.title.rstrip('.')}: this is what the agent's edits tell."


class AllChanges(ChangesService):
    """`ChangesService` for every task, wherever its files are. Of a cloud task all scopes are its whole change."""

    cloud: CloudSource

    def note(self, task_id: TaskId) -> str:
        """What a person should know of where the changes come from; "" for the files themselves."""
        task = self._store.state.tasks.get(task_id)
        return self.cloud.note(task_id) if task is not None and task.workspace is Workspace.CLOUD else ""

    async def _points(self, task: Task, scope: Scope) -> tuple[Path, str, str]:
        if task.workspace is not Workspace.CLOUD:
            return await super()._points(task, scope)
        found = await self._branch(task)
        if found is None:
            raise NotFound("The files of this task are in the cloud.", "Take it over to have them here.")
        return found

    async def _branch(self, task: Task) -> tuple[Path, str, str] | None:
        state = self._store.state
        session = state.session_of(task.id)
        return await self.cloud.branch(task, state.repository_of(task.id), session.phase if session else None)

    async def refresh(self, task_id: TaskId, scope: Scope = Scope.ALL) -> ChangeSet:
        task = self._task(task_id)
        if task.workspace is not Workspace.CLOUD or await self._branch(task) is not None:
            return await super().refresh(task_id, scope)
        found = tool_changes.change_set(self.cloud.files(task_id), scope)
        stat = DiffStat(len(found.files), found.added, found.removed)
        if scope is Scope.ALL and (self._store.state.changes.get(task_id) != found or task.stat != stat):

            def change(state: AppState) -> AppState:
                state = edits.edit_task(state, task_id, stat=stat)
                return replace(state, changes={**state.changes, task_id: found})

            await self._store.update(change, Topic("changes", task_id), *edits.task_topics(task_id))
        return found

    async def diff(self, task_id: TaskId, scope: Scope = Scope.ALL, paths: Sequence[str] = ()) -> AsyncIterator[bytes]:
        task = self._task(task_id)
        if task.workspace is not Workspace.CLOUD or await self._branch(task) is not None:
            async for chunk in super().diff(task_id, scope, paths):
                yield chunk
            return
        for file in self.cloud.files(task_id):
            if not paths or file.path in paths:
                yield tool_changes.diff_of(file)

    async def blob(self, task_id: TaskId, side: str, path: str, scope: Scope = Scope.ALL) -> bytes | None:
        task = self._task(task_id)
        if task.workspace is Workspace.CLOUD and await self._branch(task) is None:
            return None  # edits are parts of files
        return await super().blob(task_id, side, path, scope)

    async def _follow(self, task_id: TaskId) -> None:
        task = self._store.state.tasks.get(task_id)
        if task is None or task.workspace is not Workspace.CLOUD:
            await super()._follow(task_id)
            return
        changed = asyncio.Event()
        wanted = {Topic("transcript", task_id), Topic("session", task_id)}
        unsubscribe = self._store.subscribe(lambda topics: changed.set() if topics & wanted else None)
        try:
            while task_id in self._store.state.tasks:
                await self._try_refresh(task_id)
                await changed.wait()
                found = self._store.state.changes.get(task_id)
                await asyncio.sleep(_PACE if found is not None and found.files else _FIRST_PACE)
                changed.clear()
        finally:
            unsubscribe()
