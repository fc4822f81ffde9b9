"""The client's fs/* methods: text files, confined to the folders of a run."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .rpc import INVALID_PARAMS, RESOURCE_NOT_FOUND

READ_LIMIT = 32 * 1024 * 1024
"""Bytes of a file that is read for an agent."""


class FileRefused(Exception):
    """An answer for the agent: a JSON-RPC code and a sentence."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def confine(path: Any, cwd: Path, roots: Sequence[Path]) -> Path:
    """The real path that an agent means, links resolved; relative ones start at `cwd`.

    Raises FileRefused unless it lies in `cwd` or one of `roots`.
    """
    if not isinstance(path, str) or not path or "\0" in path:
        raise FileRefused(INVALID_PARAMS, "A path is missing.")
    real = Path(os.path.realpath(cwd / path))
    for root in (cwd, *roots):
        if real.is_relative_to(os.path.realpath(root)):
            return real
    raise FileRefused(INVALID_PARAMS, f"{path} is outside the folders that this session may use.")


def _open(real: Path, flags: int, cwd: Path, roots: Sequence[Path]) -> int:
    """Open by its folder, whose place is looked at again once it is open: a link may be put there in between."""
    folder = os.open(real.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            place = os.readlink(f"/proc/self/fd/{folder}")
        except OSError:
            place = str(real.parent)
        confine(place, cwd, roots)
        return os.open(real.name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666, dir_fd=folder)
    finally:
        os.close(folder)


def _is_gits_own(real: Path, cwd: Path, roots: Sequence[Path]) -> bool:
    """Whether it is a `.git` file or lies in a `.git` folder: that would cut the worktree off, or plant a hook."""
    for root in (cwd, *roots):
        base = os.path.realpath(root)
        if real.is_relative_to(base) and ".git" in (part.lower() for part in real.relative_to(base).parts):
            return True
    return False


def read_text(params: dict[str, Any], cwd: Path, roots: Sequence[Path]) -> dict[str, Any]:
    """fs/read_text_file: `line` (from 1) and `limit` (lines) are optional. Raises FileRefused."""
    path = params.get("path")
    real = confine(path, cwd, roots)
    try:
        fd = _open(real, os.O_RDONLY, cwd, roots)
        with open(fd, "rb") as file:
            info = os.fstat(fd)
            if not stat.S_ISREG(info.st_mode):
                raise FileRefused(INVALID_PARAMS, f"{path} is not a file.")
            if info.st_size > READ_LIMIT:
                raise FileRefused(INVALID_PARAMS, f"{path} is larger than {READ_LIMIT // 2**20} MB.")
            text = file.read(READ_LIMIT).decode("utf-8", "replace")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileRefused(RESOURCE_NOT_FOUND, f"{path} does not exist.") from error
    except OSError as error:
        raise FileRefused(INVALID_PARAMS, f"{path} cannot be read: {error.strerror}.") from error
    first, limit = params.get("line"), params.get("limit")
    if isinstance(first, int) or isinstance(limit, int):
        begin = max(first - 1, 0) if isinstance(first, int) else 0
        end = begin + max(limit, 0) if isinstance(limit, int) else None
        text = "".join(text.splitlines(keepends=True)[begin:end])
    return {"content": text}


def write_text(params: dict[str, Any], cwd: Path, roots: Sequence[Path]) -> dict[str, Any]:
    """fs/write_text_file; missing folders are made. Raises FileRefused."""
    path, content = params.get("path"), params.get("content")
    if not isinstance(content, str):
        raise FileRefused(INVALID_PARAMS, "The content is missing.")
    real = confine(path, cwd, roots)
    if _is_gits_own(real, cwd, roots):
        raise FileRefused(INVALID_PARAMS, f"{path} belongs to git and is not written to.")
    try:
        real.parent.mkdir(parents=True, exist_ok=True)
        fd = _open(real, os.O_WRONLY | os.O_CREAT, cwd, roots)
        with open(fd, "wb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise FileRefused(INVALID_PARAMS, f"{path} is not a file.")
            file.truncate(0)
            file.write(content.encode("utf-8", "replace"))
    except OSError as error:
        raise FileRefused(INVALID_PARAMS, f"{path} cannot be written: {error.strerror}.") from error
    return {}
