"""A whole demo world: its seeded tasks and its inbox know each other, and a released task has figures."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from posthog_code.app.container import build, open_database
from posthog_code.app.demo import DemoWorld
from posthog_code.demo import signals
from posthog_code.domain.ids import TaskId
from posthog_code.domain.release_watch import Direction, WatchState
from posthog_code.services.app import Services

VARIABLES = ("GITHUB_API_URL", "GITHUB_TOKEN", "POSTHOG_CODE_DEMO_STATE", "POSTHOG_HOST", "POSTHOG_API_KEY")


def test_tasks_and_reports_know_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, "")  # so that what the world sets is taken back afterwards
    world = DemoWorld.open(tmp_path / "demo", lambda words: None, pace=0.0, cloud=True)

    async def look() -> None:
        container = build(world.paths, *open_database(world.paths))
        services = container.services
        try:
            state = services.store.state
            by_report = {task.report_id: task for task in state.tasks.values() if task.report_id}
            for report in (signals.DOUBLE_CHARGE, signals.WEBHOOKS):
                assert state.inbox.triage[report].task_ids == (by_report[report].id,)
            assert {one: state.inbox.triage[one].snoozed_signals for one in signals.SNOOZED} == signals.SNOOZED
            await services.account.restore()
            await services.inbox.refresh()
            snoozed = {report.id for report, _ in services.inbox.ranked("snoozed")}
            assert snoozed == set(signals.SNOOZED)
            await instrumented(services, by_report[signals.DOUBLE_CHARGE].id)
            await released(services, by_report[signals.WEBHOOKS].id)
        finally:
            await container.close()

    try:
        asyncio.run(look())
    finally:
        world.close()


async def instrumented(services: Services, task_id: TaskId) -> None:
    coverage = await services.code_signals.coverage(task_id)
    assert [place.entry.name for place in coverage.places if not place.covered] == ["webhook"]
    assert coverage.covered == 4


async def released(services: Services, task_id: TaskId) -> None:
    await services.releases.begin(task_id)
    watch = await services.releases.check(task_id)
    assert watch.state is WatchState.WATCHING, watch.problem
    assert abs(time.time() - watch.merged_at - signals.MERGED_HOURS * 3600) < 600
    (errors,) = [metric for metric in watch.metrics if metric.id == "errors"]
    assert errors.direction is Direction.BETTER and errors.after < errors.before
