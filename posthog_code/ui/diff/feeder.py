"""Reading a diff into an index between frames, so that a big one never stops the window."""

from __future__ import annotations

import time
from collections import deque

from PySide6.QtCore import QObject, QTimer, Signal

from posthog_code.domain.diff_index import DiffIndex

_FIRST = 64 * 1024
"""Bytes that are read at once, for the first screen."""
_SLICE = 128 * 1024
_BUDGET_S = 0.008


class Feeder(QObject):
    """Takes git's output in pieces of any size. `advanced` tells that there is more to show."""

    advanced = Signal()
    finished = Signal()

    def __init__(self, index: DiffIndex, parent: QObject) -> None:
        super().__init__(parent)
        self.index = index
        self._waiting: deque[memoryview] = deque()
        self._ended = self._started = False
        self._timer = QTimer(self, interval=0)
        self._timer.timeout.connect(self._more)

    def push(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        if not self._started and view:
            self._started = True
            self.index.feed(view[:_FIRST])
            view = view[_FIRST:]
            self.advanced.emit()
        if view:
            self._waiting.append(view)
            self._timer.start()

    def end(self) -> None:
        """No more pieces will come."""
        self._ended = True
        self._timer.start()

    def cancel(self) -> None:
        self._waiting.clear()
        self._timer.stop()

    def _more(self) -> None:
        deadline = time.perf_counter() + _BUDGET_S
        while self._waiting and time.perf_counter() < deadline:
            piece = self._waiting.popleft()
            self.index.feed(piece[:_SLICE])
            if len(piece) > _SLICE:
                self._waiting.appendleft(piece[_SLICE:])
        done = self._ended and not self._waiting
        if done:
            self.index.finish()
        if not self._waiting:
            self._timer.stop()
        self.advanced.emit()
        if done:
            self.finished.emit()
