"""Watching a release: figures of the changed code after the merge beside those of the time before."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from posthog_code.domain.ids import TaskId


class WatchState(StrEnum):
    WAITING = "waiting"
    """Merged, and nothing tells yet that it is released."""
    WATCHING = "watching"
    BETTER = "better"
    SAME = "same"
    WORSE = "worse"
    UNKNOWN = "unknown"
    """It ended without figures to compare (no traffic, or they could not be read)."""


class Direction(StrEnum):
    BETTER = "better"
    SAME = "same"
    WORSE = "worse"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure that is compared."""

    id: str
    """errors, new_errors, rage_clicks, event:<name>, funnel:<from>→<to>"""
    label: str
    before: float = 0.0
    """Per hour in the time before (a share 0 to 1 for funnels; a count for new errors)."""
    after: float = 0.0
    direction: Direction = Direction.UNKNOWN
    detail: str = ""
    place: str = ""
    """`path:line` of the hunk it belongs to, when one does."""


@dataclass(frozen=True, slots=True)
class ReleaseWatch:
    """Of one task. Kept on disk."""

    task_id: TaskId
    state: WatchState = WatchState.WAITING
    report_id: str = ""
    pull_request: int = 0
    merged_at: float = 0.0
    released_at: float = 0.0
    """When the change was first seen running, or the merge when nothing tells of releases."""
    released_by: str = ""
    """What told: "deployment", "tag", "merge", "you"."""
    until: float = 0.0
    """End of the watch: 24 h after the release."""
    checked_at: float = 0.0
    """Last time that the figures were read."""
    metrics: tuple[Metric, ...] = ()
    series: tuple[tuple[float, float], ...] = ()
    """Errors an hour of the changed code: (start of the hour, count), oldest first, from 14 h before the release."""
    new_errors: tuple[str, ...] = ()
    """Names of errors first seen after the release whose stack passes the changed code."""
    verdict: str = ""
    """The outcome in one sentence, with figures."""
    follow_up: str = ""
    """Task made because something got worse."""
    problem: str = ""
    """Why the figures are not fresher, in one sentence."""
