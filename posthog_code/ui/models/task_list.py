"""The sidebar's list as rows: groups, order, and what each row says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from posthog_code.domain.ids import TaskId
from posthog_code.domain.state import AppState
from posthog_code.domain.task import Task, TaskPhase, Workspace
from posthog_code.domain.text import age, duration, plural
from posthog_code.ui.models.task_view import Attention, activity, needs_you, task_state
from posthog_code.ui.theme.glyphs import Glyph

PINNED = "pinned"
ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class SectionRow:
    key: str
    """pinned, archived or a repository id."""
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
    groups: dict[str, list[Task]] = {PINNED: []}
    for repository in sorted(state.repositories.values(), key=lambda r: (r.added_at, r.name)):
        groups[repository.id] = []
    groups[ARCHIVED] = []
    for task in state.tasks.values():
        if task.phase is TaskPhase.DELETED or (waiting and task.id != keep and not needs_you(state, task.id)):
            continue
        if task.phase is TaskPhase.ARCHIVED:
            groups[ARCHIVED].append(task)
        elif task.pinned:
            groups[PINNED].append(task)
        else:
            groups.setdefault(task.repository_id, []).append(task)
    places = {row.task_id: at for at, row in enumerate(previous) if isinstance(row, TaskRow)}
    rows: list[Row] = []
    for key, tasks in groups.items():
        if not tasks:
            continue
        folded = key in collapsed
        rows.append(SectionRow(key, _title(state, key), len(tasks), folded))
        if not folded:
            rows.extend(task_row(state, task, key, now) for task in _ordered(state, tasks, places, key))
    return rows


def waiting_count(state: AppState) -> int:
    """How many tasks need a person."""
    return sum(needs_you(state, task_id) for task_id in state.tasks)


def task_ids(rows: Iterable[Row]) -> list[TaskId]:
    """Tasks by their position in the list, archived ones left out."""
    return [row.task_id for row in rows if isinstance(row, TaskRow) and not row.archived]


def task_row(state: AppState, task: Task, section: str, now: float) -> TaskRow:
    view = task_state(state, task.id)
    since = now - (task.archived_at or activity(state, task))
    repository = state.repositories.get(task.repository_id)
    name = repository.name if repository else ""
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
        strong=task.phase is not TaskPhase.ARCHIVED and (task.unread or view.attention is Attention.NEEDS_YOU),
        branch=branch or name,
        added=task.stat.added,
        removed=task.stat.removed,
        age=age(since),
        pinned=task.pinned,
        archived=task.phase is TaskPhase.ARCHIVED,
        spoken=", ".join(part for part in spoken if part),
    )


def _ordered(state: AppState, tasks: list[Task], places: Mapping[TaskId, int], key: str) -> list[Task]:
    if key == ARCHIVED:
        return sorted(tasks, key=lambda task: -task.archived_at)

    def rule(task: Task) -> tuple[int, float, str]:
        return task_state(state, task.id).attention.value, -activity(state, task), task.id

    ordered = sorted(tasks, key=rule)
    if not places:
        return ordered
    return sorted(ordered, key=lambda task: places.get(task.id, -1))


def _title(state: AppState, key: str) -> str:
    if key == PINNED:
        return "Pinned"
    if key == ARCHIVED:
        return "Archived"
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
    if session is None or turn is None:
        return ""
    if session.phase.busy:
        return f"turn {turn.number} · {duration(max(0.0, now - turn.started_at))}"
    took = duration(max(0.0, turn.ended_at - turn.started_at))
    if turn.stop_reason in ("cancelled", "error", "interrupted"):
        return f"turn {turn.number} · after {took}"
    return f"turn {turn.number} took {took}" if turn.ended_at else f"turn {turn.number}"
