"""One task's session: starts the agent, runs turns one after the other, answers what it asks."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
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
from posthog_code.domain.task import DiffStat, QueuedMessage, Task, TaskPhase, Workspace
from posthog_code.domain.transcript import UserMessage
from posthog_code.ports.agent import Exited, Incoming, Opened, Run, RunSpec
from posthog_code.ports.git import Snapshot
from posthog_code.services import edits
from posthog_code.services.environment import task_environment
from posthog_code.services.prompts import prompt_blocks
from posthog_code.services.scope import carried_through
from posthog_code.services.session_parts import SessionParts
from posthog_code.services.stream import Stream

_SYNC_EVERY = 5.0
_LAST_WORDS = 10.0
"""Seconds that a turn has to be written down when its agent is being ended."""
_NOISE_LIMIT = 32 * 1024 * 1024
"""Characters of stderr and garbage that are logged of one run, each line counted with what it costs besides."""
_NOISE_LINE = 300
_INVALID_PARAMS = -32602
"""JSON-RPC 2.0."""
_OWN_FAULT = UserError(
    "Something went wrong inside PostHog Code, so this turn was stopped.",
    "Send the prompt again. The log in the data folder has the details.",
)


class SessionActor:
    """The only writer of its session's facts and journal."""

    def __init__(self, parts: SessionParts, task_id: TaskId, session_id: SessionId, stream: Stream) -> None:
        self._parts = parts
        self.task_id = task_id
        self._id = session_id
        self._scope = parts.scope.child(f"session-{task_id}")
        self.stream = stream
        self._run: Run | None = None
        self._initialized: Mapping[str, Any] = {}
        """What the running agent said of itself."""
        self._ran = asyncio.Event()
        self._facts = SessionFacts()
        self._inbox: deque[tuple[Incoming, float]] = deque()
        self._arrived = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._consumer: asyncio.Task[None] | None = None
        self._driver: asyncio.Task[None] | None = None
        self._stopping = False
        self._starting = False
        """A turn is being prepared: the agent has not got its prompt yet."""
        self._closing = False
        self._retry: tuple[str, tuple[str, ...]] | None = None
        self._hold_queue = False
        self._noise_left = _NOISE_LIMIT
        self._failure: StorageFailed | None = None
        """Why the running turn's agent had to be ended."""
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
        self.stream.hold()

    def kick(self) -> None:
        """Go on with what waits, if nothing runs and the workspace is ready."""
        ready = self._task.phase is TaskPhase.READY and not self._closing
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
        if self._starting:
            assert self._driver is not None
            self._driver.cancel()
            return
        run = self._run
        if run is None:
            return
        try:
            await self._set(phase=SessionPhase.CANCELLING)
        except StorageFailed:
            # A full disk is a reason to stop, not one that stops it.
            self._set_anyway(phase=SessionPhase.CANCELLING)
        await self._cancel_asks()
        await run.cancel()

    async def answer(self, request_id: RequestId, option_id: str, by: str = "you") -> None:
        """Answer a permission. Raises NotFound when it is over already."""
        pending = self._pending.get(request_id)
        if pending is None or self._run is None:
            raise NotFound("This question is over.", "The agent does not wait for it any more.")
        wire_id, ask = pending
        self.stream.note("answered", requestId=request_id, answer=option_id, by=by)
        del self._pending[request_id]
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
        """End the agent; returns when nothing of it is left. A running turn is told as interrupted."""
        self._closing = True
        run, self._run = self._run, None
        if run is not None:
            await run.close()
        if self._driver is not None and not self._starting:
            await asyncio.wait([self._driver], timeout=_LAST_WORDS)
        await self._scope.close()

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
        while not self._closing and (waiting := self._next()) is not None:
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
        started = time.monotonic()
        self._starting = True
        try:
            self._check_folder()
            run = await self._ensure_run()
            snapshot = await self._checkpoint(f"turn-{number}-start", f"Before turn {number}")
            await self._follow_branch(snapshot.branch)
            images = _takes_images(self._initialized)
            blocks = prompt_blocks(text, attachments, Path(self._task.path), images=images)
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
        await self._drained.wait()
        if reason == "interrupted":
            await self._interrupted(turn)
        else:
            await self._finish(turn, reason, error, time.monotonic() - started)
        return reason == "end_turn"

    def attachments_of(self, turn: int) -> tuple[str, ...]:
        """Attachments of a turn's prompt as the journal has them; of the first prompt also before it was sent."""
        said = [item for item in self.stream.transcript.items if isinstance(item, UserMessage)]
        return next((m.attachments for m in reversed(said) if m.turn == turn or (turn == 1 and m is said[0])), ())

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

        self._failure = None
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
            if self._failure is not None:
                return "error", str(self._failure)
            if self._closing:
                return "interrupted", ""
            return ("cancelled" if self._stopping else "error"), f"{error.title} {error.hint}".strip()
        finally:
            syncing.cancel()
        return str(result.get("stopReason") or "end_turn"), ""

    async def _finish(self, turn: Turn, reason: str, error: str, seconds: float) -> None:
        await self._cancel_asks()
        after, stat = turn.checkpoint_before, DiffStat()
        try:
            after = (await self._checkpoint(f"turn-{turn.number}-end", f"After turn {turn.number}")).commit
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
        await self._record(done, phase)
        with contextlib.suppress(UserError):
            await self._parts.changes.refresh(self.task_id)

    async def _record(self, done: Turn, phase: SessionPhase) -> None:
        def change(state: AppState) -> AppState:
            session = state.sessions[self._id]
            turns = tuple(done if t.number == done.number else t for t in session.turns)
            state = edits.put_session(state, replace(session, turns=turns, phase=phase, asks=(), error=done.error))
            return edits.edit_task(state, self.task_id, updated_at=done.ended_at, unread=True)

        await self._parts.store.update(change, *self._topics)

    async def _interrupted(self, turn: Turn) -> None:
        """The app ends in the middle of a turn: what a kill would leave to the next start, told at once."""
        self._pending.clear()
        self.stream.note("interrupted")
        await asyncio.to_thread(self.stream.sync)
        ended = replace(turn, ended_at=self._parts.clock.now(), stop_reason="interrupted")
        await self._record(ended, SessionPhase.INTERRUPTED)

    async def _not_sent(self) -> None:
        """Stopped before the agent had the prompt, which stays where it was."""
        by = "PostHog Code was closed" if self._closing else "The turn was stopped"
        phase = SessionPhase.READY if self._run else SessionPhase.IDLE
        with contextlib.suppress(StorageFailed):
            self.stream.note(
                "notice",
                level="warning" if self._closing else "info",
                title=f"{by} before the agent got the prompt.",
                text="The prompt is kept.",
                actions=["retry_turn"],
            )
            await self._set(phase=SessionPhase.INTERRUPTED if self._closing else phase)

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
        self._set_anyway(turns=turns, phase=SessionPhase.FAILED, error=error.title, error_hint=error.hint, asks=())

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

    def _check_folder(self) -> None:
        path = self._task.path
        if Path(path).is_dir():
            return
        if self._task.workspace is Workspace.LOCAL:
            raise NotFound("The checkout of this task is not there.", "Put the folder back, then retry.", path)
        raise NotFound(
            "The worktree of this task is not there.", "Archive and restore the task to make it again.", path
        )

    async def _follow_branch(self, branch: str) -> None:
        """The worktree says which branch it is on; when somebody has switched it, the person hears of it."""
        before = self._task.branch
        if branch == before:
            return
        now = f"on the branch {branch}" if branch else "on no branch (detached HEAD)"
        self.stream.note(
            "notice",
            level="warning",
            title=f"The worktree is {now} now.",
            text=f"It was on {before or 'no branch'}. Commits and the pull request follow the worktree.",
        )
        await self._parts.store.update(
            lambda state: edits.edit_task(state, self.task_id, branch=branch), *edits.task_topics(self.task_id)
        )

    async def _checkpoint(self, name: str, message: str) -> Snapshot:
        ref = f"refs/posthog-code/{self.task_id}/{name}"
        snapshot = await self._parts.checkpoints.take(Path(self._task.path), ref, message)
        self._parts.logs.write(self.task_id, LogSource.GIT, f"checkpoint  {name}  {snapshot.commit[:8]}")
        return snapshot

    async def _sync_regularly(self) -> None:
        while True:
            await asyncio.sleep(_SYNC_EVERY)
            try:
                await asyncio.to_thread(self.stream.sync)
            except StorageFailed as error:
                # The end of the turn tries again, and tells it.
                self._parts.logs.write(self.task_id, LogSource.AGENT, str(error), level="warning", data=error.detail)

    # -- the agent's process -----------------------------------------------------------------------------------

    async def _ensure_run(self) -> Run:
        if self._run is not None:
            return self._run
        task = self._task
        await self._set(phase=SessionPhase.STARTING, error="", error_hint="")
        spec, command = self._parts.agents.command(task.agent_id, task.agent_command)
        repository = self._parts.store.state.repositories.get(task.repository_id)
        env = task_environment(task, repository) | dict(spec.env)
        run_spec = RunSpec(spec, command, Path(task.path), env, run_id=self._id)
        self._parts.logs.write(self.task_id, LogSource.AGENT, f"start  {' '.join(command)}  cwd={task.path}")
        if self._consumer is None or self._consumer.done():
            self._consumer = self._scope.spawn(self._consume(), "inbox")
        self._noise_left = _NOISE_LIMIT
        self.stream.works_in(task.path)
        run = await self._parts.host.start(run_spec, self.stream.journal, self._incoming)
        try:
            await self._set(pid=run.pid, pid_started=run.pid_started)
            opened = await run.open(resume=self.session.agent_session_id)
            facts = _facts_of(opened, spec.name)
            self._run = run
            self._initialized = opened.initialize
            self._facts = replace(facts, commands=self._facts.commands, usage=self._facts.usage)
            await self._set(agent_session_id=opened.agent_session_id, phase=SessionPhase.READY)
            await self._publish_facts()
            await self._apply_wishes(task)
        except BaseException:
            self._run = None
            await run.close()
            with contextlib.suppress(StorageFailed):
                await self._set(pid=0)
            raise
        self._ran.set()
        if self.session.turns and not opened.resumed:
            self.stream.note(
                "notice",
                level="warning",
                title="The agent does not remember the earlier turns.",
                text="It started a new session in the same worktree. Say what it needs to know.",
            )
        return run

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
            try:
                await self._take_inbox()
            except StorageFailed as error:
                await self._cannot_follow(error)
            if not self._inbox:
                self._drained.set()

    async def _take_inbox(self) -> None:
        facts, exited = self._facts, None
        asks: list[tuple[int | str, Ask]] = []
        noise: list[tuple[LogSource, str]] = []
        while self._inbox:
            incoming, at = self._inbox.popleft()
            if incoming.frame is not None:
                self._take_frame(incoming.frame, at, asks)
            elif incoming.sent is not None:
                self.stream.fold(incoming.sent, "out", at)
            elif incoming.stderr:
                self._noise(LogSource.STDERR, incoming.stderr, noise)
            elif incoming.garbage:
                self._noise(LogSource.AGENT, f"not JSON: {incoming.garbage}", noise)
            elif incoming.exited is not None:
                exited = incoming.exited
        self._log_noise(noise)
        if self._facts is not facts:
            await self._publish_facts()
        for wire_id, ask in asks:
            await self._asked(wire_id, ask)
        if exited is not None:
            await self._gone(exited)

    def _noise(self, source: LogSource, line: str, noise: list[tuple[LogSource, str]]) -> None:
        """Keep a line for the log, unless a broken agent would fill the disk with them."""
        cost = len(line) + _NOISE_LINE
        self._noise_left -= cost
        if self._noise_left > 0:
            noise.append((source, line))
        elif self._noise_left + cost > 0:
            noise.append((LogSource.AGENT, "The agent prints more than is kept here: the rest is left out."))

    def _log_noise(self, noise: list[tuple[LogSource, str]]) -> None:
        for source, lines in groupby(noise, key=itemgetter(0)):
            level = "info" if source is LogSource.STDERR else "warning"
            self._parts.logs.write(self.task_id, source, "\n".join(line for _, line in lines), level=level)

    async def _cannot_follow(self, error: StorageFailed) -> None:
        """What the agent asks cannot be kept, so it must not go on: its turn ends with this error."""
        self._failure = error
        self._parts.logs.write(self.task_id, LogSource.AGENT, str(error), level="error", data=error.detail)
        run, self._run = self._run, None
        self._pending.clear()
        if run is not None:
            await run.close()
        self._set_anyway(pid=0, asks=())

    def _take_frame(self, frame: dict[str, Any], at: float, asks: list[tuple[int | str, Ask]]) -> None:
        try:
            self._understand(frame, at, asks)
        except (TypeError, AttributeError, KeyError, ValueError, ArithmeticError, RecursionError) as error:
            # What an agent sends may have any shape: one odd frame costs itself, never the session.
            self._parts.logs.write(
                self.task_id, LogSource.AGENT, f"a message was not understood: {error}", level="warning"
            )
            if "method" in frame and isinstance(frame.get("id"), int | str) and self._run is not None:
                self._run.respond_error(frame["id"], _INVALID_PARAMS, "Invalid params")

    def _understand(self, frame: dict[str, Any], at: float, asks: list[tuple[int | str, Ask]]) -> None:
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
        if not self._closing:
            with contextlib.suppress(StorageFailed):
                self.stream.note("process_exited", code=exited.code, reason=exited.reason)
        if run is not None:
            # Whatever the process left behind belongs to the run and ends with it.
            await run.close()
        phase = self.session.phase
        if not phase.busy and phase not in (SessionPhase.STARTING, SessionPhase.FAILED):
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
            # An id that is used twice names the later request: only that one can be answered.
            others = tuple(a for a in session.asks if a.id != ask.id)
            state = edits.put_session(state, replace(session, asks=(*others, ask), phase=SessionPhase.WAITING))
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

        try:
            await self._parts.store.update(change, *self._topics)
        except StorageFailed:
            # The agent has its answer; pending asks are in memory only.
            self._parts.store.adopt(change(self._parts.store.state), *self._topics)

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
            self._set_anyway(asks=())

    # -- state -------------------------------------------------------------------------------------------------

    @property
    def _topics(self) -> tuple[Topic, ...]:
        return (Topic("session", self.task_id), *edits.task_topics(self.task_id))

    async def _set(self, **fields: Any) -> None:
        await self._parts.store.update(lambda state: edits.edit_session(state, self._id, **fields), *self._topics)

    def _set_anyway(self, **fields: Any) -> None:
        """In memory only, for what is not kept or cannot be: the row is written whole with the session's next change."""
        store = self._parts.store
        store.adopt(edits.edit_session(store.state, self._id, **fields), *self._topics)

    async def _publish_facts(self) -> None:
        facts = self._facts
        await self._set(options=facts.options, commands=facts.commands, usage=facts.usage, agent_name=facts.agent_name)


def _facts_of(opened: Opened, agent: str) -> SessionFacts:
    """Raises AgentFailed when what the agent answered cannot be made sense of."""
    try:
        return session_facts(opened.initialize, opened.session)
    except (TypeError, AttributeError, KeyError, ValueError, ArithmeticError) as error:
        raise AgentFailed(
            f"{agent} answered with something else than the protocol asks for.",
            "Check that the command starts an agent that speaks the Agent Client Protocol.",
            str(error),
        ) from error


def _takes_images(initialized: Mapping[str, Any]) -> bool:
    capabilities = initialized.get("agentCapabilities")
    prompt = capabilities.get("promptCapabilities") if isinstance(capabilities, Mapping) else None
    return bool(prompt.get("image")) if isinstance(prompt, Mapping) else False
