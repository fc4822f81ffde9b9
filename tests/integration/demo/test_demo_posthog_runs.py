"""Runs of the stand-in PostHog, with real clones, agents and pushes."""

from __future__ import annotations

import base64
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloud_client import CloudClient, CloudRun, until

from posthog_code.demo.repositories import git, git_environment
from posthog_code.demo.world import DemoGitHub, DemoPostHog, WorldFacts, prepare, start_github, start_posthog

NOW = time.time()
JITTER = "Retry webhooks with jitter, and open a pull request."


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> WorldFacts:
    return prepare(tmp_path_factory.mktemp("home"), NOW)


@pytest.fixture(scope="module")
def github(world: WorldFacts) -> Iterator[DemoGitHub]:
    started = start_github(world.home, 0)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def cloud(world: WorldFacts, github: DemoGitHub) -> Iterator[DemoPostHog]:
    started = start_posthog(world.home, 0, seeds=False)
    yield started
    started.stop()


@pytest.fixture
def client(cloud: DemoPostHog) -> Iterator[CloudClient]:
    yield CloudClient(cloud)
    cloud.control("POST", "config", {"close_grace_s": 2})


def tree_of(folder: Path) -> dict[str, Any]:
    """Every path with its kind, mode and bytes, and the index."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if (
            name == ".git"
            or name.startswith(".git/")
            or "__pycache__" in name
            or (path.is_dir() and not path.is_symlink())
        ):
            continue
        if path.is_symlink():
            found[name] = ("link", os.readlink(path))
        else:
            found[name] = (bool(path.stat().st_mode & 0o100), path.read_bytes())
    return {"files": found, "index": git(folder, "ls-files", "--stage"), "status": git(folder, "status", "--porcelain")}


def restored(world: WorldFacts, run: CloudRun, target: Path) -> dict[str, Any]:
    """What a take-over does: fetch, unpack the newest checkpoint's artifacts, bring files and index to it."""
    facts = run.stored(event_types="_posthog/git_checkpoint")[-1]["notification"]["params"]

    def download(key: str) -> bytes:
        answer = run.client("POST", f"{run.path}artifacts/download/", {"storage_path": facts[key]})
        assert answer.status == 200
        return base64.b64decode(answer.data, validate=True)

    git(target.parent, "clone", "-q", facts["remoteUrl"], str(target))
    pack = download("artifactPath")
    assert pack.startswith(b"PACK")
    git(target, "index-pack", "--stdin", stdin=pack)
    git(target, "checkout", "-q", "-B", facts["branch"], facts["head"])
    git(target, "read-tree", "--reset", "-u", facts["worktreeTree"])
    (target / ".git/index").write_bytes(download("indexArtifactPath"))
    assert git(target, "write-tree") == facts["indexTree"]
    assert git(target, "rev-parse", f"{facts['commit']}^{{tree}}") == facts["worktreeTree"]
    assert git(target, "rev-parse", f"{facts['commit']}^1") == facts["head"]
    assert git(target, "rev-parse", f"{facts['commit']}^2^{{tree}}") == facts["indexTree"]
    subprocess.run(["git", "update-index", "-q", "--refresh"], cwd=target, env=git_environment(), check=False)
    return facts


def test_from_create_to_pull_request(client: CloudClient, github: DemoGitHub) -> None:
    run = client.start(JITTER)
    events = run.stream(stop=lambda event: event.kind == "_posthog/git_checkpoint")
    kinds = [event.kind for event in events]
    for wanted in ("_posthog/progress", "initialize", "session/new", "_posthog/run_started", "_posthog/sdk_session"):
        assert wanted in kinds
    assert kinds.index("_posthog/run_started") < kinds.index("session/prompt") < kinds.index("_posthog/turn_complete")
    run.idle()
    row = run.row()
    assert row["status"] == "in_progress" and row["branch"] == "posthog-code/retry-webhooks-with-jitter-and-open-a-pu"
    assert row["output"]["head_branch"] == row["branch"]
    assert "/harbor/harbor-api/pull/" in row["output"]["pr_url"]
    assert row["branch"] in client("GET", _branches(client)).body["branches"]
    states = [event.body for event in events if event.kind == "task_run_state"]
    assert [state["status"] for state in states][:2] == ["queued", "in_progress"]
    assert [state["updated_at"] for state in states] == sorted(state["updated_at"] for state in states)
    assert states[-1]["output"]["pr_url"] == row["output"]["pr_url"]
    assert run.command("close").body == {"jsonrpc": "2.0", "id": "t-close", "result": {"closed": True}}
    client.cloud.control("POST", "config", {"close_grace_s": 0})
    until(lambda: run.row()["status"] == "completed")
    assert run.row()["completed_at"]
    assert run.command("user_message", content="more").status == 409
    assert run.stream(query="?start=latest")[-1].event == "stream-end"


def _branches(client: CloudClient) -> str:
    return f"/api/environments/{client.cloud.project}/integrations/55/github_branches/?repo=harbor/harbor-api"


def test_stored_log_merges_what_the_stream_carries_in_chunks(client: CloudClient) -> None:
    run = client.start("Say what next_run in the schedule is for, for whoever reads it at night.")
    run.idle()
    events = run.stream(stop=lambda event: event.kind == "_posthog/git_checkpoint")
    stored = run.stored()
    chunks = [event.body["notification"]["params"]["update"] for event in events if event.kind == "agent_message_chunk"]
    merged = [
        entry["notification"]["params"]["update"]
        for entry in stored
        if entry["notification"].get("params", {}).get("update", {}).get("sessionUpdate") == "agent_message"
    ]
    assert len(chunks) > len(merged) >= 1
    assert "".join(one["content"]["text"] for one in chunks) == "".join(one["content"]["text"] for one in merged)
    others = [
        event.body
        for event in events
        if event.id and event.kind != "agent_message_chunk" and "notification" in event.body
    ]
    kept = [
        entry
        for entry in stored
        if entry["notification"].get("params", {}).get("update", {}).get("sessionUpdate") != "agent_message"
    ]
    assert others == kept


def test_reconnect_with_the_last_event_id(client: CloudClient) -> None:
    run = client.start("Say what next_run in the schedule is for, for whoever reads it at night.")
    run.idle()
    whole = run.stream(stop=lambda event: event.kind == "_posthog/git_checkpoint")
    half = whole[len(whole) // 2].id
    rest = run.stream(last=half, stop=lambda event: event.kind == "_posthog/git_checkpoint")
    assert [event.id for event in rest] == [event.id for event in whole[len(whole) // 2 + 1 :]]
    assert len({event.id for event in whole}) == len(whole)
    # Only what is new, when nothing else is wanted.
    client.cloud.control("POST", f"runs/{run.id}/emit", {"notification": {"method": "_posthog/console", "params": {}}})
    newest = run.engine()["last_event"]
    client.cloud.control("POST", f"runs/{run.id}/trim", {"keep": 2})
    assert [event.id for event in run.stream(stop=lambda event: event.id == newest)][-1] == newest
    assert len(run.stream(stop=lambda event: event.id == newest)) == 2


def test_a_permission_is_answered_once(client: CloudClient) -> None:
    run = client.start(
        "Upgrade the webhooks.", runtime_adapter="claude", model="demo-large", initial_permission_mode="default"
    )
    ask = run.ask()
    assert {"toolCallId", "title", "kind"} <= set(ask["toolCall"]) and len(ask["options"]) == 3
    assert run.command("permission_response", requestId="nobody", optionId="allow").body["error"]["code"] == -32000
    wrong = run.command("permission_response", requestId=ask["requestId"], optionId="perhaps")
    assert wrong.body["error"]["code"] == -32602
    right = run.command("permission_response", requestId=ask["requestId"], optionId="allow")
    assert right.body["result"] == {"resolved": True}
    again = run.command("permission_response", requestId=ask["requestId"], optionId="allow")
    assert (again.status, again.body["error"]["code"]) == (200, -32000)
    run.idle()
    kinds = [entry["notification"].get("method") for entry in run.stored()]
    assert kinds.count("session/request_permission") == kinds.count("_posthog/permission_response") == 1
    result = [
        entry["notification"]["result"]
        for entry in run.stored()
        if "outcome" in entry["notification"].get("result", {})
    ]
    assert result == [{"outcome": {"outcome": "selected", "optionId": "allow"}}]


def test_a_question_is_answered_in_words_of_an_option(client: CloudClient) -> None:
    run = client.start("Ask me a question: choose where it is kept.")
    ask = run.ask()
    question = ask["toolCall"]["_meta"]["questions"][0]
    assert ask["toolCall"]["_meta"]["codeToolKind"] == "question" and len(question["options"]) == 3
    answers = {question["question"]: question["options"][1]["label"]}
    done = run.command("permission_response", requestId=ask["requestId"], optionId="option_1", answers=answers)
    assert done.body["result"] == {"resolved": True}
    run.idle()
    texts = [
        entry["notification"]["params"]["update"]["content"]["text"]
        for entry in run.stored(event_types="agent_message")
    ]
    call = run.stored(event_types="tool_call_update")[0]["notification"]["params"]["update"]
    assert (call["toolCallId"], call["status"]) == (ask["toolCall"]["toolCallId"], "completed")
    assert "Noted: **Keep it in the database, with a migration**." in texts[-1]


def test_stop_turn_mode_and_follow_up(client: CloudClient) -> None:
    run = client.start(
        "Upgrade the webhooks.", runtime_adapter="claude", model="demo-large", initial_permission_mode="default"
    )
    run.ask()
    assert run.command("cancel").body["result"] == {"cancelled": True}
    run.idle()
    assert run.stored(event_types="_posthog/turn_complete")[-1]["notification"]["params"]["stopReason"] == "cancelled"
    assert run.engine()["asks"] == []
    options = run.command("set_config_option", configId="mode", value="auto").body["result"]["configOptions"]
    assert next(option for option in options if option["id"] == "mode")["currentValue"] == "auto"
    assert "error" in run.command("set_config_option", configId="mode", value="nonsense").body
    assert run.command("user_message", content="Retry webhooks with jitter.").body["result"] == {"queued": True}
    run.idle(2)
    assert run.row()["output"]["head_branch"].startswith("posthog-code/")
    assert run.command("dance").status == run.command("user_message").status == 400


def test_close_keeps_a_checkpoint_of_exactly_what_is_there(
    client: CloudClient, world: WorldFacts, tmp_path: Path
) -> None:
    task = client.cloud.appear(
        title="Jitter", prompt="Retry webhooks with jitter.", mess=True, creator=8, origin="slack", speed=0
    )
    until(client.cloud.ready)
    run = CloudRun(client, task["id"], client("GET", f"{client.tasks}{task['id']}/").body["latest_run"]["id"])
    assert run.engine()["state"] == "idle"
    sandbox = Path(run.engine()["sandbox"])
    # A commit that was never pushed travels in the pack.
    git(sandbox, "commit", "-q", "--allow-empty", "-m", "Not pushed")
    expected = tree_of(sandbox)
    assert len(expected["status"].splitlines()) > 4
    assert run.command("close", localGitState={"head": "", "branch": "main"}).status == 200
    facts = restored(world, run, tmp_path / "here")
    assert tree_of(tmp_path / "here") == expected
    assert facts["head"] == git(sandbox, "rev-parse", "HEAD") and facts["branch"] == "posthog-code/jitter"
    assert run.command("user_message", content="hello").status in (400, 409)


def test_follow_up_of_a_finished_run_goes_on_in_a_new_one(client: CloudClient) -> None:
    task = client.cloud.appear(
        title="Jitter", prompt="Retry webhooks with jitter.", mess=True, ends="completed", speed=0
    )
    until(client.cloud.ready)
    old = CloudRun(client, task["id"], client("GET", f"{client.tasks}{task['id']}/").body["latest_run"]["id"])
    assert old.row()["status"] == "completed"
    before = tree_of(Path(old.engine()["sandbox"]))
    body = {"resume_from_run_id": old.id, "mode": "interactive", "branch": old.row()["output"]["head_branch"]}
    answer = client("POST", f"{client.tasks}{task['id']}/run/", {**body, "pending_user_message": "question"})
    assert answer.status == 200, answer
    run = CloudRun(client, task["id"], answer.body["latest_run"]["id"])
    assert run.id != old.id
    run.ask()
    assert tree_of(Path(run.engine()["sandbox"])) == before
    lines = client("GET", f"{run.path}logs").data.splitlines()
    assert len(lines) >= len(old.stored()) + 5
    sessions = {
        entry["notification"]["params"]["sessionId"] for entry in run.stored(event_types="_posthog/sdk_session")
    }
    assert len(sessions) == 1
    assert client("POST", f"{run.path}cancel/", {"reason": "enough"}).status == 202
    assert run.row()["status"] == "cancelled"
    assert client("POST", f"{run.path}cancel/", {}).status == 200


def test_local_work_is_sent_to_the_cloud(client: CloudClient, world: WorldFacts, tmp_path: Path) -> None:
    """The other way: a run that is local, with a checkpoint of a local clone in its log and artifacts."""
    task = client("POST", client.tasks, {"title": "Local", "description": "x", "repository": "harbor/harbor-api"}).body
    run_row = client("POST", f"{client.tasks}{task['id']}/runs/", {"environment": "local", "mode": "interactive"}).body
    run = CloudRun(client, task["id"], run_row["id"])
    client("PATCH", run.path, {"status": "in_progress"})
    local = tmp_path / "local"
    git(tmp_path, "clone", "-q", git(world.repository("harbor-api"), "remote", "get-url", "origin"), str(local))
    git(local, "checkout", "-q", "-b", "fix/here")
    (local / "app/new.py").write_text("staged = 1\n")
    git(local, "add", "app/new.py")
    (local / "README.md").write_text("changed\n")
    index_tree, head = git(local, "write-tree"), git(local, "rev-parse", "HEAD")
    git(local, "stash", "create")
    git(local, "add", "-A")
    worktree_tree = git(local, "write-tree")
    git(local, "read-tree", index_tree)
    commit = git(
        local, "-c", "user.name=a", "-c", "user.email=a@b", "commit-tree", worktree_tree, "-p", head, "-m", "c"
    )
    pack = subprocess.run(
        ["git", "pack-objects", "--revs", "--stdout", "-q"],
        cwd=local,
        input=f"{commit}\n{index_tree}\n^{head}\n".encode(),
        capture_output=True,
        check=True,
    ).stdout
    artifacts = [
        {"name": "p", "type": "artifact", "content": base64.b64encode(data).decode(), "content_type": "text/plain"}
        for data in (pack, (local / ".git/index").read_bytes())
    ]
    made = client("POST", f"{run.path}artifacts/", {"artifacts": artifacts}).body["artifacts"]
    facts = {"checkpointId": "c1", "commit": commit, "head": head, "branch": "fix/here", "indexTree": index_tree}
    facts |= {"worktreeTree": worktree_tree, "artifactPath": made[-2]["storage_path"]}
    facts |= {"indexArtifactPath": made[-1]["storage_path"], "device": {"type": "local"}}
    frame = {"jsonrpc": "2.0", "method": "_posthog/git_checkpoint", "params": facts}
    entry = {"type": "notification", "timestamp": "2026-05-04T09:13:05.120Z", "notification": frame}
    assert client("POST", f"{run.path}append_log/", {"entries": [entry]}).status == 200
    assert client("POST", f"{run.path}append_log/", {"entries": []}).status == 400
    assert client("POST", f"{run.path}resume_in_cloud/").body["environment"] == "cloud"
    until(lambda: run.engine()["state"] == "idle")
    assert client("POST", f"{run.path}resume_in_cloud/").body == {"error": "Run is already active in cloud"}
    assert tree_of(Path(run.engine()["sandbox"])) == tree_of(local)
    assert git(Path(run.engine()["sandbox"]), "branch", "--show-current") == "fix/here"
    assert run.command("user_message", content="Retry webhooks with jitter.").status == 200
    run.idle()
    assert run.row()["output"]["head_branch"] == "fix/here"
    # And back: the row becomes local, the sandbox ends, the row stays open.
    assert run.command("close").status == 200
    assert client("PATCH", run.path, {"environment": "local"}).body["status"] == "in_progress"
    assert run.command("user_message", content="x").status == 400


def test_a_run_that_cannot_begin_says_why(client: CloudClient) -> None:
    run = client.start("Anything", repository="harbor/not-here")
    until(lambda: run.row()["status"] == "failed")
    assert run.row()["error_message"]
    assert run.stored(event_types="_posthog/run_started") == []
    assert run.stream()[-1].event == "stream-end"
