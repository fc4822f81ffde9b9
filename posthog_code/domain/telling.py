"""What this program told the project by itself: each signal once, whatever programs run and however they end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SENDING = "sending"
SENT = "sent"
KEPT = 500
"""Signals that are remembered; the oldest go first."""


@dataclass(frozen=True, slots=True)
class Told:
    """One signal. It is marked before it leaves: one whose answer was lost is not sent again by itself."""

    at: float
    by: str
    """The attempt that sends it: of several programs exactly one finds its own mark."""
    state: str = SENDING
    """sending, or sent once the project has taken it."""
    problem: str = ""
    """Why nobody knows whether it arrived."""


@dataclass(frozen=True, slots=True)
class Telling:
    """By fingerprint. Kept on disk."""

    signals: Mapping[str, Told] = field(default_factory=dict)

    def marked(self, fingerprint: str, told: Told) -> Telling:
        """With this mark, the newest ones only."""
        signals = {key: one for key, one in self.signals.items() if key != fingerprint}
        newest = sorted(signals.items(), key=lambda item: item[1].at)[-(KEPT - 1) :]
        return Telling({**dict(newest), fingerprint: told})

    def without(self, fingerprint: str) -> Telling:
        return Telling({key: one for key, one in self.signals.items() if key != fingerprint})
