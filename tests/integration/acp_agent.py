"""An ACP agent for tests that does what its prompt says, mostly badly. Standard library only.

python acp_agent.py [START]      START: how it behaves before the first prompt
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

START = sys.argv[1] if len(sys.argv) > 1 else ""
SLEEPER = [sys.executable, "-S", "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"]


def send(frame: dict[str, Any]) -> None:
    write(json.dumps({"jsonrpc": "2.0", **frame}))


def write(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def update(kind: str, **fields: Any) -> None:
    send({"method": "session/update", "params": {"sessionId": "s1", "update": {"sessionUpdate": kind, **fields}}})


def say(text: str) -> None:
    update("agent_message_chunk", content={"type": "text", "text": text})


def receive() -> dict[str, Any]:
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    return json.loads(line)


def ask(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Ask the client and wait for its answer; other frames are put aside (a cancel, for one)."""
    global next_id
    next_id += 1
    send({"id": f"a{next_id}", "method": method, "params": {"sessionId": "s1", **params}})
    while True:
        frame = receive()
        if frame.get("id") == f"a{next_id}" and "method" not in frame:
            return frame
        aside.append(frame)


next_id = 0
aside: list[dict[str, Any]] = []


def wait_for_cancel() -> None:
    while True:
        frame = aside.pop(0) if aside else receive()
        if frame.get("method") == "session/cancel":
            return


def turn(text: str) -> str:
    word, _, rest = text.partition(" ")
    if word == "long-line":
        say("x" * int(rest))
    elif word == "garbage":
        for line in ("not json", "[1, 2]", '"text"', "null", "17", "{broken", "\x00\x01", "[" * 50_000):
            write(line)
        sys.stdout.buffer.write(b"\xff\xfe bytes\n")
        sys.stdout.buffer.write(b'{"method": "x/y", "params": {"t": "\xff"}}\n')
        sys.stdout.flush()
        write(r'{"method": "x/y", "params": {"t": "\ud800 and \ud83d\ude00"}}')
        say("after it")
    elif word == "stderr":
        for _ in range(int(rest) // 100):
            sys.stderr.write("e" * 99 + "\n")
        sys.stderr.flush()
    elif word == "hold":
        # A second process holds stdout open; the first is killed.
        child = subprocess.Popen(SLEEPER, start_new_session=True)
        say(f"child {child.pid}")
        os.kill(os.getpid(), signal.SIGKILL)
    elif word == "orphan":
        # Double fork: the grandchild is given to init, in a session of its own.
        if os.fork() == 0:
            os.setsid()
            child = subprocess.Popen(SLEEPER)
            say(f"child {child.pid}")
            os._exit(0)
        os.wait()
        if rest == "exit":
            time.sleep(0.05)
            sys.exit(3)
    elif word == "exit":
        sys.stderr.write("I had enough\n")
        sys.stderr.flush()
        os._exit(int(rest))
    elif word == "slow":
        say("working")
        wait_for_cancel()
        say("stopping")
        return "cancelled"
    elif word == "deaf":
        say("working")
        while True:
            receive()
    elif word == "close-output":
        os.close(1)
        time.sleep(600)
    elif word == "permission":
        options = [{"optionId": "y", "name": "Yes", "kind": "allow_once"}]
        answer = ask("session/request_permission", {"toolCall": {"toolCallId": "t1"}, "options": options})
        say(json.dumps(answer.get("result")))
        if any(frame.get("method") == "session/cancel" for frame in aside):
            return "cancelled"
    elif word == "forgotten":
        send({"id": "late", "method": "session/request_permission", "params": {"options": []}})
    elif word == "withdraw":
        send({"id": "w", "method": "elicitation/create", "params": {"message": "?"}})
        send({"method": "$/cancel_request", "params": {"requestId": "w"}})
        say(json.dumps(receive()["error"]))
    elif word == "late":
        say(json.dumps([frame.get("result") for frame in aside if frame.get("id") == "late"]))
    elif word == "ask":
        method, _, params = rest.partition(" ")
        answer = ask(method, json.loads(params or "{}"))
        say(json.dumps(answer.get("result", answer.get("error"))))
    elif word == "flood":
        for number in range(int(rest)):
            say(f"{number}")
    return "end_turn"


def result_of(method: str, params: dict[str, Any]) -> Any:
    if method == "initialize":
        session = {"close": {}} if START == "closes" else {"resume": {}} if START == "resumes" else {}
        return {
            "protocolVersion": 9 if START == "version" else 1,
            "agentCapabilities": {"loadSession": START in ("loads", "resumes"), "sessionCapabilities": session},
            "agentInfo": {"name": "test", "version": "1"},
            "authMethods": [{"id": "x", "name": "Log in", "description": "Run: other login"}],
            "_client": params,
        }
    if method == "session/new":
        return {"nothing": 1} if START == "no-id" else {"sessionId": "s1", "cwd": params["cwd"]}
    if method == "session/load":
        update("user_message_chunk", content={"type": "text", "text": "replayed"})
        say("replayed")
        return None
    if method == "session/prompt":
        return {"stopReason": turn(params["prompt"][0]["text"])}
    return {"echo": params}


def main() -> None:
    if START == "exit":
        sys.stderr.write("no such model\n")
        sys.exit(7)
    if START == "silent":
        time.sleep(600)
    if START == "banner":
        write("Welcome to the agent!")
    if START == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen(SLEEPER)
    late = False
    while True:
        if late:
            say("replayed late")
            update("available_commands_update", availableCommands=[])
            late = False
        try:
            frame = receive()
        except SystemExit:
            if START == "stubborn":
                time.sleep(600)
            raise
        method = frame.get("method")
        if method is None or "id" not in frame:
            aside.append(frame)
            continue
        error = None
        if START == "auth" and method == "session/new":
            error = {"code": -32000, "message": "Authentication required"}
        if START == "resumes" and method == "session/resume":
            error = {"code": -32603, "message": "no rollout found"}
        if START == "loads" and method == "session/load" and frame["params"]["sessionId"] == "gone":
            error = {"code": -32002, "message": "not found"}
        if START == "refuses" and method == "session/prompt":
            error = {"code": -32603, "message": "API Error: 400", "data": {"details": "bad model"}}
        if error:
            send({"id": frame["id"], "error": error})
        else:
            send({"id": frame["id"], "result": result_of(method, frame["params"])})
            late = method == "session/load"


if __name__ == "__main__":
    main()
