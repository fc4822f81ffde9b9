"""Rules of PostHog's MCP server, and the words for how it stands, without a network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthog_code.adapters.acp import handshake
from posthog_code.adapters.mcp.events import EventSplitter, TooLong, event_of, message_of
from posthog_code.domain import mcp
from posthog_code.domain.cloud import Account, CloudUser, Project
from posthog_code.domain.cloud_errors import MissingScope
from posthog_code.domain.errors import InvalidInput, NotSignedIn, Offline, Refused, UserError
from posthog_code.domain.ids import RepositoryId, SessionId, TaskId
from posthog_code.domain.state import AppState
from posthog_code.domain.task import Repository, Task, Workspace
from posthog_code.ports.agent import McpServer
from posthog_code.ports.mcp import McpGuest
from posthog_code.services.mcp import McpProxies
from posthog_code.services.scope import Scope

R, T = RepositoryId("r"), TaskId("t")
ACCOUNT = Account(
    host="https://eu.posthog.com",
    region="eu",
    login="oauth",
    user=CloudUser(7, "u7", "Ada"),
    projects=(Project(3, "Web"),),
    project_id=3,
)


# -- rules


@pytest.mark.parametrize(
    ("host", "region", "chosen", "url"),
    [
        ("https://eu.posthog.com", "eu", "", mcp.CLOUD),
        ("https://us.posthog.com", "us", "", mcp.CLOUD),
        ("https://hog.acme.dev", "", "", "https://hog.acme.dev/mcp"),
        ("http://127.0.0.1:8010", "", "", "http://127.0.0.1:8010/mcp"),
        ("https://eu.posthog.com", "eu", " http://localhost:1/x ", "http://localhost:1/x"),
    ],
)
def test_where_the_server_is(host: str, region: str, chosen: str, url: str) -> None:
    assert mcp.server_url(host, region, chosen) == url


@pytest.mark.parametrize(
    "chosen",
    ["http://mcp.example/mcp", "mcp.example", "ftp://a/b", "https://", "https://a:b/", "https://u:p@a/", "x y"],
)
def test_an_address_without_encryption_or_sense_is_refused(chosen: str) -> None:
    with pytest.raises(InvalidInput):
        mcp.server_url("https://eu.posthog.com", "eu", chosen)


def _result(text: str, **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": text}], **more}}


@pytest.mark.parametrize(
    "answer",
    [
        _result('{"type":"authentication_error","code":"authentication_failed"}', isError=True),
        _result('{"type": "authentication_error", "code": "authentication_failed"}'),
        _result("Error: authentication_failed"),
        _result("Error: [query-run] Request failed (401): authentication_error"),
        _result("authentication_failed: the token has expired"),
        _result("A long story. " * 300 + "authentication_failed", isError=True),
        {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "authentication_failed"}},
    ],
)
def test_a_refused_credential_is_known_in_each_form(answer: dict[str, Any]) -> None:
    assert mcp.is_auth_failure(answer)


@pytest.mark.parametrize(
    "answer",
    [
        _result("The issue authentication_error has 12 occurrences"),
        _result('{"name": "authentication_error", "id": 9}'),
        _result('[{"message": "x"}]' * 400 + '"code": "authentication_failed"'),
        _result("Error: there is no such insight", isError=True),
        {"jsonrpc": "2.0", "id": 1, "error": {"code": -32602, "message": "no such tool"}},
        {"jsonrpc": "2.0", "id": 1, "result": None},
        {"jsonrpc": "2.0", "id": 1, "result": {"content": ["x", {"text": 4}]}},
    ],
)
def test_other_answers_are_never_repeated(answer: dict[str, Any]) -> None:
    assert not mcp.is_auth_failure(answer)


def test_a_missing_permission_is_read_from_refusals_only() -> None:
    assert mcp.missing_scope(_result("requires scope 'insight:read'", isError=True)) == "insight:read"
    assert mcp.missing_scope(_result("requires scope 'insight:read'")) == ""
    assert mcp.missing_scope(_result("http:read failed", isError=True)) == ""
    assert mcp.scope_in("You do not have permission feature_flag:write.") == "feature_flag:write"


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "result", "error", "content", "text", "method", "params", "name"]), inner
        )
    ),
    max_leaves=12,
)


@given(_json)
def test_no_message_breaks_the_rules(message: Any) -> None:
    mcp.asked(message)
    for answer in mcp.answers(message):
        assert isinstance(mcp.is_auth_failure(answer), bool)
        assert mcp.outcome(answer) in ("ok", "error") and isinstance(mcp.missing_scope(answer), str)
    json.dumps(mcp.error_answer(mcp.asked(message), "no", -1, batch=isinstance(message, list)))


def test_names_of_tools_stay_one_short_line() -> None:
    message = {"id": 1, "method": "tools/call", "params": {"name": "a\nb" + "c" * 500, "arguments": {"secret": 1}}}
    (one,) = mcp.asked(message)
    assert "\n" not in one.tool and len(one.tool) <= 100
    assert mcp.asked({"method": "x"}) == () and mcp.asked({"id": True, "method": "x"}) == ()


@given(st.lists(_json, max_size=5), st.sampled_from([b"\n", b"\r\n", b"\r"]), st.data())
def test_events_are_the_same_however_they_are_cut(messages: list[Any], end: bytes, data: Any) -> None:
    raw = b"".join(event_of(message).replace(b"\n", end) for message in messages)
    splitter, found = EventSplitter(), []
    while raw:
        size = data.draw(st.integers(1, len(raw)))
        found += splitter.feed(raw[:size])
        raw = raw[size:]
    assert [message_of(event) for event in found] == messages


def test_an_endless_event_is_given_up_and_odd_ones_are_passed_over() -> None:
    with pytest.raises(TooLong):
        EventSplitter(limit=10).feed(b"data: 0123456789")
    assert message_of(b": keep-alive\n\n") is None and message_of(b"data: {no\n\n") is None
    assert message_of(b"data: {\ndata: }\n\n") == {}


def test_each_agent_gets_the_server_in_the_form_it_takes_and_the_journal_without_its_address() -> None:
    server = McpServer(
        "posthog", "http://127.0.0.1:1/mcp/secret", ("py", "bridge"), {"U": "http://127.0.0.1:1/mcp/secret"}
    )
    spoken = {"agentCapabilities": {"mcpCapabilities": {"http": True}}}
    (http,) = handshake.given_servers(spoken, (server,))
    assert http == {"type": "http", "name": "posthog", "url": server.url, "headers": []}
    for silent in ({}, {"agentCapabilities": {"mcpCapabilities": {"http": "yes"}}}, {"agentCapabilities": None}):
        (stdio,) = handshake.given_servers(silent, (server,))
        assert stdio["command"] == "py" and stdio["args"] == ["bridge"] and "type" not in stdio
    params = {"cwd": "/", "mcpServers": [http, stdio]}
    assert "secret" not in json.dumps(handshake.for_journal(params)) and "secret" in json.dumps(params)
    assert "secret" not in repr(server) and handshake.for_journal({"mcpServers": []}) is None


# -- the service


class FakeStore:
    def __init__(self, state: AppState) -> None:
        self.state = state
        self.touched = 0

    def touch(self, *_topics: object) -> None:
        self.touched += 1


class FakeAccount:
    def __init__(self, store: FakeStore) -> None:
        self._store = store
        self.listeners: list[Any] = []

    @property
    def account(self) -> Account:
        return self._store.state.account

    def on_change(self, listener: Any) -> None:
        self.listeners.append(listener)

    async def restore(self) -> Account:
        return self.account


@dataclass
class FakeProxy:
    open_doors: dict[str, McpGuest] = field(default_factory=dict)
    number: int = 0
    error: OSError | None = None

    async def open(self, guest: McpGuest) -> str:
        if self.error is not None:
            raise self.error
        self.number += 1
        url = f"http://127.0.0.1:1/mcp/{self.number}"
        self.open_doors[url] = guest
        return url

    def shut(self, url: str) -> None:
        del self.open_doors[url]

    async def probe(self, guest: McpGuest) -> None:
        guest.reached()

    async def close(self) -> None:
        self.open_doors.clear()


class FakeLogs:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, _task: object, _source: object, text: str, **_more: object) -> None:
        self.lines.append(text)


class FakeClock:
    def now(self) -> float:
        return 1_800_000_000.0


class FakeTokens:
    async def token(self) -> str:
        return "pha_x"

    async def instead_of(self, refused: str) -> str:
        return "pha_y"


class Bench:
    def __init__(self, account: Account = ACCOUNT, env: Mapping[str, str] = {}) -> None:
        repository = Repository(R, "/r", "r", "main")
        self.store = FakeStore(AppState(repositories={R: repository}, account=account))
        self.account, self.proxy, self.logs = FakeAccount(self.store), FakeProxy(), FakeLogs()
        self.mcp = McpProxies(
            self.store,  # type: ignore[arg-type]
            self.account,  # type: ignore[arg-type]
            self.proxy,
            FakeTokens(),
            self.logs,  # type: ignore[arg-type]
            FakeClock(),  # type: ignore[arg-type]
            Scope("test", lambda name, error: None),
            env=env,
            bridge=("bridge",),
        )

    def sign(self, account: Account) -> None:
        self.store.state = replace(self.store.state, account=account)
        for listener in self.account.listeners:
            listener()

    async def door(self) -> McpGuest:
        (server,) = await self.mcp.servers_for(TASK)
        return self.proxy.open_doors[server.url]

    @property
    def word(self) -> str:
        return self.mcp.state(R).word


async def _error(guest: McpGuest) -> UserError:
    try:
        await guest.way()
    except UserError as error:
        return error
    raise AssertionError


TASK = Task(T, R, "t", "p", Workspace.WORKTREE, "demo", SessionId("s"), 0.0, 0.0)


def test_a_door_for_each_start_and_none_after_it() -> None:
    async def go() -> None:
        bench = Bench()
        (first,) = await bench.mcp.servers_for(TASK)
        assert first.env == {"POSTHOG_CODE_MCP_URL": first.url} and first.command == ("bridge",)
        (second,) = await bench.mcp.servers_for(TASK)
        assert list(bench.proxy.open_doors) == [second.url] and second.url != first.url
        assert bench.word == "In use"
        bench.mcp.release(T)
        bench.mcp.release(T)
        assert not bench.proxy.open_doors and bench.word == "On"
        other = replace(TASK, repository_id=RepositoryId("gone"))
        assert await bench.mcp.servers_for(other) == ()
        assert bench.mcp.state(RepositoryId("gone")).word == "Off"

    asyncio.run(go())


def test_a_task_keeps_its_own_project_and_account() -> None:
    async def go() -> None:
        bench = Bench()
        guest = await bench.door()
        way = await guest.way()
        assert way.url == mcp.CLOUD
        assert way.headers == {"x-posthog-mcp-version": "2", "x-posthog-project-id": "3"}
        bench.sign(replace(ACCOUNT, project_id=9))
        assert (await guest.way()).headers["x-posthog-project-id"] == "3"
        bench.sign(replace(ACCOUNT, user=CloudUser(8, "u8")))
        with pytest.raises(NotSignedIn, match="Somebody else"):
            await guest.way()
        bench.sign(replace(ACCOUNT, host="https://us.posthog.com", region="us"))
        with pytest.raises(NotSignedIn):
            await guest.way()
        bench.sign(Account())
        with pytest.raises(NotSignedIn):
            await guest.way()
        assert await bench.mcp.servers_for(TASK) == () and bench.word == "Not signed in"
        for ended in (await _error(guest), Refused("PostHog's answer is too large.")):
            guest.failed(ended)
        bench.sign(ACCOUNT)
        assert bench.word == "On"
        bench.sign(replace(ACCOUNT, project_id=0))
        assert await bench.mcp.servers_for(TASK) == () and bench.word == "No project"
        (await Bench().door()).called("query-run", "ok", 0.3)

    asyncio.run(go())


def test_trouble_has_its_words_and_its_time_and_goes_away() -> None:
    async def go() -> None:
        bench = Bench()
        guest = await bench.door()
        guest.failed(Offline("PostHog's MCP server could not be reached.", "Try again in a while."))
        state = bench.mcp.state(R)
        assert (state.word, state.tone) == ("Cannot be reached", "failed") and state.detail.startswith("Since ")
        guest.failed(MissingScope("This sign-in lacks the permission query:read.", scope="query:read"))
        state = bench.mcp.state(R)
        assert (state.word, state.tone) == ("Lacks a permission", "waiting") and "query:read" in state.detail
        guest.failed(NotSignedIn("PostHog does not accept this sign-in."))
        assert bench.word == "Sign-in refused"
        guest.reached()
        assert bench.word == "In use"
        guest.failed(Offline("x"))
        bench.sign(ACCOUNT)
        assert bench.word == "In use"
        await bench.mcp.close()
        assert not bench.proxy.open_doors and bench.word == "On"

    asyncio.run(go())


def test_one_line_a_call_with_nothing_in_it_but_name_outcome_and_time() -> None:
    async def go() -> None:
        bench = Bench()
        guest = await bench.door()
        guest.called("query-run", "ok", 0.34)
        guest.called("", "offline", 12.0)
        assert bench.logs.lines == ["PostHog tool  query-run  ok  0.3 s", "PostHog tool  ?  offline  12 s"]
        assert "last used at" in bench.mcp.state(R).detail

    asyncio.run(go())


def test_an_agent_starts_without_tools_that_cannot_be_given() -> None:
    async def go() -> None:
        bench = Bench(env={"POSTHOG_MCP_URL": "http://mcp.example/mcp"})
        assert await bench.mcp.servers_for(TASK) == ()
        assert "without encryption" in bench.logs.lines[0] and bench.word == "Cannot be used"
        bench = Bench()
        bench.proxy.error = OSError(24, "Too many open files")
        assert await bench.mcp.servers_for(TASK) == () and "without PostHog's tools" in bench.logs.lines[0]

    asyncio.run(go())
