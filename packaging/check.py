"""Lint, types and layers, one after the other; the exit code tells whether all are clean."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHECKS = (
    ("ruff", [sys.executable, "-m", "ruff", "check", "--output-format", "concise", "."]),
    ("format", [sys.executable, "-m", "ruff", "format", "--check", "--quiet", "."]),
    ("mypy", [sys.executable, "-m", "mypy"]),
    ("layers", [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"]),
)


def main() -> int:
    failed = []
    for name, words in CHECKS:
        print(f"-- {name}", flush=True)
        if subprocess.run(words, cwd=ROOT, check=False).returncode:
            failed.append(name)
    print(f"-- failed: {', '.join(failed)}" if failed else "-- all clean", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
