from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from posthog_code.adapters.git.cli import GitCli
from posthog_code.adapters.git.inotify import Inotify
from posthog_code.adapters.git.watch import GitWatcher
from posthog_code.domain.errors import NotFound
from tests.integration.git_world import World, git, isolate, make_world, run, write

linux = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    isolate(monkeypatch, tmp_path)
    monkeypatch.setattr("posthog_code.adapters.git.watch.POLL", 0.05)
    monkeypatch.setattr("posthog_code.adapters.git.watch.QUIET", 0.02)
    return make_world(tmp_path)


async def follow(watcher: GitWatcher, path: Path, *acts: Callable[[int], object]) -> None:
    """Each act, repeated with a growing number until it is seen. The first thing told is that the watch stands."""
    changes = watcher.changes(path)
    try:
        await anext(changes)
        for act in acts:
            waiting = asyncio.ensure_future(anext(changes))
            number = 0
            while not waiting.done():
                act(number)
                number += 1
                await asyncio.wait({waiting}, timeout=0.05)
            waiting.result()
    finally:
        await changes.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize("events", [pytest.param(True, marks=linux), False])
def test_changes_are_told(world: World, events: bool) -> None:
    path = world.add()
    before = len(os.listdir("/proc/self/fd")) if events else 0
    run(
        follow(
            GitWatcher(GitCli(), events=events),
            path,
            lambda n: write(path, "new.txt", str(n)),
            lambda n: write(path, "deep/down/new.txt", str(n)),
            lambda n: write(path, "deep/down/new.txt", "again" + str(n)),
            lambda n: git(path, "commit", "-qm", str(n), "--allow-empty"),
            lambda n: (path / "new.txt").unlink(missing_ok=True),
        )
    )
    if events:
        assert len(os.listdir("/proc/self/fd")) <= before + 1


@linux
def test_polling_takes_over_when_there_is_no_room(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = world.add()
    monkeypatch.setattr(Inotify, "add", lambda *_args, **_options: False)
    run(follow(GitWatcher(GitCli()), path, lambda n: write(path, "new.txt", str(n))))


@linux
def test_watching_ends_with_the_worktree(world: World) -> None:
    path = world.add()

    async def until_gone() -> int:
        count = 0
        async for _ in world.adapters.watcher.changes(path):
            count += 1
            if path.exists():
                path.rename(world.root / "elsewhere")
        return count

    async def both() -> int:
        waiting = asyncio.ensure_future(until_gone())
        number = 0
        while not waiting.done():
            if path.exists():
                write(path, "new.txt", str(number))
            number += 1
            await asyncio.wait({waiting}, timeout=0.05)
        return waiting.result()

    assert run(both()) >= 1
    with pytest.raises(NotFound):
        run(until_gone())


@linux
def test_ignored_folders_are_not_watched(tmp_path: Path) -> None:
    write(tmp_path, "node_modules/a.js", "x")
    write(tmp_path, "src/a.py", "x")
    write(tmp_path, "git/HEAD", "x")
    watch = Inotify()
    try:
        assert watch.add_below(tmp_path, {"node_modules", "git"})
        assert watch.add(tmp_path / "git", only=("HEAD",))
        write(tmp_path, "node_modules/b.js", "x")
        write(tmp_path, "git/config", "x")
        assert not watch.read().relevant
        write(tmp_path, "src/b.py", "x")
        news = watch.read()
        assert news.relevant and not news.new_folders and not watch.read().relevant
        (tmp_path / "src" / "deep").mkdir()
        assert watch.read().new_folders
        write(tmp_path, "git/HEAD", "y")
        assert watch.read().relevant
    finally:
        watch.close()
