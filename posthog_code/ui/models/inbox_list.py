"""Rows of the inbox, and the words for what a report says; made from state alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from posthog_code.domain.ids import TaskId
from posthog_code.domain.inbox import DISMISSED, RESOLVED, Evidence, Recording, Report, Score, Triage
from posthog_code.domain.inbox_lists import is_open, is_unread, tasks_of
from posthog_code.domain.state import AppState
from posthog_code.domain.task import TaskPhase
from posthog_code.domain.text import age, count, one_line, plural
from posthog_code.ui.kit.charts import priority_level
from posthog_code.ui.models.task_view import task_state
from posthog_code.ui.theme.glyphs import MOVING, Glyph

_NUMBER = re.compile(r"[0-9a-fA-F-]{16,}")
"""An id as a machine gives it to people without a name."""
TABS = {"for_you": "For you", "all": "All", "snoozed": "Snoozed", "dismissed": "Dismissed"}
SORTS = {"score": "Most urgent first", "newest": "Newest first", "people": "Most people first"}
ERRORS, PEOPLE, RECORDINGS = "ph.warning-octagon", "ph.users", "ph.video-camera"
_GONE = (TaskPhase.ARCHIVED, TaskPhase.DELETED)
_PRIORITY_WORDS = ("fix now", "fix this week", "plan it", "when there is time", "someday")

SOURCES: dict[str, tuple[str, str]] = {
    "error_tracking": ("Errors", ERRORS),
    "session_replay": ("Recordings", RECORDINGS),
    "llm_analytics": ("LLM evaluations", "ph.robot"),
    "analytics": ("Product analytics", "ph.chart-line"),
    "feature_flags": ("Flags", "ph.flag"),
    "github": ("GitHub issues", "ph.github-logo"),
    "linear": ("Linear issues", "ph.ticket"),
    "jira": ("Jira issues", "ph.ticket"),
    "zendesk": ("Zendesk tickets", "ph.chat-centered-text"),
    "conversations": ("Support", "ph.chat-centered-text"),
    "intercom": ("Support", "ph.chat-centered-text"),
    "signals_scout": ("PostHog's scout", "ph.sparkle"),
}
"""What a source product is called, and its icon. One that is missing goes by its own name."""

_PLAIN = ("Errors", "Recordings", "Product analytics", "Flags", "Support")
"""Names that are no proper nouns."""

STATES: dict[str, tuple[str, Glyph]] = {
    "potential": ("Gathering signals", Glyph.QUEUED),
    "candidate": ("Waits for research", Glyph.QUEUED),
    "in_progress": ("Being researched", Glyph.RUNNING),
    "ready": ("Ready to start", Glyph.DONE),
    "pending_input": ("Needs your input", Glyph.QUESTION),
    "failed": ("Research failed", Glyph.FAILED),
    DISMISSED: ("Dismissed", Glyph.ARCHIVED),
    RESOLVED: ("Resolved", Glyph.DONE),
}

REASONS = {
    "already_fixed": "It is fixed already",
    "fixed_outside_posthog": "Fixed somewhere else",
    "analysis_wrong": "The analysis is wrong",
    "report_unclear": "The report is unclear",
    "wrong_repo": "It is about another repository",
    "wontfix_intentional": "It is meant to be so",
    "wontfix_irrelevant": "It does not matter enough",
    "other": "Another reason",
}
"""Why a report is dismissed, in the order in which a menu offers it."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its icon; `spoken` has the word that the icon stands for."""

    icon: str
    text: str
    spoken: str


@dataclass(frozen=True, slots=True)
class ReportRow:
    id: str
    title: str
    priority: int
    """0 (worst) to 4; 4 also when nobody has judged."""
    figures: tuple[Figure, ...] = ()
    place: str = ""
    age: str = ""
    unread: bool = False
    quiet: bool = False
    """Over or put away: drawn weaker."""
    task: Glyph | None = None
    """How its task stands, None without one."""
    spoken: str = ""
    tip: str = ""


def priority_words(report: Report) -> tuple[str, str]:
    """ "P1" and "fix this week"; two words of their own while nobody has judged."""
    level = priority_level(report.priority)
    known = report.priority == f"P{level}"
    return (report.priority, _PRIORITY_WORDS[level]) if known else ("Not judged", "yet")


def state_words(report: Report) -> tuple[str, Glyph]:
    word, glyph = STATES.get(report.status, (one_line(report.status, 40) or "Unknown", Glyph.UNKNOWN))
    if report.status != "ready":
        return word, glyph
    if report.already_addressed:
        return "Already addressed", Glyph.DONE
    if report.actionability == "requires_human_input":
        return "Needs your input", Glyph.QUESTION
    if report.actionability == "not_actionable":
        return "Nothing to change in code", Glyph.SKIPPED
    return word, glyph


def source_words(source: str) -> tuple[str, str]:
    """What a source is called, and its icon."""
    return SOURCES.get(source, (one_line(source.replace("_", " "), 40).capitalize(), "ph.lightning"))


def source_name(source: str) -> str:
    """The same inside of a sentence."""
    words, _ = source_words(source)
    return words.lower() if words in _PLAIN or source not in SOURCES else words


def task_of_report(state: AppState, report_id: str) -> TaskId | None:
    """The newest task here that was made from it, None without one that is on the list."""
    found = tasks_of(state, report_id)
    return next((one for one in found if state.tasks[one].phase is not TaskPhase.ARCHIVED), None)


def tasks_by_report(state: AppState) -> dict[str, TaskId]:
    """`task_of_report` of all reports that have one, in one go."""
    in_cloud = {task.id: task.report_id for task in state.cloud.tasks.values() if task.report_id}
    kept: dict[TaskId, set[str]] = {}
    for report_id, triage in state.inbox.triage.items():
        for task_id in triage.task_ids:
            kept.setdefault(task_id, set()).add(report_id)
    found: dict[str, TaskId] = {}
    for task in sorted(state.tasks.values(), key=lambda task: (task.created_at, task.id)):
        if task.phase not in _GONE:
            ours = {task.report_id, in_cloud.get(task.cloud_task_id, "")} | kept.get(task.id, set())
            found.update(dict.fromkeys(ours - {""}, task.id))
    return found


def short(repository: str) -> str:
    """A repository without its owner."""
    return repository.rpartition("/")[2]


def folder_of(evidence: Evidence) -> str:
    """Where the most likely file is: its folder, or the file itself at the top of the repository."""
    if not evidence.paths:
        return ""
    path = path_and_line(evidence.paths[0])[0]
    return path.rpartition("/")[0] or path


def path_and_line(place: str) -> tuple[str, int]:
    """ "src/pay.ts:24" as its path and line; 0 without a line."""
    path, _, line = place.rpartition(":")
    return (path, int(line)) if path and line.isdigit() and len(line) < 8 else (place, 0)


def place_of(report: Report, evidence: Evidence | None) -> str:
    """ "src/auth · harbor-web", or what it was found by while that is not known."""
    parts = [folder_of(evidence), short(evidence.repository)] if evidence else []
    return " · ".join(part for part in parts if part) or found_by(report)


def found_by(report: Report) -> str:
    """ "Errors, recordings and Zendesk tickets"."""
    names = list(dict.fromkeys(source_words(source)[0] for source in report.sources))
    names = [name.lower() if n and name in _PLAIN else name for n, name in enumerate(names)]
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def figures_of(report: Report, evidence: Evidence | None) -> tuple[Figure, ...]:
    """What it amounts to: errors, people, recordings; its signals while no more is known."""
    found: list[Figure] = []
    if evidence is not None:
        if evidence.errors and evidence.events:
            found.append(Figure(ERRORS, count(evidence.events), plural(evidence.events, "error")))
        if evidence.people:
            words = plural(evidence.people, "person", "people")
            found.append(Figure(PEOPLE, count(evidence.people), words))
        if evidence.recordings:
            number = len(evidence.recordings)
            found.append(Figure(RECORDINGS, count(number), plural(number, "recording")))
    if not found and evidence is not None and evidence.flags:
        found.append(Figure("ph.flag", one_line(evidence.flags[0], 40), f"flag {evidence.flags[0]}"))
    if not found and report.signal_count:
        icon = source_words(report.sources[0])[1] if report.sources else "ph.lightning"
        words = plural(report.signal_count, "signal")
        found.append(Figure(icon, words, words))
    if not found and report.sources:
        name, icon = source_words(report.sources[0])
        found.append(Figure(icon, name, name))
    return tuple(found)


def report_row(
    state: AppState, report: Report, score: Score | None, now: float, task_id: TaskId | None = None
) -> ReportRow:
    """`task_id` is the report's task, as `tasks_by_report` tells."""
    inbox = state.inbox
    evidence = inbox.evidence.get(report.id)
    triage = inbox.triage.get(report.id, Triage())
    glyph = task_state(state, task_id).glyph if task_id else None
    figures = figures_of(report, evidence)
    place = place_of(report, evidence)
    ago = age(max(0.0, now - report.updated_at)) if report.updated_at else ""
    unread = is_unread(report, triage)
    spoken = [
        title_of(report),
        " ".join(priority_words(report)),
        "unread" if unread else "",
        state_words(report)[0].lower(),
        *(figure.spoken for figure in figures),
        place.replace(" · ", ", "),
        f"{ago} ago" if ago not in ("", "now") else ago,
        ("its task is running" if glyph in MOVING else "it has a task") if glyph else "",
    ]
    return ReportRow(
        report.id,
        title_of(report),
        priority_level(report.priority),
        figures,
        place,
        ago,
        unread,
        not is_open(report, triage),
        glyph,
        ", ".join(part for part in spoken if part),
        score_tip(score),
    )


class Rows:
    """Rows of a long list: one that hangs on nothing new is not made again."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[object, ...], ReportRow]] = {}

    def make(self, state: AppState, ranked: Iterable[tuple[Report, Score]], now: float) -> list[ReportRow]:
        tasks, inbox = tasks_by_report(state), state.inbox
        known, self._known = self._known, {}
        rows = []
        for report, score in ranked:
            task_id = tasks.get(report.id)
            glyph = task_state(state, task_id).glyph if task_id else None
            minutes = int(max(0.0, now - report.updated_at)) // 60
            basis = (report, score, inbox.evidence.get(report.id), inbox.triage.get(report.id), glyph, minutes)
            before = known.get(report.id)
            if before is not None and all(map(_same, before[0], basis)):
                row = before[1]
            else:
                row = report_row(state, report, score, now, task_id)
            self._known[report.id] = (basis, row)
            rows.append(row)
        return rows


def _same(old: object, new: object) -> bool:
    return old is new or (isinstance(new, int) and old == new)


def title_of(report: Report) -> str:
    """Somebody else's words, in one line."""
    return one_line(report.title, 300) or "Report without a title"


def score_tip(score: Score | None) -> str:
    """ "Score 72 of 100" and the three facts that weigh most."""
    if score is None:
        return ""
    facts = [factor.value for factor in sorted(score.factors, key=lambda f: -f.points) if factor.points > 0][:3]
    return f"Score {round(score.total)} of 100: {', '.join(facts)}" if facts else f"Score {round(score.total)} of 100"


def ordered(
    ranked: Sequence[tuple[Report, Score]], sort: str, evidence: Mapping[str, Evidence]
) -> list[tuple[Report, Score]]:
    """The ranked list in another order; "score" is the one it has."""
    if sort == "newest":
        return sorted(ranked, key=lambda pair: -pair[0].updated_at)
    if sort == "people":
        return sorted(ranked, key=lambda pair: -evidence.get(pair[0].id, Evidence(pair[0].id)).people)
    return list(ranked)


def sources_of(reports: Iterable[Report]) -> list[str]:
    """All source products there are, by their name."""
    known = {source for report in reports for source in report.sources}
    return sorted(known, key=lambda source: source_words(source)[0])


def person_words(recording: Recording) -> str:
    """Who was recorded: their name or address, or the beginning of a number that nobody can read."""
    name = one_line(recording.person, 60)
    if _NUMBER.fullmatch(name):
        return f"Person {name[:4]}"
    return name or f"Session {one_line(recording.session_id, 60)[-4:]}"


def seen_words(fetched_at: float, now: float) -> str:
    """ "as of 4 m ago" for a list that cannot be refreshed."""
    if not fetched_at:
        return "It was never read."
    ago = age(max(0.0, now - fetched_at))
    return "Read just now." if ago == "now" else f"As of {ago} ago."


def week_words(evidence: Evidence) -> str:
    """ "3 issues, 214 events, 87 people in 7 days"."""
    parts = [
        plural(len(evidence.errors), "issue") if evidence.errors else "",
        plural(evidence.events, "event") if evidence.events else "",
        plural(evidence.people, "person", "people") if evidence.people else "",
    ]
    told = ", ".join(part for part in parts if part)
    return f"{told} in 7 days" if told else ""
