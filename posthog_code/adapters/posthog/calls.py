"""What all calls of the API have in common: parts of paths, bodies without empty fields, pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from posthog_code.adapters.posthog.http import Http, TokenSource
from posthog_code.domain import cloud_parse as parse
from posthog_code.domain.errors import InvalidInput, NotFound, UserError

PAGES = 50


def part(value: str) -> str:
    """One segment of a path: an id of the server never leads elsewhere."""
    return quote(value, safe="-_.~", errors="replace") if value not in (".", "..") else "_"


def filled(**fields: Any) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value}


def is_unknown(error: UserError) -> bool:
    """Whether the server has no such endpoint (or says so, which is the same to us)."""
    return isinstance(error, NotFound) or (isinstance(error, InvalidInput) and error.detail.startswith("HTTP 405"))


async def pages(
    http: Http,
    tokens: TokenSource,
    path: str,
    params: Mapping[str, Any],
    *,
    most: int = PAGES,
    enough: int = 0,
) -> tuple[Mapping[str, Any], ...]:
    """All results, of at most `most` pages, or until there are `enough`.

    `next` is followed on our own host, whatever origin it names."""
    found: list[Mapping[str, Any]] = []
    seen = {path}
    query: Mapping[str, Any] | None = params
    for _ in range(most):
        answer = await http.call("GET", path, tokens, params=query)
        found += parse.objects(answer.body)
        following = parse.text(parse.mapping(answer.body).get("next"))
        if not following or (enough and len(found) >= enough):
            break
        try:
            parts = urlsplit(following)
        except ValueError:
            break
        path, query = parts.path + (f"?{parts.query}" if parts.query else ""), None
        if path in seen or not path.startswith("/api/"):
            break
        seen.add(path)
    return tuple(found)
