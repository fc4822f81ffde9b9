"""What an agent may be told about flags and events in the files that it is going to work on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from posthog_code.domain.code_context import code_context
from posthog_code.domain.code_facts import NAMES, Names
from posthog_code.domain.code_join import names_of
from posthog_code.domain.code_use import FileUses, UseKind
from posthog_code.domain.errors import UserError
from posthog_code.domain.ids import RepositoryId
from posthog_code.domain.product import ProductFacts
from posthog_code.ports.clock import Clock
from posthog_code.services.code_search import CodeSearch
from posthog_code.services.product_facts import ProductFactsReader
from posthog_code.services.store import Store

log = logging.getLogger("signals")
FILES = 20
PATIENCE = 3.0
"""Seconds that a prompt waits for the product."""


class CodeContext:
    """The code is read here and stays here: only names of flags and events are asked about."""

    def __init__(self, store: Store, search: CodeSearch, facts: ProductFactsReader, clock: Clock) -> None:
        self._store, self._search, self._facts, self._clock = store, search, facts, clock

    async def text(self, repository_id: RepositoryId | None, paths: Iterable[str], project_id: int = 0) -> str:
        """A few lines for a prompt; "" when it is switched off, nothing is used, or the files are not here. Paths are
        relative to the repository. Never raises for what the disk, the network or the server does."""
        repository = self._store.state.repositories.get(repository_id) if repository_id else None
        if repository is None or not self._store.state.settings.code_context:
            return ""
        root = Path(repository.path)
        wanted = [path for path in dict.fromkeys(paths) if _inside(path)][:FILES]
        there = await asyncio.to_thread(lambda: [path for path in wanted if (root / path).is_file()])
        if not there:
            return ""
        files = await self._search.read(root, there)
        return code_context(files, await self._known(files, project_id), self._clock.now())

    async def _known(self, files: Mapping[str, FileUses], project_id: int) -> ProductFacts | None:
        """Definitions, if they come soon."""
        uses = [use for one in files.values() for use in one.uses]
        names = Names(names_of(uses, UseKind.FLAG)[:NAMES], names_of(uses, UseKind.EVENT)[:NAMES])
        try:
            async with asyncio.timeout(PATIENCE):
                signals = await self._facts.signals(project_id) if names else None
                return await self._facts.definitions(signals, names) if signals is not None else None
        except (UserError, TimeoutError) as error:
            log.info("code context without the product: %s", error)
            return None


def _inside(path: str) -> bool:
    return bool(path) and not Path(path).is_absolute() and ".." not in Path(path).parts
