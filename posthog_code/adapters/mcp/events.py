"""Server-sent events: cut out of bytes as they come, and made."""

from __future__ import annotations

import json
import re
from typing import Any

EVENT_LIMIT = 16 * 1024 * 1024
"""Bytes of one event."""
_END = re.compile(rb"\n\r?\n|\r\r")
_LINE = re.compile(rb"\r\n|\n|\r")


class TooLong(ValueError):
    """An event is larger than anybody takes."""


class EventSplitter:
    """Whole events with the empty line at their end, so that they can be passed on as they came."""

    def __init__(self, limit: int = EVENT_LIMIT) -> None:
        self._limit = limit
        self._held = bytearray()
        self._seen = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Raises TooLong."""
        self._held += data
        events: list[bytes] = []
        # An end may have begun in what was looked at already.
        while (match := _END.search(self._held, max(0, self._seen - 3))) is not None:
            events.append(bytes(self._held[: match.end()]))
            del self._held[: match.end()]
            self._seen = 0
        self._seen = len(self._held)
        if self._seen > self._limit:
            raise TooLong
        return events

    def rest(self) -> bytes:
        """What came after the last end; by the standard it is no event."""
        return bytes(self._held)


def message_of(event: bytes) -> Any:
    """What an event's data says; None for an event without data, or with something else than JSON."""
    lines = [line.partition(b":")[2] for line in _LINE.split(event) if line.startswith(b"data:")]
    if not lines:
        return None
    try:
        return json.loads(b"\n".join(line.removeprefix(b" ") for line in lines))
    except (ValueError, RecursionError):
        return None


def event_of(message: Any) -> bytes:
    return b"event: message\ndata: " + json.dumps(message).encode() + b"\n\n"
