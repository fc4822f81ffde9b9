"""What can be done to a task because it is in the cloud, or could be."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QMenu, QWidget

from posthog_code.domain.cloud import TERMINAL, CloudTask
from posthog_code.domain.cloud_lists import CloudFilter
from posthog_code.domain.ids import TaskId
from posthog_code.domain.task import Task, TaskPhase, Workspace
from posthog_code.ui import platform
from posthog_code.ui.cloud.links import open_cloud_task
from posthog_code.ui.commands import Command
from posthog_code.ui.context import UiContext
from posthog_code.ui.models import cloud_list
from posthog_code.ui.theme.icons import icon

Deed = tuple[str, str, Callable[[], object], str]
"""Icon, words, what it does, and the command whose keys it has."""


class CloudCommands(QObject):
    """One for the window."""

    def __init__(self, ctx: UiContext, window: QWidget) -> None:
        super().__init__(window)
        self._ctx, self._window = ctx, window
        for command in (
            Command("cloud.take_over", "Take over here", self._take_over_current, ("Ctrl+Shift+H",), self._is_cloud),
            Command("cloud.send", "Send to the cloud", self._send_current, (), self._may_send_current),
            Command("cloud.open_in_posthog", "Open in PostHog", self._show_current, (), self._is_cloud),
            Command("cloud.end_run", "End the run in the cloud", self._end_current, (), self._is_live),
            Command("cloud.refresh", "Check the cloud for tasks", self.refresh, (), self._signed_in),
            Command("cloud.account", "Cloud account", self.show_account, ()),
        ):
            ctx.commands.register(command, self)
        for which, words in cloud_list.FILTERS.items():
            run = partial(self.choose_filter, which)
            title = f"Show cloud tasks: {words.removesuffix(' cloud tasks').lower()}"
            ctx.commands.register(Command(f"cloud.filter.{which.value}", title, run, (), self._signed_in), self)

    # the list

    def choose_filter(self, which: CloudFilter) -> None:
        """Which cloud tasks are listed; remembered."""
        self._ctx.actions.start("cloud.filter", lambda: self._ctx.services.settings.set(cloud_filter=which.value))

    def refresh(self) -> None:
        self._ctx.actions.start("cloud.refresh", self._ctx.services.cloud.refresh)

    def show_account(self) -> None:
        self._ctx.nav.open_settings("account")

    # one task

    def open_in_posthog(self, cloud_task_id: str, run_id: str = "", project_id: int = 0) -> None:
        async def start() -> None:
            self._ctx.open_url(self._ctx.services.account.cloud(project_id).task_url(cloud_task_id, run_id))

        self._ctx.actions.start("cloud.page", start)

    def copy_link(self, cloud_task_id: str, run_id: str = "") -> None:
        link = f"posthog-code://task/{cloud_task_id}" + (f"/run/{run_id}" if run_id else "")
        platform.copy_text(link)
        self._ctx.toasts.show("Link copied", link, kind="success", timeout=3.0)

    def take_over(self, cloud_task_id: str, project_id: int = 0) -> None:
        from posthog_code.ui.dialogs.take_over import TakeOverDialog

        TakeOverDialog(self._ctx, cloud_task_id, self._window, project_id=project_id).open()

    def send(self, task_id: TaskId) -> None:
        from posthog_code.ui.dialogs.send_to_cloud import SendToCloudDialog

        SendToCloudDialog(self._ctx, task_id, self._window).open()

    def end_run(self, task_id: TaskId) -> None:
        """For good: the sandbox goes, and with it what was not pushed. Asked for first."""
        from posthog_code.ui.shell.confirm import ConfirmSheet

        sheet = ConfirmSheet(
            self._window,
            title="End the run?",
            text="Its sandbox is taken down, with everything that was not pushed or kept as a checkpoint. The "
            "conversation stays, and the next message begins a new run.",
            safe="Keep it running",
            danger="End the run",
        )
        end = partial(self._ctx.services.cloud.end_run, task_id, "ended by the person")
        sheet.confirmed.connect(lambda: self._ctx.actions.start(f"cloud.end {task_id}", end))
        sheet.open()

    def delete(self, task_id: TaskId) -> None:
        task = self._ctx.state.tasks.get(task_id)
        if task is None:
            return
        from posthog_code.ui.shell.confirm import ConfirmSheet

        sheet = ConfirmSheet(
            self._window,
            title=f"Delete {task.title} in the cloud?",
            text="It is deleted for everybody in the project, with its runs. Branches and pull requests stay.",
            safe="Keep",
            danger="Delete task",
        )

        def done(_result: object) -> None:
            self._ctx.nav.leave_task(task_id)
            self._ctx.toasts.show(f"Deleted {task.title}")

        delete = partial(self._ctx.services.cloud.delete, task_id)
        sheet.confirmed.connect(lambda: self._ctx.actions.start(f"cloud.delete {task_id}", delete, on_done=done))
        sheet.open()

    def may_send(self, task: Task) -> bool:
        """Also to go on with sending, or to give it up, where it stopped."""
        ready = task.phase is TaskPhase.READY
        if task.phase is TaskPhase.SETUP_FAILED:
            # Not needed for the first paint, and it brings half of the services.
            from posthog_code.services.handover_push import is_sending

            ready = is_sending(task.steps)
        return ready and bool(task.path) and task.workspace is not Workspace.CLOUD and self._signed_in()

    # menus

    def deeds(self, task: Task) -> list[Deed]:
        """What a menu of an opened cloud task offers besides what every task has."""
        page = partial(self.open_in_posthog, task.cloud_task_id, task.cloud_run_id, task.cloud_project_id)
        deeds: list[Deed] = [
            (
                "ph.arrow-square-in",
                "Take over here…",
                partial(self.take_over, task.cloud_task_id, task.cloud_project_id),
                "cloud.take_over",
            ),
            ("ph.globe-simple", "Open in PostHog", page, ""),
            ("ph.copy", "Copy the link", partial(self.copy_link, task.cloud_task_id), ""),
        ]
        if self._goes_on(task):
            deeds.append(("ph.stop-fill", "End the run…", partial(self.end_run, task.id), ""))
        deeds.append(("ph.trash", "Delete in the cloud…", partial(self.delete, task.id), ""))
        return deeds

    def unopened_menu(self, task: CloudTask, parent: QWidget) -> QMenu:
        """The menu of a row that is no task of ours yet."""
        menu = QMenu(parent)
        menu.setAccessibleName("Task")
        for mark, words, run in (
            ("ph.cloud", "Open here", partial(open_cloud_task, self._ctx, task.id)),
            ("ph.arrow-square-in", "Take over here…", partial(self.take_over, task.id, task.project_id)),
            ("ph.globe-simple", "Open in PostHog", partial(self.open_in_posthog, task.id, "", task.project_id)),
            ("ph.copy", "Copy the link", partial(self.copy_link, task.id)),
        ):
            menu.addAction(icon(mark, "text.secondary"), words).triggered.connect(_quietly(run))
        return menu

    def _goes_on(self, task: Task) -> bool:
        known = self._ctx.state.cloud.tasks.get(task.cloud_task_id)
        return known is not None and known.run is not None and known.run.status not in TERMINAL

    # the task in view

    def _current(self) -> Task | None:
        task_id = self._ctx.nav.task_id
        return self._ctx.state.tasks.get(task_id) if task_id else None

    def _signed_in(self) -> bool:
        return self._ctx.state.account.signed_in

    def _is_cloud(self) -> bool:
        task = self._current()
        return task is not None and task.workspace is Workspace.CLOUD

    def _is_live(self) -> bool:
        task = self._current()
        return task is not None and task.workspace is Workspace.CLOUD and self._goes_on(task)

    def _may_send_current(self) -> bool:
        task = self._current()
        return task is not None and self.may_send(task)

    def _take_over_current(self) -> None:
        task = self._current()
        if task is not None and task.workspace is Workspace.CLOUD:
            self.take_over(task.cloud_task_id, task.cloud_project_id)

    def _send_current(self) -> None:
        task = self._current()
        if task is not None:
            self.send(task.id)

    def _show_current(self) -> None:
        task = self._current()
        if task is not None:
            self.open_in_posthog(task.cloud_task_id, task.cloud_run_id, task.cloud_project_id)

    def _end_current(self) -> None:
        task = self._current()
        if task is not None:
            self.end_run(task.id)


def entries(ctx: UiContext) -> list[tuple[str, str, Callable[[], object]]]:
    """Title, detail and opener of each unopened cloud task, for the palette."""
    found: list[tuple[str, str, Callable[[], object]]] = []
    for task in cloud_list.listed(ctx.state, everything=True):
        detail = " · ".join(part for part in (task.repository, cloud_list.who(task)) if part)
        found.append((task.title or task.slug, detail, partial(open_cloud_task, ctx, task.id)))
    return found


def _quietly(run: Callable[[], object]) -> Callable[[], None]:
    def slot() -> None:
        run()

    return slot
