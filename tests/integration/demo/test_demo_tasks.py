"""The seeded tasks: each reaches its state by prompting the agent; pull requests get theirs from the stand-in."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from demo_client import Client

from posthog_code.demo.repositories import git_environment
from posthog_code.demo.tasks import TASKS, DemoTask, Wanted
from posthog_code.demo.world import WorldFacts, prepare, start_github

NOW = 1_790_000_000.0


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> WorldFacts:
    return prepare(tmp_path_factory.mktemp("world"), NOW)


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=git_environment(), capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.branch)
def test_reaches_its_state(task: DemoTask, world: WorldFacts, tmp_path: Path, start: Callable[..., Client]) -> None:
    folder = tmp_path / "worktree"
    git(world.repository(task.repository), "worktree", "add", "-q", "-b", task.branch, str(folder), "main")
    client = start(folder, speed=str(task.speed))
    client.open(task.mode)
    for prompt in task.prompts[:-1]:
        assert client.prompt(prompt)["result"]["stopReason"] == "end_turn"
    number = client.start("session/prompt", client.prompt_params(task.prompts[-1]))
    if task.wanted is Wanted.FAILED:
        with pytest.raises(EOFError):
            client.until(lambda frame: frame.get("id") == number and "method" not in frame)
        assert client.process.wait(5) == 137
    elif task.wanted is Wanted.PERMISSION:
        client.until(lambda frame: frame.get("method") == "session/request_permission")
    elif task.wanted is Wanted.QUESTION:
        client.until(lambda frame: frame.get("method") == "elicitation/create")
    elif task.wanted is Wanted.RUNNING:
        client.until(lambda frame: frame.get("params", {}).get("update", {}).get("sessionUpdate") == "plan")
    else:
        answer = client.until(lambda frame: frame.get("id") == number and "method" not in frame)
        assert answer["result"]["stopReason"] == "end_turn"
        assert "leave that part alone" not in client.text()
    if task.files:
        assert len(git(folder, "status", "--porcelain", "-uall").splitlines()) == task.files
    if task.pull_request:
        publish(task, world, folder)


def publish(task: DemoTask, world: WorldFacts, folder: Path) -> None:
    github = start_github(world.home)
    try:
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", task.title)
        git(folder, "push", "-q", "-u", "origin", task.branch)
        new = {"title": task.pull_request, "head": task.branch, "base": "main", "body": ""}
        pulls = f"{github.api}/repos/harbor/{task.repository}/pulls"
        number = call(pulls, new)["number"]
        github.advance(task.repository, number, task.advance)
        sha = call(f"{pulls}/{number}")["head"]["sha"]
        runs = call(f"{github.api}/repos/harbor/{task.repository}/commits/{sha}/check-runs")["check_runs"]
        failed = [run["name"] for run in runs if run["conclusion"] == "failure"]
        if task.wanted is Wanted.MERGED:
            assert failed == []
            github.merge(task.repository, number)
            assert call(f"{pulls}/{number}")["merged"]
        else:
            assert failed == ["checkout (webkit)"]
            assert len(call(f"{pulls}/{number}/comments")) == 1
    finally:
        github.stop()


def call(url: str, body: Any = None) -> Any:
    headers = {"Authorization": "Bearer ghp_demo", "User-Agent": "test"}
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None, headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        return json.load(answer)
