"""Reading a repository's code for uses of PostHog, against nothing but parsing the same files."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from posthog_code.app.bench import Options
from posthog_code.app.bench_code_data import make_code
from posthog_code.app.bench_data import percentile
from posthog_code.app.paths import Paths


def code(options: Options, paths: Paths) -> dict[str, float | str] | int:
    """`--size` files are read: all of them with their entry points (`each`), and as a repository (`all`)."""
    from posthog_code.adapters.code import make_code_reader

    folder = Path(paths.home) / "code"
    listed = make_code(folder, options.size or 5_000)
    bare: list[float] = []
    each: list[float] = []
    whole: list[float] = []
    again: list[float] = []
    uses = entries = 0
    for _ in range(options.runs):
        bare.append(_parse(folder, listed))
        reader = make_code_reader()
        start = time.perf_counter()
        found = asyncio.run(reader.read(folder, listed))
        each.append(time.perf_counter() - start)
        entries = sum(len(file.entries) for file in found.values())
        uses = sum(len(file.uses) for file in found.values())
        reader = make_code_reader()
        start = time.perf_counter()
        known = asyncio.run(reader.read_all(folder, listed))
        whole.append(time.perf_counter() - start)
        if uses != sum(len(file.uses) for file in known.values()):
            raise SystemExit("the repository as a whole has other uses than its files")
        start = time.perf_counter()
        asyncio.run(reader.read_all(folder, listed))
        again.append(time.perf_counter() - start)
    return {
        "files": float(len(listed)),
        "mb": sum((folder / path).stat().st_size for path in listed) / 1e6,
        "uses": float(uses),
        "entries": float(entries),
        "files_per_s": len(listed) / percentile(whole, 0.5),
        "bare": percentile(bare, 0.5) * 1000,
        "each": percentile(each, 0.5) * 1000,
        "all": percentile(whole, 0.5) * 1000,
        "again": percentile(again, 0.5) * 1000,
        "each_ratio": percentile([a / b for a, b in zip(each, bare, strict=True)], 0.5),
        "all_ratio": percentile([a / b for a, b in zip(whole, bare, strict=True)], 0.5),
    }


def _parse(folder: Path, listed: list[str]) -> float:
    """Seconds that tree-sitter alone takes: files read, trees made and dropped."""
    from posthog_code.adapters.code.files import language_of
    from posthog_code.adapters.code.languages import parse

    start = time.perf_counter()
    for path in listed:
        language = language_of(path)
        text = (folder / path).read_bytes()
        if language:
            parse(language, text)
    return time.perf_counter() - start
