"""Changing what becomes of reports, on servers that know more or less of how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from posthog_code.adapters.posthog.calls import filled, is_unknown, part
from posthog_code.adapters.posthog.http import Http, TokenSource
from posthog_code.domain.errors import InvalidInput, NotSignedIn, Offline, RateLimited, UserError
from posthog_code.domain.inbox import DISMISSED, RESOLVED
from posthog_code.domain.inbox_parse import bulk_outcomes
from posthog_code.ports.signals import StateChange

AT_A_TIME = 100
LONGEST_NOTE = 4000
LONGEST_SNOOZE = 100_000
UNTOLD = "PostHog did not say what became of it."


async def change_one(http: Http, tokens: TokenSource, path: str, change: StateChange) -> Any:
    """The server's answer. A report that comes back dismissed although it was to be resolved is on a server that
    cannot do that."""
    return (await _nearest(http, tokens, path, change, {}))[1]


async def change_many(
    http: Http, tokens: TokenSource, reports: str, report_ids: Sequence[str], change: StateChange
) -> Mapping[str, str]:
    """Outcome by id. What stops all of it (no connection, no permission) is raised when nothing was done yet, and is
    the outcome of the rest otherwise."""
    wanted = tuple(dict.fromkeys(filter(None, report_ids)))
    done: dict[str, str] = {}
    bulk = len(wanted) > 1
    for start in range(0, len(wanted), AT_A_TIME):
        some = wanted[start : start + AT_A_TIME]
        try:
            if bulk:
                try:
                    done |= await _bulk(http, tokens, f"{reports}bulk-state/", some, change)
                    continue
                except UserError as error:
                    if not is_unknown(error):
                        raise
                    bulk = False
            for one in some:
                done[one] = await _single(http, tokens, f"{reports}{part(one)}/state/", change)
        except UserError as error:
            if not any(outcome == "" for outcome in done.values()):
                raise
            return {one: done.get(one, error.title) for one in wanted}
    return done


async def _bulk(
    http: Http, tokens: TokenSource, path: str, some: tuple[str, ...], change: StateChange
) -> Mapping[str, str]:
    state, answer = await _nearest(http, tokens, path, change, {"ids": list(some)})
    outcomes = bulk_outcomes(answer, state)
    return {one: outcomes.get(one, UNTOLD) for one in some}


async def _single(http: Http, tokens: TokenSource, path: str, change: StateChange) -> str:
    try:
        await _nearest(http, tokens, path, change, {})
    except (Offline, NotSignedIn, RateLimited):
        raise
    except UserError as error:
        return error.title
    return ""


async def _nearest(
    http: Http, tokens: TokenSource, path: str, change: StateChange, more: Mapping[str, Any]
) -> tuple[str, Any]:
    """Send the change, or what older servers understand of it when it is refused as unknown. The state that was
    accepted, and the answer."""
    bodies = _bodies(change)
    for body in bodies[:-1]:
        try:
            return body["state"], (await http.call("POST", path, tokens, body={**more, **body}, timeout=60.0)).body
        except InvalidInput as error:
            if not error.detail.startswith("HTTP 400"):
                raise
    last = bodies[-1]
    return last["state"], (await http.call("POST", path, tokens, body={**more, **last}, timeout=60.0)).body


def _bodies(change: StateChange) -> list[dict[str, Any]]:
    """What is tried, in this order."""
    least: dict[str, Any] = {"state": change.state}
    if change.snooze_for:
        least["snooze_for"] = min(max(change.snooze_for, 1), LONGEST_SNOOZE)
    whole = least | filled(dismissal_reason=change.reason, dismissal_note=change.note[:LONGEST_NOTE])
    tried = [whole] if whole == least else [whole, least]
    return [*tried, {"state": DISMISSED}] if change.state == RESOLVED else tried
