"""What a product sends: events by the project's token, without any other credential."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Mapping
from typing import Any

from posthog_code.demo.posthog.account import project_token
from posthog_code.demo.posthog.eventstore import EventStore
from posthog_code.demo.posthog.history import Row, stamp
from posthog_code.demo.posthog.signals.shelf import Shelf
from posthog_code.demo.posthog.store import Store
from posthog_code.demo.posthog.wire import Failure, Json, Object, Reply, Request, iso, now, parse_time

PATHS = frozenset({"/i/v0/e", "/e", "/capture", "/batch"})
LARGEST_BATCH = 20_000


class Capture:
    def __init__(self, store: Store, events: EventStore, shelf: Shelf) -> None:
        self._store = store
        self._events = events
        self._shelf = shelf

    def handle(self, request: Request) -> Reply | None:
        """None for a path that is not ours. Raises Failure."""
        if request.path.rstrip("/") not in PATHS:
            return None
        if request.method != "POST":
            raise Failure(405, {"detail": f'Method "{request.method}" not allowed.'})
        body = _body(request)
        batch = body.get("batch")
        listed: list[Any] = batch if isinstance(batch, list) else [body]
        token = str(body.get("api_key") or body.get("token") or "")
        self.take(self._project(token), listed)
        return Reply(200, {"status": "Ok"})

    def _project(self, token: str) -> int:
        for team in self._store.people["organization"]["teams"]:
            if token == project_token(team["id"]):
                return int(team["id"])
        detail = "Project API key invalid. You can find your project API key in PostHog project settings."
        raise Failure(401, {"type": "authentication_error", "code": "invalid_api_key", "detail": detail, "attr": None})

    def take(self, project: int, listed: list[Any]) -> int:
        """Store events, and let errors become signals. Gives how many. Raises Failure."""
        stored = self.store(project, listed)
        for one in listed:
            if one["event"] == "$exception":
                self._signal(project, one.get("properties") or {})
        return stored

    def store(self, project: int, listed: list[Any]) -> int:
        """Raises Failure when one of them is no event; then none is stored."""
        if len(listed) > LARGEST_BATCH:
            raise Failure(413, {"detail": "Too many events."})
        rows = [_row(project, one) for one in listed]
        self._events.insert(rows)
        return len(rows)

    def _signal(self, project: int, properties: Object) -> None:
        fingerprint = str(properties.get("$exception_fingerprint") or "")
        told = properties.get("$exception_list")
        first: Mapping[str, Any] = told[0] if isinstance(told, list) and told and isinstance(told[0], dict) else {}
        name, value = str(first.get("type") or "Error"), str(first.get("value") or "")
        frames = (first.get("stacktrace") or {}).get("frames") or []
        paths = [
            f"{frame.get('source') or frame.get('filename')}:{frame.get('line') or frame.get('lineno') or 1}"
            for frame in reversed(frames)
            if isinstance(frame, dict) and (frame.get("source") or frame.get("filename"))
        ]
        kept = {key: properties[key] for key in properties if not key.startswith("$exception_list")}
        fingerprint = fingerprint or f"{name}:{value}"
        self._shelf.expect(
            {
                "due": now() + float(self._store.config["signal_delay_s"]),
                "project": project,
                "fingerprint": fingerprint,
                "title": name if not value else f"{name}: {value}"[:300],
                "text": value or name,
                "paths": paths,
                "extra": {**kept, "fingerprint": fingerprint, "name": name},
            }
        )


def _body(request: Request) -> Object:
    """Raises Failure for what is not JSON, packed or not."""
    if request.body:
        return request.body
    try:
        raw = request.raw
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
        body: Json = json.loads(raw)
    except (ValueError, OSError, EOFError):
        raise Failure(400, {"type": "validation_error", "code": "invalid_payload", "detail": "Not JSON."}) from None
    if isinstance(body, list):
        body = {"batch": body}
    if not isinstance(body, dict):
        raise Failure(400, {"type": "validation_error", "code": "invalid_payload", "detail": "Not an event."})
    return body


def _row(project: int, one: Any) -> Row:
    """Raises Failure for what is no event."""
    if not isinstance(one, dict) or not isinstance(one.get("event"), str) or not one["event"]:
        raise Failure(400, {"type": "validation_error", "code": "invalid_payload", "detail": "An event has no name."})
    properties = one.get("properties")
    properties = dict(properties) if isinstance(properties, dict) else {}
    person = str(one.get("distinct_id") or properties.get("distinct_id") or "")
    if not person:
        detail = "Event must have a distinct_id"
        raise Failure(400, {"type": "validation_error", "code": "missing_distinct_id", "detail": detail})
    at = parse_time(str(one.get("timestamp") or iso(now())))
    person_id = str(one.get("person_id") or uuid.uuid5(uuid.NAMESPACE_URL, f"posthog-demo/{project}/{person}"))
    text = json.dumps(properties, separators=(",", ":"))
    return (project, str(one.get("uuid") or uuid.uuid4()), one["event"], stamp(at), person, person_id, text, "captured")
