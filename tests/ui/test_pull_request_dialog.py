"""Create PR: what it proposes, what it refuses, and how it goes on after a failure."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMainWindow
from pytestqt.qtbot import QtBot

sys.path.insert(0, str(Path(__file__).parent))

from posthog_code.domain.coverage import Coverage, CoverageMissing
from posthog_code.domain.errors import GitFailed
from posthog_code.domain.task import StepState
from posthog_code.ui.dialogs.create_pr import CreatePrDialog
from tests.ui.pull_request_world import PROPOSAL, PULL, T, World


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()
    assert not made.errors


def show(qtbot: QtBot, world: World) -> CreatePrDialog:
    window = QMainWindow()
    window.resize(1000, 760)
    window.show()
    dialog = CreatePrDialog(world.ctx, T, window)
    world.kept.append(window)
    dialog.open()
    assert dialog.form is not None
    return dialog


def form(dialog: CreatePrDialog):  # type: ignore[no-untyped-def]
    assert dialog.form is not None
    return dialog.form


def test_what_it_shows(qtbot: QtBot, world: World) -> None:
    dialog = show(qtbot, world)
    assert form(dialog).title.text() == PROPOSAL.new.title
    assert form(dialog).description.text() == PROPOSAL.new.body
    assert form(dialog).commit is not None and form(dialog).commit.text() == PROPOSAL.new.commit_message
    assert dialog.submit.text() == "Create PR" and dialog.submit.isEnabled()
    assert form(dialog).paths.isHidden()
    form(dialog).show_paths.click()
    assert form(dialog).paths.text() == "src/payments/retry.ts\ntests/payments.test.ts"


def test_a_check_that_the_repository_requires_can_be_left_out(qtbot: QtBot, world: World) -> None:
    sentence = "4 of 5 changed paths send an event. Missing: webhook handler."
    world.pulls.proposal = replace(PROPOSAL, coverage=sentence, coverage_required=True)
    world.pulls.refuse = CoverageMissing("1 changed path of 5 misses an event.", "Have it added.", "", Coverage())
    dialog = show(qtbot, world)
    assert dialog.problem.text() == sentence and dialog.anyway.isHidden()
    qtbot.mouseClick(dialog.submit, Qt.MouseButton.LeftButton)
    assert dialog.problem.text() == "1 changed path of 5 misses an event. Have it added."
    assert dialog.anyway.isVisible() and form(dialog).isVisible()
    done: list[object] = []
    dialog.finished.connect(done.append)
    qtbot.mouseClick(dialog.anyway, Qt.MouseButton.LeftButton)
    assert done == [PULL] and len(world.pulls.calls) == 2


def test_the_agent_adds_what_the_check_misses(qtbot: QtBot, world: World) -> None:
    asked: list[str] = []

    async def add(task_id: str) -> None:
        asked.append(task_id)

    world.ctx.services.code_signals.add_with_agent = add
    assert show(qtbot, world).mend.isHidden()
    sentence = "4 of 5 changed paths send an event. Missing: webhook handler."
    world.pulls.proposal = replace(PROPOSAL, coverage=sentence, coverage_required=True)
    dialog = show(qtbot, world)
    assert dialog.mend.isVisible()
    qtbot.mouseClick(dialog.mend, Qt.MouseButton.LeftButton)
    assert asked == [T] and not dialog.is_open()
    assert (world.nav.place.task_id, world.nav.place.tab) == (T, "conversation")


def test_a_warning_stands_above_the_fields(qtbot: QtBot, world: World) -> None:
    assert show(qtbot, world).form.warning is None  # type: ignore[union-attr]
    world.pulls.proposal = replace(PROPOSAL, warning="The agent is still working.")
    banner = form(show(qtbot, world)).warning
    assert banner.isVisible() and banner.label.text() == "The agent is still working."


def test_creating_it(qtbot: QtBot, world: World) -> None:
    dialog = show(qtbot, world)
    done: list[object] = []
    dialog.finished.connect(done.append)
    form(dialog).title.setText("Retry once")
    qtbot.keyClick(form(dialog).description.edit, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert world.pulls.calls == [("create", replace(PROPOSAL.new, title="Retry once"))]
    assert done == [PULL] and world.toasts == ["Opened pull request #482"]
    assert world.nav.place.tab == "pull_request"


def test_an_empty_title_is_marked(qtbot: QtBot, world: World) -> None:
    dialog = show(qtbot, world)
    form(dialog).title.setText("  ")
    dialog.submit.click()
    assert world.pulls.calls == [] and form(dialog).title.message.text()
    form(dialog).title.setText("Retry")
    assert not form(dialog).title.message.text()


def test_a_draft(qtbot: QtBot, world: World) -> None:
    dialog = show(qtbot, world)
    dialog.set_draft(True)
    assert dialog.submit.text() == "Create draft"
    dialog.submit.click()
    assert world.pulls.calls[0][1].draft


def test_another_base(qtbot: QtBot, world: World) -> None:
    dialog = show(qtbot, world)
    form(dialog)._base_chosen("next")
    assert form(dialog).counts.isHidden(), "the counts are of the proposed base"
    dialog.submit.click()
    assert world.pulls.calls[0][1].base == "next"


def test_a_failed_step_and_trying_again(qtbot: QtBot, world: World) -> None:
    world.pulls.fail = GitFailed("Push rejected.")
    dialog = show(qtbot, world)
    dialog.submit.click()
    qtbot.waitUntil(lambda: dialog.submit.text() == "Try again")
    assert dialog.is_open() and dialog.steps.isVisible() and not form(dialog).isVisible()
    assert [step.state for step in dialog.steps.steps()] == [StepState.DONE, StepState.FAILED, StepState.TODO]
    dialog.edit.click()
    assert form(dialog).isVisible() and form(dialog).title.text() == PROPOSAL.new.title
    world.pulls.fail = None
    dialog.submit.click()
    assert len(world.pulls.calls) == 2 and not dialog.is_open()


def test_closing_keeps_what_was_typed(qtbot: QtBot, world: World) -> None:
    dialog = show(qtbot, world)
    form(dialog).description.setText("My own words")
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert world.pulls.typed is not None and world.pulls.typed.body == "My own words"
    again = show(qtbot, world)
    assert form(again).description.text() == "My own words"


def test_closing_untouched_keeps_nothing(qtbot: QtBot, world: World) -> None:
    dialog = show(qtbot, world)
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert world.pulls.typed is None


def test_what_stands_in_the_way(qtbot: QtBot, world: World) -> None:
    world.pulls.proposal = replace(PROPOSAL, problem="harbor-web has no remote. Add one.")
    dialog = show(qtbot, world)
    assert dialog.problem.text() == "harbor-web has no remote. Add one." and not dialog.submit.isEnabled()
    form(dialog).title.setText("Typed meanwhile")
    world.pulls.proposal = PROPOSAL
    dialog.again.click()
    assert dialog.submit.isEnabled() and form(dialog).title.text() == "Typed meanwhile"


def test_one_is_open_already(qtbot: QtBot, world: World) -> None:
    world.pulls.proposal = replace(PROPOSAL, existing=PULL)
    dialog = show(qtbot, world)
    assert "#482 is open for this branch already" in dialog.problem.text()
    assert dialog.show_it.isVisible() and not dialog.submit.isVisible()
    dialog.show_it.click()
    assert world.nav.place.tab == "pull_request" and world.pulls.calls == []
