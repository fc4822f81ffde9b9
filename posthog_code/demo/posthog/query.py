"""`POST query/`: HogQL on the events, at once or after a while."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from typing import Any

from posthog_code.demo.posthog.eventstore import EventStore
from posthog_code.demo.posthog.history import stamp
from posthog_code.demo.posthog.hogql import HogQLError, compile_query
from posthog_code.demo.posthog.hogql.functions import install
from posthog_code.demo.posthog.hogql.times import shown
from posthog_code.demo.posthog.oauth import need
from posthog_code.demo.posthog.store import Store, new_id
from posthog_code.demo.posthog.wire import Failure, Object, Reply, Request, invalid, iso, missing, now, required

LONGEST = 20.0
"""Seconds that one query may work."""
_TYPES = {"Property": "Nullable(String)", "Nullable": "Nullable(Nothing)", "Array": "Array(String)"}
KEPT = 200
"""Pending queries that are remembered."""


class Queries:
    def __init__(self, store: Store, events: EventStore) -> None:
        self._store = store
        self._events = events
        self._lock = threading.Lock()
        self._pending: dict[str, tuple[float, int, Reply]] = {}
        """When each is done, its project, and its answer."""

    def handle(self, request: Request, project: int, parts: list[str]) -> Reply | None:
        """None for a path that is not ours. Raises Failure."""
        match (request.method, *parts):
            case ("POST", "query"):
                need(request, "query:read")
                return self._ask(request, project)
            case ("DELETE", "query", query_id):
                with self._lock:
                    self._pending.pop(query_id, None)
                return Reply(204)
            case ("GET", "query", query_id):
                need(request, "query:read")
                return self._look(project, query_id)
        return None

    def answer(self, request: Request, project: int, hogql: str) -> Object:
        """The body of the answer to one query, at once. Raises Failure."""
        need(request, "query:read")
        body: Object = self._run({"query": {"kind": "HogQLQuery", "query": hogql}}, project).body
        return body

    def _ask(self, request: Request, project: int) -> Reply:
        config = self._store.config
        if slow := float(config["query_slow_s"]):
            time.sleep(slow)
        wait = float(config["query_pending_s"])
        if not wait:
            return self._run(request.body, project)
        try:
            reply = self._run(request.body, project)
        except Failure as failure:
            reply = failure.reply
        query_id = str(request.body.get("client_query_id") or new_id(now()))
        with self._lock:
            self._pending[query_id] = (now() + wait, project, reply)
            for old in list(self._pending)[:-KEPT]:
                del self._pending[old]
        return Reply(202, {"query_status": _status(query_id, False)})

    def _look(self, project: int, query_id: str) -> Reply:
        with self._lock:
            done, owner, reply = self._pending.get(query_id, (0.0, 0, Reply()))
        if owner != project:
            raise missing()
        if now() < done:
            return Reply(202, {"query_status": _status(query_id, False)})
        if reply.status != 200:
            return reply
        return Reply(200, {"query_status": {**_status(query_id, True), "results": reply.body}})

    def _run(self, body: Object, project: int) -> Reply:
        """Raises Failure."""
        query = body.get("query")
        if not isinstance(query, dict):
            raise required("query")
        if query.get("kind") != "HogQLQuery":
            raise invalid(f"Unsupported query kind: {query.get('kind')}", "query")
        values = query.get("values") or {}
        if not isinstance(query.get("query"), str) or not isinstance(values, dict):
            raise invalid("Not a valid string.", "query")
        begun = time.monotonic()
        try:
            made = compile_query(query["query"], values, project, stamp(now()))
            rows = self._rows(made.sql, dict(made.parameters))
        except (HogQLError, sqlite3.Error, RecursionError) as error:
            raise invalid(str(error), None, "invalid_input") from None
        results = [_shown(row, made.types) for row in rows[: made.limit]]
        return Reply(
            200,
            {
                "results": results,
                "columns": list(made.columns),
                "types": [[name, _TYPES.get(kind, kind)] for name, kind in zip(made.columns, made.types, strict=True)],
                "hasMore": len(rows) > made.limit,
                "limit": made.limit,
                "offset": 0,
                "is_cached": False,
                "hogql": query["query"],
                "timings": [{"k": ".", "t": round(time.monotonic() - begun, 4)}],
                "last_refresh": iso(now()),
            },
        )

    def _rows(self, sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        connection = self._events.reader()
        try:
            install(connection)
            deadline = time.monotonic() + LONGEST
            connection.set_progress_handler(lambda: int(time.monotonic() > deadline), 100_000)
            return connection.execute(sql, parameters).fetchall()
        finally:
            connection.close()


def _status(query_id: str, complete: bool) -> Object:
    return {"id": query_id, "complete": complete, "error": False, "error_message": None, "query_async": True}


def _shown(row: tuple[Any, ...], types: tuple[str, ...]) -> list[Any]:
    told = []
    for value, kind in zip(row, types, strict=True):
        if kind == "DateTime" and isinstance(value, str):
            value = shown(value)
        elif kind == "Array" and isinstance(value, str):
            value = json.loads(value)
        elif kind == "Bool" and value is not None:
            value = bool(value)
        told.append(value)
    return told
