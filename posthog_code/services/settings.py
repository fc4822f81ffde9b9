"""Settings are saved as they are made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from posthog_code.domain.state import Topic
from posthog_code.services.store import Store


class SettingsService:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def set(self, **fields: Any) -> None:
        """Change settings by name. Raises TypeError for a name that is none."""
        await self._store.update(
            lambda state: replace(state, settings=replace(state.settings, **fields)), Topic("settings")
        )
