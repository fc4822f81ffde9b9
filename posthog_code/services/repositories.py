"""The repositories that tasks are made for."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from posthog_code.domain.errors import Conflict, InvalidInput, NotFound
from posthog_code.domain.ids import RepositoryId, TaskId
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import Repository
from posthog_code.ports.clock import Clock
from posthog_code.ports.git import Branch, Git
from posthog_code.services.store import Store

REPOSITORIES = Topic("repositories")


class Repositories:
    def __init__(self, store: Store, git: Git, clock: Clock) -> None:
        self._store = store
        self._git = git
        self._clock = clock

    def get(self, repository_id: RepositoryId) -> Repository:
        repository = self._store.state.repositories.get(repository_id)
        if repository is None:
            raise NotFound("This repository is not in the list any more.", "Add its folder again.")
        return repository

    async def add(self, path: Path) -> RepositoryId:
        """Register a folder (any folder inside a checkout will do). The same one twice gives the same id.

        Raises NotFound or InvalidInput when it cannot hold tasks: no folder, not a repository, bare, no commits.
        """
        await self._git.check()
        facts = await self._git.facts(path)
        for repository in self._store.state.repositories.values():
            if _same_folder(repository.path, facts.path):
                # The remote may have moved since.
                fresh = replace(repository, remote_url=facts.remote_url)
                if fresh != repository:
                    await self._put(fresh)
                return repository.id
        repository = Repository(
            id=RepositoryId(self._clock.new_id()),
            path=str(facts.path),
            name=_free_name(self._store.state, facts.path.name),
            default_branch=facts.default_branch,
            remote_url=facts.remote_url,
            branch_prefix=self._store.state.settings.branch_prefix,
            added_at=self._clock.now(),
        )
        await self._put(repository)
        return repository.id

    async def _put(self, repository: Repository) -> None:
        await self._store.update(
            lambda state: replace(state, repositories={**state.repositories, repository.id: repository}), REPOSITORIES
        )

    async def update(self, repository_id: RepositoryId, **fields: Any) -> None:
        if "branch_prefix" in fields and not _is_prefix(fields["branch_prefix"]):
            raise InvalidInput(
                "This is no branch prefix that git takes.", "Use letters, digits, - and /, for example posthog-code/."
            )
        await self._put(replace(self.get(repository_id), **fields))

    async def remove(self, repository_id: RepositoryId) -> None:
        """Take it off the list. Nothing on disk is touched. Raises Conflict while it has tasks."""
        tasks = [t for t in self._store.state.tasks.values() if t.repository_id == repository_id and not t.deleted_at]
        if tasks:
            raise Conflict(
                f"{self.get(repository_id).name} still has {len(tasks)} tasks.", "Delete them first, archived ones too."
            )
        await self._store.update(
            lambda state: replace(
                state, repositories={k: v for k, v in state.repositories.items() if k != repository_id}
            ),
            REPOSITORIES,
        )

    async def branches(self, repository_id: RepositoryId) -> tuple[Branch, ...]:
        return await self._git.branches(Path(self.get(repository_id).path))

    async def files(self, repository_id: RepositoryId, task_id: TaskId | None = None) -> tuple[str, ...]:
        """What `@` can mention: files of the task's worktree, or of the checkout."""
        task = self._store.state.tasks.get(task_id) if task_id else None
        folder = task.path if task and task.path else self.get(repository_id).path
        return await self._git.files(Path(folder))


def _same_folder(known: str, path: Path) -> bool:
    try:
        return os.path.samefile(known, path)
    except OSError:
        return known == str(path)


def _free_name(state: AppState, name: str) -> str:
    taken = {repository.name for repository in state.repositories.values()}
    number, free = 2, name
    while free in taken:
        free = f"{name} ({number})"
        number += 1
    return free


def _is_prefix(prefix: str) -> bool:
    bad = set(" ~^:?*[\\") | {chr(c) for c in range(32)}
    return not (prefix.startswith(("-", "/", ".")) or ".." in prefix or "//" in prefix or bad & set(prefix))
