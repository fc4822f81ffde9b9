"""Finding uses of product analytics in a folder, a file, or the rest of a task's repository."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from posthog_code.domain.code_join import is_test
from posthog_code.domain.code_use import FileUses
from posthog_code.domain.errors import NotFound, UserError
from posthog_code.domain.task import Task
from posthog_code.ports.code import CodeReader
from posthog_code.ports.git import Git
from posthog_code.services.code_reading import there

NEAR = 300
"""Files of a repository that are looked at for how it sends events."""
FILES = 50_000
_LEFT_OUT = frozenset({"node_modules", "vendor", "dist", "build", "__pycache__", "site-packages", "target", "venv"})


@dataclass(frozen=True, slots=True)
class Found:
    root: Path
    files: Mapping[str, FileUses]
    """Those that use something, or could not be read."""
    read: int


class CodeSearch:
    def __init__(self, git: Git, reader: CodeReader) -> None:
        self._git, self._reader = git, reader

    async def enrich(self, path: Path) -> Found:
        """All uses in a folder or file. In a repository what git ignores is left out. Raises NotFound."""
        path = path.expanduser().absolute()
        if not await asyncio.to_thread(path.exists):
            raise NotFound(f"There is no file or folder {path}.")
        single = await asyncio.to_thread(path.is_file)
        root = path.parent if single else path
        known = await self._known(root)
        readable = [name for name in known if self._reader.language_of(name)][:FILES]
        if single:
            # Functions that send their argument on may be in other files: those that it imports are followed.
            found = await self._reader.read(root, [path.name])
        else:
            found = await self._reader.read_all(root, await asyncio.to_thread(there, root, readable))
        useful = {name: uses for name, uses in sorted(found.items()) if uses.uses or uses.wrappers or uses.problem}
        return Found(root, useful, len(found))

    async def near(self, task: Task, seen: Iterable[str]) -> Mapping[str, FileUses]:
        """Files of a task's repository that may show how it sends events, nearest to the given ones first."""
        root = Path(task.path) if task.path else None
        if root is None or not await asyncio.to_thread(root.is_dir):
            return {}
        try:
            known = await self._git.files(root)
        except UserError:
            return {}
        readable = [name for name in known if self._reader.language_of(name)]
        return await self._reader.read(root, await asyncio.to_thread(_nearest, root, readable, tuple(seen)))

    async def read(self, root: Path, paths: Iterable[str]) -> Mapping[str, FileUses]:
        return await self._reader.read(root, [path for path in paths if self._reader.language_of(path)])

    async def _known(self, root: Path) -> list[str]:
        try:
            files = list(await self._git.files(root))
        except UserError:
            files = []
        return files or await asyncio.to_thread(_walk, root)


def _nearest(root: Path, names: Iterable[str], seen: Iterable[str]) -> list[str]:
    folders = {part for path in seen for part in PurePosixPath(path).parents}
    by_distance = sorted(
        (-sum(folder in folders for folder in PurePosixPath(name).parents), name) for name in names if not is_test(name)
    )
    return there(root, (name for _distance, name in by_distance[:NEAR]))


def _walk(root: Path) -> list[str]:
    found: list[str] = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT and not name.startswith("."))
        found += [(Path(folder) / name).relative_to(root).as_posix() for name in sorted(files)]
        if len(found) > FILES * 4:
            break
    return found
