"""What a pull request is made of, before there is one."""

from __future__ import annotations

from dataclasses import dataclass

from posthog_code.domain.pull_request import PullRequest


@dataclass(frozen=True, slots=True)
class NewPullRequest:
    """What *Create PR* asks for."""

    title: str
    body: str
    base: str
    draft: bool = False
    commit_message: str = ""
    """Used when something is not committed yet."""


@dataclass(frozen=True, slots=True)
class PullRequestProposal:
    """What *Create PR* shows before anything is done."""

    new: NewPullRequest
    branch: str
    uncommitted: tuple[str, ...]
    """Paths that are not committed; they are committed and pushed first."""
    commits_ahead: int
    files: int
    added: int
    removed: int
    template: str = ""
    """Path of the repository's template that the body came from, "" for none."""
    existing: PullRequest | None = None
    problem: str = ""
    """Why it cannot be opened (no remote, not signed in...), "" when it can."""
    warning: str = ""
    """What to know before it is opened, "" for nothing."""
    coverage: str = ""
    """What the instrumentation check says of the change, "" when no entry point changed or it is not known."""
    coverage_required: bool = False
    """The repository wants that check to pass, and it does not: `create` must be told to go on without it."""
