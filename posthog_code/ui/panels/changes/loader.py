"""Reading a task's diff, and reading again only what differs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import shiboken6
from PySide6.QtCore import QObject, Signal

from posthog_code.domain.changes import ChangedFile, ChangeSet, Scope
from posthog_code.domain.diff_index import DiffIndex, file_bytes
from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import TaskId
from posthog_code.ui.actions import Actions
from posthog_code.ui.diff.feeder import Feeder

_SLICE = 256 * 1024


class ChangesSource(Protocol):
    """The part of the changes service that is needed here."""

    async def refresh(self, task_id: TaskId, scope: Scope = Scope.ALL, /) -> ChangeSet: ...

    def diff(self, task_id: TaskId, scope: Scope = Scope.ALL, paths: Sequence[str] = (), /) -> AsyncIterator[bytes]: ...


class ChangesLoader(QObject):
    """Holds what was read for one task and scope. Each reading has a number: results of an older one are dropped."""

    listed = Signal(object)
    """The ChangeSet, before its diff is read."""
    opened = Signal(object)
    """A new DiffIndex that is being filled, or the finished one of a second reading."""
    grew = Signal()
    finished = Signal()
    failed = Signal(object)

    def __init__(self, source: ChangesSource, actions: Actions, parent: QObject) -> None:
        super().__init__(parent)
        self._source, self._actions = source, actions
        self.task_id: TaskId | None = None
        self.scope = Scope.ALL
        self.change_set: ChangeSet | None = None
        self.index: DiffIndex | None = None
        self._feeder: Feeder | None = None
        self._reading = 0
        self._busy = self._again = False

    @property
    def busy(self) -> bool:
        return self._busy

    def open(self, task_id: TaskId | None, scope: Scope) -> None:
        """Forget what was read, and read this."""
        self.stop()
        self.task_id, self.scope = task_id, scope
        self.change_set = self.index = None
        if task_id is not None:
            self.read()

    def stop(self) -> None:
        """Drop a reading that is under way; what was read stays."""
        self._reading += 1
        self._busy = self._again = False
        if self._feeder is not None:
            self._feeder.cancel()
            if not self._feeder.index.finished:
                self.change_set = self.index = None  # half a diff is read anew
            self._feeder.deleteLater()
            self._feeder = None

    def read(self) -> None:
        """Read the list, and the diff of what differs from what is known."""
        if self.task_id is None:
            return
        if self._busy:
            self._again = True
            return
        self._busy, self._again = True, False
        self._reading += 1
        number = self._reading
        self._actions.start(
            f"changes-{self.task_id}-{number}-{id(self)}", lambda: self._read(number), on_error=self._fail
        )

    def _fail(self, error: UserError) -> None:
        self._busy = False
        self.failed.emit(error)

    def _stale(self, number: int) -> bool:
        return not shiboken6.isValid(self) or number != self._reading

    async def _read(self, number: int) -> None:
        try:
            await self._read_scope(number)
        except UserError:
            if not self._stale(number):
                raise
        except Exception:
            if not self._stale(number):
                self._busy = False
            raise

    async def _read_scope(self, number: int) -> None:
        task_id, scope = self.task_id, self.scope
        if task_id is None or self._stale(number):
            # Another task was chosen before this began.
            return
        known, index = self.change_set, self.index
        found = await self._source.refresh(task_id, scope)
        if self._stale(number):
            return
        self.listed.emit(found)
        if known is None or index is None or not index.finished:
            await self._read_all(number, task_id, scope, found)
            return
        differing = _differing(known, found)
        if differing or [f.path for f in known.files] != [f.path for f in found.files]:
            fresh = await self._fetch(number, task_id, scope, differing)
            if fresh is None:
                return
            merged = await self._merge(number, found, index, fresh, {f.path for f in differing})
            if merged is None:
                return
            self.index = merged
            self.opened.emit(merged)
        self.change_set = found
        self._done()

    async def _read_all(self, number: int, task_id: TaskId, scope: Scope, found: ChangeSet) -> None:
        self.index = DiffIndex()
        self.change_set = found
        self.opened.emit(self.index)
        feeder = self._feeder = Feeder(self.index, self)
        feeder.advanced.connect(self.grew)
        feeder.finished.connect(self._fed)
        if found.files:
            async for chunk in self._source.diff(task_id, scope):
                if self._stale(number):
                    return
                feeder.push(chunk)
        feeder.end()

    def _fed(self) -> None:
        if self._feeder is not None:
            self._feeder.deleteLater()
            self._feeder = None
        self._done()

    def _done(self) -> None:
        self._busy = False
        self.finished.emit()
        if self._again:
            self.read()

    async def _fetch(
        self, number: int, task_id: TaskId, scope: Scope, files: Sequence[ChangedFile]
    ) -> DiffIndex | None:
        """The diff of some files; None when something newer is asked for."""
        fresh = DiffIndex()
        paths = [path for file in files for path in (file.old_path, file.path) if path]
        if paths:
            async for chunk in self._source.diff(task_id, scope, tuple(paths)):
                for start in range(0, len(chunk), _SLICE):
                    fresh.feed(memoryview(chunk)[start : start + _SLICE])
                    await asyncio.sleep(0)
                if self._stale(number):
                    return None
        fresh.finish()
        return fresh

    async def _merge(
        self, number: int, found: ChangeSet, old: DiffIndex, fresh: DiffIndex, differing: set[str]
    ) -> DiffIndex | None:
        """One index of the files that stayed and those that were read again, in the order of the list."""
        merged = DiffIndex()
        for file in found.files:
            source = fresh if file.path in differing else old
            at = source.find_file(file.path)
            if at < 0:
                continue
            data = file_bytes(source, at)
            for start in range(0, len(data), _SLICE):
                merged.feed(memoryview(data)[start : start + _SLICE])
                if len(data) > _SLICE:
                    await asyncio.sleep(0)
            if self._stale(number):
                return None
        merged.finish()
        return merged


def _differing(known: ChangeSet, found: ChangeSet) -> list[ChangedFile]:
    """Files whose diff has to be read: new ones, and those with another fingerprint."""
    if known.base != found.base:
        return list(found.files)
    before = {file.path: file for file in known.files}
    return [file for file in found.files if before.get(file.path) != file or not file.fingerprint]
