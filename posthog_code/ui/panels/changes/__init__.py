"""The Changes panel: what a task changed, and reviewing it."""

from posthog_code.ui.panels.changes.panel import ChangesPanel

__all__ = ["ChangesPanel"]
