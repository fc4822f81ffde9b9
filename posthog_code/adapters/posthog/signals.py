"""One project's inbox and what it knows of flags, events and errors: implements ports.signals.ProductSignals."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from posthog_code.adapters.posthog.calls import PAGES, is_unknown, pages, part
from posthog_code.adapters.posthog.errors import not_posthog
from posthog_code.adapters.posthog.http import Http, TokenSource
from posthog_code.adapters.posthog.signal_emit import Emitter
from posthog_code.adapters.posthog.signal_queries import Queries
from posthog_code.adapters.posthog.signal_states import change_many, change_one
from posthog_code.domain import cloud_parse as parse
from posthog_code.domain import inbox_parse, product_parse
from posthog_code.domain.cloud_errors import MissingScope
from posthog_code.domain.errors import InvalidInput, NotFound, UserError
from posthog_code.domain.inbox import OPEN_STATUSES, RESOLVED, Artefact, Report, ReportSignal, SuggestedReviewer
from posthog_code.domain.product import EventFacts, Experiment, Flag
from posthog_code.ports.signals import OutgoingSignal, RecordingFacts, ReportQuery, StateChange, Table

PAGE = 100
DEFINITIONS = 500
"""Definitions in a page."""
DEFINITION_PAGES = 10
EVENT_PAGES = 5
SEARCH_PAGES = 3
SEARCHED_SINGLY = 20
"""Up to as many events are searched by name; for more it is quicker to read the list."""
SEARCHES_AT_ONCE = 4


class PostHogSignals:
    def __init__(
        self,
        http: Http,
        capture: Http,
        tokens: TokenSource,
        project_id: int,
        distinct_id: str,
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`capture` is where events are sent, `distinct_id` who sends them."""
        self.project_id = project_id
        self._http, self._tokens = http, tokens
        self._base = f"/api/projects/{project_id}/"
        self._reports = f"{self._base}signals/reports/"
        self._queries = Queries(http, tokens, project_id, now=now, sleep=sleep)
        self._emitter = Emitter(http, capture, tokens, project_id, distinct_id, now=now)

    # -- inbox -------------------------------------------------------------------------------------------------

    async def reports(self, query: ReportQuery = ReportQuery()) -> tuple[Report, ...]:
        statuses = query.statuses or OPEN_STATUSES
        try:
            found = await self._list_reports(statuses, query.limit)
        except InvalidInput:
            known = tuple(one for one in statuses if one != RESOLVED)
            if known == statuses or not known:
                raise
            # Servers that do not know a status refuse the whole list.
            found = await self._list_reports(known, query.limit)
        return found[: max(query.limit, 0)]

    async def report(self, report_id: str) -> Report:
        answer = await self._get(self._at(report_id))
        found = inbox_parse.report(answer)
        if not found.id:
            raise not_posthog(self._http.host, "an answer without a report")
        return found

    async def signals(self, report_id: str) -> tuple[ReportSignal, ...]:
        return inbox_parse.signals(await self._get(self._at(report_id, "signals/")))

    async def artefacts(self, report_id: str) -> tuple[Artefact, ...]:
        try:
            listed = await self._pages(self._at(report_id, "artefacts/"), {"limit": PAGE})
        except MissingScope as error:
            if error.scope:
                raise
            return ()  # the server's way to say that this project has none
        except UserError as error:
            if not is_unknown(error):
                raise
            return ()
        return inbox_parse.artefacts(listed)

    async def report_tasks(self, report_id: str) -> tuple[str, ...]:
        try:
            listed = await self._pages(self._at(report_id, "tasks/"), {"relationship": "implementation"})
        except UserError as error:
            if not is_unknown(error):
                raise
            return ()
        return inbox_parse.report_tasks(listed)

    async def set_state(self, report_id: str, change: StateChange) -> Report:
        body = await change_one(self._http, self._tokens, self._at(report_id, "state/"), change)
        changed = inbox_parse.report(body)
        return changed if changed.id else await self.report(report_id)

    async def set_states(self, report_ids: Sequence[str], change: StateChange) -> Mapping[str, str]:
        return await change_many(self._http, self._tokens, self._reports, report_ids, change)

    async def reviewers(self, query: str = "") -> tuple[SuggestedReviewer, ...]:
        try:
            body = await self._get(f"{self._reports}available_reviewers/", {"query": inbox_parse.words(query)})
        except UserError as error:
            if not is_unknown(error):
                raise
            return ()
        return inbox_parse.available_reviewers(body)

    # -- what the project knows --------------------------------------------------------------------------------

    async def flags(self) -> tuple[Flag, ...]:
        return product_parse.flags(await self._definitions("feature_flags/"))

    async def flag(self, key: str) -> Flag | None:
        # Versions differ in which of these they look at; what is found is compared all the same.
        wanted = {"key": inbox_parse.words(key), "search": inbox_parse.words(key), "limit": PAGE}
        found = product_parse.flags(await self._pages(f"{self._base}feature_flags/", wanted, most=SEARCH_PAGES))
        return next((one for one in found if one.key == key), None)

    async def experiments(self) -> tuple[Experiment, ...]:
        return product_parse.experiments(await self._definitions("experiments/"))

    async def events(self, names: Sequence[str]) -> tuple[EventFacts, ...]:
        wanted = tuple(dict.fromkeys(filter(None, names)))
        if len(wanted) > SEARCHED_SINGLY:
            listed = await self._definitions("event_definitions/", most=EVENT_PAGES)
            known = {one.name: one for one in product_parse.events(listed)}
            return tuple(known[name] for name in wanted if name in known)
        slots = asyncio.Semaphore(SEARCHES_AT_ONCE)

        async def look(name: str) -> EventFacts | None:
            async with slots:
                return await self._event(name)

        try:
            async with asyncio.TaskGroup() as group:
                looking = [group.create_task(look(name)) for name in wanted]
        except ExceptionGroup as failures:
            raise _first(failures) from failures
        return tuple(found for one in looking if (found := one.result()) is not None)

    async def search_events(self, text: str, limit: int = 20) -> tuple[EventFacts, ...]:
        params = {"search": inbox_parse.words(text), "limit": limit}
        found = product_parse.events(await self._pages(f"{self._base}event_definitions/", params, most=1))
        return found[: max(limit, 0)]

    async def recording(self, session_id: str) -> RecordingFacts:
        body = parse.mapping(await self._get(f"{self._base}session_recordings/{part(session_id)}/"))
        return RecordingFacts(
            id=parse.text(body.get("id")) or session_id,
            duration=max(inbox_parse.real(body.get("recording_duration")), 0.0),
            started_at=parse.seconds(body.get("start_time")),
            start_url=inbox_parse.words(body.get("start_url")),
            person=product_parse.person(body.get("person")) or parse.text(body.get("distinct_id")),
            clicks=max(parse.number(body.get("click_count")), 0),
            console_errors=max(parse.number(body.get("console_error_count")), 0),
        )

    async def error_issue(self, issue_id: str) -> Mapping[str, Any]:
        path = f"/api/environments/{self.project_id}/error_tracking/issues/{part(issue_id)}/"
        return parse.mapping(await self._get(path))

    # -- figures -----------------------------------------------------------------------------------------------

    async def query(self, hogql: str, values: Mapping[str, Any] | None = None, *, name: str = "") -> Table:
        return await self._queries.run(hogql, values, name=name)

    def forget_answers(self) -> None:
        self._queries.forget()

    # -- telling the project -----------------------------------------------------------------------------------

    async def emit(self, signal: OutgoingSignal) -> None:
        await self._emitter.send(signal)

    async def close(self) -> None:
        """Nothing is under way any more."""
        await self._queries.close()

    # -- pages -------------------------------------------------------------------------------------------------

    def report_url(self, report_id: str) -> str:
        return self._page(f"inbox/{part(report_id)}")

    def flag_url(self, flag: Flag | str) -> str:
        key = flag if isinstance(flag, str) else flag.key
        known = 0 if isinstance(flag, str) else flag.id
        return self._page(f"feature_flags/{known}" if known else f"feature_flags?search={_search(key)}")

    def event_url(self, event: EventFacts) -> str:
        events = "data-management/events"
        return self._page(f"{events}/{part(event.id)}" if event.id else f"{events}?search={_search(event.name)}")

    def experiment_url(self, experiment: Experiment) -> str:
        return self._page(f"experiments/{experiment.id}")

    def recording_url(self, session_id: str, at: float = 0.0) -> str:
        return self._page(f"replay/{part(session_id)}" + (f"?t={int(at)}" if at >= 1 else ""))

    def error_url(self, issue_id: str) -> str:
        return self._page(f"error_tracking/{part(issue_id)}")

    # -- plumbing ----------------------------------------------------------------------------------------------

    async def _list_reports(self, statuses: Sequence[str], limit: int) -> tuple[Report, ...]:
        limit = max(limit, 1)
        params = {"status": ",".join(statuses), "limit": min(PAGE, limit)}
        # A server may give smaller pages than it is asked for.
        most = min(max(DEFINITION_PAGES, 2 * limit // PAGE), PAGES)
        return inbox_parse.reports(await self._pages(self._reports, params, most=most, enough=limit))

    async def _event(self, name: str) -> EventFacts | None:
        params = {"search": inbox_parse.words(name), "limit": PAGE}
        found = await self._pages(f"{self._base}event_definitions/", params, most=SEARCH_PAGES)
        return next((one for one in product_parse.events(found) if one.name == name), None)

    async def _definitions(self, path: str, most: int = DEFINITION_PAGES) -> tuple[Mapping[str, Any], ...]:
        return await self._pages(self._base + path, {"limit": DEFINITIONS}, most=most)

    async def _pages(
        self, path: str, params: Mapping[str, Any], *, most: int = DEFINITION_PAGES, enough: int = 0
    ) -> tuple[Mapping[str, Any], ...]:
        return await pages(self._http, self._tokens, path, params, most=most, enough=enough)

    async def _get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        return (await self._http.call("GET", path, self._tokens, params=params)).body

    def _at(self, report_id: str, rest: str = "") -> str:
        if not report_id:
            raise NotFound("There is no report without an id.")
        return f"{self._reports}{part(report_id)}/{rest}"

    def _page(self, rest: str) -> str:
        return f"{self._http.origin}/project/{self.project_id}/{rest}"


def _search(text: str) -> str:
    return quote(text, safe="", errors="replace")


def _first(failures: ExceptionGroup[Exception]) -> Exception:
    """One of several that failed together, which had one cause as a rule; a bug goes first."""
    bugs = (one for one in failures.exceptions if not isinstance(one, UserError))
    return next(bugs, failures.exceptions[0])
