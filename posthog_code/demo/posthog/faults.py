"""Faults that tests ask for, and the journal of what was asked and answered."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from posthog_code.demo.posthog.wire import Failure, Json, Object, Reply, Request

HTTP_KINDS = frozenset({"status", "html", "throttle", "delay", "drop", "truncate", "redirect"})
STREAM_KINDS = frozenset({"drop", "eof", "rotate", "error", "malformed", "duplicate", "reorder", "stall", "split"})
HTML = b"<!doctype html><html><head><title>Error</title></head><body><h1>%d</h1><p>Try again later.</p></body></html>"
SECRET_NAMES = re.compile(r"token|secret|code_verifier|^code$|authorization|signature|password", re.IGNORECASE)
SECRETS = re.compile(r"\bph[aresxc]_[\w-]+")
KEPT = 20_000
"""Requests in the journal."""
SPLIT = 7
"""Bytes in one write of the kind `split`."""


class Dropped(Exception):
    """The connection ends here, without a word."""


class Faults:
    """Rules {"kind", "path": regular expression, "method", "times": 1 (-1: for ever), "skip": 0, ...}.

    HTTP kinds: status {status, body, headers}, html {status}, throttle {retry_after: seconds or null}, delay {seconds},
    drop, truncate, redirect {location}; with "after": true the request takes effect first and only its answer is
    replaced. Stream kinds, taken when a stream opens and done before its event number `after_events` (from 0): drop
    {mid_frame}, eof, rotate, error {text}, malformed {raw}, duplicate {count}, reorder, stall {seconds}, split.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Object] = []
        self._next = 1

    def add(self, rule: Object) -> Object:
        """Raises Failure for a rule that could never fire."""
        kind = str(rule.get("kind", "")).removeprefix("sse_").replace("out_of_order", "reorder")
        if kind == "504":
            rule, kind = {**rule, "status": 504, "after": True}, "status"
        if kind not in HTTP_KINDS | STREAM_KINDS:
            raise Failure(400, {"error": f"unknown kind {kind}"})
        stream = kind in STREAM_KINDS - HTTP_KINDS or (kind == "drop" and "stream" in str(rule.get("path")))
        with self._lock:
            made = {"path": ".*", "times": 1, "skip": 0, "fired": 0, **rule, "kind": kind, "stream": stream}
            made["id"] = self._next
            self._next += 1
            re.compile(made["path"])
            self._rules.append(made)
            return dict(made)

    def listed(self) -> list[Object]:
        with self._lock:
            return [dict(rule) for rule in self._rules]

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def take(self, request: Request, stream: bool) -> Object | None:
        """The first rule that fits this request, used up by one."""
        with self._lock:
            for rule in self._rules:
                if rule["stream"] != stream or rule["times"] == 0:
                    continue
                if rule.get("method", request.method) != request.method or not re.search(rule["path"], request.path):
                    continue
                if rule["skip"] > 0:
                    rule["skip"] -= 1
                    continue
                rule["times"] -= 1
                rule["fired"] += 1
                return dict(rule)
        return None


def replaced(rule: Object, reply: Reply) -> Reply:
    """What the client gets instead. Raises Dropped."""
    match rule["kind"]:
        case "status":
            status = int(rule.get("status", 500))
            body = rule.get(
                "body", {"type": "server_error", "code": "error", "detail": "A server error.", "attr": None}
            )
            return Reply(status, body, dict(rule.get("headers") or {}))
        case "html":
            status = int(rule.get("status", 502))
            return Reply(status, data=HTML % status, kind="text/html; charset=utf-8")
        case "throttle":
            wait = rule.get("retry_after", 1)
            detail = f"Request was throttled. Expected available in {wait or 1} seconds."
            body = {"type": "throttled_error", "code": "throttled", "detail": detail, "attr": None}
            return Reply(429, body, {} if wait is None else {"Retry-After": str(wait)})
        case "redirect":
            return Reply(302, headers={"Location": str(rule.get("location", "http://captive.portal.example/"))})
        case "drop":
            raise Dropped
    return reply


class StreamFault:
    """Between a stream and its connection. `write` raises Dropped where the connection ends."""

    def __init__(self, rule: Object, send: Callable[[bytes], None]) -> None:
        self._rule = rule
        self._send = send
        self._seen = 0
        self._held: bytes | None = None
        self.ended = False
        """The body ends in order, but early."""

    def write(self, data: bytes) -> None:
        if not data.startswith(b"id:"):
            self._out(data)
            return
        number, self._seen = self._seen, self._seen + 1
        if self._held is not None:
            held, self._held = self._held, None
            self._out(data)
            self._out(held)
            return
        if number != int(self._rule.get("after_events", 0)):
            self._out(data)
            return
        match self._rule["kind"]:
            case "drop":
                if self._rule.get("mid_frame"):
                    self._out(data[: len(data) // 2])
                raise Dropped
            case "eof":
                self.ended = True
                raise Dropped
            case "rotate":
                self._out(b'event: end\ndata: {"type":"rotated"}\n\n')
                self.ended = True
                raise Dropped
            case "error":
                text = str(self._rule.get("text", "Stream read error"))
                self._out(b'event: error\ndata: {"error":"%s"}\n\n' % text.encode())
                self.ended = True
                raise Dropped
            case "malformed":
                self._out(str(self._rule.get("raw", 'data: {"type":"notific\n\n')).encode())
            case "duplicate":
                for _ in range(int(self._rule.get("count", 1))):
                    self._out(data)
            case "reorder":
                self._held = data
                return
            case "stall":
                time.sleep(float(self._rule.get("seconds", 1)))
        self._out(data)

    def _out(self, data: bytes) -> None:
        if self._rule["kind"] != "split":
            self._send(data)
            return
        for start in range(0, len(data), SPLIT):
            self._send(data[start : start + SPLIT])


class Journal:
    """Every request but for those below /__demo/, without secrets."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: list[Object] = []
        self._begun = 0

    def begin(self, request: Request) -> Object:
        row: Object = {
            "at": time.time(),
            "method": request.method,
            "path": request.path,
            "query": redacted(request.query),
            "headers": redacted({name: request.headers[name] for name in request.headers}),
            "body": redacted(request.body),
            "status": None,
            "ms": None,
            "faults": [],
        }
        with self._lock:
            self._begun += 1
            row["number"] = self._begun
            self._rows.append(row)
            del self._rows[:-KEPT]
        return row

    def told(self, query: dict[str, str]) -> Object:
        """Rows by `path` (regular expression), `method`, `status`, `since` (number); and counts over all rows."""
        with self._lock:
            rows = list(self._rows)
        chosen = [
            row
            for row in rows
            if re.search(query.get("path", ""), row["path"])
            and query.get("method", row["method"]) == row["method"]
            and query.get("status", str(row["status"])) == str(row["status"])
            and row["number"] > int(query.get("since", "0"))
        ]
        return {"requests": chosen, "counts": _counts(rows)}

    def clear(self) -> None:
        with self._lock:
            self._rows.clear()


def _counts(rows: list[Object]) -> Object:
    asked: Counter[str] = Counter(row["command"] for row in rows if row.get("command"))
    delivered: Counter[str] = Counter(row["command"] for row in rows if row.get("command") and row.get("delivered"))
    streams = [row["sse"] for row in rows if row.get("sse")]
    return {
        "requests": len(rows),
        "status": dict(Counter(str(row["status"]) for row in rows)),
        "commands": dict(asked),
        "commands_delivered": dict(delivered),
        "streams": len(streams),
        "events_sent": sum(told["events"] for told in streams),
        "keepalives": sum(told["keepalives"] for told in streams),
    }


def redacted(value: Json, name: str = "") -> Json:
    """The same without secrets: by name, and by PostHog's prefixes."""
    if isinstance(value, Mapping):
        listed: Mapping[Any, Any] = value
        return {key: redacted(part, str(key)) for key, part in listed.items()}
    if isinstance(value, list):
        return [redacted(part, name) for part in value]
    if isinstance(value, str):
        if SECRET_NAMES.search(name):
            return f"<redacted len={len(value)}>"
        return SECRETS.sub("<redacted>", value)
    return value
