"""The trash: whole worktrees moved aside with their private git directory, so that they can come back as they were."""

from __future__ import annotations

import contextlib
import errno
import filecmp
import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from posthog_code.adapters.git.places import Place, locate, same_file
from posthog_code.domain.errors import Conflict, NotFound, Refused, StorageFailed

FILES = "files"
"""The worktree's folder, without its .git file."""
GIT = "git"
"""Its private git directory: HEAD, index, reflog, our marker, submodules."""
NOTE = "note.json"


@dataclass(frozen=True, slots=True)
class Trashed:
    task_id: str
    path: Path
    """Where the worktree was."""
    admin: str
    """Name of its registration below the repository's worktrees folder."""
    common_dir: Path


def unregister(place: Place) -> None:
    """Forget one worktree. `git worktree prune` would forget every missing one, also those of other programs."""
    aside = place.git_dir.with_name(place.git_dir.name + ".posthog-code-removed")
    os.rename(place.git_dir, aside)
    shutil.rmtree(aside)
    _drop_if_empty(aside.parent)


@contextlib.contextmanager
def told() -> Iterator[None]:
    """What the file system refuses, in words for a person. Raises StorageFailed."""
    try:
        yield
    except OSError as error:
        words = str(error)
        if "No space left" in words or "quota exceeded" in words or error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFailed(
                "The disk is full.", "Free some space and try again; nothing was lost.", words[-2_000:]
            ) from error
        raise StorageFailed(
            "The folder could not be moved.",
            "Check that its file system is writable, and that you may write there, then try again; nothing was lost.",
            words[-2_000:],
        ) from error


def move_in(place: Place, trash: Path, task_id: str) -> Path:
    """Move a worktree and its registration into a new folder in `trash`; gives that folder.

    The folder moves by one rename where the file system allows; else it is copied, compared, and only then removed.
    """
    target = _free_name(trash, place.top.name)
    target.mkdir(parents=True)
    note = {
        "version": 1,
        "task": task_id,
        "path": os.fspath(place.top),
        "admin": place.git_dir.name,
        "common_dir": os.fspath(place.common_dir),
    }
    (target / NOTE).write_text(json.dumps(note) + "\n", "utf-8")
    try:
        move_tree(place.top, target / FILES)
    except BaseException:
        if not (target / FILES).exists():
            shutil.rmtree(target, ignore_errors=True)
        raise
    try:
        # Without its .git file the folder cannot be taken for a later worktree that gets the same registration.
        os.rename(target / FILES / ".git", target / "dotgit")
        move_tree(place.git_dir, target / GIT)
    except BaseException:
        if (target / "dotgit").exists():
            os.rename(target / "dotgit", target / FILES / ".git")
        move_tree(target / FILES, place.top)
        shutil.rmtree(target, ignore_errors=True)
        raise
    _drop_if_empty(place.common_dir / "worktrees")
    return target


def of_task(trashed: Path, task_id: str) -> Path:
    """The folder of a task's worktree: `trashed` itself or, when that is the whole trash (a crash came before the
    place was recorded), the newest one in it that names the task."""
    if (trashed / NOTE).is_file() or not trashed.is_dir():
        return trashed
    found: list[tuple[float, Path]] = []
    for folder in trashed.iterdir():
        with contextlib.suppress(NotFound, OSError):
            if read_note(folder, whole=False).task_id == task_id:
                found.append(((folder / NOTE).stat().st_mtime, folder))
    return max(found)[1] if found else trashed


def read_note(trashed: Path, *, whole: bool = True) -> Trashed:
    """Raises NotFound when there is no worktree in this folder of the trash; with `whole`, also when its git data is
    not there."""
    try:
        data = json.loads((trashed / NOTE).read_text("utf-8"))
        found = Trashed(str(data["task"]), Path(data["path"]), str(data["admin"]), Path(data["common_dir"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotFound(f"There is no worktree in {trashed}.", "It may have been swept already.", str(error)) from None
    if not (trashed / FILES).is_dir() or (whole and not (trashed / GIT).is_dir()):
        raise NotFound(f"The worktree in {trashed} is not complete.", "Restore it from its snapshot instead.")
    return found


def branch_of(trashed: Path) -> str:
    """The branch that the worktree had checked out; "" when detached."""
    head = (trashed / GIT / "HEAD").read_text("utf-8", "surrogateescape").strip()
    return head.removeprefix("ref: refs/heads/") if head.startswith("ref: refs/heads/") else ""


def move_out(trashed: Path, path: Path) -> Place:
    """Undo `move_in`, to `path`. Raises Conflict when the folder or the registration's name is taken."""
    note = read_note(trashed)
    if os.path.lexists(path):
        raise Conflict(f"The folder {path} exists already.", "Move it away and try again.")
    if not note.common_dir.is_dir():
        raise NotFound("The repository of this worktree is not there any more.", "Put the repository back first.")
    admin = note.common_dir / "worktrees" / note.admin
    number = 1
    while admin.exists():
        number += 1
        admin = admin.with_name(f"{note.admin}{number}")
    path.parent.mkdir(parents=True, exist_ok=True)
    admin.parent.mkdir(exist_ok=True)
    move_tree(trashed / GIT, admin)
    try:
        (admin / "gitdir").write_bytes(os.fsencode(path / ".git") + b"\n")
        (trashed / FILES / ".git").write_bytes(b"gitdir: " + os.fsencode(admin) + b"\n")
        move_tree(trashed / FILES, path)
    except BaseException:
        move_tree(admin, trashed / GIT)
        (trashed / FILES / ".git").unlink(missing_ok=True)
        raise
    shutil.rmtree(trashed)
    place = locate(path)
    if place is None or not same_file(place.git_dir, admin):
        raise StorageFailed(f"The worktree {path} came back without its git data.", "Restore it from its snapshot.")
    return place


def only_in_trash(trashed: Path, worktree: Path) -> list[str]:
    """Relative paths that the worktree lacks; a folder that it lacks as a whole is one path with a trailing slash."""
    missing: list[str] = []
    pending = [""]
    while pending:
        folder = pending.pop()
        with os.scandir(trashed / FILES / folder) as entries:
            for entry in entries:
                name = f"{folder}{entry.name}"
                is_folder = entry.is_dir(follow_symlinks=False)
                there = worktree / name
                if not os.path.lexists(there):
                    missing.append(name + "/" if is_folder else name)
                elif is_folder and there.is_dir() and not there.is_symlink():
                    pending.append(name + "/")
    return sorted(missing)


def move_rest(trashed: Path, worktree: Path, paths: Iterable[str]) -> None:
    """Move paths of `only_in_trash` into the worktree; nothing there is overwritten."""
    for path in paths:
        target = worktree / path
        if not os.path.lexists(target):
            move_tree(trashed / FILES / path, target)


def drop_duplicates(trashed: Path, worktree: Path) -> None:
    """Empty the trash of what the worktree has byte for byte; what differs stays in the trash."""
    for folder, folders, names in os.walk(trashed / FILES, topdown=False):
        relative = Path(folder).relative_to(trashed / FILES)
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in [*names, *links]:
            if _same(Path(folder, name), worktree / relative / name):
                os.unlink(os.path.join(folder, name))
        _drop_if_empty(Path(folder))
    if not (trashed / FILES).exists():
        shutil.rmtree(trashed)


def _same(one: Path, other: Path) -> bool:
    try:
        kinds = stat.S_IFMT(one.lstat().st_mode), stat.S_IFMT(other.lstat().st_mode)
        if kinds == (stat.S_IFLNK, stat.S_IFLNK):
            return os.readlink(one) == os.readlink(other)
        return kinds == (stat.S_IFREG, stat.S_IFREG) and filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False


def move_tree(source: Path, target: Path) -> None:
    try:
        os.rename(source, target)
        return
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    copy = target.with_name(target.name + ".incomplete")
    try:
        shutil.copytree(source, copy, symlinks=True)
        different = first_difference(source, copy)
        if different is not None:
            raise Refused(
                f"{source} was not moved: it changed while it was being copied.", "Try again.", os.fspath(different)
            )
        os.rename(copy, target)
    except BaseException:
        shutil.rmtree(copy, ignore_errors=True)
        raise
    # From here on the copy is complete: what is left of the source is a duplicate.
    aside = source.with_name(source.name + ".posthog-code-moved")
    os.rename(source, aside)
    shutil.rmtree(aside)


def first_difference(one: Path, other: Path) -> Path | None:
    """A path below `one` that is not the same in `other` (kind, permissions, content); None when all are equal."""
    names = sorted(os.listdir(one))
    if names != sorted(os.listdir(other)):
        return one
    for name in names:
        a, b = one / name, other / name
        mode_a, mode_b = a.lstat().st_mode, b.lstat().st_mode
        if stat.S_IFMT(mode_a) != stat.S_IFMT(mode_b):
            return a
        if stat.S_ISLNK(mode_a):
            if os.readlink(a) != os.readlink(b):
                return a
        elif stat.S_ISDIR(mode_a):
            found = first_difference(a, b)
            if found is not None:
                return found
        elif mode_a != mode_b or (stat.S_ISREG(mode_a) and not filecmp.cmp(a, b, shallow=False)):
            return a
    return None


def _free_name(trash: Path, name: str) -> Path:
    number = 1
    candidate = trash / name
    while os.path.lexists(candidate):
        number += 1
        candidate = trash / f"{name}-{number}"
    return candidate


def _drop_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        pass  # other worktrees are registered there
