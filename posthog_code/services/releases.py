"""Merged changes are watched from their release on, until figures say whether they helped.

What gets worse is told to the project once, as a signal, and becomes a follow-up that waits for a person: an agent that
starts by itself would spend money on a guess. What got better is the proof with which the report is resolved.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from posthog_code.domain.errors import InvalidInput, NotFound, NotSignedIn, Offline, RateLimited, UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.inbox import RESOLVED
from posthog_code.domain.pull_request import PullRequest, PullRequestState
from posthog_code.domain.release_compare import compare
from posthog_code.domain.release_watch import Metric, ReleaseWatch, TouchedCode, WatchState
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import Task, TaskPhase
from posthog_code.ports.clock import Clock
from posthog_code.ports.forge import Landing
from posthog_code.services import release_state as rules
from posthog_code.services.account import AccountService
from posthog_code.services.release_code import ReleaseCode
from posthog_code.services.release_figures import read_before_merge, read_figures
from posthog_code.services.release_follow_up import FollowUps
from posthog_code.services.scope import Scope
from posthog_code.services.store import Store

log = logging.getLogger("releases")
EVERY = 600.0
"""Seconds between looks at one watch."""
RECENT = 48 * 3600.0
"""Seconds since a pull request changed last in which a merge is taken up by itself."""
Landed = Callable[[TaskId], Awaitable[Landing]]
Resolve = Callable[[str, str, int], Awaitable[None]]
Edit = Callable[[ReleaseWatch], ReleaseWatch]


@dataclass(frozen=True, slots=True)
class ReleaseParts:
    """What a watch works with."""

    store: Store
    account: AccountService
    code: ReleaseCode
    follow_ups: FollowUps
    landed: Landed
    """Asks the forge about the merged pull request of a task."""
    resolve: Resolve
    """Resolves a report with a proof, in a project."""
    clock: Clock
    scope: Scope


class ReleaseWatches:
    def __init__(self, parts: ReleaseParts, *, every: float = EVERY) -> None:
        """`every` in seconds."""
        self._parts, self._store, self._clock = parts, parts.store, parts.clock
        self._every = every
        self._running: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._looked: dict[TaskId, float] = {}
        """Loop time of the last look; another program's looks are not known, and do no harm."""
        self._locks: dict[TaskId, asyncio.Lock] = {}
        self._proved: dict[str, str] = {}
        """Report to the verdict with which it was resolved from here."""

    # -- by itself ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take up merged pull requests from now on, and look at what is watched; nothing is asked while there is
        neither, or while nobody is signed in."""
        if self._running is None or self._running.done():
            self._running = self._parts.scope.spawn(self._follow(), "releases")

    async def _follow(self) -> None:
        wanted = ("pull_request", "account")

        def on_change(topics: frozenset[Topic]) -> None:
            if any(topic.kind in wanted for topic in topics):
                self._wake.set()

        await self._parts.account.restore()
        unsubscribe = self._store.subscribe(on_change)
        try:
            while True:
                self._wake.clear()
                if self._parts.account.account.signed_in:
                    await self._take_up()
                    for task_id in self._due():
                        await self._quietly(self.check, task_id)
                try:
                    # Not `wait_for`: in Python 3.11 it swallows a cancellation that comes together with the wake-up.
                    async with asyncio.timeout(self._rest()):
                        await self._wake.wait()
                except TimeoutError:
                    pass
        finally:
            unsubscribe()

    async def _take_up(self) -> None:
        now = self._clock.now()
        for task_id, pull in tuple(self._store.state.pull_requests.items()):
            at = pull.updated_at or pull.fetched_at
            task = self._store.state.tasks.get(task_id)
            known = task_id in self._store.state.watches or task is None or task.phase is TaskPhase.DELETED
            if pull.state is PullRequestState.MERGED and not known and abs(now - at) < RECENT:
                await self._quietly(self.begin, task_id)

    async def _quietly(self, work: Callable[[TaskId], Awaitable[object]], task_id: TaskId) -> None:
        try:
            await work(task_id)
        except UserError as error:
            log.info("release of task %s: %s %s", task_id, error, error.detail)

    def _wanted(self) -> list[TaskId]:
        now, tasks = self._clock.now(), self._store.state.tasks
        return [
            task_id
            for task_id, watch in self._store.state.watches.items()
            if task_id in tasks
            and tasks[task_id].phase is not TaskPhase.DELETED
            and rules.wants_a_look(watch, now, to_tell=self._to_tell(watch))
        ]

    def _due(self) -> list[TaskId]:
        at = asyncio.get_running_loop().time()
        return [one for one in self._wanted() if at - self._looked.get(one, -self._every) >= self._every]

    def _rest(self) -> float | None:
        """Seconds until the next look; None when nothing is watched."""
        wanted = self._wanted() if self._parts.account.account.signed_in else []
        at = asyncio.get_running_loop().time()
        return min((max(0.05, self._looked.get(one, at) + self._every - at) for one in wanted), default=None)

    def _to_tell(self, watch: ReleaseWatch) -> bool:
        if watch.state is WatchState.WORSE:
            return self._parts.follow_ups.untold(watch)
        return self._unresolved(watch)

    def _unresolved(self, watch: ReleaseWatch) -> bool:
        """Whether the figures are still to resolve the report, or to become the proof of one that is resolved already.
        One that was proved and is open again had further signals, or a person opened it: it is left alone."""
        inbox = self._store.state.inbox
        if not rules.proves(watch) or not watch.report_id or self._proved.get(watch.report_id) == watch.verdict:
            return False
        report, known = inbox.reports.get(watch.report_id), inbox.triage.get(watch.report_id)
        if known is None or not known.proof:
            return True
        return known.proof != watch.verdict and report is not None and report.status == RESOLVED

    # -- one watch ---------------------------------------------------------------------------------------------

    def get(self, task_id: TaskId) -> ReleaseWatch:
        found = self._store.state.watches.get(task_id)
        if found is None:
            raise NotFound("The release of this task is not watched.", "A watch begins once it is merged.")
        return found

    async def begin(self, task_id: TaskId, released_at: float = 0.0) -> ReleaseWatch:
        """Watch the release of a task's change. `released_at` is when a person says that it was released (UNIX time,
        s); 0.0 waits until the forge tells, or takes the merge. Raises InvalidInput while nothing is merged."""
        now = self._clock.now()
        if released_at > now + rules.AGREED:
            raise InvalidInput("This time has not come yet.", "Say when the change was released.")
        async with self._lock(task_id):
            await self._store.refresh()
            made = None if task_id in self._store.state.watches else await self._new(task_id, now, released_at)

            def change(state: AppState) -> AppState:
                # Another program may have begun it meanwhile: what it knows already stays.
                watch = state.watches.get(task_id, made)
                if watch is None:
                    return state
                if released_at and released_at != watch.released_at:
                    watch = rules.released(watch, released_at, "you")
                same = watch is state.watches.get(task_id)
                return state if same else replace(state, watches={**state.watches, task_id: watch})

            await self._store.update(change, Topic("watch", task_id))
            self._looked.pop(task_id, None)
        self._wake.set()
        return self.get(task_id)

    async def _new(self, task_id: TaskId, now: float, released_at: float) -> ReleaseWatch:
        state = self._store.state
        task, pull = state.tasks.get(task_id), state.pull_requests.get(task_id)
        if task is None:
            raise NotFound("There is no such task.", "posthog-code tasks lists them.")
        merged = pull is not None and pull.state is PullRequestState.MERGED
        if not merged and not released_at:
            raise InvalidInput(
                "The pull request of this task is not merged.",
                "Say when the change was released, if it was all the same.",
            )
        touched, problem = await self._touched(task_id)
        evidence = state.inbox.evidence.get(task.report_id)
        return ReleaseWatch(
            task_id,
            report_id=task.report_id,
            pull_request=pull.number if pull else 0,
            project_id=self._project_of(task),
            merged_at=_merge_time(pull, now) if merged else 0.0,
            problem=problem,
            touched=touched,
            events=await self._parts.code.events(task_id),
            fingerprints=tuple(error.fingerprint for error in evidence.errors if error.fingerprint) if evidence else (),
        )

    def _project_of(self, task: Task) -> int:
        """The one that the task came from, whichever is chosen by now."""
        known = self._store.state.inbox.triage.get(task.report_id) if task.report_id else None
        return task.cloud_project_id or (known.project_id if known else 0) or self._parts.account.account.project_id

    async def _touched(self, task_id: TaskId) -> tuple[TouchedCode, str]:
        try:
            return await self._parts.code.touched(task_id), ""
        except UserError as error:
            return TouchedCode(), error.title

    async def stop(self, task_id: TaskId) -> None:
        """End it now. The row stays, so that it is not taken up again by itself."""
        now = self._clock.now()

        def edit(watch: ReleaseWatch) -> ReleaseWatch:
            ended = replace(watch, until=min(watch.until or now, now), problem="")
            if watch.state in (WatchState.WAITING, WatchState.WATCHING):
                ended = replace(ended, state=WatchState.UNKNOWN, verdict=watch.verdict or "The watch was stopped.")
            return ended

        self.get(task_id)
        await self._put(task_id, edit)

    async def check(self, task_id: TaskId) -> ReleaseWatch:
        """Look now. What cannot be read leaves the last figures, with the reason in `problem`.

        Raises NotFound when it is not watched, NotSignedIn when nobody could be asked.
        """
        async with self._lock(task_id):
            self._looked[task_id] = asyncio.get_running_loop().time()
            await self._parts.account.restore()
            await self._store.refresh()
            if not self._parts.account.account.signed_in:
                raise NotSignedIn("You are not signed in to PostHog.", "Sign in (posthog-code login).")
            watch = self.get(task_id)
            if watch.state is WatchState.WAITING:
                watch = await self._look_for_release(watch)
            if watch.state is not WatchState.WAITING:
                watch = await self._compare(watch)
            await self._tell(watch)
        return self.get(task_id)

    async def _look_for_release(self, watch: ReleaseWatch) -> ReleaseWatch:
        landing: Landing | None = None
        now = self._clock.now()
        try:
            landing = await self._parts.landed(watch.task_id)
        except (Offline, RateLimited) as error:
            if now - watch.merged_at < rules.PATIENCE:
                problem = error.title
                return await self._put(watch.task_id, lambda known: replace(known, problem=problem))
        except UserError as error:
            log.info("the forge does not tell of task %s: %s", watch.task_id, error)
        return await self._put(watch.task_id, lambda known: rules.landed(known, landing, now))

    async def _compare(self, watch: ReleaseWatch) -> ReleaseWatch:
        watch = await self._with_code(watch)
        now = self._clock.now()
        if now < watch.released_at:
            words = "The release is in the future by this machine's clock: figures come once it has passed."
            return await self._put(watch.task_id, lambda known: replace(known, problem=words))
        try:
            reading = await read_figures(self._parts.account.signals(watch.project_id), watch, now)
        except UserError as failed:
            problem = failed.title
            return await self._put(watch.task_id, lambda known: rules.unread(known, problem, now))
        found = await asyncio.to_thread(compare, reading.figures, watch.events)

        def edit(known: ReleaseWatch) -> ReleaseWatch:
            # Meanwhile a person may have said that the release was at another time.
            if known.released_at != watch.released_at or known.until != watch.until:
                return known
            return rules.compared(known, found, now, reading.note)

        return await self._put(watch.task_id, edit)

    async def _with_code(self, watch: ReleaseWatch) -> ReleaseWatch:
        if watch.touched.files or watch.events:
            return watch
        touched, _problem = await self._touched(watch.task_id)
        events = await self._parts.code.events(watch.task_id)
        if not touched.files and not events:
            return watch
        return await self._put(watch.task_id, lambda known: replace(known, touched=touched, events=events))

    # -- what comes of it --------------------------------------------------------------------------------------

    async def _tell(self, watch: ReleaseWatch) -> None:
        """Resolve the report of what got better, tell the project of what got worse; both once."""
        try:
            if watch.state is WatchState.WORSE:
                await self._parts.follow_ups.tell(watch)
            elif self._unresolved(watch):
                await self._parts.resolve(watch.report_id, watch.verdict, watch.project_id)
                self._proved[watch.report_id] = watch.verdict
        except UserError as error:
            words = f"The outcome could not be told to PostHog: {error.title}"
            await self._put(watch.task_id, lambda known: replace(known, problem=words))

    async def report_worse(self, task_id: TaskId) -> TaskId:
        """Tell the project of what got worse, unless it knows, and start the follow-up (once): a person asked for it.

        Raises InvalidInput when nothing got worse. What stands in the way of telling does not stop the task.
        """
        async with self._lock(task_id):
            watch = self.get(task_id)
            if watch.state is not WatchState.WORSE:
                raise InvalidInput("Nothing got worse after this release.", "There is nothing to follow up.")
            await self._tell(watch)
            return await self._parts.follow_ups.start(task_id)

    async def before_merge(self, task_id: TaskId) -> tuple[Metric, ...]:
        """What real sessions and errors touch the changed code, in the last seven days. Raises what the port does."""
        await self._parts.account.restore()
        touched = await self._parts.code.touched(task_id)
        events = await self._parts.code.events(task_id)
        task = self._store.state.tasks.get(task_id)
        signals = self._parts.account.signals(task.cloud_project_id if task else 0)
        return await read_before_merge(signals, touched, tuple(events), self._clock.now())

    # -- inside ------------------------------------------------------------------------------------------------

    async def _put(self, task_id: TaskId, edit: Edit) -> ReleaseWatch:
        def change(state: AppState) -> AppState:
            known = state.watches.get(task_id)
            if known is None or (edited := edit(known)) == known:
                return state
            return replace(state, watches={**state.watches, task_id: edited})

        await self._store.update(change, Topic("watch", task_id))
        return self.get(task_id)

    def _lock(self, task_id: TaskId) -> asyncio.Lock:
        return self._locks.setdefault(task_id, asyncio.Lock())


def _merge_time(pull: PullRequest | None, now: float) -> float:
    """The last change of a merged pull request is nearly always its merge; the forge says it better when asked."""
    return min(pull.updated_at, now) if pull is not None and pull.updated_at else now
