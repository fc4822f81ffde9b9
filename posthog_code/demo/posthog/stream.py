"""A run's events as they happen: server-sent events."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable

from posthog_code.demo.posthog.runlog import RunLog
from posthog_code.demo.posthog.wire import Failure, Object, Reply, Request

KEEPALIVE = b'event: keepalive\ndata: {"type":"keepalive"}\n\n'
ROTATED = b'event: end\ndata: {"type":"rotated"}\n\n'
NOT_AVAILABLE = b'event: error\ndata: {"error":"Stream not available"}\n\n'
COMPLETE = b'event: stream-end\ndata: {"status":"complete"}\n\n'


def stream_reply(request: Request, log: RunLog, config: Object) -> Reply:
    """Raises Failure for a client that cannot read it."""
    accept = request.headers.get("Accept", "*/*")
    if not any(kind in accept for kind in ("text/event-stream", "*/*", "text/*")):
        detail = "Could not satisfy the request Accept header."
        raise Failure(406, {"type": "invalid_request", "code": "not_acceptable", "detail": detail, "attr": None})
    position = _position(request, log)
    facts = request.facts
    facts["sse"] = {"events": 0, "first": "", "last": "", "keepalives": 0, "end": ""}

    def serve(write: Callable[[bytes], None]) -> None:
        place, told = position, facts["sse"]

        def more() -> bool:
            return log.ended or (bool(log.events) and log.newest() > (place or (0, -1)))

        until = time.monotonic() + float(config["stream_max_s"])
        given_up = time.monotonic() + float(config["stream_wait_s"])
        while True:
            with log.changed:
                found = log.after(place)
                if not found and not log.ended:
                    end = until if log.sent else min(until, given_up)
                    left = min(float(config["keepalive_s"]), max(0.0, end - time.monotonic()))
                    log.changed.wait_for(more, left)
                    found = log.after(place)
                ended = log.ended
            for milliseconds, count, text in found:
                place = (milliseconds, count)
                name = f"{milliseconds}-{count}"
                if not config["sse_ascii"]:
                    text = json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
                write(f"id: {name}\ndata: {text}\n\n".encode())
                told["events"] += 1
                told["first"] = told["first"] or name
                told["last"] = name
            if not found and ended:
                told["end"] = "complete"
                write(b"" if config["older"] else COMPLETE)
                return
            if time.monotonic() >= until:
                told["end"] = "rotated"
                write(b"" if config["older"] else ROTATED)
                return
            if not log.sent and time.monotonic() >= given_up:
                told["end"] = "error"
                write(NOT_AVAILABLE)
                return
            if not found:
                told["keepalives"] += 1
                write(KEEPALIVE)

    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return Reply(200, headers=headers, kind="text/event-stream", stream=serve)


def _position(request: Request, log: RunLog) -> tuple[int, int] | None:
    """The event after which to begin; None for the oldest that is kept."""
    last = request.headers.get("Last-Event-ID", "")
    if last:
        found = re.fullmatch(r"(\d+)-(\d+)", last)
        return (int(found[1]), int(found[2])) if found else None
    return log.newest() if request.query.get("start") == "latest" else None
