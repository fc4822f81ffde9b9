"""`posthog-code bench NAME`: one measurement of a real widget or service, printed as one line of figures.

Times on a shared machine say little alone: `tests/bench` runs these in turn with their limits and takes ratios.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

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
}
"""Name to module and function; a function gets options and paths and gives an exit code or figures."""


def read_options(words: Sequence[str]) -> argparse.Namespace:
    """What follows `posthog-code bench`. A parser of its own: that of the commands is not part of a start."""
    bench = argparse.ArgumentParser(prog="posthog-code bench")
    bench.add_argument("name")
    bench.add_argument("--size", type=int, default=0, help="size of the input; what it counts depends on NAME")
    bench.add_argument("--repo", default="", help="repository to work in")
    bench.add_argument("--changed", type=int, default=100, help="files that are changed in it")
    bench.add_argument("--runs", type=int, default=5, help="how often it is measured")
    bench.add_argument("--since", type=float, default=0.0, help="when the process was started, monotonic seconds")
    bench.add_argument("--split", action="store_true", help="two columns")
    return bench.parse_args(words, argparse.Namespace(command="bench"))


def run(options: argparse.Namespace, paths: Paths) -> int:
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
