"""One task's session: its turns, one after the other, from prompt to footer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from posthog_code.domain.errors import NotFound, StorageFailed, UserError
from posthog_code.domain.ids import RequestId, SessionId, TaskId
from posthog_code.domain.logs import LogSource
from posthog_code.domain.session import Session, SessionPhase, Turn
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import DiffStat, QueuedMessage, TaskPhase, Workspace
from posthog_code.domain.transcript import UserMessage
from posthog_code.ports.agent import Run
from posthog_code.ports.git import Snapshot
from posthog_code.services import edits
from posthog_code.services.prompts import hidden_block, prompt_blocks
from posthog_code.services.scope import carried_through
from posthog_code.services.session_agent import SessionAgent
from posthog_code.services.session_parts import SessionParts
from posthog_code.services.session_record import SessionRecord
from posthog_code.services.stream import Stream

_LAST_WORDS = 10.0
"""Seconds that a turn has to be written down when its agent is being ended."""
_OWN_FAULT = UserError(
    "Something went wrong inside PostHog Code, so this turn was stopped.",
    "Send the prompt again. The log in the data folder has the details.",
)


class SessionActor:
    """The only writer of its session's facts and journal."""

    def __init__(self, parts: SessionParts, task_id: TaskId, session_id: SessionId, stream: Stream) -> None:
        self._parts = parts
        self.stream = stream
        self._record = SessionRecord(parts.store, task_id, session_id)
        self._scope = parts.scope.child(f"session-{task_id}")
        self.agent = SessionAgent(parts, self._record, stream, self._scope)
        self._driver: asyncio.Task[None] | None = None
        self._stopping = False
        self._starting = False
        """A turn is being prepared: the agent has not got its prompt yet."""
        self._retry: tuple[str, tuple[str, ...]] | None = None
        self._hold_queue = False

    # -- what others may ask -----------------------------------------------------------------------------------

    @property
    def task_id(self) -> TaskId:
        return self._record.task_id

    @property
    def session(self) -> Session:
        return self._record.session

    @property
    def busy(self) -> bool:
        return self._driver is not None and not self._driver.done()

    def claim(self) -> None:
        """Become the one that drives this session. Raises Conflict while another process does."""
        self.stream.hold()

    def kick(self) -> None:
        """Go on with what waits, if nothing runs and the workspace is ready."""
        ready = self._record.task.phase is TaskPhase.READY and not self.agent.closing
        if ready and not self.busy and self._next() is not None:
            self._driver = self._scope.spawn(self._drive(), "drive")

    def retry(self, text: str, attachments: tuple[str, ...]) -> None:
        """Run a prompt before what is queued."""
        self._retry = (text, attachments)
        self._hold_queue = False
        self.kick()

    @property
    def retries(self) -> bool:
        """Whether a prompt waits that is to be sent again."""
        return self._retry is not None

    def release_queue(self) -> None:
        """The person wants the queue to go on after a failed or stopped turn."""
        self._hold_queue = False

    async def started(self) -> None:
        """Until the agent's process runs, or nothing is being started any more."""
        if self._driver is not None:
            running = self._scope.spawn(self.agent.ran.wait(), "started")
            await asyncio.wait([self._driver, running], return_when=asyncio.FIRST_COMPLETED)
            running.cancel()

    async def idle(self) -> None:
        """Until no turn runs and nothing waits."""
        while self.busy:
            assert self._driver is not None
            await asyncio.wait([self._driver])

    async def stop_turn(self) -> None:
        """Stop the running turn, keep the session. What is queued waits for the person."""
        if not self.busy:
            return
        self._stopping = True
        self._hold_queue = True
        if self._starting:
            assert self._driver is not None
            self._driver.cancel()
            return
        run = self.agent.run
        if run is None:
            return
        try:
            await self._record.set(phase=SessionPhase.CANCELLING)
        except StorageFailed:
            # A full disk is a reason to stop, not one that stops it.
            self._record.set_anyway(phase=SessionPhase.CANCELLING)
        await self.agent.asks.cancel_all()
        await run.cancel()

    async def answer(self, request_id: RequestId, option_id: str) -> None:
        await self.agent.asks.answer(request_id, option_id)

    async def answer_question(self, request_id: RequestId, content: Mapping[str, Any] | None) -> None:
        await self.agent.asks.answer_question(request_id, content)

    async def set_option(self, option_id: str, value: str) -> None:
        await self.agent.set_option(option_id, value)

    async def close(self) -> None:
        """End the agent; returns when nothing of it is left. A running turn is told as interrupted."""
        await self.agent.close()
        if self._driver is not None and not self._starting:
            await asyncio.wait([self._driver], timeout=_LAST_WORDS)
        await self._scope.close()

    # -- turns -------------------------------------------------------------------------------------------------

    def _next(self) -> tuple[str, tuple[str, ...], QueuedMessage | None] | None:
        """The next prompt: a retry, the task's first prompt, or the head of the queue."""
        if self._retry is not None:
            return (*self._retry, None)
        if not self.session.turns:
            return self._record.task.prompt, (), None
        queue = self._parts.store.state.queue.get(self.task_id, ())
        if queue and not self._hold_queue:
            return queue[0].text, queue[0].attachments, queue[0]
        return None

    async def _drive(self) -> None:
        self._stopping = False
        while not self.agent.closing and (waiting := self._next()) is not None:
            text, attachments, message = waiting
            try:
                ended = await self._turn(text, attachments, message)
            except StorageFailed as failure:
                self._not_saved(failure)
                ended = False
            except Exception:
                # A bug of ours: told by the scope, but the person must not look at a turn that never ends.
                self._not_saved(_OWN_FAULT)
                raise
            if not ended:
                self._hold_queue = True
                return

    async def _turn(self, text: str, attachments: tuple[str, ...], message: QueuedMessage | None) -> bool:
        """One turn, from prompt to footer. True when it ended by itself."""
        number = len(self.session.turns) + 1
        first = number == 1
        if first:
            attachments = attachments or self.attachments_of(1)
        self._starting = True
        try:
            self._check_folder()
            run = await self.agent.ensure()
            snapshot = await self._checkpoint(f"turn-{number}-start", f"Before turn {number}")
            await self._follow_branch(snapshot.branch)
            images = self.agent.takes_images
            blocks = prompt_blocks(text, attachments, Path(self._record.task.path), images=images)
            if self.session.context:
                blocks.insert(0, hidden_block(self.session.context))
        except UserError as failure:
            await self._could_not_start(failure)
            return False
        except asyncio.CancelledError:
            await carried_through(self._not_sent())
            raise
        finally:
            self._starting = False
        turn = Turn(number, text, self._parts.clock.now(), checkpoint_before=snapshot.commit)
        await self._begin(turn, message)
        self._retry = None
        reason, error = await self._prompt(run, blocks)
        await self.agent.drained()
        if reason == "interrupted":
            await self._interrupted(turn)
        else:
            await self._finish(turn, reason, error)
        return reason == "end_turn"

    def attachments_of(self, turn: int) -> tuple[str, ...]:
        """Attachments of a turn's prompt as the journal has them; of the first prompt also before it was sent."""
        said = [item for item in self.stream.transcript.items if isinstance(item, UserMessage)]
        return next((m.attachments for m in reversed(said) if m.turn == turn or (turn == 1 and m is said[0])), ())

    async def _begin(self, turn: Turn, message: QueuedMessage | None) -> None:
        def change(state: AppState) -> AppState:
            session = state.sessions[self._record.id]
            state = edits.put_session(
                state,
                replace(
                    session,
                    turns=(*session.turns, turn),
                    phase=SessionPhase.WORKING,
                    error="",
                    error_hint="",
                    context="",
                ),
            )
            state = edits.edit_task(state, self.task_id, updated_at=turn.started_at, unread=False)
            if message is not None:
                queue = tuple(m for m in state.queue.get(self.task_id, ()) if m.id != message.id)
                state = replace(state, queue={**state.queue, self.task_id: queue})
            return state

        self.agent.failure = None
        self.stream.note("turn_started", turn=turn.number, checkpoint=turn.checkpoint_before)
        await self._record.update(change, Topic("queue", self.task_id))

    async def _prompt(self, run: Run, blocks: list[dict[str, Any]]) -> tuple[str, str]:
        """(stop reason, error) of session/prompt."""
        syncing = self._scope.spawn(self.stream.sync_regularly(), "sync")
        try:
            result = await run.prompt(blocks)
        except StorageFailed as error:
            return "error", str(error)
        except UserError as error:
            if self.agent.failure is not None:
                return "error", str(self.agent.failure)
            if self.agent.closing:
                return "interrupted", ""
            return ("cancelled" if self._stopping else "error"), f"{error.title} {error.hint}".strip()
        finally:
            syncing.cancel()
        reason = str(result.get("stopReason") or "end_turn")
        # To end it, the agent was asked to cancel; nobody pressed Stop.
        interrupted = reason == "cancelled" and self.agent.closing and not self._stopping
        return "interrupted" if interrupted else reason, ""

    async def _finish(self, turn: Turn, reason: str, error: str) -> None:
        ended = self._parts.clock.now()
        await self.agent.asks.cancel_all()
        after, stat = turn.checkpoint_before, DiffStat()
        try:
            after = (await self._checkpoint(f"turn-{turn.number}-end", f"After turn {turn.number}")).commit
            if turn.checkpoint_before and after:
                stat = await self._parts.changes.between(Path(self._record.task.path), turn.checkpoint_before, after)
        except UserError as failed:
            self._parts.logs.write(self.task_id, LogSource.GIT, str(failed), level="error", data=failed.detail)
        usage = self.agent.facts.usage
        spent = sum(t.cost for t in self.session.turns)
        done = replace(
            turn,
            ended_at=ended,
            stop_reason=reason,
            error=error,
            checkpoint_after=after,
            files=stat.files,
            added=stat.added,
            removed=stat.removed,
            tokens=usage.used,
            cost=max(0.0, usage.cost - spent),
        )
        # A response of the agent closes the turn in the fold; the note fills in what only we know.
        self.stream.note(
            "turn_ended",
            turn=done.number,
            stopReason=reason,
            error=error,
            duration=done.seconds,
            files=done.files,
            added=done.added,
            removed=done.removed,
            tokens=done.tokens,
            cost=done.cost,
            checkpointBefore=done.checkpoint_before,
        )
        await asyncio.to_thread(self.stream.sync)
        gone = self.agent.run is None
        phase = SessionPhase.FAILED if gone and reason == "error" else SessionPhase.IDLE if gone else SessionPhase.READY
        await self._write_down(done, phase)
        self.agent.rest_later()
        with contextlib.suppress(UserError):
            await self._parts.changes.refresh(self.task_id)

    async def _write_down(self, done: Turn, phase: SessionPhase) -> None:
        def change(state: AppState) -> AppState:
            session = state.sessions[self._record.id]
            turns = tuple(done if t.number == done.number else t for t in session.turns)
            state = edits.put_session(state, replace(session, turns=turns, phase=phase, asks=(), error=done.error))
            return edits.edit_task(state, self.task_id, updated_at=done.ended_at, unread=True)

        await self._record.update(change)

    async def _interrupted(self, turn: Turn) -> None:
        """The app ends in the middle of a turn: what a kill would leave to the next start, told at once."""
        self.agent.asks.forget()
        self.stream.note("interrupted")
        await asyncio.to_thread(self.stream.sync)
        ended = replace(turn, ended_at=self._parts.clock.now(), stop_reason="interrupted")
        await self._write_down(ended, SessionPhase.INTERRUPTED)

    async def _not_sent(self) -> None:
        """Stopped before the agent had the prompt, which stays where it was."""
        by = "PostHog Code was closed" if self.agent.closing else "The turn was stopped"
        phase = SessionPhase.READY if self.agent.run else SessionPhase.IDLE
        with contextlib.suppress(StorageFailed):
            self.stream.note(
                "notice",
                level="warning" if self.agent.closing else "info",
                title=f"{by} before the agent got the prompt.",
                text="The prompt is kept.",
                actions=["retry_turn"],
            )
            await self._record.set(phase=SessionPhase.INTERRUPTED if self.agent.closing else phase)

    def _not_saved(self, error: UserError) -> None:
        """The disk takes nothing more: the turn ends here and is shown as ended. What is on disk is whole; what is
        missing there follows with the next change that can be written."""
        now = self._parts.clock.now()
        turns = self.session.turns
        if turns and not turns[-1].stop_reason:
            ended = replace(turns[-1], ended_at=now, stop_reason="error", error=str(error))
            turns = (*turns[:-1], ended)
            self.stream.note_late("turn_ended", turn=ended.number, stopReason="error", error=str(error))
        self.stream.note_late(
            "notice",
            level="error",
            title=error.title,
            text="\n".join(filter(None, (error.hint, error.detail))),
            actions=["retry_turn", "show_logs"],
        )
        self._record.set_anyway(
            turns=turns, phase=SessionPhase.FAILED, error=error.title, error_hint=error.hint, asks=()
        )

    async def _could_not_start(self, error: UserError) -> None:
        # The prompt stays where it was: first prompt in the task, any other in the queue.
        self.stream.note(
            "notice",
            level="error",
            title=error.title,
            text="\n".join(filter(None, (error.hint, error.detail))),
            actions=["retry_turn", "show_logs"],
        )
        self._parts.logs.write(self.task_id, LogSource.AGENT, str(error), level="error", data=error.detail)
        await self._record.set(phase=SessionPhase.FAILED, error=error.title, error_hint=error.hint)
        await self._record.set_task(unread=True)

    def _check_folder(self) -> None:
        path = self._record.task.path
        if Path(path).is_dir():
            return
        if self._record.task.workspace is Workspace.LOCAL:
            raise NotFound("The checkout of this task is not there.", "Put the folder back, then retry.", path)
        raise NotFound(
            "The worktree of this task is not there.", "Archive and restore the task to make it again.", path
        )

    async def _follow_branch(self, branch: str) -> None:
        """The worktree says which branch it is on; when somebody has switched it, the person hears of it."""
        before = self._record.task.branch
        if branch == before:
            return
        now = f"on the branch {branch}" if branch else "on no branch (detached HEAD)"
        self.stream.note(
            "notice",
            level="warning",
            title=f"The worktree is {now} now.",
            text=f"It was on {before or 'no branch'}. Commits and the pull request follow the worktree.",
        )
        await self._record.set_task(branch=branch)

    async def _checkpoint(self, name: str, message: str) -> Snapshot:
        ref = f"refs/posthog-code/{self.task_id}/{name}"
        snapshot = await self._parts.checkpoints.take(Path(self._record.task.path), ref, message)
        self._parts.logs.write(self.task_id, LogSource.GIT, f"checkpoint  {name}  {snapshot.commit[:8]}")
        return snapshot
