"""The program is killed at random moments of a hand-over and started again: nothing is lost, nothing is there twice."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from posthog_code.domain.fold import Fold
from posthog_code.services.handover_log import conversation, entries
from tests.helpers import DEMO_AGENT, git, tree_hash
from tests.integration.demo.cloud_client import CloudClient
from tests.integration.git_world import print_of
from tests.integration.handover_world import World, told, world_at

pytestmark = pytest.mark.e2e
MOMENTS = 10


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world_at(tmp_path / "world", monkeypatch) as made:
        monkeypatch.setenv("POSTHOG_CODE_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("GITHUB_API_URL", made.github.api)
        yield made


def start(*words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "posthog_code", *words, "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


def lines(*words: str, code: int = 0) -> list[Any]:
    process = start(*words)
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, (out.decode()[-3000:], err.decode()[-3000:])
    assert b"Traceback" not in err
    return [json.loads(line) for line in out.splitlines()]


def killed(count: int, jitter: float, *words: str) -> str:
    """Kill the program `jitter` s after it has told of `count` steps; gives the step that it was in ("" for none yet,
    "end" when it was faster)."""
    process = start(*words)
    assert process.stdout is not None
    events: list[dict[str, Any]] = []
    while len(events) < count and (line := process.stdout.readline()):
        events.append(json.loads(line))
    time.sleep(jitter)
    os.kill(process.pid, signal.SIGKILL)
    out, _ = process.communicate()
    events += [json.loads(line) for line in out.splitlines() if line.endswith(b"}")]
    if any(event["event"] == "summary" for event in events):
        return "end"
    return next((event["step"] for event in reversed(events) if event["event"] == "step"), "")


def moment(number: int, steps: int, rng: random.Random) -> int:
    """A random one of the tenth of the program that is this kill's."""
    return int((number + rng.random()) * steps / MOMENTS)


def until_done(*words: str) -> dict[str, Any]:
    """Run it again until it is through: a git process of the killed one may still hold a lock for a moment."""
    for _ in range(5):
        process = start(*words)
        out, err = process.communicate(timeout=120)
        assert b"Traceback" not in err, err.decode()
        summary: dict[str, Any] = json.loads(out.splitlines()[-1])
        if process.returncode == 0:
            return summary
        time.sleep(0.3)
    raise AssertionError((out.decode(), err.decode()))


def content(folder: Path) -> dict[str, str]:
    return print_of(folder, skip=(".git", ".env.local"))


def journal(home: Path, task: str) -> list[tuple[dict[str, Any], str, float]]:
    path = next(p for p in (home / "journal").glob("*.jsonl") if f'"id":"{task}"'.encode() in p.read_bytes())
    found = []
    for line in path.read_bytes().splitlines():
        entry = json.loads(line)
        at = datetime.fromisoformat(entry["timestamp"]).timestamp()
        found.append((entry["notification"], entry["direction"], at))
    return found


def shown(frames: list[tuple[dict[str, Any], str, float]] | tuple[Any, ...]) -> tuple[list[str], list[str], list[str]]:
    fold = Fold()
    for frame, way, at in frames:
        fold.apply(frame, way, at)
    return told(fold.transcript)


def log_of(client: CloudClient, task: str, run: str) -> list[dict[str, Any]]:
    data = client("GET", f"{client.tasks}{task}/runs/{run}/logs").data
    return [json.loads(line) for line in data.splitlines()]


def test_a_take_over_is_killed_ten_times(world: World, tmp_path: Path) -> None:
    rng = random.Random(3)
    client, home = CloudClient(world.posthog), tmp_path / "home"
    lines("repositories", "--add", str(world.repository))
    made = [world.appear(f"Improve the health endpoint, part {n}", mess=True) for n in range(MOMENTS + 1)]
    checkout = tree_hash(world.repository), (world.repository / ".git" / "index").read_bytes()
    agent = ("--agent", "custom", "--agent-command", DEMO_AGENT)
    steps = len(lines("take-over", made[0]["id"], *agent)) - 1
    reached: Counter[str] = Counter()
    for number, task in enumerate(made[1:]):
        run = task["latest_run"] or client("GET", f"{client.tasks}{task['id']}/").body["latest_run"]
        sandbox = world.sandbox(run["id"])
        there, head = content(sandbox), git(sandbox, "rev-parse", "HEAD")
        index = git(sandbox, "write-tree")
        words = ("take-over", task["id"], *agent)
        reached[killed(moment(number, steps, rng), rng.uniform(0.0, 0.1), *words)] += 1
        summary = until_done(*words)
        folder = Path(summary["worktree"])
        assert summary["phase"] == "ready" and summary["cloud_task"] == task["id"]
        assert content(folder) == there and git(folder, "rev-parse", "HEAD") == head
        assert git(folder, "write-tree") == index
        mine = [one for one in lines("tasks")[0] if one["title"] == task["title"]]
        assert len(mine) == 1, "one task, however often it was begun"
        talk = conversation(log_of(client, task["id"], run["id"]))
        assert shown(journal(home, summary["task"])) == shown(talk.lines)
        row = client("GET", f"{client.tasks}{task['id']}/runs/{run['id']}/").body
        # Killed between the end of the cloud's part and our taking it, the run is over.
        assert row["environment"] == "local" or row["status"] == "completed", row
    print(
        "killed in",
        dict(reached),
    )
    registered = git(world.repository, "worktree", "list", "--porcelain").count("worktree ") - 1
    folders = [path for path in (home / "worktrees").glob("*/*") if path.is_dir()]
    assert registered == len(folders) == MOMENTS + 1
    assert (tree_hash(world.repository), (world.repository / ".git" / "index").read_bytes()) == checkout


def test_sending_is_killed_ten_times(world: World, tmp_path: Path) -> None:
    rng = random.Random(4)
    client, home = CloudClient(world.posthog), tmp_path / "home"
    local = []
    for number in range(MOMENTS + 1):
        prompt = f"Improve the health endpoint, part {number}"
        told_lines = lines(
            "run", prompt, "--repo", str(world.repository), "--agent", "custom", "--agent-command", DEMO_AGENT,
            "--mode", "auto", "--permissions", "allow",
        )  # fmt: skip
        folder = Path(told_lines[-1]["worktree"])
        (folder / "untracked.bin").write_bytes(os.urandom(200_000))
        (folder / "staged.txt").write_text("staged\n")
        git(folder, "add", "staged.txt")
        (folder / "staged.txt").write_text("unstaged\n")
        local.append((told_lines[-1]["task"], folder))
    steps = len(lines("send-to-cloud", local[0][0])) - 1
    reached: Counter[str] = Counter()
    for number, (task, folder) in enumerate(local[1:]):
        before, index = content(folder), git(folder, "write-tree")
        wanted = entries(journal(home, task), "")
        talk = shown(journal(home, task))
        words = ("send-to-cloud", task)
        reached[killed(moment(number, steps, rng), rng.uniform(0.0, 0.1), *words)] += 1
        if _row(home, task)["workspace"] != "cloud":
            until_done(*words)
        assert content(folder) == before, "the worktree stays as it was"
        row = _row(home, task)
        place = row["cloud_task_id"], row["cloud_run_id"]
        assert row["workspace"] == "cloud" and row["phase"] == "ready", row
        runs = client("GET", f"{client.tasks}{place[0]}/runs/").body["results"]
        assert [one["id"] for one in runs] == [place[1]] and runs[0]["environment"] == "cloud"
        _until_idle(world, place[1])
        sandbox = world.sandbox(place[1])
        assert content(sandbox) == before and git(sandbox, "write-tree") == index
        stored = log_of(client, *place)
        ours = Counter(json.dumps(one["notification"], sort_keys=True) + one["timestamp"] for one in stored)
        assert all(ours[json.dumps(one["notification"], sort_keys=True) + one["timestamp"]] == 1 for one in wanted)
        assert shown(conversation(stored).lines) == talk
    print(
        "killed in",
        dict(reached),
    )
    assert client("GET", client.tasks).body["count"] == MOMENTS + 1, "one cloud task for each"


def _row(home: Path, task: str) -> dict[str, Any]:
    with closing(sqlite3.connect(home / "state.sqlite3")) as database:
        (body,) = database.execute("SELECT body FROM tasks WHERE id = ?", (task,)).fetchone()
    row: dict[str, Any] = json.loads(body)
    return row


def _until_idle(world: World, run: str) -> None:
    deadline = time.monotonic() + 30
    while world.posthog.control("GET", f"runs/{run}")["state"] != "idle":
        assert time.monotonic() < deadline
        time.sleep(0.05)
