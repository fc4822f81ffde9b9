"""From an agent's session through the proxy to an MCP server: who gets it, who does not, and that no secret stays."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from posthog_code.adapters.mcp.proxy import LoopbackProxy
from posthog_code.app.container import Container
from posthog_code.domain.ids import TaskId
from posthog_code.services.app import Services
from posthog_code.services.environment import task_environment
from posthog_code.services.session_parts import SessionParts
from tests.helpers import DEMO_AGENT, finished, run, running, session_of, start_task, task_of, until
from tests.integration.cloud_server import KEY, CloudServer, cloud_server
from tests.integration.mcp_upstream import Upstream, upstream
from tests.processes import children


@dataclass
class World:
    container: Container
    server: CloudServer
    upstream: Upstream
    repository: Path
    home: Path

    @property
    def services(self) -> Services:
        return self.container.services

    @property
    def proxy(self) -> LoopbackProxy:
        proxy = self.services.mcp._proxy
        assert isinstance(proxy, LoopbackProxy)
        return proxy

    async def ask(self, prompt: str = "ask posthog query-run", **fields: Any) -> TaskId:
        task_id = await start_task(self.services, self.repository, prompt, **fields)
        await finished(self.services, task_id)
        return task_id

    def said(self, task_id: TaskId) -> str:
        return "\n".join(str(item) for item in self.services.sessions.transcript(task_id).items)

    async def log(self, task_id: TaskId) -> list[str]:
        await self.services.logs.load(task_id)
        view = self.services.logs.lines(task_id)
        return [view.line(index).text for index in range(view.count)]

    def written(self) -> str:
        """Everything that is on disk of this data folder."""
        files = [path for path in self.home.rglob("*") if path.is_file() and "worktrees" not in path.parts]
        return "\n".join(path.read_bytes().decode("latin-1") for path in files)


@pytest.fixture
def drive(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def drive(use: Callable[[World], Coroutine[Any, Any, None]], *, signed_in: bool = True) -> None:
        async def go() -> None:
            async with _world(tmp_path / "home", repository, monkeypatch, signed_in) as world:
                await use(world)

        run(go())

    return drive


@asynccontextmanager
async def _world(
    home: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, signed_in: bool
) -> AsyncIterator[World]:
    async with cloud_server() as server, upstream() as up:
        up.tokens = {KEY}
        monkeypatch.setenv("POSTHOG_MCP_URL", up.url)
        if signed_in:
            monkeypatch.setenv("POSTHOG_API_KEY", KEY)
            monkeypatch.setenv("POSTHOG_HOST", server.url)
        async with running(home) as container:
            yield World(container, server, up, repository, home)


def _ours() -> list[str]:
    """Bridges and agents that this process, or a child of it, has running."""
    return [words for words in children(os.getpid()).values() if "mcp-bridge" in words or "demo.agent" in words]


def test_an_agent_asks_posthog_and_never_sees_the_token(drive: Callable[..., None]) -> None:
    ports: list[int] = []

    async def use(world: World) -> None:
        task_id = await world.ask()
        assert "answer of query-run" in world.said(task_id)
        asked = world.upstream.of("tools/call")[0]
        assert asked.headers["authorization"] == f"Bearer {KEY}" and asked.headers["x-posthog-project-id"] == "1"
        assert asked.body["params"]["arguments"] == {"query": "ask posthog query-run"}
        lines = [line for line in await world.log(task_id) if "PostHog tool" in line]
        assert len(lines) == 1 and lines[0].startswith("PostHog tool  query-run  ok  ")
        assert "select" not in lines[0] and "ask posthog" not in lines[0]

        url = urlsplit(world.services.mcp._doors[task_id][0])
        pid = session_of(world.services, task_id).pid
        environment = Path(f"/proc/{pid}/environ").read_text() + Path(f"/proc/{pid}/cmdline").read_text()
        journal = world.services.sessions.journaled(task_id)
        opened = next(frame for frame, _, _ in journal if frame.get("method") == "session/new")
        assert opened["params"]["mcpServers"] == [{"type": "http", "name": "posthog", "url": "…", "headers": []}]
        for secret in (KEY, url.path, url.path.rpartition("/")[2]):
            assert secret not in environment and secret not in json.dumps(journal) and secret not in world.written()

        repository_id = task_of(world.services, task_id).repository_id
        assert world.services.mcp.state(repository_id).word == "In use"
        ports.append(world.proxy.port)
        assert ports[0]
        await world.services.sessions.end(task_id)
        assert world.proxy.port == 0 and world.services.mcp.state(repository_id).word == "On"
        # Another prompt starts the agent again, with a door of its own.
        await world.services.sessions.prompt(task_id, "ask posthog query-run")
        await finished(world.services, task_id)
        assert len(world.upstream.of("tools/call")) == 2
        assert world.services.mcp._doors[task_id][0] != url.geturl()
        ports.append(world.proxy.port)

    drive(use)
    assert _ours() == []
    for port in ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_an_agent_without_http_goes_over_the_bridge(drive: Callable[..., None]) -> None:
    async def use(world: World) -> None:
        task_id = await world.ask(agent_command=f"{DEMO_AGENT} --no-http")
        assert "answer of query-run" in world.said(task_id)
        assert world.upstream.of("initialize")[0].headers["authorization"] == f"Bearer {KEY}"
        journal = world.services.sessions.journaled(task_id)
        opened = next(frame for frame, _, _ in journal if frame.get("method") == "session/new")
        (server,) = opened["params"]["mcpServers"]
        assert server["args"] == ["-P", "-m", "posthog_code", "mcp-bridge"]
        assert server["env"] == [{"name": "POSTHOG_CODE_MCP_URL", "value": "…"}]
        secret = urlsplit(world.services.mcp._doors[task_id][0]).path
        assert secret not in world.written() and KEY not in world.written()
        await until(lambda: not children(session_of(world.services, task_id).pid))

    drive(use)
    assert _ours() == []


def test_a_switched_off_repository_gets_nothing_from_the_next_start_on(drive: Callable[..., None]) -> None:
    async def use(world: World) -> None:
        task_id = await world.ask("ask posthog")
        repository_id = task_of(world.services, task_id).repository_id
        await world.services.repositories.update(repository_id, posthog_mcp=False)
        state = world.services.mcp.state(repository_id)
        assert state.word == "Off" and "1 running agent keeps" in state.detail
        await world.services.sessions.prompt(task_id, "ask posthog again")
        await finished(world.services, task_id)
        assert len(world.upstream.of("tools/call")) == 2
        await world.services.sessions.end(task_id)
        await world.services.sessions.prompt(task_id, "ask posthog once more")
        await finished(world.services, task_id)
        assert "were not given to this session" in world.said(task_id)
        assert len(world.upstream.of("tools/call")) == 2 and world.proxy.port == 0

    drive(use)


def test_without_an_account_no_server_is_passed_and_nothing_listens(drive: Callable[..., None]) -> None:
    async def use(world: World) -> None:
        task_id = await world.ask("ask posthog")
        assert "were not given to this session" in world.said(task_id)
        journal = world.services.sessions.journaled(task_id)
        opened = next(frame for frame, _, _ in journal if frame.get("method") == "session/new")
        assert opened["params"]["mcpServers"] == [] and world.proxy.port == 0
        repository_id = task_of(world.services, task_id).repository_id
        assert world.services.mcp.state(repository_id).word == "Not signed in"
        await world.services.mcp.check()
        assert world.upstream.seen == []

    drive(use, signed_in=False)


def test_a_server_that_is_gone_is_told_to_the_agent_and_in_the_state(drive: Callable[..., None]) -> None:
    async def use(world: World) -> None:
        await world.upstream.stop()
        task_id = await world.ask("ask posthog")
        assert "could not be reached" in world.said(task_id)
        repository_id = task_of(world.services, task_id).repository_id
        state = world.services.mcp.state(repository_id)
        assert (state.word, state.tone) == ("Cannot be reached", "failed") and "Since " in state.detail
        await world.upstream.start()
        os.environ["POSTHOG_MCP_URL"] = world.upstream.url
        await world.services.mcp.check()
        assert world.services.mcp.state(repository_id).word == "In use"

    drive(use)


def test_a_missing_permission_is_named_in_the_state(drive: Callable[..., None]) -> None:
    async def use(world: World) -> None:
        world.upstream.status, world.upstream.page = 403, b'{"detail":"API key missing required scope \'query:read\'"}'
        task_id = await world.ask("ask posthog")
        assert "query:read" in world.said(task_id)
        state = world.services.mcp.state(task_of(world.services, task_id).repository_id)
        assert state.word == "Lacks a permission" and "query:read" in state.detail

    drive(use)


def test_signing_out_closes_the_way_for_agents_that_run(drive: Callable[..., None]) -> None:
    async def use(world: World) -> None:
        task_id = await world.ask("ask posthog")
        await world.services.account.sign_out()
        await world.services.sessions.prompt(task_id, "ask posthog again")
        await finished(world.services, task_id)
        assert "You are not signed in to PostHog" in world.said(task_id)
        assert len(world.upstream.of("tools/call")) == 1

    drive(use)


def test_an_agent_that_dies_or_never_starts_leaves_no_door(drive: Callable[..., None]) -> None:
    async def use(world: World) -> None:
        task_id = await world.ask("ask posthog")
        os.kill(session_of(world.services, task_id).pid, 9)
        await until(lambda: world.proxy.port == 0)
        other = await start_task(world.services, world.repository, "ask posthog", agent_command="/nonexistent/agent")
        await finished(world.services, other)
        assert world.services.mcp._doors == {} and world.proxy.port == 0
        dies = await start_task(world.services, world.repository, "ask posthog", agent_command="/bin/false")
        await finished(world.services, dies)
        assert world.services.mcp._doors == {} and world.proxy.port == 0

    drive(use)


def test_a_server_that_does_not_say_who_is_signed_in_holds_up_no_agent(
    drive: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("posthog_code.services.mcp.RESTORE_WAIT", 0.05)

    async def use(world: World) -> None:
        waits = asyncio.Event()

        async def stuck(_account: object) -> object:
            await waits.wait()
            raise AssertionError

        world.services.account._port.restore = stuck  # type: ignore[method-assign]
        task_id = await world.ask("ask posthog")
        assert "were not given to this session" in world.said(task_id)

    drive(use)


def test_agents_do_not_inherit_the_key_that_the_app_signs_in_with(drive: Callable[..., None]) -> None:
    async def use(world: World) -> None:
        task = task_of(world.services, await world.ask("ask posthog"))
        kept = task_environment(task, None, {"POSTHOG_API_KEY": "phc_public", "A": "1"})
        assert kept["POSTHOG_API_KEY"] == "phc_public" and kept["A"] == "1"
        assert "POSTHOG_API_KEY" not in task_environment(task, None, {"POSTHOG_API_KEY": KEY})

    drive(use)


def test_sessions_work_without_any_of_it() -> None:
    parts = SessionParts(*[None] * 11)  # type: ignore[arg-type]
    assert run(parts.mcp.servers_for(None)) == ()  # type: ignore[arg-type]
    parts.mcp.release(TaskId("t"))
