"""Every adapter and service, connected by plain constructor calls.

Importing this module imports them all, which takes longer than painting the window: `app.container` does it when the
first of them is asked for.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import webbrowser
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from posthog_code.adapters.acp import make_agent_host
from posthog_code.adapters.agents import make_catalogue
from posthog_code.adapters.code import make_code_reader
from posthog_code.adapters.forge.github import GitHub
from posthog_code.adapters.git import make_git
from posthog_code.adapters.mcp.proxy import LoopbackProxy
from posthog_code.adapters.posthog.account import PostHogAccount
from posthog_code.adapters.process.shell import ShellCommands
from posthog_code.adapters.secrets.keyring_store import Keyring
from posthog_code.adapters.storage.attachments import FileAttachments
from posthog_code.adapters.storage.database import SqliteDatabase
from posthog_code.adapters.storage.journal import FileJournals
from posthog_code.adapters.storage.task_logs import FileTaskLogs
from posthog_code.app.paths import Paths
from posthog_code.domain import pull_request_text
from posthog_code.domain.ids import TaskId
from posthog_code.domain.logs import LogSource
from posthog_code.domain.task import Workspace
from posthog_code.ports.clock import Clock
from posthog_code.ports.git import Git
from posthog_code.services.account import AccountService
from posthog_code.services.agents import Agents
from posthog_code.services.app import Services
from posthog_code.services.cloud_changes import AllChanges, CloudSource
from posthog_code.services.cloud_sessions import AllSessions
from posthog_code.services.cloud_tasks import CloudTasks
from posthog_code.services.code_context import CodeContext
from posthog_code.services.code_reading import ChangedCodeReader
from posthog_code.services.code_search import CodeSearch
from posthog_code.services.code_signals import CodeSignalsService
from posthog_code.services.emitting import Emitting
from posthog_code.services.flaky_scan import FlakyScan
from posthog_code.services.handover import Handover
from posthog_code.services.handover_parts import HandoverParts
from posthog_code.services.inbox import InboxService
from posthog_code.services.inbox_evidence import InboxEvidence
from posthog_code.services.inbox_nearness import InboxNearness
from posthog_code.services.inbox_triage import InboxTriage
from posthog_code.services.logs import Logs
from posthog_code.services.mcp import AccountTokens, McpProxies
from posthog_code.services.product_facts import ProductFactsReader
from posthog_code.services.provenance import ProvenanceService
from posthog_code.services.pull_requests import PullRequests
from posthog_code.services.rebuild import Folders, Rebuild
from posthog_code.services.reconcile import Reconcile
from posthog_code.services.release_code import ReleaseCode
from posthog_code.services.release_follow_up import FollowUps
from posthog_code.services.releases import ReleaseParts, ReleaseWatches
from posthog_code.services.report_tasks import ReportTasks
from posthog_code.services.repositories import Repositories
from posthog_code.services.restore import Restore
from posthog_code.services.reviews import Reviews
from posthog_code.services.scope import Scope
from posthog_code.services.session_parts import AskPolicy, SessionParts
from posthog_code.services.settings import SettingsService
from posthog_code.services.setup import TaskSetup
from posthog_code.services.shelf import Shelf
from posthog_code.services.store import Store
from posthog_code.services.tasks import TaskHooks, Tasks
from posthog_code.services.trash import SessionHooks, Trash

log = logging.getLogger("cloud")
_PLUMBING = re.compile(
    r"^git (-c \S+ |--\S+ )*(rev-parse|symbolic-ref|ls-files|ls-tree|for-each-ref|merge-base|diff|diff-index|cat-file|"
    r"config|write-tree|hash-object|mktree|commit-tree|update-index|check-ignore|check-attr|status|log|rev-list|add "
    r"--intent-to-add)\b.*→ exit [01] "
)
# Not from the folder that an agent works in, which may hold a package of the same name. A frozen build starts itself.
_BRIDGE = (
    (sys.executable, "mcp-bridge")
    if getattr(sys, "frozen", False)
    else (sys.executable, "-P", "-m", "posthog_code", "mcp-bridge")
)


def _is_quiet(line: str) -> bool:
    """Reads and the inner steps of a checkpoint, which run several times a second while an agent edits: a person who
    looks at the log wants what changed something, and what failed."""
    return _PLUMBING.match(line) is not None


@dataclass(frozen=True)
class Wired:
    services: Services
    forge: GitHub
    git: Git


def wire(
    paths: Paths,
    database: SqliteDatabase,
    store: Store,
    scope: Scope,
    *,
    policy: AskPolicy,
    clock: Clock,
    env: Mapping[str, str] | None,
) -> Wired:
    """Everything besides the store and the scope. Call it on the loop's thread."""
    journals = FileJournals(paths.journals)
    attachments = FileAttachments(paths.attachments)
    task_logs = FileTaskLogs(paths.task_logs)
    logs = Logs(store, journals, task_logs, clock)

    def on_git(folder: Path, line: str) -> None:
        if _is_quiet(line):
            return
        task = next((t for t in store.state.tasks.values() if t.path and folder == Path(t.path)), None)
        if task is not None:
            logs.write(task.id, LogSource.GIT, line)

    def is_local(folder: Path) -> bool:
        tasks = store.state.tasks.values()
        return any(t.workspace is Workspace.LOCAL and t.path and Path(t.path) == folder for t in tasks)

    git = make_git(log=on_git, trash=paths.trash, is_local=is_local, auth=lambda url: forge.lent(url))
    agents = Agents(store, make_catalogue(paths.agents))
    host = make_agent_host(clock)
    changes = AllChanges(store, git.git, git.changes, git.checkpoints, git.watcher, clock, scope)
    keyring = Keyring()
    posthog = PostHogAccount(
        keyring, paths.home / "locks", env=env, log=lambda line: log.info("%s", line), now=clock.now
    )
    account = AccountService(store, posthog, open_browser=webbrowser.open)
    mcp = McpProxies(
        store,
        account,
        LoopbackProxy(),
        AccountTokens(account, posthog.credentials),
        logs,
        clock,
        scope,
        env=os.environ if env is None else env,
        bridge=_BRIDGE,
    )
    sessions = AllSessions(
        SessionParts(
            store,
            journals,
            attachments,
            host,
            agents,
            git.checkpoints,
            changes,
            logs,
            clock,
            scope,
            policy,
            account.cloud_of,
            account.restore,
            mcp,
        )
    )
    changes.cloud = CloudSource(git.git, git.transfer, sessions.transcript, sessions.cloud_folder)
    code_reader = make_code_reader()
    code_search = CodeSearch(git.git, code_reader)
    product_facts = ProductFactsReader(account, clock)
    account.on_change(product_facts.forget)
    code_context = CodeContext(store, code_search, product_facts, clock)
    code_signals = CodeSignalsService(
        store,
        changes,
        ChangedCodeReader(store, changes, git.git, code_reader),
        product_facts,
        code_search,
        sessions.prompt,
        clock,
        scope,
    )
    setup = TaskSetup(store, git.git, git.worktrees, ShellCommands(), logs, clock, paths.worktrees)
    shelf = Shelf(
        store, git.git, git.worktrees, git.checkpoints, git.publishing, clock, paths.trash, stop_run=sessions.end
    )
    tasks = Tasks(
        store,
        clock,
        setup,
        shelf,
        TaskHooks(sessions.first_prompt, sessions.forget, sessions.claim, sessions.unlock, sessions.kick),
        scope,
    )

    async def last_words(task_id: TaskId) -> str:
        transcript = await sessions.load_transcript(task_id)
        return pull_request_text.last_words(transcript.items)

    forge = GitHub(
        keyring,
        api_url=lambda: store.state.settings.github_api_url,
        env=env,
        log=lambda line: pull_requests.network(line),
    )
    pull_requests = PullRequests(
        store,
        git.git,
        git.publishing,
        git.changes,
        forge,
        clock,
        scope,
        log=lambda task_id, source, text: logs.write(task_id, source, text),
        summary=last_words,
        secrets=keyring,
        coverage=code_signals.coverage,
    )
    restore = Restore(store, git.checkpoints, git.changes, changes, clock, sessions.claim)
    repositories = Repositories(store, git.git, clock)
    folders = Folders(paths.worktrees, paths.trash)
    cloud = CloudTasks(store, account, sessions, clock, scope)
    handover_parts = HandoverParts(
        store,
        git.git,
        git.checkpoints,
        git.publishing,
        git.transfer,
        forge,
        sessions,
        logs,
        clock,
        account.cloud,
        setup.folder,
    )
    nearness = InboxNearness(store, git.git, git.changes, clock)
    triage = InboxTriage(store, account, clock)
    inbox = InboxService(
        store,
        account,
        InboxEvidence(store, account, nearness, clock, scope),
        nearness,
        triage,
        ReportTasks(store, tasks, cloud, agents, triage.link, clock, scope, code_context.text),
        clock,
        scope,
    )
    emitting = Emitting(store, account.signals, FlakyScan(store, journals, changes.between), clock)
    release_parts = ReleaseParts(
        store,
        account,
        ReleaseCode(store, changes, git.changes, code_signals),
        FollowUps(store, emitting, tasks, agents),
        pull_requests.landing,
        inbox.resolve,
        clock,
        scope,
    )
    services = Services(
        store=store,
        scope=scope,
        repositories=repositories,
        tasks=tasks,
        sessions=sessions,
        changes=changes,
        provenance=ProvenanceService(store, git.git, git.changes),
        reviews=Reviews(store, clock, sessions.prompt),
        pull_requests=pull_requests,
        agents=agents,
        settings=SettingsService(store),
        logs=logs,
        account=account,
        cloud=cloud,
        code_signals=code_signals,
        code_context=code_context,
        inbox=inbox,
        emitting=emitting,
        releases=ReleaseWatches(release_parts),
        mcp=mcp,
        handover=Handover(handover_parts, tasks, setup, repositories, scope, shelf.put_away, cloud.close),
        restore=restore,
        reconcile=Reconcile(store, journals, host, setup, clock, changes.refresh, scope),
        rebuild=Rebuild(store, repositories, git.checkpoints, git.remains, journals, clock, folders),
        trash=Trash(
            store,
            git.checkpoints,
            git.remains,
            journals,
            task_logs,
            attachments,
            SessionHooks(sessions.end, sessions.release),
            paths.trash,
        ),
        problems=tuple(database.problems),
    )
    return Wired(services, forge, git.git)
