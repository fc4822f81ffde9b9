"""The sample repositories are the same each time, look lived in, and their tests pass."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from posthog_code.demo.repositories import NAMES, git, make_repositories

NOW = 1_790_000_000.0
TESTS = {
    "harbor-web": ["tests/run.py"],
    "harbor-api": ["-m", "unittest", "discover", "-s", "tests"],
    "harbor-docs": ["tests/run.py"],
}


def test_equal_arguments_give_equal_commits(made: Path, tmp_path: Path) -> None:
    again = make_repositories(tmp_path, NOW)
    assert [path.name for path in again] == list(NAMES)
    assert [git(path, "rev-parse", "HEAD") for path in again] == [
        git(made / name, "rev-parse", "HEAD") for name in NAMES
    ]
    (tmp_path / "harbor-docs" / "note.txt").write_text("mine")
    make_repositories(tmp_path, NOW + 5)
    assert (tmp_path / "harbor-docs" / "note.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["harbor-web", "harbor-api"])
def test_history_is_believable(made: Path, name: str) -> None:
    log = [line.split("|") for line in git(made / name, "log", "--format=%an|%ct|%s").splitlines()]
    assert len(log) >= 20 and len({author for author, _, _ in log}) == 4
    times = [int(at) for _, at, _ in log]
    assert times == sorted(times, reverse=True) and NOW - 7 * 86_400 < times[0] < NOW
    assert len({subject for _, _, subject in log}) == len(log)


@pytest.mark.parametrize("name", NAMES)
def test_has_what_a_repository_has_and_its_tests_pass(repository: Callable[[str], Path], name: str) -> None:
    folder = repository(name)
    assert git(folder, "status", "--porcelain") == ""
    assert "!! .env.local" in git(folder, "status", "--porcelain", "--ignored")
    for path in ("README.md", "CHANGELOG.md", ".gitignore", ".worktreeinclude", ".github/pull_request_template.md"):
        assert (folder / path).is_file(), path
    assert (folder / ".worktreeinclude").read_text() == ".env.local\n"
    done = subprocess.run([sys.executable, "-B", *TESTS[name]], cwd=folder, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_checker_of_harbor_web_really_looks(repository: Callable[[str], Path]) -> None:
    folder = repository("harbor-web")
    (folder / "src/payments/total.ts").write_text("export function sum(cart: Cart): number {\n  return 0;\n")
    done = subprocess.run([sys.executable, "-B", "tests/run.py"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1
    assert "does not export total" in done.stdout and "1 { but 0 }" in done.stdout
