"""Who wrote the lines of a task's change: read from its checkpoints when somebody looks at them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

from posthog_code.domain.diff_index import DiffIndex
from posthog_code.domain.ids import TaskId
from posthog_code.domain.provenance import EARLIER, YOU, FileEdits, Provenance, Segment, attribute, edits_of
from posthog_code.domain.session import Turn
from posthog_code.domain.task import TaskPhase, Workspace
from posthog_code.ports.git import Changes, Git
from posthog_code.services.store import Store

TURNS = 40
"""The last turns that are told apart; what is older has no name."""
_LARGEST = 4 << 20
"""Bytes of one step's diff: a larger one was no writing by hand or agent, and is not followed."""
_KEPT = 400


class ProvenanceService:
    def __init__(self, store: Store, git: Git, changes: Changes) -> None:
        self._store, self._git, self._changes = store, git, changes
        self._known: OrderedDict[tuple[str, str], tuple[FileEdits, ...]] = OrderedDict()
        """What differs between two commits, which never changes."""

    async def read(self, task_id: TaskId, paths: Sequence[str] = ()) -> Provenance:
        """The authors of all changed lines against the merge base; {} for tasks whose files are not here. `paths`
        limits what is read of the files on disk."""
        state = self._store.state
        task, session = state.tasks.get(task_id), state.session_of(task_id)
        if task is None or session is None or task.workspace is Workspace.CLOUD or not task.base or not task.path:
            return {}
        folder = Path(task.path)
        if task.phase in (TaskPhase.ARCHIVED, TaskPhase.DELETED) or not await asyncio.to_thread(folder.is_dir):
            return {}
        turns = [turn for turn in session.turns if turn.checkpoint_before]
        if not turns:
            return {}
        base = await self._git.merge_base(folder, task.base)
        older, turns = turns[:-TURNS], turns[-TURNS:]
        segments: list[Segment] = []
        at = base
        if older:
            at = turns[0].checkpoint_before
            segments += await self._step(folder, base, at, EARLIER)
        for turn in turns:
            segments += await self._step(folder, at, turn.checkpoint_before, YOU)
            at = turn.checkpoint_before
            if turn.checkpoint_after:
                segments += await self._step(folder, at, turn.checkpoint_after, turn.number)
                at = turn.checkpoint_after
        segments.append(Segment(_author_of_the_rest(turns[-1]), await self._differs(folder, at, "", paths)))
        # Lines of long files are followed through all turns: not on the loop.
        return await asyncio.to_thread(attribute, segments)

    async def _step(self, folder: Path, old: str, new: str, author: int) -> list[Segment]:
        if old == new:
            return []
        known = self._known.get((old, new))
        if known is None:
            known = self._known[old, new] = await self._differs(folder, old, new)
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return [Segment(author, known)]

    async def _differs(self, folder: Path, old: str, new: str, paths: Sequence[str] = ()) -> tuple[FileEdits, ...]:
        index, size = DiffIndex(), 0
        diff = self._changes.diff(folder, old=old, new=new, paths=paths, context=0)
        async with aclosing(diff) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                size += len(chunk)
                if size > _LARGEST:
                    return ()
                index.feed(chunk)
        index.finish()
        return edits_of(index)


def _author_of_the_rest(last: Turn) -> int:
    """Of what is on disk and in no checkpoint yet: the running turn's, else the person's."""
    return last.number if not last.ended_at else YOU
