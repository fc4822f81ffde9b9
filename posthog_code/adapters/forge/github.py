"""GitHub at the level of intent: REST to write, GraphQL to read."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from posthog_code.adapters.forge import hosts, queries, reading, releases
from posthog_code.adapters.forge.tokens import Tokens, gh_token
from posthog_code.adapters.forge.transport import WRITE_PAUSE, ClientFactory, GraphQL, Log, Transport, make_client
from posthog_code.domain.errors import Conflict, InvalidInput, NotFound, NotSignedIn, Offline, UserError
from posthog_code.domain.publishing import NewPullRequest
from posthog_code.domain.pull_request import Check, PullRequest, ReviewThread
from posthog_code.ports.forge import Landing, RemoteRepository, Secrets

LOG_BYTES = 2_000_000
CHECK_PAGES = 10
"""Of 100."""
THREAD_PAGES = 10
"""Of 50."""
THREADS_EVERY = 60.0
"""Seconds between reads of threads while the pull request says that it did not change."""
SETTLED_AFTER = 5.0
"""Seconds after a change from which a read of threads is taken to have seen all of it."""
REFUSED_FOR = 3600.0
"""Seconds for which a token that may not read checks is not asked again."""
RUNS_READ = 10


class GitHub:
    """Implements ports.forge.Forge."""

    def __init__(
        self,
        secrets: Secrets,
        *,
        api_url: Callable[[], str] = lambda: "",
        env: Mapping[str, str] | None = None,
        log: Log = lambda line: None,
        client: ClientFactory = make_client,
        ask_gh: Callable[[str, Mapping[str, str]], Awaitable[str]] = gh_token,
        now: Callable[[], float] = time.time,
        write_pause: float = WRITE_PAUSE,
        ssh_config: Path | None = None,
    ) -> None:
        """`api_url` gives the setting; GITHUB_API_URL in `env` wins over it. `log` gets one line per request, without
        tokens. `write_pause` in seconds."""
        self._env = os.environ if env is None else env
        self._setting, self._log, self._client, self._now = api_url, log, client, now
        self._write_pause = write_pause
        self._ssh_config = ssh_config or Path.home() / ".ssh" / "config"
        self._tokens = Tokens(secrets, self._env, ask_gh, self._override)
        self._transports: dict[tuple[str, str], Transport] = {}
        self._threads: dict[str, tuple[float, float, tuple[ReviewThread, ...], str]] = {}
        self._no_checks_until: dict[str, float] = {}
        self._lent: dict[str, str] = {}

    def locate(self, remote_url: str) -> RemoteRepository | None:
        return hosts.locate(remote_url, self._override(), self._ssh_config)

    async def account(self, remote: RemoteRepository) -> str:
        answer = await self._to(remote).rest("GET", "/user")
        return str(answer.body.get("login") or "")

    async def sign_in(self, remote: RemoteRepository, token: str) -> str:
        """Try a token, keep it in the keyring for the remote's host, and give its login."""
        token = token.strip()
        if not token or any(char.isspace() or not char.isprintable() for char in token):
            raise InvalidInput(
                "This is no token.", "Paste a personal access token: it starts with ghp_ or github_pat_."
            )
        answer = await self._to(remote).check(token)
        await self._tokens.keep(remote.host, token)
        self._no_checks_until.clear()
        return str(answer.body.get("login") or "")

    async def lend(self, remote: RemoteRepository) -> bool:
        found = await self._tokens.get(remote.host)
        if found is not None:
            self._lent[remote.host] = found.value
        return found is not None

    def take_back(self, remote: RemoteRepository) -> None:
        self._lent.pop(remote.host, None)

    def lent(self, url: str) -> str | None:
        """The token for the URL of a git remote while it is lent; never shown, logged or kept.

        The URL's own host must be the account's: with an overridden API URL a remote may well be somewhere else.
        """
        name, remote = hosts.parse_remote(url), self.locate(url)
        if name is None or remote is None or name.scheme not in ("https", "http"):
            return None
        if name.host != remote.host or (name.scheme == "http" and not hosts.is_loopback(name.host)):
            return None
        return self._lent.get(remote.host)

    async def landing(self, remote: RemoteRepository, pull: PullRequest) -> Landing:
        variables = {"id": pull.node_id, "owner": remote.owner, "repo": remote.name}
        answer = await self._to(remote).graphql(queries.LANDING, variables)
        return await releases.landing(answer.data, lambda commit, name: self._contains(remote, commit, name))

    async def _contains(self, remote: RemoteRepository, commit: str, name: str) -> bool:
        """Whether a commit or tag has another commit in its history."""
        path = f"/repos/{remote.full_name}/compare/{quote(commit, safe='')}...{quote(name, safe='')}"
        try:
            answer = await self._to(remote).rest("GET", path, params={"per_page": "1"})
        except (NotFound, InvalidInput):
            return False  # gone, or never pushed here
        return answer.body.get("status") in ("ahead", "identical")

    async def default_branch(self, remote: RemoteRepository) -> str:
        answer = await self._to(remote).graphql(queries.REPOSITORY, {"owner": remote.owner, "repo": remote.name})
        repository = answer.data.get("repository")
        if not isinstance(repository, Mapping):
            raise _missing(remote)
        return str((repository.get("defaultBranchRef") or {}).get("name") or "")

    async def find(self, remote: RemoteRepository, branch: str) -> PullRequest | None:
        variables = {"owner": remote.owner, "repo": remote.name, "branch": branch}
        answer = await self._to(remote).graphql(queries.BY_BRANCH, variables)
        repository = answer.data.get("repository")
        if not isinstance(repository, Mapping):
            raise _missing(remote)
        node = reading.choose((repository.get("pullRequests") or {}).get("nodes") or (), remote.owner)
        return reading.pull_request(node, at=self._now()) if node else None

    async def create(self, remote: RemoteRepository, branch: str, new: NewPullRequest) -> PullRequest:
        existing = await self.find(remote, branch)
        if existing is not None and existing.state in ("open", "draft"):
            return await self.read(remote, existing)
        body = {"title": new.title, "head": branch, "base": new.base, "body": new.body, "draft": new.draft}
        try:
            answer = await self._to(remote).rest("POST", f"/repos/{remote.full_name}/pulls", body=body)
        except (Conflict, Offline) as error:
            # Somebody was first, or the answer was lost on its way: then it is there now.
            existing = await self.find(remote, branch)
            if existing is None or existing.state not in ("open", "draft"):
                raise error
            return await self.read(remote, existing)
        made = reading.created(answer.body, at=self._now())
        try:
            return await self.read(remote, made)
        except UserError:
            return made

    async def read(self, remote: RemoteRepository, known: PullRequest) -> PullRequest:
        if not known.node_id:
            found = await self.find(remote, known.head)
            if found is None:
                raise NotFound(f"Pull request #{known.number} is gone from GitHub.")
            known = found
        answer = await self._to(remote).graphql(queries.STATE, {"ids": [known.node_id]})
        node = next(iter(answer.data.get("nodes") or []), None)
        if not isinstance(node, Mapping) or not node.get("number"):
            raise NotFound(f"Pull request #{known.number} is gone from GitHub, or hidden from this token.")
        pull = reading.pull_request(node, at=self._now())
        (checks, complete, cut), (threads, threads_cut) = await asyncio.gather(
            self._read_checks(remote, pull), self._read_threads(remote, pull)
        )
        pull = reading.with_checks(pull, checks, complete=complete)
        return replace(pull, threads=threads, cut=" ".join(part for part in (cut, threads_cut) if part))

    async def job_log(self, remote: RemoteRepository, check_id: str) -> str:
        if not check_id.isdigit():
            raise NotFound("This check has no log.", "Open it in the browser.")
        try:
            return await self._to(remote).tail(f"/repos/{remote.full_name}/actions/jobs/{check_id}/logs", LOG_BYTES)
        except NotFound as error:
            hint = "GitHub has it once the job is done, and for a limited time. Open it in the browser."
            raise NotFound("This check has no log.", hint, error.detail) from error

    async def close(self) -> None:
        transports, self._transports = list(self._transports.values()), {}
        for transport in transports:
            await transport.close()

    async def _read_checks(self, remote: RemoteRepository, pull: PullRequest) -> tuple[tuple[Check, ...], bool, str]:
        """(checks, whether these are all, what was cut). A token that may not read checks sees Actions jobs and
        statuses, which is not all."""
        if self._no_checks_until.get(remote.host, 0.0) > self._now():
            return await self._read_jobs(remote, pull), False, ""
        contexts: list[Mapping[str, Any]] = []
        after: str | None = None
        for _ in range(CHECK_PAGES):
            variables = {"id": pull.node_id, "number": pull.number, "after": after}
            try:
                answer = await self._to(remote).graphql(queries.CHECKS, variables)
            except NotSignedIn as error:
                if "401" in error.detail:
                    raise
                answer = GraphQL({}, [{"type": "FORBIDDEN"}])
            if answer.refused():
                self._no_checks_until[remote.host] = self._now() + REFUSED_FOR
                return await self._read_jobs(remote, pull), False, ""
            node = answer.data.get("node")
            summary = node.get("statusCheckRollup") if isinstance(node, Mapping) else None
            page = (summary or {}).get("contexts") or {}
            contexts += [item for item in page.get("nodes") or [] if isinstance(item, Mapping)]
            info = page.get("pageInfo") or {}
            after = info.get("endCursor")
            if not info.get("hasNextPage"):
                return reading.rollup(contexts), True, ""
        return reading.rollup(contexts), False, f"Only the first {len(contexts)} checks are shown."

    async def _read_jobs(self, remote: RemoteRepository, pull: PullRequest) -> tuple[Check, ...]:
        api, base = self._to(remote), f"/repos/{remote.full_name}"
        runs: list[tuple[str, list[Mapping[str, Any]]]] = []
        statuses: list[Mapping[str, Any]] = []
        try:
            query = {"head_sha": pull.head_sha, "event": "pull_request", "per_page": "100"}
            answer = await api.rest("GET", f"{base}/actions/runs", params=query)
            for run in answer.body.get("workflow_runs", [])[:RUNS_READ]:
                path = f"{base}/actions/runs/{run['id']}/jobs"
                page = await api.rest("GET", path, params={"filter": "latest", "per_page": "100"})
                runs.append((str(run.get("name") or ""), page.body.get("jobs", [])))
        except (NotSignedIn, NotFound) as error:
            self._log(f"Actions jobs are not visible: {error.title}")
        try:
            answer = await api.rest("GET", f"{base}/commits/{pull.head_sha}/status", params={"per_page": "100"})
            statuses = answer.body.get("statuses", [])
        except (NotSignedIn, NotFound) as error:
            self._log(f"Commit statuses are not visible: {error.title}")
        return reading.jobs(runs, statuses)

    async def _read_threads(self, remote: RemoteRepository, pull: PullRequest) -> tuple[tuple[ReviewThread, ...], str]:
        """Threads, asked for when the pull request changed, else once a minute (resolving one changes nothing)."""
        kept = self._threads.get(pull.node_id)
        if kept and kept[0] == pull.updated_at and self._now() - kept[1] < THREADS_EVERY:
            changed, read, threads, cut = kept
            # The time of a change has whole seconds: one read in the same moment may have missed what came after.
            if read - changed > SETTLED_AFTER:
                return threads, cut
        found: list[ReviewThread] = []
        after: str | None = None
        cut = ""
        for page_number in range(THREAD_PAGES):
            answer = await self._to(remote).graphql(queries.THREADS, {"id": pull.node_id, "after": after})
            node = answer.data.get("node")
            page = (node.get("reviewThreads") if isinstance(node, Mapping) else None) or {}
            for item in page.get("nodes") or []:
                if isinstance(item, Mapping) and (one := reading.thread(item)):
                    found.append(one)
            info = page.get("pageInfo") or {}
            after = info.get("endCursor")
            if not info.get("hasNextPage"):
                break
            if page_number == THREAD_PAGES - 1:
                cut = f"Only the first {THREAD_PAGES * 50} threads are shown."
        self._threads[pull.node_id] = (pull.updated_at, self._now(), tuple(found), cut)
        return tuple(found), cut

    def _override(self) -> str:
        chosen = (self._env.get("GITHUB_API_URL") or self._setting()).strip().rstrip("/")
        return "" if chosen == "https://api.github.com" else chosen

    def _to(self, remote: RemoteRepository) -> Transport:
        key = (remote.host, remote.api_url)
        if key not in self._transports:
            self._transports[key] = Transport(
                remote.host,
                remote.api_url,
                self._tokens,
                log=self._log,
                client=self._client,
                now=self._now,
                write_pause=self._write_pause,
            )
        return self._transports[key]


def _missing(remote: RemoteRepository) -> NotFound:
    return NotFound(
        f"{remote.full_name} was not found on {remote.host}, or this token may not see it.",
        "Check the remote of the repository, and which account is signed in.",
    )
