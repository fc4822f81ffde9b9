"""Reading code for its use of product analytics. Nothing of it leaves the machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from posthog_code.domain.code_use import FileUses


class CodeReader(Protocol):
    """Runs off the loop's thread; may be cancelled between files."""

    def language_of(self, path: str) -> str:
        """ "" for files that are not read."""

    def read_text(self, path: str, text: bytes) -> FileUses:
        """One file alone, without wrappers of other files. Blocks for milliseconds; never raises for bad input."""

    async def read(
        self, root: Path, paths: Iterable[str], texts: Mapping[str, bytes] | None = None
    ) -> Mapping[str, FileUses]:
        """These files of the folder (or the given texts in their place), with the wrappers that they import. Follows at
        most 64 relative imports a file. Files are kept by content: only what changed is parsed again."""

    async def read_all(self, root: Path, paths: Iterable[str]) -> Mapping[str, FileUses]:
        """All of a repository, for the command line and for finding who calls a wrapper. Uses and wrappers only: files
        in which there can be none are not parsed, and entry points are left out."""
