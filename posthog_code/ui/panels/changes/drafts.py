"""Open comment editors as text, so that they survive the panel and a restart."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from PySide6.QtCore import QObject, QTimer

from posthog_code.domain.ids import TaskId
from posthog_code.ui.context import UiContext
from posthog_code.ui.diff.comments import CommentDraft
from posthog_code.ui.panels.changes.actions import ReviewActions

_SAVE_MS = 800


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


class DraftKeeper(QObject):
    """Writes open editors down a moment after the last key, and at once when they go out of sight."""

    def __init__(
        self, ctx: UiContext, actions: ReviewActions, texts: Callable[[], Iterable[CommentDraft]], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._ctx, self._actions, self._texts = ctx, actions, texts
        self._timer = QTimer(self, interval=_SAVE_MS, singleShot=True)
        self._timer.timeout.connect(self._save)

    def later(self) -> None:
        self._timer.start()

    def flush(self) -> None:
        if self._timer.isActive():
            self._timer.stop()
            self._save()

    def _save(self) -> None:
        task_id = self._actions.task_id
        if task_id is None:
            return
        key, text = draft_key(task_id), to_text(self._texts())
        if text != self._ctx.state.drafts.get(key, "") and not self._actions.save_drafts(key, text):
            self._timer.start()
