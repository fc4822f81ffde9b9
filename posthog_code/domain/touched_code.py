"""Finding which code a change touched, and which stacks pass it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import PurePosixPath

from posthog_code.domain.diff_index import DiffIndex, Hunk, Row
from posthog_code.domain.release_watch import TouchedCode, TouchedFile, TouchedHunk

FILES = 40
"""Files of a change that are watched: those with the most changed lines."""
HUNKS = 60
QUOTE_LINES = 14
QUOTE_CHARACTERS = 12_000
"""Of all quotes together: they are kept on disk with the watch."""
_LINE = 160
_CODE = frozenset(
    (
        *("js", "jsx", "ts", "tsx", "mjs", "cjs", "mts", "cts", "vue", "svelte", "astro", "html"),
        *("py", "pyi", "go", "rb", "rake", "erb", "php", "java", "kt", "kts", "scala", "clj", "cs", "ex", "exs", "lua"),
        *("rs", "c", "cc", "cpp", "h", "hpp", "swift", "m", "mm", "dart", "sql"),
    )
)
_FOREIGN = frozenset(("node_modules", "site-packages", "dist-packages", "vendor", "bower_components", "gems"))
"""Folders of other people's code, in which files are called as ours are."""
_TEST = re.compile(
    r"(^|/)(tests?|__tests__|__mocks__|spec|e2e|fixtures|cypress|playwright)/|(^|/)(test_[^/]*|conftest)\.py$"
    r"|[._-](test|spec|stories)\.[a-z]+$|_test\.(go|py|rb)$|_spec\.rb$"
)


def is_product_code(path: str) -> bool:
    """Whether what runs in production can pass through this file: no tests, documents, or lists of dependencies."""
    return PurePosixPath(path).suffix[1:].lower() in _CODE and not _TEST.search(path)


def touched_code(chunks: Iterable[bytes]) -> TouchedCode:
    """From a unified diff. Files that no stack can pass are left out."""
    index = DiffIndex()
    for chunk in chunks:
        index.feed(chunk)
    index.finish()
    numbers = [
        number
        for number, file in enumerate(index.files)
        if is_product_code(file.path) and not file.header.binary and not file.header.submodule
    ]
    chosen = sorted(numbers, key=lambda number: -(index.files[number].added + index.files[number].removed))[:FILES]
    files, hunks = [], []
    for number in sorted(chosen):
        file = index.files[number]
        files.append(TouchedFile(_text(file.path), _text(file.header.old_path), file.added + file.removed))
        hunks += [_hunk(index, hunk) for hunk in index.hunks(number)]
    cut = len(chosen) < len(numbers) or len(hunks) > HUNKS
    return TouchedCode(tuple(files), _within_quota(hunks[:HUNKS]), cut)


def _hunk(index: DiffIndex, hunk: Hunk) -> TouchedHunk:
    lines: list[str] = []
    first = last = 0
    for row in range(hunk.row + 1, hunk.end_row):
        kind = index.kinds[row]
        if kind in (Row.ADDED, Row.REMOVED):
            line = index.numbers(row)[1] or index.numbers_before(row)[1]
            first, last = first or line, max(last, line)
        if len(lines) < QUOTE_LINES and kind in (Row.ADDED, Row.REMOVED, Row.CONTEXT):
            lines.append(chr(kind) + index.text(row, 4 * _LINE)[:_LINE])
    first = first or hunk.new or 1
    if hunk.end_row - hunk.row - 1 > len(lines):
        lines.append("…")
    return TouchedHunk(_text(index.files[hunk.file].path), first, max(first, last), "\n".join(lines))


def _within_quota(hunks: list[TouchedHunk]) -> tuple[TouchedHunk, ...]:
    left, kept = QUOTE_CHARACTERS, []
    for hunk in hunks:
        left -= len(hunk.quote)
        kept.append(hunk if left >= 0 else replace(hunk, quote=""))
    return tuple(kept)


def _text(path: str) -> str:
    """Git's paths may hold bytes that are no text; no stack does."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def passed_path(sources: Sequence[str], paths: Iterable[str]) -> str:
    """The first of our paths that one of these frame sources names, "" when none does.

    Frames name files as the build saw them: absolute, below a container's folder, as URLs of a bundler, or relative to
    a package of the repository. So names agree when one ends with the other, folder by folder, and at least one folder
    is compared unless a side has none.
    """
    parts = [_parts(source) for source in sources]
    return next((path for path in paths if any(_same_file(source, _parts(path)) for source in parts)), "")


@lru_cache(maxsize=4096)  # the same few files are compared with every frame of every stack
def _parts(source: str) -> tuple[str, ...]:
    name = re.sub(r"^[a-z][a-z0-9+.-]*://+[^/]*", "", source, flags=re.I).split("?")[0].split("#")[0]
    return tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", ".", ".."))


def _same_file(source: tuple[str, ...], path: tuple[str, ...]) -> bool:
    if not source or not path or source[-1] != path[-1]:
        return False
    common = min(len(source), len(path))
    if common == 1 and len(path) > 1:
        return False  # a bare file name could be any folder's
    if any(part in _FOREIGN and part not in path for part in source):
        return False
    return source[-common:] == path[-common:]
