"""Tasks of the chosen project in the cloud: listed, opened here, started, ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from posthog_code.domain import cloud_lists
from posthog_code.domain.cloud import CloudList, CloudTask
from posthog_code.domain.cloud_requests import CloudDraft
from posthog_code.domain.errors import InvalidInput, NotFound, NotSignedIn, RateLimited, UserError
from posthog_code.domain.ids import RepositoryId, SessionId, TaskId
from posthog_code.domain.session import Session
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import Task, TaskPhase, Workspace
from posthog_code.ports.clock import Clock
from posthog_code.ports.cloud import Cloud
from posthog_code.services import edits
from posthog_code.services.account import AccountService
from posthog_code.services.cloud_sessions import AllSessions
from posthog_code.services.cloud_start import NotTakenBack, begin
from posthog_code.services.cloud_waiting import waiting
from posthog_code.services.scope import Scope
from posthog_code.services.store import Store

CLOUD = Topic("cloud")
VISIBLE = 15.0
HIDDEN = 120.0
LONGEST = 300.0
AGENT = "cloud"
"""Agent id of tasks whose agent is in the cloud."""


class CloudTasks:
    def __init__(
        self,
        store: Store,
        account: AccountService,
        sessions: AllSessions,
        clock: Clock,
        scope: Scope,
        *,
        visible: float = VISIBLE,
        hidden: float = HIDDEN,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store, self._account, self._sessions, self._clock, self._scope = store, account, sessions, clock, scope
        self._visible, self._hidden, self._sleep = visible, hidden, sleep
        self._shown = False
        self._failures = 0
        self._not_before = 0.0
        self._wake = asyncio.Event()
        self._polling: asyncio.Task[None] | None = None
        self._fetching = asyncio.Lock()
        self.fetches = 0
        self._who = ("", "")
        """Host and user that the last change of the account left."""
        account.on_change(self._account_changed)

    @property
    def list(self) -> CloudList:
        return self._store.state.cloud

    def get(self, task_id: str) -> CloudTask:
        found = self.list.tasks.get(task_id)
        if found is None:
            raise NotFound("There is no such cloud task.", "posthog-code cloud list shows them.")
        return found

    # -- the list ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Keep the list fresh from now on; does nothing while nobody is signed in."""
        if self._polling is None or self._polling.done():
            self._polling = self._scope.spawn(self._poll(), "cloud-list")

    def set_visible(self, on: bool) -> None:
        """Whether a person can see the list: it is asked for more often then."""
        if on != self._shown:
            self._shown = on
            if on:
                self._wake.set()

    async def _poll(self) -> None:
        await self._account.restore()
        while True:
            if self._account.account.signed_in:
                try:
                    await self.refresh()
                except UserError:
                    pass  # it is in the list's own state
            await self._rest()

    async def _rest(self) -> None:
        every = self._visible if self._shown else self._hidden
        wait = min(LONGEST, every * 2**self._failures) if self._failures else every
        wait = max(wait, min(self._not_before - self._clock.now(), 600.0))
        self._wake.clear()
        waking = self._scope.spawn(self._wake.wait(), "cloud-wake")
        resting = self._scope.spawn(_rest(self._sleep, wait), "cloud-rest")
        try:
            await asyncio.wait([waking, resting], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waking.cancel()
            resting.cancel()

    async def refresh(self) -> CloudList:
        """Ask the server now. Raises what it says; the list then stays, with the reason beside it."""
        async with self._fetching:
            await self._account.restore()
            account = self._account.account
            try:
                cloud = self._account.cloud()
                await self._loading(cloud.project_id)
                fetched = await cloud.list_tasks()
            except UserError as error:
                await self._failed(error)
                raise
            self.fetches += 1
            self._failures, self._not_before = 0, 0.0
            if cloud.project_id != self._account.account.project_id:
                return self.list  # another project was chosen meanwhile
            now = self._clock.now()

            def change(state: AppState) -> AppState:
                old = state.cloud
                known = old.tasks if old.project_id == cloud.project_id else {}
                first = old.project_id != cloud.project_id or not old.fetched_at
                tasks: Any = cloud_lists.merged(known, fetched, account.user, first)
                if len(tasks) == len(known) and all(known.get(key) is task for key, task in tasks.items()):
                    tasks = old.tasks
                return replace(state, cloud=CloudList(tasks, cloud.project_id, now))

            await self._store.update(change, CLOUD)
            await self._account.worked()
        await self._look_who_waits(cloud)
        await self._follow_list()
        self._sessions.reached_cloud()
        return self.list

    async def _loading(self, project_id: int) -> None:
        def change(state: AppState) -> AppState:
            old = state.cloud
            if old.project_id == project_id:
                return replace(state, cloud=replace(old, loading=True))
            return replace(state, cloud=CloudList(project_id=project_id, loading=True))

        await self._store.update(change, CLOUD)

    async def _failed(self, error: UserError) -> None:
        self._failures = min(self._failures + 1, 6)
        if isinstance(error, RateLimited):
            self._not_before = error.until
        await self._account.failed(error)
        await self._store.update(
            lambda state: replace(state, cloud=replace(state.cloud, loading=False, error=error.title, hint=error.hint)),
            CLOUD,
        )

    async def _look_who_waits(self, cloud: Cloud) -> None:
        """Runs of the person that go on without being watched here: the latest few."""
        me = self._account.account.user
        mine = cloud_lists.shown(self.list.tasks, cloud_lists.CloudFilter.MINE, me)
        unwatched = [one for one in mine if cloud_lists.goes_on(one) and not self._sessions.watches(one.id)]
        try:
            found = await waiting(cloud, unwatched)
        except UserError:
            return  # the next refresh looks again

        def change(state: AppState) -> AppState:
            old = state.cloud.tasks
            news = {
                key: replace(task, waiting=found.get(key, False))
                for key, task in old.items()
                if task.waiting != found.get(key, False)
            }
            return replace(state, cloud=replace(state.cloud, tasks={**old, **news})) if news else state

        await self._store.update(change, CLOUD)

    async def _follow_list(self) -> None:
        """Opened tasks follow what the list says of them: title, and a run that was started elsewhere."""
        for task in tuple(self._store.state.tasks.values()):
            known = self.list.tasks.get(task.cloud_task_id)
            if task.workspace is not Workspace.CLOUD or known is None:
                continue
            if known.title and known.title != task.title:
                await self._edit(task.id, title=known.title)
            if known.run is not None and task.cloud_run_id != known.run.id and not self._sessions.cloud(task.id).busy:
                await self._sessions.cloud(task.id).follow_run(known.run.id)

    def _account_changed(self) -> None:
        self._failures, self._not_before = 0, 0.0
        self._wake.set()
        account = self._account.account
        if not account.signed_in or account.project_id != self.list.project_id:
            self._scope.spawn(self._forget_list(account.project_id), "cloud-forget")
        who = (account.host, account.user.uuid or str(account.user.id)) if account.signed_in else ("", "")
        before, self._who = self._who, who
        self._scope.spawn(self._follow_account(account.signed_in, who != before), "cloud-account")

    async def _follow_account(self, signed_in: bool, anew: bool) -> None:
        if signed_in:
            await self._sessions.signed_in(anew)
            self._sessions.reached_cloud()
        else:
            await self._sessions.signed_out(
                NotSignedIn("You are signed out of PostHog.", "Sign in to follow this run.")
            )

    async def _forget_list(self, project_id: int) -> None:
        await self._store.update(
            lambda state: (
                state
                if state.cloud.project_id == project_id
                else replace(state, cloud=CloudList(project_id=project_id))
            ),
            CLOUD,
        )

    async def mark_read(self, task_id: str) -> None:
        """The person has seen the cloud task as it is now."""
        known = self.list.tasks.get(task_id)
        if known is None or not cloud_lists.is_unread(known):
            return

        def change(state: AppState) -> AppState:
            task = state.cloud.tasks.get(task_id)
            if task is None:
                return state
            seen = replace(task, seen=cloud_lists.mark(task))
            return replace(state, cloud=replace(state.cloud, tasks={**state.cloud.tasks, task_id: seen}))

        await self._store.update(change, CLOUD)

    # -- one task ----------------------------------------------------------------------------------------------

    def opened(self, task_id: str) -> Task | None:
        """Our task that shows a cloud task, also one that was taken over."""
        found = [
            task
            for task in self._store.state.tasks.values()
            if task.cloud_task_id == task_id and task.phase is not TaskPhase.DELETED
        ]
        # A copy that was taken over goes before the archived one that it came from.
        return max(found, key=lambda task: (task.phase is not TaskPhase.ARCHIVED, task.created_at), default=None)

    async def open(self, task_id: str, run_id: str = "", project_id: int = 0) -> TaskId:
        """Make a cloud task one of ours, so that it can be watched and steered; gives our id. The same task is opened
        once. Raises NotFound, NotSignedIn, Offline."""
        known = self.list.tasks.get(task_id)
        cloud: Cloud | None = None
        if known is None or (run_id and (known.run is None or known.run.id != run_id)):
            await self._account.restore()
            cloud = self._account.cloud(project_id)
            known = await cloud.task(task_id)
        await self.mark_read(task_id)
        run_id = run_id or (known.run.id if known.run else "")
        if (ours := self.opened(task_id)) is not None:
            if run_id and ours.workspace is Workspace.CLOUD and ours.cloud_run_id != run_id:
                await self._sessions.cloud(ours.id).follow_run(run_id)
            return ours.id
        task = self._as_task(known, run_id)
        session = Session(id=task.session_id, task_id=task.id, agent_id=AGENT)

        def change(state: AppState) -> AppState:
            if task.id in state.tasks and state.tasks[task.id].phase is not TaskPhase.DELETED:
                return state
            return edits.put_session(edits.put_task(state, task), session)

        await self._store.update(change, *edits.task_topics(task.id), Topic("session", task.id))
        return task.id

    def _as_task(self, known: CloudTask, run_id: str) -> Task:
        repositories = self._store.state.repositories.values()
        local = cloud_lists.local_repository(known.repository, repositories) or RepositoryId("")
        run = known.run
        return Task(
            # The same in every program on this data folder, so that none opens it twice.
            id=TaskId(f"cloud-{known.id}"),
            repository_id=local,
            title=known.title or known.description.strip().partition("\n")[0][:80] or "Cloud task",
            prompt=known.description,
            workspace=Workspace.CLOUD,
            agent_id=AGENT,
            session_id=SessionId(f"cloud-{known.id}"),
            created_at=known.created_at or self._clock.now(),
            updated_at=known.updated_at or self._clock.now(),
            phase=TaskPhase.READY,
            base=run.base if run else "",
            branch=run.branch if run else "",
            model=run.model if run else "",
            cloud_project_id=known.project_id or self._account.account.project_id,
            cloud_task_id=known.id,
            cloud_run_id=run_id,
            report_id=known.report_id,
        )

    async def close(self, task_id: TaskId) -> None:
        """Take our view of a cloud task away; the task stays in the cloud, and its conversation on disk."""
        await self._sessions.leave(task_id)

        def change(state: AppState) -> AppState:
            task = state.tasks.get(task_id)
            if task is None or task.workspace is not Workspace.CLOUD:
                return state
            return replace(
                state,
                tasks={key: one for key, one in state.tasks.items() if key != task_id},
                sessions={key: one for key, one in state.sessions.items() if key != task.session_id},
            )

        await self._store.update(change, *edits.task_topics(task_id))

    async def end_run(self, task_id: TaskId, reason: str = "") -> None:
        """End the run of an opened task for good."""
        await self._sessions.cloud(task_id).end_run(reason)

    async def rename(self, task_id: TaskId, title: str) -> None:
        task = self._task(task_id)
        if not (title := " ".join(title.split())[:255]):
            raise InvalidInput("A task needs a title.", "Type a few words.")
        cloud = self._account.cloud_of(task)
        await cloud.patch_task(task.cloud_task_id, {"title": title, "title_manually_set": True})
        await self._edit(task_id, title=title)

    async def delete(self, task_id: TaskId) -> None:
        """Delete the task in the cloud, for everybody."""
        task = self._task(task_id)
        await self._account.cloud_of(task).delete_task(task.cloud_task_id)
        await self.close(task_id)
        self._wake.set()

    # -- start -------------------------------------------------------------------------------------------------

    async def create(self, draft: CloudDraft) -> TaskId:
        """Make a task and start its run: task, run, attachments, start. What fails after the first step takes the task
        back. Raises GitHubNeeded, UsageLimit, and what the steps do."""
        await self._account.restore()
        cloud = self._account.cloud()
        try:
            started, run_id = await begin(cloud, draft)
        except NotTakenBack as left:
            self._wake.set()  # the list shows it
            raise left.cause from left
        await self._listed(replace(started, project_id=cloud.project_id))
        return await self.open(started.id, run_id)

    async def _listed(self, task: CloudTask) -> None:
        """Into the list at once, as seen: the person made it."""
        seen = replace(task, seen=cloud_lists.mark(task))
        await self._store.update(
            lambda state: replace(state, cloud=replace(state.cloud, tasks={**state.cloud.tasks, task.id: seen})),
            CLOUD,
        )

    def _task(self, task_id: TaskId) -> Task:
        task = self._store.state.tasks.get(task_id)
        if task is None or not task.cloud_task_id:
            raise NotFound("This task is not in the cloud.")
        return task

    async def _edit(self, task_id: TaskId, **fields: Any) -> None:
        await self._store.update(lambda state: edits.edit_task(state, task_id, **fields), *edits.task_topics(task_id))


async def _rest(sleep: Callable[[float], Awaitable[None]], seconds: float) -> None:
    await sleep(seconds)
