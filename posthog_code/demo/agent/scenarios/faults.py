"""What goes wrong with real agents: failing tools, errors, crashes, noise, silence."""

from __future__ import annotations

import json

from posthog_code.demo.agent import process
from posthog_code.demo.agent.turn import Refused, Turn
from posthog_code.demo.agent.wire import INTERNAL_ERROR, RpcError

HUGE = 10 * 1024 * 1024


def fail(turn: Turn) -> None:
    """A tool fails, then the agent gives up with a JSON-RPC error."""
    turn.say("I look at the configuration first.")
    try:
        turn.read("config/does-not-exist.toml")
    except Refused:
        turn.say("It is not there, and the model does not answer any more.")
    turn.pause(0.5)
    raise RpcError(INTERNAL_ERROR, "The model is overloaded", {"details": "529 overloaded_error, tried 4 times"})


def crash(turn: Turn) -> None:
    """The process dies mid-turn, as if the system had killed it for its memory."""
    turn.say("I start with the big fixture.")
    turn.call("execute", "python3 load_fixture.py", {"command": "python3 load_fixture.py"})
    turn.pause(0.5)
    turn.session.save()
    process.leave(137)


def garbage(turn: Turn) -> None:
    """Lines on stdout that no client should stumble over."""
    turn.say("Some noise follows. ")
    turn.wire.send_raw(b"Debugger attached. Waiting for the debugger to disconnect...")
    turn.wire.send_raw(b'["a JSON line", "that is no object"]')
    turn.wire.send_raw(b"null")
    turn.wire.send_raw(b'{"jsonrpc": "2.0", "method": "session/upd')
    turn.wire.send_raw(b"\xff\xfe not UTF-8")
    turn.update({"sessionUpdate": "weather_update", "outlook": "sunny"}, keep=False)
    turn.wire.notify("_demo/notice", {"text": "an extension that nobody knows"})
    turn.say("That was all of it.")


def huge(turn: Turn) -> None:
    """One line of 10 MB."""
    turn.say("A very large file follows.")
    call = turn.call("read", "Read dump.sql", {"file_path": str(turn.session.cwd / "dump.sql")})
    content = {"type": "content", "content": {"type": "text", "text": "x" * HUGE}}
    update = {
        "sessionUpdate": "tool_call_update",
        "toolCallId": call["toolCallId"],
        "status": "completed",
        "content": [content],
    }
    params = {"sessionId": turn.session.id, "update": update}
    turn.wire.send_raw(json.dumps({"jsonrpc": "2.0", "method": "session/update", "params": params}).encode())
    turn.say("That was one line of 10 MB.")


def silent(turn: Turn) -> None:
    """Nothing at all until the turn is cancelled."""
    while True:
        turn.session.cancelled.wait()
        turn.pause(0)
