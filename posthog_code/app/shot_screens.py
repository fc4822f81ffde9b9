"""The screens that pictures are taken of, by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from PySide6.QtGui import QTextCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QPlainTextEdit

from posthog_code.app.shot_cloud import CLOUD_SCREENS
from posthog_code.app.shot_inbox import INBOX_SCREENS
from posthog_code.app.shot_signals import SIGNAL_SCREENS
from posthog_code.app.shot_states import STATES
from posthog_code.app.studio import Studio

DOUBLE_CHARGE = "Stop double charges"
PROMPT = (
    "The order history page freezes for people with more than 2,000 orders. Render only the visible rows, and keep "
    "keyboard navigation and the sticky header working."
)


async def task_changes(studio: Studio) -> None:
    await studio.open_task(DOUBLE_CHARGE)
    await studio.until(studio.diff_is_shown)


async def task_split_diff(studio: Studio) -> None:
    await studio.container.services.settings.set(split_diff=True)
    await task_changes(studio)
    studio.window.task_page.toggle_focus()


async def task_conversation(studio: Studio) -> None:
    await studio.open_task(DOUBLE_CHARGE, panel=False)


async def task_permission(studio: Studio) -> None:
    await studio.open_task("Upgrade Vite", panel=False)


async def task_question(studio: Studio) -> None:
    await studio.open_task("Rate-limit", panel=False)


async def task_failed(studio: Studio) -> None:
    await studio.open_task("Index the audit log", "logs")


async def task_running(studio: Studio) -> None:
    await studio.open_task("Virtualise", "changes")


async def task_pull_request(studio: Studio) -> None:
    await studio.open_task("Keep the cart", "pull_request")


async def new_task(studio: Studio) -> None:
    studio.context.nav.open_new_task()
    await studio.until(lambda: any(e.isVisible() for e in studio.window.findChildren(QPlainTextEdit)))
    editor = next(e for e in studio.window.findChildren(QPlainTextEdit) if e.isVisible())
    editor.setPlainText(PROMPT)
    editor.moveCursor(QTextCursor.MoveOperation.End)


async def create_pull_request(studio: Studio) -> None:
    from posthog_code.ui.dialogs.create_pr_form import CreatePrForm

    await task_changes(studio)
    studio.run("task.pull_request")
    await studio.until(lambda: studio.find("createPullRequest"))
    await studio.until(lambda: studio.window.findChild(CreatePrForm))


async def palette(studio: Studio) -> None:
    await task_changes(studio)
    studio.window.open_palette()
    await studio.until(lambda: studio.find("palette"))
    shown = studio.find("palette")
    field = shown.findChild(QLineEdit) if shown else None
    if field is not None:
        QTest.keyClicks(field, "re")


async def settings_agents(studio: Studio) -> None:
    studio.context.nav.open_settings("agents")


async def settings_general(studio: Studio) -> None:
    studio.context.nav.open_settings("general")


async def settings_repositories(studio: Studio) -> None:
    studio.context.nav.open_settings("repositories")


SCREENS: dict[str, Callable[[Studio], Awaitable[None]]] = {
    "task-changes": task_changes,
    "task-split-diff": task_split_diff,
    "task-conversation": task_conversation,
    "task-permission": task_permission,
    "task-question": task_question,
    "task-running": task_running,
    "task-failed": task_failed,
    "task-pr": task_pull_request,
    "new-task": new_task,
    "create-pr": create_pull_request,
    "palette": palette,
    "settings-agents": settings_agents,
    "settings-general": settings_general,
    "settings-repositories": settings_repositories,
    **CLOUD_SCREENS,
    **INBOX_SCREENS,
    **SIGNAL_SCREENS,
    **STATES,
}
