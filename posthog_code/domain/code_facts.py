"""What is asked of the product about names found in code, and what its answers to queries mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from posthog_code.domain.cloud_parse import seconds
from posthog_code.domain.code_join import ChangedCode, names_of, uses_on_changed_lines, uses_taken_out
from posthog_code.domain.code_use import UseKind
from posthog_code.domain.inbox_parse import decoded, real
from posthog_code.domain.product import CodeError, EventFacts, Flag, ProductFacts
from posthog_code.domain.text import one_line
from posthog_code.domain.touched_code import is_product_code, passed_path

NAMES, PATHS, ERRORS, SESSIONS = 200, 60, 50, 200
"""At most so many names of a kind, files, errors, and recorded sessions of one error are asked for."""
MOST = 2**53
"""No count is larger, whatever a server says."""

EVENTS_QUERY = """
SELECT event, count() AS volume, countIf(timestamp >= now() - INTERVAL 7 DAY) AS week,
    count(DISTINCT person_id) AS people, max(timestamp) AS last_seen
FROM events
WHERE event IN {names} AND timestamp >= now() - INTERVAL 30 DAY AND timestamp <= now() + INTERVAL 1 DAY
GROUP BY event
LIMIT 200
""".strip()
FLAGS_QUERY = """
SELECT properties.$feature_flag AS flag, count() AS evaluations
FROM events
WHERE event = '$feature_flag_called' AND properties.$feature_flag IN {keys}
    AND timestamp >= now() - INTERVAL 7 DAY AND timestamp <= now() + INTERVAL 1 DAY
GROUP BY flag
LIMIT 200
""".strip()
ERRORS_QUERY = f"""
SELECT properties.$exception_issue_id AS issue_id, any(properties.$exception_fingerprint) AS fingerprint,
    any(properties.$exception_types) AS types, any(properties.$exception_list) AS exceptions,
    count() AS occurrences, count(DISTINCT person_id) AS people, max(timestamp) AS last_seen,
    arraySlice(groupUniqArray(properties.$session_id), 1, {SESSIONS}) AS sessions
FROM events
WHERE event = '$exception' AND multiSearchAny(toString(properties.$exception_list), {{files}})
    AND timestamp >= now() - INTERVAL 7 DAY AND timestamp <= now() + INTERVAL 1 DAY
GROUP BY issue_id
ORDER BY occurrences DESC
LIMIT {ERRORS}
""".strip()


@dataclass(frozen=True, slots=True)
class Names:
    """What is asked for."""

    flags: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    """Changed files whose errors are asked for, as they are called in production."""

    def __bool__(self) -> bool:
        return bool(self.flags or self.events or self.paths)


def names_in(code: ChangedCode) -> Names:
    uses = (*uses_on_changed_lines(code), *uses_taken_out(code))
    paths = sorted(
        change.old_path
        for path, change in code.changes.items()
        if change.old_path and is_product_code(path) and (change.added or change.removed)
    )
    return Names(names_of(uses, UseKind.FLAG)[:NAMES], names_of(uses, UseKind.EVENT)[:NAMES], tuple(paths[:PATHS]))


def needles(paths: Iterable[str]) -> tuple[str, ...]:
    """What to search stacks for: the ends of the paths, since a build seldom knows where the repository begins."""
    return tuple(dict.fromkeys("/".join(path.split("/")[-2:]) for path in paths))


def with_events(known: Mapping[str, EventFacts], rows: Iterable[Mapping[str, Any]]) -> dict[str, EventFacts]:
    found = dict(known)
    for row in rows:
        name = str(row.get("event") or "")
        if name in found:
            found[name] = replace(
                found[name],
                volume=_whole(row.get("volume")),
                week=_whole(row.get("week")),
                people=_whole(row.get("people")),
                last_seen=max(_time(row.get("last_seen")), found[name].last_seen),
                # Events come before their definition does.
                defined=found[name].defined or _whole(row.get("volume")) > 0,
            )
    return found


def with_evaluations(known: Mapping[str, Flag], rows: Iterable[Mapping[str, Any]]) -> dict[str, Flag]:
    found = dict(known)
    for row in rows:
        key = str(row.get("flag") or "")
        if key in found:
            found[key] = replace(found[key], evaluations=_whole(row.get("evaluations")))
    return found


def with_last_known(facts: ProductFacts, before: ProductFacts) -> ProductFacts:
    """Facts whose figures could not be read, with those of an earlier time in their place."""
    events = dict(facts.events)
    if facts.partial:
        for name, event in events.items():
            if (known := before.events.get(name)) is not None and known.volume and not event.volume:
                events[name] = replace(
                    event, volume=known.volume, week=known.week, people=known.people, last_seen=known.last_seen
                )
    unread = "error" in facts.unknown and "error" not in before.unknown
    return replace(
        facts,
        events=events,
        errors=before.errors if unread else facts.errors,
        recordings=before.recordings if unread else facts.recordings,
    )


def errors_in(rows: Iterable[Mapping[str, Any]], paths: Sequence[str]) -> tuple[tuple[CodeError, ...], int]:
    """(errors whose stack passes one of these files, sessions in which they occurred)."""
    errors: list[CodeError] = []
    sessions: set[str] = set()
    for row in rows:
        exceptions = _decoded(row.get("exceptions"))
        place = _place(exceptions, paths)
        if place is None:
            continue
        types = _decoded(row.get("types"))
        errors.append(
            CodeError(
                fingerprint=one_line(str(row.get("fingerprint") or "")),
                name=_name(types, exceptions),
                path=place[0],
                line=place[1],
                count=_whole(row.get("occurrences")),
                people=_whole(row.get("people")),
                last_seen=_time(row.get("last_seen")),
                issue_id=one_line(str(row.get("issue_id") or "")),
            )
        )
        ids = _decoded(row.get("sessions"))
        sessions.update(str(one) for one in ids if one) if isinstance(ids, list) else None
    return tuple(errors), len(sessions)


def _place(exceptions: Any, paths: Sequence[str]) -> tuple[str, int] | None:
    """(path, line) of the frame nearest to where it was raised that is in one of the files.

    Frames stand in the order of the calls, the one that raised last."""
    for frame in reversed(_frames(exceptions)):
        names = [str(frame[key]) for key in ("source", "filename", "abs_path") if frame.get(key)]
        if path := passed_path(names, paths):
            return path, _whole(frame.get("line") or frame.get("lineno"))
    return None


def _frames(exceptions: Any) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for one in exceptions if isinstance(exceptions, list) else ():
        stack = one.get("stacktrace") if isinstance(one, Mapping) else None
        frames = stack.get("frames") if isinstance(stack, Mapping) else None
        found += [frame for frame in frames if isinstance(frame, Mapping)] if isinstance(frames, list) else []
    return found


def _name(types: Any, exceptions: Any) -> str:
    candidates = list(types) if isinstance(types, list) else [types] if isinstance(types, str) else []
    for one in exceptions if isinstance(exceptions, list) else ():
        if isinstance(one, Mapping):
            candidates.append(one.get("type"))
    return next((one_line(str(name), 120) for name in candidates if name), "Error")


def _decoded(value: Any) -> Any:
    """Lists come as such, or as JSON."""
    return list(value) if isinstance(value, tuple) else decoded(value)


def _whole(value: Any) -> int:
    """A count or a line; databases give large ones as digits."""
    return int(min(max(real(value), 0.0), MOST))


def _time(value: Any) -> float:
    """UNIX seconds of what a server calls a time; 0.0 when it is none."""
    return max(0.0, seconds(value))
