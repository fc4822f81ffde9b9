"""Figures of changed code after a release beside those of the time before, with a guard against noise.

The time before is the same hours of the day, on each of up to seven days before the release: a night is never compared
with a day. Counts are taken for Poisson counts that may vary more than that: how much more, the hours before tell.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from posthog_code.domain.release_watch import Direction, Metric
from posthog_code.domain.release_words import hours_words, verdict
from posthog_code.domain.text import count, plural

HOUR = 3600.0
DAYS_BEFORE = 7
HOURS_BEFORE = DAYS_BEFORE * 24
HOURS_AFTER = 24
SHOWN_BEFORE = 14
"""Hours before the release that the graph shows."""
ENOUGH = 0.5
"""Hours after the release from which on anything is said."""
SURE = 3.0
"""Standard deviations that a difference needs; with ten figures of which none moved, one watch in forty is wrong."""
MOVED = 0.25
"""Least relative change of a count that is told as one."""
FEWEST = 5.0
"""Least difference to what was expected, in occurrences: 1 to 2 errors is nothing."""
DROPPED = 0.5
"""Least relative loss of an event's volume that is told as worse: volumes follow campaigns and weekdays too."""
FUNNEL_MOVED = 0.1
"""Least relative change of the share that goes on."""
FUNNEL_SESSIONS = 30
"""Sessions that a funnel needs on each side."""
NEW_ERROR = 3
"""Occurrences from which on an error seen for the first time counts as a regression."""
NO_TRAFFIC = 0.2
"""Share of the usual page views below which fewer errors prove nothing."""
_BAD_NEWS = re.compile(
    r"(^|[^a-z])(fail(ed|ure|s)?|errors?|timed?[ _-]?out|timeouts?|crash(ed|es)?|exceptions?|abort(ed)?|"
    r"rejected|denied|declined|cancell?ed|retr(y|ied))($|[^a-z])",
    re.I,
)
Hours = Mapping[int, int]
"""Occurrences by hour; the hours are counted from the release, -1 is the last one before it."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Occurrences and the hours in which they were counted, before and after."""

    count_before: float
    hours_before: float
    count_after: float
    hours_after: float
    spread: float = 1.0
    """How much more than a Poisson count it varies (variance over mean of the time before), at least 1."""

    @property
    def before(self) -> float:
        """An hour."""
        return self.count_before / self.hours_before if self.hours_before else 0.0

    @property
    def after(self) -> float:
        return self.count_after / self.hours_after if self.hours_after else 0.0


@dataclass(frozen=True, slots=True)
class ErrorFigure:
    """An error whose stack passes the changed code, or that the report is about."""

    fingerprint: str
    name: str
    path: str = ""
    """The changed file that its stack passes."""
    first_seen: float = 0.0
    after: int = 0
    total: int = 0
    people: int = 0
    place: str = ""
    """`path:line` of a hunk."""


@dataclass(frozen=True, slots=True)
class FunnelFigure:
    """Sessions that sent one event, and those of them that sent another one after it."""

    first: str
    then: str
    started_before: int = 0
    went_before: int = 0
    started_after: int = 0
    went_after: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """What the product tells of one release."""

    released_at: float
    end: float
    """Up to when they reach."""
    errors: tuple[ErrorFigure, ...] = ()
    error_hours: Hours = field(default_factory=dict)
    rage_hours: Hours = field(default_factory=dict)
    rage_known: bool = False
    """Pages were found on which the changed code runs."""
    event_hours: Mapping[str, Hours] = field(default_factory=dict)
    """Of each event of the touched code, also of those that never came."""
    traffic: Hours = field(default_factory=dict)
    """Page views of the whole project; none where it has no pages."""
    funnels: tuple[FunnelFigure, ...] = ()

    @property
    def hours(self) -> float:
        """After the release, at most 24."""
        return max(0.0, min((self.end - self.released_at) / HOUR, float(HOURS_AFTER)))


@dataclass(frozen=True, slots=True)
class Comparison:
    direction: Direction
    """WORSE when anything is worse, BETTER when something is better and nothing worse."""
    metrics: tuple[Metric, ...]
    series: tuple[tuple[float, float], ...]
    new_errors: tuple[str, ...]
    verdict: str
    worst: Metric | None = None


# -- windows and rates -----------------------------------------------------------------------------------------------


def rates(hours: Hours, after: float, first: int) -> Rates:
    """Counts of the `after` hours since the release, and of the same hours of the days before from hour `first` on."""
    whole, part = int(after), after - int(after)
    weights = [(j, 1.0) for j in range(whole)] + ([(whole, part)] if part else [])
    counted, exposure, seen = 0.0, 0.0, []
    for day in range(1, DAYS_BEFORE + 1):
        for j, weight in weights:
            hour = j - 24 * day
            if hour >= first:
                counted += hours.get(hour, 0) * weight
                exposure += weight
                seen.append(hours.get(hour, 0))
    late = sum(n for hour, n in hours.items() if 0 <= hour <= whole)
    return Rates(counted, exposure, float(late), after, _spread(seen))


def _spread(counts: Sequence[int]) -> float:
    if len(counts) < 6 or not any(counts):
        return 1.0
    mean = sum(counts) / len(counts)
    variance = sum((n - mean) ** 2 for n in counts) / (len(counts) - 1)
    return max(1.0, variance / mean)


def score(found: Rates) -> float:
    """Standard deviations between before and after, above 0 for a rise; 0.0 when either was not counted."""
    if not (found.hours_before and found.hours_after):
        return 0.0
    # The square root of a count varies by about 1/2 whatever the count (Anscombe): small counts are not overrated.
    rise = math.sqrt((found.count_after + 0.375) / found.hours_after)
    rise -= math.sqrt((found.count_before + 0.375) / found.hours_before)
    noise = 0.5 * math.sqrt(1 / found.hours_after + 1 / found.hours_before)
    return rise / (noise * math.sqrt(found.spread))


def moved(found: Rates, least: float = MOVED) -> int:
    """1 for more, -1 for fewer, 0 for what may be chance or is too little to matter."""
    expected = found.before * found.hours_after
    difference = found.count_after - expected
    if abs(difference) < FEWEST or abs(difference) < least * expected or abs(score(found)) < SURE:
        return 0
    return 1 if difference > 0 else -1


def share_moved(figure: FunnelFigure) -> int:
    """The same for the share of sessions that goes on."""
    n, m = figure.started_before, figure.started_after
    if min(n, m) < FUNNEL_SESSIONS:
        return 0
    before, after = figure.went_before / n, figure.went_after / m
    together = (figure.went_before + figure.went_after) / (n + m)
    noise = math.sqrt(together * (1 - together) * (1 / n + 1 / m))
    if not noise or abs(after - before) / noise < SURE or abs(after - before) < FUNNEL_MOVED * before:
        return 0
    return 1 if after > before else -1


# -- the comparison --------------------------------------------------------------------------------------------------


def compare(figures: Figures, places: Mapping[str, str] | None = None) -> Comparison:
    """Everything that is known of a release, compared. `places` gives `path:line` by the name of an event."""
    places = places or {}
    first = _first_hour(figures)
    quiet = _quiet(figures, first)
    metrics = [_errors(figures, first, quiet), _new_errors(figures)]
    if figures.rage_known:
        metrics.append(_rage(figures, first, quiet))
    for name, hours in figures.event_hours.items():
        metrics.append(_event(name, rates(hours, figures.hours, first), quiet, places.get(name, "")))
    metrics += [_funnel(one, places.get(one.then, "")) for one in figures.funnels]
    direction = _overall(metrics, figures, first)
    if quiet and direction is Direction.SAME:
        direction = Direction.UNKNOWN
    worst = next((metric for metric in metrics if metric.direction is Direction.WORSE), None)
    return Comparison(
        direction,
        tuple(metrics),
        series(figures),
        tuple(error.name for error in new_errors(figures)),
        verdict(direction, metrics, figures.hours, quiet) if figures.hours >= ENOUGH else "",
        worst,
    )


def _first_hour(figures: Figures) -> int:
    """The first hour before the release of which anything is known: a young project has no seven days."""
    known = [figures.traffic, figures.error_hours, figures.rage_hours, *figures.event_hours.values()]
    return min((hour for hours in known for hour, n in hours.items() if n), default=0)


def _quiet(figures: Figures, first: int) -> bool:
    """Hardly anybody is there since the release: nothing that became less proves anything."""
    found = rates(figures.traffic, figures.hours, first)
    return found.count_before >= FEWEST and found.after < NO_TRAFFIC * found.before and moved(found) < 0


def _known(figures: Figures, found: Rates) -> bool:
    return figures.hours >= ENOUGH and found.hours_before > 0


def _direction(found: Rates, figures: Figures, quiet: bool) -> Direction:
    """Of something that should not happen."""
    if not _known(figures, found):
        return Direction.UNKNOWN
    step = moved(found)
    if step < 0 and quiet:
        return Direction.UNKNOWN
    return Direction.WORSE if step > 0 else Direction.BETTER if step < 0 else Direction.SAME


def _errors(figures: Figures, first: int, quiet: bool) -> Metric:
    found = rates(figures.error_hours, figures.hours, first)
    most = max(figures.errors, key=lambda error: error.total, default=None)
    return Metric(
        "errors",
        "errors per hour",
        found.before,
        found.after,
        _direction(found, figures, quiet),
        _counts(found, "error"),
        most.place if most else "",
    )


def new_errors(figures: Figures) -> tuple[ErrorFigure, ...]:
    """First seen after the release, their stack passes the changed code; the most frequent first."""
    fresh = [e for e in figures.errors if e.path and e.first_seen >= figures.released_at and e.after]
    return tuple(sorted(fresh, key=lambda error: -error.after))


def _new_errors(figures: Figures) -> Metric:
    fresh = new_errors(figures)
    often = any(error.after >= NEW_ERROR for error in fresh)
    direction = Direction.WORSE if often else Direction.SAME if figures.hours >= ENOUGH else Direction.UNKNOWN
    detail = ", ".join(f"{error.name} ({error.after} times)" for error in fresh[:3])
    place = fresh[0].place if fresh else ""
    return Metric("new_errors", "new errors in the changed code", 0.0, float(len(fresh)), direction, detail, place)


def _rage(figures: Figures, first: int, quiet: bool) -> Metric:
    found = rates(figures.rage_hours, figures.hours, first)
    direction = _direction(found, figures, quiet)
    return Metric(
        "rage_clicks", "rage clicks per hour", found.before, found.after, direction, _counts(found, "rage click")
    )


def is_bad_news(event: str) -> bool:
    """Whether an event's name says that something did not work: fewer of them are better."""
    return _BAD_NEWS.search(re.sub(r"([a-z])([A-Z])", r"\1_\2", event).replace("_", " ")) is not None


def _event(name: str, found: Rates, quiet: bool, place: str) -> Metric:
    direction, detail = Direction.SAME, _counts(found, "time")
    if found.hours_after < ENOUGH or not found.hours_before:
        direction = Direction.UNKNOWN
    elif is_bad_news(name):
        step = moved(found)
        direction = (Direction.SAME, Direction.WORSE, Direction.UNKNOWN if quiet else Direction.BETTER)[step]
    elif not found.count_before:
        detail = "new: " + (plural(int(found.count_after), "time") if found.count_after else "not seen yet")
        direction = Direction.SAME if found.count_after else Direction.UNKNOWN
    elif moved(found, DROPPED) < 0:
        direction = Direction.UNKNOWN if quiet else Direction.WORSE
    return Metric(f"event:{name}", f"{name} per hour", found.before, found.after, direction, detail, place)


def _funnel(figure: FunnelFigure, place: str) -> Metric:
    n, m = figure.started_before, figure.started_after
    enough = min(n, m) >= FUNNEL_SESSIONS
    step = share_moved(figure)
    direction = Direction.BETTER if step > 0 else Direction.WORSE if step < 0 else Direction.SAME
    return Metric(
        f"funnel:{figure.first}→{figure.then}",
        f"go on from {figure.first} to {figure.then}",
        figure.went_before / n if n else 0.0,
        figure.went_after / m if m else 0.0,
        direction if enough else Direction.UNKNOWN,
        f"{count(figure.went_before)} of {plural(n, 'session')} before, {count(figure.went_after)} of {count(m)} after",
        place,
    )


def _overall(metrics: Sequence[Metric], figures: Figures, first: int) -> Direction:
    directions = {metric.direction for metric in metrics}
    for found in (Direction.WORSE, Direction.BETTER):
        if found in directions:
            return found
    counted = [figures.traffic, figures.error_hours, *figures.event_hours.values()]
    after = any(hour >= 0 and n for hours in counted for hour, n in hours.items())
    return Direction.SAME if after and first < 0 and Direction.SAME in directions else Direction.UNKNOWN


def series(figures: Figures) -> tuple[tuple[float, float], ...]:
    """For the graph: errors of each hour; the running one as if it went on like this, once a quarter of it is over."""
    found = []
    whole, part = int(figures.hours), figures.hours - int(figures.hours)
    for hour in range(-SHOWN_BEFORE, whole):
        found.append((figures.released_at + hour * HOUR, float(figures.error_hours.get(hour, 0))))
    if part >= 0.25:
        running = figures.error_hours.get(whole, 0) / part
        found.append((figures.released_at + whole * HOUR, round(running, 1)))
    return tuple(found)


def _counts(found: Rates, word: str) -> str:
    before = f"{plural(round(found.count_before), word)} in {plural(round(found.hours_before), 'hour')} before"
    return f"{before}, {count(round(found.count_after))} in {hours_words(found.hours_after)} after"
