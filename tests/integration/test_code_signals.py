"""The two stages over a real repository: code first, then what the product knows, and everything that can go wrong."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from posthog_code.adapters.code import make_code_reader
from posthog_code.domain.cloud_errors import MissingScope
from posthog_code.domain.code_facts import EVENTS_QUERY
from posthog_code.domain.coverage import CoverageMissing
from posthog_code.domain.errors import InvalidInput, NotFound, NotSignedIn, Offline, RateLimited, Refused
from posthog_code.domain.ids import TaskId
from posthog_code.domain.inbox import Evidence, Report
from posthog_code.domain.product import EventFacts, Flag
from posthog_code.domain.state import Topic
from posthog_code.domain.task import Repository, TaskDraft, TaskPhase, Workspace
from posthog_code.services import code_reading, code_signals
from posthog_code.services.code_context import CodeContext
from posthog_code.services.publish_coverage import CoverageGate
from posthog_code.services.report_tasks import ReportTasks, Wish
from posthog_code.services.scope import Scope
from tests.helpers import git, run, until
from tests.integration.code_world import ROUTE, CodeWorld, R, T, code_world, stale_flag, with_task

CHANGED = (
    "export function pay() {",
    '  if (isFeatureEnabled("checkout-v2")) charge()',
    '  capture("paid")',
    '  capture("retried")',
    "}",
)
PAID = EventFacts("paid", "d1", verified=True)
FIGURES = {
    "code-events": [
        {"event": "paid", "volume": 70_000, "week": 18_200, "people": 9, "last_seen": "2027-01-15T07:00:00Z"}
    ],
    "code-flags": [{"flag": "checkout-v2", "evaluations": 31_000}],
    "code-errors": [
        {
            "issue_id": "i1",
            "types": ["GatewayTimeout"],
            "exceptions": [{"stacktrace": {"frames": [{"filename": "/app/src/pay.ts", "lineno": 2}]}}],
            "occurrences": 12,
            "people": 7,
            "sessions": ["s1", "s2"],
        }
    ],
}  # fmt: skip


def scenario(tmp_path: Path, steps: Callable[[CodeWorld], Awaitable[None]], **more: object) -> None:
    async def go() -> None:
        async with code_world(tmp_path / "repo", **more) as world:  # type: ignore[arg-type]
            world.product.known_flags = (stale_flag(),)
            world.product.known_events = (PAID,)
            world.product.tables = dict(FIGURES)
            await steps(world)

    run(asyncio.wait_for(go(), 60))


def test_code_and_product_together(tmp_path: Path) -> None:
    async def steps(world: CodeWorld) -> None:
        world.write("src/pay.ts", *CHANGED)
        found = await world.service.refresh(T)
        rows = [(row.kind, row.name, row.line, row.figure, row.state, row.url) for row in found.rows]
        assert rows == [
            ("flag", "checkout-v2", 2, "100 % on for all", "Stale, 94 days", "/flags/1"),
            ("event", "retried", 4, "0 events", "New in this task", ""),
            ("error", "GatewayTimeout", 2, "12 errors", "7 people", "/errors/i1"),
        ]
        assert "31k checks" in found.rows[0].detail and found.facts.recordings == 2
        assert [use.name for use in found.uses] == ["checkout-v2", "retried"]
        assert found.coverage.passed and not found.loading and not found.problem and not found.facts.partial
        assert world.product.values["code-events"] == {"names": ["retried"]}
        assert world.product.values["code-errors"] == {"files": ["src/pay.ts"]}
        assert len([call for call in world.product.calls if call.startswith("code-")]) == 3

    scenario(tmp_path, steps)


def test_what_was_taken_out_is_told_with_its_traffic(tmp_path: Path) -> None:
    async def steps(world: CodeWorld) -> None:
        world.write("src/pay.ts", *ROUTE[:2], "}")
        found = await world.service.refresh(T)
        row = next(row for row in found.rows if row.kind == "event")
        assert (row.name, row.removed, row.state, row.figure, row.line) == ("paid", True, "Removed", "18.2k events", 3)
        assert [place.missing for place in found.coverage.places] == [("event",)]
        await world.service.ask(T, row)
        assert world.prompts[0][1].startswith("src/pay.ts, line 3 (before the change):\n\nThis change does not send")

    scenario(tmp_path, steps)


def test_without_an_account_there_is_the_code_alone(tmp_path: Path) -> None:
    async def steps(world: CodeWorld) -> None:
        world.write("src/pay.ts", *CHANGED)
        found = await world.service.refresh(T)
        assert [(row.name, row.state, row.figure) for row in found.rows] == [
            ("checkout-v2", "", ""),
            ("retried", "", ""),
        ]
        assert not found.loading and not found.problem and not world.product.calls
        assert (await world.service.coverage(T)).passed

    scenario(tmp_path, steps, signed_in=False)


def test_code_is_shown_while_the_product_is_slow_and_nothing_is_asked_once_nobody_looks(tmp_path: Path) -> None:
    async def steps(world: CodeWorld) -> None:
        world.product.hold = asyncio.Event()
        world.write("src/pay.ts", *CHANGED)
        world.service.watch(T)
        await until(lambda: "code-events" in world.product.calls)
        assert world.shown.loading and world.shown.facts.partial
        # Definitions are there before the figures.
        assert world.states() == {"checkout-v2": "Stale, 94 days", "retried": "New in this task"}
        world.service.watch(T)
        world.service.unwatch(T)
        assert not world.product.cancelled
        world.service.unwatch(T)
        await until(lambda: world.product.cancelled == 3)
        calls = len(world.product.calls)
        world.write("src/pay.ts", *CHANGED, 'capture("late")')
        await world.changes.refresh(T)
        await world.sign_in(False)
        await asyncio.sleep(0)
        assert len(world.product.calls) == calls and "late" not in world.states()

    scenario(tmp_path, steps)


def test_a_watched_task_follows_its_files_and_reads_only_what_changed(tmp_path: Path) -> None:
    async def steps(world: CodeWorld) -> None:
        world.service.watch(T)
        await world.settled()
        await world.live()
        world.write("src/pay.ts", *CHANGED)
        await until(lambda: "retried" in world.states())
        await until(lambda: world.shown.rows and world.shown.rows[0].state == "Stale, 94 days")
        world.reader.asked.clear()
        world.write("src/more.ts", 'capture("more")')
        await until(lambda: world.states().get("more") == "New in this task")
        assert set(world.reader.asked) == {"src/more.ts"}
        # The same names again: nothing new is asked.
        await world.settled()
        calls = len(world.product.calls)
        world.write("src/more.ts", "", 'capture("more")')
        await until(lambda: any(row.name == "more" and row.line == 2 for row in world.shown.rows))
        await world.settled()
        assert len(world.product.calls) == calls
        world.service.unwatch(T)

    scenario(tmp_path, steps)


def test_signing_in_and_out_while_it_is_watched(tmp_path: Path) -> None:
    async def steps(world: CodeWorld) -> None:
        world.write("src/pay.ts", *CHANGED)
        world.service.watch(T)
        await until(lambda: world.states() == {"checkout-v2": "", "retried": ""} and not world.shown.loading)
        await world.sign_in()
        await until(lambda: world.states().get("checkout-v2") == "Stale, 94 days" and not world.shown.loading)
        await world.sign_in(False)
        await until(lambda: world.states() == {"checkout-v2": "", "retried": ""})
        world.service.unwatch(T)

    scenario(tmp_path, steps, signed_in=False)


@pytest.mark.parametrize(
    "error", [RateLimited("Too many queries."), Offline("The query took too long."), InvalidInput("Bad.")]
)
def test_limited_queries_leave_the_definitions(tmp_path: Path, error: Exception) -> None:
    async def steps(world: CodeWorld) -> None:
        world.product.fail = dict.fromkeys(FIGURES, error)  # type: ignore[arg-type]
        world.write("src/pay.ts", *CHANGED[:-1], '  capture("paid", 2)', "}")
        found = await world.service.refresh(T)
        assert found.facts.partial and error.args[0] in found.problem and "Figures are missing" in found.problem
        assert world.states()["checkout-v2"] == "Stale, 94 days"
        assert next(row for row in found.rows if row.name == "paid").figure == ""
        # They are asked for again, but not at once: only a person may insist.
        calls = len(world.product.calls)
        world.service.watch(T)
        await world.live()
        world.write("src/more.ts", "nothing()")
        await until(lambda: "src/more.ts" in str(world.store.state.changes[T]))
        await world.settled()
        world.service.unwatch(T)
        assert len(world.product.calls) == calls
        world.product.fail = {}
        found = await world.service.refresh(T)
        assert not found.problem and next(row for row in found.rows if row.name == "paid").figure == "18.2k events"
        assert "forget" in world.product.calls
        # Later figures that do not come leave those.
        world.product.fail = {"code-events": error, "code-errors": error}  # type: ignore[dict-item]
        found = await world.service.refresh(T)
        assert found.problem and next(row for row in found.rows if row.name == "paid").figure == "18.2k events"
        assert [row.name for row in found.rows if row.kind == "error"] == ["GatewayTimeout"]

    scenario(tmp_path, steps)


def test_a_missing_scope_takes_only_its_own_part_away(tmp_path: Path) -> None:
    async def steps(world: CodeWorld) -> None:
        world.product.fail = {"flags": MissingScope("No.", scope="feature_flag:read")}
        world.write("src/pay.ts", *CHANGED)
        found = await world.service.refresh(T)
        assert world.states() == {"checkout-v2": "", "retried": "New in this task", "GatewayTimeout": "7 people"}
        assert "feature_flag:read" in found.problem and "feature flags" in found.problem
        world.product.fail = {
            "flags": MissingScope("No."),
            "experiments": MissingScope("No."),
            "events": Offline("No."),
        }
        world.clock.time += 400
        assert (await world.service.refresh(T)).problem

    scenario(tmp_path, steps)


def test_a_sign_in_that_is_no_good_any_more(tmp_path: Path) -> None:
    async def steps(world: CodeWorld) -> None:
        world.product.fail = {"flags": NotSignedIn("Your sign-in was revoked.")}
        world.write("src/pay.ts", *CHANGED)
        found = await world.service.refresh(T)
        assert found.problem == "Your sign-in was revoked." and not found.loading
        assert world.states() == {"checkout-v2": "", "retried": ""}
        assert world.store.state.account.problem == "Your sign-in was revoked."

    scenario(tmp_path, steps)


def test_a_flag_of_another_project_is_a_hint(tmp_path: Path) -> None:
    async def steps(world: CodeWorld) -> None:
        world.product.known_flags = ()
        other = world.port.products[2]
        other.known_flags = (Flag(9, "checkout-v2"),)
        world.write("src/pay.ts", *CHANGED)
        row = (await world.service.refresh(T)).rows[0]
        assert row.state == "Not in this project" and "Harbor EU" in row.detail and row.ask
        other.fail = {"flag": Offline("No.")}
        assert (await world.service.refresh(T)).rows[0].state == "New in this task"

    scenario(tmp_path, steps)


def test_an_empty_project_and_a_wrong_clock(tmp_path: Path) -> None:
    async def steps(world: CodeWorld) -> None:
        world.product.known_flags, world.product.known_events, world.product.tables = (), (), {}
        world.clock.time = 0.0
        world.write("src/pay.ts", *CHANGED)
        found = await world.service.refresh(T)
        assert (
            world.states() == {"checkout-v2": "New in this task", "retried": "New in this task"} and not found.problem
        )
        world.clock.time = 9e9
        assert not (await world.service.refresh(T)).problem

    scenario(tmp_path, steps)


def test_a_change_without_code_asks_nobody(tmp_path: Path) -> None:
    async def steps(world: CodeWorld) -> None:
        world.write("README.md", "hello")
        found = await world.service.refresh(T)
        assert found.rows == () and found.fingerprint and not found.problem and not world.product.calls
        with pytest.raises(InvalidInput):
            await world.service.add_with_agent(T)

    scenario(tmp_path, steps)


def test_files_that_moved_vanished_or_are_no_text(tmp_path: Path) -> None:
    async def steps(world: CodeWorld) -> None:
        git(world.folder, "mv", "src/pay.ts", "src/money.ts")
        world.write("src/money.ts", *ROUTE[:-1], '  capture("moved")', "}")
        (world.folder / "src/blob.ts").write_bytes(b'capture("x")\n\0\n')
        (world.folder / "src/gone.ts").unlink()
        found = await world.service.refresh(T)
        assert [(row.name, row.path, row.removed) for row in found.rows if row.kind != "error"] == [
            ("moved", "src/money.ts", False),
            ("left", "src/gone.ts", True),
        ]
        assert [place.entry.path for place in found.coverage.places] == ["src/money.ts"]

    scenario(tmp_path, steps, **{"src/gone.ts": ('capture("left")',)})


def test_a_very_large_change_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_reading, "FILES", 20)

    async def steps(world: CodeWorld) -> None:
        for number in range(60):
            world.write(f"gen/f{number:03}.ts", f'capture("e{number}")')
        found = await world.service.refresh(T)
        assert len(world.reader.parsed) == 20 and len(found.rows) == 20
        assert found.problem == (
            "Only the first 20 changed files were read, not gen/f020.ts, gen/f021.ts, gen/f022.ts and 37 more files."
        )
        assert (await world.service.coverage(T)).unread == (found.problem,)

    scenario(tmp_path, steps)


def test_a_wrapper_that_changes_changes_what_its_callers_send(tmp_path: Path) -> None:
    async def steps(world: CodeWorld) -> None:
        world.service._reader._reader = make_code_reader()
        sends = (
            "import posthog from 'posthog-js';",
            "export function track(name: string) {",
            "  posthog.capture(name);",
            "}",
        )
        world.write("src/analytics.ts", *sends)
        world.write("src/cart.ts", "import { track } from './analytics';", "track('cart_opened');")
        found = await world.service.refresh(T)
        row = next(row for row in found.rows if row.kind == "event")
        assert (row.name, row.path, row.line) == (
            "cart_opened",
            "src/cart.ts",
            2,
        ) and "src/analytics.ts:2" in row.detail
        world.write("src/analytics.ts", *sends[:2], "  console.log(name);", "}")
        found = await world.service.refresh(T)
        assert not [row for row in found.rows if row.kind == "event"]
        world.write("src/analytics.ts", *sends)
        found = await world.service.refresh(T)
        assert [row.name for row in found.rows if row.kind == "event"] == ["cart_opened"]

    scenario(tmp_path, steps)


def test_an_archived_task_is_read_from_its_snapshot(tmp_path: Path) -> None:
    async def steps(world: CodeWorld) -> None:
        base = git(world.folder, "rev-parse", "HEAD")
        world.write("src/pay.ts", *CHANGED)
        git(world.folder, "commit", "-qam", "Second")
        snapshot = git(world.folder, "rev-parse", "HEAD")
        git(world.folder, "switch", "-q", "main")
        with_task(world, phase=TaskPhase.ARCHIVED, snapshot=snapshot, base_commit=base)
        found = await world.service.refresh(T)
        assert [row.name for row in found.rows] == ["checkout-v2", "retried", "GatewayTimeout"]
        assert len(found.coverage.places) == 1

    scenario(tmp_path, steps)


def test_a_worktree_that_is_gone_is_a_problem_in_words(tmp_path: Path) -> None:
    async def steps(world: CodeWorld) -> None:
        world.write("src/pay.ts", *CHANGED)
        await world.service.refresh(T)
        shutil.move(world.folder, tmp_path / "away")
        found = await world.service.refresh(T)
        assert "worktree" in found.problem and len(found.rows) == 3  # what was known stays
        with pytest.raises(NotFound):
            await world.service.coverage(T)
        shutil.move(tmp_path / "away", world.folder)
        assert not (await world.service.refresh(T)).problem
        with pytest.raises(NotFound):
            await world.service.refresh(T[:1])  # type: ignore[arg-type]

    scenario(tmp_path, steps)


def test_a_cloud_task_whose_files_are_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps(world: CodeWorld) -> None:
        async def nothing(*_args: object) -> None:
            return None

        monkeypatch.setattr(world.changes, "blob", nothing)
        monkeypatch.setattr(world.changes, "note", lambda task_id: "Nothing is pushed yet.")
        with_task(world, workspace=Workspace.CLOUD)
        world.write("src/pay.ts", *CHANGED)
        found = await world.service.refresh(T)
        assert found.problem == "Nothing is pushed yet." and not found.coverage.places
        assert [row.kind for row in found.rows] == ["error"]  # errors need no file of it
        with pytest.raises(NotFound, match="Nothing is pushed yet"):
            await world.service.coverage(T)

    scenario(tmp_path, steps)


def test_a_task_that_is_being_set_up_has_no_problem_yet(tmp_path: Path) -> None:
    async def steps(world: CodeWorld) -> None:
        path = world.store.state.tasks[T].path
        with_task(world, phase=TaskPhase.SETTING_UP, path="")
        world.service.watch(T)
        await asyncio.sleep(0)
        assert not world.shown.problem
        world.write("src/pay.ts", *CHANGED)
        with_task(world, phase=TaskPhase.READY, path=path)
        world.store.touch(Topic("task", T))
        await until(lambda: "retried" in world.states())
        assert not world.shown.problem
        world.service.unwatch(T)

    scenario(tmp_path, steps)


def test_the_same_again_is_the_same(tmp_path: Path) -> None:
    async def steps(world: CodeWorld) -> None:
        world.write("src/pay.ts", *CHANGED)
        first = await world.service.refresh(T)
        assert await world.service.refresh(T) == first
        world.service.watch(T)
        told: list[Topic] = []
        world.store.subscribe(lambda topics: told.extend(topics))
        await world.live()
        assert Topic("code_signals", T) not in told or world.shown.rows == first.rows
        world.service.unwatch(T)

    scenario(tmp_path, steps)


# -- the agent ---------------------------------------------------------------------------------------------------------


def test_one_follow_up_names_all_places_and_the_projects_way(tmp_path: Path) -> None:
    async def steps(world: CodeWorld) -> None:
        world.write("src/pay.ts", *ROUTE, "", "export function refund() {", "  undo()", "}")
        await world.service.add_with_agent(T)
        ((task_id, text),) = world.prompts
        assert task_id == T and "src/pay.ts:6  refund route  needs an event" in text
        assert "with `capture`, as in src/pay.ts:3" in text
        world.prompts.clear()
        world.write("src/pay.ts", *ROUTE)
        world.write("src/other.ts", "export function other() {", "}")
        await world.service.add_with_agent(T)
        assert "as in src/pay.ts:3" in world.prompts[0][1]  # found elsewhere in the repository

    scenario(tmp_path, steps)


def test_a_row_without_anything_to_do_is_not_asked_about(tmp_path: Path) -> None:
    async def steps(world: CodeWorld) -> None:
        world.write("src/pay.ts", *CHANGED)
        rows = {row.name: row for row in (await world.service.refresh(T)).rows}
        await world.service.ask(T, rows["checkout-v2"])
        assert world.prompts[0][1].startswith("src/pay.ts, line 2:\n\nThe feature flag `checkout-v2` has been on")
        with pytest.raises(InvalidInput):
            await world.service.ask(T, rows["retried"])

    scenario(tmp_path, steps)


def test_context_for_an_agent(tmp_path: Path) -> None:
    async def steps(world: CodeWorld) -> None:
        context = CodeContext(world.store, world.search, world.facts, world.clock)
        text = await context.text(R, ["src/pay.ts", "../outside.ts", "src/none.ts", "README.md"])
        assert "- event `paid` at src/pay.ts:3: Active" in text
        assert not any(call.startswith("code-") for call in world.product.calls)
        world.facts.forget()
        world.product.fail = {"events": Offline("No.")}
        assert (await context.text(R, ["src/pay.ts"])).endswith("- event `paid` at src/pay.ts:3")
        assert await context.text(None, ["src/pay.ts"]) == ""
        state = world.store.state
        world.store.adopt(replace(state, settings=replace(state.settings, code_context=False)))
        assert await context.text(R, ["src/pay.ts"]) == ""

    scenario(tmp_path, steps)


def test_a_task_from_a_report_begins_with_what_its_files_mean(tmp_path: Path) -> None:
    async def steps(world: CodeWorld) -> None:
        drafts: list[TaskDraft] = []

        async def create(draft: TaskDraft) -> TaskId:
            drafts.append(draft)
            return T

        async def link(report_id: str, task_id: TaskId) -> None:
            return None

        state, report = world.store.state, Report("rep-1", "Charged twice")
        evidence = {"rep-1": Evidence("rep-1", paths=("src/pay.ts",))}
        world.store.adopt(replace(state, inbox=replace(state.inbox, evidence=evidence)))
        context = CodeContext(world.store, world.search, world.facts, world.clock)
        scope = Scope("reports", lambda name, error: None)
        parts: tuple[Any, ...] = (SimpleNamespace(create=create), None, SimpleNamespace(spec=lambda agent: None), link)
        reports = ReportTasks(world.store, *parts, world.clock, scope, context.text)
        assert await reports.start(report, "", Wish(repository_id=R, agent_id="a", prompt="Mend it")) == T
        assert drafts[0].prompt.startswith("Mend it\n\nPostHog in this code")
        assert "- event `paid` at src/pay.ts:3: Active" in drafts[0].prompt
        await scope.close()

    scenario(tmp_path, steps)


# -- the gate of pull requests -----------------------------------------------------------------------------------------


def test_the_gate_refuses_with_the_places(tmp_path: Path) -> None:
    async def steps(world: CodeWorld) -> None:
        gate = CoverageGate(world.store, world.service.coverage)
        world.write("src/pay.ts", *ROUTE, "", "export function refund() {", "  undo()", "}")
        await gate.check(T)  # the repository does not require it
        view = await gate.look(T)
        assert view.summary == "0 of 1 changed path sends an event. Missing: refund route." and not view.refuses
        state = world.store.state
        required = {R: replace(state.repositories[R], require_coverage=True)}
        world.store.adopt(replace(state, repositories=required))
        assert isinstance(required[R], Repository) and (await gate.look(T)).refuses
        with pytest.raises(CoverageMissing) as refused:
            await gate.check(T)
        assert "src/pay.ts:6 refund route needs an event" in refused.value.title
        assert "without the check" in refused.value.hint and len(refused.value.coverage.places) == 1
        gate.waive(T)
        await gate.check(T)
        gate.waive(T, False)
        world.write("src/pay.ts", *ROUTE, "", "export function refund() {", '  capture("refunded")', "}")
        await gate.check(T)
        with_task(world, path=str(tmp_path / "gone"))
        with pytest.raises(Refused, match="could not be made"):
            await gate.check(T)
        assert not (await gate.look(T)).summary

    scenario(tmp_path, steps)


def test_what_nobody_looks_at_is_dropped_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_signals, "TASKS_KEPT", 1)

    async def steps(world: CodeWorld) -> None:
        other = TaskId("other")
        world.write("src/pay.ts", *CHANGED)
        state = world.store.state
        world.store.adopt(replace(state, tasks={**state.tasks, other: replace(state.tasks[T], id=other)}))
        for task_id in (T, other, T, other, T):
            assert (await world.service.refresh(task_id)).fingerprint
            assert list(world.store.state.code_signals) == [task_id]

    scenario(tmp_path, steps)


def test_queries_are_bounded() -> None:
    assert "INTERVAL 30 DAY" in EVENTS_QUERY and "LIMIT" in EVENTS_QUERY
