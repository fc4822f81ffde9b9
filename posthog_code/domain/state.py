"""The state plane: everything the window shows besides transcripts and logs, as one frozen tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from posthog_code.domain.cloud import Account, CloudList
from posthog_code.domain.ids import RepositoryId, SessionId, TaskId
from posthog_code.domain.inbox import Inbox
from posthog_code.domain.pull_request import PullRequest
from posthog_code.domain.review import Comment
from posthog_code.domain.session import Session
from posthog_code.domain.settings import Settings
from posthog_code.domain.task import QueuedMessage, Repository, Step, Task, TaskPhase
from posthog_code.domain.telling import Telling

if TYPE_CHECKING:
    from posthog_code.domain.agent import AgentInfo
    from posthog_code.domain.changes import ChangeSet
    from posthog_code.domain.code_signals import CodeSignals
    from posthog_code.domain.release_watch import ReleaseWatch


class Topic(NamedTuple):
    """What changed: a kind, and the id of the thing ("" for the collection)."""

    kind: str
    """tasks, task, repositories, session, transcript, log, queue, comments, changes, pull_request, publish, settings,
    agents, account, mcp, cloud, inbox, code_signals, watch, telling."""
    id: str = ""


@dataclass(frozen=True, slots=True)
class AppState:
    repositories: Mapping[RepositoryId, Repository] = field(default_factory=dict)
    tasks: Mapping[TaskId, Task] = field(default_factory=dict)
    sessions: Mapping[SessionId, Session] = field(default_factory=dict)
    queue: Mapping[TaskId, tuple[QueuedMessage, ...]] = field(default_factory=dict)
    comments: Mapping[TaskId, tuple[Comment, ...]] = field(default_factory=dict)
    viewed: Mapping[TaskId, Mapping[str, str]] = field(default_factory=dict)
    """Path to the fingerprint of the diff that was marked as viewed."""
    drafts: Mapping[str, str] = field(default_factory=dict)
    """Unsent composer text by task id; "" is *New task*."""
    pull_requests: Mapping[TaskId, PullRequest] = field(default_factory=dict)
    publishing: Mapping[TaskId, tuple[Step, ...]] = field(default_factory=dict)
    """Steps of *Create PR* that runs, or that stopped at a failure and can be resumed."""
    changes: Mapping[TaskId, ChangeSet] = field(default_factory=dict)
    """Of tasks in view; not kept on disk."""
    settings: Settings = field(default_factory=Settings)
    agents: tuple[AgentInfo, ...] = ()
    """Catalogue and what is installed; empty until detection has run."""
    account: Account = field(default_factory=Account)
    cloud: CloudList = field(default_factory=CloudList)
    """Tasks of the chosen project; kept on disk, so that they are there before the server answers."""
    inbox: Inbox = field(default_factory=Inbox)
    watches: Mapping[TaskId, ReleaseWatch] = field(default_factory=dict)
    telling: Telling = field(default_factory=Telling)
    """Signals that were sent from here."""
    code_signals: Mapping[TaskId, CodeSignals] = field(default_factory=dict)
    """Of tasks in view; not kept on disk."""

    def session_of(self, task_id: TaskId) -> Session | None:
        task = self.tasks.get(task_id)
        return self.sessions.get(task.session_id) if task else None

    def repository_of(self, task_id: TaskId) -> Repository | None:
        task = self.tasks.get(task_id)
        return self.repositories.get(task.repository_id) if task else None

    def visible_tasks(self) -> list[Task]:
        """Tasks that are neither archived nor deleted, newest first."""
        hidden = (TaskPhase.ARCHIVED, TaskPhase.DELETED)
        shown = [task for task in self.tasks.values() if task.phase not in hidden]
        return sorted(shown, key=lambda task: task.created_at, reverse=True)
