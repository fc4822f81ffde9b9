"""The inbox against a small PostHog: kept fresh, weighed, triaged, and made into tasks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from posthog_code.adapters.storage.database import SqliteDatabase
from posthog_code.domain.cloud_errors import UsageLimit
from posthog_code.domain.errors import InvalidInput, NotFound, NotSignedIn, Offline, UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.inbox import DISMISSED, RESOLVED
from posthog_code.domain.task import TaskDraft
from posthog_code.services.app import Services
from tests.helpers import DEMO_AGENT, git, make_repository, running, until
from tests.helpers import run as drive
from tests.integration.cloud_server import Fault
from tests.integration.inbox_server import InboxServer, inbox_world, told

Steps = Callable[[InboxServer, Services, Path], Awaitable[None]]


def scenario(steps: Steps) -> Callable[[Path], None]:
    def test(tmp_path: Path) -> None:
        async def go() -> None:
            async with inbox_world(tmp_path / "home") as (server, services):
                await steps(server, services, tmp_path)

        drive(go())

    return test


def ids(services: Services, tab: str, **more: Any) -> list[str]:
    return [report.id for report, _ in services.inbox.ranked(tab, **more)]


async def with_repository(services: Services, folder: Path) -> Path:
    """A local repository whose remote is acme/web."""
    repository = make_repository(folder / "web")
    git(repository, "remote", "add", "origin", "https://github.com/acme/web.git")
    await services.repositories.add(repository)
    return repository


def test_signed_out_there_is_no_inbox(tmp_path: Path) -> None:
    async def go() -> None:
        async with running(tmp_path) as container:
            services = container.services
            services.inbox.start()
            services.inbox.set_visible(True)
            with pytest.raises(NotSignedIn):
                await services.inbox.refresh()
            assert services.inbox.ranked("all") == [] and services.inbox.url("x") == ""
            assert not services.store.state.inbox.reports
            with pytest.raises(NotFound):
                services.inbox.score("x")

    drive(go())


@scenario
async def test_the_list(server: InboxServer, services: Services, tmp_path: Path) -> None:
    for number in range(130):
        server.report(f"r{number:03}", priority="P3")
    server.report("top", priority="P0", is_suggested_reviewer=True, source_products=["session_replay"])
    server.report("gone", status=DISMISSED)
    inbox = await services.inbox.refresh()
    assert len(inbox.reports) == 132 and inbox.fetched_at and not inbox.loading and inbox.project_id == 1
    assert services.inbox.counts() == {"for_you": 1, "all": 131, "snoozed": 0, "dismissed": 1}
    assert ids(services, "all")[0] == "top" and ids(services, "for_you") == ["top"]
    assert ids(services, "all", search="REPORT r007") == ["r007"]
    assert ids(services, "all", sources=("session_replay",)) == ["top"]
    assert services.inbox.ranked("all") is services.inbox.ranked("all")
    assert services.inbox.is_unread("top")
    await services.inbox.mark_seen("top")
    assert not services.inbox.is_unread("top")
    reports = services.store.state.inbox.reports
    await services.inbox.refresh()
    assert services.store.state.inbox.reports is reports
    del server.reports["r000"]
    server.report("r001", title="Other words")
    await services.inbox.refresh()
    assert "r000" not in services.store.state.inbox.reports
    assert services.store.state.inbox.reports["r001"].title == "Other words"


@scenario
async def test_offline_the_list_stays_with_the_reason_and_on_disk(
    server: InboxServer, services: Services, tmp_path: Path
) -> None:
    server.report("a")
    server.evidence("a", paths=("src/pay.ts",))
    await services.inbox.refresh()
    await services.inbox.load_evidence("a")
    await services.inbox.snooze(["a"], 3)
    fetched = services.store.state.inbox.fetched_at
    server.answering = False
    with pytest.raises(Offline):
        await services.inbox.refresh()
    inbox = services.store.state.inbox
    assert inbox.error and not inbox.loading and inbox.fetched_at == fetched and "a" in inbox.reports
    database = SqliteDatabase(tmp_path / "home" / "state.sqlite3")
    kept = database.load().inbox
    database.close()
    assert kept.reports == inbox.reports and kept.evidence == inbox.evidence and kept.triage == inbox.triage
    assert kept.project_id == 1 and kept.fetched_at and not kept.error
    server.answering = True
    assert not (await services.inbox.refresh()).error


@scenario
async def test_it_is_asked_for_while_somebody_looks(server: InboxServer, services: Services, tmp_path: Path) -> None:
    naps: list[float] = []
    nap = asyncio.Event()

    async def sleep(seconds: float) -> None:
        naps.append(seconds)
        await nap.wait()

    services.inbox._polling._sleep = sleep
    server.report("a")
    services.inbox.start()
    await until(lambda: services.inbox.fetches == 1 and naps)
    assert naps[-1] == 300.0
    services.inbox.set_visible(True)
    await until(lambda: services.inbox.fetches == 2 and len(naps) == 2)
    assert naps[-1] == 15.0
    server.answering = False
    nap.set()
    await until(lambda: len(naps) >= 4)
    assert naps[2:4] == [30.0, 60.0] and services.store.state.inbox.error


@scenario
async def test_another_project_has_another_inbox(server: InboxServer, services: Services, tmp_path: Path) -> None:
    server.report("a")
    await services.inbox.refresh()
    await services.inbox.dismiss(["a"], "other")
    await services.account.choose_project(2)
    await until(lambda: services.store.state.inbox.project_id == 2)
    assert not services.store.state.inbox.reports
    await services.inbox.refresh()
    assert not services.store.state.inbox.reports
    await services.account.choose_project(1)
    server.reports["a"]["status"] = "ready"
    await services.inbox.refresh()
    assert ids(services, "dismissed") == ["a"]  # what was decided is not forgotten
    await services.account.sign_out()
    await until(lambda: not services.store.state.inbox.reports)


@scenario
async def test_another_project_while_the_list_is_on_its_way(
    server: InboxServer, services: Services, tmp_path: Path
) -> None:
    server.report("a")
    server.hold_list = asyncio.Event()
    services.inbox.start()
    await until(lambda: server.count("GET", r"/projects/1/signals/reports/"))
    await services.account.choose_project(2)
    server.hold_list.set()
    # At once, though nobody looks: not after the five minutes of a list that is out of view.
    await until(lambda: services.store.state.inbox.fetched_at)
    inbox = services.store.state.inbox
    assert inbox.project_id == 2 and not inbox.reports and not inbox.error


@scenario
async def test_another_project_while_the_list_fails(server: InboxServer, services: Services, tmp_path: Path) -> None:
    await services.inbox.refresh()
    server.hold_list = asyncio.Event()
    asking = asyncio.ensure_future(services.inbox.refresh())
    before = server.count("GET", r"/projects/1/signals/reports/")
    await until(lambda: server.count("GET", r"/projects/1/signals/reports/") > before)
    server.faults.append(Fault("GET", "/projects/1/signals/reports/", 403, times=99))
    await services.account.choose_project(2)
    await until(lambda: services.store.state.inbox.project_id == 2)
    server.hold_list.set()
    await asyncio.gather(asking, return_exceptions=True)
    assert not services.store.state.inbox.error and not services.store.state.inbox.reports


@scenario
async def test_somebody_else_has_another_inbox(server: InboxServer, services: Services, tmp_path: Path) -> None:
    server.report("a")
    await services.inbox.refresh()
    account = services.account.account
    other = replace(account, user=replace(account.user, uuid="somebody-else"))
    server.reports.clear()
    await services.account._put(other)
    services.account._tell()
    await until(lambda: not services.store.state.inbox.reports)


@scenario
async def test_reports_of_other_projects_do_not_stand_in_the_way(
    server: InboxServer, services: Services, tmp_path: Path
) -> None:
    server.report("z", status="being_merged")
    await services.inbox.refresh()
    for report_id in (*(f"gone{number:02}" for number in range(12)), "z"):
        await services.inbox._triage.link(report_id, TaskId("t"))
    for _ in range(5):
        await services.inbox.refresh()
    assert "z" in services.store.state.inbox.reports
    assert server.count("GET", r"/reports/gone\d\d/$") == 12


# -- triage ----------------------------------------------------------------------------------------------------------


@scenario
async def test_triage_shows_at_once_and_reaches_the_server(
    server: InboxServer, services: Services, tmp_path: Path
) -> None:
    for name in "abc":
        server.report(name)
    await services.inbox.refresh()
    server.hold = asyncio.Event()
    dismissing = asyncio.ensure_future(services.inbox.dismiss(["a", "b"], "wontfix_intentional", "On purpose"))
    await until(lambda: ids(services, "dismissed") == ["a", "b"])
    # A list that was read before the server was told does not undo it.
    await services.inbox.refresh()
    assert sorted(ids(services, "dismissed")) == ["a", "b"]
    server.hold.set()
    assert await dismissing == {"a": "", "b": ""}
    assert server.states[0][1] == {
        "state": "suppressed",
        "dismissal_reason": "wontfix_intentional",
        "dismissal_note": "On purpose",
    }
    assert (await services.inbox.snooze(["c"], 7)) == {"c": ""}
    assert server.states[-1] == (["c"], {"state": "potential", "snooze_for": 7})
    assert ids(services, "snoozed") == ["c"] and ids(services, "all") == []
    server.reports["c"]["signal_count"] += 7
    await services.inbox.refresh()
    assert ids(services, "all") == ["c"] and services.inbox.is_unread("c")
    assert await services.inbox.restore(["a"]) == {"a": ""}
    await services.inbox.refresh()
    assert sorted(ids(services, "all")) == ["a", "c"]


@scenario
async def test_a_refusal_is_taken_back(server: InboxServer, services: Services, tmp_path: Path) -> None:
    server.report("a")
    server.report("b")
    await services.inbox.refresh()
    before = services.store.state.inbox
    server.refused.add("a")
    outcome = await services.inbox.dismiss(["a", "b", "nowhere"], "other")
    assert outcome["b"] == "" and "cannot be changed" in outcome["a"] and outcome["nowhere"]
    assert ids(services, "all") == ["a"] and services.store.state.inbox.reports["a"] == before.reports["a"]
    server.knows_bulk = False
    assert (await services.inbox.snooze(["a", "b"]))["a"]
    assert ids(services, "all") == ["a"]
    server.answering = False
    with pytest.raises(UserError):
        await services.inbox.dismiss(["a"], "other")
    assert ids(services, "all") == ["a"]
    server.answering = True
    with pytest.raises(InvalidInput):
        await services.inbox.snooze(["a"], 0)
    with pytest.raises(NotFound):
        await services.inbox.restore(["nowhere"])


@scenario
async def test_a_refusal_after_another_project_was_chosen(
    server: InboxServer, services: Services, tmp_path: Path
) -> None:
    server.report("a")
    await services.inbox.refresh()
    server.hold = asyncio.Event()
    server.refused.add("a")
    dismissing = asyncio.ensure_future(services.inbox.dismiss(["a"], "other"))
    await until(lambda: services.store.state.inbox.reports["a"].status == DISMISSED)
    await services.account.choose_project(2)
    await until(lambda: services.store.state.inbox.project_id == 2)
    server.hold.set()
    assert (await dismissing)["a"]
    assert not services.store.state.inbox.reports  # it is none of this project
    assert services.inbox.triage_of("a").dismissed_signals == 0


@scenario
async def test_a_fix_of_another_project_resolves_its_own_report(
    server: InboxServer, services: Services, tmp_path: Path
) -> None:
    server.report("a")
    await services.inbox.refresh()
    await services.account.choose_project(2)
    await services.inbox.refresh()
    await services.inbox.resolve("a", "Errors went from 31 to 0 an hour.", 1)
    assert server.reports["a"]["status"] == RESOLVED and not services.store.state.inbox.reports
    assert services.inbox.triage_of("a").proof


@scenario
async def test_a_dismissed_report_comes_back_with_news_only(
    server: InboxServer, services: Services, tmp_path: Path
) -> None:
    server.report("a", signal_count=4)
    await services.inbox.refresh()
    await services.inbox.dismiss(["a"], "already_fixed")
    server.reports["a"]["status"] = "ready"  # an older server brings it back by itself
    await services.inbox.refresh()
    assert ids(services, "all") == [] and ids(services, "dismissed") == ["a"]
    server.reports["a"]["signal_count"] = 5
    await services.inbox.refresh()
    assert ids(services, "all") == ["a"] and services.inbox.is_unread("a")


@pytest.mark.parametrize("newest", [True, False])
def test_a_merged_fix_resolves_its_report(tmp_path: Path, newest: bool) -> None:
    async def go() -> None:
        async with inbox_world(tmp_path) as (server, services):
            server.knows_resolved = newest
            server.report("a")
            await services.inbox.refresh()
            proof = "Errors went from 31 to 0 an hour."
            await asyncio.gather(*(services.inbox.resolve("a", proof) for _ in range(2)))
            assert server.reports["a"]["status"] == ("resolved" if newest else "suppressed")
            assert services.store.state.inbox.reports["a"].status == RESOLVED
            assert services.inbox.triage_of("a").proof == proof
            assert ids(services, "all") == [] and ids(services, "dismissed") == []
            before = len(server.states)
            await services.inbox.resolve("a", proof)
            assert len(server.states) == before

    drive(go())


# -- evidence --------------------------------------------------------------------------------------------------------


@scenario
async def test_evidence(server: InboxServer, services: Services, tmp_path: Path) -> None:
    server.report("a", summary="Since `new-nav` it breaks.")
    server.evidence("a", paths=("src/checkout/pay.ts:24",))
    server.flags = [{"id": 1, "key": "new-nav", "active": True}, {"id": 2, "key": "other", "active": True}]
    await services.inbox.refresh()
    first, again = await asyncio.gather(*(services.inbox.load_evidence("a") for _ in range(2)))
    assert first == again and server.count("GET", r"/a/signals/$") == 1
    assert first.repository == "acme/web" and first.paths == ("src/checkout/pay.ts:24", "src/pay.ts:24")
    assert first.people == 30 and first.events == 70 and first.trend == 2.0 and first.dollar_value == 7400
    assert first.flags == ("new-nav",) and first.reviewers[0].login == "priya" and not first.problem
    error, recording = first.errors[0], first.recordings[0]
    assert error.name == "GatewayTimeout: 10 s" and error.place == "src/pay.ts:24" and error.people == 30
    assert error.url.endswith("/error_tracking/issue-9") and len(error.series) == 7
    assert recording.duration == 138 and recording.marks == (42.0,) and recording.url.endswith("?t=42")
    assert services.store.state.inbox.evidence["a"] == first
    await services.inbox.load_evidence("a")
    assert server.count("GET", r"/a/signals/$") == 1
    await services.inbox.load_evidence("a", force=True)
    assert server.count("GET", r"/a/signals/$") == 2
    factors = {one.id: one for one in services.inbox.score("a").factors}
    assert factors["people"].value == "30 people in 7 days" and "checkout" in factors["value"].value


@scenario
async def test_what_cannot_be_read_leaves_the_rest(server: InboxServer, services: Services, tmp_path: Path) -> None:
    server.report("a")
    server.evidence("a", paths=("src/pay.ts",))
    await services.inbox.refresh()
    server.faults.append(Fault("POST", "/query/", 503, times=99))
    found = await services.inbox.load_evidence("a")
    assert found.problem and found.repository == "acme/web" and found.errors[0].fingerprint == "fp-a"
    server.faults.clear()
    whole = await services.inbox.load_evidence("a", force=True)
    assert not whole.problem and whole.events == 70
    server.faults.append(Fault("POST", "/query/", 503, times=99))
    server.faults.append(Fault("GET", "/artefacts/", 404, times=99))
    kept = await services.inbox.load_evidence("a", force=True)
    assert kept.problem and kept.events == 70 and kept.people == 30  # the last known figures
    with pytest.raises(NotFound):
        await services.inbox.load_evidence("nowhere")


@scenario
async def test_flags_that_cannot_be_read_once_are_not_forgotten(
    server: InboxServer, services: Services, tmp_path: Path
) -> None:
    server.flags = [{"id": 1, "key": "new-nav", "active": True}]
    for report_id in "ab":
        server.report(report_id, summary="Since `new-nav` it breaks.")
    await services.inbox.refresh()
    assert (await services.inbox.load_evidence("a")).flags == ("new-nav",)
    evidence = services.inbox._evidence
    evidence._flags = (1, 1.0, evidence._flags[2])  # long ago
    server.faults.append(Fault("GET", "/feature_flags/", 503, times=99))
    assert (await services.inbox.load_evidence("b")).flags == ("new-nav",)


@scenario
async def test_weighed_a_few_at_a_time_while_in_view(server: InboxServer, services: Services, tmp_path: Path) -> None:
    for number in range(60):
        server.report(f"r{number:02}", priority=f"P{number % 5}")
        server.evidence(f"r{number:02}")
    await services.inbox.refresh()
    assert not services.store.state.inbox.evidence
    services.inbox.set_visible(True)
    await until(lambda: len(services.store.state.inbox.evidence) >= 12)
    services.inbox.set_visible(False)
    await until(lambda: services.inbox._weighing is None or services.inbox._weighing.done())
    before = server.count("GET", "/signals/$")
    assert before < 30
    await until(lambda: not server.at_once)  # the server goes on with what was broken off for a moment
    services.inbox.set_visible(True)
    await until(lambda: len(services.store.state.inbox.evidence) == 30)
    await until(lambda: services.inbox._weighing is not None and services.inbox._weighing.done())
    assert server.most_at_once <= 3 and server.count("GET", "/signals/$") <= 50
    urgent = {report.id for report in services.store.state.inbox.reports.values() if report.priority in ("P0", "P1")}
    assert urgent <= services.store.state.inbox.evidence.keys()
    # What somebody looks at does not take the place of what the order needs, nor is that read again and again.
    read = server.count("GET", "/signals/$")
    for report_id in sorted(services.store.state.inbox.reports.keys() - services.store.state.inbox.evidence.keys()):
        assert (await services.inbox.load_evidence(report_id)).events
    assert len(services.store.state.inbox.evidence) == 40
    await services.inbox.weigh()
    assert server.count("GET", "/signals/$") == read + 30


# -- near to what I work on ------------------------------------------------------------------------------------------


@scenario
async def test_close_to_my_work(server: InboxServer, services: Services, tmp_path: Path) -> None:
    repository = await with_repository(services, tmp_path)
    for name, path in (("mine", "calc.py:3"), ("other", "lib/far.py")):
        server.report(name, actionability="not_actionable")
        server.evidence(name, paths=(path,))
    await services.inbox.refresh()
    assert ids(services, "for_you") == []
    await services.inbox.weigh()
    closeness = {name: _factor(services, name, "closeness") for name in ("mine", "other")}
    assert closeness["mine"].points > 0 and "1 commit of yours to calc.py" in closeness["mine"].value
    assert closeness["other"].points == 0 and "nothing of yours" in closeness["other"].value
    assert ids(services, "for_you") == ["mine"] and ids(services, "all")[0] == "mine"
    # An open task that touches the file counts too.
    draft = TaskDraft("Do it", next(iter(services.store.state.repositories)), "custom", agent_command=DEMO_AGENT)
    task_id = await services.tasks.create(replace(draft, run_setup=False))
    await services.tasks.wait_for_setup(task_id)
    folder = Path(services.store.state.tasks[task_id].path)
    (folder / "lib").mkdir()
    (folder / "lib" / "far.py").write_text("x = 1\n")
    await services.inbox.weigh()
    assert "1 open task on it" in _factor(services, "other", "closeness").value
    assert git(repository, "status", "--porcelain") == ""


@scenario
async def test_weights_are_a_setting(server: InboxServer, services: Services, tmp_path: Path) -> None:
    server.report("a", priority="P0", signal_count=1)
    server.report("b", priority="P4", signal_count=90_000)
    await services.inbox.refresh()
    assert ids(services, "all") == ["a", "b"]
    await services.settings.set(priority_weights={"severity": "0", "frequency": "50"})
    assert ids(services, "all") == ["b", "a"]
    assert "severity" not in {one.id for one in services.inbox.score("a").factors}


def _factor(services: Services, report_id: str, name: str) -> Any:
    return next(one for one in services.inbox.score(report_id).factors if one.id == name)


# -- tasks -----------------------------------------------------------------------------------------------------------


@scenario
async def test_one_task_for_two_presses(server: InboxServer, services: Services, tmp_path: Path) -> None:
    await with_repository(services, tmp_path)
    server.report("a", title="Adds up wrong")
    server.evidence("a", paths=("calc.py:4",))
    await services.inbox.refresh()
    draft = services.inbox.task_draft("a")
    assert draft.repository == "" and draft.repository_id  # nothing is read yet, and there is one repository
    start = [services.inbox.start_task("a", agent_id="custom", agent_command=DEMO_AGENT, mode="auto") for _ in range(2)]
    first, second = await asyncio.gather(*start)
    third = await services.inbox.start_task("a", agent_id="custom", agent_command=DEMO_AGENT, mode="auto")
    assert first == second == third and len(services.store.state.tasks) == 1
    task = services.store.state.tasks[TaskId(first)]
    assert task.report_id == "a" and task.title == "Adds up wrong" and "`calc.py:4`" in task.prompt
    assert services.inbox.tasks_of("a") == (first,) and services.inbox.triage_of("a").task_ids == (first,)
    await services.tasks.wait_for_setup(TaskId(first))
    await asyncio.wait_for(services.sessions.wait_idle(TaskId(first)), 30)
    cost = _factor(services, "a", "cost")
    assert cost.points < 0 and "1 turn in 1 task" in cost.value
    # What is worked on stays known, wherever the server puts it.
    server.reports["a"]["status"] = RESOLVED
    await services.inbox.refresh()
    assert services.store.state.inbox.reports["a"].status == RESOLVED


@scenario
async def test_the_agent_is_told_of_flags_and_events(server: InboxServer, services: Services, tmp_path: Path) -> None:
    repository = await with_repository(services, tmp_path)
    (repository / "pay.py").write_text('import posthog\n\nposthog.capture("p1", "paid_twice")\n')
    for name in ("a", "b"):
        server.report(name)
        server.evidence(name, paths=("pay.py:3",))
    await services.inbox.refresh()
    wish = {"agent_id": "custom", "agent_command": DEMO_AGENT, "mode": "auto"}
    first = TaskId(await services.inbox.start_task("a", **wish))
    assert "event `paid_twice` at pay.py:3" in services.store.state.tasks[first].prompt
    await services.settings.set(code_context=False)
    second = TaskId(await services.inbox.start_task("b", prompt="My own words", **wish))
    assert services.store.state.tasks[second].prompt == "My own words"
    for task_id in (first, second):
        await services.tasks.wait_for_setup(task_id)
        await asyncio.wait_for(services.sessions.wait_idle(task_id), 30)


@scenario
async def test_without_a_repository_it_says_so(server: InboxServer, services: Services, tmp_path: Path) -> None:
    server.report("a")
    server.evidence("a", repository="acme/elsewhere")
    await services.inbox.refresh()
    await services.inbox.load_evidence("a")
    draft = services.inbox.task_draft("a")
    assert draft.repository_id is None and "acme/elsewhere" in draft.problem
    with pytest.raises(InvalidInput, match="acme/elsewhere"):
        await services.inbox.start_task("a", agent_id="custom")
    assert not services.store.state.tasks


@scenario
async def test_in_the_cloud(server: InboxServer, services: Services, tmp_path: Path) -> None:
    server.report("a", title="Adds up wrong")
    server.evidence("a")
    await services.inbox.refresh()
    made = await asyncio.gather(*(services.inbox.start_task("a", in_cloud=True) for _ in range(2)))
    assert made[0] == made[1] and len(server.tasks) == 1
    (body,) = told(server, "/tasks/")
    assert body["origin_product"] == "signal_report" and body["signal_report"] == "a"
    assert body["signal_report_task_relationship"] == "implementation" and body["repository"] == "acme/web"
    (run,) = told(server, "/runs/")
    assert run["run_source"] == "signal_report" and run["signal_report_id"] == "a"
    assert run["pr_authorship_mode"] == "bot"
    (ours,) = services.inbox.tasks_of("a")
    assert services.store.state.tasks[ours].cloud_task_id == made[0]
    assert services.store.state.tasks[ours].report_id == "a"


@scenario
async def test_the_teams_cap_is_explained(server: InboxServer, services: Services, tmp_path: Path) -> None:
    server.report("a")
    await services.inbox.refresh()
    cap = b'{"type": "throttled_error", "code": "signal_report_task_cap", "detail": "Too many tasks."}'
    server.faults.append(Fault("POST", r"/tasks/$", 429, cap, {"Content-Type": "application/json"}))
    with pytest.raises(UsageLimit) as caught:
        await services.inbox.start_task("a", in_cloud=True)
    assert "10 an hour" in caught.value.hint and not services.store.state.tasks
    assert await services.inbox.start_task("a", in_cloud=True)


@scenario
async def test_a_report_that_is_not_in_the_list(server: InboxServer, services: Services, tmp_path: Path) -> None:
    await services.inbox.refresh()
    server.report("solved", status=RESOLVED)
    assert (await services.inbox.find("solved")).id == "solved"
    await services.inbox.refresh()
    assert "solved" in services.store.state.inbox.reports and ids(services, "all") == []
    with pytest.raises(NotFound):
        await services.inbox.find("nowhere")
    assert time.time() - services.store.state.inbox.fetched_at < 600
