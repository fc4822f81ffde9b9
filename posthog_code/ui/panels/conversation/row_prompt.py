"""The first prompt of a task before the agent has been told it."""

from __future__ import annotations

from posthog_code.domain.transcript import UserMessage
from posthog_code.ui.panels.conversation.row_message import UserRow


class PromptRow(UserRow):
    def message(self) -> UserMessage:
        view = self.view
        task = view.ctx.state.tasks.get(view.task_id) if view.task_id else None
        return UserMessage(key="prompt", at=task.created_at if task else 0.0, text=task.prompt if task else "")
