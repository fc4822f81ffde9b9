"""What is said before the first prompt: requests of ours, and what the answers mean.

Source: Agent Client Protocol, protocol version 1 (initialize, session/new, session/load, session/resume).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from posthog_code import __version__
from posthog_code.domain.agent import AgentSpec
from posthog_code.domain.errors import AgentFailed, NotSignedIn, UserError
from posthog_code.ports.agent import Frame, McpServer

from .rpc import AUTH_REQUIRED, RpcError

PROTOCOL_VERSION = 1

CONVERSATION = frozenset(
    {"user_message_chunk", "agent_message_chunk", "agent_thought_chunk", "tool_call", "tool_call_update", "plan"}
)
"""Kinds of session/update that a load replays. Others (commands, modes, options, usage) tell the state of now."""


def initialize_params(agent: AgentSpec) -> Frame:
    """fs and terminal only where the catalogue says that the agent needs them: offering fs breaks one that does not."""
    return {
        "protocolVersion": PROTOCOL_VERSION,
        "clientCapabilities": {
            "fs": {"readTextFile": agent.offers_fs, "writeTextFile": agent.offers_fs},
            "terminal": agent.offers_terminal,
            "elicitation": {"form": {}},
            # An extension that Zed began and both big adapters know: output of their own commands, as it comes, in
            # `_meta.terminal_output(_delta)` and `_meta.terminal_exit`.
            "_meta": {"terminal_output": True},
        },
        "clientInfo": {"name": "posthog-code", "title": "PostHog Code", "version": __version__},
    }


def session_params(cwd: Path, mcp_servers: Sequence[Mapping[str, Any]], resume: str = "") -> Frame:
    params: Frame = {"cwd": str(cwd), "mcpServers": [dict(s) for s in mcp_servers]}
    return {"sessionId": resume, **params} if resume else params


def _capabilities(initialize: Mapping[str, Any]) -> Mapping[str, Any]:
    found = initialize.get("agentCapabilities")
    return found if isinstance(found, Mapping) else {}


def offers(initialize: Mapping[str, Any], name: str) -> bool:
    """Whether a session capability (resume, close, list, fork) is offered: the key is there and not null or false."""
    session = _capabilities(initialize).get("sessionCapabilities")
    return isinstance(session, Mapping) and session.get(name) not in (None, False)


def resume_methods(initialize: Mapping[str, Any]) -> tuple[str, ...]:
    """Methods that bring back an earlier session, the best one (which replays nothing) first."""
    methods = ["session/resume"] if offers(initialize, "resume") else []
    if _capabilities(initialize).get("loadSession") is True:
        methods.append("session/load")
    return tuple(methods)


def usable_servers(
    initialize: Mapping[str, Any], servers: Sequence[Mapping[str, Any]]
) -> tuple[list[Mapping[str, Any]], list[str]]:
    """(MCP servers whose transport the agent speaks, names of the others). No `type` means stdio, a must for all."""
    spoken = _capabilities(initialize).get("mcpCapabilities")
    usable: list[Mapping[str, Any]] = []
    others: list[str] = []
    for server in servers:
        kind = server.get("type", "stdio")
        if kind == "stdio" or (isinstance(spoken, Mapping) and spoken.get(kind) is True):
            usable.append(server)
        else:
            others.append(str(server.get("name", kind)))
    return usable, others


def given_servers(initialize: Mapping[str, Any], servers: Sequence[McpServer]) -> list[Frame]:
    """Servers of ours as `mcpServers` entries: over HTTP where the agent speaks it, else as a program to start."""
    spoken = _capabilities(initialize).get("mcpCapabilities")
    if isinstance(spoken, Mapping) and spoken.get("http") is True:
        return [{"type": "http", "name": s.name, "url": s.url, "headers": []} for s in servers]
    return [
        {
            "name": s.name,
            "command": s.command[0],
            "args": list(s.command[1:]),
            "env": [{"name": name, "value": value} for name, value in s.env.items()],
        }
        for s in servers
        if s.command
    ]


def for_journal(params: Frame) -> Frame | None:
    """The same parameters without the addresses and variables of MCP servers, which are secrets; None when there are
    none."""
    if not params.get("mcpServers"):
        return None
    shown = []
    for entry in params["mcpServers"]:
        hidden = {**entry, "url": "…"} if "url" in entry else dict(entry)
        if isinstance(variables := entry.get("env"), list):
            hidden["env"] = [{**variable, "value": "…"} for variable in variables]
        shown.append(hidden)
    return {**params, "mcpServers": shown}


def check_version(agent: AgentSpec, initialize: Mapping[str, Any]) -> None:
    """Raises AgentFailed for an agent of another protocol version."""
    version = initialize.get("protocolVersion", PROTOCOL_VERSION)
    if version != PROTOCOL_VERSION:
        raise AgentFailed(
            f"{agent.name} speaks version {version} of the Agent Client Protocol, and this app speaks version 1.",
            "Install a version of the agent that speaks version 1." if not agent.install else f"Try: {agent.install}",
        )


def sign_in_hint(agent: AgentSpec, initialize: Mapping[str, Any]) -> str:
    """What to do to sign in: as the catalogue says, else as the agent says in its `authMethods`."""
    if agent.sign_in:
        return agent.sign_in
    methods = initialize.get("authMethods")
    for method in methods if isinstance(methods, list) else ():
        if isinstance(method, Mapping) and (words := method.get("description") or method.get("name")):
            return str(words)
    return f"Sign in with {agent.name}'s own program, then try again."


def user_error(agent: AgentSpec, error: RpcError, initialize: Mapping[str, Any], detail: str = "") -> UserError:
    """An agent's error answer as the person should read it."""
    data = error.data
    if isinstance(data, Mapping):
        data = data.get("details") or data.get("message") or data
    words = "\n".join(str(part) for part in (data, detail) if part)
    if error.code == AUTH_REQUIRED:
        return NotSignedIn(
            f"{agent.name} is not signed in.", sign_in_hint(agent, initialize), f"{error.message}\n{words}".strip()
        )
    return AgentFailed(
        f"{agent.name}: {error.message.rstrip('.')}.",
        "Try again; the log has the whole answer.",
        f"{error.method} was answered with error {error.code}.\n{words}".strip(),
    )
