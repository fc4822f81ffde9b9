"""Where a checkout and its git directories are, read from disk without a git process."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

MARKER = "posthog-code-task"
"""Name of the file with the task's id in a worktree's private git directory."""

MARKER_VERSION = 1


@dataclass(frozen=True, slots=True)
class Place:
    top: Path
    """Top level of the checkout."""
    git_dir: Path
    """Its private git directory."""
    common_dir: Path
    """The repository's git directory; the same as `git_dir` for the main checkout."""

    @property
    def linked(self) -> bool:
        return self.git_dir != self.common_dir


@dataclass(frozen=True, slots=True)
class Marker:
    """What proves that we made a worktree."""

    task_id: str
    created: float
    """UNIX time when its files were complete, s; 0.0 while they are being written."""
    head: str = ""


def locate(folder: Path) -> Place | None:
    """The checkout that has `folder` as its top level; None when there is none."""
    entry = folder / ".git"
    try:
        if entry.is_dir():
            git_dir = entry.resolve()
        elif entry.is_file():
            text = os.fsdecode(entry.read_bytes()).strip()
            if not text.startswith("gitdir:"):
                return None
            git_dir = (folder / text.removeprefix("gitdir:").strip()).resolve()
        else:
            return None
        if not (git_dir / "HEAD").exists():
            return None
        common = git_dir
        pointer = git_dir / "commondir"
        if pointer.is_file():
            common = (git_dir / os.fsdecode(pointer.read_bytes()).strip()).resolve()
    except OSError:
        return None
    return Place(folder, git_dir, common)


def common_dir_of(folder: Path) -> Path | None:
    """The repository's git directory for a folder at or below the top of a checkout."""
    for candidate in (folder, *folder.parents):
        place = locate(candidate)
        if place:
            return place.common_dir
    return None


def read_marker(git_dir: Path) -> Marker | None:
    try:
        data = json.loads((git_dir / MARKER).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(data, dict) or not isinstance(data.get("task"), str):
        return None
    created = data.get("created", 0.0)
    return Marker(data["task"], float(created) if isinstance(created, int | float) else 0.0, str(data.get("head", "")))


def write_marker(git_dir: Path, marker: Marker) -> None:
    path = git_dir / MARKER
    data = {"version": MARKER_VERSION, "task": marker.task_id, "created": marker.created, "head": marker.head}
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(data) + "\n", "utf-8")
    os.replace(fresh, path)


def same_file(one: Path, other: Path) -> bool:
    """Whether both exist and are one file or folder, by device and inode."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def admin_dirs(common: Path) -> tuple[Path, ...]:
    """Private git directories of all linked worktrees."""
    try:
        return tuple(sorted(entry for entry in (common / "worktrees").iterdir() if entry.is_dir()))
    except OSError:
        return ()


def back_pointer(admin: Path) -> str:
    """The .git file that a registration belongs to, as git has noted it; "" when it is damaged."""
    try:
        return os.fsdecode((admin / "gitdir").read_bytes()).strip()
    except OSError:
        return ""


def registrations(common: Path, path: Path) -> list[Path]:
    """Private git directories that claim a worktree at `path`, there or not."""
    wanted = {os.fspath(path / ".git"), os.path.realpath(path.parent) + f"/{path.name}/.git"}
    return [admin for admin in admin_dirs(common) if back_pointer(admin) in wanted]
