"""Tasks: made at once, set up behind, never lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from posthog_code.domain.errors import Conflict, InvalidInput, NotFound, StorageFailed
from posthog_code.domain.ids import SessionId, TaskId
from posthog_code.domain.session import Session
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import (
    Repository,
    Step,
    Task,
    TaskDraft,
    TaskPhase,
)
from posthog_code.domain.text import title_from_prompt
from posthog_code.ports.clock import Clock
from posthog_code.services import edits
from posthog_code.services.environment import free_port_base
from posthog_code.services.scope import Scope
from posthog_code.services.setup import TaskSetup, first_steps
from posthog_code.services.shelf import DeletionRisk, Shelf
from posthog_code.services.store import Store

FirstPrompt = Callable[[Task, tuple[str, ...]], None]


@dataclass(frozen=True)
class TaskHooks:
    """What tasks ask of sessions, handed over when both exist."""

    first_prompt: FirstPrompt
    """Put the first prompt into the session's journal."""
    forget: Callable[[Task], None]
    """Take that back: the task could not be saved."""
    claim: Callable[[TaskId], None]
    """Keep other programs out of the session. Raises Conflict while one of them drives it."""
    unlock: Callable[[TaskId], None]
    """Nothing of the session runs any more: other programs may have it."""
    kick: Callable[[TaskId], None]
    """The workspace is ready: go on with what waits."""


class Tasks:
    def __init__(
        self, store: Store, clock: Clock, setup: TaskSetup, shelf: Shelf, hooks: TaskHooks, scope: Scope
    ) -> None:
        self._store = store
        self._clock = clock
        self._setup = setup
        self._shelf = shelf
        self._hooks = hooks
        self._scope = scope
        self._running: dict[TaskId, asyncio.Task[None]] = {}

    def get(self, task_id: TaskId) -> Task:
        task = self._store.state.tasks.get(task_id)
        if task is None:
            raise NotFound("There is no such task.", "posthog-code tasks lists them.")
        return task

    async def create(self, draft: TaskDraft) -> TaskId:
        """Make the task durable and give its id; worktree and agent come up behind it.

        Raises InvalidInput (no prompt) and NotFound (no such repository).
        """
        if not draft.prompt.strip():
            raise InvalidInput("The prompt is empty.", "Say what should change.")
        repository = self._store.state.repositories.get(draft.repository_id)
        if repository is None:
            raise NotFound("This repository is not in the list.", "Add its folder first.")
        task = self._new_task(draft, repository)
        session = Session(id=task.session_id, task_id=task.id, agent_id=task.agent_id)

        def change(state: AppState) -> AppState:
            state = edits.put_session(edits.put_task(state, task), session)
            return replace(state, drafts={k: v for k, v in state.drafts.items() if k != ""})

        await self._make(task, change, draft.attachments)
        return task.id

    async def adopt(self, task: Task, session: Session) -> None:
        """Make a task durable that was put together elsewhere, and do its steps."""
        await self._make(task, lambda state: edits.put_session(edits.put_task(state, task), session), ())

    async def _make(self, task: Task, change: Callable[[AppState], AppState], attachments: tuple[str, ...]) -> None:
        self._hooks.first_prompt(task, attachments)
        try:
            await self._store.update(change, *edits.task_topics(task.id), Topic("session", task.id), Topic("drafts"))
        except StorageFailed:
            self._hooks.forget(task)
            raise
        self._start_setup(task.id)

    async def do_steps(self, task_id: TaskId, steps: tuple[Step, ...]) -> None:
        """Take a task that is ready through steps that its set-up has learned; prompts wait meanwhile.

        Raises Conflict while other steps run.
        """
        if task_id in self._running:
            raise Conflict("Something else is being done with this task.", "Wait for it, or stop it.")
        self._hooks.claim(task_id)
        await self._edit(task_id, steps=steps, phase=TaskPhase.SETTING_UP)
        self._start_setup(task_id)

    def _new_task(self, draft: TaskDraft, repository: Repository) -> Task:
        now = self._clock.now()
        state = self._store.state
        title = draft.title or title_from_prompt(draft.prompt)
        return Task(
            id=TaskId(self._clock.new_id()),
            repository_id=repository.id,
            title=title,
            prompt=draft.prompt,
            workspace=draft.workspace,
            agent_id=draft.agent_id,
            session_id=SessionId(self._clock.new_id()),
            created_at=now,
            updated_at=now,
            base=draft.base or repository.default_branch,
            branch=draft.branch,
            agent_command=draft.agent_command,
            mode=draft.mode or state.settings.default_mode,
            model=draft.model,
            steps=first_steps(draft, repository),
            port_base=free_port_base({task.port_base for task in state.tasks.values()}),
            report_id=draft.report_id,
        )

    def _start_setup(self, task_id: TaskId, *, skip_script: bool = False) -> None:
        self._hooks.claim(task_id)

        async def run() -> None:
            if await self._setup.run(task_id, skip_script=skip_script):
                self._hooks.kick(task_id)

        running = self._scope.spawn(run(), f"setup-{task_id}")
        running.add_done_callback(lambda _done: self._running.pop(task_id, None))
        self._running[task_id] = running

    async def wait_for_setup(self, task_id: TaskId) -> None:
        """Until the running set-up, if any, has ended one way or the other."""
        if (running := self._running.get(task_id)) is not None:
            await asyncio.wait([running])

    async def retry_setup(self, task_id: TaskId) -> None:
        if self.get(task_id).phase is not TaskPhase.SETUP_FAILED:
            return
        # It has failed, but may not have come to its very end.
        await self.wait_for_setup(task_id)
        if task_id not in self._running:
            await self._setup.reset(task_id)
        if task_id not in self._running:
            self._start_setup(task_id)

    async def continue_without_setup(self, task_id: TaskId) -> None:
        """Go on although the set-up script failed; the worktree is there."""
        if self.get(task_id).phase is TaskPhase.SETUP_FAILED:
            await self.wait_for_setup(task_id)
        if task_id not in self._running and self.get(task_id).path:
            self._start_setup(task_id, skip_script=True)

    async def cancel_setup(self, task_id: TaskId) -> None:
        """Stop it; what was made is rolled back, the prompt stays."""
        if (running := self._running.get(task_id)) is not None:
            running.cancel()
            await asyncio.wait([running])
            await self._setup.stopped(task_id)

    async def rename(self, task_id: TaskId, title: str) -> None:
        if not (title := " ".join(title.split())):
            raise InvalidInput("A task needs a title.", "Type a few words.")
        await self._edit(task_id, title=title)

    async def pin(self, task_id: TaskId, on: bool) -> None:
        await self._edit(task_id, pinned=on)

    async def mark_read(self, task_id: TaskId) -> None:
        if self.get(task_id).unread:
            await self._edit(task_id, unread=False)

    async def save_draft(self, key: str, text: str) -> None:
        """Keep unsent composer text: `key` is a task id, "" for New task."""

        def change(state: AppState) -> AppState:
            if state.drafts.get(key, "") == text:
                return state
            drafts = {k: v for k, v in state.drafts.items() if k != key}
            return replace(state, drafts={**drafts, key: text} if text else drafts)

        await self._store.update(change)

    async def archive(self, task_id: TaskId) -> None:
        """Stop its run, snapshot and verify, move the worktree to trash, keep the conversation."""
        await self.cancel_setup(task_id)
        try:
            await self._shelf.archive(self.get(task_id))
        finally:
            self._hooks.unlock(task_id)

    async def restore(self, task_id: TaskId) -> None:
        await self._shelf.restore(self.get(task_id))

    async def delete(self, task_id: TaskId) -> None:
        """As archive, and off the list; `undo_delete` brings it back with everything."""
        await self.cancel_setup(task_id)
        try:
            await self._shelf.delete(self.get(task_id))
        finally:
            self._hooks.unlock(task_id)

    async def undo_delete(self, task_id: TaskId) -> None:
        await self._shelf.undo_delete(self.get(task_id))

    async def risk(self, task_id: TaskId) -> DeletionRisk:
        return await self._shelf.risk(self.get(task_id))

    async def _edit(self, task_id: TaskId, **fields: object) -> None:
        self.get(task_id)
        await self._store.update(lambda state: edits.edit_task(state, task_id, **fields), *edits.task_topics(task_id))
