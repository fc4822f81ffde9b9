"""Not signed in: the three ways to be, and a field for a token."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QSizePolicy, QVBoxLayout, QWidget

from posthog_code.domain.errors import UserError
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.cards import Card, CardHead
from posthog_code.ui.kit.inputs import TextField
from posthog_code.ui.kit.labels import Label

SCOPES = "It needs: Contents and Pull requests (read and write), Actions and Commit statuses (read)."


class SignInCard(Card):
    """Takes a token and says plainly where it would be kept, or that it cannot be."""

    submitted = Signal(str)
    again = Signal()

    def __init__(self, problem: UserError, parent: QWidget | None = None) -> None:
        super().__init__(parent, tone="waiting")
        head = CardHead(problem.title, self, icon="ph.key", tone="waiting")
        again = Button("Try again", head, kind="ghost", size="sm")
        again.clicked.connect(self.again)
        head.row.addWidget(again)
        self.body.addWidget(head)
        inside = QWidget(self)
        column = QVBoxLayout(inside)
        column.setContentsMargins(12, 10, 12, 12)
        column.setSpacing(8)
        column.addWidget(Label(problem.hint, inside, font="small", token="text.secondary", wrap=True, selectable=True))
        row = QHBoxLayout()
        row.setSpacing(8)
        self.field = TextField("", inside, name="GitHub token", placeholder="Paste a personal access token")
        self.field.edit.setEchoMode(QLineEdit.EchoMode.Password)
        self.field.edit.setInputMethodHints(
            Qt.InputMethodHint.ImhSensitiveData | Qt.InputMethodHint.ImhNoPredictiveText
        )
        self.field.returnPressed.connect(self._submit)
        self.button = Button("Sign in", inside)
        self.button.clicked.connect(self._submit)
        row.addWidget(self.field, 1)
        row.addWidget(self.button, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(row)
        self.note = Label(SCOPES, inside, font="small", token="text.muted", wrap=True)
        column.addWidget(self.note)
        self.body.addWidget(inside)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def set_keyring(self, there: bool) -> None:
        """Say where a token would be kept."""
        if there:
            self.note.setText(f"{SCOPES} It is kept in the keyring of this computer.")
        else:
            self.note.setText(
                "This computer has no keyring, so a token cannot be kept here. "
                "Use `gh auth login`, or start the app with GITHUB_TOKEN set."
            )
            self.note.set_token("status.waiting")
            self.field.setEnabled(False)
            self.button.setEnabled(False)

    def set_busy(self, on: bool) -> None:
        self.button.set_loading(on, "Trying…")

    def set_error(self, error: UserError) -> None:
        self.field.set_error(str(error))

    def _submit(self) -> None:
        text = self.field.text().strip()
        if text:
            self.field.set_error("")
            self.submitted.emit(text)
        else:
            self.field.set_error("Paste a token first.")
