"""A small HTTP server on 127.0.0.1 with an unguessable path for each session: implements ports.mcp.McpProxy.

Whoever knows a path is let through, so it is known to one agent only, and dies with its session. A web page cannot get
in even with a path: it must name this host and port (DNS rebinding), and come from nowhere else (Origin).
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import secrets
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from posthog_code import __version__
from posthog_code.adapters.mcp.forward import Forward
from posthog_code.adapters.mcp.wire import (
    HEAD_LIMIT,
    JSON,
    REQUEST_TIME,
    SSE,
    Denied,
    Reply,
    Request,
    read_body,
    read_head,
)
from posthog_code.ports.mcp import McpGuest

if TYPE_CHECKING:
    import httpx

PROTOCOL_VERSION = "2025-06-18"
AT_ONCE = 64
"""Connections of all sessions."""
METHODS = ("POST", "GET", "DELETE")
_LAST_WORDS = 2.0
"""Seconds in which what was broken off has to be gone."""

ClientFactory = Callable[[], "httpx.AsyncClient"]


def make_client() -> httpx.AsyncClient:
    """A client that trusts what the system trusts, and follows nothing: a credential goes with each request."""
    # What the first request would import on the loop otherwise, for several frames.
    import anyio._backends._asyncio
    import anyio.streams.tls  # noqa: F401
    import httpx

    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if not context.cert_store_stats()["x509_ca"] and not paths.cafile and not paths.capath:
        import certifi

        context.load_verify_locations(certifi.where())  # a bundled Python whose store points nowhere
    return httpx.AsyncClient(
        verify=context,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=10),
        follow_redirects=False,
        headers={"User-Agent": f"posthog-code-py/{__version__}"},
    )


@dataclass(eq=False)
class _Door:
    path: bytes
    guest: McpGuest
    busy: set[asyncio.Task[Any]] = field(default_factory=set)


class _Left(Exception):
    """The agent has closed the connection."""


class LoopbackProxy:
    def __init__(self, client: ClientFactory = make_client) -> None:
        self._factory = client
        self._client: httpx.AsyncClient | None = None
        self._doors: dict[str, _Door] = {}
        self._server: asyncio.Server | None = None
        self._origin = ""
        self._connections: set[asyncio.Task[Any]] = set()
        self._starting = asyncio.Lock()
        self._making = asyncio.Lock()

    @property
    def port(self) -> int:
        """0 while nobody needs it."""
        return self._server.sockets[0].getsockname()[1] if self._server else 0

    async def open(self, guest: McpGuest) -> str:
        async with self._starting:
            if self._server is None:
                self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=HEAD_LIMIT)
                self._origin = f"http://127.0.0.1:{self.port}"
            path = f"/mcp/{secrets.token_urlsafe(32)}"
            url = self._origin + path
            self._doors[url] = _Door(path.encode(), guest)
        return url

    def shut(self, url: str) -> None:
        door = self._doors.pop(url, None)
        if door is not None:
            for task in tuple(door.busy):
                task.cancel()
        if not self._doors:
            self._stop()

    def _stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
            for task in tuple(self._connections):
                task.cancel()

    async def close(self) -> None:
        async with self._starting:
            self._doors.clear()
            self._stop()
        if self._connections:
            await asyncio.wait(tuple(self._connections), timeout=_LAST_WORDS)
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def probe(self, guest: McpGuest) -> None:
        info = {"name": "posthog-code", "version": __version__}
        params = {"protocolVersion": PROTOCOL_VERSION, "capabilities": {}, "clientInfo": info}
        hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        request = Request("POST", "", {"accept": f"{JSON}, {SSE}", "content-type": JSON})
        await Forward(await self._open(), guest, request, json.dumps(hello).encode(), _Nobody()).run()

    # -- connections

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._connections) >= AT_ONCE:
            writer.transport.abort()
            return
        self._connections.add(task)
        reply = Reply(writer)
        try:
            await self._answer(reader, writer, reply, task)
        except Denied as denied:
            with contextlib.suppress(OSError, TimeoutError):
                await reply.whole(denied.status, denied.words.encode(), "text/plain; charset=utf-8", denied.headers)
        except (OSError, EOFError, TimeoutError):
            pass  # the other side left, or says nothing
        except asyncio.CancelledError:
            # The session ended. The task is asyncio's own: nobody waits for it to be told.
            writer.transport.abort()
        finally:
            self._connections.discard(task)
            writer.close()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reply: Reply, task: asyncio.Task[Any]
    ) -> None:
        async with asyncio.timeout(REQUEST_TIME):
            request = await read_head(reader)
            door = self._admit(request)
            with _busy(door, task):
                body = await read_body(reader, writer, request)
        with _busy(door, task):
            client = await self._open()
            if door not in self._doors.values():
                return
            async with _while_there(reader):
                await Forward(client, door.guest, request, body, reply).run()

    def _admit(self, request: Request) -> _Door:
        """Raises Denied. No header tells whether a path was right."""
        port = self.port
        hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        if request.headers.get("host", "").lower() not in hosts:
            raise Denied(403, "This is not the host that was asked.")
        origin = request.headers.get("origin")
        if origin is not None and origin.lower() not in {f"http://{host}" for host in hosts}:
            raise Denied(403, "No web page may ask here.")
        given, found = request.path.encode("latin-1", "replace"), None
        for door in tuple(self._doors.values()):
            # All of them are compared, so that the time tells nothing.
            if hmac.compare_digest(door.path, given):
                found = door
        if found is None:
            raise Denied(404, "There is nothing here.")
        if request.method not in METHODS:
            raise Denied(405, "This method is not for here.", Allow=", ".join(METHODS))
        return found

    async def _open(self) -> httpx.AsyncClient:
        async with self._making:
            if self._client is None:
                # The import and the certificate store take a quarter of a second: not on the loop.
                self._client = await asyncio.to_thread(self._factory)
            return self._client


class _Nobody(Reply):
    """The answer to a question of our own; the guest is told what it means."""

    def __init__(self) -> None:
        self.begun = self.streams = False

    async def whole(self, *_args: Any, **_more: Any) -> None:
        self.begun = True

    async def begin(self, *_args: Any) -> None:
        self.begun = self.streams = True

    async def piece(self, data: bytes) -> None: ...

    async def end(self) -> None: ...


@contextlib.contextmanager
def _busy(door: _Door, task: asyncio.Task[Any]) -> Iterator[None]:
    door.busy.add(task)
    try:
        yield
    finally:
        door.busy.discard(task)


@asynccontextmanager
async def _while_there(reader: asyncio.StreamReader) -> AsyncIterator[None]:
    """Break off when the other side closes its connection: a stream that nobody reads would stay for ever."""

    async def watch() -> None:
        while await reader.read(4096):
            pass
        raise _Left

    try:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(watch())
            yield
            watching.cancel()
    except* (_Left, OSError):
        pass
