"""The stream plane of a cloud session: what was received, kept on disk and folded, so that it reads offline too."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from posthog_code.domain.cloud_entries import Frame, direction, extension
from posthog_code.domain.cloud_parse import mapping
from posthog_code.domain.errors import Conflict
from posthog_code.domain.fold import Fold
from posthog_code.domain.ids import SessionId, TaskId
from posthog_code.domain.state import Topic
from posthog_code.domain.transcript import Transcript
from posthog_code.ports.storage import Journal
from posthog_code.services.session_parts import SessionParts

_OURS = "_posthog_code/"
RESET = "_posthog_code/reset"
"""Everything before this note was told again after it, in full."""
RUN = "_posthog_code/run"
"""What follows is of the run that this note names."""

Timed = tuple[dict[str, Any], float]
"""A frame and its UNIX time."""


class Received(NamedTuple):
    before: tuple[Timed, ...]
    """What came before the run in question began."""
    since: tuple[Timed, ...]


class CloudStream:
    """Transcript and journal of one cloud session.

    The journal is written by one program at a time. A second one shows the same conversation from memory.
    """

    def __init__(self, parts: SessionParts, task_id: TaskId, session_id: SessionId) -> None:
        self._parts = parts
        self._task_id = task_id
        self._session_id = session_id
        self._topic = Topic("transcript", task_id)
        self.transcript = Transcript()
        self._fold = Fold(self.transcript)
        self._journal: Journal | None = None
        self._memory: list[Timed] | None = None
        """Frames received while another program writes the journal."""
        self._notes: list[tuple[str, dict[str, Any]]] | None = None
        """All notes of the journal, while it is ours to write."""
        self.last_at = 0.0
        for frame, way, at in self._read():
            self._apply(frame, way, at)

    # -- reading -----------------------------------------------------------------------------------------------

    def _read(self) -> Iterable[tuple[dict[str, Any], str, float]]:
        lines = list(self._parts.journals.read(self._session_id))
        start = max((i for i, (frame, _, _) in enumerate(lines) if frame.get("method") == RESET), default=-1)
        return lines[start + 1 :]

    def _received(self, run_id: str) -> Received:
        if self._memory is not None:
            return Received((), tuple(self._memory))
        before: list[Timed] = []
        since: list[Timed] = []
        for frame, way, at in self._read():
            if way != "note":
                since.append((frame, at))
            elif frame.get("method") == RUN and mapping(frame.get("params")).get("run") == run_id:
                before, since = before + since, []
        return Received(tuple(before), tuple(since))

    async def received(self, run_id: str) -> Received:
        """Every frame that is part of the conversation, in order, parted where this run begins."""
        if self._parts.journals.size(self._session_id) > 200_000:
            return await asyncio.to_thread(self._received, run_id)
        return self._received(run_id)

    def notes(self, *names: str) -> list[tuple[str, dict[str, Any]]]:
        """Our own notes of these kinds, oldest first, with their parameters."""
        return [(name, params) for name, params in self._all_notes() if name in names]

    def _all_notes(self) -> list[tuple[str, dict[str, Any]]]:
        """Read from the file once as long as nobody else can write there: it may be long."""
        if self._journal is not None and self._notes is not None:
            return self._notes
        found = [
            (method.removeprefix(_OURS), dict(mapping(frame.get("params"))))
            for frame, way, _ in self._parts.journals.read(self._session_id)
            if way == "note" and isinstance(method := frame.get("method"), str) and method.startswith(_OURS)
        ]
        if self._journal is not None:
            self._notes = found
        return found

    # -- writing -----------------------------------------------------------------------------------------------

    @property
    def journal(self) -> Journal:
        """Raises Conflict while another program writes it."""
        if self._journal is None:
            self._journal = self._parts.journals.open(self._session_id)
            self._memory = self._notes = None
        return self._journal

    def take(self, frames: Sequence[Timed]) -> None:
        """Frames of the run with their times (UNIX, s): kept, folded, told."""
        if not frames:
            return
        journal = self._writable()
        for frame, at in frames:
            at = at or self.last_at or self._parts.clock.now()
            way = direction(frame)
            if journal is not None:
                journal.append(frame, way, at)
            elif self._memory is not None:
                self._memory.append((frame, at))
            self._apply(frame, way, at)
            self._parts.logs.frame(self._task_id, frame, way, at)
        self._parts.store.touch(self._topic)

    def note(self, name: str, **params: Any) -> None:
        """Something of ours, in the order of things."""
        at = self._parts.clock.now()
        frame = {"jsonrpc": "2.0", "method": f"_posthog_code/{name}", "params": params}
        journal = self._writable()
        if journal is not None:
            journal.append(frame, "note", at)
            if self._notes is not None:
                self._notes.append((name, dict(params)))
        if self._fold.apply(frame, "note", at) is not None:
            self._parts.store.touch(self._topic)

    def rebuild(self, before: Sequence[Timed], since: Sequence[Timed], run_id: str) -> None:
        """Tell the whole conversation anew. The old lines stay in the file, before a mark."""
        transcript = self.transcript
        transcript.items.clear()
        transcript.changes.clear()
        transcript.turn, transcript.running = 0, False
        transcript.rev += 1
        self._fold = Fold(transcript)
        if self._memory is not None:
            self._memory.clear()
        journal = self._writable()
        if journal is not None:
            # A crash in between leaves a beginning, which the next join completes from the stored log.
            journal.append({"jsonrpc": "2.0", "method": RESET, "params": {"run": run_id}}, "note", self._now())
        self.take(before)
        self.note("run", run=run_id)
        self.take(since)
        self._parts.store.touch(self._topic)

    def sync(self) -> None:
        """Flush to disk; blocks."""
        if self._journal is not None:
            self._journal.sync()

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _writable(self) -> Journal | None:
        try:
            return self.journal
        except Conflict:
            if self._memory is None:
                self._memory = [(frame, at) for frame, way, at in self._read() if way != "note"]
            return None

    def _apply(self, frame: Frame, way: str, at: float) -> None:
        self.last_at = max(self.last_at, at)
        if way != "note" and extension(frame) == "user_message":
            return  # an echo of the prompt that follows
        self._fold.apply(frame, way, at)

    def _now(self) -> float:
        return self._parts.clock.now()
