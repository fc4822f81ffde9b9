"""The conversation with a task's agent."""

from __future__ import annotations

from posthog_code.ui.panels.conversation.panel import ConversationPanel

__all__ = ["ConversationPanel"]
