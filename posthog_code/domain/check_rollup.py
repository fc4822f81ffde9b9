"""What a pull request's state means for a person, and when to ask for it again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from posthog_code.domain.pull_request import Check, CheckState, Mergeable, PullRequest, PullRequestState, ReviewState
from posthog_code.domain.text import plural

PENDING_EVERY = 10.0
"""Seconds between reads of a pull request in view while something of it is on its way."""
SETTLED_EVERY = 30.0
MISSING_EVERY = 60.0
"""Seconds between looks for a pull request of a branch that has none."""
QUICK = (1.0, 2.0, 4.0, 8.0)
"""Seconds, right after our own push or while GitHub works out mergeability."""
CHECKS_MAY_COME = 30.0
"""Seconds after opening during which no checks does not mean that there are none."""
LONGEST = 1800.0
_ORDER = {
    CheckState.FAILED: 0,
    CheckState.CANCELLED: 1,
    CheckState.RUNNING: 2,
    CheckState.PASSED: 3,
    CheckState.SKIPPED: 4,
}


@dataclass(frozen=True, slots=True)
class Tile:
    """One summary: a tone (failed, waiting, running, success, neutral), what is so, and one line more."""

    tone: str
    title: str
    text: str = ""


def ordered(checks: Iterable[Check]) -> list[Check]:
    """What needs a person first: failed, cancelled, running, then the rest; required ones before others, and else in
    the forge's order."""
    return sorted(checks, key=lambda check: (_ORDER[check.state], not check.required))


def is_open(pull: PullRequest) -> bool:
    return pull.state in (PullRequestState.OPEN, PullRequestState.DRAFT)


def checks_tile(pull: PullRequest, now: float) -> Tile:
    """`now` is UNIX time in s."""
    total = len(pull.checks)
    passed = f"{pull.passed} of {total} passed"
    if not total:
        if not pull.checks_known:
            return Tile("neutral", "Checks not visible", "This token may not read them")
        if is_open(pull) and now - pull.created_at < CHECKS_MAY_COME:
            return Tile("running", "Waiting for checks")
        return Tile("neutral", "No checks")
    more = "" if pull.checks_known else " · not all visible"
    if pull.failed:
        return Tile(
            "failed", f"{plural(pull.failed, 'check')} {'fails' if pull.failed == 1 else 'fail'}", passed + more
        )
    if pull.running:
        return Tile("running", f"{plural(pull.running, 'check')} running", passed + more)
    cancelled = sum(check.state is CheckState.CANCELLED for check in pull.checks)
    if cancelled:
        return Tile("waiting", f"{plural(cancelled, 'check')} cancelled", passed + more)
    if not pull.checks_known:
        return Tile("neutral", f"{plural(total, 'check')} passed", "Others are not visible")
    return Tile("success", "All checks passed", passed)


def review_tile(pull: PullRequest) -> Tile:
    approved = sum(review.state is ReviewState.APPROVED for review in pull.reviews)
    wants = sum(review.state is ReviewState.CHANGES_REQUESTED for review in pull.reviews)
    waiting = sum(review.state is ReviewState.REQUESTED for review in pull.reviews)
    opinions = approved + wants + waiting
    text = f"{approved} of {opinions} approved" if opinions else ""
    if pull.review_decision == "CHANGES_REQUESTED" or wants:
        return Tile("waiting", "Changes requested", text)
    if pull.review_decision == "APPROVED" or (approved and not waiting and not pull.review_decision):
        return Tile("success", "Approved", text)
    if pull.review_decision == "REVIEW_REQUIRED" or waiting:
        return Tile("neutral", "Review required" if pull.review_decision else "Review requested", text)
    return Tile("neutral", "No reviews", "None is required")


def merge_tile(pull: PullRequest) -> Tile:
    if pull.state is PullRequestState.MERGED:
        return Tile("success", "Merged", f"into {pull.base}")
    if pull.state is PullRequestState.CLOSED:
        return Tile("neutral", "Closed", "not merged")
    if pull.queued:
        return Tile("running", "In the merge queue")
    if pull.mergeable is Mergeable.CONFLICTS:
        return Tile("failed", f"Conflicts with {pull.base}", "Resolve them in the branch")
    if pull.mergeable is Mergeable.CHECKING:
        return Tile("running", "Checking for conflicts")
    if pull.mergeable is Mergeable.BEHIND:
        return Tile("waiting", f"Behind {pull.base}", "The branch must be updated first")
    if pull.mergeable is Mergeable.BLOCKED:
        return Tile("success", "No conflicts", blockers(pull) or "Rules of the branch are not met")
    if pull.mergeable is Mergeable.YES:
        return Tile("success", "No conflicts", "Draft" if pull.state is PullRequestState.DRAFT else "Ready to merge")
    return Tile("neutral", "Mergeability unknown")


def blockers(pull: PullRequest) -> str:
    """ "Blocked by 1 check and 1 review", "" when nothing that we can see blocks it."""
    parts = []
    failing = [c for c in pull.checks if c.state in (CheckState.FAILED, CheckState.CANCELLED)]
    required = [c for c in failing if c.required] or failing
    if required:
        parts.append(plural(len(required), "check"))
    if pull.review_decision in ("CHANGES_REQUESTED", "REVIEW_REQUIRED"):
        wants = sum(review.state is ReviewState.CHANGES_REQUESTED for review in pull.reviews)
        parts.append(plural(max(1, wants), "review"))
    return f"Blocked by {' and '.join(parts)}" if parts else ""


def state_word(pull: PullRequest) -> tuple[str, str]:
    """(tone, words) for lists and the header: the first that applies."""
    if pull.state is PullRequestState.MERGED:
        return "merged", "Merged"
    if pull.state is PullRequestState.CLOSED:
        return "failed", "Closed"
    if pull.queued:
        return "running", "In the merge queue"
    if pull.auto_merge:
        return "running", "Merges when ready"
    if pull.state is PullRequestState.DRAFT:
        return "draft", "Draft"
    if pull.mergeable is Mergeable.CONFLICTS:
        return "failed", "Conflicts"
    if review_tile(pull).title == "Changes requested":
        return "waiting", "Changes requested"
    if pull.failed:
        return "failed", f"{plural(pull.failed, 'check')} {'fails' if pull.failed == 1 else 'fail'}"
    if pull.running:
        return "running", "Checks running"
    if pull.mergeable is Mergeable.BEHIND:
        return "waiting", f"Behind {pull.base}"
    if pull.review_decision == "REVIEW_REQUIRED":
        return "draft", "Review required"
    if not pull.checks_known or pull.mergeable is not Mergeable.YES:
        return "success", "Open"
    return "success", "Ready"


def poll_after(pull: PullRequest | None, *, now: float, quick: int = 0, failures: int = 0) -> float | None:
    """Seconds until the next read of a pull request in view; None when nothing more is to be expected.

    `quick` is the number of reads since our own push or since mergeability became unknown, 0 when neither applies;
    `failures` the number of failed reads in a row. Add jitter.
    """
    if failures:
        return min(SETTLED_EVERY * 2.0 ** (failures - 1), LONGEST)
    if pull is None:
        return MISSING_EVERY
    if not is_open(pull):
        return None
    if 0 < quick <= len(QUICK):
        return QUICK[quick - 1]
    fresh = not pull.checks and pull.checks_known and now - pull.created_at < 2 * CHECKS_MAY_COME
    pending = pull.running or pull.queued or pull.mergeable is Mergeable.CHECKING or fresh
    return PENDING_EVERY if pending else SETTLED_EVERY
