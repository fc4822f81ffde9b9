"""Reads the code that a task changed, on both sides of its diff. Nothing of it leaves the machine."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path

from posthog_code.domain.changed_lines import FileChange, changed_lines, old_text
from posthog_code.domain.changes import ChangedFile, ChangeSet, FileState
from posthog_code.domain.code_facts import Names, names_in
from posthog_code.domain.code_join import ChangedCode, is_test
from posthog_code.domain.code_use import EntryKind, FileUses
from posthog_code.domain.coverage import Coverage
from posthog_code.domain.coverage_rules import Changed, changed_entries, coverage, sibling_paths
from posthog_code.domain.diff_index import DiffIndex
from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.task import Task, TaskPhase, Workspace
from posthog_code.domain.text import plural
from posthog_code.ports.code import CodeReader
from posthog_code.ports.git import Git
from posthog_code.services.changes import ChangesService
from posthog_code.services.store import Store

FILES = 400
"""Changed files of one task that are read; the others are told."""
DIFF_BYTES = 48 * 1024 * 1024
LARGEST = 1024 * 1024
"""Bytes of a file."""
BLOBS_AT_ONCE = 4
TASKS_KEPT = 6
"""Tasks whose readings are kept, those that were looked at last."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The changed code of a task, and what follows from it without the product."""

    fingerprint: str = ""
    code: ChangedCode = field(default_factory=lambda: ChangedCode({}, {}, {}))
    names: Names = field(default_factory=Names)
    coverage: Coverage = field(default_factory=Coverage)
    siblings: Mapping[str, FileUses] = field(default_factory=dict)
    problem: str = ""


@dataclass(slots=True)
class _Kept:
    """One file as it was read for a fingerprint."""

    key: tuple[str, ...]
    change: FileChange
    old: FileUses | None = None
    new: FileUses | None = None
    text: str = ""
    """Of files with entry points that the task changed."""


@dataclass(slots=True)
class _Place:
    """Where the files of one task are."""

    root: Path
    on_disk: bool
    """The new side is what is in `root` now."""


class ChangedCodeReader:
    def __init__(self, store: Store, changes: ChangesService, git: Git, reader: CodeReader) -> None:
        self._store, self._changes, self._git, self._reader = store, changes, git, reader
        self._kept: dict[TaskId, dict[str, _Kept]] = {}
        self._last: dict[TaskId, Reading] = {}
        self._locks: dict[TaskId, asyncio.Lock] = {}

    async def read(self, task_id: TaskId, found: ChangeSet) -> Reading:
        """Read what is new of a change set. Raises UserError when the task's files cannot be reached."""
        async with self._locks.setdefault(task_id, asyncio.Lock()):
            fingerprint = fingerprint_of(found)
            last = self._last.get(task_id)
            if last is not None and last.fingerprint == fingerprint:
                return last
            task = self._store.state.tasks.get(task_id)
            if task is None:
                return Reading(fingerprint)
            reading = await self._read(task, found)
            self._keep(task_id, replace(reading, fingerprint=fingerprint))
            return self._last[task_id]

    def _keep(self, task_id: TaskId, reading: Reading) -> None:
        self._last.pop(task_id, None)
        self._last[task_id] = reading
        for old in list(self._last)[:-TASKS_KEPT]:
            self._last.pop(old)
            self._kept.pop(old, None)

    async def _read(self, task: Task, found: ChangeSet) -> Reading:
        place = self._place(task)
        chosen, problem = self._chosen(found)
        before = self._kept.get(task.id, {})
        kept = {file.path: before[file.path] for file in chosen if file.path in before}
        stale = [file for file in chosen if file.path not in kept or kept[file.path].key != _key(found, file)]
        moved = {file.path for file in stale} | (before.keys() - kept.keys())
        if stale:
            problem = await self._read_files(task, found, stale, kept, place) or problem
        if any(_sends_on(one.get(path)) for path in moved for one in (before, kept)):
            # A function that sends its argument on came, went or changed, and with it what its callers send.
            await self._read_again({path: one for path, one in kept.items() if path not in moved}, place)
        self._kept[task.id] = kept
        code = ChangedCode(
            {path: one.change for path, one in kept.items()},
            {path: one.new for path, one in kept.items() if one.new is not None},
            {path: one.old for path, one in kept.items() if one.old is not None},
        )
        siblings = await self._siblings(code, place)
        texts = {path: one.text for path, one in kept.items() if one.text}
        judged = await asyncio.to_thread(coverage, Changed(code.changes, code.new, texts, siblings))
        problem = problem or self._unreached(task, chosen, code)
        if problem:
            judged = replace(judged, unread=(*judged.unread, problem))
        return Reading("", code, names_in(code), judged, siblings, problem)

    def _chosen(self, found: ChangeSet) -> tuple[list[ChangedFile], str]:
        """(files that are read, a sentence about those that are not)."""
        readable = [file for file in found.files if not file.binary and self._reader.language_of(file.path)]
        left = readable[FILES:]
        if not left:
            return readable, ""
        names = ", ".join(file.path for file in left[:3])
        more = f" and {plural(len(left) - 3, 'more file')}" if len(left) > 3 else ""
        return readable[:FILES], f"Only the first {FILES} changed files were read, not {names}{more}."

    async def _read_files(
        self, task: Task, found: ChangeSet, stale: list[ChangedFile], kept: dict[str, _Kept], place: _Place
    ) -> str:
        """Read files anew into `kept`; gives a problem in words."""
        paths = [name for file in stale for name in (file.path, file.old_path) if name]
        index, problem = await self._diff(task.id, paths)
        changes = await asyncio.to_thread(changed_lines, index)
        fresh: dict[str, _Kept] = {}
        for file in stale:
            change = changes.get(file.path) or FileChange(file.path, file.old_path, file.state)
            fresh[file.path] = kept[file.path] = _Kept(_key(found, file), change)
        wanted = [path for path, one in fresh.items() if one.change.added or one.change.removed]
        if place.on_disk:
            wanted, texts = await asyncio.to_thread(_on_disk, place.root, wanted)
        else:
            wanted = list(texts := await self._blobs(task.id, wanted))
        before = await asyncio.to_thread(_before, index, [fresh[path].change for path in fresh], texts)
        for path, uses in (await self._reader.read(place.root, list(before), before)).items() if before else ():
            fresh[path].old = uses
        for path, uses in (await self._reader.read(place.root, wanted, texts)).items() if wanted else ():
            fresh[path].new = uses
            if not is_test(path) and changed_entries(uses.entries, fresh[path].change):
                fresh[path].text = texts.get(path, b"").decode("utf-8", "replace")
        return problem

    async def _read_again(self, kept: Mapping[str, _Kept], place: _Place) -> None:
        """The new side of files that have not changed themselves."""
        paths = [path for path, one in kept.items() if one.new is not None] if place.on_disk else []
        paths = await asyncio.to_thread(there, place.root, paths)
        for path, uses in (await self._reader.read(place.root, paths)).items() if paths else ():
            kept[path].new = uses

    async def _diff(self, task_id: TaskId, paths: list[str]) -> tuple[DiffIndex, str]:
        index = DiffIndex()
        size = 0
        async with aclosing(self._changes.diff(task_id, paths=paths)) as stream:  # type: ignore[type-var]
            async for chunk in stream:
                index.feed(chunk)
                size += len(chunk)
                if size > DIFF_BYTES:
                    break
        index.finish()
        return index, "The diff is very large: only its first part was read." if size > DIFF_BYTES else ""

    async def _blobs(self, task_id: TaskId, paths: Iterable[str]) -> dict[str, bytes]:
        """Files of the new side, a few at a time; those that are not there are left out."""
        found: dict[str, bytes | None] = dict.fromkeys(paths)
        turns = asyncio.Semaphore(BLOBS_AT_ONCE)

        async def one(path: str) -> None:
            async with turns:
                found[path] = await self._changes.blob(task_id, "new", path)

        await asyncio.gather(*(one(path) for path in found))
        return {path: data for path, data in found.items() if data is not None}

    async def _siblings(self, code: ChangedCode, place: _Place) -> Mapping[str, FileUses]:
        """Files with routes beside those that the task changed: they tell what the team is used to."""
        routes = [path for path, uses in code.new.items() if _has_changed_route(uses, code.changes[path])]
        if not routes or not place.on_disk:
            return {}
        try:
            known = await self._git.files(place.root)
        except UserError:
            return {}
        paths = await asyncio.to_thread(sibling_paths, known, code.new)
        readable = [path for path in paths if self._reader.language_of(path)]
        wanted = await asyncio.to_thread(there, place.root, readable)
        return await self._reader.read(place.root, wanted) if wanted else {}

    def _place(self, task: Task) -> _Place:
        on_disk = task.workspace is not Workspace.CLOUD and task.phase is not TaskPhase.ARCHIVED and bool(task.path)
        if on_disk and Path(task.path).is_dir():
            return _Place(Path(task.path), True)
        repository = self._store.state.repositories.get(task.repository_id)
        return _Place(Path(repository.path if repository else os.devnull), False)

    def _unreached(self, task: Task, chosen: list[ChangedFile], code: ChangedCode) -> str:
        if not chosen or code.new or code.old:
            return ""
        return self._changes.note(task.id)


def fingerprint_of(found: ChangeSet) -> str:
    """Of a whole change set: changes when any of its diffs does."""
    parts = (f"{file.path}\0{file.old_path}\0{file.fingerprint}\0" for file in found.files)
    return hashlib.sha256(f"{found.base}\0{''.join(parts)}".encode("utf-8", "surrogateescape")).hexdigest()[:20]


def _key(found: ChangeSet, file: ChangedFile) -> tuple[str, ...]:
    return (found.base, file.path, file.old_path, file.fingerprint)


def _on_disk(root: Path, paths: Iterable[str]) -> tuple[list[str], dict[str, bytes]]:
    """(files that are there, texts of those that are not too large to be read as code)."""
    found = there(root, paths)
    texts: dict[str, bytes] = {}
    for path in found:
        try:
            if (root / path).stat().st_size <= LARGEST:
                texts[path] = (root / path).read_bytes()
        except OSError:
            continue  # it went away, or nobody may read it: the reader tells what it says of it
    return found, texts


def _before(index: DiffIndex, changes: Iterable[FileChange], texts: Mapping[str, bytes]) -> dict[str, bytes]:
    """What files with removed lines were before."""
    return {
        change.path: old_text(index, change, texts.get(change.path, b""))
        for change in changes
        if change.removed and (change.path in texts or change.state is FileState.DELETED)
    }


def there(root: Path, paths: Iterable[str]) -> list[str]:
    """Those that are files: git also lists what was removed and not staged."""
    return [path for path in paths if (root / path).is_file()]


def _sends_on(kept: _Kept | None) -> bool:
    return kept is not None and kept.new is not None and bool(kept.new.wrappers)


def _has_changed_route(uses: FileUses, change: FileChange) -> bool:
    return any(entry.kind is EntryKind.ROUTE for entry in changed_entries(uses.entries, change))
