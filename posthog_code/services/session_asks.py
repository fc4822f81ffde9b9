"""What an agent asks of the person, until it is answered or over."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from posthog_code.domain.errors import AgentFailed, NotFound, StorageFailed
from posthog_code.domain.ids import RequestId
from posthog_code.domain.session import Ask, AskKind, SessionPhase
from posthog_code.domain.state import AppState
from posthog_code.ports.agent import Run
from posthog_code.services import edits
from posthog_code.services.session_parts import AskPolicy
from posthog_code.services.session_record import SessionRecord
from posthog_code.services.stream import Stream


class SessionAsks:
    """Pending permissions and questions of one session."""

    def __init__(self, record: SessionRecord, stream: Stream, policy: AskPolicy, run: Callable[[], Run | None]) -> None:
        self._record = record
        self._stream = stream
        self._policy = policy
        self._run = run
        self._pending: dict[RequestId, tuple[int | str, Ask]] = {}

    def forget(self) -> None:
        """The agent that asked is gone."""
        self._pending.clear()

    async def answer(self, request_id: RequestId, option_id: str, by: str = "you") -> None:
        """Answer a permission. Raises NotFound when it is over already."""
        pending = self._pending.get(request_id)
        run = self._run()
        if pending is None or run is None:
            raise NotFound("This question is over.", "The agent does not wait for it any more.")
        wire_id, ask = pending
        self._stream.note("answered", requestId=request_id, answer=option_id, by=by)
        del self._pending[request_id]
        run.respond(wire_id, {"outcome": {"outcome": "selected", "optionId": option_id}})
        await self._answered(ask)

    async def answer_question(self, request_id: RequestId, content: Mapping[str, Any] | None) -> None:
        """Answer a question's form; None declines it."""
        pending = self._pending.pop(request_id, None)
        run = self._run()
        if pending is None or run is None:
            raise NotFound("This question is over.", "The agent does not wait for it any more.")
        wire_id, ask = pending
        result = {"action": "decline"} if content is None else {"action": "accept", "content": dict(content)}
        run.respond(wire_id, result)
        await self._answered(ask)

    async def asked(self, wire_id: int | str, ask: Ask) -> None:
        self._pending[ask.id] = (wire_id, ask)
        chosen = self._policy(self._record.task_id, ask)
        if chosen is not None:
            with contextlib.suppress(NotFound):  # the agent is gone already
                if ask.kind is AskKind.PERMISSION:
                    await self.answer(ask.id, chosen, by="rule")
                else:
                    await self.answer_question(ask.id, None)
            return

        def change(state: AppState) -> AppState:
            session = state.sessions[self._record.id]
            # An id that is used twice names the later request: only that one can be answered.
            others = tuple(a for a in session.asks if a.id != ask.id)
            state = edits.put_session(state, replace(session, asks=(*others, ask), phase=SessionPhase.WAITING))
            return edits.edit_task(state, self._record.task_id, unread=True)

        await self._record.update(change)

    async def _answered(self, ask: Ask) -> None:
        def change(state: AppState) -> AppState:
            session = state.sessions[self._record.id]
            asks = tuple(a for a in session.asks if a.id != ask.id)
            waiting = session.phase is SessionPhase.WAITING and not asks
            return edits.put_session(
                state, replace(session, asks=asks, phase=SessionPhase.WORKING if waiting else session.phase)
            )

        try:
            await self._record.update(change)
        except StorageFailed:
            # The agent has its answer; pending asks are in memory only.
            self._record.update_anyway(change)

    async def cancel_all(self) -> None:
        """What the turn asked and nobody answered is over with it."""
        run = self._run()
        for wire_id, ask in tuple(self._pending.values()):
            if run is not None:
                answer = (
                    {"outcome": {"outcome": "cancelled"}} if ask.kind is AskKind.PERMISSION else {"action": "cancel"}
                )
                with contextlib.suppress(AgentFailed):
                    run.respond(wire_id, answer)
        self._pending.clear()
        if self._record.session.asks:
            self._record.set_anyway(asks=())
