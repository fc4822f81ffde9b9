"""A live agent: one process, one session, its turns and its end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any

from posthog_code.domain.errors import AgentFailed, UserError
from posthog_code.ports.agent import Exited, Frame, Incoming, OnIncoming, Opened, RunSpec
from posthog_code.ports.clock import Clock
from posthog_code.ports.storage import Journal

from . import handshake, models
from .lines import LineSplitter
from .process import Child
from .requests import Requests
from .rpc import AUTH_REQUIRED, Connection, RequestId, RpcError
from .survivors import end_family
from .timeouts import Timeouts
from .words import exit_words

_STDERR_LINE = 4_000


class AcpRun:
    """ports.agent.Run over stdio. Starts the process when it is made; raises OSError when that fails."""

    def __init__(
        self,
        spec: RunSpec,
        command: Sequence[str],
        env: Mapping[str, str],
        journal: Journal,
        clock: Clock,
        on_incoming: OnIncoming,
        timeouts: Timeouts,
        *,
        file_worker: Executor,
        ender: Executor,
        on_gone: Callable[[], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._spec = spec
        self._agent = spec.agent
        self._command = command
        self._tell = on_incoming
        self._timeouts = timeouts
        self._ender = ender
        self._on_gone = on_gone
        self._connection = Connection(
            journal=journal,
            clock=clock,
            on_incoming=self._told,
            write=self._write,
            on_request=self._requested,
            on_notification=self._notified,
            on_answer=self._answered,
            hidden=self._is_replay,
            on_broken=self._broken,
        )
        self._requests = Requests(spec, env, self._connection, file_worker, ender)
        self._out = LineSplitter()
        self._err = LineSplitter(limit=64 * 1024)
        self._last_words: deque[str] = deque(maxlen=40)
        self._initialize: Frame = {}
        self._session_id = ""
        self._opened = False
        self._replaying = False
        self._turn = False
        self._cancelling: asyncio.TimerHandle | None = None
        self._stop_error: UserError | None = None
        self._ended = self._loop.create_future()
        self._leftovers: asyncio.Future[int] | None = None
        self._close_lock = asyncio.Lock()
        self._closed = False
        self._child = Child(
            command,
            spec.cwd,
            env,
            on_stdout=self._stdout,
            on_stderr=self._stderr,
            on_exit=self._exited,
            on_end_of_output=self._end_of_output,
        )
        self.pid = self._child.pid
        self.pid_started = self._child.started

    # ---- opening

    async def open(self, *, resume: str = "", mcp_servers: Sequence[Mapping[str, Any]] = ()) -> Opened:
        """See the port. A run that cannot be opened is closed. Raises NotSignedIn, AgentFailed."""
        try:
            opened = await self._open(resume, mcp_servers)
        except RpcError as error:
            await self.close()
            raise handshake.user_error(self._agent, error, self._initialize, self._evidence()) from error
        except UserError:
            await self.close()
            raise
        except asyncio.CancelledError:
            self._end_soon(patience=0.5)
            raise
        self._opened = True
        return opened

    async def _open(self, resume: str, mcp_servers: Sequence[Mapping[str, Any]]) -> Opened:
        self._initialize = await self._ask_for(
            "initialize", handshake.initialize_params(self._agent), self._timeouts.initialize, "InitializeResponse"
        )
        handshake.check_version(self._agent, self._initialize)
        servers, unusable = handshake.usable_servers(self._initialize, mcp_servers)
        if unusable:
            self._tell(Incoming(stderr=f"MCP servers that {self._agent.name} cannot reach: {', '.join(unusable)}"))
        servers += handshake.given_servers(self._initialize, self._spec.mcp_servers)
        if resume:
            for method in handshake.resume_methods(self._initialize):
                session = await self._bring_back(method, resume, servers)
                if session is not None:
                    self._session_id = resume
                    return Opened(resume, self._initialize, session, resumed=True)
        session = await self._ask_for(
            "session/new",
            handshake.session_params(self._spec.cwd, servers),
            self._timeouts.session,
            "NewSessionResponse",
            needs="sessionId",
        )
        self._session_id = str(session["sessionId"])
        return Opened(self._session_id, self._initialize, session, resumed=False)

    async def _bring_back(self, method: str, session_id: str, servers: Sequence[Mapping[str, Any]]) -> Frame | None:
        """session/resume or load; None when the agent does not know that session any more.

        Until the first prompt, all conversation is replay: some agents go on with it after their answer.
        """
        self._replaying = True
        try:
            params = handshake.session_params(self._spec.cwd, servers, session_id)
            result = await self._call(method, params, self._timeouts.session)
        except RpcError as error:
            if error.code == AUTH_REQUIRED:
                raise
            self._tell(Incoming(stderr=f"{method} was refused: {error.message}"))
            self._replaying = False
            return None
        return result if isinstance(result, dict) else {}

    async def _ask_for(self, method: str, params: Frame, timeout: float, model: str, needs: str = "") -> Frame:
        """Call and insist on an object (with the field `needs`)."""
        result = await self._call(method, params, timeout)
        if isinstance(result, dict) and (not needs or isinstance(result.get(needs), str)):
            return result
        wrong = await self._loop.run_in_executor(None, models.explain, model, result)
        raise AgentFailed(
            f"{self._agent.name} answered {method} with something else than the protocol asks for.",
            "Check that the command starts an agent that speaks the Agent Client Protocol.",
            "\n".join(part for part in (wrong, self._evidence()) if part),
        )

    # ---- what the app asks

    async def prompt(self, blocks: Sequence[Mapping[str, Any]]) -> Frame:
        if self._turn:
            raise AgentFailed(f"{self._agent.name} is still working on the last prompt.", "Wait for it, or stop it.")
        self._turn = True
        self._replaying = False
        params = {"sessionId": self._session_id, "prompt": [dict(b) for b in blocks]}
        try:
            result = await self._connection.request("session/prompt", params)
        except RpcError as error:
            raise handshake.user_error(self._agent, error, self._initialize) from error
        except UserError:
            self._turn = False
            raise
        return result if isinstance(result, dict) else {}

    async def cancel(self) -> None:
        if not self._turn or self._ended.done():
            return
        self._connection.notify("session/cancel", {"sessionId": self._session_id})
        self._requests.refusing = True
        self._requests.cancel_open()
        self._requests.end_terminals()
        if self._cancelling is None:
            self._cancelling = self._loop.call_later(self._timeouts.cancel, self._escalate)

    def respond(self, request_id: RequestId, result: Mapping[str, Any]) -> None:
        """Answers once; a request that is over already (its turn ended) is left alone."""
        self._requests.respond(request_id, result)

    def respond_error(self, request_id: RequestId, code: int, message: str) -> None:
        self._requests.respond_error(request_id, code, message)

    async def set_mode(self, mode_id: str) -> Frame:
        return await self._set("session/set_mode", {"modeId": mode_id})

    async def set_option(self, option_id: str, value: str | bool) -> Frame:
        params: Frame = {"configId": option_id, "value": value}
        if isinstance(value, bool):
            params["type"] = "boolean"
        return await self._set("session/set_config_option", params)

    async def set_model(self, model_id: str) -> Frame:
        return await self._set("session/set_model", {"modelId": model_id})

    async def _set(self, method: str, params: Frame) -> Frame:
        try:
            result = await self._call(method, {"sessionId": self._session_id, **params}, self._timeouts.setting)
        except RpcError as error:
            raise handshake.user_error(self._agent, error, self._initialize) from error
        return result if isinstance(result, dict) else {}

    async def _call(self, method: str, params: Frame, timeout: float) -> Any:
        """Raises RpcError for an error answer, AgentFailed for none."""
        future = self._connection.request(method, params, handshake.for_journal(params))
        try:
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError as error:
            raise AgentFailed(
                f"{self._agent.name} did not answer {method} within {timeout:g} seconds.",
                "Run its command in a terminal to see what it waits for: " + " ".join(self._command),
                self._evidence(),
            ) from error
        finally:
            if not future.done() or future.cancelled():
                self._connection.forget(future)

    # ---- what the agent says

    def _told(self, incoming: Incoming) -> None:
        if incoming.frame is not None:
            self._requests.heard(incoming.frame)
        self._tell(incoming)

    def _write(self, data: bytes) -> None:
        self._child.write(data)

    def _stdout(self, data: bytes) -> None:
        for line in self._out.feed(data):
            self._connection.feed(line)
        self._tell_dropped()

    def _tell_dropped(self) -> None:
        while self._out.dropped:
            begin = self._out.dropped.pop(0).decode("utf-8", "replace")
            megabytes = self._out.limit // 2**20
            self._tell(Incoming(garbage=f"[a line of more than {megabytes} MB was left out] {begin}"[:2_000]))

    def _stderr(self, data: bytes) -> None:
        self._tell_errors(self._err.feed(data))

    def _tell_errors(self, lines: list[bytes]) -> None:
        lines.extend(self._err.dropped)
        self._err.dropped.clear()
        for line in lines:
            text = line[: _STDERR_LINE * 4].decode("utf-8", "replace")[:_STDERR_LINE]
            self._last_words.append(text)
            self._tell(Incoming(stderr=text))

    def _is_replay(self, frame: Frame) -> bool:
        if not self._replaying or frame.get("method") != "session/update":
            return False
        params = frame.get("params")
        update = params.get("update") if isinstance(params, dict) else None
        return isinstance(update, dict) and update.get("sessionUpdate") in handshake.CONVERSATION

    def _requested(self, request_id: RequestId, method: str, params: dict[str, Any]) -> None:
        self._requests.handle(request_id, method, params)

    def _notified(self, method: str, params: dict[str, Any]) -> None:
        if method == "$/cancel_request":
            self._requests.withdrawn(params.get("requestId", params.get("id")))

    def _answered(self, method: str) -> None:
        if method == "session/prompt":
            self._end_turn()
            self._requests.cancel_open()

    def _end_turn(self) -> None:
        self._turn = False
        self._requests.refusing = False
        if self._cancelling is not None:
            self._cancelling.cancel()
            self._cancelling = None

    # ---- the end

    def _evidence(self) -> str:
        return "\n".join(self._last_words)

    def _escalate(self) -> None:
        self._stop(
            AgentFailed(
                f"{self._agent.name} did not stop within {self._timeouts.cancel:g} seconds, so it was ended.",
                "Send another prompt to start it again; the conversation is kept.",
            )
        )

    def _broken(self, error: UserError) -> None:
        self._stop(error)

    def _end_of_output(self) -> None:
        self._loop.call_later(self._timeouts.output_end, self._end_silent)

    def _end_silent(self) -> None:
        if not self._ended.done():
            self._stop(
                AgentFailed(
                    f"{self._agent.name} closed its output, so nothing more can be heard from it.",
                    "Send another prompt to start it again.",
                    self._evidence(),
                )
            )

    def _stop(self, error: UserError) -> None:
        """End the process for a reason that whoever waits will be told."""
        if self._stop_error is None and not self._ended.done():
            self._stop_error = error
            self._connection.fail(error)
            self._end_soon(patience=self._timeouts.terminate)

    def _end_soon(self, patience: float) -> None:
        if self._leftovers is None or self._leftovers.done():
            work = partial(end_family, self.pid, self.pid_started, {self._spec.run_id} - {""}, patience=patience)
            self._leftovers = self._loop.run_in_executor(self._ender, work)

    def _exited(self, code: int) -> None:
        for line in self._out.finish():
            self._connection.feed(line)
        self._tell_errors(self._err.finish())
        error = self._stop_error
        if error is None:
            error = exit_words(self._agent, code, opened=self._opened, detail=self._evidence())
        self._connection.fail(error)
        self._end_turn()
        self._requests.forget()
        self._end_soon(patience=0.5)
        self._ended.set_result(None)
        self._tell(Incoming(exited=Exited(code, error.title)))

    async def close(self) -> None:
        async with self._close_lock:
            if self._closed:
                return
            try:
                await self._ladder()
            except asyncio.CancelledError:
                self._end_soon(patience=0.0)
                raise
            self._closed = True
            self._on_gone()

    async def _ladder(self) -> None:
        if not self._ended.done():
            await self._ask_to_end()
        if not self._ended.done():
            self._end_soon(patience=self._timeouts.terminate)
        if self._leftovers is not None:
            await asyncio.shield(self._leftovers)
        # Once more: what was ended while it was being looked for may have left something behind.
        self._end_soon(patience=0.0)
        if self._leftovers is not None:
            await asyncio.shield(self._leftovers)
        await self._wait_ended(5.0)

    async def _ask_to_end(self) -> None:
        stopped = AgentFailed(f"{self._agent.name} was stopped.", "Send another prompt to start it again.")
        if self._turn:
            self._connection.notify("session/cancel", {"sessionId": self._session_id})
            self._requests.refusing = True
            self._requests.cancel_open()
        if self._session_id and handshake.offers(self._initialize, "close"):
            try:
                await self._call("session/close", {"sessionId": self._session_id}, self._timeouts.session_close)
            except (RpcError, UserError):
                pass  # It is being ended anyway; the ladder has more steps.
        if self._stop_error is None:
            self._stop_error = stopped
        self._child.close_stdin()
        await self._wait_ended(self._timeouts.stdin)

    async def _wait_ended(self, seconds: float) -> None:
        await asyncio.wait([self._ended], timeout=seconds)
