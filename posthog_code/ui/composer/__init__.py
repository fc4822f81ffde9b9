"""Where a person writes to the agent: text, mentions, commands, attachments, and the messages that wait."""

from __future__ import annotations

from posthog_code.ui.composer.composer import Composer

__all__ = ["Composer"]
