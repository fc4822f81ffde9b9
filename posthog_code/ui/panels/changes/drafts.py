"""Open comment editors as text, so that they survive the panel and a restart."""

from __future__ import annotations

import json
from collections.abc import Iterable

from posthog_code.domain.ids import TaskId
from posthog_code.ui.diff.comments import CommentDraft


def draft_key(task_id: TaskId) -> str:
    """Where the drafts of a task's review are kept among the composer drafts."""
    return f"review:{task_id}"


def to_text(drafts: Iterable[CommentDraft]) -> str:
    kept = [[d.path, d.side, d.start, d.end, d.code, d.text] for d in drafts if d.text.strip()]
    return json.dumps(kept) if kept else ""


def from_text(text: str) -> tuple[CommentDraft, ...]:
    """Drafts that `to_text` wrote; nothing for anything else."""
    try:
        rows = json.loads(text) if text else []
        return tuple(
            CommentDraft(str(path), str(side), int(start), int(end), str(code), str(words))
            for path, side, start, end, code, words in rows
        )
    except (ValueError, TypeError):
        return ()
