"""A small ACP client over real pipes, for the tests of the demo agent."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Answer = Callable[[dict[str, Any]], dict[str, Any]]
TIME_LIMIT = 30.0


def allow(frame: dict[str, Any]) -> dict[str, Any]:
    if frame["method"] == "elicitation/create":
        name, field = next(iter(frame["params"]["requestedSchema"]["properties"].items()))
        return {"action": "accept", "content": {name: field["oneOf"][0]["const"]}}
    options = frame["params"]["options"]
    return {"outcome": {"outcome": "selected", "optionId": options[0]["optionId"]}}


def pick(option_id: str) -> Answer:
    return lambda frame: {"outcome": {"outcome": "selected", "optionId": option_id}}


class Client:
    """Starts the agent; `prompt` gives the answer to session/prompt once the turn is over."""

    def __init__(self, cwd: Path, state: Path, speed: str = "0", forms: bool = True) -> None:
        environment = {**os.environ, "POSTHOG_CODE_DEMO_STATE": str(state), "POSTHOG_CODE_DEMO_SPEED": speed}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "posthog_code.demo.agent"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd=cwd,
        )
        self.cwd = cwd
        self.frames: list[dict[str, Any]] = []
        """Everything that came and was a JSON object, in order."""
        self.garbage: list[bytes] = []
        self.longest = 0
        self.answer: Answer = allow
        self.session = ""
        self._ids = iter(range(10**6))
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        threading.Thread(target=self._pump, daemon=True).start()
        elicitation = {"elicitation": {"form": {}}} if forms else {}
        self.initialized = self.call("initialize", {"protocolVersion": 1, "clientCapabilities": elicitation})["result"]

    def _pump(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def send_raw(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def send(self, **message: Any) -> None:
        self.send_raw(json.dumps({"jsonrpc": "2.0", **message}).encode())

    def start(self, method: str, params: dict[str, Any]) -> int:
        number = next(self._ids)
        self.send(id=number, method=method, params=params)
        return number

    def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """The response, whether result or error. The agent's own requests are answered meanwhile."""
        number = self.start(method, params)
        return self.until(lambda frame: frame.get("id") == number and "method" not in frame)

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + TIME_LIMIT
        while True:
            line = self._lines.get(timeout=max(0.01, deadline - time.monotonic()))
            if line is None:
                raise EOFError("the agent is gone")
            self.longest = max(self.longest, len(line))
            try:
                frame = json.loads(line)
            except ValueError:
                self.garbage.append(line)
                continue
            if not isinstance(frame, dict):
                self.garbage.append(line)
                continue
            self.frames.append(frame)
            if "id" in frame and "method" in frame and not wanted(frame):
                self.send(id=frame["id"], result=self.answer(frame))
            if wanted(frame):
                return frame

    def open(self, mode: str = "auto") -> str:
        self.session = self.call("session/new", {"cwd": str(self.cwd), "mcpServers": []})["result"]["sessionId"]
        if mode != "ask":
            self.call("session/set_mode", {"sessionId": self.session, "modeId": mode})
        return self.session

    def prompt_params(self, text: str) -> dict[str, Any]:
        return {"sessionId": self.session, "prompt": [{"type": "text", "text": text}]}

    def prompt(self, text: str) -> dict[str, Any]:
        return self.call("session/prompt", self.prompt_params(text))

    def cancel(self) -> None:
        self.send(method="session/cancel", params={"sessionId": self.session})

    def updates(self, kind: str = "") -> list[dict[str, Any]]:
        found = [frame["params"]["update"] for frame in self.frames if frame.get("method") == "session/update"]
        return [update for update in found if not kind or update["sessionUpdate"] == kind]

    def asked(self, method: str = "session/request_permission") -> list[dict[str, Any]]:
        return [frame["params"] for frame in self.frames if frame.get("method") == method]

    def text(self) -> str:
        return "".join(update["content"]["text"] for update in self.updates("agent_message_chunk"))

    def close(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(TIME_LIMIT)
