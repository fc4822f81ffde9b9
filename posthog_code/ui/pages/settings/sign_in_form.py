"""Signing in to PostHog: in the browser, or with a personal API key."""

from __future__ import annotations

from asyncio import Task, current_task

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from posthog_code.domain.errors import UserError
from posthog_code.ports.cloud import SignIn
from posthog_code.ui import platform
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit.buttons import Button, IconButton
from posthog_code.ui.kit.cards import Card, Hairline
from posthog_code.ui.kit.inputs import TextField
from posthog_code.ui.kit.labels import Label, StateLabel
from posthog_code.ui.kit.menu_rows import MenuItem
from posthog_code.ui.kit.toggles import CheckBox, Segmented
from posthog_code.ui.pages.settings.rows import SettingRow
from posthog_code.ui.theme.glyphs import Glyph

_OWN = "own"
_ACTION = "account.sign_in"
_FIELD = 300


class SignInForm(QWidget):
    """A card with where, and how. While the browser is waited for, its address and Cancel take the place of the
    buttons."""

    signed_in = Signal()
    resized = Signal()

    def __init__(self, ctx: UiContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ctx = ctx
        self._running: Task[object] | None = None
        self._keyring = True
        self.region = Segmented(
            [MenuItem("us", "US Cloud"), MenuItem("eu", "EU Cloud"), MenuItem(_OWN, "Your own")],
            self,
            name="Region",
            current="us",
        )
        self.region.changed.connect(self._on_region)
        self.host = TextField("", self, name="Address of your PostHog", placeholder="https://posthog.example.com")
        self.host.textChanged.connect(self._check)
        self.host.returnPressed.connect(self.in_browser)
        self.browser = Button("Sign in with the browser", self, kind="primary", icon="ph.globe-simple")
        self.browser.clicked.connect(self.in_browser)
        self.key = TextField("", self, name="Personal API key", placeholder="phx_…", mono=True)
        self.key.edit.setEchoMode(QLineEdit.EchoMode.Password)
        self.key.textChanged.connect(self._check)
        self.key.returnPressed.connect(self.with_key)
        self.use_key = Button("Use key", self)
        self.use_key.clicked.connect(self.with_key)
        self.once = CheckBox("Only until the app is closed", self)
        self.no_keyring = Label("", self, font="small", token="status.waiting", wrap=True)
        self.no_keyring.setContentsMargins(14, 0, 14, 10)
        self.no_keyring.hide()
        self.problem = Label("", self, font="small", token="status.failed", wrap=True, selectable=True)
        self.problem.setContentsMargins(2, 8, 2, 0)
        self.problem.hide()
        self.waiting = self._make_waiting()
        self._build()
        self._start_from()
        self._check()

    def _build(self) -> None:
        self.card = Card(self, fill="surface.panel")
        where = QWidget(self.card)
        fields = QVBoxLayout(where)
        fields.setContentsMargins(0, 0, 0, 0)
        fields.setSpacing(6)
        fields.addWidget(self.region)
        fields.addWidget(self.host)
        self.host.setFixedWidth(_FIELD)
        key = QWidget(self.card)
        row = QHBoxLayout(key)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self.key.setFixedWidth(_FIELD - 90)
        row.addWidget(self.key)
        row.addWidget(self.use_key)
        self._rows = [
            SettingRow("Where", "The region of your organization", where, self.card),
            SettingRow("Browser", "You allow the app in PostHog, and come back here", self.browser, self.card),
            SettingRow("Personal API key", "From PostHog › Settings › Personal API keys", key, self.card),
            SettingRow("Keep it", "The sign-in is kept in this machine's keyring, nowhere else", self.once, self.card),
        ]
        for number, one in enumerate(self._rows):
            if number:
                self.card.body.addWidget(Hairline(self.card))
            self.card.body.addWidget(one)
        self.card.body.addWidget(self.no_keyring)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.card)
        column.addWidget(self.waiting)
        column.addWidget(self.problem)

    def _make_waiting(self) -> Card:
        card = Card(self, fill="surface.panel")
        card.setAccessibleName("Waiting for the browser")
        box = QVBoxLayout()
        box.setContentsMargins(14, 12, 14, 12)
        box.setSpacing(8)
        head = QHBoxLayout()
        head.setSpacing(8)
        self._state = StateLabel(Glyph.RUNNING, "Waiting for the browser", card)
        self.cancel = Button("Cancel", card)
        self.cancel.clicked.connect(self.stop)
        head.addWidget(self._state)
        head.addStretch(1)
        head.addWidget(self.cancel)
        words = Label(
            "Allow the app there. When no page has opened, open this address in a browser on this machine:",
            card,
            font="small",
            token="text.muted",
            wrap=True,
        )
        address = QHBoxLayout()
        address.setSpacing(4)
        self.url = TextField("", card, name="Address of the sign-in page", mono=True)
        self.url.edit.setReadOnly(True)
        self.copy = IconButton("ph.copy", "Copy the address", card)
        self.copy.clicked.connect(self._on_copy)
        address.addWidget(self.url, 1)
        address.addWidget(self.copy)
        box.addLayout(head)
        box.addWidget(words)
        box.addLayout(address)
        card.body.addLayout(box)
        card.hide()
        return card

    def _start_from(self) -> None:
        """Where the last sign-in was."""
        account = self._ctx.state.account
        if account.host and account.region not in ("us", "eu"):
            self.region.set_current(_OWN)
            self.host.setText(account.host)
        elif account.region:
            self.region.set_current(account.region)
        self.host.setVisible(self.region.current() == _OWN)

    def look_for_keyring(self) -> None:
        """Say plainly when nothing can be kept."""
        self._ctx.actions.start(
            "account.keyring", self._ctx.services.account.keyring_available, on_done=self._on_keyring
        )

    def _on_keyring(self, there: bool) -> None:
        self._keyring = there
        self.no_keyring.setText(
            "This machine has no keyring, so a sign-in cannot be kept. Sign in until the app is closed, or set "
            "POSTHOG_API_KEY for the app."
        )
        self.no_keyring.setVisible(not there)
        if not there:
            self.once.setChecked(True)
        self.resized.emit()

    # what a person does

    @property
    def where(self) -> str:
        """us, eu or an address."""
        chosen = self.region.current()
        return self.host.text().strip() if chosen == _OWN else chosen

    @property
    def busy(self) -> bool:
        return self._running is not None

    def in_browser(self) -> None:
        if self.where:
            self._start(SignIn(self.where, keep=not self.once.isChecked()))

    def with_key(self) -> None:
        key = self.key.text().strip()
        if self.where and key:
            self._start(SignIn(self.where, key, keep=not self.once.isChecked()))

    def stop(self) -> None:
        """Give up waiting."""
        if self._running is not None:
            self._running.cancel()

    def _start(self, request: SignIn) -> None:
        self._say("")

        async def sign_in() -> object:
            self._running = current_task()
            return await self._ctx.services.account.sign_in(request, self._open)

        busy = self._wait_key if request.api_key else self._wait_browser
        self._ctx.actions.start(_ACTION, sign_in, on_done=self._done, on_error=self._failed, busy=busy)

    def _open(self, url: str) -> bool:
        self.url.setText(url)
        self.url.edit.setCursorPosition(0)
        opened = self._ctx.open_url(url)
        self._state.set_state(Glyph.RUNNING, "Waiting for the browser" if opened else "No browser opened here")
        return opened

    def _wait_browser(self, on: bool) -> None:
        self.card.setVisible(not on)
        self.waiting.setVisible(on)
        if on:
            self.url.setText("")
            self.cancel.setFocus()
        else:
            self._running = None
        self.resized.emit()

    def _wait_key(self, on: bool) -> None:
        self.use_key.set_loading(on, "Signing in…")
        # The field keeps the focus: a key that was refused is typed again.
        self.key.edit.setReadOnly(on)
        for widget in (self.browser, self.region):
            widget.setEnabled(not on)
        if not on:
            self._running = None
            self._check()

    def _done(self, _account: object) -> None:
        self.key.setText("")
        self.signed_in.emit()

    def _failed(self, error: UserError) -> None:
        self._say(f"{error.title} {error.hint}".strip())

    def _say(self, problem: str) -> None:
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))
        self.resized.emit()

    def _on_region(self, chosen: str) -> None:
        self.host.setVisible(chosen == _OWN)
        if chosen == _OWN:
            self.host.edit.setFocus()
        self._check()
        self.resized.emit()

    def _check(self, _text: str = "") -> None:
        self.browser.setEnabled(bool(self.where))
        self.use_key.setEnabled(bool(self.where and self.key.text().strip()))

    def _on_copy(self) -> None:
        platform.copy_text(self.url.text())
        self._ctx.toasts.show("Address copied", kind="success", timeout=3.0)
