"""Facts about files on disk: lines, whether binary, a hash. Remembered while the file stays the same."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_SNIFF = 8000
"""Bytes in which git looks for a NUL to call a file binary."""
_MEMORY = 20_000
"""Files that are remembered per worktree."""
_FRESH = 50_000_000
"""A file changed within this many ns may change again without a new time."""


@dataclass(frozen=True, slots=True)
class Content:
    digest: str
    lines: int
    binary: bool
    mode: int


class Contents:
    def __init__(self) -> None:
        self._known: dict[Path, dict[str, tuple[tuple[int, int, int, int], Content]]] = {}

    def of(self, worktree: Path, paths: Iterable[str]) -> dict[str, Content]:
        """Facts of those paths that are files or links (runs in a thread; a file that vanishes is left out)."""
        known = self._known.get(worktree, {})
        fresh: dict[str, tuple[tuple[int, int, int, int], Content]] = {}
        found: dict[str, Content] = {}
        top = os.fspath(worktree)
        for path in paths:
            full = os.path.join(top, path)
            try:
                info = os.lstat(full)
                sign = (info.st_mtime_ns, info.st_ctime_ns, info.st_size, info.st_ino)
                old = known.get(path)
                if old and old[0] == sign:
                    fact = old[1]
                elif stat.S_ISLNK(info.st_mode):
                    fact = _facts(os.fsencode(os.readlink(full)), info.st_mode)
                elif stat.S_ISREG(info.st_mode):
                    fact = _read(full, info.st_mode)
                else:
                    continue
            except OSError:
                continue
            found[path] = fact
            if len(fresh) < _MEMORY:
                fresh[path] = (sign, fact)
        self._known[worktree] = _settled(fresh)
        return found


def _settled(
    facts: dict[str, tuple[tuple[int, int, int, int], Content]],
) -> dict[str, tuple[tuple[int, int, int, int], Content]]:
    limit = time.time_ns() - _FRESH
    return {path: fact for path, fact in facts.items() if fact[0][1] < limit}


def _read(path: str, mode: int) -> Content:
    with open(path, "rb", buffering=0) as file:
        head = file.read(1024 * 1024)
        if len(head) < 1024 * 1024:
            return _facts(head, mode)
        digest = hashlib.sha1(head, usedforsecurity=False)
        lines, last = head.count(b"\n"), head
        while chunk := file.read(1024 * 1024):
            digest.update(chunk)
            lines += chunk.count(b"\n")
            last = chunk
    return Content(digest.hexdigest(), lines + (not last.endswith(b"\n")), b"\0" in head[:_SNIFF], mode)


def _facts(data: bytes, mode: int) -> Content:
    lines = data.count(b"\n") + bool(data and not data.endswith(b"\n"))
    return Content(hashlib.sha1(data, usedforsecurity=False).hexdigest(), lines, b"\0" in data[:_SNIFF], mode)
