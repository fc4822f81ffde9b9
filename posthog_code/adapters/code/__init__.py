"""Reading code by tree-sitter. Its grammars are imported with the first file, off the loop's thread."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from posthog_code.adapters.code.files import language_of
from posthog_code.domain.code_use import FileUses

if TYPE_CHECKING:
    from posthog_code.adapters.code.reader import TreeSitterReader
    from posthog_code.ports.code import CodeReader


class _LaterReader:
    """A reader that becomes one when something is read: making it costs a window nothing."""

    @cached_property
    def _reader(self) -> TreeSitterReader:
        from posthog_code.adapters.code.reader import TreeSitterReader

        return TreeSitterReader()

    def language_of(self, path: str) -> str:
        return language_of(path)

    def read_text(self, path: str, text: bytes) -> FileUses:
        return self._reader.read_text(path, text)

    async def read(
        self, root: Path, paths: Iterable[str], texts: Mapping[str, bytes] | None = None
    ) -> Mapping[str, FileUses]:
        reader = await asyncio.to_thread(lambda: self._reader)
        return await reader.read(root, paths, texts)

    async def read_all(self, root: Path, paths: Iterable[str]) -> Mapping[str, FileUses]:
        reader = await asyncio.to_thread(lambda: self._reader)
        return await reader.read_all(root, paths)


def make_code_reader() -> CodeReader:
    return _LaterReader()
