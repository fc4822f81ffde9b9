"""What a watched run is to the panels: the session's fields, and how a run ended as part of its conversation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from posthog_code.domain.cloud import NOT_STARTED, CloudRunInfo
from posthog_code.domain.cloud_facts import CloudFacts
from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.session import Session, SessionPhase
from posthog_code.domain.state import AppState
from posthog_code.services import edits
from posthog_code.services.cloud_stream import CloudStream
from posthog_code.services.scope import Scope


class Coalesced:
    """Changes, published once for many, and waited for."""

    def __init__(self, scope: Scope, publish: Callable[[], Awaitable[None]]) -> None:
        self._scope, self._publish = scope, publish
        self._changed = asyncio.Event()
        self._publishing: asyncio.Task[None] | None = None
        self._dirty = False

    def touch(self) -> None:
        self._dirty = True
        waiting, self._changed = self._changed, asyncio.Event()
        waiting.set()
        if self._publishing is None or self._publishing.done():
            self._publishing = self._scope.spawn(self._run(), "publish")

    async def _run(self) -> None:
        while self._dirty:
            self._dirty = False
            await self._publish()

    async def settled(self) -> None:
        """Until everything is published."""
        while self._publishing is not None and not self._publishing.done():
            await asyncio.wait([self._publishing])

    async def next(self) -> None:
        await self._changed.wait()

    async def until(self, condition: Callable[[], Any], seconds: float) -> bool:
        """False when it did not come true in time."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    await self.next()
        except TimeoutError:
            return bool(condition())
        return True


def phase_of(known: SessionPhase, info: CloudRunInfo | None, facts: CloudFacts, running: bool) -> SessionPhase:
    if info is None:
        return known
    if info.over:
        return SessionPhase.FAILED if info.status == "failed" else SessionPhase.IDLE
    if facts.asks:
        return SessionPhase.WAITING
    if running:
        return SessionPhase.CANCELLING if known is SessionPhase.CANCELLING else SessionPhase.WORKING
    if info.status in NOT_STARTED or not facts.started:
        return SessionPhase.STARTING
    return SessionPhase.READY if facts.prompted else SessionPhase.STARTING


def session_fields(
    known: Session, info: CloudRunInfo | None, facts: CloudFacts, problem: UserError | None, running: bool
) -> dict[str, Any]:
    """The session as it is now, by what was known of it and what the run tells."""
    told = facts.session
    failed = info.error if info is not None and info.status == "failed" else ""
    return {
        "phase": phase_of(known.phase, info, facts, running),
        "options": told.options or known.options,
        "commands": told.commands or known.commands,
        "usage": told.usage,
        "agent_name": told.agent_name or known.agent_name,
        "agent_session_id": facts.agent_session or known.agent_session_id,
        "asks": tuple(one.ask for one in facts.asks.values()),
        "error": problem.title if problem else failed,
        "error_hint": problem.hint if problem else "",
    }


def task_told(state: AppState, task_id: TaskId, info: CloudRunInfo | None, news_at: float) -> AppState:
    """The task as its run tells it. `news_at` is when something happened that a person wants to see, 0 for nothing."""
    task = state.tasks.get(task_id)
    fields: dict[str, Any] = {"unread": True, "updated_at": news_at} if news_at else {}
    if task is not None and info is not None and info.branch:
        fields["branch"] = info.branch
    return edits.edit_task(state, task_id, **fields) if task is not None and fields else state


def tell_end(stream: CloudStream, run: CloudRunInfo, started: bool) -> None:
    """How the run ended, once, as part of the conversation."""
    if any(params.get("run") == run.id for _, params in stream.notes("run_over")):
        return
    stream.note("run_over", run=run.id, status=run.status)
    if stream.transcript.running:
        reason = {"completed": "end_turn", "cancelled": "cancelled"}.get(run.status, "error")
        stream.note("turn_ended", stopReason=reason, error=run.error)
    elif run.status == "failed":
        title = "The cloud run failed." if started else "The run's sandbox did not come up."
        stream.note("notice", level="error", title=title, text=run.error, actions=["retry_turn", "show_logs"])
