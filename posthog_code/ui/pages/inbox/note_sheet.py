"""Dismissing with a reason and words of one's own."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.inputs import TextField
from posthog_code.ui.kit.labels import Label
from posthog_code.ui.kit.overlay import Sheet
from posthog_code.ui.kit.popup import MenuItem
from posthog_code.ui.kit.select import Select
from posthog_code.ui.models.inbox_list import REASONS

_LONGEST = 4000


class NoteSheet(Sheet):
    """Asks why; nothing is done when it is closed."""

    told = Signal(str, str)
    """Reason and note."""

    def __init__(self, window: QWidget, what: str) -> None:
        super().__init__(window, "Dismiss with a note", width="sm")
        self.setObjectName("dismissNote")
        self.body.addWidget(Label(what, self, token="text.secondary", wrap=True))
        items = [MenuItem(reason, words) for reason, words in REASONS.items()]
        self.reason = Select(items, self, name="Reason", placeholder="")
        self.reason.set_current("other")
        self.body.addWidget(self.reason)
        self.note = TextField("", self, name="Note", placeholder="What the team should know")
        self.note.edit.setMaxLength(_LONGEST)
        self.note.returnPressed.connect(self._on_go)
        self.body.addWidget(self.note)
        cancel = self.add_button(Button("Cancel", self, kind="ghost"))
        cancel.clicked.connect(self._on_cancel)
        self.go = self.add_button(Button("Dismiss", self))
        self.go.clicked.connect(self._on_go)
        self.set_first_focus(self.note.edit)

    def _on_go(self) -> None:
        reason, note = self.reason.current() or "other", self.note.text().strip()
        self.close_sheet(reason)
        self.told.emit(reason, note)

    def _on_cancel(self) -> None:
        self.close_sheet(None)
