"""The settings page and its parts."""

from posthog_code.ui.pages.settings.page import SettingsPage

__all__ = ["SettingsPage"]
