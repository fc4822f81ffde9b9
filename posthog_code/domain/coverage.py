"""Instrumentation coverage: whether what changed tells the product that it is used, and that it fails."""

from __future__ import annotations

from dataclasses import dataclass

from posthog_code.domain.code_use import CodeUse, EntryPoint
from posthog_code.domain.errors import Refused


@dataclass(frozen=True, slots=True)
class Place:
    """One changed entry point and what it sends."""

    entry: EntryPoint
    uses: tuple[CodeUse, ...] = ()
    missing: tuple[str, ...] = ()
    """What is expected and not there: "event", "error capture", "flag"."""

    @property
    def covered(self) -> bool:
        return not self.missing


@dataclass(frozen=True, slots=True)
class Coverage:
    places: tuple[Place, ...] = ()
    """Changed entry points in the order of path and line."""
    unread: tuple[str, ...] = ()
    """Changed files that could not be parsed, with why."""

    @property
    def covered(self) -> int:
        return sum(place.covered for place in self.places)

    @property
    def passed(self) -> bool:
        return self.covered == len(self.places)


class CoverageMissing(Refused):
    """The repository wants the check to pass before a pull request, and it does not. `detail` names the places."""

    code = "coverage_missing"

    def __init__(self, title: str, hint: str, detail: str, coverage: Coverage) -> None:
        super().__init__(title, hint, detail)
        self.coverage = coverage
