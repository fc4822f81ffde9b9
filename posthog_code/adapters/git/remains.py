"""What is on disk of our tasks, whatever the database says: marked worktrees, and those in the trash."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from posthog_code.adapters.git import trash as bin_
from posthog_code.adapters.git.patience import finish
from posthog_code.adapters.git.places import Place, locate, read_marker
from posthog_code.domain.errors import NotFound, Refused, StorageFailed
from posthog_code.domain.ids import TaskId
from posthog_code.ports.git import MarkedWorktree, TrashedWorktree


class GitRemains:
    """Implements ports.git.Remains."""

    async def worktrees(self, folder: Path) -> tuple[MarkedWorktree, ...]:
        return await asyncio.to_thread(lambda: tuple(_marked(folder)))

    async def trashed(self, trash: Path) -> tuple[TrashedWorktree, ...]:
        return await asyncio.to_thread(lambda: tuple(_trashed(trash)))

    async def remove(self, trashed: TrashedWorktree) -> None:
        await finish(asyncio.to_thread(_remove, trashed))


def _marked(folder: Path) -> Iterator[MarkedWorktree]:
    """Worktrees two levels down: a folder for each repository, in it one for each task."""
    for path in _folders(folder):
        for top in _folders(path):
            place = locate(top)
            marker = read_marker(place.git_dir) if place is not None and place.linked else None
            if place is None or marker is None or not marker.created:
                continue
            repository = _checkout_of(place)
            if repository is not None:
                yield MarkedWorktree(top, repository, TaskId(marker.task_id), _branch(place.git_dir), marker.head)


def _trashed(trash: Path) -> Iterator[TrashedWorktree]:
    for path in _folders(trash):
        try:
            note = bin_.read_note(path)
            branch = bin_.branch_of(path)
        except (NotFound, OSError):
            continue
        yield TrashedWorktree(
            path,
            TaskId(note.task_id),
            note.path,
            note.common_dir.parent,
            branch,
            (path / bin_.NOTE).stat().st_mtime,
            _size(path),
        )


def _remove(trashed: TrashedWorktree) -> None:
    if bin_.read_note(trashed.trashed).task_id != trashed.task_id:
        raise Refused(f"{trashed.trashed} belongs to another task.", "Nothing was removed.")
    for part in (bin_.FILES, bin_.GIT, ""):
        _remove_tree(trashed.trashed / part)


def _remove_tree(path: Path) -> None:
    def make_writable(function: Callable[..., Any], name: str, error: Any) -> None:
        # Package caches write-protect their folders.
        for one in (os.path.dirname(name), name):
            if not os.path.islink(one):
                os.chmod(one, stat.S_IRWXU)
        function(name)

    try:
        shutil.rmtree(path, onerror=make_writable)
    except OSError as error:
        raise StorageFailed(f"{path} could not be removed.", "Check its permissions.", str(error)) from error


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.is_symlink())
    except OSError:
        return []


def _checkout_of(place: Place) -> Path | None:
    checkout = place.common_dir.parent
    main = locate(checkout)
    return checkout if main is not None and main.git_dir == place.common_dir else None


def _branch(git_dir: Path) -> str:
    try:
        head = (git_dir / "HEAD").read_text("utf-8", "surrogateescape").strip()
    except OSError:
        return ""
    return head.removeprefix("ref: refs/heads/") if head.startswith("ref: refs/heads/") else ""


def _size(folder: Path) -> int:
    total = 0
    for parent, _folders_in, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size
            except OSError:
                continue
    return total
