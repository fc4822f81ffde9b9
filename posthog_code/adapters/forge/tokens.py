"""Where a token comes from: the keyring, the environment, gh. One host's token never goes to another."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from posthog_code.adapters.forge.hosts import host_of_api, is_cloud
from posthog_code.ports.forge import Secrets

GH_TIMEOUT = 5.0
"""Seconds; gh may wait for a locked keyring."""
_TOKEN_VARIABLES = ("GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")


@dataclass(frozen=True, slots=True)
class Token:
    value: str
    source: str
    """In words, for messages: "the keyring", "GITHUB_TOKEN", "gh"."""

    def __repr__(self) -> str:
        return f"Token(source={self.source!r})"

    @property
    def fine_grained(self) -> bool:
        return self.value.startswith("github_pat_")


def secret_name(host: str) -> str:
    return f"github:{host}"


async def gh_token(host: str, env: Mapping[str, str]) -> str:
    """What `gh auth token --hostname` prints; "" without gh, a sign-in, or an answer in time.

    The token variables are taken out of gh's environment: it would print GH_ENTERPRISE_TOKEN for any host at all.
    """
    clean = {name: value for name, value in env.items() if name not in _TOKEN_VARIABLES}
    try:
        process = await asyncio.create_subprocess_exec(
            "gh",
            "auth",
            "token",
            "--hostname",
            host,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=clean,
        )
    except OSError:
        return ""
    try:
        out, _ = await asyncio.wait_for(process.communicate(), GH_TIMEOUT)
    except TimeoutError:
        return ""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return out.decode(errors="replace").strip() if process.returncode == 0 else ""


class Tokens:
    """Tokens by host, remembered in memory until GitHub refuses one."""

    def __init__(
        self,
        secrets: Secrets,
        env: Mapping[str, str] | None = None,
        ask_gh: Callable[[str, Mapping[str, str]], Awaitable[str]] = gh_token,
        api_override: Callable[[], str] = lambda: "",
    ) -> None:
        self._secrets = secrets
        self._env = os.environ if env is None else env
        self._ask_gh = ask_gh
        self._override = api_override
        self._known: dict[str, Token] = {}
        self._lock = asyncio.Lock()

    async def get(self, host: str) -> Token | None:
        async with self._lock:
            if host not in self._known:
                found = await self._look(host)
                if found is None:
                    return None  # not remembered: the person may sign in with gh meanwhile
                self._known[host] = found
            return self._known[host]

    def forget(self, host: str, token: Token) -> None:
        """After a 401: the next `get` reads it again."""
        if self._known.get(host) == token:
            del self._known[host]

    async def keep(self, host: str, value: str) -> None:
        """Store a token in the keyring. Raises Refused when there is none."""
        await self._secrets.set(secret_name(host), value)
        self._known[host] = Token(value, "the keyring")

    async def _look(self, host: str) -> Token | None:
        if value := await self._secrets.get(secret_name(host)):
            return Token(value, "the keyring")
        for name in self._variables(host):
            if value := self._env.get(name, "").strip():
                return Token(value, name)
        if value := await self._ask_gh(host, self._env):
            return Token(value, "gh")
        return None

    def _variables(self, host: str) -> tuple[str, ...]:
        """Variables that are meant for `host`.

        An enterprise token is used only where the person named the host too (GH_HOST or the API URL): a remote URL of
        a cloned repository must not be enough to have it sent there.
        """
        override = self._override()
        overridden = bool(override) and host_of_api(override) == host
        if is_cloud(host):
            return ("GITHUB_TOKEN", "GH_TOKEN")
        if overridden:
            return ("GITHUB_TOKEN", "GH_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
        if self._env.get("GH_HOST", "").lower() == host:
            return ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
        return ()
