"""HTTP/1.1 as far as an MCP client on this machine needs it: one request a connection, everything bounded.

Source: RFC 9112; Model Context Protocol, transport "Streamable HTTP".
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

HEAD_LIMIT = 32 * 1024
HEADERS_LIMIT = 100
BODY_LIMIT = 4 * 1024 * 1024
"""Bytes of a request."""
REQUEST_TIME = 30.0
"""Seconds in which a request has to be here."""
SSE = "text/event-stream"
JSON = "application/json"


class Denied(Exception):
    """This request is not answered by anybody but us."""

    def __init__(self, status: int, words: str, **headers: str) -> None:
        super().__init__(words)
        self.status, self.words, self.headers = status, words, headers


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    """By lower-case names; what comes twice is joined."""


async def read_head(reader: asyncio.StreamReader) -> Request:
    """Raises Denied for what is no request, and IncompleteReadError when the other side leaves."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise Denied(431, "The head of this request is too large.") from None
    lines = raw[:-4].decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1.") or len(lines) > HEADERS_LIMIT:
        raise Denied(400, "This is no request that can be understood.")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise Denied(400, "This is no request that can be understood.")
        name, value = name.lower(), value.strip()
        if name in headers and name in ("host", "content-length", "transfer-encoding"):
            raise Denied(400, "This request says the same thing twice.")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Request(words[0], words[1].partition("?")[0], headers)


async def read_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> bytes:
    """Raises Denied when it is too large, or its length cannot be told."""
    coding, length = request.headers.get("transfer-encoding"), request.headers.get("content-length")
    if coding is not None:
        if coding.lower() != "chunked" or length is not None:
            raise Denied(400, "The length of this request cannot be told.")
    elif length is None:
        return b""
    elif not (length.isascii() and length.isdigit()) or len(length) > 18:
        raise Denied(400, "The length of this request cannot be told.")
    elif int(length) > BODY_LIMIT:
        raise too_large()
    if request.headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return await _chunks(reader) if length is None else await reader.readexactly(int(length))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while True:
        try:
            size = int((await reader.readuntil(b"\n")).split(b";")[0], 16)
        except (ValueError, asyncio.LimitOverrunError):
            raise Denied(400, "The length of this request cannot be told.") from None
        if size < 0 or len(body) + size > BODY_LIMIT:
            raise too_large()
        body += await reader.readexactly(size)
        if size:
            await reader.readexactly(2)
            continue
        for _ in range(HEADERS_LIMIT):
            if not (await reader.readline()).strip():
                return bytes(body)
        raise Denied(431, "The head of this request is too large.")


def too_large() -> Denied:
    return Denied(413, f"A request may have {BODY_LIMIT // 2**20} MB.")


class Reply:
    """The answer to one request. Once it has begun as a stream it stays one."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.begun = False
        self.streams = False

    async def whole(self, status: int, body: bytes = b"", kind: str = "", headers: Mapping[str, str] = {}) -> None:
        """All at once."""
        more = dict(headers)
        if kind:
            more["Content-Type"] = kind
        if status not in (204, 304):
            more["Content-Length"] = str(len(body))
        self._head(status, more)
        self._writer.write(body)
        await self._writer.drain()

    async def said(self, status: int, message: Any) -> None:
        """A message of ours."""
        await self.whole(status, json.dumps(message).encode(), JSON)

    async def begin(self, status: int, kind: str, headers: Mapping[str, str]) -> None:
        """A stream of pieces of any length."""
        self._head(status, {**headers, "Content-Type": kind, "Transfer-Encoding": "chunked"})
        self.streams = True
        await self._writer.drain()

    async def piece(self, data: bytes) -> None:
        if data:
            self._writer.write(b"%x\r\n%b\r\n" % (len(data), data))
            await self._writer.drain()

    async def end(self) -> None:
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.begun = True
        try:
            phrase = HTTPStatus(status).phrase
        except ValueError:
            phrase = ""
        lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
        lines += ["Cache-Control: no-store", "Connection: close", "", ""]
        self._writer.write("\r\n".join(lines).encode("latin-1", "replace"))
