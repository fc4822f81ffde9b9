"""What HogQL functions become in SQLite: patterns over compiled arguments, and helpers that SQLite lacks."""

from __future__ import annotations

import json
import math
import re
import sqlite3
from typing import Any

from posthog_code.demo.posthog.hogql import times

PLAIN: dict[str, tuple[str, str]] = {
    # name: (SQL with {0}, {1}, …; type of the answer)
    "lower": ("lower({0})", "String"),
    "upper": ("upper({0})", "String"),
    "trim": ("trim({0})", "String"),
    "length": ("length({0})", "Int64"),
    "toString": ("CAST({0} AS TEXT)", "String"),
    "toInt": ("CAST({0} AS INTEGER)", "Int64"),
    "toFloat": ("CAST({0} AS REAL)", "Float64"),
    "abs": ("abs({0})", "Float64"),
    "floor": ("floor({0})", "Float64"),
    "ceil": ("ceil({0})", "Float64"),
    "isNull": ("({0} IS NULL)", "UInt8"),
    "isNotNull": ("({0} IS NOT NULL)", "UInt8"),
    "empty": ("(coalesce({0}, '') = '')", "UInt8"),
    "notEmpty": ("(coalesce({0}, '') <> '')", "UInt8"),
    "not": ("(NOT {0})", "UInt8"),
    "startsWith": ("coalesce(substr({0}, 1, length({1})) = {1}, 0)", "UInt8"),
    "endsWith": ("hog_ends({0}, {1})", "UInt8"),
    "position": ("coalesce(instr({0}, {1}), 0)", "Int64"),
    "match": ("hog_match({0}, {1})", "UInt8"),
    "replaceAll": ("replace({0}, {1}, {2})", "String"),
    "substring": ("substr({0}, {1}, {2})", "String"),
    "intDiv": ("(CAST({0} AS INTEGER) / CAST({1} AS INTEGER))", "Int64"),
    "has": ("hog_has({0}, {1})", "UInt8"),
    "arraySlice": ("hog_slice({0}, {1}, {2})", "Array"),
    "arrayStringConcat": ("hog_joined({0}, {1})", "String"),
    "toUnixTimestamp": ("CAST(strftime('%s', {0}) AS INTEGER)", "Int64"),
    "toHour": ("CAST(substr({0}, 12, 2) AS INTEGER)", "Int64"),
    "toMinute": ("CAST(substr({0}, 15, 2) AS INTEGER)", "Int64"),
    "toYear": ("CAST(substr({0}, 1, 4) AS INTEGER)", "Int64"),
    "toMonth": ("CAST(substr({0}, 6, 2) AS INTEGER)", "Int64"),
    "toDayOfMonth": ("CAST(substr({0}, 9, 2) AS INTEGER)", "Int64"),
    "toDate": ("substr({0}, 1, 10)", "Date"),
    "toStartOfMinute": ("(substr({0}, 1, 16) || ':00.000000Z')", "DateTime"),
    "toStartOfHour": ("(substr({0}, 1, 13) || ':00:00.000000Z')", "DateTime"),
    "toStartOfDay": ("(substr({0}, 1, 10) || 'T00:00:00.000000Z')", "DateTime"),
    "toStartOfFiveMinutes": ("hog_floor({0}, 5, 'minute')", "DateTime"),
    "toStartOfTenMinutes": ("hog_floor({0}, 10, 'minute')", "DateTime"),
    "toStartOfFifteenMinutes": ("hog_floor({0}, 15, 'minute')", "DateTime"),
    "toMonday": ("substr(hog_floor({0}, 1, 'week'), 1, 10)", "Date"),
    "toStartOfMonth": ("substr(hog_floor({0}, 1, 'month'), 1, 10)", "Date"),
}
ON_TIMES = frozenset(name for name in PLAIN if name.startswith("to") and name not in ("toString", "toInt", "toFloat"))
"""Their first argument is a time."""
AGGREGATES: dict[str, tuple[str, str]] = {
    # {0}, {1}: arguments; a type of "" is that of the first argument. "If" forms hand the condition over in {0}.
    "count": ("count({0})", "UInt64"),
    "uniq": ("count(DISTINCT {0})", "UInt64"),
    "uniqExact": ("count(DISTINCT {0})", "UInt64"),
    "sum": ("coalesce(sum({0}), 0)", "Float64"),
    "avg": ("avg({0})", "Float64"),
    "min": ("min({0})", ""),
    "max": ("max({0})", ""),
    "any": ("min({0})", ""),
    "median": ("hog_quantile({0}, 0.5)", "Float64"),
    "argMax": ("hog_argmax({0}, {1})", ""),
    "argMin": ("hog_argmin({0}, {1})", ""),
    "groupArray": ("hog_array({0})", "Array"),
    "groupUniqArray": ("hog_set({0})", "Array"),
}
EXTRACTS = {
    "JSONExtractString": "String",
    "JSONExtractInt": "Int64",
    "JSONExtractFloat": "Float64",
    "JSONExtractBool": "UInt8",
    "JSONExtractRaw": "String",
}


def install(connection: sqlite3.Connection) -> None:
    """Add the helpers to a connection."""
    for name, count, work in (
        ("hog_time", 1, times.normal),
        ("hog_shift", 3, times.shifted),
        ("hog_floor", 3, times.floored),
        ("hog_between", 3, times.between),
        ("hog_match", 2, _match),
        ("hog_ends", 2, lambda text, end: int(str(text or "").endswith(str(end)))),
        ("hog_has", 2, _has),
        ("hog_slice", 3, _slice),
        ("hog_joined", 2, lambda array, mark: str(mark).join(map(str, _listed(array)))),
        ("floor", 1, lambda value: math.floor(value) if isinstance(value, (int, float)) else None),
        ("ceil", 1, lambda value: math.ceil(value) if isinstance(value, (int, float)) else None),
    ):
        connection.create_function(name, count, work, deterministic=True)
    aggregates: tuple[tuple[str, int, Any], ...] = (
        ("hog_quantile", 2, _Quantile),
        ("hog_argmax", 2, lambda: _Best(1)),
        ("hog_argmin", 2, lambda: _Best(-1)),
        ("hog_array", 1, lambda: _Collected(False)),
        ("hog_set", 1, lambda: _Collected(True)),
    )
    for name, count, kind in aggregates:
        connection.create_aggregate(name, count, kind)
    connection.execute("PRAGMA case_sensitive_like = ON")


def _match(text: Any, pattern: Any) -> int:
    return int(re.search(str(pattern), str(text or "")) is not None)


def _listed(array: Any) -> list[Any]:
    """The items of an array, which is JSON; none for what is no array."""
    try:
        listed = json.loads(array) if isinstance(array, str) else None
    except ValueError:
        return []
    return listed if isinstance(listed, list) else []


def _has(array: Any, value: Any) -> int:
    return int(value in _listed(array))


def _slice(array: Any, start: int, length: int) -> str:
    """From the place `start`, which is counted from 1."""
    return json.dumps(_listed(array)[start - 1 : start - 1 + length])


class _Quantile:
    """Between the two values around the level, as ClickHouse's own."""

    def __init__(self) -> None:
        self._values: list[float] = []
        self._level = 0.5

    def step(self, value: Any, level: float) -> None:
        self._level = level
        if isinstance(value, (int, float)):
            self._values.append(value)

    def finalize(self) -> float | None:
        values = sorted(self._values)
        if not values:
            return None
        place = self._level * (len(values) - 1)
        low = int(place)
        high = min(low + 1, len(values) - 1)
        return values[low] + (values[high] - values[low]) * (place - low)


class _Best:
    """The value that stands beside the largest or smallest other one."""

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._best: tuple[Any, Any] | None = None

    def step(self, value: Any, by: Any) -> None:
        if by is None or value is None:
            return
        if self._best is None or (by > self._best[0] if self._sign > 0 else by < self._best[0]):
            self._best = (by, value)

    def finalize(self) -> Any:
        return self._best[1] if self._best is not None else None


class _Collected:
    """Values as a JSON array."""

    def __init__(self, once: bool) -> None:
        self._once = once
        self._values: list[Any] = []

    def step(self, value: Any) -> None:
        if value is not None:
            self._values.append(value)

    def finalize(self) -> str:
        return json.dumps(list(dict.fromkeys(self._values)) if self._once else self._values)
