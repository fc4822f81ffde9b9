"""*New task* with the workspace Cloud, and what waits there."""

from __future__ import annotations

import pytest

from posthog_code.domain.cloud import Account
from posthog_code.domain.cloud_errors import GitHubNeeded
from posthog_code.domain.cloud_requests import CloudDraft
from posthog_code.ui.cloud.waiting_list import about
from posthog_code.ui.kit.buttons import Button
from posthog_code.ui.pages.new_task import NewTaskPage
from tests.ui.cloud_world import FakeOffer, cloud_context, cloud_state, cloud_tasks
from tests.ui.shell_world import NOW


@pytest.fixture
def make(qtbot):
    def make(**more: object) -> NewTaskPage:
        ctx = cloud_context(cloud_state(**more))
        page = NewTaskPage(ctx)
        page.ctx = ctx
        qtbot.addWidget(page)
        page.resize(1100, 900)
        page.show()
        return page

    return make


def choose(page: NewTaskPage, workspace: str) -> None:
    page.grid.workspace.set_current(workspace)
    page.grid.workspace.changed.emit(workspace)


def ids(select) -> list[str]:
    return [item.id for item in select._items if item.id]


def test_the_cloud_is_offered_to_who_is_signed_in(make):
    assert [item.id for item in make().grid.workspace._items] == ["worktree", "local", "cloud"]
    page = make(account=Account())
    assert [item.id for item in page.grid.workspace._items] == ["worktree", "local"]
    assert not page.waiting.isVisible()


def test_a_task_is_started_in_the_cloud(make):
    page = make()
    page.prompt.set_text("Fix the clock")
    choose(page, "cloud")
    assert ids(page.grid.repository) == ["harbor/harbor-api", "harbor/harbor-mobile"]
    assert page.grid.repository.current() == "harbor/harbor-web" or page.cloud.repository == "harbor/harbor-web"
    page.grid.repository.changed.emit("harbor/harbor-mobile")
    assert ids(page.grid.base) == ["main", "release"] and page.grid.base.current() == "main"
    assert ids(page.grid.script) == ["default", "e-1"]
    assert ids(page.agent) == ["claude", "codex"] and ids(page.model) == ["default", "opus"]
    assert not page.mode.isVisible()
    page.grid.script.set_current("e-1")
    page.agent.set_current("codex")
    page.agent.changed.emit("codex")
    assert ids(page.model) == ["default", "gpt"]
    page.model.set_current("gpt")
    page.start()
    draft = CloudDraft(
        "Fix the clock", "harbor/harbor-mobile", branch="main", environment="e-1", adapter="codex", model="gpt"
    )
    assert page.ctx.services.called("cloud.create") == [(draft,)]
    assert page.ctx.nav.task_id == "cloud-c1"


def test_going_back_to_this_machine(make):
    page = make()
    choose(page, "cloud")
    choose(page, "worktree")
    assert "harbor-web" in ids(page.grid.repository) and page.agent.current() == "claude" and page.mode.isVisible()


def test_github_that_is_not_connected_is_said_with_the_way_to_it(make):
    page = make()
    page.ctx.services.account.offer = FakeOffer(connected=False)
    choose(page, "cloud")
    assert page.problem.isVisible() and "not connected with GitHub" in page.problem.label.text()
    page.ctx.services.account.offer = FakeOffer()
    page.problem.connect_github.click()
    assert page.ctx.services.urls == ["https://eu.posthog.com/settings/integrations"]
    assert not page.problem.isVisible(), "asked again"
    page.ctx.services.cloud.error = GitHubNeeded("Your GitHub link is missing.", "Connect it.", url="https://x/link")
    page.prompt.set_text("Fix the clock")
    page.start()
    assert page.problem.isVisible() and page.problem.connect_github.isVisible()
    assert page.prompt.text() == "Fix the clock", "the prompt stays"


def test_what_waits_in_the_cloud(make):
    page = make()
    assert page.waiting.isVisible()
    buttons = page.waiting.findChildren(Button)
    assert [b.accessibleName() for b in buttons] == [
        "Open Nightly job fails on DST change here",
        "Open Crash on the order screen here",
        "Open Quotes time out here",
    ]
    buttons[0].click()
    assert page.ctx.nav.task_id == "cloud-c1"
    nightly, quotes = cloud_tasks()[:2]
    assert about(nightly, NOW) == "harbor-api · Ana started it from Slack · running for 40m"
    assert about(quotes, NOW) == "harbor-api · From a report · finished 1m ago"
    assert about(quotes, NOW - 60) == "harbor-api · From a report · finished just now"
