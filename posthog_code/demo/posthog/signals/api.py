"""The endpoints below /api/projects/{p}/signals/."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from posthog_code.demo.posthog.oauth import need
from posthog_code.demo.posthog.signals import states
from posthog_code.demo.posthog.signals.seeds import reviewers
from posthog_code.demo.posthog.signals.shelf import Shelf
from posthog_code.demo.posthog.store import Store
from posthog_code.demo.posthog.wire import Json, Object, Reply, Request, invalid, iso, missing, now, paged, required

DEFAULT_ORDER = "-is_suggested_reviewer,status,-updated_at"
STATUS_RANK = (
    "ready",
    "pending_input",
    "in_progress",
    "candidate",
    "potential",
    "failed",
    "resolved",
    "suppressed",
)
ORDERS: dict[str, Callable[[Object], Any]] = {
    "status": lambda row: STATUS_RANK.index(row["status"]),
    "is_suggested_reviewer": lambda row: row["is_suggested_reviewer"],
    "signal_count": lambda row: row["signal_count"],
    "total_weight": lambda row: row["total_weight"],
    "priority": lambda row: row["priority"] or "P9",
    "created_at": lambda row: row["created_at"],
    "updated_at": lambda row: row["updated_at"],
    "id": lambda row: row["id"],
}
TITLE_LIMIT, SUMMARY_LIMIT = 300, 10_000


class Signals:
    def __init__(self, store: Store, shelf: Shelf) -> None:
        self._store = store
        self._shelf = shelf

    def handle(self, request: Request, project: int, parts: list[str]) -> Reply:
        """Raises Failure."""
        need(request, "task:read" if request.method == "GET" else "task:write")
        self._shelf.settle()
        with self._shelf.lock:
            match (request.method, *parts):
                case ("GET", "reports"):
                    return self._list(request, project)
                case ("GET", "reports", "available_reviewers"):
                    return self._available(request)
                case ("POST", "reports", "bulk-state") if not self._older:
                    wish = states.checked(request.body, False)
                    body = states.change_many(self._shelf, project, request.body.get("ids"), wish)
                    self._shelf.save()
                    return Reply(200, body)
                case (_, "reports", report_id, *rest):
                    return self._report(request, self._found(project, report_id), rest)
                case (_, "processing", *rest):
                    return self._processing(request, rest)
                case (_, "config"):
                    return self._config(request)
                case (_, "source_configs", *rest):
                    return self._sources(request, rest)
        raise missing()

    @property
    def _older(self) -> bool:
        return bool(self._store.config["older"])

    def _found(self, project: int, report_id: str) -> Object:
        report = self._shelf.reports.get(report_id)
        if report is None or report["_project"] != project or report["status"] == "deleted":
            raise missing()
        return report

    # -- reports

    def _body(self, request: Request, report: Object) -> Object:
        """With its pull request, which comes from the runs of its tasks."""
        body = self._shelf.body(report, f"0190a000-0000-7000-8000-{request.user:012d}")
        urls = [url for task_id in self._tasks_of(report["id"]) if (url := self._pull_request(task_id))]
        body["implementation_pr_url"] = urls[-1] if urls else None
        if self._older:
            for name in ("dismissal_reason", "dismissal_note", "scout_name"):
                body.pop(name)
        return body

    def _tasks_of(self, report_id: str) -> list[str]:
        tasks = [row for row in self._store.tasks.values() if row.get("signal_report") == report_id]
        return [row["id"] for row in sorted(tasks, key=lambda row: row["_made"]) if not row["_deleted"]]

    def _pull_request(self, task_id: str) -> str:
        for run in reversed(self._store.runs_of(task_id)):
            if url := (run.get("output") or {}).get("pr_url"):
                return str(url)
        return ""

    def _list(self, request: Request, project: int) -> Reply:
        query = request.query
        rows = [
            row for row in self._shelf.reports.values() if row["_project"] == project and row["status"] != "deleted"
        ]
        statuses = _csv(query.get("status"))
        if statuses:
            rows = [row for row in rows if row["status"] in statuses]
        elif query.get("include_all_statuses") != "true":
            rows = [row for row in rows if row["status"] != "suppressed"]
        bodies = [body for body in (self._body(request, row) for row in rows) if self._fits(request, body)]
        if query.get("count_only") == "true":
            return Reply(200, {"count": len(bodies)})
        # Stable sorts from the last key to the first.
        for name in reversed(_csv(query.get("ordering") or query.get("sort") or DEFAULT_ORDER)):
            key = ORDERS.get(name.removeprefix("-"))
            if key is None:
                raise invalid(f"'{name}' is not a field to order by.", "ordering")
            bodies.sort(key=key, reverse=name.startswith("-"))
        return paged(request, bodies, 100, 100)

    def _fits(self, request: Request, body: Object) -> bool:
        query = request.query
        words = query.get("search", "").casefold()
        if words and words not in f"{body['title']} {body['summary']}".casefold():
            return False
        for name in ("priority", "actionability"):
            if query.get(name) and body[name] not in _csv(query[name]):
                return False
        sources = _csv(query.get("source_product"))
        if sources and not set(sources) & set(body["source_products"]):
            return False
        wanted = set(_csv(query.get("suggested_reviewers")))
        if query.get("assignee") == "me":
            wanted.add(f"0190a000-0000-7000-8000-{request.user:012d}")
        if wanted and not wanted & set(self._shelf.reports[body["id"]]["_reviewers"]):
            return False
        if "already_addressed" in query and body["already_addressed"] != (query["already_addressed"] == "true"):
            return False
        has = query.get("has_implementation_pr")
        if has is not None and bool(body["implementation_pr_url"]) != (has == "true"):
            return False
        if query.get("unclaimed") == "true" and self._tasks_of(body["id"]):
            return False
        return "task_id" not in query or query["task_id"] in self._tasks_of(body["id"])

    def _report(self, request: Request, report: Object, rest: list[str]) -> Reply:
        report_id = report["id"]
        match (request.method, *rest):
            case ("GET",):
                return Reply(200, self._body(request, report))
            case ("PATCH",) if not self._older:
                return self._edit(request, report)
            case ("DELETE",):
                report["status"] = "deleted"
                self._shelf.save()
                return Reply(202, {"status": "deletion_started", "report_id": report_id})
            case ("GET", "signals"):
                return Reply(200, {"report": self._body(request, report), "signals": self._shelf.signals[report_id]})
            case ("GET", "artefacts"):
                listed = self._shelf.artefacts[report_id]
                return Reply(200, {"count": len(listed), "results": listed})
            case ("GET", "tasks"):
                return Reply(200, {"results": self._relations(request, report_id)})
            case ("POST", "state"):
                states.change(self._shelf, report, states.checked(request.body, self._older))
                self._shelf.save()
                return Reply(200, self._body(request, report))
            case ("POST", "reingest"):
                return Reply(200, {"status": "reingestion_started", "report_id": report_id})
            case ("PUT", "reviewers") if not self._older:
                return self._assign(request, report)
            case ("POST", "claim" | "feedback" | "viewed") if not self._older:
                return Reply(200, self._body(request, report))
        raise missing()

    def _edit(self, request: Request, report: Object) -> Reply:
        for name, limit in (("title", TITLE_LIMIT), ("summary", SUMMARY_LIMIT)):
            if name in request.body:
                if len(str(request.body[name])) > limit:
                    raise invalid(f"Ensure this field has no more than {limit} characters.", name, "max_length")
                report[name] = str(request.body[name])
        report["_touched"] = now()
        self._shelf.save()
        return Reply(200, self._body(request, report))

    def _relations(self, request: Request, report_id: str) -> list[Object]:
        wanted = request.query.get("relationship", "implementation")
        rows = []
        for task_id in self._tasks_of(report_id) if wanted == "implementation" else ():
            made = iso(self._store.tasks[task_id]["_made"])
            rows.append({"id": task_id, "relationship": wanted, "task_id": task_id, "created_at": made})
        return rows

    def _assign(self, request: Request, report: Object) -> Reply:
        content = request.body.get("content")
        if not isinstance(content, list) or len(content) > 10:
            raise invalid("Ensure this field has no more than 10 elements.", "content")
        known = reviewers()
        logins = {row["github_login"]: uuid for uuid, row in known.items()}
        chosen = [one.get("user_uuid") or logins.get(one.get("github_login")) for one in content]
        report.update(_reviewers=[uuid for uuid in chosen if uuid], _touched=now())
        self._shelf.save()
        return Reply(200, self._body(request, report))

    def _available(self, request: Request) -> Reply:
        wanted = request.query.get("query", "").casefold()
        found = {uuid: row for uuid, row in reviewers().items() if wanted in f"{row['name']} {row['email']}".casefold()}
        return Reply(200, found)

    # -- configuration

    def _processing(self, request: Request, rest: list[str]) -> Reply:
        settings = self._shelf.settings
        match (request.method, *rest):
            case ("PUT", "pause"):
                settings["paused_until"] = request.body.get("timestamp")
            case ("DELETE", "pause"):
                settings["paused_until"] = None
            case ("GET",):
                pass
            case _:
                raise missing()
        self._shelf.save()
        return Reply(200, {"paused_until": settings["paused_until"]})

    def _config(self, request: Request) -> Reply:
        settings = self._shelf.settings
        if request.method == "POST":
            chosen = request.body.get("default_autostart_priority")
            if chosen not in ("P0", "P1", "P2", "P3", "P4"):
                raise invalid(f'"{chosen}" is not a valid choice.', "default_autostart_priority", "invalid_choice")
            settings["default_autostart_priority"] = chosen
            self._shelf.save()
        made = iso(self._store.people["users"][0].get("_made", 1_780_000_000.0))
        body: dict[str, Json] = {"id": "0199d100-0000-7000-8000-000000000001", "created_at": made, "updated_at": made}
        return Reply(200, {**body, "default_autostart_priority": settings["default_autostart_priority"]})

    def _sources(self, request: Request, rest: list[str]) -> Reply:
        rows = self._shelf.configs
        if not rest:
            if request.method == "GET":
                return Reply(200, list(rows.values()))
            return self._new_source(request.body)
        row = rows.get(rest[0])
        if row is None:
            raise missing()
        if request.method == "DELETE":
            del rows[rest[0]]
            self._shelf.save()
            return Reply(204)
        if request.method == "PATCH":
            row.update({key: request.body[key] for key in ("enabled", "config") if key in request.body})
            row["updated_at"] = iso(now())
            self._shelf.save()
        return Reply(200, row)

    def _new_source(self, body: Object) -> Reply:
        product, kind = str(body.get("source_product") or ""), str(body.get("source_type") or "")
        if not product or not kind:
            raise required("source_type" if product else "source_product")
        pairs = [(row["source_product"], row["source_type"]) for row in self._shelf.configs.values()]
        if (product, kind) in pairs:
            raise invalid("The fields team, source_product, source_type must make a unique set.", None, "unique")
        row = self._shelf.add_config(product, kind, enabled=bool(body.get("enabled", True)))
        self._shelf.save()
        return Reply(201, row)


def _csv(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]
