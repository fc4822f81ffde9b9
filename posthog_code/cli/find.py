"""Finding what a person named."""

from __future__ import annotations

from posthog_code.domain.errors import InvalidInput, NotFound
from posthog_code.domain.state import AppState
from posthog_code.domain.task import Task


def find_task(state: AppState, name: str) -> Task:
    """A task by its id, the beginning of it, or its branch. Raises NotFound, or InvalidInput when several match."""
    exact = [t for t in state.tasks.values() if name and name in (t.id, t.branch)]
    found = exact or [t for t in state.tasks.values() if name and t.id.startswith(name)]
    if not found:
        raise NotFound(f"There is no task {name!r}.", "posthog-code tasks --all lists them.")
    if len(found) > 1:
        raise InvalidInput(f"{name!r} is the beginning of {len(found)} task ids.", "Give more of the id.")
    return found[0]
