"""Plain commands: a repository's set-up script."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol


class Commands(Protocol):
    async def shell(self, script: str, cwd: Path, env: Mapping[str, str], on_line: Callable[[str], None]) -> int:
        """Run a shell script in its own process group, output by lines as it comes; gives the exit code.

        Cancelling ends the whole group. Raises ToolMissing when there is no shell.
        """
