"""The cloud's test server with an inbox, definitions, a query endpoint and capture: of any version, or misbehaving."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.integration.cloud_server import CloudServer

TOKEN = "phc_project_token_000001"
Reply = tuple[int, Any, dict[str, str]]
MISSING: Reply = (404, {"type": "invalid_request", "code": "not_found", "detail": "Not found."}, {})
NOT_ALLOWED: Reply = (405, {"type": "invalid_request", "code": "method_not_allowed", "detail": "Method"}, {})


def invalid(words: str) -> Reply:
    return 400, {"type": "validation_error", "code": "invalid_input", "detail": words, "attr": None}, {}


class SignalsServer(CloudServer):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        """What reached a handler: method, path, query, body."""
        self.knows = {"bulk", "reasons", "resolved", "tasks", "artefacts", "reviewers"}
        self.reports: dict[str, dict[str, Any]] = {}
        self.evidence: dict[str, dict[str, Any]] = {}
        """By report: what `signals`, `artefacts` and `tasks` answer."""
        self.flags: list[Any] = []
        self.experiments: list[Any] = []
        self.events: list[Any] = []
        self.page_size = 100
        self.table: dict[str, Any] = {"results": [["a", 1]], "columns": ["event", "volume"]}
        self.pending = 0
        """How often a query is said to go on before it has an answer; with more than 0 it answers 202."""
        self.hold: asyncio.Event | None = None
        """A query waits for it."""
        self.waiting = asyncio.Event()
        self.captured: list[tuple[dict[str, str], Any]] = []
        self.capture_reply: Reply = (200, {"status": "Ok"}, {})
        self.project: dict[str, Any] = {"id": 1, "api_token": TOKEN}

    def report(self, report_id: str, status: str = "ready", **fields: Any) -> None:
        self.reports[report_id] = {"id": report_id, "title": f"Report {report_id}", "status": status} | fields

    def of(self, method: str, path: str) -> list[tuple[dict[str, str], Any]]:
        return [(query, body) for m, p, query, body in self.asked if m == method and re.search(path, p)]

    async def _answer(
        self, method: str, path: str, query: dict[str, str], data: Any, headers: dict[str, str]
    ) -> tuple[int, Any, dict[str, str]]:
        self.asked.append((method, path, query, data))
        if path == "/i/v0/e/":
            self.captured.append((headers, data))
            return self.capture_reply
        match = re.fullmatch(r"/api/(?:projects|environments)/1/(.*)", path)
        if match is None or match[1].startswith("tasks") or not self._allowed(headers):
            return await super()._answer(method, path, query, data, headers)
        parts = match[1].strip("/").split("/")
        if parts[:2] == ["signals", "reports"]:
            return self._inbox(method, parts[2:], query, data)
        if parts[0] == "query":
            return await self._query(method, parts[1:], data)
        return self._project(parts, query)

    def _project(self, parts: list[str], query: dict[str, str]) -> Reply:
        path = "/api/projects/1/" + "/".join(parts) + "/"
        if parts == [""]:
            return 200, self.project, {}
        if parts == ["feature_flags"]:
            return self._page(path, query, self.flags)
        if parts == ["experiments"]:
            return self._page(path, query, self.experiments)
        if parts == ["event_definitions"]:
            wanted = query.get("search", "").lower()
            return self._page(path, query, [one for one in self.events if wanted in str(one).lower()])
        if parts[0] == "session_recordings":
            person = {"properties": {"email": "ada@example.com"}}
            return 200, {"id": parts[1], "recording_duration": 63, "click_count": "12", "person": person}, {}
        if parts[:2] == ["error_tracking", "issues"]:
            return 200, {"id": parts[2], "status": "active"}, {}
        return MISSING

    # -- inbox -------------------------------------------------------------------------------------------------

    def _inbox(self, method: str, parts: list[str], query: dict[str, str], data: Any) -> Reply:
        if not parts:
            return self._list(query)
        if parts == ["available_reviewers"]:
            known = {"u1": {"name": "Ada L", "github_login": "octocat"}, "u2": None}
            return (200, known, {}) if "reviewers" in self.knows else MISSING
        if parts == ["bulk-state"]:
            return self._bulk(data) if "bulk" in self.knows else NOT_ALLOWED
        report = self.reports.get(parts[0])
        if report is None:
            return MISSING
        rest = parts[1] if len(parts) > 1 else ""
        if rest == "state":
            return self._change(report, data)
        if rest:
            known = rest == "signals" or rest in self.knows
            return (200, self.evidence.get(report["id"], {}).get(rest, {"results": []}), {}) if known else MISSING
        return 200, report, {}

    def _list(self, query: dict[str, str]) -> Reply:
        statuses = query.get("status", "").split(",")
        if "resolved" in statuses and "resolved" not in self.knows:
            return invalid("Unknown status resolved.")
        listed = [one for one in self.reports.values() if not isinstance(one, dict) or one.get("status") in statuses]
        return self._page("/api/projects/1/signals/reports/", query, listed)

    def _page(self, path: str, query: dict[str, str], rows: list[Any]) -> Reply:
        start, size = int(query.get("offset", 0)), min(int(query.get("limit", 100)), self.page_size)
        # Another origin, as behind a proxy.
        more = "&".join(f"{key}={value}" for key, value in query.items() if key != "offset")
        following = f"https://internal.example{path}?{more}&offset={start + size}" if start + size < len(rows) else None
        return 200, {"count": len(rows), "next": following, "results": rows[start : start + size]}, {}

    def _change(self, report: dict[str, Any], data: dict[str, Any]) -> Reply:
        if data["state"] == "resolved" and "resolved" not in self.knows:
            return invalid('"resolved" is not a valid choice.')
        if ("dismissal_reason" in data or "dismissal_note" in data) and "reasons" not in self.knows:
            return invalid("Unexpected field dismissal_reason.")
        if report["status"] == "failed":
            return 409, {"error": "Cannot transition from failed."}, {}
        report |= {"status": data["state"], "dismissal_reason": data.get("dismissal_reason", "")}
        return 200, report, {}

    def _bulk(self, data: dict[str, Any]) -> Reply:
        if len(data["ids"]) > 100:
            return invalid("At most 100 ids.")
        results = []
        for report_id in data["ids"]:
            report = self.reports.get(report_id)
            if report is None:
                results.append({"id": report_id, "outcome": "not_found"})
                continue
            status, body, _ = self._change(report, data)
            if status == 400:
                return invalid("Unknown choice.")
            outcome = "transitioned" if status == 200 else "failed"
            results.append(
                {"id": report_id, "outcome": outcome, "status": report["status"], "detail": body.get("error")}
            )
        return 200, {"results": results, "counts": {}}, {}

    # -- queries -----------------------------------------------------------------------------------------------

    async def _query(self, method: str, parts: list[str], data: Any) -> Reply:
        if method == "DELETE":
            return 204, None, {}
        if self.hold is not None:
            self.waiting.set()
            await self.hold.wait()
        if self.pending:
            self.pending -= 1
            return 202, {"query_status": {"id": "q1", "complete": False}}, {}
        if method == "GET":
            return 200, {"query_status": {"id": parts[0], "complete": True, "results": self.table}}, {}
        return 200, self.table, {}


@asynccontextmanager
async def signals_server() -> AsyncIterator[SignalsServer]:
    server = SignalsServer()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
