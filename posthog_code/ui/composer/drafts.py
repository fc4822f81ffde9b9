"""Keeps what is typed: a moment after the last key, and before the composer shows something else."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer

from posthog_code.ui.context import UiContext

DELAY_MS = 400


class Drafts(QObject):
    def __init__(self, ctx: UiContext, text: Callable[[], str], key: str, parent: QObject) -> None:
        """`text` gives what is typed now; `key` names the draft (a task's id, "" for *New task*)."""
        super().__init__(parent)
        self._ctx = ctx
        self._text = text
        self.key = key
        self._saved = ""
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self.save)

    def restore(self, key: str) -> str:
        """Go over to another draft; gives its text."""
        self.key = key
        self._saved = self._ctx.state.drafts.get(key, "")
        return self._saved

    def later(self) -> None:
        self._timer.start()

    def save(self) -> None:
        self._timer.stop()
        key, text = self.key, self._text()
        if text == self._saved:
            return
        try:
            started = self._ctx.actions.start(f"draft:{key}", lambda: self._ctx.services.tasks.save_draft(key, text))
        except RuntimeError:
            # The program is ending and takes no more work; what was typed before the last pause is kept.
            return
        if started:
            self._saved = text
        else:
            self._timer.start()
