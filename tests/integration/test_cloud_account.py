"""Sign-in, refresh and sign-out over real HTTP: who holds a secret, who refreshes, what survives what."""

from __future__ import annotations

import asyncio
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from posthog_code.adapters.posthog import http as http_module
from posthog_code.adapters.posthog.account import PostHogAccount
from posthog_code.adapters.posthog.http import Http
from posthog_code.adapters.posthog.oauth import challenge_of
from posthog_code.adapters.posthog.tokens import Secret, Tokens, keyring_name
from posthog_code.domain.cloud import Account
from posthog_code.domain.cloud_errors import MissingScope
from posthog_code.domain.errors import InvalidInput, NotFound, NotSignedIn, Offline, RateLimited, Refused
from posthog_code.ports.cloud import SignIn
from tests.integration.cloud_server import KEY, CloudServer, Fault, cloud_server

JSON = {"Content-Type": "application/json"}
PORTS = (18237, 18238, 18239)


class MemoryKeyring:
    """The OS keyring of a machine, shared by the programs on it."""

    def __init__(self, works: bool = True) -> None:
        self.kept: dict[str, str] = {}
        self.works = works
        self.writes = 0

    async def get(self, name: str) -> str | None:
        await asyncio.sleep(0)
        return self.kept.get(name)

    async def set(self, name: str, value: str) -> None:
        if not self.works:
            raise Refused("This machine has no keyring.")
        self.writes += 1
        self.kept[name] = value

    async def delete(self, name: str) -> None:
        self.kept.pop(name, None)

    async def available(self) -> bool:
        return self.works


async def at_once(seconds: float) -> None:
    await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_module, "_backoff", lambda attempt: 0.0)


def drive(use: Callable[[CloudServer], Coroutine[Any, Any, None]]) -> None:
    async def go() -> None:
        async with cloud_server() as server:
            await use(server)

    asyncio.run(go())


def account_port(keyring: MemoryKeyring, folder: Path, **more: Any) -> PostHogAccount:
    return PostHogAccount(keyring, folder, env=more.pop("env", {}), ports=PORTS, sleep=at_once, **more)


def browser(seen: list[str], **changes: str) -> Callable[[str], bool]:
    """Agrees at once, as a person would in a while: comes back with a code and the state."""

    def fetch(url: str) -> None:
        try:
            urllib.request.urlopen(url, timeout=5).read()
        except urllib.error.HTTPError as error:
            seen.append(f"HTTP {error.code}")

    def open_page(url: str) -> bool:
        seen.append(url)
        query = {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
        back = {"code": "c0de", "state": query["state"], **changes}
        words = "&".join(f"{key}={value}" for key, value in back.items() if value)
        first = query["redirect_uri"]
        forged = f"{first}?code=evil&state=guess"
        good = f"{first}?{words}"

        def both() -> None:
            fetch(forged)
            fetch(first.replace("/callback", "/other"))
            fetch(good)

        threading.Thread(target=both, daemon=True).start()
        return True

    return open_page


def test_sign_in_with_the_browser_and_out_again(tmp_path: Path) -> None:
    async def use(server: CloudServer) -> None:
        keyring, seen = MemoryKeyring(), list[str]()
        lines: list[str] = []
        port = account_port(keyring, tmp_path, log=lines.append)
        account = await port.sign_in(SignIn(server.url + "//"), Account(), browser(seen))
        assert account.login == "oauth" and account.client_id == "client-1" and account.host == server.url
        assert account.project_id == 1 and [p.name for p in account.projects] == ["Web", "Mobile"]
        query = parse_qs(urlsplit(seen[0]).query)
        assert query["code_challenge_method"] == ["S256"] and len(query["code_challenge"][0]) == 43
        assert "llm_gateway" not in query["scope"][0] and "*" not in query["scope"][0]
        assert seen[1:] == ["HTTP 400", "HTTP 404"]  # a forged answer, another path
        kept = keyring.kept[keyring_name(server.url)]
        assert "phr_" in kept and "pha_" not in kept
        assert "ph" + "r_" not in repr(account)
        again = account_port(keyring, tmp_path)
        assert (await again.restore(account)).login == "oauth"
        assert server.refreshes == 1
        assert await again.sign_out(account)
        assert not keyring.kept and server.count("POST", "/oauth/revoke/") >= 1
        assert not any("phr_" in line or "c0de" in line for line in lines)
        with pytest.raises(NotSignedIn):
            again.project(account, 1)
        await port.close()
        await again.close()

    drive(use)


def test_the_person_says_no(tmp_path: Path) -> None:
    async def use(server: CloudServer) -> None:
        port = account_port(MemoryKeyring(), tmp_path)
        with pytest.raises(Refused, match="did not allow"):
            await port.sign_in(SignIn(server.url), Account(), browser([], code="", error="access_denied"))
        # The ports are free again.
        listener = await asyncio.start_server(lambda r, w: None, "127.0.0.1", PORTS[0])
        listener.close()
        await port.close()

    drive(use)


def test_nobody_answers_and_ports_are_taken(tmp_path: Path) -> None:
    async def use(server: CloudServer) -> None:
        port = account_port(MemoryKeyring(), tmp_path, flow_timeout=0.05)
        with pytest.raises(Refused, match="Nobody signed in"):
            await port.sign_in(SignIn(server.url), Account(), lambda url: True)
        taken = [await asyncio.start_server(lambda r, w: None, "127.0.0.1", one) for one in PORTS]
        with pytest.raises(Refused, match="cannot bring"):
            await port.sign_in(SignIn(server.url), Account(), lambda url: True)
        for one in taken:
            one.close()
        await port.close()

    drive(use)


def test_an_api_key_and_no_keyring(tmp_path: Path) -> None:
    async def use(server: CloudServer) -> None:
        keyring = MemoryKeyring(works=False)
        port = account_port(keyring, tmp_path)
        with pytest.raises(Refused, match="no keyring"):
            await port.sign_in(SignIn(server.url, KEY), Account(), lambda url: False)
        account = await port.sign_in(SignIn(server.url, KEY, keep=False), Account(), lambda url: False)
        assert account.kept == "memory" and account.login == "api_key" and not keyring.kept
        with pytest.raises(InvalidInput):
            await port.sign_in(SignIn(server.url, "two words", keep=False), Account(), lambda url: False)
        with pytest.raises(NotSignedIn):
            await port.sign_in(SignIn(server.url, "phx_wrong_key_1", keep=False), Account(), lambda url: False)
        assert (await account_port(keyring, tmp_path).restore(account)).signed_in is False
        await port.close()

    drive(use)


def test_the_environment_goes_first(tmp_path: Path) -> None:
    async def use(server: CloudServer) -> None:
        port = account_port(MemoryKeyring(), tmp_path, env={"POSTHOG_API_KEY": KEY, "POSTHOG_HOST": server.url + "/x/"})
        account = await port.restore(Account(host="https://eu.posthog.com", login="oauth"))
        assert account.host == server.url and account.kept == "environment" and account.user.id == 7
        await port.close()

    drive(use)


async def signed_in(server: CloudServer, keyring: MemoryKeyring, folder: Path) -> tuple[Tokens, Http]:
    """One program on the machine, before its first call."""
    http = Http(server.url, sleep=at_once)
    tokens = Tokens(http, keyring, folder, sleep=at_once)
    keyring.kept.setdefault(keyring_name(server.url), Secret("", server.refresh_token, "client-1").dump())
    assert await tokens.load()
    return tokens, http


def test_many_callers_and_programs_share_the_refreshes(tmp_path: Path) -> None:
    async def use(server: CloudServer) -> None:
        keyring = MemoryKeyring()
        programs = [await signed_in(server, keyring, tmp_path) for _ in range(4)]
        calls = [http.call("GET", "/api/users/@me/", tokens) for tokens, http in programs for _ in range(10)]
        answers = await asyncio.gather(*calls)
        assert all(answer.status == 200 for answer in answers) and len(answers) == 40
        # One refresh for each program, none of them with a token that was spent already.
        assert server.refreshes == 4 and server.count("POST", "/oauth/token/") == 4
        assert server.refresh_token in keyring.kept[keyring_name(server.url)]
        server.access.clear()
        await asyncio.gather(*[http.call("GET", "/api/users/@me/", tokens) for tokens, http in programs[:1] * 10])
        assert server.refreshes == 5  # ten calls were refused, one refresh for them
        for _, http in programs:
            await http.close()

    drive(use)


def test_what_ends_a_session_and_what_does_not(tmp_path: Path) -> None:
    async def use(server: CloudServer) -> None:
        keyring = MemoryKeyring()
        tokens, http = await signed_in(server, keyring, tmp_path)
        name = keyring_name(server.url)
        server.faults = [Fault("POST", "/oauth/token/", 502, b"<html>", {"Content-Type": "text/html"}, times=4)]
        with pytest.raises(Offline):
            await http.call("GET", "/api/users/@me/", tokens)
        server.faults = [Fault("POST", "/oauth/token/", 0, times=2)]
        assert (await http.call("GET", "/api/users/@me/", tokens)).status == 200
        assert keyring.kept[name]
        server.refresh_token = "phr_revoked_family"
        server.access.clear()
        with pytest.raises(NotSignedIn):
            await http.call("GET", "/api/users/@me/", tokens)
        assert name not in keyring.kept
        with pytest.raises(NotSignedIn):
            await tokens.token()
        await http.close()

    drive(use)


def test_a_token_is_refreshed_before_it_ends_whatever_the_clock_says(tmp_path: Path) -> None:
    async def use(server: CloudServer) -> None:
        keyring = MemoryKeyring()
        http = Http(server.url, sleep=at_once)
        clock = {"wall": 1000.0, "steady": 5.0}
        tokens = Tokens(
            http, keyring, tmp_path, sleep=at_once, now=lambda: clock["wall"], monotonic=lambda: clock["steady"]
        )
        keyring.kept[keyring_name(server.url)] = Secret("", server.refresh_token, "c").dump()
        await tokens.load()
        first = await tokens.token()
        clock["wall"] -= 5000  # somebody sets the clock back
        assert await tokens.token() == first
        clock["steady"] += 3541  # 59 s are left
        second = await tokens.token()
        assert second != first and server.refreshes == 2
        clock["wall"] += 4000  # the machine slept; its steady clock did not go on
        assert await tokens.token() != second
        await http.close()

    drive(use)


def test_a_cancelled_caller_does_not_lose_a_rotated_token(tmp_path: Path) -> None:
    async def use(server: CloudServer) -> None:
        keyring = MemoryKeyring()
        tokens, http = await signed_in(server, keyring, tmp_path)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(tokens.token(), 0.001)
        assert await tokens.token()
        assert server.refresh_token in keyring.kept[keyring_name(server.url)]
        await http.close()

    drive(use)


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (Fault("GET", "@me", 403, b'{"detail":"requires scope \'user:read\'"}', JSON), MissingScope, "user:read"),
        (Fault("GET", "@me", 429, b"{}", {**JSON, "Retry-After": "17"}), RateLimited, "asks to wait"),
        (Fault("GET", "@me", 429, b'{"detail":"Expected available in 9 seconds."}', JSON), RateLimited, "asks to wait"),
        (Fault("GET", "@me", 500, b"<html>oops</html>", times=5), Offline, "has a problem"),
        (Fault("GET", "@me", 200, b"<!doctype html><title>Wifi</title>"), Offline, "Something else answers"),
        (Fault("GET", "@me", 302, b"", {"Location": "http://127.0.0.1:9/"}, times=5), Offline, "could not be reached"),
        (Fault("GET", "@me", 404, b"{}", JSON), NotFound, "not there"),
        (Fault("GET", "@me", 0, times=5), Offline, "could not be reached"),
    ],
)
def test_what_a_refusal_is_called(tmp_path: Path, fault: Fault, kind: type[Exception], words: str) -> None:
    async def use(server: CloudServer) -> None:
        port = account_port(MemoryKeyring(), tmp_path)
        signed = await port.sign_in(SignIn(server.url, KEY, keep=False), Account(), lambda url: False)
        server.faults = [replace(fault)]
        with pytest.raises(kind, match=words) as told:
            await port.identity(signed)
        assert "phx_" not in str(told.value) + getattr(told.value, "detail", "")
        await port.close()

    drive(use)


def test_the_challenge_is_that_of_the_standard() -> None:
    # RFC 7636, appendix B.
    assert challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
