"""OAuth 2 with PKCE for a public client: registration, browser, exchange, revocation."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlencode

from posthog_code.adapters.posthog.answers import Answer
from posthog_code.adapters.posthog.errors import said
from posthog_code.adapters.posthog.http import Http
from posthog_code.adapters.posthog.loopback import PORTS, Loopback, redirect_uri
from posthog_code.adapters.posthog.tokens import TOKEN_PATH, TRIES, Grant, Secret
from posthog_code.domain.errors import Offline, Refused, UserError
from posthog_code.ports.cloud import OpenBrowser

FLOW_TIMEOUT = 180.0
CLIENT_NAME = "Code desktop for tasks"
"""Names that begin with the product's own are reserved for it."""
SCOPES = (
    "openid",
    "user:read",
    "organization:read",
    "project:read",
    "task:read",
    "task:write",
    "integration:read",
    "query:read",
    "feature_flag:read",
    "experiment:read",
    "event_definition:read",
    "error_tracking:read",
)


class _ServerSaid(UserError):
    def __init__(self, answer: Answer) -> None:
        super().__init__("The server refused the sign-in.", "Try again.", said(answer.body))
        self.answer = answer


def challenge_of(verifier: str) -> str:
    """PKCE S256: the verifier's SHA-256 in base64url without padding."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def authorize_url(origin: str, client_id: str, uri: str, state: str, verifier: str) -> str:
    query = {
        "client_id": client_id,
        "redirect_uri": uri,
        "response_type": "code",
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
        "scope": " ".join(SCOPES),
        "state": state,
        "required_access_level": "project",
    }
    return f"{origin}/oauth/authorize/?{urlencode(query)}"


async def register(http: Http, ports: tuple[int, ...] = PORTS) -> str:
    """A client id of our own for this server. Raises Refused when it registers nobody."""
    body = {
        "client_name": CLIENT_NAME,
        "redirect_uris": [redirect_uri(port) for port in ports],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    }
    try:
        answer = await http.call("POST", "/oauth/register/", body=body, error=_ServerSaid)
    except _ServerSaid as refused:
        if refused.answer.status >= 500:
            raise Offline(f"{http.host} has a problem.", "Try again in a while.", refused.detail) from refused
        raise Refused(
            f"{http.host} does not register this app.",
            "Use a personal API key, or set POSTHOG_OAUTH_CLIENT_ID to a client id of yours.",
            refused.detail,
        ) from refused
    client_id = answer.body.get("client_id") if isinstance(answer.body, Mapping) else None
    if not isinstance(client_id, str) or not client_id:
        raise Refused(f"{http.host} gave no client id.", "Use a personal API key.", said(answer.body))
    return client_id


async def browser_flow(
    http: Http,
    client_id: str,
    open_browser: OpenBrowser,
    *,
    ports: tuple[int, ...] = PORTS,
    timeout: float = FLOW_TIMEOUT,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> tuple[Secret, Grant]:
    """Sign in in the browser. Raises Refused (the person said no, or no answer came in time), Offline."""
    verifier, state = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    async with Loopback(state, ports) as loopback:
        uri = redirect_uri(loopback.port)
        url = authorize_url(http.origin, client_id, uri, state, verifier)
        open_browser(url)
        try:
            query = await loopback.answer(timeout)
        except TimeoutError as error:
            raise Refused(
                "Nobody signed in.", f"The browser did not come back within {timeout:g} s. Try again."
            ) from error
    if "error" in query:
        if query["error"] == "access_denied":
            raise Refused(
                "You did not allow the sign-in.", "Try again to allow it.", query.get("error_description", "")[:300]
            )
        words = query.get("error_description") or query["error"]
        raise Refused(f"{http.host} refused the sign-in.", "Try again.", words[:300])
    grant = await _exchange(http, client_id, query["code"], uri, verifier, sleep)
    if not grant.refresh_token:
        raise Refused(f"{http.host} gave no lasting sign-in.", "Use a personal API key.")
    return Secret("", grant.refresh_token, client_id), grant


async def _exchange(
    http: Http, client_id: str, code: str, uri: str, verifier: str, sleep: Callable[[float], Awaitable[None]]
) -> Grant:
    body = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": uri,
        "client_id": client_id,
        "code_verifier": verifier,
    }
    failure: UserError | None = None
    for wait in (*TRIES[:2], None):
        try:
            answer = await http.call("POST", TOKEN_PATH, body=body, error=_ServerSaid)
            grant = Grant.of(answer.body)
            if grant is None:
                raise Refused(f"{http.host} gave no token.", "Try again.")
            return grant
        except _ServerSaid as refused:
            if refused.answer.status < 500:
                raise Refused(f"{http.host} refused the sign-in.", "Try again.", refused.detail) from refused
            failure = refused
        except Offline as offline:
            failure = offline
        if wait is not None:
            await sleep(wait)
    assert failure is not None
    raise Offline(f"{http.host} could not finish the sign-in.", "Try again in a while.", failure.detail)


async def revoke(http: Http, token: str, client_id: str) -> None:
    """Raises what `Http.call` does when the server could not be told."""
    await http.call("POST", "/oauth/revoke/", form={"token": token, "client_id": client_id}, raw=True)
