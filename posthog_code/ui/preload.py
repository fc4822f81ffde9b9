"""Importing what is shown next beside the UI thread, so that it does not stop while files are read and compiled."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, QTimer

_LOOK_EVERY_MS = 8


class _Preload(QObject):
    """Looks whether the thread is done instead of being told: nothing of Qt is touched from the other thread."""

    def __init__(self, parent: QObject, thread: threading.Thread, then: Callable[[], object]) -> None:
        super().__init__(parent)
        self._thread, self._then = thread, then
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._look)
        self._timer.start(_LOOK_EVERY_MS)

    def _look(self) -> None:
        if not self._thread.is_alive():
            self._timer.stop()
            self.deleteLater()
            self._then()


def preload(modules: Sequence[str], parent: QObject, then: Callable[[], object]) -> None:
    """Import modules on a thread, then call `then` on this one; not when `parent` is destroyed before.

    A module that cannot be imported is left to whoever needs it: there the error has somebody to tell.
    """
    # Not a daemon: an import that goes on while the interpreter ends is a crash.
    thread = threading.Thread(target=_run, args=(tuple(modules),), name="preload")
    thread.start()
    _Preload(parent, thread, then)


def _run(modules: Sequence[str]) -> None:
    for name in modules:
        if not threading.main_thread().is_alive():
            return  # the program ends
        try:
            importlib.import_module(name)
        except ImportError:
            continue
