"""What the composer asks the services to do: send, stop, set, and move the messages that wait."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.task import QueuedMessage
from posthog_code.ui.context import UiContext

PutBack = Callable[[TaskId, str, tuple[str, ...]], None]
"""Called with what could not be sent, so that it is not lost."""


class Outbox:
    """Starts the actions of one composer. Each takes the task it is for: the composer may show another one by then."""

    def __init__(self, ctx: UiContext, put_back: PutBack) -> None:
        self._ctx = ctx
        self._put_back = put_back

    def is_sending(self, task_id: TaskId) -> bool:
        return self._ctx.actions.is_running(f"send:{task_id}")

    def prompt(self, task_id: TaskId, text: str, attachments: tuple[str, ...], *, now: bool = False) -> None:
        """Send, or queue behind the running turn; `now` stops that turn and sends this first."""
        sessions = self._ctx.services.sessions

        async def run() -> None:
            sent = await sessions.prompt(task_id, text, attachments)
            waiting = self._ctx.state.queue.get(task_id, ())
            if now and not sent and waiting:
                await sessions.send_now(task_id, waiting[-1].id)

        self._send(task_id, run, text, attachments)

    def review(self, task_id: TaskId, note: str) -> None:
        """Send the pending review comments with a note."""
        self._send(task_id, lambda: self._ctx.services.reviews.send(task_id, note), note, ())

    def _send(
        self,
        task_id: TaskId,
        run: Callable[[], Coroutine[Any, Any, Any]],
        text: str,
        attachments: tuple[str, ...],
    ) -> None:
        def failed(error: UserError) -> None:
            self._put_back(task_id, text, attachments)
            self._tell(error)

        self._ctx.actions.start(f"send:{task_id}", run, on_error=failed)

    def stop(self, task_id: TaskId) -> None:
        self._ctx.actions.start(f"stop:{task_id}", lambda: self._ctx.services.sessions.stop(task_id))

    def set_option(self, task_id: TaskId, option_id: str, value: str, refused: Callable[[], None]) -> None:
        """`refused` shows the old value again."""
        sessions = self._ctx.services.sessions

        def failed(error: UserError) -> None:
            refused()
            self._tell(error)

        self._ctx.actions.start(
            f"option:{task_id}:{option_id}", lambda: sessions.set_option(task_id, option_id, value), on_error=failed
        )

    def take_back(self, task_id: TaskId, message: QueuedMessage, taken: Callable[[str], None]) -> None:
        """Out of the queue; `taken` gets the text."""
        sessions = self._ctx.services.sessions
        self._ctx.actions.start(f"queue:{message.id}", lambda: sessions.unqueue(task_id, message.id), on_done=taken)

    def remove(self, task_id: TaskId, message: QueuedMessage) -> None:
        """Out of the queue, with a toast to undo it."""

        def removed(text: str) -> None:
            undo = ("Undo", lambda: self.prompt(task_id, text, message.attachments))
            self._ctx.toasts.show("Removed a queued message", "", "info", [undo], 10.0)

        self.take_back(task_id, message, removed)

    def send_queued_now(self, task_id: TaskId, message: QueuedMessage) -> None:
        sessions = self._ctx.services.sessions
        self._ctx.actions.start(f"queue:{message.id}", lambda: sessions.send_now(task_id, message.id))

    def move(self, task_id: TaskId, message: QueuedMessage, place: int) -> None:
        sessions = self._ctx.services.sessions
        self._ctx.actions.start(f"queue:{message.id}", lambda: sessions.move_queued(task_id, message.id, place))

    def _tell(self, error: UserError) -> None:
        self._ctx.toasts.show(error.title, error.hint, "error")
