"""The benchmarks of the main job, each a generator of lines: what was measured, and the budget it is held to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from posthog_code.app.bench_data import make_repository
from tests.bench.runner import Line, above, against, below, limit, now, number, product


@dataclass
class Lab:
    """Where inputs are made, and how much is measured."""

    folder: Path
    runs: int
    big: bool

    def repository(self, files: int) -> Path:
        path = self.folder / f"repository-{files}"
        if not path.exists():
            make_repository(path, files)
        return path

    def home(self, name: str) -> Path:
        return self.folder / f"home-{name}"

    def seeded(self, tasks: int) -> Path:
        home = self.home(f"{tasks}-tasks")
        if not home.exists():
            product("seed", home, "--size", str(tasks))
        return home

    @property
    def sizes(self) -> tuple[int, ...]:
        return (10_000, 50_000) if self.big else (10_000,)


def start(lab: Lab) -> Iterator[Line]:
    """The start with 50 tasks until their list is painted, against a bare window."""
    home = lab.seeded(50)
    screens = ["offscreen", *(["xcb"] if os.environ.get("DISPLAY") else [])]
    for screen in screens:
        env = {"QT_QPA_PLATFORM": screen}
        pairs = []
        for turn in range(lab.runs + 1):
            ours = product("start", home, "--since", now(), env=env)
            bare = limit("bare_window.py", now(), env=env)
            if turn:  # the first one writes byte code
                pairs.append((ours, bare))
        for key, budget in (("content", 1.6), ("cpu", 1.8)):
            found = [(number(ours, key), number(bare, key)) for ours, bare in pairs]
            yield against(f"start {key} ({screen})", found, budget)
        offenders = pairs[-1][0]["offenders"]
        yield Line("start imports", offenders, "", "", "none", offenders == "none")


def memory(lab: Lab) -> Iterator[Line]:
    """Resident memory with 12 idle tasks, and what an idle window uses."""
    home = lab.seeded(12)
    idle = 12
    pairs = []
    for _ in range(3):
        pairs.append((product("start", home, "--since", now(), "--size", "1"), limit("bare_window.py", now())))
    for key, budget in (("memory", 1.6), ("loaded", 2.0)):
        found = [(number(ours, key), number(bare, "memory")) for ours, bare in pairs]
        yield against(f"memory {'at first paint' if key == 'memory' else key}", found, budget, "MB")
    quiet = product("start", lab.seeded(20), "--since", now(), "--size", str(idle + 1))
    yield below("idle, 20 tasks", number(quiet, "idle_percent"), 0.5, "% of a core")


def create(lab: Lab) -> Iterator[Line]:
    """*Start* pressed to a task that can be typed in."""
    for files in lab.sizes:
        home = lab.home(f"create-{files}")
        found = product("create", home, "--repo", str(lab.repository(files)), "--runs", str(lab.runs))
        yield below(f"start pressed, {files:,} files", number(found, "create"), 100)
        yield below("  the first time", number(found, "first"), 100)


def worktree(lab: Lab) -> Iterator[Line]:
    """A worktree ready, against `git worktree add`."""
    for files in lab.sizes:
        home = lab.home(f"worktree-{files}")
        found = product("worktree", home, "--repo", str(lab.repository(files)), "--runs", str(lab.runs))
        yield _in_process(f"worktree, {files:,} files", found, "worktree", 0.45)


def changes(lab: Lab) -> Iterator[Line]:
    """The list of changed files with counts, against the same git calls."""
    for files in lab.sizes:
        repository = lab.repository(files)
        for changed in (1, 100, 5000):
            words = ("--repo", str(repository), "--size", str(files), "--changed", str(changed))
            found = product("changes", lab.home(f"changes-{files}"), *words, "--runs", str(max(lab.runs, 5)))
            yield _in_process(f"{changed:,} changed of {files:,} files", found, "changes", 1.25)


def _in_process(name: str, found: dict[str, str], key: str, budget: float) -> Line:
    """Both sides were measured in turn in one process, which gives the ratios itself."""
    middle = number(found, "ratio")
    spread = f"x{middle:.2f} [{number(found, 'least'):.2f}-{number(found, 'most'):.2f}]"
    ours, other = number(found, key), number(found, "limit")
    return Line(name, f"{ours:.3g} ms", f"limit {other:.3g} ms", spread, f"<= x{budget:g}", middle <= budget)


def frames(lab: Lab) -> Iterator[Line]:
    """From an agent's write to the pixel, four live agents."""
    found = product("frames", lab.home("frames"), "--size", "4", "--runs", str(lab.runs))
    yield below("agent to pixel, 4 live, p95", number(found, "p95"), 50)
    yield below("  median", number(found, "p50"), 50)


def stream(lab: Lab) -> Iterator[Line]:
    """A flood into a conversation of 100,000 updates."""
    found = product("stream", lab.home("stream"), "--size", "100000")
    yield above("fold alone", number(found, "fold_per_s"), 100_000, "events/s")
    yield below("fold and draw 1,600 a frame, p95", number(found, "frame1600_p95"), 12)
    yield below("fold and draw 160 a frame, p95", number(found, "frame160_p95"), 12)
    yield above("rate within frames of 16 ms (p95)", number(found, "events_per_s_16ms"), 100_000, "events/s")
    yield below("open 100,000 updates", number(found, "open"), 100)


def cloud(lab: Lab) -> Iterator[Line]:
    """20 watched runs of the cloud, one of them in view."""
    found = product("cloud", lab.home("cloud"), "--size", "20", "--runs", str(max(lab.runs, 5)))
    yield below("memory of a watched run", number(found, "mb_a_run"), 1, "MB")
    yield below("20 watched runs at rest", number(found, "idle_percent"), 1, "% of a core")
    yield below("  at 100 events/s", number(found, "busy_percent"), 50, "% of a core")
    yield below("cloud's event to pixel, p95", number(found, "p95"), 150)
    yield below("  median", number(found, "p50"), 100)


def journal(lab: Lab) -> Iterator[Line]:
    found = product("journal", lab.home("journal"))
    yield below("journal append, p99", number(found, "p99"), 1)


def diff(lab: Lab) -> Iterator[Line]:
    """A diff's first screen and frames, against rows that are only painted."""
    home = lab.home("diff")
    for lines in (1_000, 100_000, 1_000_000):
        for split in ((), ("--split",)):
            pairs = []
            for _ in range(3):
                ours = product("diff", home, "--size", str(lines), *split)
                pairs.append((ours, limit("plain_rows.py", str(lines))))
            name = f"diff {lines:,} lines{' split' if split else ''}"
            found = [(number(ours, "first"), number(other, "first")) for ours, other in pairs]
            yield below(f"{name}, first screen", sorted(pair[0] for pair in found)[1], 80)
            yield against("  against painted rows", found, 2.5)
            if lines >= 100_000:  # smaller ones are read at once
                whole = [(number(ours, "whole"), number(other, "whole")) for ours, other in pairs]
                yield against("  all of it read", whole, 2.0)
            for key, most in (("wheel_p95", 8), ("jump_p95", 8), ("wheel_max", 16)):
                yield below(f"  {key}", sorted(number(ours, key) for ours, _ in pairs)[1], most)
            if lines == 1_000_000:
                added = [(number(ours, "memory"), number(ours, "mb")) for ours, _ in pairs]
                yield against("  memory added, of the diff's bytes", added, 2.0, "MB")


def code(lab: Lab) -> Iterator[Line]:
    """A repository of 5,000 files read for uses of PostHog, against tree-sitter that only parses them."""
    found = product("code", lab.home("code"), "--size", "5000", "--runs", str(lab.runs))
    bare = f"parse {number(found, 'bare'):.3g} ms"

    def line(name: str, key: str, budget: float) -> Line:
        middle = number(found, f"{key}_ratio")
        return Line(name, f"{number(found, key):.3g} ms", bare, f"x{middle:.2f}", f"<= x{budget:g}", middle <= budget)

    yield line("code of 5,000 files", "all", 2.0)
    yield line("  with entry points of each", "each", 2.5)
    yield below("  once more, nothing changed", number(found, "again"), 1_500)
    yield above("  rate", number(found, "files_per_s"), 1_000, "files/s")


BENCHMARKS: dict[str, Callable[[Lab], Iterator[Line]]] = {
    "start": start,
    "memory": memory,
    "create": create,
    "worktree": worktree,
    "changes": changes,
    "frames": frames,
    "journal": journal,
    "diff": diff,
    "stream": stream,
    "cloud": cloud,
    "code": code,
}
