"""A task's log lines on disk: git, set-up, stderr, network."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from posthog_code.domain.ids import TaskId
from posthog_code.domain.logs import LogLine, LogSource

log = logging.getLogger("tasklog")


class FileTaskLogs:
    """Implements ports.storage.TaskLogs: one JSON lines file a task."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, task_id: TaskId) -> Path:
        return self._folder / f"{task_id}.jsonl"

    def append(self, task_id: TaskId, lines: Sequence[LogLine]) -> None:
        """A log that cannot be written is reported and does not stop the work it tells about."""
        data = "".join(json.dumps([line.at, line.source, line.text, line.level, line.data]) + "\n" for line in lines)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with open(self.path(task_id), "ab") as file:
                file.write(data.encode())
        except OSError as error:
            log.error("cannot write the log of task %s: %s", task_id, error)

    def read(self, task_id: TaskId) -> Iterator[LogLine]:
        try:
            file = open(self.path(task_id), "rb")  # noqa: SIM115
        except OSError:
            return
        with file:
            for raw in file:
                try:
                    at, source, text, level, data = json.loads(raw)
                    yield LogLine(float(at), LogSource(source), str(text), str(level), str(data))
                except (ValueError, TypeError):
                    continue
