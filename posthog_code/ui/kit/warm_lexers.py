"""Lexers that are ready to use: building one compiles hundreds of expressions, so that is done beside the UI thread."""

from __future__ import annotations

import threading
from functools import cache

from PySide6.QtCore import QObject, QTimer, Signal

from posthog_code.ui.theme.syntax import MAX_TEXT, syntax_runs

_LOOK_EVERY_MS = 15


class WarmLexers(QObject):
    """One for the program. Text in a language that is not ready is shown without colours until `ready`."""

    ready = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._warm: set[str] = {""}
        self._asked: list[str] = []
        self._under_way: list[str] = []
        self._thread: threading.Thread | None = None
        # It looks whether the thread is done: nothing of Qt is touched from there.
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_EVERY_MS)
        self._timer.timeout.connect(self._look)

    def ask(self, name: str, text: str = "") -> bool:
        """Whether a file name or language can be coloured at once; otherwise it is made ready. `text` is what is to be
        coloured: a very long one is not, and needs no lexer."""
        if name in self._warm or len(text) > MAX_TEXT:
            return True
        if name not in self._asked and name not in self._under_way:
            self._asked.append(name)
        self._begin()
        return False

    def _begin(self) -> None:
        if self._thread is None:
            # Not a daemon, since it imports: the interpreter may not end in the middle of that.
            self._thread = threading.Thread(target=_warm_up, args=(tuple(self._asked),), name="lexers")
            self._thread.start()
            self._under_way, self._asked = self._asked, []
            self._timer.start()

    def _look(self) -> None:
        if self._thread is None or self._thread.is_alive():
            return
        self._thread = None
        self._warm.update(self._under_way)
        self._under_way = []
        if self._asked:
            self._begin()
        else:
            self._timer.stop()
        self.ready.emit()


def _warm_up(names: tuple[str, ...]) -> None:
    for name in names:
        if not threading.main_thread().is_alive():
            return  # the program ends
        syntax_runs("a = 1", name)


@cache
def warm_lexers() -> WarmLexers:
    return WarmLexers()
