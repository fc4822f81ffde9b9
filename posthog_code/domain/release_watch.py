"""Watching a release: figures of the changed code after the merge beside those of the time before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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
class TouchedHunk:
    path: str
    line: int
    """First changed line of the new side; where the next line is, when lines were only taken out."""
    end_line: int
    quote: str = ""
    """The first lines of the hunk with their signs; "" when there were too many hunks."""

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class TouchedFile:
    path: str
    old_path: str = ""
    """Its name before a rename: errors of the time before are told there."""
    changed: int = 0
    """Lines added and removed."""


@dataclass(frozen=True, slots=True)
class TouchedCode:
    """Kept on disk with the watch: the worktree may be gone when something gets worse."""

    files: tuple[TouchedFile, ...] = ()
    hunks: tuple[TouchedHunk, ...] = ()
    cut: bool = False
    """There was more than is kept."""

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for file in self.files for name in (file.path, file.old_path) if name))

    def hunk_for(self, path: str, line: int = 0) -> TouchedHunk | None:
        """The hunk of a file that is nearest to a line; its first one without a line, None when it has none."""
        path = next((file.path for file in self.files if path in (file.path, file.old_path)), path)
        mine = [hunk for hunk in self.hunks if hunk.path == path]
        return min(mine, key=lambda hunk: _distance(hunk, line), default=None) if line else next(iter(mine), None)


def _distance(hunk: TouchedHunk, line: int) -> int:
    return 0 if hunk.line <= line <= hunk.end_line else min(abs(hunk.line - line), abs(hunk.end_line - line))


@dataclass(frozen=True, slots=True)
class ReleaseWatch:
    """Of one task. Kept on disk."""

    task_id: TaskId
    state: WatchState = WatchState.WAITING
    report_id: str = ""
    pull_request: int = 0
    project_id: int = 0
    """Project whose figures are compared."""
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
    commit: str = ""
    """What the pull request became on its base; "" when the forge does not tell."""
    touched: TouchedCode = field(default_factory=TouchedCode)
    events: Mapping[str, str] = field(default_factory=dict)
    """Events that the touched code sends, in the order of the code: name to `path:line`."""
    fingerprints: tuple[str, ...] = ()
    """Of the errors that the report is about."""
    follow_up_prompt: str = ""
    """What a follow-up would be asked: made once something got worse, started by a person only."""
