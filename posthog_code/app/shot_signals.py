"""Pictures of what the product says about a task; somebody is signed in to PostHog."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from posthog_code.app.studio import Studio
from posthog_code.domain.ids import TaskId


async def task_signals(studio: Studio) -> None:
    """What the changed code means, once its figures are there."""
    task_id = await studio.open_task("Stop double charges", "signals")
    await _figures(studio, task_id)


async def task_released(studio: Studio) -> None:
    """A merged task whose release is watched."""
    services = studio.container.services
    task_id = await studio.open_task("Retry webhooks", "signals")
    if task_id not in services.store.state.watches:
        await services.releases.begin(task_id)
    await services.releases.check(task_id)
    await _figures(studio, task_id)


async def _figures(studio: Studio, task_id: TaskId) -> None:
    def known() -> bool:
        found = studio.context.state.code_signals.get(task_id)
        return found is not None and bool(found.fingerprint) and not found.loading

    await studio.until(known)


SIGNAL_SCREENS: dict[str, Callable[[Studio], Awaitable[None]]] = {
    "task-signals": task_signals,
    "task-released": task_released,
}
