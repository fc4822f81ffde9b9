"""From the store to the widgets: changed topics, gathered so that a flood of facts costs one repaint a frame."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from posthog_code.domain.state import Topic

FRAME_MS = 33


class TopicSource(Protocol):
    """The part of the store that the bridge needs."""

    def subscribe(self, callback: Callable[[frozenset[Topic]], None], /) -> Callable[[], None]: ...


class Bridge(QObject):
    """Emits what changed at most once a frame. Idle, it owns no running timer."""

    changed = Signal(object)
    """frozenset[Topic]"""

    def __init__(self, store: TopicSource, parent: QObject | None = None, *, frame_ms: int = FRAME_MS) -> None:
        super().__init__(parent)
        self._frame = frame_ms / 1000
        self._pending: set[Topic] = set()
        self._last = 0.0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._emit)
        self._unsubscribe: Callable[[], None] | None = store.subscribe(self._gather)

    def close(self) -> None:
        """Ends the subscription; what is pending is dropped."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self._timer.stop()
        self._pending.clear()

    def flush(self) -> None:
        """Emits what is pending now."""
        self._timer.stop()
        self._emit()

    def _gather(self, topics: frozenset[Topic]) -> None:
        if topics <= self._pending:
            return  # a flood tells the same thing again and again
        self._pending |= topics
        if not self._timer.isActive():
            wait = self._frame - (time.monotonic() - self._last)
            self._timer.start(max(0, round(wait * 1000)))

    def _emit(self) -> None:
        if not self._pending:
            return
        topics = frozenset(self._pending)
        self._pending.clear()
        self._last = time.monotonic()
        self.changed.emit(topics)
