"""A runner: takes runs that wait for a machine, and does them here from worktree to pull request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from posthog_code.domain.cloud import CloudRunInfo, CloudTask
from posthog_code.domain.errors import Conflict, NotFound, UserError
from posthog_code.domain.ids import RepositoryId, TaskId
from posthog_code.domain.task import StepState, TaskDraft, TaskPhase
from posthog_code.domain.text import slug
from posthog_code.ports.clock import Clock
from posthog_code.ports.cloud import Cloud
from posthog_code.services import edits
from posthog_code.services.app import Services
from posthog_code.services.runner_claim import Claims, Lease
from posthog_code.services.runner_log import LogMirror
from posthog_code.services.scope import carried_through

log = logging.getLogger("runner")
OnEvent = Callable[[dict[str, Any]], None]
Fetch = Callable[[RepositoryId, str], Awaitable[str]]
"""Brings a branch of origin up to date; gives its commit, "" when there is none."""
_NOTHING = "There is nothing to merge yet"


@dataclass(frozen=True, slots=True)
class RunnerPlan:
    repositories: Mapping[str, RepositoryId]
    """Local repository by `owner/name` in lower case: runs of other repositories are left alone."""
    agent_id: str
    agent_command: str = ""
    mode: str = ""
    parallel: int = 1
    once: bool = False
    """End when nothing waits any more."""
    poll: float = 10.0
    """Seconds between looks for new runs."""
    grace: float = 20.0
    """Seconds that running turns have to end when the runner is to stop; then they are handed back."""
    lease: Lease = field(default_factory=Lease)


class Runner:
    def __init__(
        self,
        services: Services,
        cloud: Cloud,
        clock: Clock,
        plan: RunnerPlan,
        runner_id: str,
        fetch: Fetch,
        on_event: OnEvent = lambda event: None,
    ) -> None:
        self._services, self._cloud, self._clock, self._plan = services, cloud, clock, plan
        self._fetch, self._tell = fetch, on_event
        self._claims = Claims(cloud, runner_id, clock, plan.lease)
        self._scope = services.scope.child(f"runner-{runner_id}")
        self._jobs: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self.done = 0
        self.failed = 0

    async def run(self) -> None:
        """Until cancelled, or with `once` until nothing waits. Cancelled, it lets turns end for a while, and hands the
        rest back."""
        try:
            while True:
                waiting = await self._look()
                if self._plan.once and not waiting and not self._jobs:
                    return
                await self._pause(waiting)
        except asyncio.CancelledError:
            await carried_through(self._wind_up())
            raise

    async def _look(self) -> bool:
        """Take what is free, as far as there is room. True when something may still wait for us."""
        try:
            tasks = await self._cloud.list_tasks()
        except UserError as error:
            log.warning("the list of tasks could not be read: %s %s", error, error.detail)
            self._tell({"event": "problem", "text": str(error)})
            return True
        wanted = [task for task in reversed(tasks) if self._wants(task)]
        for task in wanted:
            if len(self._jobs) >= self._plan.parallel:
                return True
            assert task.run is not None
            try:
                run = await self._claims.take(task.run)
            except UserError as error:
                log.warning("run %s could not be claimed: %s", task.run.id, error)
                continue
            if run is not None:
                self._tell({"event": "claimed", "task": task.id, "run": run.id, "title": task.title})
                self._begin(task, run)
        return bool(wanted)

    def _wants(self, task: CloudTask) -> bool:
        run = task.run
        known = task.repository in self._plan.repositories and not task.archived
        return run is not None and known and run.id not in self._jobs and self._claims.free(run)

    def _begin(self, task: CloudTask, run: CloudRunInfo) -> None:
        job = _Job(self._services, self._cloud, self._clock, self._plan, self._claims, self._fetch, task, run)

        async def work() -> None:
            try:
                outcome = await job.work(self._scope)
                self.done += outcome["status"] == "completed"
                self.failed += outcome["status"] == "failed"
                self._tell({"event": "ended", "task": task.id, "run": run.id, **outcome})
            finally:
                self._jobs.pop(run.id, None)
                self._wake.set()

        self._jobs[run.id] = self._scope.spawn(work(), f"run-{run.id}")

    async def _pause(self, waiting: bool) -> None:
        self._wake.clear()
        full = len(self._jobs) >= self._plan.parallel
        again = min(self._plan.poll, max(0.2, self._plan.lease.settle))
        seconds = None if full else (again if waiting else self._plan.poll)
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return

    async def _wind_up(self) -> None:
        jobs = list(self._jobs.values())
        if not jobs:
            return
        self._tell({"event": "stopping", "running": len(jobs)})
        _, pending = await asyncio.wait(jobs, timeout=self._plan.grace)
        for job in pending:
            job.cancel()
        if pending:
            await asyncio.wait(pending)


class _Job:
    """One run, from claim to end."""

    def __init__(
        self,
        services: Services,
        cloud: Cloud,
        clock: Clock,
        plan: RunnerPlan,
        claims: Claims,
        fetch: Fetch,
        task: CloudTask,
        run: CloudRunInfo,
    ) -> None:
        self._services, self._cloud, self._clock, self._plan = services, cloud, clock, plan
        self._claims, self._fetch, self._task, self._run = claims, fetch, task, run
        self._local: TaskId | None = None
        self._mirror: LogMirror | None = None
        self._mine = True

    async def work(self, scope: Any) -> dict[str, Any]:
        """What became of it: status, and branch, pull request or error. Hands the run back when cancelled."""
        working = asyncio.current_task()
        keeping = scope.spawn(self._keep(working), f"lease-{self._run.id}")
        outcome: dict[str, Any] = {}
        try:
            outcome = await self._outcome(scope)
            if self._mirror is not None:
                # Still under the lease: however long the log takes to go up, nobody else begins the run anew.
                await carried_through(self._mirror.finish())
        except asyncio.CancelledError:
            if not outcome or not self._mine:
                await carried_through(self._hand_back())
                if self._mine:
                    raise
                return {"status": "lost"}
            # What is done is told, not handed back to be done a second time.
        except Exception:
            # A bug of ours, which the scope tells: nobody must wait for this run.
            await self._end({"status": "failed", "error": "Something went wrong inside the runner; its log says what."})
            raise
        finally:
            keeping.cancel()
        await carried_through(self._end(outcome))
        return outcome

    async def _keep(self, working: asyncio.Task[Any] | None) -> None:
        """Renew the lease; without it somebody else may have the run, so the work must stop."""
        until = self._clock.now() + self._plan.lease.length
        while True:
            await asyncio.sleep(self._plan.lease.length / 3)
            try:
                until = await self._claims.renew(self._run)
            except (Conflict, NotFound):
                self._mine = False
            except UserError as error:
                log.warning("the lease of run %s was not renewed: %s", self._run.id, error)
                self._mine = self._clock.now() < until
            if not self._mine and working is not None:
                working.cancel()
                return

    async def _outcome(self, scope: Any) -> dict[str, Any]:
        try:
            return await self._do(scope)
        except UserError as error:
            return {"status": "failed", "error": f"{error.title} {error.hint}".strip()}

    async def _do(self, scope: Any) -> dict[str, Any]:
        services, task, run = self._services, self._task, self._run
        repository_id = self._plan.repositories[task.repository]
        repository = services.store.state.repositories[repository_id]
        base = run.base or run.branch or repository.default_branch
        fresh = await self._fetch(repository_id, base)
        draft = TaskDraft(
            prompt=task.description or task.title,
            repository_id=repository_id,
            agent_id=self._plan.agent_id,
            agent_command=self._plan.agent_command,
            base=f"origin/{base}" if fresh else base,
            branch=await self._branch(repository_id),
            title=task.title,
            mode=self._plan.mode,
            model=run.model,
        )
        local = self._local = await services.tasks.create(draft)
        links = {"cloud_project_id": self._cloud.project_id, "cloud_task_id": task.id, "cloud_run_id": run.id}
        await services.store.update(lambda state: edits.edit_task(state, local, **links), *edits.task_topics(local))
        place = (task.id, run.id)
        mirror = self._mirror = LogMirror(services.store, services.sessions, self._cloud, self._clock, local, place)
        mirror.note("run_started", sessionId=services.store.state.tasks[local].session_id, runId=run.id, taskId=task.id)
        mirroring = scope.spawn(mirror.run(), f"log-{run.id}")
        try:
            await services.tasks.wait_for_setup(local)
            self._check_setup(local)
            await services.sessions.wait_idle(local)
            self._check_turn(local)
            outcome = await self._publish(local)
        finally:
            mirror.stop()
            await asyncio.wait([mirroring])
        return outcome

    async def _branch(self, repository_id: RepositoryId) -> str:
        """A name that no other run has, on whichever machine: titles repeat."""
        repositories = self._services.repositories
        taken = {branch.name.removeprefix("origin/") for branch in await repositories.branches(repository_id)}
        prefix = repositories.get(repository_id).branch_prefix
        wanted = chosen = f"{prefix}{slug(self._task.title or self._task.id)}-{self._run.id[-6:]}"
        number = 2
        while chosen in taken:
            chosen, number = f"{wanted}-{number}", number + 1
        return chosen

    def _check_setup(self, local: TaskId) -> None:
        task = self._services.store.state.tasks[local]
        if task.phase is not TaskPhase.READY:
            step = next((step for step in task.steps if step.state is StepState.FAILED), None)
            raise Conflict("The set-up failed.", step.detail if step else "")

    def _check_turn(self, local: TaskId) -> None:
        session = self._services.store.state.session_of(local)
        turn = session.turn if session else None
        if session is None or turn is None or turn.stop_reason != "end_turn":
            words = (turn.error if turn else "") or (session.error if session else "") or "The agent did not finish."
            raise Conflict(words, turn.stop_reason if turn else "")

    async def _publish(self, local: TaskId) -> dict[str, Any]:
        """Commit, push, pull request; nothing of it when nothing was changed."""
        pulls = self._services.pull_requests
        proposal = await pulls.propose(local)
        if proposal.problem.startswith(_NOTHING):
            return {"status": "completed", "branch": "", "pr_url": ""}
        if proposal.problem and proposal.existing is None:
            raise Conflict(proposal.problem)
        new = replace(proposal.new, body=f"{proposal.new.body}\n\n{self._cloud.task_url(self._task.id, self._run.id)}")
        pull = await pulls.create(local, new)
        return {"status": "completed", "branch": proposal.branch, "pr_url": pull.url}

    async def _end(self, outcome: Mapping[str, Any]) -> None:
        """Log first, then the row: who sees the run as over finds all of its log."""
        if self._mirror is not None:
            await self._mirror.finish()
        fields: dict[str, Any] = {"status": outcome["status"]}
        if outcome.get("branch"):
            fields |= {"branch": outcome["branch"], "output": {"head_branch": outcome["branch"]}}
        if outcome.get("pr_url"):
            fields["output"]["pr_url"] = outcome["pr_url"]
        if outcome.get("error"):
            fields["error_message"] = outcome["error"]
        await self._insist(fields)
        if self._local is None:
            return
        try:
            # Its branch is pushed: the worktree goes to trash, from where it can still be had.
            if outcome["status"] == "completed":
                await self._services.tasks.archive(self._local)
            else:
                await self._services.sessions.end(self._local)
        except UserError as error:
            log.warning("the task %s was not put away: %s %s", self._local, error, error.detail)

    async def _hand_back(self) -> None:
        """The run waits for a runner again; what was begun stays in the worktree here."""
        if self._local is not None:
            await self._services.tasks.cancel_setup(self._local)
            await self._services.sessions.end(self._local)
        if self._mirror is not None and self._mine:
            await self._mirror.finish()
        if self._mine:
            await self._insist({"status": "queued"})

    async def _insist(self, fields: Mapping[str, Any]) -> None:
        """A last word that must arrive: else the lease has to run out first."""
        for attempt in range(5):
            try:
                await self._claims.release(self._run, fields)
                return
            except UserError as error:
                log.warning("the end of run %s was not told: %s", self._run.id, error)
                await asyncio.sleep(min(8.0, 0.5 * 2**attempt))
