"""Comments on the diff and viewed marks: kept until they are sent, sent as one follow-up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from posthog_code.domain.errors import InvalidInput
from posthog_code.domain.ids import CommentId, TaskId
from posthog_code.domain.review import Comment, CommentState, review_prompt
from posthog_code.domain.state import AppState, Topic
from posthog_code.ports.clock import Clock
from posthog_code.services.store import Store

Prompt = Callable[[TaskId, str], Awaitable[bool]]


class Reviews:
    def __init__(self, store: Store, clock: Clock, prompt: Prompt) -> None:
        self._store = store
        self._clock = clock
        self._prompt = prompt

    def pending(self, task_id: TaskId) -> tuple[Comment, ...]:
        comments = self._store.state.comments.get(task_id, ())
        return tuple(c for c in comments if c.state is CommentState.PENDING)

    async def add(
        self, task_id: TaskId, *, path: str, side: str, start: int, end: int, code: str, text: str
    ) -> CommentId:
        if not text.strip():
            raise InvalidInput("The comment is empty.", "Write what the agent should do.")
        comment = Comment(
            id=CommentId(self._clock.new_id()),
            task_id=task_id,
            path=path,
            side=side,
            start=start,
            end=end,
            code=code,
            text=text,
            created_at=self._clock.now(),
        )
        await self._change(task_id, lambda comments: (*comments, comment))
        return comment.id

    async def edit(self, comment_id: CommentId, text: str) -> None:
        for task_id, comments in self._store.state.comments.items():
            if any(c.id == comment_id for c in comments):
                await self._change(
                    task_id, lambda all_: tuple(replace(c, text=text) if c.id == comment_id else c for c in all_)
                )
                return

    async def discard(self, task_id: TaskId, ids: tuple[CommentId, ...] | None = None) -> tuple[Comment, ...]:
        """Drop pending comments (all of them for None); gives them, so that `put_back` can undo it."""
        gone = tuple(c for c in self.pending(task_id) if ids is None or c.id in ids)
        await self._change(task_id, lambda comments: tuple(c for c in comments if c not in gone))
        return gone

    async def put_back(self, task_id: TaskId, comments: tuple[Comment, ...]) -> None:
        known = {c.id for c in self._store.state.comments.get(task_id, ())}
        back = tuple(c for c in comments if c.id not in known)
        await self._change(task_id, lambda now: tuple(sorted((*now, *back), key=lambda c: c.created_at)))

    async def send(self, task_id: TaskId, note: str = "", only: tuple[CommentId, ...] | None = None) -> bool:
        """One follow-up with every pending comment, or with those in `only`.

        True when the agent got it now, False when it is queued.
        """
        chosen = (c for c in self.pending(task_id) if only is None or c.id in only)
        comments = tuple(sorted(chosen, key=lambda c: (c.path, c.start)))
        if not comments and not note.strip():
            raise InvalidInput("There is nothing to send.", "Comment on a line first.")
        sent_now = await self._prompt(task_id, review_prompt(comments, note))
        ids = {c.id for c in comments}
        session = self._store.state.session_of(task_id)
        turn = session.turn.number if session and session.turn else 0
        await self._change(
            task_id,
            lambda now: tuple(replace(c, state=CommentState.SENT, turn=turn) if c.id in ids else c for c in now),
        )
        return sent_now

    async def resolve(self, task_id: TaskId, comment_id: CommentId) -> None:
        await self._change(
            task_id,
            lambda now: tuple(replace(c, state=CommentState.RESOLVED) if c.id == comment_id else c for c in now),
        )

    async def set_viewed(self, task_id: TaskId, path: str, fingerprint: str | None) -> None:
        """Mark a file's diff as viewed; None takes the mark away. A changed diff has another fingerprint."""

        def change(state: AppState) -> AppState:
            marks = {k: v for k, v in state.viewed.get(task_id, {}).items() if k != path}
            if fingerprint is not None:
                marks[path] = fingerprint
            return replace(state, viewed={**state.viewed, task_id: marks})

        await self._store.update(change, Topic("viewed", task_id))

    async def _change(self, task_id: TaskId, change: Callable[[tuple[Comment, ...]], tuple[Comment, ...]]) -> None:
        await self._store.update(
            lambda state: replace(state, comments={**state.comments, task_id: change(state.comments.get(task_id, ()))}),
            Topic("comments", task_id),
        )
