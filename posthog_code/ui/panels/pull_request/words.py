"""Times and tones as the panel says and shows them."""

from __future__ import annotations

import time

from posthog_code.domain.pull_request import Check, CheckState, PullRequest, PullRequestState, ReviewState
from posthog_code.domain.text import duration
from posthog_code.ui.theme.glyphs import Glyph

CHECK_GLYPHS = {
    CheckState.PASSED: Glyph.CHECK_PASSED,
    CheckState.FAILED: Glyph.CHECK_FAILED,
    CheckState.RUNNING: Glyph.RUNNING,
    CheckState.SKIPPED: Glyph.SKIPPED,
    CheckState.CANCELLED: Glyph.PAUSED,
}
CHECK_WORDS = {
    CheckState.PASSED: "passed",
    CheckState.FAILED: "failed",
    CheckState.RUNNING: "running",
    CheckState.SKIPPED: "skipped",
    CheckState.CANCELLED: "cancelled",
}
STATE_BADGES = {
    PullRequestState.OPEN: ("Open", "success", "ph.git-pull-request-bold"),
    PullRequestState.DRAFT: ("Draft", "draft", "ph.git-pull-request-bold"),
    PullRequestState.MERGED: ("Merged", "merged", "ph.git-merge-bold"),
    PullRequestState.CLOSED: ("Closed", "failed", "ph.git-pull-request-bold"),
}
REVIEW_WORDS = {
    ReviewState.APPROVED: ("approved", "status.success", "ph.check"),
    ReviewState.CHANGES_REQUESTED: ("wants changes", "status.waiting", "ph.warning-circle"),
    ReviewState.COMMENTED: ("commented", "text.muted", "ph.chat-centered-text"),
    ReviewState.REQUESTED: ("was asked", "text.muted", "ph.clock"),
    ReviewState.DISMISSED: ("was dismissed", "text.muted", "ph.x"),
}


def ago(seconds: float) -> str:
    """ "just now", "22 m ago", "1 h ago", "3 d ago"."""
    minutes = int(max(0.0, seconds) // 60)
    if minutes < 1:
        return "just now"
    if minutes < 60:
        return f"{minutes} m ago"
    hours = minutes // 60
    return f"{hours} h ago" if hours < 24 else f"{hours // 24} d ago"


def clock(at: float) -> str:
    """Time of day of a UNIX time: "14:52"."""
    return time.strftime("%H:%M", time.localtime(at))


def check_time(check: Check, now: float) -> str:
    """How long it took, or has been running for; "" when that is not known."""
    if not check.started_at:
        return ""
    end = check.ended_at or (now if check.state is CheckState.RUNNING else 0.0)
    return duration(end - check.started_at) if end else ""


def opened(pull: PullRequest, now: float) -> str:
    who = "you" if pull.by_viewer else pull.author
    when = ago(now - pull.created_at) if pull.created_at else ""
    return f"{who} opened it {when}".strip() if who else ""


PULL_REQUEST_KEYS = (
    ("J K", "Next, previous check or thread"),
    ("Return", "Open the log of a check, or the thread"),
    ("F", "Send the failure or the thread to the agent"),
    ("B", "Open in the browser"),
)
"""For the list of keys."""
