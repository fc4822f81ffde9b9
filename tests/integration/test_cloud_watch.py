"""A watched run over real HTTP: every fault of network and server, with counts of what was shown."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from posthog_code.domain.errors import UserError
from posthog_code.domain.session import SessionPhase
from posthog_code.domain.transcript import AgentText, AskItem, UserMessage
from posthog_code.services.cloud_link import Link
from tests.helpers import until
from tests.integration.cloud_server import CloudServer, Fault, RunData
from tests.integration.cloud_world import World, all_shown, scenario

HTML = b"<!doctype html><html><body>Bad gateway</body></html>"


def script(server: CloudServer, run: RunData, part: int) -> None:
    """A few frames of every kind, with texts that repeat."""
    server.say(run, "Let me ", "look ", f"at {part}. ", "ok ", "ok ")
    server.call(run, f"c{part}")
    server.call(run, f"c{part}")  # the same frames again are another call of the agent
    server.say(run, "Done ", "with\u2028it ", "Ärger ")


async def _history_and_live(place: World) -> None:
    server, run = place.server, place.run
    server.begin(run)
    script(server, run, 1)
    session = await place.watch()
    await place.link(Link.LIVE)
    server.say(run, "Live ", "text.")
    script(server, run, 2)
    await until(lambda: session.session.phase is SessionPhase.WORKING)
    server.turn_over(run)
    found = await all_shown(place)
    assert found.expected == 11
    await until(lambda: session.session.phase is SessionPhase.READY)
    texts = [item.text for item in session.stream.transcript.items if isinstance(item, AgentText)]
    assert texts[0] == "Let me look at 1. ok ok "


test_history_and_live_stream_are_one_conversation = scenario(_history_and_live)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "cut", "after": 4},
        {"kind": "close", "after": 7},
        {"kind": "rotate", "after": 5},
        {"kind": "error", "after": 6},
        {"kind": "twice", "after": 4},
        {"kind": "swap", "after": 2},
        {"kind": "swap", "after": 9},
        {"kind": "crlf"},
        {"kind": "split"},
        {"kind": "broken", "after": 8},
        {"kind": "broken", "after": 2},
    ],
    ids=lambda fault: f"{fault['kind']}-{fault.get('after', '')}",
)
@pytest.mark.parametrize("joined", ["live", "late"])
def test_a_fault_of_the_stream(tmp_path: Path, fault: dict[str, Any], joined: str) -> None:
    async def steps(place: World) -> None:
        server, run = place.server, place.run
        server.stream_faults = [fault]
        server.begin(run)
        if joined == "late":
            script(server, run, 1)
        session = await place.watch()
        if joined == "live":
            await until(lambda: session.link_state in (Link.LIVE, Link.BROKEN))
            script(server, run, 1)
        script(server, run, 2)
        server.turn_over(run)
        server.finish(run)
        await place.link(Link.OVER)
        found = await all_shown(place)
        assert found.expected == found.shown == 11
        assert session.session.phase is SessionPhase.IDLE

    scenario(steps)(tmp_path)


def test_pieces_in_the_wrong_order_read_right_at_the_end(tmp_path: Path) -> None:
    async def steps(place: World) -> None:
        server, run = place.server, place.run
        server.begin(run)
        session = await place.watch()
        await place.link(Link.LIVE)
        for _ in range(3):
            server.stream_faults.append({"kind": "swap", "after": 1})
        server.cut_all()
        await place.link(Link.BROKEN, Link.LIVE)
        server.say(run, "one ", "two ", "three ", "four ")
        server.turn_over(run)
        server.finish(run)
        await place.link(Link.OVER)
        texts = [i.text for i in session.stream.transcript.items if isinstance(i, AgentText)]
        assert texts == ["one two three four "]
        await all_shown(place)

    scenario(steps)(tmp_path)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("GET", "/stream/", 401, b'{"detail":"Invalid access token."}', {"Content-Type": "application/json"}),
        Fault("GET", "/stream/", 502, HTML, {"Content-Type": "text/html"}, times=2),
        Fault("GET", "/stream/", 200, HTML, {"Content-Type": "text/html"}, times=2),
        Fault("GET", "/stream/", 404, b"{}", {"Content-Type": "application/json"}),
        Fault("GET", "/stream/", 406, b"{}", {"Content-Type": "application/json"}),
        Fault("GET", "/stream/", 429, b"{}", {"Content-Type": "application/json", "Retry-After": "0"}),
        Fault("GET", "/session_logs/", 503, HTML, {"Content-Type": "text/html"}, times=4),
        Fault("GET", "/session_logs/", 0, times=4),
        Fault("GET", "/runs/r1/$", 302, b"", {"Location": "http://127.0.0.1:1/portal"}, times=4),
    ],
    ids=["401", "502-html", "portal", "404", "406", "429", "logs-503", "logs-drop", "redirect"],
)
def test_a_fault_of_a_request(tmp_path: Path, fault: Fault) -> None:
    async def steps(place: World) -> None:
        server, run = place.server, place.run
        server.begin(run)
        script(server, run, 1)
        server.faults.append(fault)
        session = await place.watch()
        if fault.status == 401:
            # The key in use is refused: nobody can help but the person.
            await place.link(Link.LOST)
            assert session.session.error and session.session.synced_at
            session.retry_link()
        await place.link(Link.LIVE)
        script(server, run, 2)
        server.turn_over(run)
        found = await all_shown(place)
        assert found.expected == 11 and not session.session.error

    scenario(steps)(tmp_path)


async def _gives_up(place: World) -> None:
    server, run = place.server, place.run
    server.begin(run)
    script(server, run, 1)
    session = await place.watch()
    await place.link(Link.LIVE)
    server.answering = False
    server.cut_all()
    await place.link(Link.LOST)
    tries = server.count("GET", "/runs/r1/$")
    assert session.session.synced_at > 0 and session.session.error
    assert len(session.stream.transcript.items) >= 4  # the last known conversation stays
    await all_shown(place)
    script(server, run, 2)
    server.answering = True
    session.retry_link()
    await place.link(Link.LIVE)
    await all_shown(place)
    assert tries <= 3 * (1 + 6)
    assert session.session.synced_at == 0.0


test_five_failures_then_a_state_that_can_be_retried = scenario(_gives_up)


async def _trimmed(place: World) -> None:
    server, run = place.server, place.run
    server.begin(run)
    for part in range(5):
        script(server, run, part)
    run.first_kept = len(run.events) - 6  # in the middle of a message
    session = await place.watch()
    await place.link(Link.LIVE)
    server.say(run, "and on")
    server.turn_over(run)
    await all_shown(place)
    assert session.session.phase is not None


test_a_stream_that_forgot_its_beginning = scenario(_trimmed)


async def _in_flight(place: World) -> None:
    server, run = place.server, place.run
    server.begin(run)
    server.say(run, *[f"word{n} " for n in range(200)])  # nothing of this is stored yet
    session = await place.watch()
    await place.link(Link.LIVE)
    await all_shown(place)
    server.say(run, "end")
    server.turn_over(run)
    await all_shown(place)
    assert len([i for i in session.stream.transcript.items if isinstance(i, AgentText)]) == 1


test_the_message_in_flight_is_whole_when_joining_late = scenario(_in_flight)


async def _slept(place: World) -> None:
    server, run = place.server, place.run
    server.begin(run)
    session = await place.watch()
    await place.link(Link.LIVE)
    watch = session.watch_run
    assert watch is not None
    server.answering = False
    server.cut_all()
    await place.link(Link.BROKEN, Link.LOST)
    for part in range(3):
        script(server, run, part)
    run.first_kept = len(run.events) - 2  # the hour was too long for the stream's memory
    watch._progress_at -= 3600
    watch.heard_at -= 3600
    server.answering = True
    session.retry_link()
    await place.link(Link.LIVE)
    server.turn_over(run)
    await all_shown(place)


test_an_hour_of_sleep = scenario(_slept)


async def _deleted(place: World) -> None:
    server, run = place.server, place.run
    server.begin(run)
    session = await place.watch()
    await place.link(Link.LIVE)
    await all_shown(place)
    del server.tasks["t1"]
    server.runs.pop("r1")
    server.cut_all()
    await place.link(Link.GONE)
    assert isinstance(session.problem, UserError)
    assert [i for i in session.stream.transcript.items if isinstance(i, UserMessage)]


test_a_task_that_is_deleted = scenario(_deleted)


async def _project_switched(place: World) -> None:
    server, run = place.server, place.run
    server.begin(run)
    await place.watch()
    await place.link(Link.LIVE)
    await place.services.account.choose_project(2)
    script(server, run, 1)
    server.turn_over(run)
    await all_shown(place)
    assert not any("/projects/2/" in path and "/runs/" in path for _, path in server.requests)


test_another_project_is_chosen_while_streaming = scenario(_project_switched)


async def _two_viewers(place: World) -> None:
    server, run = place.server, place.run
    server.begin(run)
    session = await place.watch()
    session.watch()
    await place.link(Link.LIVE)
    assert server.count("GET", "/stream/$") == 1
    await session.unwatch()
    script(server, run, 1)
    await all_shown(place)
    await session.unwatch()
    assert session.watch_run is None


test_two_viewers_share_one_watcher = scenario(_two_viewers)


def test_the_conversation_reads_offline_and_joins_again(tmp_path: Path) -> None:
    async def first(place: World) -> None:
        place.server.begin(place.run)
        script(place.server, place.run, 1)
        place.server.say(place.run, "half a ")
        await place.watch()
        await place.link(Link.LIVE)
        await all_shown(place)

    async def second(place: World) -> None:
        server, run = place.server, place.run
        server.answering = False
        task = next(iter(place.services.store.state.tasks.values()))
        place.task_id = task.id
        shown = len(place.session.stream.transcript.items)
        assert shown >= 4
        server.begin(run)
        script(server, run, 1)
        server.say(run, "half a ", "sentence")
        server.answering = True
        await place.services.cloud.refresh()
        place.session.watch()
        await place.link(Link.LIVE)
        server.turn_over(run)
        await all_shown(place)

    scenario(first)(tmp_path)
    scenario(second)(tmp_path)


async def _asks(place: World) -> None:
    server, run = place.server, place.run
    server.begin(run)
    server.ask(run, "p1", "c1")
    session = await place.watch()
    await until(lambda: session.session.phase is SessionPhase.WAITING)
    ask = session.session.asks[0]
    await asyncio.gather(
        place.services.sessions.answer(place.task_id, ask.id, "allow"),
        place.services.sessions.answer(place.task_id, ask.id, "allow"),
    )
    assert len(server.commands) == 1
    await until(lambda: not session.session.asks)
    await all_shown(place)
    rows = [item for item in session.stream.transcript.items if isinstance(item, AskItem)]
    assert len(rows) == 1 and rows[0].answer == "Allow"


test_a_permission_asked_before_we_joined_is_answered_once = scenario(_asks)
