"""Requests to one account: a queue, ETags, retries, limits. httpx is imported with the first request."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin, urlsplit

from posthog_code.adapters.forge import errors
from posthog_code.adapters.forge.hosts import graphql_url, same_origin
from posthog_code.adapters.forge.tokens import Token, Tokens
from posthog_code.domain.errors import NotSignedIn, Offline, RateLimited

if TYPE_CHECKING:
    import httpx

API_VERSION = "2022-11-28"
"""Served to at least March 2028; 2026-03-10 dropped fields from pull requests."""
USER_AGENT = "posthog-code"
READS_AT_ONCE = 3
WRITE_PAUSE = 1.0
"""Seconds between writes, as GitHub asks for."""
ATTEMPTS = 3
ETAGS_KEPT = 200
REDIRECTS = 3

Log = Callable[[str], None]
ClientFactory = Callable[[], "httpx.AsyncClient"]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: Any
    """Parsed JSON, or the text."""


@dataclass(slots=True)
class GraphQL:
    data: Mapping[str, Any]
    errors: list[Mapping[str, Any]] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)

    def refused(self, *path: str) -> bool:
        """Whether a part of the answer is missing because the token may not read it."""
        return any(
            e.get("type") in ("FORBIDDEN", "INSUFFICIENT_SCOPES")
            and (not path or any(step in path for step in e.get("path") or path))
            for e in self.errors
        )


def make_client() -> httpx.AsyncClient:
    """A client that trusts what the system trusts (SSL_CERT_FILE and SSL_CERT_DIR count) and follows nothing itself."""
    # What the first request would import on the loop otherwise, for several frames.
    import anyio._backends._asyncio
    import anyio.streams.tls  # noqa: F401
    import httpx

    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if not context.cert_store_stats()["x509_ca"] and not paths.cafile and not paths.capath:
        import certifi

        context.load_verify_locations(certifi.where())  # a bundled Python whose store points nowhere
    return httpx.AsyncClient(
        verify=context,
        timeout=httpx.Timeout(30.0, connect=10.0),
        follow_redirects=False,
        headers={"User-Agent": USER_AGENT},
    )


class Transport:
    """One account of one host. Raises NotSignedIn, Offline, RateLimited and what `errors` makes of a refusal."""

    def __init__(
        self,
        host: str,
        api_url: str,
        tokens: Tokens,
        *,
        log: Log = lambda line: None,
        client: ClientFactory = make_client,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Any] = asyncio.sleep,
        write_pause: float = WRITE_PAUSE,
    ) -> None:
        self.host, self.api_url = host, api_url
        self._tokens, self._log, self._factory = tokens, log, client
        self._now, self._sleep = now, sleep
        self._client: httpx.AsyncClient | None = None
        self._starting = asyncio.Lock()
        self._reads = asyncio.Semaphore(READS_AT_ONCE)
        self._writes = asyncio.Lock()
        self._write_pause, self._written_at = write_pause, 0.0
        self._etags: dict[tuple[str, str, str], tuple[str, Answer]] = {}
        self._blocked_until = 0.0

    async def rest(
        self, method: str, path: str, *, body: Mapping[str, Any] | None = None, params: Mapping[str, str] | None = None
    ) -> Answer:
        """One REST call that gives an object. `path` starts with "/". An answer of 400 or more is raised."""
        url = self.api_url + path
        if params:
            url += "?" + urlencode(params)
        if method == "GET":
            async with self._reads:
                answer, token = await self._with_token("GET", url, None, retry=True)
        else:
            async with self._writes:
                await self._pause()
                try:
                    answer, token = await self._with_token(method, url, body, retry=False)
                finally:
                    self._written_at = self._now()
        if answer.status >= 400:
            raise self._error(answer, token, write=method != "GET")
        if not isinstance(answer.body, Mapping):
            raise self._no_json(answer)
        return answer

    async def graphql(self, document: str, variables: Mapping[str, Any]) -> GraphQL:
        """One query (never a mutation: it is repeated on failure). Partial data is given with its errors."""
        payload = {"query": document, "variables": dict(variables)}
        async with self._reads:
            answer, token = await self._with_token("POST", graphql_url(self.api_url), payload, retry=True)
        if answer.status >= 400:
            raise self._error(answer, token)
        if not isinstance(answer.body, Mapping):
            raise self._no_json(answer)
        found = [e for e in answer.body.get("errors") or [] if isinstance(e, Mapping)]
        data = answer.body.get("data")
        if any(e.get("type") == "RATE_LIMITED" for e in found) or not isinstance(data, Mapping):
            failure = errors.graphql_error(
                found, answer.headers, now=self._now(), host=self.host, account=_whose(token)
            )
            if isinstance(failure, RateLimited):
                self._blocked_until = max(self._blocked_until, failure.until)
            raise failure
        return GraphQL(data, found, answer.headers)

    async def tail(self, path: str, limit: int) -> str:
        """The last `limit` bytes of a text that GitHub redirects to (a job log). The signed URL gets no token."""
        async with self._reads:
            url = self.api_url + path
            answer, token = await self._with_token("GET", url, None, retry=True, etag=False, follow=False)
            if answer.status >= 400:
                raise self._error(answer, token)
            place = answer.headers.get("location", "")
            if not place:
                return str(answer.body)[-limit:]
            return await self._download(urljoin(url, place), limit)

    async def check(self, value: str) -> Answer:
        """`GET /user` with a token that is not in use yet."""
        async with self._reads:
            answer = await self._send("GET", f"{self.api_url}/user", None, Token(value, "you"), retry=True, etag=False)
        if answer.status >= 400:
            raise self._error(answer, Token(value, "you"))
        if not isinstance(answer.body, Mapping):
            raise self._no_json(answer)
        return answer

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _with_token(
        self, method: str, url: str, body: Any, *, retry: bool, etag: bool = True, follow: bool = True
    ) -> tuple[Answer, Token]:
        """Send with the account's token; after a 401 read the token again once."""
        if self._blocked_until > self._now():
            wait = {"retry-after": str(self._blocked_until - self._now())}
            raise errors.limited(wait, "", "Waiting for the limit that GitHub named.", self._now(), self.host)
        token = await self._tokens.get(self.host)
        if token is None:
            raise not_signed_in(self.host)
        answer = await self._send(method, url, body, token, retry=retry, etag=etag, follow=follow)
        if answer.status == 401:
            self._tokens.forget(self.host, token)
            other = await self._tokens.get(self.host)
            if other is not None and other.value != token.value:
                token = other
                answer = await self._send(method, url, body, token, retry=retry, etag=etag, follow=follow)
        if errors.is_limit(answer.status, answer.headers, answer.body):
            failure = errors.limited(answer.headers, "", "", self._now(), self.host)
            self._blocked_until = max(self._blocked_until, failure.until)
        return answer, token

    async def _send(
        self, method: str, url: str, body: Any, token: Token, *, retry: bool, etag: bool = True, follow: bool = True
    ) -> Answer:
        import httpx

        client = await self._open()
        headers = {
            "Authorization": f"Bearer {token.value}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": API_VERSION,
        }
        key = (url, token.value, headers["Accept"])
        cached = self._etags.get(key) if etag and method == "GET" else None
        if cached:
            headers["If-None-Match"] = cached[0]
        attempt = 0
        while True:
            attempt += 1
            started = time.monotonic()
            try:
                response = await self._follow(client, method, url, body, headers, follow)
            except (httpx.TransportError, httpx.InvalidURL) as error:
                self._report(method, url, f"failed: {type(error).__name__}", started)
                if retry and attempt < ATTEMPTS and not isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
                    await self._sleep(_backoff(attempt))
                    continue
                raise _offline(self.host, error) from error
            self._report(method, url, str(response.status_code), started)
            if retry and response.status_code >= 500 and attempt < ATTEMPTS:
                await self._sleep(_backoff(attempt))
                continue
            break
        if response.status_code == 304 and cached:
            return cached[1]
        answer = Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, _body(response))
        if etag and method == "GET" and answer.status == 200 and (tag := response.headers.get("etag")):
            self._etags[key] = (tag, answer)
            while len(self._etags) > ETAGS_KEPT:
                del self._etags[next(iter(self._etags))]
        return answer

    async def _follow(
        self, client: httpx.AsyncClient, method: str, url: str, body: Any, headers: dict[str, str], follow: bool
    ) -> httpx.Response:
        """Send, and follow redirects: of writes only those that keep the method, and never with the token elsewhere."""
        content = None if body is None else json.dumps(body).encode()
        own = dict(headers) if content is None else {**headers, "Content-Type": "application/json"}
        for _ in range(REDIRECTS):
            response = await client.request(method, url, content=content, headers=own)
            allowed = (301, 302, 307, 308) if method == "GET" else (307, 308)
            if not follow or response.status_code not in allowed or "location" not in response.headers:
                return response
            target = urljoin(url, response.headers["location"])
            if not same_origin(url, target):
                if method != "GET":
                    return response
                own.pop("Authorization", None)
            url = target
        return response

    async def _download(self, url: str, limit: int) -> str:
        import httpx

        client = await self._open()
        started, kept, size = time.monotonic(), bytearray(), 0
        try:
            async with _stream(client, url) as response:
                if response.status_code >= 400:
                    self._report("GET", url, str(response.status_code), started)
                    raise errors.rest_error(response.status_code, {}, "", now=self._now(), host=self.host)
                async for chunk in response.aiter_bytes():
                    size += len(chunk)
                    kept += chunk
                    if len(kept) > 2 * limit:
                        del kept[:-limit]
        except httpx.TransportError as error:
            self._report("GET", url, f"failed: {type(error).__name__}", started)
            raise _offline(self.host, error) from error
        self._report("GET", url, f"200 {size} bytes", started)
        text = bytes(kept[-limit:]).decode("utf-8", errors="replace")
        return text if size <= limit else text.partition("\n")[2]

    async def _open(self) -> httpx.AsyncClient:
        async with self._starting:
            if self._client is None:
                # The import and the certificate store take a quarter of a second: not on the loop.
                self._client = await asyncio.to_thread(self._factory)
            return self._client

    async def _pause(self) -> None:
        wait = self._written_at + self._write_pause - self._now()
        if 0 < wait <= self._write_pause:
            await self._sleep(wait)

    def _error(self, answer: Answer, token: Token, write: bool = False) -> Exception:
        return errors.rest_error(
            answer.status,
            answer.headers,
            answer.body,
            now=self._now(),
            host=self.host,
            account=_whose(token),
            write=write,
        )

    def _no_json(self, answer: Answer) -> Offline:
        """A proxy or a sign-in page answers in GitHub's place."""
        return Offline(f"{self.host} gave no JSON.", "Check the network and the API URL.", str(answer.body)[:500])

    def _report(self, method: str, url: str, outcome: str, started: float) -> None:
        parts = urlsplit(url)
        place = parts.path if same_origin(url, self.api_url) else f"{parts.scheme}://{parts.netloc}{parts.path}"
        self._log(f"{method} {place} {outcome} {round((time.monotonic() - started) * 1000)} ms")


def not_signed_in(host: str) -> NotSignedIn:
    where = "GitHub" if host == "github.com" else f"GitHub ({host})"
    return NotSignedIn(
        f"Not signed in to {where}.",
        f"Run `gh auth login --hostname {host}`, set GITHUB_TOKEN, or give the app a token.",
    )


@asynccontextmanager
async def _stream(client: httpx.AsyncClient, url: str) -> AsyncIterator[httpx.Response]:
    async with client.stream("GET", url, follow_redirects=True) as response:
        yield response


def _body(response: httpx.Response) -> Any:
    if "json" in response.headers.get("content-type", ""):
        try:
            return response.json()
        except ValueError:
            return response.text
    return response.text


def _backoff(attempt: int) -> float:
    """0.5, 1, 2 s, give or take 15 %."""
    return float(0.25 * 2**attempt * random.uniform(0.85, 1.15))


def _offline(host: str, error: Exception) -> Offline:
    return Offline(f"{host} could not be reached.", "It is tried again in a while.", f"{type(error).__name__}: {error}")


def _whose(token: Token) -> str:
    return token.source
