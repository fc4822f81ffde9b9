"""GitHub's refusals as errors that a person can act on.

Order of tests for 403 and 429: Retry-After or "secondary" -> remaining 0 -> SSO -> permission text -> plain. Every
answer carries `x-ratelimit-reset`, so its presence proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from posthog_code.domain.errors import Conflict, InvalidInput, NotFound, NotSignedIn, Offline, RateLimited, UserError

Headers = Mapping[str, str]
"""Names in lower case."""
SECONDARY_WAIT = 60.0
"""Seconds to wait for a secondary limit that does not say how long."""
_CHANGE = "Change what it names and try again."


def rest_error(
    status: int, headers: Headers, body: Any, *, now: float, host: str, account: str = "", write: bool = False
) -> UserError:
    """The error for a REST answer of 400 or more. `body` is the parsed JSON, or text when it was none; `now` UNIX time
    in s; `account` says in words whose token it was."""
    message, details = _texts(body)
    detail = "\n".join([f"{status} {message}".strip(), *details])
    if status in (403, 429):
        refusal = _refusal(status, headers, message, detail, now, host, account)
        if write and isinstance(refusal, RateLimited):
            refusal.hint = "Try again after that; what was done is kept."
        return refusal
    if status == 401:
        return NotSignedIn(f"{_place(host)} sign-in expired.", "Sign in again.", detail)
    if status == 404:
        return _not_found(detail, host, account, write)
    if status == 409:
        return Conflict(message or "Somebody else changed the same thing first.", "Try again.", detail)
    if status == 410:
        return NotFound("This is gone from GitHub.", "Look at the repository in the browser.", detail)
    if status == 422:
        return _unprocessable(message, details, detail)
    if status == 451 or status >= 500:
        return Offline(f"{_place(host)} has a problem ({status}).", "It is tried again in a while.", detail[:2000])
    return InvalidInput(message or f"{_place(host)} refused the request ({status}).", _CHANGE, detail)


def graphql_error(
    errors: Sequence[Mapping[str, Any]], headers: Headers, *, now: float, host: str, account: str = ""
) -> UserError:
    """The error for a GraphQL answer that is no use without what failed."""
    first = errors[0] if errors else {}
    kind = str(first.get("type") or "")
    message = str(first.get("message") or f"{_place(host)} gave no answer.")
    detail = "\n".join(f"{e.get('type') or 'error'}: {e.get('message')}" for e in errors)
    lower = message.lower()
    if kind == "RATE_LIMITED" or "secondary rate limit" in lower or "rate limit exceeded" in lower:
        return limited(headers, message, detail, now, host)
    if kind in ("FORBIDDEN", "INSUFFICIENT_SCOPES"):
        return NotSignedIn(f"{_place(host)} does not allow this.", _with_account(message, account), detail)
    if kind == "NOT_FOUND":
        return _not_found(detail, host, account, False)
    return InvalidInput(message, "Try again; if it stays, look at the repository in the browser.", detail)


def limited(headers: Headers, message: str, detail: str, now: float, host: str) -> RateLimited:
    """A limit, with the UNIX time from which requests are allowed again."""
    wait = _number(headers.get("retry-after"))
    reset = _number(headers.get("x-ratelimit-reset"))
    if wait is not None:
        until = now + wait
    elif headers.get("x-ratelimit-remaining") == "0" and reset is not None:
        until = max(reset, now)
    else:
        until = now + SECONDARY_WAIT
    seconds = max(1, round(until - now))
    span = f"{seconds} s" if seconds < 120 else f"{round(seconds / 60)} m"
    return RateLimited(f"{_place(host)} asks to wait {span}.", "It goes on by itself.", detail, until=until)


def is_limit(status: int, headers: Headers, body: Any) -> bool:
    if status not in (403, 429):
        return False
    message, _ = _texts(body)
    spent = headers.get("x-ratelimit-remaining") == "0"
    return spent or "retry-after" in headers or "secondary rate" in message.lower()


def _refusal(
    status: int, headers: Headers, message: str, detail: str, now: float, host: str, account: str
) -> UserError:
    lower = message.lower()
    if "retry-after" in headers or "secondary rate" in lower:
        return limited(headers, message, detail, now, host)
    if headers.get("x-ratelimit-remaining") == "0":
        return limited(headers, message, detail, now, host)
    sso = headers.get("x-github-sso", "")
    if sso.startswith("required"):
        found = re.search(r"url=([^;\s]+)", sso)
        link = f" Open {found[1]}" if found else ""
        return NotSignedIn("The organization wants you to sign in with SSO for this token.", link.strip(), detail)
    if "resource not accessible" in lower:
        needed = headers.get("x-accepted-github-permissions", "")
        needs = needed.replace("=", " ").replace("_", " ").replace(",", ", ")
        hint = f"It needs: {needs}." if needs else "Sign in with a token that may write pull requests."
        return NotSignedIn(f"The token{_of(account)} lacks a permission.", hint, detail)
    if status == 429:
        return limited(headers, message, detail, now, host)
    hint = _with_account("Sign in with a token that may do it.", account)
    return NotSignedIn(message or f"{_place(host)} does not allow this.", hint, detail)


def _not_found(detail: str, host: str, account: str, write: bool) -> UserError:
    what = "may not write to this repository" if write else "cannot see this repository"
    return NotFound(
        f"{_place(host)} says not found: the token{_of(account)} {what}, or it is not there.",
        "Check which account and token are used.",
        detail,
    )


def _unprocessable(message: str, details: list[str], detail: str) -> UserError:
    text = "; ".join(details) or message
    lower = f"{message} {text}".lower()
    if "already exists" in lower:
        return Conflict(text, "It can be used instead.", detail)
    if "no commits between" in lower:
        return InvalidInput("There is nothing to merge yet.", "Commit and push something first.", detail)
    if "no history in common" in lower:
        return InvalidInput(text, "The branch belongs to another repository.", detail)
    if "draft pull requests are not supported" in lower:
        return InvalidInput("This repository has no drafts.", "Create it ready for review.", detail)
    if re.search(r"\bhead\b.*invalid", lower):
        return InvalidInput("The branch is not on GitHub.", "Push it, then try again.", detail)
    if re.search(r"\bbase\b.*invalid", lower):
        return InvalidInput("The base branch is not on GitHub.", "Choose another base.", detail)
    return InvalidInput(text or "GitHub could not use the request.", _CHANGE, detail)


def _texts(body: Any) -> tuple[str, list[str]]:
    """`message`, and `errors` as lines: GitHub sends objects for most operations and plain strings for some."""
    if not isinstance(body, Mapping):
        return "", []
    lines = []
    errors = body.get("errors")
    for error in errors if isinstance(errors, list) else [errors] if isinstance(errors, str) else []:
        if isinstance(error, Mapping):
            words = (str(error.get(key)) for key in ("field", "code") if error.get(key))
            lines.append(str(error.get("message") or " ".join(words)))
        else:
            lines.append(str(error))
    return str(body.get("message") or ""), lines


def _place(host: str) -> str:
    return "GitHub" if host in ("", "github.com") else f"GitHub ({host})"


def _of(account: str) -> str:
    return f" from {account}" if account else ""


def _with_account(hint: str, account: str) -> str:
    return " ".join(part for part in (hint, f"The token is from {account}." if account else "") if part)


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
