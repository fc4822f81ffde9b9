"""The account of a PostHog: implements ports.cloud.CloudAccount."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

from posthog_code.adapters.posthog import oauth
from posthog_code.adapters.posthog.api import PostHogCloud
from posthog_code.adapters.posthog.hosts import capture_origin, origin_of, region_of
from posthog_code.adapters.posthog.http import ClientFactory, Http, Log, make_client
from posthog_code.adapters.posthog.loopback import PORTS
from posthog_code.adapters.posthog.signals import PostHogSignals
from posthog_code.adapters.posthog.tokens import Secret, Tokens, is_token, signed_out
from posthog_code.domain import cloud_parse
from posthog_code.domain.cloud import Account
from posthog_code.domain.cloud_errors import MissingScope
from posthog_code.domain.errors import InvalidInput, NotSignedIn, Refused, UserError
from posthog_code.ports.cloud import OpenBrowser, SignIn
from posthog_code.ports.forge import Secrets


class PostHogAccount:
    """Holds one connection and one set of credentials at a time."""

    def __init__(
        self,
        secrets: Secrets,
        folder: Path,
        *,
        env: Mapping[str, str] | None = None,
        log: Log = lambda line: None,
        client: ClientFactory = make_client,
        ports: tuple[int, ...] = PORTS,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        flow_timeout: float = oauth.FLOW_TIMEOUT,
    ) -> None:
        """`folder` holds the lock that makes one process the refresher."""
        self._secrets, self._folder = secrets, folder
        self._env = os.environ if env is None else env
        self._log, self._factory, self._ports = log, client, ports
        self._now, self._sleep, self._flow_timeout = now, sleep, flow_timeout
        self._https: dict[str, Http] = {}
        self._tokens: Tokens | None = None
        self._origin = ""
        self._signals: dict[tuple[int, str], PostHogSignals] = {}
        """By project and person: they hold answers to queries. Of these credentials only."""
        self._signals_of: Tokens | None = None

    async def sign_in(self, request: SignIn, known: Account, open_browser: OpenBrowser) -> Account:
        origin = origin_of(request.host)
        if request.keep and not await self._secrets.available():
            raise Refused(
                "This machine has no keyring to keep the sign-in in.",
                "Sign in for this run only, or set POSTHOG_API_KEY for the app.",
            )
        http = self._http(origin)
        tokens = Tokens(http, self._secrets, self._folder, memory_only=not request.keep, sleep=self._sleep)
        kept = "keyring" if request.keep else "memory"
        account = Account(
            host=origin, region=region_of(origin), kept=kept, chosen_projects=known.chosen_projects, login="api_key"
        )
        if request.api_key:
            key = request.api_key.strip()
            if not is_token(key):
                raise InvalidInput("This is no API key.", "Copy it as one line from PostHog's settings.")
            trial = Tokens(http, self._secrets, self._folder)
            trial.use_key(key)
            account = await self._identify(account, trial)
            await tokens.adopt(Secret(api_key=key), None)
        else:
            client_id = self._env.get("POSTHOG_OAUTH_CLIENT_ID", "")
            if not client_id and known.host == origin:
                client_id = known.client_id
            client_id = client_id or await oauth.register(http, self._ports)
            secret, grant = await oauth.browser_flow(
                http, client_id, open_browser, ports=self._ports, timeout=self._flow_timeout, sleep=self._sleep
            )
            trial = Tokens(http, self._secrets, self._folder, memory_only=True, sleep=self._sleep)
            await trial.adopt(secret, grant)
            account = replace(account, login="oauth", client_id=client_id)
            try:
                account = await self._identify(account, trial)
                await tokens.adopt(trial.secret or secret, grant)
            except UserError:
                # Nobody is signed in: the server must not think so either.
                await self._revoke(http, trial.secret or secret, trial.access_token)
                raise
        before, self._tokens = self._tokens, tokens
        old, self._origin = self._origin, origin
        if before is not None:
            access = before.access_token
            left = await before.forget(replaced=old == origin and request.keep)
            await self._revoke(self._http(old), left, access)
        return account

    async def sign_out(self, account: Account) -> bool:
        tokens, http = self._tokens, self._http(account.host) if account.host else None
        if tokens is None and http is not None:
            tokens = Tokens(http, self._secrets, self._folder, memory_only=account.kept != "keyring")
            await tokens.load()
        self._tokens, self._origin = None, ""
        if tokens is None or http is None:
            return True
        access = tokens.access_token
        secret = await tokens.forget()
        return await self._revoke(http, secret, access)

    async def _revoke(self, http: Http, secret: Secret | None, access: str) -> bool:
        """False when the server could not be told."""
        told = True
        if secret is not None and secret.refresh_token:
            for token in filter(None, (secret.refresh_token, access)):
                try:
                    await oauth.revoke(http, token, secret.client_id)
                except UserError:
                    told = False
        return told

    async def restore(self, account: Account) -> Account:
        key = self._env.get("POSTHOG_API_KEY", "").strip()
        if key and not is_token(key):
            return replace(_signed_out(account), problem="POSTHOG_API_KEY holds no API key.")
        if key:
            origin = origin_of(self._env.get("POSTHOG_HOST", "") or account.host or "us")
            tokens = Tokens(self._http(origin), self._secrets, self._folder)
            tokens.use_key(key)
            known = account if account.host == origin else replace(Account(), chosen_projects=account.chosen_projects)
            account = replace(known, host=origin, region=region_of(origin), login="api_key", kept="environment")
        elif not account.signed_in or account.kept != "keyring":
            return _signed_out(account)
        else:
            origin = account.host
            tokens = Tokens(self._http(origin), self._secrets, self._folder, sleep=self._sleep)
            if not await tokens.load():
                return _signed_out(account)
        self._origin, self._tokens = origin, tokens
        try:
            return await self._identify(account, tokens)
        except MissingScope as error:
            return replace(account, problem=error.title)
        except NotSignedIn as error:
            return replace(_signed_out(account), problem=error.title)
        except UserError as error:
            return replace(account, problem=error.title)

    async def identity(self, account: Account) -> Account:
        return await self._identify(account, self._ready(account))

    async def choose_organization(self, account: Account, organization_id: str) -> Account:
        tokens = self._ready(account)
        body = {"set_current_organization": organization_id}
        await self._http(account.host).call("PATCH", "/api/users/@me/", tokens, body=body)
        return await self._identify(account, tokens)

    def project(self, account: Account, project_id: int) -> PostHogCloud:
        return PostHogCloud(self._http(account.host), self._ready(account), project_id, now=self._now)

    def credentials(self, account: Account) -> Tokens:
        """For others who speak to the same PostHog; renewed by one at a time. Raises NotSignedIn."""
        return self._ready(account)

    def signals(self, account: Account, project_id: int) -> PostHogSignals:
        tokens, person = self._ready(account), account.user.uuid or str(account.user.id)
        if self._signals_of is not tokens:
            # Somebody else, or the same person with other permissions, must not see what was kept.
            self._signals, self._signals_of = {}, tokens
        if (project_id, person) not in self._signals:
            capture = self._http(capture_origin(account.host))
            self._signals[project_id, person] = PostHogSignals(
                self._http(account.host), capture, tokens, project_id, person, now=self._now, sleep=self._sleep
            )
        return self._signals[project_id, person]

    async def keyring_available(self) -> bool:
        return await self._secrets.available()

    async def close(self) -> None:
        for signals in self._signals.values():
            await signals.close()
        for http in self._https.values():
            await http.close()

    def _ready(self, account: Account) -> Tokens:
        if self._tokens is None or self._origin != account.host:
            raise signed_out(account.host or "PostHog")
        return self._tokens

    async def _identify(self, account: Account, tokens: Tokens) -> Account:
        answer = await self._http(account.host).call("GET", "/api/users/@me/", tokens)
        known = replace(account, scopes=tokens.scopes or account.scopes, problem="")
        return cloud_parse.account(answer.body, known, tokens.teams)

    def _http(self, origin: str) -> Http:
        if origin not in self._https:
            self._https[origin] = Http(origin, log=self._log, client=self._factory, now=self._now, sleep=self._sleep)
        return self._https[origin]


def _signed_out(account: Account) -> Account:
    """Nobody, but with what the next sign-in starts from."""
    return Account(
        host=account.host,
        region=account.region,
        client_id=account.client_id,
        project_id=account.project_id,
        chosen_projects=account.chosen_projects,
    )
