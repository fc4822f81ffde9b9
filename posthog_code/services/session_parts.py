"""What every session actor works with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from posthog_code.domain.errors import NotSignedIn
from posthog_code.domain.ids import TaskId
from posthog_code.domain.session import Ask
from posthog_code.domain.task import Task
from posthog_code.ports.agent import AgentHost, McpServer
from posthog_code.ports.clock import Clock
from posthog_code.ports.cloud import Cloud
from posthog_code.ports.git import Checkpoints
from posthog_code.ports.storage import Attachments, Journals
from posthog_code.services.agents import Agents
from posthog_code.services.changes import ChangesService
from posthog_code.services.logs import Logs
from posthog_code.services.scope import Scope
from posthog_code.services.store import Store

AskPolicy = Callable[[TaskId, Ask], str | None]
"""The option to take without asking the person, or None to ask."""

CloudOf = Callable[[Task], Cloud]
"""The cloud that a task's run is in. Raises NotSignedIn."""


def no_cloud(_task: Task) -> Cloud:
    raise NotSignedIn("You are not signed in to PostHog.", "Sign in (posthog-code login).")


async def nothing() -> None:
    return None


class AgentServers(Protocol):
    """MCP servers that an agent gets from us (services.mcp.McpProxies)."""

    async def servers_for(self, task: Task) -> tuple[McpServer, ...]: ...

    def release(self, task_id: TaskId) -> None:
        """The agent is gone."""


class NoServers:
    async def servers_for(self, task: Task) -> tuple[McpServer, ...]:
        return ()

    def release(self, task_id: TaskId) -> None:
        return None


@dataclass
class SessionParts:
    store: Store
    journals: Journals
    attachments: Attachments
    host: AgentHost
    agents: Agents
    checkpoints: Checkpoints
    changes: ChangesService
    logs: Logs
    clock: Clock
    scope: Scope
    policy: AskPolicy
    cloud: CloudOf = no_cloud
    sign_in: Callable[[], Awaitable[object]] = nothing
    """Goes on with the last sign-in to the cloud, if that has not happened yet."""
    mcp: AgentServers = field(default_factory=NoServers)
