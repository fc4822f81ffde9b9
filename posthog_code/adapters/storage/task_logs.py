"""A task's log lines on disk: git, set-up, stderr, network."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from posthog_code.domain.ids import TaskId
from posthog_code.domain.logs import LogLine, LogSource

log = logging.getLogger("tasklog")
LIMIT = 16 * 1024 * 1024
"""Bytes of a log file; then the one before it gives way."""


class FileTaskLogs:
    """Implements ports.storage.TaskLogs: one JSON lines file a task, and the full one before it."""

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self._folder = folder
        self._limit = limit

    def path(self, task_id: TaskId) -> Path:
        return self._folder / f"{task_id}.jsonl"

    def _before(self, task_id: TaskId) -> Path:
        return self._folder / f"{task_id}.before.jsonl"

    def append(self, task_id: TaskId, lines: Sequence[LogLine]) -> None:
        """A log that cannot be written is reported and does not stop the work it tells about."""
        data = "".join(json.dumps([line.at, line.source, line.text, line.level, line.data]) + "\n" for line in lines)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with open(self.path(task_id), "ab") as file:
                file.write(data.encode())
                full = file.tell() > self._limit
            if full:
                os.replace(self.path(task_id), self._before(task_id))
        except OSError as error:
            log.error("cannot write the log of task %s: %s", task_id, error)

    def read(self, task_id: TaskId) -> Iterator[LogLine]:
        for path in (self._before(task_id), self.path(task_id)):
            try:
                file = open(path, "rb")  # noqa: SIM115
            except OSError:
                continue
            with file:
                for raw in file:
                    try:
                        at, source, text, level, data = json.loads(raw)
                        yield LogLine(float(at), LogSource(source), str(text), str(level), str(data))
                    except (ValueError, TypeError):
                        continue

    def remove(self, task_id: TaskId) -> None:
        for path in (self._before(task_id), self.path(task_id)):
            path.unlink(missing_ok=True)
