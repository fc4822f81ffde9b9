"""What a reviewer leaves on a diff."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from posthog_code.domain.ids import CommentId, TaskId


class CommentState(StrEnum):
    PENDING = "pending"
    """Written, kept over restarts, not sent yet."""
    SENT = "sent"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on lines of the diff, for the agent."""

    id: CommentId
    task_id: TaskId
    path: str
    side: str
    """"new" or "old"."""
    start: int
    end: int
    """Line numbers on that side, from 1, both included."""
    code: str
    """The commented lines as they were."""
    text: str
    created_at: float
    state: CommentState = CommentState.PENDING
    turn: int = 0
    """The turn that it was sent with; 0 while pending."""


def review_prompt(comments: tuple[Comment, ...], note: str = "") -> str:
    """Pending comments as one follow-up: path, lines, quoted code and the comment, in the order of the diff."""
    parts = [note.strip()] if note.strip() else []
    if comments:
        parts.append("Review comments on your changes:" if len(comments) > 1 else "A review comment on your changes:")
    for comment in comments:
        lines = f"line {comment.start}" if comment.start == comment.end else f"lines {comment.start}-{comment.end}"
        side = " (before the change)" if comment.side == "old" else ""
        longest = max((len(run) for run in _backtick_runs(comment.code)), default=0)
        fence = "`" * max(3, longest + 1)
        parts.append(
            f"{comment.path}, {lines}{side}:\n{fence}\n{comment.code.rstrip()}\n{fence}\n{comment.text.strip()}"
        )
    return "\n\n".join(parts)


def _backtick_runs(text: str) -> list[str]:
    runs, run = [], ""
    for char in text + " ":
        if char == "`":
            run += char
        elif run:
            runs.append(run)
            run = ""
    return runs
