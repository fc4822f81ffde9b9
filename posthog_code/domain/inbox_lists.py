"""Lists of reports: tabs, search, a fresh list beside what we knew, and what a person did with single reports."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from enum import StrEnum

from posthog_code.domain.cloud_lists import local_repository
from posthog_code.domain.ids import TaskId
from posthog_code.domain.inbox import DISMISSED, RESOLVED, Evidence, Report, Triage
from posthog_code.domain.state import AppState
from posthog_code.domain.task import Repository, TaskPhase

KEPT_EVIDENCE = 40
MOST_WEIGHED = 30
"""Reports whose evidence is read for the order of the list: the rest is for those that somebody looks at."""
KEPT_TRIAGE = 5_000
MOST_SNOOZE = 100_000
"""Signals that a report can be snoozed for, as the server has it."""
_UNTOUCHED = Triage()
_ACTIONABLE = "immediately_actionable"
_STARTABLE = ("ready", "pending_input")


class Tab(StrEnum):
    FOR_YOU = "for_you"
    ALL = "all"
    SNOOZED = "snoozed"
    DISMISSED = "dismissed"


# -- one report ----------------------------------------------------------------------------------------------------


def is_snoozed(report: Report, triage: Triage) -> bool:
    return report.status not in (DISMISSED, RESOLVED) and report.signal_count < triage.snoozed_signals


def is_dismissed(report: Report, triage: Triage) -> bool:
    """Dismissed at the server, or here and back since without a single new signal."""
    if report.status == RESOLVED:
        return False
    unchanged = triage.dismissed_signals > 0 and report.signal_count <= triage.dismissed_signals
    return report.status == DISMISSED or unchanged


def is_open(report: Report, triage: Triage) -> bool:
    """Whether it is work that waits for somebody: in the tab *All*."""
    return report.status != RESOLVED and not is_snoozed(report, triage) and not is_dismissed(report, triage)


def is_unread(report: Report, triage: Triage | None) -> bool:
    """New, or back after it was put aside, and not looked at since."""
    known = triage or _UNTOUCHED
    return known.seen_at <= 0 and is_open(report, known)


def is_for_you(
    report: Report, evidence: Evidence | None, nearness: float, known: Iterable[Repository], *, taken: bool = False
) -> bool:
    """`nearness` is the closeness factor's level; `taken` says that a task is made from it already.

    A suggested reviewer, code of one's own, or work that can begin at once, that nobody has, in a repository that is
    here.
    """
    if report.for_me or nearness > 0:
        return True
    if report.status != "ready" or report.actionability != _ACTIONABLE or report.already_addressed or taken:
        return False
    if evidence is None or evidence.reviewers or report.pull_request_url:
        return False
    return local_repository(evidence.repository, known) is not None


def in_tab(report: Report, triage: Triage, tab: str, *, for_you: bool = False) -> bool:
    if tab == Tab.SNOOZED:
        return is_snoozed(report, triage) and not is_dismissed(report, triage)
    if tab == Tab.DISMISSED:
        return is_dismissed(report, triage)
    return is_open(report, triage) and (tab != Tab.FOR_YOU or for_you)


def can_start(report: Report) -> bool:
    """Whether its research has come far enough for a task."""
    return report.status in _STARTABLE


def matches(
    report: Report,
    evidence: Evidence | None,
    search: str = "",
    sources: Iterable[str] = (),
    repository: str = "",
) -> bool:
    """All words somewhere in it, one of the sources, and the repository as `owner/name`, or its last part."""
    wanted = set(sources)
    if wanted and wanted.isdisjoint(report.sources):
        return False
    place = evidence.repository if evidence else ""
    name = repository.strip().lower()
    if name and name not in (place, place.rpartition("/")[2]):
        return False
    if not (words := search.lower().split()):
        return True
    parts = [report.id, report.title, report.summary, report.priority, " ".join(report.sources), place]
    if evidence:
        parts += evidence.paths
        parts += evidence.flags
        parts += (error.name for error in evidence.errors)
    text = "\n".join(parts).lower()
    return all(word in text for word in words)


# -- a fresh list --------------------------------------------------------------------------------------------------


def merged(
    old: Mapping[str, Report], fetched: Iterable[Report], kept: Iterable[str] = (), dismissed_too: bool = True
) -> Mapping[str, Report]:
    """The new list; a report that is as it was keeps its identity, and so does the whole list.

    `kept` are reports that something is being done with right now: what we say of them goes before what the server
    said a moment ago. Without the dismissed ones asked for, those that we know stay.
    """
    ours = set(kept)
    found: dict[str, Report] = {}
    for report in fetched:
        before = old.get(report.id)
        if before is not None and (before == report or report.id in ours):
            report = before
        found.setdefault(report.id, report)
    for report in old.values():
        stays = report.id in ours or (not dismissed_too and report.status == DISMISSED)
        if stays and report.id not in found:
            found[report.id] = report
    same = len(found) == len(old) and all(old.get(key) is report for key, report in found.items())
    return old if same else found


def noticed(reports: Mapping[str, Report], triage: Mapping[str, Triage]) -> Mapping[str, Triage]:
    """What was put aside and has what it waited for is put back, unread; else the same mapping."""
    news: dict[str, Triage] = {}
    for report_id, known in triage.items():
        report = reports.get(report_id)
        if report is None or report.status in (DISMISSED, RESOLVED):
            continue
        if 0 < known.dismissed_signals < report.signal_count:
            known = replace(known, dismissed_signals=0, snoozed_signals=0, seen_at=0.0)
        if not known.dismissed_signals and 0 < known.snoozed_signals <= report.signal_count:
            known = replace(known, snoozed_signals=0, seen_at=0.0)
        if known is not triage[report_id]:
            news[report_id] = known
    return {**triage, **news} if news else triage


def fresh(report: Report, evidence: Evidence | None) -> bool:
    """Whether evidence was read for the report as it is now."""
    return evidence is not None and evidence.of >= report.updated_at


def with_evidence(
    known: Mapping[str, Evidence],
    news: Iterable[Evidence],
    reports: Mapping[str, Report],
    wanted: Collection[str] = (),
    worked_on: Collection[str] = (),
) -> dict[str, Evidence]:
    """At most 40: first what is new or `wanted` by the order of the list, then that of reports that are `worked_on`,
    then what was read last. Of reports that are gone none is kept."""
    fresh = {one.report_id: one for one in news}
    here = [one for one in {**known, **fresh}.values() if one.report_id in reports]

    def worth(one: Evidence) -> tuple[bool, bool, float, str]:
        key = one.report_id
        return key in fresh or key in wanted, key in worked_on, one.fetched_at, key

    here.sort(key=worth, reverse=True)
    return {one.report_id: one for one in here[:KEPT_EVIDENCE]}


# -- what a person does --------------------------------------------------------------------------------------------


def with_triage(triage: Mapping[str, Triage], report_id: str, known: Triage) -> dict[str, Triage]:
    """Also keeps it from growing for ever: entries that say nothing but "seen" go first."""
    found = {**triage, report_id: known}
    if len(found) > KEPT_TRIAGE:
        plain = [key for key, one in found.items() if replace(one, seen_at=0.0) == _UNTOUCHED and key != report_id]
        for key in plain[: len(found) - KEPT_TRIAGE]:
            del found[key]
    return found


def snoozed(report: Report, known: Triage, for_signals: int) -> Triage:
    return replace(known, snoozed_signals=max(0, report.signal_count) + for_signals, dismissed_signals=0)


def dismissed(report: Report, known: Triage) -> Triage:
    # One without signals is dismissed too, until it has some.
    return replace(known, dismissed_signals=max(1, report.signal_count), snoozed_signals=0)


def restored(known: Triage) -> Triage:
    return replace(known, dismissed_signals=0, snoozed_signals=0)


# -- tasks ---------------------------------------------------------------------------------------------------------


def tasks_of(state: AppState, report_id: str) -> tuple[TaskId, ...]:
    """Our tasks that were made from a report, the newest first; deleted ones are none."""
    known = state.inbox.triage.get(report_id, _UNTOUCHED).task_ids
    cloud = {task.id for task in state.cloud.tasks.values() if task.report_id == report_id}
    found = [
        task
        for task in state.tasks.values()
        if task.phase is not TaskPhase.DELETED
        and (task.report_id == report_id or task.id in known or (task.cloud_task_id and task.cloud_task_id in cloud))
    ]
    return tuple(task.id for task in sorted(found, key=lambda task: (-task.created_at, task.id)))
