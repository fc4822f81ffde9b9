"""The choices of New task, from state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from posthog_code.domain.agent import AgentStatus, usual_agent
from posthog_code.domain.ids import RepositoryId
from posthog_code.domain.session import AgentCommand, Session
from posthog_code.domain.state import AppState
from posthog_code.domain.task import Repository
from posthog_code.domain.text import age
from posthog_code.ports.git import Branch
from posthog_code.ui.kit.popup import MenuItem
from posthog_code.ui.models.modes import mode_icon

ADD = "+"
RUN, SKIP, EDIT_SCRIPT = "run", "skip", "edit"


def repository_items(state: AppState) -> list[MenuItem]:
    repositories = sorted(state.repositories.values(), key=lambda r: (r.added_at, r.name))
    items = [MenuItem(r.id, r.name, "ph.folder-simple", detail=r.path) for r in repositories]
    return [*items, MenuItem(), MenuItem(ADD, "Add a repository…", "ph.plus")]


def branch_items(branches: Sequence[Branch], repository: Repository, now: float) -> list[MenuItem]:
    """The default branch first, then by their last commit; branches that are only on the remote come last."""
    known = {branch.name for branch in branches}
    items = []
    if repository.default_branch not in known:
        items.append(MenuItem(repository.default_branch, repository.default_branch, "ph.git-branch"))
    first = repository.default_branch
    for branch in sorted(branches, key=lambda b: (b.name != first, b.remote, -b.at)):
        note = f"{age(now - branch.at)}" if branch.at else ""
        icon = "ph.cloud" if branch.remote else "ph.git-branch"
        items.append(MenuItem(branch.name, branch.name, icon, note=note))
    return items


def agent_items(state: AppState) -> list[MenuItem]:
    """All agents; those that are not installed say so and cannot be chosen."""
    if not state.agents:
        wanted = state.settings.default_agent
        return [MenuItem(wanted, wanted, "ph.robot")] if wanted else []
    items = []
    for info in state.agents:
        missing = info.status is AgentStatus.NOT_INSTALLED
        note = "Not signed in" if info.status is AgentStatus.SIGNED_OUT else ""
        reason = "Not installed" if missing else ""
        items.append(MenuItem(info.spec.id, info.spec.name, "ph.robot", note=note, reason=reason))
    return items


def default_agent(state: AppState) -> str:
    """The chosen one when it is there, else the first that is ready, else the first that is installed."""
    return usual_agent(state.agents, state.settings.default_agent)


def mode_items(state: AppState, agent_id: str, current: str) -> tuple[list[MenuItem], str]:
    """Modes that the agent is known to have, and the one to show."""
    info = next((info for info in state.agents if info.spec.id == agent_id), None)
    if info is None or not info.spec.modes:
        return [], ""
    items = [MenuItem(mode, name, mode_icon(mode)) for mode, name in info.spec.modes]
    known = [item.id for item in items]
    wanted = [current, state.settings.default_mode, info.spec.default_mode, known[0]]
    return items, next(mode for mode in wanted if mode in known)


def model_items(state: AppState, agent_id: str, current: str) -> tuple[list[MenuItem], str]:
    """Models that the newest session of the agent told, and the one to show: the choice of that session.

    An agent tells its models only in a session, so before the first one there are none.
    """
    option = next((found for s in _sessions(state, agent_id) if (found := s.option("model")) is not None), None)
    if option is None or len(option.choices) < 2:
        return [], ""
    items = [MenuItem(choice.id, choice.name, detail=choice.description[:60]) for choice in option.choices]
    known = {item.id for item in items}
    return items, next((model for model in (current, option.current) if model in known), items[0].id)


def known_commands(state: AppState, agent_id: str) -> tuple[AgentCommand, ...]:
    """Commands that the newest session of the agent told; like the models, none before the first one."""
    return next((session.commands for session in _sessions(state, agent_id) if session.commands), ())


def _sessions(state: AppState, agent_id: str) -> Iterator[Session]:
    """The sessions of an agent, that of the newest task first."""
    for task in sorted(state.tasks.values(), key=lambda task: task.created_at, reverse=True):
        session = state.sessions.get(task.session_id) if task.agent_id == agent_id else None
        if session is not None:
            yield session


def script_items(repository: Repository, local: bool) -> list[MenuItem]:
    edit = MenuItem(
        EDIT_SCRIPT, "Change the script…" if repository.setup_script else "Add a set-up script…", "ph.gear-six"
    )
    if local:
        return [MenuItem(SKIP, "Your own", "ph.package")]
    if not repository.setup_script:
        return [MenuItem(SKIP, "No set-up script", "ph.package"), MenuItem(), edit]
    first = repository.setup_script.strip().splitlines()[0]
    return [
        MenuItem(RUN, first, "ph.package", detail="set-up script"),
        MenuItem(SKIP, "Start without it", "ph.minus-circle"),
        MenuItem(),
        edit,
    ]


def workspace_words(repository: Repository, local: bool) -> str:
    if local:
        return (
            f"The agent works in your own checkout, {repository.path}. Your branch and your changes are in its reach, "
            "and nothing is cleaned up."
        )
    return "A new worktree and branch are made for this task. Your own checkout stays as it is."


def usual_repository(state: AppState) -> RepositoryId | None:
    """That of the task that was made last, else the first one."""
    for task in state.visible_tasks():
        if task.repository_id in state.repositories:
            return task.repository_id
    return next(iter(state.repositories), None)
