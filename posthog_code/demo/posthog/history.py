"""The events of the demo's product, made by code: the same hours give the same rows, each time and in any order."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from posthog_code.demo import inbox
from posthog_code.demo.cloud_tasks import PROJECT
from posthog_code.demo.signals import API, ERRORS, REMAINS, DemoError, Stream
from posthog_code.demo.traffic import STREAMS

DAYS = 30
HOUR, DAY = 3600.0, 86_400.0
GOLDEN = 0.6180339887498949
SILVER = 0.41421356237309503
"""Multiples of them are spread evenly over 0 to 1: figures come out close to what was asked for."""
LATEST = 180.0
"""Seconds for the later steps at the end of an hour."""
FADES = 2 * HOUR
"""How long a release takes to reach everybody."""
_BUSY = (3, 2, 2, 2, 2, 3, 5, 7, 9, 11, 12, 12, 12, 11, 11, 12, 13, 15, 17, 19, 18, 14, 9, 5)
_SUM = sum(_BUSY)
_SHOP = "https://shop.harbor.example"

Row = tuple[int, str, str, str, str, str, str, str]
"""project, uuid, event, timestamp, distinct_id, person_id, properties (JSON), stream."""


@dataclass(frozen=True, slots=True)
class Source:
    """A stream ready for making rows: its properties are text already, but for the session."""

    stream: Stream
    number: int
    texts: tuple[str, ...]


def sources() -> list[Source]:
    """Of everything that arrives all the time."""
    streams: list[tuple[Stream, Sequence[Mapping[str, Any]]]] = [(one, one.variants) for one in STREAMS]
    for error in ERRORS:
        place = (error.place.repository, error.place.path)
        stream = Stream(
            error.fingerprint,
            "$exception",
            error.per_day,
            error.people,
            since=error.since,
            rises_from=error.rises_from,
            fixed_by=place,
        )
        streams.append((stream, [exception(error)]))
    return [
        Source(stream, number, tuple(_text(stream, variant) for variant in variants))
        for number, (stream, variants) in enumerate(streams, 1)
    ]


def _text(stream: Stream, variant: Mapping[str, Any]) -> str:
    path = variant.get("$pathname", stream.path)
    base = {"$pathname": path, "$current_url": f"{_SHOP}{path}", "$lib": "web", "$browser": "Chrome"}
    phone = {"$device_type": "Mobile" if zlib.crc32(stream.id.encode()) % 2 else "Desktop"}
    return json.dumps({**base, **phone, **variant}, separators=(",", ":"))[:-1]


def exception(error: DemoError) -> Mapping[str, Any]:
    """The properties of `$exception`; the last frame of the list is where it happened."""
    places = [place for place in (error.called_from, error.place) if place is not None]
    python = error.place.repository == API
    frames = [_frame(place.path, inbox.line_of(place), place.function, python) for place in places]
    told = {
        "type": error.name,
        "value": error.value,
        "mechanism": {"handled": error.name != "UnhandledRejection", "type": "generic"},
        "stacktrace": {"type": "raw" if python else "resolved", "frames": frames},
    }
    return {
        "$pathname": error.url,
        "$current_url": f"{_SHOP}{error.url}",
        "$browser": error.browser,
        "$lib": "posthog-python" if python else "web",
        "$exception_list": [told],
        "$exception_types": [error.name],
        "$exception_values": [error.value],
        "$exception_sources": [place.path for place in places],
        "$exception_functions": [place.function for place in places],
        "$exception_fingerprint": error.fingerprint,
        "$exception_issue_id": error.issue,
        "$exception_level": "error",
        **error.flags,
    }


def _frame(path: str, line: int, function: str, python: bool) -> Mapping[str, Any]:
    if python:
        return {
            "platform": "python",
            "filename": path,
            "abs_path": f"/srv/harbor-api/{path}",
            "lineno": line,
            "function": function,
            "in_app": True,
        }
    return {
        "source": path,
        "line": line,
        "column": 5,
        "mangled_name": function,
        "resolved_name": function,
        "lang": "javascript",
        "resolved": True,
        "in_app": True,
    }


def rows(source: Source, anchor: float, start: float, end: float, released: float | None) -> Iterator[Row]:
    """The rows of a stream in [start, end). `released`: when the file that the stream depends on was changed."""
    stream = source.stream
    first, count = stream.people
    begin = max(start, anchor - stream.since * DAY)
    stop = min(end, anchor - stream.until * DAY) if stream.until else end
    for hour in range(int(begin // HOUR), int(-(-stop // HOUR))):
        t0 = hour * HOUR
        amount = _amount(source, hour, (anchor - t0) / DAY)
        if not amount:
            continue
        prefix = datetime.fromtimestamp(t0, UTC).strftime("%Y-%m-%dT%H:")
        for k in range(amount):
            index = hour * 8 + k
            chance = (index * SILVER * 7.31 + source.number * 0.37) % 1.0
            # The same for all streams, so that the steps of one person follow each other.
            offset = (index * GOLDEN * 5.27) % 1.0 * (HOUR - LATEST) + stream.lag
            if not begin <= t0 + offset < stop or not _kept(stream, t0 + offset, released, chance):
                continue
            person = first + int((index * GOLDEN) % 1.0 * count)
            minutes, seconds = divmod(offset, 60.0)
            session = f"0199b000-{hour // 24 & 0xFFFF:04x}-7000-8000-{person:012d}"
            text = f'{source.texts[index % len(source.texts)]},"$session_id":"{session}"}}'
            yield (
                PROJECT,
                f"0199{source.number:04x}-{hour & 0xFFFF:04x}-7000-8000-{hour >> 16 & 0xF:01x}{k:011x}",
                stream.event,
                f"{prefix}{int(minutes):02d}:{seconds:09.6f}Z",
                distinct_id(person),
                person_id(person),
                text,
                stream.id,
            )


def _amount(source: Source, hour: int, age: float) -> int:
    """How many in this hour, which was `age` days ago when the world was made."""
    stream = source.stream
    grown = 1.0 - max(0.0, min(1.0, age / stream.since))
    share = stream.rises_from + (1.0 - stream.rises_from) * grown
    expected = stream.per_day * share * _BUSY[hour % 24] / _SUM
    return int(expected + (hour * SILVER + source.number * 0.173) % 1.0)


def _kept(stream: Stream, at: float, released: float | None, chance: float) -> bool:
    if stream.begins_with is not None:
        return released is not None and at >= released
    if released is None or at < released:
        return True
    return chance < max(REMAINS, 1.0 - (at - released) / FADES)


def distinct_id(person: int) -> str:
    return f"{person * 0x9E3779B1 & 0xFFFFFFFF:08x}-0000-4000-8000-{person:012d}"


def person_id(person: int) -> str:
    return f"0199f000-0000-7000-8000-{person:012d}"


def recorded(anchor: float) -> Iterator[Row]:
    """What happens in the recordings of the reports."""
    for number, one in enumerate(inbox.recordings(), 1):
        began = anchor - one.hours * HOUR
        facts: dict[str, Any] = {"$pathname": one.path, "$current_url": f"{_SHOP}{one.path}", "$session_id": one.id}
        moments: list[tuple[float, str, Mapping[str, Any]]] = [(1.0, "$pageview", facts)]
        for mark in one.marks:
            if one.error:
                moments.append((mark, "$exception", {**exception(inbox.error(one.error)), **facts}))
            else:
                moments.append((mark, "$rageclick", {**facts, "$el_text": "Save"}))
        for k, (offset, event, properties) in enumerate(moments):
            yield (
                PROJECT,
                f"0199ffff-{number:04x}-7000-8000-{k:012x}",
                event,
                stamp(began + offset),
                one.distinct_id,
                f"0199f0ff-0000-7000-8000-{number:012d}",
                json.dumps(properties, separators=(",", ":")),
                "recordings",
            )


def stamp(at: float) -> str:
    """A time as rows carry it: such texts sort as times do."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
