"""What the product knows of names found in code: few, bounded reads, each of which may fail without the others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from posthog_code.domain.cloud import Project
from posthog_code.domain.cloud_errors import MissingScope
from posthog_code.domain.code_facts import (
    ERRORS_QUERY,
    EVENTS_QUERY,
    FLAGS_QUERY,
    Names,
    errors_in,
    needles,
    with_evaluations,
    with_events,
)
from posthog_code.domain.errors import NotSignedIn, UserError
from posthog_code.domain.product import EventFacts, Experiment, Flag, ProductFacts
from posthog_code.ports.clock import Clock
from posthog_code.ports.signals import ProductSignals, Table
from posthog_code.services.account import AccountService

log = logging.getLogger("signals")
T = TypeVar("T")
KEPT = 120.0
"""Seconds that the lists of flags and experiments of a project are used again."""
ELSEWHERE_KEYS, ELSEWHERE_PROJECTS = 5, 4
"""At most so many unknown flags are looked for in so many other projects."""
ELSEWHERE_PATIENCE = 5.0
"""Seconds for all of that."""


@dataclass(frozen=True, slots=True)
class _Lists:
    """Definitions of one project."""

    flags: Mapping[str, Flag] | None
    experiments: Mapping[str, Experiment] | None
    problems: tuple[str, ...]
    read_at: float


class ProductFactsReader:
    def __init__(self, account: AccountService, clock: Clock) -> None:
        self._account, self._clock = account, clock
        self._lists: dict[tuple[str, int], _Lists] = {}
        self._elsewhere: dict[tuple[str, int, str], str] = {}

    async def signals(self, project_id: int = 0) -> ProductSignals | None:
        """The project's signals; None while nobody is signed in. Never waits for the network."""
        await self._account.restore()
        try:
            return self._account.signals(project_id)
        except UserError:
            return None

    async def definitions(self, signals: ProductSignals, names: Names) -> ProductFacts:
        """Flags, experiments, and events of these names. What cannot be read is `unknown`, with `problem`; raises
        NotSignedIn when the sign-in itself is no good any more. There are no figures yet (`partial`)."""
        lists, (events, event_problem) = await asyncio.gather(
            self._lists_of(signals), self._tried(_events(signals, names.events), "events")
        )
        unknown = {"error"}
        unknown |= {"flag"} if lists.flags is None else set()
        unknown |= {"experiment"} if lists.experiments is None else set()
        unknown |= {"event"} if events is None else set()
        problems = tuple(filter(None, (*lists.problems, event_problem)))
        missing = [key for key in names.flags if lists.flags is not None and key not in lists.flags]
        return ProductFacts(
            flags=lists.flags or {},
            experiments=lists.experiments or {},
            events=events or {},
            elsewhere=await self._found_elsewhere(signals, missing),
            unknown=frozenset(unknown),
            problem=problems[0] if problems else "",
            partial=True,
            fetched_at=self._clock.now(),
        )

    async def figures(self, signals: ProductSignals, facts: ProductFacts, names: Names) -> ProductFacts:
        """The facts with figures: three queries at most. Without them when they are slow, limited or refused."""
        none = Table((), ())
        (events, no_events), (flags, no_flags), (errors, no_errors) = await asyncio.gather(
            self._tried(_query(signals, EVENTS_QUERY, "names", names.events, "code-events"), "figures of events"),
            self._tried(_query(signals, FLAGS_QUERY, "keys", names.flags, "code-flags"), "figures of flags"),
            self._tried(_query(signals, ERRORS_QUERY, "files", needles(names.paths), "code-errors"), "errors"),
        )
        problems = tuple(filter(None, (no_events, no_flags, no_errors)))
        # Stacks are long, and each frame is compared with each file: not on the loop.
        found, recordings = await asyncio.to_thread(errors_in, (errors or none).records(), names.paths)
        return replace(
            facts,
            events=with_events(facts.events, (events or none).records()),
            flags=with_evaluations(facts.flags, (flags or none).records()),
            errors=found,
            recordings=recordings,
            unknown=facts.unknown - {"error"} if errors is not None else facts.unknown,
            problem=facts.problem or (f"{problems[0]} Figures are missing." if problems else ""),
            partial=events is None,
            fetched_at=self._clock.now(),
        )

    def forget(self) -> None:
        """Another account or project: nothing of it is used again."""
        self._lists.clear()
        self._elsewhere.clear()

    async def _lists_of(self, signals: ProductSignals) -> _Lists:
        place, now = (self._account.account.host, signals.project_id), self._clock.now()
        kept = self._lists.get(place)
        # A clock that was set back makes what is kept look new for ever.
        if kept is not None and 0 <= now - kept.read_at < KEPT and not kept.problems:
            return kept
        (flags, no_flags), (experiments, no_experiments) = await asyncio.gather(
            self._tried(signals.flags(), "feature flags"), self._tried(signals.experiments(), "experiments")
        )
        by_key = {flag.key: flag for flag in flags if not flag.deleted} if flags is not None else None
        by_flag = _by_flag(experiments) if experiments is not None else None
        read = _Lists(by_key, by_flag, tuple(filter(None, (no_flags, no_experiments))), now)
        self._lists[place] = read
        return read

    async def _found_elsewhere(self, signals: ProductSignals, keys: list[str]) -> dict[str, str]:
        """Which other project has flags that this one does not: a hint, so whatever goes wrong gives none."""
        account = self._account.account
        others = [one for one in account.projects if one.id != signals.project_id][:ELSEWHERE_PROJECTS]
        places = {key: (account.host, signals.project_id, key) for key in keys[:ELSEWHERE_KEYS]}
        try:
            async with asyncio.timeout(ELSEWHERE_PATIENCE):
                for key, place in places.items():
                    if place not in self._elsewhere:
                        self._elsewhere[place] = ""  # asked once, whatever comes of it
                        self._elsewhere[place] = await self._project_with(key, others)
        except TimeoutError:
            log.info("other projects take too long to tell of their flags")
        return {key: name for key, place in places.items() if (name := self._elsewhere.get(place, ""))}

    async def _project_with(self, key: str, projects: Iterable[Project]) -> str:
        for project in projects:
            try:
                flag = await self._account.signals(project.id).flag(key)
            except UserError as error:
                log.info("flag %s in project %s: %s", key, project.id, error)
                continue
            if flag is not None and not flag.deleted:
                return project.name or f"project {project.id}"
        return ""

    async def _tried(self, read: Awaitable[T], what: str) -> tuple[T | None, str]:
        """(what was read, "") or (None, why not)."""
        try:
            return await read, ""
        except MissingScope as error:
            return None, f"Your sign-in does not allow reading {what} ({error.scope or error.title})."
        except NotSignedIn as error:
            await self._account.failed(error)
            raise
        except UserError as error:
            log.info("%s: %s %s", what, error, error.detail)
            return None, error.title


async def _events(signals: ProductSignals, names: tuple[str, ...]) -> dict[str, EventFacts]:
    """Facts of every name that was asked for; those that the project does not have are not `defined`."""
    known = {event.name: event for event in await signals.events(names)} if names else {}
    return {name: known.get(name) or EventFacts(name, defined=False) for name in names}


async def _query(signals: ProductSignals, text: str, key: str, values: tuple[str, ...], name: str) -> Table:
    return await signals.query(text, {key: list(values)}, name=name) if values else Table((), ())


def _by_flag(experiments: tuple[Experiment, ...]) -> dict[str, Experiment]:
    """The experiment that counts for a flag: one that runs before one that ended, the newest of either."""
    found: dict[str, Experiment] = {}
    for one in sorted(experiments, key=lambda item: (not item.archived, not item.ended_at, item.started_at)):
        if one.flag_key:
            found[one.flag_key] = one
    return found
