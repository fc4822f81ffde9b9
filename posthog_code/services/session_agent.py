"""The agent of one session: its process, what it offers, and what it says."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from posthog_code.domain.asks import ASK_METHODS, ask_from_request
from posthog_code.domain.errors import AgentFailed, StorageFailed
from posthog_code.domain.logs import LogSource
from posthog_code.domain.session import Ask, ConfigOption, SessionPhase
from posthog_code.domain.session_options import (
    SessionFacts,
    after_result,
    after_update,
    session_facts,
    wire_value,
    with_value,
)
from posthog_code.domain.task import Task
from posthog_code.ports.agent import Exited, Incoming, Opened, Run, RunSpec
from posthog_code.services.environment import task_environment
from posthog_code.services.scope import Scope, carried_through
from posthog_code.services.session_asks import SessionAsks
from posthog_code.services.session_parts import SessionParts
from posthog_code.services.session_record import SessionRecord
from posthog_code.services.stream import Stream

_NOISE_LIMIT = 32 * 1024 * 1024
"""Characters of stderr and garbage that are logged of one run, each line counted with what it costs besides."""
_NOISE_LINE = 300
REST_AFTER = 30 * 60.0
"""Seconds without a turn after which an agent that can resume its session gives its process back."""
_INVALID_PARAMS = -32602
"""JSON-RPC 2.0."""


class SessionAgent:
    """Starts the agent when it is needed; one consumer takes what it says, in order."""

    def __init__(self, parts: SessionParts, record: SessionRecord, stream: Stream, scope: Scope) -> None:
        self._parts = parts
        self._record = record
        self._stream = stream
        self._scope = scope
        self.run: Run | None = None
        """None while there is no process, or it is still being opened."""
        self.ran = asyncio.Event()
        """Set once an agent was there."""
        self.facts = SessionFacts()
        self.failure: StorageFailed | None = None
        """Why the running turn's agent had to be ended."""
        self.closing = False
        self.asks = SessionAsks(record, stream, parts.policy, lambda: self.run)
        self._initialized: Mapping[str, Any] = {}
        """What the running agent said of itself."""
        self._inbox: deque[tuple[Incoming, float]] = deque()
        self._arrived = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._consumer: asyncio.Task[None] | None = None
        self._noise_left = _NOISE_LIMIT
        self._resting: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()
        """Held while a process is started, or ended for its rest."""

    @property
    def takes_images(self) -> bool:
        return bool(self._capability("promptCapabilities").get("image"))

    def _capability(self, name: str) -> Mapping[str, Any]:
        capabilities = self._initialized.get("agentCapabilities")
        found = capabilities.get(name) if isinstance(capabilities, Mapping) else None
        return found if isinstance(found, Mapping) else {"": found}

    @property
    def _resumes(self) -> bool:
        """Whether it knows the conversation after a restart."""
        return bool(self._capability("loadSession").get("")) or "resume" in self._capability("sessionCapabilities")

    async def drained(self) -> None:
        """Until all that it has said is taken in."""
        await self._drained.wait()

    async def close(self) -> None:
        """End the process; returns when nothing of it is left."""
        self.closing = True
        run, self.run = self.run, None
        if run is not None:
            try:
                await run.close()
            finally:
                self._parts.mcp.release(self._record.task_id)

    async def set_option(self, option_id: str, value: str) -> None:
        """Set mode, model or another option: now when the agent runs, else when it starts."""
        option = next((o for o in self._record.session.options if o.id == option_id), None)
        if self.run is not None and option is not None:
            await self._send_option(option, value)
        else:
            await self._record.set(options=with_value(self._record.session.options, option_id, value))
        category = option.category if option else option_id
        if category in ("mode", "model"):
            await self._record.set_task(**{category: value})

    async def ensure(self) -> Run:
        """The open run; starts the process when there is none. Raises UserError in words for the person."""
        if self._resting is not None:
            self._resting.cancel()
        async with self._changing:
            return self.run or await self._start()

    def rest_later(self) -> None:
        """The turn is over: without another one the process is ended after a while."""
        if self._resting is not None:
            self._resting.cancel()
        if self._resumes and not self.closing:
            self._resting = self._scope.spawn(self._rest(), "rest")

    async def _rest(self) -> None:
        await asyncio.sleep(REST_AFTER)
        await carried_through(self._give_back())

    async def _give_back(self) -> None:
        async with self._changing:
            run = self.run
            if run is None or self._record.session.phase is not SessionPhase.READY:
                return
            self._parts.logs.write(self._record.task_id, LogSource.AGENT, "ended after a long rest")
            self.run = None
            await run.close()
            self._parts.mcp.release(self._record.task_id)
            await self.drained()

    async def _start(self) -> Run:
        task = self._record.task
        await self._record.set(phase=SessionPhase.STARTING, error="", error_hint="")
        spec, command = self._parts.agents.command(task.agent_id, task.agent_command)
        repository = self._parts.store.state.repositories.get(task.repository_id)
        env = task_environment(task, repository) | dict(spec.env)
        self._parts.logs.write(self._record.task_id, LogSource.AGENT, f"start  {' '.join(command)}  cwd={task.path}")
        if self._consumer is None or self._consumer.done():
            self._consumer = self._scope.spawn(self._consume(), "inbox")
        self._noise_left = _NOISE_LIMIT
        self._stream.works_in(task.path)
        servers = await self._parts.mcp.servers_for(task)
        run_spec = RunSpec(spec, command, Path(task.path), env, run_id=self._record.id, mcp_servers=servers)
        try:
            run = await self._parts.host.start(run_spec, self._stream.journal, self._incoming)
        except BaseException:
            self._parts.mcp.release(self._record.task_id)
            raise
        try:
            await self._record.set(pid=run.pid, pid_started=run.pid_started)
            opened = await run.open(resume=self._record.session.agent_session_id)
            facts = _facts_of(opened, spec.name)
            self.run = run
            self._initialized = opened.initialize
            self.facts = replace(facts, commands=self.facts.commands, usage=self.facts.usage)
            await self._record.set(agent_session_id=opened.agent_session_id, phase=SessionPhase.READY)
            await self._publish_facts()
            await self._apply_wishes(task)
        except BaseException:
            self.run = None
            self._parts.mcp.release(self._record.task_id)
            await run.close()
            with contextlib.suppress(StorageFailed):
                await self._record.set(pid=0)
            raise
        self.ran.set()
        if self._record.session.turns and not opened.resumed and not self._record.session.context:
            self._stream.note(
                "notice",
                level="warning",
                title="The agent does not remember the earlier turns.",
                text="It started a new session in the same worktree. Say what it needs to know.",
            )
        return run

    async def _apply_wishes(self, task: Task) -> None:
        """The mode and model that the task was made with."""
        for category, wish in (("mode", task.mode), ("model", task.model)):
            option = self._record.session.option(category)
            if not wish or option is None or option.current == wish:
                continue
            if any(choice.id == wish for choice in option.choices):
                await self._send_option(option, wish)

    async def _send_option(self, option: ConfigOption, value: str) -> None:
        assert self.run is not None
        if option.wire == "mode":
            result = await self.run.set_mode(value)
        elif option.wire == "model":
            result = await self.run.set_model(value)
        else:
            result = await self.run.set_option(option.id, wire_value(option, value))
        options = with_value(self.facts.options, option.id, value)
        self.facts = after_result(replace(self.facts, options=options), result)
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
        facts, exited = self.facts, None
        asks: list[tuple[int | str, Ask]] = []
        noise: list[tuple[LogSource, str]] = []
        while self._inbox:
            incoming, at = self._inbox.popleft()
            if incoming.frame is not None:
                self._take_frame(incoming.frame, at, asks)
            elif incoming.sent is not None:
                self._stream.fold(incoming.sent, "out", at)
            elif incoming.stderr:
                self._noise(LogSource.STDERR, incoming.stderr, noise)
            elif incoming.garbage:
                self._noise(LogSource.AGENT, f"not JSON: {incoming.garbage}", noise)
            elif incoming.exited is not None:
                exited = incoming.exited
        self._log_noise(noise)
        if self.facts is not facts:
            await self._publish_facts()
        for wire_id, ask in asks:
            await self.asks.asked(wire_id, ask)
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
            self._parts.logs.write(self._record.task_id, source, "\n".join(line for _, line in lines), level=level)

    async def _cannot_follow(self, error: StorageFailed) -> None:
        """What the agent asks cannot be kept, so it must not go on: its turn ends with this error."""
        self.failure = error
        self._parts.logs.write(self._record.task_id, LogSource.AGENT, str(error), level="error", data=error.detail)
        run, self.run = self.run, None
        self.asks.forget()
        self._parts.mcp.release(self._record.task_id)
        if run is not None:
            await run.close()
        self._record.set_anyway(pid=0, asks=())

    def _take_frame(self, frame: dict[str, Any], at: float, asks: list[tuple[int | str, Ask]]) -> None:
        try:
            self._understand(frame, at, asks)
        except (TypeError, AttributeError, KeyError, ValueError, ArithmeticError, RecursionError) as error:
            # What an agent sends may have any shape: one odd frame costs itself, never the session.
            self._parts.logs.write(
                self._record.task_id, LogSource.AGENT, f"a message was not understood: {error}", level="warning"
            )
            if "method" in frame and isinstance(frame.get("id"), int | str) and self.run is not None:
                self.run.respond_error(frame["id"], _INVALID_PARAMS, "Invalid params")

    def _understand(self, frame: dict[str, Any], at: float, asks: list[tuple[int | str, Ask]]) -> None:
        self._stream.fold(frame, "in", at)
        method = frame.get("method")
        if method == "session/update":
            params = frame.get("params")
            update = params.get("update") if isinstance(params, dict) else None
            if isinstance(update, dict):
                self.facts = after_update(self.facts, update)
        elif method in ASK_METHODS and "id" in frame:
            asks.append((frame["id"], ask_from_request(frame, self._stream.transcript, at, self._record.task.path)))

    async def _gone(self, exited: Exited) -> None:
        run, self.run = self.run, None
        self.asks.forget()
        # Before anything is waited for: the next start has a door of its own.
        self._parts.mcp.release(self._record.task_id)
        if not self.closing:
            with contextlib.suppress(StorageFailed):
                self._stream.note("process_exited", code=exited.code, reason=exited.reason)
        if run is not None:
            # Whatever the process left behind belongs to the run and ends with it.
            await run.close()
        phase = self._record.session.phase
        # What was told of the turn stays: an agent may answer its end before its process is gone.
        told = (SessionPhase.STARTING, SessionPhase.INTERRUPTED, SessionPhase.FAILED)
        if not phase.busy and phase not in told:
            await self._record.set(phase=SessionPhase.IDLE, pid=0, asks=())
        else:
            await self._record.set(pid=0, asks=())

    async def _publish_facts(self) -> None:
        facts = self.facts
        await self._record.set(
            options=facts.options, commands=facts.commands, usage=facts.usage, agent_name=facts.agent_name
        )


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
