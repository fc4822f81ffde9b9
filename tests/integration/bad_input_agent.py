"""An ACP agent that says exactly what a file tells it to. Standard library only.

python bad_input_agent.py [MUTE]      MUTE: a method that it never answers

A prompt `raw PATH` writes the bytes of PATH to stdout; `{"pid": PID}` is said at the begin of each turn. Everything
that the client answered to the requests in that file is written to PATH.answers when the turn ends.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

MUTE = sys.argv[1] if len(sys.argv) > 1 else ""


def send(frame: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps({"jsonrpc": "2.0", **frame}).encode() + b"\n")
    sys.stdout.buffer.flush()


def say(text: str) -> None:
    content = {"type": "text", "text": text}
    update = {"sessionUpdate": "agent_message_chunk", "content": content}
    send({"method": "session/update", "params": {"sessionId": "s1", "update": update}})


def raw(path: str) -> None:
    """Write the file; wait for as many answers as its name asks for ("…-3.jsonl")."""
    with open(path, "rb") as file:
        sys.stdout.buffer.write(file.read())
    sys.stdout.buffer.flush()
    wanted = int(path.removesuffix(".jsonl").rpartition("-")[2])
    answers: list[dict[str, Any]] = []
    while len(answers) < wanted:
        line = sys.stdin.readline()
        if not line:
            sys.exit(0)
        frame = json.loads(line)
        if "method" not in frame:
            answers.append(frame)
        elif frame["method"] == "session/cancel":
            break
    with open(path + ".answers", "w") as file:
        json.dump(answers, file)


def turn(text: str) -> str:
    word, _, rest = text.partition(" ")
    if word == "raw":
        raw(rest)
    elif word == "daemon":
        # A daemon: double fork, a session of its own, no inherited pipes.
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                null = os.open(os.devnull, os.O_RDWR)
                for number in (0, 1, 2):
                    os.dup2(null, number)
                with open(rest, "w") as file:
                    file.write(str(os.getpid()))
                time.sleep(600)
            os._exit(0)
        os.wait()
        while not os.path.exists(rest) or not os.path.getsize(rest):
            time.sleep(0.01)
    elif word == "edit":
        name, _, content = rest.partition(" ")
        with open(name, "w") as file:
            file.write(content)
    say("done")
    return "end_turn"


def main() -> None:
    for line in sys.stdin:
        frame = json.loads(line)
        method = frame.get("method")
        if method is None or "id" not in frame:
            continue
        if method == MUTE:
            sys.stderr.write(f"I do not answer {method}\n")
            sys.stderr.flush()
            continue
        result: dict[str, Any] = {}
        if method == "initialize":
            result = {"protocolVersion": 1, "agentCapabilities": {}, "agentInfo": {"name": "raw", "version": "1"}}
        elif method == "session/new":
            result = {"sessionId": "s1"}
        elif method == "session/prompt":
            result = {"stopReason": turn(frame["params"]["prompt"][0]["text"])}
        send({"id": frame["id"], "result": result})


if __name__ == "__main__":
    main()
