"""How a task on this machine stands, in one word: the window and the command line say the same."""

from __future__ import annotations

from enum import StrEnum

from posthog_code.domain.pull_request import PullRequest, PullRequestState
from posthog_code.domain.session import AskKind, Session, SessionPhase
from posthog_code.domain.state import AppState
from posthog_code.domain.task import Task, TaskPhase


class Standing(StrEnum):
    PERMISSION = "permission"
    QUESTION = "question"
    SETUP_FAILED = "setup_failed"
    FAILED = "failed"
    STOPPING = "stopping"
    WORKING = "working"
    SETTING_UP = "setting_up"
    STARTING = "starting"
    INTERRUPTED = "interrupted"
    CHECKS_FAILING = "checks_failing"
    CHANGES_REQUESTED = "changes_requested"
    UNREAD_CHANGES = "unread_changes"
    UNREAD = "unread"
    MERGED = "merged"
    CLOSED = "closed"
    CHECKS_RUNNING = "checks_running"
    DRAFT = "draft"
    APPROVED = "approved"
    OPEN = "open"
    STOPPED = "stopped"
    CHANGES = "changes"
    IDLE = "idle"
    ARCHIVED = "archived"
    DELETED = "deleted"

    @property
    def word(self) -> str:
        return _WORDS[self]


_WORDS = {
    Standing.PERMISSION: "Waiting for permission",
    Standing.QUESTION: "Asks a question",
    Standing.SETUP_FAILED: "Setup failed",
    Standing.FAILED: "Stopped",
    Standing.STOPPING: "Stopping",
    Standing.WORKING: "Working",
    Standing.SETTING_UP: "Setting up",
    Standing.STARTING: "Starting the agent",
    Standing.INTERRUPTED: "Interrupted",
    Standing.CHECKS_FAILING: "Checks failing",
    Standing.CHANGES_REQUESTED: "Changes requested",
    Standing.UNREAD_CHANGES: "Ready for review",
    Standing.UNREAD: "Finished",
    Standing.MERGED: "Merged",
    Standing.CLOSED: "Closed",
    Standing.CHECKS_RUNNING: "Checks running",
    Standing.DRAFT: "Draft pull request",
    Standing.APPROVED: "Approved",
    Standing.OPEN: "Pull request open",
    Standing.STOPPED: "Stopped by you",
    Standing.CHANGES: "Ready for review",
    Standing.IDLE: "Idle",
    Standing.ARCHIVED: "Archived",
    Standing.DELETED: "Deleted",
}
_TURNS = {
    "": "Running",
    "end_turn": "Done",
    "cancelled": "Stopped by you",
    "interrupted": "Interrupted",
    "error": "Failed",
    "refusal": "Declined by the agent",
    "max_tokens": "Stopped at the length limit",
    "max_turn_requests": "Stopped at the step limit",
}


def standing(state: AppState, task: Task) -> Standing:
    """When several things are true, the most urgent one wins: waiting, question, failed, running, setting up,
    interrupted, checks failing, changes requested, finished and unread, the pull request, stopped, idle."""
    if task.phase in (TaskPhase.ARCHIVED, TaskPhase.DELETED):
        return Standing.ARCHIVED if task.phase is TaskPhase.ARCHIVED else Standing.DELETED
    session, pull_request = state.session_of(task.id), state.pull_requests.get(task.id)
    return (
        pressing(task, session)
        or review_trouble(pull_request)
        or unread(task, session)
        or review_state(pull_request)
        or _resting(task, session)
    )


def turn_word(stop_reason: str) -> str:
    """How a turn ended; a reason that only the agent knows is told as it is."""
    return _TURNS.get(stop_reason, stop_reason)


def pressing(task: Task, session: Session | None) -> Standing | None:
    """What a person waits for, or what waits for the person."""
    asks = session.asks if session else ()
    if asks:
        permission = any(ask.kind is AskKind.PERMISSION for ask in asks)
        return Standing.PERMISSION if permission else Standing.QUESTION
    if task.phase is TaskPhase.SETUP_FAILED:
        return Standing.SETUP_FAILED
    phase = session.phase if session else SessionPhase.IDLE
    turn = session.turn if session else None
    if phase is SessionPhase.FAILED or (turn is not None and turn.stop_reason == "error" and not phase.busy):
        return Standing.FAILED
    if phase is SessionPhase.CANCELLING:
        return Standing.STOPPING
    if phase.busy:
        return Standing.WORKING
    if task.phase is TaskPhase.SETTING_UP:
        return Standing.SETTING_UP
    if phase is SessionPhase.STARTING:
        return Standing.STARTING
    return Standing.INTERRUPTED if phase is SessionPhase.INTERRUPTED else None


def review_trouble(pull_request: PullRequest | None) -> Standing | None:
    if pull_request is None or pull_request.state not in (PullRequestState.OPEN, PullRequestState.DRAFT):
        return None
    if pull_request.failed:
        return Standing.CHECKS_FAILING
    return Standing.CHANGES_REQUESTED if pull_request.review_decision == "CHANGES_REQUESTED" else None


def unread(task: Task, session: Session | None) -> Standing | None:
    """A result that nobody has looked at yet."""
    if not task.unread or session is None or session.turn is None or session.phase is SessionPhase.INTERRUPTED:
        return None
    if session.turn.stop_reason == "cancelled":
        return None
    return Standing.UNREAD_CHANGES if task.stat.files else Standing.UNREAD


def review_state(pull_request: PullRequest | None) -> Standing | None:
    if pull_request is None:
        return None
    if pull_request.state is PullRequestState.MERGED:
        return Standing.MERGED
    if pull_request.state is PullRequestState.CLOSED:
        return Standing.CLOSED
    if pull_request.running:
        return Standing.CHECKS_RUNNING
    if pull_request.state is PullRequestState.DRAFT:
        return Standing.DRAFT
    return Standing.APPROVED if pull_request.review_decision == "APPROVED" else Standing.OPEN


def _resting(task: Task, session: Session | None) -> Standing:
    turn = session.turn if session else None
    if turn is not None and turn.stop_reason == "cancelled":
        return Standing.STOPPED
    return Standing.CHANGES if turn is not None and task.stat.files else Standing.IDLE
