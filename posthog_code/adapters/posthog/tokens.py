"""Credentials of one account: the secret in the keyring, the access token in memory, one refresher at a time."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from posthog_code.adapters.posthog.answers import Answer
from posthog_code.adapters.posthog.errors import said
from posthog_code.adapters.posthog.http import Http
from posthog_code.domain.errors import NotSignedIn, Offline, UserError
from posthog_code.ports.forge import Secrets

TOKEN_PATH = "/oauth/token/"
EARLY = 60.0
"""Seconds of lifetime below which a token is refreshed before it is used."""
TRIES = (1.0, 2.0, 5.0)
"""Waits between attempts when the server fails."""
LEAVE_WAIT = 10.0
"""Seconds that a sign-out waits for a refresh that is under way."""


@dataclass(slots=True)
class Secret:
    """What is kept between runs of the program."""

    api_key: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    client_id: str = ""

    def dump(self) -> str:
        return json.dumps(
            {"api_key": self.api_key, "refresh_token": self.refresh_token, "client_id": self.client_id},
            separators=(",", ":"),
        )

    @staticmethod
    def load(text: str | None) -> Secret | None:
        try:
            data = json.loads(text or "")
        except ValueError:
            return None
        if not isinstance(data, dict):
            return None
        found = Secret(*(str(data.get(key) or "") for key in ("api_key", "refresh_token", "client_id")))
        return found if found.api_key or found.refresh_token else None


@dataclass(slots=True)
class Grant:
    """What the token endpoint gave."""

    access_token: str = field(repr=False)
    refresh_token: str = field(default="", repr=False)
    expires_in: float = 3600.0
    scopes: tuple[str, ...] = ()
    teams: tuple[int, ...] = ()

    @staticmethod
    def of(body: Any) -> Grant | None:
        if not isinstance(body, Mapping) or not is_token(body.get("access_token")):
            return None
        lifetime = body.get("expires_in")
        teams = body.get("scoped_teams")
        return Grant(
            access_token=body["access_token"],
            refresh_token=str(body.get("refresh_token") or ""),
            expires_in=float(lifetime) if isinstance(lifetime, int | float) and lifetime > 0 else 3600.0,
            scopes=tuple(str(body.get("scope") or "").split()),
            teams=tuple(t for t in teams if isinstance(t, int)) if isinstance(teams, list) else (),
        )


def is_token(value: Any) -> bool:
    """Whether it can travel in a header."""
    return isinstance(value, str) and bool(value) and value.isascii() and value.isprintable() and " " not in value


def keyring_name(origin: str) -> str:
    return f"posthog {origin}"


class Tokens:
    """Implements TokenSource for one origin. `memory_only` keeps the secret out of the keyring."""

    def __init__(
        self,
        http: Http,
        secrets: Secrets,
        folder: Path,
        *,
        memory_only: bool = False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http, self._secrets = http, secrets
        self.memory_only = memory_only
        name = hashlib.sha256(http.origin.encode()).hexdigest()[:16]
        self._lock_path = folder / f"posthog-{name}.lock"
        self._sleep, self._now, self._monotonic = sleep, now, monotonic
        self._single = asyncio.Lock()
        self._secret: Secret | None = None
        self._access = ""
        self._good_until = (0.0, 0.0)
        self._leaving = False
        """Signed out, or replaced by another sign-in: nothing is kept any more."""
        self.scopes: tuple[str, ...] = ()
        self.teams: tuple[int, ...] = ()
        self.refreshes = 0
        """How often this process refreshed; for tests and the log."""

    # -- what is known -----------------------------------------------------------------------------------------

    async def load(self) -> bool:
        """Read the keyring; False when there is nothing to sign in with."""
        if not self.memory_only:
            self._secret = Secret.load(await self._secrets.get(keyring_name(self._http.origin)))
        return self._secret is not None

    def use_key(self, api_key: str) -> None:
        """A personal API key, kept in memory."""
        self.memory_only, self._secret = True, Secret(api_key=api_key)

    async def adopt(self, secret: Secret, grant: Grant | None) -> None:
        """A fresh sign-in. Durable before it is used; raises Refused without a keyring (unless memory_only)."""
        async with self._alone():
            if not self.memory_only:
                await self._secrets.set(keyring_name(self._http.origin), secret.dump())
        self._secret = secret
        if grant is not None:
            self._take(grant)

    async def forget(self, *, replaced: bool = False) -> Secret | None:
        """Drop everything here; gives what there was. `replaced`: the keyring holds another sign-in already."""
        self._leaving, self._access = True, ""
        try:
            # A refresh that is under way ends first: what it brings must be revoked too, and not be kept.
            async with asyncio.timeout(LEAVE_WAIT), self._single, self._alone():
                return await self._drop(replaced)
        except TimeoutError:
            return await self._drop(replaced)

    async def _drop(self, replaced: bool) -> Secret | None:
        secret, self._secret, self._access = self._secret, None, ""
        if not self.memory_only and not replaced:
            await self._secrets.delete(keyring_name(self._http.origin))
        return secret

    @property
    def secret(self) -> Secret | None:
        return self._secret

    @property
    def access_token(self) -> str:
        return self._access

    # -- TokenSource -------------------------------------------------------------------------------------------

    async def token(self) -> str:
        secret = self._secret
        if secret is None or self._leaving:
            raise signed_out(self._http.host)
        if secret.api_key:
            return secret.api_key
        if self._fresh():
            return self._access
        return await asyncio.shield(self._renew(self._access))

    async def instead_of(self, refused: str) -> str:
        secret = self._secret
        if secret is None or self._leaving:
            raise signed_out(self._http.host)
        if secret.api_key:
            raise NotSignedIn(
                f"{self._http.host} does not accept the API key.",
                "It was revoked, or belongs to another region. Sign in again.",
            )
        return await asyncio.shield(self._renew(refused))

    # -- refresh -----------------------------------------------------------------------------------------------

    def _fresh(self) -> bool:
        # Two clocks: the monotonic one may stand still while the machine sleeps, the other one may be set.
        wall, steady = self._good_until
        return bool(self._access) and self._now() < wall and self._monotonic() < steady

    def _take(self, grant: Grant) -> None:
        self._access = grant.access_token
        life = max(grant.expires_in - EARLY, grant.expires_in / 2)
        self._good_until = (self._now() + life, self._monotonic() + life)
        self.scopes, self.teams = grant.scopes or self.scopes, grant.teams or self.teams

    async def _renew(self, refused: str) -> str:
        """One refresh for all who wait; the others get its token."""
        async with self._single:
            if self._leaving:
                raise signed_out(self._http.host)
            if self._access and self._access != refused and self._fresh():
                return self._access
            async with self._alone():
                return await self._refresh()

    async def _refresh(self) -> str:
        """Under the lock: the keyring is read again, since another process may have rotated the token meanwhile."""
        if not self.memory_only:
            newest = Secret.load(await self._secrets.get(keyring_name(self._http.origin)))
            self._secret = newest
        secret = self._secret
        if secret is None or not secret.refresh_token:
            self._secret, self._access = None, ""
            raise signed_out(self._http.host)
        grant = await self._exchange(secret)
        self.refreshes += 1
        rotated = Secret("", grant.refresh_token or secret.refresh_token, secret.client_id)
        if self._leaving:
            self._secret, self._access = rotated, ""  # for who signs out, to be revoked
            raise signed_out(self._http.host)
        if not self.memory_only and rotated.refresh_token != secret.refresh_token:
            await self._keep(rotated)
        self._secret = rotated
        self._take(grant)
        return self._access

    async def _keep(self, rotated: Secret) -> None:
        try:
            await self._secrets.set(keyring_name(self._http.origin), rotated.dump())
        except UserError:
            # The old token in the keyring is spent. This run goes on with the new one; the next has to sign in.
            self.memory_only = True

    async def _exchange(self, secret: Secret) -> Grant:
        body = {
            "grant_type": "refresh_token",
            "refresh_token": secret.refresh_token,
            "client_id": secret.client_id,
        }
        for wait in (*TRIES, None):
            try:
                answer = await self._http.call("POST", TOKEN_PATH, body=body, error=_TokenRefused)
                grant = Grant.of(answer.body)
                if grant is not None:
                    return grant
                raise Offline(f"{self._http.host} gave no token.", "It is tried again in a while.")
            except _TokenRefused as refused:
                if _ended(refused.answer):
                    await self._gone(secret)
                    raise NotSignedIn(
                        f"The sign-in to {self._http.host} has ended.", "Sign in again.", said(refused.answer.body)
                    ) from refused
                failure: UserError = Offline(
                    f"{self._http.host} has a problem.",
                    "You stay signed in; it is tried again in a while.",
                    f"HTTP {refused.answer.status}",
                )
            except Offline as offline:
                failure = offline
            if wait is None:
                raise Offline(failure.title, failure.hint, failure.detail)
            await self._sleep(wait)
        raise AssertionError("unreachable")

    async def _gone(self, tried: Secret) -> None:
        """The server refused the refresh token: it is dropped, unless somebody signed in anew meanwhile."""
        self._secret, self._access = None, ""
        if self.memory_only:
            return
        name = keyring_name(self._http.origin)
        kept = Secret.load(await self._secrets.get(name))
        if kept is not None and kept.refresh_token == tried.refresh_token:
            await self._secrets.delete(name)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """The only refresher of this account on this machine. Memory-only accounts have no other."""
        if self.memory_only:
            yield
            return
        import fcntl

        self._lock_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError as error:
                    if error.errno not in (errno.EAGAIN, errno.EACCES, errno.EINTR):
                        raise
                    await asyncio.sleep(0.02)
            yield
        finally:
            os.close(handle)


def _ended(answer: Answer) -> bool:
    """Whether it is the server that ends the sign-in. A proxy or a sign-in page of the network refuses too."""
    return answer.status in (400, 401, 403) and isinstance(answer.body, Mapping)


class _TokenRefused(UserError):
    def __init__(self, answer: Answer) -> None:
        super().__init__("The token endpoint refused.", "", said(answer.body))
        self.answer = answer


def signed_out(host: str) -> NotSignedIn:
    return NotSignedIn("You are not signed in to PostHog.", "Sign in (posthog-code login).", host)
