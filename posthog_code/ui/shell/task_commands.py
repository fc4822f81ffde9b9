"""What can be done to a task as a whole: from the sidebar, the header, the palette and by keys."""

from __future__ import annotations

import os.path
from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QMenu, QWidget

from posthog_code.domain.ids import TaskId
from posthog_code.domain.review import CommentState
from posthog_code.domain.task import Task, TaskPhase, Workspace
from posthog_code.domain.text import plural
from posthog_code.ui import platform
from posthog_code.ui.commands import Command
from posthog_code.ui.context import UiContext
from posthog_code.ui.shell.cloud_commands import CloudCommands
from posthog_code.ui.theme.icons import icon

UNDO_SECONDS = 10.0


class TaskCommands(QObject):
    """One for the window. Everything asks the services; nothing is kept here."""

    rename_asked = Signal(str)

    def __init__(self, ctx: UiContext, window: QWidget) -> None:
        super().__init__(window)
        self._ctx = ctx
        self._window = window
        self.cloud = CloudCommands(ctx, window)
        self._register()

    # one task

    def open(self, task_id: TaskId) -> None:
        self._ctx.nav.open_task(task_id)

    def pin(self, task_id: TaskId) -> None:
        task = self._ctx.state.tasks[task_id]
        self._ctx.actions.start(f"task.pin {task_id}", lambda: self._ctx.services.tasks.pin(task_id, not task.pinned))

    def rename(self, task_id: TaskId, title: str) -> None:
        task, services = self._ctx.state.tasks.get(task_id), self._ctx.services
        owner = services.cloud if task is not None and task.workspace is Workspace.CLOUD else services.tasks
        self._ctx.actions.start(f"task.rename {task_id}", lambda: owner.rename(task_id, title))

    def archive(self, task_id: TaskId) -> None:
        """Runs at once and offers Undo."""
        title = self._ctx.state.tasks[task_id].title

        def done(_result: object) -> None:
            self._ctx.nav.leave_task(task_id)
            self._ctx.toasts.show(
                f"Archived {title}",
                kind="info",
                actions=[("Undo", lambda: self.restore(task_id))],
                timeout=UNDO_SECONDS,
            )

        self._ctx.actions.start(f"task.move {task_id}", lambda: self._ctx.services.tasks.archive(task_id), on_done=done)

    def restore(self, task_id: TaskId) -> None:
        def done(_result: object) -> None:
            self._ctx.nav.open_task(task_id)

        self._ctx.actions.start(f"task.move {task_id}", lambda: self._ctx.services.tasks.restore(task_id), on_done=done)

    def delete(self, task_id: TaskId) -> None:
        """Asks first only when something is in the worktree that is nowhere else."""

        def asked(risk: object) -> None:
            uncommitted = tuple(getattr(risk, "uncommitted", ()))
            unpushed = int(getattr(risk, "unpushed_commits", 0))
            if uncommitted or unpushed:
                self._confirm(task_id, uncommitted, unpushed)
            else:
                self._delete_now(task_id)

        self._ctx.actions.start(f"task.risk {task_id}", lambda: self._ctx.services.tasks.risk(task_id), on_done=asked)

    def _confirm(self, task_id: TaskId, uncommitted: tuple[str, ...], unpushed: int) -> None:
        task = self._ctx.state.tasks.get(task_id)
        if task is None:
            return
        parts = []
        if uncommitted:
            have = "has" if len(uncommitted) == 1 else "have"
            parts.append(f"{plural(len(uncommitted), 'file')} {have} changes that are nowhere else.")
        if unpushed:
            parts.append(f"{plural(unpushed, 'commit')} {'is' if unpushed == 1 else 'are'} not pushed.")
        if task.workspace is not Workspace.LOCAL:
            parts.append("A snapshot of the worktree is kept, and Undo brings all of it back.")
        from posthog_code.ui.shell.confirm import ConfirmSheet

        sheet = ConfirmSheet(
            self._window,
            title=f"Delete the task {task.title}?",
            text=" ".join(parts),
            items=uncommitted,
            safe="Keep",
            danger="Delete task",
        )
        sheet.confirmed.connect(partial(self._delete_now, task_id))
        sheet.open()

    def _delete_now(self, task_id: TaskId) -> None:
        task = self._ctx.state.tasks.get(task_id)
        if task is None:
            return
        title = task.title

        def undo() -> None:
            self._ctx.actions.start(
                f"task.move {task_id}",
                lambda: self._ctx.services.tasks.undo_delete(task_id),
                on_done=lambda _result: self._ctx.nav.open_task(task_id),
            )

        def done(_result: object) -> None:
            self._ctx.nav.leave_task(task_id)
            self._ctx.toasts.show(f"Deleted {title}", actions=[("Undo", undo)], timeout=UNDO_SECONDS)

        self._ctx.actions.start(f"task.move {task_id}", lambda: self._ctx.services.tasks.delete(task_id), on_done=done)

    def copy_path(self, task_id: TaskId) -> None:
        task = self._ctx.state.tasks[task_id]
        platform.copy_text(task.path)
        self._ctx.toasts.show("Path copied", task.path, kind="success", timeout=3.0)

    def copy_branch(self, task_id: TaskId) -> None:
        task = self._ctx.state.tasks[task_id]
        platform.copy_text(task.branch)
        self._ctx.toasts.show("Branch name copied", task.branch, kind="success", timeout=3.0)

    def open_folder(self, task_id: TaskId) -> None:
        platform.open_folder(self._ctx.state.tasks[task_id].path)

    def open_editor(self, task_id: TaskId, file: str = "") -> None:
        """The task's folder, or one of its files by its path inside."""
        path, command = self._ctx.state.tasks[task_id].path, self._ctx.state.settings.editor_command
        path = os.path.join(path, file) if file else path

        async def start() -> None:
            platform.open_in_editor(command, path)

        self._ctx.actions.start("task.editor", start)

    def create_pull_request(self, task_id: TaskId, *, draft: bool | None = None) -> None:
        from posthog_code.ui.dialogs.create_pr import CreatePrDialog

        dialog = CreatePrDialog(self._ctx, task_id, self._window)
        if draft is not None:
            dialog.set_draft(draft)
        dialog.open()

    def show_pull_request(self, task_id: TaskId) -> None:
        self._ctx.nav.open_task(task_id, "pull_request")

    def send_review(self, task_id: TaskId) -> None:
        """All pending comments as one message; what is being typed in the composer stays there."""

        def sent(now: bool) -> None:
            title = "Sent to the agent." if now else "Queued. The agent gets it after this turn."
            self._ctx.toasts.show(title, kind="success" if now else "info")

        reviews = self._ctx.services.reviews
        self._ctx.actions.start(f"review-send-{task_id}", lambda: reviews.send(task_id, ""), on_done=sent)

    def stop(self, task_id: TaskId) -> None:
        self._ctx.actions.start(f"session.stop {task_id}", lambda: self._ctx.services.sessions.stop(task_id))

    def menu(self, task_id: TaskId, parent: QWidget) -> QMenu:
        """The menu of a task, to be shown with popup()."""
        menu = QMenu(parent)
        menu.setAccessibleName("Task")
        task = self._ctx.state.tasks.get(task_id)
        if task is None:
            return menu
        if task.phase is TaskPhase.ARCHIVED:
            self._add(menu, "ph.arrow-counter-clockwise", "Restore", lambda: self.restore(task_id))
            self._add(menu, "ph.trash", "Delete the task…", lambda: self.delete(task_id))
            return menu
        self._add(menu, "ph.pencil-simple", "Rename", lambda: self.rename_asked.emit(task_id), "task.rename")
        self._add(menu, "ph.push-pin", "Unpin" if task.pinned else "Pin", lambda: self.pin(task_id))
        menu.addSeparator()
        if task.path:
            self._add(menu, "ph.arrow-square-out", "Open in the editor", lambda: self.open_editor(task_id))
            self._add(menu, "ph.folder-simple", "Open the folder", lambda: self.open_folder(task_id))
            self._add(menu, "ph.copy", "Copy the path", lambda: self.copy_path(task_id))
        if task.branch:
            self._add(menu, "ph.git-branch", "Copy the branch name", lambda: self.copy_branch(task_id))
        menu.addSeparator()
        if task.workspace is Workspace.CLOUD:
            for mark, words, run, command_id in self.cloud.deeds(task):
                self._add(menu, mark, words, run, command_id)
            if task.path:
                # It was sent from here, and its worktree stayed.
                self._add(menu, "ph.archive-box", "Archive", lambda: self.archive(task_id))
            return menu
        if self.cloud.may_send(task):
            self._add(menu, "ph.cloud-arrow-up", "Send to the cloud…", lambda: self.cloud.send(task_id))
        self._add(menu, "ph.archive-box", "Archive", lambda: self.archive(task_id), "task.archive")
        self._add(menu, "ph.trash", "Delete the task…", lambda: self.delete(task_id))
        return menu

    def _add(self, menu: QMenu, mark: str, text: str, run: Callable[[], object], command_id: str = "") -> None:
        keys = self._ctx.commands.keys_text(command_id) if command_id else ""
        action = menu.addAction(icon(mark, "text.secondary"), f"{text}\t{keys}" if keys else text)
        action.triggered.connect(lambda _checked=False: run())

    # commands on the task in view

    def _register(self) -> None:
        current = self._current
        for command in (
            Command(
                "task.rename",
                "Rename the task",
                self._on_current(lambda t: self.rename_asked.emit(t)),
                ("F2",),
                lambda: current() is not None,
                "Task",
                "ph.pencil-simple",
            ),
            Command(
                "task.archive",
                "Archive the task",
                self._on_current(self.archive),
                ("Ctrl+Shift+X",),
                self._is_here,
                "Task",
                "ph.archive-box",
            ),
            Command(
                "task.pin",
                "Pin or unpin the task",
                self._on_current(self.pin),
                (),
                lambda: current() is not None,
                "Task",
                "ph.push-pin",
            ),
            Command(
                "task.editor",
                "Open the task in the editor",
                self._on_current(self.open_editor),
                (),
                self._has_path,
                "Task",
                "ph.arrow-square-out",
            ),
            Command(
                "task.folder",
                "Open the task's folder",
                self._on_current(self.open_folder),
                (),
                self._has_path,
                "Task",
                "ph.folder-simple",
            ),
            Command(
                "task.copy_path",
                "Copy the task's path",
                self._on_current(self.copy_path),
                (),
                self._has_path,
                "Task",
                "ph.copy",
            ),
            Command(
                "task.delete",
                "Delete the task…",
                self._on_current(self.delete),
                (),
                self._is_here,
                "Task",
                "ph.trash",
            ),
            Command(
                "task.stop",
                "Stop the agent",
                self._on_current(self.stop),
                (),
                self._is_busy,
                "Task",
                "ph.stop-fill",
            ),
            Command(
                "task.pull_request",
                "Create the pull request, or show it",
                self._on_current(self._create_or_show),
                ("Ctrl+Shift+G",),
                self._has_path,
                "Task",
                "ph.git-pull-request",
            ),
        ):
            self._ctx.commands.register(command, self)

        self._ctx.commands.register(
            Command(
                "review.send",
                "Send the review to the agent",
                self._on_current(self.send_review),
                ("Ctrl+Shift+Return", "Ctrl+Shift+Enter"),
                self._has_comments,
                "Task",
                "ph.paper-plane-tilt",
                detail="all pending comments",
            ),
            self,
        )

    def _has_comments(self) -> bool:
        task = self._current()
        comments = self._ctx.state.comments.get(task.id, ()) if task else ()
        return any(comment.state is CommentState.PENDING for comment in comments)

    def _current(self) -> Task | None:
        task_id = self._ctx.nav.task_id
        task = self._ctx.state.tasks.get(task_id) if task_id else None
        return task if task and task.phase not in (TaskPhase.ARCHIVED, TaskPhase.DELETED) else None

    def _is_here(self) -> bool:
        task = self._current()
        return task is not None and task.workspace is not Workspace.CLOUD

    def _has_path(self) -> bool:
        task = self._current()
        return task is not None and bool(task.path)

    def _is_busy(self) -> bool:
        task = self._current()
        session = self._ctx.state.session_of(task.id) if task else None
        return session is not None and session.phase.busy

    def _on_current(self, run: Callable[[TaskId], object]) -> Callable[[], None]:
        def on_current() -> None:
            task = self._current()
            if task is not None:
                run(task.id)

        return on_current

    def _create_or_show(self, task_id: TaskId) -> None:
        if task_id in self._ctx.state.pull_requests:
            self.show_pull_request(task_id)
        else:
            self.create_pull_request(task_id)
