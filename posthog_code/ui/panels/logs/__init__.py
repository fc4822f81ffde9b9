"""The Logs panel: everything that happened besides the conversation."""

from posthog_code.ui.panels.logs.panel import LogsPanel

__all__ = ["LogsPanel"]
