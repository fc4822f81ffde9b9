"""Times as rows carry them: texts in UTC that sort as times do ("2026-05-04T08:00:00.000000Z"); days: "2026-05-04"."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from posthog_code.demo.posthog.hogql.tokens import HogQLError

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
MONTHS = {"month": 1, "quarter": 3, "year": 12}
MONDAY = 4 * 86_400
"""Seconds from the epoch to the first Monday."""


def text_of(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parsed(text: str) -> datetime:
    """Raises HogQLError."""
    try:
        found = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise HogQLError(f"Cannot parse datetime {text!r}") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def normal(value: object) -> str | None:
    """A time from text or from UNIX seconds; None for nothing and for what is none."""
    try:
        if isinstance(value, (int, float)):
            return text_of(datetime.fromtimestamp(value, UTC))
        return text_of(parsed(value)) if isinstance(value, str) else None
    except (HogQLError, OverflowError, ValueError, OSError):
        return None


def shifted(text: str | None, amount: int, unit: str) -> str | None:
    """So many units later (earlier for less than 0)."""
    if text is None:
        return None
    at = parsed(text)
    if unit in SECONDS:
        return text_of(at + timedelta(seconds=amount * SECONDS[unit]))
    months = at.year * 12 + at.month - 1 + amount * MONTHS[unit]
    day = min(at.day, _days(months // 12, months % 12 + 1))
    return text_of(at.replace(year=months // 12, month=months % 12 + 1, day=day))


def _days(year: int, month: int) -> int:
    after = datetime(year + month // 12, month % 12 + 1, 1)
    return (after - timedelta(days=1)).day


def floored(text: str | None, amount: int, unit: str) -> str | None:
    """The start of its hour, day, …, in steps of `amount` units."""
    if text is None:
        return None
    at = parsed(text)
    if unit in MONTHS:
        step = amount * MONTHS[unit]
        months = (at.year * 12 + at.month - 1) // step * step
        return text_of(datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC))
    seconds, step = int(at.timestamp()), amount * SECONDS[unit]
    base = MONDAY if unit == "week" else 0
    return text_of(datetime.fromtimestamp((seconds - base) // step * step + base, UTC))


def between(unit: str, first: str | None, second: str | None) -> int | None:
    """Boundaries of the unit that lie between two times."""
    if first is None or second is None:
        return None
    a, b = floored(first, 1, unit), floored(second, 1, unit)
    if a is None or b is None:
        return None
    start, end = parsed(a), parsed(b)
    if unit in MONTHS:
        return ((end.year - start.year) * 12 + end.month - start.month) // MONTHS[unit]
    return int((end - start).total_seconds()) // SECONDS[unit]


def shown(text: str) -> str:
    """As PostHog's API answers: without a fraction where there is none."""
    return text.replace(".000000Z", "Z")
