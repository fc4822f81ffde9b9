"""What is on disk in a worktree besides what git stores: empty folders, permissions, nested repositories, sockets."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Survey:
    """Relative paths, with / between folders; undecodable bytes are surrogate-escaped."""

    empty: list[str] = field(default_factory=list)
    """Folders without anything in them."""
    modes: dict[str, int] = field(default_factory=dict)
    """Permission bits of files where they are not what a checkout gives."""
    nested: list[str] = field(default_factory=list)
    """Folders with a .git of their own: submodules, clones, worktrees."""
    special: list[str] = field(default_factory=list)
    """Sockets, pipes and devices."""
    unreadable: list[str] = field(default_factory=list)
    """Folders that may not be listed: git passes over them with a warning."""
    touched: list[str] = field(default_factory=list)
    """Regular files whose content or inode changed after `since`."""
    files: set[str] = field(default_factory=set)
    """All regular files and links that were seen."""


def survey(top: str, skipped: frozenset[str], since: float) -> Survey:
    """Walk a worktree without entering `skipped` folders (ignored ones) and nested repositories.

    `since` is a UNIX time in seconds. A file that vanishes meanwhile is left out.
    """
    found = Survey()
    pending = [""]
    while pending:
        folder = pending.pop()
        path = os.path.join(top, folder) if folder else top
        try:
            with os.scandir(path) as scan:
                entries = list(scan)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError:
            found.unreadable.append(folder)
            continue
        if not entries:
            if folder:
                found.empty.append(folder)
            continue
        if folder and any(entry.name == ".git" for entry in entries):
            found.nested.append(folder)
            continue
        for entry in entries:
            name = f"{folder}/{entry.name}" if folder else entry.name
            if name == ".git":
                continue
            if entry.is_dir(follow_symlinks=False):
                if name not in skipped:
                    pending.append(name)
                continue
            if name in skipped:
                continue
            try:
                _note(found, name, entry.stat(follow_symlinks=False), since)
            except FileNotFoundError:
                continue
    found.empty.sort()
    found.nested.sort()
    found.special.sort()
    return found


def add_listed(found: Survey, top: str, paths: Iterable[str], since: float) -> None:
    """Look at single ignored files too, those that are to be stored all the same."""
    for path in paths:
        if path.endswith("/"):
            found.nested.append(path.rstrip("/"))
            continue
        try:
            _note(found, path, os.lstat(os.path.join(top, path)), since)
        except (FileNotFoundError, NotADirectoryError):
            continue


def _note(found: Survey, name: str, info: os.stat_result, since: float) -> None:
    if stat.S_ISLNK(info.st_mode):
        found.files.add(name)
    elif stat.S_ISREG(info.st_mode):
        found.files.add(name)
        mode = stat.S_IMODE(info.st_mode)
        if mode != checkout_mode(mode):
            found.modes[name] = mode
        if info.st_ctime > since or info.st_mtime > since:
            found.touched.append(name)
    else:
        found.special.append(name)


def checkout_mode(mode: int) -> int:
    """The permissions that a checkout gives to a file that has `mode` now."""
    return (0o777 if mode & 0o100 else 0o666) & ~_UMASK


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


_UMASK = _umask()  # at import, because reading it sets it for a moment, for all threads
