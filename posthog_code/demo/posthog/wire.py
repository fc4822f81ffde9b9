"""Requests, replies and refusals, in the shapes of PostHog's API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = Any
Object = dict[str, Any]


@dataclass(slots=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    raw: bytes
    body: Object
    base: str
    """Origin that the client used."""
    user: int = 0
    """Id of the person that the credential belongs to; 0 without one."""
    scopes: frozenset[str] = frozenset()
    facts: Object = field(default_factory=dict)
    """For the journal: what the answer has done."""


@dataclass(slots=True)
class Reply:
    status: int = 200
    body: Json = None
    headers: dict[str, str] = field(default_factory=dict)
    data: bytes | None = None
    """Instead of `body`: bytes as they are."""
    kind: str = "application/json"
    stream: Callable[[Callable[[bytes], None]], None] | None = None
    """Instead of a body: writes until it returns."""


class Failure(Exception):
    """A refusal."""

    def __init__(self, status: int, body: Json, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(str(body))
        self.reply = Reply(status, body, dict(headers or {}))


def invalid(detail: str, attr: str | None = None, code: str = "invalid_input") -> Failure:
    return Failure(400, {"type": "validation_error", "code": code, "detail": detail, "attr": attr})


def required(attr: str) -> Failure:
    return invalid("This field is required.", attr, "required")


def refused(text: str, status: int = 400, **more: Json) -> Failure:
    """The shape of the answers that PostHog's task endpoints write by hand."""
    return Failure(status, {"error": text, **more})


def missing() -> Failure:
    return Failure(404, {"type": "invalid_request", "code": "not_found", "detail": "Not found.", "attr": None})


def forbidden(detail: str) -> Failure:
    return Failure(403, {"type": "authentication_error", "code": "permission_denied", "detail": detail, "attr": None})


def unknown_credential(base: str, told: bool) -> Failure:
    code, detail = ("authentication_failed", "Invalid access token.")
    if not told:
        code, detail = ("not_authenticated", "Authentication credentials were not provided.")
    challenge = f'Bearer resource_metadata="{base}/.well-known/oauth-protected-resource"'
    body = {"type": "authentication_error", "code": code, "detail": detail, "attr": None}
    return Failure(401, body, {"WWW-Authenticate": challenge})


def iso(at: float) -> str:
    """A UNIX time as the API writes it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def stamp(at: float) -> str:
    """A UNIX time as log entries carry it."""
    return iso(at)[:-4] + "Z"


def parse_time(text: str) -> float:
    """Raises Failure for what is no time."""
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError:
        raise invalid("Enter a valid date/time.") from None


def number(text: str | None, default: int, most: int) -> int:
    """A number from a query: what is none counts as the default."""
    try:
        return max(0, min(int(text), most)) if text else default
    except ValueError:
        return default


def paged(request: Request, rows: Iterable[Json], default: int = 100, most: int = 100) -> Reply:
    """The limit/offset envelope."""
    listed = list(rows)
    limit = number(request.query.get("limit"), default, most) or default
    offset = number(request.query.get("offset"), 0, 1 << 30)

    def link(start: int) -> str:
        kept = {name: value for name, value in request.query.items() if name not in ("limit", "offset")}
        query = "&".join(f"{name}={quote(value)}" for name, value in {**kept, "limit": limit, "offset": start}.items())
        return f"{request.base}{request.path}?{query}"

    later = link(offset + limit) if offset + limit < len(listed) else None
    earlier = link(max(0, offset - limit)) if offset else None
    return Reply(
        200,
        {"count": len(listed), "next": later, "previous": earlier, "results": listed[offset : offset + limit]},
    )


def quote(value: object) -> str:
    from urllib.parse import quote as quoted

    return quoted(str(value), safe="")


def now() -> float:
    return time.time()
