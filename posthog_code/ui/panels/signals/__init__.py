"""The Signals panel: what the product says about a task, before and after its release."""

from posthog_code.ui.panels.signals.panel import SignalsPanel

__all__ = ["SignalsPanel"]
