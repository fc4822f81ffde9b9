"""A small MCP server over HTTP that can be wrong on purpose, and a guest that writes down what it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from posthog_code.domain.errors import NotSignedIn, UserError
from posthog_code.ports.mcp import McpWay

GOOD, OLD = "pha_good_secret_0001", "pha_old_secret_0000"
TOOLS = [
    {"name": "feature-flags-list", "description": "Flags", "inputSchema": {"type": "object"}},
    {
        "name": "query-run",
        "description": "HogQL",
        "inputSchema": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
    },
]


@dataclass
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Upstream:
    """`tokens` are accepted; `form` is how requests are answered: json or sse."""

    tokens: set[str] = field(default_factory=lambda: {GOOD})
    form: str = "json"
    refuse_within: bool = False
    """Tell of a bad token in an answer of HTTP 200 instead of with 401."""
    is_error: bool = True
    """Whether such an answer says of itself that it failed."""
    status: int = 0
    """Answer everything with it, and with `page`."""
    page: bytes = b""
    more: dict[str, str] = field(default_factory=dict)
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    """Tool calls of "slow" wait for it after their first news."""
    seen: list[Seen] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    """Tools that did their work."""
    left: int = 0
    """Connections that the other side closed before they were answered."""
    url: str = ""
    _server: asyncio.Server | None = None
    _busy: set[asyncio.Task[Any]] = field(default_factory=set)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._client, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/mcp"

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._busy):
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)

    def of(self, method: str) -> list[Seen]:
        return [one for one in self.seen if isinstance(one.body, dict) and one.body.get("method") == method]

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._busy.add(task)
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError, ValueError):
            pass
        finally:
            self._busy.discard(task)
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        line = (await reader.readline()).decode()
        if not line:
            return False
        method, path, _ = line.split(" ", 2)
        headers = {}
        while raw := (await reader.readline()).decode().strip():
            name, _, value = raw.partition(":")
            headers[name.lower()] = value.strip()
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        message = json.loads(body) if body else None
        self.seen.append(Seen(method, path, headers, message))
        allowed = headers.get("authorization", "").removeprefix("Bearer ") in self.tokens
        if self.status:
            await self._write(writer, self.status, self.page, self.more)
        elif not allowed and (not self.refuse_within or not isinstance(message, dict) or "id" not in message):
            await self._write(writer, 401, b'{"detail":"Invalid"}', {"WWW-Authenticate": 'Bearer realm="x"'})
        elif method == "DELETE":
            await self._write(writer, 200, b"", {})
        elif method == "GET":
            await self._listen(reader, writer)
            return False
        elif not isinstance(message, dict) or "id" not in message:
            await self._write(writer, 202, b"", {})
        else:
            await self._message(reader, writer, message, allowed)
        return True

    async def _message(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message: dict[str, Any], allowed: bool
    ) -> None:
        method, params = message["method"], message.get("params") or {}
        tool = params.get("name", "")
        more = {"Mcp-Session-Id": "s-1", "Set-Cookie": "a=b"} if method == "initialize" else {}
        if not allowed:
            text = '{"type":"authentication_error","code":"authentication_failed","detail":"Invalid access token."}'
            result = {"content": [{"type": "text", "text": text}], **({"isError": True} if self.is_error else {})}
        elif method == "initialize":
            result = {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "up", "version": "1"},
            }
        elif method == "tools/list":
            result = {"tools": TOOLS}
        else:
            self.done.append(tool)
            result = {"content": [{"type": "text", "text": f"answer of {tool}"}]}
            if tool == "forbidden":
                text = "Error: API key missing required scope 'insight:read'"
                result = {"content": [{"type": "text", "text": text}], "isError": True}
            if tool == "words":
                result["content"][0]["text"] = "The event authentication_failed was seen 12 times. " * 3
        answer = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        if self.form == "json" and tool != "slow":
            await self._write(writer, 200, json.dumps(answer).encode(), {"Content-Type": "application/json", **more})
            return
        self._head(writer, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked", **more})
        if method == "tools/call":
            news = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}}
            await self._event(writer, news)
        if tool == "slow" and not await self._held(reader):
            return
        if tool == "breaks":
            raise OSError
        await self._event(writer, answer)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def _held(self, reader: asyncio.StreamReader) -> bool:
        """False when the other side left meanwhile."""
        async with asyncio.TaskGroup() as group:
            going, leaving = group.create_task(self.hold.wait()), group.create_task(reader.read(1))
            await asyncio.wait((going, leaving), return_when=asyncio.FIRST_COMPLETED)
            gone = leaving.done()
            going.cancel()
            leaving.cancel()
        self.left += gone
        if gone:
            raise OSError
        return True

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._head(writer, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
        await self._event(writer, {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
        await reader.read(1)
        self.left += 1

    async def _event(self, writer: asyncio.StreamWriter, message: Any) -> None:
        raw = f"event: message\r\ndata: {json.dumps(message)}\r\n\r\n".encode()
        for piece in (raw[:9], raw[9:]):
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()

    def _head(self, writer: asyncio.StreamWriter, headers: dict[str, str]) -> None:
        lines = ["HTTP/1.1 200 OK", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        writer.write("\r\n".join(lines).encode())

    async def _write(self, writer: asyncio.StreamWriter, status: int, body: bytes, headers: dict[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in headers.items())]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
        await writer.drain()


@asynccontextmanager
async def upstream() -> AsyncIterator[Upstream]:
    server = Upstream()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@dataclass
class Guest:
    """Implements ports.mcp.McpGuest."""

    url: str
    current: str = GOOD
    renewed: str = GOOD
    refreshes: int = 0
    error: UserError | None = None
    can_renew: bool = True
    calls: list[tuple[str, str]] = field(default_factory=list)
    failures: list[UserError] = field(default_factory=list)
    successes: int = 0

    async def way(self) -> McpWay:
        if self.error is not None:
            raise self.error
        return McpWay(self.url, {"x-posthog-mcp-version": "2", "x-posthog-project-id": "7"})

    async def token(self) -> str:
        return self.current

    async def instead_of(self, refused: str) -> str:
        if not self.can_renew:
            raise NotSignedIn("The sign-in has ended.", "Sign in again.")
        if self.current == refused:
            self.refreshes += 1
            self.current = self.renewed
        return self.current

    def called(self, tool: str, outcome: str, seconds: float) -> None:
        assert seconds >= 0
        self.calls.append((tool, outcome))

    def reached(self) -> None:
        self.successes += 1

    def failed(self, error: UserError) -> None:
        self.failures.append(error)
