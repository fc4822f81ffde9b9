"""A client of MCP servers, over HTTP or as a program of the agent's own: one call at a time, nothing kept.

Source: Model Context Protocol, revision 2025-06-18.
"""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from posthog_code.demo.agent.wire import JsonObject

VERSION = "2025-06-18"
_PATIENCE = 120.0
"""Seconds for one answer."""


class McpFailed(Exception):
    """The server refused, or is not there; in its words."""


class _Line(Protocol):
    def send(self, message: JsonObject) -> Iterator[Any]: ...

    def close(self) -> None: ...


class Client:
    """Use it with `with`."""

    def __init__(self, server: Mapping[str, Any]) -> None:
        """`server` is an entry of ACP's `mcpServers`. Raises McpFailed."""
        self._line: _Line = _Http(str(server["url"])) if server.get("type") == "http" else _Program(server)
        self._number = 0

    def __enter__(self) -> Client:
        info = {"name": "posthog-code-demo", "version": "1.0"}
        try:
            self._ask("initialize", {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": info})
            for _ in self._line.send({"jsonrpc": "2.0", "method": "notifications/initialized"}):
                pass
        except BaseException:
            self._line.close()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._line.close()

    def tools(self) -> list[JsonObject]:
        found = self._ask("tools/list", {}).get("tools")
        return [tool for tool in found if isinstance(tool, dict)] if isinstance(found, list) else []

    def call(self, name: str, arguments: Mapping[str, Any]) -> tuple[str, bool]:
        """The text of the result, and whether the tool failed. Raises McpFailed."""
        result = self._ask("tools/call", {"name": name, "arguments": dict(arguments)})
        content = result.get("content")
        blocks = content if isinstance(content, list) else []
        text = "\n".join(str(block.get("text") or "") for block in blocks if isinstance(block, dict))
        return text, result.get("isError") is True

    def _ask(self, method: str, params: JsonObject) -> JsonObject:
        self._number += 1
        message = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        for answer in self._line.send(message):
            if not isinstance(answer, dict) or answer.get("id") != self._number:
                continue
            if isinstance(error := answer.get("error"), dict):
                raise McpFailed(str(error.get("message") or "no reason given"))
            result = answer.get("result")
            return result if isinstance(result, dict) else {}
        raise McpFailed(f"{method} was not answered")


class _Http:
    def __init__(self, url: str) -> None:
        self._url = url
        self._session = ""
        # What is on this machine is not behind a proxy.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def send(self, message: JsonObject) -> Iterator[Any]:
        try:
            with self._open("POST", json.dumps(message).encode()) as response:
                self._session = response.headers.get("Mcp-Session-Id") or self._session
                if "text/event-stream" not in response.headers.get("Content-Type", ""):
                    body = response.read()
                    if body.strip():
                        yield json.loads(body)
                    return
                for line in response:
                    if line.startswith(b"data:"):
                        yield json.loads(line[5:])
        except urllib.error.HTTPError as error:
            raise McpFailed(f"HTTP {error.code}") from error
        except (OSError, ValueError) as error:
            raise McpFailed(f"the server cannot be reached: {error}") from error

    def close(self) -> None:
        if self._session:
            try:
                self._open("DELETE", None).close()
            except OSError:
                pass  # It ends with us in any case.

    def _open(self, method: str, body: bytes | None) -> Any:
        headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
        if self._session:
            headers |= {"Mcp-Session-Id": self._session, "MCP-Protocol-Version": VERSION}
        request = urllib.request.Request(self._url, data=body, headers=headers, method=method)
        return self._opener.open(request, timeout=_PATIENCE)


class _Program:
    def __init__(self, server: Mapping[str, Any]) -> None:
        env = dict(os.environ) | {str(one["name"]): str(one["value"]) for one in server.get("env") or ()}
        command = [str(server["command"]), *map(str, server.get("args") or ())]
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
        except OSError as error:
            raise McpFailed(f"{command[0]} could not be started: {error.strerror}") from error

    def send(self, message: JsonObject) -> Iterator[Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise McpFailed("the program of the server has ended") from error
        if "id" in message:
            for line in self._process.stdout:
                yield json.loads(line)

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
