"""Runners as processes: they take what waits, do it to the pull request, and never do anything twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from posthog_code.cli.turn import policy_for
from posthog_code.domain.fold import Fold
from posthog_code.domain.ids import RequestId, TaskId
from posthog_code.domain.session import Ask, AskKind, AskOption
from posthog_code.services.handover_log import conversation
from tests.helpers import DEMO_AGENT, git
from tests.integration.demo.cloud_client import CloudClient
from tests.integration.handover_world import NAME, World, told, world_at

pytestmark = pytest.mark.e2e
LIMIT = 120.0


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world_at(tmp_path / "world", monkeypatch) as made:
        yield made


class Process:
    """A runner on a machine of its own: data folder and clone."""

    def __init__(self, world: World, folder: Path, *words: str, **env: str) -> None:
        self.home = folder / "home"
        clone = folder / NAME
        if not clone.exists():
            folder.mkdir(parents=True)
            git(folder, "clone", "-q", git(world.repository, "remote", "get-url", "origin"), str(clone))
            git(clone, "config", "user.name", "Runner")
            git(clone, "config", "user.email", "runner@harbor.example")
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "posthog_code", "runner", "--project", str(world.posthog.project),
                "--repo-map", f"harbor/{NAME}={clone}", "--agent-command", DEMO_AGENT, "--mode", "auto",
                "--settle", "1.0", "--poll", "0.3", "--json", *words,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "POSTHOG_CODE_HOME": str(self.home), "GITHUB_API_URL": world.github.api, **env},
            start_new_session=True,
        )  # fmt: skip
        self.events: list[dict[str, Any]] = []
        self.errors = b""
        self._readers = [threading.Thread(target=self._read), threading.Thread(target=self._listen)]
        for reader in self._readers:
            reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def _listen(self) -> None:
        assert self.process.stderr is not None
        self.errors = self.process.stderr.read()

    def until(self, kind: str) -> dict[str, Any]:
        deadline = time.monotonic() + LIMIT
        while True:
            found = next((event for event in self.events if event.get("event") == kind), None)
            if found is not None:
                return found
            assert self.process.poll() is None and time.monotonic() < deadline, (kind, self.events, self.errors)
            time.sleep(0.02)

    def end(self) -> int:
        try:
            return self.process.wait(LIMIT)
        finally:
            if self.process.poll() is None:
                self.process.kill()
            for reader in self._readers:
                reader.join()
            for pipe in (self.process.stdout, self.process.stderr):
                assert pipe is not None
                pipe.close()

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event.get("event") == kind]


def queue(client: CloudClient, title: str) -> tuple[str, str]:
    body = {"title": title, "description": title, "repository": f"harbor/{NAME}"}
    task = client("POST", client.tasks, body).body
    run = client("POST", f"{client.tasks}{task['id']}/runs/", {"environment": "local", "branch": "main"}).body
    return task["id"], run["id"]


def row(client: CloudClient, place: tuple[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = client("GET", f"{client.tasks}{place[0]}/runs/{place[1]}/").body
    return found


def talk(client: CloudClient, place: tuple[str, str]) -> tuple[list[str], list[str], list[str]]:
    data = client("GET", f"{client.tasks}{place[0]}/runs/{place[1]}/logs").data
    fold = Fold()
    for frame, way, at in conversation([json.loads(line) for line in data.splitlines()]).lines:
        fold.apply(frame, way, at)
    return told(fold.transcript)


def test_what_stays_in_the_worktree_is_allowed_and_the_rest_is_not() -> None:
    options = (AskOption("yes", "Allow", "allow_once"), AskOption("no", "Reject", "reject_once"))
    inside = Ask(RequestId("1"), AskKind.PERMISSION, "Edit", 0.0, options=options)
    outside = replace(inside, outside=True)
    decide = policy_for("worktree")
    assert (decide(TaskId("t"), inside), decide(TaskId("t"), outside)) == ("yes", "no")
    assert policy_for("allow")(TaskId("t"), outside) == "yes" and policy_for("deny")(TaskId("t"), inside) == "no"
    assert decide(TaskId("t"), replace(inside, kind=AskKind.QUESTION)) == ""


def test_three_runners_and_twelve_tasks(world: World, tmp_path: Path) -> None:
    client = CloudClient(world.posthog)
    wanted = [queue(client, f"Improve the health endpoint, part {number}") for number in range(12)]
    # One that somebody works on, and one of another repository: not for runners.
    body = {"environment": "local", "mode": "interactive"}
    other = client("POST", client.tasks, {"description": "mine", "repository": f"harbor/{NAME}"}).body["id"]
    mine = other, client("POST", f"{client.tasks}{other}/runs/", body).body["id"]
    runners = [Process(world, tmp_path / f"machine-{n}", "--once", "--parallel", "2") for n in range(3)]
    codes = [runner.end() for runner in runners]
    assert codes == [0, 0, 0], [(runner.events[-3:], runner.errors[-2000:]) for runner in runners]
    claimed = Counter(event["run"] for runner in runners for event in runner.all("claimed"))
    ended = Counter(event["run"] for runner in runners for event in runner.all("ended"))
    assert claimed == ended == Counter(run for _, run in wanted), "each exactly once"
    pulls = set()
    for place in wanted:
        found = row(client, place)
        assert found["status"] == "completed" and found["environment"] == "local", found
        assert found["output"]["pr_url"].startswith("http") and found["output"]["head_branch"] == found["branch"]
        assert not [key for key in found["state"] if key.startswith("runner")]
        pulls.add(found["output"]["pr_url"])
        people, agents, calls = talk(client, place)
        assert len(people) == 1 and agents and calls and len(set(calls)) == len(calls)
    assert len(pulls) == 12
    assert row(client, mine)["status"] == "queued"
    started = [len(runner.all("claimed")) for runner in runners]
    print("claims by runner:", started)


def test_a_run_is_handed_back_on_sigterm_and_after_a_kill(world: World, tmp_path: Path) -> None:
    client = CloudClient(world.posthog)
    slow = {"POSTHOG_CODE_DEMO_SPEED": "8"}
    place = queue(client, "Improve the health endpoint")
    first = Process(world, tmp_path / "one", "--grace", "0.2", **slow)
    first.until("claimed")
    deadline = time.monotonic() + LIMIT
    while not talk(client, place)[0]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    first.process.send_signal(signal.SIGTERM)
    assert first.end() == 130, first.errors
    found = row(client, place)
    assert found["status"] == "queued" and not [key for key in found["state"] if key.startswith("runner")], found
    # Killed: its lease runs out, then another one takes it.
    second = Process(world, tmp_path / "two", "--lease", "3", **slow)
    second.until("claimed")
    os.killpg(second.process.pid, signal.SIGKILL)
    second.end()
    assert row(client, place)["status"] == "in_progress"
    third = Process(world, tmp_path / "three", "--lease", "3")
    assert third.until("ended")["status"] == "completed"
    third.process.send_signal(signal.SIGTERM)
    assert third.end() == 130
    assert row(client, place)["status"] == "completed" and row(client, place)["output"]["pr_url"]


def test_the_log_arrives_once_whatever_the_network_does(world: World, tmp_path: Path) -> None:
    client = CloudClient(world.posthog)
    place = queue(client, "Improve the health endpoint")
    for rule in (
        {"path": "append_log", "kind": "drop", "after": True},
        {"path": "append_log", "kind": "status", "status": 503, "skip": 1},
        {"path": "append_log", "kind": "html", "status": 502, "after": True, "skip": 2},
    ):
        world.posthog.control("POST", "faults", rule)
    runner = Process(world, tmp_path / "one", "--once")
    assert runner.end() == 0, runner.errors
    people, agents, calls = talk(client, place)
    assert people == ["Improve the health endpoint"] and len(set(calls)) == len(calls) > 0
    journal = next((runner.home / "journal").glob("*.jsonl"))
    fold = Fold()
    for line in journal.read_bytes().splitlines():
        entry = json.loads(line)
        fold.apply(entry["notification"], entry["direction"], 0.0)
    assert told(fold.transcript) == (people, agents, calls)


def test_a_run_without_changes_needs_no_pull_request(world: World, tmp_path: Path) -> None:
    client = CloudClient(world.posthog)
    place = queue(client, "stream 20")
    runner = Process(world, tmp_path / "one", "--once")
    assert runner.end() == 0, (runner.events, runner.errors)
    found = row(client, place)
    assert found["status"] == "completed" and not found["output"].get("pr_url"), found
    assert talk(client, place)[0] == ["stream 20"]


def test_a_run_that_fails_is_told_and_not_tried_for_ever(world: World, tmp_path: Path) -> None:
    client = CloudClient(world.posthog)
    place = queue(client, "Improve the health endpoint")
    runner = Process(world, tmp_path / "one", "--once", "--agent-command", "/nowhere/to/be/found")
    assert runner.end() == 1, runner.errors
    found = row(client, place)
    assert found["status"] == "failed" and found["error_message"], found
    assert not [key for key in found["state"] if key.startswith("runner")]
    assert b"Traceback" not in runner.errors
