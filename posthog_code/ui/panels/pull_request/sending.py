"""What the panel asks of the services besides reading: sending to the agent, and following one task."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject

from posthog_code.domain.ids import TaskId
from posthog_code.domain.pull_request import Check, ReviewThread
from posthog_code.ui.context import UiContext


class Sender(QObject):
    """Sends one thing at a time, and tells where it went."""

    def __init__(self, ctx: UiContext, parent: QObject) -> None:
        super().__init__(parent)
        self._ctx = ctx
        self._name = ""

    def checks(self, task_id: TaskId, checks: Sequence[Check]) -> None:
        """Failing checks with what their logs say, in one message."""
        services = self._ctx.services

        async def send() -> bool:
            prompt = await services.pull_requests.failure_prompt(task_id, checks)
            return await services.sessions.prompt(task_id, prompt)

        if checks and self._ctx.actions.start(f"send-checks {task_id}", send, on_done=self._sent):
            self._name = checks[0].name if len(checks) == 1 else f"{len(checks)} failures"

    def review_thread(self, task_id: TaskId, thread: ReviewThread) -> None:
        services = self._ctx.services

        async def send() -> bool:
            return await services.sessions.prompt(task_id, services.pull_requests.thread_prompt(task_id, thread))

        if self._ctx.actions.start(f"send-thread {task_id}", send, on_done=self._sent):
            self._name = f"The thread in {thread.path}"

    def _sent(self, at_once: bool) -> None:
        where = "Sent to the agent" if at_once else "Queued for the agent"
        self._ctx.toasts.show(where, self._name, kind="success", timeout=4.0)


class Following:
    """The one task whose pull request, and what its code meets in production, are kept fresh. Outlives the panel by as
    long as it takes to stop."""

    def __init__(self, ctx: UiContext) -> None:
        self._watched = (ctx.services.pull_requests, ctx.services.code_signals)
        self._task_id: TaskId | None = None

    def follow(self, task_id: TaskId | None) -> None:
        if task_id == self._task_id:
            return
        before, self._task_id = self._task_id, task_id
        for watched in self._watched:
            if before is not None:
                watched.unwatch(before)
            if task_id is not None:
                watched.watch(task_id)

    def stop(self) -> None:
        self.follow(None)
