"""Queue, retries, ETags, redirects and limits of one account, over httpx's own mock transport."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest

from posthog_code.adapters.forge.tokens import Tokens
from posthog_code.adapters.forge.transport import Transport
from posthog_code.domain.errors import NotSignedIn, Offline, RateLimited

API = "https://api.github.com"
Handler = Callable[[httpx.Request], httpx.Response]


class Secrets:
    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)

    async def get(self, name: str) -> str | None:
        return (self.tokens.pop(0) if len(self.tokens) > 1 else self.tokens[0]) if self.tokens else None

    async def set(self, name: str, value: str) -> None:
        self.tokens = [value]

    async def delete(self, name: str) -> None: ...

    async def available(self) -> bool:
        return True


async def no_gh(host: str, env: Any) -> str:
    return ""


async def at_once(seconds: float) -> None:
    return None


def drive(
    handler: Handler,
    use: Callable[[Transport], Coroutine[Any, Any, Any]],
    *tokens: str,
    log: list[str] | None = None,
    now: Callable[[], float] = lambda: 1000.0,
) -> Any:
    async def run() -> Any:
        transport = Transport(
            "github.com",
            API,
            Tokens(Secrets(*(tokens or ("T",))), {}, no_gh),
            client=lambda: httpx.AsyncClient(transport=httpx.MockTransport(handler)),
            sleep=at_once,
            now=now,
            log=(log if log is not None else []).append,
        )
        try:
            return await use(transport)
        finally:
            await transport.close()

    return asyncio.run(run())


def test_headers_and_log() -> None:
    seen: list[httpx.Request] = []
    lines: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"login": "ana"})

    drive(handler, lambda t: t.rest("GET", "/user", params={"a": "1 2"}), "ghp_secret", log=lines)
    headers = seen[0].headers
    assert headers["authorization"] == "Bearer ghp_secret" and headers["accept"] == "application/vnd.github+json"
    assert headers["x-github-api-version"] == "2022-11-28" and headers["user-agent"]
    assert lines[0].startswith("GET /user 200 ") and lines[0].endswith(" ms")
    assert "ghp_secret" not in "".join(lines)


def test_only_reads_are_repeated() -> None:
    calls: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        calls.append(request.method)
        return httpx.Response(502, text="<html>bad gateway</html>")

    with pytest.raises(Offline):
        drive(handler, lambda t: t.rest("GET", "/user"))
    assert calls == ["GET"] * 3
    calls.clear()
    with pytest.raises(Offline):
        drive(handler, lambda t: t.rest("POST", "/repos/a/b/pulls", body={}))
    assert calls == ["POST"]


def test_no_network() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(Offline, match="could not be reached"):
        drive(handler, lambda t: t.graphql("query Q { x }", {}))


def test_unchanged_answers_cost_nothing() -> None:
    tags: list[str | None] = []

    def handler(request: httpx.Request) -> httpx.Response:
        tags.append(request.headers.get("if-none-match"))
        if tags[-1]:
            return httpx.Response(304)
        return httpx.Response(200, json={"n": 1}, headers={"etag": 'W/"abc"'})

    async def use(transport: Transport) -> Any:
        await transport.rest("GET", "/x")
        return (await transport.rest("GET", "/x")).body

    assert drive(handler, use) == {"n": 1}
    assert tags == [None, 'W/"abc"']


def test_a_refused_token_is_read_again_once() -> None:
    used: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        used.append(request.headers["authorization"])
        fresh = used[-1].endswith("new")
        return httpx.Response(200 if fresh else 401, json={"message": "Bad credentials"})

    drive(handler, lambda t: t.rest("GET", "/user"), "old", "new")
    assert used == ["Bearer old", "Bearer new"]
    used.clear()
    with pytest.raises(NotSignedIn, match="expired"):
        drive(handler, lambda t: t.rest("GET", "/user"), "old")
    assert used == ["Bearer old"]


def test_without_a_token_nothing_is_sent() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise AssertionError("no request without a token")

    async def use(transport: Transport) -> None:
        transport._tokens = Tokens(Secrets(), {}, no_gh)
        await transport.rest("GET", "/user")

    with pytest.raises(NotSignedIn, match="Not signed in"):
        drive(handler, use)


def test_after_a_limit_nothing_is_sent_until_it_is_over() -> None:
    clock = [1000.0]
    calls: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        calls.append(request.url.path)
        if len(calls) == 1:
            return httpx.Response(
                403, json={"message": "You have exceeded a secondary rate limit"}, headers={"retry-after": "9"}
            )
        return httpx.Response(200, json={})

    async def use(transport: Transport) -> None:
        with pytest.raises(RateLimited) as limited:
            await transport.rest("GET", "/x")
        assert limited.value.until == 1009.0
        with pytest.raises(RateLimited):
            await transport.rest("GET", "/y")
        clock[0] = 1010.0
        await transport.rest("GET", "/y")

    drive(handler, use, now=lambda: clock[0])
    assert calls == ["/x", "/y"]


def test_a_log_comes_from_elsewhere_without_the_token() -> None:
    seen: list[tuple[str, bool]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.host, "authorization" in request.headers))
        if request.url.host == "api.github.com":
            return httpx.Response(302, headers={"location": "https://blob.example/log?sig=1"})
        return httpx.Response(200, text="first\n" + "x" * 50 + "\nlast\n")

    lines: list[str] = []
    assert drive(handler, lambda t: t.tail("/repos/a/b/actions/jobs/1/logs", 20), log=lines) == "last\n"
    assert seen == [("api.github.com", True), ("blob.example", False)]
    assert not any("sig" in line for line in lines), "the signature is a credential too"


def test_redirects_of_renamed_repositories() -> None:
    seen: list[tuple[str, str, bool]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append((request.method, request.url.path, "authorization" in request.headers))
        if request.url.path == "/repos/old/x":
            return httpx.Response(301, headers={"location": f"{API}/repositories/1"})
        if request.url.path == "/repos/away/x":
            return httpx.Response(301, headers={"location": "https://evil.example/x"})
        return httpx.Response(200, json={})

    async def use(transport: Transport) -> None:
        await transport.rest("GET", "/repos/old/x")
        await transport.rest("GET", "/repos/away/x")

    drive(handler, use)
    assert seen[1] == ("GET", "/repositories/1", True)
    assert seen[3] == ("GET", "/x", False), "the token stays with its host"


def test_a_page_in_place_of_json() -> None:
    with pytest.raises(Offline, match="no JSON"):
        drive(lambda request: httpx.Response(200, text="<html>Sign in to the WiFi"), lambda t: t.rest("GET", "/user"))


def test_writes_keep_their_distance() -> None:
    waits: list[float] = []

    async def run() -> None:
        async def sleep(seconds: float) -> None:
            waits.append(seconds)

        transport = Transport(
            "github.com",
            API,
            Tokens(Secrets("T"), {}, no_gh),
            client=lambda: httpx.AsyncClient(transport=httpx.MockTransport(lambda r: httpx.Response(201, json={}))),
            sleep=sleep,
            now=lambda: 1000.0,
        )
        await asyncio.gather(*(transport.rest("POST", "/x", body={}) for _ in range(3)))
        await transport.close()

    asyncio.run(run())
    assert waits == [1.0, 1.0]
