"""Repositories and tasks: what a person asked for, and where it is being done."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import PurePath

from posthog_code.domain.ids import MessageId, RepositoryId, SessionId, TaskId


class Workspace(StrEnum):
    """Where a task's agent works."""

    WORKTREE = "worktree"
    """A git worktree and branch of its own (the default)."""
    LOCAL = "local"
    """The person's own checkout: nothing is isolated, nothing is cleaned up."""
    CLOUD = "cloud"
    """A sandbox of PostHog: nothing of it is on this machine but the conversation."""


class TaskPhase(StrEnum):
    SETTING_UP = "setting_up"
    READY = "ready"
    SETUP_FAILED = "setup_failed"
    ARCHIVED = "archived"
    DELETED = "deleted"
    """Off the list, but restorable until the person empties the trash."""


class StepState(StrEnum):
    TODO = "todo"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Step:
    """One visible step of a saga (worktree set-up, pull request, archive)."""

    id: str
    title: str
    state: StepState = StepState.TODO
    started_at: float = 0.0
    ended_at: float = 0.0
    detail: str = ""
    """The last lines of output, or the error in one sentence."""


@dataclass(frozen=True, slots=True)
class DiffStat:
    files: int = 0
    added: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True)
class Repository:
    id: RepositoryId
    path: str
    """Absolute path of the main checkout, which is read-only to us."""
    name: str
    default_branch: str
    remote_url: str = ""
    setup_script: str = ""
    """Shell commands run in a new worktree; "" for none."""
    branch_prefix: str = "posthog-code/"
    added_at: float = 0.0
    posthog_mcp: bool = True
    """Local agents get PostHog's MCP server, when somebody is signed in."""
    require_coverage: bool = False
    """A pull request needs its instrumentation check to pass."""


@dataclass(frozen=True, slots=True)
class Task:
    id: TaskId
    repository_id: RepositoryId
    title: str
    prompt: str
    """The first prompt, kept as typed even when set-up fails."""
    workspace: Workspace
    agent_id: str
    session_id: SessionId
    created_at: float
    updated_at: float
    phase: TaskPhase = TaskPhase.SETTING_UP
    base: str = ""
    """Branch the work started from and is compared with, e.g. "main"."""
    base_commit: str = ""
    branch: str = ""
    path: str = ""
    """Absolute path of the worktree (or of the checkout for a local task); "" until it exists."""
    agent_command: str = ""
    """Command line of a custom agent; "" to use the catalogue's."""
    mode: str = ""
    model: str = ""
    steps: tuple[Step, ...] = ()
    """Set-up steps, the failed one with its reason."""
    pinned: bool = False
    unread: bool = False
    stat: DiffStat = field(default_factory=DiffStat)
    """Last known size of the change against the merge base."""
    port_base: int = 0
    """First of ten ports reserved for the task; 0 for none."""
    snapshot: str = ""
    """Commit of the verified snapshot an archived or deleted task is restored from."""
    trash_path: str = ""
    archived_at: float = 0.0
    deleted_at: float = 0.0
    cloud_project_id: int = 0
    """Project of the cloud task that this one is a view of, was taken over from, or was sent to; 0 for none."""
    cloud_task_id: str = ""
    cloud_run_id: str = ""
    """The cloud run that is watched or was last worked with."""
    report_id: str = ""
    """Inbox report that it was made from."""

    @property
    def folder_name(self) -> str:
        return PurePath(self.path).name


@dataclass(frozen=True, slots=True)
class TaskDraft:
    """What *New task* asks for."""

    prompt: str
    repository_id: RepositoryId
    agent_id: str
    workspace: Workspace = Workspace.WORKTREE
    base: str = ""
    """"" means the repository's default branch."""
    branch: str = ""
    """"" means: made from the title."""
    title: str = ""
    agent_command: str = ""
    mode: str = ""
    model: str = ""
    run_setup: bool = True
    attachments: tuple[str, ...] = ()
    """Absolute paths of files to send with the first prompt."""
    report_id: str = ""
    """Inbox report that it is made from."""


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A follow-up that waits for the running turn to end."""

    id: MessageId
    task_id: TaskId
    text: str
    created_at: float
    attachments: tuple[str, ...] = ()
    sender: str = ""
    """The program that sends it to the cloud; of several with one data folder exactly one does."""
    sender_until: float = 0.0
    """UNIX time after which that program is taken for gone, s."""


def with_step(
    steps: tuple[Step, ...], step_id: str, state: StepState, at: float, detail: str | None = None
) -> tuple[Step, ...]:
    """The same steps with one of them moved to `state` at UNIX time `at`."""

    def move(step: Step) -> Step:
        if step.id != step_id:
            return step
        moved = replace(step, state=state, detail=step.detail if detail is None else detail)
        if state is StepState.RUNNING:
            return replace(moved, started_at=at, ended_at=0.0)
        if state in (StepState.DONE, StepState.FAILED, StepState.SKIPPED):
            return replace(moved, ended_at=at)
        return moved

    return tuple(move(step) for step in steps)
