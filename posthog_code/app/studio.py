"""The window in front of the camera: brings it to a place and waits until that is painted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtWidgets import QWidget

from posthog_code.app.container import Container
from posthog_code.domain.ids import TaskId
from posthog_code.domain.task import Task
from posthog_code.ui.context import UiContext
from posthog_code.ui.shell.main_window import MainWindow


@dataclass
class Studio:
    window: MainWindow
    context: UiContext
    container: Container

    def task(self, title: str) -> Task:
        """The demo task whose title begins so."""
        tasks = self.container.services.store.state.tasks.values()
        return next(task for task in tasks if task.title.startswith(title))

    async def open_task(self, title: str, tab: str = "changes", *, panel: bool = True) -> TaskId:
        """Show a task with a panel, or with its conversation alone."""
        task_id = self.task(title).id
        self.context.nav.open_task(task_id, tab)
        await self.until(lambda: self.window.task_page.panel("conversation") is not None)
        if not panel:
            self.window.task_page.close_panel()
        return task_id

    def run(self, command_id: str) -> None:
        """What a menu entry or key would do."""
        command = self.context.commands.find(command_id)
        if command is None:
            raise LookupError(f"there is no command {command_id}")
        command.run()

    def find(self, name: str) -> QWidget | None:
        """A visible widget by its object name."""
        found = self.window.findChildren(QWidget, name)
        return next((widget for widget in found if widget.isVisible()), None)

    async def until(self, condition: Callable[[], object], timeout: float = 10.0) -> None:
        """Raises TimeoutError when the condition does not come true."""
        async with asyncio.timeout(timeout):
            while not condition():  # noqa: ASYNC110 - anything may make it true
                await asyncio.sleep(0.02)
