"""asyncio on Qt's event loop. The only module that knows qasync.

The loop is built once the application object exists and runs one coroutine to its end; nobody calls `app.exit()`,
which would end `run_until_complete` with an error.
"""

from __future__ import annotations

import gc
import logging
import sys
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtWidgets import QApplication
from qasync import QEventLoop

STALL_SECONDS = 0.05
_WORKERS = 4
_SWITCH_SECONDS = 0.001
_BEAT_MS = 250
"""Four beats a second cost under 0.1 % of a core; measurements ask for more."""
_FREEZE_AFTER_MS = 5000
_log = logging.getLogger(__name__)


def run(app: QApplication, main: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Runs `main` on the application's loop and returns its exit code."""
    app.setQuitOnLastWindowClosed(False)
    # A worker that computes (colours of code, an import) may keep the UI thread from a frame for this long.
    sys.setswitchinterval(_SWITCH_SECONDS)
    loop = QEventLoop(app)
    # qasync's own executor makes ten QThreads and joins them at the end.
    executor = ThreadPoolExecutor(_WORKERS, thread_name_prefix="worker")
    loop.set_default_executor(executor)
    collector = Collector(app)
    watch = StallWatch(app)
    QTimer.singleShot(_FREEZE_AFTER_MS, collector, collector.freeze)
    hooks = sys.get_asyncgen_hooks()
    # qasync leaves this out: without it a generator that is dropped half way never gets to its `finally`.
    sys.set_asyncgen_hooks(loop._asyncgen_firstiter_hook, loop._asyncgen_finalizer_hook)
    try:
        with loop:
            code = int(loop.run_until_complete(main()))
            loop.run_until_complete(loop.shutdown_asyncgens())
            return code
    finally:
        sys.set_asyncgen_hooks(*hooks)
        watch.stop()
        collector.stop()
        executor.shutdown(wait=False, cancel_futures=True)


class StallWatch(QObject):
    """Tells when the UI thread did not come back to its loop for too long.

    A heartbeat that comes late was kept waiting: stalls over `limit` and one beat are always seen, shorter ones often.
    It rests while the program is in the background. (The dispatcher's own `aboutToBlock` and `awake` will not do: with
    GLib, both the waiting and the work are between them.)
    """

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        limit: float = STALL_SECONDS,
        beat_ms: int = _BEAT_MS,
        on_stall: Callable[[float], None] | None = None,
    ) -> None:
        """`on_stall` gets the seconds; without it they are logged. Lengths of stalls are right to one beat."""
        super().__init__(parent)
        self._beat_seconds = beat_ms / 1000
        self._limit = limit
        self._on_stall = on_stall or _log_stall
        self._last = time.perf_counter()
        self.worst = 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(beat_ms)
        self._timer.timeout.connect(self._beat)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.applicationStateChanged.connect(self._on_state)
        self.start()

    def start(self) -> None:
        self._last = time.perf_counter()
        self._timer.start()

    def stop(self) -> None:
        self._timer.stop()

    def _on_state(self, state: Qt.ApplicationState) -> None:
        if state is Qt.ApplicationState.ApplicationActive:
            self.start()
        else:
            self.stop()

    def _beat(self) -> None:
        now = time.perf_counter()
        late = now - self._last - self._beat_seconds
        self._last = now
        self.worst = max(self.worst, late)
        if late > self._limit:
            self._on_stall(late)


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

    def freeze(self) -> None:
        """Leaves what the start has made out of every collection; they begin now.

        Little of it is garbage, and to look for that would stop the window for several frames.
        """
        gc.freeze()
        self._timer.start(1000)

    def stop(self) -> None:
        self._timer.stop()
        gc.enable()

    def _collect(self) -> None:
        for generation in (2, 1, 0):
            if gc.get_count()[generation] > self._thresholds[generation] > 0:
                gc.collect(generation)
                return
