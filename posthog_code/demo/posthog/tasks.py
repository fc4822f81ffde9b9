"""The task list and single tasks."""

from __future__ import annotations

import re

from posthog_code.demo.posthog.account import INTEGRATION
from posthog_code.demo.posthog.cloud import Cloud
from posthog_code.demo.posthog.oauth import need
from posthog_code.demo.posthog.wire import Object, Reply, Request, invalid, iso, missing, now, paged, required

REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
WRITABLE = ("title", "title_manually_set", "description", "repository", "json_schema", "archived", "internal")
_READERS = frozenset({"summaries"})
"""Paths that are read by POST."""
_ORIGINS = frozenset(
    {"user_created", "error_tracking", "eval_clusters", "automation", "slack", "support_queue", "session_summaries"}
    | {"signal_report"}
)


class Tasks:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._store = cloud.store

    def handle(self, request: Request, project: int, parts: list[str]) -> Reply | None:
        """Paths below tasks/; None for those of runs and artifacts. Raises Failure."""
        reads = request.method == "GET" or (parts and parts[0] in _READERS)
        match (request.method, *parts):
            case ("GET",):
                need(request, "task:read")
                return self._list(request, project)
            case ("POST",):
                need(request, "task:write")
                return Reply(201, self._cloud.show_task(self._create(request, project)))
            case ("POST", "summaries"):
                need(request, "task:read")
                return self._summaries(request, project)
            case ("GET", "repositories"):
                need(request, "task:read")
                rows = {task["repository"] for task in self._visible(project) if task["repository"]}
                return Reply(200, {"repositories": sorted(rows)})
            case ("GET", "models"):
                need(request, "task:read")
                return Reply(200, {"models": MODELS})
            case (_, _):
                need(request, "task:read" if reads else "task:write")
                return self._one(request, project, parts[0])
        return None

    def _visible(self, project: int) -> list[Object]:
        with self._store.lock:
            rows = list(self._store.tasks.values())
        return [task for task in rows if task["_project"] == project and not task["_deleted"]]

    def _list(self, request: Request, project: int) -> Reply:
        query = request.query
        rows = [task for task in self._visible(project) if self._fits(task, query)]
        ordering = query.get("ordering", "-created_at")
        key = "_touched" if ordering.lstrip("-") == "last_activity_at" else "_made"
        rows.sort(key=lambda task: float(task[key]), reverse=ordering.startswith("-"))
        reply = paged(request, rows, default=50)
        reply.body["results"] = [self._cloud.show_task(task) for task in reply.body["results"]]
        return reply

    def _fits(self, task: Object, query: dict[str, str]) -> bool:
        for name in ("internal", "archived"):
            wanted = query.get(name, "false")
            if wanted != "all" and task[name] != (wanted == "true"):
                return False
        repository = query.get("repository", "").lower()
        held = task["repository"] or ""
        if repository and held != repository and not ("/" not in repository and held.endswith(f"/{repository}")):
            return False
        if query.get("organization") and held.split("/")[0] != query["organization"].lower():
            return False
        if query.get("created_by") and str(task["_user"]) != query["created_by"]:
            return False
        if query.get("origin_product") and task["origin_product"] != query["origin_product"]:
            return False
        if (
            wanted := query.get("search", "").lower()
        ) and wanted not in f"{task['title']} {task['description']}".lower():
            return False
        if query.get("status") or query.get("stage"):
            runs = self._store.runs_of(task["id"])
            latest = runs[-1] if runs else {}
            return all(latest.get(name) == query[name] for name in ("status", "stage") if query.get(name))
        return True

    def _create(self, request: Request, project: int) -> Object:
        body = request.body
        fields = {name: body[name] for name in WRITABLE if name in body}
        origin = str(body.get("origin_product") or "user_created")
        if origin not in _ORIGINS:
            raise invalid(f'"{origin}" is not a valid choice.', "origin_product", "invalid_choice")
        if body.get("signal_report_task_relationship") and not body.get("signal_report"):
            raise required("signal_report")
        if origin == "signal_report" and not body.get("signal_report"):
            raise required("signal_report")
        fields |= _checked(fields)
        description = str(fields.get("description") or "")
        if not fields.get("title"):
            fields["title"] = (description.strip().splitlines() or ["Untitled task"])[0][:80]
        for name in ("github_integration", "github_user_integration", "signal_report"):
            fields[name] = body.get(name)
        if fields["github_integration"] not in (None, INTEGRATION):
            raise invalid("Integration not found.", "github_integration", "does_not_exist")
        task = self._cloud.new_task(project, request.user, {**fields, "origin_product": origin}, {})
        self._store.save()
        return task

    def _one(self, request: Request, project: int, task_id: str) -> Reply:
        with self._store.lock:
            task = self._store.task(project, task_id)
            match request.method:
                case "PATCH":
                    fields = {name: request.body[name] for name in WRITABLE if name in request.body}
                    fields |= _checked(fields)
                    if "title" in fields and task["title_manually_set"] and not fields.get("title_manually_set"):
                        del fields["title"]
                    if "archived" in fields:
                        fields["archived_at"] = iso(now()) if fields["archived"] else None
                    task.update(fields, _touched=max(now(), task["_touched"]))
                    self._store.save()
                case "DELETE":
                    task["_deleted"] = True
                    for run in self._store.runs_of(task_id):
                        engine = self._cloud.engine(run["id"])
                        if engine is not None:
                            engine.stop()
                    self._store.save()
                    return Reply(204)
                case "GET":
                    pass
                case _:
                    raise missing()
            return Reply(200, self._cloud.show_task(task))

    def _summaries(self, request: Request, project: int) -> Reply:
        ids = request.body.get("ids")
        if not isinstance(ids, list):
            raise required("ids")
        if len(ids) > 5000:
            raise invalid("Ensure this field has no more than 5000 elements.", "ids", "max_length")
        rows = []
        for task in self._visible(project):
            if task["id"] in ids:
                shown = self._cloud.show_task(task)
                latest = shown["latest_run"]
                names = ("id", "title", "repository", "created_at", "updated_at", "origin_product")
                brief = {"status": latest["status"], "environment": latest["environment"]} if latest else None
                rows.append({**{name: shown[name] for name in names}, "latest_run": brief})
        return paged(request, rows, default=50)


MODELS = [
    {
        "runtime_adapter": adapter,
        "model": model,
        "display_name": name,
        "supported_efforts": ["low", "medium", "high"],
    }
    for adapter, model, name in (
        ("claude", "demo-large", "Demo Large"),
        ("claude", "demo-small", "Demo Small"),
        ("codex", "demo-code", "Demo Code"),
    )
]


def _checked(fields: Object) -> Object:
    """The repository in lower case. Raises Failure."""
    if len(str(fields.get("title") or "")) > 255:
        raise invalid("Ensure this field has no more than 255 characters.", "title", "max_length")
    repository = fields.get("repository")
    if repository is None:
        return {}
    if not REPOSITORY.fullmatch(str(repository)):
        raise invalid("Repository must be in the format organization/repository.", "repository")
    return {"repository": str(repository).lower()}
