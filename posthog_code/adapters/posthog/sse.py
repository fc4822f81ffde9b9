"""Server-sent events out of bytes, however they are cut."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from posthog_code.ports.cloud import StreamEvent

LINE_LIMIT = 16 * 1024 * 1024
"""Bytes of one line that are kept; the rest of a longer one is dropped, and its event is broken."""
EVENT_LIMIT = 32 * 1024 * 1024


@dataclass(slots=True)
class _Event:
    name: str = ""
    data: list[bytes] = field(default_factory=list)
    size: int = 0
    cut: bool = False
    any: bool = False


class SseParser:
    """Lines end at CR, LF or CR LF only: JSON may hold any other separator raw, and a character may be cut anywhere."""

    def __init__(self, line_limit: int = LINE_LIMIT) -> None:
        self._limit = line_limit
        self._rest = bytearray()
        self._looked = 0
        """Bytes of the rest that have no line end."""
        self._dropping = False
        self._after_cr = False
        self._first = True
        self._event = _Event()
        self._id = ""

    def feed(self, data: bytes) -> list[StreamEvent]:
        """The events that these bytes complete."""
        events: list[StreamEvent] = []
        if self._after_cr and data:
            # The second half of a line end that was cut in two.
            data = data[1:] if data[:1] == b"\n" else data
            self._after_cr = False
        self._rest += data
        start = 0
        while True:
            end = self._line_end(max(start, self._looked))
            if end < 0:
                break
            line = bytes(self._rest[start:end])
            width = 2 if self._rest[end : end + 2] == b"\r\n" else 1
            if width == 1 and self._rest[end] == 13 and end + 1 == len(self._rest):
                self._after_cr = True
            start = end + width
            self._looked = start
            self._line(line, events)
        del self._rest[:start]
        if len(self._rest) > self._limit:
            # What comes until the next line end belongs to a line that nobody can use.
            del self._rest[self._limit :]
            self._dropping = True
        self._looked = len(self._rest)
        return events

    def _line_end(self, start: int) -> int:
        lf, cr = self._rest.find(b"\n", start), self._rest.find(b"\r", start)
        return min(lf, cr) if lf >= 0 and cr >= 0 else max(lf, cr)

    def _line(self, line: bytes, events: list[StreamEvent]) -> None:
        cut, self._dropping = self._dropping or len(line) > self._limit, False
        if self._first:
            line, self._first = line.removeprefix(b"\xef\xbb\xbf"), False
        event = self._event
        if not line and not cut:
            if event.any:
                events.append(self._done())
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not name:
            # A comment: how some servers keep a connection alive.
            events.append(StreamEvent("keepalive"))
            return
        event.any = event.any or name in (b"data", b"event")
        if name == b"data":
            event.size += len(value) + 1  # also of nothing: lines without end must not pile up
            event.cut = event.cut or cut or event.size > EVENT_LIMIT
            if event.cut:
                event.data = event.data[:1] or [value[:200]]
            else:
                event.data.append(value)
        elif name == b"event":
            event.name = value.decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value and len(value) < 1024:
            self._id = value.decode("utf-8", "replace")

    def _done(self) -> StreamEvent:
        event, self._event = self._event, _Event()
        event_id, self._id = self._id, ""
        raw = b"\n".join(event.data)
        name = "" if event.name == "message" else event.name
        if not event.data:
            return StreamEvent(name, None, event_id)
        if event.cut:
            return StreamEvent(name, None, event_id, "too long: " + raw[:180].decode("utf-8", "replace"))
        try:
            return StreamEvent(name, json.loads(raw.decode("utf-8", "replace")), event_id)
        except (ValueError, RecursionError):
            return StreamEvent(name, None, event_id, raw[:200].decode("utf-8", "replace") or "empty")
