"""The inbox: reports that PostHog made of signals, their evidence, and what a person did with them.

Every word that the server chooses from a list (status, priority, source, kind) stays text, whether we know it or not;
whatever it leaves out has a default. Times are UNIX seconds, 0.0 when unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from posthog_code.domain.ids import TaskId

OPEN_STATUSES = ("potential", "candidate", "in_progress", "ready", "pending_input", "failed")
"""Reports that are asked for; dismissed and resolved ones only when a person wants to see them."""
DISMISSED = "suppressed"
RESOLVED = "resolved"
DISMISSAL_REASONS = (
    "already_fixed",
    "report_unclear",
    "analysis_wrong",
    "wrong_repo",
    "wontfix_intentional",
    "wontfix_irrelevant",
    "fixed_outside_posthog",
    "other",
)


@dataclass(frozen=True, slots=True)
class Report:
    """A researched group of signals, as the list tells it."""

    id: str
    title: str = ""
    summary: str = ""
    """Markdown; preliminary until the report is ready."""
    status: str = ""
    priority: str = ""
    """P0 (worst) to P4, or "" while nobody has judged."""
    actionability: str = ""
    already_addressed: bool = False
    weight: float = 0.0
    signal_count: int = 0
    signals_at_run: int = 0
    artefact_count: int = 0
    for_me: bool = False
    """The server suggests this person as a reviewer."""
    sources: tuple[str, ...] = ()
    """Source products: error_tracking, session_replay, …"""
    pull_request_url: str = ""
    pull_request_merged: bool = False
    dismissal_reason: str = ""
    dismissal_note: str = ""
    created_at: float = 0.0
    updated_at: float = 0.0


@dataclass(frozen=True, slots=True)
class ReportSignal:
    """One signal of a report."""

    id: str
    content: str = ""
    source_product: str = ""
    source_type: str = ""
    source_id: str = ""
    weight: float = 0.0
    at: float = 0.0
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Per source: `fingerprint`, `session_id`, `html_url`, …; anything may be missing."""
    reason: str = ""
    """Why it was put into this report."""


@dataclass(frozen=True, slots=True)
class Artefact:
    """One result of the report's research, kept as told; what we understand of it is in `Evidence`."""

    id: str
    type: str = ""
    content: Any = None
    created_at: float = 0.0


@dataclass(frozen=True, slots=True)
class SuggestedReviewer:
    name: str
    login: str = ""
    uuid: str = ""
    reason: str = ""
    commits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ErrorSample:
    """An error behind a report, with figures of the last seven days."""

    fingerprint: str
    name: str = ""
    place: str = ""
    """`path:line` in the repository, or "" when the stack does not say."""
    issue_id: str = ""
    count: int = 0
    people: int = 0
    series: tuple[int, ...] = ()
    """Occurrences a day, oldest first."""
    first_seen: float = 0.0
    last_seen: float = 0.0
    url: str = ""


@dataclass(frozen=True, slots=True)
class Recording:
    session_id: str
    person: str = ""
    what: str = ""
    """What happens in it, in a few words."""
    duration: float = 0.0
    """Seconds; 0.0 when unknown."""
    marks: tuple[float, ...] = ()
    """Seconds from its start at which the problem shows."""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What stands behind a report: read when somebody looks, or when it is weighed."""

    report_id: str
    signals: tuple[ReportSignal, ...] = ()
    artefacts: tuple[Artefact, ...] = ()
    errors: tuple[ErrorSample, ...] = ()
    recordings: tuple[Recording, ...] = ()
    repository: str = ""
    """`owner/name` in lower case."""
    paths: tuple[str, ...] = ()
    """Likely files, the most likely first; may carry `:line`."""
    commits: Mapping[str, str] = field(default_factory=dict)
    """Relevant commits, with why."""
    reviewers: tuple[SuggestedReviewer, ...] = ()
    flags: tuple[str, ...] = ()
    priority_reason: str = ""
    actionability_reason: str = ""
    dollar_value: float = 0.0
    """What the problem costs, if the research says so."""
    people: int = 0
    """Affected in the last seven days."""
    events: int = 0
    """Occurrences in the last seven days."""
    trend: float = 0.0
    """Occurrences of the last three days against the three before: 1.0 is as before, 0.0 unknown."""
    problem: str = ""
    """What could not be read, in one sentence; the rest is here all the same."""
    of: float = 0.0
    """`updated_at` of the report it was read for: older ones are read again."""
    fetched_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Triage:
    """What we know of a report beyond the server: kept on this machine."""

    task_ids: tuple[TaskId, ...] = ()
    """Tasks made from it here."""
    project_id: int = 0
    """Where it is, once a task is made from it; 0 when nobody noted it."""
    seen_at: float = 0.0
    dismissed_signals: int = 0
    """Signals it had when it was dismissed: it comes back only with more."""
    snoozed_signals: int = 0
    """Signals at which a snoozed report is shown again; 0 when it is not snoozed."""
    proof: str = ""
    """Figures with which it was resolved, in one sentence."""


@dataclass(frozen=True, slots=True)
class Inbox:
    """Reports of the chosen project as they were when the server was last asked. Kept on disk."""

    reports: Mapping[str, Report] = field(default_factory=dict)
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    triage: Mapping[str, Triage] = field(default_factory=dict)
    project_id: int = 0
    fetched_at: float = 0.0
    """When the list was complete and fresh; 0.0 for never."""
    loading: bool = False
    error: str = ""
    """Why it is not fresher, in one sentence."""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Factor:
    """One reason of a score."""

    id: str
    """people, frequency, trend, severity, value, closeness, age, cost."""
    label: str
    value: str
    """The fact in words: "640 people", "twice as often as before"."""
    points: float
    """What it adds, 0 to `weight` (less than 0 for what counts against it)."""
    weight: float


@dataclass(frozen=True, slots=True)
class Score:
    """How urgent a report is for this person, explained. `total` is 0 to 100."""

    report_id: str
    total: float
    factors: tuple[Factor, ...] = ()
