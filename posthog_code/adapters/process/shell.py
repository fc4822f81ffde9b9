"""Shell scripts with live output, ended as a whole group."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from posthog_code.domain.errors import ToolMissing

_CARRIAGE = re.compile(rb"[\r\n]")


class ShellCommands:
    """Implements ports.process.Commands with /bin/sh."""

    async def shell(self, script: str, cwd: Path, env: Mapping[str, str], on_line: Callable[[str], None]) -> int:
        try:
            process = await asyncio.create_subprocess_exec(
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
        except FileNotFoundError as error:
            raise ToolMissing("The set-up script cannot run.", "There is no /bin/sh on this machine.") from error
        assert process.stdout is not None
        try:
            pending = b""
            while chunk := await process.stdout.read(65536):
                *lines, pending = _CARRIAGE.split(pending + chunk)
                for line in lines:
                    if line:
                        on_line(line.decode(errors="replace"))
            if pending:
                on_line(pending.decode(errors="replace"))
            return await process.wait()
        finally:
            # Also what the script left running in the background belongs to the set-up and ends with it.
            _end_group(process.pid)


def _end_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
