"""The window in front of the camera: brings it to a place and waits until that is painted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from PySide6.QtWidgets import QWidget

from posthog_code.app.container import Container
from posthog_code.domain.ids import TaskId
from posthog_code.domain.session import SessionPhase
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import Task
from posthog_code.ui.context import UiContext
from posthog_code.ui.diff.view import DiffView
from posthog_code.ui.kit.overlay import Sheet
from posthog_code.ui.shell.main_window import MainWindow

_KINDS = (
    "tasks",
    "task",
    "session",
    "repositories",
    "queue",
    "comments",
    "publish",
    "pull_request",
    "signals",
    "agents",
    "transcript",
    "inbox",
)


@dataclass
class Studio:
    window: MainWindow
    context: UiContext
    container: Container
    afterwards: list[Callable[[], Awaitable[object]]] = field(default_factory=list)
    """What takes away things that were really made for the picture."""
    _before: AppState | None = None

    def task(self, title: str) -> Task:
        """The demo task whose title begins so."""
        tasks = self.container.services.store.state.tasks.values()
        return next(task for task in tasks if task.title.startswith(title))

    async def open_task(self, title: str, tab: str = "changes", *, panel: bool = True) -> TaskId:
        """Show a task with a panel, or with its conversation alone. A narrow window has room for one of them."""
        task_id, page = self.task(title).id, self.window.task_page
        if page.compact and not panel:
            tab = "conversation"
        self.context.nav.open_task(task_id, tab)
        await self.until(lambda: (made := page.panel(tab)) is not None and made.isVisible())
        if not panel and not page.compact:
            page.close_panel()
        return task_id

    def pretend(self, change: Callable[[AppState], AppState]) -> None:
        """Show a state that is not so, in memory alone, until `tidy`."""
        store = self.container.services.store
        self._before = self._before or store.state
        self._adopt(change(store.state))

    def failed(self, task_id: TaskId) -> bool:
        session = self.context.state.session_of(task_id)
        return session is not None and session.phase is SessionPhase.FAILED

    async def tidy(self) -> None:
        """Back to what is so, and was so."""
        for undo in self.afterwards:
            await undo()
        if self._before is not None:
            self._adopt(self._before)
            self._before = None

    def _adopt(self, state: AppState) -> None:
        store = self.container.services.store
        ids = ("", *{*store.state.tasks, *state.tasks})
        store.adopt(state, *(Topic(kind, one) for kind in _KINDS for one in ids))

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

    def diff_is_shown(self) -> bool:
        """The panel of changes has read all of its diff."""
        panel = self.window.task_page.panel("changes")
        view = panel.findChild(DiffView) if panel is not None else None
        return view is not None and view.isVisible() and view.index.finished and len(view.index) > 0

    def find_titled(self, title: str) -> QWidget | None:
        """A visible dialog whose title begins so."""
        found = self.window.findChildren(Sheet)
        return next((s for s in found if s.isVisible() and s.accessibleName().startswith(title)), None)

    async def until(self, condition: Callable[[], object], timeout: float = 10.0) -> None:
        """Raises TimeoutError when the condition does not come true."""
        async with asyncio.timeout(timeout):
            while not condition():  # noqa: ASYNC110 - anything may make it true
                await asyncio.sleep(0.02)
