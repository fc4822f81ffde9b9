"""The inbox over the stand-in PostHog: reports, evidence from its events, triage and tasks, by real HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from posthog_code.demo.signals import DOUBLE_CHARGE, REPORT
from posthog_code.demo.world import DemoGitHub, DemoPostHog, WorldFacts, prepare, start_github, start_posthog
from posthog_code.domain.inbox import RESOLVED
from posthog_code.services.app import Services
from tests.helpers import run as drive
from tests.helpers import running

SIGN_IN = REPORT % "b1"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> WorldFacts:
    return prepare(tmp_path_factory.mktemp("home"), time.time())


@pytest.fixture(scope="module")
def github(world: WorldFacts) -> Iterator[DemoGitHub]:
    started = start_github(world.home, 0)
    yield started
    started.stop()


@pytest.fixture
def cloud(world: WorldFacts, github: DemoGitHub, monkeypatch: pytest.MonkeyPatch) -> Iterator[DemoPostHog]:
    started = start_posthog(world.home, 0, seeds=False)
    monkeypatch.setenv("POSTHOG_API_KEY", "phx_demo")
    monkeypatch.setenv("POSTHOG_HOST", started.url)
    yield started
    started.stop()


async def ready(services: Services, world: WorldFacts, cloud: DemoPostHog) -> None:
    await services.account.restore()
    await services.account.choose_project(cloud.project)
    for name in ("harbor-web", "harbor-api"):
        await services.repositories.add(world.repository(name))
    await services.inbox.refresh()


def ids(services: Services, tab: str) -> list[str]:
    return [report.id for report, _ in services.inbox.ranked(tab)]


def test_ranked_and_explained(world: WorldFacts, cloud: DemoPostHog, tmp_path: Path) -> None:
    async def go() -> None:
        async with running(tmp_path) as container:
            services = container.services
            await ready(services, world, cloud)
            await services.inbox.weigh()
            assert ids(services, "all")[:2] == [SIGN_IN, DOUBLE_CHARGE]
            assert ids(services, "for_you")[:2] == [SIGN_IN, DOUBLE_CHARGE]
            for report, score in services.inbox.ranked("all"):
                assert services.store.state.inbox.evidence[report.id].problem == ""
                assert len(score.factors) == 8 and 0 <= score.total <= 100
            found = services.store.state.inbox.evidence[DOUBLE_CHARGE]
            assert found.repository == "harbor/harbor-web" and found.flags == ("checkout-retry-v2",)
            assert found.paths[0].startswith("src/payments/submitPayment.ts:")
            assert found.people > 50 and found.events > 100 and found.trend > 1 and found.dollar_value > 0
            assert found.errors[0].name.startswith("GatewayTimeout") and sum(found.errors[0].series) > 100
            assert found.recordings[0].marks and found.recordings[0].duration > 0 and found.reviewers
            draft = services.inbox.task_draft(DOUBLE_CHARGE)
            assert draft.repository_id and not draft.problem and draft.base == "main"
            assert len(draft.prompt) <= 6000 and "src/payments/submitPayment.ts" in draft.prompt

    drive(go())


def test_triage_and_the_cloud(world: WorldFacts, cloud: DemoPostHog, tmp_path: Path) -> None:
    async def go() -> None:
        async with running(tmp_path) as container:
            services = container.services
            await ready(services, world, cloud)
            some = [REPORT % "b8", REPORT % "b9"]
            assert await services.inbox.dismiss(some, "wontfix_irrelevant", "Not now") == dict.fromkeys(some, "")
            await services.inbox.refresh()
            assert set(some) <= set(ids(services, "dismissed"))
            assert await services.inbox.restore(some) == dict.fromkeys(some, "")
            await services.inbox.refresh()
            assert set(some) <= set(ids(services, "all"))
            assert await services.inbox.snooze(some[:1], 2) == {some[0]: ""}
            assert ids(services, "snoozed") == some[:1]
            made = await services.inbox.start_task(SIGN_IN, in_cloud=True)
            await services.cloud.refresh()
            assert services.cloud.list.tasks[made].report_id == SIGN_IN
            (ours,) = services.inbox.tasks_of(SIGN_IN)
            assert services.store.state.tasks[ours].cloud_task_id == made
            await services.inbox.resolve(SIGN_IN, "Errors went from 26 to 0 an hour.")
            await services.inbox.refresh()
            assert services.store.state.inbox.reports[SIGN_IN].status == RESOLVED
            assert SIGN_IN not in ids(services, "all")
            await services.sessions.stop_all()

    drive(go())
