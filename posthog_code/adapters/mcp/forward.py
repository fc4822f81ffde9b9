"""One request of an agent, carried to the server with the credential that it must not see.

A credential that was refused is renewed and the request repeated, once; the server may say so with HTTP 401, or
within an answer of HTTP 200. What goes wrong on the way is told as a JSON-RPC error: an agent shows its words to its
model, and with a 401 it would begin a sign-in of its own.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from posthog_code.adapters.mcp.events import EventSplitter, TooLong, event_of, message_of
from posthog_code.adapters.mcp.wire import JSON, SSE, Reply, Request
from posthog_code.domain import mcp
from posthog_code.domain.cloud_errors import MissingScope
from posthog_code.domain.errors import NotSignedIn, Offline, RateLimited, Refused, UserError
from posthog_code.ports.mcp import McpGuest

if TYPE_CHECKING:
    import httpx

ANSWER_LIMIT = 16 * 1024 * 1024
"""Bytes of an answer that is no stream."""
REFUSAL_LIMIT = 100_000
ANSWER_TIME = 600.0
"""Seconds without a byte after which an answer is given up."""
UNREACHABLE, REFUSED = -32001, -32002
"""Codes of our own errors, from the range that JSON-RPC leaves to servers."""
_PARSE_ERROR = -32700
_HAS_ID = re.compile(rb"^id:", re.MULTILINE)
"""Of an event: a stream that ends early may be gone on with (Last-Event-ID)."""
_TAKEN = ("accept", "content-type", "last-event-id")
_GIVEN = ("retry-after", "allow")


class _Refused(Exception):
    """The server does not take this credential."""


class Forward:
    def __init__(self, client: httpx.AsyncClient, guest: McpGuest, request: Request, body: bytes, reply: Reply) -> None:
        self._client, self._guest, self._request, self._body, self._reply = client, guest, request, body, reply
        self._asked: tuple[mcp.Asked, ...] = ()
        self._open: dict[int | str, mcp.Asked] = {}
        """Requests without an answer so far."""
        self._batch = False
        self._began = time.monotonic()

    async def run(self) -> None:
        """Answers in any case. Raises OSError when the agent does not listen any more."""
        if self._request.method == "POST":
            try:
                message = json.loads(self._body)
            except (ValueError, RecursionError):
                wrong = mcp.error_answer((), "This is no JSON.", _PARSE_ERROR)
                await self._reply.said(400, wrong)
                return
            self._asked, self._batch = mcp.asked(message), isinstance(message, list)
            self._open = {one.id: one for one in self._asked}
        try:
            await self._carry()
        except UserError as error:
            self._guest.failed(error)
            await self._tell(error)
        finally:
            for one in self._open.values():
                self._called(one, "no answer")

    async def _carry(self) -> None:
        way = await self._guest.way()
        token = await self._guest.token()
        try:
            await self._once(way.url, way.headers, token, last=False)
        except _Refused:
            token = await self._guest.instead_of(token)
            try:
                await self._once(way.url, way.headers, token, last=True)
            except _Refused:
                raise NotSignedIn("PostHog does not accept this sign-in.", "Sign in to PostHog again.") from None

    async def _once(self, url: str, more: Mapping[str, str], token: str, *, last: bool) -> None:
        import httpx

        headers = {name: value for name, value in self._request.headers.items() if _is_taken(name)}
        headers |= {"accept": headers.get("accept") or f"{JSON}, {SSE}", **more, "Authorization": f"Bearer {token}"}
        read = None if self._request.method == "GET" else ANSWER_TIME
        timeout = httpx.Timeout(30.0, connect=10.0, read=read)
        try:
            async with self._client.stream(
                self._request.method, url, headers=headers, content=self._body or None, timeout=timeout
            ) as response:
                await self._pass_on(response, last)
        except (httpx.TransportError, httpx.InvalidURL, httpx.DecodingError) as error:
            raise Offline(
                "PostHog's MCP server could not be reached.", "Try again in a while.", type(error).__name__
            ) from error

    async def _pass_on(self, response: httpx.Response, last: bool) -> None:
        status, kind = response.status_code, response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if status == 401:
            raise _Refused
        if status >= 300:
            await self._refusal(response, status, kind)
        elif self._asked and kind == JSON:
            await self._answer(response, last)
        elif kind == SSE:
            await (self._events(response, last) if self._asked else self._raw(response))
        elif self._asked:
            raise something_else(f"HTTP {status} {kind}")
        else:
            body = await _read(response, REFUSAL_LIMIT)
            self._guest.reached()
            await self._reply.whole(
                status, body if kind == JSON else b"", kind if kind == JSON else "", _given(response)
            )

    async def _refusal(self, response: httpx.Response, status: int, kind: str) -> None:
        body = await _read(response, REFUSAL_LIMIT, cut=True)
        words = body.decode("utf-8", "replace")
        if status == 403:
            raise _forbidden(mcp.scope_in(words), f"HTTP {status}")
        if status == 429:
            raise RateLimited("PostHog's MCP server asks to wait.", "Try again in a while.", f"HTTP {status}")
        if status >= 500:
            raise Offline("PostHog's MCP server has a problem.", "Try again in a while.", f"HTTP {status}")
        if status < 400 or kind == "text/html" or self._reply.streams:
            raise something_else(f"HTTP {status}")
        # A session that has ended (404), no stream to listen to (405): an agent knows what to do.
        self._guest.reached()
        for one in self._open.values():
            self._called(one, f"HTTP {status}")
        self._open.clear()
        await self._reply.whole(status, body, kind if body else "", _given(response))

    async def _answer(self, response: httpx.Response, last: bool) -> None:
        body = await _read(response, ANSWER_LIMIT)
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            raise something_else("no JSON") from None
        self._look_at(message, last)
        if self._reply.streams:
            await self._reply.piece(event_of(message))
            await self._reply.end()
        else:
            await self._reply.whole(response.status_code, body, JSON, _given(response))

    async def _events(self, response: httpx.Response, last: bool) -> None:
        """News of a call come before its answer, and go on at once."""
        splitter, resumable = EventSplitter(), False
        try:
            async with _chunks(response) as chunks:
                async for data in chunks:
                    for event in splitter.feed(data):
                        self._look_at(message_of(event), last)
                        resumable = resumable or _HAS_ID.search(event) is not None
                        if not self._reply.begun:
                            await self._reply.begin(response.status_code, SSE, _given(response))
                        await self._reply.piece(event)
        except TooLong:
            raise Refused("PostHog's answer is too large.", "Ask for less.") from None
        if not self._reply.begun:
            raise something_else("an empty stream")
        if self._open and not resumable:
            raise Offline("PostHog's answer broke off.", "Try again in a while.")
        await self._reply.end()

    async def _raw(self, response: httpx.Response) -> None:
        self._guest.reached()
        await self._reply.begin(response.status_code, SSE, _given(response))
        async with _chunks(response) as chunks:
            async for data in chunks:
                await self._reply.piece(data)
        await self._reply.end()

    def _look_at(self, message: Any, last: bool) -> None:
        """Raises _Refused for an answer that the agent shall not get."""
        for answer in mcp.answers(message):
            if mcp.is_auth_failure(answer):
                # Parts of a batch may have been done: it is not repeated.
                if not last and not self._batch:
                    raise _Refused
                self._guest.failed(NotSignedIn("PostHog does not accept this sign-in.", "Sign in to PostHog again."))
            elif scope := mcp.missing_scope(answer):
                self._guest.failed(_forbidden(scope, ""))
            else:
                self._guest.reached()
            one = self._open.pop(answer["id"], None)
            if one is not None:
                self._called(one, mcp.outcome(answer))

    async def _tell(self, error: UserError) -> None:
        """In the form that the agent waits for."""
        waiting = tuple(self._open.values())
        words = f"{error.title} {error.hint}".strip()
        code = UNREACHABLE if isinstance(error, Offline) else REFUSED
        for one in waiting:
            self._called(one, error.code.replace("_", " "))
        self._open.clear()
        if self._reply.streams:
            for one in waiting:
                await self._reply.piece(event_of(mcp.error_answer((one,), words, code)))
            await self._reply.end()
        elif not self._reply.begun:
            answer = mcp.error_answer(waiting, words, code, batch=self._batch)
            await self._reply.said(200 if waiting else 502, answer)

    def _called(self, one: mcp.Asked, outcome: str) -> None:
        if one.method == "tools/call":
            self._guest.called(one.tool, outcome, time.monotonic() - self._began)


def something_else(detail: str) -> Offline:
    return Offline(
        "Something else answers in place of PostHog's MCP server.",
        "A sign-in page of this network, a proxy, or a wrong address.",
        detail,
    )


def _forbidden(scope: str, detail: str) -> MissingScope:
    title = f"This sign-in lacks the permission {scope}." if scope else "This sign-in lacks a permission."
    return MissingScope(title, "Sign in again, or use a personal API key that has it.", detail, scope=scope)


def _is_taken(name: str) -> bool:
    return name in _TAKEN or name.startswith("mcp-")


def _given(response: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name in _GIVEN or name.startswith("mcp-")}


async def _read(response: httpx.Response, limit: int, *, cut: bool = False) -> bytes:
    body = bytearray()
    async with _chunks(response) as chunks:
        async for data in chunks:
            body += data
            if len(body) > limit:
                break
    if len(body) > limit and not cut:
        raise Refused("PostHog's answer is too large.", "Ask for less.")
    return bytes(body[:limit])


@asynccontextmanager
async def _chunks(response: httpx.Response) -> AsyncIterator[AsyncIterator[bytes]]:
    """The bytes of an answer, which may be left in the middle.

    httpx reads through generators inside each other. Those that are left would be closed by another task, which anyio
    refuses: with the connection closed, reading on ends all of them here.
    """
    import httpx

    chunks = response.aiter_bytes()
    try:
        yield chunks
    finally:
        await response.aclose()
        with contextlib.suppress(httpx.HTTPError, httpx.StreamError):
            async for _ in chunks:
                pass
