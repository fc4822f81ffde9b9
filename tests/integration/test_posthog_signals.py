"""The client of a project's signals over real HTTP: pages, versions, limits, slow queries, and the event it sends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from posthog_code.adapters.posthog import http as http_module
from posthog_code.adapters.posthog import signal_queries
from posthog_code.adapters.posthog.account import PostHogAccount
from posthog_code.adapters.posthog.hosts import capture_origin
from posthog_code.adapters.posthog.http import Http
from posthog_code.adapters.posthog.signals import PostHogSignals
from posthog_code.domain.cloud import Account
from posthog_code.domain.cloud_errors import MissingScope, OutcomeUnknown
from posthog_code.domain.errors import Conflict, InvalidInput, NotFound, NotSignedIn, Offline, RateLimited, Refused
from posthog_code.domain.product import EventFacts, Experiment, Flag
from posthog_code.ports.cloud import SignIn
from posthog_code.ports.signals import OutgoingSignal, ReportQuery, StateChange
from tests.integration.cloud_server import KEY, Fault
from tests.integration.signals_server import TOKEN, SignalsServer, signals_server
from tests.integration.test_cloud_account import MemoryKeyring, at_once

JSON = {"Content-Type": "application/json"}
PAGE = b"<!doctype html><html><body>Bad gateway</body></html>"
QUERY = r"/query/$"
REGRESSION = OutgoingSignal(
    title="More errors since the release",
    text="CheckoutError is twice as frequent.",
    kind="regression",
    fingerprint="posthog-code-regression-t1",
    properties={"task": "t1", "$exception_list": "not ours", "rate": float("nan"), "files": ("a.py",)},
)


class Clock:
    def __init__(self) -> None:
        self.at = 1_777_900_000.0

    def __call__(self) -> float:
        return self.at


class KeyOnly:
    async def token(self) -> str:
        return KEY

    async def instead_of(self, refused: str) -> str:
        raise NotSignedIn("no other")


class Bench:
    """A client of the server, with a clock of its own and the lines it logs."""

    def __init__(self, server: SignalsServer) -> None:
        self.clock, self.lines = Clock(), list[str]()
        self.http = Http(server.url, log=self.lines.append, now=self.clock, sleep=at_once)
        self.signals = PostHogSignals(
            self.http, self.http, KeyOnly(), 1, "u7", now=self.clock, sleep=lambda seconds: asyncio.sleep(0.01)
        )


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_module, "_backoff", lambda attempt: 0.0)


def drive(use: Callable[[SignalsServer, Bench], Coroutine[Any, Any, None]]) -> None:
    async def go() -> None:
        async with signals_server() as server:
            bench = Bench(server)
            try:
                await use(server, bench)
            finally:
                await bench.signals.close()
                await bench.http.close()

    asyncio.run(go())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


# -- inbox -----------------------------------------------------------------------------------------------------


def test_reports_of_all_pages_without_garbage() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        for number in range(23):
            server.report(f"r{number}")
        server.report("gone", status="suppressed")
        server.reports["x"] = ["no object"]  # type: ignore[assignment]
        server.reports["y"] = {"title": "no id", "status": "ready"}
        server.page_size = 10
        found = await bench.signals.reports()
        assert [one.id for one in found] == [f"r{number}" for number in range(23)]
        (first, *_) = server.of("GET", r"/reports/$")
        assert "ready" in first[0]["status"] and "suppressed" not in first[0]["status"]
        assert len(await bench.signals.reports(ReportQuery(limit=12))) == 12
        assert [one.id for one in await bench.signals.reports(ReportQuery(("suppressed",)))] == ["gone"]

    drive(use)


def test_a_server_that_does_not_know_resolved_lists_the_others() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        server.knows.remove("resolved")
        server.report("a", status="suppressed")
        assert [one.id for one in await bench.signals.reports(ReportQuery(("suppressed", "resolved")))] == ["a"]
        with pytest.raises(InvalidInput):
            await bench.signals.reports(ReportQuery(("resolved",)))

    drive(use)


def test_evidence_of_a_report() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        server.report("a")
        server.evidence["a"] = {
            "signals": {"report": {}, "signals": [{"signal_id": "s1", "extra": '{"fingerprint": "f"}'}, 3, None]},
            "artefacts": {"results": [{"id": "1", "type": "note", "content": "n"}, {"id": "2", "type": "commit"}]},
            "tasks": {"results": [{"task_id": "t1", "relationship": "implementation"}]},
        }
        (signal,) = await bench.signals.signals("a")
        assert (signal.id, signal.extra) == ("s1", {"fingerprint": "f"})
        assert [one.type for one in await bench.signals.artefacts("a")] == ["note"]
        assert await bench.signals.report_tasks("a") == ("t1",)
        assert [one.name for one in await bench.signals.reviewers("ada")] == ["Ada L"]
        assert (await bench.signals.report("a")).title == "Report a"

    drive(use)


def test_what_a_server_does_not_tell_is_empty_and_what_is_not_there_is_said() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        server.knows.clear()
        server.report("a")
        assert await bench.signals.artefacts("a") == await bench.signals.report_tasks("a") == ()
        assert await bench.signals.reviewers() == ()
        for call in (bench.signals.report, bench.signals.signals):
            for missing in ("nowhere", ""):
                with pytest.raises(NotFound):
                    await call(missing)
        server.faults.append(Fault("GET", "artefacts", 403, b'{"detail": "Not available in this project."}', JSON))
        assert await bench.signals.artefacts("a") == ()

    drive(use)


def test_a_missing_scope_is_named() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        words = "API key missing required scope 'task:read'"
        body = json.dumps({"type": "authentication_error", "code": "permission_denied", "detail": words}).encode()
        server.faults.append(Fault("GET", "signals/reports", 403, body, JSON, times=2))
        for call in (bench.signals.reports(), bench.signals.artefacts("a")):
            with pytest.raises(MissingScope) as failure:
                await call
            assert failure.value.scope == "task:read"

    drive(use)


def test_a_broken_server_is_asked_again_and_then_offline() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        server.report("a")
        server.faults.append(Fault("GET", "reports", 502, PAGE, {"Content-Type": "text/html"}, times=2))
        assert len(await bench.signals.reports()) == 1
        server.faults.append(Fault("GET", "reports", 502, PAGE, {"Content-Type": "text/html"}, times=3))
        with pytest.raises(Offline) as failure:
            await bench.signals.reports()
        assert "<html" not in failure.value.detail
        server.faults.append(Fault("GET", "reports", 200, PAGE, {"Content-Type": "text/html"}))
        with pytest.raises(Offline, match="Something else answers"):
            await bench.signals.reports()
        server.faults.append(Fault("GET", "reports/a/$", 200, b"[]", JSON))
        with pytest.raises(Offline):
            await bench.signals.report("a")

    drive(use)


def test_a_limit_is_kept_for_as_long_as_the_server_says() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        server.faults.append(Fault("GET", "reports", 429, b'{"detail": "Throttled"}', JSON | {"Retry-After": "17"}))
        with pytest.raises(RateLimited) as failure:
            await bench.signals.reports()
        assert failure.value.until == bench.clock.at + 17
        with pytest.raises(RateLimited):
            await bench.signals.flags()
        assert len(server.requests) == 1
        bench.clock.at += 18
        assert await bench.signals.reports() == ()

    drive(use)


# -- what becomes of reports -------------------------------------------------------------------------------------


def test_dismissing_snoozing_and_restoring() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        server.report("a")
        dismissed = await bench.signals.set_state("a", StateChange("suppressed", "wontfix_irrelevant", "n" * 9000))
        assert (dismissed.status, dismissed.dismissal_reason) == ("suppressed", "wontfix_irrelevant")
        assert (await bench.signals.set_state("a", StateChange("potential", snooze_for=5_000_000))).status
        await bench.signals.set_state("a", StateChange("potential"))
        first, second, third = (body for _, body in server.of("POST", "/a/state/"))
        assert first["state"] == "suppressed" and len(first["dismissal_note"]) == 4000 and "snooze_for" not in first
        assert second == {"state": "potential", "snooze_for": 100_000}
        assert third == {"state": "potential"}

    drive(use)


def test_older_servers_get_what_they_understand() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        server.knows -= {"reasons", "resolved"}
        server.report("a")
        server.report("b")
        assert (await bench.signals.set_state("a", StateChange("suppressed", "already_fixed"))).status == "suppressed"
        assert [body for _, body in server.of("POST", "/a/state/")][-1] == {"state": "suppressed"}
        # What comes back tells that it is dismissed, not resolved.
        resolved = await bench.signals.set_state("b", StateChange("resolved", "pr_merged", "figures"))
        assert resolved.status == "suppressed"
        tried = [body for _, body in server.of("POST", "/b/state/")]
        assert [body["state"] for body in tried] == ["resolved", "resolved", "suppressed"]
        assert tried[-1] == {"state": "suppressed"}

    drive(use)


def test_a_refused_change_is_a_conflict_and_a_write_is_not_repeated() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        server.report("a", status="failed")
        with pytest.raises(Conflict, match="Cannot transition"):
            await bench.signals.set_state("a", StateChange("potential"))
        server.faults.append(Fault("POST", "/state/", 0))
        with pytest.raises(OutcomeUnknown):
            await bench.signals.set_state("a", StateChange("potential"))
        assert server.count("POST", "/state/") == 2

    drive(use)


def test_many_at_once_by_hundreds() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        ids = [f"r{number}" for number in range(130)]
        for one in ids[:-1]:
            server.report(one)
        server.reports["r5"]["status"] = "failed"
        outcomes = await bench.signals.set_states([*ids, "r0"], StateChange("suppressed", "other"))
        assert list(outcomes) == ids
        assert {one for one in ids if outcomes[one]} == {"r5", "r129"}
        assert "Cannot transition" in outcomes["r5"]
        assert [len(body["ids"]) for _, body in server.of("POST", "bulk-state")] == [100, 30]

    drive(use)


@pytest.mark.parametrize("state", ["suppressed", "resolved"])
def test_many_one_by_one_where_there_is_no_bulk(state: str) -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        server.knows -= {"bulk", "resolved", "reasons"}
        for one in "abc":
            server.report(one)
        server.reports["b"]["status"] = "failed"
        outcomes = await bench.signals.set_states(["a", "b", "nowhere", "c"], StateChange(state, "other"))
        assert outcomes["a"] == outcomes["c"] == ""
        assert "Cannot transition" in outcomes["b"] and outcomes["nowhere"]
        assert server.count("POST", "bulk-state") == 1
        assert server.reports["c"]["status"] == "suppressed"

    drive(use)


def test_bulk_of_an_older_server_without_resolved() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        server.knows -= {"resolved", "reasons"}
        server.report("a")
        server.report("b")
        assert await bench.signals.set_states(["a", "b"], StateChange("resolved", "x")) == {"a": "", "b": ""}
        assert server.reports["b"]["status"] == "suppressed"

    drive(use)


def test_what_stops_many_is_the_outcome_of_the_rest() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        server.knows.remove("bulk")
        for one in "abc":
            server.report(one)
        server.faults.append(Fault("POST", "/b/state/", 429, b"{}", JSON | {"Retry-After": "5"}))
        outcomes = await bench.signals.set_states(["a", "b", "c"], StateChange("suppressed"))
        assert outcomes["a"] == "" and outcomes["b"] == outcomes["c"] != ""
        bench.clock.at += 10
        server.faults.append(Fault("POST", "/a/state/", 403, b'{"detail": "missing scope task:write"}', JSON))
        with pytest.raises(MissingScope):
            await bench.signals.set_states(["a", "b"], StateChange("suppressed"))
        assert await bench.signals.set_states([], StateChange("suppressed")) == {}

    drive(use)


# -- what the project knows --------------------------------------------------------------------------------------


def test_flags_and_experiments() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        server.page_size = 2
        server.flags = [
            {"id": 1, "key": "cart", "active": True, "filters": {"groups": [{"rollout_percentage": 100}]}},
            {"id": 2, "key": "cart-old", "deleted": True},
            "garbage",
            {"id": 3, "key": "cart-2", "active": False, "filters": None},
            {"id": 4},
        ]
        server.experiments = [{"id": 9, "feature_flag_key": "cart", "end_date": "2026-05-04T00:00:00Z"}, {}, None]
        assert [(one.key, one.rollout, one.active) for one in await bench.signals.flags()] == [
            ("cart", 100.0, True),
            ("cart-2", None, False),
        ]
        found = await bench.signals.flag("cart-2")
        assert found is not None and found.id == 3
        assert await bench.signals.flag("cart-old") is None and await bench.signals.flag("none") is None
        assert [(one.flag_key, one.ended_at > 0) for one in await bench.signals.experiments()] == [("cart", True)]

    drive(use)


def test_few_events_are_searched_and_many_are_listed() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        server.events = [{"id": f"e{n}", "name": f"event {n}", "verified": n % 2 == 0} for n in range(60)]
        server.events += [None, {"id": "x"}]
        found = await bench.signals.events(["event 5", "Event 6", "event", "event 5", ""])
        assert [(one.name, one.id) for one in found] == [("event 5", "e5")]
        assert sorted(query["search"] for query, _ in server.of("GET", "event_definitions")) == [
            "Event 6",
            "event",
            "event 5",
        ]
        server.asked.clear()
        names = [f"event {n}" for n in range(30, 55)]
        assert [one.name for one in await bench.signals.events([*names, "no such"])] == names
        (only,) = server.of("GET", "event_definitions")
        assert "search" not in only[0]
        assert len(await bench.signals.search_events("event", limit=7)) == 7
        assert await bench.signals.events([]) == ()

    drive(use)


def test_of_endless_lists_a_part_is_read() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        server.page_size = 2
        server.events = [{"id": f"e{n}", "name": f"event {n}"} for n in range(40)]
        names = [f"event {n}" for n in range(40)]
        assert len(await bench.signals.events(names)) == 10
        assert len(server.of("GET", "event_definitions")) == 5
        assert await bench.signals.events(["event 39"]) != ()
        assert await bench.signals.events(["event"]) == ()

    drive(use)


def test_one_of_many_searches_that_fails_is_raised_as_it_is() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        body = b'{"detail": "missing scope event_definition:read"}'
        server.faults.append(Fault("GET", "event_definitions", 403, body, JSON, times=50))
        with pytest.raises(MissingScope) as failure:
            await bench.signals.events([f"event {n}" for n in range(12)])
        assert failure.value.scope == "event_definition:read"

    drive(use)


def test_recordings_errors_and_pages() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        signals, web = bench.signals, f"{server.url}/project/1"
        recording = await signals.recording("s/1")
        assert (recording.duration, recording.clicks, recording.person) == (63.0, 12, "ada@example.com")
        assert server.asked[-1][1].endswith("/session_recordings/s%2F1/")
        assert (await signals.error_issue("i1"))["status"] == "active"
        assert signals.report_url("r/1") == f"{web}/inbox/r%2F1"
        assert signals.flag_url(Flag(7, "cart")) == f"{web}/feature_flags/7"
        assert signals.flag_url("a b") == signals.flag_url(Flag(0, "a b")) == f"{web}/feature_flags?search=a%20b"
        assert signals.event_url(EventFacts("x", "e1")) == f"{web}/data-management/events/e1"
        assert signals.event_url(EventFacts("x y")) == f"{web}/data-management/events?search=x%20y"
        assert signals.experiment_url(Experiment(4)) == f"{web}/experiments/4"
        assert signals.recording_url("s1") == f"{web}/replay/s1"
        assert signals.recording_url("s1", 62.7) == f"{web}/replay/s1?t=62"
        assert signals.error_url("i1") == f"{web}/error_tracking/i1"

    drive(use)


# -- queries -----------------------------------------------------------------------------------------------------


def test_a_query_is_kept_for_ten_minutes() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        server.table = {"results": [["a", 1], ["short"], None], "columns": ["event", "volume"], "hasMore": True}
        ask = bench.signals.query
        found = await ask("SELECT {names}", {"names": ["a"]}, name="usage")
        assert (found.columns, found.rows, found.more) == (("event", "volume"), (("a", 1),), True)
        (_, body) = server.of("POST", QUERY)[0]
        assert body["query"] == {"kind": "HogQLQuery", "query": "SELECT {names}", "values": {"names": ["a"]}}
        assert body["name"] == "usage" and body["client_query_id"]
        assert await ask("SELECT {names}", {"names": ["a"]}) is found
        assert server.count("POST", QUERY) == 1
        await ask("SELECT {names}", {"names": ["b"]})
        assert server.count("POST", QUERY) == 2
        bench.clock.at += 601
        await ask("SELECT {names}", {"names": ["a"]})
        bench.clock.at -= 3600  # a clock that is put back keeps nothing for longer
        await ask("SELECT {names}", {"names": ["a"]})
        assert server.count("POST", QUERY) == 4
        bench.signals.forget_answers()
        await ask("SELECT {names}", {"names": ["a"]})
        assert server.count("POST", QUERY) == 5

    drive(use)


def test_no_more_answers_are_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal_queries, "MOST_KEPT", 3)

    async def use(server: SignalsServer, bench: Bench) -> None:
        for number in range(4):
            await bench.signals.query(f"SELECT {number}")
        await bench.signals.query("SELECT 3")
        assert server.count("POST", QUERY) == 4
        await bench.signals.query("SELECT 0")
        assert server.count("POST", QUERY) == 5
        monkeypatch.setattr(signal_queries, "MOST_BYTES_KEPT", 10)
        await bench.signals.query("SELECT 9")
        await bench.signals.query("SELECT 9")
        assert server.count("POST", QUERY) == 7

    drive(use)


def test_the_same_query_asked_twice_at_a_time_runs_once() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        found = await asyncio.gather(*(bench.signals.query("SELECT 1") for _ in range(5)))
        assert len({id(one) for one in found}) == 1
        assert server.count("POST", QUERY) == 1

    drive(use)


def test_a_query_that_goes_on_is_looked_at_until_it_is_done() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        server.pending = 3
        assert (await bench.signals.query("SELECT 1")).rows == (("a", 1),)
        assert server.count("GET", "/query/q1/$") == 3
        server.pending = 1
        failed = json.dumps({"query_status": {"complete": True, "error": True, "error_message": "no such column"}})
        server.faults.append(Fault("GET", "/query/q1/", 200, failed.encode(), JSON))
        with pytest.raises(InvalidInput, match="no such column"):
            await bench.signals.query("SELECT 2")
        server.pending = 1
        server.faults.append(Fault("GET", "/query/q1/", 400, b'{"detail": "Unable to resolve field"}', JSON))
        with pytest.raises(InvalidInput, match="Unable to resolve"):
            await bench.signals.query("SELECT 3")

    drive(use)


@pytest.mark.parametrize("pending", [0, 1_000_000])
def test_a_slow_query_is_given_up_and_ended(monkeypatch: pytest.MonkeyPatch, pending: int) -> None:
    monkeypatch.setattr(signal_queries, "TIMEOUT", 0.4)

    async def use(server: SignalsServer, bench: Bench) -> None:
        server.pending = pending
        if not pending:
            server.hold = asyncio.Event()
        with pytest.raises(Offline, match=r"longer than 0\.4 s"):
            await bench.signals.query("SELECT sleep(60)")
        await until(lambda: server.count("DELETE", "/query/") == 1)
        ours = server.of("POST", QUERY)[0][1]["client_query_id"]
        (ended,) = (path for method, path in server.requests if method == "DELETE")
        assert ended.endswith(f"/query/{'q1' if pending else ours}/")
        # Nothing of it is kept.
        server.pending, server.hold = 0, None
        assert (await bench.signals.query("SELECT sleep(60)")).rows

    drive(use)


def test_a_query_that_nobody_waits_for_any_more_is_ended() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        server.hold = asyncio.Event()
        asking = asyncio.get_running_loop().create_task(bench.signals.query("SELECT 1"))
        second = asyncio.get_running_loop().create_task(bench.signals.query("SELECT 1"))
        async with asyncio.timeout(20):
            await server.waiting.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await until(lambda: server.count("DELETE", "/query/") == 1)
        # Who asked for the same still gets an answer.
        server.hold.set()
        assert (await second).rows == (("a", 1),)

    drive(use)


@pytest.mark.parametrize("status", [503, 504, 512])
def test_an_overloaded_database_is_a_reason_and_not_asked_again_at_once(status: int) -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        server.faults.append(Fault("POST", QUERY, status, b'{"detail": "overloaded"}', JSON))
        with pytest.raises(Offline, match="too busy"):
            await bench.signals.query("SELECT 1")
        assert server.count("POST", QUERY) == 1
        assert (await bench.signals.query("SELECT 1")).rows

    drive(use)


def test_limited_queries_hold_up_nothing_else() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        server.faults.append(Fault("POST", QUERY, 429, b'{"detail": "Throttled"}', JSON | {"Retry-After": "1800"}))
        with pytest.raises(RateLimited) as failure:
            await bench.signals.query("SELECT 1")
        assert failure.value.until == bench.clock.at + 1800
        with pytest.raises(RateLimited):
            await bench.signals.query("SELECT 2")
        assert server.count("POST", QUERY) == 1
        assert await bench.signals.reports() == ()
        bench.clock.at += 1801
        assert (await bench.signals.query("SELECT 2")).rows

    drive(use)


def test_other_ways_in_which_a_query_fails() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        bad = b'{"type": "validation_error", "code": "illegal_hogql", "detail": "Unknown table evnts", "attr": null}'
        server.faults.append(Fault("POST", QUERY, 400, bad, JSON))
        with pytest.raises(InvalidInput, match="Unknown table"):
            await bench.signals.query("SELECT 1 FROM evnts")
        server.faults.append(Fault("POST", QUERY, 502, PAGE, {"Content-Type": "text/html"}))
        with pytest.raises(Offline) as failure:
            await bench.signals.query("SELECT 1")
        assert not isinstance(failure.value, OutcomeUnknown)
        server.faults.append(Fault("POST", QUERY, 403, b'{"detail": "missing scope query:read"}', JSON))
        with pytest.raises(MissingScope):
            await bench.signals.query("SELECT 1")
        server.faults.append(Fault("POST", QUERY, 200, b'{"error": null}', JSON))
        with pytest.raises(Offline):
            await bench.signals.query("SELECT 1")
        with pytest.raises(InvalidInput):
            await bench.signals.query("SELECT {x}", {"x": object()})
        # A connection that breaks is tried once more: a query changes nothing.
        server.faults.append(Fault("POST", QUERY, 0))
        assert (await bench.signals.query("SELECT 1")).rows
        server.faults.append(Fault("POST", QUERY, 0, times=2))
        with pytest.raises(Offline):
            await bench.signals.query("SELECT 2")

    drive(use)


def test_an_answer_beyond_all_measure_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal_queries, "LARGEST", 5000)

    async def use(server: SignalsServer, bench: Bench) -> None:
        server.table = {"results": [["x" * 10_000]]}
        with pytest.raises(Offline, match="larger than"):
            await bench.signals.query("SELECT 1")
        assert server.count("POST", QUERY) == 1

    drive(use)


# -- telling the project ------------------------------------------------------------------------------------------


def test_a_signal_is_one_exception_with_the_project_s_token() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        await bench.signals.emit(REGRESSION)
        ((headers, event),) = server.captured
        assert "authorization" not in headers
        assert (event["api_key"], event["event"], event["distinct_id"]) == (TOKEN, "$exception", "u7")
        assert event["timestamp"].endswith("Z")
        properties = event["properties"]
        (exception,) = properties["$exception_list"]
        assert exception["type"] == REGRESSION.title and exception["value"] == REGRESSION.text
        assert properties["$exception_fingerprint"] == REGRESSION.fingerprint
        assert properties["task"] == "t1" and properties["rate"] is None and properties["files"] == ["a.py"]
        assert properties["signal_kind"] == "regression"
        await bench.signals.emit(REGRESSION)
        assert len(server.captured) == 2 and server.count("GET", "/api/projects/1/$") == 1
        assert not any(TOKEN in line for line in bench.lines) and any("/i/v0/e/" in line for line in bench.lines)

    drive(use)


def test_a_signal_that_is_not_taken() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        told = f"Invalid token {TOKEN}"
        server.capture_reply = (401, {"detail": told}, {})
        with pytest.raises(Refused) as failure:
            await bench.signals.emit(REGRESSION)
        assert TOKEN not in str(failure.value) + failure.value.detail
        server.capture_reply = (200, None, {})
        await bench.signals.emit(REGRESSION)
        assert server.count("GET", "/api/projects/1/$") == 2
        server.faults.append(Fault("POST", "/i/v0/e/", 200, PAGE, {"Content-Type": "text/html"}))
        with pytest.raises(Offline):
            await bench.signals.emit(REGRESSION)
        server.faults.append(Fault("POST", "/i/v0/e/", 0))
        with pytest.raises(OutcomeUnknown):
            await bench.signals.emit(REGRESSION)
        assert server.count("POST", "/i/v0/e/") == 4

    drive(use)


def test_a_project_that_does_not_tell_its_token_takes_no_signals() -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        server.project = {"id": 1}
        with pytest.raises(Refused):
            await bench.signals.emit(REGRESSION)
        assert server.captured == []

    drive(use)


def test_where_events_go() -> None:
    assert capture_origin("https://us.posthog.com") == "https://us.i.posthog.com"
    assert capture_origin("https://eu.posthog.com") == "https://eu.i.posthog.com"
    assert capture_origin("https://posthog.acme.example:8443") == "https://posthog.acme.example:8443"


def test_the_account_gives_one_client_for_each_project_and_person(tmp_path: Path) -> None:
    async def use(server: SignalsServer, bench: Bench) -> None:
        port = PostHogAccount(MemoryKeyring(), tmp_path, env={}, sleep=at_once)
        request = SignIn(server.url, api_key=KEY, keep=False)
        with pytest.raises(NotSignedIn):
            port.signals(Account(host=server.url), 1)
        account = await port.sign_in(request, Account(), lambda url: False)
        signals = port.signals(account, 1)
        await signals.query("SELECT 1")
        # The next one to ask has the same answers.
        assert port.signals(account, 1) is signals and port.signals(account, 2) is not signals
        await signals.emit(REGRESSION)
        assert server.captured[0][1]["distinct_id"] == "u7"
        again = await port.sign_in(request, account, lambda url: False)
        assert port.signals(again, 1) is not signals
        await port.close()

    drive(use)
