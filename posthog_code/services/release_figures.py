"""The figures of changed code around a release: at most four queries, each bounded in time and rows."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

from posthog_code.domain import code_facts
from posthog_code.domain.ids import TaskId
from posthog_code.domain.inbox_parse import decoded, real
from posthog_code.domain.release_compare import (
    HOUR,
    HOURS_AFTER,
    HOURS_BEFORE,
    ErrorFigure,
    Figures,
    FunnelFigure,
)
from posthog_code.domain.release_watch import Metric, ReleaseWatch, TouchedCode
from posthog_code.domain.text import one_line, plural
from posthog_code.ports.signals import ProductSignals, Table

PATHS, NAMES, STEPS, PLACES = 40, 40, 4, 20
"""Files, events, events of funnels, and pages that are asked for at most."""
ERRORS, ROWS = 60, 10_000
"""Rows of an answer. Each error comes with its stack: more of them would be too much for one answer."""
PAIRS = 3
"""Funnels that are kept: those that most sessions began."""
BUSY = 20.0
"""Page views an hour from which on their end tells how far the figures reach."""
LAG = 2.0
"""Hours without any page view of a busy project after which its figures are taken to end there."""
PAGE = "$pageview"

_ERRORS = f"""
SELECT properties.$exception_fingerprint AS fingerprint, any(properties.$exception_issue_id) AS issue_id,
    any(properties.$exception_types) AS types, any(properties.$exception_list) AS exceptions,
    count() AS occurrences, countIf(timestamp >= toDateTime({{released}})) AS late,
    count(DISTINCT person_id) AS people, toUnixTimestamp(min(timestamp)) AS first_seen
FROM events
WHERE event = '$exception' AND (<which>) AND timestamp >= toDateTime({{oldest}}) AND timestamp < toDateTime({{upto}})
GROUP BY fingerprint
ORDER BY occurrences = late DESC, occurrences DESC
LIMIT {ERRORS}
"""
_PLACES = f"""
SELECT properties.$pathname AS place, count() AS volume
FROM events
WHERE (<which>) AND timestamp >= toDateTime({{start}}) AND timestamp < toDateTime({{upto}})
GROUP BY place
ORDER BY volume DESC
LIMIT {PLACES}
"""
_HOURS = f"""
SELECT intDiv(toUnixTimestamp(timestamp) - {{zero}}, 3600) AS slot, event, count() AS volume
FROM events
WHERE (<which>) AND timestamp >= toDateTime({{start}}) AND timestamp < toDateTime({{upto}})
GROUP BY slot, event
ORDER BY slot
LIMIT {ROWS}
"""
_FUNNELS = """
SELECT late, <sums>
FROM (
    SELECT properties.$session_id AS session, if(min(timestamp) >= toDateTime({released}), 1, 0) AS late, <firsts>
    FROM events
    WHERE event IN {names} AND isNotNull(properties.$session_id)
        AND timestamp >= toDateTime({start}) AND timestamp < toDateTime({upto})
    GROUP BY session
) AS sessions
GROUP BY late
"""
_BEFORE = """
SELECT event = '$exception' AS failed, count() AS volume, count(DISTINCT person_id) AS people,
    count(DISTINCT properties.$session_id) AS sessions
FROM events
WHERE (<which>) AND timestamp >= toDateTime({start}) AND timestamp < toDateTime({upto})
GROUP BY failed
"""


@dataclass(frozen=True, slots=True)
class Reading:
    figures: Figures
    note: str = ""
    """What a person should know of them: they do not reach up to now, or there was too much to count."""


async def read_figures(signals: ProductSignals, watch: ReleaseWatch, now: float) -> Reading:
    """Raises what the port does; nothing of the watch is changed by that."""
    end = min(now, watch.until)
    ask = _Asking(signals, watch, end)
    errors = await ask.errors()
    fingerprints = tuple(error.fingerprint for error in errors)
    places = await ask.places(fingerprints)
    hours = await ask.hours(fingerprints, places)
    names = tuple(watch.events)[:NAMES]
    traffic = hours.get(PAGE, {})
    reach = _reach(traffic, watch.released_at, end)
    figures = Figures(
        watch.released_at,
        reach,
        errors,
        hours.get("$exception", {}),
        hours.get("$rageclick", {}),
        bool(places),
        {name: hours.get(name, {}) for name in names},
        traffic,
        await ask.funnels(hours, names),
    )
    if ask.cut:
        return Reading(figures, "There is more than could be counted; the figures are of the most frequent part.")
    if reach < end:
        return Reading(
            figures, f"The figures end {plural(round((end - reach) / HOUR), 'hour')} ago: nothing came since."
        )
    return Reading(figures)


async def read_before_merge(
    signals: ProductSignals, touched: TouchedCode, names: Sequence[str], now: float
) -> tuple[Metric, ...]:
    """What touches this code in the last seven days, before it is merged: counts, not rates."""
    watch = ReleaseWatch(task_id=TaskId(""), released_at=now, until=now, touched=touched)
    ask = _Asking(signals, watch, now)
    errors = await ask.errors(since=now - HOURS_BEFORE * HOUR)
    fingerprints = tuple(error.fingerprint for error in errors)
    rows = await ask.around(fingerprints, tuple(names)[:NAMES])
    failed = next((row for row in rows if _number(row.get("failed"))), {})
    fine = next((row for row in rows if not _number(row.get("failed"))), {})
    told = ", ".join(f"{error.name} ({plural(error.total, 'time')})" for error in errors[:3])
    place = next((error.place for error in errors if error.place), "")
    counted = [
        ("errors", "errors that pass the changed code", failed.get("volume"), told, place),
        ("people", "people who met them", failed.get("people"), "", ""),
        ("recordings", "sessions in which they occurred", failed.get("sessions"), "", ""),
        ("uses", "sessions that sent its events", fine.get("sessions"), ", ".join(list(names)[:5]), ""),
    ]
    wanted = [one for one in counted if one[0] != "uses" or names]
    return tuple(Metric(key, label, _number(n), 0.0, detail=text, place=at) for key, label, n, text, at in wanted)


class _Asking:
    """One look at one release."""

    def __init__(self, signals: ProductSignals, watch: ReleaseWatch, end: float) -> None:
        self._signals, self._watch = signals, watch
        self._start = watch.released_at - HOURS_BEFORE * HOUR
        self.cut = False
        """There was more than an answer holds."""
        self._times = {"start": _stamp(self._start), "upto": _stamp(end), "released": _stamp(watch.released_at)}

    async def errors(self, since: float = 0.0) -> tuple[ErrorFigure, ...]:
        """Errors whose stack passes the touched code, and those of the report; looked for in the last 30 days, so that
        one that comes once a week is not called new."""
        watch = self._watch
        clauses: list[str] = []
        values: dict[str, Any] = dict(self._times)
        paths = watch.touched.paths[:PATHS]
        if paths:
            clauses.append("multiSearchAny(toString(properties.$exception_list), {files})")
            values["files"] = list(code_facts.needles(paths))
        if watch.fingerprints:
            clauses.append("properties.$exception_fingerprint IN {fingerprints}")
            values["fingerprints"] = list(watch.fingerprints)
        if not clauses:
            return ()
        values["oldest"] = _stamp(since or watch.released_at - 30 * 24 * HOUR)
        # Those that are new come first, so that none of them is left out for one that comes often.
        table = await self._ask(_of(_ERRORS, clauses), values, "release errors")
        self.cut = self.cut or len(table.rows) >= ERRORS
        # Stacks are long, and each frame is compared with each file: not on the loop.
        found = await asyncio.to_thread(lambda: [self._error(row, paths) for row in table.records()])
        return tuple(sorted((one for one in found if one is not None), key=lambda error: -error.total))

    def _error(self, row: Mapping[str, Any], paths: Sequence[str]) -> ErrorFigure | None:
        passed, _sessions = code_facts.errors_in([row], paths)
        fingerprint = str(row.get("fingerprint") or "")
        if not fingerprint or (not passed and fingerprint not in self._watch.fingerprints):
            return None
        path, line = (passed[0].path, passed[0].line) if passed else ("", 0)
        hunk = self._watch.touched.hunk_for(path, line) if path else None
        return ErrorFigure(
            fingerprint,
            passed[0].name if passed else _type(row.get("types")) or fingerprint,
            path,
            _number(row.get("first_seen")),
            int(_number(row.get("late"))),
            int(_number(row.get("occurrences"))),
            int(_number(row.get("people"))),
            hunk.place if hunk else "",
        )

    async def places(self, fingerprints: Sequence[str]) -> tuple[str, ...]:
        """Pages on which the touched code runs."""
        clauses, values = self._touching(fingerprints, tuple(self._watch.events)[:NAMES])
        if not clauses:
            return ()
        table = await self._ask(_of(_PLACES, clauses), values, "release pages")
        return tuple(str(row["place"]) for row in table.records() if row.get("place"))

    async def hours(self, fingerprints: Sequence[str], places: Sequence[str]) -> dict[str, dict[int, int]]:
        """Occurrences by event, and by hour from the release."""
        names = tuple(dict.fromkeys((*tuple(self._watch.events)[:NAMES], PAGE)))
        clauses, values = self._touching(fingerprints, names)
        if places:
            clauses.append("(event = '$rageclick' AND properties.$pathname IN {places})")
            values["places"] = list(places)
        values["zero"] = int(self._start)
        table = await self._ask(_of(_HOURS, clauses), values, "release hours")
        found: dict[str, dict[int, int]] = {}
        for row in table.records():
            hour = int(_number(row.get("slot"))) - HOURS_BEFORE
            if -HOURS_BEFORE <= hour <= HOURS_AFTER:
                one = found.setdefault(str(row.get("event")), {})
                one[hour] = one.get(hour, 0) + int(_number(row.get("volume")))
        self.cut = self.cut or table.more or len(table.rows) >= ROWS
        return found

    async def funnels(self, hours: Mapping[str, Mapping[int, int]], names: Sequence[str]) -> tuple[FunnelFigure, ...]:
        """Of pairs of the most frequent events, each in the direction that more sessions go."""
        seen = sorted((n for n in names if hours.get(n)), key=lambda name: -sum(hours[name].values()))[:STEPS]
        if len(seen) < 2:
            return ()
        numbers = range(len(seen))
        firsts = [f"minIf(toUnixTimestamp(timestamp), event = {{name{i}}}) AS t{i}" for i in numbers]
        sums = [f"countIf(t{i} > 0) AS began{i}" for i in numbers]
        pairs = list(permutations(numbers, 2))
        sums += [f"countIf(t{i} > 0 AND t{j} >= t{i}) AS went{i}_{j}" for i, j in pairs]
        values = {**self._times, "names": seen, **{f"name{i}": name for i, name in enumerate(seen)}}
        query = _FUNNELS.replace("<sums>", ", ".join(sums)).replace("<firsts>", ", ".join(firsts))
        rows = (await self._ask(query, values, "release funnels")).records()
        late = next((row for row in rows if _number(row.get("late"))), {})
        early = next((row for row in rows if not _number(row.get("late"))), {})

        def figure(i: int, j: int) -> FunnelFigure:
            cells = [_number(row.get(key)) for row in (early, late) for key in (f"began{i}", f"went{i}_{j}")]
            return FunnelFigure(seen[i], seen[j], *(int(n) for n in cells))

        def went(one: FunnelFigure) -> int:
            return one.went_before + one.went_after

        found = [max(figure(i, j), figure(j, i), key=went) for i, j in pairs if i < j]
        return tuple(sorted((one for one in found if went(one)), key=went, reverse=True)[:PAIRS])

    async def around(self, fingerprints: Sequence[str], names: Sequence[str]) -> list[dict[str, Any]]:
        clauses, values = self._touching(fingerprints, names)
        if not clauses:
            return []
        return (await self._ask(_of(_BEFORE, clauses), values, "before the merge")).records()

    def _touching(self, fingerprints: Sequence[str], names: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
        clauses: list[str] = []
        values: dict[str, Any] = dict(self._times)
        if fingerprints:
            clauses.append("(event = '$exception' AND properties.$exception_fingerprint IN {fingerprints})")
            values["fingerprints"] = list(fingerprints)
        if names:
            clauses.append("event IN {names}")
            values["names"] = list(names)
        return clauses, values

    async def _ask(self, hogql: str, values: Mapping[str, Any], name: str) -> Table:
        wanted = {key: value for key, value in values.items() if f"{{{key}}}" in hogql}
        return await self._signals.query(hogql.strip(), wanted, name=name)


def _of(query: str, clauses: Sequence[str]) -> str:
    return query.replace("<which>", " OR ".join(clauses))


def _reach(traffic: Mapping[int, int], released_at: float, end: float) -> float:
    """Up to when there are figures. Servers take events in late, and clocks differ: hours of which nothing has come yet
    would look like hours without errors."""
    before = [n for hour, n in traffic.items() if hour < 0]
    if sum(before) < BUSY * HOURS_BEFORE:
        return end
    last = max((hour for hour, n in traffic.items() if n), default=-1)
    known = released_at + (last + 1) * HOUR
    return end if end - known <= LAG * HOUR or known <= released_at else known


def _type(value: Any) -> str:
    """The first of an error's types, which come as a list or as JSON."""
    value = decoded(value)
    names = value if isinstance(value, (list, tuple)) else [value]
    return next((one_line(str(name), 120) for name in names if name), "")


def _stamp(at: float) -> str:
    """With its zone: a project may have another one."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _number(value: Any) -> float:
    """A count; databases give large ones as digits. 0.0 for what is none."""
    found = float(value) if isinstance(value, bool) else real(value)
    return found if abs(found) < 1e15 else 0.0
