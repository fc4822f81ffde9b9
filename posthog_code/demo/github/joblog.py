"""The text of a job's log, with GitHub's times and group marks."""

from __future__ import annotations

import time

from posthog_code.demo.github.events import CheckRun

_PASSED = (
    "##[group]Run actions/checkout",
    "Fetching the repository",
    "##[endgroup]",
    "##[group]Run python3 tests/run.py",
    "python3 tests/run.py",
    "##[endgroup]",
    "6 passed, 0 failed",
)
_FAILED = (
    "##[group]Run actions/checkout",
    "Fetching the repository",
    "##[endgroup]",
    "##[group]Run python3 tests/e2e.py checkout --browser webkit",
    "python3 tests/e2e.py checkout --browser webkit",
    "##[endgroup]",
    "\x1b[32m✓\x1b[0m shows the total",
    "\x1b[32m✓\x1b[0m refuses an empty cart",
    "\x1b[31m✗\x1b[0m pays once when Pay is tapped twice",
    "    the button was still enabled 120 ms after the first tap",
    "    at src/cart/CartDrawer.tsx:13",
    "5 passed, 1 failed",
    "##[error]Process completed with exit code 1.",
)


def text_of(run: CheckRun) -> str:
    lines = _FAILED if run.conclusion == "FAILURE" else _PASSED
    step = max(run.ended - run.started, 0.001) / len(lines)
    stamped = []
    for number, line in enumerate(lines):
        at = run.started + step * number
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))
        stamped.append(f"{stamp}.{int(at % 1 * 10_000_000):07}Z {line}")
    return "\n".join(stamped) + "\n"
