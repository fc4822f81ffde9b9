"""The stream plane of one session: journal, fold, and who is told."""

from __future__ import annotations

from typing import Any

from posthog_code.domain.fold import Fold
from posthog_code.domain.ids import SessionId, TaskId
from posthog_code.domain.state import Topic
from posthog_code.domain.transcript import Transcript
from posthog_code.ports.storage import Journal
from posthog_code.services.session_parts import SessionParts


class Stream:
    """Transcript of a session in memory, folded from its journal and kept up with it.

    The journal is opened for writing only once there is something to write, so that reading never takes the lock.
    """

    def __init__(self, parts: SessionParts, task_id: TaskId, session_id: SessionId, worktree: str) -> None:
        self._parts = parts
        self._task_id = task_id
        self._session_id = session_id
        self._fold = Fold(Transcript(), worktree)
        self._journal: Journal | None = None
        self._topic = Topic("transcript", task_id)
        for frame, direction, at in parts.journals.read(session_id):
            self._fold.apply(frame, direction, at)

    @property
    def transcript(self) -> Transcript:
        return self._fold.transcript

    @property
    def journal(self) -> Journal:
        """Raises Conflict while another process drives this session."""
        if self._journal is None:
            self._journal = self._parts.journals.open(self._session_id)
        return self._journal

    def note(self, name: str, **params: Any) -> None:
        """Journal and fold something of ours."""
        at = self._parts.clock.now()
        frame = {"jsonrpc": "2.0", "method": f"_posthog_code/{name}", "params": params}
        self.journal.append(frame, "note", at)
        self.fold(frame, "note", at)

    def fold(self, frame: dict[str, Any], direction: str, at: float) -> None:
        """Fold a frame that is in the journal already."""
        if self._fold.apply(frame, direction, at) is not None:
            self._parts.store.touch(self._topic)
        self._parts.logs.frame(self._task_id, frame, direction, at)

    def sync(self) -> None:
        """Flush to disk; blocks."""
        if self._journal is not None:
            self._journal.sync()

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None
