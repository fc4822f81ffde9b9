"""The state of a task in one glyph, one word and one colour."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from posthog_code.domain import cloud_lists, task_words
from posthog_code.domain.cloud_lists import CloudWord
from posthog_code.domain.ids import TaskId
from posthog_code.domain.pull_request import PullRequest, PullRequestState
from posthog_code.domain.session import Session, SessionPhase
from posthog_code.domain.state import AppState
from posthog_code.domain.task import Task, TaskPhase, Workspace
from posthog_code.domain.task_words import Standing
from posthog_code.ui.theme.glyphs import Glyph


class Attention(IntEnum):
    """Where a task stands in its group, the first one on top."""

    NEEDS_YOU = 0
    RUNNING = 1
    REST = 2


class TaskView(NamedTuple):
    glyph: Glyph
    word: str
    token: str
    """Colour token of the word."""

    @property
    def attention(self) -> Attention:
        if self.glyph in (Glyph.WAITING, Glyph.QUESTION, Glyph.FAILED):
            return Attention.NEEDS_YOU
        if self.glyph in (Glyph.RUNNING, Glyph.SETTING_UP, Glyph.CLOUD_RUNNING):
            return Attention.RUNNING
        return Attention.REST


_UNKNOWN = TaskView(Glyph.UNKNOWN, "Unknown", "text.muted")


def task_state(state: AppState, task_id: TaskId) -> TaskView:
    """What to show for a task: how it stands, the most urgent first."""
    task = state.tasks.get(task_id)
    if task is None:
        return _UNKNOWN
    if task.phase in (TaskPhase.ARCHIVED, TaskPhase.DELETED):
        return TaskView(Glyph.ARCHIVED, "Archived", "text.muted")
    if task.workspace is Workspace.CLOUD:
        return _in_cloud(state, task, state.session_of(task_id), state.pull_requests.get(task_id))
    return _view(task_words.standing(state, task))


def needs_you(state: AppState, task_id: TaskId) -> bool:
    """Whether the task waits for a person: a permission, a question, a failure, an interrupted turn, or a result that
    nobody has read."""
    task = state.tasks.get(task_id)
    if task is None or task.phase in (TaskPhase.ARCHIVED, TaskPhase.DELETED):
        return False
    view, session = task_state(state, task_id), state.session_of(task_id)
    if view.attention is Attention.RUNNING:
        return False
    interrupted = session is not None and session.phase is SessionPhase.INTERRUPTED
    if task.workspace is Workspace.CLOUD:
        return view.attention is Attention.NEEDS_YOU or view.glyph is Glyph.FINISHED
    return view.attention is Attention.NEEDS_YOU or interrupted or task_words.unread(task, session) is not None


def activity(state: AppState, task: Task) -> float:
    """When something last happened in the task itself (reading or renaming it does not count), UNIX time in s."""
    session = state.session_of(task.id)
    if task.workspace is Workspace.CLOUD:
        known = state.cloud.tasks.get(task.cloud_task_id)
        return max(task.updated_at, known.updated_at if known else 0.0)
    turn = session.turn if session else None
    return max(task.created_at, turn.ended_at or turn.started_at) if turn else task.created_at


def _in_cloud(state: AppState, task: Task, session: Session | None, pull_request: PullRequest | None) -> TaskView:
    """A task whose agent is in the cloud: its stream knows most, then the list. Offline, the last known word stays
    under the glyph of the unknown."""
    if session is not None and session.asks:
        return _view(task_words.pressing(task, session) or Standing.PERMISSION)
    phase = session.phase if session else None
    known = state.cloud.tasks.get(task.cloud_task_id)
    if phase is SessionPhase.CANCELLING:
        return TaskView(Glyph.CLOUD_RUNNING, "Stopping", "status.cloud")
    word = (
        cloud_lists.word(known, phase) if known else _WORDS_OF_PHASES.get(phase or SessionPhase.IDLE, CloudWord.UNKNOWN)
    )
    unread = task.unread or (known is not None and cloud_lists.is_unread(known))
    stale = session is not None and session.synced_at > 0
    view = cloud_view(word, unread=unread, pull_request=bool(known and known.run and known.run.pr_url), stale=stale)
    if word in (CloudWord.DONE, CloudWord.READY) and not (unread or stale):
        reviewed = task_words.review_trouble(pull_request) or task_words.review_state(pull_request)
        return _view(reviewed) if reviewed else view
    return view


_WORDS_OF_PHASES = {
    SessionPhase.WORKING: CloudWord.WORKING,
    SessionPhase.READY: CloudWord.READY,
    SessionPhase.STARTING: CloudWord.STARTING,
    SessionPhase.FAILED: CloudWord.FAILED,
    SessionPhase.IDLE: CloudWord.DONE,
}
_CLOUD_VIEWS = {
    CloudWord.WAITING: TaskView(Glyph.WAITING, "Waiting for permission", "status.waiting"),
    CloudWord.FAILED: TaskView(Glyph.FAILED, "The run failed", "status.failed"),
    CloudWord.WORKING: TaskView(Glyph.CLOUD_RUNNING, "Running in the cloud", "status.cloud"),
    CloudWord.READY: TaskView(Glyph.CLOUD, "Waits for a message", "status.cloud"),
    CloudWord.STARTING: TaskView(Glyph.QUEUED, "Starting in the cloud", "status.cloud"),
    CloudWord.LOCAL: TaskView(Glyph.CLOUD, "Runs on another machine", "status.cloud"),
    CloudWord.DONE: TaskView(Glyph.IDLE, "Finished", "text.muted"),
    CloudWord.CANCELLED: TaskView(Glyph.PAUSED, "Ended", "text.secondary"),
    CloudWord.NEW: TaskView(Glyph.CLOUD, "Not started", "status.cloud"),
}
_SETTLED = (CloudWord.FAILED, CloudWord.DONE, CloudWord.CANCELLED)


def cloud_view(word: CloudWord, *, unread: bool = False, pull_request: bool = False, stale: bool = False) -> TaskView:
    """What to show for a cloud task that does `word`. `stale`: it may have gone on meanwhile."""
    view = _CLOUD_VIEWS.get(word, _UNKNOWN)
    if stale and word not in _SETTLED:
        return TaskView(Glyph.UNKNOWN, view.word, "text.muted")
    if word in (CloudWord.DONE, CloudWord.READY):
        if unread:
            return TaskView(Glyph.FINISHED, "Finished", "status.success")
        if pull_request:
            return TaskView(Glyph.PR_OPEN, "Pull request", "status.success")
    return view


_VIEWS = {
    Standing.PERMISSION: (Glyph.WAITING, "status.waiting"),
    Standing.QUESTION: (Glyph.QUESTION, "status.question"),
    Standing.SETUP_FAILED: (Glyph.FAILED, "status.failed"),
    Standing.FAILED: (Glyph.FAILED, "status.failed"),
    Standing.STOPPING: (Glyph.RUNNING, "status.running"),
    Standing.WORKING: (Glyph.RUNNING, "status.running"),
    Standing.SETTING_UP: (Glyph.SETTING_UP, "status.running"),
    Standing.STARTING: (Glyph.SETTING_UP, "status.running"),
    Standing.INTERRUPTED: (Glyph.PAUSED, "status.waiting"),
    Standing.CHECKS_FAILING: (Glyph.CHECKS_FAILING, "status.failed"),
    Standing.CHANGES_REQUESTED: (Glyph.CHANGES_REQUESTED, "status.waiting"),
    Standing.UNREAD_CHANGES: (Glyph.FINISHED, "status.success"),
    Standing.UNREAD: (Glyph.FINISHED, "status.success"),
    Standing.MERGED: (Glyph.PR_MERGED, "status.merged"),
    Standing.CLOSED: (Glyph.PR_CLOSED, "status.failed"),
    Standing.CHECKS_RUNNING: (Glyph.CHECKS_RUNNING, "status.running"),
    Standing.DRAFT: (Glyph.PR_DRAFT, "status.draft"),
    Standing.APPROVED: (Glyph.APPROVED, "status.success"),
    Standing.OPEN: (Glyph.PR_OPEN, "status.success"),
    Standing.STOPPED: (Glyph.PAUSED, "text.secondary"),
    Standing.CHANGES: (Glyph.IDLE, "status.success"),
    Standing.IDLE: (Glyph.IDLE, "text.muted"),
}


def _view(found: Standing) -> TaskView:
    glyph, token = _VIEWS[found]
    return TaskView(glyph, found.word, token)


def pull_request_words(pull_request: PullRequest) -> str:
    """ "#482 ✕ 6/7 Changes requested"; without a mark while checks run."""
    parts = [f"#{pull_request.number}"]
    if pull_request.state in (PullRequestState.MERGED, PullRequestState.CLOSED):
        return f"{parts[0]} {pull_request.state.value.capitalize()}"
    if pull_request.checks:
        mark = "✕ " if pull_request.failed else "" if pull_request.running else "✓ "
        parts.append(f"{mark}{pull_request.passed}/{len(pull_request.checks)}")
    word = {"APPROVED": "Approved", "CHANGES_REQUESTED": "Changes requested"}.get(pull_request.review_decision, "")
    if pull_request.state is PullRequestState.DRAFT:
        word = word or "Draft"
    return " ".join([*parts, word]).strip()
