"""The stream plane of one session: journal, fold, and who is told."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Any

from posthog_code.domain.errors import StorageFailed, UserError
from posthog_code.domain.fold import Fold
from posthog_code.domain.ids import SessionId, TaskId
from posthog_code.domain.logs import LogSource
from posthog_code.domain.state import Topic
from posthog_code.domain.transcript import Transcript
from posthog_code.ports.storage import Journal
from posthog_code.services.session_parts import SessionParts

_SYNC_EVERY = 5.0


class Stream:
    """Transcript of a session in memory, folded from its journal and kept up with it.

    The journal is read when somebody first asks for the transcript, and opened for writing only once there is
    something to write or to keep others from, so that reading never takes the lock.
    """

    def __init__(self, parts: SessionParts, task_id: TaskId, session_id: SessionId, worktree: str) -> None:
        self._parts = parts
        self._task_id = task_id
        self._session_id = session_id
        self._fold = Fold(Transcript(), worktree)
        self._journal: Journal | None = None
        self._reading = threading.Lock()
        self._known = 0
        """Bytes of the journal that are folded, up to where nobody but us writes."""
        self._read = False
        self._ours = False
        """All that is in the journal is folded, and what is added comes from us."""
        self._late: list[tuple[dict[str, Any], float]] = []
        self._topic = Topic("transcript", task_id)

    @property
    def transcript(self) -> Transcript:
        if not self._read:
            self.catch_up()
        return self._fold.transcript

    @property
    def unread(self) -> int:
        """Bytes that have to be folded before there is a transcript."""
        return 0 if self._read else self._parts.journals.size(self._session_id)

    def works_in(self, worktree: str) -> None:
        """The worktree is there now: paths outside of it are told as such."""
        self._fold.worktree = worktree

    def hold(self) -> None:
        """Keep other programs out. Raises Conflict while one of them drives this session."""
        if self._journal is None:
            self._journal = self._parts.journals.open(self._session_id)

    @property
    def journal(self) -> Journal:
        """For writing. Raises Conflict while another program drives this session."""
        self.hold()
        self.catch_up()
        assert self._journal is not None
        return self._journal

    def catch_up(self) -> bool:
        """Fold what is in the journal and not here yet: all of it at first, later what other programs have added.

        True when there was something. Blocks: off the loop for long journals.
        """
        if self._ours:
            return False
        with self._reading:
            before, ours = self._known, self._journal is not None
            for frame, direction, at, offset, length in self._parts.journals.read_located(self._session_id, before):
                self._fold.apply(frame, direction, at)
                self._known = offset + length
            self._read, self._ours = True, ours
            return self._known > before

    def note(self, name: str, **params: Any) -> None:
        """Journal and fold something of ours."""
        at = self._parts.clock.now()
        frame = _note(name, params)
        self._write_late()
        self.journal.append(frame, "note", at)
        self.fold(frame, "note", at)

    def note_late(self, name: str, **params: Any) -> None:
        """As `note`, but where the journal takes nothing now, it gets it before the next note that can be written."""
        at = self._parts.clock.now()
        frame = _note(name, params)
        self._late.append((frame, at))
        self.fold(frame, "note", at)
        with contextlib.suppress(UserError):
            self._write_late()

    def _write_late(self) -> None:
        while self._late:
            frame, at = self._late[0]
            self.journal.append(frame, "note", at)
            self._late.pop(0)

    def fold(self, frame: dict[str, Any], direction: str, at: float) -> None:
        """Fold a frame that is in the journal already."""
        if self._fold.apply(frame, direction, at) is not None:
            self._parts.store.touch(self._topic)
        self._parts.logs.frame(self._task_id, frame, direction, at)

    def sync(self) -> None:
        """Flush to disk; blocks."""
        if self._journal is not None:
            self._journal.sync()

    async def sync_regularly(self) -> None:
        """While a turn runs."""
        while True:
            await asyncio.sleep(_SYNC_EVERY)
            try:
                await asyncio.to_thread(self.sync)
            except StorageFailed as error:
                # The end of the turn tries again, and tells it.
                self._parts.logs.write(self._task_id, LogSource.AGENT, str(error), level="warning", data=error.detail)

    def close(self) -> None:
        """Let go of the journal; the transcript stays."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        if self._ours:
            self._ours = False
            self._known = self._parts.journals.size(self._session_id)


def _note(name: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": f"_posthog_code/{name}", "params": params}
