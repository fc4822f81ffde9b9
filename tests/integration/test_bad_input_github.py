"""GitHub and its remote at their worst: real git and real HTTP, with faults put between. Pressing again goes on."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from posthog_code.adapters.forge import transport
from posthog_code.domain.errors import RateLimited, UserError
from posthog_code.domain.task import StepState
from tests.helpers import git
from tests.integration.test_forge_publish import BRANCH, T, World
from tests.integration.test_forge_publish import hub as hub


@dataclass
class Fault:
    """One bad answer. `status` 0: the connection is closed without one; -1: it is cut in the body; -2: it hangs."""

    status: int
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


class Proxy:
    """Passes requests on to the stand-in, but for those that a fault is set for."""

    def __init__(self, target: str) -> None:
        self.fault: Fault | None = None
        self.only = ""
        """Method that the fault is for; "" for all."""
        proxy = self
        self.let_go = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                fault = proxy.fault
                is_create = self.command == "POST" and self.path.endswith("/pulls")
                if fault is not None and (proxy.only != "create" or is_create):
                    proxy.misbehave(self, fault)
                    return
                request = urllib.request.Request(target + self.path, body or None, method=self.command)
                for name in ("Authorization", "Accept", "Content-Type"):
                    if name in self.headers:
                        request.add_header(name, self.headers[name])
                try:
                    answer = urllib.request.urlopen(request, timeout=10)
                except urllib.error.HTTPError as error:
                    answer = error
                data = answer.read()
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def misbehave(self, handler: BaseHTTPRequestHandler, fault: Fault) -> None:
        handler.close_connection = True
        if fault.status == -2:
            self.let_go.wait(20)
            return
        if fault.status == 0:
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            return
        data = fault.body.encode() if isinstance(fault.body, str) else json.dumps(fault.body).encode()
        handler.send_response(200 if fault.status == -1 else fault.status)
        kind = {} if isinstance(fault.body, str) else {"Content-Type": "application/json"}
        for name, value in {**kind, **fault.headers}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data) + (1000 if fault.status == -1 else 0)))
        handler.end_headers()
        handler.wfile.write(data)

    def close(self) -> None:
        self.let_go.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


@pytest.fixture
def proxy(hub: str) -> Iterator[Proxy]:
    made = Proxy(hub)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx

    monkeypatch.setattr(transport, "_backoff", lambda attempt: 0.0)
    monkeypatch.setattr(
        transport, "make_client", lambda: httpx.AsyncClient(timeout=0.4, trust_env=False, follow_redirects=False)
    )


class Behind(World):
    """A world whose API goes through the proxy; git goes straight to the stand-in."""

    def __init__(self, tmp_path: Path, hub: str, proxy: Proxy) -> None:
        super().__init__(tmp_path, hub)
        self.forge._env = {"GITHUB_API_URL": f"{proxy.url}/api/v3", "GITHUB_TOKEN": "ghp_demo"}
        self.forge._tokens._env = self.forge._env
        self.forge._client = transport.make_client
        # Remotes are of the host that the API is of.
        git(self.main, "remote", "set-url", "origin", f"{proxy.url}/acme/web.git")

    def unblock(self) -> None:
        """As if the wait were over."""
        for one in self.forge._transports.values():
            one._blocked_until = 0.0


def refusal(message: str, **headers: str) -> Fault:
    return Fault(403, {"message": message}, {name.replace("_", "-"): value for name, value in headers.items()})


def validation(message: str, **error: str) -> Fault:
    return Fault(422, {"message": "Validation Failed", "errors": [{"message": message, **error}]})


FIRST = 21
"""Number of the first pull request of the stand-in."""
PAGE = "<html><body><h1>502 Bad Gateway</h1>" + "x" * 5000 + "</body></html>"
EVERYWHERE = {
    "closed": Fault(0),
    "cut": Fault(-1, '{"message": "half'),
    "hang": Fault(-2),
    "401": Fault(401, {"message": "Bad credentials"}),
    "403 permission": refusal(
        "Resource not accessible by personal access token", x_accepted_github_permissions="pull_requests=write"
    ),
    "403 sso": refusal(
        "Resource protected by organization SAML enforcement.",
        x_github_sso="required; url=https://github.com/orgs/acme/sso?x=1",
    ),
    "403 secondary": refusal("You have exceeded a secondary rate limit."),
    "403 primary": refusal("API rate limit exceeded", x_ratelimit_remaining="0", x_ratelimit_reset="4102444800"),
    "404": Fault(404, {"message": "Not Found"}),
    "429 told": Fault(429, {"message": "slow down"}, {"Retry-After": "7"}),
    "429": Fault(429, {"message": "slow down"}),
    "500 page": Fault(500, PAGE, {"Content-Type": "text/html"}),
    "502 page": Fault(502, PAGE, {"Content-Type": "text/html"}),
    "200 page": Fault(200, PAGE, {"Content-Type": "text/html"}),
    "200 list": Fault(200, [1, 2, 3]),
    "200 null": Fault(200, None),
    "418": Fault(418, {"message": None}),
}
AT_CREATE = {
    "422 nothing": validation("No commits between main and fix"),
    "422 head": Fault(422, {"message": "Validation Failed", "errors": [{"field": "head", "code": "invalid"}]}),
    "422 base": Fault(422, {"message": "Validation Failed", "errors": [{"field": "base", "code": "invalid"}]}),
    "422 draft": validation("Draft pull requests are not supported in this repository."),
    "422 words": Fault(422, {"message": "Validation Failed", "errors": ["title is too long"]}),
    "422 odd": Fault(422, {"message": None, "errors": {"a": 1}}),
}


def sentence(error: UserError) -> None:
    """Words for a person, without the token and without a page of HTML."""
    assert error.title and error.hint, repr(error)
    words = f"{error.title} {error.hint} {error.detail}"
    assert "ghp_demo" not in words and "<html" not in f"{error.title} {error.hint}" and "Traceback" not in words
    assert len(error.title) < 300


def test_at_find_and_read(tmp_path: Path, hub: str, proxy: Proxy) -> None:
    world = Behind(tmp_path, hub, proxy)

    async def main() -> None:
        async with world.running() as pulls:
            for name, fault in EVERYWHERE.items():
                proxy.fault = fault
                proposal = await pulls.propose(T)
                assert proposal.problem and proposal.new.title, name
                assert "<html" not in proposal.problem
                with pytest.raises(UserError) as caught:
                    await pulls.refresh(T)
                sentence(caught.value)
                if fault.status == 429 or "secondary" in name or "primary" in name:
                    assert isinstance(caught.value, RateLimited) and caught.value.until > 0
                proxy.fault = None
                world.unblock()
                assert (await pulls.propose(T)).problem == "", name
                assert await pulls.refresh(T) is None, name
            # With a pull request, what was known stays, with the reason.
            pull = await pulls.create(T, (await pulls.propose(T)).new)
            for name, fault in EVERYWHERE.items():
                proxy.fault = fault
                stale = await pulls.refresh(T)
                assert stale is not None and stale.number == pull.number and stale.stale, name
                proxy.fault = None
                world.unblock()
                fresh = await pulls.refresh(T)
                assert fresh is not None and not fresh.stale, name

    asyncio.run(main())


def test_at_create(tmp_path: Path, hub: str, proxy: Proxy) -> None:
    world = Behind(tmp_path, hub, proxy)

    async def main() -> None:
        async with world.running() as pulls:
            new = (await pulls.propose(T)).new
            commits = None
            for name, fault in {**EVERYWHERE, **AT_CREATE}.items():
                proxy.fault, proxy.only = fault, "create"
                with pytest.raises(UserError) as caught:
                    await pulls.create(T, new)
                sentence(caught.value)
                steps = {step.id: step for step in world.store.state.publishing[T]}
                assert steps["push"].state is StepState.DONE, name
                assert steps["pull_request"].state is StepState.FAILED and steps["pull_request"].detail, name
                assert pulls.form(T) == new, "what was typed is kept"
                commits = commits or git(world.folder, "rev-parse", "HEAD")
                assert git(world.folder, "rev-parse", "HEAD") == commits, "nothing is committed twice"
                world.unblock()
            proxy.fault = None
            pull = await pulls.create(T, new)
            assert pull.number == FIRST and T not in world.store.state.publishing

    asyncio.run(main())


def test_an_answer_that_was_lost_makes_no_second_pull_request(tmp_path: Path, hub: str, proxy: Proxy) -> None:
    """The request arrived, its answer did not: pressing again adopts what is there."""
    world = Behind(tmp_path, hub, proxy)

    async def main() -> None:
        async with world.running() as pulls:
            new = (await pulls.propose(T)).new
            passed: list[Fault] = []
            original = proxy.misbehave

            def late(handler: BaseHTTPRequestHandler, fault: Fault) -> None:
                body = json.dumps({"title": new.title, "head": BRANCH, "base": "main", "body": ""}).encode()
                request = urllib.request.Request(f"{hub}{handler.path}", body, method="POST")
                request.add_header("Authorization", handler.headers["Authorization"])
                urllib.request.urlopen(request, timeout=10).read()
                passed.append(fault)
                original(handler, fault)

            proxy.misbehave = late  # type: ignore[method-assign]
            proxy.fault, proxy.only = Fault(0), "create"
            try:
                pull = await pulls.create(T, new)
            except UserError as error:
                sentence(error)
                proxy.fault = None
                pull = await pulls.create(T, new)
            assert passed and pull.number == FIRST
            again = await pulls.refresh(T)
            assert again is not None and again.number == FIRST

    asyncio.run(main())


@pytest.mark.parametrize("harm", ["gone", "refused", "rejected", "auth"])
def test_a_push_that_fails(tmp_path: Path, hub: str, proxy: Proxy, harm: str) -> None:
    world = World(tmp_path, hub)
    bare = tmp_path / "hub" / "git" / "acme" / "web.git"

    async def main() -> None:
        async with world.running() as pulls:
            new = (await pulls.propose(T)).new
            hook = bare / "hooks" / "pre-receive"
            if harm == "gone":
                bare.rename(tmp_path / "away.git")
            elif harm == "refused":
                # The remote's machine is away, the API is not.
                git(world.main, "remote", "set-url", "--push", "origin", "http://127.0.0.1:9/acme/web.git")
            elif harm == "rejected":
                hook.parent.mkdir(exist_ok=True)
                hook.write_text("#!/bin/sh\necho 'GH006: Protected branch update failed.' >&2\nexit 1\n")
                hook.chmod(0o755)
            else:
                proxy.fault = Fault(401, "", {"WWW-Authenticate": 'Basic realm="git"'})
                git(world.main, "remote", "set-url", "--push", "origin", f"{proxy.url}/acme/web.git")
            with pytest.raises(UserError) as caught:
                await pulls.create(T, new)
            sentence(caught.value)
            steps = {step.id: step for step in world.store.state.publishing[T]}
            assert steps["commit"].state is StepState.DONE
            assert steps["push"].state is StepState.FAILED and steps["push"].detail
            if harm == "rejected":
                assert "GH006" in steps["push"].detail
            if harm == "gone":
                (tmp_path / "away.git").rename(bare)
            hook.unlink(missing_ok=True)
            if harm in ("refused", "auth"):
                git(world.main, "config", "--unset", "remote.origin.pushurl")
            pull = await pulls.create(T, new)
            assert pull.number == FIRST

    asyncio.run(main())
