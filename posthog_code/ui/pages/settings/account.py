"""Settings › Cloud account."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from posthog_code.domain.cloud import Account
from posthog_code.ui.context import UiContext
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.kit.cards import Banner, Card
from posthog_code.ui.kit.labels import Avatar, Label
from posthog_code.ui.kit.menu_rows import MenuItem
from posthog_code.ui.kit.select import Select
from posthog_code.ui.models.cloud_list import FILTERS, chosen_filter
from posthog_code.ui.pages.settings.rows import SettingsColumn, add_row
from posthog_code.ui.pages.settings.sign_in_form import SignInForm

_KEPT = {
    "keyring": "kept in this machine's keyring",
    "memory": "until the app is closed",
    "environment": "from POSTHOG_API_KEY",
}
_WIDTH = 240


class AccountSettings(SettingsColumn):
    """Who is signed in to which PostHog, and with which project the app works."""

    def __init__(self, ctx: UiContext, parent: QWidget | None = None) -> None:
        super().__init__("Cloud account", "Tasks, signals and runs that live in PostHog", parent)
        self._ctx = ctx
        self._asked = False
        self.problem = Banner("", self, tone="waiting", icon="ph.warning")
        self.again = Button("Check again", self.problem, size="sm")
        self.again.clicked.connect(self._on_again)
        self.problem.row.addWidget(self.again)
        self.column.addSpacing(16)
        self.column.addWidget(self.problem)
        self.form = SignInForm(ctx, self)
        self.column.addWidget(self.form)
        self._in = QWidget(self)
        column = QVBoxLayout(self._in)
        column.setContentsMargins(0, 0, 0, 0)
        self.card = Card(self._in, fill="surface.panel")
        column.addWidget(self.card)
        add_row(self.card, self._make_person())
        self.organization = Select((), self, name="Organization", placeholder="")
        self.organization.changed.connect(self._on_organization)
        self.project = Select((), self, name="Project", placeholder="Choose a project")
        self.project.changed.connect(self._on_project)
        self.filter = Select((), self, name="Cloud tasks in the list", placeholder="")
        self.filter.changed.connect(self._on_filter)
        for name, control in (
            ("organization", self.organization),
            ("project", self.project),
            ("cloud_filter", self.filter),
        ):
            control.setFixedWidth(_WIDTH)
            self.add_setting(self.card, name, control)
        self.column.addWidget(self._in)
        self.finish()
        self.refresh()

    def _make_person(self) -> QWidget:
        part = QWidget(self.card)
        row = QHBoxLayout(part)
        row.setContentsMargins(14, 10, 14, 10)
        row.setSpacing(12)
        self._avatar = Avatar("", part, size=26)
        words = QVBoxLayout()
        words.setSpacing(1)
        self._name = Label("", part, font="bodyStrong")
        self._about = Label("", part, font="small", token="text.muted", wrap=True)
        words.addWidget(self._name)
        words.addWidget(self._about)
        self.sign_out = Button("Sign out", part)
        self.sign_out.clicked.connect(self._on_sign_out)
        row.addWidget(self._avatar)
        row.addLayout(words, 1)
        row.addWidget(self.sign_out)
        return part

    def refresh(self) -> None:
        """Shows the account as it is known now."""
        state = self._ctx.state
        account = state.account
        self.problem.setVisible(bool(account.problem))
        self.problem.set_text(account.problem)
        self.again.setVisible(account.signed_in)
        self.form.setVisible(not account.signed_in)
        self._in.setVisible(account.signed_in)
        if not account.signed_in:
            if not self._asked:
                self._asked = True
                self.form.look_for_keyring()
            return
        self._name.setText(account.user.label or "Signed in")
        self._avatar.set_name(account.user.label or "?")
        self._about.setText(about(account))
        # What comes from the environment is not ours to end.
        self.sign_out.setVisible(account.kept != "environment")
        organizations = [MenuItem(one.id, one.name or one.id, "ph.users") for one in account.organizations]
        self.organization.set_items(organizations, account.organization_id)
        self.organization.setEnabled(len(organizations) > 1)
        projects = [MenuItem(str(one.id), one.name or str(one.id), note=str(one.id)) for one in account.projects]
        self.project.set_items(projects, str(account.project_id) if account.project_id else "")
        self.project.setEnabled(bool(projects))
        filters = [MenuItem(which.value, words) for which, words in FILTERS.items()]
        self.filter.set_items(filters, chosen_filter(state).value)

    def _on_sign_out(self) -> None:
        def done(told: bool) -> None:
            if not told:
                self._ctx.toasts.show(
                    "Signed out here.", "PostHog could not be told. Revoke the app in its settings.", "warning"
                )
            self._asked = False
            self.refresh()

        self._ctx.actions.start(
            "account.sign_out", self._ctx.services.account.sign_out, on_done=done, busy=self.sign_out
        )

    def _on_again(self) -> None:
        self._ctx.actions.start("account.refresh", self._ctx.services.account.refresh, busy=self.again)

    def _on_organization(self, organization_id: str) -> None:
        self._ctx.actions.start(
            "account.organization",
            lambda: self._ctx.services.account.choose_organization(organization_id),
            busy=self.organization,
        )

    def _on_project(self, project_id: str) -> None:
        self._ctx.actions.start(
            "account.project", lambda: self._ctx.services.account.choose_project(int(project_id)), busy=self.project
        )

    def _on_filter(self, which: str) -> None:
        self._ctx.actions.start("cloud.filter", lambda: self._ctx.services.settings.set(cloud_filter=which))


def about(account: Account) -> str:
    """Address, server, and where the sign-in is kept."""
    how = "personal API key" if account.login == "api_key" else "signed in with the browser"
    parts = [account.user.email, account.host.partition("://")[2], f"{how}, {_KEPT.get(account.kept, account.kept)}"]
    return " · ".join(dict.fromkeys(part for part in parts if part and part != account.user.label))
