"""Asks a server of tools that the client gave to the session."""

from __future__ import annotations

import re
from typing import Any

from posthog_code.demo.agent.mcp import Client, McpFailed
from posthog_code.demo.agent.turn import Refused, Turn
from posthog_code.demo.agent.wire import JsonObject

SERVER = "posthog"
_SHOWN = 4_000
"""Characters of an answer."""
_READS = re.compile(r"(^|[-_])(list|get|read|search|query|all)([-_]|$)")


def ask_posthog(turn: Turn) -> None:
    """ "ask posthog", or with the name of a tool: "ask posthog feature-flags-list"."""
    server = next((one for one in turn.session.servers if one.get("name") == SERVER), None)
    if server is None:
        turn.say("PostHog's tools were not given to this session.")
        return
    turn.think("PostHog may know something about this. I ask it what tools it has.")
    try:
        with Client(server) as client:
            tools = client.tools()
            tool = _chosen(tools, turn.prompt)
            _use(turn, client, tool, len(tools))
    except McpFailed as problem:
        raise Refused(f"PostHog's tools: {problem}") from problem


def _use(turn: Turn, client: Client, tool: JsonObject, known: int) -> None:
    name, arguments = str(tool.get("name")), _arguments(tool, turn.prompt)
    call = turn.call("fetch", f"{SERVER}: {name}", arguments)
    turn.pause(0.4)
    try:
        text, failed = client.call(name, arguments)
    except McpFailed as problem:
        turn.finish(call, text=str(problem), failed=True)
        raise
    turn.finish(call, text=text[:_SHOWN] or "(nothing)", failed=failed)
    first = next((line.strip() for line in text.splitlines() if line.strip()), "nothing")[:200]
    turn.say(f"PostHog has {known} tools here. `{name}` {'failed' if failed else 'says'}: {first}")


def _chosen(tools: list[JsonObject], prompt: str) -> JsonObject:
    """The one that the prompt names, else one that only reads. Raises McpFailed when there is none."""
    words = set(re.findall(r"[\w-]+", prompt))
    named = [tool for tool in tools if tool.get("name") in words]
    reads = [tool for tool in tools if _READS.search(str(tool.get("name")))]
    for tool in (*named, *reads, *tools):
        return tool
    raise McpFailed("the server has no tools")


def _arguments(tool: JsonObject, prompt: str) -> dict[str, Any]:
    """Something for each argument that must be there."""
    schema = tool.get("inputSchema")
    schema = schema if isinstance(schema, dict) else {}
    properties, required = schema.get("properties"), schema.get("required")
    fills: dict[str, Any] = {"integer": 1, "number": 1, "boolean": False, "array": [], "object": {}}
    kinds = properties if isinstance(properties, dict) else {}
    return {
        name: fills.get(str((kinds.get(name) or {}).get("type")), prompt.strip())
        for name in (required if isinstance(required, list) else ())
    }
