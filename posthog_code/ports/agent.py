"""Runs: a stream of ACP frames and a way to answer, wherever the agent is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from posthog_code.domain.agent import AgentInfo, AgentSpec

Frame = dict[str, Any]
"""One JSON-RPC 2.0 message of ACP, as it was on the wire."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """Something a run told: exactly one of the parts is set."""

    frame: Frame | None = None
    """A frame from the agent, already in the journal; also its requests, which `Run.respond` answers."""
    sent: Frame | None = None
    """A frame that we sent (already in the journal), so that one fold sees both directions in order."""
    stderr: str = ""
    """One line of the agent's error output."""
    garbage: str = ""
    """A line on stdout that is no JSON object, cut to 2,000 characters."""
    exited: Exited | None = None
    """The last thing that a run tells."""


@dataclass(frozen=True, slots=True)
class Exited:
    code: int | None
    """Exit code; negative is the number of the signal; None when it never started."""
    reason: str = ""


OnIncoming = Callable[[Incoming], None]
"""Synchronous: puts it into the session's inbox and returns."""


@dataclass(frozen=True, slots=True)
class McpServer:
    """An MCP server of ours for an agent, in both ways in which it can be given. Its address is a secret: whoever
    knows it may use it, so it is in no journal and no log."""

    name: str
    url: str = field(repr=False)
    """For agents that speak HTTP."""
    command: tuple[str, ...] = ()
    """For the others: a program that brings them there over its stdin and stdout."""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of that program."""


@dataclass(frozen=True, slots=True)
class RunSpec:
    agent: AgentSpec
    command: tuple[str, ...]
    """Resolved program and arguments."""
    cwd: Path
    env: Mapping[str, str]
    """The full environment of the process."""
    writable: tuple[Path, ...] = ()
    """Folders that fs/* and terminal/* may reach besides `cwd`."""
    run_id: str = ""
    mcp_servers: tuple[McpServer, ...] = ()
    """Handed to the session when it is opened, in the way that the agent can take."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What `initialize` and `session/new|load|resume` answered."""

    agent_session_id: str
    initialize: Frame = field(default_factory=dict)
    """`result` of initialize."""
    session: Frame = field(default_factory=dict)
    """`result` of session/new, load or resume."""
    resumed: bool = False
    """The agent knows the earlier conversation."""


class Run(Protocol):
    """A live agent. All methods raise AgentFailed when the process is gone or does not answer in time."""

    pid: int
    pid_started: float

    async def open(self, *, resume: str = "", mcp_servers: Sequence[Mapping[str, Any]] = ()) -> Opened:
        """initialize, then session/new; or load/resume when the agent can and `resume` is its session id. What a
        session/load replays is not delivered as new frames (it is in our journal already)."""

    async def prompt(self, blocks: Sequence[Mapping[str, Any]]) -> Frame:
        """session/prompt; gives the result ({"stopReason": ...}) once the turn is over, after all its updates were
        delivered. Raises AgentFailed with the agent's error."""

    async def cancel(self) -> None:
        """session/cancel (a notification); `prompt` then returns "cancelled". Escalates by itself: after 10 s without
        an answer the process group is ended and `prompt` raises."""

    def respond(self, request_id: int | str, result: Mapping[str, Any]) -> None:
        """Answer a request of the agent (permission, elicitation)."""

    def respond_error(self, request_id: int | str, code: int, message: str) -> None: ...

    async def set_mode(self, mode_id: str) -> Frame: ...

    async def set_option(self, option_id: str, value: str | bool) -> Frame: ...

    async def set_model(self, model_id: str) -> Frame: ...

    async def close(self) -> None:
        """Stop ladder: session/close if offered, close stdin, TERM, KILL, each for the whole process group; returns
        when nothing of it is left."""


class AgentHost(Protocol):
    """Starts agents. fs/* and terminal/* requests are answered inside it, confined to the worktree."""

    async def start(self, spec: RunSpec, journal: Any, on_incoming: OnIncoming) -> Run:
        """Spawn in a process group of its own, with a parent-death signal where there is one.

        `journal` is a ports.storage.Journal: each frame, in both directions, is appended before anything else.
        Raises AgentFailed when the program is missing or cannot be executed.
        """

    def reap(self, pid: int, started: float) -> bool:
        """End a survivor of an earlier run of the app (whole group), if pid and start time match. True if one was
        ended. Blocks for up to a few seconds: call it in a thread."""

    def reap_marked(self, run_ids: Collection[str]) -> int:
        """End what carries the mark of these earlier runs (RunSpec.run_id), wherever it went; gives how many processes
        there were. Blocks for up to a few seconds: call it in a thread."""


class AgentCatalogue(Protocol):
    def specs(self) -> tuple[AgentSpec, ...]:
        """Entries of resources/agents/*.toml and the user's folder; a broken file is skipped and reported."""

    async def detect(self, chosen_paths: Mapping[str, str]) -> tuple[AgentInfo, ...]:
        """What is installed here, with versions; never runs longer than a few seconds."""

    def problems(self) -> tuple[str, ...]: ...
