"""What is done to messages that wait behind the running turn."""

from __future__ import annotations

from collections.abc import Callable

import shiboken6
from PySide6.QtCore import QObject

from posthog_code.domain.ids import TaskId
from posthog_code.domain.task import QueuedMessage
from posthog_code.ui.composer.outbox import Outbox
from posthog_code.ui.composer.queue import QueueList


class QueueDeeds(QObject):
    """Follows the buttons of the list; `give_back` puts text and attachments into the editor."""

    def __init__(
        self,
        queue: QueueList,
        outbox: Outbox,
        task: Callable[[], TaskId | None],
        give_back: Callable[[str, tuple[str, ...]], None],
    ) -> None:
        super().__init__(queue)
        self._queue, self._outbox, self._task, self._give_back = queue, outbox, task, give_back
        queue.sendNow.connect(self.send_now)
        queue.edit.connect(self.edit)
        queue.remove.connect(self.remove)
        queue.moved.connect(self.move)

    def _find(self, message_id: str) -> tuple[TaskId, QueuedMessage] | None:
        task_id = self._task()
        message = next((message for message in self._queue.messages() if message.id == message_id), None)
        return (task_id, message) if task_id is not None and message is not None else None

    def edit(self, message_id: str) -> None:
        """Take a waiting message back into the editor."""
        found = self._find(message_id)
        if found is None:
            return
        task_id, message = found

        def taken(text: str) -> None:
            if shiboken6.isValid(self):
                self._give_back(text, message.attachments)

        self._outbox.take_back(task_id, message, taken)

    def edit_last(self) -> bool:
        """False when nothing waits."""
        messages = self._queue.messages()
        if messages:
            self.edit(messages[-1].id)
        return bool(messages)

    def remove(self, message_id: str) -> None:
        if found := self._find(message_id):
            self._outbox.remove(*found)

    def send_now(self, message_id: str) -> None:
        if found := self._find(message_id):
            self._outbox.send_queued_now(*found)

    def send_first_now(self) -> bool:
        """False when nothing waits."""
        messages = self._queue.messages()
        if messages:
            self.send_now(messages[0].id)
        return bool(messages)

    def move(self, message_id: str, place: int) -> None:
        if found := self._find(message_id):
            self._outbox.move(*found, place)
