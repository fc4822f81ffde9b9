"""The query endpoint of one project: HogQL within ten seconds, answers kept for ten minutes."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from posthog_code.adapters.posthog.answers import Answer, TooLarge
from posthog_code.adapters.posthog.calls import filled, part
from posthog_code.adapters.posthog.errors import not_posthog
from posthog_code.adapters.posthog.http import Http, TokenSource
from posthog_code.domain import cloud_parse as parse
from posthog_code.domain.cloud_errors import OutcomeUnknown
from posthog_code.domain.errors import InvalidInput, Offline, RateLimited, UserError
from posthog_code.domain.product_parse import table
from posthog_code.ports.signals import Table

TIMEOUT = 10.0
"""Seconds for one query, from when it is its turn."""
KEPT_FOR = 600.0
MOST_KEPT = 200
MOST_BYTES_KEPT = 32 * 1024 * 1024
LARGEST = 4 * 1024 * 1024
"""Bytes of one answer: it is parsed on the loop, and nobody looks at more rows than that."""
AT_ONCE = 3
"""Queries under way: PostHog limits them for each project, and other calls of ours want to be answered as well."""
POLLS = (0.2, 0.4, 0.8)
"""Seconds between looks at a query that goes on; the last is repeated."""
OVERLOADED = (503, 504, 512)
LONGEST_BLOCK = 3600.0
_TOO_LARGE = TooLarge.__name__


@dataclass(slots=True)
class _Running:
    id: str
    """Ours, until the server says by which one it goes."""


class Queries:
    """One project's. The same query that is asked for twice at a time is run once."""

    def __init__(
        self,
        http: Http,
        tokens: TokenSource,
        project_id: int,
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http, self._tokens, self._now, self._sleep = http, tokens, now, sleep
        self._base = f"/api/projects/{project_id}/query/"
        self._kept: OrderedDict[str, tuple[float, int, Table]] = OrderedDict()
        self._forgotten = 0
        """How often everything was forgotten: what was asked before is not kept after."""
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._blocked_until = 0.0
        self._ending: set[asyncio.Task[None]] = set()

    async def run(self, hogql: str, values: Mapping[str, Any] | None = None, *, name: str = "") -> Table:
        """Raises Offline when it takes too long or the database is overloaded, RateLimited, InvalidInput,
        MissingScope."""
        query = filled(kind="HogQLQuery", query=hogql, values=dict(values or {}))
        try:
            key = json.dumps(query, sort_keys=True)
        except (TypeError, ValueError) as error:
            raise InvalidInput("A value of the query is no text, number or list.", "", str(error)) from error
        asking = self._asking.setdefault(key, asyncio.Lock())
        async with asking:
            known = self._known(key)
            if known is not None:
                return known
            async with self._slots:
                self._check_limit()
                before = self._forgotten
                found, size = await self._ask(query, name)
            if before == self._forgotten:
                self._keep(key, found, size)
            return found

    def forget(self) -> None:
        self._kept.clear()
        self._forgotten += 1

    async def close(self) -> None:
        ending = tuple(self._ending)
        for one in ending:
            one.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    # -- what is kept ------------------------------------------------------------------------------------------

    def _known(self, key: str) -> Table | None:
        if key not in self._kept:
            return None
        at, _, found = self._kept[key]
        # A clock that is put back must not keep an answer for ever.
        if not 0 <= self._now() - at < KEPT_FOR:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return found

    def _keep(self, key: str, found: Table, size: int) -> None:
        self._kept[key] = (self._now(), size, found)
        total = sum(one[1] for one in self._kept.values())
        while len(self._kept) > MOST_KEPT or total > MOST_BYTES_KEPT:
            total -= self._kept.popitem(last=False)[1][1]

    # -- one query ---------------------------------------------------------------------------------------------

    def _check_limit(self) -> None:
        if self._now() < self._blocked_until <= self._now() + LONGEST_BLOCK:
            wait = max(1, round(self._blocked_until - self._now()))
            raise RateLimited(
                "PostHog asks to wait with queries.", f"They are run again in {wait} s.", until=self._blocked_until
            )

    async def _ask(self, query: Mapping[str, Any], name: str) -> tuple[Table, int]:
        # An id of our own: a query can then be ended while its first answer is still awaited.
        running = _Running(str(uuid.uuid4()))
        try:
            async with asyncio.timeout(TIMEOUT):
                return await self._answered(query, name, running)
        except TimeoutError as error:
            self._end(running.id)
            seconds = f"{TIMEOUT:g} s"
            raise Offline(
                f"The query took longer than {seconds}.", "Fewer days or a smaller question may be quicker.", "timeout"
            ) from error
        except asyncio.CancelledError:
            self._end(running.id)
            raise
        except RateLimited as error:
            self._blocked_until = max(self._blocked_until, error.until)
            raise
        except OutcomeUnknown as error:
            # It reads and changes nothing: to have been carried out is of no consequence.
            if error.detail.startswith(_TOO_LARGE):
                words, hint = "The answer to the query is larger than can be taken.", "Ask for fewer rows."
                raise Offline(words, hint, error.detail) from error
            raise Offline(error.title, "It is tried again in a while.", error.detail) from error

    async def _answered(self, query: Mapping[str, Any], name: str, running: _Running) -> tuple[Table, int]:
        body = {"query": query, "client_query_id": running.id} | filled(name=name)
        # Longer than the whole may take: so it is always the whole that ends it, in the same words.
        timeout = TIMEOUT + 5.0
        try:
            answer = await self._call("POST", self._base, body, timeout)
        except OutcomeUnknown as error:
            if error.detail.startswith(("HTTP", _TOO_LARGE)):
                raise
            # A connection that was kept open and is gone: a query changes nothing, so it may be asked twice.
            answer = await self._call("POST", self._base, body, timeout)
        running.id = _id(answer.body) or running.id
        look = 0
        while (found := self._table(answer)) is None:
            await self._sleep(POLLS[min(look, len(POLLS) - 1)])
            look += 1
            answer = await self._call("GET", f"{self._base}{part(running.id)}/", None, timeout)
        return found, len(answer.data)

    async def _call(self, method: str, path: str, body: Any, timeout: float) -> Answer:
        return await self._http.call(
            method, path, self._tokens, body=body, timeout=timeout, most=LARGEST, own_limit=True, error=_overloaded
        )

    def _table(self, answer: Answer) -> Table | None:
        """The result; None while it goes on."""
        status = parse.mapping(parse.mapping(answer.body).get("query_status"))
        if status.get("error") is True:
            words = parse.text(status.get("error_message"))[:500]
            raise InvalidInput(f"PostHog could not run the query{f': {words}' if words else '.'}")
        found = table(answer.body)
        if found is not None:
            return Table(*found)
        if answer.status != 202 and status.get("complete") is not False:
            raise not_posthog(self._http.host, "an answer without results")
        return None

    def _end(self, query_id: str) -> None:
        """Tell the server that nobody waits any more. Nobody waits for that either."""
        task = asyncio.get_running_loop().create_task(self._tell(query_id))  # owned: `_ending`, ended by `close`
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _tell(self, query_id: str) -> None:
        try:
            async with asyncio.timeout(TIMEOUT):
                path = f"{self._base}{part(query_id)}/"
                await self._http.call("DELETE", path, self._tokens, raw=True, timeout=TIMEOUT, own_limit=True)
        except (UserError, TimeoutError):
            pass  # it ends by itself; servers that know no ids of ours say 404


def _id(body: Any) -> str:
    data = parse.mapping(body)
    status = parse.mapping(data.get("query_status"))
    return parse.text(status.get("id")) or parse.text(data.get("id"))


def _overloaded(answer: Answer) -> UserError | None:
    if answer.status not in OVERLOADED:
        return None
    words = "PostHog's database is too busy for the query."
    return Offline(words, "Figures come when it is tried again in a while.", f"HTTP {answer.status}")
