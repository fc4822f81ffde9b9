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
_PART = 1024 * 1024
_MEMORY = 20_000
"""Files that are remembered per worktree."""
_FRESH = 50_000_000
"""A file changed within this many ns may change again without a new time."""


@dataclass(frozen=True, slots=True)
class Content:
    blob: str
    """The object id that git would give to these bytes (SHA-1)."""
    lines: int
    binary: bool
    mode: str
    """As git writes it, e.g. "100755"."""


_Facts = dict[str, tuple[tuple[int, int, int, int], Content]]


class Contents:
    def __init__(self) -> None:
        self._known: dict[Path, _Facts] = {}

    def of(self, worktree: Path, paths: Iterable[str]) -> dict[str, Content]:
        """Facts of those paths that are files or links (runs in a thread; a file that vanishes is left out)."""
        known = self._known.get(worktree, {})
        fresh: _Facts = {}
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
                    fact = _facts(os.fsencode(os.readlink(full)), "120000")
                elif stat.S_ISREG(info.st_mode):
                    fact = _read(full, info)
                else:
                    continue
            except OSError:
                continue
            found[path] = fact
            if len(fresh) < _MEMORY:
                fresh[path] = (sign, fact)
        self._known[worktree] = _settled(fresh)
        return found


def _settled(facts: _Facts) -> _Facts:
    limit = time.time_ns() - _FRESH
    return {path: fact for path, fact in facts.items() if fact[0][1] < limit}


def _read(path: str, info: os.stat_result) -> Content:
    mode = "100755" if info.st_mode & 0o100 else "100644"
    with open(path, "rb", buffering=0) as file:
        head = file.read(_PART)
        if len(head) < _PART:
            return _facts(head, mode)
        digest = hashlib.sha1(b"blob %d\0" % info.st_size, usedforsecurity=False)
        digest.update(head)
        lines, last = head.count(b"\n"), head
        while chunk := file.read(_PART):
            digest.update(chunk)
            lines += chunk.count(b"\n")
            last = chunk
    return Content(digest.hexdigest(), lines + (not last.endswith(b"\n")), b"\0" in head[:_SNIFF], mode)


def _facts(data: bytes, mode: str) -> Content:
    lines = data.count(b"\n") + bool(data and not data.endswith(b"\n"))
    digest = hashlib.sha1(b"blob %d\0" % len(data), usedforsecurity=False)
    digest.update(data)
    return Content(digest.hexdigest(), lines, b"\0" in data[:_SNIFF], mode)
