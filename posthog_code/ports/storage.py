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

    async def save(self, old: AppState, new: AppState) -> None:
        """Write what differs, in one transaction that is durable against a crash of the app before this returns.

        Raises StorageFailed (disk full, read-only); then nothing was written.
        """

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

    def read_located(self, session_id: SessionId) -> Iterator[tuple[dict[str, Any], str, float, int, int]]:
        """The same with offset and length of each line in the file, in bytes."""

    def path(self, session_id: SessionId) -> Path: ...

    def in_use(self, session_id: SessionId) -> bool:
        """Whether another process has this session's journal open for writing."""

    def exists(self, session_id: SessionId) -> bool: ...

    def size(self, session_id: SessionId) -> int: ...

    def trash(self, session_id: SessionId) -> None: ...


class TaskLogs(Protocol):
    """Lines of a task's log that are no frames: git, set-up, stderr, network."""

    def append(self, task_id: TaskId, lines: Sequence[LogLine]) -> None: ...

    def read(self, task_id: TaskId) -> Iterator[LogLine]: ...
