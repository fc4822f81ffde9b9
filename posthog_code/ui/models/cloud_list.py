"""Cloud tasks that are not opened here, as rows beside the local ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from posthog_code.domain import cloud_lists
from posthog_code.domain.cloud import CloudTask, CloudUser
from posthog_code.domain.cloud_lists import CloudFilter, CloudWord
from posthog_code.domain.ids import TaskId
from posthog_code.domain.state import AppState
from posthog_code.domain.task import Task, TaskPhase, Workspace
from posthog_code.domain.text import ago
from posthog_code.ui.models.task_view import Attention, TaskView, cloud_view

FILTERS = {
    CloudFilter.ALL: "All cloud tasks",
    CloudFilter.MINE: "Mine",
    CloudFilter.TEAM: "From the team",
    CloudFilter.UNASSIGNED: "Unassigned",
    CloudFilter.SIGNALS: "From signals",
}
_ORIGINS = {
    "slack": "from Slack",
    "signal_report": "from a report",
    "signals_scout": "from a signal",
    "signals_chat": "from a signal",
    "error_tracking": "from an error",
    "eval_clusters": "from evaluations",
    "support_queue": "from support",
    "session_summaries": "from recordings",
    "automation": "from an automation",
}
GROUP_LIMIT = 40
LIST_LIMIT = 200
"""Unopened cloud tasks listed in one group, and in all: the newest. The palette finds them all."""
_SECTION = "cloud:"


def row_id(cloud_task_id: str) -> TaskId:
    """Id of a cloud task's row: the one that it has here once it is opened."""
    return TaskId(f"cloud-{cloud_task_id}")


def unopened(state: AppState, task_id: str) -> CloudTask | None:
    """The cloud task of a row that is no task of ours (yet)."""
    return None if task_id in state.tasks else state.cloud.tasks.get(task_id.removeprefix("cloud-"))


class _Memo:
    """The last answer: rows are asked for many times a second while agents work, the list changes every few seconds."""

    def __init__(self) -> None:
        self.tasks: Mapping[str, CloudTask] | None = None
        self.me: CloudUser | None = None
        self.found: list[CloudTask] = []
        self.news: list[CloudTask] = []


_memos = {which: _Memo() for which in CloudFilter}


def listed(state: AppState, *, everything: bool = False, only_news: bool = False) -> list[CloudTask]:
    """The unopened tasks that the filter leaves, the newest first.

    `everything` leaves the filter out; `only_news` gives those that need the person.
    """
    which = CloudFilter.ALL if everything else chosen_filter(state)
    memo = _memos[which]
    if memo.tasks is not state.cloud.tasks or memo.me != state.account.user:
        memo.tasks, memo.me = state.cloud.tasks, state.account.user
        memo.found = cloud_lists.shown(state.cloud.tasks, which, state.account.user)
        memo.news = [task for task in memo.found if is_news(state, task)]
    found = memo.news if only_news else memo.found
    if not found:
        return []
    ours = {task.cloud_task_id for task in state.tasks.values() if task.phase is not TaskPhase.DELETED}
    return [task for task in found if task.id not in ours]


def chosen_filter(state: AppState) -> CloudFilter:
    try:
        return CloudFilter(state.settings.cloud_filter)
    except ValueError:
        return CloudFilter.ALL


def hidden_by_filter(state: AppState, task: Task) -> bool:
    """Whether the filter leaves out an opened cloud task."""
    known = state.cloud.tasks.get(task.cloud_task_id) if task.workspace is Workspace.CLOUD else None
    return known is not None and not cloud_lists.matches(known, chosen_filter(state), state.account.user)


def section_of(state: AppState, repository: str) -> str:
    """Group of a cloud task's `owner/name`: that of the local repository with this remote, or one of its own."""
    return cloud_lists.local_repository(repository, state.repositories.values()) or _SECTION + repository


def section_title(key: str) -> str | None:
    """Title of a group that only the cloud has; None for any other."""
    return key.removeprefix(_SECTION) or "Without a repository" if key.startswith(_SECTION) else None


def state_of(state: AppState, task: CloudTask) -> TaskView:
    run = task.run
    return cloud_view(
        cloud_lists.word(task),
        unread=cloud_lists.is_unread(task),
        pull_request=bool(run and run.pr_url),
        stale=bool(state.cloud.error),
    )


def is_news(state: AppState, task: CloudTask) -> bool:
    """Whether an unopened task needs the person: their own, and its end was not seen yet."""
    ended = cloud_lists.word(task) in (CloudWord.DONE, CloudWord.FAILED)
    return ended and cloud_lists.is_unread(task) and cloud_lists.is_mine(task, state.account.user)


def attention(state: AppState, task: CloudTask) -> Attention:
    if is_news(state, task):
        return Attention.NEEDS_YOU
    return Attention.RUNNING if cloud_lists.word(task) is CloudWord.WORKING else Attention.REST


def origin_words(task: CloudTask) -> str:
    """ "from Slack"; "" for what a person simply made."""
    return _ORIGINS.get(task.origin, "")


def who(task: CloudTask) -> str:
    """ "Ana started it from Slack", "From a report", "Ana started it"."""
    origin = origin_words(task)
    name = (task.creator.name or task.creator.email).partition("@")[0].split(" ")[0]
    if name:
        return f"{name} started it {origin}".rstrip()
    return origin.capitalize() if origin else "Nobody's yet"


def pull_request_number(url: str) -> str:
    """ "#12" of a pull request's address; "" for none."""
    number = url.rstrip("/").rpartition("/")[2]
    return f"#{number}" if number.isdigit() else ""


def seen_words(state: AppState, at: float, now: float) -> str:
    """How old what is known is, while the cloud cannot be asked."""
    return f"seen {ago(max(0.0, now - at))}" if at else "not seen yet"


def waiting(state: AppState, limit: int = 5) -> Sequence[CloudTask]:
    """Unopened tasks that somebody could pick up: at work, or over with something to look at."""
    wanted = (CloudWord.WORKING, CloudWord.READY, CloudWord.STARTING, CloudWord.NEW, CloudWord.FAILED)
    found = [
        task
        for task in listed(state, everything=True)
        if cloud_lists.word(task) in wanted or cloud_lists.is_unread(task)
    ]
    return sorted(found, key=lambda task: (attention(state, task), -task.updated_at))[:limit]
