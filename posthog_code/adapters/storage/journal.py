"""Journals: what was said and done in a session, one JSON object a line, appended before anything else sees it.

The envelope is that of PostHog's run logs: `{"type": "notification", "timestamp": ISO, "notification": <frame>}`, with
a `direction` besides ("in" from the agent, "out" to it, "note" ours).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from posthog_code.domain.errors import Conflict, StorageFailed
from posthog_code.domain.ids import SessionId

log = logging.getLogger("journal")


class FileJournal:
    """One session's journal, open for appending by this process only."""

    def __init__(self, path: Path) -> None:
        """Raises Conflict while another process writes it, StorageFailed when it cannot be opened."""
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _failed(path, error) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._fd)
            raise Conflict(
                "This task's session is in use by another PostHog Code.", "Close it there, or wait for it to end."
            ) from error
        self._drop_torn_line()
        self._end = os.fstat(self._fd).st_size

    def _drop_torn_line(self) -> None:
        size = os.fstat(self._fd).st_size
        if size == 0 or os.pread(self._fd, 1, size - 1) == b"\n":
            return
        start, tail = size, b""
        while start > 0 and b"\n" not in tail:
            step = min(65536, start)
            start -= step
            tail = os.pread(self._fd, step, start) + tail
        keep = start + tail.rfind(b"\n") + 1 if b"\n" in tail else 0
        torn = tail[tail.rfind(b"\n") + 1 :]
        # Cut short by a crash: it was never shown. It is kept beside the journal for whoever wants to look.
        with open(self.path.with_suffix(".torn"), "ab") as beside:
            beside.write(torn + b"\n")
        os.ftruncate(self._fd, keep)
        log.warning("dropped a torn line of %d bytes from %s", len(torn), self.path)

    def append(self, frame: dict[str, Any], direction: str, at: float) -> None:
        self.append_raw(json.dumps(frame, separators=(",", ":")).encode(), direction, at)

    def append_raw(self, line: bytes, direction: str, at: float) -> None:
        head = f'{{"type":"notification","timestamp":"{_iso(at)}","direction":"{direction}","notification":'
        data = head.encode() + line + b"}\n"
        try:
            written = os.write(self._fd, data)
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._end)
            raise _failed(self.path, error) from error
        self._end += len(data)

    def sync(self) -> None:
        """Raises StorageFailed when the disk does not take what was written."""
        fd = self._fd
        try:
            if fd >= 0:
                os.fdatasync(fd)
        except OSError as error:
            raise _failed(self.path, error) from error

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class FileJournals:
    """Implements ports.storage.Journals in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, session_id: SessionId) -> Path:
        return self._folder / f"{session_id}.jsonl"

    def open(self, session_id: SessionId) -> FileJournal:
        return FileJournal(self.path(session_id))

    def in_use(self, session_id: SessionId) -> bool:
        """Whether another process is writing this session's journal."""
        try:
            fd = os.open(self.path(session_id), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(fd)
        return False

    def exists(self, session_id: SessionId) -> bool:
        return self.path(session_id).exists()

    def size(self, session_id: SessionId) -> int:
        try:
            return self.path(session_id).stat().st_size
        except OSError:
            return 0

    def read(self, session_id: SessionId) -> Iterator[tuple[dict[str, Any], str, float]]:
        for frame, direction, at, _offset, _length in self.read_located(session_id):
            yield frame, direction, at

    def read_located(
        self, session_id: SessionId, start: int = 0
    ) -> Iterator[tuple[dict[str, Any], str, float, int, int]]:
        """Each (frame, direction, UNIX time, offset, length) of lines that are whole; damaged ones are skipped."""
        try:
            file = open(self.path(session_id), "rb")  # noqa: SIM115
        except OSError:
            return
        offset, damaged = start, 0
        with file:
            file.seek(start)
            for line in file:
                begin, offset = offset, offset + len(line)
                try:
                    entry = json.loads(line)
                    frame = entry["notification"]
                    at = _seconds(entry.get("timestamp", ""))
                    direction = str(entry.get("direction", "in"))
                except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                    damaged += 1
                    continue
                if isinstance(frame, dict):
                    yield frame, direction, at, begin, len(line)
        if damaged:
            log.warning("skipped %d damaged lines of %s", damaged, self.path(session_id))

    def sessions(self) -> tuple[SessionId, ...]:
        return tuple(SessionId(path.stem) for path in sorted(self._folder.glob("*.jsonl")))

    def remove(self, session_id: SessionId) -> None:
        path = self.path(session_id)
        path.unlink(missing_ok=True)
        path.with_suffix(".torn").unlink(missing_ok=True)


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seconds(timestamp: str) -> float:
    try:
        return datetime.fromisoformat(timestamp).timestamp()
    except ValueError:
        return 0.0


def _failed(path: Path, error: OSError) -> StorageFailed:
    return StorageFailed(
        "The conversation could not be saved.",
        "Check free space and permissions of the data folder; the turn is stopped so that nothing is lost.",
        f"{path}: {error.strerror or error}",
    )
