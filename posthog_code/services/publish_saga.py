"""Commit, push, pull request: three visible steps, each of which may be run again."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from posthog_code.domain.errors import Conflict, InvalidInput, NotSignedIn, UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.logs import LogSource
from posthog_code.domain.publishing import NewPullRequest
from posthog_code.domain.pull_request import PullRequest
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import Step, StepState, with_step
from posthog_code.domain.text import plural
from posthog_code.ports.clock import Clock
from posthog_code.ports.forge import Forge
from posthog_code.ports.git import Publishing
from posthog_code.services.publish_proposal import Place, located
from posthog_code.services.store import Store

Log = Callable[[TaskId, LogSource, str], None]
COMMIT, PUSH, OPEN = "commit", "push", "pull_request"
KEPT_LINES = 12
"""Lines of output that a step shows."""


class Publisher:
    """Runs the saga. What has been done is asked of git and the forge each time, never remembered, so that a second
    run goes on where the first one stopped, also after a restart."""

    def __init__(self, store: Store, publishing: Publishing, forge: Forge, clock: Clock, log: Log) -> None:
        self._store, self._publishing, self._forge = store, publishing, forge
        self._clock, self.log = clock, log
        self._running: set[TaskId] = set()

    def running(self, task_id: TaskId) -> bool:
        return task_id in self._running

    async def run(self, place: Place, new: NewPullRequest) -> tuple[PullRequest, str]:
        """(pull request, pushed commit). A failure is on its step and raised."""
        task_id = place.task.id
        if task_id in self._running:
            raise Conflict("The pull request is being created already.")
        if not new.title.strip():
            raise InvalidInput("The title is empty.", "Say in a few words what the change does.")
        if place.task.branch == new.base:
            raise InvalidInput(f"{new.base} cannot be merged into itself.", "Choose another base.")
        self._running.add(task_id)
        try:
            return await self._steps(place, new)
        finally:
            self._running.discard(task_id)

    async def push(self, place: Place, message: str, base: str) -> str:
        """Commit what is not committed and push the branch; gives the pushed commit."""
        task_id = place.task.id
        if task_id in self._running:
            raise Conflict("The branch is being pushed already.")
        self._running.add(task_id)
        try:
            steps = (Step(COMMIT, "Commit"), Step(PUSH, f"Push {place.task.branch}"))
            sha = ""
            async with self._saga(task_id, steps) as saga:
                sha = await self._commit_and_push(saga, place, message, base)
            await self._store.update(lambda state: _without_steps(state, task_id), Topic("publish", task_id))
            return sha
        finally:
            self._running.discard(task_id)

    async def _steps(self, place: Place, new: NewPullRequest) -> tuple[PullRequest, str]:
        task = place.task
        steps = (
            Step(COMMIT, "Commit"),
            Step(PUSH, f"Push {task.branch}"),
            Step(OPEN, "Open the pull request" if not new.draft else "Open a draft"),
        )
        async with self._saga(task.id, steps) as saga:
            message = new.commit_message.strip() or new.title.strip()
            sha = await self._commit_and_push(saga, place, message, new.base)
            await saga.begin(OPEN)
            pull = await self._forge.create(located(place), task.branch, replace(new, title=new.title.strip()))
        await self._finish(task.id, pull)
        return pull, sha

    async def _commit_and_push(self, saga: _Saga, place: Place, message: str, base: str) -> str:
        await saga.begin(COMMIT)
        paths, _ahead = await self._publishing.status(place.folder, base)
        if paths:
            await self._title(saga.task_id, COMMIT, f"Commit {plural(len(paths), 'file')}")
            await self._publishing.commit_all(place.folder, message, saga.line)
            await saga.end()
        else:
            await self._title(saga.task_id, COMMIT, "Everything is committed")
            await saga.end(StepState.SKIPPED)
        await saga.begin(PUSH)
        located(place)
        sha = await self._push(place, saga.line)
        await saga.end()
        return sha

    @asynccontextmanager
    async def _saga(self, task_id: TaskId, steps: tuple[Step, ...]) -> AsyncIterator[_Saga]:
        """Shows `steps`, and puts what goes wrong inside on the step that was running."""
        await self._put(task_id, steps)
        saga = _Saga(self, task_id)
        try:
            yield saga
        except UserError as error:
            evidence = error.detail or "\n".join(saga.output)
            await saga.fail("\n".join(filter(None, (str(error), evidence.strip()))))
            raise
        except asyncio.CancelledError:
            await asyncio.shield(saga.fail("Stopped before it was done."))
            raise

    async def _push(self, place: Place, line: Callable[[str], None]) -> str:
        """With git's own credentials first; where those are missing, with the token for the remote's host."""
        try:
            return await self._publishing.push(place.folder, place.task.branch, line)
        except NotSignedIn:
            remote = located(place)
            if not place.remote_url.startswith("http") or not await self._forge.lend(remote):
                raise
            line("git has no credentials for this remote: trying the token that the app uses")
            try:
                return await self._publishing.push(place.folder, place.task.branch, line)
            finally:
                self._forge.take_back(remote)

    async def _finish(self, task_id: TaskId, pull: PullRequest) -> None:
        def change(state: AppState) -> AppState:
            state = _without_steps(state, task_id)
            drafts = {key: text for key, text in state.drafts.items() if key != form_key(task_id)}
            pulls = {**state.pull_requests, task_id: pull}
            return replace(state, pull_requests=pulls, drafts=drafts)

        await self._store.update(change, Topic("publish", task_id), *pull_topics(task_id))

    async def move(self, task_id: TaskId, step: str, to: StepState, detail: str | None = None) -> None:
        steps = self._store.state.publishing.get(task_id, ())
        await self._put(task_id, with_step(steps, step, to, self._clock.now(), detail))

    async def _title(self, task_id: TaskId, step_id: str, title: str) -> None:
        steps = self._store.state.publishing.get(task_id, ())
        await self._put(task_id, tuple(replace(s, title=title) if s.id == step_id else s for s in steps))

    async def _put(self, task_id: TaskId, steps: tuple[Step, ...]) -> None:
        await self._store.update(
            lambda state: replace(state, publishing={**state.publishing, task_id: steps}), Topic("publish", task_id)
        )


class _Saga:
    """The step that runs now, and its output."""

    def __init__(self, publisher: Publisher, task_id: TaskId) -> None:
        self.task_id = task_id
        self.output: deque[str] = deque(maxlen=KEPT_LINES)
        self._publisher, self._step = publisher, ""

    def line(self, text: str) -> None:
        self.output.append(text)
        self._publisher.log(self.task_id, LogSource.GIT, text)

    async def begin(self, step: str) -> None:
        self._step = step
        self.output.clear()
        await self._publisher.move(self.task_id, step, StepState.RUNNING)

    async def end(self, state: StepState = StepState.DONE) -> None:
        await self._publisher.move(self.task_id, self._step, state)

    async def fail(self, detail: str) -> None:
        await self._publisher.move(self.task_id, self._step, StepState.FAILED, detail)


def _without_steps(state: AppState, task_id: TaskId) -> AppState:
    return replace(state, publishing={key: steps for key, steps in state.publishing.items() if key != task_id})


def pull_topics(task_id: TaskId) -> tuple[Topic, ...]:
    """The list of tasks and the header show a pull request's state too."""
    return (Topic("pull_request", task_id), Topic("task", task_id), Topic("tasks"))


def form_key(task_id: TaskId) -> str:
    """Key among the drafts of what was typed into *Create PR*."""
    return f"pull-request:{task_id}"
