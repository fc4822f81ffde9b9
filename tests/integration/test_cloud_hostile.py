"""A PostHog that means harm, or is broken, or leaves in the middle: what is kept, shown and sent then."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from posthog_code.adapters.posthog import http as http_module
from posthog_code.adapters.posthog import sse
from posthog_code.adapters.posthog.hosts import is_safe, origin_of
from posthog_code.adapters.posthog.http import Http
from posthog_code.adapters.posthog.loopback import Loopback
from posthog_code.adapters.posthog.tokens import Grant, Secret, keyring_name
from posthog_code.cli.output import printable
from posthog_code.domain import cloud_parse
from posthog_code.domain.cloud import Account
from posthog_code.domain.cloud_errors import NotReady
from posthog_code.domain.errors import InvalidInput, NotSignedIn, Offline, RateLimited
from posthog_code.domain.ids import MessageId
from posthog_code.domain.session import SessionPhase
from posthog_code.domain.task import QueuedMessage
from posthog_code.ports.cloud import Cloud, LogPage, SignIn
from posthog_code.services import cloud_mend, cloud_queue, cloud_send
from posthog_code.services.cloud_link import Link
from posthog_code.services.cloud_send import Sender
from posthog_code.services.cloud_session import CloudSession
from tests.helpers import until
from tests.integration.cloud_server import KEY, CloudServer, Fault
from tests.integration.cloud_world import FAST, World, scenario
from tests.integration.test_cloud_account import MemoryKeyring, account_port, at_once, browser, drive, signed_in

JSON = {"Content-Type": "application/json"}
NOT_UP = b'{"error":"No active sandbox for this task run"}'


def messages(server: CloudServer) -> list[str]:
    return [c["params"].get("content", "") for c in server.commands if c["method"] == "user_message"]


# -- credentials ---------------------------------------------------------------------------------------------------


def test_a_refresh_that_ends_after_the_sign_out_leaves_nothing(tmp_path: Path) -> None:
    async def use(server: CloudServer) -> None:
        keyring = MemoryKeyring()
        tokens, http = await signed_in(server, keyring, tmp_path)
        asked, answer = asyncio.Event(), asyncio.Event()

        async def slow(secret: Secret) -> Grant:
            asked.set()
            await answer.wait()
            return Grant("pha_new0000", "phr_rotated0000")

        tokens._exchange = slow  # type: ignore[method-assign]
        tokens._access = ""
        waiting = asyncio.ensure_future(tokens.token())
        await asked.wait()
        leaving = asyncio.ensure_future(tokens.forget())
        await asyncio.sleep(0.01)
        answer.set()
        left = await leaving
        # What is to be revoked is the token that the server knows now.
        assert left is not None and left.refresh_token == "phr_rotated0000"
        assert not keyring.kept
        with pytest.raises(NotSignedIn):
            await waiting
        with pytest.raises(NotSignedIn):
            await tokens.token()
        await http.close()

    drive(use)


@pytest.mark.parametrize("status", [403, 407, 451])
def test_a_network_that_refuses_does_not_sign_out(tmp_path: Path, status: int) -> None:
    async def use(server: CloudServer) -> None:
        keyring = MemoryKeyring()
        tokens, http = await signed_in(server, keyring, tmp_path)
        tokens._access = ""
        page = Fault("POST", "/oauth/token/", status, b"<html>Pay for wifi</html>", {"Content-Type": "text/html"}, 4)
        server.faults = [page]
        with pytest.raises(Offline):
            await tokens.token()
        assert keyring.kept[keyring_name(server.url)]
        assert await tokens.token()
        await http.close()

    drive(use)


def test_another_sign_in_takes_the_old_one_away(tmp_path: Path) -> None:
    async def use(server: CloudServer) -> None:
        keyring = MemoryKeyring()
        port = account_port(keyring, tmp_path)
        first = await port.sign_in(SignIn(server.url), Account(), browser([]))
        cloud = port.project(first, first.project_id)
        await port.sign_in(SignIn(server.url, KEY), first, lambda url: False)
        assert any(path == "/oauth/revoke/" for _, path in server.requests)
        assert KEY in keyring.kept[keyring_name(server.url)] and len(keyring.kept) == 1
        with pytest.raises(NotSignedIn):
            await cloud.runs("t1")  # whoever still holds the old one does not go on as somebody else
        await port.close()

    drive(use)


@pytest.mark.parametrize("key", ["phx_key\u0430", "phx key", "phx_a\nb", ""])
def test_what_cannot_be_a_key_is_not_sent(tmp_path: Path, key: str) -> None:
    async def use(server: CloudServer) -> None:
        port = account_port(MemoryKeyring(), tmp_path, env={"POSTHOG_API_KEY": key, "POSTHOG_HOST": server.url})
        assert not (await port.restore(Account())).signed_in
        assert not server.requests
        await port.close()

    drive(use)


def test_a_missing_scope_is_named_at_the_start(tmp_path: Path) -> None:
    async def use(server: CloudServer) -> None:
        port = account_port(MemoryKeyring(), tmp_path, env={"POSTHOG_API_KEY": KEY, "POSTHOG_HOST": server.url})
        server.faults = [Fault("GET", "@me", 403, b'{"detail":"requires scope \'user:read\'"}', JSON)]
        account = await port.restore(Account())
        assert account.signed_in and "user:read" in account.problem
        await port.close()

    drive(use)


def test_a_state_of_other_letters_is_refused() -> None:
    async def go() -> None:
        loopback = Loopback("state")
        status, _ = loopback._take("GET /callback?code=c&state=%C3%A9 HTTP/1.1")
        assert status.startswith("400") and not loopback._answer.done()
        loopback._answer.cancel()

    asyncio.run(go())


# -- answers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["http://127.evil.example", "http://localhost.evil.example", "https://a\\b"])
def test_only_this_machine_is_asked_without_encryption(host: str) -> None:
    with pytest.raises(InvalidInput):
        origin_of(host)
    assert origin_of("http://127.0.0.2:8000") == "http://127.0.0.2:8000"
    assert is_safe("http://[::1]:1/x") and is_safe("https://s3.example/b")
    assert not is_safe("http://s3.example/b") and not is_safe("file:///etc") and not is_safe("http://127.evil.example")


def test_an_answer_without_end_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(server: CloudServer) -> None:
        monkeypatch.setattr(http_module, "ANSWER_LIMIT", 1000)
        http = Http(server.url, sleep=at_once)
        server.faults = [Fault("GET", "/a", 200, b"[" + b"1," * 100_000 + b"1]", JSON, times=9)]
        with pytest.raises(Offline, match="more than can be taken"):
            await http.call("GET", "/a")
        assert len(server.requests) == 1
        await http.close()

    drive(use)


def test_files_do_not_leave_without_encryption() -> None:
    async def go() -> None:
        with pytest.raises(Offline, match="Something else answers"):
            await Http("https://ph.example").send_form("http://s3.example/b", {}, "a", b"secret", "text/plain")

    asyncio.run(go())


@pytest.mark.parametrize("told", ["inf", "nan", "1e300", "-5", "Fri, 31 Dec 9999 23:59:59 GMT", "9" * 400])
def test_nobody_is_kept_waiting_for_ever(told: str) -> None:
    async def use(server: CloudServer) -> None:
        http = Http(server.url, sleep=at_once, now=lambda: 1000.0)
        server.faults = [Fault("GET", "/a", 429, b"{}", {**JSON, "Retry-After": told})]
        with pytest.raises(RateLimited) as refused:
            await http.call("GET", "/a")
        assert 1000.0 <= refused.value.until <= 4600.0
        await http.close()

    drive(use)


def test_lines_without_end_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "EVENT_LIMIT", 1000)
    parser = sse.SseParser()
    for _ in range(100):
        assert parser.feed(b"data:\n" * 1000) == []
    assert len(parser._event.data) <= 1000
    assert parser.feed(b"\n")[0].broken


def test_pages_without_end_come_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud_mend, "PAGES", 5)
    asked: list[int] = []

    async def session_log(task_id: str, run_id: str, offset: int) -> LogPage:
        asked.append(offset)
        return LogPage(({"notification": {"method": "x"}},), True)

    cloud = cast(Cloud, SimpleNamespace(session_log=session_log))
    assert len(asyncio.run(cloud_mend.stored_log(cloud, "t", "r"))) == 5
    assert asked == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("name", ["../../etc", "a/..", "-x", "a/b c", "a/\nb", "/a/b"])
def test_names_of_repositories_stay_names(name: str) -> None:
    assert cloud_parse.task({"id": "t", "repository": name}).repository == ""
    assert cloud_parse.task({"id": "t", "repository": "Acme/web.js"}).repository == "acme/web.js"


def test_words_from_elsewhere_are_words_only() -> None:
    title = cloud_parse.task({"id": "t", "title": "Fix\x1b[2J it\n\u202enow\x07"}).title
    assert title == "Fix[2J it now"
    assert "\x1b" not in printable("a\x1b[31mb\u202e\n") and printable("a\n\tb é\n") == "a\n\tb é\n"


# -- runs ----------------------------------------------------------------------------------------------------------


def patient(place: World) -> None:
    place.services.sessions._new_session = lambda parts, task: CloudSession(
        parts, task.id, task.session_id, pace=FAST, patience=20.0
    )


async def ready(place: World) -> CloudSession:
    place.server.begin(place.run)
    place.server.turn_over(place.run)
    session = await place.watch()
    await until(lambda: session.session.phase is SessionPhase.READY)
    return session


def test_a_message_goes_out_soon_after_the_sandbox_is_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud_send, "FIRST_WAIT", 0.05)

    async def steps(place: World) -> None:
        patient(place)
        await ready(place)
        place.server.faults.append(Fault("POST", "/command/", 400, NOT_UP, JSON, times=3))
        began = asyncio.get_running_loop().time()
        await place.services.sessions.prompt(place.task_id, "Go")
        await until(lambda: messages(place.server) == ["Go"])
        assert asyncio.get_running_loop().time() - began < 3.0  # not after having looked for it, three times

    scenario(steps)(tmp_path)


async def _unseen(place: World) -> None:
    session = await ready(place)
    await place.services.sessions.unwatch(place.task_id)
    assert session.watch_run is None
    await place.services.sessions.prompt(place.task_id, "Go")
    await until(lambda: messages(place.server) == ["Go"])
    await until(lambda: session.watch_run is None and session._watching is None)


test_what_nobody_looks_at_is_not_watched_after_sending = scenario(_unseen)


async def _leaves(place: World) -> None:
    services, server = place.services, place.server
    session = await ready(place)
    await place.link(Link.LIVE)
    await services.account.sign_out()
    await place.link(Link.LOST)
    assert "signed out" in session.session.error
    server.emit(place.run, {"jsonrpc": "2.0", "method": "_posthog/console", "params": {"message": "while away"}})
    await services.account.sign_in(SignIn(server.url, KEY, keep=False))
    await place.link(Link.LIVE)
    await until(lambda: not session.session.error)


test_a_run_is_left_with_the_sign_out_and_followed_again_after = scenario(_leaves)


@pytest.mark.parametrize("seconds", [0.05, 0.3])
def test_a_new_run_that_takes_its_time_is_not_asked_for_twice(tmp_path: Path, seconds: float) -> None:
    async def steps(place: World) -> None:
        server, run = place.server, place.run
        server.begin(run)
        server.turn_over(run)
        server.finish(run)
        await place.watch()
        await place.link(Link.OVER)
        # The server answers nothing, and has made the run; it shows up late.
        server.faults.append(Fault("POST", "/run/$", 0, after=True))
        old = Fault("GET", f"/tasks/{run.task}/$", 502, b"<html>", {"Content-Type": "text/html"}, times=2)
        server.faults.append(old)
        await place.services.sessions.prompt(place.task_id, "Go on")
        await until(lambda: place.session.task.cloud_run_id == "r2")
        assert len([c for c in server.commands if c["method"] == "run"]) == 1

    scenario(steps)(tmp_path)


async def _two_programs(place: World) -> None:
    """Another sender on the same data: the same message waits in both."""
    session = await ready(place)
    other = Sender(session, session._parts, patience=0.2)
    await place.services.sessions.prompt(place.task_id, "Once")
    other.kick()
    await until(lambda: not place.services.store.state.queue.get(place.task_id))
    await until(lambda: session.session.phase is SessionPhase.READY and not other.sending)
    assert messages(place.server) == ["Once"]
    await other.close()


test_two_programs_send_a_message_once = scenario(_two_programs)


@pytest.mark.parametrize("over", [False, True])
def test_what_arrived_before_a_crash_is_not_sent_with_what_came_after(tmp_path: Path, over: bool) -> None:
    async def steps(place: World) -> None:
        session = await ready(place)
        await place.services.sessions.unwatch(place.task_id)
        run, store = place.run, place.services.store
        session._sender.hold()
        for words in ("one", "two"):
            message = QueuedMessage(MessageId(words), place.task_id, words, 1.0)
            await place.services.sessions._queue(place.task_id, lambda queue, m=message: (*queue, m))
        session.stream.note("sending", messages=["one"], text="one", run=run.id, before=0)
        place.server.prompt(run, "one")
        place.server.turn_over(run)
        if over:
            place.server.finish(run)
        session.watch()
        await place.link(Link.OVER if over else Link.LIVE)
        session.release_queue()
        session.kick()
        await until(lambda: not store.state.queue.get(place.task_id))
        told = [c["params"].get("content") or c["params"].get("pending_user_message") for c in place.server.commands]
        assert told == ["two"]

    scenario(steps)(tmp_path)


async def _stop_fails(place: World) -> None:
    place.server.begin(place.run)
    session = await place.watch()
    await until(lambda: session.session.phase is SessionPhase.WORKING)
    place.server.faults.append(Fault("POST", "/command/", 400, NOT_UP, JSON))
    with pytest.raises(NotReady):
        await place.services.sessions.stop(place.task_id)
    await session.settled()
    assert session.session.phase is SessionPhase.WORKING  # not "stopping" for ever


test_a_stop_that_was_not_told_is_not_shown = scenario(_stop_fails)


def test_a_claim_ends_with_its_program() -> None:
    name = cloud_queue.enter("a")
    assert cloud_queue._lives(name)
    cloud_queue.leave(name)
    assert not cloud_queue._lives(name)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert not cloud_queue._lives(f"{gone.pid}-a") and cloud_queue._lives(f"{os.getppid()}-a")
    assert not cloud_queue._lives("x-a") and not cloud_queue._lives(f"{10**30}-a")
