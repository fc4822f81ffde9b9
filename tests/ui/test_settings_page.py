"""Settings are saved as they are made, and found by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from posthog_code.domain.agent import AgentInfo, AgentSpec, AgentStatus
from posthog_code.domain.errors import Conflict, InvalidInput
from posthog_code.domain.mcp import McpState
from posthog_code.domain.settings import Settings
from posthog_code.domain.state import Topic
from posthog_code.ui.nav import Place
from posthog_code.ui.pages.catalog import PAGES, SETTINGS, found
from posthog_code.ui.pages.settings import SettingsPage
from tests.ui.shell_world import ToastNotes, context_of, world


@pytest.fixture
def page(qtbot):
    ctx = context_of(world())
    page = SettingsPage(ctx)
    page.ctx = ctx
    page.resize(1100, 800)
    qtbot.addWidget(page)
    page.arrive(Place("settings"))
    with qtbot.waitExposed(page):
        page.show()
    ctx.nav.changed.connect(page.arrive)
    yield page
    ctx.bridge.close()


def settings_of(page: SettingsPage) -> Settings:
    return page.ctx.state.settings


def test_general_settings_save_themselves(page, qtbot):
    general = page.page("general")
    general.theme.changed.emit("dark")
    general.text_size.changed.emit("15")
    general.switch("reduced_motion").click()
    general.layout_choice.changed.emit("split")
    general.field("editor_command").setText("zed --new")
    general._save_fields()
    saved = settings_of(page)
    assert (saved.theme, saved.text_size, saved.reduced_motion, saved.split_diff) == ("dark", 15, True, True)
    assert saved.editor_command == "zed --new"


def test_what_is_typed_is_saved_when_the_page_is_left(page):
    page.page("general").field("worktrees_dir").setText("/data/trees")
    page.hide()
    assert settings_of(page).worktrees_dir == "/data/trees"


def test_agents_are_listed_with_what_to_do(page):
    page.arrive(Place("settings", tab="agents"))
    agents = page.page("agents")
    names = [agents.installed.body.itemAt(i).widget().accessibleName() for i in range(agents.installed.body.count())]
    assert [name for name in names if name] == ["Claude Code", "Codex", "Gemini CLI"]
    info = page.ctx.state.agents[0]
    agents.set_program("claude", "/opt/claude")
    assert settings_of(page).agent_paths == {"claude": "/opt/claude"}
    assert page.ctx.services.called("detect")
    assert "Look on the PATH again" in [a.text() for a in agents.menu_of(info, page).actions()]
    agents.set_program("claude", "")
    assert settings_of(page).agent_paths == {}
    agents.agent.changed.emit("codex")
    assert settings_of(page).default_agent == "codex"


def test_an_agent_says_what_it_needs(page):
    claude, codex, gemini = page.ctx.state.agents
    missing = replace(gemini, reason="The program was not found.")
    command = AgentInfo(AgentSpec("custom", "Custom command", "C", ()), AgentStatus.NOT_INSTALLED)
    page.ctx.services.store.change(
        lambda state: replace(state, agents=(claude, codex, missing, command)), Topic("agents")
    )
    page.arrive(Place("settings", tab="agents"))
    words = [label.text() for label in page.page("agents").installed.findChildren(QWidget) if hasattr(label, "text")]
    assert "npm i -g @google/gemini-cli" in words  # beside the button that copies it
    assert "Not set" in words and words.count("Not installed") == 1


def test_custom_agents_come_and_go(page):
    page.arrive(Place("settings", tab="agents"))
    form = page.page("agents").custom
    form.open_button.click()
    form.add()
    assert form.name.message.text() == "Give it a name"
    form.name.setText("Mine")
    form.command.setText("my-agent --acp")
    form.add()
    assert settings_of(page).custom_agents == {"Mine": "my-agent --acp"}
    form.open_button.click()
    form.name.setText("Mine")
    form.command.setText("other")
    form.add()
    assert form.name.message.text() == "Taken"
    notes = ToastNotes()
    page.ctx.toasts.attach(notes)
    from posthog_code.domain.agent import AgentInfo, AgentSpec, AgentStatus

    mine = AgentInfo(AgentSpec("custom:Mine", "Mine", "M", ("my-agent",)), AgentStatus.READY)
    page.page("agents").remove(mine)
    assert settings_of(page).custom_agents == {}
    notes.shown[-1][3][0][1]()
    assert settings_of(page).custom_agents == {"Mine": "my-agent --acp"}


def test_repositories_are_edited_in_place(page):
    page.arrive(Place("settings", tab="repositories"))
    card = page.page("repositories").cards["harbor-api"]
    card.script.setPlainText("uv sync\n")
    card.prefix.setText("mira/")
    card.save()
    saved = page.ctx.state.repositories["harbor-api"]
    assert (saved.setup_script, saved.branch_prefix) == ("uv sync", "mira/")

    async def refuse(*_args: object, **_fields: object) -> None:
        raise InvalidInput("This is no branch prefix that git takes.")

    page.ctx.services.repositories.update = refuse
    card.prefix.setText("~")
    card.save()
    assert card.prefix.message.text() == "This is no branch prefix that git takes."


def test_a_repository_with_tasks_stays(page):
    page.arrive(Place("settings", tab="repositories"))
    repositories = page.page("repositories")

    async def refuse(_id: object) -> None:
        raise Conflict("harbor-web still has 4 tasks.", "Delete them first.")

    remove = page.ctx.services.repositories.remove
    page.ctx.services.repositories.remove = refuse
    repositories.cards["harbor-web"]._on_remove()
    assert repositories.cards["harbor-web"]._error.text() == "harbor-web still has 4 tasks. Delete them first."
    page.ctx.services.repositories.remove = remove
    repositories.cards["ingest-worker"]._on_remove()
    page.ctx.bridge.flush()
    assert "ingest-worker" not in repositories.cards
    repositories.adder.field.setText("/home/mira/another")
    repositories.adder.add()
    page.ctx.bridge.flush()
    assert page.ctx.services.called("add") == [(Path("/home/mira/another"),)] and "another" in repositories.cards


def test_a_setting_is_found_by_name(page):
    page.search.setText("colour blind")
    assert [row.text() for row in page._nav_rows] == ["Blue and orange diffs"]
    page._nav_rows[0].click()
    assert page.current == "general" and page.page("general").rows["color_blind_diffs"]._marked
    page.search.setText("mode for")
    page._on_return()
    assert page.current == "agents"
    page.search.setText("")
    assert [row.text() for row in page._nav_rows] == ["General", "Agents", "Repositories", "Cloud account", "Signals"]


def test_the_catalogue_names_real_settings():
    fields = set(Settings.__slots__)
    general = [s for s in SETTINGS if s.page == "general"]
    assert {s.id for s in general} <= fields
    assert all(s.page in PAGES for s in SETTINGS)
    assert found("") == list(SETTINGS)


def test_a_repository_can_require_the_instrumentation_check(page, qtbot):
    page.arrive(Place("settings", tab="repositories"))
    card = page.page("repositories").cards["harbor-api"]
    assert not card.check.isChecked() and card.check.accessibleName() == "Instrumentation check"
    card.check.setFocus()
    qtbot.keyClick(card.check, Qt.Key.Key_Space)
    page.ctx.bridge.flush()
    assert page.ctx.state.repositories["harbor-api"].require_coverage and card.check.isChecked()
    assert not page.ctx.state.repositories["harbor-web"].require_coverage


def test_posthog_tools_are_switched_per_repository_and_say_how_they_stand(page, qtbot):
    page.arrive(Place("settings", tab="repositories"))
    repositories = page.page("repositories")
    card = repositories.cards["harbor-api"]
    assert card.tools.isChecked() and card.tools_word.text() == "On"
    assert not page.ctx.services.called("check")  # nobody is signed in
    card.tools.setFocus()
    qtbot.keyClick(card.tools, Qt.Key.Key_Space)
    page.ctx.bridge.flush()
    assert page.ctx.state.repositories["harbor-api"].posthog_mcp is False
    assert page.ctx.state.repositories["harbor-web"].posthog_mcp is True
    assert not card.tools.isChecked() and card.tools_word.text() == "Off"
    assert card.tools_row.detail.text() == "Agents here do not get them."
    page.ctx.services.mcp.trouble = McpState("Cannot be reached", "failed", "Since 14:32: no answer.")
    page.ctx.services.store.change(
        lambda state: replace(state, account=replace(state.account, login="oauth")), Topic("mcp")
    )
    page.ctx.bridge.flush()
    web = repositories.cards["harbor-web"]
    assert web.tools_word.text() == "Cannot be reached" and web.tools_row.detail.text() == "Since 14:32: no answer."
    assert web.tools.accessibleName() == "PostHog tools for agents"
    assert web.tools.accessibleDescription() == "Cannot be reached. Since 14:32: no answer."
    page.arrive(Place("settings", tab="general"))
    page.arrive(Place("settings", tab="repositories"))
    assert len(page.ctx.services.called("check")) == 1
