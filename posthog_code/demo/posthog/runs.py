"""Runs: creating, starting, changing, ending them; their logs and commands."""

from __future__ import annotations

import json
import re

from posthog_code.demo.posthog.account import github_refusal
from posthog_code.demo.posthog.asking import CommandError
from posthog_code.demo.posthog.cloud import Cloud
from posthog_code.demo.posthog.oauth import need
from posthog_code.demo.posthog.runlog import event_type
from posthog_code.demo.posthog.store import TERMINAL
from posthog_code.demo.posthog.stream import stream_reply
from posthog_code.demo.posthog.wire import (
    Failure,
    Object,
    Reply,
    Request,
    invalid,
    missing,
    number,
    paged,
    parse_time,
    refused,
    required,
)

_FORBIDDEN_STATE = ("github_credential_source", "pr_authorship_mode", "sandbox_id")
_READERS = ("artifacts/presign", "artifacts/download")
_COMMANDS: dict[str, tuple[str, ...]] = {
    "user_message": (),
    "cancel": (),
    "close": (),
    "permission_response": ("requestId", "optionId"),
    "set_config_option": ("configId", "value"),
}


class Runs:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._store = cloud.store

    def handle(self, request: Request, project: int, task_id: str, parts: list[str]) -> Reply | None:
        """Paths below tasks/{t}/, from `run` or `runs` on; None for artifacts. Raises Failure."""
        reads = request.method == "GET" or "/".join(parts[2:]) in _READERS
        need(request, "task:read" if reads else "task:write")
        task = self._store.task(project, task_id)
        match (request.method, *parts):
            case ("POST", "run"):
                return self._one_step(request, task)
            case ("GET", "runs"):
                reply = paged(request, list(reversed(self._store.runs_of(task_id))), default=50)
                reply.body["results"] = [self._cloud.show_run(run) for run in reply.body["results"]]
                return reply
            case ("POST", "runs"):
                run = self._create(request.body, task, {"environment": "local", "mode": "background"})
                self._store.save()
                return Reply(201, self._cloud.show_run(run))
        if len(parts) < 2 or parts[0] != "runs" or parts[2:3] == ["artifacts"]:
            return None
        run = self._store.run(project, task_id, parts[1])
        return self._on_run(request, task, run, parts[2:])

    def _on_run(self, request: Request, task: Object, run: Object, parts: list[str]) -> Reply:
        match (request.method, *parts):
            case ("GET",):
                return Reply(200, self._cloud.show_run(run))
            case ("PATCH",):
                return self._patch(request.body, run)
            case ("PATCH", "set_output"):
                self._cloud.patch_run(run, {"output": None} | {"output": request.body.get("output") or {}})
                return Reply(200, self._cloud.show_run(run))
            case ("POST", "start"):
                return self._start(request.body, task, run)
            case ("POST", "resume_in_cloud"):
                self._authorship(run["state"])
                self._cloud.resume_in_cloud(run)
                return Reply(200, self._cloud.show_run(run))
            case ("POST", "cancel") if not self._store.config["older"]:
                return self._cancel(run)
            case ("POST", "command"):
                return self._command(request, run)
            case ("GET", "session_logs"):
                return self._session_logs(request, run)
            case ("GET", "logs"):
                return Reply(200, data=self.lines(self._store.chain(run)), kind="application/jsonl")
            case ("POST", "append_log"):
                entries = request.body.get("entries")
                if not isinstance(entries, list) or not entries:
                    raise invalid("This list may not be empty.", "entries", "empty")
                if not all(isinstance(entry, dict) for entry in entries):
                    raise invalid("Expected a dictionary of items.", "entries", "not_a_dict")
                self._cloud.log(run["id"]).append(entries)
                self._store.touch(run)
                return Reply(200, self._cloud.show_run(run))
            case ("GET", "stream"):
                return stream_reply(request, self._cloud.log(run["id"]), self._store.config)
            case ("GET", "stream_token") if not self._store.config["older"]:
                return Reply(200, {"token": "pst_demo", "stream_base_url": None})
        raise missing()

    def lines(self, runs: list[Object]) -> bytes:
        rows = (entry for run in runs for entry in self._cloud.log(run["id"]).stored())
        return "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows).encode()

    # -- making

    def _create(self, body: Object, task: Object, defaults: Object, earlier: Object | None = None) -> Object:
        told = {**defaults, **body}
        if (told.get("runtime_adapter") is None) != (told.get("model") is None):
            raise required("model" if told.get("runtime_adapter") else "runtime_adapter")
        if told.get("initial_permission_mode") and not told.get("runtime_adapter") and earlier is None:
            raise required("runtime_adapter")
        if told.get("environment") not in ("local", "cloud"):
            raise invalid(f'"{told.get("environment")}" is not a valid choice.', "environment", "invalid_choice")
        environment = told.get("sandbox_environment_id")
        if environment and environment not in self._store.environments:
            raise Failure(400, {"detail": "Invalid sandbox_environment_id"})
        old = earlier["state"] if earlier else {}
        base = old.get("pr_base_branch") or told.get("branch")
        state: Object = {
            "mode": told.get("mode") or "background",
            "pr_authorship_mode": told.get("pr_authorship_mode") or old.get("pr_authorship_mode") or "bot",
            "run_source": told.get("run_source") or old.get("run_source") or "manual",
            "sandbox_environment_id": environment or old.get("sandbox_environment_id"),
            "initial_permission_mode": told.get("initial_permission_mode") or old.get("initial_permission_mode"),
            "interaction_origin": told.get("interaction_origin"),
        }
        if base:
            state["pr_base_branch"] = base
        if earlier:
            state["resume_from_run_id"] = earlier["id"]
        if state["run_source"] == "signal_report":
            state["pr_authorship_mode"] = "bot"
            state["signal_report_id"] = told.get("signal_report_id") or old.get("signal_report_id")
        if told["environment"] == "cloud":
            self._authorship(state)
        adapter = told.get("runtime_adapter") or (earlier["runtime_adapter"] if earlier else None)
        fields = {
            "environment": told["environment"],
            "branch": told.get("branch") or ((earlier["output"] or {}).get("head_branch") if earlier else None),
            "runtime_adapter": adapter,
            "provider": {"claude": "anthropic", "codex": "openai"}.get(str(adapter)),
            "model": told.get("model") or (earlier["model"] if earlier else None),
            "reasoning_effort": told.get("reasoning_effort") or (earlier["reasoning_effort"] if earlier else None),
        }
        if earlier and earlier["output"]:
            kept = {key: earlier["output"][key] for key in ("pr_url", "head_branch") if key in earlier["output"]}
            fields["output"] = kept
        return self._cloud.new_run(task, fields, state)

    def _authorship(self, state: Object) -> None:
        connected = self._store.config["github_authorization"]
        if connected == "none":
            raise github_refusal()
        if state.get("pr_authorship_mode") == "user" and connected == "bot":
            state["pr_authorship_mode"] = "bot"

    def _one_step(self, request: Request, task: Object) -> Reply:
        body = request.body
        earlier = None
        with self._store.lock:
            if body.get("resume_from_run_id"):
                earlier = self._store.runs.get(str(body["resume_from_run_id"]))
                if earlier is None or earlier["task"] != task["id"]:
                    raise Failure(400, {"detail": "Invalid resume_from_run_id"})
            wanted = [str(one) for one in body.get("pending_user_artifact_ids") or ()]
            staged = [artifact for artifact in task["_staged"] if artifact["id"] in wanted]
            self._all_there(wanted, staged)
            run = self._create(body, task, {"mode": "background"} | {"environment": "cloud"}, earlier)
            run["artifacts"] += staged
            task["_staged"] = [artifact for artifact in task["_staged"] if artifact not in staged]
            message = body.get("pending_user_message")
            if message is None and not wanted:
                message = task["description"]
        self._cloud.start(run, message, wanted)
        return Reply(200, self._cloud.show_task(task))

    def _all_there(self, wanted: list[str], there: list[Object]) -> None:
        lost = [one for one in wanted if one not in [artifact["id"] for artifact in there]]
        if lost:
            text = "Some pending_user_artifact_ids are invalid or expired"
            raise Failure(400, {"detail": text, "missing_artifact_ids": lost})

    def _start(self, body: Object, task: Object, run: Object) -> Reply:
        with self._store.lock:
            if run["environment"] != "cloud":
                raise refused("Only cloud runs can be started")
            if run["status"] not in ("queued", "not_started") or "pending_user_message" in run["state"]:
                raise refused(f"Run cannot be started: its status is {run['status']}")
            wanted = [str(one) for one in body.get("pending_user_artifact_ids") or ()]
            self._all_there(wanted, run["artifacts"])
            message = body.get("pending_user_message")
            if message is None and not wanted:
                message = task["description"]
            self._cloud.start(run, message, wanted)
        return Reply(200, self._cloud.show_task(task))

    # -- changing

    def _patch(self, body: Object, run: Object) -> Reply:
        if run["status"] in TERMINAL:
            return Reply(200, self._cloud.show_run(run))
        changes: Object = {
            key: body[key] for key in ("status", "branch", "stage", "error_message", "output") if key in body
        }
        if changes.get("output") is None:
            changes.pop("output", None)
        state = body.get("state") or {}
        changes["state"] = {key: value for key, value in state.items() if key not in _FORBIDDEN_STATE}
        with self._store.lock:
            for key in body.get("state_remove_keys") or ():
                run["state"].pop(key, None)
        if body.get("environment") not in (None, "local"):
            raise invalid("A run can only be made local.", "environment")
        if body.get("environment") == "local" and run["environment"] == "cloud":
            self._cloud.go_local(run)
        self._cloud.patch_run(run, changes)
        return Reply(200, self._cloud.show_run(run))

    def _cancel(self, run: Object) -> Reply:
        if run["environment"] != "cloud":
            raise refused("Only cloud runs can be cancelled")
        if run["status"] in TERMINAL:
            return Reply(200, self._cloud.show_run(run))
        engine = self._cloud.engine(run["id"])
        if engine is not None:
            engine.finish("cancelled")
        else:
            self._cloud.patch_run(run, {"status": "cancelled"})
            self._cloud.log(run["id"]).end()
        return Reply(202, self._cloud.show_run(run))

    def _command(self, request: Request, run: Object) -> Reply:
        body, params = request.body, request.body.get("params") or {}
        method = str(body.get("method") or "")
        request.facts["command"] = method
        if body.get("jsonrpc") != "2.0":
            raise invalid('jsonrpc must be "2.0".', "jsonrpc")
        if method not in _COMMANDS:
            raise invalid(f'"{method}" is not a valid choice.', "method", "invalid_choice")
        for name in _COMMANDS[method]:
            if params.get(name) in (None, ""):
                raise invalid(f"params.{name} is required.", "params")
        if method == "user_message":
            if not params.get("content") and not params.get("artifact_ids"):
                raise invalid("content or artifact_ids is required.", "params")
            known = [artifact["id"] for artifact in run["artifacts"]]
            lost = [one for one in params.get("artifact_ids") or () if one not in known]
            if lost:
                raise Failure(400, {"error": "Unknown artifact_ids", "missing_artifact_ids": lost})
        engine = self._cloud.engine(run["id"])
        if engine is None or not engine.reachable or run["status"] in TERMINAL:
            raise unreachable(run)
        answer: Object = {"jsonrpc": "2.0"} | ({"id": body["id"]} if "id" in body else {})
        try:
            match method:
                case "user_message":
                    answer["result"] = engine.user_message(params)
                case "cancel":
                    answer["result"] = engine.cancel()
                case "close":
                    answer["result"] = engine.close(params.get("localGitState") or {})
                case "permission_response":
                    answer["result"] = engine.permission_response(params)
                case _:
                    answer["result"] = engine.set_config_option(params)
        except CommandError as error:
            answer["error"] = {"code": error.code, "message": str(error)}
        request.facts["delivered"] = "result" in answer
        return Reply(200, answer)

    # -- reading

    def _session_logs(self, request: Request, run: Object) -> Reply:
        query = request.query
        runs = [run] if self._store.config["older"] else self._store.chain(run)
        entries = [entry for one in runs for entry in self._cloud.log(one["id"]).stored()]
        chosen = entries
        if query.get("after"):
            after = parse_time(query["after"])
            chosen = [entry for entry in chosen if entry.get("timestamp") and parse_time(entry["timestamp"]) > after]
        for name, keeps in (("event_types", True), ("exclude_types", False)):
            if query.get(name):
                kinds = set(re.split(r",\s*", query[name]))
                chosen = [entry for entry in chosen if (event_type(entry) in kinds) == keeps]
        limit = number(query.get("limit"), 1000, 5000) or 1000
        offset = number(query.get("offset"), 0, 1 << 30)
        page = chosen[offset : offset + limit]
        headers = {
            "X-Total-Count": str(len(entries)),
            "X-Filtered-Count": str(len(page)),
            "X-Matching-Count": str(len(chosen)),
            "X-Has-More": "true" if len(chosen) > offset + len(page) else "false",
        }
        return Reply(200, page, headers)


def unreachable(run: Object) -> Failure:
    """Why a command cannot be delivered."""
    if run["status"] in TERMINAL:
        return refused("Task run workflow has ended", 409)
    return refused("No active sandbox for this task run", 400, type="runtime_unavailable", code="sandbox_not_ready")
