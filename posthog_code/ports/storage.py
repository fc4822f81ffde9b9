"""What is kept on disk, in the words of the services."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from posthog_code.domain.ids import SessionId, TaskId
from posthog_code.domain.logs import LogLine
from posthog_code.domain.state import AppState


class Database(Protocol):
    """The state plane on disk. One writer."""

    def load(self) -> AppState:
        """Everything that is kept. Raises StorageFailed for a file that cannot be read or is from a newer version."""

    async def save(self, old: AppState, new: AppState) -> AppState | None:
        """Write what differs, in one transaction that is durable against a crash of the app before this returns.

        When another program has written since `load`, `save` or `newer` last looked, nothing is written and the state
        on disk is given instead. Raises StorageFailed (disk full, read-only); then nothing was written.
        """

    async def newer(self) -> AppState | None:
        """The state on disk when another program has written since this one last looked, else None."""

    def close(self) -> None: ...


class Journal(Protocol):
    """One session's frames, append-only: JSON lines in the envelope of the cloud's run logs."""

    path: Path

    def append(self, frame: dict[str, Any], direction: str, at: float) -> None:
        """Write one frame before anything else sees it. `direction`: "in" (from the agent), "out", "note" (ours)."""

    def append_raw(self, line: bytes, direction: str, at: float) -> None:
        """The same for a frame that is JSON text already."""

    def sync(self) -> None:
        """Flush to the disk; may block, call it off the loop."""

    def close(self) -> None: ...


class Journals(Protocol):
    def open(self, session_id: SessionId) -> Journal:
        """Open for appending; a torn last line is dropped first (and kept beside it)."""

    def read(self, session_id: SessionId) -> Iterator[tuple[dict[str, Any], str, float]]:
        """Each (frame, direction, UNIX time) in order; lines that do not parse are skipped."""

    def read_located(
        self, session_id: SessionId, start: int = 0
    ) -> Iterator[tuple[dict[str, Any], str, float, int, int]]:
        """The same with offset and length of each line in the file, in bytes, from the line at `start`."""

    def path(self, session_id: SessionId) -> Path: ...

    def in_use(self, session_id: SessionId) -> bool:
        """Whether another process has this session's journal open for writing."""

    def exists(self, session_id: SessionId) -> bool: ...

    def size(self, session_id: SessionId) -> int: ...

    def sessions(self) -> tuple[SessionId, ...]:
        """All that have a journal."""

    def remove(self, session_id: SessionId) -> None:
        """For good: the session was never saved, or its task was removed for good."""


class Attachments(Protocol):
    """Files that go with prompts."""

    def keep(self, task_id: TaskId, paths: Sequence[str]) -> tuple[str, ...]:
        """The same files at places where they stay: what lies in the temporary folder (pasted pictures) is copied.

        May block. Raises StorageFailed.
        """

    def forget(self, task_id: TaskId) -> None:
        """Remove what was kept for a task that is gone for good."""


class TaskLogs(Protocol):
    """Lines of a task's log that are no frames: git, set-up, stderr, network."""

    def append(self, task_id: TaskId, lines: Sequence[LogLine]) -> None: ...

    def read(self, task_id: TaskId) -> Iterator[LogLine]: ...

    def remove(self, task_id: TaskId) -> None:
        """For good, with a task that is gone for good."""
