"""*Take over here*: the steps from a run in the cloud to an ordinary task on this machine."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from posthog_code.domain.cloud import CloudRunInfo
from posthog_code.domain.cloud_entries import extension, frame_of
from posthog_code.domain.cloud_parse import mapping, text
from posthog_code.domain.errors import Conflict, GitFailed, NotFound, UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.logs import LogSource
from posthog_code.domain.state import Topic
from posthog_code.domain.task import Repository, Step, Task, Workspace
from posthog_code.domain.text import plural, slug
from posthog_code.ports.cloud import Cloud, Entry
from posthog_code.ports.git import Foreign, Meeting, Snapshot
from posthog_code.services import edits
from posthog_code.services.handover_log import boundary, conversation, notice, summary
from posthog_code.services.handover_parts import MARK, HandoverParts, fetched
from posthog_code.services.scope import carried_through
from posthog_code.services.setup import FILES, SCRIPT, StepAction, free_path

CLOSE, FETCH, CHECKPOINT = "take_close", "take_fetch", "take_checkpoint"
WORKTREE, RESTORE, TALK = "take_worktree", "take_restore", "take_conversation"
STEPS = (
    Step(CLOSE, "End the cloud's part"),
    Step(FETCH, "Fetch the branch"),
    Step(CHECKPOINT, "Download the changes"),
    Step(WORKTREE, "Create the worktree"),
    Step(RESTORE, "Restore the changes"),
    Step(TALK, "Copy the conversation"),
)


@dataclass(frozen=True, slots=True)
class Told:
    """A checkpoint as the run's log tells of it."""

    foreign: Foreign
    branch: str
    pack_path: str
    newest: bool = True


def steps_for(repository: Repository, run_setup: bool) -> tuple[Step, ...]:
    steps = (*STEPS, Step(FILES, "Bring ignored files"))
    if run_setup and repository.setup_script.strip():
        return (*steps, Step(SCRIPT, repository.setup_script.strip().splitlines()[0][:60]))
    return steps


def checkpoints(entries: tuple[Entry, ...]) -> list[Told]:
    """All checkpoints of a log, the newest first."""
    found: list[Told] = []
    for entry in reversed(entries):
        frame = frame_of(entry)
        if frame is None or extension(frame) != "git_checkpoint":
            continue
        params = mapping(frame.get("params"))
        head, tree, index = (text(params.get(key)) for key in ("head", "worktreeTree", "indexTree"))
        if head and tree:
            foreign = Foreign(head, tree, index or tree, text(params.get("commit")))
            branch = text(params.get("branch")).removeprefix("refs/heads/")
            found.append(Told(foreign, branch, text(params.get("artifactPath")), newest=not found))
    return found


def remotes(entries: tuple[Entry, ...]) -> list[str]:
    """Addresses that sandboxes cloned from, the newest first."""
    frames = [frame for entry in reversed(entries) if (frame := frame_of(entry)) is not None]
    told = [frame for frame in frames if extension(frame) == "git_checkpoint"]
    return [url for frame in told if (url := text(mapping(frame.get("params")).get("remoteUrl")))]


def unpacked(data: bytes) -> bytes:
    """A pack as it was uploaded: base64 text, mostly."""
    if data.startswith((b"PACK", b"# v")):
        return data
    try:
        return base64.b64decode(b"".join(data.split()), validate=True)
    except binascii.Error as error:
        raise NotFound("The checkpoint that was downloaded is damaged.", "Try again.", str(error)) from error


def not_free(branch: str, met: Meeting) -> Conflict | None:
    """Why a local branch of that name cannot be gone on with; None when nothing of it would be lost."""
    hint = "Nothing was overwritten. Take it over to another branch name (--branch NAME), or bring this one in order."
    if met.path:
        return Conflict(f"{branch} is checked out in {met.path}.", hint, met.path)
    if met.mine:
        count = plural(len(met.mine), "commit")
        title = f"The local branch {branch} has {count} that the cloud does not have."
        behind = f"\nThe cloud has {plural(met.theirs, 'commit')} that it lacks." if met.theirs else ""
        return Conflict(title, hint, "\n".join(met.mine) + behind)
    return None


class TakeOver:
    """Each step asks what is there and may be called again; what it needs of earlier ones is in git and in the task."""

    def __init__(self, parts: HandoverParts, release: Callable[[Task, Meeting], Any]) -> None:
        """`release(task, meeting)` gives a branch free that the watched copy of the same cloud task holds, if that
        loses nothing; it is awaited."""
        self._parts = parts
        self._release = release

    def actions(self) -> Mapping[str, StepAction]:
        return {
            CLOSE: self._close,
            FETCH: self._fetch,
            CHECKPOINT: self._checkpoint,
            WORKTREE: self._worktree,
            RESTORE: self._restore,
            TALK: self._talk,
        }

    # -- the cloud ---------------------------------------------------------------------------------------------

    async def _close(self, task: Task, _repository: Repository) -> str:
        cloud = self._cloud(task)
        run = await cloud.run(task.cloud_task_id, task.cloud_run_id)
        if run.over or run.environment == "local":
            return run.status if run.over else "it was local already"
        detail = ""
        if run.status == "in_progress":
            try:
                params = {"localGitState": {"branch": task.branch}} if task.branch else {}
                await cloud.command(run.task_id, run.id, "close", params, f"close-{task.id}")
            except UserError as error:
                # The checkpoint of the last turn is there all the same.
                self._log(task, f"the cloud could not make a last checkpoint: {error} {error.detail}".rstrip())
                detail = "without a last checkpoint"
        run = await cloud.patch_run(run.task_id, run.id, {"environment": "local", "state": {MARK: task.id}})
        return detail or ("local from now on" if run.environment == "local" else run.status)

    async def _fetch(self, task: Task, repository: Repository) -> str:
        run = await self._run(task)
        commits = []
        for branch in dict.fromkeys(filter(None, (run.branch, run.base, repository.default_branch))):
            commit = await fetched(self._parts, repository, branch, lambda line: self._log(task, line))
            commits.append(f"{branch} {commit[:8]}" if commit else f"{branch} is not on origin")
        return ", ".join(commits)

    async def _checkpoint(self, task: Task, repository: Repository) -> str:
        run, root = await self._run(task), Path(repository.path)
        entries = await self._cloud(task).whole_log(task.cloud_task_id, task.cloud_run_id)
        problem = ""
        for told in checkpoints(entries):
            branch = task.branch or await self._branch(task, repository, run, told.branch)
            try:
                data = await self._download(task, told)
                snapshot = await self._parts.transfer.import_(
                    root, told.foreign, data, ref=self._ref(task), branch=branch
                )
            except NotFound as error:
                problem = problem or error.title
                self._log(task, f"a checkpoint cannot be used: {error} {error.detail}".rstrip())
                continue
            await self._place(task, repository, branch, snapshot.head, run)
            older = "" if told.newest else f"; not the last one ({problem})"
            return f"{plural(len(data), 'byte')}, at {snapshot.head[:8]}{older}"
        if problem:
            raise NotFound(
                "The changes of this run cannot be had.",
                "Its commits are on its branch. Take it over without its changes by checking out that branch.",
                problem,
            )
        return await self._without(task, repository, run)

    async def _without(self, task: Task, repository: Repository, run: CloudRunInfo) -> str:
        """No checkpoint was ever made: the branch is all there is."""
        root = Path(repository.path)
        head = ""
        for name in dict.fromkeys(filter(None, (run.branch, run.base, repository.default_branch))):
            try:
                head = await self._parts.git.resolve(root, f"refs/remotes/origin/{name}")
                break
            except NotFound:
                continue
        if not head:
            head = await self._parts.git.resolve(root, repository.default_branch)
        tree = await self._parts.transfer.tree(root, head)
        branch = task.branch or await self._branch(task, repository, run, run.branch)
        foreign = Foreign(head, tree, tree)
        await self._parts.transfer.import_(root, foreign, b"", ref=self._ref(task), branch=branch)
        await self._place(task, repository, branch, head, run)
        return f"no checkpoint was made: the commits only, at {head[:8]}"

    async def _download(self, task: Task, told: Told) -> bytes:
        if not told.pack_path:
            return b""
        data = await self._cloud(task).download(task.cloud_task_id, task.cloud_run_id, told.pack_path)
        return unpacked(data) if data else b""

    async def _branch(self, task: Task, repository: Repository, run: CloudRunInfo, told: str) -> str:
        """The run's branch, or a new one when it works on the base itself (or on none)."""
        name = told or run.branch
        if name and name not in (run.base, repository.default_branch, "HEAD"):
            return name
        taken = {branch.name for branch in await self._parts.git.branches(Path(repository.path))}
        taken = {name.removeprefix("origin/") for name in taken} | taken
        wanted = chosen = repository.branch_prefix + slug(task.title)
        number = 2
        while chosen in taken:
            chosen, number = f"{wanted}-{number}", number + 1
        return chosen

    async def _place(self, task: Task, repository: Repository, branch: str, head: str, run: CloudRunInfo) -> None:
        """Where the worktree will be, on disk before it is made, so that a half-made one is known to be ours."""
        path = task.path
        if not path:
            folder = self._parts.folder(repository)
            path = str(free_path(folder / slug(branch.removeprefix(repository.branch_prefix), 60)))
        base = run.base or repository.default_branch
        await self._edit(task.id, branch=branch, path=path, base=base, base_commit=head)

    # -- this machine ------------------------------------------------------------------------------------------

    async def _worktree(self, task: Task, repository: Repository) -> str:
        root, snapshot = Path(repository.path), await self._snapshot(task, repository)
        met = await self._parts.transfer.meet(root, task.branch, snapshot.head)
        if met.path and Path(met.path) != Path(task.path):
            await self._release(task, met)
            met = await self._parts.transfer.meet(root, task.branch, snapshot.head)
        problem = not_free(task.branch, met)
        if problem is not None and Path(met.path or "/") != Path(task.path):
            raise problem
        await carried_through(
            self._parts.transfer.check_out(
                root,
                Path(task.path),
                branch=task.branch,
                head=snapshot.head,
                task_id=task.id,
                on_line=lambda line: self._log(task, line),
            )
        )
        base = task.base
        try:
            start = await self._parts.git.merge_base(Path(task.path), base)
        except NotFound:
            base = repository.default_branch  # the one that the run began from is gone
            start = await self._parts.git.merge_base(Path(task.path), base)
        await self._edit(task.id, base=base, base_commit=start)
        return task.branch

    async def _restore(self, task: Task, repository: Repository) -> str:
        folder, wanted = Path(task.path), await self._snapshot(task, repository)
        # On a second attempt somebody may have been at work here already.
        before = f"refs/posthog-code/{task.id}/before-taken-over"
        await self._parts.checkpoints.take(folder, before, "Before the changes of the cloud")
        await self._parts.checkpoints.restore(folder, wanted)
        ref = f"refs/posthog-code/{task.id}/taken-over"
        got = await self._parts.checkpoints.take(folder, ref, "As taken over from the cloud")
        for what, one, other in (
            ("files", got.tree, wanted.tree),
            ("staged files", got.index_tree, wanted.index_tree),
            ("commits", got.head, wanted.head),
        ):
            if one != other:
                raise GitFailed(
                    f"The {what} here do not equal those of the cloud.",
                    "Nothing is lost: the cloud's copy is as it was. Try again.",
                    f"{what}: {one} here, {other} there",
                )
        return f"files {got.tree[:8]}, staged {got.index_tree[:8]}, as in the cloud"

    async def _talk(self, task: Task, _repository: Repository) -> str:
        cloud = self._cloud(task)
        talk = conversation(await cloud.whole_log(task.cloud_task_id, task.cloud_run_id))
        now = self._parts.clock.now()
        if talk.first_prompt.strip():
            await self._edit(task.id, prompt=talk.first_prompt)
        words = f"On the branch {task.branch}, with everything that was changed. "
        words += "The agent here gets a summary with your next prompt." if talk.turns else ""
        lines = (*talk.lines, boundary("local", task.cloud_run_id, now))
        await self._parts.sessions.seed(task.id, (*lines, notice("Taken over from the cloud.", words.strip(), now)))
        context = summary(talk, task.branch)

        await self._parts.store.update(
            lambda state: edits.edit_session(state, task.session_id, turns=talk.turns, context=context),
            Topic("session", task.id),
            Topic("transcript", task.id),
        )
        return f"{plural(len(talk.turns), 'turn')}, {plural(talk.calls, 'tool call')}"

    # -- bookkeeping -------------------------------------------------------------------------------------------

    def _cloud(self, task: Task) -> Cloud:
        return self._parts.cloud(task.cloud_project_id)

    async def _run(self, task: Task) -> CloudRunInfo:
        return await self._cloud(task).run(task.cloud_task_id, task.cloud_run_id)

    async def _snapshot(self, task: Task, repository: Repository) -> Snapshot:
        found = await self._parts.checkpoints.read(Path(repository.path), self._ref(task))
        return replace(found, branch=task.branch)

    def _ref(self, task: Task) -> str:
        return f"refs/posthog-code/{task.id}/from-cloud"

    def _log(self, task: Task, line: str) -> None:
        self._parts.logs.write(task.id, LogSource.SETUP, line)

    async def _edit(self, task_id: TaskId, **fields: Any) -> None:
        await self._parts.store.update(
            lambda state: edits.edit_task(state, task_id, **fields), *edits.task_topics(task_id)
        )


def is_watched(task: Task, cloud_task_id: str) -> bool:
    """Whether the task is a view of this cloud task."""
    return task.cloud_task_id == cloud_task_id and task.workspace is Workspace.CLOUD
