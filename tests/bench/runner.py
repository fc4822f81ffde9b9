"""Runs one side of a measurement in a process of its own, pairs sides, and prints the lines."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
TIMEOUT = 600
Figures = dict[str, str]


class Crashed(Exception):
    """A side ended badly: what it said last."""


def number(figures: Mapping[str, str], key: str) -> float:
    return float(figures[key])


def run(words: Sequence[str], env: Mapping[str, str] | None = None) -> Figures:
    """The figures that a Python program prints as `name key=value ...`. Raises Crashed."""
    # Byte code may be kept, or each start would be a compilation.
    environ = {k: v for k, v in os.environ.items() if k not in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")}
    environ |= {"QT_QPA_PLATFORM": "offscreen", "QT_LOGGING_RULES": "*=false"} | dict(env or {})
    try:
        done = subprocess.run(
            [sys.executable, *words], env=environ, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Crashed(f"{' '.join(words)} took more than {TIMEOUT} s") from error
    lines = [line for line in done.stdout.splitlines() if "=" in line]
    if done.returncode or not lines:
        last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise Crashed(f"{' '.join(words)} gave {done.returncode}: {last}")
    return dict(word.split("=", 1) for word in lines[-1].split()[1:])


def product(name: str, home: Path, *words: str, env: Mapping[str, str] | None = None) -> Figures:
    """`posthog-code bench NAME` on a data folder of its own."""
    home.mkdir(parents=True, exist_ok=True)
    return run(["-m", "posthog_code", "bench", name, *words], {"POSTHOG_CODE_HOME": str(home)} | dict(env or {}))


def limit(script: str, *words: str, env: Mapping[str, str] | None = None) -> Figures:
    return run([str(HERE / script), *words], env)


def now() -> str:
    return repr(time.monotonic())


@dataclass(frozen=True)
class Line:
    """One comparison: ours, the limit, and what is allowed."""

    name: str
    ours: str
    limit: str
    ratio: str
    budget: str
    ok: bool

    def show(self) -> None:
        verdict = "ok" if self.ok else "OVER"
        words = f"{self.name:36}{self.ours:>18} {self.limit:>16} {self.ratio:>20} {self.budget:>20}  {verdict}"
        print(words, flush=True)


def against(name: str, pairs: Sequence[tuple[float, float]], budget: float, unit: str = "ms") -> Line:
    """Ratios pair by pair: times of a shared machine say nothing alone."""
    ratios = [ours / other for ours, other in pairs]
    middle = statistics.median(ratios)
    ours = statistics.median(pair[0] for pair in pairs)
    other = statistics.median(pair[1] for pair in pairs)
    spread = f"x{middle:.2f} [{min(ratios):.2f}-{max(ratios):.2f}]"
    return Line(name, f"{ours:.3g} {unit}", f"limit {other:.3g} {unit}", spread, f"<= x{budget:g}", middle <= budget)


def below(name: str, value: float, most: float, unit: str = "ms") -> Line:
    return Line(name, f"{value:.3g} {unit}", "", "", f"<= {most:g} {unit}", value <= most)


def above(name: str, value: float, least: float, unit: str) -> Line:
    return Line(name, f"{value:,.0f} {unit}", "", "", f">= {least:,.0f} {unit}", value >= least)
