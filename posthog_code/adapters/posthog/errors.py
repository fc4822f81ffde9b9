"""What the server refuses, in words for the person."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from posthog_code.adapters.posthog.redact import redact
from posthog_code.domain.cloud_errors import (
    GitHubNeeded,
    MissingArtifacts,
    MissingScope,
    NotReady,
    OutcomeUnknown,
    RunEnded,
    UsageLimit,
)
from posthog_code.domain.cloud_parse import seconds
from posthog_code.domain.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    NotSignedIn,
    Offline,
    RateLimited,
    Refused,
    UserError,
)

_SCOPE = re.compile(r"\b([a-z][a-z_]*:(?:read|write|\*))(?![a-z])")
_WAIT = re.compile(r"available in (\d+) second", re.IGNORECASE)
DEFAULT_WAIT = 10.0
"""Seconds to leave a server alone that asks for it without saying for how long."""
LONGEST_WAIT = 3600.0


def said(body: Any) -> str:
    """What an error body says: at most 500 characters, secrets taken out."""
    if isinstance(body, Mapping):
        error = body.get("error")
        if isinstance(error, Mapping) and isinstance(error.get("message"), str):
            return redact(error["message"])[:500]
        for key in ("error", "detail", "error_description", "message"):
            if isinstance(body.get(key), str) and body[key]:
                return redact(str(body[key]))[:500]
        return ""
    text = str(body or "").strip()
    return "" if looks_like_page(text) else redact(text)[:500]


def looks_like_page(text: str) -> bool:
    head = text[:400].lstrip("\ufeff \t\r\n").lower()
    return head.startswith(("<!doctype html", "<html", "<head", "<?xml")) or "<html" in head


def retry_after(headers: Mapping[str, str], body: Any, now: float, skew: float = 0.0) -> float:
    """UNIX time (of this machine) from which on the server may be asked again; 0.0 when it does not say."""
    told = headers.get("retry-after", "").strip()
    if told:
        try:
            return _bounded(now, now + float(told))
        except ValueError:
            try:
                return _bounded(now, parsedate_to_datetime(told).timestamp() - skew)
            except (ValueError, TypeError, OverflowError):
                pass
    match = _WAIT.search(said(body))
    return _bounded(now, now + float(match[1])) if match else 0.0


def _bounded(now: float, until: float) -> float:
    """Whatever the server says, a person's work goes on within the hour."""
    return min(max(until, now), now + LONGEST_WAIT) if until == until else now


def http_error(
    status: int, headers: Mapping[str, str], body: Any, *, now: float, host: str, skew: float = 0.0, write: bool = False
) -> UserError:
    """The error for an answer of 400 or more. `write`: the request may have changed something."""
    data = body if isinstance(body, Mapping) else {}
    words, code = said(body), str(data.get("code") or "")
    detail = f"HTTP {status}" + (f": {words}" if words else "")
    if status == 401:
        return NotSignedIn(f"{host} does not accept this sign-in any more.", "Sign in again.", detail)
    if code == "github_authorization_required" or "github_authorization_required" in words:
        return GitHubNeeded(
            "PostHog has no access to GitHub for you.", "Connect GitHub in PostHog, then start the run again.", detail
        )
    if status == 403:
        return _forbidden(words, detail, host)
    if status == 429:
        return _too_many(data, headers, body, words, detail, now, skew, host)
    if status == 404:
        return NotFound("It is not there, or not yours to see.", "It may have been deleted in PostHog.", detail)
    if status == 409:
        return Conflict(words or "PostHog refused: something else changed first.", "Refresh and try again.", detail)
    if status == 402:
        return UsageLimit(words or "The plan does not cover this.", "See billing in PostHog.", detail)
    if status >= 500:
        if write and not data:
            return OutcomeUnknown(f"{host} failed to answer.", "What was asked may have been done: look first.", detail)
        return Offline(f"{host} has a problem.", "It is tried again in a while.", detail)
    missing = data.get("missing_artifact_ids")
    if isinstance(missing, list) and missing:
        return MissingArtifacts("Some attachments are not there any more.", "They have to be uploaded again.", detail)
    attr = data.get("attr")
    where = f" ({attr})" if isinstance(attr, str) and attr else ""
    return InvalidInput(f"PostHog refused{where}: {words or f'HTTP {status}'}", "", detail)


def command_error(
    status: int, headers: Mapping[str, str], body: Any, *, now: float, host: str, skew: float = 0.0
) -> UserError:
    """As `http_error`, for the command endpoint, where the same states mean something more exact."""
    data = body if isinstance(body, Mapping) else {}
    words, code = said(body), str(data.get("code") or "")
    detail = f"HTTP {status}" + (f": {words}" if words else "")
    lower = words.lower()
    if status == 400 and (code == "sandbox_not_ready" or "no active sandbox" in lower):
        return NotReady("The run's sandbox is not up yet.", "The message is sent when it is.", detail)
    if status == 409 or (status == 400 and "has ended" in lower):
        return RunEnded("This run has ended.", "It goes on as a new run.", detail)
    if status == 502 and data and ("not reachable" in lower or "failed to queue" in lower):
        return NotReady("The agent in the cloud cannot be reached.", "It is tried again.", detail)
    if status in (408, 500, 502, 504) or (status >= 500 and not data):
        return OutcomeUnknown(
            "No answer came from the cloud.", "The log is looked at before anything is sent again.", detail
        )
    return http_error(status, headers, body, now=now, host=host, skew=skew, write=True)


def rpc_error(error: Mapping[str, Any]) -> UserError:
    """The error of a JSON-RPC answer: the agent got the command and refused it."""
    words = redact(str(error.get("message") or "the command failed"))[:500]
    return Refused(f"The agent refused: {words}", "", f"{error.get('code', '')} {words}".strip())


def _forbidden(words: str, detail: str, host: str) -> UserError:
    lower = words.lower()
    if (match := _SCOPE.search(words)) is not None:
        scope = match[1]
        return MissingScope(
            f"This sign-in lacks the permission {scope}.",
            "Sign in again, or use a personal API key that has it.",
            detail,
            scope=scope,
        )
    if "api key" in lower and "scope" in lower:
        return MissingScope("This sign-in lacks a permission.", "Sign in again with more permissions.", detail)
    if "desktop" in lower and "access" in lower:
        return Refused(words, "Ask an admin of your organization.", detail)
    return MissingScope(
        words or f"{host} does not allow this.", "Ask for access to this project, or sign in as somebody else.", detail
    )


def _too_many(
    data: Mapping[str, Any],
    headers: Mapping[str, str],
    body: Any,
    words: str,
    detail: str,
    now: float,
    skew: float,
    host: str,
) -> UserError:
    code, kind = str(data.get("code") or ""), str(data.get("type") or "")
    if code == "signal_report_task_cap":
        return UsageLimit(
            "Your team has started as many cloud tasks from reports as PostHog allows for now.",
            "There are 10 an hour and 30 a day: start it on this machine, or try again later.",
            detail,
        )
    if code == "usage_limit_exceeded" or kind == "billing_limit":
        span = {"burst": "daily", "sustained": "monthly"}.get(str(data.get("limit_type") or ""), "")
        reset = seconds(data.get("reset_at"))
        title = words or "A usage limit is reached."
        return UsageLimit(
            title, f"The {span} limit resets by itself." if span else "See usage in PostHog.", detail, resets_at=reset
        )
    until = retry_after(headers, body, now, skew) or now + DEFAULT_WAIT
    return RateLimited(
        f"{host} asks to wait.", f"It is asked again in {max(1, round(until - now))} s.", detail, until=until
    )


def not_posthog(host: str, detail: str) -> Offline:
    """Something between here and PostHog answers in its place."""
    return Offline(
        f"Something else answers for {host}.",
        "A sign-in page of this network, a proxy, or a wrong address: open a web page to see.",
        detail,
    )
