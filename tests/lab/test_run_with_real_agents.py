"""`posthog-code run` with real agents: an edit and a command in the worktree, the checkout as it was."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import git, make_repository, tree_hash
from tests.lab.real_agents import command, environment, model_server

pytestmark = [pytest.mark.lab, pytest.mark.e2e]

SCRIPT = {
    "scenarios": [
        {
            "name": "edit",
            "match": "answer with a name",
            "turns": [
                {"thinking": "A small edit.", "text": "I look first.", "read_file": "calc.py"},
                {"edit_file": {"path": "calc.py", "old": "    return a + b", "new": "    return sum((a, b))"}},
                {"run": {"command": "python3 -m unittest -v 2>&1 | tee ran.txt", "why": "Run it", "escalate": True}},
                {"text": "Done."},
            ],
        }
    ]
}


@pytest.fixture(scope="module")
def model_url() -> Iterator[str]:
    server = model_server()
    with server.ServerThread(server.Script.from_json(SCRIPT)) as running:
        yield running.url


@pytest.mark.parametrize("agent", ["codex", "claude-code"])
def test_run_edits_and_runs_in_the_worktree_only(agent: str, tmp_path: Path, model_url: str) -> None:
    words = command(agent)
    repository = make_repository(tmp_path / "repo")
    checkout = (
        tree_hash(repository),
        (repository / ".git" / "index").read_bytes(),
        git(repository, "status", "--porcelain"),
    )
    home = tmp_path / "data"
    env = environment(agent, tmp_path / "agent-home", model_url) | {
        "POSTHOG_CODE_HOME": str(home),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    mode = ["--mode", "read-only"] if agent == "codex" else []
    done = subprocess.run(
        [
            sys.executable, "-m", "posthog_code", "run", "--repo", str(repository), "--agent", agent,
            "--agent-command", shlex.join(words), *mode, "--permissions", "allow", "--json", "answer with a name",
        ],
        capture_output=True, env=env, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    events = [json.loads(line) for line in done.stdout.splitlines()]
    summary = events[-1]
    assert summary["stop_reason"] == "end_turn"
    worktree = Path(summary["worktree"])
    assert "return sum((a, b))" in (worktree / "calc.py").read_text()
    assert "OK" in (worktree / "ran.txt").read_text()
    kinds = [event["type"] for event in events if event["event"] == "item"]
    assert {"UserMessage", "AgentText", "ToolCall", "TurnFooter"} <= set(kinds)
    diff = subprocess.run(
        [sys.executable, "-m", "posthog_code", "diff", summary["task"]], capture_output=True, env=env, check=True
    ).stdout.decode()
    assert "+    return sum((a, b))" in diff
    assert "+++ b/ran.txt" in diff
    after = (
        tree_hash(repository),
        (repository / ".git" / "index").read_bytes(),
        git(repository, "status", "--porcelain"),
    )
    assert after == checkout
