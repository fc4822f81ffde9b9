"""Screens of states that the demo world is not in by itself: empty, running, failed. They are pretended in memory."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from posthog_code.domain.agent import AgentStatus
from posthog_code.domain.ids import CommentId, MessageId, SessionId, TaskId
from posthog_code.domain.review import Comment, CommentState
from posthog_code.domain.session import Session, SessionPhase
from posthog_code.domain.state import AppState
from posthog_code.domain.task import DiffStat, QueuedMessage, Step, StepState, Task, TaskDraft, TaskPhase, with_step

if TYPE_CHECKING:
    from posthog_code.app.studio import Studio
    from posthog_code.ui.panels.changes import ChangesPanel
    from posthog_code.ui.panels.logs import LogsPanel

Screen = Callable[["Studio"], Awaitable[None]]

_DOUBLE_CHARGE = "Stop double charges"
_TITLE = "Show the delivery date on the order page"
_NEW = TaskId("shown-task")
_STEPS: tuple[Step, ...] = (
    Step("worktree", "Create the worktree"),
    Step("files", "Bring ignored files"),
    Step("script", "pnpm install"),
)
_FAILURE = (
    "pnpm install failed (exit code 1).\nERR_PNPM_OUTDATED_LOCKFILE  Cannot install with a frozen lockfile because\n"
    "pnpm-lock.yaml is not up to date with package.json"
)


async def first_start(studio: Studio) -> None:
    agents = studio.context.state.agents
    settings = studio.context.state.settings
    studio.pretend(lambda state: AppState(settings=settings, agents=agents))
    studio.context.nav.open_new_task()


def _with_new_task(studio: Studio, phase: TaskPhase, steps: tuple[Step, ...]) -> None:
    model = studio.task(_DOUBLE_CHARGE)
    now = time.time()
    title = _TITLE
    task = replace(
        model, id=_NEW, session_id=SessionId("shown-session"), title=title, prompt=title, branch="feat/delivery-date",
        phase=phase, steps=steps, path="", pinned=False, unread=False, stat=DiffStat(), created_at=now, updated_at=now,
    )  # fmt: skip
    shown = Session(task.session_id, task.id, task.agent_id)
    studio.pretend(
        lambda state: replace(
            state, tasks={**state.tasks, task.id: task}, sessions={**state.sessions, task.session_id: shown}
        )
    )


async def _open_new(studio: Studio) -> None:
    studio.context.nav.open_task(_NEW, "conversation" if studio.window.task_page.compact else "changes")
    await studio.until(lambda: studio.window.task_page.panel("conversation") or studio.window.task_page.compact)
    if not studio.window.task_page.compact:
        studio.window.task_page.close_panel()


async def setting_up(studio: Studio) -> None:
    now = time.time()
    steps = with_step(with_step(_STEPS, "worktree", StepState.RUNNING, now - 4), "worktree", StepState.DONE, now - 3)
    steps = with_step(with_step(steps, "files", StepState.RUNNING, now - 3), "files", StepState.DONE, now - 3)
    steps = with_step(steps, "script", StepState.RUNNING, now - 2, "Progress: resolved 412, reused 398, added 171")
    _with_new_task(studio, TaskPhase.SETTING_UP, steps)
    await _open_new(studio)


async def setup_failed(studio: Studio) -> None:
    now = time.time()
    steps = _STEPS
    for step in ("worktree", "files"):
        steps = with_step(with_step(steps, step, StepState.RUNNING, now - 9), step, StepState.DONE, now - 8)
    steps = with_step(with_step(steps, "script", StepState.RUNNING, now - 8), "script", StepState.FAILED, now, _FAILURE)
    _with_new_task(studio, TaskPhase.SETUP_FAILED, steps)
    await _open_new(studio)


async def agent_missing(studio: Studio) -> None:
    services = studio.container.services
    repository_id = studio.task(_DOUBLE_CHARGE).repository_id
    draft = TaskDraft(_TITLE, repository_id, "custom", branch="feat/delivery-date", agent_command="no-such-agent --acp")
    task_id = await services.tasks.create(draft)
    studio.afterwards.append(lambda: services.tasks.delete(task_id))
    await studio.open_task(_TITLE, panel=False)
    await studio.until(lambda: studio.failed(task_id))


async def queued(studio: Studio) -> None:
    task_id = await studio.open_task("Upgrade Vite", panel=False)
    words = ("Add a line to the changelog when you are done", "Then run the tests once more")
    messages = tuple(QueuedMessage(MessageId(f"shown-{n}"), task_id, text, time.time()) for n, text in enumerate(words))
    studio.pretend(lambda state: replace(state, queue={**state.queue, task_id: messages}))


async def comments(studio: Studio) -> None:
    task_id = await studio.open_task(_DOUBLE_CHARGE)
    await studio.until(studio.diff_is_shown)
    panel = cast("ChangesPanel", studio.window.task_page.panel("changes"))
    await studio.until(lambda: panel.view.index.finished and len(panel.view.index))
    studio.pretend(lambda state: replace(state, comments={**state.comments, task_id: _thread(task_id)}))
    studio.context.nav.open_file(task_id, "src/payments/idempotency.ts", 5)


def _thread(task_id: TaskId) -> tuple[Comment, ...]:
    path, now = "src/payments/idempotency.ts", time.time()

    def said(number: int, line: int, text: str, state: CommentState, turn: int = 0) -> Comment:
        name = CommentId(f"shown-{number}")
        return Comment(name, task_id, path, "new", line, line, "", text, now - 300 + number, state, turn)

    return (
        said(1, 6, "Say why it is kept for this long.", CommentState.SENT, 3),
        said(2, 9, "Match the gateway: it remembers keys for 48 hours.", CommentState.PENDING),
        said(3, 14, "What happens when the store is down?", CommentState.PENDING),
    )


async def pull_request_empty(studio: Studio) -> None:
    await studio.open_task(_DOUBLE_CHARGE, "pull_request")


async def _publishing(studio: Studio, change: Callable[[tuple[Step, ...]], tuple[Step, ...]]) -> None:
    task_id = await studio.open_task(_DOUBLE_CHARGE, "pull_request")
    now = time.time()
    steps: tuple[Step, ...] = (
        Step("commit", "Commit 7 files"),
        Step("push", "Push fix/double-charge"),
        Step("open", "Open the pull request"),
    )
    steps = with_step(with_step(steps, "commit", StepState.RUNNING, now - 3), "commit", StepState.DONE, now - 2)
    steps = change(with_step(steps, "push", StepState.RUNNING, now - 2))
    studio.pretend(lambda state: replace(state, publishing={**state.publishing, task_id: steps}))


async def pull_request_running(studio: Studio) -> None:
    await _publishing(studio, lambda steps: steps)


async def pull_request_failed(studio: Studio) -> None:
    reason = "Push rejected. The branch moved on GitHub.\nPull, then push again."
    await _publishing(studio, lambda steps: with_step(steps, "push", StepState.FAILED, time.time(), reason))


async def log_without_match(studio: Studio) -> None:
    await studio.open_task(_DOUBLE_CHARGE, "logs")
    panel = cast("LogsPanel", studio.window.task_page.panel("logs"))
    panel.field.edit.setText("1337")


async def delete_asks(studio: Studio) -> None:
    task_id = await studio.open_task(_DOUBLE_CHARGE)
    await studio.until(studio.diff_is_shown)
    studio.window.tasks.delete(task_id)
    await studio.until(lambda: studio.find_titled("Delete the task"))


async def toast(studio: Studio) -> None:
    await studio.open_task(_DOUBLE_CHARGE)
    await studio.until(studio.diff_is_shown)
    shown = studio.context.toasts
    shown.show("Reverted 1 hunk in submitPayment.ts.", actions=[("Undo", lambda: None)], timeout=60.0)
    shown.show(
        "GitHub does not answer.", "The last state is from 14:52. Local tasks keep working.", "warning", timeout=60.0
    )


async def needs_you(studio: Studio) -> None:
    await studio.open_task("Rate-limit", panel=False)
    studio.window.sidebar.show_waiting()


async def nobody_waits(studio: Studio) -> None:
    def quiet(state: AppState) -> AppState:
        tasks: dict[TaskId, Task] = {key: replace(task, unread=False) for key, task in state.tasks.items()}
        sessions = {key: replace(s, asks=(), phase=SessionPhase.IDLE, turns=()) for key, s in state.sessions.items()}
        return replace(state, tasks=tasks, sessions=sessions, pull_requests={})

    studio.context.nav.open_new_task()
    studio.pretend(quiet)
    studio.window.sidebar.show_waiting()


async def keys(studio: Studio) -> None:
    await studio.open_task(_DOUBLE_CHARGE)
    await studio.until(studio.diff_is_shown)
    studio.run("window.keys")


async def go_to_file(studio: Studio) -> None:
    await studio.open_task(_DOUBLE_CHARGE)
    await studio.until(studio.diff_is_shown)
    studio.run("window.file")
    await studio.until(lambda: studio.find("palette"))


async def no_agents(studio: Studio) -> None:
    def gone(state: AppState) -> AppState:
        missing = AgentStatus.NOT_INSTALLED
        return replace(state, agents=tuple(replace(a, status=missing, path="", version="") for a in state.agents))

    studio.pretend(gone)
    studio.context.nav.open_settings("agents")


STATES: dict[str, Screen] = {
    "first-start": first_start,
    "setting-up": setting_up,
    "setup-failed": setup_failed,
    "agent-missing": agent_missing,
    "agents-missing": no_agents,
    "queued": queued,
    "comments": comments,
    "pr-empty": pull_request_empty,
    "pr-publishing": pull_request_running,
    "pr-failed": pull_request_failed,
    "logs-no-match": log_without_match,
    "delete": delete_asks,
    "toast": toast,
    "needs-you": needs_you,
    "needs-nobody": nobody_waits,
    "keys": keys,
    "go-to-file": go_to_file,
}
