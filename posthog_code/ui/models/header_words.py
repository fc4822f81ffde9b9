"""What the chips in the head of a task say."""

from __future__ import annotations

from posthog_code.domain import cloud_lists
from posthog_code.domain.cloud import CloudTask
from posthog_code.domain.state import AppState
from posthog_code.domain.task import Task, Workspace
from posthog_code.ui.models import cloud_list

WORKSPACES = {
    Workspace.WORKTREE: ("Worktree", "ph.tree-structure", "The agent works in a worktree of its own"),
    Workspace.LOCAL: ("Local", "ph.desktop", "The agent works in your own checkout"),
    Workspace.CLOUD: ("Cloud", "ph.cloud", "The agent works in a sandbox of PostHog's cloud"),
}
"""Words, icon and tooltip."""
_ADAPTERS = {"claude": "Claude Code", "codex": "Codex"}


def cloud_task(state: AppState, task: Task) -> CloudTask | None:
    """What the cloud's list knows of a task that is there."""
    return state.cloud.tasks.get(task.cloud_task_id) if task.workspace is Workspace.CLOUD else None


def repository_words(state: AppState, task: Task) -> str:
    repository, known = state.repository_of(task.id), cloud_task(state, task)
    if repository is not None:
        return repository.name
    return known.repository or "No repository" if known else "Removed repository"


def agent_words(state: AppState, task: Task) -> str:
    """ "Claude Code · Opus"."""
    known, session = cloud_task(state, task), state.session_of(task.id)
    run = known.run if known else None
    info = next((info for info in state.agents if info.spec.id == task.agent_id), None)
    name = info.spec.name if info else _ADAPTERS.get(run.adapter, run.adapter) if run else task.agent_id
    option = session.option("model") if session else None
    model = task.model or (run.model if run else "")
    if option is None:
        # A session tells its models once it has begun; until then other sessions of the agent know the name.
        others = (o for s in state.sessions.values() if s.agent_id == task.agent_id and (o := s.option("model")))
        model = next((one.name for other in others for one in other.choices if one.id == model), model)
    else:
        model = next((one.name for one in option.choices if one.id == option.current), option.current)
    return " · ".join(part for part in (name or "Agent", model) if part)


def pull_request_url(state: AppState, task: Task) -> str:
    """Address of the pull request that a cloud run opened; "" for none."""
    known = cloud_task(state, task)
    return known.run.pr_url if known and known.run else ""


def author_words(state: AppState, task: Task) -> str:
    """ "Ana Kovač · from Slack" of a task that somebody else made, or the person elsewhere; else "You"."""
    known = cloud_task(state, task)
    if known is None:
        return "You"
    name = "You" if cloud_lists.is_mine(known, state.account.user) else known.creator.label or "PostHog"
    return " · ".join(part for part in (name, cloud_list.origin_words(known)) if part)
