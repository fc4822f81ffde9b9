"""Messages, answers and options to a cloud run over real HTTP: each takes effect once, whatever gets lost."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from posthog_code.domain.errors import NotFound, UserError
from posthog_code.domain.ids import RequestId
from posthog_code.domain.session import SessionPhase
from posthog_code.domain.transcript import AskItem, UserMessage
from posthog_code.services.cloud_link import Link
from tests.helpers import until
from tests.integration.cloud_server import CloudServer, Fault
from tests.integration.cloud_world import World, all_shown, scenario

JSON = {"Content-Type": "application/json"}
TIMEOUT = b'{"error":"timeout"}'


def messages(server: CloudServer) -> list[str]:
    """Texts that reached the agent."""
    return [c["params"].get("content", "") for c in server.commands if c["method"] == "user_message"]


def queue(place: World) -> tuple[Any, ...]:
    return place.services.store.state.queue.get(place.task_id, ())


async def ready(place: World) -> None:
    place.server.begin(place.run)
    place.server.turn_over(place.run)
    session = await place.watch()
    await until(lambda: session.session.phase is SessionPhase.READY)


def rows(place: World) -> list[str]:
    return [i.text for i in place.session.stream.transcript.items if isinstance(i, UserMessage)]


@pytest.mark.parametrize(
    "fault",
    [
        None,
        Fault("POST", "/command/", 504, TIMEOUT, JSON, after=True),
        Fault("POST", "/command/", 504, TIMEOUT, JSON),
        Fault("POST", "/command/", 0, after=True),
        Fault("POST", "/command/", 0),
        Fault("POST", "/command/", 502, b"<html>Bad gateway</html>", {"Content-Type": "text/html"}, after=True),
        Fault("POST", "/command/", 502, b'{"error":"Agent server is not reachable"}', JSON),
        Fault("POST", "/command/", 400, b'{"error":"No active sandbox for this task run"}', JSON),
        Fault("POST", "/command/", 429, b"{}", {**JSON, "Retry-After": "0"}),
    ],
    ids=["none", "504-done", "504-not-done", "lost-done", "lost", "502-done", "502", "no-sandbox", "429"],
)
def test_a_message_is_sent_once(tmp_path: Path, fault: Fault | None) -> None:
    async def steps(place: World) -> None:
        await ready(place)
        if fault is not None:
            place.server.faults.append(fault)
        await place.services.sessions.prompt(place.task_id, "Also add a test")
        await until(lambda: not queue(place) and place.session.session.phase is SessionPhase.READY)
        await all_shown(place)
        assert messages(place.server) == ["Also add a test"]
        assert rows(place) == ["Do it", "Also add a test"]

    scenario(steps)(tmp_path)


async def _unreadable(place: World) -> None:
    await ready(place)
    server = place.server
    server.faults.append(Fault("POST", "/command/", 504, TIMEOUT, JSON, after=True))
    server.auto_turn = False  # nothing of it comes by the stream
    unreadable = Fault("GET", "/session_logs/", 503, b"<html>busy</html>", {"Content-Type": "text/html"}, times=-1)
    server.faults.append(unreadable)
    await place.services.sessions.prompt(place.task_id, "Also add a test")
    # Far longer than is looked for a message that can be looked up.
    await until(lambda: server.count("GET", "/session_logs/") > 12)
    assert messages(server) == ["Also add a test"] and len(queue(place)) == 1
    server.prompt(place.run, "Also add a test")
    server.turn_over(place.run)
    server.faults.remove(unreadable)
    await until(lambda: not queue(place))
    assert messages(server) == ["Also add a test"]


test_what_cannot_be_looked_up_is_not_sent_again = scenario(_unreadable)


async def _combined(place: World) -> None:
    server, run = place.server, place.run
    server.begin(run)
    session = await place.watch()
    await until(lambda: session.session.phase is SessionPhase.WORKING)
    sent = [await place.services.sessions.prompt(place.task_id, text) for text in ("one", "two")]
    assert sent == [False, False] and len(queue(place)) == 2
    server.turn_over(run)
    await until(lambda: not queue(place) and session.session.phase is SessionPhase.READY)
    assert messages(server) == ["one\n\ntwo"]


test_what_waits_goes_out_as_one_message = scenario(_combined)


async def _ended(place: World) -> None:
    server, run = place.server, place.run
    await ready(place)
    run.status = "completed"  # the stream has not said so yet
    await place.services.sessions.prompt(place.task_id, "Go on")
    await until(lambda: place.session.task.cloud_run_id == "r2" and not queue(place))
    await until(lambda: place.session.session.phase is SessionPhase.READY)
    assert messages(server) == []
    runs = [c["params"] for c in server.commands if c["method"] == "run"]
    assert [(r["resume_from_run_id"], r["pending_user_message"]) for r in runs] == [("r1", "Go on")]
    await all_shown(place, server.runs["r2"])
    assert rows(place) == ["Do it", "Go on"]


test_a_run_that_ended_goes_on_as_a_new_one = scenario(_ended)


@pytest.mark.parametrize("after", [True, False])
def test_a_lost_answer_to_a_new_run(tmp_path: Path, after: bool) -> None:
    async def steps(place: World) -> None:
        server, run = place.server, place.run
        server.begin(run)
        server.turn_over(run)
        server.finish(run)
        await place.watch()
        await place.link(Link.OVER)
        server.faults.append(Fault("POST", "/run/$", 0, after=after))
        await place.services.sessions.prompt(place.task_id, "Go on")
        await until(lambda: place.session.task.cloud_run_id == "r2" and not queue(place))
        assert len([c for c in server.commands if c["method"] == "run"]) == 1

    scenario(steps)(tmp_path)


async def _never_up(place: World) -> None:
    server, run = place.server, place.run
    run.error = "no machine"
    server.finish(run, "failed")
    session = await place.watch()
    await place.link(Link.OVER)
    await until(lambda: session.session.phase is SessionPhase.FAILED)
    await place.services.sessions.prompt(place.task_id, "Try again")
    await until(lambda: session.problem is not None)
    assert len(queue(place)) == 1 and not server.commands
    await place.services.sessions.retry_turn(place.task_id)
    await until(lambda: not queue(place))
    assert "resume_from_run_id" not in server.commands[0]["params"]


test_a_run_that_never_came_up_is_not_resumed = scenario(_never_up)


def test_a_crash_while_sending(tmp_path: Path) -> None:
    async def crash(place: World) -> None:
        await ready(place)
        # It takes effect, and the program ends before it hears of it.
        place.server.faults.append(Fault("POST", "/command/", 504, TIMEOUT, JSON, after=True))
        place.session._sender._find = _never  # type: ignore[method-assign, assignment]
        await place.services.sessions.prompt(place.task_id, "Once only")
        await until(lambda: messages(place.server))
        kept.append(list(place.run.events))
        kept.append(list(place.run.stored))
        assert len(queue(place)) == 1 or queue(place) == ()

    async def again(place: World) -> None:
        place.run.events, place.run.stored = kept[0], kept[1]
        place.server.number = 1000
        place.task_id = next(iter(place.services.store.state.tasks))
        place.session.watch()
        place.session.kick()
        await until(lambda: not queue(place))
        assert messages(place.server) == []

    kept: list[Any] = []
    scenario(crash)(tmp_path)
    scenario(again)(tmp_path)


async def _never(text: str) -> bool:
    await asyncio.Event().wait()
    return False


@pytest.mark.parametrize(
    "fault",
    [
        Fault("POST", "/command/", 504, TIMEOUT, JSON, after=True),
        Fault("POST", "/command/", 504, TIMEOUT, JSON),
        Fault("POST", "/command/", 0, after=True),
    ],
    ids=["504-done", "504-not-done", "lost-done"],
)
def test_an_answer_is_given_once(tmp_path: Path, fault: Fault) -> None:
    async def steps(place: World) -> None:
        server, run = place.server, place.run
        server.begin(run)
        session = await place.watch()
        await place.link(Link.LIVE)
        server.ask(run, "p1", "c1")
        await until(lambda: session.session.asks)
        server.faults.append(fault)
        await place.services.sessions.answer(place.task_id, session.session.asks[0].id, "allow")
        await all_shown(place)
        assert len(server.commands) == 1
        assert [i.answer for i in session.stream.transcript.items if isinstance(i, AskItem)] == ["Allow"]
        await until(lambda: not session.session.asks)

    scenario(steps)(tmp_path)


async def _elsewhere(place: World) -> None:
    server, run = place.server, place.run
    server.begin(run)
    session = await place.watch()
    server.ask(run, "p1", "c1")
    await until(lambda: session.session.asks)
    ask = session.session.asks[0]
    run.pending.clear()  # a phone was faster
    with pytest.raises(NotFound):
        await place.services.sessions.answer(place.task_id, ask.id, "allow")
    await until(lambda: not session.session.asks)
    with pytest.raises(NotFound):
        await place.services.sessions.answer(place.task_id, RequestId("other"), "allow")
    assert server.commands == []


test_an_ask_that_somebody_else_answered = scenario(_elsewhere)


async def _unaddressed(place: World) -> None:
    server, run = place.server, place.run
    server.begin(run)
    server.ask(run, "p1", "c1", live=False)  # the stream has forgotten where to answer
    session = await place.watch()
    await until(lambda: session.session.asks)
    with pytest.raises(UserError, match="seen live"):
        await place.services.sessions.answer(place.task_id, session.session.asks[0].id, "allow")


test_an_ask_without_an_address_says_so = scenario(_unaddressed)


async def _stop_and_options(place: World) -> None:
    server, run = place.server, place.run
    server.begin(run)
    session = await place.watch()
    await until(lambda: session.session.phase is SessionPhase.WORKING)
    await place.services.sessions.prompt(place.task_id, "later")
    await place.services.sessions.stop(place.task_id)
    assert [c["method"] for c in server.commands] == ["cancel"]
    server.turn_over(run, "cancelled")
    await until(lambda: session.session.phase is SessionPhase.READY)
    assert len(queue(place)) == 1  # it waits for the person
    await place.services.sessions.set_option(place.task_id, "mode", "plan")
    assert server.commands[-1]["params"] == {"configId": "mode", "value": "plan"}
    await place.services.sessions.end(place.task_id)
    assert run.status == "in_progress"


test_stop_and_options = scenario(_stop_and_options)


async def _forbidden(place: World) -> None:
    await ready(place)
    detail = {"type": "authentication_error", "detail": "API key missing required scope 'task:write'"}
    place.server.faults.append(Fault("POST", "/command/", 403, json.dumps(detail).encode(), JSON))
    await place.services.sessions.prompt(place.task_id, "Hello")
    await until(lambda: place.session.problem is not None)
    await until(lambda: "task:write" in place.session.session.error)
    assert len(queue(place)) == 1 and not place.server.commands
    await place.services.sessions.retry_turn(place.task_id)
    await until(lambda: not queue(place))
    assert messages(place.server) == ["Hello"]


test_a_missing_scope_is_named_and_the_message_kept = scenario(_forbidden)


async def _notes(place: World) -> None:
    await ready(place)
    stream, journals, read = place.session.stream, place.session._parts.journals, []
    stream.notes("run")
    before = journals.read
    journals.read = lambda *words, **more: read.append(words) or before(*words, **more)  # type: ignore[method-assign]
    try:
        stream.note("sending", messages=["m"], text="Hello", run="r1")
        assert stream.notes("sending")[-1] == ("sending", {"messages": ["m"], "text": "Hello", "run": "r1"})
        assert [params["run"] for _, params in stream.notes("run")] == ["r1"] and not read
        # Somebody else may write there once it is let go of.
        stream.close()
        assert len(stream.notes("sending")) == 1 and len(read) == 1
    finally:
        journals.read = before  # type: ignore[method-assign]


test_our_notes_are_read_from_the_file_once = scenario(_notes)
