"""Watching releases: outcomes, faults, restarts, and telling things exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from posthog_code.domain.cloud_errors import MissingScope, OutcomeUnknown
from posthog_code.domain.errors import InvalidInput, NotFound, NotSignedIn, Offline, RateLimited
from posthog_code.domain.inbox import Triage
from posthog_code.domain.pull_request import PullRequestState
from posthog_code.domain.release_watch import Direction, WatchState
from posthog_code.domain.telling import SENDING, Told
from posthog_code.ports.forge import Landing
from tests.helpers import git, run, until
from tests.integration.release_world import HOUR, NOW, REPORT, Product, T, Time, World, world

Steps = Callable[[World], Coroutine[Any, Any, None]]


def scenario(product: Callable[[Time], Product] | None = None, every: float = 600.0) -> Callable[[Steps], Any]:
    def decorate(steps: Steps) -> Any:
        def test(tmp_path: Path) -> None:
            async def go() -> None:
                async with world(tmp_path, product(Time()) if product else None, every=every) as place:
                    await steps(place)

            run(go())

        test.__name__ = steps.__name__
        return test

    return decorate


def better(clock: Time) -> Product:
    return Product(clock, errors=(36, 1), events={"payment_submitted": (40, 42)})


def worse(clock: Time) -> Product:
    return Product(clock, errors=(2, 40), new_errors=12)


async def watched(place: World, *hours: float) -> Any:
    """Begin at the merge, and look after so many hours each."""
    await place.releases.begin(T)
    found = None
    for hour in hours:
        place.after(hour)
        found = await place.releases.check(T)
    return found


@scenario(better)
async def test_better_resolves_the_report_with_figures(place: World) -> None:
    watch = await place.releases.begin(T)
    assert watch.state is WatchState.WAITING and watch.report_id == REPORT and watch.pull_request == 482
    assert watch.touched.paths == ("src/pay.py",) and watch.touched.hunks[0].place == "src/pay.py:2"
    assert list(watch.events) == ["payment_submitted", "checkout_timed_out"]
    place.clock.at = NOW + 300
    assert (await place.releases.check(T)).state is WatchState.WAITING  # a deployment may still come
    place.after(8)
    watch = await place.releases.check(T)
    assert (watch.state, watch.released_by, watch.released_at) == (WatchState.WATCHING, "merge", NOW)
    assert watch.commit == "c0ffee" and watch.verdict.startswith("−97 % errors per hour, 36 to 1")
    assert place.resolved == []
    place.after(24.1)
    watch = await place.releases.check(T)
    assert watch.state is WatchState.BETTER and watch.checked_at == place.clock.at
    assert place.resolved == [(REPORT, watch.verdict)] and "no new errors" in watch.verdict
    metrics = {metric.id: metric for metric in watch.metrics}
    assert metrics["errors"].place == "src/pay.py:2" and metrics["new_errors"].after == 0
    assert metrics["event:payment_submitted"].place == "src/pay.py:3"
    assert watch.series[0] == (NOW - 14 * HOUR, 36.0) and watch.series[-1][1] == 1.0
    await place.releases.check(T)
    assert len(place.resolved) == 1 and place.product.sent == []


@scenario(better)
async def test_a_deployment_is_waited_for(place: World) -> None:
    place.landing = Landing("c0ffee", NOW - 60, deploys=True)
    await place.releases.begin(T)
    place.after(2)
    watch = await place.releases.check(T)
    assert watch.state is WatchState.WAITING and "no deployment" in watch.problem
    place.landing = Landing("c0ffee", NOW - 60, NOW + HOUR, "deployment", True)
    place.product.released = NOW + HOUR
    watch = await place.releases.check(T)
    assert (watch.state, watch.released_by, watch.until) == (WatchState.WATCHING, "deployment", NOW + 25 * HOUR)
    place.after(30)
    assert (await place.releases.check(T)).state is WatchState.BETTER


@scenario(better)
async def test_without_the_forge_the_merge_counts(place: World) -> None:
    place.landing = NotSignedIn("Not signed in to GitHub.")
    watch = await watched(place, 1)
    assert (watch.state, watch.released_by) == (WatchState.WATCHING, "merge")


@scenario(better)
async def test_a_forge_that_cannot_be_reached_is_asked_again(place: World) -> None:
    place.landing = Offline("github.com could not be reached.")
    watch = await watched(place, 1)
    assert watch.state is WatchState.WAITING and watch.problem == "github.com could not be reached."
    place.after(30)
    assert (await place.releases.check(T)).state is WatchState.BETTER  # the merge, in the end


@scenario(worse)
async def test_worse_is_told_once_and_a_follow_up_waits(place: World) -> None:
    watch = await watched(place, 2)
    assert watch.state is WatchState.WATCHING and place.product.sent == []  # one look may be chance
    place.after(2.5)
    watch = await place.releases.check(T)
    assert watch.state is WatchState.WORSE and watch.new_errors == ("KeyError",)
    (signal,) = place.product.sent
    assert signal.kind == "regression" and "acme/shop#482" in signal.fingerprint
    assert "errors per hour" in signal.text and signal.properties["paths"] == ["src/pay.py"]
    assert len(place.state.tasks) == 1 and watch.follow_up == ""
    for words in ("src/pay.py:2", "+    if not order.paid:", "https://github.com/acme/shop/pull/482", "KeyError"):
        assert words in watch.follow_up_prompt
    for hour in (3, 12, 25):
        place.after(hour)
        await place.releases.check(T)
    assert len(place.product.sent) == 1 and place.resolved == []
    made = await place.releases.report_worse(T)
    assert made == await place.releases.report_worse(T) == place.state.watches[T].follow_up
    task = place.state.tasks[made]
    assert (task.base, task.agent_id, task.prompt) == ("main", "custom", watch.follow_up_prompt)
    assert "482" in task.title and len(place.state.tasks) == 2 and len(place.product.sent) == 1
    await place.container.services.tasks.cancel_setup(made)


@scenario(worse)
async def test_a_regression_at_the_end_needs_no_second_look(place: World) -> None:
    assert (await watched(place, 25)).state is WatchState.WORSE and len(place.product.sent) == 1


@scenario(lambda clock: Product(clock, errors=(10, 10), events={"payment_submitted": (40, 41)}))
async def test_the_same(place: World) -> None:
    watch = await watched(place, 5, 25)
    assert watch.state is WatchState.SAME and watch.verdict.startswith("As before: 10 errors per hour")
    assert place.resolved == [] and place.product.sent == []
    with pytest.raises(InvalidInput):
        await place.releases.report_worse(T)


@scenario(lambda clock: Product(clock, pages=0))
async def test_no_traffic(place: World) -> None:
    watch = await watched(place, 5, 25)
    assert watch.state is WatchState.UNKNOWN and "Nothing to compare" in watch.verdict


@scenario(better)
async def test_a_look_asks_at_most_four_queries(place: World) -> None:
    place.product.events = {"payment_submitted": (40, 42), "checkout_timed_out": (9, 2)}
    watch = await watched(place, 6)
    assert place.product.asked == ["release errors", "release pages", "release hours", "release funnels"]
    assert any(metric.id == "funnel:payment_submitted→checkout_timed_out" for metric in watch.metrics)


@pytest.mark.parametrize(
    "failure",
    [
        MissingScope("The sign-in lacks query:read.", scope="query:read"),
        Offline("The query took longer than 10 s."),
        RateLimited("PostHog asks to wait.", until=NOW + 60),
        NotFound("There is no such project."),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_figures_that_cannot_be_read_leave_the_last_ones(tmp_path: Path, failure: Any) -> None:
    async def steps(place: World) -> None:
        good = await watched(place, 3)
        place.product.failure = failure
        place.after(4)
        bad = await place.releases.check(T)
        assert bad.problem == failure.title and bad.checked_at == NOW + 3 * HOUR
        assert (bad.state, bad.metrics, bad.verdict) == (good.state, good.metrics, good.verdict)
        place.product.failure = None
        place.after(5)
        assert (await place.releases.check(T)).problem == ""

    scenario(better)(steps)(tmp_path)


@scenario(better)
async def test_figures_that_never_come_are_given_up(place: World) -> None:
    good = await watched(place, 3)
    place.product.failure = NotFound("There is no such project.")
    place.after(24 * 8 + 1)
    ended = await place.releases.check(T)
    assert ended.state is WatchState.UNKNOWN and ended.problem and ended.verdict == good.verdict
    assert place.releases._wanted() == []
    place.product.failure = None
    assert (await place.releases.check(T)).state is WatchState.BETTER  # a person asked once more


@scenario(better)
async def test_a_report_that_is_open_again_is_left_alone(place: World) -> None:
    watch = await watched(place, 24.1)
    assert len(place.resolved) == 1
    store = place.container.services.store
    inbox = store.state.inbox
    opened = {**inbox.reports, REPORT: replace(inbox.reports[REPORT], status="ready")}
    await store.update(
        lambda state: replace(
            state, inbox=replace(inbox, reports=opened, triage={REPORT: Triage(proof="It was better before.")})
        )
    )
    place.releases._proved.clear()  # as after a restart
    assert place.releases._wanted() == []
    await place.releases.check(T)
    assert len(place.resolved) == 1 and watch.report_id == REPORT


@scenario(lambda clock: Product(clock, errors=(36, 36), events={"checkout_timed_out": (40, 2)}))
async def test_errors_that_go_on_do_not_resolve_a_report_about_them(place: World) -> None:
    watch = await watched(place, 24.1)
    metrics = {metric.id: metric.direction for metric in watch.metrics}
    assert metrics["errors"] is Direction.SAME and metrics["event:checkout_timed_out"] is Direction.BETTER
    assert watch.state is WatchState.BETTER and watch.fingerprints == ("f1",)
    assert place.resolved == [] and place.releases._wanted() == []


@scenario(better)
async def test_the_project_is_the_one_that_the_task_came_from(place: World) -> None:
    store = place.container.services.store
    inbox = replace(store.state.inbox, triage={REPORT: Triage(task_ids=(T,), project_id=3)})
    await store.update(lambda state: replace(state, inbox=inbox))
    assert (await place.releases.begin(T)).project_id == 3


@scenario(better)
async def test_clocks_that_differ(place: World) -> None:
    place.landing = Landing("c0ffee", NOW + 7200)
    await place.releases.begin(T)
    place.clock.at = NOW + 60
    watch = await place.releases.check(T)
    assert watch.state is WatchState.WAITING and "clock" in watch.problem
    place.landing = Landing("c0ffee", NOW, NOW + 7200, "tag")
    watch = await place.releases.check(T)
    assert watch.state is WatchState.WATCHING and "clock" in watch.problem and watch.checked_at == 0.0
    with pytest.raises(InvalidInput):
        await place.releases.begin(T, NOW + 9 * HOUR)


@scenario(better)
async def test_figures_that_come_late_are_not_taken_for_none(place: World) -> None:
    asked = place.product.query
    await watched(place, 2)

    async def query(*args: Any, **named: Any) -> Any:
        return await _at(place, asked, args, named)

    place.product.query = query  # type: ignore[method-assign]
    place.after(10)
    watch = await place.releases.check(T)
    assert "6 hours ago" in watch.problem
    assert {m.id: m for m in watch.metrics}["errors"].after == 1.0


async def _at(place: World, asked: Any, args: Any, named: Any) -> Any:
    """Ask a product that took in nothing of the last hours."""
    now, place.clock.at = place.clock.at, NOW + 4 * HOUR
    try:
        return await asked(*args, **named)
    finally:
        place.clock.at = now


@scenario(better)
async def test_a_person_says_when(place: World) -> None:
    place.landing = Landing("c0ffee", NOW, deploys=True)
    await place.releases.begin(T)
    place.clock.at = NOW + 5 * HOUR
    place.product.released = NOW + HOUR
    watch = await place.releases.begin(T, NOW + HOUR)
    assert (watch.state, watch.released_by, watch.released_at) == (WatchState.WATCHING, "you", NOW + HOUR)
    assert (await place.releases.check(T)).metrics


@scenario(better)
async def test_stopped(place: World) -> None:
    await watched(place, 3)
    await place.releases.stop(T)
    watch = place.state.watches[T]
    assert watch.state is WatchState.UNKNOWN and watch.until == place.clock.at
    place.releases.start()
    await asyncio.sleep(0)
    assert T in place.state.watches and place.releases._due() == []


@scenario(better)
async def test_before_the_merge(place: World) -> None:
    metrics = {metric.id: metric for metric in await place.releases.before_merge(T)}
    assert metrics["errors"].before == 214 and metrics["errors"].place == "src/pay.py:2"
    assert metrics["people"].before == 87 and metrics["recordings"].before == 90
    assert metrics["uses"].before == 8_000 and "GatewayTimeout" in metrics["errors"].detail


@scenario(better)
async def test_nothing_begins_before_the_merge(place: World) -> None:
    store = place.container.services.store
    pull = replace(place.state.pull_requests[T], state=PullRequestState.OPEN)
    await store.update(lambda state: replace(state, pull_requests={T: pull}))
    with pytest.raises(InvalidInput):
        await place.releases.begin(T)
    with pytest.raises(NotFound):
        await place.releases.check(T)


@scenario(better)
async def test_without_an_account_nothing_is_asked(place: World) -> None:
    store = place.container.services.store
    await store.update(lambda state: replace(state, account=replace(state.account, login="")))
    place.releases.start()
    await until(lambda: place.releases._running is not None)
    with pytest.raises(NotSignedIn):
        await place.releases.check(T)
    assert place.state.watches == {} and place.product.asked == [] and place.releases._rest() is None


@scenario(better, every=0.05)
async def test_by_itself_from_merge_to_proof(place: World) -> None:
    place.releases.start()
    await until(lambda: T in place.state.watches)
    place.after(24.5)
    await until(lambda: place.state.watches[T].state is WatchState.BETTER and place.resolved)
    await until(lambda: place.releases._rest() is None)
    asked = len(place.product.asked)
    await place.container.services.store.update(lambda state: replace(state, drafts={"": "x"}))
    assert len(place.product.asked) == asked and len(place.resolved) == 1


@scenario(better, every=0.05)
async def test_an_old_merge_is_left_alone(place: World) -> None:
    place.clock.at = NOW + 80 * HOUR
    place.releases.start()
    await until(lambda: place.releases._running is not None and not place.releases._wake.is_set())
    assert place.state.watches == {} and place.product.asked == []


@scenario(better)
async def test_code_that_the_base_has_already(place: World) -> None:
    repository = Path(place.state.repositories[place.state.tasks[T].repository_id].path)
    git(repository, "merge", "-q", "--ff-only", "fix/pay")
    watch = await place.releases.begin(T)
    assert watch.touched.paths == ("src/pay.py",) and watch.problem == ""


# -- exactly once ------------------------------------------------------------------------------------------------------


def test_a_restart_in_the_middle(tmp_path: Path) -> None:
    product = worse(Time())

    async def first() -> None:
        async with world(tmp_path, product) as place:
            await watched(place, 2)

    async def second() -> None:
        async with world(tmp_path, product) as place:
            kept = place.state.watches[T]
            assert kept.state is WatchState.WATCHING and kept.touched.hunks and kept.metrics
            place.after(2.5)
            assert (await place.releases.check(T)).state is WatchState.WORSE

    async def third() -> None:
        async with world(tmp_path, product) as place:
            place.after(3)
            assert (await place.releases.check(T)).state is WatchState.WORSE and place.state.watches[T].follow_up_prompt

    for part in (first, second, third):
        run(part())
    assert len(product.sent) == 1


def test_two_programs_tell_it_once(tmp_path: Path) -> None:
    product = worse(Time())

    async def go() -> None:
        async with world(tmp_path, product) as one:
            await watched(one, 2)
            async with world(tmp_path, product) as other:
                one.after(25)
                found = await asyncio.gather(*(place.releases.check(T) for place in (one, other) for _ in range(3)))
                assert {watch.state for watch in found} == {WatchState.WORSE}
        assert len(product.sent) == 1

    run(go())


def test_two_programs_begin_it_once(tmp_path: Path) -> None:
    product = better(Time())

    async def go() -> None:
        async with world(tmp_path, product) as one, world(tmp_path, product) as other:
            await watched(one, 3)
            watch = await other.releases.begin(T)
            assert watch.state is WatchState.WATCHING and watch.metrics and watch == one.state.watches[T]

    run(go())


@scenario(worse)
async def test_a_crash_between_the_mark_and_the_signal_sends_nothing_again(place: World) -> None:
    watch = await watched(place, 2)
    fingerprint = place.releases._parts.follow_ups._fingerprint(watch)
    store = place.container.services.store
    told = Told(NOW, "another program", SENDING)
    await store.update(lambda state: replace(state, telling=state.telling.marked(fingerprint, told)))
    place.after(25)
    assert (await place.releases.check(T)).state is WatchState.WORSE and place.product.sent == []
    assert place.state.watches[T].follow_up_prompt


@scenario(worse)
async def test_a_lost_answer_is_not_sent_again_and_a_refusal_is(place: World) -> None:
    place.product.emit_failure = MissingScope("The sign-in lacks a permission.", scope="project:read")
    watch = await watched(place, 25)
    assert watch.state is WatchState.WORSE and "could not be told" in watch.problem
    assert place.releases._wanted() == [T]
    place.product.emit_failure = OutcomeUnknown("No answer came.")
    watch = await place.releases.check(T)
    assert "could not be told" in watch.problem
    place.product.emit_failure = None
    await place.releases.check(T)
    assert place.product.sent == [] and place.releases._wanted() == []
    (told,) = place.state.telling.signals.values()
    assert told.state == SENDING and told.problem == "No answer came."
    assert {m.direction for m in place.state.watches[T].metrics} >= {Direction.WORSE}
