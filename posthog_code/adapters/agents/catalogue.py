"""The agents that the app knows: entries that it ships and those of the person's own folder."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from posthog_code.domain.agent import AgentInfo, AgentSpec
from posthog_code.resources import resources_dir

from . import detection
from .entries import Entry, EntryError, read_entry


class Catalogue:
    """ports.agent.AgentCatalogue. Files are read when it is made; an entry of the person replaces one of ours."""

    def __init__(self, folders: tuple[Path, ...], env: Mapping[str, str] | None = None) -> None:
        self._env = env
        self._problems: list[str] = []
        entries: dict[str, Entry] = {}
        for folder in folders:
            entries.update(self._read(folder))
        self._entries = sorted(entries.values(), key=lambda e: (e.order, e.spec.name))

    def _read(self, folder: Path) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for path in sorted(folder.glob("*.toml")) if folder.is_dir() else ():
            try:
                entry, remarks = read_entry(path)
            except EntryError as error:
                self._problems.append(f"{path}: left out, {error}.")
                continue
            if entry.spec.id in found:
                self._problems.append(f"{path}: left out, another file has the id {entry.spec.id}.")
                continue
            self._problems += [f"{path}: {remark}." for remark in remarks]
            found[entry.spec.id] = entry
        return found

    def specs(self) -> tuple[AgentSpec, ...]:
        return tuple(entry.spec for entry in self._entries)

    def problems(self) -> tuple[str, ...]:
        return tuple(self._problems)

    async def detect(self, chosen_paths: Mapping[str, str]) -> tuple[AgentInfo, ...]:
        """All at once, in threads of its own; an agent that does not tell its version is waited for 3 s."""
        env = dict(os.environ if self._env is None else self._env)
        loop = asyncio.get_running_loop()
        with_threads = ThreadPoolExecutor(max_workers=max(len(self._entries), 1), thread_name_prefix="detect")
        try:
            path = await loop.run_in_executor(with_threads, detection.search_path, env)
            jobs = [
                loop.run_in_executor(
                    with_threads, detection.detect, entry, chosen_paths.get(entry.spec.id, ""), env, path
                )
                for entry in self._entries
            ]
            return tuple(await asyncio.gather(*jobs))
        finally:
            with_threads.shutdown(wait=False)


def make_catalogue(user_folder: Path | None = None, env: Mapping[str, str] | None = None) -> Catalogue:
    """`env` is looked at instead of the process's own environment, in tests."""
    folders = (resources_dir() / "agents", *([user_folder] if user_folder else []))
    return Catalogue(folders, env)
