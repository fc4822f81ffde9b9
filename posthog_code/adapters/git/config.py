"""The person's git settings. GitPython is read in a thread and imported on first use."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from posthog_code.adapters.git.cli import GitCli


async def identity(cli: GitCli, worktree: Path) -> tuple[str, str]:
    """(user.name, user.email) that a commit here would have; "" for what is not set."""
    name, email = os.environ.get("GIT_AUTHOR_NAME", ""), os.environ.get("GIT_AUTHOR_EMAIL", "")
    if not name or not email:
        read = await asyncio.to_thread(_from_files, worktree)
        name, email = name or read[0], email or read[1]
    # What GitPython does not look at: settings of a single worktree, conditional ones, those from the environment.
    if not name:
        name = (await cli.read(worktree, "config", "--get", "user.name", ok=(0, 1))).text
    if not email:
        email = (await cli.read(worktree, "config", "--get", "user.email", ok=(0, 1))).text
    return name.strip(), email.strip()


def _from_files(worktree: Path) -> tuple[str, str]:
    if "GIT_CONFIG_GLOBAL" in os.environ:
        return "", ""  # GitPython would read the file that this replaces
    from git import Repo
    from git.exc import GitError

    try:
        with Repo(worktree) as repository, repository.config_reader() as reader:
            return str(reader.get_value("user", "name", "")), str(reader.get_value("user", "email", ""))
    except (GitError, OSError, ValueError):
        return "", ""  # git itself is asked next
