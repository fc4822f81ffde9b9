"""Syntax colours of what is in view, found in a worker thread and kept for the last few thousand lines."""

from __future__ import annotations

import atexit
import itertools
import threading
import weakref
from collections import OrderedDict, deque
from dataclasses import dataclass
from functools import cache

import shiboken6
from PySide6.QtCore import QObject, QTimer, Signal

from posthog_code.domain.diff_index import DiffIndex, Row
from posthog_code.ui.theme.syntax import Run, syntax_runs

_CHUNK = 128
"""Lines coloured together; hunks are nearly always shorter, so that strings over many lines come out right."""
_KEPT = 200
_WAITING = 12
_LONGEST = 2000
_IDLE_S = 5.0
_REST_MS = 30
_MOVING_MS = 150
"""Colours are asked for when the view rests, or this often while it moves: the worker slows frames down, since Python
runs one thread at a time."""


@dataclass(frozen=True, slots=True)
class _Job:
    """Plain values only: the last reference to a QObject must never be dropped on the worker's thread."""

    owner: int
    generation: int
    key: tuple[int, str]
    text: str
    filename: str


class _Worker(QObject):
    """One thread for all views; it ends when nothing was asked for a while. The object itself stays on the UI thread
    and hands the results on there."""

    _arrived = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._jobs: deque[_Job] = deque(maxlen=_WAITING)
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._numbers = itertools.count(1)
        self._owners: dict[int, weakref.ref[Syntax]] = {}
        self._generations: dict[int, int] = {}
        self._results: deque[tuple[_Job, list[list[Run]]]] = deque()
        self._arrived.connect(self._deliver)
        atexit.register(self._close)

    def enter(self, owner: Syntax) -> int:
        """A number for somebody who wants results."""
        number = next(self._numbers)
        self._owners[number] = weakref.ref(owner, lambda _gone: self._forget(number))
        return number

    def _forget(self, number: int) -> None:
        self._owners.pop(number, None)
        self._generations.pop(number, None)

    def ask(self, job: _Job) -> None:
        self._generations[job.owner] = job.generation
        with self._wake:
            self._jobs.append(job)
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="diff-syntax", daemon=True)
                self._thread.start()
            self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: bool(self._jobs) or self._closed, _IDLE_S)
                if self._closed or not self._jobs:
                    self._thread = None
                    return
                job = self._jobs.pop()  # the newest: what was asked before may be out of view
            if job.generation == self._generations.get(job.owner):
                self._results.append((job, syntax_runs(job.text, job.filename)))
                if not self._closed:
                    self._arrived.emit()

    def _deliver(self) -> None:
        while self._results:
            job, runs = self._results.popleft()
            reference = self._owners.get(job.owner)
            owner = reference() if reference is not None else None
            if owner is not None and shiboken6.isValid(owner):
                owner.take(job.generation, job.key, runs)

    def _close(self) -> None:
        """The program ends: nothing may run beside its last steps."""
        with self._wake:
            self._closed = True
            self._wake.notify()
            thread = self._thread
        if thread is not None:
            thread.join(2.0)


@cache
def _worker() -> _Worker:
    return _Worker()


class Syntax(QObject):
    """Colours of the rows of one index."""

    ready = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.generation = 0
        self._number = _worker().enter(self)
        self._index = DiffIndex()
        self._known: OrderedDict[tuple[int, str], list[list[Run]]] = OrderedDict()
        self._asked: OrderedDict[tuple[int, str], None] = OrderedDict()
        self._wanted: dict[tuple[int, str], int] = {}
        self._rest = QTimer(self, interval=_REST_MS, singleShot=True)
        self._rest.timeout.connect(self._ask_wanted)
        self._moving = QTimer(self, interval=_MOVING_MS, singleShot=True)
        self._moving.timeout.connect(self._ask_wanted)

    def set_index(self, index: DiffIndex) -> None:
        self.generation += 1
        self._index = index
        self._known.clear()
        self._asked.clear()
        self._wanted.clear()

    def runs(self, row: int) -> list[Run] | None:
        """Runs of a line; None while they are being found."""
        index = self._index
        kind = index.kinds[row]
        side = "old" if kind == Row.REMOVED else "new"
        hunk = index.hunk_of(row)
        first = index.hunk_rows[hunk] + 1
        start = first + (row - first) // _CHUNK * _CHUNK
        found = self._known.get((start, side))
        if found is None:
            if (start, side) not in self._asked:
                self._wanted[start, side] = hunk
            return None
        count = index.kinds.count
        at = count(Row.CONTEXT, start, row) + count(Row.REMOVED if side == "old" else Row.ADDED, start, row)
        return found[at] if at < len(found) else []

    def begin_frame(self) -> None:
        """The view is about to paint: what earlier frames wanted may be out of view."""
        self._wanted.clear()

    def end_frame(self) -> None:
        """Ask for what the frame wanted, soon."""
        if self._wanted:
            self._rest.start()
            if not self._moving.isActive():
                self._moving.start()

    def _ask_wanted(self) -> None:
        self._rest.stop()
        self._moving.stop()
        wanted, self._wanted = self._wanted, {}
        for (start, side), hunk in list(wanted.items())[-_WAITING:]:
            self._ask(start, side, hunk)

    def _ask(self, start: int, side: str, hunk: int) -> None:
        index = self._index
        end_row = index.hunk_rows[hunk + 1] if hunk + 1 < len(index.hunk_rows) else len(index)
        end = min(start + _CHUNK, end_row)
        wanted = (Row.CONTEXT, Row.REMOVED if side == "old" else Row.ADDED)
        lines = [
            index.text(row, _LONGEST).replace("\r", " ") if index.length(row) < _LONGEST else ""
            for row in range(start, end)
            if index.kinds[row] in wanted
        ]
        path = index.files[index.file_of(start)].path
        self._asked[start, side] = None
        if len(self._asked) > _WAITING:
            self._asked.popitem(last=False)  # dropped by the worker as well; asked again when painted again
        name = path.rsplit("/", 1)[-1]
        _worker().ask(_Job(self._number, self.generation, (start, side), "\n".join(lines), name))

    def take(self, generation: int, key: tuple[int, str], runs: list[list[Run]]) -> None:
        """What was asked for has come."""
        if generation != self.generation:
            return
        self._asked.pop(key, None)
        self._known[key] = runs
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        self.ready.emit()
