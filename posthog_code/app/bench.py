"""`posthog-code bench NAME`: one measurement of a real widget or service, printed as one line of figures.

Times on a shared machine say little alone: `tests/bench` runs these in turn with their limits and takes ratios.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from posthog_code.app.paths import Paths

BENCHES = {
    "seed": ("posthog_code.app.bench_seed", "seed"),
    "start": ("posthog_code.app.bench_start", "start"),
    "create": ("posthog_code.app.bench_tasks", "create"),
    "worktree": ("posthog_code.app.bench_tasks", "worktree"),
    "changes": ("posthog_code.app.bench_tasks", "changes"),
    "frames": ("posthog_code.app.bench_frames", "frames"),
    "stream": ("posthog_code.app.bench_stream", "stream"),
    "journal": ("posthog_code.app.bench_stream", "journal"),
    "diff": ("posthog_code.app.bench_diff", "diff"),
    "cloud": ("posthog_code.app.bench_cloud", "cloud"),
    "code": ("posthog_code.app.bench_code", "code"),
}
"""Name to module and function; a function gets options and paths and gives an exit code or figures."""


@dataclass
class Options:
    """What follows `posthog-code bench NAME`, as `--key value`. Read by hand: argparse is not part of a start."""

    name: str = ""
    size: int = 0
    """Of the input; what it counts depends on NAME."""
    repo: str = ""
    changed: int = 100
    """Files that are changed in the repository."""
    runs: int = 5
    since: float = 0.0
    """When the process was started, monotonic seconds."""
    split: bool = False
    """Two columns."""
    command: str = "bench"


def read_options(words: Sequence[str]) -> Options:
    """Raises SystemExit for what is no option."""
    options, rest = Options(), list(words)
    while rest:
        word = rest.pop(0)
        key = word.removeprefix("--")
        if key == word and not options.name:
            options.name = word
        elif key == word or not hasattr(options, key):
            raise SystemExit(f"posthog-code bench does not know {word!r}")
        elif key == "split":
            options.split = True
        else:
            setattr(options, key, type(getattr(options, key))(rest.pop(0)))
    return options


def run(options: Options, paths: Paths) -> int:
    """Run one; gives the exit code."""
    found = BENCHES.get(options.name)
    if found is None:
        sys.stderr.write(f"There is no benchmark {options.name}. Benchmarks: {', '.join(BENCHES)}.\n")
        return 2
    module, function = found
    result = getattr(importlib.import_module(module), function)(options, paths)
    if isinstance(result, int):
        return result
    show(options.name, result)
    return 0


def show(name: str, figures: dict[str, float | str]) -> None:
    """One line: the name, then `key=value`, in milliseconds and megabytes unless the key says otherwise."""
    words = [f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in figures.items()]
    sys.stdout.write(" ".join([name, *words]) + "\n")
    sys.stdout.flush()
