"""The list of cloud tasks, and starting one, over real HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

from posthog_code.domain import cloud_lists
from posthog_code.domain.cloud_errors import GitHubNeeded
from posthog_code.domain.cloud_requests import CloudDraft
from posthog_code.domain.errors import InvalidInput, NotFound, Offline, RateLimited, UserError
from posthog_code.domain.task import Workspace
from tests.helpers import until
from tests.integration.cloud_server import Fault
from tests.integration.cloud_world import World, scenario

JSON = {"Content-Type": "application/json"}


async def _appears(place: World) -> None:
    cloud = place.services.cloud
    cloud._visible = 0.05
    cloud.set_visible(True)
    cloud.start()
    await until(lambda: cloud.list.fetched_at)
    assert not any(map(cloud_lists.is_unread, cloud.list.tasks.values()))
    place.server.add("t2", "r2", created_by={"id": 8, "first_name": "Bob"})
    await until(lambda: "t2" in cloud.list.tasks)
    assert cloud_lists.is_unread(cloud.list.tasks["t2"])
    await cloud.open("t2")
    assert not cloud_lists.is_unread(cloud.list.tasks["t2"])
    place.server.finish(place.server.runs["r2"])
    await until(lambda: cloud_lists.is_unread(cloud.list.tasks["t2"]))


test_a_task_made_elsewhere_appears_by_itself = scenario(_appears)


async def _waits(place: World) -> None:
    cloud, server, run = place.services.cloud, place.server, place.run
    server.begin(run)
    await cloud.refresh()
    assert cloud_lists.word(cloud.list.tasks["t1"]) is cloud_lists.CloudWord.WORKING
    server.ask(run, "p1", "c1")
    await cloud.refresh()
    assert cloud_lists.word(cloud.list.tasks["t1"]) is cloud_lists.CloudWord.WAITING
    server.turn_over(run)
    await cloud.refresh()
    assert cloud_lists.word(cloud.list.tasks["t1"]) is cloud_lists.CloudWord.WORKING


test_a_run_that_waits_shows_without_being_watched = scenario(_waits)


async def _stays(place: World) -> None:
    cloud = place.services.cloud
    await cloud.refresh()
    fetched = cloud.list.fetched_at
    place.server.faults = [Fault("GET", "/tasks/$", 429, b"{}", {**JSON, "Retry-After": "1"})]
    with pytest.raises(RateLimited):
        await cloud.refresh()
    with pytest.raises(RateLimited):
        await cloud.refresh()  # not even asked
    assert place.server.count("GET", "/tasks/$") == 2
    assert list(cloud.list.tasks) == ["t1"] and cloud.list.fetched_at == fetched and cloud.list.error
    await until(lambda: place.services.store.state.cloud.error)
    place.server.faults = [Fault("GET", "/tasks/$", 500, b"<html>", times=9)]
    with pytest.raises((Offline, RateLimited)):
        await cloud.refresh()
    assert list(cloud.list.tasks) == ["t1"]


test_the_list_stays_with_its_age = scenario(_stays)


async def _created(place: World) -> None:
    cloud, server = place.services.cloud, place.server
    with pytest.raises(InvalidInput):
        await cloud.create(CloudDraft("  "))
    task_id = await cloud.create(CloudDraft("Add a page", "acme/web", branch="main"))
    task = place.services.store.state.tasks[task_id]
    assert task.workspace is Workspace.CLOUD and task.cloud_run_id and task.prompt == "Add a page"
    assert server.commands[-1]["params"] == {"pending_user_message": "Add a page"}
    assert await cloud.open(task.cloud_task_id) == task_id  # once only
    before = set(server.tasks)
    for status, body, kind in (
        (400, b'{"detail":"no such branch"}', InvalidInput),
        (400, b'{"code":"github_authorization_required","detail":"link"}', GitHubNeeded),
        (403, b'{"detail":"API key missing required scope \'task:write\'"}', UserError),
    ):
        server.faults = [Fault("POST", "/start/$", status, body, JSON)]
        with pytest.raises(kind):
            await cloud.create(CloudDraft("Fails", "acme/web"))
        assert set(server.tasks) == before  # taken back
    server.faults = [Fault("POST", "/start/$", 0, after=True)]
    count = len([c for c in server.commands if c["method"] == "start"])
    await cloud.create(CloudDraft("The answer gets lost", "acme/web"))
    assert len([c for c in server.commands if c["method"] == "start"]) == count + 1
    before = len(server.tasks)
    server.faults = [Fault("POST", "/tasks/$", 0, after=True)]
    await cloud.create(CloudDraft("So does the one of the first step", "acme/web"))
    assert len(server.tasks) == before + 1, "it is found, not made a second time"


test_start_in_the_cloud = scenario(_created)


async def _switched(place: World) -> None:
    cloud = place.services.cloud
    await cloud.refresh()
    await place.services.account.choose_project(2)
    await until(lambda: cloud.list.project_id == 2)
    assert not cloud.list.tasks
    with pytest.raises(NotFound):
        await place.services.account.choose_project(99)
    await place.services.account.sign_out()
    with pytest.raises(UserError):
        place.services.account.cloud()


test_another_project = scenario(_switched)


def test_list_and_account_are_there_before_the_server_answers(tmp_path: Path) -> None:
    async def first(place: World) -> None:
        await place.services.cloud.refresh()
        await place.services.account.choose_project(1)

    async def second(place: World) -> None:
        state = place.services.store.state
        assert list(state.cloud.tasks) == ["t1"] and state.cloud.fetched_at > 0
        assert state.account.user.email == "ada@example.com" and state.account.project_id == 1
        assert b"phx_" not in (tmp_path / "state.sqlite3").read_bytes()

    scenario(first)(tmp_path)
    scenario(second)(tmp_path)
