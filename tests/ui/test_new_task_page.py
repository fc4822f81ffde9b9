"""New task: choices from state, drafts, problems in place, and the start."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from posthog_code.domain.agent import AgentStatus
from posthog_code.domain.errors import InvalidInput
from posthog_code.domain.ids import RepositoryId
from posthog_code.domain.session import AgentCommand, Choice, ConfigOption
from posthog_code.domain.state import AppState
from posthog_code.domain.task import Workspace
from posthog_code.ports.git import Branch
from posthog_code.ui.models.new_task import agent_items, branch_items, default_agent, mode_items
from posthog_code.ui.nav import Place
from posthog_code.ui.pages.new_task import NewTaskPage
from tests.ui.shell_world import NOW, agents, context_of, repository_of, world


@pytest.fixture
def open_page(qtbot):
    contexts = []

    def make(state: AppState | None = None) -> NewTaskPage:
        ctx = context_of(state or world())
        contexts.append(ctx)
        page = NewTaskPage(ctx)
        page.ctx = ctx
        page.resize(1176, 900)
        qtbot.addWidget(page)
        page.arrive(Place("new_task"))
        with qtbot.waitExposed(page):
            page.show()
        return page

    yield make
    for ctx in contexts:
        ctx.bridge.close()


def ids(items) -> list[str]:
    return [item.id for item in items if item.id]


def test_start_makes_the_task_and_shows_it_at_once(open_page):
    page = open_page()
    opened = []
    page.ctx.nav.changed.connect(opened.append)
    page.prompt.set_text("Render only the visible rows")
    page.prompt.editor.setFocus()
    QTest.keyClick(page.prompt.editor, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    [(draft,)] = page.ctx.services.called("create")
    assert draft.prompt == "Render only the visible rows"
    assert (draft.repository_id, draft.agent_id, draft.base) == ("harbor-web", "claude", "main")
    assert (draft.workspace, draft.mode, draft.run_setup) == (Workspace.WORKTREE, "default", True)
    assert opened[-1].task_id in page.ctx.state.tasks
    assert page.prompt.text() == ""


def test_enter_alone_is_a_new_line(open_page):
    page = open_page()
    page.prompt.set_text("One")
    QTest.keyClick(page.prompt.editor, Qt.Key.Key_Return)
    assert page.prompt.text() == "One\n" and not page.ctx.services.called("create")


def test_local_says_what_it_means(open_page):
    page = open_page()
    page.prompt.set_text("Change it here")
    assert "Your own checkout stays as it is" in page._hint.text()
    page.grid.workspace.set_current("local")
    page.grid.workspace.changed.emit("local")
    assert "your own checkout, /home/mira/harbor-web" in page._hint.text()
    assert not page.grid.base.isEnabled() and not page.grid.script.isEnabled()
    page.start()
    [(draft,)] = page.ctx.services.called("create")
    assert (draft.workspace, draft.base, draft.run_setup) == (Workspace.LOCAL, "", False)


def test_the_script_can_be_left_out(open_page):
    page = open_page()
    page.prompt.set_text("Quick one")
    assert page.grid.script.current_item().text == "pnpm install"
    page.grid.script.set_current("skip")
    page.start()
    assert page.ctx.services.called("create")[0][0].run_setup is False
    page.grid.repository.changed.emit("harbor-api")
    assert page.grid.script.current_item().text == "No set-up script"


def test_a_draft_is_kept(open_page, qtbot):
    page = open_page(replace(world(), drafts={"": "Half a thought"}))
    assert page.prompt.text() == "Half a thought"
    page.prompt.set_text("Half a thought, and more")
    page.hide()
    assert page.ctx.services.called("save_draft") == [("", "Half a thought, and more")]


def test_the_start_waits_for_words(open_page):
    page = open_page()
    assert not page.prompt.start.isEnabled()
    page.prompt.set_text("  ")
    assert not page.prompt.start.isEnabled()
    page.prompt.set_text("Do")
    assert page.prompt.start.isEnabled()


def test_the_first_run_asks_for_a_repository(open_page):
    page = open_page(AppState(agents=agents()))
    assert page._first.isVisible() and page.adder.isVisible() and not page.prompt.isVisible()
    page.ctx.services.repositories.error = InvalidInput("This folder is no git repository.", "Run git init in it.")
    page.adder.field.setText("~/code/harbor-web")
    page.adder.add()
    assert page.adder.field.message.text() == "This folder is no git repository. Run git init in it."
    page.ctx.services.repositories.error = None
    page.adder.field.setText("/home/mira/harbor-web")
    page.adder.add()
    assert page.prompt.isVisible() and not page.adder.isVisible()
    assert page.grid.repository.current() == "harbor-web"


def test_what_cannot_be_started_is_said_in_place(open_page):
    page = open_page()

    async def refuse(draft: object) -> None:
        raise InvalidInput("A task works in this checkout already.", "Finish it first.")

    page.ctx.services.tasks.create = refuse
    page.prompt.set_text("Second one")
    page.start()
    assert page.problem.isVisible() and page.problem.label.text() == (
        "A task works in this checkout already. Finish it first."
    )
    assert page.prompt.text() == "Second one", "nothing typed is lost"


def test_it_starts_with_the_repository_that_was_asked_for(open_page):
    page = open_page()
    page.arrive(Place("new_task", repository_id=RepositoryId("ingest-worker")))
    assert page.grid.repository.current() == "ingest-worker"


def test_choices_from_state():
    branches = (
        Branch("origin/next", "c", NOW, remote=True),
        Branch("topic", "b", NOW - 5),
        Branch("main", "a", NOW - 900),
    )
    assert ids(branch_items(branches, repository_of("harbor-web"), NOW)) == ["main", "topic", "origin/next"]
    assert ids(branch_items((), repository_of("harbor-web"), NOW)) == ["main"]
    state = world()
    assert [(item.id, item.reason) for item in agent_items(state)][2] == ("gemini", "Not installed")
    assert default_agent(state) == "claude"
    wanted = replace(state, settings=replace(state.settings, default_agent="codex"))
    assert default_agent(wanted) == "codex"
    missing = replace(state, settings=replace(state.settings, default_agent="gemini"))
    assert default_agent(missing) == "claude"
    none = replace(state, agents=tuple(replace(info, status=AgentStatus.NOT_INSTALLED) for info in agents()))
    assert default_agent(none) == ""
    assert mode_items(state, "claude", "plan")[1] == "plan"
    assert mode_items(state, "claude", "gone")[1] == "default"
    assert mode_items(state, "codex", "") == ([], "")


def test_the_first_run_shows_the_agents_of_this_computer(open_page):
    page = open_page(AppState(agents=agents()))
    assert page.first_run is not None and page.first_run.isVisible()
    rows = [page.first_run.card.body.itemAt(i).widget().accessibleName() for i in range(5)]
    assert [row for row in rows if row] == ["Claude Code", "Codex", "Gemini CLI"]
    page.adder.field.setText("/home/mira/harbor-web")
    page.adder.add()
    assert not page.first_run.isVisible()


def test_keys_choose_the_mode_and_start_from_anywhere(open_page):
    page = open_page()
    page.prompt.set_text("Go")
    assert page.mode.current() == "default"
    QTest.keyClick(page.prompt.editor, Qt.Key.Key_Backtab)
    assert page.mode.current() == "acceptEdits"
    QTest.keyClick(page.grid.repository, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    [(draft,)] = page.ctx.services.called("create")
    assert draft.mode == "acceptEdits"


def test_models_come_from_the_agents_last_session(open_page):
    state = world()
    option = ConfigOption("model", "Model", "model", "opus", (Choice("opus", "Opus"), Choice("haiku", "Haiku")))
    task = next(task for task in state.tasks.values() if task.agent_id == "claude")
    session = replace(state.sessions[task.session_id], options=(option,))
    page = open_page(replace(state, sessions={**state.sessions, session.id: session}))
    assert page.model.isVisible() and page.model.current() == "opus"
    page.model.set_current("haiku")
    page.prompt.set_text("Do it")
    page.start()
    assert page.ctx.services.called("create")[0][0].model == "haiku"


def test_without_a_session_no_model_is_offered(open_page):
    assert not open_page().model.isVisible()


def test_auto_in_the_own_checkout_is_amber(open_page):
    page = open_page()
    page.mode.set_current("bypassPermissions")
    page._on_mode("bypassPermissions")
    assert page.mode._tone == ""
    page.grid.workspace.set_current("local")
    page.grid.workspace.changed.emit("local")
    assert page.mode._tone == "status.waiting"


def test_slash_offers_the_commands_of_the_agents_last_session(open_page, qtbot):
    state = world()
    task = next(task for task in state.tasks.values() if task.agent_id == "claude")
    session = replace(state.sessions[task.session_id], commands=(AgentCommand("review", "Look for mistakes"),))
    page = open_page(replace(state, sessions={**state.sessions, session.id: session}))
    page.activateWindow()
    page.prompt.editor.setFocus()
    qtbot.waitUntil(page.prompt.editor.hasFocus)
    QTest.keyClicks(page.prompt.editor, "/rev")
    popup = page.prompt.suggestions.popup()
    assert popup is not None and [(item.text, item.marks) for item in popup.items()] == [("/review", (1, 2, 3))]
    assert popup.box().translated(popup.pos()).top() > page.prompt.editor.mapTo(page, QPoint(0, 0)).y()
    QTest.keyClick(page.prompt.editor, Qt.Key.Key_Return)
    assert page.prompt.text() == "/review "


def test_a_mention_shows_what_the_query_hits(open_page, qtbot):
    page = open_page()
    page.activateWindow()
    page.prompt.editor.setFocus()
    qtbot.waitUntil(page.prompt.editor.hasFocus)
    QTest.keyClicks(page.prompt.editor, "@Table")
    popup = page.prompt.suggestions.popup()
    assert popup is not None and [(item.text, item.marks) for item in popup.items()] == [
        ("OrderTable.tsx", (5, 6, 7, 8, 9))
    ]
