"""JSON-RPC 2.0 over lines: journal first, then the inbox, then whoever waits for an answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from posthog_code.domain.errors import UserError
from posthog_code.ports.agent import Frame, Incoming, OnIncoming
from posthog_code.ports.clock import Clock
from posthog_code.ports.storage import Journal

METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
RESOURCE_NOT_FOUND = -32002
AUTH_REQUIRED = -32000
REQUEST_CANCELLED = -32800

GARBAGE_LIMIT = 2_000

RequestId = int | str


class RpcError(Exception):
    """The other side answered with an error."""

    def __init__(self, method: str, code: int, message: str, data: Any = None) -> None:
        super().__init__(f"{method}: {message} ({code})")
        self.method = method
        self.code = code
        self.message = message
        self.data = data


@dataclass(slots=True)
class _Pending:
    method: str
    future: asyncio.Future[Any]


class Connection:
    """Frames in both directions. Everything is synchronous: a frame is journalled, told, and then acted upon.

    `on_request(id, method, params)` and `on_notification(method, params)` act on what the agent says after it was
    told; `on_answer(method)` is called when one of our requests was answered, after the answer was told and before
    the waiting coroutine runs. `hidden(frame)` true: a frame is neither journalled nor told (a replay of what is in
    the journal). `on_broken` gets the error of a journal that cannot be written: nothing may go on without it.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        clock: Clock,
        on_incoming: OnIncoming,
        write: Callable[[bytes], None],
        on_request: Callable[[RequestId, str, dict[str, Any]], None],
        on_notification: Callable[[str, dict[str, Any]], None],
        on_answer: Callable[[str], None],
        hidden: Callable[[Frame], bool],
        on_broken: Callable[[UserError], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._journal = journal
        self._clock = clock
        self._tell = on_incoming
        self._write = write
        self._on_request = on_request
        self._on_notification = on_notification
        self._on_answer = on_answer
        self._hidden = hidden
        self._on_broken = on_broken
        self._pending: dict[RequestId, _Pending] = {}
        self._next_id = 0
        self._failure: Exception | None = None

    # ---- in

    def feed(self, line: bytes) -> None:
        """One line of the agent's output. Whatever is in it, this does not raise."""
        frame = _parse(line)
        if not isinstance(frame, dict):
            self._tell(Incoming(garbage=line[: GARBAGE_LIMIT * 4].decode("utf-8", "replace")[:GARBAGE_LIMIT]))
            return
        if self._hidden(frame):
            return
        try:
            if _is_clean(line):
                self._journal.append_raw(line, "in", self._clock.now())
            else:
                self._journal.append(frame, "in", self._clock.now())
        except (UserError, OSError) as error:
            self._on_broken(_journal_error(error))
            return
        self._tell(Incoming(frame=frame))
        self._act(frame)

    def _act(self, frame: Frame) -> None:
        method, request_id = frame.get("method"), frame.get("id")
        if isinstance(method, str):
            params = frame.get("params")
            if not isinstance(params, dict):
                params = {}
            if isinstance(request_id, int | str):
                self._on_request(request_id, method, params)
            else:
                self._on_notification(method, params)
            return
        pending = self._pending.pop(request_id, None) if isinstance(request_id, int | str) else None
        if pending is None:
            return
        self._on_answer(pending.method)
        if pending.future.done():
            return
        if "error" in frame and frame["error"] is not None:
            pending.future.set_exception(_rpc_error(pending.method, frame["error"]))
            # Nobody may be waiting any more; that is no fault of ours to report.
            pending.future.exception()
        else:
            pending.future.set_result(frame.get("result"))

    # ---- out

    def request(
        self, method: str, params: Mapping[str, Any], shown: Mapping[str, Any] | None = None
    ) -> asyncio.Future[Any]:
        """Send a request; the future gets its result, RpcError, or the reason why no answer can come.

        `shown` are the parameters for the journal, where these have a secret in them.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        request_id = self._next_id
        self._next_id += 1
        if self._failure is not None:
            future.set_exception(self._failure)
            return future
        self._pending[request_id] = _Pending(method, future)
        frame: Frame = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": dict(params)}
        self._send(frame, None if shown is None else {**frame, "params": dict(shown)})
        return future

    def forget(self, future: asyncio.Future[Any]) -> None:
        """Nobody waits for this answer any more."""
        for request_id, pending in tuple(self._pending.items()):
            if pending.future is future:
                del self._pending[request_id]
        future.cancel()

    def notify(self, method: str, params: Mapping[str, Any]) -> None:
        self._send({"jsonrpc": "2.0", "method": method, "params": dict(params)})

    def respond(self, request_id: RequestId, result: Mapping[str, Any] | None) -> None:
        self._send({"jsonrpc": "2.0", "id": request_id, "result": dict(result) if result is not None else None})

    def respond_error(self, request_id: RequestId, code: int, message: str) -> None:
        self._send({"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}})

    def _send(self, frame: Frame, shown: Frame | None = None) -> None:
        if self._failure is not None:
            return
        line = _line(frame)
        try:
            self._journal.append_raw(line if shown is None else _line(shown), "out", self._clock.now())
        except (UserError, OSError) as error:
            self._on_broken(_journal_error(error))
            return
        self._tell(Incoming(sent=frame if shown is None else shown))
        self._write(line + b"\n")

    # ---- end

    @property
    def waits_for(self) -> tuple[str, ...]:
        """Methods of the requests that are not answered yet."""
        return tuple(p.method for p in self._pending.values())

    def fail(self, error: Exception) -> None:
        """No answer can come any more: every request, also later ones, gets `error`."""
        if self._failure is None:
            self._failure = error
        pending, self._pending = self._pending, {}
        for entry in pending.values():
            if not entry.future.done():
                entry.future.set_exception(error)
                entry.future.exception()


def _line(frame: Frame) -> bytes:
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _parse(line: bytes) -> Any:
    try:
        frame = json.loads(line)
    except (ValueError, RecursionError):
        try:
            frame = json.loads(line.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return None
    if b"\\ud" in line or b"\\uD" in line:
        # A lone half of a pair is legal JSON and no legal text: it would break every file and window it reaches.
        try:
            text = json.dumps(frame, ensure_ascii=False)
            frame = json.loads(text.encode("utf-8", "replace"))
        except RecursionError:
            return None
    return frame


def _is_clean(line: bytes) -> bool:
    """Whether the line as it came is what was parsed."""
    if b"\\ud" in line or b"\\uD" in line:
        return False
    try:
        line.decode("utf-8")
    except ValueError:
        return False
    return True


def _rpc_error(method: str, error: Any) -> RpcError:
    if not isinstance(error, dict):
        return RpcError(method, INTERNAL_ERROR, str(error))
    code = error.get("code")
    return RpcError(
        method,
        code if isinstance(code, int) else INTERNAL_ERROR,
        str(error.get("message") or "no reason given"),
        error.get("data"),
    )


def _journal_error(error: UserError | OSError) -> UserError:
    if isinstance(error, UserError):
        return error
    return UserError(
        "The conversation could not be written to its journal.",
        "The agent was stopped so that nothing is lost. Free some disk space, then continue.",
        str(error),
    )
