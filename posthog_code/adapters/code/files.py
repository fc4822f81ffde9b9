"""Which files are read. Imports nothing of tree-sitter: the window asks before there is anything to parse."""

from __future__ import annotations

import os

_SUFFIXES = {
    ".js": "javascript",
    ".jsx": "javascript",
    ".mjs": "javascript",
    ".cjs": "javascript",
    ".ts": "typescript",
    ".mts": "typescript",
    ".cts": "typescript",
    ".tsx": "tsx",
    ".py": "python",
    ".pyi": "python",
    ".go": "go",
    ".rb": "ruby",
    ".rake": "ruby",
}


def language_of(path: str) -> str:
    """ "" for files that are not read."""
    return _SUFFIXES.get(os.path.splitext(path)[1].lower(), "")
