"""At start: what a crash left half done is told and mended; nothing is deleted for want of a record."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import SessionId, TaskId
from posthog_code.domain.session import Session, SessionPhase
from posthog_code.domain.state import AppState
from posthog_code.domain.task import StepState, Task, TaskPhase, Workspace, with_step
from posthog_code.ports.agent import AgentHost
from posthog_code.ports.clock import Clock
from posthog_code.ports.storage import Journals
from posthog_code.services import edits
from posthog_code.services.scope import Scope
from posthog_code.services.setup import TaskSetup
from posthog_code.services.store import Store

log = logging.getLogger("reconcile")
_UNSETTLED = (SessionPhase.STARTING, SessionPhase.WORKING, SessionPhase.WAITING, SessionPhase.CANCELLING)
_MEASURED = 20
"""Interrupted tasks whose changes are read again at start."""
_MEASURE_TIME = 30.0
"""Seconds for each."""


def _unsettled(session: Session) -> bool:
    open_turn = session.turn is not None and not session.turn.stop_reason
    return session.phase in _UNSETTLED or open_turn or bool(session.pid)


class Reconcile:
    def __init__(
        self,
        store: Store,
        journals: Journals,
        host: AgentHost,
        setup: TaskSetup,
        clock: Clock,
        measure: Callable[[TaskId], Awaitable[object]],
        scope: Scope,
    ) -> None:
        """`measure` reads the size of a task's changes again."""
        self._store = store
        self._journals = journals
        self._host = host
        self._setup = setup
        self._clock = clock
        self._measure = measure
        self._scope = scope

    async def run(self) -> int:
        """Mend what the last run of the app left; gives the number of interrupted turns.

        Sessions that another living process drives are left alone.
        """
        state = self._store.state
        # A run in the cloud did not end with us: it is looked at again when somebody does.
        away = {task.session_id for task in state.tasks.values() if task.workspace is Workspace.CLOUD}
        sessions = [
            s for s in state.sessions.values() if s.id not in away and _unsettled(s) and not self._journals.in_use(s.id)
        ]
        cut = [
            task
            for task in self._store.state.tasks.values()
            if task.phase is TaskPhase.SETTING_UP and not self._journals.in_use(task.session_id)
        ]
        await asyncio.to_thread(self._end_survivors, sessions, [task.session_id for task in cut])
        interrupted = 0
        for session in sessions:
            interrupted += await self._settle(session)
        for task in cut:
            await self._stop_setup(task)
        if stale := self._interrupted():
            self._scope.spawn(self._measure_all(stale), "measure-interrupted")
        return interrupted

    def _interrupted(self) -> list[TaskId]:
        """Tasks whose figures are from before their last turn, the latest first."""
        state = self._store.state
        found = [
            task
            for task in state.tasks.values()
            if task.phase is TaskPhase.READY
            and task.workspace is not Workspace.CLOUD
            and (session := state.session_of(task.id)) is not None
            and session.phase is SessionPhase.INTERRUPTED
        ]
        return [task.id for task in sorted(found, key=lambda task: -task.updated_at)[:_MEASURED]]

    async def _measure_all(self, task_ids: list[TaskId]) -> None:
        """One after another: the start has better things to do with the disk."""
        for task_id in task_ids:
            try:
                async with asyncio.timeout(_MEASURE_TIME):
                    await self._measure(task_id)
            except (UserError, TimeoutError) as error:
                log.info("the changes of task %s are as they were known: %s", task_id, error)

    def _end_survivors(self, sessions: list[Session], set_ups: list[SessionId]) -> None:
        """Processes of an earlier run: by pid and start time, and by the mark that each of them carries."""
        for session in sessions:
            if session.pid and self._host.reap(session.pid, session.pid_started):
                log.warning("ended agent process %d of an earlier run", session.pid)
        run_ids = [*(session.id for session in sessions), *set_ups]
        if run_ids and (ended := self._host.reap_marked(run_ids)):
            log.warning("ended %d more processes of earlier runs", ended)

    async def _settle(self, session: Session) -> int:
        turn = session.turn
        open_turn = turn is not None and not turn.stop_reason
        phase = SessionPhase.INTERRUPTED if open_turn else SessionPhase.IDLE
        if session.phase in (SessionPhase.FAILED, SessionPhase.INTERRUPTED) and not open_turn:
            phase = session.phase
        fields: dict[str, Any] = {"phase": phase, "pid": 0, "asks": ()}
        if session.phase is SessionPhase.STARTING and not open_turn:
            fields["phase"] = SessionPhase.INTERRUPTED
            self._note(
                session.id,
                "notice",
                level="warning",
                title="PostHog Code ended before the agent got the prompt.",
                text="The prompt is kept.",
                actions=["retry_turn"],
            )
        if open_turn and turn is not None:
            self._note(session.id, "interrupted")
            ended = replace(turn, stop_reason="interrupted", ended_at=self._clock.now())
            fields["turns"] = (*session.turns[:-1], ended)

        def change(state: AppState) -> AppState:
            state = edits.edit_session(state, session.id, **fields)
            return edits.edit_task(state, session.task_id, unread=True) if open_turn else state

        await self._store.update(change)
        return int(open_turn)

    def _note(self, session_id: SessionId, name: str, **params: Any) -> None:
        """A conversation that cannot be written to is no reason to leave the others as they are."""
        frame = {"jsonrpc": "2.0", "method": f"_posthog_code/{name}", "params": params}
        try:
            journal = self._journals.open(session_id)
            try:
                journal.append(frame, "note", self._clock.now())
            finally:
                journal.close()
        except UserError as error:
            log.error("cannot tell in session %s that it was cut short: %s %s", session_id, error, error.detail)

    async def _stop_setup(self, task: Task) -> None:
        await self._setup.undo_half_made(task)
        running = next((s for s in task.steps if s.state is StepState.RUNNING), None) or next(
            (s for s in task.steps if s.state is StepState.TODO), None
        )
        steps = task.steps
        if running is not None:
            reason = "PostHog Code ended during this step. Run it again."
            steps = with_step(steps, running.id, StepState.FAILED, self._clock.now(), reason)
        phase = TaskPhase.SETUP_FAILED if running is not None else TaskPhase.READY
        await self._store.update(lambda state: edits.edit_task(state, task.id, steps=steps, phase=phase, unread=True))
