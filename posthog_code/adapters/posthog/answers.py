"""Answers of a server as they come: no larger than they may be, parsed when they are JSON, or live."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from posthog_code.domain.errors import Offline

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: Any
    """Parsed JSON, or the text."""
    data: bytes = b""


class TooLarge(Exception):
    """The server sends more than any answer of it has."""


async def read_body(response: httpx.Response, most: int, *, cut: bool = False) -> bytes:
    """What is sent, unpacked. Beyond `most` bytes it raises TooLarge, or leaves the rest with `cut`."""
    import httpx

    parts: list[bytes] = []
    size = 0
    chunks = response.aiter_bytes()
    async for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size > most:
            await response.aclose()
            with suppress(httpx.HTTPError, httpx.StreamError):
                async for _ in chunks:  # ends the reading here; see `live_bytes`
                    pass
            if cut:
                break
            raise TooLarge(f"more than {most} bytes")
    return b"".join(parts)[:most]


async def live_bytes(response: httpx.Response, host: str) -> AsyncGenerator[bytes, None]:
    import httpx

    chunks = response.aiter_bytes()
    try:
        async for chunk in chunks:
            yield chunk
    except (httpx.TransportError, httpx.DecodingError, httpx.StreamError) as failure:
        raise Offline(
            f"The connection to {host} broke.", "It is opened again.", f"{type(failure).__name__}: {failure}"
        ) from failure
    finally:
        # httpx reads through generators inside each other. Those that are left in the middle would be closed by another
        # task, which anyio refuses: with the connection closed, reading on ends all of them here.
        await response.aclose()
        with suppress(httpx.HTTPError, httpx.StreamError):
            async for _ in chunks:
                pass


def parsed(response: httpx.Response, data: bytes) -> Answer:
    headers = {key.lower(): value for key, value in response.headers.items()}
    body: Any = ""
    if "json" in headers.get("content-type", "") or data[:1] in (b"{", b"["):
        try:
            body = json.loads(data)
        except (ValueError, RecursionError):
            body = data[:4000].decode("utf-8", "replace")
    else:
        body = data[:4000].decode("utf-8", "replace")
    return Answer(response.status_code, headers, body, data)
