"""How urgent a report is for this person: one figure made of reasons that are all shown.

Every factor is a level from 0 to 1 and the fact behind it in words; its weight says how much of 100 it can give. What
is not known gives nothing and says so. Counts go in by their logarithm: from 10 to 100 people matters as much as from
100 to 1,000.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from posthog_code.domain.inbox import Evidence, Factor, Report, Score
from posthog_code.domain.text import age, count, plural

DEFAULT_WEIGHTS: Mapping[str, float] = {
    "people": 22.0,
    "frequency": 12.0,
    "trend": 12.0,
    "severity": 20.0,
    "value": 12.0,
    "closeness": 14.0,
    "age": 8.0,
    "cost": 10.0,
}
"""Those that add make 100. `cost` is taken away."""
LABELS: Mapping[str, str] = {
    "people": "People affected",
    "frequency": "Frequency",
    "trend": "Trend",
    "severity": "Severity",
    "value": "Value",
    "closeness": "Close to your work",
    "age": "Age",
    "cost": "Cost of the fix so far",
}
LARGEST_WEIGHT = 1000.0
UNKNOWN = "unknown"
NOT_READ = "not read yet"

_MOST_PEOPLE = 10_000
_MOST_OCCURRENCES = 100_000
_SURE_TREND = 100
"""Occurrences from which on a trend counts in full."""
_MOST_DOLLARS = 100_000
_MOST_COMMITS = 20
_MOST_TURNS = 50
_MOST_TOKENS = 5_000_000
_OLDEST = 60.0
"""Days after which a report is no news at all."""
_DAY = 86_400.0

_PRIORITY = {"P0": 1.0, "P1": 0.8, "P2": 0.5, "P3": 0.25, "P4": 0.1}
_SOURCE = {"error_tracking": 1.0, "session_replay": 0.7, "zendesk": 0.7, "conversations": 0.7}
_OTHER_SOURCE = 0.5
_SOURCE_SHARE = 0.15
"""How much of the severity the sources make up beside a judged priority."""
_ADDRESSED = 0.25
"""What is left of the severity once somebody is said to have dealt with it."""

_CRITICAL = {
    "payment": "payment", "payments": "payment", "pay": "payment", "checkout": "checkout", "billing": "billing",
    "invoice": "billing", "invoices": "billing", "charge": "payment", "charges": "payment",
    "subscription": "billing", "subscriptions": "billing", "auth": "sign-in", "authentication": "sign-in",
    "login": "sign-in", "signin": "sign-in", "logout": "sign-in", "signup": "sign-up", "register": "sign-up",
    "registration": "sign-up", "oauth": "sign-in", "session": "sign-in", "sessions": "sign-in",
    "password": "sign-in", "cart": "checkout",
}  # fmt: skip
"""Words of a path that say that money or access hangs on it, and what to call that."""
_CRITICAL_LEVEL = 0.6
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True, slots=True)
class Nearness:
    """What of a report's code this person worked on lately."""

    commits: int = 0
    """The person's own commits of the last 90 days that touch it."""
    last: float = 0.0
    """UNIX time of the latest of them."""
    paths: tuple[str, ...] = ()
    """Those of the report's files that they touch."""
    tasks: tuple[str, ...] = ()
    """Titles of open tasks that touch it, besides those made for the report."""
    known: bool = False
    """The repository is here and was looked at."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What tasks made from a report have used so far."""

    tasks: int = 0
    turns: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a report is weighed by."""

    report: Report
    evidence: Evidence | None = None
    nearness: Nearness = Nearness()
    spent: Spent = Spent()
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class _Level:
    value: float
    words: str


def weights(set_by_person: Mapping[str, str]) -> dict[str, float]:
    """The weight of every factor. What is no number from 0 to 1,000 has its default."""
    return {key: _weight(set_by_person.get(key, ""), default) for key, default in DEFAULT_WEIGHTS.items()}


def _weight(text: str, default: float) -> float:
    try:
        value = float(text)
    except (ValueError, TypeError):
        return default
    return value if 0.0 <= value <= LARGEST_WEIGHT else default


def score(facts: Facts, weight: Mapping[str, float]) -> Score:
    """The explained score. Weights are brought to a sum of 100 first, so that the points add up to the total; those of
    zero leave their factor out."""
    whole = sum(value for key, value in weight.items() if key != "cost" and value > 0)
    scale = 100.0 / whole if whole > 0 else 1.0
    factors = []
    for key, measure in _MEASURES.items():
        share = weight.get(key, 0.0) * scale
        if share <= 0 or (key == "cost" and whole <= 0):
            continue
        level = measure(facts)
        points = max(0.0, min(1.0, level.value)) * share
        factors.append(Factor(key, LABELS[key], level.words, (-points or 0.0) if key == "cost" else points, share))
    total = sum(factor.points for factor in factors)
    return Score(facts.report.id, round(max(0.0, min(100.0, total)), 3), tuple(factors))


def order(report: Report, scored: Score) -> tuple[float, str, float, str]:
    """The key by which reports are sorted: total, since no two reports share an id."""
    return -scored.total, report.priority or "P9", -report.updated_at, report.id


def closeness(facts: Facts) -> float:
    """0 to 1: how near a report is to what the person owns or works on, whatever its weight."""
    return _closeness(facts).value


# -- the factors ---------------------------------------------------------------------------------------------------


def _people(facts: Facts) -> _Level:
    evidence = facts.evidence
    if evidence is None:
        return _Level(0.0, NOT_READ)
    if evidence.people <= 0:
        return _Level(0.0, "nobody in 7 days" if evidence.errors and not evidence.problem else UNKNOWN)
    return _Level(_log(evidence.people, _MOST_PEOPLE), f"{plural(evidence.people, 'person', 'people')} in 7 days")


def _frequency(facts: Facts) -> _Level:
    """A signal is an occurrence too: they are all there is where no figures are."""
    events = facts.evidence.events if facts.evidence else 0
    signals = max(0, facts.report.signal_count)
    if max(events, signals) <= 0:
        return _Level(0.0, UNKNOWN)
    words = f"{count(events)}× in 7 days" if events >= signals else plural(signals, "signal")
    return _Level(_log(max(events, signals), _MOST_OCCURRENCES), words)


def _trend(facts: Facts) -> _Level:
    trend = facts.evidence.trend if facts.evidence else 0.0
    if not (trend > 0 and math.isfinite(trend)):
        return _Level(0.0, UNKNOWN)
    if trend < 0.8:
        return _Level(0.0, f"falling, {_times(trend)} the 3 days before")
    # Five times of hardly anything is no trend yet.
    sure = _log(max(facts.evidence.events if facts.evidence else 0, facts.report.signal_count), _SURE_TREND)
    if trend <= 1.25:
        return _Level(_rise(trend) * sure, "as in the 3 days before")
    return _Level(_rise(trend) * sure, f"rising, {_times(trend)} the 3 days before")


def _rise(trend: float) -> float:
    """Nothing at "as before", everything at eight times as often."""
    return min(1.0, max(0.0, math.log2(trend) / 3.0))


def _severity(facts: Facts) -> _Level:
    report = facts.report
    source = max((_SOURCE.get(name, _OTHER_SOURCE) for name in report.sources), default=0.0)
    judged = _PRIORITY.get(report.priority)
    words = [report.priority if judged is not None else "not judged"]
    words += [name.replace("_", " ") for name in report.sources[:2]]
    if judged is None and not report.sources:
        return _Level(0.0, UNKNOWN)
    level = (1 - _SOURCE_SHARE) * (judged if judged is not None else 0.3 * source) + _SOURCE_SHARE * source
    if report.already_addressed:
        level, words = level * _ADDRESSED, [*words, "said to be dealt with"]
    return _Level(level, " · ".join(words))


def _value(facts: Facts) -> _Level:
    evidence = facts.evidence
    if evidence is None:
        return _Level(0.0, NOT_READ)
    level, words = 0.0, []
    if evidence.dollar_value > 0 and math.isfinite(evidence.dollar_value):
        level = _log(evidence.dollar_value, _MOST_DOLLARS)
        words.append(f"${count(round(evidence.dollar_value))}")
    places = [error.place for error in evidence.errors]
    if critical := critical_path((*evidence.paths, *places)):
        level = max(level, _CRITICAL_LEVEL)
        words.append(f"{critical} path")
    return _Level(level, " · ".join(words) or UNKNOWN)


def critical_path(paths: Iterable[str]) -> str:
    """What hangs on these files when their names tell of money or access ("payment", "sign-in"), else ""."""
    for path in paths:
        for word in _WORDS.findall(path):
            if found := _CRITICAL.get(word.lower()):
                return found
    return ""


def _closeness(facts: Facts) -> _Level:
    near, words, away = facts.nearness, [], 1.0
    if near.commits > 0:
        away *= 1 - (0.35 + 0.55 * _log(near.commits, _MOST_COMMITS))
        where = near.paths[0].rpartition("/")[2] if len(near.paths) == 1 else plural(len(near.paths), "file")
        since = age(max(0.0, facts.now - near.last))
        last = f", last {'just now' if since == 'now' else since + ' ago'}" if near.last else ""
        words.append(f"{plural(near.commits, 'commit')} of yours to {where}{last}")
    if near.tasks:
        away *= 1 - 0.3
        words.append(f"{plural(len(near.tasks), 'open task')} on it")
    if facts.report.for_me:
        away *= 1 - 0.5
        words.append("you are a suggested reviewer")
    if words:
        return _Level(1 - away, " · ".join(words))
    if near.known:
        return _Level(0.0, "nothing of yours in 90 days")
    return _Level(0.0, UNKNOWN if facts.evidence else NOT_READ)


def _age(facts: Facts) -> _Level:
    """News first: a report loses its points over two months."""
    since = facts.report.created_at or facts.report.updated_at
    if not since:
        return _Level(0.0, UNKNOWN)
    old = max(0.0, facts.now - since)
    words = age(old)
    return _Level(1.0 - _log(old / _DAY, _OLDEST), "new" if words == "now" else f"{words} old")


def _cost(facts: Facts) -> _Level:
    spent = facts.spent
    if not spent.tasks:
        return _Level(0.0, "nothing spent yet")
    level = max(_log(spent.turns, _MOST_TURNS), _log(spent.tokens, _MOST_TOKENS) if spent.tokens > 10_000 else 0.0)
    words = f"{plural(spent.turns, 'turn')} in {plural(spent.tasks, 'task')}"
    return _Level(level, f"{words}, {count(spent.tokens)} tokens" if spent.tokens else words)


_MEASURES = {
    "people": _people,
    "frequency": _frequency,
    "trend": _trend,
    "severity": _severity,
    "value": _value,
    "closeness": _closeness,
    "age": _age,
    "cost": _cost,
}


def _log(value: float, most: float) -> float:
    """0 for nothing, 1 from `most` on; equal steps for equal ratios."""
    if not value > 0:
        return 0.0
    return min(1.0, math.log1p(min(value, most)) / math.log1p(most))


def _times(ratio: float) -> str:
    return f"{ratio:.1f}×" if ratio < 9.95 else f"{ratio:.0f}×"
