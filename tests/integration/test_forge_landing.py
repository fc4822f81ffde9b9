"""Where a merged pull request got, asked over real HTTP of the demo world's GitHub."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from posthog_code.domain.pull_request import PullRequestState
from tests.helpers import git
from tests.integration.test_forge_publish import T, World


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    bare = tmp_path / "hub" / "git" / "acme" / "web.git"
    bare.mkdir(parents=True)
    git(bare, "init", "-q", "--bare", "-b", "main")
    git(bare, "config", "http.receivepack", "true")
    command = [sys.executable, "-m", "posthog_code.demo.github", "--root", str(tmp_path / "hub"), "--pace", "0"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdin is not None
    try:
        yield json.loads(process.stdout.readline())["url"]
        process.stdin.close()
        process.wait(10)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def merge(hub: str, number: int) -> None:
    headers = {"Authorization": "Bearer ghp_demo", "User-Agent": "test", "Content-Type": "application/json"}
    url = f"{hub}/_demo/acme/web/{number}"
    with urllib.request.urlopen(urllib.request.Request(url, b'{"merge": true}', headers), timeout=30) as answer:
        assert json.load(answer)["merged"]


def test_merged_and_deployed(tmp_path: Path, hub: str) -> None:
    world = World(tmp_path, hub)

    async def run() -> None:
        async with world.running() as pulls:
            pull = await pulls.create(T, (await pulls.propose(T)).new)
            open_ = await pulls.landing(T)
            assert (open_.commit, open_.released_at) == ("", 0.0)
            await asyncio.to_thread(merge, hub, pull.number)
            read = await pulls.refresh(T)
            assert read is not None and read.state is PullRequestState.MERGED
            found = await pulls.landing(T)
            assert found.released_by == "deployment" and found.released_at >= found.merged_at > 0
            git(world.main, "fetch", "-q", "origin")
            assert found.commit == git(world.main, "rev-parse", "origin/main")
            remote = world.forge.locate(f"{hub}/acme/web.git")
            assert remote is not None
            first = git(world.main, "rev-parse", "main")
            assert await world.forge._contains(remote, first, found.commit)
            assert not await world.forge._contains(remote, found.commit, first)
            assert not await world.forge._contains(remote, "0" * 40, first)

    asyncio.run(run())
