"""What the command palette lists for what was typed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from posthog_code.domain.ids import TaskId
from posthog_code.domain.state import AppState
from posthog_code.domain.text import age
from posthog_code.ui.commands import Command
from posthog_code.ui.models.fuzzy import match
from posthog_code.ui.models.task_view import activity, task_state
from posthog_code.ui.theme.glyphs import Glyph

ACTIONS, TASKS, SETTINGS, FILES = "Actions", "Tasks", "Settings", "Files"
PREFIXES = {">": ACTIONS, "#": TASKS, ",": SETTINGS}
_LIMITS = {ACTIONS: 8, TASKS: 6, SETTINGS: 4, FILES: 60}


@dataclass(frozen=True, slots=True)
class Entry:
    """One row that can be run."""

    section: str
    title: str
    run: Callable[[], object]
    detail: str = ""
    icon: str = ""
    glyph: Glyph | None = None
    keys: str = ""
    positions: tuple[int, ...] = ()
    """Characters of the title that the query hits."""


@dataclass(frozen=True, slots=True)
class SettingEntry:
    """A setting that can be found by name."""

    title: str
    page: str
    """Title of its page."""
    open: Callable[[], object]


def split_prefix(text: str) -> tuple[str, str]:
    """A section's name ("" for all) and what is left to search for."""
    text = text.lstrip()
    section = PREFIXES.get(text[:1], "")
    return section, text[1:].strip() if section else text.strip()


def command_entries(commands: Iterable[Command]) -> list[Entry]:
    return [
        Entry(ACTIONS, c.title, c.run, c.detail, c.icon or "ph.caret-right", keys=c.keys[0] if c.keys else "")
        for c in commands
        if not c.hidden and c.enabled()
    ]


def task_entries(
    state: AppState, order: Iterable[TaskId], now: float, open_task: Callable[[TaskId], object]
) -> list[Entry]:
    """Visible tasks in the order of the sidebar, so that Ctrl+1 to 9 can be shown."""
    entries = []
    for number, task_id in enumerate(order, start=1):
        task = state.tasks[task_id]
        repository = state.repository_of(task_id)
        ago = age(now - activity(state, task))
        detail = " · ".join(part for part in (repository.name if repository else "", ago) if part)
        entries.append(
            Entry(
                TASKS,
                task.title,
                _opener(open_task, task_id),
                detail,
                glyph=task_state(state, task_id).glyph,
                keys=f"Ctrl+{number}" if number <= 9 else "",
            )
        )
    return entries


def setting_entries(settings: Iterable[SettingEntry]) -> list[Entry]:
    return [Entry(SETTINGS, s.title, s.open, s.page, "ph.gear-six") for s in settings]


def file_entries(paths: Iterable[str], changed: Mapping[str, str], open_file: Callable[[str], object]) -> list[Entry]:
    """Files of a task, the changed ones first; `changed` tells what has become of them."""
    ordered = sorted(paths, key=lambda path: path not in changed)
    return [Entry(FILES, path, partial(open_file, path), changed.get(path, ""), "ph.file-text") for path in ordered]


def find(entries: Iterable[Entry], text: str) -> list[Entry]:
    """Matching entries by section, the best first; sections keep their order."""
    only, query = split_prefix(text)
    found: dict[str, list[tuple[float, int, Entry]]] = {section: [] for section in _LIMITS}
    for number, entry in enumerate(entries):
        if only and entry.section != only:
            continue
        if not query and not only and entry.section == SETTINGS:
            continue
        hit = match(query, entry.title)
        if hit is not None:
            marked = Entry(
                entry.section,
                entry.title,
                entry.run,
                entry.detail,
                entry.icon,
                entry.glyph,
                entry.keys,
                hit.positions,
            )
            found[entry.section].append((-hit.score if query else 0.0, number, marked))
    rows = []
    for section, hits in found.items():
        hits.sort(key=lambda hit: hit[:2])
        rows += [entry for _, _, entry in (hits if only else hits[: _LIMITS[section]])]
    return rows


def _opener(open_task: Callable[[TaskId], object], task_id: TaskId) -> Callable[[], object]:
    return lambda: open_task(task_id)
