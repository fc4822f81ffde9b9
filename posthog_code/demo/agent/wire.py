"""JSON-RPC 2.0, one message a line, in both directions."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

JsonObject = dict[str, Any]

PARSE_ERROR = -32700
INVALID_PARAMS = -32602
METHOD_NOT_FOUND = -32601
INTERNAL_ERROR = -32603
RESOURCE_NOT_FOUND = -32002


class RpcError(Exception):
    """An answer that is an error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class Cancelled(Exception):
    """The client cancelled the turn."""


class Wire:
    """Writes whole lines from any thread and waits for the answers to the agent's own requests."""

    def __init__(self, out: BinaryIO, gone: Callable[[], None]) -> None:
        """`gone` is called when nobody reads any more; it ends the process."""
        self._out = out
        self._gone = gone
        self._lock = threading.Lock()
        self._next_id = 0
        self._waiting: dict[int, tuple[threading.Event, list[JsonObject]]] = {}

    def send(self, message: Mapping[str, Any]) -> None:
        self.send_raw(json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False, separators=(",", ":")).encode())

    def send_raw(self, line: bytes) -> None:
        """One line as it is, whatever it is."""
        with self._lock:
            try:
                self._out.write(line + b"\n")
                self._out.flush()
            except (BrokenPipeError, ValueError):
                self._gone()

    def shut(self) -> None:
        """Nothing is written any more: a thread that tries waits for ever. (A thread that holds the buffer's own lock
        while the interpreter ends would abort the process.)"""
        self._lock.acquire()

    def notify(self, method: str, params: Mapping[str, Any]) -> None:
        self.send({"method": method, "params": params})

    def request(self, method: str, params: Mapping[str, Any], cancelled: threading.Event) -> JsonObject:
        """Ask the client; raises RpcError for its refusal and Cancelled when the turn is cancelled meanwhile."""
        ready = threading.Event()
        answers: list[JsonObject] = []
        with self._lock:
            request_id = self._next_id
            self._next_id += 1
            self._waiting[request_id] = (ready, answers)
        try:
            self.send({"id": request_id, "method": method, "params": params})
            while not ready.wait(0.02):
                if cancelled.is_set():
                    raise Cancelled
        finally:
            self._waiting.pop(request_id, None)
        if "error" in answers[0]:
            error = answers[0]["error"]
            raise RpcError(int(error.get("code", INTERNAL_ERROR)), str(error.get("message", "")))
        result = answers[0].get("result")
        return result if isinstance(result, dict) else {}

    def answered(self, message: JsonObject) -> None:
        """A response came in; one that nobody waits for is dropped."""
        waiter = self._waiting.get(message["id"]) if isinstance(message.get("id"), int) else None
        if waiter:
            waiter[1].append(message)
            waiter[0].set()
