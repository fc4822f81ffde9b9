"""Pull requests, their checks and reviews, as far as we read them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PullRequestState(StrEnum):
    OPEN = "open"
    DRAFT = "draft"
    MERGED = "merged"
    CLOSED = "closed"


class CheckState(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    RUNNING = "running"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class ReviewState(StrEnum):
    APPROVED = "approved"
    CHANGES_REQUESTED = "changes_requested"
    COMMENTED = "commented"
    REQUESTED = "requested"
    DISMISSED = "dismissed"


class Mergeable(StrEnum):
    YES = "yes"
    CONFLICTS = "conflicts"
    BEHIND = "behind"
    BLOCKED = "blocked"
    CHECKING = "checking"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """One check run or commit status."""

    name: str
    state: CheckState
    id: str = ""
    summary: str = ""
    url: str = ""
    started_at: float = 0.0
    ended_at: float = 0.0
    required: bool = False
    is_job: bool = False
    """A GitHub Actions job: it has a log."""


@dataclass(frozen=True, slots=True)
class Review:
    author: str
    state: ReviewState
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class ReviewThread:
    id: str
    path: str
    line: int
    resolved: bool
    outdated: bool
    comments: tuple[tuple[str, str, float], ...]
    """(author, body, UNIX time), oldest first."""
    code: str = ""
    """The commented lines as the forge shows them, each with its sign ("+", "-" or " ") first."""
    start: int = 0
    """First line of a comment on several; 0 for one line."""
    url: str = ""
    trusted: bool = True
    """Everybody in it may push to the repository, so its words may go to the agent unseen."""


@dataclass(frozen=True, slots=True)
class PullRequest:
    number: int
    title: str
    url: str
    state: PullRequestState
    head: str
    base: str
    head_sha: str = ""
    node_id: str = ""
    author: str = ""
    body: str = ""
    created_at: float = 0.0
    commits: int = 0
    added: int = 0
    removed: int = 0
    files: int = 0
    mergeable: Mergeable = Mergeable.UNKNOWN
    review_decision: str = ""
    """APPROVED, CHANGES_REQUESTED, REVIEW_REQUIRED or ""."""
    checks: tuple[Check, ...] = ()
    checks_known: bool = True
    """False when the token may not read checks."""
    reviews: tuple[Review, ...] = ()
    threads: tuple[ReviewThread, ...] = ()
    fetched_at: float = 0.0
    stale: str = ""
    """Why the last refresh failed; the rest is then the last known state."""
    by_viewer: bool = False
    """The signed-in person opened it."""
    updated_at: float = 0.0
    queued: bool = False
    """In the merge queue."""
    auto_merge: bool = False
    """It merges by itself once its rules are met."""
    cut: str = ""
    """What is missing because there was too much of it, in one sentence."""

    @property
    def passed(self) -> int:
        return sum(c.state in (CheckState.PASSED, CheckState.SKIPPED) for c in self.checks)

    @property
    def failed(self) -> int:
        return sum(c.state is CheckState.FAILED for c in self.checks)

    @property
    def running(self) -> int:
        return sum(c.state is CheckState.RUNNING for c in self.checks)
