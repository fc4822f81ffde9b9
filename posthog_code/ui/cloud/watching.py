"""Which cloud tasks are watched: the one in view, and those at work that are the person's own or were opened here."""

from __future__ import annotations

from functools import partial

import shiboken6
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QWidget

from posthog_code.domain import cloud_lists
from posthog_code.domain.cloud import TERMINAL, CloudTask
from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.state import Topic
from posthog_code.domain.task import Task, TaskPhase, Workspace
from posthog_code.ui.context import UiContext

MOST = 20
"""Runs watched at once besides the one in view: each is one connection."""
_KINDS = {"cloud", "account", "tasks", "task"}
_GONE = (TaskPhase.ARCHIVED, TaskPhase.DELETED)


def begin_cloud(ctx: UiContext, window: QWidget) -> None:
    """Once the window is there: keep the list of cloud tasks fresh, and follow those that matter."""
    ctx.services.cloud.start()
    CloudWatch(ctx, window)


class CloudWatch(QObject):
    """Lives as long as the window. What is not watched costs nothing."""

    def __init__(self, ctx: UiContext, window: QWidget) -> None:
        super().__init__(window)
        self._ctx, self._window = ctx, window
        self._watched: set[TaskId] = set()
        self._ended = 0
        self._opened: set[str] = set()
        """Cloud tasks that were opened because they are the person's own; one that was closed again stays so."""
        window.installEventFilter(self)
        ctx.bridge.changed.connect(self._on_changed)
        ctx.nav.changed.connect(self._on_place)
        self._show()
        self.follow()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.WindowStateChange, QEvent.Type.Show, QEvent.Type.Hide):
            self._show()
        return False

    def _show(self) -> None:
        if shiboken6.isValid(self._window):
            seen = self._window.isVisible() and not self._window.isMinimized()
            self._ctx.services.cloud.set_visible(seen)

    def _on_changed(self, topics: frozenset[Topic]) -> None:
        if any(topic.kind in _KINDS for topic in topics):
            self.follow()

    def _on_place(self, _place: object) -> None:
        self.follow()

    def follow(self) -> None:
        """Watch what should be watched now, and nothing else."""
        sessions, wanted = self._ctx.services.sessions, self._wanted()
        for task_id in wanted - self._watched:
            sessions.watch(task_id)
        for task_id in self._watched - wanted:
            # Each watch wants its own end: no two of these are the same action.
            self._ended += 1
            self._ctx.actions.start(f"cloud.unwatch {task_id} {self._ended}", partial(sessions.unwatch, task_id))
        self._watched = wanted
        self._open_own()

    def _wanted(self) -> set[TaskId]:
        state = self._ctx.state
        here = state.tasks.get(self._ctx.nav.task_id) if self._ctx.nav.task_id else None
        wanted = {here.id} if here is not None and _in_cloud(here) else set()
        if state.account.signed_in:
            live = [task for task in state.tasks.values() if _in_cloud(task) and self._goes_on(task)]
            live.sort(key=lambda task: task.updated_at, reverse=True)
            wanted.update(task.id for task in live[:MOST])
        return wanted

    def _goes_on(self, task: Task) -> bool:
        known = self._ctx.state.cloud.tasks.get(task.cloud_task_id)
        return known is not None and known.run is not None and known.run.status not in TERMINAL

    def _open_own(self) -> None:
        """The person's own tasks at work are opened by themselves, so that what they ask for shows in the list."""
        state = self._ctx.state
        if len(self._watched) >= MOST or not state.account.signed_in:
            return
        known = {task.cloud_task_id for task in state.tasks.values() if task.phase is not TaskPhase.DELETED}
        for task in state.cloud.tasks.values():
            if task.id in known or task.id in self._opened or not self._is_own(task):
                continue
            self._opened.add(task.id)
            self._ctx.actions.start(
                f"cloud.own {task.id}", partial(self._ctx.services.cloud.open, task.id), on_error=_ignore
            )

    def _is_own(self, task: CloudTask) -> bool:
        run = task.run
        live = run is not None and run.environment == "cloud" and run.status == "in_progress"
        return (
            live and not task.archived and not task.internal and cloud_lists.is_mine(task, self._ctx.state.account.user)
        )


def _in_cloud(task: Task) -> bool:
    return task.workspace is Workspace.CLOUD and task.phase not in _GONE


def _ignore(_error: UserError) -> None:
    """The list tells why the cloud cannot be reached."""
