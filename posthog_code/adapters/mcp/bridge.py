"""MCP over stdin and stdout on one side, the proxy's HTTP on the other: for agents that only start programs.

A child of the agent, which ends with it: with its input, or when nobody reads what it says. The standard library alone,
with threads: an agent waits for the start of it.

Source: Model Context Protocol, transports "stdio" and "Streamable HTTP".
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from posthog_code.adapters.mcp.events import EVENT_LIMIT, EventSplitter, TooLong, message_of

VARIABLE = "POSTHOG_CODE_MCP_URL"
_GONE = -32001
"""Our own code for "no answer can come", from the range that JSON-RPC leaves to servers."""
_ANSWER_TIME = 900.0
"""Seconds without a byte; the proxy gives up earlier, and says so."""
_LISTEN_AGAIN = 2.0
_LISTEN_TRIES = 3


class Bridge:
    def __init__(self, url: str, out: BinaryIO) -> None:
        parts = urlsplit(url)
        self._host, self._port, self._path = parts.hostname or "", parts.port or 80, parts.path
        self._out = out
        self._writing = threading.Lock()
        self._session = ""
        self._version = ""
        self._listening = False

    def take(self, line: bytes) -> None:
        """One message of the agent. What is no JSON object is answered with an error."""
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            self._tell({"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "This is no JSON object."}})
            return
        wants_answer = "id" in message and "method" in message
        if wants_answer and message["method"] != "initialize":
            threading.Thread(target=self._carry, args=(message,), daemon=True).start()
            return
        # These keep their order: what follows builds on them.
        self._carry(message)
        if message.get("method") == "notifications/initialized" and not self._listening:
            self._listening = True
            threading.Thread(target=self._listen, daemon=True).start()

    def end(self) -> None:
        """Tell the server that the session is over, if it has time to hear it."""
        if self._session:
            try:
                self._ask("DELETE", None, 2.0).read()
            except (OSError, HTTPException):
                pass  # The proxy is gone already: nothing of the session is left.

    def _carry(self, message: dict[str, Any]) -> None:
        request_id = message.get("id") if "method" in message else None
        try:
            response = self._ask("POST", json.dumps(message).encode(), _ANSWER_TIME)
            if message.get("method") == "initialize":
                self._session = response.headers.get("Mcp-Session-Id", "")
            answered = False
            for answer in _messages(response):
                answered = answered or (isinstance(answer, dict) and answer.get("id") == request_id)
                self._learn(message, answer)
                self._tell(answer)
            words = "" if answered else f"PostHog's tools gave no answer (HTTP {response.status})."
        except (OSError, HTTPException, TooLong):
            words = "PostHog's tools are not there any more: the session of this agent has ended."
        if words and request_id is not None:
            self._tell({"jsonrpc": "2.0", "id": request_id, "error": {"code": _GONE, "message": words}})

    def _learn(self, message: dict[str, Any], answer: Any) -> None:
        """The version that both sides agreed on goes with each later request."""
        result = answer.get("result") if isinstance(answer, dict) else None
        if message.get("method") == "initialize" and isinstance(result, dict):
            self._version = str(result.get("protocolVersion") or "")

    def _listen(self) -> None:
        """What the server says by itself. Not every server does."""
        tries = 0
        while tries < _LISTEN_TRIES:
            tries += 1
            try:
                response = self._ask("GET", None, None)
                if response.status != 200:
                    if response.status < 500:
                        return
                else:
                    for message in _messages(response):
                        tries = 0
                        self._tell(message)
            except (OSError, HTTPException, TooLong):
                pass  # Broken off: another try, a few in a row at most.
            time.sleep(_LISTEN_AGAIN)

    def _ask(self, method: str, body: bytes | None, timeout: float | None) -> HTTPResponse:
        headers = {"Accept": "text/event-stream" if method == "GET" else "application/json, text/event-stream"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._session:
            headers["Mcp-Session-Id"] = self._session
        if self._version:
            headers["MCP-Protocol-Version"] = self._version
        connection = HTTPConnection(self._host, self._port, timeout=timeout)
        connection.request(method, self._path, body=body, headers=headers)
        return connection.getresponse()

    def _tell(self, message: Any) -> None:
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        with self._writing:
            try:
                self._out.write(line)
                self._out.flush()
            except (OSError, ValueError):
                os._exit(0)  # Nobody reads any more; other threads may hold locks that an ordinary end waits for.


def _messages(response: HTTPResponse) -> Iterator[Any]:
    """The messages of an answer, as they come; none for a body that is no JSON."""
    if "text/event-stream" in response.headers.get("Content-Type", ""):
        splitter = EventSplitter()
        while data := response.read1(65536):
            for event in splitter.feed(data):
                if (message := message_of(event)) is not None:
                    yield message
        return
    try:
        message = json.loads(response.read(EVENT_LIMIT))
    except (ValueError, RecursionError):
        return
    yield from message if isinstance(message, list) else [message]


def main() -> int:
    """Work until stdin closes; gives the exit code."""
    url = os.environ.pop(VARIABLE, "")
    if not url.startswith("http://127.0.0.1:"):
        sys.stderr.write("posthog-code mcp-bridge is started by agents that PostHog Code runs, not by hand.\n")
        return 2
    bridge = Bridge(url, sys.stdout.buffer)
    for line in sys.stdin.buffer:
        if line.strip():
            bridge.take(line)
    bridge.end()
    sys.stdout.flush()
    os._exit(0)  # Threads that still wait for an answer have nobody to give it to.
