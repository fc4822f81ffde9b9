"""What the empty composer says."""

from __future__ import annotations

from posthog_code.domain.session import AskKind, Session, SessionPhase
from posthog_code.domain.task import Task, TaskPhase, Workspace


def placeholder(task: Task | None, session: Session | None, pending: int) -> str:
    """By the state of task and session; `pending` is the number of review comments that would go along."""
    if task is None:
        return "What should the agent do?"
    if task.phase in (TaskPhase.ARCHIVED, TaskPhase.DELETED):
        return "This task is archived. Restore it to go on."
    if task.phase is TaskPhase.SETUP_FAILED:
        return "Queue a message for when the worktree is ready"
    if task.phase is TaskPhase.SETTING_UP:
        return "Queue a message while the worktree is set up"
    phase = session.phase if session is not None else SessionPhase.IDLE
    if session is not None and phase is SessionPhase.WAITING and session.asks:
        ask = session.asks[0]
        count = len(ask.options) if ask.kind is AskKind.PERMISSION else sum(len(f.choices) for f in ask.fields[:1])
        return f"Queue a message, or answer above with 1 to {count}" if count > 1 else "Queue a message"
    if pending:
        return "Add a note to your review, or just send it"
    if phase.busy or phase is SessionPhase.STARTING:
        return "Queue a message"
    if task.workspace is Workspace.CLOUD and phase in (SessionPhase.FAILED, SessionPhase.IDLE):
        return "Reply to the agent: it goes on in a new run"
    if phase in (SessionPhase.FAILED, SessionPhase.INTERRUPTED):
        return "Tell the agent what to do differently"
    return "Reply to the agent"
