"""Hand-overs: a run in the cloud taken over here, a task of this machine sent to the cloud."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posthog_code.domain.agent import AgentStatus
from posthog_code.domain.cloud import CloudRunInfo, CloudTask
from posthog_code.domain.cloud_lists import local_repository, remote_name, without_credentials
from posthog_code.domain.errors import Conflict, InvalidInput, NotFound, Refused, UserError
from posthog_code.domain.ids import RepositoryId, SessionId, TaskId
from posthog_code.domain.session import Session
from posthog_code.domain.state import Topic
from posthog_code.domain.task import Repository, Task, TaskDraft, TaskPhase, Workspace
from posthog_code.ports.cloud import Cloud
from posthog_code.ports.git import Meeting
from posthog_code.services import edits, handover_pull, handover_push
from posthog_code.services.environment import free_port_base
from posthog_code.services.handover_parts import HandoverParts, fetched
from posthog_code.services.handover_pull import TakeOver, is_watched, not_free
from posthog_code.services.handover_push import SendToCloud, check_branch, is_sending, sent_ref
from posthog_code.services.repositories import Repositories
from posthog_code.services.scope import Scope
from posthog_code.services.setup import TaskSetup
from posthog_code.services.tasks import Tasks

log = logging.getLogger("handover")
PutAway = Callable[[Task], Awaitable[Mapping[str, Any]]]
_GONE = (TaskPhase.ARCHIVED, TaskPhase.DELETED)


@dataclass(frozen=True, slots=True)
class TakeOverWish:
    """What a person can say about a take-over besides which task it is."""

    repository: Path | None = None
    """A checkout of the task's repository, when it is not in the list."""
    clone_to: Path | None = None
    """A folder to clone it into, when there is none."""
    branch: str = ""
    """Another name for the local branch."""
    agent_id: str = ""
    agent_command: str = ""
    project_id: int = 0
    """0 means the chosen one."""


class Handover:
    """Both directions are steps of the task, saved as they go: after a crash the task's retry goes on with them."""

    def __init__(
        self,
        parts: HandoverParts,
        tasks: Tasks,
        setup: TaskSetup,
        repositories: Repositories,
        scope: Scope,
        put_away: PutAway,
        close_view: Callable[[TaskId], Awaitable[None]],
    ) -> None:
        """`close_view` takes the view of a cloud task off the list; the conversation stays on disk."""
        self._parts = parts
        self._store = parts.store
        self._tasks = tasks
        self._repositories = repositories
        self._scope = scope
        self._put_away = put_away
        self._close_view = close_view
        self._settling: set[TaskId] = set()
        setup.learn(TakeOver(parts, self._release).actions())
        setup.learn(SendToCloud(parts, put_away, self._drop_copies).actions())
        self._store.subscribe(self._on_change)

    # -- take over here ----------------------------------------------------------------------------------------

    async def take_over(self, cloud_task_id: str, wish: TakeOverWish = TakeOverWish()) -> TaskId:
        """Make the local task; its steps go on behind it. Taken over already, or half, the same task is gone on with.

        Raises Refused when the repository is not here, Conflict when a local branch of that name is in the way; then
        nothing has been done, here or in the cloud.
        """
        begun = self._begun(cloud_task_id)
        if begun is not None:
            if wish.branch and begun.phase is TaskPhase.SETUP_FAILED:
                await self._rename(begun, wish.branch)
            await self._tasks.retry_setup(begun.id)
            return begun.id
        state = self._store.state
        project_id = wish.project_id or state.account.project_id
        cloud = self._parts.cloud(project_id)
        found = await cloud.task(cloud_task_id)
        repository = await self._find_repository(cloud, found, wish)
        run = found.run or next(iter(await cloud.runs(found.id)), None)
        agent_id = self._agent(wish, run)
        if run is None:
            draft = TaskDraft(
                found.description or found.title, repository.id, agent_id, branch=wish.branch, title=found.title,
                agent_command=wish.agent_command,
            )  # fmt: skip
            task_id = await self._tasks.create(draft)
            await self._edit(task_id, cloud_project_id=project_id, cloud_task_id=found.id)
            return task_id
        await self._look_ahead(repository, found, run, wish.branch)
        # Looking took a while: another program may have begun meanwhile.
        await self._store.refresh()
        if (begun := self._begun(cloud_task_id)) is not None:
            return begun.id
        task = self._new_task(found, run, repository, project_id, agent_id, wish)
        await self._tasks.adopt(task, Session(id=task.session_id, task_id=task.id, agent_id=task.agent_id))
        return task.id

    def _begun(self, cloud_task_id: str) -> Task | None:
        """The local task of a take-over that was begun earlier."""
        found = [
            task
            for task in self._store.state.tasks.values()
            if task.cloud_task_id == cloud_task_id and task.workspace is not Workspace.CLOUD and task.phase not in _GONE
        ]
        return max(found, key=lambda task: task.created_at, default=None)

    async def _rename(self, task: Task, branch: str) -> None:
        """Another branch for a take-over that stopped because of the first one."""
        if branch == task.branch or (task.path and Path(task.path).exists()):
            return
        again = (handover_pull.CHECKPOINT, handover_pull.WORKTREE)
        fresh = {step.id: step for step in handover_pull.STEPS}
        steps = tuple(fresh[step.id] if step.id in again else step for step in task.steps)
        await self._edit(task.id, branch=branch, path="", steps=steps)

    async def _find_repository(self, cloud: Cloud, found: CloudTask, wish: TakeOverWish) -> Repository:
        if not found.repository:
            raise Refused("This cloud task has no repository.", "It can only be watched.")
        if wish.repository is not None:
            repository_id = await self._repositories.add(wish.repository)
            repository = self._store.state.repositories[repository_id]
            if remote_name(repository.remote_url)[1] not in ("", found.repository):
                raise InvalidInput(
                    f"{wish.repository} is not a checkout of {found.repository}.",
                    "Choose another folder.",
                    without_credentials(repository.remote_url),
                )
            return repository
        known = local_repository(found.repository, self._store.state.repositories.values())
        if known is not None and Path(self._store.state.repositories[known].path).is_dir():
            return self._store.state.repositories[known]
        if wish.clone_to is None:
            raise Refused(
                f"{found.repository} is not on this machine.",
                "Choose the folder of a checkout (--repo FOLDER), or let it be cloned (--clone FOLDER).",
                found.repository,
            )
        folder = wish.clone_to.expanduser().absolute()
        if not (folder / ".git").exists():
            await self._parts.transfer.clone(await self._address(cloud, found), folder)
        repository_id = await self._repositories.add(folder)
        return self._store.state.repositories[repository_id]

    async def clone(self, repository: str, folder: Path) -> RepositoryId:
        """Clone `owner/name` from GitHub into a folder, unless a checkout is there already, and add it to the list."""
        folder = folder.expanduser().absolute()
        if not (folder / ".git").exists():
            await self._parts.transfer.clone(f"https://github.com/{repository}.git", folder)
        return await self._repositories.add(folder)

    async def _address(self, cloud: Cloud, found: CloudTask) -> str:
        """Where the sandbox cloned it from, if its log says so and that is a forge that we know."""
        if found.run is not None:
            for told in handover_pull.remotes(await cloud.whole_log(found.id, found.run.id)):
                if remote_name(told)[1] == found.repository and self._parts.forge.locate(told) is not None:
                    return told
        return f"https://github.com/{found.repository}.git"

    async def _look_ahead(self, repository: Repository, found: CloudTask, run: CloudRunInfo, wished: str) -> None:
        """What would stop the take-over later stops it here, before the cloud's part is ended."""
        branch = wished or run.branch
        if not branch or (not wished and branch in (run.base, repository.default_branch)):
            return
        commit = await fetched(self._parts, repository, run.branch, log.debug) if run.branch else ""
        root = Path(repository.path)
        commit = commit or await self._parts.git.resolve(root, repository.default_branch)
        met = await self._parts.transfer.meet(root, branch, commit)
        if met.path and await self._holder(found.id, met) is not None:
            return
        problem = not_free(branch, met)
        if problem is None and wished and met.local:
            problem = Conflict(f"The branch {wished} exists already.", "Use another name.")
        if problem is not None:
            raise problem

    async def _holder(self, cloud_task_id: str, met: Meeting) -> Task | None:
        """The watched copy of the same cloud task, when its worktree has the branch and nothing that was not sent."""
        tasks = self._store.state.tasks.values()
        task = next((t for t in tasks if is_watched(t, cloud_task_id) and t.path == met.path), None)
        if task is None:
            return None
        try:
            sent = await self._parts.checkpoints.read(Path(task.path), sent_ref(task.id))
            same = await self._parts.checkpoints.verify(Path(task.path), sent)
        except NotFound:
            same = False
        if not same:
            raise Conflict(
                f"The worktree of {task.title} was changed after it was sent to the cloud.",
                "Commit these changes to a branch of their own, or take it over to another branch name.",
                task.path,
            )
        return task

    async def _release(self, task: Task, met: Meeting) -> None:
        holder = await self._holder(task.cloud_task_id, met)
        if holder is not None:
            await self._edit(holder.id, **await self._put_away(holder))

    def _agent(self, wish: TakeOverWish, run: CloudRunInfo | None) -> str:
        state = self._store.state
        if wish.agent_id or wish.agent_command:
            return wish.agent_id or "custom"
        ready = [info.spec.id for info in state.agents if info.status is AgentStatus.READY]
        adapter = run.adapter if run else ""
        same = next((agent for agent in ready if adapter and agent.startswith(adapter)), "")
        return state.settings.default_agent or same or next(iter(ready), "claude")

    def _new_task(
        self,
        found: CloudTask,
        run: CloudRunInfo,
        repository: Repository,
        project_id: int,
        agent_id: str,
        wish: TakeOverWish,
    ) -> Task:
        state, now = self._store.state, self._parts.clock.now()
        return Task(
            id=TaskId(self._parts.clock.new_id()),
            repository_id=repository.id,
            title=found.title or found.slug or found.id,
            prompt=found.description or found.title or found.id,
            workspace=Workspace.WORKTREE,
            agent_id=agent_id,
            agent_command=wish.agent_command,
            session_id=SessionId(self._parts.clock.new_id()),
            created_at=now,
            updated_at=now,
            base=run.base or repository.default_branch,
            branch=wish.branch,
            mode=state.settings.default_mode,
            steps=handover_pull.steps_for(repository, state.settings.run_setup),
            port_base=free_port_base({task.port_base for task in state.tasks.values()}),
            cloud_project_id=project_id,
            cloud_task_id=found.id,
            cloud_run_id=run.id,
        )

    async def fetch(self, repository_id: RepositoryId, branch: str) -> str:
        """Bring a branch of origin up to date; gives its commit, "" when origin has no such branch."""
        return await fetched(self._parts, self._repositories.get(repository_id), branch, log.debug)

    # -- send to the cloud -------------------------------------------------------------------------------------

    async def send(self, task_id: TaskId, *, archive: bool = False, project_id: int = 0) -> None:
        """Begin to send a task, or go on where it stopped. Its worktree is archived at the end only with `archive`."""
        task = self._tasks.get(task_id)
        if task.workspace is Workspace.CLOUD:
            raise Conflict("This task is in the cloud already.")
        if is_sending(task.steps) and task.phase in (TaskPhase.SETUP_FAILED, TaskPhase.SETTING_UP):
            await self._tasks.retry_setup(task_id)
            return
        if task.phase is not TaskPhase.READY or not Path(task.path).is_dir():
            raise Refused("Only a task whose worktree is there can be sent.", "Let its set-up end, or restore it.")
        repository = self._store.state.repositories.get(task.repository_id)
        if repository is None:
            raise NotFound("The repository of this task is not in the list.", "Add its folder again.")
        check_branch(task, repository)
        project_id = task.cloud_project_id or project_id or self._store.state.account.project_id
        self._parts.cloud(project_id)
        await self._edit(task_id, cloud_project_id=project_id)
        archive = archive and task.workspace is Workspace.WORKTREE
        await self._tasks.do_steps(task_id, handover_push.steps_for(task, archive))

    async def give_up(self, task_id: TaskId) -> None:
        """Go on here with a task that could not be sent. What is in the cloud already stays there, unstarted."""
        task = self._tasks.get(task_id)
        if not is_sending(task.steps):
            raise InvalidInput("This task is not being sent.")
        if _started(task):
            raise Refused("The run in the cloud was started already.", "Try again; then take it over.")
        await self._tasks.cancel_setup(task_id)
        await self._edit(task_id, steps=(), phase=TaskPhase.READY)

    # -- once the local agent has answered -----------------------------------------------------------------------

    def _on_change(self, topics: frozenset[Topic]) -> None:
        for topic in topics:
            copy = self._spare(TaskId(topic.id)) if topic.kind == "session" else None
            if copy is not None and copy.id not in self._settling:
                self._settling.add(copy.id)
                self._scope.spawn(self._settle(copy), f"settle-{copy.id}")

    def _spare(self, task_id: TaskId) -> Task | None:
        """The watched copy that a task does not need any more: its own agent has answered here."""
        state = self._store.state
        task, session = state.tasks.get(task_id), state.session_of(task_id)
        if task is None or session is None or not task.cloud_task_id or task.workspace is Workspace.CLOUD:
            return None
        turn = session.turn
        if turn is None or turn.stop_reason != "end_turn" or not turn.checkpoint_before:
            return None
        others = state.tasks.values()
        return next((t for t in others if is_watched(t, task.cloud_task_id) and t.phase not in _GONE), None)

    async def _settle(self, copy: Task) -> None:
        try:
            await self._drop(copy)
        finally:
            self._settling.discard(copy.id)

    async def _drop_copies(self, task: Task) -> None:
        for copy in tuple(self._store.state.tasks.values()):
            if copy.id != task.id and is_watched(copy, task.cloud_task_id) and copy.phase not in _GONE:
                await self._drop(copy)

    async def _drop(self, copy: Task) -> None:
        """A copy with a worktree, here or in the trash, is archived; a mere view is closed."""
        try:
            if copy.path:
                await self._tasks.archive(copy.id)
            else:
                await self._close_view(copy.id)
        except UserError as error:
            log.warning("the watched copy %s stays: %s %s", copy.id, error, error.detail)

    async def _edit(self, task_id: TaskId, **fields: Any) -> None:
        await self._store.update(lambda state: edits.edit_task(state, task_id, **fields), *edits.task_topics(task_id))


def _started(task: Task) -> bool:
    return any(step.id == handover_push.START and step.state.value == "done" for step in task.steps)
