"""What an agent asks of us: a person's answer, files, terminals."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Executor
from functools import partial
from typing import Any

from posthog_code.ports.agent import Frame, RunSpec

from .files import FileRefused, read_text, write_text
from .rpc import INTERNAL_ERROR, METHOD_NOT_FOUND, REQUEST_CANCELLED, Connection, RequestId
from .terminals import Terminals

_CANCELLED: Mapping[str, Frame] = {
    "session/request_permission": {"outcome": {"outcome": "cancelled"}},
    "elicitation/create": {"action": "cancel"},
}
"""The requests that a person answers, and the answer when nobody will."""
_FILES = {"fs/read_text_file": read_text, "fs/write_text_file": write_text}


class Requests:
    """Answers what can be answered here, and remembers what a person has to answer."""

    def __init__(
        self, spec: RunSpec, env: Mapping[str, str], connection: Connection, file_worker: Executor, ender: Executor
    ) -> None:
        self._spec = spec
        self._connection = connection
        self._file_worker = file_worker
        self._terminals = Terminals(spec.cwd, spec.writable, env, connection.respond, ender)
        self._open: dict[RequestId, str] = {}
        self.refusing = False
        """The turn is being cancelled: questions that still come are answered "cancelled" at once."""

    def heard(self, frame: Frame) -> None:
        """Before the frame is told: whoever hears of a question may answer it at once."""
        method = frame.get("method")
        if isinstance(method, str) and method in _CANCELLED and isinstance(frame.get("id"), int | str):
            self._open[frame["id"]] = method

    def handle(self, request_id: RequestId, method: str, params: dict[str, Any]) -> None:
        if method in _CANCELLED:
            if self.refusing:
                self.cancel_open()
            return
        agent = self._spec.agent
        try:
            if method in _FILES and agent.offers_fs:
                self._work_on_file(request_id, method, params)
                return
            if agent.offers_terminal and self._terminals.handle(request_id, method, params):
                return
        except FileRefused as error:
            self._connection.respond_error(request_id, error.code, error.message)
            return
        self._connection.respond_error(request_id, METHOD_NOT_FOUND, f"Method not found: {method}")

    def respond(self, request_id: RequestId, result: Mapping[str, Any]) -> None:
        """Answers once; a request that is over already (its turn ended) is left alone."""
        if self._open.pop(request_id, None) is not None:
            self._connection.respond(request_id, result)

    def respond_error(self, request_id: RequestId, code: int, message: str) -> None:
        if self._open.pop(request_id, None) is not None:
            self._connection.respond_error(request_id, code, message)

    def withdrawn(self, request_id: Any) -> None:
        """The agent does not want an answer any more ($/cancel_request)."""
        if isinstance(request_id, int | str):
            self.respond_error(request_id, REQUEST_CANCELLED, "Request cancelled")

    def cancel_open(self) -> None:
        """The turn is over, or about to be: what it still asks is answered with "cancelled"."""
        for request_id, method in tuple(self._open.items()):
            self.respond(request_id, _CANCELLED[method])

    def end_terminals(self) -> None:
        self._terminals.end_all()

    def forget(self) -> None:
        """The agent is gone."""
        self._open.clear()
        self._terminals.end_all()

    def _work_on_file(self, request_id: RequestId, method: str, params: dict[str, Any]) -> None:
        spec = self._spec
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._file_worker, _FILES[method], params, spec.cwd, spec.writable)
        future.add_done_callback(partial(self._file_done, request_id))

    def _file_done(self, request_id: RequestId, future: asyncio.Future[dict[str, Any]]) -> None:
        if future.cancelled():
            return
        error = future.exception()
        if error is None:
            self._connection.respond(request_id, future.result())
        elif isinstance(error, FileRefused):
            self._connection.respond_error(request_id, error.code, error.message)
        else:
            self._connection.respond_error(request_id, INTERNAL_ERROR, "The file could not be handled.")
            raise error
