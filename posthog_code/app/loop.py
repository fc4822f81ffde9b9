"""asyncio on Qt's event loop. The only module that knows qasync.

The loop is built once the application object exists and runs one coroutine to its end; nobody calls `app.exit()`,
which would end `run_until_complete` with an error.
"""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from PySide6.QtCore import QAbstractEventDispatcher, QObject, Qt, QTimer
from PySide6.QtWidgets import QApplication
from qasync import QEventLoop

STALL_SECONDS = 0.05
_WORKERS = 4
_log = logging.getLogger(__name__)


def run(app: QApplication, main: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Runs `main` on the application's loop and returns its exit code."""
    app.setQuitOnLastWindowClosed(False)
    loop = QEventLoop(app)
    # qasync's own executor makes ten QThreads and joins them at the end.
    executor = ThreadPoolExecutor(_WORKERS, thread_name_prefix="worker")
    loop.set_default_executor(executor)
    collector = Collector(app)
    watch = StallWatch(app)
    try:
        with loop:
            return int(loop.run_until_complete(main()))
    finally:
        watch.stop()
        collector.stop()
        executor.shutdown(wait=False, cancel_futures=True)


class StallWatch(QObject):
    """Tells when the UI thread did not come back to its loop for too long.

    It listens to the loop going to sleep and waking up, so an idle window costs nothing.
    """

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        limit: float = STALL_SECONDS,
        on_stall: Callable[[float], None] | None = None,
    ) -> None:
        """`on_stall` gets the seconds; without it they are logged."""
        super().__init__(parent)
        self._limit = limit
        self._on_stall = on_stall or _log_stall
        self._since = time.perf_counter()
        self._asleep = False
        self.worst = 0.0
        self._dispatcher: QAbstractEventDispatcher | None = QAbstractEventDispatcher.instance()
        if self._dispatcher is not None:
            self._dispatcher.awake.connect(self._on_awake)
            self._dispatcher.aboutToBlock.connect(self._on_sleep)

    def stop(self) -> None:
        if self._dispatcher is not None:
            self._dispatcher.awake.disconnect(self._on_awake)
            self._dispatcher.aboutToBlock.disconnect(self._on_sleep)
            self._dispatcher = None

    def _on_awake(self) -> None:
        if not self._asleep:
            self._measure()
        self._asleep = False
        self._since = time.perf_counter()

    def _on_sleep(self) -> None:
        if not self._asleep:
            self._measure()
        self._asleep = True

    def _measure(self) -> None:
        took = time.perf_counter() - self._since
        self.worst = max(self.worst, took)
        if took > self._limit:
            self._on_stall(took)


def _log_stall(seconds: float) -> None:
    _log.warning("The window did not answer for %.0f ms", seconds * 1000)


class Collector(QObject):
    """Garbage collection on the UI thread, where Qt objects may be destroyed.

    Python collects on whichever thread allocates; a QObject that dies on a worker takes its timers with it.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        gc.disable()
        self._thresholds = gc.get_threshold()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.VeryCoarseTimer)
        self._timer.timeout.connect(self._collect)
        self._timer.start(1000)

    def freeze(self) -> None:
        """Leaves what the start has made out of every later collection."""
        gc.collect()
        gc.freeze()

    def stop(self) -> None:
        self._timer.stop()
        gc.enable()

    def _collect(self) -> None:
        for generation in (2, 1, 0):
            if gc.get_count()[generation] > self._thresholds[generation] > 0:
                gc.collect(generation)
                return
