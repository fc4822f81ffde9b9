"""*Send to the cloud*: the steps from a task on this machine to the same task in a sandbox."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from posthog_code.domain.cloud import NOT_STARTED, TERMINAL, CloudArtifact, CloudRunInfo, CloudTask
from posthog_code.domain.cloud_entries import extension, frame_of
from posthog_code.domain.cloud_errors import GitHubNeeded
from posthog_code.domain.cloud_lists import remote_name, without_credentials
from posthog_code.domain.cloud_parse import mapping, text
from posthog_code.domain.cloud_requests import NewCloudTask, RunRequest
from posthog_code.domain.errors import Conflict, InvalidInput, NotFound, Refused
from posthog_code.domain.ids import TaskId
from posthog_code.domain.logs import LogSource
from posthog_code.domain.task import Repository, Step, StepState, Task, Workspace
from posthog_code.domain.text import plural
from posthog_code.ports.cloud import Cloud, CloudFile, TaskQuery
from posthog_code.ports.git import Snapshot
from posthog_code.services import edits
from posthog_code.services.handover_log import BOUNDARY, entries, entry, missing
from posthog_code.services.handover_parts import MARK, HandoverParts, pushed
from posthog_code.services.setup import StepAction

STOP, CHECKPOINT, PUSH, TASK = "send_stop", "send_checkpoint", "send_push", "send_task"
UPLOAD, TALK, START, ARCHIVE, WATCH = "send_upload", "send_conversation", "send_start", "send_archive", "send_watch"
BATCH = 200
"""Entries of a log in one request."""
SIZE_LIMIT = 22 * 1024 * 1024
"""Bytes of a pack: as base64 text it must stay below what the server takes for one file."""
_CLOCKS = 3600.0
"""Seconds that the server's clock may differ from ours."""
_ADAPTERS = {"claude": "claude", "claude-code": "claude", "codex": "codex"}
_START_WAIT, _START_LOOK = 180.0, 1.0

PutAway = Callable[[Task], Awaitable[Mapping[str, Any]]]
"""Snapshot, verify and move a task's worktree to trash; gives the fields of the task that say where it is."""


def steps_for(task: Task, archive: bool) -> tuple[Step, ...]:
    steps = (
        Step(STOP, "End the agent here"),
        Step(CHECKPOINT, "Take a checkpoint"),
        Step(PUSH, f"Push {task.branch}"),
        Step(TASK, "Prepare the run in the cloud"),
        Step(TALK, "Copy the conversation"),
        Step(UPLOAD, "Upload the changes"),
        Step(START, "Start in the cloud"),
    )
    put_away = (Step(ARCHIVE, "Archive the worktree"),) if archive else ()
    return (*steps, *put_away, Step(WATCH, "Watch it from here"))


class SendToCloud:
    """Each step asks what is there and may be called again."""

    def __init__(
        self,
        parts: HandoverParts,
        put_away: PutAway,
        drop_copies: Callable[[Task], Awaitable[None]],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`drop_copies(task)` takes other views of the task's cloud task away."""
        self._parts = parts
        self._put_away = put_away
        self._drop_copies = drop_copies
        self._sleep = sleep

    def actions(self) -> Mapping[str, StepAction]:
        return {
            STOP: self._stop,
            CHECKPOINT: self._checkpoint,
            PUSH: self._push,
            TASK: self._task,
            UPLOAD: self._upload,
            TALK: self._talk,
            START: self._start,
            ARCHIVE: self._archive,
            WATCH: self._watch,
        }

    # -- this machine ------------------------------------------------------------------------------------------

    async def _stop(self, task: Task, _repository: Repository) -> str:
        await self._parts.sessions.end(task.id)
        return ""

    async def _checkpoint(self, task: Task, _repository: Repository) -> str:
        snapshot = await self._parts.checkpoints.take(Path(task.path), self._ref(task), "Sent to the cloud")
        if snapshot.branch != task.branch:
            await self._edit(task.id, branch=snapshot.branch)
        check_branch(self._now(task.id), _repository)
        return snapshot.commit[:8]

    async def _push(self, task: Task, repository: Repository) -> str:
        folder, snapshot = Path(task.path), await self._snapshot(task)
        commit = await pushed(self._parts, repository, folder, task.branch, lambda line: self._log(task, line))
        if commit != snapshot.head:
            raise Conflict(
                "The branch has moved since the checkpoint was taken.", "Go back to the task and send it again.", commit
            )
        return f"{task.branch} {commit[:8]}"

    # -- the cloud ---------------------------------------------------------------------------------------------

    async def _task(self, task: Task, repository: Repository) -> str:
        """A cloud task, and a run of it that is local until everything is there."""
        cloud = self._cloud(task)
        found: CloudTask | None = None
        if task.cloud_task_id:
            try:
                found = await cloud.task(task.cloud_task_id)
            except NotFound:
                self._log(task, "the cloud task was deleted: a new one is made")
        found = found or await self._lost_task(cloud, task, repository)
        if found is None:
            try:
                found = await cloud.create_task(await self._new_task(cloud, task, repository))
            except GitHubNeeded as error:
                raise self._connect(cloud, error) from error
        await self._edit(task.id, cloud_task_id=found.id)
        run = await self._usable_run(cloud, task, found)
        if run is None:
            run = await cloud.create_run(found.id, self._request(task))
        if text(run.state.get(MARK)) != task.id:
            run = await cloud.patch_run(found.id, run.id, {"state": {MARK: task.id}})
        await self._edit(task.id, cloud_run_id=run.id)
        return found.slug or found.id

    async def _lost_task(self, cloud: Cloud, task: Task, repository: Repository) -> CloudTask | None:
        """One that an earlier attempt has made and could not note down: creating is never repeated blindly."""
        begun = min((s.started_at for s in task.steps if s.started_at), default=self._parts.clock.now())
        linked = {other.cloud_task_id for other in self._parts.store.state.tasks.values()}
        name = remote_name(repository.remote_url)[1]
        for one in await cloud.list_tasks(TaskQuery(repository=name)):
            same = one.description == task.prompt and one.repository == name and one.title == _title(task)
            mine = one.run is None or text(one.run.state.get(MARK)) in ("", task.id)
            unstarted = one.run is None or (one.run.environment == "local" and one.run.status in NOT_STARTED)
            if same and mine and unstarted and one.id not in linked and one.created_at > begun - _CLOCKS:
                return one
        return None

    async def _new_task(self, cloud: Cloud, task: Task, repository: Repository) -> NewCloudTask:
        name = remote_name(repository.remote_url)[1]
        if not name:
            raise InvalidInput(
                f"{repository.name} has no remote that the cloud could clone.", "Push it to GitHub, then try again."
            )
        owner = name.split("/")[0]
        known = await cloud.installations()
        team = [one for one in known if not one.personal and not one.problem]
        best = next((one for one in team if one.account.lower() == owner), team[0] if team else None)
        number = int(best.id) if best is not None and best.id.isdigit() else 0
        personal = next((one.id for one in known if one.personal), "") if not number else ""
        return NewCloudTask(
            description=task.prompt,
            repository=name,
            title=_title(task),
            github_integration=number,
            github_user_integration=personal,
        )

    async def _usable_run(self, cloud: Cloud, task: Task, found: CloudTask) -> CloudRunInfo | None:
        """The run that the task was last worked with, or one that an earlier attempt has made: never one that ended."""
        runs = await cloud.runs(found.id)
        for run in runs:
            if run.over:
                continue
            if run.id == task.cloud_run_id or text(run.state.get(MARK)) == task.id:
                return run
            unmarked = run.status in NOT_STARTED and not text(run.state.get(MARK))
            if unmarked and run.environment == "local" and run.mode == "interactive":
                return run
        return None

    def _request(self, task: Task) -> RunRequest:
        adapter = _ADAPTERS.get(task.agent_id, "") if task.model else ""
        return RunRequest(
            environment="local",
            mode="interactive",
            branch=task.base,
            adapter=adapter,
            model=task.model if adapter else "",
        )

    async def _upload(self, task: Task, _repository: Repository) -> str:
        snapshot = await self._snapshot(task)
        parcel = await self._parts.transfer.export(Path(task.path), snapshot, [snapshot.head])
        if len(parcel.pack) > SIZE_LIMIT:
            raise Refused(
                f"What is not committed is too large to be sent ({len(parcel.pack) // 1_000_000} MB).",
                f"At most {SIZE_LIMIT // 1_000_000} MB can be. Commit the large files, or leave them out (.gitignore).",
            )
        cloud, run = self._cloud(task), await self._run(task)
        wanted = {
            f"checkpoint-{parcel.snapshot.commit[:16]}.{kind}": base64.b64encode(data)
            for kind, data in (("pack", parcel.pack), ("index", parcel.index))
        }
        known = {one.name: one for one in run.artifacts if one.name in wanted and one.size == len(wanted[one.name])}
        files = [CloudFile(name, data, "text/plain", "artifact") for name, data in wanted.items() if name not in known]
        known |= {one.name: one for one in await cloud.put_artifacts(run.task_id, run.id, files)}
        paths = [_stored(known, name) for name in wanted]
        await self._tell_checkpoint(task, parcel.snapshot, paths)
        return plural(sum(map(len, wanted.values())), "byte")

    async def _tell_checkpoint(self, task: Task, snapshot: Snapshot, paths: list[str]) -> None:
        """The entry that a sandbox looks for, behind the conversation: what follows it is the cloud's."""
        repository = self._parts.store.state.repositories[task.repository_id]
        ref = f"refs/heads/{snapshot.branch}"
        params = {
            "checkpointId": snapshot.commit[:16],
            "commit": snapshot.commit,
            "checkpointRef": self._ref(task),
            "headRef": ref,
            "head": snapshot.head,
            "branch": snapshot.branch,
            "indexTree": snapshot.index_tree,
            "worktreeTree": snapshot.tree,
            "upstreamRemote": "origin",
            "upstreamMergeRef": ref,
            "remoteUrl": without_credentials(repository.remote_url),
            "artifactPath": paths[0],
            "indexArtifactPath": paths[1],
            "device": {"type": "local"},
        }
        cloud = self._cloud(task)
        for one in reversed(await cloud.whole_log(task.cloud_task_id, task.cloud_run_id)):
            frame = frame_of(one)
            if frame is not None and extension(frame) == "git_checkpoint":
                told = mapping(frame.get("params"))
                same = all(
                    told.get(key) == params[key] for key in ("worktreeTree", "indexTree", "head", "artifactPath")
                )
                if same:
                    return
                break
        now = self._parts.clock.now()
        told_at = entry({}, now)["timestamp"]
        frame = {"jsonrpc": "2.0", "method": "_posthog/git_checkpoint", "params": {**params, "timestamp": told_at}}
        await cloud.append_log(task.cloud_task_id, task.cloud_run_id, [entry(frame, now)])

    async def _talk(self, task: Task, _repository: Repository) -> str:
        cloud = self._cloud(task)
        lines = await asyncio.to_thread(self._parts.sessions.journaled, task.id)
        wanted = entries(lines, task.cloud_run_id)
        stored = await cloud.whole_log(task.cloud_task_id, task.cloud_run_id)
        left = missing(wanted, stored)
        for start in range(0, len(left), BATCH):
            await cloud.append_log(task.cloud_task_id, task.cloud_run_id, left[start : start + BATCH])
        return plural(len(wanted), "entry", "entries")

    async def _start(self, task: Task, _repository: Repository) -> str:
        cloud, run = self._cloud(task), await self._run(task)
        if run.environment == "cloud" and not run.over:
            return run.status
        try:
            run = await cloud.resume_in_cloud(task.cloud_task_id, task.cloud_run_id)
        except GitHubNeeded as error:
            raise self._connect(cloud, error) from error
        except InvalidInput as error:
            if "already active" not in f"{error.title} {error.detail}":
                raise
        return run.status

    async def _archive(self, task: Task, _repository: Repository) -> str:
        if not Path(task.path).is_dir():
            return "it is archived already"
        await self._wait_started(task)
        if not await self._parts.checkpoints.verify(Path(task.path), await self._snapshot(task)):
            return "it stays: it was changed after it was sent"
        await self._edit(task.id, **await self._put_away(task))
        return ""

    async def _wait_started(self, task: Task) -> None:
        """Until the run is at work: before that, the worktree is the only whole copy."""
        waited = 0.0
        while (run := await self._run(task)).status in NOT_STARTED:
            if waited >= _START_WAIT:
                raise Refused("The run did not start in the cloud yet.", "The worktree stays. Try again later.")
            await self._sleep(_START_LOOK)
            waited += _START_LOOK
        if run.status in TERMINAL:
            raise Refused(f"The run in the cloud is {run.status} already.", "The worktree stays.", run.error)

    async def _watch(self, task: Task, _repository: Repository) -> str:
        lines = await asyncio.to_thread(self._parts.sessions.journaled, task.id)
        marks = [
            frame["params"]
            for frame, way, _ in lines
            if way == "note" and frame.get("method") == f"_posthog_code/{BOUNDARY}"
        ]
        here = {"to": "cloud", "run": task.cloud_run_id}
        if marks[-1:] != [here]:
            self._parts.sessions.note(task.id, "notice", level="info", title="Sent to the cloud.", text="")
            self._parts.sessions.note(task.id, "run", run=task.cloud_run_id)
            self._parts.sessions.note(task.id, BOUNDARY, **here)
        await self._drop_copies(task)
        self._parts.sessions.release(task)
        # A person's own checkout is theirs again.
        path = "" if task.workspace is Workspace.LOCAL else task.path
        await self._edit(task.id, workspace=Workspace.CLOUD, path=path, unread=False)
        return ""

    # -- bookkeeping -------------------------------------------------------------------------------------------

    def _connect(self, cloud: Cloud, error: GitHubNeeded) -> GitHubNeeded:
        url = error.url or cloud.connect_github_url()
        return GitHubNeeded(error.title, f"Connect GitHub at {url} and try again.", error.detail, url=url)

    def _cloud(self, task: Task) -> Cloud:
        return self._parts.cloud(task.cloud_project_id)

    def _now(self, task_id: TaskId) -> Task:
        return self._parts.store.state.tasks[task_id]

    async def _run(self, task: Task) -> CloudRunInfo:
        return await self._cloud(task).run(task.cloud_task_id, task.cloud_run_id)

    async def _snapshot(self, task: Task) -> Snapshot:
        return await self._parts.checkpoints.read(Path(task.path), self._ref(task))

    def _ref(self, task: Task) -> str:
        return sent_ref(task.id)

    def _log(self, task: Task, line: str) -> None:
        self._parts.logs.write(task.id, LogSource.SETUP, line)

    async def _edit(self, task_id: TaskId, **fields: Any) -> None:
        await self._parts.store.update(
            lambda state: edits.edit_task(state, task_id, **fields), *edits.task_topics(task_id)
        )


def sent_ref(task_id: TaskId) -> str:
    """Ref of the snapshot that was sent."""
    return f"refs/posthog-code/{task_id}/to-cloud"


def check_branch(task: Task, repository: Repository) -> None:
    """Raises Refused when the work is on no branch of its own."""
    if not task.branch:
        raise Refused("The worktree is on no branch.", "Create one with `git switch -c NAME`, then send it again.")
    if task.branch in (repository.default_branch, task.base):
        raise Refused(
            f"The work is on {task.branch} itself, which is not pushed from here.",
            "Create a branch with `git switch -c NAME`, then send it again.",
        )


def is_sending(steps: tuple[Step, ...]) -> bool:
    """Whether the steps are those of a hand-over to the cloud that is not over."""
    return any(step.id == WATCH and step.state is not StepState.DONE for step in steps)


def _title(task: Task) -> str:
    return task.title[:255]


def _stored(known: Mapping[str, CloudArtifact], name: str) -> str:
    path = known[name].storage_path if name in known else ""
    if not path:
        raise Refused("The cloud did not keep the checkpoint.", "Try again.", name)
    return path
