"""What stands behind a report: made of its signals, of the results of its research, and of rows that were queried."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

from posthog_code.domain.cloud_parse import mapping, number, seconds, text
from posthog_code.domain.inbox import Artefact, ErrorSample, Evidence, Recording, Report, ReportSignal
from posthog_code.domain.inbox_parse import decoded, names, real, suggested_reviewers
from posthog_code.domain.inbox_stacks import name_of, place_of
from posthog_code.domain.text import one_line

FINGERPRINTS, SESSIONS, PATHS, COMMITS, FLAGS = 50, 50, 20, 10, 10
"""At most so many of each are asked for or kept."""
KEPT_SIGNALS, KEPT_ARTEFACTS = 60, 60
LONGEST_SIGNAL, LONGEST_NOTE = 2_000, 4_000
LONGEST_ALL = 60_000
"""Characters of all signals, and of all results, that are kept of one report."""
DAYS = 7
_DAY = 86_400.0

_DAY_COUNTS = ",\n    ".join(
    f"countIf(timestamp >= now() - INTERVAL {day + 1} DAY AND timestamp < now() - INTERVAL {day} DAY) AS d{day}"
    if day
    else "countIf(timestamp >= now() - INTERVAL 1 DAY) AS d0"
    for day in range(DAYS)
)
ERRORS_QUERY = f"""
SELECT properties.$exception_fingerprint AS fingerprint, any(properties.$exception_issue_id) AS issue_id,
    any(properties.$exception_types) AS types, any(properties.$exception_list) AS exceptions,
    count() AS occurrences, count(DISTINCT person_id) AS people, min(timestamp) AS first_seen,
    max(timestamp) AS last_seen,
    {_DAY_COUNTS}
FROM events
WHERE event = '$exception' AND properties.$exception_fingerprint IN {{fingerprints}}
    AND timestamp >= now() - INTERVAL {DAYS} DAY AND timestamp <= now() + INTERVAL 1 DAY
GROUP BY fingerprint
LIMIT {FINGERPRINTS}
""".strip()
"""All fingerprints of a report at once, with their occurrences in each of the last seven days."""
PEOPLE_QUERY = f"""
SELECT count(DISTINCT person_id) AS people, count() AS occurrences
FROM events
WHERE event = '$exception' AND properties.$exception_fingerprint IN {{fingerprints}}
    AND timestamp >= now() - INTERVAL {DAYS} DAY AND timestamp <= now() + INTERVAL 1 DAY
""".strip()
"""Who met any of several errors: those of each cannot be added up."""
SESSIONS_QUERY = f"""
SELECT properties.$session_id AS session_id, any(distinct_id) AS person, min(timestamp) AS began,
    max(timestamp) AS ended, countIf(event = '$rageclick') AS rage_clicks, countIf(event = '$exception') AS errors
FROM events
WHERE properties.$session_id IN {{sessions}}
    AND timestamp >= now() - INTERVAL 30 DAY AND timestamp <= now() + INTERVAL 1 DAY
GROUP BY session_id
LIMIT {SESSIONS}
""".strip()

Row = Mapping[str, Any]
T = TypeVar("T")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+\Z")
_LINE = re.compile(r":\d+(?::\d+)?\Z")
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{2}(?:\.\d+)?)\Z")
_PEOPLE_KEYS = ("people", "affected_people", "affected_users", "user_count", "users", "distinct_persons")
_FLAG_KEYS = ("flag", "flag_key", "feature_flag", "feature_flag_key", "flags", "feature_flags")


@dataclass(frozen=True, slots=True)
class Figures:
    """Answers to the queries; None where one was not asked or did not come."""

    errors: Sequence[Row] | None = None
    people: Row | None = None
    sessions: Sequence[Row] | None = None


def bare_path(path: str) -> str:
    """A path without line, scheme and leading dots or slashes."""
    path = _LINE.sub("", path.strip().replace("\\", "/"))
    if "://" in path:
        path = path.partition("://")[2]
    while path.startswith(("./", "../", "/")):
        path = path.partition("/")[2]
    return path


def fingerprints(signals: Iterable[ReportSignal]) -> tuple[str, ...]:
    """Errors that the signals name, each once."""
    found = (one_line(text(signal.extra.get("fingerprint")), 500) for signal in signals)
    return tuple(dict.fromkeys(filter(None, found)))[:FINGERPRINTS]


def session_ids(signals: Iterable[ReportSignal], artefacts: Iterable[Artefact]) -> tuple[str, ...]:
    """Recorded sessions that signals and research name, each once."""
    found = [_session_of(signal) for signal in signals]
    found += [one_line(text(mapping(one.content).get("session_id")), 200) for one in artefacts]
    return tuple(dict.fromkeys(filter(None, found)))[:SESSIONS]


def gather(
    report: Report,
    signals: Sequence[ReportSignal],
    artefacts: Sequence[Artefact],
    figures: Figures = Figures(),
    *,
    flag_keys: Iterable[str] = (),
    now: float = 0.0,
) -> Evidence:
    """The evidence without its links. `flag_keys` are those of the project: which of them the texts name."""
    errors = _errors(signals, figures.errors or (), now)
    recordings = _recordings(signals, artefacts, figures.sessions or ())
    series = [sum(days) for days in zip(*(error.series for error in errors if error.series), strict=True)]
    found = _research(artefacts)
    paths = list(dict.fromkeys([*found.paths, *(error.place for error in errors if error.place)]))[:PATHS]
    return replace(
        found,
        report_id=report.id,
        signals=_within((_cut(signal) for signal in signals[:KEPT_SIGNALS]), lambda one: len(one.content + one.reason)),
        artefacts=_within(map(_cut_artefact, artefacts[:KEPT_ARTEFACTS]), lambda one: len(str(one.content))),
        errors=errors,
        recordings=recordings,
        repository=found.repository or _repository_in(signals),
        paths=tuple(paths),
        flags=_flags(report, signals, artefacts, flag_keys),
        people=_people(errors, signals, figures, now),
        events=number((figures.people or {}).get("occurrences")) or sum(error.count for error in errors),
        trend=trend(series) if any(series) else _trend_of_signals(signals, now),
        of=report.updated_at,
        fetched_at=now,
    )


def trend(series: Sequence[int]) -> float:
    """Occurrences of the last three days against the three before, oldest first; 0.0 when there is nothing to compare.
    Something new counts as if there had been one before."""
    if len(series) < 6:
        return 0.0
    recent, before = sum(series[-3:]), sum(series[-6:-3])
    if recent <= 0 and before <= 0:
        return 0.0
    return (recent or 1) / (before or 1) if recent and before else (recent + 1) / (before + 1)


def figures_problem(problems: Iterable[str]) -> str:
    """One sentence for what could not be read; the rest is there all the same."""
    said = list(dict.fromkeys(filter(None, problems)))
    return " ".join(said)[:500]


# -- errors --------------------------------------------------------------------------------------------------------


def _errors(signals: Iterable[ReportSignal], rows: Iterable[Row], now: float) -> tuple[ErrorSample, ...]:
    """Those of the signals, with figures where there are some; the most frequent first."""
    known: dict[str, ErrorSample] = {}
    for signal in signals:
        fingerprint = one_line(text(signal.extra.get("fingerprint")), 500)
        if fingerprint and fingerprint not in known and len(known) < FINGERPRINTS:
            issue = text(signal.extra.get("issue_id")) or (signal.source_id if signal.source_id != fingerprint else "")
            name = text(signal.extra.get("name")) or signal.content.strip().partition("\n")[0]
            known[fingerprint] = ErrorSample(
                fingerprint,
                one_line(name, 120),
                one_line(text(signal.extra.get("place")), 300),
                issue,
                first_seen=signal.at,
                last_seen=signal.at,
            )
    for row in rows:
        fingerprint = one_line(text(row.get("fingerprint")), 500)
        if fingerprint in known:
            known[fingerprint] = _with_row(known[fingerprint], row, now)
    return tuple(sorted(known.values(), key=lambda one: (-one.count, one.fingerprint)))


def _with_row(error: ErrorSample, row: Row, now: float) -> ErrorSample:
    exceptions = decoded(row.get("exceptions"))
    first = seconds(row.get("first_seen"))
    return replace(
        error,
        name=name_of(decoded(row.get("types")), exceptions) or error.name,
        place=place_of(exceptions) or error.place,
        issue_id=text(row.get("issue_id")) or error.issue_id,
        count=max(0, number(row.get("occurrences"))),
        people=max(0, number(row.get("people"))),
        series=tuple(max(0, number(row.get(f"d{day}"))) for day in reversed(range(DAYS))),
        # The first one in view is the first one there was only if the days before it had none.
        first_seen=first if first > now - (DAYS - 1) * _DAY else min(error.first_seen or first, first),
        last_seen=seconds(row.get("last_seen")) or error.last_seen,
    )


def _people(errors: Sequence[ErrorSample], signals: Iterable[ReportSignal], figures: Figures, now: float) -> int:
    """Everybody who met the errors, was in one of the sessions, or was counted by whoever sent a signal: the largest of
    these, since the same person may be in all of them."""
    met = number((figures.people or {}).get("people")) or max((error.people for error in errors), default=0)
    rows = figures.sessions or ()
    watched = {text(row.get("person")) for row in rows if seconds(row.get("ended")) >= now - DAYS * _DAY} - {""}
    told = max((number(signal.extra.get(key)) for signal in signals for key in _PEOPLE_KEYS), default=0)
    return max(met, len(watched), told, 0)


def _trend_of_signals(signals: Iterable[ReportSignal], now: float) -> float:
    """The same by the times of the signals, of which there should be a few."""
    times = [signal.at for signal in signals if now - DAYS * _DAY < signal.at <= now + _DAY]
    if len(times) < 4:
        return 0.0
    days = [0] * DAYS
    for at in times:
        days[DAYS - 1 - min(DAYS - 1, int(max(0.0, now - at) // _DAY))] += 1
    return trend(days)


# -- recordings ----------------------------------------------------------------------------------------------------


def _recordings(
    signals: Iterable[ReportSignal], artefacts: Iterable[Artefact], rows: Iterable[Row]
) -> tuple[Recording, ...]:
    """One for each session, the ones in which something is marked first."""
    found: dict[str, Recording] = {}
    for signal in signals:
        if session := _session_of(signal):
            what = text(signal.extra.get("segment_title")) or signal.content.strip().partition("\n")[0]
            _put(found, session, signal.extra, what, max(0.0, real(signal.extra.get("session_duration"))))
    for one in artefacts:
        content = mapping(one.content)
        if one.type == "video_segment" and (session := one_line(text(content.get("session_id")), 200)):
            _put(found, session, content, text(content.get("content")), 0.0)
    for row in rows:
        session = one_line(text(row.get("session_id")), 200)
        if session in found:
            known = found[session]
            lasted = max(0.0, seconds(row.get("ended")) - seconds(row.get("began")))
            found[session] = replace(
                known,
                person=known.person or one_line(text(row.get("person")), 80),
                duration=known.duration or lasted,
                what=known.what or _what_happened(row),
            )
    return tuple(sorted(found.values(), key=lambda one: (not one.marks, one.session_id)))[:SESSIONS]


def _put(found: dict[str, Recording], session: str, facts: Row, what: str, duration: float) -> None:
    known = found.get(session, Recording(session))
    began = seconds(facts.get("session_start_time"))
    lasted = duration or max(0.0, seconds(facts.get("session_end_time")) - began if began else 0.0)
    mark = _offset(facts.get("start_time"), began)
    found[session] = Recording(
        session,
        person=known.person or one_line(text(facts.get("distinct_id")), 80),
        what=known.what or one_line(what, 160),
        duration=known.duration or lasted,
        marks=tuple(sorted({*known.marks, mark} if mark is not None else known.marks))[:20],
    )


def _session_of(signal: ReportSignal) -> str:
    named = text(signal.extra.get("session_id")) or text(signal.extra.get("$session_id"))
    if not named and signal.source_type in ("session_problem",):
        named = signal.source_id
    return one_line(named, 200)


def _offset(value: Any, began: float) -> float | None:
    """Seconds into a recording, of seconds, "1:02", or a time of the day."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) if 0 <= value < _DAY else None
    told = text(value).strip()
    if clock := _CLOCK.match(told):
        return int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + float(clock[3])
    at = seconds(told)
    return at - began if at and began and 0 <= at - began < _DAY else None


def _what_happened(row: Row) -> str:
    rage, errors = number(row.get("rage_clicks")), number(row.get("errors"))
    parts = [f"{rage} rage clicks" if rage > 1 else "a rage click" if rage else ""]
    parts += [f"{errors} errors" if errors > 1 else "an error" if errors else ""]
    return ", ".join(filter(None, parts))


# -- research ------------------------------------------------------------------------------------------------------


def _research(artefacts: Iterable[Artefact]) -> Evidence:
    """What the latest results of each kind say. Findings add up."""
    found = Evidence("")
    paths: list[str] = []
    commits: dict[str, str] = {}
    for one in sorted(artefacts, key=lambda artefact: artefact.created_at):
        content = mapping(one.content)
        reason = text(content.get("explanation")).strip()
        if one.type == "priority_judgment":
            dollars = max(0.0, real(content.get("dollar_value")))
            found = replace(found, priority_reason=reason, dollar_value=dollars or found.dollar_value)
        elif one.type == "actionability_judgment":
            found = replace(found, actionability_reason=reason)
        elif one.type == "repo_selection":
            found = replace(found, repository=_repository(text(content.get("repository"))) or found.repository)
        elif one.type == "suggested_reviewers":
            found = replace(found, reviewers=suggested_reviewers(one.content) or found.reviewers)
        elif one.type == "signal_finding":
            paths += names(content.get("relevant_code_paths"))
            reasons = mapping(decoded(content.get("relevant_commit_hashes")))
            commits |= {one_line(text(sha), 64): one_line(text(why), 300) for sha, why in reasons.items()}
        elif one.type == "code_reference":
            path, line = text(content.get("path") or content.get("file_path")), number(content.get("line"))
            paths.append(f"{path}:{line}" if path and line > 0 else path)
    good = [path.strip() for path in paths if bare_path(path) and len(path) < 500]
    kept = dict(list(commits.items())[:COMMITS])
    return replace(found, paths=tuple(dict.fromkeys(good))[:PATHS], commits=kept)


def _repository(name: str) -> str:
    """`owner/name` of a name or an address, in lower case."""
    name = name.strip().strip("/").lower().removesuffix(".git")
    if "://" in name:
        try:
            parts = urlsplit(name).path.strip("/").split("/")
        except ValueError:
            return ""
        name = "/".join(parts[:2])
    return name if _REPOSITORY.match(name) else ""


def _repository_in(signals: Iterable[ReportSignal]) -> str:
    """The repository of an issue among the signals."""
    for signal in signals:
        address = text(signal.extra.get("html_url"))
        if "github" in address.partition("://")[2].partition("/")[0] and (found := _repository(address)):
            return found
    return ""


def _flags(
    report: Report, signals: Sequence[ReportSignal], artefacts: Iterable[Artefact], keys: Iterable[str]
) -> tuple[str, ...]:
    """Flags that signals name as such, and those of the project that the texts name whole."""
    found: list[str] = []
    for facts in (*(signal.extra for signal in signals), *(mapping(one.content) for one in artefacts)):
        for key in _FLAG_KEYS:
            found += [one for one in names(facts.get(key)) if len(one) < 200]
    texts = [report.title, report.summary, *(signal.content for signal in signals)]
    texts += [text(mapping(one.content).get("explanation")) for one in artefacts]
    whole = "\n".join(texts)[:200_000]
    for key in keys:
        # A flag called "search" is a word of any sentence: it has to be marked as code.
        plain = not re.search(r"[-_.\d]", key)
        shape = f"`{re.escape(key)}`" if plain else rf"(?<![\w.-]){re.escape(key)}(?![\w-])"
        if key in whole and re.search(shape, whole):
            found.append(key)
    return tuple(dict.fromkeys(found))[:FLAGS]


def _cut(signal: ReportSignal) -> ReportSignal:
    extra = signal.extra if len(str(signal.extra)) <= LONGEST_NOTE else _short(signal.extra)
    if extra is signal.extra and len(signal.content) <= LONGEST_SIGNAL and len(signal.reason) <= LONGEST_SIGNAL:
        return signal
    return replace(signal, content=signal.content[:LONGEST_SIGNAL], reason=signal.reason[:LONGEST_SIGNAL], extra=extra)


def _short(extra: Row) -> dict[str, Any]:
    """The short ones of a signal's further facts: evidence is kept on disk, and a server may send anything."""
    left, kept = LONGEST_NOTE, {}
    for key, value in extra.items():
        size = len(key) + len(str(value))
        if size <= min(left, LONGEST_SIGNAL):
            kept[key] = value
            left -= size
    return kept


def _within(things: Iterable[T], length: Callable[[T], int]) -> tuple[T, ...]:
    """The first ones, as many as are kept: all evidence is read from the disk before the window is there."""
    left, kept = LONGEST_ALL, []
    for one in things:
        left -= length(one)
        if left < 0:
            break
        kept.append(one)
    return tuple(kept)


def _cut_artefact(one: Artefact) -> Artefact:
    """Research logs may hold whole conversations: they are read on the report's page."""
    return one if len(str(one.content)) <= LONGEST_NOTE else replace(one, content=str(one.content)[:LONGEST_NOTE] + "…")
