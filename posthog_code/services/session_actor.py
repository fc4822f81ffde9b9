"""One task's session: starts the agent, runs turns one after the other, answers what it asks."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from posthog_code.domain.asks import ASK_METHODS, ask_from_request
from posthog_code.domain.errors import AgentFailed, NotFound, StorageFailed, UserError
from posthog_code.domain.ids import RequestId, SessionId, TaskId
from posthog_code.domain.logs import LogSource
from posthog_code.domain.session import Ask, AskKind, ConfigOption, Session, SessionPhase, Turn
from posthog_code.domain.session_options import (
    SessionFacts,
    after_result,
    after_update,
    session_facts,
    wire_value,
    with_value,
)
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import DiffStat, QueuedMessage, Task, TaskPhase
from posthog_code.ports.agent import Exited, Incoming, Run, RunSpec
from posthog_code.services import edits
from posthog_code.services.environment import task_environment
from posthog_code.services.prompts import prompt_blocks
from posthog_code.services.session_parts import SessionParts
from posthog_code.services.stream import Stream

_SYNC_EVERY = 5.0


class SessionActor:
    """The only writer of its session's facts and journal."""

    def __init__(self, parts: SessionParts, task_id: TaskId, session_id: SessionId) -> None:
        self._parts = parts
        self.task_id = task_id
        self._id = session_id
        self._scope = parts.scope.child(f"session-{task_id}")
        self.stream = Stream(parts, task_id, session_id, self._task.path)
        self._run: Run | None = None
        self._ran = asyncio.Event()
        self._facts = SessionFacts()
        self._inbox: deque[tuple[Incoming, float]] = deque()
        self._arrived = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._consumer: asyncio.Task[None] | None = None
        self._driver: asyncio.Task[None] | None = None
        self._stopping = False
        self._retry: tuple[str, tuple[str, ...]] | None = None
        self._hold_queue = False
        self._pending: dict[RequestId, tuple[int | str, Ask]] = {}

    # -- what others may ask -----------------------------------------------------------------------------------

    @property
    def _task(self) -> Task:
        return self._parts.store.state.tasks[self.task_id]

    @property
    def session(self) -> Session:
        return self._parts.store.state.sessions[self._id]

    @property
    def busy(self) -> bool:
        return self._driver is not None and not self._driver.done()

    def claim(self) -> None:
        """Become the one that drives this session. Raises Conflict while another process does."""
        _ = self.stream.journal

    def kick(self) -> None:
        """Go on with what waits, if nothing runs and the workspace is ready."""
        if not self.busy and self._task.phase is TaskPhase.READY and self._next() is not None:
            self._driver = self._scope.spawn(self._drive(), "drive")

    def retry(self, text: str, attachments: tuple[str, ...]) -> None:
        """Run a prompt before what is queued."""
        self._retry = (text, attachments)
        self._hold_queue = False
        self.kick()

    def release_queue(self) -> None:
        """The person wants the queue to go on after a failed or stopped turn."""
        self._hold_queue = False

    async def started(self) -> None:
        """Until the agent's process runs, or nothing is being started any more."""
        if self._driver is not None:
            running = self._scope.spawn(self._ran.wait(), "started")
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
        if self._run is None:
            assert self._driver is not None
            self._driver.cancel()
            return
        await self._set(phase=SessionPhase.CANCELLING)
        await self._cancel_asks()
        await self._run.cancel()

    async def answer(self, request_id: RequestId, option_id: str, by: str = "you") -> None:
        """Answer a permission. Raises NotFound when it is over already."""
        pending = self._pending.pop(request_id, None)
        if pending is None or self._run is None:
            raise NotFound("This question is over.", "The agent does not wait for it any more.")
        wire_id, ask = pending
        self.stream.note("answered", requestId=request_id, answer=option_id, by=by)
        self._run.respond(wire_id, {"outcome": {"outcome": "selected", "optionId": option_id}})
        await self._answered(ask)

    async def answer_question(self, request_id: RequestId, content: Mapping[str, Any] | None) -> None:
        """Answer a question's form; None declines it."""
        pending = self._pending.pop(request_id, None)
        if pending is None or self._run is None:
            raise NotFound("This question is over.", "The agent does not wait for it any more.")
        wire_id, ask = pending
        result = {"action": "decline"} if content is None else {"action": "accept", "content": dict(content)}
        self._run.respond(wire_id, result)
        await self._answered(ask)

    async def set_option(self, option_id: str, value: str) -> None:
        """Set mode, model or another option: now when the agent runs, else when it starts."""
        option = next((o for o in self.session.options if o.id == option_id), None)
        if self._run is not None and option is not None:
            await self._send_option(option, value)
        else:
            await self._set(options=with_value(self.session.options, option_id, value))
        category = option.category if option else option_id
        if category in ("mode", "model"):
            await self._parts.store.update(
                lambda state: edits.edit_task(state, self.task_id, **{category: value}),
                *edits.task_topics(self.task_id),
            )

    async def close(self) -> None:
        """End the agent; returns when nothing of it is left."""
        if self._run is not None:
            run, self._run = self._run, None
            await run.close()
        await self._scope.close()
        self.stream.close()

    # -- turns -------------------------------------------------------------------------------------------------

    def _next(self) -> tuple[str, tuple[str, ...], QueuedMessage | None] | None:
        """The next prompt: a retry, the task's first prompt, or the head of the queue."""
        if self._retry is not None:
            return (*self._retry, None)
        if not self.session.turns:
            return self._task.prompt, (), None
        queue = self._parts.store.state.queue.get(self.task_id, ())
        if queue and not self._hold_queue:
            return queue[0].text, queue[0].attachments, queue[0]
        return None

    async def _drive(self) -> None:
        self._stopping = False
        while (waiting := self._next()) is not None:
            text, attachments, message = waiting
            if not await self._turn(text, attachments, message):
                self._hold_queue = True
                return

    async def _turn(self, text: str, attachments: tuple[str, ...], message: QueuedMessage | None) -> bool:
        """One turn, from prompt to footer. True when it ended by itself."""
        number = len(self.session.turns) + 1
        first = number == 1
        if first:
            attachments = attachments or self.stream_attachments()
        started = time.monotonic()
        try:
            run = await self._ensure_run()
            before = await self._checkpoint(f"turn-{number}-start", f"Before turn {number}")
            images = _takes_images(self._initialized)
            blocks = prompt_blocks(text, attachments, Path(self._task.path), images=images)
        except UserError as failure:
            await self._could_not_start(failure)
            return False
        except asyncio.CancelledError:
            await asyncio.shield(self._set(phase=SessionPhase.READY if self._run else SessionPhase.IDLE))
            raise
        self._retry = None
        turn = Turn(number, text, self._parts.clock.now(), checkpoint_before=before)
        await self._begin(turn, message)
        reason, error = await self._prompt(run, blocks)
        await self._drained.wait()
        await self._finish(turn, reason, error, time.monotonic() - started)
        return reason == "end_turn"

    def stream_attachments(self) -> tuple[str, ...]:
        """Attachments of the first prompt, from the note that was journaled when the task was made."""
        items = self.stream.transcript.items
        return getattr(items[0], "attachments", ()) if items else ()

    async def _begin(self, turn: Turn, message: QueuedMessage | None) -> None:
        def change(state: AppState) -> AppState:
            session = state.sessions[self._id]
            state = edits.put_session(
                state,
                replace(session, turns=(*session.turns, turn), phase=SessionPhase.WORKING, error="", error_hint=""),
            )
            state = edits.edit_task(state, self.task_id, updated_at=turn.started_at, unread=False)
            if message is not None:
                queue = tuple(m for m in state.queue.get(self.task_id, ()) if m.id != message.id)
                state = replace(state, queue={**state.queue, self.task_id: queue})
            return state

        self.stream.note("turn_started", turn=turn.number, checkpoint=turn.checkpoint_before)
        await self._parts.store.update(change, *self._topics, Topic("queue", self.task_id))

    async def _prompt(self, run: Run, blocks: list[dict[str, Any]]) -> tuple[str, str]:
        """(stop reason, error) of session/prompt."""
        syncing = self._scope.spawn(self._sync_regularly(), "sync")
        try:
            result = await run.prompt(blocks)
        except StorageFailed as error:
            return "error", str(error)
        except UserError as error:
            return ("cancelled" if self._stopping else "error"), f"{error.title} {error.hint}".strip()
        finally:
            syncing.cancel()
        return str(result.get("stopReason") or "end_turn"), ""

    async def _finish(self, turn: Turn, reason: str, error: str, seconds: float) -> None:
        await self._cancel_asks()
        after, stat = turn.checkpoint_before, DiffStat()
        try:
            after = await self._checkpoint(f"turn-{turn.number}-end", f"After turn {turn.number}")
            if turn.checkpoint_before and after:
                stat = await self._parts.changes.between(Path(self._task.path), turn.checkpoint_before, after)
        except UserError as failed:
            self._parts.logs.write(self.task_id, LogSource.GIT, str(failed), level="error", data=failed.detail)
        usage = self._facts.usage
        spent = sum(t.cost for t in self.session.turns)
        done = replace(
            turn,
            ended_at=self._parts.clock.now(),
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
            duration=round(seconds, 3),
            files=done.files,
            added=done.added,
            removed=done.removed,
            tokens=done.tokens,
            cost=done.cost,
            checkpointBefore=done.checkpoint_before,
        )
        await asyncio.to_thread(self.stream.sync)
        gone = self._run is None
        phase = SessionPhase.FAILED if gone and reason == "error" else SessionPhase.IDLE if gone else SessionPhase.READY

        def change(state: AppState) -> AppState:
            session = state.sessions[self._id]
            turns = tuple(done if t.number == done.number else t for t in session.turns)
            state = edits.put_session(state, replace(session, turns=turns, phase=phase, asks=(), error=error))
            return edits.edit_task(state, self.task_id, updated_at=done.ended_at, unread=True)

        await self._parts.store.update(change, *self._topics)
        with contextlib.suppress(UserError):
            await self._parts.changes.refresh(self.task_id)

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
        await self._set(phase=SessionPhase.FAILED, error=error.title, error_hint=error.hint)
        await self._parts.store.update(
            lambda state: edits.edit_task(state, self.task_id, unread=True), *edits.task_topics(self.task_id)
        )

    async def _checkpoint(self, name: str, message: str) -> str:
        ref = f"refs/posthog-code/{self.task_id}/{name}"
        snapshot = await self._parts.checkpoints.take(Path(self._task.path), ref, message)
        self._parts.logs.write(self.task_id, LogSource.GIT, f"checkpoint  {name}  {snapshot.commit[:8]}")
        return snapshot.commit

    async def _sync_regularly(self) -> None:
        while True:
            await asyncio.sleep(_SYNC_EVERY)
            await asyncio.to_thread(self.stream.sync)

    # -- the agent's process -----------------------------------------------------------------------------------

    async def _ensure_run(self) -> Run:
        if self._run is not None:
            return self._run
        task = self._task
        if not Path(task.path).is_dir():
            raise NotFound(
                "The worktree of this task is not there.", "Archive and restore the task to make it again.", task.path
            )
        await self._set(phase=SessionPhase.STARTING, error="", error_hint="")
        spec, command = self._parts.agents.command(task.agent_id, task.agent_command)
        repository = self._parts.store.state.repositories.get(task.repository_id)
        env = task_environment(task, repository) | dict(spec.env)
        run_spec = RunSpec(spec, command, Path(task.path), env, run_id=self._id)
        self._parts.logs.write(self.task_id, LogSource.AGENT, f"start  {' '.join(command)}  cwd={task.path}")
        if self._consumer is None or self._consumer.done():
            self._consumer = self._scope.spawn(self._consume(), "inbox")
        run = await self._parts.host.start(run_spec, self.stream.journal, self._incoming)
        await self._set(pid=run.pid, pid_started=run.pid_started)
        try:
            opened = await run.open(resume=self.session.agent_session_id)
        except BaseException:
            await run.close()
            await self._set(pid=0)
            raise
        self._run = run
        self._ran.set()
        self._initialized = opened.initialize
        self._facts = replace(
            session_facts(opened.initialize, opened.session), commands=self._facts.commands, usage=self._facts.usage
        )
        await self._set(agent_session_id=opened.agent_session_id, phase=SessionPhase.READY)
        await self._publish_facts()
        await self._apply_wishes(task)
        if self.session.turns and not opened.resumed:
            self.stream.note(
                "notice",
                level="warning",
                title="The agent does not remember the earlier turns.",
                text="It started a new session in the same worktree. Say what it needs to know.",
            )
        return run

    _initialized: Mapping[str, Any] = {}

    async def _apply_wishes(self, task: Task) -> None:
        """The mode and model that the task was made with."""
        for category, wish in (("mode", task.mode), ("model", task.model)):
            option = self.session.option(category)
            if not wish or option is None or option.current == wish:
                continue
            if any(choice.id == wish for choice in option.choices):
                await self._send_option(option, wish)

    async def _send_option(self, option: ConfigOption, value: str) -> None:
        assert self._run is not None
        if option.wire == "mode":
            result = await self._run.set_mode(value)
        elif option.wire == "model":
            result = await self._run.set_model(value)
        else:
            result = await self._run.set_option(option.id, wire_value(option, value))
        options = with_value(self._facts.options, option.id, value)
        self._facts = after_result(replace(self._facts, options=options), result)
        await self._publish_facts()

    def _incoming(self, incoming: Incoming) -> None:
        """Called by the adapter for every frame, synchronously."""
        self._inbox.append((incoming, self._parts.clock.now()))
        self._drained.clear()
        self._arrived.set()

    async def _consume(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            facts, exited = self._facts, None
            asks: list[tuple[int | str, Ask]] = []
            while self._inbox:
                incoming, at = self._inbox.popleft()
                if incoming.frame is not None:
                    self._take_frame(incoming.frame, at, asks)
                elif incoming.sent is not None:
                    self.stream.fold(incoming.sent, "out", at)
                elif incoming.stderr:
                    self._parts.logs.write(self.task_id, LogSource.STDERR, incoming.stderr)
                elif incoming.garbage:
                    self._parts.logs.write(
                        self.task_id, LogSource.AGENT, f"not JSON: {incoming.garbage}", level="warning"
                    )
                elif incoming.exited is not None:
                    exited = incoming.exited
            if self._facts is not facts:
                await self._publish_facts()
            for wire_id, ask in asks:
                await self._asked(wire_id, ask)
            if exited is not None:
                await self._gone(exited)
            if not self._inbox:
                self._drained.set()

    def _take_frame(self, frame: dict[str, Any], at: float, asks: list[tuple[int | str, Ask]]) -> None:
        self.stream.fold(frame, "in", at)
        method = frame.get("method")
        if method == "session/update":
            params = frame.get("params")
            update = params.get("update") if isinstance(params, dict) else None
            if isinstance(update, dict):
                self._facts = after_update(self._facts, update)
        elif method in ASK_METHODS and "id" in frame:
            asks.append((frame["id"], ask_from_request(frame, self.stream.transcript, at, self._task.path)))

    async def _gone(self, exited: Exited) -> None:
        run, self._run = self._run, None
        self._pending.clear()
        with contextlib.suppress(StorageFailed):
            self.stream.note("process_exited", code=exited.code, reason=exited.reason)
        if run is not None:
            # Whatever the process left behind belongs to the run and ends with it.
            await run.close()
        phase = self.session.phase
        if not phase.busy and phase is not SessionPhase.STARTING:
            await self._set(phase=SessionPhase.IDLE, pid=0, asks=())
        else:
            await self._set(pid=0, asks=())

    # -- asks --------------------------------------------------------------------------------------------------

    async def _asked(self, wire_id: int | str, ask: Ask) -> None:
        self._pending[ask.id] = (wire_id, ask)
        chosen = self._parts.policy(self.task_id, ask)
        if chosen is not None:
            if ask.kind is AskKind.PERMISSION:
                await self.answer(ask.id, chosen, by="rule")
            else:
                await self.answer_question(ask.id, None)
            return

        def change(state: AppState) -> AppState:
            session = state.sessions[self._id]
            state = edits.put_session(state, replace(session, asks=(*session.asks, ask), phase=SessionPhase.WAITING))
            return edits.edit_task(state, self.task_id, unread=True)

        await self._parts.store.update(change, *self._topics)

    async def _answered(self, ask: Ask) -> None:
        def change(state: AppState) -> AppState:
            session = state.sessions[self._id]
            asks = tuple(a for a in session.asks if a.id != ask.id)
            waiting = session.phase is SessionPhase.WAITING and not asks
            return edits.put_session(
                state, replace(session, asks=asks, phase=SessionPhase.WORKING if waiting else session.phase)
            )

        await self._parts.store.update(change, *self._topics)

    async def _cancel_asks(self) -> None:
        """What the turn asked and nobody answered is over with it."""
        for wire_id, ask in tuple(self._pending.values()):
            if self._run is not None:
                answer = (
                    {"outcome": {"outcome": "cancelled"}} if ask.kind is AskKind.PERMISSION else {"action": "cancel"}
                )
                with contextlib.suppress(AgentFailed):
                    self._run.respond(wire_id, answer)
        self._pending.clear()
        if self.session.asks:
            await self._set(asks=())

    # -- state -------------------------------------------------------------------------------------------------

    @property
    def _topics(self) -> tuple[Topic, ...]:
        return (Topic("session", self.task_id), *edits.task_topics(self.task_id))

    async def _set(self, **fields: Any) -> None:
        await self._parts.store.update(lambda state: edits.edit_session(state, self._id, **fields), *self._topics)

    async def _publish_facts(self) -> None:
        facts = self._facts
        await self._set(options=facts.options, commands=facts.commands, usage=facts.usage, agent_name=facts.agent_name)


def _takes_images(initialized: Mapping[str, Any]) -> bool:
    capabilities = initialized.get("agentCapabilities")
    prompt = capabilities.get("promptCapabilities") if isinstance(capabilities, Mapping) else None
    return bool(prompt.get("image")) if isinstance(prompt, Mapping) else False
