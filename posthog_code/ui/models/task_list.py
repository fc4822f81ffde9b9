"""The sidebar's list as rows: groups, order, and what each row says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from posthog_code.domain import cloud_lists
from posthog_code.domain.cloud import CloudTask
from posthog_code.domain.ids import TaskId
from posthog_code.domain.state import AppState
from posthog_code.domain.task import Task, TaskPhase, Workspace
from posthog_code.domain.text import age, duration, plural
from posthog_code.ui.models import cloud_list
from posthog_code.ui.models.task_view import Attention, activity, needs_you, task_state
from posthog_code.ui.theme.glyphs import Glyph

PINNED = "pinned"
ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class SectionRow:
    key: str
    """pinned, archived, a repository id, or "cloud:owner/name" of one that is not here."""
    title: str
    count: int
    collapsed: bool


@dataclass(frozen=True, slots=True)
class TaskRow:
    task_id: TaskId
    section: str
    title: str
    glyph: Glyph
    word: str
    strong: bool
    """Unread, or waiting for the person."""
    branch: str
    added: int
    removed: int
    age: str
    pinned: bool
    archived: bool
    spoken: str
    """The row for a screen reader."""
    cloud: bool = False
    """The task is in the cloud."""
    opened: bool = True
    """It is one of ours; a cloud task becomes one when it is opened."""
    note: str = ""
    """Before the age: the number of the pull request."""
    who: str = ""
    """Who started a cloud task, and from where."""


Row = SectionRow | TaskRow


def build_rows(
    state: AppState,
    now: float,
    collapsed: frozenset[str] = frozenset(),
    *,
    previous: Sequence[Row] = (),
    waiting: bool = False,
    keep: TaskId | None = None,
) -> list[Row]:
    """Rows from top to bottom: pinned, one group per repository in the order they were added, archived.

    Inside a group: waiting for the person, running, then by last activity. With `previous` the tasks that were
    already listed keep their order (the pointer is over the list), and new ones come first in their group. With
    `waiting` only those that need a person are listed, and the task `keep` that is in view.
    """
    groups: dict[str, list[Task | CloudTask]] = {PINNED: []}
    for repository in sorted(state.repositories.values(), key=lambda r: (r.added_at, r.name)):
        groups[repository.id] = []
    in_cloud = _cloud_groups(state, waiting=waiting)
    for key in in_cloud:
        groups.setdefault(key, [])
    archived: list[Task | CloudTask] = []
    for task in state.tasks.values():
        if task.phase is TaskPhase.DELETED or (waiting and task.id != keep and not needs_you(state, task.id)):
            continue
        if task.id != keep and not task.pinned and cloud_list.hidden_by_filter(state, task):
            continue
        if task.phase is TaskPhase.ARCHIVED:
            archived.append(task)
        elif task.pinned:
            groups[PINNED].append(task)
        else:
            groups.setdefault(_group(state, task), []).append(task)
    for key, found in in_cloud.items():
        groups[key].extend(found)
    places = {row.task_id: at for at, row in enumerate(previous) if isinstance(row, TaskRow)}
    rows: list[Row] = []
    for key, tasks in (*groups.items(), (ARCHIVED, archived)):
        if not tasks:
            continue
        folded = key in collapsed
        rows.append(SectionRow(key, _title(state, key), len(tasks), folded))
        if not folded:
            rows.extend(_row(state, task, key, now) for task in _ordered(state, tasks, places, key))
    return rows


def _cloud_groups(state: AppState, *, waiting: bool) -> dict[str, list[CloudTask]]:
    """Unopened cloud tasks by group, the newest of each."""
    groups: dict[str, list[CloudTask]] = {}
    keys: dict[str, str] = {}
    left = cloud_list.LIST_LIMIT
    for task in cloud_list.listed(state, only_news=waiting):
        if not left:
            break
        if task.repository not in keys:
            keys[task.repository] = cloud_list.section_of(state, task.repository)
        group = groups.setdefault(keys[task.repository], [])
        if len(group) < cloud_list.GROUP_LIMIT:
            group.append(task)
            left -= 1
    return groups


def _group(state: AppState, task: Task) -> str:
    known = state.cloud.tasks.get(task.cloud_task_id) if task.workspace is Workspace.CLOUD else None
    return cloud_list.section_of(state, known.repository) if known else task.repository_id


def _row(state: AppState, task: Task | CloudTask, section: str, now: float) -> TaskRow:
    return task_row(state, task, section, now) if isinstance(task, Task) else cloud_row(state, task, section, now)


def waiting_count(state: AppState) -> int:
    """How many tasks need a person."""
    here = sum(needs_you(state, task_id) for task_id in state.tasks)
    return here + len(cloud_list.listed(state, only_news=True))


def task_ids(rows: Iterable[Row]) -> list[TaskId]:
    """Tasks by their position in the list, archived ones left out."""
    return [row.task_id for row in rows if isinstance(row, TaskRow) and row.opened and not row.archived]


def task_row(state: AppState, task: Task, section: str, now: float) -> TaskRow:
    view = task_state(state, task.id)
    since = now - (task.archived_at or activity(state, task))
    repository = state.repositories.get(task.repository_id)
    known = state.cloud.tasks.get(task.cloud_task_id) if task.workspace is Workspace.CLOUD else None
    name = repository.name if repository else known.repository if known else ""
    branch = task.branch or (task.base if task.workspace is Workspace.LOCAL else "")
    spoken = [task.title, view.word.lower(), name]
    if branch:
        spoken.append(f"branch {branch}")
    if task.stat.files:
        spoken += [f"{task.stat.added} added", f"{task.stat.removed} removed"]
    spoken.append(_spoken_age(since))
    return TaskRow(
        task_id=task.id,
        section=section,
        title=task.title,
        glyph=view.glyph,
        word=view.word,
        strong=task.phase is not TaskPhase.ARCHIVED
        and (task.unread or view.attention is Attention.NEEDS_YOU or view.glyph is Glyph.FINISHED),
        branch=cloud_list.who(known) if known and branch in ("", task.base, "main") else branch or name,
        added=task.stat.added,
        removed=task.stat.removed,
        age=age(since),
        pinned=task.pinned,
        archived=task.phase is TaskPhase.ARCHIVED,
        spoken=", ".join(part for part in spoken if part),
        cloud=task.workspace is Workspace.CLOUD,
        note=cloud_list.pull_request_number(known.run.pr_url) if known and known.run else "",
        who=cloud_list.who(known) if known else "",
    )


def cloud_row(state: AppState, task: CloudTask, section: str, now: float) -> TaskRow:
    """The row of a cloud task that is not opened here."""
    view, run = cloud_list.state_of(state, task), task.run
    who = cloud_list.who(task)
    stale = view.glyph is Glyph.UNKNOWN
    since = now - task.updated_at
    title = task.title or task.description.strip().partition("\n")[0] or task.slug or "Cloud task"
    spoken = [title, view.word.lower(), task.repository, who, "not opened here", _spoken_age(since)]
    return TaskRow(
        task_id=cloud_list.row_id(task.id),
        section=section,
        title=title,
        glyph=view.glyph,
        word=view.word,
        strong=cloud_lists.is_unread(task),
        branch=(run.branch if run and run.branch != run.base else "") or who,
        added=0,
        removed=0,
        age=cloud_list.seen_words(state, state.cloud.fetched_at, now) if stale else age(since),
        pinned=False,
        archived=False,
        spoken=", ".join(part for part in spoken if part),
        cloud=True,
        opened=False,
        note=cloud_list.pull_request_number(run.pr_url) if run else "",
        who=who,
    )


def _ordered(
    state: AppState, tasks: list[Task | CloudTask], places: Mapping[TaskId, int], key: str
) -> list[Task | CloudTask]:
    def rule(task: Task | CloudTask) -> tuple[int, float, str]:
        if isinstance(task, CloudTask):
            return cloud_list.attention(state, task).value, -task.updated_at, task.id
        if key == ARCHIVED:
            return 0, -task.archived_at, ""
        return task_state(state, task.id).attention.value, -activity(state, task), task.id

    def place(task: Task | CloudTask) -> int:
        return places.get(task.id if isinstance(task, Task) else cloud_list.row_id(task.id), -1)

    ordered = sorted(tasks, key=rule)
    return sorted(ordered, key=place) if places and key != ARCHIVED else ordered


def _title(state: AppState, key: str) -> str:
    if key == PINNED:
        return "Pinned"
    if key == ARCHIVED:
        return "Archived"
    in_cloud = cloud_list.section_title(key)
    if in_cloud is not None:
        return in_cloud
    repository = next((r for r in state.repositories.values() if r.id == key), None)
    return repository.name if repository else "Removed repository"


def _spoken_age(seconds: float) -> str:
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{plural(int(seconds // 60), 'minute')} ago"
    if seconds < 86400:
        return f"{plural(int(seconds // 3600), 'hour')} ago"
    return f"{plural(int(seconds // 86400), 'day')} ago"


def elapsed_words(state: AppState, task_id: TaskId, now: float) -> str:
    """What stands after the state word: turn and time."""
    session = state.session_of(task_id)
    turn = session.turn if session else None
    task = state.tasks.get(task_id)
    if task is not None and task.phase is TaskPhase.SETTING_UP:
        return duration(max(0.0, now - task.created_at))
    if task is not None and task.workspace is Workspace.CLOUD and session is not None:
        if session.synced_at:
            return cloud_list.seen_words(state, session.synced_at, now)
        known = state.cloud.tasks.get(task.cloud_task_id)
        began = known.run.created_at if known and known.run and not known.run.over else 0.0
        return duration(max(0.0, now - began)) if began else ""
    if session is None or turn is None:
        return ""
    if session.phase.busy:
        return f"turn {turn.number} · {duration(max(0.0, now - turn.started_at))}"
    took = duration(turn.seconds)
    if turn.stop_reason in ("cancelled", "error", "interrupted"):
        return f"turn {turn.number} · after {took}"
    return f"turn {turn.number} took {took}" if turn.ended_at else f"turn {turn.number}"
