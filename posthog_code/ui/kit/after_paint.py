"""What has time until a widget was seen."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QWidget

_UNSEEN_MS = 500


class _Wait(QObject):
    def __init__(self, widget: QWidget, then: Callable[[], object]) -> None:
        super().__init__(widget)
        self._then = then
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._done)
        self._timer.start(_UNSEEN_MS)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            watched.removeEventFilter(self)
            self._timer.start(0)
        return False

    def _done(self) -> None:
        self.deleteLater()
        self._then()


def after_paint(widget: QWidget, then: Callable[[], object]) -> None:
    """Call `then` once `widget` was painted, or soon if it is not: a window that starts minimised never is.

    A timer of no length is not enough for that, since a window system answers later than the event loop turns. Nothing
    is called when the widget is destroyed before.
    """
    _Wait(widget, then)
