"""How a repository's own tests are run, if that is known and cheap."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from posthog_code.demo.agent.turn import Turn


def python() -> str:
    """A Python that runs scripts: in a frozen build this program itself is none."""
    if not getattr(sys, "frozen", False):
        return sys.executable
    return shutil.which("python3") or shutil.which("python") or ""


def test_command(folder: Path, words: str = "") -> list[str]:
    """The command that runs the tests, [] when there is none that is known to be quick."""
    if not python():
        return []
    name = "python3" if shutil.which("python3") else python()
    if (folder / "tests" / "run.py").is_file():
        return [name, "tests/run.py", *words.split()]
    tests = list((folder / "tests").glob("test_*.py")) if (folder / "tests").is_dir() else []
    if tests and all("unittest" in path.read_text(encoding="utf-8", errors="replace") for path in tests):
        return [name, "-m", "unittest", "discover", "-s", "tests", "-t", ".", "-v"]
    return []


def run_tests(turn: Turn, words: str = "", why: str = "") -> int | None:
    """Run them and give the exit code; None, with the changes shown instead, where there is no quick command."""
    command = test_command(turn.session.cwd, words)
    if command:
        return turn.run(command, why or "Run the tests")
    turn.run(["git", "--no-pager", "diff", "--stat"], "No quick test command here: show what changed")
    return None
