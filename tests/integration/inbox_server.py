"""The small PostHog with an inbox: reports that tests make and move, and answers to the inbox's queries."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from posthog_code.adapters.posthog import http
from posthog_code.services.app import Services
from tests.helpers import running
from tests.integration.cloud_server import KEY, CloudServer, iso

DAY = 86_400.0
_NOT_FOUND: tuple[int, Any, dict[str, str]] = (
    404,
    {"type": "invalid_request", "code": "not_found", "detail": "Not found."},
    {},
)
Answer = tuple[int, Any, dict[str, str]]


class InboxServer(CloudServer):
    def __init__(self) -> None:
        super().__init__()
        self.reports: dict[str, dict[str, Any]] = {}
        self.report_signals: dict[str, list[dict[str, Any]]] = {}
        self.report_artefacts: dict[str, list[dict[str, Any]]] = {}
        self.flags: list[dict[str, Any]] = []
        self.error_rows: list[list[Any]] = []
        self.session_rows: list[list[Any]] = []
        self.people = 0
        self.states: list[tuple[list[str], dict[str, Any]]] = []
        """State changes that took effect."""
        self.queries: list[dict[str, Any]] = []
        self.bodies: list[tuple[str, Any]] = []
        self.refused: set[str] = set()
        """Reports whose state cannot be changed."""
        self.knows_bulk = True
        self.knows_resolved = True
        self.hold: asyncio.Event | None = None
        """While set, changes of state wait for it."""
        self.hold_list: asyncio.Event | None = None
        """While set, the first project's list waits for it."""
        self.at_once = 0
        self.most_at_once = 0

    def report(self, report_id: str, **fields: Any) -> dict[str, Any]:
        self.reports[report_id] = {
            "id": report_id,
            "title": f"Report {report_id}",
            "summary": "It breaks.",
            "status": "ready",
            "total_weight": 1.0,
            "signal_count": 5,
            "created_at": iso(time.time() - 2 * DAY),
            "updated_at": iso(1_777_000_000),
            "priority": "P2",
            "actionability": "immediately_actionable",
            "is_suggested_reviewer": False,
            "source_products": ["error_tracking"],
            "implementation_pr_url": None,
        } | fields
        return self.reports[report_id]

    def evidence(self, report_id: str, *, repository: str = "acme/web", paths: tuple[str, ...] = ()) -> None:
        """One error, one recording, and research that names files."""
        self.report_signals[report_id] = [
            {
                "signal_id": f"{report_id}-s1",
                "content": "GatewayTimeout in submitPayment",
                "source_product": "error_tracking",
                "source_type": "issue_created",
                "source_id": f"issue-{report_id}",
                "timestamp": iso(time.time() - DAY),
                "extra": json.dumps({"fingerprint": f"fp-{report_id}"}),
            },
            {
                "signal_id": f"{report_id}-s2",
                "content": "Taps pay three times",
                "source_product": "session_replay",
                "source_type": "session_problem",
                "timestamp": iso(time.time() - DAY),
                "extra": {"session_id": f"sess-{report_id}", "start_time": "00:42", "session_duration": 138},
            },
        ]
        found = [
            ("repo_selection", {"repository": repository, "reason": "its stack"}),
            ("priority_judgment", {"explanation": "Many people", "priority": "P1", "dollar_value": 7400}),
            ("signal_finding", {"signal_id": f"{report_id}-s1", "relevant_code_paths": list(paths), "verified": True}),
            ("suggested_reviewers", [{"github_login": "priya", "github_name": "Priya"}]),
        ]
        self.report_artefacts[report_id] = [
            {
                "id": f"{report_id}-a{number}",
                "type": kind,
                "content": content,
                "created_at": iso(1_777_000_000 + number),
            }
            for number, (kind, content) in enumerate(found)
        ]
        self.error_row(f"fp-{report_id}", count=70, people=30)

    def error_row(self, fingerprint: str, *, count: int, people: int, place: str = "src/pay.ts") -> None:
        frames = [{"source": place, "line": 24, "in_app": True}]
        exceptions = [{"type": "GatewayTimeout", "value": "10 s", "stacktrace": {"frames": frames}}]
        day = count // 7
        figures = [count, people, iso(time.time() - 6 * DAY), iso(time.time() - 60)]
        days = [2 * day, 2 * day, 2 * day, day, day, day, 0]
        self.error_rows.append([fingerprint, "issue-9", '["GatewayTimeout"]', json.dumps(exceptions), *figures, *days])

    async def _answer(
        self, method: str, path: str, query: dict[str, str], data: Any, headers: dict[str, str]
    ) -> Answer:
        if not self._allowed(headers):
            return await super()._answer(method, path, query, data, headers)
        if method == "POST" and not path.endswith("/query/"):
            self.bodies.append((path, data))
        if match := re.fullmatch(r"/api/projects/(\d+)/signals/reports/(.*)", path):
            return await self._reports(method, match[1], match[2].strip("/").split("/"), query, data)
        if path.endswith("/feature_flags/"):
            return 200, {"count": len(self.flags), "next": None, "results": self.flags}, {}
        if path.endswith("/query/"):
            return await self._query(data)
        if path.endswith("/projects/1/") and method == "GET":
            return 200, {"id": 1, "name": "Web", "api_token": "phc_x"}, {}
        return await super()._answer(method, path, query, data, headers)

    async def _reports(self, method: str, project: str, parts: list[str], query: dict[str, str], data: Any) -> Answer:
        reports = self.reports if project == "1" else {}
        if parts == [""]:
            if self.hold_list is not None and project == "1":
                await self.hold_list.wait()
            wanted = query.get("status", "").split(",")
            found = [one for one in reports.values() if one["status"] in wanted]
            start, limit = int(query.get("offset", 0)), int(query.get("limit", 100))
            page = found[start : start + limit]
            after = f"{self.url}/api/projects/{project}/signals/reports/?offset={start + limit}&limit={limit}"
            more = f"{after}&status={query.get('status', '')}" if start + limit < len(found) else None
            return 200, {"count": len(found), "next": more, "previous": None, "results": page}, {}
        if parts == ["bulk-state"]:
            return await self._bulk(data) if self.knows_bulk else _NOT_FOUND
        report = reports.get(parts[0])
        if report is None:
            return _NOT_FOUND
        if parts[1:] == ["state"]:
            await self._held()
            problem = self._move(parts[0], data)
            return (problem[0], {"error": problem[1], "detail": problem[1]}, {}) if problem else (200, report, {})
        if parts[1:] == ["signals"]:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            try:
                await asyncio.sleep(0.02)
            finally:
                self.at_once -= 1
            return 200, {"report": report, "signals": self.report_signals.get(parts[0], [])}, {}
        if parts[1:] == ["artefacts"]:
            found = self.report_artefacts.get(parts[0], [])
            return 200, {"count": len(found), "results": found}, {}
        return (200, report, {}) if len(parts) == 1 else _NOT_FOUND

    async def _bulk(self, data: Any) -> Answer:
        await self._held()
        results = []
        for report_id in data["ids"]:
            if report_id not in self.reports:
                results.append({"id": report_id, "outcome": "not_found", "status": None, "detail": ""})
            elif problem := self._move(report_id, data):
                results.append({"id": report_id, "outcome": "failed", "status": None, "detail": problem[1]})
            else:
                status = self.reports[report_id]["status"]
                results.append({"id": report_id, "outcome": "transitioned", "status": status, "detail": ""})
        return 200, {"results": results}, {}

    async def _held(self) -> None:
        if self.hold is not None:
            await self.hold.wait()

    def _move(self, report_id: str, data: dict[str, Any]) -> tuple[int, str] | None:
        if data["state"] == "resolved" and not self.knows_resolved:
            return 400, "resolved is not a valid choice."
        if report_id in self.refused:
            return 409, "This report cannot be changed now."
        report = self.reports[report_id]
        report["status"] = data["state"]
        if data["state"] == "potential" and not data.get("snooze_for"):
            report["status"] = "ready"
        report["dismissal_reason"] = data.get("dismissal_reason", "")
        self.states.append(([report_id], {k: v for k, v in data.items() if k != "ids"}))
        return None

    async def _query(self, data: Any) -> Answer:
        asked = data["query"]
        self.queries.append(asked)
        text, values = asked["query"], asked.get("values", {})
        if "AS fingerprint" in text:
            days = [f"d{day}" for day in range(7)]
            columns = ["fingerprint", "issue_id", "types", "exceptions", "occurrences", "people", "first_seen"]
            rows = [row for row in self.error_rows if row[0] in values["fingerprints"]]
            return 200, {"columns": [*columns, "last_seen", *days], "results": rows, "hasMore": False}, {}
        if "AS session_id" in text:
            columns = ["session_id", "person", "began", "ended", "rage_clicks", "errors"]
            rows = [row for row in self.session_rows if row[0] in values["sessions"]]
            return 200, {"columns": columns, "results": rows, "hasMore": False}, {}
        return 200, {"columns": ["people", "occurrences"], "results": [[self.people, 0]], "hasMore": False}, {}


@asynccontextmanager
async def inbox_world(home: Path) -> AsyncIterator[tuple[InboxServer, Services]]:
    """A program that is signed in to a server of its own."""
    waits, http._backoff = http._backoff, lambda attempt: 0.01
    server = InboxServer()
    await server.start()
    os.environ["POSTHOG_API_KEY"], os.environ["POSTHOG_HOST"] = KEY, server.url
    try:
        async with running(home) as container:
            yield server, container.services
    finally:
        http._backoff = waits
        del os.environ["POSTHOG_API_KEY"], os.environ["POSTHOG_HOST"]
        await server.stop()


def told(server: InboxServer, path: str) -> list[Any]:
    """Bodies that were posted to a path that ends so."""
    return [body for at, body in server.bodies if at.endswith(path)]
