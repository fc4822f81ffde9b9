"""The demo agent over real pipes, in real repositories."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from demo_client import Client, pick

from tests.processes import children

Start = Callable[..., Client]
Copy = Callable[[str], Path]


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


def changed(folder: Path) -> dict[str, str]:
    lines = git(folder, "status", "--porcelain", "-uall").splitlines()
    return {line[3:]: line[:2].strip() for line in lines}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_handshake_names_its_abilities(start: Start, repository: Copy) -> None:
    client = start(repository("harbor-docs"))
    abilities = client.initialized["agentCapabilities"]
    assert abilities["loadSession"] and set(abilities["sessionCapabilities"]) == {"list", "resume", "close"}
    client.open(mode="ask")
    client.until(lambda frame: frame.get("method") == "session/update")
    names = [command["name"] for command in client.updates("available_commands_update")[0]["availableCommands"]]
    assert names == ["review", "test", "explain", "fail", "long"]


def test_frames_fit_the_schema(start: Start, repository: Copy) -> None:
    schema = pytest.importorskip("acp.schema")
    client = start(repository("harbor-web"))
    schema.InitializeResponse.model_validate(client.initialized)
    opened = client.call("session/new", {"cwd": str(client.cwd), "mcpServers": []})["result"]
    schema.NewSessionResponse.model_validate(opened)
    client.session = opened["sessionId"]
    for prompt in ("A small improvement please", "use a sub-agent", "I have a question", "charged twice"):
        schema.PromptResponse.model_validate(client.prompt(prompt)["result"])
    for frame in client.frames:
        if frame.get("method") == "session/update":
            schema.SessionNotification.model_validate(frame["params"])
        elif frame.get("method") == "session/request_permission":
            schema.RequestPermissionRequest.model_validate(frame["params"])
        elif frame.get("method") == "elicitation/create":
            schema.CreateFormSessionElicitationRequest.model_validate(frame["params"])


def test_stop_double_charges_in_three_turns(start: Start, repository: Copy) -> None:
    client = start(repository("harbor-web"))
    client.open("auto")
    assert client.prompt("Customers are charged twice after a timeout.")["result"]["stopReason"] == "end_turn"
    failed = [update for update in client.updates("tool_call_update") if update.get("rawOutput") == {"exitCode": 1}]
    assert failed, "the new test fails before the change"
    client.prompt("The webhook still imports legacyRetry.ts. Keep one retry helper.")
    client.prompt(
        "A review comment on your changes:\n\nsrc/payments/idempotency.ts, line 5:\n```\nconst KEPT_HOURS = 24;\n```\n"
        "The gateway remembers keys for 48 hours."
    )
    assert changed(client.cwd) == {
        "CHANGELOG.md": "M",
        "src/api/checkout/route.ts": "M",
        "src/payments/idempotency.ts": "??",
        "src/payments/legacyRetry.ts": "D",
        "src/payments/retry.ts": "M",
        "src/payments/submitPayment.ts": "M",
        "tests/payments/submitPayment.test.ts": "M",
    }
    assert "KEPT_HOURS = 48" in (client.cwd / "src/payments/idempotency.ts").read_text()
    assert client.updates("tool_call_update")[-1].get("rawOutput") == {"exitCode": 0}
    client.prompt("Fix this check: e2e / checkout (webkit)")
    assert changed(client.cwd)["src/cart/CartDrawer.tsx"] == "M"
    assert "leave that part alone" not in client.text()
    assert "- " in client.text() and "```" in client.text()
    diffs = [part for update in client.updates("tool_call") for part in update["content"] if part["type"] == "diff"]
    assert any(part["oldText"] is None for part in diffs) and all(Path(part["path"]).is_absolute() for part in diffs)


@pytest.mark.parametrize(
    ("name", "prompt", "path"),
    [
        ("harbor-web", "Virtualise the order history table: lists are long and slow", "src/orders/useWindow.ts"),
        ("harbor-web", "Keep the cart after sign-in", "src/cart/cartStore.ts"),
        ("harbor-api", "Retry webhooks with jitter", "app/webhooks.py"),
        ("harbor-api", "Rate-limit the public quotes API", "app/quotes/limits.py"),
        ("harbor-web", "Say what lastEmail is for", "tests/session.described.test.ts"),
        ("harbor-api", "Say what the schedule does", "CHANGELOG.md"),
        ("harbor-docs", "Mention the second phone", "CHANGELOG.md"),
    ],
)
def test_changes_what_was_asked_and_the_tests_pass(
    start: Start, repository: Copy, name: str, prompt: str, path: str
) -> None:
    client = start(repository(name))
    client.open("auto")
    assert client.prompt(prompt)["result"]["stopReason"] == "end_turn"
    assert path in changed(client.cwd), client.text()
    ended = [update["rawOutput"] for update in client.updates("tool_call_update") if "rawOutput" in update]
    assert ended[-1] == {"exitCode": 0}, client.text()
    assert "leave that part alone" not in client.text()
    assert client.updates("plan")[-1]["entries"][-1]["status"] == "completed"


@pytest.mark.parametrize("linked", [False, True])
def test_starts_with_the_file_that_is_named(start: Start, repository: Copy, linked: bool) -> None:
    client = start(repository("harbor-web"))
    client.open("auto")
    mention = "the store" if linked else "@src/cart/cartStore.ts"
    params = client.prompt_params(f"Look at {mention} and say in one comment what a webhook is.")
    if linked:
        uri = (client.cwd / "src/cart/cartStore.ts").as_uri()
        params["prompt"].append({"type": "resource_link", "uri": uri, "name": "cartStore.ts"})
    assert client.call("session/prompt", params)["result"]["stopReason"] == "end_turn"
    sources = [path for path in changed(client.cwd) if path.startswith("src/")]
    assert sources == ["src/cart/cartStore.ts"], client.text()
    assert client.updates("tool_call")[0]["title"] == "Read src/cart/cartStore.ts"


def test_goes_on_with_the_plan_of_the_turn_that_was_stopped(start: Start, repository: Copy) -> None:
    client = start(repository("harbor-web"))
    client.open("ask")
    client.answer = lambda frame: (
        pick("allow")(frame) if "CHANGELOG" not in frame["params"]["toolCall"]["title"] else pick("reject")(frame)
    )
    client.prompt("Say what lastEmail is for")
    assert "CHANGELOG.md" not in changed(client.cwd) and "You said no" in client.text()
    before = len(client.updates("tool_call"))
    client.answer = pick("allow")
    client.prompt("Continue where you stopped.")
    titles = [update["title"] for update in client.updates("tool_call")[before:]]
    assert titles[0] == "Edit CHANGELOG.md" and len(titles) == 2
    assert "Say what lastEmail is for" in (client.cwd / "CHANGELOG.md").read_text()
    assert client.updates("plan")[-1]["entries"][-1]["status"] == "completed"
    client.prompt("Continue where you stopped.")
    assert "nothing left to do" in client.text() and len(client.updates("tool_call")) == before + 2


def test_works_in_any_folder(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    client = start(folder)
    client.open("auto")
    assert client.prompt("Add a greeting")["result"]["stopReason"] == "end_turn"
    assert "Add a greeting" in (folder / "CHANGELOG.md").read_text()


def test_index_the_audit_log_dies_once_and_goes_on_after_a_resume(start: Start, repository: Copy) -> None:
    folder = repository("harbor-api")
    first = start(folder)
    session = first.open("auto")
    with pytest.raises(EOFError):
        first.prompt("Index the audit log by actor")
    assert first.process.wait(5) == 137
    assert "migrations/0004_audit_actor.sql" in changed(folder)
    second = start(folder)
    second.session = session
    assert "result" in second.call("session/resume", {"sessionId": session, "cwd": str(folder), "mcpServers": []})
    assert second.updates("agent_message_chunk") == []
    assert second.prompt("Index the audit log by actor")["result"]["stopReason"] == "end_turn"
    assert "CHANGELOG.md" in changed(folder)


def test_modes_decide_what_is_asked(start: Start, repository: Copy) -> None:
    kinds = {}
    for mode in ("ask", "acceptEdits", "auto"):
        folder = repository("harbor-docs")
        client = start(folder)
        client.open(mode)
        client.prompt("Mention the second phone")
        kinds[mode] = {asked["toolCall"]["kind"] for asked in client.asked()}
        client.close()
        subprocess.run(["rm", "-rf", str(folder)], check=True)
    assert kinds == {"ask": {"edit", "execute"}, "acceptEdits": {"execute"}, "auto": set()}


def test_plan_mode_edits_only_after_a_yes(start: Start, repository: Copy) -> None:
    client = start(repository("harbor-web"))
    client.open("plan")
    client.answer = pick("plan")
    client.prompt("Keep the cart after sign-in")
    assert changed(client.cwd) == {}
    assert client.asked()[0]["toolCall"]["kind"] == "switch_mode"
    client.answer = pick("acceptEdits")
    client.prompt("Keep the cart after sign-in")
    assert client.updates("current_mode_update")[-1]["currentModeId"] == "acceptEdits"


def test_a_rejected_edit_changes_nothing(start: Start, repository: Copy) -> None:
    client = start(repository("harbor-docs"))
    client.open("ask")
    client.answer = pick("reject")
    assert client.prompt("Mention the second phone")["result"]["stopReason"] == "end_turn"
    assert changed(client.cwd) == {}
    assert client.updates("tool_call_update")[-1]["status"] == "failed"


def test_always_allow_asks_once(start: Start, repository: Copy) -> None:
    client = start(repository("harbor-web"))
    client.open("ask")
    client.answer = pick("allow_always")
    client.prompt("Keep the cart after sign-in")
    assert len(client.asked()) == 2


def test_permission_and_question(start: Start, repository: Copy) -> None:
    client = start(repository("harbor-web"), forms=True)
    client.open("auto")
    client.prompt("Upgrade Vite and drop the old polyfills")
    assert client.asked()[0]["toolCall"]["rawInput"]["command"] == "python3 tests/run.py"
    client.prompt("I have a question, choose for me")
    field = client.asked("elicitation/create")[0]["requestedSchema"]["properties"]["choice"]
    assert len(field["oneOf"]) == 3
    assert "docs/decision.md" in changed(client.cwd)
    plain = start(client.cwd, forms=False)
    plain.open("auto")
    plain.prompt("question")
    assert len(plain.asked()[0]["options"]) == 4


def test_never_writes_outside(start: Start, repository: Copy) -> None:
    client = start(repository("harbor-web"))
    client.open("auto")
    before = sorted(client.cwd.parent.iterdir())
    client.prompt("write something outside")
    asked = client.asked()[0]["toolCall"]
    assert not Path(asked["locations"][0]["path"]).is_relative_to(client.cwd)
    assert [path for path in sorted(client.cwd.parent.iterdir()) if path not in before and path.name != "state"] == []
    client.prompt("Please look at ../secrets.py:3 again")
    assert not (client.cwd.parent / "secrets.py").exists()


def test_follow_up_changes_the_named_lines(start: Start, repository: Copy) -> None:
    client = start(repository("harbor-api"))
    client.open("auto")
    client.prompt("app/audit/queries.py:5 please use 100\njobs/schedule.py:5: nobody shops at 4")
    assert "PAGE = 100" in (client.cwd / "app/audit/queries.py").read_text()
    assert "HOUR = 4" in (client.cwd / "jobs/schedule.py").read_text()
    client.prompt("app/webhooks.py, lines 5-6:\n```\nPAUSES\n```\nWhy so long?")
    assert "# Review: Why so long?" in (client.cwd / "app/webhooks.py").read_text()


def test_line_ends_and_binary_files_are_left_as_they_are(start: Start, repository: Copy) -> None:
    folder = repository("harbor-docs")
    (folder / "CHANGELOG.md").write_bytes(b"# Changelog\r\n\r\n## Unreleased\r\n\r\n- One.\r\n")
    (folder / "data.py").write_bytes(b"\xff\xfe\x00")
    client = start(folder)
    client.open("auto")
    assert client.prompt("Mention the data")["result"]["stopReason"] == "end_turn"
    assert (folder / "CHANGELOG.md").read_bytes().startswith(b"# Changelog\r\n\r\n## Unreleased\r\n")
    assert b"- One.\r\n" in (folder / "CHANGELOG.md").read_bytes()
    client.prompt("data.py:1 what is this?")
    assert (folder / "data.py").read_bytes() == b"\xff\xfe\x00"
    assert "left alone" in client.text()


def test_a_turn_that_was_cut_off_is_remembered(start: Start, repository: Copy) -> None:
    folder = repository("harbor-docs")
    first = start(folder)
    session = first.open("auto")
    first.start("session/prompt", first.prompt_params("silent"))
    first.until(lambda frame: frame.get("method") == "session/update")
    first.process.kill()
    first.process.wait()
    second = start(folder)
    second.call("session/load", {"sessionId": session, "cwd": str(folder), "mcpServers": []})
    assert second.updates("user_message_chunk")[0]["content"]["text"] == "silent"


def test_failure_is_a_failed_tool_and_an_error(start: Start, repository: Copy) -> None:
    client = start(repository("harbor-docs"))
    client.open()
    assert client.prompt("/fail")["error"]["code"] == -32603
    assert client.updates("tool_call_update")[-1]["status"] == "failed"
    assert client.prompt("/test")["result"]["stopReason"] == "end_turn"


def test_crash(start: Start, repository: Copy) -> None:
    client = start(repository("harbor-docs"))
    client.open()
    with pytest.raises(EOFError):
        client.prompt("crash please")
    assert client.process.wait(5) == 137


def test_garbage_and_a_huge_line(start: Start, repository: Copy) -> None:
    client = start(repository("harbor-docs"))
    client.open()
    assert client.prompt("garbage")["result"]["stopReason"] == "end_turn"
    assert len(client.garbage) == 5
    assert client.prompt("huge")["result"]["stopReason"] == "end_turn"
    assert client.longest > 10_000_000


def test_silent_until_cancelled(start: Start, repository: Copy) -> None:
    client = start(repository("harbor-docs"))
    client.open()
    number = client.start("session/prompt", client.prompt_params("silent"))
    client.until(lambda frame: frame.get("method") == "session/update")
    client.cancel()
    answer = client.until(lambda frame: frame.get("id") == number and "method" not in frame)
    assert answer["result"]["stopReason"] == "cancelled"
    assert client.prompt("/test")["result"]["stopReason"] == "end_turn"


def test_streams(start: Start, repository: Copy) -> None:
    client = start(repository("harbor-docs"))
    client.open()
    client.prompt("stream")
    assert len(client.text().splitlines()) >= 5_000
    client.prompt("/long")
    output = client.updates("tool_call_update")[-1]["content"][0]["content"]["text"]
    assert output.splitlines()[-1].split()[0] == "5000"


def test_sub_agent_calls_name_their_parent(start: Start, repository: Copy) -> None:
    client = start(repository("harbor-docs"))
    client.open()
    client.prompt("sub-agent")
    parents = [
        update["_meta"]["claudeCode"]["parentToolCallId"] for update in client.updates("tool_call") if "_meta" in update
    ]
    assert parents == [client.updates("tool_call")[0]["toolCallId"]]


def running_command(client: Client) -> int:
    """The pid of the agent's command, once it runs."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if found := children(client.process.pid):
            return min(found)
        time.sleep(0.01)
    raise AssertionError("no command was started")


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pid)


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at processes by /proc")
@pytest.mark.parametrize("ending", ["cancel", "stdin", "kill"])
def test_a_running_command_ends_with_the_turn_and_the_agent(start: Start, repository: Copy, ending: str) -> None:
    client = start(repository("harbor-docs"), speed="1")
    client.open()
    number = client.start("session/prompt", client.prompt_params("/long"))
    client.until(
        lambda frame: (
            frame.get("method") == "session/update" and frame["params"]["update"].get("status") == "in_progress"
        )
    )
    pid = running_command(client)
    if ending == "cancel":
        client.cancel()
        answer = client.until(lambda frame: frame.get("id") == number and "method" not in frame)
        assert answer["result"]["stopReason"] == "cancelled"
    elif ending == "stdin":
        assert client.close() == 0
    else:
        os.kill(client.process.pid, signal.SIGKILL)
        client.process.wait()
    assert gone(pid)


def test_load_replays_and_list_knows_the_session(start: Start, repository: Copy) -> None:
    folder = repository("harbor-docs")
    first = start(folder)
    session = first.open()
    first.prompt("Mention the second phone")
    first.close()
    second = start(folder)
    listed = second.call("session/list", {"cwd": str(folder)})["result"]["sessions"]
    assert [(one["sessionId"], one["title"]) for one in listed] == [(session, "Mention the second phone")]
    loaded = second.call("session/load", {"sessionId": session, "cwd": str(folder), "mcpServers": []})["result"]
    assert loaded["modes"]["currentModeId"] == "auto"
    assert second.text() == first.text()
    assert second.updates("user_message_chunk")[0]["content"]["text"] == "Mention the second phone"
    assert len(second.updates("tool_call")) == len(first.updates("tool_call"))
    assert second.call("session/load", {"sessionId": "nope", "cwd": str(folder)})["error"]["code"] == -32002


def test_options_and_modes_stay_the_same_thing(start: Start, repository: Copy) -> None:
    client = start(repository("harbor-docs"))
    client.open("ask")
    params = {"sessionId": client.session, "configId": "mode", "value": "auto"}
    options = client.call("session/set_config_option", params)["result"]["configOptions"]
    assert {option["id"]: option["currentValue"] for option in options}["mode"] == "auto"
    assert client.updates("current_mode_update")[-1]["currentModeId"] == "auto"
    wrong = {"sessionId": client.session, "configId": "model", "value": "gpt"}
    assert client.call("session/set_config_option", wrong)["error"]["code"] == -32602


def test_bad_input_is_survived(start: Start, repository: Copy) -> None:
    client = start(repository("harbor-docs"))
    for line in (b"not JSON", b"[1,2]", b"null", b'"x"', b"", b'{"id": 99, "result": {}}'):
        client.send_raw(line)
    assert client.call("session/fly", {})["error"]["code"] == -32601
    assert client.call("session/prompt", {"sessionId": "x", "prompt": []})["error"]["code"] == -32002
    assert client.call("session/new", {"cwd": "relative"})["error"]["code"] == -32602
    client.open()
    client.call("session/close", {"sessionId": client.session})
    assert client.prompt("hello")["error"]["code"] == -32002


def test_starts_quickly(start: Start, repository: Copy) -> None:
    """The limit is generous for a busy machine; alone it takes well under 150 ms."""
    folder = repository("harbor-docs")
    best = 10.0
    for _ in range(3):
        began = time.perf_counter()
        client = start(folder)
        best = min(best, time.perf_counter() - began)
        client.close()
    assert best < 0.5
