"""Putting a task's files back to where they were before a turn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from posthog_code.domain.changes import Scope
from posthog_code.domain.errors import Conflict, NotFound, Refused
from posthog_code.domain.ids import TaskId
from posthog_code.domain.session import Turn
from posthog_code.domain.task import Task, TaskPhase, Workspace
from posthog_code.ports.clock import Clock
from posthog_code.ports.git import Changes, Checkpoints
from posthog_code.services.changes import ChangesService
from posthog_code.services.store import Store


class Restore:
    """Files only: the branch, its commits, what is staged and the conversation stay as they are."""

    def __init__(
        self,
        store: Store,
        checkpoints: Checkpoints,
        changes: Changes,
        listing: ChangesService,
        clock: Clock,
        claim: Callable[[TaskId], None],
    ) -> None:
        """`claim` keeps other programs from working in the task; it raises Conflict while one does."""
        self._store = store
        self._checkpoints = checkpoints
        self._changes = changes
        self._listing = listing
        self._clock = clock
        self._claim = claim

    async def own_edits(self, task_id: TaskId) -> tuple[str, ...]:
        """Files that differ from what the last turn left: the person's own edits, which a restore would take away."""
        task = self._idle(task_id)
        session = self._store.state.session_of(task_id)
        turn = session.turn if session else None
        if turn is None or not turn.checkpoint_after:
            return ()
        found = await self._changes.summary(Path(task.path), scope=Scope.LAST_TURN, old=turn.checkpoint_after)
        return tuple(file.path for file in found.files)

    async def before_turn(self, task_id: TaskId, number: int) -> str:
        """Put the files back as they were before the turn `number`; gives what `undo` takes.

        A snapshot of the files as they are is taken first. Raises Conflict while a turn runs, NotFound without a
        checkpoint, Refused for the person's own checkout.
        """
        task = self._idle(task_id)
        session = self._store.state.session_of(task_id)
        turns: tuple[Turn, ...] = session.turns if session else ()
        commit = next((turn.checkpoint_before for turn in turns if turn.number == number), "")
        if not commit:
            raise NotFound(f"There is no checkpoint from before turn {number}.", "Revert single changes in the diff.")
        self._claim(task_id)
        folder = Path(task.path)
        wanted = await self._checkpoints.read(folder, commit)
        token = self._clock.new_id()
        ref = f"refs/posthog-code/{task_id}/restore-{token}"
        kept = await self._checkpoints.take(folder, ref, f"Before restoring to turn {number}")
        # The agent may have been given a prompt while the snapshot was being made.
        self._idle(task_id)
        await self._checkpoints.restore(folder, wanted, index=False)
        await self._listing.refresh(task_id)
        return kept.commit

    async def undo(self, task_id: TaskId, commit: str) -> None:
        """Put back what `before_turn` has replaced. Raises as it does."""
        task = self._idle(task_id)
        self._claim(task_id)
        folder = Path(task.path)
        snapshot = await self._checkpoints.read(folder, commit)
        ref = f"refs/posthog-code/{task_id}/restore-{self._clock.new_id()}"
        await self._checkpoints.take(folder, ref, "Before undoing a restore")
        await self._checkpoints.restore(folder, snapshot, index=False)
        await self._listing.refresh(task_id)

    def _idle(self, task_id: TaskId) -> Task:
        task = self._store.state.tasks.get(task_id)
        if task is None or not task.path or task.phase is not TaskPhase.READY:
            raise NotFound("The worktree of this task is not there.", "Restore the task first.")
        if task.workspace is Workspace.LOCAL:
            raise Refused(
                "This task works in your own checkout.", "Its files are yours to change; use git to go back there."
            )
        session = self._store.state.session_of(task_id)
        if session is not None and session.phase.busy:
            raise Conflict("The agent is still working.", "Stop the turn, then restore.")
        return task
