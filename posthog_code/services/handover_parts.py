"""What both directions of a hand-over work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from posthog_code.domain.errors import NotSignedIn
from posthog_code.domain.task import Repository
from posthog_code.ports.clock import Clock
from posthog_code.ports.cloud import Cloud
from posthog_code.ports.forge import Forge
from posthog_code.ports.git import Checkpoints, Git, OnLine, Publishing, Transfer
from posthog_code.services.logs import Logs
from posthog_code.services.sessions import Sessions
from posthog_code.services.store import Store

MARK = "posthog_code_task"
"""Key in a run's state: the local task that it belongs to. Runners leave such a run alone."""


@dataclass(frozen=True)
class HandoverParts:
    store: Store
    git: Git
    checkpoints: Checkpoints
    publishing: Publishing
    transfer: Transfer
    forge: Forge
    sessions: Sessions
    logs: Logs
    clock: Clock
    cloud: Callable[[int], Cloud]
    """The cloud as seen from a project. Raises NotSignedIn."""
    folder: Callable[[Repository], Path]
    """Where worktrees of a repository are made."""


async def fetched(parts: HandoverParts, repository: Repository, branch: str, on_line: OnLine) -> str:
    """Bring origin's branch up to date, with the token for its host where git has no credentials of its own."""
    root = Path(repository.path)
    try:
        return await parts.transfer.fetch(root, branch, on_line)
    except NotSignedIn:
        remote = parts.forge.locate(repository.remote_url)
        if remote is None or not repository.remote_url.startswith("http") or not await parts.forge.lend(remote):
            raise
        try:
            return await parts.transfer.fetch(root, branch, on_line)
        finally:
            parts.forge.take_back(remote)


async def pushed(parts: HandoverParts, repository: Repository, folder: Path, branch: str, on_line: OnLine) -> str:
    """Push a branch, never forced, in the same way; gives the pushed commit."""
    try:
        return await parts.publishing.push(folder, branch, on_line)
    except NotSignedIn:
        remote = parts.forge.locate(repository.remote_url)
        if remote is None or not repository.remote_url.startswith("http") or not await parts.forge.lend(remote):
            raise
        try:
            return await parts.publishing.push(folder, branch, on_line)
        finally:
            parts.forge.take_back(remote)
