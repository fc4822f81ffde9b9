"""Requests to one PostHog: sign-in, one refresh after a 401, retries of reads, limits. httpx is imported with the first
request, in a thread."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode, urljoin, urlsplit

from posthog_code import __version__
from posthog_code.adapters.posthog.answers import Answer, TooLarge, live_bytes, parsed, read_body
from posthog_code.adapters.posthog.errors import http_error, looks_like_page, not_posthog
from posthog_code.adapters.posthog.hosts import is_safe, same_origin
from posthog_code.adapters.posthog.redact import place, redact
from posthog_code.domain.cloud_errors import OutcomeUnknown
from posthog_code.domain.errors import Offline, RateLimited, UserError

if TYPE_CHECKING:
    import httpx

USER_AGENT = f"posthog-code-py/{__version__}"
ATTEMPTS = 3
AT_ONCE = 6
REDIRECTS = 3
STREAM_SILENCE = 70.0
"""Seconds without a byte after which a stream is taken for dead: three keep-alives missed, and some."""
ANSWER_LIMIT = 64 * 1024 * 1024
"""Bytes of an answer that is parsed, unpacked; a page of a log has at most 16 MiB."""
RAW_LIMIT = 256 * 1024 * 1024
"""Bytes of a whole log or of a file."""
ERROR_LIMIT = 100_000
LONGEST_ANSWER = 600.0
"""Seconds for one answer, however steadily it drips."""
LONGEST_BLOCK = 3600.0
"""Seconds for which a server can keep us from asking."""

Log = Callable[[str], None]
ClientFactory = Callable[[], "httpx.AsyncClient"]
Sleep = Callable[[float], Awaitable[None]]


class TokenSource(Protocol):
    """Where a request's credentials come from. Raises NotSignedIn or Offline."""

    async def token(self) -> str: ...

    async def instead_of(self, refused: str) -> str:
        """Another token after the server refused this one. Raises NotSignedIn when there is none."""


def make_client() -> httpx.AsyncClient:
    """A client that trusts what the system trusts and follows nothing by itself."""
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
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=10),
        follow_redirects=False,
        headers={"User-Agent": USER_AGENT},
    )


class Http:
    """One origin. Its client is shared by all projects and streams."""

    def __init__(
        self,
        origin: str,
        *,
        log: Log = lambda line: None,
        client: ClientFactory = make_client,
        now: Callable[[], float] = time.time,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.origin = origin
        self.host = urlsplit(origin).netloc
        self.skew = 0.0
        """Seconds that the server's clock is ahead of ours."""
        self._log, self._factory, self._now, self._sleep = log, client, now, sleep
        self._client: httpx.AsyncClient | None = None
        self._starting = asyncio.Lock()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._limits = 0
        self._blocked_until = 0.0

    async def call(
        self,
        method: str,
        path: str,
        tokens: TokenSource | None = None,
        *,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        timeout: float = 30.0,
        raw: bool = False,
        accept: str = "application/json",
        error: Callable[[Answer], UserError | None] | None = None,
        most: int = 0,
        own_limit: bool = False,
    ) -> Answer:
        """One call; an answer of 400 or more is raised. Reads are tried again, writes never are, but for a 401.

        `raw` takes any content; otherwise something else than JSON is taken for somebody between here and PostHog.
        `error` says what an answer means, or None for the usual. An answer has at most `most` bytes, if that is set.
        `own_limit`: the endpoint counts its own calls, so when it asks to wait, others may still be asked.
        """
        url = self.origin + path
        query = {key: value for key, value in (params or {}).items() if value not in (None, "")}
        if query:
            url += ("&" if "?" in url else "?") + urlencode(query)
        if self._now() < self._blocked_until <= self._now() + LONGEST_BLOCK and method == "GET":
            raise RateLimited(
                f"{self.host} asks to wait.",
                f"It is asked again in {max(1, round(self._blocked_until - self._now()))} s.",
                until=self._blocked_until,
            )
        headers = {"Accept": accept}
        content: bytes | None = None
        if form is not None:
            content, headers["Content-Type"] = urlencode(form).encode(), "application/x-www-form-urlencoded"
        elif body is not None:
            content, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        token = await tokens.token() if tokens else ""
        most = most or (RAW_LIMIT if raw else ANSWER_LIMIT)
        # A command may be answered only when the agent's turn ends: it must not hold up anything else.
        answer = await self._waiting(timeout > 60, method, url, content, headers, token, timeout, most)
        if answer.status == 401 and tokens is not None:
            token = await tokens.instead_of(token)
            answer = await self._waiting(timeout > 60, method, url, content, headers, token, timeout, most)
        if answer.status >= 400:
            raise self._failed(answer, method, error, own_limit)
        self._limits = 0
        if answer.status >= 300:
            detail = f"HTTP {answer.status} to {place(answer.headers.get('location', ''), self.origin)}"
            raise not_posthog(self.host, detail)
        if not raw and answer.data and not isinstance(answer.body, Mapping | list):
            raise not_posthog(self.host, redact(str(answer.body))[:300])
        return answer

    @asynccontextmanager
    async def stream(
        self, url: str, tokens: TokenSource | None, headers: Mapping[str, str], *, bearer: str = ""
    ) -> AsyncIterator[AsyncGenerator[bytes, None]]:
        """The bytes of a live stream. Raises as `call`; a connection that breaks raises Offline."""
        import httpx

        client = await self._open()
        token = bearer or (await tokens.token() if tokens else "")
        for attempt in (1, 2):
            own = {**headers, "Authorization": f"Bearer {token}"}
            timeout = httpx.Timeout(None, connect=10.0, read=STREAM_SILENCE, write=10.0, pool=10.0)
            try:
                async with client.stream("GET", url, headers=own, timeout=timeout) as response:
                    self._report("GET", url, str(response.status_code), None)
                    if response.status_code == 401 and attempt == 1 and tokens is not None and not bearer:
                        token = await tokens.instead_of(token)
                        continue
                    if response.status_code != 200:
                        answer = parsed(response, await read_body(response, ERROR_LIMIT, cut=True))
                        if answer.status >= 400:
                            raise self._failed(answer, "GET", None)
                        raise not_posthog(self.host, f"HTTP {answer.status}")
                    if "event-stream" not in response.headers.get("content-type", ""):
                        raise not_posthog(self.host, str(response.headers.get("content-type", ""))[:200])
                    yield live_bytes(response, self.host)
                    return
            except (httpx.TransportError, httpx.InvalidURL, httpx.DecodingError) as failure:
                raise self._offline(failure) from failure

    async def send_form(self, url: str, fields: Mapping[str, str], name: str, data: bytes, kind: str) -> None:
        """A multipart upload to object storage; nothing of ours goes with it. Raises as `call`."""
        import httpx

        if not is_safe(url):
            raise not_posthog(self.host, f"files are to be sent without encryption to {place(url, self.origin)}")
        client = await self._open()
        started = time.monotonic()
        timeout = httpx.Timeout(300.0, connect=10.0)
        files = {"file": (name, data, kind)}
        try:
            async with client.stream("POST", url, data=dict(fields), files=files, timeout=timeout) as response:
                words = (await read_body(response, ERROR_LIMIT, cut=True)).decode("utf-8", "replace")[:1000]
        except (httpx.TransportError, httpx.InvalidURL, httpx.DecodingError) as failure:
            raise self._offline(failure) from failure
        self._report("POST", url, str(response.status_code), started)
        if response.status_code >= 300:
            status = response.status_code if response.status_code >= 400 else 502
            raise http_error(status, {}, words, now=self._now(), host=urlsplit(url).netloc)

    async def fetch(self, url: str) -> bytes:
        """A signed URL of object storage, without our credentials."""
        if not is_safe(url):
            raise not_posthog(self.host, f"a file without encryption at {place(url, self.origin)}")
        answer = await self._waiting(False, "GET", url, None, {}, "", 300.0, RAW_LIMIT)
        if answer.status >= 300:
            raise self._failed(answer, "GET", None)
        return answer.data

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    # -- one request -------------------------------------------------------------------------------------------

    async def _waiting(
        self,
        long: bool,
        method: str,
        url: str,
        content: bytes | None,
        headers: dict[str, str],
        token: str,
        wait: float,
        most: int,
    ) -> Answer:
        if long:
            return await self._send(method, url, content, headers, token, wait, most)
        async with self._slots:
            return await self._send(method, url, content, headers, token, wait, most)

    async def _send(
        self, method: str, url: str, content: bytes | None, headers: dict[str, str], token: str, wait: float, most: int
    ) -> Answer:
        import httpx

        client = await self._open()
        own = {**headers, "Authorization": f"Bearer {token}"} if token else headers
        timeout = httpx.Timeout(wait, connect=10.0)
        attempt = 0
        while True:
            attempt += 1
            started = time.monotonic()
            try:
                async with asyncio.timeout(max(LONGEST_ANSWER, wait + 60.0)):
                    response, data = await self._follow(client, method, url, content, own, timeout, most)
            except (httpx.TransportError, httpx.InvalidURL, httpx.DecodingError, TimeoutError, TooLarge) as failure:
                self._report(method, url, f"failed: {type(failure).__name__}", started)
                permanent = isinstance(failure, httpx.InvalidURL | httpx.UnsupportedProtocol)
                too_large = isinstance(failure, TooLarge)
                if method == "GET" and attempt < ATTEMPTS and not (permanent or too_large):
                    await self._sleep(_backoff(attempt))
                    continue
                never_sent = isinstance(failure, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
                if method == "GET" and too_large:
                    words = f"{self.host} sent more than can be taken."
                    raise Offline(words, "It is tried again in a while.", str(failure)) from failure
                if method == "GET" or never_sent or permanent:
                    raise self._offline(failure) from failure
                raise OutcomeUnknown(
                    f"{self.host} did not answer.",
                    "What was asked may have been done: look first.",
                    f"{type(failure).__name__}: {redact(str(failure))}",
                ) from failure
            self._report(method, url, str(response.status_code), started)
            self._note_clock(response.headers.get("date", ""))
            if method == "GET" and response.status_code >= 500 and attempt < ATTEMPTS:
                await self._sleep(_backoff(attempt))
                continue
            return parsed(response, data)

    async def _follow(
        self,
        client: httpx.AsyncClient,
        method: str,
        url: str,
        content: bytes | None,
        headers: dict[str, str],
        timeout: httpx.Timeout,
        most: int,
    ) -> tuple[httpx.Response, bytes]:
        """Follow redirects: of writes only those that keep the method, and never with the token to another origin."""
        own = dict(headers)
        allowed = (301, 302, 303, 307, 308) if method == "GET" else (307, 308)
        for _ in range(REDIRECTS):
            async with client.stream(method, url, content=content, headers=own, timeout=timeout) as response:
                data = await read_body(response, most)
            if response.status_code not in allowed or "location" not in response.headers:
                break
            target = urljoin(url, response.headers["location"])
            if not same_origin(url, target):
                if method != "GET" or not is_safe(target):
                    break
                own.pop("Authorization", None)
            url = target
        return response, data

    async def _open(self) -> httpx.AsyncClient:
        async with self._starting:
            if self._client is None:
                # The import and the certificate store take a quarter of a second: not on the loop.
                self._client = await asyncio.to_thread(self._factory)
            return self._client

    def _failed(
        self,
        answer: Answer,
        method: str,
        error: Callable[[Answer], UserError | None] | None,
        own_limit: bool = False,
    ) -> UserError:
        told = error(answer) if error is not None else None
        if told is not None:
            failure = told
        elif answer.status not in (404, 429) and answer.status < 500 and looks_like_page(str(answer.body)):
            failure = not_posthog(self.host, f"HTTP {answer.status}")
        else:
            failure = http_error(
                answer.status,
                answer.headers,
                answer.body,
                now=self._now(),
                host=self.host,
                skew=self.skew,
                write=method != "GET",
            )
        if isinstance(failure, RateLimited) and not own_limit:
            self._limits += 1
            if "retry-after" not in answer.headers:
                failure.until = max(failure.until, self._now() + min(30.0, 2.0 ** min(self._limits, 5)))
            self._blocked_until = max(self._blocked_until, failure.until)
        return failure

    def _offline(self, failure: Exception) -> Offline:
        return Offline(
            f"{self.host} could not be reached.",
            "It is tried again in a while.",
            f"{type(failure).__name__}: {redact(str(failure))}",
        )

    def _note_clock(self, date: str) -> None:
        try:
            self.skew = parsedate_to_datetime(date).timestamp() - self._now()
        except (ValueError, TypeError, OverflowError):
            pass

    def _report(self, method: str, url: str, outcome: str, started: float | None) -> None:
        took = "" if started is None else f" {round((time.monotonic() - started) * 1000)} ms"
        self._log(redact(f"{method} {place(url, self.origin)} {outcome}{took}"))


def _backoff(attempt: int) -> float:
    """0.5, 1, 2 s, give or take 15 %."""
    return float(0.25 * 2**attempt * random.uniform(0.85, 1.15))
