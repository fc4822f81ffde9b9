"""What the changed code means in production: uses found in the diff, joined with what the product knows."""

from __future__ import annotations

from dataclasses import dataclass, field

from posthog_code.domain.code_use import CodeUse
from posthog_code.domain.coverage import Coverage
from posthog_code.domain.product import ProductFacts


@dataclass(frozen=True, slots=True)
class SignalRow:
    """One line of *In the changed code*."""

    kind: str
    """flag, event, experiment or error."""
    name: str
    path: str
    line: int
    """Line in the new side of the file (of the old side when `removed`)."""
    figure: str = ""
    """Last 7 days, in words: "100 % on for all", "18.2k events", "12 errors"."""
    state: str = ""
    """Stale, 94 days; Active; New in this task; Not in this project; Inactive; Experiment complete; Unverified;
    Removed."""
    tone: str = "neutral"
    """good, warn, bad, info or neutral: the colour of the state."""
    detail: str = ""
    """More, for a tooltip: description, people, last seen, variants."""
    url: str = ""
    removed: bool = False
    """The use is only in the old side."""
    ask: str = ""
    """A follow-up that the agent can be given about it ("" when there is nothing to do)."""


@dataclass(frozen=True, slots=True)
class CodeSignals:
    """Of one task. Not kept on disk."""

    rows: tuple[SignalRow, ...] = ()
    uses: tuple[CodeUse, ...] = ()
    """On changed lines of the new side."""
    facts: ProductFacts = field(default_factory=ProductFacts)
    coverage: Coverage = field(default_factory=Coverage)
    loading: bool = False
    """Code is read; the product has not answered yet."""
    problem: str = ""
    fingerprint: str = ""
    """Of the change set it was made from."""
