"""A new task in the cloud and its first run: task, run, attachments, start."""

from __future__ import annotations

import asyncio
from pathlib import Path

from posthog_code.domain.cloud import NOT_STARTED, CloudTask
from posthog_code.domain.cloud_errors import OutcomeUnknown
from posthog_code.domain.cloud_requests import CloudDraft, GitHubInstallation, NewCloudTask, RunRequest
from posthog_code.domain.errors import InvalidInput, NotSignedIn, UserError
from posthog_code.ports.cloud import Cloud, TaskQuery
from posthog_code.services.cloud_files import read_file


class NotTakenBack(Exception):
    """The start failed, and the task that was made for it is still there, never started."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause


async def begin(cloud: Cloud, draft: CloudDraft) -> tuple[CloudTask, str]:
    """The task as the server tells it, and the id of its run. What fails after the first step takes the task back.
    Raises what the steps do, or NotTakenBack around it."""
    if not draft.prompt.strip():
        raise InvalidInput("The prompt is empty.", "Say what should change.")
    files = [await asyncio.to_thread(read_file, Path(path)) for path in draft.attachments]
    via = await _installation(cloud, draft.repository)
    new = NewCloudTask(
        description=draft.prompt,
        repository=draft.repository,
        title=draft.title,
        github_integration=int(via.id) if via and not via.personal and via.id.isdigit() else 0,
        github_user_integration=via.id if via and via.personal else "",
        origin="signal_report" if draft.report_id else "user_created",
        report_id=draft.report_id,
        relationship="implementation" if draft.report_id else "",
    )
    made = await _made(cloud, new)
    try:
        request = RunRequest(
            branch=draft.branch,
            adapter=draft.adapter,
            model=draft.model,
            effort=draft.effort,
            sandbox_environment=draft.environment,
            authorship="user" if via and via.personal and not draft.report_id else "bot",
            source="signal_report" if draft.report_id else "manual",
            permission_mode=draft.permission_mode,
            report_id=draft.report_id,
        )
        run = await cloud.create_run(made.id, request)
        uploaded = await cloud.upload(made.id, run.id, files) if files else ()
        return await _start(cloud, made.id, run.id, draft.prompt, tuple(one.id for one in uploaded)), run.id
    except BaseException as error:
        if not await asyncio.shield(_taken_back(cloud, made.id)):
            raise NotTakenBack(error) from error
        raise


async def _made(cloud: Cloud, new: NewCloudTask) -> CloudTask:
    """The new task; one whose answer got lost is looked for, so that a second try by hand makes no second one."""
    try:
        return await cloud.create_task(new)
    except OutcomeUnknown:
        listed = await cloud.list_tasks(TaskQuery(repository=new.repository))
        same = [one for one in listed if one.run is None and not one.archived and one.description == new.description]
        if not same:
            raise
        return max(same, key=lambda one: one.created_at)


async def _start(cloud: Cloud, task_id: str, run_id: str, prompt: str, artifact_ids: tuple[str, ...]) -> CloudTask:
    try:
        return await cloud.start_run(task_id, run_id, prompt, artifact_ids)
    except OutcomeUnknown:
        task = await cloud.task(task_id)
        run = await cloud.run(task_id, run_id)
        # A run that was created is "queued" too: whether it was told to start shows in what it waits for.
        if run.status in NOT_STARTED and not run.state.get("pending_user_message"):
            return await cloud.start_run(task_id, run_id, prompt, artifact_ids)
        return task


async def _taken_back(cloud: Cloud, task_id: str) -> bool:
    try:
        await cloud.delete_task(task_id)
    except UserError:
        return False
    return True


async def _installation(cloud: Cloud, repository: str) -> GitHubInstallation | None:
    """The connection that reaches a repository; the person's own one goes first."""
    if not repository:
        return None
    installations = await cloud.installations()
    for one in sorted(installations, key=lambda found: not found.personal):
        try:
            if repository.lower() in await cloud.repositories(one, repository.rpartition("/")[2]):
                return one
        except NotSignedIn:
            raise
        except UserError:
            continue  # suspended, or not ours to read: perhaps another one reaches it
    return next(iter(installations), None)
