"""Product signals of one PostHog project: the inbox, what is known of flags, events and errors, and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from posthog_code.domain.inbox import Artefact, Report, ReportSignal, SuggestedReviewer
from posthog_code.domain.product import EventFacts, Experiment, Flag


@dataclass(frozen=True, slots=True)
class Table:
    """The answer to a query."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    more: bool = False

    def records(self) -> list[dict[str, Any]]:
        """The rows by column."""
        return [dict(zip(self.columns, row, strict=False)) for row in self.rows]


@dataclass(frozen=True, slots=True)
class ReportQuery:
    statuses: tuple[str, ...] = ()
    """() asks for the open ones."""
    limit: int = 500


@dataclass(frozen=True, slots=True)
class StateChange:
    """What becomes of a report."""

    state: str
    """suppressed, potential (snoozed or restored) or resolved."""
    reason: str = ""
    note: str = ""
    snooze_for: int = 0
    """Further signals until a snoozed report comes back, 1 to 100,000; 0 restores at once."""


@dataclass(frozen=True, slots=True)
class RecordingFacts:
    id: str
    duration: float = 0.0
    started_at: float = 0.0
    start_url: str = ""
    person: str = ""
    clicks: int = 0
    console_errors: int = 0


@dataclass(frozen=True, slots=True)
class OutgoingSignal:
    """Something that the app learned and tells the project."""

    title: str
    text: str
    kind: str
    """regression or flaky_test."""
    fingerprint: str
    """The same one groups repeated signals."""
    properties: Mapping[str, Any]


class ProductSignals(Protocol):
    """All methods raise NotSignedIn, MissingScope (named), NotFound, Conflict, InvalidInput, RateLimited, Offline.

    Reads are bounded in pages and time, may be cancelled at any moment, and are tried again; writes never are.
    """

    project_id: int

    # inbox
    async def reports(self, query: ReportQuery = ReportQuery()) -> tuple[Report, ...]: ...

    async def report(self, report_id: str) -> Report: ...

    async def signals(self, report_id: str) -> tuple[ReportSignal, ...]: ...

    async def artefacts(self, report_id: str) -> tuple[Artefact, ...]:
        """() where the server does not tell; entries that cannot be understood are left out."""

    async def report_tasks(self, report_id: str) -> tuple[str, ...]:
        """Ids of cloud tasks that implement it; () where the server does not tell."""

    async def set_state(self, report_id: str, change: StateChange) -> Report:
        """On servers that do not know reasons or `resolved`, the nearest they know. Raises Conflict when refused."""

    async def set_states(self, report_ids: Sequence[str], change: StateChange) -> Mapping[str, str]:
        """Outcome by id: "" when it was done, else why not. One by one where the server knows no bulk."""

    async def reviewers(self, query: str = "") -> tuple[SuggestedReviewer, ...]: ...

    # what the project knows
    async def flags(self) -> tuple[Flag, ...]: ...

    async def flag(self, key: str) -> Flag | None: ...

    async def experiments(self) -> tuple[Experiment, ...]: ...

    async def events(self, names: Sequence[str]) -> tuple[EventFacts, ...]:
        """Definitions of exactly these names; names that the project does not have are left out."""

    async def search_events(self, text: str, limit: int = 20) -> tuple[EventFacts, ...]: ...

    async def recording(self, session_id: str) -> RecordingFacts: ...

    async def error_issue(self, issue_id: str) -> Mapping[str, Any]: ...

    # figures
    async def query(self, hogql: str, values: Mapping[str, Any] | None = None, *, name: str = "") -> Table:
        """Run HogQL. Takes 10 s at most (Offline with that reason); kept for ten minutes, 200 answers."""

    def forget_answers(self) -> None:
        """The next queries are run anew."""

    # telling the project
    async def emit(self, signal: OutgoingSignal) -> None: ...

    # pages
    def report_url(self, report_id: str) -> str: ...

    def flag_url(self, flag: Flag | str) -> str: ...

    def event_url(self, event: EventFacts) -> str: ...

    def experiment_url(self, experiment: Experiment) -> str: ...

    def recording_url(self, session_id: str, at: float = 0.0) -> str: ...

    def error_url(self, issue_id: str) -> str: ...
