"""Settings › Cloud account: signing in by browser and by key, choices, signing out."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit

from posthog_code.domain.cloud import Account, CloudList
from posthog_code.domain.errors import Refused
from posthog_code.ports.cloud import SignIn
from posthog_code.ui.pages.settings import sign_in_form
from posthog_code.ui.pages.settings.account import AccountSettings, about
from posthog_code.ui.shell.account_button import organization_words
from tests.ui.cloud_world import ACCOUNT, cloud_context, cloud_state
from tests.ui.shell_world import ToastNotes


@pytest.fixture
def at_once(monkeypatch):
    """Actions run without a loop: there is no task to cancel."""
    monkeypatch.setattr(sign_in_form, "current_task", lambda: None)


@pytest.fixture
def make(qtbot):
    def make(account: Account = ACCOUNT, **services: object) -> AccountSettings:
        state = cloud_state(account=account)
        if not account.signed_in:
            state = replace(state, cloud=CloudList())
        ctx = cloud_context(state)
        for name, value in services.items():
            setattr(ctx.services.account, name, value)
        page = AccountSettings(ctx)
        page.ctx, page.services = ctx, ctx.services
        ctx.bridge.changed.connect(lambda _topics: page.refresh())
        qtbot.addWidget(page)
        page.resize(900, 700)
        page.show()
        return page

    return make


def test_a_key_signs_in_by_keys(make, at_once):
    page = make(Account())
    form = page.form
    assert form.isVisible() and not page._in.isVisible() and not form.use_key.isEnabled()
    assert form.key.edit.echoMode() is QLineEdit.EchoMode.Password
    form.region.setFocus()
    QTest.keyClick(form.region, Qt.Key.Key_Right)
    QTest.keyClicks(form.key.edit, "phx_1")
    QTest.keyClick(form.key.edit, Qt.Key.Key_Return)
    assert page.services.called("sign_in") == [(SignIn("eu", "phx_1", keep=True),)]
    page.ctx.bridge.flush()
    assert page._in.isVisible() and not form.isVisible() and not form.key.text(), "the key is not left in the field"
    assert page._name.text() == "Mira Okafor" and "mira@harbor.example" in page._about.text()


def test_a_refused_key_is_told_and_typed_again(make, at_once):
    page = make(Account(), error=Refused("This key was refused.", "Make a new one."))
    page.form.key.setText("phx_1")
    page.form.with_key()
    assert page.form.problem.text() == "This key was refused. Make a new one."
    assert page.form.use_key.isEnabled() and not page.form.key.edit.isReadOnly()


def test_without_a_keyring_it_is_said_and_this_run_is_offered(make, at_once):
    page = make(Account(), keyring=False)
    assert page.form.no_keyring.isVisible() and "no keyring" in page.form.no_keyring.text()
    assert page.form.once.isChecked()
    page.form.key.setText("phx_1")
    page.form.with_key()
    assert page.services.called("sign_in")[0][0].keep is False


def test_the_browser_is_opened_and_its_address_can_be_copied(make, at_once):
    page = make(Account(host="https://ph.example.com"))
    form = page.form
    assert form.region.current() == "own" and form.host.text() == "https://ph.example.com"
    seen: list[tuple[bool, str]] = []
    original = form._open

    def look(url: str) -> bool:
        opened = original(url)
        seen.append((form.waiting.isVisible(), form.url.text()))
        form.copy.click()
        return opened

    form._open = look
    form.in_browser()
    url = "https://eu.posthog.com/oauth/authorize/?state=1"
    assert seen == [(True, url)] and page.services.urls == [url]
    assert page.services.called("sign_in")[0][0].host == "https://ph.example.com"
    assert not form.waiting.isVisible()


def test_waiting_for_the_browser_can_be_given_up(make, qtbot):
    from posthog_code.services.scope import Scope
    from posthog_code.ui.actions import Actions

    page = make(Account())
    form, crashes = page.form, []

    async def story() -> None:
        async def never(_request: object, open_browser: object) -> None:
            open_browser("https://eu.posthog.com/x")
            await asyncio.Event().wait()

        scope = Scope("test", lambda _name, error: crashes.append(error))
        page.ctx.actions = Actions(scope, on_user_error=crashes.append, on_crash=crashes.append)
        page.services.account.sign_in = never
        form.in_browser()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert form.busy and form.waiting.isVisible() and not form.card.isVisible()
        form.cancel.click()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not form.busy and form.card.isVisible() and not form.waiting.isVisible()
        assert not form.problem.isVisible()
        await scope.close()

    asyncio.run(story())
    assert crashes == []


def test_choices_and_sign_out(make):
    page = make()
    notes = ToastNotes()
    page.ctx.toasts.attach(notes)
    page.project.changed.emit("2")
    page.filter.changed.emit("mine")
    assert page.services.called("choose_project") == [(2,)]
    assert page.ctx.state.settings.cloud_filter == "mine"
    page.sign_out.click()
    page.ctx.bridge.flush()
    assert page.form.isVisible() and page.form.region.current() in ("us", "eu")
    assert notes.shown[0][0] == "Signed out here.", "the server could not be told"


def test_a_problem_is_shown_and_the_environment_is_not_ended_here(make):
    page = make(replace(ACCOUNT, problem="The sign-in has ended.", kept="environment", login="api_key"))
    assert page.problem.isVisible() and page.problem.label.text() == "The sign-in has ended."
    assert not page.sign_out.isVisible()
    page.again.click()
    assert page.services.called("account.refresh") == [()]


def test_words():
    assert about(ACCOUNT) == (
        "mira@harbor.example · eu.posthog.com · signed in with the browser, kept in this machine's keyring"
    )
    assert organization_words(ACCOUNT) == ("Harbor", "EU")
    assert organization_words(Account(host="https://ph.example.com", login="api_key")) == (
        "ph.example.com",
        "ph.example.com",
    )
