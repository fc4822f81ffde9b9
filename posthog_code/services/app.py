"""All services of one running program, and their life."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from posthog_code.services.account import AccountService
    from posthog_code.services.agents import Agents
    from posthog_code.services.cloud_changes import AllChanges
    from posthog_code.services.cloud_sessions import AllSessions
    from posthog_code.services.cloud_tasks import CloudTasks
    from posthog_code.services.code_context import CodeContext
    from posthog_code.services.code_signals import CodeSignalsService
    from posthog_code.services.emitting import Emitting
    from posthog_code.services.handover import Handover
    from posthog_code.services.inbox import InboxService
    from posthog_code.services.logs import Logs
    from posthog_code.services.mcp import McpProxies
    from posthog_code.services.provenance import ProvenanceService
    from posthog_code.services.pull_requests import PullRequests
    from posthog_code.services.rebuild import Rebuild
    from posthog_code.services.reconcile import Reconcile
    from posthog_code.services.releases import ReleaseWatches
    from posthog_code.services.repositories import Repositories
    from posthog_code.services.restore import Restore
    from posthog_code.services.reviews import Reviews
    from posthog_code.services.scope import Scope
    from posthog_code.services.settings import SettingsService
    from posthog_code.services.store import Store
    from posthog_code.services.tasks import Tasks
    from posthog_code.services.trash import Trash


@dataclass(frozen=True, eq=False, repr=False)
class Services:
    store: Store
    scope: Scope
    repositories: Repositories
    tasks: Tasks
    sessions: AllSessions
    changes: AllChanges
    provenance: ProvenanceService
    reviews: Reviews
    pull_requests: PullRequests
    agents: Agents
    settings: SettingsService
    logs: Logs
    account: AccountService
    cloud: CloudTasks
    code_signals: CodeSignalsService
    code_context: CodeContext
    inbox: InboxService
    emitting: Emitting
    releases: ReleaseWatches
    mcp: McpProxies
    handover: Handover
    restore: Restore
    reconcile: Reconcile
    rebuild: Rebuild
    trash: Trash
    problems: tuple[str, ...] = ()
    """What the person should hear at start: a database that was set aside, rows that could not be read."""
