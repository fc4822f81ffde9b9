"""Git behind ports.git: processes of the `git` program, guarded so that a main checkout is never written to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from posthog_code.adapters.git.changes import GitChanges
from posthog_code.adapters.git.checkpoints import GitCheckpoints
from posthog_code.adapters.git.cli import GitCli
from posthog_code.adapters.git.guard import WriteGuard
from posthog_code.adapters.git.publish import Auth, GitPublishing
from posthog_code.adapters.git.remains import GitRemains
from posthog_code.adapters.git.repository import GitRepositories
from posthog_code.adapters.git.transfer import GitTransfer
from posthog_code.adapters.git.watch import GitWatcher
from posthog_code.adapters.git.worktrees import GitWorktrees
from posthog_code.ports.git import Changes, Checkpoints, Git, Publishing, Remains, Transfer, Watcher, Worktrees

__all__ = ["GitAdapters", "make_git"]


@dataclass(frozen=True, slots=True)
class GitAdapters:
    git: Git
    worktrees: Worktrees
    checkpoints: Checkpoints
    changes: Changes
    publishing: Publishing
    watcher: Watcher
    remains: Remains
    transfer: Transfer


def make_git(
    log: Callable[[Path, str], None] | None = None,
    trash: Path | None = None,
    auth: Auth | None = None,
    is_local: Callable[[Path], bool] | None = None,
    binary: str = "git",
) -> GitAdapters:
    """Build the adapters.

    `log(folder, line)` hears each git command with its exit code and duration. `trash` takes worktrees of failed
    set-ups that somebody has changed. `auth(url)` gives a token for a remote over HTTPS, None to leave it to the
    person's credential helpers. `is_local(folder)` says whether a main checkout is the workspace of a local task: only
    then may commits, pushes, reverts and restores touch it.
    """
    cli = GitCli(log, binary)
    guard = WriteGuard(is_local)
    repositories = GitRepositories(cli)
    checkpoints = GitCheckpoints(cli, guard)
    worktrees = GitWorktrees(cli, guard, repositories, checkpoints.verify, trash)
    return GitAdapters(
        git=repositories,
        worktrees=worktrees,
        checkpoints=checkpoints,
        changes=GitChanges(cli, guard),
        publishing=GitPublishing(cli, guard, repositories, auth),
        watcher=GitWatcher(cli),
        remains=GitRemains(),
        transfer=GitTransfer(cli, guard, checkpoints, worktrees, auth),
    )
