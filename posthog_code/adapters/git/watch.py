"""Tells when something in a worktree changes."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

from posthog_code.adapters.git.cli import GitCli
from posthog_code.adapters.git.inotify import Inotify
from posthog_code.adapters.git.places import Place, locate
from posthog_code.domain.errors import NotFound, UserError

QUIET = 0.25
"""Seconds over which events are coalesced."""
POLL = 2.0
"""Seconds between looks where the system has no events, or no room for more watches."""

_OWN_GIT_FILES = ("HEAD", "index", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REBASE_HEAD", "ORIG_HEAD")


class GitWatcher:
    """Implements ports.git.Watcher."""

    def __init__(self, cli: GitCli, *, events: bool = sys.platform == "linux") -> None:
        self._cli = cli
        self._events = events

    async def changes(self, worktree: Path) -> AsyncIterator[None]:
        place = locate(worktree)
        if place is None:
            raise NotFound(f"The worktree {worktree} is not there.", "Restore the task to create it again.")
        if self._events:
            try:
                watch = Inotify()
            except OSError:
                watch = None  # no instances left for this user
            if watch is not None:
                try:
                    # Closed before its queue is: the loop still listens to that.
                    async with aclosing(self._by_events(place, watch)) as events:  # type: ignore[type-var]
                        async for _ in events:
                            yield None
                finally:
                    # The kernel takes several frames to let go of thousands of folders.
                    await asyncio.to_thread(watch.close)
        async for _ in self._by_polling(place):
            yield None

    async def _by_events(self, place: Place, watch: Inotify) -> AsyncIterator[None]:
        """Ends when the system has no room for more watches: the caller goes on by polling."""
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()
        own = watch.add(place.git_dir, only=_OWN_GIT_FILES) and watch.add(place.git_dir / "logs", only=("HEAD",))
        if not own or not await self._cover(place, watch):
            return
        loop.add_reader(watch.fileno, woken.set)
        try:
            # What came before the watch stood is told by nobody else.
            yield None
            while True:
                await woken.wait()
                await asyncio.sleep(QUIET)
                woken.clear()
                news = watch.read()
                # New folders may be ignored ones, and files may have come before their watch: look again.
                if (news.missed or news.new_folders) and not await self._cover(place, watch):
                    return
                if news.relevant:
                    yield None
                if not place.top.is_dir():
                    return
        finally:
            loop.remove_reader(watch.fileno)

    async def _cover(self, place: Place, watch: Inotify) -> bool:
        """Watch each folder that is not ignored. False when there is no room."""
        try:
            listing = await self._cli.read(place.top, "ls-files", "-z", "-o", "-i", "--exclude-standard", "--directory")
        except UserError:
            return False
        ignored = frozenset(path.rstrip("/") for path in listing.items if path.endswith("/"))
        return await asyncio.to_thread(watch.add_below, place.top, ignored)

    async def _by_polling(self, place: Place) -> AsyncIterator[None]:
        last = b""
        while place.top.is_dir():
            try:
                state = await self._state(place)
            except UserError:
                state = last  # busy or broken for a moment; the next look tells
            if state != last:
                yield None
            last = state
            await asyncio.sleep(POLL)

    async def _state(self, place: Place) -> bytes:
        status = await self._cli.read(
            place.top, "status", "--porcelain=v2", "-z", "--branch", "--untracked-files=all", "--no-renames"
        )

        def digest() -> bytes:
            value = hashlib.blake2b(status.out)
            for item in status.items:
                path = place.top / item.split(" ", 8)[-1].removeprefix("? ")
                try:
                    info = path.lstat()
                except OSError:
                    continue
                value.update(f"{info.st_mtime_ns} {info.st_size}".encode())
            return value.digest()

        return await asyncio.to_thread(digest)
