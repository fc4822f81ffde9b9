"""PostHog's cloud in our words: who is signed in, and the tasks and runs that live there.

Every word that the server chooses from a list (status, origin, environment, kind) stays text, whether we know it or
not; whatever it leaves out has a default. Times are UNIX seconds, 0.0 when unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TERMINAL = frozenset({"completed", "failed", "cancelled"})
"""Run states after which a run never goes on."""
NOT_STARTED = frozenset({"not_started", "queued"})


@dataclass(frozen=True, slots=True)
class CloudUser:
    id: int = 0
    """The number that tasks are filtered by; 0 when unknown."""
    uuid: str = ""
    name: str = ""
    email: str = ""

    @property
    def label(self) -> str:
        return self.name or self.email or (str(self.id) if self.id else "")


@dataclass(frozen=True, slots=True)
class Organization:
    id: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Project:
    id: int
    name: str = ""
    organization_id: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """Who is signed in to which PostHog. Holds no secret."""

    host: str = ""
    """Origin without a trailing slash, e.g. https://eu.posthog.com."""
    region: str = ""
    """"us", "eu", or "" for a host of one's own."""
    login: str = ""
    """"oauth", "api_key", or "" when nobody is signed in."""
    user: CloudUser = field(default_factory=CloudUser)
    organizations: tuple[Organization, ...] = ()
    organization_id: str = ""
    projects: tuple[Project, ...] = ()
    """Projects of the current organization that the credentials may reach."""
    project_id: int = 0
    """The chosen one; 0 while there is none."""
    scopes: tuple[str, ...] = ()
    client_id: str = ""
    """OAuth client that the session belongs to; a later sign-in on the same host uses it again."""
    kept: str = "keyring"
    """Where the secret is: "keyring", "memory" (this run only) or "environment"."""
    problem: str = ""
    """Why calls fail at the moment although somebody is signed in (expired, revoked, offline), in one sentence."""
    chosen_projects: Mapping[str, int] = field(default_factory=dict)
    """Last project by `<host> <user uuid>`."""

    @property
    def signed_in(self) -> bool:
        return bool(self.login)

    @property
    def project(self) -> Project | None:
        return next((one for one in self.projects if one.id == self.project_id), None)


@dataclass(frozen=True, slots=True)
class CloudArtifact:
    """A file of a run: an attachment, a plan, the pack of a checkpoint."""

    id: str
    name: str = ""
    type: str = ""
    """plan, context, reference, output, artifact, tree_snapshot, user_attachment, or another word."""
    source: str = ""
    size: int = 0
    content_type: str = ""
    storage_path: str = ""
    uploaded_at: float = 0.0


@dataclass(frozen=True, slots=True)
class CloudRunInfo:
    """What the server tells of one run."""

    id: str
    task_id: str = ""
    status: str = ""
    """not_started, queued, in_progress, completed, failed, cancelled, or another word."""
    stage: str = ""
    environment: str = "cloud"
    """Where the agent is: "cloud" or "local"."""
    branch: str = ""
    """Branch to show and to go on from: what was pushed, else what the run was made with."""
    base: str = ""
    """Branch that a pull request would go to."""
    adapter: str = ""
    """claude, codex, or another word."""
    provider: str = ""
    model: str = ""
    effort: str = ""
    mode: str = ""
    pr_url: str = ""
    error: str = ""
    output: Mapping[str, Any] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)
    """The server's free dictionary, without secrets."""
    artifacts: tuple[CloudArtifact, ...] = ()
    log_url: str = ""
    created_at: float = 0.0
    updated_at: float = 0.0
    completed_at: float = 0.0

    @property
    def over(self) -> bool:
        return self.status in TERMINAL


@dataclass(frozen=True, slots=True)
class CloudTask:
    """A task of a project, wherever it was made."""

    id: str
    project_id: int = 0
    number: int = 0
    slug: str = ""
    title: str = ""
    description: str = ""
    repository: str = ""
    """`owner/name` in lower case; "" for a task without one."""
    origin: str = "user_created"
    creator: CloudUser = field(default_factory=CloudUser)
    run: CloudRunInfo | None = None
    """The latest one."""
    report_id: str = ""
    """Inbox report that it was made from."""
    github_integration: int = 0
    github_user_integration: str = ""
    internal: bool = False
    archived: bool = False
    created_at: float = 0.0
    updated_at: float = 0.0
    seen: str = ""
    """What the person last saw of it (`cloud_lists.mark`); ours, not the server's."""
    waiting: bool = False
    """Its run waited for an answer when its log was last looked at; ours too."""


@dataclass(frozen=True, slots=True)
class CloudList:
    """The tasks of the chosen project as they were when the server was last asked."""

    tasks: Mapping[str, CloudTask] = field(default_factory=dict)
    project_id: int = 0
    fetched_at: float = 0.0
    """When the list was complete and fresh; 0.0 for never."""
    loading: bool = False
    error: str = ""
    """Why it is not fresher, in one sentence."""
    hint: str = ""
