"""Pull requests of tasks: proposed, opened, and kept fresh while somebody looks."""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from posthog_code.domain import check_log, check_prompt
from posthog_code.domain import pull_request_text as words
from posthog_code.domain.check_rollup import LONGEST, QUICK, is_open, poll_after
from posthog_code.domain.errors import NotFound, NotSignedIn, RateLimited, UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.logs import LogSource
from posthog_code.domain.publishing import NewPullRequest, PullRequestProposal
from posthog_code.domain.pull_request import Check, Mergeable, PullRequest, ReviewThread
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import StepState
from posthog_code.ports.clock import Clock
from posthog_code.ports.forge import Forge, Landing, Secrets
from posthog_code.ports.git import Changes, Git, Publishing
from posthog_code.services.publish_coverage import Check as CoverageCheck
from posthog_code.services.publish_coverage import CoverageGate
from posthog_code.services.publish_proposal import Place, Proposals, Summary, compare_url, located, place_of
from posthog_code.services.publish_saga import Log, Publisher, form_key, pull_topics
from posthog_code.services.publish_watch import Spawner, Watches
from posthog_code.services.store import Store

WRITE_EVERY = 60.0
"""Seconds after which an unchanged pull request is written again for its `fetched_at`."""
GONE_EVERY = 60.0
SIGNED_OUT_EVERY = 300.0
"""Seconds between looks for a token that may have turned up."""
LOGS_KEPT = 30
_asking: contextvars.ContextVar[TaskId | None] = contextvars.ContextVar("asking", default=None)


@dataclass(frozen=True, slots=True)
class Unpushed:
    """What an open pull request does not have yet."""

    files: int = 0
    """Not committed."""
    commits: int = 0
    """Committed and not pushed."""

    def __bool__(self) -> bool:
        return bool(self.files or self.commits)


@dataclass(slots=True)
class _Known:
    """What is remembered of a task besides its pull request."""

    problem: UserError | None = None
    loaded: bool = False
    loading: int = 0
    failures: int = 0
    quick: int = 0
    expected: str = ""
    """Commit that we pushed and that the forge does not show yet."""
    ended: bool = False
    """It was read once more after it was merged or closed."""
    unpushed: Unpushed = Unpushed()


async def _no_summary(task_id: TaskId) -> str:
    return ""


class PullRequests:
    """The last known state always beats an empty one: a failed read leaves it with the reason in `stale`."""

    def __init__(
        self,
        store: Store,
        git: Git,
        publishing: Publishing,
        changes: Changes,
        forge: Forge,
        clock: Clock,
        scope: Spawner,
        log: Log = lambda task_id, source, text: None,
        summary: Summary = _no_summary,
        secrets: Secrets | None = None,
        coverage: CoverageCheck | None = None,
    ) -> None:
        """`log(task_id, source, line)` writes to the task's log; `summary` gives the agent's last words; `coverage` is
        the instrumentation check of a task's change."""
        self._store, self._git, self._forge, self._clock = store, git, forge, clock
        self._publishing = publishing
        self._log, self._secrets = log, secrets
        self._gate = CoverageGate(store, coverage)
        self._proposals = Proposals(store, git, publishing, changes, forge, summary)
        self._publisher = Publisher(store, publishing, forge, clock, log)
        self._known: dict[TaskId, _Known] = {}
        self._watches = Watches(scope, self._refresh, self._delay)
        self._logs: dict[tuple[str, float], tuple[str, str]] = {}

    # -- opening one ---------------------------------------------------------------------------------------------

    async def propose(self, task_id: TaskId) -> PullRequestProposal:
        """What *Create PR* shows. What was typed before is in it again; an open pull request is adopted."""
        with _for(task_id):
            proposal, gate = await asyncio.gather(self._proposals.propose(task_id), self._gate.look(task_id))
        if proposal.existing is not None:
            await self._keep(task_id, proposal.existing)
            self._watches.wake(task_id)
        typed = self.form(task_id)
        proposal = replace(proposal, coverage=gate.summary, coverage_required=gate.refuses)
        return replace(proposal, new=typed) if typed else proposal

    async def create(self, task_id: TaskId, new: NewPullRequest, *, without_coverage: bool = False) -> PullRequest:
        """Commit, push and open; goes on where an earlier attempt stopped. Steps are in `state.publishing`.

        Raises CoverageMissing, before anything is done, where the repository requires the instrumentation check and
        places miss something, unless told to go on `without_coverage`."""
        await self.keep_form(task_id, new)
        if without_coverage:
            self._gate.waive(task_id)
        await self._gate.check(task_id)
        with _for(task_id):
            place = await self._place(task_id)
            pull, sha = await self._publisher.run(place, new)
        self._gate.waive(task_id, False)
        known = self._of(task_id)
        known.problem, known.loaded, known.failures, known.ended = None, True, 0, False
        known.expected, known.quick = (sha if pull.head_sha != sha else ""), 1
        self._watches.wake(task_id)
        return pull

    async def push(self, task_id: TaskId, message: str = "") -> PullRequest:
        """Commit what is not committed and push it to the open pull request, in steps as `create` does."""
        pull = self._pull(task_id)
        with _for(task_id):
            place = await self._place(task_id)
            paths, _ahead = await self._publishing.status(place.folder, pull.base)
            log = await self._publishing.log(place.folder, pull.base)
            proposed = words.commit_message(place.task.title, paths, tuple(subject for _, subject in log))
            sha = await self._publisher.push(place, message or proposed, pull.base)
        known = self._of(task_id)
        known.unpushed = Unpushed()
        known.expected, known.quick = (sha if pull.head_sha != sha else ""), 1
        self._store.touch(Topic("pull_request", task_id))
        self._watches.wake(task_id)
        return pull

    def creating(self, task_id: TaskId) -> bool:
        """Whether the steps are being run right now (a step that says so may be from before a restart)."""
        return self._publisher.running(task_id)

    def form(self, task_id: TaskId) -> NewPullRequest | None:
        """What was typed into *Create PR* and not used yet."""
        return words.from_json(self._store.state.drafts.get(form_key(task_id), ""))

    async def keep_form(self, task_id: TaskId, new: NewPullRequest | None) -> None:
        """Keep what was typed over a restart; None forgets it."""
        key, text = form_key(task_id), "" if new is None else words.to_json(new)

        def change(state: AppState) -> AppState:
            if state.drafts.get(key, "") == text:
                return state
            drafts = {name: value for name, value in state.drafts.items() if name != key}
            return replace(state, drafts={**drafts, key: text} if text else drafts)

        await self._store.update(change)

    async def dismiss_failure(self, task_id: TaskId) -> None:
        """Take the failed steps away; what was done stays done and what was typed is kept."""
        if self.creating(task_id) or task_id not in self._store.state.publishing:
            return

        def change(state: AppState) -> AppState:
            return replace(state, publishing={k: v for k, v in state.publishing.items() if k != task_id})

        await self._store.update(change, Topic("publish", task_id))

    async def recover(self) -> None:
        """At start: steps that were running when the app ended can be run again."""

        def change(state: AppState) -> AppState:
            publishing = {
                task_id: tuple(
                    replace(step, state=StepState.FAILED, detail="The app ended before this was done.")
                    if step.state is StepState.RUNNING
                    else step
                    for step in steps
                )
                for task_id, steps in state.publishing.items()
            }
            return state if publishing == state.publishing else replace(state, publishing=publishing)

        await self._store.update(change, *(Topic("publish", task_id) for task_id in self._store.state.publishing))

    async def compare_url(self, task_id: TaskId) -> str:
        """Page of the forge that opens a pull request of the pushed branch in the browser, without a token of ours."""
        place = await self._place(task_id)
        return compare_url(located(place), place.base, place.task.branch, place.task.title)

    # -- reading it ----------------------------------------------------------------------------------------------

    def problem(self, task_id: TaskId) -> UserError | None:
        """Why the last read failed."""
        return self._of(task_id).problem

    def unpushed(self, task_id: TaskId) -> Unpushed:
        """What the worktree has and the open pull request has not, as of the last read."""
        return self._of(task_id).unpushed

    def loading(self, task_id: TaskId) -> bool:
        return self._of(task_id).loading > 0

    def loaded(self, task_id: TaskId) -> bool:
        """Whether it is known if there is a pull request."""
        return self._of(task_id).loaded or task_id in self._store.state.pull_requests

    async def refresh(self, task_id: TaskId) -> PullRequest | None:
        """Read it now; None when the branch has none.

        A failure is raised only while nothing is known; otherwise the last known state is given with the reason.
        """
        try:
            return await self._refresh(task_id)
        finally:
            self._watches.wake(task_id, read=False)

    def watch(self, task_id: TaskId) -> None:
        """Keep it fresh until `unwatch`; may be nested."""
        self._watches.add(task_id)

    def unwatch(self, task_id: TaskId) -> None:
        self._watches.remove(task_id)

    async def check_log(self, task_id: TaskId, check: Check) -> str:
        """The part of a check's log that says why it failed. Raises NotFound when there is none."""
        return (await self._log_of(task_id, check))[1]

    async def failure_prompt(self, task_id: TaskId, checks: Sequence[Check], note: str = "") -> str:
        """A follow-up for the agent about failing checks, with what their logs say."""
        pull = self._pull(task_id)
        parts: list[tuple[Check, str, str]] = []
        for check in checks:
            try:
                step, log = await self._log_of(task_id, check)
            except UserError:
                step, log = "", ""
            parts.append((check, step, log))
        return check_prompt.failures(pull, parts, note)

    def thread_prompt(self, task_id: TaskId, thread: ReviewThread, note: str = "") -> str:
        """A follow-up for the agent about one review thread."""
        return check_prompt.thread(self._pull(task_id), thread, note)

    async def landing(self, task_id: TaskId) -> Landing:
        """Whether its merged pull request was released, as far as the forge tells. Raises what the forge does."""
        with _for(task_id):
            return await self._forge.landing(located(await self._place(task_id)), self._pull(task_id))

    # -- signing in ----------------------------------------------------------------------------------------------

    async def sign_in(self, task_id: TaskId, token: str) -> str:
        """Try a token for the task's host, keep it in the keyring, give its login. Raises NotSignedIn for a token that
        is no good, Refused without a keyring."""
        with _for(task_id):
            login = await self._forge.sign_in(located(await self._place(task_id)), token)
        for known in self._known.values():
            known.failures = 0
        self._watches.wake_all()
        return login

    async def can_store_token(self) -> bool:
        return self._secrets is not None and await self._secrets.available()

    def network(self, line: str) -> None:
        """A line of the forge's network log, for the task that asked."""
        task_id = _asking.get()
        if task_id is not None:
            self._log(task_id, LogSource.NETWORK, line)

    # -- inside --------------------------------------------------------------------------------------------------

    async def _refresh(self, task_id: TaskId) -> PullRequest | None:
        known = self._of(task_id)
        before = self._store.state.pull_requests.get(task_id)
        known.loading += 1
        if known.loading == 1 and not self.loaded(task_id):
            self._store.touch(Topic("pull_request", task_id))
        try:
            with _for(task_id):
                remote = located(place := await self._place(task_id))
                pull = before
                if pull is None or not is_open(pull):
                    found = await self._forge.find(remote, place.task.branch) if place.task.branch else None
                    pull = found if found is not None else pull
                if pull is not None:
                    pull = await self._forge.read(remote, pull)
        except UserError as error:
            known.problem, known.failures = error, known.failures + 1
            if before is None:
                self._store.touch(Topic("pull_request", task_id))
                raise
            stale = replace(before, stale=error.title)
            await self._keep(task_id, stale)
            return stale
        finally:
            known.loading -= 1
        unpushed = await self._read_unpushed(place, pull)
        fresh = not known.loaded or known.problem is not None or unpushed != known.unpushed
        known.unpushed = unpushed
        known.problem, known.loaded, known.failures = None, True, 0
        if pull is not None:
            if known.expected and pull.head_sha == known.expected:
                known.expected = ""
            await self._keep(task_id, pull)
        if fresh:
            self._store.touch(Topic("pull_request", task_id))
        return pull

    async def _read_unpushed(self, place: Place, pull: PullRequest | None) -> Unpushed:
        here = bool(place.task.path) and place.task.branch == (pull.head if pull else "")
        if pull is None or not is_open(pull) or not pull.head_sha or not here:
            return Unpushed()
        try:
            paths, _ahead = await self._publishing.status(place.folder, pull.base)
            commits = await self._publishing.log(place.folder, pull.head_sha)
        except UserError:
            return Unpushed()  # no worktree, or somebody else pushed what is not fetched here
        return Unpushed(len(paths), len(commits))

    def _delay(self, task_id: TaskId) -> float | None:
        known, now = self._of(task_id), self._clock.now()
        pull = self._store.state.pull_requests.get(task_id)
        if isinstance(known.problem, RateLimited):
            return min(max(known.problem.until - now, 1.0), LONGEST) + 1.0
        if isinstance(known.problem, NotSignedIn):
            return SIGNED_OUT_EVERY
        if pull is not None and not is_open(pull) and not known.failures:
            known.ended = not known.ended  # once more, then no more until it is opened again
            return GONE_EVERY if known.ended else None
        unsure = pull is not None and (bool(known.expected) or pull.mergeable is Mergeable.CHECKING)
        delay = poll_after(pull, now=now, quick=known.quick, failures=known.failures)
        known.quick = min(known.quick + 1 if known.quick else 1, len(QUICK) + 1) if unsure else 0
        return None if delay is None else delay * random.uniform(0.85, 1.15)

    async def _keep(self, task_id: TaskId, pull: PullRequest) -> None:
        old = self._store.state.pull_requests.get(task_id)
        same = old is not None and replace(pull, fetched_at=old.fetched_at) == old
        if same and old is not None and pull.fetched_at - old.fetched_at < WRITE_EVERY:
            return
        await self._store.update(
            lambda state: replace(state, pull_requests={**state.pull_requests, task_id: pull}), *pull_topics(task_id)
        )

    async def _log_of(self, task_id: TaskId, check: Check) -> tuple[str, str]:
        """(failing step, cut log), kept while the check's run is the same."""
        key = (check.id, check.ended_at)
        if key not in self._logs:
            if not check.is_job:
                raise NotFound("This check has no log here.", "Open it in the browser.")
            with _for(task_id):
                text = await self._forge.job_log(located(await self._place(task_id)), check.id)
            self._logs[key] = await asyncio.to_thread(_cut, text)
            while len(self._logs) > LOGS_KEPT:
                del self._logs[next(iter(self._logs))]
        return self._logs[key]

    async def _place(self, task_id: TaskId) -> Place:
        return await place_of(self._store, self._git, self._forge, task_id)

    def _pull(self, task_id: TaskId) -> PullRequest:
        pull = self._store.state.pull_requests.get(task_id)
        if pull is None:
            raise NotFound("This task has no pull request.", "Create one first.")
        return pull

    def _of(self, task_id: TaskId) -> _Known:
        return self._known.setdefault(task_id, _Known())


class _for:
    """Names the task that network lines belong to while it is entered."""

    def __init__(self, task_id: TaskId) -> None:
        self._task_id = task_id

    def __enter__(self) -> None:
        self._token = _asking.set(self._task_id)

    def __exit__(self, *exc: object) -> None:
        _asking.reset(self._token)


def _cut(text: str) -> tuple[str, str]:
    return check_log.step_name(text), check_log.cut(text)
