"""What every session actor works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from posthog_code.domain.ids import TaskId
from posthog_code.domain.session import Ask
from posthog_code.ports.agent import AgentHost
from posthog_code.ports.clock import Clock
from posthog_code.ports.git import Checkpoints, Git
from posthog_code.ports.storage import Journals
from posthog_code.services.agents import Agents
from posthog_code.services.changes import ChangesService
from posthog_code.services.logs import Logs
from posthog_code.services.scope import Scope
from posthog_code.services.store import Store

AskPolicy = Callable[[TaskId, Ask], str | None]
"""The option to take without asking the person, or None to ask."""


@dataclass
class SessionParts:
    store: Store
    journals: Journals
    host: AgentHost
    agents: Agents
    checkpoints: Checkpoints
    git: Git
    changes: ChangesService
    logs: Logs
    clock: Clock
    scope: Scope
    policy: AskPolicy
