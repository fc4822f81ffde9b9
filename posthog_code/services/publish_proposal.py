"""What *Create PR* shows before anything is done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from posthog_code.domain import pull_request_text as words
from posthog_code.domain.changes import Scope
from posthog_code.domain.check_rollup import is_open
from posthog_code.domain.errors import InvalidInput, NotFound, UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.publishing import NewPullRequest, PullRequestProposal
from posthog_code.domain.pull_request import PullRequest
from posthog_code.domain.task import DiffStat, Repository, Task, TaskPhase
from posthog_code.ports.forge import Forge, RemoteRepository
from posthog_code.ports.git import Changes, Git, Publishing
from posthog_code.services.store import Store

Summary = Callable[[TaskId], Awaitable[str]]
"""What the agent said last, as Markdown; "" for nothing."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a task's pull request lives."""

    task: Task
    repository: Repository
    folder: Path
    remote: RemoteRepository | None
    remote_url: str
    base: str


async def place_of(store: Store, git: Git, forge: Forge, task_id: TaskId) -> Place:
    """Raises NotFound when the task or its repository is gone."""
    task = store.state.tasks.get(task_id)
    repository = store.state.repository_of(task_id)
    if task is None:
        raise NotFound("This task is not there any more.")
    if repository is None:
        raise NotFound("The repository of this task is not on this machine.", "Add its folder to see the pull request.")
    try:
        # Git is asked each time: a remote may be added or moved after the repository was registered.
        url = (await git.facts(Path(repository.path))).remote_url or repository.remote_url
    except UserError:
        url = repository.remote_url
    base = (task.base or repository.default_branch).removeprefix("origin/")
    return Place(task, repository, Path(task.path), forge.locate(url) if url else None, url, base)


def located(place: Place) -> RemoteRepository:
    """The repository on the forge, or the reason why there is none, as an error."""
    if place.remote is not None:
        return place.remote
    if not place.remote_url:
        raise InvalidInput(
            f"{place.repository.name} has no remote.", "Add one with `git remote add origin URL`, then try again."
        )
    raise InvalidInput(
        f"The remote of {place.repository.name} is not on GitHub.",
        "Pull requests are opened on GitHub and GitHub Enterprise. The branch can still be pushed with git.",
        place.remote_url,
    )


def compare_url(remote: RemoteRepository, base: str, branch: str, title: str = "") -> str:
    """The page that opens a pull request in the browser; it needs no token of ours."""
    scheme = "http" if remote.api_url.startswith("http://") else "https"
    query = urlencode({"expand": "1", **({"title": title} if title else {})})
    span = f"{quote(base, safe='/')}...{quote(branch, safe='/')}"
    return f"{scheme}://{remote.host}/{remote.full_name}/compare/{span}?{query}"


class Proposals:
    """Makes proposals; reads only."""

    def __init__(
        self,
        store: Store,
        git: Git,
        publishing: Publishing,
        changes: Changes,
        forge: Forge,
        summary: Summary,
    ) -> None:
        self._store, self._git, self._publishing = store, git, publishing
        self._changes, self._forge, self._summary = changes, forge, summary

    async def propose(self, task_id: TaskId) -> PullRequestProposal:
        """What would be opened. What stands in the way is `problem`, in words; raises only when there is no task."""
        place = await place_of(self._store, self._git, self._forge, task_id)
        task = place.task
        if task.phase in (TaskPhase.SETTING_UP, TaskPhase.SETUP_FAILED) or not place.folder.is_dir():
            return _empty(task, place.base, "The worktree of this task is not there yet.")
        try:
            (uncommitted, ahead), log, (template, template_text), stat = await asyncio.gather(
                self._publishing.status(place.folder, place.base),
                self._publishing.log(place.folder, place.base),
                self._publishing.template(place.folder),
                self._stat(place),
            )
        except UserError as error:
            return _empty(task, place.base, str(error))
        problem, existing = await self._obstacle(place, bool(uncommitted or ahead))
        subjects = tuple(subject for _commit, subject in log)
        hidden = (task.path, place.repository.path, str(Path.home()))
        new = NewPullRequest(
            title=words.title(task.title, subjects, len(uncommitted)),
            body=words.body(template_text, task.prompt, await self._summary(task_id), hidden),
            base=place.base,
            draft=self._store.state.settings.draft_pull_requests,
            commit_message=words.commit_message(task.title, uncommitted, subjects),
        )
        return PullRequestProposal(
            new=new,
            branch=task.branch,
            uncommitted=uncommitted,
            commits_ahead=ahead,
            files=stat.files,
            added=stat.added,
            removed=stat.removed,
            template=template,
            existing=existing,
            problem=problem,
            warning=self._warning(task_id),
        )

    def _warning(self, task_id: TaskId) -> str:
        session = self._store.state.session_of(task_id)
        if session is None or not session.phase.busy:
            return ""
        return "The agent is still working; what it does after this is not in the pull request."

    async def _stat(self, place: Place) -> DiffStat:
        old = await self._git.merge_base(place.folder, place.base)
        found = await self._changes.summary(place.folder, scope=Scope.ALL, old=old)
        return DiffStat(len(found.files), found.added, found.removed)

    async def _obstacle(self, place: Place, something: bool) -> tuple[str, PullRequest | None]:
        """(problem, open pull request of the branch)."""
        task = place.task
        if not task.branch:
            return "The checkout is on no branch. Create one with `git switch -c NAME`, then try again.", None
        if task.branch == place.base:
            return f"The work is on {task.branch} itself. A pull request needs a branch of its own.", None
        try:
            remote = located(place)
            existing = await self._forge.find(remote, task.branch)
        except UserError as error:
            return str(error), None
        if existing is not None and is_open(existing):
            return "", existing
        if not something:
            return f"There is nothing to merge yet: {task.branch} has no changes against {place.base}.", None
        return "", None


def _empty(task: Task, base: str, problem: str) -> PullRequestProposal:
    new = NewPullRequest(title=task.title, body="", base=base)
    return PullRequestProposal(new, task.branch, (), 0, 0, 0, 0, problem=problem)
