"""PostHog's MCP server: where it is, and what its answers mean.

Source: Model Context Protocol, transport "Streamable HTTP", and tool results (`content`, `isError`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from posthog_code.domain.errors import InvalidInput
from posthog_code.domain.text import one_line

CLOUD = "https://mcp.posthog.com/mcp"
"""For every region: it finds the account's by itself."""
_NAME_LIMIT = 100
_BRIEF = 2_000
"""Characters of a tool's answer that may still be nothing but an error."""
_AUTH_WORDS = re.compile(r"authentication_(?:failed|error)")
_AUTH_FIELD = re.compile(r"[\"']?(?:type|code|error)[\"']?\s*[:=]\s*[\"']?authentication_(?:failed|error)\b")
_AUTH_FIRST = re.compile(r"\W*(?:error\b[^\n]{0,200}?)?authentication_(?:failed|error)\b", re.IGNORECASE)
_SCOPE = re.compile(r"\b([a-z][a-z_]*:(?:read|write|\*))(?![a-z])")


@dataclass(frozen=True, slots=True)
class McpState:
    """How it stands with PostHog's tools for the agents of a repository."""

    word: str
    tone: str
    """failed, waiting, running, success or neutral."""
    detail: str
    """One sentence or two."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request in what an agent sent."""

    id: int | str
    method: str
    tool: str = ""
    """Of tools/call."""


def server_url(host: str, region: str, chosen: str = "") -> str:
    """The address of the server for an account; `chosen` is what a person set instead.

    Raises InvalidInput for an address to which a credential would travel without encryption.
    """
    url = chosen.strip() or (CLOUD if region else f"{host.rstrip('/')}/mcp")
    try:
        parts = urlsplit(url)
        name, _port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise InvalidInput(f"“{one_line(url, 100)}” is no address of an MCP server.", "Use a URL.") from error
    if not name or parts.scheme not in ("http", "https") or parts.username or any(c.isspace() for c in url):
        raise InvalidInput(f"“{one_line(url, 100)}” is no address of an MCP server.", "Use a URL.")
    if parts.scheme == "http" and not _is_loopback(name):
        raise InvalidInput(f"{name} would be asked without encryption.", "Use its https address.")
    return url


def asked(message: Any) -> tuple[Asked, ...]:
    """The requests in a message or a batch; notifications and answers are none."""
    found = []
    for one in message if isinstance(message, list) else [message]:
        if isinstance(one, Mapping) and isinstance(one.get("method"), str) and _is_id(one.get("id")):
            params = one.get("params")
            name = params.get("name") if isinstance(params, Mapping) and one["method"] == "tools/call" else ""
            found.append(Asked(one["id"], one["method"], one_line(name, _NAME_LIMIT) if isinstance(name, str) else ""))
    return tuple(found)


def answers(message: Any) -> Iterator[Mapping[str, Any]]:
    """The answers in a message or a batch."""
    for one in message if isinstance(message, list) else [message]:
        if isinstance(one, Mapping) and _is_id(one.get("id")) and ("result" in one or "error" in one):
            yield one


def is_auth_failure(answer: Mapping[str, Any]) -> bool:
    """Whether an answer says that the credential was refused, so that nothing was done.

    The server tells so within an ordinary answer. A long result that merely has the words in it is none: repeating
    the call would do its work twice.
    """
    if answer.get("error") is not None:
        return _AUTH_WORDS.search(_dump(answer["error"])) is not None
    text, failed = _result_text(answer)
    if failed:
        return _AUTH_WORDS.search(text) is not None
    return len(text) <= _BRIEF and (_AUTH_FIELD.search(text) or _AUTH_FIRST.match(text)) is not None


def missing_scope(answer: Mapping[str, Any]) -> str:
    """The permission that a failed answer names as missing; "" when it does not."""
    if answer.get("error") is not None:
        text = _dump(answer["error"])
    else:
        text, failed = _result_text(answer)
        if not failed:
            return ""
    return scope_in(text)


def scope_in(text: str) -> str:
    """The permission that a refusal names, as in "requires scope 'insight:read'"."""
    match = _SCOPE.search(text[:_BRIEF])
    return match[1] if match and re.search(r"scope|permission", text[:_BRIEF], re.IGNORECASE) else ""


def outcome(answer: Mapping[str, Any]) -> str:
    """ok, or error: what the log says of a tool call."""
    failed = answer.get("error") is not None or _result_text(answer)[1]
    return "error" if failed else "ok"


def error_answer(requests: tuple[Asked, ...], words: str, code: int, *, batch: bool = False) -> Any:
    """An answer of ours: one error for each request (JSON-RPC 2.0)."""
    error = {"code": code, "message": words}
    every = [{"jsonrpc": "2.0", "id": one.id, "error": error} for one in requests]
    if batch and every:
        return every
    return every[0] if every else {"jsonrpc": "2.0", "id": None, "error": error}


def _result_text(answer: Mapping[str, Any]) -> tuple[str, bool]:
    """The text of a tool's result, and whether it says of itself that it failed."""
    result = answer.get("result")
    if not isinstance(result, Mapping):
        return "", False
    content = result.get("content")
    parts = [
        block["text"]
        for block in (content if isinstance(content, list) else ())
        if isinstance(block, Mapping) and isinstance(block.get("text"), str)
    ]
    return "\n".join(parts), result.get("isError") is True


def _dump(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        return ""


def _is_id(value: Any) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool)


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
