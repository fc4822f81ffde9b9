"""A session's row, and the one way to change it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from posthog_code.domain.ids import SessionId, TaskId
from posthog_code.domain.session import Session
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import Task
from posthog_code.services import edits
from posthog_code.services.store import Store


class SessionRecord:
    """What the state says of one session and its task."""

    def __init__(self, store: Store, task_id: TaskId, session_id: SessionId) -> None:
        self._store = store
        self.task_id = task_id
        self.id = session_id
        self._topics = (Topic("session", task_id), *edits.task_topics(task_id))

    @property
    def task(self) -> Task:
        return self._store.state.tasks[self.task_id]

    @property
    def session(self) -> Session:
        return self._store.state.sessions[self.id]

    async def update(self, change: Callable[[AppState], AppState], *topics: Topic) -> None:
        await self._store.update(change, *self._topics, *topics)

    async def set(self, **fields: Any) -> None:
        """Fields of the session."""
        await self.update(lambda state: edits.edit_session(state, self.id, **fields))

    async def set_task(self, **fields: Any) -> None:
        await self.update(lambda state: edits.edit_task(state, self.task_id, **fields))

    def update_anyway(self, change: Callable[[AppState], AppState]) -> None:
        """In memory only, for what is not kept or cannot be: the row is written whole with its next change."""
        self._store.adopt(change(self._store.state), *self._topics)

    def set_anyway(self, **fields: Any) -> None:
        self.update_anyway(lambda state: edits.edit_session(state, self.id, **fields))
