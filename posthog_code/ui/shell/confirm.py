"""A question before something that cannot be taken back."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from posthog_code.domain.text import plural
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.labels import ElidedLabel, Label
from posthog_code.ui.kit.overlay import Sheet

_SHOWN = 8


class ConfirmSheet(Sheet):
    """Names what would be lost. The safe button has the focus, and Esc is the safe answer."""

    confirmed = Signal()

    def __init__(
        self, window: QWidget, *, title: str, text: str, items: Sequence[str] = (), safe: str, danger: str
    ) -> None:
        super().__init__(window, title, width="sm")
        self.body.addWidget(Label(text, self, token="text.secondary", wrap=True))
        for item in items[:_SHOWN]:
            line = ElidedLabel(item, self, font="code", token="text.secondary", mode="middle")
            self.body.addWidget(line)
        if len(items) > _SHOWN:
            self.body.addWidget(Label(f"and {plural(len(items) - _SHOWN, 'more file')}", self, token="text.muted"))
        self.body.setSpacing(6)
        keep = self.add_button(Button(safe, self))
        keep.clicked.connect(lambda: self.close_sheet(None))
        delete = self.add_button(Button(danger, self, kind="danger"))
        delete.clicked.connect(lambda: self.close_sheet(True))
        self.safe, self.danger = keep, delete
        self.set_first_focus(keep)
        self.finished.connect(self._on_finished)

    def _on_finished(self, result: object) -> None:
        if result:
            self.confirmed.emit()
