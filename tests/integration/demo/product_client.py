"""Calls to the stand-in PostHog below one project: reports, definitions, queries."""

from __future__ import annotations

from typing import Any

from cloud_client import Answer, CloudClient

from posthog_code.demo.world import DemoPostHog

EMPTY = 20_102
"""Project Harbor Mobile: nothing is in it."""


class Harbor(CloudClient):
    """Calls below one project."""

    def __init__(self, cloud: DemoPostHog, token: str = "phx_demo", project: int = 0) -> None:
        super().__init__(cloud, token)
        self.base = f"/api/projects/{project or cloud.project}/"

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        return self(method, self.base + path, body)

    def titles(self, query: str = "") -> list[str]:
        found = self.call("GET", f"signals/reports/?{query}")
        assert found.status == 200, found.body
        return [row["title"] for row in found.body["results"]]

    def report(self, report_id: str) -> Any:
        return self.call("GET", f"signals/reports/{report_id}/").body

    def move(self, report_id: str, **body: Any) -> Answer:
        return self.call("POST", f"signals/reports/{report_id}/state/", body)

    def ask(self, hogql: str, **values: Any) -> Answer:
        return self.call("POST", "query/", {"query": {"kind": "HogQLQuery", "query": hogql, "values": values}})

    def rows(self, hogql: str, **values: Any) -> Any:
        found = self.ask(hogql, **values)
        assert found.status == 200, found.body
        return found.body["results"]
