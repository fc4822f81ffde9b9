"""Linux's file events, through the C library (inotify(7))."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

_MODIFY, _ATTRIB, _CLOSE_WRITE = 0x2, 0x4, 0x8
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF = 0x400, 0x800
_OVERFLOW, _IGNORED, _ISDIR = 0x4000, 0x8000, 0x40000000
_ONLYDIR, _DONT_FOLLOW, _EXCL_UNLINK = 0x01000000, 0x02000000, 0x04000000
_WANTED = (
    _MODIFY | _ATTRIB | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF
)  # fmt: skip
_FLAGS = _ONLYDIR | _DONT_FOLLOW | _EXCL_UNLINK
_HEADER = struct.Struct("iIII")
_BUFFER = 256 * 1024


@dataclass(slots=True)
class News:
    relevant: bool = False
    new_folders: bool = False
    missed: bool = False
    """The queue overflowed: anything may have changed."""


class Inotify:
    """One queue of events. Raises OSError when the system has none left."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.fileno: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fileno < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._only: dict[int, Collection[str]] = {}

    def close(self) -> None:
        if self.fileno >= 0:
            os.close(self.fileno)
            self.fileno = -1

    def add(self, folder: Path | str, only: Collection[str] = ()) -> bool:
        """Watch the entries of a folder (with `only`: those of these names). False when there is no room for more."""
        path = os.fspath(folder)
        number = self._libc.inotify_add_watch(self.fileno, os.fsencode(path), _WANTED | _FLAGS)
        if number < 0:
            # ENOSPC: the user's limit of watches. Anything else: the folder has just gone.
            return ctypes.get_errno() != errno.ENOSPC
        if only:
            self._only[number] = only
        return True

    def add_below(self, top: Path, ignored: Collection[str]) -> bool:
        """Watch `top` and its folders, without .git, nested repositories' git data and `ignored` relative paths.

        May be called again: folders that are watched already cost one look.
        """
        pending = [""]
        while pending:
            relative = pending.pop()
            path = os.path.join(top, relative) if relative else os.fspath(top)
            if not self.add(path):
                return False
            try:
                with os.scandir(path) as entries:
                    folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
            except OSError:
                continue  # gone meanwhile; its deletion is an event
            for name in folders:
                child = f"{relative}/{name}" if relative else name
                if name != ".git" and child not in ignored:
                    pending.append(child)
        return True

    def read(self) -> News:
        """Everything that has happened since the last call."""
        news = News()
        while True:
            try:
                data = os.read(self.fileno, _BUFFER)
            except BlockingIOError:
                return news
            at = 0
            while at < len(data):
                number, mask, _, length = _HEADER.unpack_from(data, at)
                name = os.fsdecode(data[at + _HEADER.size : at + _HEADER.size + length].rstrip(b"\0"))
                at += _HEADER.size + length
                self._note(news, number, mask, name)

    def _note(self, news: News, number: int, mask: int, name: str) -> None:
        if mask & _OVERFLOW:
            news.missed = news.relevant = True
            return
        if mask & _IGNORED:
            self._only.pop(number, None)
            return
        only = self._only.get(number)
        if only is not None and name not in only:
            return
        if name.endswith(".lock") and mask & (_CREATE | _DELETE | _MODIFY | _CLOSE_WRITE) and only is not None:
            return
        news.relevant = True
        if mask & _ISDIR and mask & (_CREATE | _MOVED_TO):
            news.new_folders = True
