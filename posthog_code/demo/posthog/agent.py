"""The sandbox's side of ACP: starts the demo agent in the clone and passes its frames on."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from posthog_code.demo.posthog.wire import Json, Object

ANSWER_LIMIT = 20.0
"""Seconds for anything but a prompt."""


class AgentGone(Exception):
    """The process ended; `code` is its exit code."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"Agent process ended with code {code}")
        self.code = code


class AgentRefused(Exception):
    """The agent answered with an error."""


class Agent:
    """One agent process. `told` gets each frame that it sends but for answers, in the reading thread: it must not wait
    for the agent."""

    def __init__(
        self, command: Sequence[str], cwd: Path, state: Path, speed: float, told: Callable[[Object], None]
    ) -> None:
        environment = {
            **os.environ,
            "POSTHOG_CODE_DEMO_STATE": str(state),
            "POSTHOG_CODE_DEMO_SPEED": str(speed),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self._process = subprocess.Popen(
            list(command),
            cwd=cwd,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._told = told
        self._lock = threading.Lock()
        self._changed = threading.Condition()
        self._answers: dict[int, Object] = {}
        self._next = 0
        self._over = False
        threading.Thread(target=self._read, daemon=True).start()

    def next_id(self) -> int:
        with self._lock:
            self._next += 1
            return self._next - 1

    def call(self, request_id: int, method: str, params: Object, limit: float | None = ANSWER_LIMIT) -> Object:
        """The result. Raises AgentGone, AgentRefused, or TimeoutError after `limit` seconds."""
        self.send({"id": request_id, "method": method, "params": params})
        with self._changed:
            done = self._changed.wait_for(lambda: request_id in self._answers or self._over, limit)
            answer = self._answers.pop(request_id, None)
        if answer is None:
            if not done:
                raise TimeoutError(method)
            raise AgentGone(self._process.wait())
        if "error" in answer:
            raise AgentRefused(str(answer["error"].get("message") or "error"))
        result = answer.get("result")
        return result if isinstance(result, dict) else {}

    def send(self, message: Object) -> None:
        """One frame. A frame for a process that is gone goes nowhere; `call` tells of it."""
        data = json.dumps({"jsonrpc": "2.0", **message}, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            stream = self._process.stdin
            try:
                if stream is not None:
                    stream.write(data)
                    stream.flush()
            except (BrokenPipeError, ValueError):
                pass

    def answer(self, request_id: Json, result: Object) -> None:
        self.send({"id": request_id, "result": result})

    def stop(self) -> None:
        """Close its stdin, then end it if that does not."""
        if self._process.stdin is not None:
            try:
                self._process.stdin.close()
            except BrokenPipeError:
                pass
        try:
            self._process.wait(1.5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill(self) -> None:
        self._process.kill()

    def _read(self) -> None:
        stream = self._process.stdout
        for line in stream or ():
            try:
                frame = json.loads(line)
            except ValueError:
                continue
            if not isinstance(frame, dict):
                continue
            if "method" in frame:
                self._told({key: value for key, value in frame.items() if key != "jsonrpc"})
                continue
            with self._changed:
                self._answers[frame.get("id", -1)] = frame
                self._changed.notify_all()
        with self._changed:
            self._over = True
            self._changed.notify_all()
