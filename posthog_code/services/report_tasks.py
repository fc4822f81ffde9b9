"""Tasks made from reports: here or in the cloud, once each, known to both sides."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from posthog_code.domain import report_prompt
from posthog_code.domain.agent import usual_agent
from posthog_code.domain.cloud_lists import local_repository
from posthog_code.domain.cloud_requests import CloudDraft
from posthog_code.domain.errors import InvalidInput, NotFound, UserError
from posthog_code.domain.ids import RepositoryId, TaskId
from posthog_code.domain.inbox import Report
from posthog_code.domain.inbox_evidence import bare_path
from posthog_code.domain.report_prompt import ReportTask
from posthog_code.domain.task import Repository, TaskDraft
from posthog_code.ports.clock import Clock
from posthog_code.services.agents import Agents
from posthog_code.services.cloud_tasks import CloudTasks
from posthog_code.services.scope import Scope
from posthog_code.services.store import Store
from posthog_code.services.tasks import Tasks

LONGEST_CONTEXT = 1_500
"""Characters about flags and events that are added to a prompt."""
SAME_PRESS = 5.0
"""Seconds in which asking again for a task means the one that was just made."""
Link = Callable[[str, TaskId], Awaitable[None]]
"""Note at the report that a task was made from it."""
Context = Callable[[RepositoryId, Sequence[str]], Awaitable[str]]
Outcome = tuple[TaskId | str, UserError | None]


async def _no_context(repository_id: RepositoryId, paths: Sequence[str]) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for besides the report; "" and None leave it to the report and the settings."""

    in_cloud: bool = False
    repository_id: RepositoryId | None = None
    agent_id: str = ""
    prompt: str = ""
    agent_command: str = ""
    mode: str = ""


class ReportTasks:
    def __init__(
        self,
        store: Store,
        tasks: Tasks,
        cloud: CloudTasks,
        agents: Agents,
        link: Link,
        clock: Clock,
        scope: Scope,
        context: Context = _no_context,
    ) -> None:
        """`context` tells in a few lines what flags and events in these files of a repository mean."""
        self._store, self._tasks, self._cloud, self._agents = store, tasks, cloud, agents
        self._link, self._clock, self._scope, self._context = link, clock, scope, context
        self._starting: dict[str, asyncio.Task[Outcome]] = {}
        self._started: dict[str, tuple[float, TaskId | str]] = {}

    def draft(self, report: Report, url: str) -> ReportTask:
        state = self._store.state
        evidence = state.inbox.evidence.get(report.id)
        wanted = evidence.repository if evidence else ""
        here = self._here(wanted)
        return ReportTask(
            prompt=report_prompt.prompt(report, evidence, url),
            title=report_prompt.title(report),
            repository_id=here.id if here else None,
            repository=wanted,
            base=here.default_branch if here else "",
            paths=evidence.paths if evidence else (),
            problem="" if here else self._why_not_here(wanted),
        )

    def _here(self, wanted: str) -> Repository | None:
        """The local repository; the only one there is when the report names none."""
        repositories = self._store.state.repositories
        if wanted:
            found = local_repository(wanted, repositories.values())
            return repositories[found] if found else None
        return next(iter(repositories.values())) if len(repositories) == 1 else None

    def _why_not_here(self, wanted: str) -> str:
        if wanted:
            return f"The repository {wanted} is not on this machine."
        return "The report does not say which repository it belongs to."

    async def start(self, report: Report, url: str, wish: Wish) -> TaskId | str:
        """Make the task, or give the one that is being made or was a moment ago."""
        running = self._starting.get(report.id)
        if running is None:
            at, known = self._started.get(report.id, (0.0, ""))
            if known and 0 <= self._clock.now() - at < SAME_PRESS:
                return known
            work = (self._in_cloud if wish.in_cloud else self._local)(report, url, wish)
            # Of its own: whoever asks and goes away must not leave half a task.
            running = self._scope.spawn(_outcome(work), f"report-{report.id}")
            self._starting[report.id] = running
            running.add_done_callback(lambda _done: self._starting.pop(report.id, None))
        made, error = await asyncio.shield(running)
        if error is not None:
            raise error
        now = self._clock.now()
        self._started = {key: one for key, one in self._started.items() if 0 <= now - one[0] < SAME_PRESS}
        self._started[report.id] = (now, made)
        return made

    async def _local(self, report: Report, url: str, wish: Wish) -> TaskId | str:
        draft = self.draft(report, url)
        chosen = wish.repository_id or draft.repository_id
        if chosen is None:
            raise InvalidInput(draft.problem, "Choose a repository, add its folder first, or start it in the cloud.")
        repository = self._store.state.repositories.get(chosen)
        if repository is None:
            raise NotFound("This repository is not in the list.", "Add its folder first.")
        agent = wish.agent_id or await self._usual_agent()
        self._agents.spec(agent)
        prompt = wish.prompt.strip() or draft.prompt
        context = await self._told(chosen, draft)
        task_id = await self._tasks.create(
            TaskDraft(
                prompt=f"{prompt}\n\n{context}" if context else prompt,
                repository_id=chosen,
                agent_id=agent,
                base=repository.default_branch,
                title=draft.title,
                agent_command=wish.agent_command,
                mode=wish.mode,
                report_id=report.id,
            )
        )
        await self._link(report.id, task_id)
        return task_id

    async def _told(self, repository_id: RepositoryId, draft: ReportTask) -> str:
        """What is known of flags and events in the likely files, as many lines of it as a short prompt takes."""
        files = tuple(dict.fromkeys(bare_path(path) for path in draft.paths))
        kept, left = [], LONGEST_CONTEXT
        for line in (await self._context(repository_id, files)).splitlines():
            left -= len(line) + 1
            if left < 0:
                break
            kept.append(line)
        return "\n".join(kept)

    async def _usual_agent(self) -> str:
        wanted = self._store.state.settings.default_agent
        found = usual_agent(self._store.state.agents or await self._agents.detect(), wanted)
        if not found:
            raise InvalidInput("No agent is installed.", "posthog-code agents tells how to install one.")
        return found

    async def _in_cloud(self, report: Report, url: str, wish: Wish) -> TaskId | str:
        draft = self.draft(report, url)
        task_id = await self._cloud.create(
            CloudDraft(
                prompt=wish.prompt.strip() or draft.prompt,
                repository=draft.repository,
                title=draft.title,
                report_id=report.id,
            )
        )
        await self._link(report.id, task_id)
        return self._store.state.tasks[task_id].cloud_task_id


async def _outcome(work: Coroutine[Any, Any, TaskId | str]) -> Outcome:
    """What came of it, for everybody who waits: an error that one of them is told of is no crash of the other's."""
    try:
        return await work, None
    except UserError as error:
        return "", error
