"""The proxy over real HTTP: what goes through, what is renewed, what is refused, and what is left afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from PySide6.QtWidgets import QApplication

from posthog_code.adapters.mcp import forward, wire
from posthog_code.adapters.mcp.proxy import LoopbackProxy
from posthog_code.adapters.posthog.http import Http
from posthog_code.adapters.posthog.tokens import Grant, Secret, Tokens
from posthog_code.app.loop import run as run_on_qt
from posthog_code.domain.cloud_errors import MissingScope
from posthog_code.domain.errors import NotSignedIn, Offline
from tests.helpers import until
from tests.integration.cloud_server import cloud_server
from tests.integration.mcp_upstream import GOOD, OLD, Guest, Upstream, upstream

BOTH = {"Accept": "application/json, text/event-stream"}


@dataclass
class Place:
    server: Upstream
    proxy: LoopbackProxy
    guest: Guest
    url: str
    client: httpx.AsyncClient

    async def post(self, message: Any, url: str = "", **headers: str) -> httpx.Response:
        return await self.client.post(url or self.url, json=message, headers={**BOTH, **headers})

    async def call(self, tool: str, number: int = 1) -> httpx.Response:
        return await self.post(call(tool, number))


def call(tool: str, number: int = 1) -> dict[str, Any]:
    params = {"name": tool, "arguments": {"query": "select private_words"}}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


@asynccontextmanager
async def place(**fields: Any) -> AsyncIterator[Place]:
    async with upstream() as server, httpx.AsyncClient(timeout=20, trust_env=False) as client:
        proxy, guest = LoopbackProxy(), Guest(server.url, **fields)
        url = await proxy.open(guest)
        try:
            yield Place(server, proxy, guest, url, client)
        finally:
            await proxy.close()
            assert proxy.port == 0 and not proxy._connections


def drive(use: Callable[[Place], Coroutine[Any, Any, None]], **fields: Any) -> None:
    async def go() -> None:
        async with place(**fields) as found:
            await use(found)

    asyncio.run(go())


def events(text: str) -> list[Any]:
    return [json.loads(line[5:]) for line in text.splitlines() if line.startswith("data:")]


def test_an_answer_goes_through_with_what_belongs_to_it_and_nothing_else() -> None:
    async def use(at: Place) -> None:
        hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {}}
        answer = await at.post(hello, Authorization="Bearer of-the-agent", Cookie="c=d")
        assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
        assert answer.headers["mcp-session-id"] == "s-1" and "set-cookie" not in answer.headers
        told = {"Mcp-Session-Id": "s-1", "MCP-Protocol-Version": "2025-06-18"}
        noted = await at.post({"jsonrpc": "2.0", "method": "notifications/initialized"}, **told)
        assert (noted.status_code, noted.content) == (202, b"")
        found = await at.post({"jsonrpc": "2.0", "id": "two", "method": "tools/list"}, **told)
        assert [tool["name"] for tool in found.json()["result"]["tools"]] == ["feature-flags-list", "query-run"]
        assert found.json()["id"] == "two"
        gone = await at.client.delete(at.url, headers=told)
        assert gone.status_code == 200
        first, *later = at.server.seen
        assert first.headers["authorization"] == f"Bearer {GOOD}" and "cookie" not in first.headers
        assert first.headers["x-posthog-project-id"] == "7" and first.headers["x-posthog-mcp-version"] == "2"
        assert first.headers["accept"] == BOTH["Accept"] and "mcp-session-id" not in first.headers
        assert [one.headers["mcp-session-id"] for one in later] == ["s-1"] * 3
        assert later[-1].method == "DELETE" and at.guest.calls == []

    drive(use)


def test_news_of_a_call_come_before_its_answer() -> None:
    async def use(at: Place) -> None:
        request = at.client.build_request("POST", at.url, json=call("slow"), headers=BOTH)
        response = await at.client.send(request, stream=True)
        lines = response.aiter_lines()
        seen = [line async for line in _until_data(lines)]
        assert "notifications/progress" in seen[-1] and at.guest.calls == []
        at.server.hold.set()
        rest = [line async for line in lines]
        assert events("\n".join(rest))[0]["result"]["content"][0]["text"] == "answer of slow"
        assert response.headers["content-type"] == "text/event-stream"
        await until(lambda: at.guest.calls == [("slow", "ok")])

    drive(use)


async def _until_data(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    async for line in lines:
        yield line
        if line.startswith("data:"):
            return


def test_what_the_server_says_by_itself_is_heard_until_the_agent_leaves() -> None:
    async def use(at: Place) -> None:
        async with at.client.stream("GET", at.url, headers={"Accept": "text/event-stream"}) as response:
            seen = [line async for line in _until_data(response.aiter_lines())]
            assert "list_changed" in seen[-1]
        await until(lambda: at.server.left == 1)

    drive(use)


@pytest.mark.parametrize("form", ["json", "sse"])
@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("is_error", [True, False])
def test_a_refused_token_is_renewed_once_and_the_call_repeated_once(form: str, within: bool, is_error: bool) -> None:
    async def use(at: Place) -> None:
        at.server.form, at.server.refuse_within, at.server.is_error = form, within, is_error
        answers = await asyncio.gather(*(at.call("query-run", number) for number in range(3)))
        for number, answer in enumerate(answers):
            last = events(answer.text)[-1] if form == "sse" else answer.json()
            assert last["id"] == number and last["result"]["content"][0]["text"] == "answer of query-run"
            assert "authentication" not in answer.text and answer.text.count("answer of") == 1
        assert at.guest.refreshes == 1 and len(at.server.seen) == 6
        assert at.server.done == ["query-run"] * 3 and at.guest.calls == [("query-run", "ok")] * 3
        assert not at.guest.failures

    drive(use, current=OLD)


def test_real_credentials_are_renewed_once_for_all_who_wait(tmp_path: Path) -> None:
    async def use(at: Place) -> None:
        async with cloud_server() as cloud:
            http = Http(cloud.url)
            tokens = Tokens(http, None, tmp_path, memory_only=True)  # type: ignore[arg-type]
            await tokens.adopt(Secret(refresh_token=cloud.refresh_token, client_id="c"), Grant("pha_first0000"))
            at.guest.token, at.guest.instead_of = tokens.token, tokens.instead_of  # type: ignore[method-assign]
            at.server.tokens, at.server.refuse_within = {"pha_token0001"}, True
            answers = await asyncio.gather(*(at.call("query-run", number) for number in range(6)))
            assert all("answer of query-run" in answer.text for answer in answers)
            assert cloud.refreshes == tokens.refreshes == 1 and len(at.server.done) == 6
            await http.close()

    drive(use)


def test_a_token_that_stays_refused_is_told_in_words_and_not_tried_for_ever() -> None:
    async def use(at: Place) -> None:
        answer = await at.call("query-run")
        # No 401: with one, an agent would begin a sign-in of its own.
        assert answer.status_code == 200 and "www-authenticate" not in answer.headers
        assert "does not accept this sign-in" in answer.json()["error"]["message"] and answer.json()["id"] == 1
        assert len(at.server.seen) == 2 and at.guest.refreshes == 1
        at.server.refuse_within = True
        kept = await at.call("query-run")
        assert kept.json()["result"]["isError"] is True and len(at.server.seen) == 4
        assert [type(error) for error in at.guest.failures] == [NotSignedIn, NotSignedIn]
        at.guest.can_renew = False
        ended = await at.call("query-run")
        assert "The sign-in has ended" in ended.json()["error"]["message"] and not at.server.done
        assert at.guest.calls == [
            ("query-run", "not signed in"),
            ("query-run", "error"),
            ("query-run", "not signed in"),
        ]

    drive(use, current=OLD, renewed="pha_other_secret")


def test_a_result_with_the_words_in_it_is_not_taken_for_a_refusal() -> None:
    async def use(at: Place) -> None:
        answer = await at.call("words")
        assert "authentication_failed was seen" in answer.text
        assert at.server.done == ["words"] and at.guest.refreshes == 0

    drive(use)


def test_a_batch_is_answered_and_never_repeated() -> None:
    async def use(at: Place) -> None:
        at.server.status, at.server.page = 500, b""
        answer = await at.post([call("one", 1), call("two", 2), {"jsonrpc": "2.0", "method": "notifications/x"}])
        assert [one["id"] for one in answer.json()] == [1, 2] and len(at.server.seen) == 1

    drive(use)


@pytest.mark.parametrize(
    ("status", "page", "more", "words", "kind"),
    [
        (503, b"", {}, "has a problem", Offline),
        (302, b"", {"Location": "http://127.0.0.1:9/steal"}, "Something else answers", Offline),
        (200, b"<html>Sign in to this network</html>", {"Content-Type": "text/html"}, "Something else", Offline),
        (200, b"no json", {"Content-Type": "application/json"}, "Something else answers", Offline),
        (403, b'{"detail":"API key missing required scope \'project:read\'"}', {}, "project:read", MissingScope),
        (429, b"", {"Retry-After": "9"}, "asks to wait", Exception),
    ],
)
def test_what_goes_wrong_is_told_as_an_error_in_words(
    status: int, page: bytes, more: dict[str, str], words: str, kind: type[Exception]
) -> None:
    async def use(at: Place) -> None:
        at.server.status, at.server.page, at.server.more = status, page, more
        answer = await at.call("query-run", 5)
        assert answer.status_code == 200 and answer.json()["id"] == 5
        assert words in answer.json()["error"]["message"]
        assert isinstance(at.guest.failures[-1], kind) and len(at.server.seen) == 1
        note = await at.post({"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert note.status_code in (200, 502)

    drive(use)


def test_a_missing_permission_within_a_result_is_named_and_passed_on() -> None:
    async def use(at: Place) -> None:
        answer = await at.call("forbidden")
        assert "insight:read" in answer.json()["result"]["content"][0]["text"]
        error = at.guest.failures[-1]
        assert isinstance(error, MissingScope) and error.scope == "insight:read"
        assert at.guest.calls == [("forbidden", "error")]

    drive(use)


def test_an_unreachable_server_and_an_account_that_is_gone_are_told_in_words() -> None:
    async def use(at: Place) -> None:
        await at.server.stop()
        answer = await at.call("query-run")
        assert "could not be reached" in answer.json()["error"]["message"]
        assert isinstance(at.guest.failures[-1], Offline) and at.guest.calls == [("query-run", "offline")]
        assert (await at.client.get(at.url)).status_code == 502
        at.guest.error = NotSignedIn("You are not signed in to PostHog.", "Sign in.")
        assert "not signed in" in (await at.call("query-run")).json()["error"]["message"]

    drive(use)


def test_an_answer_that_breaks_off_or_has_no_end_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(at: Place) -> None:
        at.server.form = "sse"
        told = events((await at.call("breaks", 8)).text)
        assert told[0]["method"] == "notifications/progress"
        assert told[1]["id"] == 8 and "could not be reached" in told[1]["error"]["message"]
        at.server.form = "json"
        monkeypatch.setattr(forward, "ANSWER_LIMIT", 20)
        assert "too large" in (await at.call("query-run")).json()["error"]["message"]
        monkeypatch.undo()
        assert (await at.call("query-run")).json()["result"]
        assert at.guest.calls == [("breaks", "offline"), ("query-run", "refused"), ("query-run", "ok")]

    drive(use)


def test_what_an_agent_knows_to_handle_is_passed_on() -> None:
    async def use(at: Place) -> None:
        at.server.status, at.server.page = 404, b'{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"gone"}}'
        at.server.more = {"Content-Type": "application/json"}
        answer = await at.post(call("query-run"), **{"Mcp-Session-Id": "old"})
        assert answer.status_code == 404 and "gone" in answer.text and not at.guest.failures
        at.server.status, at.server.more = 405, {"Allow": "POST"}
        listening = await at.client.get(at.url)
        assert listening.status_code == 405 and listening.headers["allow"] == "POST"

    drive(use)


def test_strangers_are_refused() -> None:
    async def use(at: Place) -> None:
        parts, hello = urlsplit(at.url), {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        base = f"http://{parts.netloc}"
        for path in ("/", "/mcp/", "/mcp/guess", parts.path[:-1], parts.path + "x", parts.path.upper()):
            assert (await at.post(hello, base + path)).status_code == 404, path
        for headers in (
            {"Host": "evil.example"},
            {"Host": f"127.0.0.1:{(parts.port or 0) + 1}"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://127.0.0.1:1"},
        ):
            assert (await at.post(hello, **headers)).status_code == 403, headers
        assert (await at.client.put(at.url, content=b"x")).status_code == 405
        assert (await at.client.options(at.url)).status_code == 405
        assert at.server.seen == []
        good = await at.post(hello, Origin=base)
        assert good.status_code == 200 and "access-control-allow-origin" not in good.headers

    drive(use)


async def _raw(at: Place, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", at.proxy.port)
    writer.write(data)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def test_odd_and_huge_requests_cost_only_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "BODY_LIMIT", 100_000)

    async def use(at: Place) -> None:
        parts = urlsplit(at.url)
        head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n".encode()
        for sent, status in (
            (b"nonsense\r\n\r\n", b"400"),
            (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400"),
            (b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * 70_000 + b"\r\n\r\n", b"431"),
            (head + b"Content-Length: -5\r\n\r\n", b"400"),
            (head + b"Content-Length: 999999999999\r\n\r\n", b"413"),
            (head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
            (head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
            (head + b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n", b"413"),
            (head + b"Content-Length: 3\r\n\r\n{]}", b"400"),
            (head + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n{}", b"100"),
        ):
            answer = await _raw(at, sent)
            assert answer.startswith(b"HTTP/1.1 " + status) or (status == b"431" and not answer), (sent[:60], answer)
        body = json.dumps(call("query-run")).encode()
        chunked = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in (body[:7], body[7:])) + b"0\r\n\r\n"
        assert b"answer of query-run" in await _raw(at, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked)
        assert (await at.call("query-run")).status_code == 200

    drive(use)


def test_a_shut_door_breaks_off_what_is_under_way_and_the_last_one_ends_the_server() -> None:
    async def use(at: Place) -> None:
        other = await at.proxy.open(Guest(at.server.url))
        assert urlsplit(other).port == urlsplit(at.url).port and other != at.url
        port = at.proxy.port
        slow = asyncio.ensure_future(at.call("slow"))
        await until(lambda: at.server.of("tools/call"))
        at.proxy.shut(at.url)
        with pytest.raises(httpx.TransportError):
            await slow
        await until(lambda: at.server.left == 1)
        assert (await at.call("query-run")).status_code == 404
        assert (await at.post(call("query-run"), other)).status_code == 200
        at.proxy.shut(other)
        at.proxy.shut(other)
        await until(lambda: at.proxy.port == 0)
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", port)
        again = await at.proxy.open(at.guest)
        assert (await at.post(call("query-run"), again)).status_code == 200

    drive(use)


def test_an_agent_that_leaves_ends_its_call() -> None:
    async def use(at: Place) -> None:
        slow = asyncio.ensure_future(at.call("slow"))
        await until(lambda: at.server.of("tools/call"))
        slow.cancel()
        await until(lambda: at.server.left == 1)
        await until(lambda: at.guest.calls == [("slow", "no answer")])

    drive(use)


def test_the_bridge_speaks_for_agents_that_only_start_programs() -> None:
    async def use(at: Place) -> None:
        await asyncio.to_thread(_talk, at)
        assert at.server.of("tools/list")[0].headers["mcp-session-id"] == "s-1"
        assert at.server.of("tools/list")[0].headers["mcp-protocol-version"] == "2025-06-18"
        assert [one.method for one in at.server.seen][-1] == "DELETE"
        assert at.guest.calls == [("query-run", "ok")] and at.guest.refreshes == 1

    drive(use, current=OLD)


def _talk(at: Place) -> None:
    env = {**os.environ, "POSTHOG_CODE_MCP_URL": at.url}
    command = [sys.executable, "-P", "-m", "posthog_code", "mcp-bridge"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env) as bridge:
        assert bridge.stdin is not None and bridge.stdout is not None

        def say(message: Any) -> None:
            bridge.stdin.write((message if isinstance(message, bytes) else json.dumps(message).encode()) + b"\n")
            bridge.stdin.flush()

        def hear(wanted: Any) -> Any:
            while (message := json.loads(bridge.stdout.readline())).get("id", "") != wanted:
                pass
            return message

        say({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {}})
        assert hear(0)["result"]["serverInfo"]["name"] == "up"
        say({"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert json.loads(bridge.stdout.readline())["method"] == "notifications/tools/list_changed"
        say({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        assert len(hear(1)["result"]["tools"]) == 2
        at.server.form = "sse"
        say(call("query-run", 2))
        assert hear(2)["result"]["content"][0]["text"] == "answer of query-run"
        say(b"{no json")
        assert hear(None)["error"]["code"] == -32700
        bridge.stdin.close()
        assert bridge.wait(10) == 0


def test_a_bridge_without_its_door_says_so() -> None:
    env = {**os.environ, "POSTHOG_CODE_MCP_URL": "http://127.0.0.1:9/mcp/gone"}
    command = [sys.executable, "-P", "-m", "posthog_code", "mcp-bridge"]
    hello = b'{"jsonrpc":"2.0","id":0,"method":"initialize"}\n'
    done = subprocess.run(command, input=hello, capture_output=True, env=env, timeout=30, check=False)
    assert "not there any more" in json.loads(done.stdout)["error"]["message"] and done.returncode == 0
    env["POSTHOG_CODE_MCP_URL"] = "http://evil.example/mcp"
    refused = subprocess.run(command, input=hello, capture_output=True, env=env, timeout=30, check=False)
    assert refused.returncode == 2 and not refused.stdout


def test_the_same_on_the_event_loop_of_qt(qapp: QApplication) -> None:
    async def story() -> int:
        async with asyncio.timeout(60), place(current=OLD) as at:
            at.server.form, at.server.refuse_within = "sse", True
            answers = await asyncio.gather(*(at.call("query-run", number) for number in range(4)))
            assert all("answer of query-run" in answer.text for answer in answers) and at.guest.refreshes == 1
            slow = asyncio.ensure_future(at.call("slow"))
            await until(lambda: at.server.done.count("slow"))
            at.proxy.shut(at.url)
            with pytest.raises(httpx.TransportError):
                await slow
            await until(lambda: at.server.left == 1)
        return 7

    assert run_on_qt(qapp, story) == 7
