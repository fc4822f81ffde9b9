"""One project's tasks, runs and logs: implements ports.cloud.Cloud."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

from posthog_code.adapters.posthog import uploads
from posthog_code.adapters.posthog.answers import Answer
from posthog_code.adapters.posthog.calls import PAGES, filled, pages, part
from posthog_code.adapters.posthog.errors import command_error, not_posthog, rpc_error
from posthog_code.adapters.posthog.hosts import is_safe
from posthog_code.adapters.posthog.http import Http, TokenSource
from posthog_code.adapters.posthog.sse import SseParser
from posthog_code.domain import cloud_parse as parse
from posthog_code.domain.cloud import CloudArtifact, CloudRunInfo, CloudTask
from posthog_code.domain.cloud_requests import (
    CloudEnvironment,
    CloudModel,
    GitHubInstallation,
    NewCloudTask,
    RunRequest,
)
from posthog_code.domain.errors import InvalidInput, NotFound, UserError
from posthog_code.ports.cloud import CloudFile, Entry, LogPage, StreamEvent, TaskQuery

PAGE = 100
COMMAND_TIMEOUT = 640.0
"""The server itself waits up to 600 s for the sandbox; older ones answer a message when its turn ends."""


class PostHogCloud:
    def __init__(
        self, http: Http, tokens: TokenSource, project_id: int, *, now: Callable[[], float] = time.time
    ) -> None:
        self.project_id = project_id
        self._http, self._tokens, self._now = http, tokens, now
        self._base = f"/api/projects/{project_id}/tasks/"
        self._stream_tokens = True
        """Until a server says that it knows no stream tokens."""

    # -- tasks -------------------------------------------------------------------------------------------------

    async def list_tasks(self, query: TaskQuery = TaskQuery()) -> tuple[CloudTask, ...]:
        params = {
            "limit": PAGE,
            "repository": query.repository,
            "created_by": query.created_by or "",
            "search": query.search,
            "archived": "all" if query.archived else "",
        }
        found: dict[str, CloudTask] = {}
        for one in await self._pages(self._base, params):
            task = parse.task(one, self.project_id)
            if task.id:
                # A task that is made while we page moves the others on by one: the same one comes twice.
                found.setdefault(task.id, task)
        return tuple(found.values())

    async def task(self, task_id: str) -> CloudTask:
        return self._task(await self._get(f"{self._base}{part(task_id)}/"))

    async def create_task(self, new: NewCloudTask) -> CloudTask:
        body: dict[str, Any] = {"description": new.description, "origin_product": new.origin}
        body |= filled(
            title=new.title,
            repository=new.repository,
            github_integration=new.github_integration,
            github_user_integration=new.github_user_integration,
            signal_report=new.report_id,
            signal_report_task_relationship=new.relationship,
        )
        try:
            return self._task(await self._post(self._base, body))
        except InvalidInput:
            derived = ("repository", "github_integration", "github_user_integration")
            if not new.report_id or not any(key in body for key in derived):
                raise
            # Newer servers take these from the report, and refuse them.
            return self._task(await self._post(self._base, {k: v for k, v in body.items() if k not in derived}))

    async def patch_task(self, task_id: str, fields: Mapping[str, Any]) -> CloudTask:
        answer = await self._http.call("PATCH", f"{self._base}{part(task_id)}/", self._tokens, body=dict(fields))
        return self._task(answer)

    async def delete_task(self, task_id: str) -> None:
        await self._http.call("DELETE", f"{self._base}{part(task_id)}/", self._tokens, raw=True)

    # -- runs --------------------------------------------------------------------------------------------------

    async def runs(self, task_id: str) -> tuple[CloudRunInfo, ...]:
        pages = await self._pages(f"{self._base}{part(task_id)}/runs/", {"limit": PAGE})
        found = [parse.run(one, task_id) for one in pages]
        return tuple(sorted(found, key=lambda run: run.created_at, reverse=True))

    async def run(self, task_id: str, run_id: str) -> CloudRunInfo:
        return self._run(await self._get(self._at(task_id, run_id)), task_id)

    async def create_run(self, task_id: str, request: RunRequest) -> CloudRunInfo:
        body = {"environment": request.environment, **_run_body(request)}
        return self._run(await self._post(f"{self._base}{part(task_id)}/runs/", body), task_id)

    async def start_run(self, task_id: str, run_id: str, message: str, artifact_ids: Sequence[str] = ()) -> CloudTask:
        body = filled(pending_user_message=message, pending_user_artifact_ids=list(artifact_ids))
        return self._task(await self._post(self._at(task_id, run_id, "start/"), body))

    async def run_task(self, task_id: str, request: RunRequest) -> CloudTask:
        body = _run_body(request) | filled(
            resume_from_run_id=request.resume_from,
            pending_user_message=request.message,
            pending_user_artifact_ids=list(request.artifact_ids),
        )
        return self._task(await self._post(f"{self._base}{part(task_id)}/run/", body))

    async def resume_in_cloud(self, task_id: str, run_id: str) -> CloudRunInfo:
        return self._run(await self._post(self._at(task_id, run_id, "resume_in_cloud/"), None), task_id)

    async def patch_run(self, task_id: str, run_id: str, fields: Mapping[str, Any]) -> CloudRunInfo:
        path = self._at(task_id, run_id)
        return self._run(await self._http.call("PATCH", path, self._tokens, body=dict(fields)), task_id)

    async def cancel_run(self, task_id: str, run_id: str, reason: str = "") -> None:
        try:
            await self._http.call(
                "POST", self._at(task_id, run_id, "cancel/"), self._tokens, body=filled(reason=reason[:500]), raw=True
            )
        except (NotFound, InvalidInput) as error:
            if isinstance(error, InvalidInput) and "405" not in error.detail:
                raise
            await self.command(task_id, run_id, "close", {}, f"close-{run_id}")

    async def command(
        self, task_id: str, run_id: str, method: str, params: Mapping[str, Any], command_id: str
    ) -> Mapping[str, Any]:
        def refused(answer: Answer) -> UserError:
            return command_error(
                answer.status, answer.headers, answer.body, now=self._now(), host=self._http.host, skew=self._http.skew
            )

        body = {"jsonrpc": "2.0", "id": command_id, "method": method, "params": dict(params)}
        path = self._at(task_id, run_id, "command/")
        answer = await self._http.call("POST", path, self._tokens, body=body, timeout=COMMAND_TIMEOUT, error=refused)
        data = parse.mapping(answer.body)
        if isinstance(data.get("error"), Mapping):
            raise rpc_error(data["error"])
        return parse.mapping(data.get("result"))

    # -- logs --------------------------------------------------------------------------------------------------

    async def session_log(self, task_id: str, run_id: str, offset: int = 0, limit: int = 5000) -> LogPage:
        answer = await self._http.call(
            "GET",
            self._at(task_id, run_id, "session_logs/"),
            self._tokens,
            params={"limit": limit, "offset": str(offset)},
            timeout=60.0,
        )
        raw = answer.body if isinstance(answer.body, list) else answer.body.get("results")
        raw = raw if isinstance(raw, list) else []
        entries = tuple(one for one in raw if isinstance(one, dict))
        told = answer.headers.get("x-has-more", "").lower()
        more = bool(raw) and (told == "true" or (told not in ("true", "false") and len(raw) >= limit))
        total = parse.number(answer.headers.get("x-total-count", ""))
        return LogPage(entries, more, total, len(raw) - len(entries))

    async def whole_log(self, task_id: str, run_id: str) -> tuple[Entry, ...]:
        try:
            answer = await self._http.call(
                "GET",
                self._at(task_id, run_id, "logs"),
                self._tokens,
                raw=True,
                accept="application/jsonl, */*",
                timeout=60.0,
            )
        except NotFound:
            return ()
        if "html" in answer.headers.get("content-type", ""):
            raise not_posthog(self._http.host, "a web page instead of a log")
        return tuple(_lines(answer.data))

    async def append_log(self, task_id: str, run_id: str, entries: Sequence[Entry]) -> None:
        if entries:
            await self._post(self._at(task_id, run_id, "append_log/"), {"entries": list(entries)})

    async def stream(self, task_id: str, run_id: str, last_event_id: str = "") -> AsyncIterator[StreamEvent]:
        path = self._at(task_id, run_id, "stream/")
        origin, bearer = await self._stream_place(task_id, run_id)
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        parser = SseParser()
        async with self._http.stream(origin + path, self._tokens, headers, bearer=bearer) as chunks:
            yield StreamEvent("keepalive")
            async with aclosing(chunks):
                async for chunk in chunks:
                    for event in parser.feed(chunk):
                        yield event

    async def _stream_place(self, task_id: str, run_id: str) -> tuple[str, str]:
        """Origin and, if it is another one, the token for it."""
        if self._stream_tokens:
            try:
                answer = await self._get(self._at(task_id, run_id, "stream_token/"))
                base, token = (parse.text(parse.mapping(answer.body).get(k)) for k in ("stream_base_url", "token"))
                if is_safe(base) and token.isascii() and token.isprintable() and token:
                    return base.rstrip("/"), token
            except (NotFound, InvalidInput):
                pass
            self._stream_tokens = False
        return self._http.origin, ""

    # -- files -------------------------------------------------------------------------------------------------

    async def upload(self, task_id: str, run_id: str, files: Sequence[CloudFile]) -> tuple[CloudArtifact, ...]:
        base = self._at(task_id, run_id, "artifacts/") if run_id else f"{self._base}{part(task_id)}/staged_artifacts/"
        return await uploads.upload(self._http, self._tokens, base, files)

    async def put_artifacts(self, task_id: str, run_id: str, files: Sequence[CloudFile]) -> tuple[CloudArtifact, ...]:
        return await uploads.inline(self._http, self._tokens, self._at(task_id, run_id, "artifacts/"), files)

    async def download(self, task_id: str, run_id: str, storage_path: str) -> bytes:
        path = self._at(task_id, run_id, "artifacts/download/")
        answer = await self._http.call(
            "POST", path, self._tokens, body={"storage_path": storage_path}, raw=True, accept="*/*", timeout=60.0
        )
        return answer.data

    # -- what a run can be started with ------------------------------------------------------------------------

    async def environments(self) -> tuple[CloudEnvironment, ...]:
        pages = await self._pages(f"/api/projects/{self.project_id}/sandbox_environments/", {})
        return tuple(parse.environment(one) for one in pages)

    async def models(self) -> tuple[CloudModel, ...]:
        try:
            answer = await self._get(f"{self._base}models/")
        except (NotFound, InvalidInput):
            return ()
        return tuple(parse.model(one) for one in parse.objects(parse.mapping(answer.body).get("models")))

    async def installations(self) -> tuple[GitHubInstallation, ...]:
        team = await self._pages(f"/api/environments/{self.project_id}/integrations/", {})
        found = [parse.team_installation(one) for one in team if one.get("kind") == "github"]
        try:
            own = await self._pages("/api/users/@me/integrations/", {})
        except (NotFound, InvalidInput):
            own = ()
        found += [parse.own_installation(one) for one in own if one.get("kind") in (None, "github")]
        return tuple(found)

    async def repositories(self, installation: GitHubInstallation, search: str = "") -> tuple[str, ...]:
        path = self._installation(installation, "repos/", "github_repos/")
        found: list[str] = []
        for _ in range(PAGES):
            answer = await self._get(path, {"search": search, "limit": 500, "offset": str(len(found))})
            data = parse.mapping(answer.body)
            page = [parse.text(one.get("full_name")).lower() for one in parse.objects(data.get("repositories"))]
            found += page
            if not page or data.get("has_more") is not True:
                break
        return tuple(dict.fromkeys(filter(None, found)))

    async def branches(self, installation: GitHubInstallation, repository: str) -> tuple[tuple[str, ...], str]:
        path = self._installation(installation, "branches/", "github_branches/")
        found: list[str] = []
        default = ""
        for _ in range(PAGES):
            answer = await self._get(path, {"repo": repository, "limit": 500, "offset": str(len(found))})
            data = parse.mapping(answer.body)
            page = data.get("branches")
            page = [parse.text(one) for one in page] if isinstance(page, list) else []
            found += page
            default = default or parse.text(data.get("default_branch"))
            if not page or data.get("has_more") is not True:
                break
        return tuple(filter(None, dict.fromkeys(found))), default

    def connect_github_url(self) -> str:
        back = quote(f"/project/{self.project_id}", safe="")
        return f"{self._http.origin}/api/environments/{self.project_id}/integrations/authorize/?kind=github&next={back}"

    def task_url(self, task_id: str, run_id: str = "") -> str:
        run = f"?runId={part(run_id)}" if run_id else ""
        return f"{self._http.origin}/project/{self.project_id}/tasks/{part(task_id)}{run}"

    # -- plumbing ----------------------------------------------------------------------------------------------

    def _installation(self, installation: GitHubInstallation, own: str, team: str) -> str:
        if installation.personal:
            return f"/api/users/@me/integrations/github/{part(installation.installation_id)}/{own}"
        return f"/api/environments/{self.project_id}/integrations/{part(installation.id)}/{team}"

    def _at(self, task_id: str, run_id: str, rest: str = "") -> str:
        return f"{self._base}{part(task_id)}/runs/{part(run_id)}/{rest}"

    async def _get(self, path: str, params: Mapping[str, Any] | None = None) -> Answer:
        return await self._http.call("GET", path, self._tokens, params=params)

    async def _post(self, path: str, body: Any) -> Answer:
        return await self._http.call("POST", path, self._tokens, body=body, timeout=60.0)

    async def _pages(self, path: str, params: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
        return await pages(self._http, self._tokens, path, params)

    def _task(self, answer: Answer) -> CloudTask:
        task = parse.task(answer.body, self.project_id)
        if not task.id:
            raise not_posthog(self._http.host, "an answer without a task")
        return task

    def _run(self, answer: Answer, task_id: str) -> CloudRunInfo:
        run = parse.run(answer.body, task_id)
        if not run.id:
            raise not_posthog(self._http.host, "an answer without a run")
        return run


def _run_body(request: RunRequest) -> dict[str, Any]:
    return {"mode": request.mode} | filled(
        branch=request.branch,
        runtime_adapter=request.adapter if request.model else "",
        model=request.model,
        reasoning_effort=request.effort if request.model else "",
        sandbox_environment_id=request.sandbox_environment,
        pr_authorship_mode=request.authorship,
        run_source=request.source,
        initial_permission_mode=request.permission_mode if request.model else "",
        signal_report_id=request.report_id,
    )


def _lines(data: bytes) -> list[Entry]:
    """Entries of NDJSON; lines that do not parse are skipped. Only a line feed ends a line."""
    found: list[Entry] = []
    for line in data.split(b"\n"):
        if not line.strip():
            continue
        try:
            entry = json.loads(line.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict):
            found.append(entry)
    return found
