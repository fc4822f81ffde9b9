"""Time and chance, passed in so that rules stay pure and tests need no luck."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """UNIX time, s."""

    def new_id(self) -> str:
        """A new short URL-safe id, unique for all practical purposes."""
