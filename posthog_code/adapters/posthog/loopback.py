"""The redirect of a sign-in in the browser: a small HTTP server on 127.0.0.1 that lives as long as the flow."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hmac
from html import escape
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

from posthog_code.domain.errors import Refused

PORTS = (8237, 8238, 8239)
"""Registered with the client: the server compares redirect URIs exactly."""
PATH = "/callback"


def redirect_uri(port: int) -> str:
    return f"http://127.0.0.1:{port}{PATH}"


class Loopback:
    """`async with` opens the first free port; `answer` gives what the browser brought."""

    def __init__(self, state: str, ports: tuple[int, ...] = PORTS) -> None:
        self._state, self._ports = state, ports
        self._server: asyncio.Server | None = None
        self._answer: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
        self.port = 0

    async def __aenter__(self) -> Loopback:
        for port in self._ports:
            try:
                self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=16384)
            except OSError as error:
                if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                    raise
                continue
            self.port = self._server.sockets[0].getsockname()[1]
            return self
        listed = ", ".join(map(str, self._ports))
        raise Refused(
            "The browser cannot bring the sign-in back.",
            f"Other programs use the ports {listed} of this machine: close one, or use an API key.",
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._server.wait_closed(), 1.0)
        self._answer.cancel()

    async def answer(self, timeout: float) -> dict[str, str]:
        """The query of the redirect that carries our state. Raises TimeoutError."""
        return await asyncio.wait_for(asyncio.shield(self._answer), timeout)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(10):
                line = (await reader.readline()).decode("latin-1")
                while (await reader.readline()).strip():
                    pass
            status, words = self._take(line)
            page = f"<!doctype html><meta charset=utf-8><title>PostHog Code</title><p>{escape(words)}</p>".encode()
            head = (
                f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(page)}\r\n"
                "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode() + page)
            await writer.drain()
        except (OSError, ValueError, TimeoutError):
            pass  # a port scanner, or a browser that left
        finally:
            writer.close()

    def _take(self, line: str) -> tuple[str, str]:
        method, _, rest = line.partition(" ")
        target = urlsplit(rest.rpartition(" ")[0])
        if method != "GET" or target.path != PATH:
            return "404 Not Found", "There is nothing here."
        query = {key: values[0] for key, values in parse_qs(target.query).items()}
        if "code" not in query and "error" not in query:
            return "400 Bad Request", "This is no answer to a sign-in."
        if not hmac.compare_digest(query.get("state", "").encode(), self._state.encode()):
            # Not of this flow: somebody else's page must not be able to sign this app in, or to end the flow.
            return "400 Bad Request", "This sign-in was not started here. Go back to PostHog Code and try again."
        if not self._answer.done():
            self._answer.set_result(query)
        if "error" in query:
            return "200 OK", "You did not sign in. You can close this page."
        return "200 OK", "You are signed in. Go back to PostHog Code; this page can be closed."
