"""One log a task: frames, tools, git, set-up, stderr, network, in the order of time."""

from __future__ import annotations

import asyncio
import json
import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from posthog_code.domain.frame_lines import FrameLines
from posthog_code.domain.ids import SessionId, TaskId
from posthog_code.domain.logs import LogLine, LogSource
from posthog_code.domain.redact import redact
from posthog_code.domain.state import Topic
from posthog_code.ports.clock import Clock
from posthog_code.ports.storage import Journals, TaskLogs
from posthog_code.services.store import Store

Frame = dict[str, Any]
KEPT_LINES = 200_000
_RAW_LIMIT = 262_144
_OVERLAP = 2.0
"""Seconds by which a line may be on disk before it is told of."""


class _Entry(NamedTuple):
    at: float
    source: LogSource
    text: str
    level: str
    data: str | Frame
    """Details as JSON text, or a frame that came while somebody was looking."""
    offset: int = -1
    """Where the raw frame is in the journal; -1 for none."""
    length: int = 0


class LogView:
    """What the Logs panel shows. Raw frames stay on disk and are read when a line is asked for."""

    def __init__(self, journal: Path) -> None:
        self._entries: list[_Entry] = []
        self._journal = journal
        self.frames = FrameLines()
        self.rev = 0
        self.dropped = 0
        """Oldest lines that are only on disk."""

    @property
    def count(self) -> int:
        return len(self._entries)

    def line(self, index: int) -> LogLine:
        entry = self._entries[index]
        data = self._raw(entry) if entry.offset >= 0 else entry.data
        if not isinstance(data, str):
            data = json.dumps(data, ensure_ascii=False)
        return LogLine(entry.at, entry.source, entry.text, entry.level, data)

    def brief(self, index: int) -> LogLine:
        """The line without its raw frame: what painting, filters and search need."""
        entry = self._entries[index]
        return LogLine(entry.at, entry.source, entry.text, entry.level)

    def _raw(self, entry: _Entry) -> str:
        try:
            with open(self._journal, "rb", buffering=0) as file:
                raw = os.pread(file.fileno(), min(entry.length, _RAW_LIMIT), entry.offset)
            return json.dumps(json.loads(raw)["notification"], ensure_ascii=False)
        except (OSError, ValueError, KeyError):
            return ""

    def since(self, at: float) -> Counter[tuple[LogSource, str]]:
        """How often each line is there from UNIX time `at` on."""
        start = bisect_right(self._entries, at, key=attrgetter("at"))
        return Counter((entry.source, entry.text) for entry in self._entries[start:])

    def add(self, entries: Iterable[_Entry]) -> None:
        for entry in entries:
            # Lines come almost in order: two writers may overlap by a few milliseconds.
            if self._entries and entry.at < self._entries[-1].at:
                self._entries.insert(bisect_right(self._entries, entry.at, key=attrgetter("at")), entry)
            else:
                self._entries.append(entry)
        if len(self._entries) > KEPT_LINES:
            surplus = len(self._entries) - KEPT_LINES
            del self._entries[:surplus]
            self.dropped += surplus
        self.rev += 1


class Logs:
    """Writes the lines that are no frames, and keeps the views of tasks that are being looked at."""

    def __init__(self, store: Store, journals: Journals, files: TaskLogs, clock: Clock) -> None:
        self._store = store
        self._journals = journals
        self._files = files
        self._clock = clock
        self._views: dict[TaskId, LogView] = {}
        self._reading: dict[TaskId, list[_Entry]] = {}
        """What came while a view is being read."""

    def write(self, task_id: TaskId, source: LogSource, text: str, *, level: str = "info", data: str = "") -> None:
        """Append; each line of `text` becomes a line of the log."""
        at, data = self._clock.now(), redact(data)
        lines = [LogLine(at, source, line, level, data) for line in redact(text).splitlines() or [""]]
        self._files.append(task_id, lines)
        self._show(task_id, [_Entry(line.at, line.source, line.text, line.level, line.data) for line in lines])

    def frame(self, task_id: TaskId, frame: Frame, direction: str, at: float) -> None:
        """Tell the view, if there is one, of a frame that is in the journal already."""
        view = self._views.get(task_id)
        if view is not None and (described := view.frames.describe(frame, direction)) is not None:
            source, text, level = described
            self._show(task_id, [_Entry(at, source, text, level, frame)])

    def _show(self, task_id: TaskId, entries: list[_Entry]) -> None:
        view = self._views.get(task_id)
        if view is None:
            return
        if task_id in self._reading:
            # They may be in what is being read, which has the offsets: see `load`.
            self._reading[task_id].extend(entries)
        else:
            view.add(entries)
            self._store.touch(Topic("log", task_id))

    def lines(self, task_id: TaskId) -> LogView:
        """The view; empty until `load` has run."""
        return self._views.get(task_id) or LogView(Path(os.devnull))

    async def load(self, task_id: TaskId) -> None:
        """Read what is on disk, in a thread; the view then has it all at once, and what came meanwhile."""
        if task_id in self._views:
            return
        empty = self._views[task_id] = LogView(Path(os.devnull))
        self._reading[task_id] = []
        began = self._clock.now()
        task = self._store.state.tasks.get(task_id)
        try:
            view = await asyncio.to_thread(self._read, task_id, task.session_id if task else None)
        except BaseException:
            self._views.pop(task_id, None)
            raise
        finally:
            late = self._reading.pop(task_id, [])
        if self._views.get(task_id) is not empty:
            return
        read = view.since(began - _OVERLAP)
        view.add(entry for entry in late if not _take(read, entry))
        self._views[task_id] = view
        self._store.touch(Topic("log", task_id))

    def forget(self, task_id: TaskId) -> None:
        """Drop the view of a task that is no longer looked at; everything is on disk."""
        self._views.pop(task_id, None)
        self._reading.pop(task_id, None)

    def _read(self, task_id: TaskId, session_id: SessionId | None) -> LogView:
        view = LogView(self._journals.path(session_id) if session_id else Path(os.devnull))
        entries = [_Entry(line.at, line.source, line.text, line.level, line.data) for line in self._files.read(task_id)]
        if session_id:
            for frame, direction, at, offset, length in self._journals.read_located(session_id):
                if (described := view.frames.describe(frame, direction)) is not None:
                    source, text, level = described
                    entries.append(_Entry(at, source, text, level, "", offset, length))
        entries.sort(key=attrgetter("at"))
        view.add(entries)
        return view


def _take(read: Counter[tuple[LogSource, str]], entry: _Entry) -> bool:
    """Whether the line was among those that were read; each of them counts once."""
    key = (entry.source, entry.text)
    if not read[key]:
        return False
    read[key] -= 1
    return True
