"""What the project knows by name: flags, experiments, events, recordings, exports and error issues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from posthog_code.demo import inbox, signals
from posthog_code.demo.cloud_tasks import PROJECT
from posthog_code.demo.posthog.eventstore import EventStore
from posthog_code.demo.posthog.oauth import need
from posthog_code.demo.posthog.wire import Json, Object, Reply, Request, iso, missing, now, paged

DAY = 86_400.0
VIDEO = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom\x00\x00\x00\x08free"
"""The smallest file that is an MP4."""
CREATOR = {"id": 10, "first_name": "Priya", "last_name": "Raman", "email": "priya@harbor.example"}
STATES = ("archived", "active", "resolved", "pending_release", "suppressed")


class Definitions:
    def __init__(self, events: EventStore) -> None:
        self._events = events

    def handle(self, request: Request, project: int, parts: list[str]) -> Reply | None:
        """None for a path that is not ours. Raises Failure."""
        match (request.method, *parts):
            case ("GET", "feature_flags", *rest):
                need(request, "feature_flag:read")
                return self._listed(request, self._flags(request) if project == PROJECT else [], rest)
            case ("GET", "experiments", *rest):
                need(request, "experiment:read")
                return self._listed(request, self._experiments() if project == PROJECT else [], rest)
            case ("GET", "event_definitions", *rest):
                need(request, "event_definition:read")
                return self._listed(request, self._event_definitions(request, project), rest)
            case ("GET", "session_recordings", session):
                need(request, "session_recording:read")
                return Reply(200, self._recording(project, session))
            case ("GET", "exports"):
                need(request, "export:read")
                return paged(request, self._exports(project, request.query))
            case ("GET", "exports", _, "content"):
                need(request, "export:read")
                return Reply(200, data=VIDEO, kind="video/mp4")
            case ("GET", "error_tracking", "issues", issue):
                need(request, "error_tracking:read")
                return Reply(200, self._issue(project, issue))
        return None

    def _listed(self, request: Request, rows: list[Object], rest: list[str]) -> Reply:
        if not rest:
            return paged(request, rows, 100, 500)
        found = next((row for row in rows if str(row["id"]) == rest[0]), None)
        if found is None or len(rest) > 1:
            raise missing()
        return Reply(200, found)

    def _flags(self, request: Request) -> list[Object]:
        begun = self._events.anchor
        key, words = request.query.get("key"), request.query.get("search", "").casefold()
        rows = [_flag(flag, begun) for flag in signals.FLAGS]
        rows = [row for row in rows if key is None or row["key"] == key]
        return [row for row in rows if words in f"{row['key']} {row['name']}".casefold()]

    def _experiments(self) -> list[Object]:
        begun = self._events.anchor
        return [
            {
                "id": one.id,
                "name": one.name,
                "description": "",
                "start_date": iso(begun - one.began * DAY),
                "end_date": iso(begun - one.ended * DAY) if one.ended is not None else None,
                "feature_flag_key": one.flag,
                "archived": False,
                "parameters": {"feature_flag_variants": _variants(one.flag)},
                "conclusion": one.conclusion or None,
            }
            for one in signals.EXPERIMENTS
        ]

    def _event_definitions(self, request: Request, project: int) -> list[Object]:
        words = request.query.get("search", "").casefold()
        seen = self._events.last_seen(project)
        described = dict(signals.EVENTS) if project == PROJECT else {}
        rows = []
        for name in sorted({*described, *seen}):
            if words not in name.casefold():
                continue
            known = name in described
            rows.append(
                {
                    "id": event_id(name),
                    "name": name,
                    "description": described.get(name, ""),
                    "tags": ["checkout"] if name.startswith(("payment_", "checkout_", "order_")) else [],
                    "last_seen_at": iso(seen[name]) if name in seen else None,
                    "created_at": iso(self._events.anchor - 90 * DAY),
                    "verified": known and name not in signals.UNVERIFIED,
                    "hidden": False,
                }
            )
        return rows

    def _recording(self, project: int, session: str) -> Object:
        found = next((one for one in inbox.recordings() if one.id == session), None)
        if found is None or project != PROJECT:
            raise missing()
        began = self._events.anchor - found.hours * 3600
        person: Object = {
            "id": None,
            "name": f"Person {found.person}",
            "distinct_ids": [found.distinct_id],
            "properties": {},
        }
        return {
            "id": session,
            "distinct_id": found.distinct_id,
            "recording_duration": found.duration,
            "active_seconds": int(found.duration * 0.8),
            "start_time": iso(began),
            "end_time": iso(began + found.duration),
            "start_url": f"https://shop.harbor.example{found.path}",
            "person": person,
            "click_count": 4 * len(found.marks) + 3,
            "keypress_count": 12,
            "console_error_count": len(found.marks) if found.error else 0,
            "viewed": False,
        }

    def _exports(self, project: int, query: Mapping[str, str]) -> list[Object]:
        wanted = query.get("session_recording_id")
        known = [one for one in inbox.recordings() if project == PROJECT and wanted in (None, one.id)]
        return [
            {
                "id": 7000 + number,
                "has_content": True,
                "export_format": query.get("export_format", "video/mp4"),
                "created_at": iso(self._events.anchor),
                "export_context": {"session_recording_id": one.id},
            }
            for number, one in enumerate(known)
        ]

    def _issue(self, project: int, issue: str) -> Object:
        found = next((one for one in signals.ERRORS if one.issue == issue), None)
        if found is None or project != PROJECT:
            raise missing()
        return {
            "id": issue,
            "status": "active",
            "name": found.name,
            "description": found.value,
            "first_seen": iso(self._events.anchor - found.since * DAY),
            "assignee": None,
            "external_issues": [],
        }


def event_id(name: str) -> str:
    """Of a definition: the same each time."""
    import uuid

    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"posthog-demo/{name}"))


def _variants(key: str) -> list[Object]:
    flag = next((one for one in signals.FLAGS if one.key == key), None)
    return [{"key": name, "rollout_percentage": share} for name, share in (flag.variants if flag else ())]


def _flag(flag: signals.DemoFlag, begun: float) -> Object:
    made = begun - flag.days * DAY
    groups: list[dict[str, Any]] = [
        {"properties": [dict(flag.condition)] if flag.condition else [], "rollout_percentage": flag.rollout}
    ]
    filters: dict[str, Json] = {
        "groups": groups,
        "multivariate": {"variants": _variants(flag.key)} if flag.variants else None,
        "payloads": {"true": flag.payload} if flag.payload else {},
    }
    return {
        "id": flag.id,
        "key": flag.key,
        "name": flag.name,
        "active": flag.active,
        "filters": filters,
        "is_remote_configuration": bool(flag.payload),
        "created_at": iso(made),
        "updated_at": iso(made),
        "last_called_at": iso(now()) if flag.active else None,
        "created_by": CREATOR,
        "deleted": False,
    }
