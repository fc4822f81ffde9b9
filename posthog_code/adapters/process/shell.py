"""Shell scripts with live output, ended as a whole group."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from posthog_code.domain.errors import ToolMissing

_LOOK = 0.2
"""Seconds of silence after which the script may have ended without closing its output."""
_CARRIAGE = re.compile(rb"[\r\n]")


class ShellCommands:
    """Implements ports.process.Commands with /bin/sh."""

    async def shell(self, script: str, cwd: Path, env: Mapping[str, str], on_line: Callable[[str], None]) -> int:
        spawning = asyncio.get_running_loop().create_task(
            asyncio.create_subprocess_exec(
                "/bin/sh",
                "-c",
                script,
                cwd=cwd,
                env=dict(env),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        )
        try:
            process = await asyncio.shield(spawning)
        except asyncio.CancelledError:
            # Left to a cancelled asyncio, only the shell is killed, and what it has started goes on.
            spawning.add_done_callback(_abandon)
            raise
        except FileNotFoundError as error:
            raise ToolMissing("The set-up script cannot run.", "There is no /bin/sh on this machine.") from error
        assert process.stdout is not None
        try:
            pending = b""
            while chunk := await _output(process, process.stdout):
                *lines, pending = _CARRIAGE.split(pending + chunk)
                for line in lines:
                    if line:
                        on_line(line.decode(errors="replace"))
            if pending:
                on_line(pending.decode(errors="replace"))
        finally:
            # Also what the script left running in the background belongs to the set-up and ends with it.
            _end_group(process.pid)
        code = await process.wait()
        # With the group the pipe ends too; what left the group keeps it, and is not waited for.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.stdout.read(), _LOOK)
        return code


async def _output(process: asyncio.subprocess.Process, stream: asyncio.StreamReader) -> bytes:
    """The next piece of output; b"" at its end, or when the script has ended and only what it left behind still holds
    the pipe."""
    while True:
        try:
            return await asyncio.wait_for(stream.read(65536), _LOOK)
        except TimeoutError:
            if process.returncode is not None:
                return b""


def _abandon(spawning: asyncio.Task[asyncio.subprocess.Process]) -> None:
    if not spawning.cancelled() and spawning.exception() is None:
        _end_group(spawning.result().pid)


def _end_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
