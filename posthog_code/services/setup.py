"""From a durable task to a ready workspace, in visible steps that roll back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from posthog_code.domain.errors import Conflict, Refused, StorageFailed, UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.logs import LogSource
from posthog_code.domain.state import AppState
from posthog_code.domain.task import Repository, Step, StepState, Task, TaskDraft, TaskPhase, Workspace, with_step
from posthog_code.domain.text import slug
from posthog_code.ports.clock import Clock
from posthog_code.ports.git import Git, Worktrees
from posthog_code.ports.process import Commands
from posthog_code.services import edits
from posthog_code.services.environment import marked, task_environment
from posthog_code.services.logs import Logs
from posthog_code.services.scope import carried_through
from posthog_code.services.store import Store

WORKTREE, FILES, SCRIPT, CHECKOUT = "worktree", "files", "script", "checkout"
_SHOWN_LINES = 12
_NAME_CHARACTERS = 28
StepAction = Callable[[Task, Repository], Awaitable[str]]
"""Does one step and gives its detail. It may be called again after it was cut short."""


def first_steps(draft: TaskDraft, repository: Repository) -> tuple[Step, ...]:
    """What will be done before the agent can start."""
    if draft.workspace is Workspace.LOCAL:
        return (Step(CHECKOUT, "Look at the checkout"),)
    steps = (Step(WORKTREE, "Create the worktree"), Step(FILES, "Bring ignored files"))
    if draft.run_setup and repository.setup_script.strip():
        first_line = repository.setup_script.strip().splitlines()[0]
        return (*steps, Step(SCRIPT, first_line[:60]))
    return steps


class TaskSetup:
    def __init__(
        self,
        store: Store,
        git: Git,
        worktrees: Worktrees,
        commands: Commands,
        logs: Logs,
        clock: Clock,
        worktrees_dir: Path,
    ) -> None:
        self._store = store
        self._git = git
        self._worktrees = worktrees
        self._commands = commands
        self._logs = logs
        self._clock = clock
        self._default_dir = worktrees_dir
        self._learned: dict[str, StepAction] = {}

    def learn(self, actions: Mapping[str, StepAction]) -> None:
        """Steps of other sagas of a task, which are shown, saved and tried again as those of the set-up are."""
        self._learned.update(actions)

    async def run(self, task_id: TaskId, *, skip_script: bool = False) -> bool:
        """Do the steps that are not done. True when the workspace is ready.

        A failure is told in the task's steps; what the failed step made is taken back.
        """
        try:
            return await self._steps(task_id, skip_script=skip_script)
        except asyncio.CancelledError:
            # The adapter has rolled back what it was making; the task stays, with its prompt.
            await carried_through(self.stopped(task_id))
            raise
        except StorageFailed as error:
            # It cannot be told on disk; the next start finds the set-up cut short and says so too.
            self._logs.write(task_id, LogSource.SETUP, str(error), level="error", data=error.detail)
            failed = self._failed(self._store.state, task_id, str(error))
            self._store.adopt(failed, *edits.task_topics(task_id))
            return False

    async def stopped(self, task_id: TaskId) -> None:
        """Tell of a set-up that was stopped, wherever it was."""
        task = self._store.state.tasks.get(task_id)
        if task is not None and task.phase is TaskPhase.SETTING_UP:
            reason = "Set-up was stopped. Nothing was kept of this step."
            self._logs.write(task_id, LogSource.SETUP, reason, level="error")
            await self._store.update(lambda state: self._failed(state, task_id, reason), *edits.task_topics(task_id))

    def _failed(self, state: AppState, task_id: TaskId, reason: str) -> AppState:
        """With the step that ran, or would have been next, as failed."""
        task = state.tasks[task_id]
        open_steps = sorted(
            (s for s in task.steps if s.state in (StepState.RUNNING, StepState.TODO)),
            key=lambda s: s.state is not StepState.RUNNING,
        )
        steps = task.steps
        if open_steps:
            steps = with_step(steps, open_steps[0].id, StepState.FAILED, self._clock.now(), reason)
        return edits.edit_task(state, task_id, steps=steps, phase=TaskPhase.SETUP_FAILED, unread=True)

    async def _steps(self, task_id: TaskId, *, skip_script: bool) -> bool:
        await self._edit(task_id, phase=TaskPhase.SETTING_UP)
        for step in self._store.state.tasks[task_id].steps:
            if step.state in (StepState.DONE, StepState.SKIPPED):
                continue
            if step.id == SCRIPT and skip_script:
                await self._move(task_id, SCRIPT, StepState.SKIPPED)
                continue
            if not await self._do(task_id, step):
                return False
        await self._edit(task_id, phase=TaskPhase.READY)
        return True

    async def reset(self, task_id: TaskId) -> None:
        """Failed steps may be tried again."""
        task = self._store.state.tasks[task_id]
        steps = tuple(
            replace(s, state=StepState.TODO, detail="") if s.state in (StepState.FAILED, StepState.RUNNING) else s
            for s in task.steps
        )
        await self._edit(task_id, steps=steps)

    async def _do(self, task_id: TaskId, step: Step) -> bool:
        await self._move(task_id, step.id, StepState.RUNNING)
        task = self._store.state.tasks[task_id]
        repository = self._store.state.repositories[task.repository_id]
        actions: dict[str, StepAction] = {
            WORKTREE: self._worktree,
            FILES: self._files,
            SCRIPT: self._script,
            CHECKOUT: self._checkout,
            **self._learned,
        }
        try:
            detail = await actions[step.id](task, repository)
        except StorageFailed:
            raise
        except UserError as error:
            await self._fail(task_id, step.id, f"{error.title} {error.hint}".strip(), error.detail)
            return False
        await self._move(task_id, step.id, StepState.DONE, detail)
        return True

    async def _fail(self, task_id: TaskId, step_id: str, reason: str, detail: str = "") -> None:
        self._logs.write(task_id, LogSource.SETUP, reason, level="error")
        if detail:
            self._logs.write(task_id, LogSource.SETUP, detail, level="error")
        task = self._store.state.tasks[task_id]
        shown = "\n".join([reason, *detail.strip().splitlines()[-_SHOWN_LINES:]])
        steps = with_step(task.steps, step_id, StepState.FAILED, self._clock.now(), shown)
        await self._edit(task_id, steps=steps, phase=TaskPhase.SETUP_FAILED, unread=True)

    # -- the steps ---------------------------------------------------------------------------------------------

    async def _worktree(self, task: Task, repository: Repository) -> str:
        if task.path and Path(task.path).is_dir():
            return task.branch  # made before the set-up was stopped
        root = Path(repository.path)
        base = task.base or repository.default_branch
        commit = await self._git.resolve(root, base)
        folder = self.folder(repository)

        def on_line(line: str) -> None:
            self._logs.write(task.id, LogSource.GIT, line)

        wanted = task.branch or repository.branch_prefix + slug(task.title)
        chosen = wanted
        for number in range(2, 100):
            path = free_path(folder / slug(chosen.removeprefix(repository.branch_prefix), 60))
            try:
                facts = await self._worktrees.add(
                    root, path, branch=chosen, base=commit, task_id=task.id, on_line=on_line
                )
            except Conflict:
                if task.branch:
                    raise
                # The name was ours to choose, so the next free one does as well.
                chosen = f"{wanted}-{number}"
                continue
            made = {"path": str(facts.path), "branch": facts.branch, "base": base, "base_commit": commit}
            await carried_through(self._edit(task.id, **made))
            return facts.branch
        raise Conflict("No free branch name was found.", "Give the task another title.", wanted)

    def folder(self, repository: Repository) -> Path:
        """Where the worktrees of a repository are made."""
        chosen = self._store.state.settings.worktrees_dir
        root = Path(chosen).expanduser() if chosen else self._default_dir
        return root / f"{slug(repository.name)}-{repository.id[:6].lower()}"

    async def _files(self, task: Task, repository: Repository) -> str:
        carried = await self._worktrees.carry(
            Path(repository.path), Path(task.path), lambda line: self._logs.write(task.id, LogSource.SETUP, line)
        )
        return f"{len(carried)} brought" if carried else "none listed"

    async def _script(self, task: Task, repository: Repository) -> str:
        tail: list[str] = []

        def on_line(line: str) -> None:
            self._logs.write(task.id, LogSource.SETUP, line)
            tail.append(line)
            del tail[:-_SHOWN_LINES]

        code = await self._commands.shell(
            repository.setup_script, Path(task.path), marked(task_environment(task, repository), task), on_line
        )
        if code:
            first = repository.setup_script.strip().splitlines()[0]
            # It heads a narrow card, where a long line would push the exit code out of sight.
            name = first if len(first) <= _NAME_CHARACTERS else "The set-up script"
            raise Refused(f"{name} failed (exit code {code}).", "The last lines are below.", "\n".join(tail))
        return tail[-1] if tail else ""

    async def _checkout(self, task: Task, repository: Repository) -> str:
        facts = await self._git.facts(Path(repository.path))
        await self._edit(
            task.id,
            path=str(facts.path),
            branch=facts.current_branch,
            base=task.base or facts.default_branch,
            base_commit=facts.head,
        )
        return facts.current_branch or "detached"

    # -- bookkeeping -------------------------------------------------------------------------------------------

    async def _move(self, task_id: TaskId, step_id: str, state: StepState, detail: str | None = None) -> None:
        task = self._store.state.tasks[task_id]
        await self._edit(task_id, steps=with_step(task.steps, step_id, state, self._clock.now(), detail))

    async def _edit(self, task_id: TaskId, **fields: Any) -> None:
        await self._store.update(lambda state: edits.edit_task(state, task_id, **fields), *edits.task_topics(task_id))

    async def undo_half_made(self, task: Task) -> None:
        """After a crash in the middle of set-up: take back a worktree that was made but never recorded."""
        repository = self._store.state.repositories.get(task.repository_id)
        if repository is None or task.path or task.workspace is not Workspace.WORKTREE:
            return
        with contextlib.suppress(UserError):
            for facts in await self._worktrees.list(Path(repository.path)):
                if facts.task_id == task.id:
                    await self._worktrees.discard_new(
                        Path(repository.path), facts.path, task_id=task.id, branch=facts.branch
                    )


def free_path(path: Path) -> Path:
    """The path, or the next one with a number that nothing has."""
    number, free = 2, path
    while free.exists() or free.is_symlink():
        free = path.with_name(f"{path.name}-{number}")
        number += 1
    return free
