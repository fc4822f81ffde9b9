"""The program is killed at random moments of a turn: nothing journaled is lost, nothing is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from posthog_code.adapters.storage.journal import FileJournals
from posthog_code.domain.fold import Fold
from posthog_code.domain.ids import SessionId
from posthog_code.domain.transcript import Transcript
from tests.helpers import DEMO_AGENT, git, make_repository, tree_hash

pytestmark = pytest.mark.e2e
MOMENTS = 30
LONGEST = 2.2
"""Seconds from the start of the program after which it is killed at the latest; its turn takes about as long."""


def program(home: Path, *words: str, **env: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "posthog_code", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "POSTHOG_CODE_HOME": str(home), **env},
        start_new_session=True,
    )


def ask(home: Path, *words: str) -> object:
    process = program(home, *words)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err.decode()
    assert b"Traceback" not in err
    return json.loads(out.splitlines()[-1])


def left_over(home: Path) -> list[str]:
    """Processes that work in, or were started for, the data folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            cwd = os.readlink(entry / "cwd")
            state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
            if cwd.startswith(str(home)) and state != "Z":
                found.append(f"{entry.name} {(entry / 'cmdline').read_bytes()!r}")
    return found


def wait_until_gone(home: Path) -> None:
    deadline = time.monotonic() + 10
    while left := left_over(home):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def journal_lines(home: Path) -> Iterator[tuple[Path, bytes]]:
    for path in (home / "journal").glob("*.jsonl"):
        yield path, path.read_bytes()


def test_thirty_kills(tmp_path: Path) -> None:
    rng = random.Random(20)
    repository = make_repository(tmp_path / "repo")
    checkout = tree_hash(repository), (repository / ".git" / "index").read_bytes()
    home = tmp_path / "home"
    interrupted = cut_in_setup = 0
    for number in range(MOMENTS):
        process = program(
            home, "run", "--repo", str(repository), "--agent", "custom", "--agent-command", DEMO_AGENT,
            "--mode", "auto", "--permissions", "allow", "--json", f"Improve the add function, attempt {number}",
            POSTHOG_CODE_DEMO_SPEED="0.05",
        )  # fmt: skip
        time.sleep(rng.uniform(0.2, LONGEST))
        os.kill(process.pid, signal.SIGKILL)
        printed = [json.loads(line) for line in process.communicate()[0].splitlines() if line.endswith(b"}")]
        wait_until_gone(home)
        before = dict(journal_lines(home))
        tasks = ask(home, "tasks", "--json")
        assert isinstance(tasks, list)
        check_nothing_lost(home, before, printed)
        task_id = next((event["task"] for event in printed if event.get("event") == "task"), None)
        task = next((t for t in tasks if t["id"] == task_id), None)
        if task_id is not None:
            assert task is not None, "a task that was told of is not there any more"
            assert task["state"] not in ("working", "starting", "waiting", "cancelling", "setting_up")
            interrupted += task["state"] == "interrupted"
            cut_in_setup += task["phase"] == "setup_failed"
        with contextlib.closing(sqlite3.connect(home / "state.sqlite3")) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert (tree_hash(repository), (repository / ".git" / "index").read_bytes()) == checkout
    assert interrupted, "no kill hit a running turn: the moments are chosen badly"
    registered = git(repository, "worktree", "list", "--porcelain").count("worktree ") - 1
    on_disk = [p for p in (home / "worktrees").glob("*/*") if p.is_dir()]
    assert registered == len(on_disk)
    go_on(home, interrupted_task(home))


def check_nothing_lost(home: Path, before: dict[Path, bytes], printed: list[dict[str, object]]) -> None:
    """What was in a journal is still in it, only a torn last line may go; what was shown is in it."""
    for path, old in before.items():
        whole = old[: old.rfind(b"\n") + 1]
        assert path.read_bytes().startswith(whole)
        for line in whole.splitlines():
            json.loads(line)
    shown = [event["key"] for event in printed if event.get("event") == "item"]
    if not shown:
        return
    for path in before:
        fold = Fold(Transcript())
        for frame, direction, at in FileJournals(home / "journal").read(SessionId(path.stem)):
            fold.apply(frame, direction, at)
        keys = {item.key for item in fold.transcript.items}
        if set(shown) <= keys:
            return
    raise AssertionError("an item that was printed is in no journal")


def interrupted_task(home: Path) -> str:
    tasks = ask(home, "tasks", "--json")
    assert isinstance(tasks, list)
    return str(next(t["id"] for t in tasks if t["state"] == "interrupted"))


def go_on(home: Path, task_id: str) -> None:
    """An interrupted turn can be continued."""
    process = program(
        home,
        "prompt",
        task_id,
        "--permissions",
        "allow",
        "--json",
        "Improve the add function",
        POSTHOG_CODE_DEMO_SPEED="0",
    )
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err.decode()
    summary = json.loads(out.splitlines()[-1])
    assert summary["stop_reason"] == "end_turn"
    assert summary["turns"] == 2
    wait_until_gone(home)
