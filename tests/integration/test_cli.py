"""The command line as a program: exit codes, JSON, and errors that are sentences."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from posthog_code.cli.output import for_a_command
from posthog_code.domain.errors import Offline
from tests.helpers import DEMO_AGENT, git, tree_hash


def program(
    home: Path, *words: str, env: dict[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "posthog_code", *words],
        capture_output=True,
        text=True,
        errors="surrogateescape",
        input=stdin,
        timeout=60,
        check=False,
        env={**os.environ, "POSTHOG_CODE_HOME": str(home), **(env or {})},
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def run_task(home: Path, repository: Path, prompt: str, *more: str, **kwargs: Any) -> subprocess.CompletedProcess[str]:
    agent = ("--agent", "custom", "--agent-command", DEMO_AGENT)
    return program(home, "run", "--repo", str(repository), *agent, *more, prompt, **kwargs)


def events(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_run_tells_events_and_ends_with_a_summary(tmp_path: Path, repository: Path) -> None:
    home = tmp_path / "home"
    checkout = tree_hash(repository)
    done = run_task(home, repository, "Improve the add function", "--mode", "auto", "--permissions", "allow", "--json")
    assert done.returncode == 0, done.stderr
    told = events(done)
    kinds = {event["event"] for event in told}
    assert {"task", "step", "item", "summary"} <= kinds
    summary = told[-1]
    assert summary["event"] == "summary"
    assert summary["stop_reason"] == "end_turn"
    assert summary["branch"] == "posthog-code/improve-the-add-function"
    assert Path(summary["worktree"]).is_dir()
    assert summary["diff"]["files"] > 0
    assert tree_hash(repository) == checkout

    task_id = summary["task"]
    listed = json.loads(program(home, "tasks", "--json").stdout)
    assert [task["id"] for task in listed] == [task_id]
    assert listed[0]["state"] in ("idle", "ready") and "Ready for review" in program(home, "tasks").stdout
    assert "turn 1  Done" in program(home, "show", task_id).stdout
    shown = json.loads(program(home, "show", task_id[:6], "--transcript", "--json").stdout)
    assert shown["turn_list"][0]["stop_reason"] == "end_turn"
    assert shown["transcript"][0]["text"] == "Improve the add function"
    diff = program(home, "diff", task_id).stdout
    assert "+++ b/calc.py" in diff
    files = json.loads(program(home, "diff", task_id, "--scope", "last_turn", "--json").stdout)["files"]
    assert len(files) == summary["diff"]["files"]

    again = program(home, "prompt", task_id, "Improve the add function", "--permissions", "allow", "--json")
    assert again.returncode == 0
    assert events(again)[-1]["turns"] == 2

    assert program(home, "archive", task_id).returncode == 0
    assert json.loads(program(home, "tasks", "--json").stdout) == []
    assert not Path(summary["worktree"]).exists()
    assert program(home, "restore", task_id, "--json").returncode == 0
    assert program(home, "diff", task_id).stdout == program(home, "diff", task_id).stdout != ""
    assert program(home, "delete", task_id).returncode == 0
    assert [e["task"] for e in json.loads(program(home, "trash", "list", "--json").stdout)] == [task_id]
    assert "Removed 0" in program(home, "trash", "empty", "--older-than", "1d", "--yes").stdout
    refused = program(home, "trash", "empty")
    assert refused.returncode == 2 and "--yes" in refused.stderr
    assert "Removed 1" in program(home, "trash", "empty", "--yes").stdout
    assert program(home, "restore", task_id).returncode == 2
    assert git(repository, "worktree", "list", "--porcelain").count("worktree ") == 1


def test_denied_permissions_leave_the_files_alone(tmp_path: Path, repository: Path) -> None:
    done = run_task(
        tmp_path / "home", repository, "Improve the add function", "--mode", "ask", "--permissions", "deny", "--json"
    )
    summary = events(done)[-1]
    assert summary["diff"]["files"] == 0
    assert summary["stop_reason"] in ("end_turn", "refusal", "cancelled")


def test_nobody_to_ask_means_no(tmp_path: Path, repository: Path) -> None:
    done = run_task(tmp_path / "home", repository, "Improve the add function", "--mode", "ask", "--json")
    told = events(done)
    assert any(event["event"] == "ask" for event in told)
    assert told[-1]["diff"]["files"] == 0


def test_a_turn_that_takes_too_long_is_stopped(tmp_path: Path, repository: Path) -> None:
    done = run_task(tmp_path / "home", repository, "silent", "--timeout", "1", "--json")
    assert done.returncode == 1
    assert events(done)[-1]["stop_reason"] == "cancelled"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["show", "nothing"], "There is no task 'nothing'"),
        (["diff", "nothing"], "There is no task"),
        (["run", "--repo", "/no/such/folder", "--agent", "custom", "x"], "/no/such/folder"),
        (["pr", "status", "nothing"], "There is no task"),
    ],
)
def test_errors_are_sentences(tmp_path: Path, words: list[str], expected: str) -> None:
    done = program(tmp_path / "home", *words)
    assert done.returncode == 2
    assert expected in done.stderr
    as_json = program(tmp_path / "home", *words, "--json")
    assert json.loads(as_json.stdout.splitlines()[-1])["error"]


def test_an_unknown_agent_is_named_before_anything_is_made(tmp_path: Path, repository: Path) -> None:
    done = program(tmp_path / "home", "run", "--repo", str(repository), "--agent", "nobody", "x")
    assert done.returncode == 2
    assert "no agent called nobody" in done.stderr
    assert json.loads(program(tmp_path / "home", "tasks", "--json").stdout) == []


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("/no/such/program", "was not found"),
        ("sh -c 'echo broken >&2; exit 3'", "broken"),
        ("sh -c 'echo hello; sleep 0.2'", ""),
    ],
)
def test_agents_that_do_not_start(tmp_path: Path, repository: Path, command: str, expected: str) -> None:
    agent = ("--agent", "custom", "--agent-command", command)
    done = program(tmp_path / "home", "run", "--repo", str(repository), *agent, "--json", "x")
    assert done.returncode == 2
    summary = events(done)[-1]
    assert summary["stop_reason"] == "not_started"
    assert summary["error"]
    assert expected in done.stderr + json.dumps(events(done))
    # The worktree and the prompt stay: the next try needs only another agent.
    shown = json.loads(program(tmp_path / "home", "show", summary["task"], "--json").stdout)
    assert shown["prompt"] == "x"


def test_a_machine_without_git(tmp_path: Path, repository: Path) -> None:
    empty = tmp_path / "bin"
    empty.mkdir()
    done = run_task(tmp_path / "home", repository, "x", env={"PATH": str(empty)})
    assert done.returncode == 2
    assert "git" in done.stderr.lower() and "install" in done.stderr.lower()


def test_a_data_folder_that_cannot_be_written(tmp_path: Path, repository: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run_task(tmp_path / "file" / "home", repository, "x")
    assert done.returncode == 2
    assert f"The data folder {tmp_path / 'file' / 'home'} cannot be written" in done.stderr
    assert "POSTHOG_CODE_HOME" in done.stderr and "log" not in done.stderr


def test_a_reason_is_told_once(tmp_path: Path, repository: Path) -> None:
    done = run_task(tmp_path / "home", repository, "x", "--base", "nosuch")
    assert done.returncode == 2
    assert (done.stdout + done.stderr).count("There is no") == 1 and "nosuch" in done.stderr


def test_nothing_is_tried_again_after_a_command() -> None:
    told = for_a_command(Offline("api.github.com could not be reached.", "It is tried again in a while.", "x"))
    assert (told.hint, told.detail, told.code) == ("Run it again when GitHub can be reached.", "x", "offline")
    other = Offline("The proxy refused.", "Check its settings.")
    assert for_a_command(other) is other


def test_a_damaged_database_is_set_aside(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "state.sqlite3").write_bytes(b"garbage" * 2000)
    assert program(home, "tasks").returncode == 0
    assert (home / "state.sqlite3.damaged-1").exists()


def test_agents_and_doctor_and_repositories(tmp_path: Path, repository: Path) -> None:
    home = tmp_path / "home"
    agents = json.loads(program(home, "agents", "--json").stdout)
    by_id = {info["spec"]["id"]: info for info in agents}
    assert {"claude-code", "codex", "opencode", "gemini", "mistral-vibe", "demo"} <= set(by_id)
    assert by_id["demo"]["status"] == "ready"
    findings = json.loads(program(home, "doctor", "--json").stdout)
    assert {"python", "git", "qt", "data", "disk"} <= {f["name"] for f in findings}
    assert all(f["ok"] for f in findings if f["required"]), findings
    assert program(home, "repositories", "--add", str(repository)).returncode == 0
    listed = json.loads(program(home, "repositories", "--setup-script", "repo", "true", "--json").stdout)
    assert listed[0]["setup_script"] == "true"
    off = program(home, "repositories", "--posthog-tools", "repo", "off").stdout
    assert "PostHog tools: off" in off
    kept = json.loads(program(home, "repositories", "--json").stdout)
    assert kept[0]["posthog_mcp"] is False and kept[0]["setup_script"] == "true"
    assert program(home, "repositories", "--posthog-tools", "repo", "maybe").returncode == 2
    tools = next(f for f in findings if f["name"] == "tools")
    assert not tools["required"] and "not signed in" in tools["text"]
