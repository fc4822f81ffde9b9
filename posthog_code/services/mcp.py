"""PostHog's tools for local agents: who gets them, through which door, and how it stands with them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from posthog_code.domain.cloud import Account
from posthog_code.domain.cloud_errors import MissingScope
from posthog_code.domain.errors import InvalidInput, NotFound, NotSignedIn, Offline, Refused, UserError
from posthog_code.domain.ids import RepositoryId, TaskId
from posthog_code.domain.logs import LogSource
from posthog_code.domain.mcp import McpState, server_url
from posthog_code.domain.state import Topic
from posthog_code.domain.task import Task
from posthog_code.domain.text import duration, plural
from posthog_code.ports.agent import McpServer
from posthog_code.ports.clock import Clock
from posthog_code.ports.mcp import McpProxy, McpTokens, McpWay
from posthog_code.services.account import AccountService
from posthog_code.services.logs import Logs
from posthog_code.services.scope import Scope
from posthog_code.services.store import Store

MCP = Topic("mcp")
NAME = "posthog"
URL_VARIABLE = "POSTHOG_CODE_MCP_URL"
"""Where the bridge finds its door: a command line can be read by everybody on a machine."""
OVERRIDE = "POSTHOG_MCP_URL"
VERSION_HEADER = {"x-posthog-mcp-version": "2"}
RESTORE_WAIT = 5.0
"""Seconds that the start of an agent waits to learn who is signed in; what is known already counts then."""
CHECK_TIME = 15.0
"""Seconds that a check waits for the server."""


@dataclass(slots=True)
class _Facts:
    """What was last seen of the server; all repositories have the same one."""

    reached_at: float = 0.0
    error: UserError | None = None
    failed_at: float = 0.0
    called_at: float = 0.0


class McpProxies:
    """One door a task, for as long as its agent runs."""

    def __init__(
        self,
        store: Store,
        account: AccountService,
        proxy: McpProxy,
        tokens: McpTokens,
        logs: Logs,
        clock: Clock,
        scope: Scope,
        *,
        env: Mapping[str, str],
        bridge: tuple[str, ...],
    ) -> None:
        """`bridge` is the command for agents that only start programs."""
        self._store, self._account, self._proxy, self._tokens = store, account, proxy, tokens
        self._logs, self._clock, self._scope, self._env, self._bridge = logs, clock, scope, env, bridge
        self._doors: dict[TaskId, tuple[str, RepositoryId]] = {}
        self._facts = _Facts()
        self._restoring: asyncio.Task[object] | None = None
        account.on_change(self._forget)

    async def servers_for(self, task: Task) -> tuple[McpServer, ...]:
        """What to hand to the agent that starts for this task; () when it gets nothing. Raises nothing: an agent works
        without these tools too. An earlier door of the task is shut."""
        self.release(task.id)
        repository = self._store.state.repositories.get(task.repository_id)
        if repository is None or not repository.posthog_mcp:
            return ()
        await self._restored()
        guest = self._guest(task)
        if guest is None:
            return ()
        try:
            self._way(guest.account, guest.project_id)
            url = await self._proxy.open(guest)
        except (InvalidInput, OSError) as error:
            known = (
                error if isinstance(error, UserError) else NotFound("No port of this machine is free.", "", str(error))
            )
            self._failed(known)
            self._log(task.id, f"the agent starts without PostHog's tools: {known}", "warning")
            return ()
        self._doors[task.id] = (url, task.repository_id)
        self._store.touch(MCP)
        return (McpServer(NAME, url, self._bridge, {URL_VARIABLE: url}),)

    def release(self, task_id: TaskId) -> None:
        """The task's agent is gone: its door is shut, and what is under way broken off."""
        door = self._doors.pop(task_id, None)
        if door is not None:
            self._proxy.shut(door[0])
            self._store.touch(MCP)

    def state(self, repository_id: RepositoryId) -> McpState:
        repository = self._store.state.repositories.get(repository_id)
        users = sum(1 for _, used_by in self._doors.values() if used_by == repository_id)
        if repository is None or not repository.posthog_mcp:
            still = f" {plural(users, 'running agent keeps', 'running agents keep')} it until the end." if users else ""
            return McpState("Off", "neutral", f"Agents here do not get PostHog's MCP server.{still}")
        found = self.account_state()
        if users and found.word == "On":
            at = self._facts.called_at
            last = f", last used at {_clock_time(at)}" if at else ""
            return McpState("In use", "success", f"By {plural(users, 'running agent')} here{last}.")
        return found

    def account_state(self) -> McpState:
        """Without regard to a repository."""
        account, facts = self._store.state.account, self._facts
        if not account.signed_in:
            return McpState("Not signed in", "neutral", "Agents get PostHog's MCP server when you are signed in.")
        if not account.project_id:
            return McpState("No project", "neutral", "Your account has no project that agents could ask about.")
        if facts.error is not None:
            return self._trouble(facts.error)
        seen = f" The server answered at {_clock_time(facts.reached_at)}." if facts.reached_at else ""
        return McpState(
            "On", "success", f"Agents get PostHog's MCP server when they start, and never your sign-in.{seen}"
        )

    def _trouble(self, error: UserError) -> McpState:
        words, at = f"{error.title} {error.hint}".strip(), _clock_time(self._facts.failed_at)
        if isinstance(error, MissingScope):
            return McpState("Lacks a permission", "waiting", f"At {at}: {words}")
        if isinstance(error, NotSignedIn):
            return McpState("Sign-in refused", "failed", f"At {at}: {words}")
        if isinstance(error, InvalidInput):
            return McpState("Cannot be used", "failed", f"At {at}: {words}")
        return McpState("Cannot be reached", "failed", f"Since {at}: {words}")

    async def check(self) -> None:
        """Ask the server for an answer, so that `state` tells of now; nothing happens without an account."""
        await self._account.restore()
        account = self._account.account
        if not account.signed_in or not account.project_id:
            return
        try:
            async with asyncio.timeout(CHECK_TIME):
                await self._proxy.probe(_Guest(self, None, account, account.project_id))
        except TimeoutError:
            self._failed(Offline("PostHog's MCP server does not answer.", "Try again in a while."))

    async def close(self) -> None:
        self._doors.clear()
        await self._proxy.close()

    # -- what guests ask

    async def _restored(self) -> None:
        """Who is signed in; a server that does not answer must not hold up an agent."""
        if self._restoring is None:
            self._restoring = self._scope.spawn(self._account.restore(), "mcp-account")
        await asyncio.wait([self._restoring], timeout=RESTORE_WAIT)

    def _guest(self, task: Task) -> _Guest | None:
        account = self._account.account
        project_id = task.cloud_project_id or account.project_id
        return _Guest(self, task.id, account, project_id) if account.signed_in and project_id else None

    def _way(self, account: Account, project_id: int) -> McpWay:
        """Raises InvalidInput."""
        url = server_url(account.host, account.region, self._env.get(OVERRIDE, ""))
        return McpWay(url, {**VERSION_HEADER, "x-posthog-project-id": str(project_id)})

    def _log(self, task_id: TaskId, text: str, level: str = "info") -> None:
        self._logs.write(task_id, LogSource.NETWORK, text, level=level)

    def _forget(self) -> None:
        """Somebody else is signed in, or another project is chosen: what was seen tells nothing any more."""
        self._facts = _Facts()
        self._store.touch(MCP)

    def _reached(self) -> None:
        news = self._facts.error is not None or not self._facts.reached_at
        self._facts.reached_at, self._facts.error = self._clock.now(), None
        if news:
            self._store.touch(MCP)

    def _failed(self, error: UserError) -> None:
        before = self._facts.error
        if before is None or (type(before), before.title) != (type(error), error.title):
            self._facts.failed_at = self._clock.now()
        self._facts.error = error
        self._store.touch(MCP)


class _Ended(NotSignedIn):
    """This session may not go there any more; that tells nothing of the server."""


class _Guest:
    """One agent session (or a check of ours, without a task): implements ports.mcp.McpGuest."""

    def __init__(self, owner: McpProxies, task_id: TaskId | None, account: Account, project_id: int) -> None:
        self._owner, self._task_id = owner, task_id
        self.account, self.project_id = account, project_id

    async def way(self) -> McpWay:
        """A session stays with the account and the project that it began with."""
        now = await self._owner._account.restore()
        if not now.signed_in:
            raise _Ended("You are not signed in to PostHog.", "Sign in, then start the agent again.")
        if (now.host, now.user.uuid) != (self.account.host, self.account.user.uuid) and self.account.user.uuid:
            raise _Ended("Somebody else is signed in to PostHog by now.", "Start the agent again.")
        return self._owner._way(now, self.project_id)

    async def token(self) -> str:
        return await self._owner._tokens.token()

    async def instead_of(self, refused: str) -> str:
        return await self._owner._tokens.instead_of(refused)

    def called(self, tool: str, outcome: str, seconds: float) -> None:
        self._owner._facts.called_at = self._owner._clock.now()
        if self._task_id is not None:
            level = "info" if outcome == "ok" else "warning"
            self._owner._log(self._task_id, f"PostHog tool  {tool or '?'}  {outcome}  {duration(seconds)}", level)

    def reached(self) -> None:
        self._owner._reached()

    def failed(self, error: UserError) -> None:
        if not isinstance(error, _Ended | Refused):
            self._owner._failed(error)


class AccountTokens:
    """Credentials of whoever is signed in when they are asked for: implements ports.mcp.McpTokens."""

    def __init__(self, account: AccountService, source: Callable[[Account], McpTokens]) -> None:
        self._account, self._source = account, source

    async def token(self) -> str:
        return await self._source(self._account.account).token()

    async def instead_of(self, refused: str) -> str:
        return await self._source(self._account.account).instead_of(refused)


def _clock_time(at: float) -> str:
    return time.strftime("%H:%M", time.localtime(at))
