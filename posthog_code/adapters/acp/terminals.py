"""The client's terminal/* methods: commands that an agent has us run."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from .files import FileRefused, confine
from .process import Child
from .rpc import INVALID_PARAMS, RequestId
from .survivors import end_family

DEFAULT_LIMIT = 1024 * 1024
"""Bytes of output that are kept when the agent names no limit."""
MAX_LIMIT = 8 * 1024 * 1024
PATIENCE = 1.0
"""Seconds between TERM and KILL."""


class Tail:
    """The last `limit` bytes of an output; cut at the beginning, never within a character."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.truncated = False
        self._data = bytearray()

    def add(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > 2 * self.limit + 4096:
            self._cut()

    def _cut(self) -> None:
        if len(self._data) <= self.limit:
            return
        self.truncated = True
        begin = len(self._data) - self.limit
        while begin < len(self._data) and self._data[begin] & 0xC0 == 0x80:
            begin += 1
        del self._data[:begin]

    def text(self) -> str:
        self._cut()
        return self._data.decode("utf-8", "replace")


class Terminal:
    def __init__(self, command: Sequence[str], cwd: Path, env: Mapping[str, str], limit: int, ender: Executor) -> None:
        self._ender = ender
        self.tail = Tail(limit)
        self.waiting: list[Callable[[], None]] = []
        self.child = Child(
            command, cwd, env, on_stdout=self.tail.add, on_stderr=None, on_exit=self._exited, stdin=False
        )

    def _exited(self, code: int) -> None:
        waiting, self.waiting = self.waiting, []
        for answer in waiting:
            answer()

    @property
    def status(self) -> dict[str, Any] | None:
        code = self.child.code
        if code is None:
            return None
        if code >= 0:
            return {"exitCode": code, "signal": None}
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = str(-code)
        return {"exitCode": None, "signal": name}

    def end(self) -> None:
        """End the command and what it started; the exit is told when it has come."""
        if self.child.code is None:
            self._ender.submit(end_family, self.child.pid, self.child.started, (), patience=PATIENCE)


class Terminals:
    """All terminals of a run. `answer(request id, result)` and FileRefused are the two ways an answer goes."""

    def __init__(
        self,
        cwd: Path,
        roots: Sequence[Path],
        env: Mapping[str, str],
        answer: Callable[[RequestId, dict[str, Any]], None],
        ender: Executor,
    ) -> None:
        self._cwd = cwd
        self._roots = roots
        self._env = env
        self._answer = answer
        self._ender = ender
        self._terminals: dict[str, Terminal] = {}
        self._count = 0

    def handle(self, request_id: RequestId, method: str, params: dict[str, Any]) -> bool:
        """Answer a request, now or when its command ends; False for a method that is not ours. Raises FileRefused."""
        if method == "terminal/create":
            self._answer(request_id, {"terminalId": self._create(params)})
            return True
        if method not in ("terminal/output", "terminal/wait_for_exit", "terminal/kill", "terminal/release"):
            return False
        terminal_id = str(params.get("terminalId"))
        terminal = self._terminals.get(terminal_id)
        if terminal is None:
            raise FileRefused(INVALID_PARAMS, f"There is no terminal {terminal_id}.")
        if method == "terminal/output":
            text = terminal.tail.text()
            result: dict[str, Any] = {"output": text, "truncated": terminal.tail.truncated}
            if terminal.status is not None:
                result["exitStatus"] = terminal.status
            self._answer(request_id, result)
        elif method == "terminal/wait_for_exit":
            self._answer_at_exit(request_id, terminal)
        else:
            terminal.end()
            if method == "terminal/release":
                del self._terminals[terminal_id]
            self._answer(request_id, {})
        return True

    def end_all(self) -> None:
        """At a cancel or at the end of the run; what they have printed can still be asked for."""
        for terminal in self._terminals.values():
            terminal.end()

    def _answer_at_exit(self, request_id: RequestId, terminal: Terminal) -> None:
        def answer() -> None:
            self._answer(request_id, dict(terminal.status or {}))

        if terminal.status is not None:
            answer()
        else:
            terminal.waiting.append(answer)

    def _create(self, params: dict[str, Any]) -> str:
        command, args = params.get("command"), params.get("args") or []
        if not isinstance(command, str) or not command or not isinstance(args, list):
            raise FileRefused(INVALID_PARAMS, "The command is missing.")
        cwd = self._cwd
        if params.get("cwd"):
            cwd = confine(params["cwd"], self._cwd, self._roots)
        env = dict(self._env)
        for variable in params.get("env") or []:
            if isinstance(variable, dict) and isinstance(variable.get("name"), str):
                env[variable["name"]] = str(variable.get("value", ""))
        limit = params.get("outputByteLimit")
        limit = min(limit, MAX_LIMIT) if isinstance(limit, int) and limit >= 0 else DEFAULT_LIMIT
        try:
            terminal = Terminal(_words(command, args, env), cwd, env, limit, self._ender)
        except OSError as error:
            raise FileRefused(INVALID_PARAMS, f"{command} cannot be run: {error.strerror}.") from error
        self._count += 1
        terminal_id = f"term-{self._count}"
        self._terminals[terminal_id] = terminal
        return terminal_id


def _words(command: str, args: list[Any], env: Mapping[str, str]) -> list[str]:
    """Some agents put a whole shell line into `command`, without arguments."""
    program = shutil.which(command, path=env.get("PATH"))
    if program is None and not args:
        return ["/bin/sh", "-c", command]
    return [program or command, *map(str, args)]
