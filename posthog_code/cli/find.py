"""Finding what a person named."""

from __future__ import annotations

from posthog_code.domain.errors import InvalidInput, NotFound
from posthog_code.domain.state import AppState
from posthog_code.domain.task import Task
from posthog_code.services.app import Services

_WHOLE_ID = 32
"""Characters of an id that is not cut."""


def find_task(state: AppState, name: str) -> Task:
    """A task by its id, the beginning of it, or its branch. Raises NotFound, or InvalidInput when several match."""
    exact = [t for t in state.tasks.values() if name and name in (t.id, t.branch)]
    found = exact or [t for t in state.tasks.values() if name and t.id.startswith(name)]
    if not found:
        raise NotFound(f"There is no task {name!r}.", "posthog-code tasks --all lists them.")
    if len(found) > 1:
        raise InvalidInput(f"{name!r} is the beginning of {len(found)} task ids.", "Give more of the id.")
    return found[0]


async def find_cloud_task(services: Services, name: str) -> str:
    """Id of a task of the chosen project by its short name (WEB-12), its id, or the beginning or end of that. Raises
    NotFound when it is not exactly one."""
    await services.account.restore()
    known = services.cloud.list.tasks
    if name not in known:
        known = (await services.cloud.refresh()).tasks
    wanted = name.strip().lower()
    exact = [task.id for task in known.values() if wanted and wanted in (task.id, task.slug.lower())]
    found = exact or [
        task.id
        for task in known.values()
        if wanted and (task.id.startswith(wanted) or (len(wanted) > 3 and task.id.endswith(wanted)))
    ]
    if not found and len(wanted) >= _WHOLE_ID:
        return name.strip()  # archived, perhaps: the server knows
    if len(found) != 1:
        problem = "Several cloud tasks are called" if found else "No cloud task is called"
        raise NotFound(f"{problem} {name!r}.", "posthog-code cloud list shows them.")
    return found[0]
