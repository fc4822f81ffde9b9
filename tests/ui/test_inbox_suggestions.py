"""*From your signals* on New task, the link of a task to its report, and Settings › Signals."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from posthog_code.domain.cloud import Account
from posthog_code.domain.ids import TaskId
from posthog_code.domain.state import Topic
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.nav import INBOX, NEW_TASK, Place
from posthog_code.ui.pages.new_task import NewTaskPage
from posthog_code.ui.pages.settings.signals import SignalSettings
from tests.ui.inbox_world import CHARGED, SEARCH, SIGN_IN, inbox, inbox_context, inbox_state, report
from tests.ui.shell_world import NOW, ToastNotes, task_of
from tests.ui.test_cloud_new_task import choose


@pytest.fixture
def make(qtbot):
    def make(state=None) -> NewTaskPage:
        ctx = inbox_context(state)
        page = NewTaskPage(ctx)
        page.ctx, page.notes = ctx, ToastNotes()
        ctx.toasts.attach(page.notes)
        qtbot.addWidget(page)
        page.resize(1100, 900)
        page.show()
        return page

    return make


def rows(page: NewTaskPage) -> list[str]:
    return [one.accessibleName() for one in page.signals._card.findChildren(Button)]


def test_the_most_urgent_reports_are_suggested(make):
    page = make()
    assert page.signals.isVisible() and len(rows(page)) == 3
    assert rows(page)[0] == "Use Sign-in loops on Safari 18"
    assert page.signals._detail(page.ctx.state.inbox.reports[SIGN_IN]) == "640 people · harbor-web, src/auth"
    page.signals.all.click()
    assert page.ctx.nav.place.page == INBOX


def test_nothing_is_suggested_without_an_account_or_reports(make):
    assert not make(inbox_state(account=Account())).signals.isVisible()
    assert not make(inbox_state(replace(inbox(), reports={}))).signals.isVisible()
    gathering = inbox(report(SIGN_IN, "Sign-in", "P0", 5, status="potential"))
    assert not make(inbox_state(gathering)).signals.isVisible(), "its research has not come far enough"


def test_a_report_with_a_task_is_not_suggested_again(make):
    page = make()
    made = replace(task_of("t", "Fix", "harbor-web", "fix", NOW), report_id=SIGN_IN)
    page.ctx.services.store.change(lambda s: replace(s, tasks={**s.tasks, TaskId("t"): made}), Topic("tasks"))
    page.ctx.bridge.flush()
    assert not any("Sign-in" in name for name in rows(page)) and len(rows(page)) == 2


def test_using_a_report_links_the_task(make):
    page = make()
    page.signals.used.emit(CHARGED)
    assert page.prompt.text() == "Fix this: Customers are charged twice after a timeout"
    assert page.link.isVisible() and "Customers are charged twice" in page.link.label.text()
    assert page.grid.repository.current() == "harbor-web"
    page.start()
    draft = page.ctx.services.called("create")[0][0]
    assert draft.report_id == CHARGED and draft.repository_id == "harbor-web"
    assert draft.title == "Customers are charged twice after a timeout"
    assert not page.link.isVisible() and page.link.report_id == "", "the next task is one like any other"


def test_the_link_can_be_removed_and_the_draft_had_back(make):
    page = make()
    page.prompt.set_text("My own idea")
    page.arrive(Place(NEW_TASK, report_id=CHARGED))
    title, _, _, actions = page.notes.shown[-1]
    assert title == "Your draft was replaced." and page.prompt.text().startswith("Fix this")
    page.link.remove.click()
    assert not page.link.isVisible() and page.prompt.text().startswith("Fix this"), "the prompt stays"
    page.start()
    assert page.ctx.services.called("create")[0][0].report_id == ""
    page.prompt.set_text("")
    page.signals.used.emit(SIGN_IN)
    assert len(page.notes.shown) == 1, "nothing was replaced"
    actions[0][1]()
    assert page.prompt.text() == "My own idea" and not page.link.isVisible()


def test_a_draft_of_an_earlier_run_is_linked_again(make):
    state = replace(inbox_state(), drafts={"": f"Fix it.\n- https://eu.posthog.com/project/1/inbox/{CHARGED}\n"})
    page = make(state)
    assert page.link.isVisible() and page.link.report_id == CHARGED
    page.link.remove.click()
    page.refresh()
    assert page.link.report_id == "", "what a person took away stays away"
    assert make(replace(state, drafts={"": "My own idea"})).link.report_id == ""
    assert make(replace(state, account=Account())).link.report_id == "", "nobody is signed in"


def test_a_place_links_only_once(make):
    page = make()
    nav, places = page.ctx.nav, []
    nav.changed.connect(places.append)
    nav.go(Place(NEW_TASK, report_id=CHARGED))
    nav.open_settings()
    nav.back()
    assert [place.report_id for place in places] == [CHARGED, "", ""]
    page.arrive(Place(NEW_TASK, report_id="gone"))
    assert not page.link.isVisible()


def test_in_the_cloud(make):
    page = make()
    choose(page, "cloud")
    page.use_report(SEARCH)
    assert page.cloud.repository == "harbor/harbor-shop"
    page.start()
    draft = page.ctx.services.called("cloud.create")[0][0]
    assert draft.report_id == SEARCH and draft.repository == "harbor/harbor-shop"


@pytest.fixture
def settings(qtbot):
    ctx = inbox_context()
    page = SignalSettings(ctx)
    page.ctx, page.notes = ctx, ToastNotes()
    ctx.toasts.attach(page.notes)
    qtbot.addWidget(page)
    page.show()
    return page


def weights(page: SignalSettings) -> dict[str, str]:
    return dict(page.ctx.state.settings.priority_weights)


def test_weights_are_kept_where_they_differ(settings, qtbot):
    people = settings.fields["people"]
    assert people.text() == "22" and not settings.reset.isEnabled()
    people.edit.setFocus()
    people.edit.selectAll()
    QTest.keyClicks(people.edit, "40")
    QTest.keyClick(people.edit, Qt.Key.Key_Up)
    assert people.text() == "41"
    qtbot.waitUntil(lambda: weights(settings) == {"people": "41"}, timeout=10_000)
    settings.refresh()
    assert settings.reset.isEnabled()
    settings.reset.click()
    assert weights(settings) == {} and people.text() == "22"
    settings.notes.shown[-1][3][0][1]()
    assert weights(settings) == {"people": "41"}


def test_what_is_no_weight_is_said_and_not_kept(settings):
    field = settings.fields["trend"]
    for wrong in ("", "many", "-1", "1001", "nan"):
        field.edit.setText(wrong)
        assert field.message.isVisible(), wrong
        settings._save()
    assert weights(settings) == {}
    field.edit.setText("0,5")
    assert not field.message.isVisible()
    settings.hide()
    assert weights(settings) == {"trend": "0.5"}


def test_the_context_switch_and_the_way_to_the_sources(settings):
    assert settings.context.isChecked()
    settings.context.click()
    assert settings.ctx.state.settings.code_context is False
    settings.choose.click()
    assert settings.ctx.services.urls == ["https://eu.posthog.com/project/1/inbox"]
