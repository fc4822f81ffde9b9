"""Files that the person's own commits changed lately, from real repositories."""

from __future__ import annotations

import time
from pathlib import Path

from posthog_code.adapters.git import make_git
from tests.helpers import GIT_ENV, git, make_repository
from tests.helpers import run as drive

DAY = 86_400.0


def commit(folder: Path, path: str, email: str, days: float = 0.0) -> None:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{time.time_ns()}\n")
    git(folder, "add", "-A")
    at = f"{int(time.time() - days * DAY)} +0000"
    environment = ("-c", f"user.email={email}")
    keep = {key: GIT_ENV.pop(key) for key in ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL")}
    GIT_ENV.update(GIT_COMMITTER_DATE=at, GIT_AUTHOR_DATE=at)
    try:
        git(folder, *environment, "commit", "-qm", "Change\n\nwith a body")
    finally:
        del GIT_ENV["GIT_COMMITTER_DATE"], GIT_ENV["GIT_AUTHOR_DATE"]
        GIT_ENV.update(keep)


def test_own_work(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "r")
    commit(folder, "src/größe \N{SNOWMAN}.ts", "ada@example.com", 10)
    commit(folder, "src/größe \N{SNOWMAN}.ts", "ADA@example.com", 3)
    commit(folder, "other.py", "grace@example.com")
    commit(folder, "longer.py", "xada@example.com")
    commit(folder, "longer.py", "ada@example.com.evil")
    git(folder, "switch", "-qc", "feature")
    commit(folder, "branch.py", "ada@example.com")
    git(folder, "switch", "-q", "main")
    port = make_git().git
    found = drive(port.own_work(folder, time.time() - 90 * DAY))
    assert {"src/größe \N{SNOWMAN}.ts", "branch.py", "calc.py"} <= found.keys()
    assert not {"other.py", "longer.py"} & found.keys()
    twice = found["src/größe \N{SNOWMAN}.ts"]
    assert len(twice.commits) == 2 and abs(twice.last - (time.time() - 3 * DAY)) < 600
    recent = drive(port.own_work(folder, time.time() - 5 * DAY))
    assert len(recent["src/größe \N{SNOWMAN}.ts"].commits) == 1
    git(folder, "config", "user.email", "nobody.at+all[1]@example.com")
    assert drive(port.own_work(folder, 0.0)) == {}
