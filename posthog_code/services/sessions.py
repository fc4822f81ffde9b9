"""The sessions of all tasks: prompts, the queue, answers, and what ended them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from posthog_code.domain.errors import InvalidInput, NotFound
from posthog_code.domain.ids import MessageId, RequestId, TaskId
from posthog_code.domain.journal_facts import facts_of, read_facts
from posthog_code.domain.session import Session, SessionPhase
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import QueuedMessage, Task, TaskPhase
from posthog_code.domain.transcript import Transcript
from posthog_code.services import edits
from posthog_code.services.session_actor import SessionActor
from posthog_code.services.session_parts import SessionParts
from posthog_code.services.stream import Stream

log = logging.getLogger("sessions")
CONTINUE = "Continue where you stopped."
_PATIENCE = 15.0
"""Seconds that a stopped turn has to end."""
_SLOW = 1_000_000
"""Bytes of a journal from which on it is folded in a thread."""


class Sessions:
    def __init__(self, parts: SessionParts) -> None:
        self._parts = parts
        self._store = parts.store
        self._actors: dict[TaskId, SessionActor] = {}
        self._streams: dict[TaskId, Stream] = {}
        """Conversations that were looked at, and journals that other programs are kept out of."""
        self._closed = False

    def _actor(self, task_id: TaskId) -> SessionActor:
        actor = self._actors.get(task_id)
        if actor is None:
            session_id = self._task(task_id).session_id
            actor = SessionActor(self._parts, task_id, session_id, self._stream(task_id))
            self._actors[task_id] = actor
        return actor

    def _stream(self, task_id: TaskId) -> Stream:
        stream = self._streams.get(task_id)
        if stream is None:
            task = self._task(task_id)
            stream = Stream(self._parts, task_id, task.session_id, task.path)
            self._streams[task_id] = stream
        return stream

    async def _driving(self, task_id: TaskId) -> SessionActor:
        """The actor of a session that is ours from now on, with all that other programs have done in it.

        Raises InvalidInput for a task that is put away, Conflict while another program drives the session.
        """
        if self._task(task_id).phase in (TaskPhase.ARCHIVED, TaskPhase.DELETED):
            raise InvalidInput("This task is archived.", "Restore it to go on with it.")
        await self.load_transcript(task_id)
        actor = self._actor(task_id)
        actor.claim()
        if self._store.state.session_of(task_id) is None:
            await self._session_again(self._task(task_id))
        await self._store.refresh()
        return actor

    async def _session_again(self, task: Task) -> None:
        """Its row could not be read: what the journal tells of it takes its place."""
        facts = await asyncio.to_thread(read_facts, self._parts.journals.read(task.session_id))
        session = Session(
            id=task.session_id,
            task_id=task.id,
            agent_id=task.agent_id,
            agent_session_id=facts.agent_session_id,
            turns=facts.turns,
        )
        await self._store.update(lambda state: edits.put_session(state, session), Topic("session", task.id))

    def _task(self, task_id: TaskId) -> Task:
        task = self._store.state.tasks.get(task_id)
        if task is None:
            raise NotFound("There is no such task.")
        return task

    def first_prompt(self, task: Task, attachments: tuple[str, ...]) -> None:
        """Journal the prompt of a task that is being made: it is on disk before the task is shown.

        The note also says what cannot be seen from a worktree, so that a lost database can be rebuilt.
        """
        kept = self._parts.attachments.keep(task.id, attachments)
        stream = Stream(self._parts, task.id, task.session_id, task.path)
        self._streams[task.id] = stream
        stream.note("prompt", **self._first_note(task, kept))

    def _first_note(self, task: Task, attachments: Sequence[str]) -> dict[str, Any]:
        repository = self._store.state.repositories.get(task.repository_id)
        facts = facts_of(task, repository.path if repository else "")
        return {"text": task.prompt, "attachments": list(attachments), "task": facts}

    async def seed(self, task_id: TaskId, lines: Sequence[tuple[dict[str, Any], str, float]]) -> None:
        """Give a session that no agent was in yet the conversation that it goes on from: frames with direction and
        UNIX time (s). They take the place of what an attempt that was cut short has left."""
        task = self._task(task_id)
        if (actor := self._actors.get(task_id)) is not None:
            await actor.close()
        self.release(task)
        note = {"jsonrpc": "2.0", "method": "_posthog_code/prompt", "params": self._first_note(task, ())}

        def write() -> None:
            self._parts.journals.remove(task.session_id)
            journal = self._parts.journals.open(task.session_id)
            journal.append(note, "note", lines[0][2] if lines else self._parts.clock.now())
            for frame, direction, at in lines:
                journal.append(frame, direction, at)
            journal.sync()
            journal.close()

        await asyncio.to_thread(write)
        self.claim(task_id)
        self._store.touch(Topic("transcript", task_id))

    def journaled(self, task_id: TaskId) -> list[tuple[dict[str, Any], str, float]]:
        """All that the journal of a task's session has; may block for a long one."""
        return list(self._parts.journals.read(self._task(task_id).session_id))

    def journaled_since(self, task_id: TaskId, start: int) -> tuple[list[tuple[dict[str, Any], str, float]], int]:
        """What is in it from the byte `start` on, and where that ends; may block for a long one."""
        found: list[tuple[dict[str, Any], str, float]] = []
        located = self._parts.journals.read_located(self._task(task_id).session_id, start)
        for frame, direction, at, offset, length in located:
            found.append((frame, direction, at))
            start = offset + length
        return found, start

    def note(self, task_id: TaskId, name: str, **params: Any) -> None:
        """Write something of ours into the conversation. Raises Conflict while another program drives it."""
        self._stream(task_id).note(name, **params)

    def forget(self, task: Task) -> None:
        """Take `first_prompt` back: the task could not be saved."""
        self.release(task)
        self._parts.journals.remove(task.session_id)

    def release(self, task: Task) -> None:
        """Let go of the session of a task that is gone, after `end`."""
        self._actors.pop(task.id, None)
        if (stream := self._streams.pop(task.id, None)) is not None:
            stream.close()

    def claim(self, task_id: TaskId) -> None:
        """Keep other programs out of this session. Raises Conflict while one of them drives it."""
        self._stream(task_id).hold()

    def unlock(self, task_id: TaskId) -> None:
        """Let other programs have a session, if nothing of it runs here; the conversation stays."""
        if task_id not in self._actors and (stream := self._streams.get(task_id)) is not None:
            stream.close()

    def kick(self, task_id: TaskId) -> None:
        if not self._closed:
            actor = self._actor(task_id)
            actor.claim()
            actor.kick()

    async def refresh(self) -> None:
        """Take over what other programs on the same data folder did: their tasks, and what was said in them."""
        await self._store.refresh()
        for task_id, stream in tuple(self._streams.items()):
            if not stream.unread and stream.catch_up():
                self._store.touch(Topic("transcript", task_id))

    async def prompt(self, task_id: TaskId, text: str, attachments: Sequence[str] = ()) -> bool:
        """Send a follow-up. True when the agent gets it now, False when it waits for the running turn.

        Raises InvalidInput when it is empty or the task is archived, Conflict while another program drives it.
        """
        if not text.strip() and not attachments:
            raise InvalidInput("The message is empty.", "Type what the agent should do.")
        actor = await self._driving(task_id)
        kept = await asyncio.to_thread(self._parts.attachments.keep, task_id, attachments) if attachments else ()
        waits = actor.busy or self._task(task_id).phase is not TaskPhase.READY
        message = QueuedMessage(MessageId(self._parts.clock.new_id()), task_id, text, self._parts.clock.now(), kept)
        await self._queue(task_id, lambda queue: (*queue, message))
        actor.release_queue()
        actor.kick()
        return not waits

    async def stop(self, task_id: TaskId) -> None:
        """Stop the turn; the session stays, and what is queued waits."""
        if (actor := self._actors.get(task_id)) is not None:
            await actor.stop_turn()

    async def stop_all(self) -> None:
        """Stop the turns that run here."""
        running = [actor for actor in self._actors.values() if actor.busy]
        for actor in running:
            await actor.stop_turn()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(actor.idle() for actor in running)), _PATIENCE)

    async def end(self, task_id: TaskId) -> None:
        """End the agent's process, and keep other programs from starting one; the conversation stays.

        Raises Conflict while another program drives the session.
        """
        session_id = self._task(task_id).session_id
        if self._parts.journals.exists(session_id):
            self._stream(task_id).hold()
        actor = self._actors.get(task_id)
        if actor is not None:
            if actor.busy:
                await actor.stop_turn()
                # A turn that does not end is broken off, and told as interrupted.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(actor.idle(), _PATIENCE)
            await actor.close()
            self._actors.pop(task_id, None)
        session = self._store.state.session_of(task_id)
        if session is not None and session.phase not in (SessionPhase.FAILED, SessionPhase.INTERRUPTED):
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
        actor = await self._driving(task_id)
        session, turn = actor.session, actor.session.turn
        actor.release_queue()
        waiting = self._store.state.queue.get(task_id)
        if turn is None or actor.retries:
            actor.kick()
        elif waiting and (turn.stop_reason == "end_turn" or session.error != turn.error):
            # What failed was the start for a later prompt, which waits.
            actor.kick()
        else:
            actor.retry(turn.prompt, actor.attachments_of(turn.number))

    async def continue_turn(self, task_id: TaskId) -> None:
        """Let the agent go on after an interruption."""
        actor = await self._driving(task_id)
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
        actor = await self._driving(task_id)
        await self.move_queued(task_id, message_id, 0)
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
        return self._stream(task_id).transcript

    async def load_transcript(self, task_id: TaskId) -> Transcript:
        """Fold the journal; a long one in a thread."""
        stream = self._stream(task_id)
        if stream.unread > _SLOW:
            await asyncio.to_thread(stream.catch_up)
        return stream.transcript

    async def wait_started(self, task_id: TaskId) -> None:
        """Until the agent of a task that was just set up runs, or has failed to."""
        await self._actor(task_id).started()

    async def wait_idle(self, task_id: TaskId) -> None:
        await self._actor(task_id).idle()

    async def close(self) -> None:
        """End every agent, all at once."""
        self._closed = True
        actors = list(self._actors.values())
        ended = await asyncio.gather(*(actor.close() for actor in actors), return_exceptions=True)
        for actor, error in zip(actors, ended, strict=True):
            if isinstance(error, BaseException):
                log.error("the session of task %s did not end well", actor.task_id, exc_info=error)
        self._actors.clear()
        for stream in self._streams.values():
            stream.close()
        self._streams.clear()


def _with_phase(state: AppState, task_id: TaskId, phase: SessionPhase) -> AppState:
    session = state.session_of(task_id)
    if session is None:
        return state
    return replace(state, sessions={**state.sessions, session.id: replace(session, phase=phase, asks=(), pid=0)})
