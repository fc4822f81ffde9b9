"""Colours, sizes, fonts and icons, all from `resources/design/tokens.json`.

Importing this package is cheap on purpose: nothing is parsed and no font is loaded before it is first needed.
"""

from __future__ import annotations

from posthog_code.ui.theme.apply import ThemeNotifier, apply_theme, notifier, set_text_size, theme
from posthog_code.ui.theme.theme import Theme

__all__ = ["Theme", "ThemeNotifier", "apply_theme", "notifier", "set_text_size", "theme"]
