"""Telling a project something that was learned here.

PostHog makes signals of error tracking issues, and issues of `$exception` events: a signal goes out as one of these
(https://posthog.com/docs/error-tracking/installation/manual)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from posthog_code import __version__
from posthog_code.adapters.posthog.answers import Answer
from posthog_code.adapters.posthog.errors import http_error, looks_like_page, not_posthog
from posthog_code.adapters.posthog.http import Http, TokenSource
from posthog_code.domain import cloud_parse as parse
from posthog_code.domain.errors import Refused, UserError
from posthog_code.domain.inbox_parse import words
from posthog_code.domain.text import one_line
from posthog_code.ports.signals import OutgoingSignal

CAPTURE = "/i/v0/e/"
LONGEST_TEXT = 4000
MOST_PROPERTIES = 100
DEEPEST = 4


class Emitter:
    """Sends events into one project. Holds its write-only token, in memory."""

    def __init__(
        self,
        http: Http,
        capture: Http,
        tokens: TokenSource,
        project_id: int,
        distinct_id: str,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`capture` is where events go. `distinct_id` names the person in whose project it is."""
        self._http, self._capture, self._tokens = http, capture, tokens
        self._project_id, self._distinct_id, self._now = project_id, distinct_id, now
        self._token = ""

    async def send(self, signal: OutgoingSignal) -> None:
        """Sent once. Raises OutcomeUnknown when no answer came, Refused when the project takes no events."""
        token = self._token or await self._read_token()

        def refused(answer: Answer) -> UserError | None:
            if answer.status not in (400, 401, 403):
                return None
            self._token = ""  # it may have been changed in the project's settings
            if looks_like_page(str(answer.body)):
                return not_posthog(self._capture.host, f"HTTP {answer.status}")
            error = http_error(answer.status, {}, answer.body, now=self._now(), host=self._capture.host)
            # Not the sign-in is refused: that stays out of it.
            words = "PostHog did not take the signal."
            return Refused(words, "See whether the project takes events.", error.detail.replace(token, "…"))

        # What it answers differs between versions, and says nothing but yes.
        answer = await self._capture.call(
            "POST", CAPTURE, body=self._event(signal, token), raw=True, most=100_000, own_limit=True, error=refused
        )
        if looks_like_page(str(answer.body)):
            raise not_posthog(self._capture.host, "a web page instead of an answer")
        self._token = token

    def _event(self, signal: OutgoingSignal, token: str) -> dict[str, Any]:
        exception = {
            "type": one_line(signal.title, 200) or "Signal",
            "value": words(signal.text)[:LONGEST_TEXT],
            "mechanism": {"handled": True, "synthetic": True, "type": "generic"},
        }
        properties = _plain(signal.properties) | {
            "$exception_list": [exception],
            "$exception_fingerprint": one_line(signal.fingerprint, 200),
            "$exception_level": "error",
            "$process_person_profile": False,
            "$lib": "posthog-code-py",
            "$lib_version": __version__,
            "signal_kind": signal.kind,
        }
        # The server's time: a machine with a wrong clock would report from another day.
        at = datetime.fromtimestamp(self._now() + self._http.skew, UTC)
        return {
            "api_key": token,
            "event": "$exception",
            "distinct_id": self._distinct_id,
            "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "properties": properties,
        }

    async def _read_token(self) -> str:
        answer = await self._http.call("GET", f"/api/projects/{self._project_id}/", self._tokens)
        token = parse.text(parse.mapping(answer.body).get("api_token")).strip()
        if not token:
            raise Refused("PostHog does not tell the project's token.", "Signals can be sent once you may read it.")
        return token


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """Properties that are JSON and no more than make sense of an event."""
    return {words(key): _simple(one, DEEPEST) for key, one in list(value.items())[:MOST_PROPERTIES]}


def _simple(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping) and depth:
        return {words(str(key)): _simple(one, depth - 1) for key, one in list(value.items())[:MOST_PROPERTIES]}
    if isinstance(value, list | tuple | set | frozenset) and depth:
        return [_simple(one, depth - 1) for one in list(value)[:MOST_PROPERTIES]]
    return words(str(value))[:LONGEST_TEXT]
