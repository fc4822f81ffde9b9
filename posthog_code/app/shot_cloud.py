"""The screens with tasks of the cloud."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QPlainTextEdit

from posthog_code.app.studio import Studio
from posthog_code.domain.cloud import Account, CloudList
from posthog_code.domain.state import AppState
from posthog_code.domain.task import StepState
from posthog_code.services.cloud_link import Link
from posthog_code.ui.cloud.watching import CloudWatch

NIGHTLY = "Nightly job"
PROMPT = "Remove the flag old-cart and everything behind its off branch. Keep the tests that still make sense."


async def _open(studio: Studio, title: str, tab: str = "conversation") -> None:
    """A cloud task as the ordinary window shows it, caught up with its run."""
    services = studio.container.services
    services.cloud.start()
    CloudWatch(studio.context, studio.window)
    known = next(one for one in studio.context.state.cloud.tasks.values() if one.title.startswith(title))
    task_id = await services.cloud.open(known.id)
    studio.context.nav.open_task(task_id, tab)
    session = services.sessions.cloud(task_id)
    await studio.until(lambda: session.link_state in (Link.LIVE, Link.OVER), 30.0)
    await studio.until(lambda: (made := studio.window.task_page.panel(tab)) is not None and made.isVisible())


async def cloud_task(studio: Studio) -> None:
    await _open(studio, NIGHTLY)
    if not studio.window.task_page.compact:
        studio.window.task_page.close_panel()


async def cloud_changes(studio: Studio) -> None:
    await _open(studio, "Describe the audit", "changes")
    await studio.until(studio.diff_is_shown)


async def cloud_offline(studio: Studio) -> None:
    def offline(state: AppState) -> AppState:
        gone = "127.0.0.1 does not answer."
        at = studio.context.now() - 240
        return replace(state, cloud=replace(state.cloud, error=gone, fetched_at=at))

    studio.pretend(offline)
    studio.context.nav.open_new_task()


async def settings_account(studio: Studio) -> None:
    studio.context.nav.open_settings("account")


async def sign_in(studio: Studio) -> None:
    def signed_out(state: AppState) -> AppState:
        return replace(state, account=Account(), cloud=CloudList())

    studio.pretend(signed_out)
    studio.context.nav.open_settings("account")


async def new_task_cloud(studio: Studio) -> None:
    studio.context.nav.open_new_task()
    await studio.until(lambda: any(e.isVisible() for e in studio.window.findChildren(QPlainTextEdit)))
    editor = next(e for e in studio.window.findChildren(QPlainTextEdit) if e.isVisible())
    editor.setPlainText(PROMPT)
    editor.moveCursor(QTextCursor.MoveOperation.End)
    from posthog_code.ui.pages.new_task import NewTaskPage

    page = studio.window.findChild(NewTaskPage)
    assert page is not None
    await studio.until(lambda: studio.context.state.account.signed_in)
    page.refresh()
    page.grid.workspace.set_current("cloud")
    page.grid.workspace.changed.emit("cloud")
    await studio.until(lambda: page.cloud.choices.loaded or page.cloud.choices.error)


async def take_over(studio: Studio) -> None:
    """The steps of a take-over, stopped in the middle for the picture."""
    from posthog_code.services.handover_pull import STEPS
    from posthog_code.ui.dialogs.take_over import TakeOverDialog

    await _open(studio, NIGHTLY)
    task = studio.task(NIGHTLY)
    now = studio.context.now()
    dialog = TakeOverDialog(studio.context, task.cloud_task_id, studio.window)
    states = (StepState.DONE, StepState.DONE, StepState.RUNNING)
    steps = tuple(
        replace(step, state=state, started_at=now - 5, ended_at=now - 3 if state is StepState.DONE else 0.0)
        for step, state in zip(STEPS, (*states, *(StepState.TODO,) * len(STEPS)), strict=False)
    )
    dialog.begin = lambda: None  # type: ignore[method-assign]
    dialog.open()
    dialog.steps.set_steps(steps)
    dialog.steps.show()
    dialog.line.set_share(2 / len(steps))
    dialog.line.show()
    dialog.relayout()


async def take_over_missing(studio: Studio) -> None:
    from posthog_code.ui.dialogs.take_over import TakeOverDialog

    await _open(studio, "Crash on the order")
    task = studio.task("Crash on the order")
    dialog = TakeOverDialog(studio.context, task.cloud_task_id, studio.window)
    dialog.open()
    await studio.until(lambda: dialog.places.isVisible())


async def send_to_cloud(studio: Studio) -> None:
    await studio.open_task("Stop double charges")
    await studio.until(lambda: studio.context.state.account.signed_in)
    studio.run("cloud.send")
    await studio.until(lambda: studio.find("sendToCloud"))


CLOUD_SCREENS: dict[str, Callable[[Studio], Awaitable[None]]] = {
    "cloud-task": cloud_task,
    "cloud-changes": cloud_changes,
    "cloud-offline": cloud_offline,
    "new-task-cloud": new_task_cloud,
    "settings-account": settings_account,
    "sign-in": sign_in,
    "take-over": take_over,
    "take-over-missing": take_over_missing,
    "send-to-cloud": send_to_cloud,
}
