"""A small MCP server over streamable HTTP: what an agent may ask the demo's product."""

from __future__ import annotations

import json
from typing import Any

from posthog_code.demo import inbox, signals
from posthog_code.demo.cloud_tasks import PROJECT
from posthog_code.demo.posthog.oauth import OAuth, need
from posthog_code.demo.posthog.query import Queries
from posthog_code.demo.posthog.store import Store, new_id
from posthog_code.demo.posthog.wire import Failure, Json, Object, Reply, Request, now

PATH = "/mcp"
VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""Of the protocol; a client that names none of them is told the first one."""
METHOD_NOT_FOUND, INVALID_PARAMS, PARSE_ERROR, INVALID_REQUEST = -32601, -32602, -32700, -32600
_TEXT = {"type": "string"}
TOOLS: tuple[Object, ...] = (
    {
        "name": "feature-flag-get-all",
        "description": "The feature flags of the project with their rollout.",
        "inputSchema": {"type": "object", "properties": {}},
        "annotations": {"readOnlyHint": True},
    },
    {
        "name": "list-errors",
        "description": "Errors of the last days with where they happen, the most frequent first.",
        "inputSchema": {"type": "object", "properties": {"days": {"type": "integer", "minimum": 1, "maximum": 30}}},
        "annotations": {"readOnlyHint": True},
    },
    {
        "name": "query-run",
        "description": "Run HogQL on the events of the project.",
        "inputSchema": {"type": "object", "properties": {"query": _TEXT}, "required": ["query"]},
        "annotations": {"readOnlyHint": True},
    },
)


class Mcp:
    def __init__(self, store: Store, oauth: OAuth, queries: Queries) -> None:
        self._store = store
        self._oauth = oauth
        self._queries = queries

    def handle(self, request: Request) -> Reply | None:
        """None for a path that is not ours. Raises Failure 401."""
        if request.path.rstrip("/") != PATH:
            return None
        self._oauth.authenticate(request)
        if request.method == "DELETE":
            return Reply(204)
        if request.method != "POST":
            # It has nothing to say by itself.
            return Reply(405, headers={"Allow": "POST, DELETE"})
        try:
            told: Json = json.loads(request.raw)
        except ValueError:
            return Reply(400, _error(None, PARSE_ERROR, "Parse error"))
        if not isinstance(told, dict) or not isinstance(told.get("method"), str):
            return Reply(400, _error(None, INVALID_REQUEST, "Invalid request"))
        if "id" not in told:
            return Reply(202)
        reply = Reply(200, self._answer(request, told))
        if told["method"] == "initialize":
            reply.headers["Mcp-Session-Id"] = new_id(now())
        return _as_stream(reply) if "application/json" not in request.headers.get("Accept", "*/*") else reply

    def _answer(self, request: Request, told: Object) -> Object:
        number, params = told["id"], told.get("params") or {}
        match told["method"]:
            case "initialize":
                wanted = params.get("protocolVersion")
                return _result(
                    number,
                    {
                        "protocolVersion": wanted if wanted in VERSIONS else VERSIONS[0],
                        "capabilities": {"tools": {"listChanged": False}},
                        "serverInfo": {"name": "PostHog", "version": "2.0.0"},
                        "instructions": "Reads of the project's flags, errors and events.",
                    },
                )
            case "ping":
                return _result(number, {})
            case "tools/list":
                return _result(number, {"tools": list(TOOLS)})
            case "tools/call":
                return self._call(request, number, params)
        return _error(number, METHOD_NOT_FOUND, f"Method not found: {told['method']}")

    def _call(self, request: Request, number: Json, params: Object) -> Object:
        refusals = self._store.config["mcp_refusals"]
        if refusals:
            self._store.config["mcp_refusals"] = refusals - 1 if refusals > 0 else refusals
            return _result(number, _text('{"type":"authentication_error","code":"authentication_failed"}', True))
        arguments = params.get("arguments") or {}
        if params.get("name") not in [tool["name"] for tool in TOOLS] or not isinstance(arguments, dict):
            return _error(number, INVALID_PARAMS, f"Unknown tool: {params.get('name')}")
        try:
            project = self._project(request)
            found = self._run(request, project, str(params["name"]), arguments)
        except Failure as failure:
            return _result(number, _text(json.dumps(failure.reply.body), True))
        return _result(number, _text(json.dumps(found, indent=1, ensure_ascii=False)))

    def _project(self, request: Request) -> int:
        """The one that the client names, or the current one."""
        told = request.headers.get("x-posthog-project-id", "")
        project = int(told) if told.isdigit() else int(self._store.people["current"])
        allowed = request.facts.get("projects")
        if allowed is not None and project not in allowed:
            raise Failure(403, {"detail": "You don't have access to the project."})
        return project

    def _run(self, request: Request, project: int, name: str, arguments: Object) -> Json:
        if name == "query-run":
            return self._queries.answer(request, project, str(arguments.get("query", "")))
        if name == "list-errors":
            return self._errors(request, project, arguments)
        need(request, "feature_flag:read")
        listed = signals.FLAGS if project == PROJECT else ()
        return [{"id": one.id, "key": one.key, "active": one.active, "rollout": one.rollout} for one in listed]

    def _errors(self, request: Request, project: int, arguments: Object) -> list[Object]:
        days = arguments.get("days", 7)
        days = days if isinstance(days, int) and 1 <= days <= 30 else 7
        found = self._queries.answer(
            request,
            project,
            "SELECT properties.$exception_fingerprint AS fingerprint, count() AS occurrences, "
            "count(DISTINCT person_id) AS people, any(properties.$exception_types) AS types FROM events "
            f"WHERE event = '$exception' AND timestamp >= now() - INTERVAL {days} DAY "
            "GROUP BY fingerprint ORDER BY occurrences DESC",
        )
        return [_with_place(dict(zip(found["columns"], row, strict=True))) for row in found["results"]]


def _with_place(row: Object) -> Object:
    try:
        place = inbox.error(str(row["fingerprint"])).place
    except KeyError:
        return row
    return {**row, "place": f"{place.path}:{inbox.line_of(place)}"}


def _result(number: Json, result: Object) -> Object:
    return {"jsonrpc": "2.0", "id": number, "result": result}


def _error(number: Json, code: int, message: str) -> Object:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}


def _text(text: str, failed: bool = False) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "isError": failed}


def _as_stream(reply: Reply) -> Reply:
    """For a client that takes events only."""
    data = f"event: message\ndata: {json.dumps(reply.body)}\n\n".encode()
    return Reply(200, headers=reply.headers, data=data, kind="text/event-stream")
