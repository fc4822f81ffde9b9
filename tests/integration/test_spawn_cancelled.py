"""A command that is cancelled while its process is being started takes that process, and its children, with it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from posthog_code.adapters.git.cli import GitCli
from posthog_code.adapters.process.shell import ShellCommands
from tests.helpers import until


@pytest.fixture
def slow_start(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """The process runs before asyncio has handed it over, as on a busy machine."""
    started = asyncio.Event()
    spawn = asyncio.create_subprocess_exec

    async def slow(*words: Any, **options: Any) -> Any:
        process = await spawn(*words, **options)
        started.set()
        await asyncio.sleep(0.3)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", slow)
    return started


def gone(pid_file: Path) -> bool:
    return not Path(f"/proc/{pid_file.read_text().strip()}").exists()


def test_git(tmp_path: Path, slow_start: asyncio.Event) -> None:
    pid_file = tmp_path / "pid"
    fake = tmp_path / "git"
    fake.write_text(f"#!/bin/sh\nsh -c 'echo $$ > {pid_file}; exec sleep 600'; true\n")
    fake.chmod(0o755)

    async def story() -> None:
        running = asyncio.ensure_future(GitCli(binary=str(fake)).write(tmp_path, "commit"))
        await slow_start.wait()
        await until(lambda: pid_file.exists() and pid_file.read_text().strip())
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(running, 30)
        await until(lambda: gone(pid_file))

    asyncio.run(story())


def test_shell(tmp_path: Path, slow_start: asyncio.Event) -> None:
    pid_file = tmp_path / "pid"

    async def story() -> None:
        script = f"sh -c 'echo $$ > {pid_file}; exec sleep 600'"
        running = asyncio.ensure_future(ShellCommands().shell(script, tmp_path, {"PATH": "/usr/bin:/bin"}, print))
        await slow_start.wait()
        await until(lambda: pid_file.exists() and pid_file.read_text().strip())
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(running, 30)
        await until(lambda: gone(pid_file))

    asyncio.run(story())
