"""The sessions of all tasks: prompts, the queue, answers, and what ended them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from posthog_code.domain.errors import InvalidInput, NotFound
from posthog_code.domain.ids import MessageId, RequestId, TaskId
from posthog_code.domain.session import SessionPhase
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import QueuedMessage, Task, TaskPhase
from posthog_code.domain.transcript import Transcript
from posthog_code.services.session_actor import SessionActor
from posthog_code.services.session_parts import SessionParts

CONTINUE = "Continue where you stopped."


class Sessions:
    def __init__(self, parts: SessionParts) -> None:
        self._parts = parts
        self._store = parts.store
        self._actors: dict[TaskId, SessionActor] = {}

    def _actor(self, task_id: TaskId) -> SessionActor:
        actor = self._actors.get(task_id)
        if actor is None:
            actor = SessionActor(self._parts, task_id, self._task(task_id).session_id)
            self._actors[task_id] = actor
        return actor

    def _task(self, task_id: TaskId) -> Task:
        task = self._store.state.tasks.get(task_id)
        if task is None:
            raise NotFound("There is no such task.")
        return task

    def first_prompt(self, task: Task, attachments: tuple[str, ...]) -> None:
        """Journal the prompt of a task that is being made: it is on disk before the task is shown."""
        journal = self._parts.journals.open(task.session_id)
        frame = {
            "jsonrpc": "2.0",
            "method": "_posthog_code/prompt",
            "params": {"text": task.prompt, "attachments": list(attachments)},
        }
        journal.append(frame, "note", self._parts.clock.now())
        journal.close()

    def kick(self, task_id: TaskId) -> None:
        actor = self._actor(task_id)
        actor.claim()
        actor.kick()

    async def prompt(self, task_id: TaskId, text: str, attachments: Sequence[str] = ()) -> bool:
        """Send a follow-up. True when the agent gets it now, False when it waits for the running turn.

        Raises InvalidInput when it is empty or the task is archived, Conflict while another program drives it.
        """
        task = self._task(task_id)
        if not text.strip() and not attachments:
            raise InvalidInput("The message is empty.", "Type what the agent should do.")
        if task.phase in (TaskPhase.ARCHIVED, TaskPhase.DELETED):
            raise InvalidInput("This task is archived.", "Restore it to go on with it.")
        actor = self._actor(task_id)
        actor.claim()
        waits = actor.busy or task.phase is not TaskPhase.READY
        message = QueuedMessage(
            MessageId(self._parts.clock.new_id()), task_id, text, self._parts.clock.now(), tuple(attachments)
        )
        await self._queue(task_id, lambda queue: (*queue, message))
        actor.release_queue()
        actor.kick()
        return not waits

    async def stop(self, task_id: TaskId) -> None:
        """Stop the turn; the session stays, and what is queued waits."""
        if (actor := self._actors.get(task_id)) is not None:
            await actor.stop_turn()

    async def end(self, task_id: TaskId) -> None:
        """End the agent's process; the conversation stays."""
        actor = self._actors.pop(task_id, None)
        if actor is None:
            return
        if actor.busy:
            await actor.stop_turn()
            try:
                await asyncio.wait_for(actor.idle(), 15)
            except TimeoutError:
                pass
        await actor.close()
        session = self._store.state.session_of(task_id)
        if session is not None and session.phase is not SessionPhase.FAILED:
            await self._store.update(
                lambda state: _with_phase(state, task_id, SessionPhase.IDLE), Topic("session", task_id)
            )

    async def answer(self, task_id: TaskId, request_id: RequestId, option_id: str) -> None:
        await self._actor(task_id).answer(request_id, option_id)

    async def answer_question(self, task_id: TaskId, request_id: RequestId, content: Mapping[str, Any] | None) -> None:
        await self._actor(task_id).answer_question(request_id, content)

    async def set_option(self, task_id: TaskId, option_id: str, value: str) -> None:
        await self._actor(task_id).set_option(option_id, value)

    async def retry_turn(self, task_id: TaskId) -> None:
        """The prompt of the last turn again (or what could not be sent)."""
        actor = self._actor(task_id)
        actor.claim()
        session = actor.session
        actor.release_queue()
        waiting = self._store.state.queue.get(task_id)
        if session.turn is None or (waiting and session.phase is SessionPhase.FAILED and not session.turn.error):
            actor.kick()
        else:
            actor.retry(session.turn.prompt, ())

    async def continue_turn(self, task_id: TaskId) -> None:
        """Let the agent go on after an interruption."""
        actor = self._actor(task_id)
        actor.claim()
        actor.retry(CONTINUE, ())

    # -- queue -------------------------------------------------------------------------------------------------

    async def unqueue(self, task_id: TaskId, message_id: MessageId) -> str:
        """Take a waiting message back; gives its text. Raises NotFound when it was sent already."""
        taken: list[QueuedMessage] = []

        def remove(queue: tuple[QueuedMessage, ...]) -> tuple[QueuedMessage, ...]:
            taken.extend(m for m in queue if m.id == message_id)
            return tuple(m for m in queue if m.id != message_id)

        await self._queue(task_id, remove)
        if not taken:
            raise NotFound("This message was sent already.", "Stop the turn to take it back.")
        return taken[0].text

    async def edit_queued(self, task_id: TaskId, message_id: MessageId, text: str) -> None:
        await self._queue(
            task_id, lambda queue: tuple(replace(m, text=text) if m.id == message_id else m for m in queue)
        )

    async def move_queued(self, task_id: TaskId, message_id: MessageId, index: int) -> None:
        def move(queue: tuple[QueuedMessage, ...]) -> tuple[QueuedMessage, ...]:
            rest = [m for m in queue if m.id != message_id]
            moved = [m for m in queue if m.id == message_id]
            return (*rest[:index], *moved, *rest[index:])

        await self._queue(task_id, move)

    async def send_now(self, task_id: TaskId, message_id: MessageId) -> None:
        """Stop the running turn and send this message first."""
        await self.move_queued(task_id, message_id, 0)
        actor = self._actor(task_id)
        await actor.stop_turn()
        await actor.idle()
        actor.release_queue()
        actor.kick()

    async def _queue(self, task_id: TaskId, change: Any) -> None:
        await self._store.update(
            lambda state: replace(state, queue={**state.queue, task_id: change(state.queue.get(task_id, ()))}),
            Topic("queue", task_id),
        )

    # -- transcripts -------------------------------------------------------------------------------------------

    def transcript(self, task_id: TaskId) -> Transcript:
        return self._actor(task_id).stream.transcript

    async def load_transcript(self, task_id: TaskId) -> Transcript:
        """Fold the journal; a long one in a thread."""
        if task_id not in self._actors:
            session_id = self._task(task_id).session_id
            if self._parts.journals.size(session_id) > 1_000_000:
                actor = await asyncio.to_thread(SessionActor, self._parts, task_id, session_id)
                self._actors.setdefault(task_id, actor)
        return self.transcript(task_id)

    async def wait_started(self, task_id: TaskId) -> None:
        """Until the agent of a task that was just set up runs, or has failed to."""
        await self._actor(task_id).started()

    async def wait_idle(self, task_id: TaskId) -> None:
        await self._actor(task_id).idle()

    async def close(self) -> None:
        """End every agent, all at once."""
        actors = list(self._actors.values())
        self._actors.clear()
        await asyncio.gather(*(actor.close() for actor in actors), return_exceptions=True)


def _with_phase(state: AppState, task_id: TaskId, phase: SessionPhase) -> AppState:
    session = state.session_of(task_id)
    if session is None:
        return state
    return replace(state, sessions={**state.sessions, session.id: replace(session, phase=phase, asks=(), pid=0)})
