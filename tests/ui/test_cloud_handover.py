"""*Take over here* and *Send to the cloud*: steps live, what stands in the way, and the ways round it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QWidget

from posthog_code.domain.cloud_errors import GitHubNeeded
from posthog_code.domain.errors import Conflict, Offline, Refused
from posthog_code.domain.ids import TaskId
from posthog_code.domain.task import StepState, TaskPhase, Workspace, with_step
from posthog_code.ui.dialogs.send_to_cloud import SendToCloudDialog
from posthog_code.ui.dialogs.take_over import TakeOverDialog
from tests.ui.cloud_world import cloud_context

LOCAL = TaskId("local")


@pytest.fixture
def window(qtbot):
    window = QWidget()
    window.resize(1000, 700)
    qtbot.addWidget(window)
    window.show()
    window.ctx = cloud_context()
    return window


def move(window, step: str, state: StepState, detail: str = "", **fields: object) -> None:
    services = window.ctx.services
    task = services.store.state.tasks[LOCAL]
    services.tasks.edit_task(LOCAL, steps=with_step(task.steps, step, state, 10.0, detail), **fields)
    window.ctx.bridge.flush()


def test_steps_are_live_and_the_task_is_opened_at_the_end(window, qtbot):
    dialog = TakeOverDialog(window.ctx, "c1", window)
    dialog.open()
    assert window.ctx.services.called("take_over")[0][0] == "c1"
    assert [step.title for step in dialog.steps.steps()] == ["Fetch the branch", "Copy the conversation"]
    assert dialog.line.isVisible() and not dialog.go.isVisible()
    move(window, "a", StepState.DONE)
    assert dialog.steps.steps()[0].state is StepState.DONE and dialog.line._share == 0.5
    closed = []
    dialog.finished.connect(closed.append)
    move(window, "b", StepState.DONE, phase=TaskPhase.READY)
    qtbot.waitUntil(lambda: closed == [LOCAL])
    assert window.ctx.nav.task_id == LOCAL


def test_cancel_takes_back_and_closing_does_not(window):
    dialog = TakeOverDialog(window.ctx, "c1", window)
    dialog.open()
    dialog.cancel.click()
    assert window.ctx.services.called("cancel_setup") == [(LOCAL,)] and dialog.is_open()
    dialog.close_sheet(None)
    assert len(window.ctx.services.called("cancel_setup")) == 1


def test_a_repository_that_is_not_here(window):
    missing = "harbor/harbor-mobile"
    window.ctx.services.handover.errors = [
        Refused(f"{missing} is not on this machine.", "--repo", missing),
        Refused(f"{missing} is not on this machine.", "--repo", missing),
    ]
    dialog = TakeOverDialog(window.ctx, "c3", window)
    dialog.open()
    assert (
        dialog.places.isVisible() and "Choose the folder" in dialog.problem.text() and "--" not in dialog.problem.text()
    )
    dialog.set_repository("/home/mira/mobile")
    assert window.ctx.services.called("take_over")[1][1].repository == Path("/home/mira/mobile")
    assert dialog.places.isVisible(), "refused again"
    dialog.set_clone_folder("/home/mira/src")
    assert window.ctx.services.called("take_over")[2][1].clone_to == Path("/home/mira/src/harbor-mobile")
    assert not dialog.places.isVisible() and dialog.steps.isVisible()


def test_a_branch_in_the_way_is_shown_and_another_name_offered(window):
    window.ctx.services.handover.errors = [
        Conflict("The local branch posthog/dst-nightly has 2 commits that the cloud does not have.", "--branch", "b\na")
    ]
    dialog = TakeOverDialog(window.ctx, "c1", window)
    dialog.open()
    assert "2 commits" in dialog.problem.text() and "Nothing was overwritten" in dialog.problem.text()
    assert dialog.evidence is not None and dialog.branch.text() == "posthog/dst-nightly-here"
    dialog.branch.setText("mine/dst")
    dialog.go.click()
    assert window.ctx.services.called("take_over")[1][1].branch == "mine/dst"
    assert dialog.steps.isVisible() and not dialog.branch.isVisible()


def test_what_else_goes_wrong_can_be_tried_again(window):
    window.ctx.services.handover.errors = [Offline("eu.posthog.com does not answer.", "Check the network.")]
    dialog = TakeOverDialog(window.ctx, "c1", window)
    dialog.open()
    assert dialog.problem.text() == "eu.posthog.com does not answer. Check the network."
    dialog.go.click()
    assert not dialog.problem.isVisible() and dialog.steps.isVisible()
    move(window, "a", StepState.FAILED, "The download broke.", phase=TaskPhase.SETUP_FAILED)
    assert dialog.go.isVisible() and dialog.cancel.text() == "Close"


def test_sending_says_what_happens_then_does_it(window, qtbot):
    services = window.ctx.services
    dialog = SendToCloudDialog(window.ctx, TaskId("pay"), window)
    dialog.open()
    assert services.called("send") == [] and dialog.archive.isVisible()
    dialog.archive.setChecked(True)
    dialog.go.click()
    assert services.called("send") == [("pay", True)] and dialog.steps.isVisible()
    closed = []
    dialog.finished.connect(closed.append)
    services.tasks.edit_task(TaskId("pay"), phase=TaskPhase.READY, workspace=Workspace.CLOUD)
    window.ctx.bridge.flush()
    qtbot.waitUntil(lambda: closed == ["pay"])
    assert window.ctx.nav.task_id == "pay"


def test_sending_that_failed_can_stay_here(window):
    services = window.ctx.services
    services.handover.errors = [
        GitHubNeeded("GitHub is not connected.", "Connect it.", url="https://eu.posthog.com/gh")
    ]
    dialog = SendToCloudDialog(window.ctx, TaskId("pay"), window)
    dialog.open()
    dialog.go.click()
    assert dialog.problem.text().startswith("GitHub is not connected.") and dialog.connect_github.isVisible()
    dialog.connect_github.click()
    assert services.urls == ["https://eu.posthog.com/gh"]
    dialog.go.click()
    task = services.store.state.tasks[TaskId("pay")]
    steps = tuple(replace(step, state=StepState.FAILED) for step in task.steps)
    services.tasks.edit_task(TaskId("pay"), phase=TaskPhase.SETUP_FAILED, steps=steps)
    window.ctx.bridge.flush()
    assert dialog.stay.isVisible() and dialog.go.text() == "Try again"
    dialog.stay.click()
    assert services.called("give_up") == [("pay",)] and not dialog.is_open()


def test_a_step_that_lacks_github_offers_the_page_that_connects_it(window):
    services = window.ctx.services
    dialog = SendToCloudDialog(window.ctx, TaskId("pay"), window)
    dialog.open()
    dialog.go.click()
    url = "https://eu.posthog.com/api/environments/1/integrations/authorize/?kind=github&next=%2Fproject%2F1"
    task = services.store.state.tasks[TaskId("pay")]
    words = f"PostHog may not use this repository.\nConnect GitHub at {url} and try again."
    steps = tuple(replace(step, state=StepState.FAILED, detail=words) for step in task.steps[:1])
    services.tasks.edit_task(TaskId("pay"), phase=TaskPhase.SETUP_FAILED, steps=steps)
    window.ctx.bridge.flush()
    assert dialog.connect_github.isVisible()
    dialog.connect_github.click()
    assert services.urls == [url]
    steps = tuple(replace(step, detail="The push was refused.") for step in steps)
    services.tasks.edit_task(TaskId("pay"), steps=steps)
    window.ctx.bridge.flush()
    assert not dialog.connect_github.isVisible()
