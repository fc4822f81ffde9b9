"""An agent that only talks, at a steady rate: each chunk of its text carries the moment at which it was written.

`python -m posthog_code.app.bench_agent RATE`, RATE in chunks per second. A prompt is answered until it is cancelled.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from typing import Any

_CHUNKS_A_MESSAGE = 60
_WORDS = ["the", "order", "keeps", "its", "price", "when", "the", "cart", "is", "rounded", "once"]


def _say(frame: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **frame}) + "\n")
    sys.stdout.flush()


def _update(**update: Any) -> None:
    _say({"method": "session/update", "params": {"sessionId": "bench", "update": update}})


def _chunk(number: int) -> None:
    word = _WORDS[number % len(_WORDS)]
    end = "\n\n" if number % 25 == 24 else " "
    text = f"{word} <{time.monotonic():.6f}>{end}"
    message = f"m{number // _CHUNKS_A_MESSAGE}"
    _update(sessionUpdate="agent_message_chunk", messageId=message, content={"type": "text", "text": text})


def main() -> None:
    pause = 1 / float(sys.argv[1])
    prompt: Any = None
    number, due = 0, 0.0
    pending = b""
    while True:
        wait = max(0.0, due - time.monotonic()) if prompt is not None else None
        if select.select([0], [], [], wait)[0]:
            read = os.read(0, 65536)
            if not read:
                return
            *lines, pending = (pending + read).split(b"\n")
            for line in filter(None, lines):
                frame = json.loads(line)
                method, request = frame.get("method"), frame.get("id")
                if method == "initialize":
                    _say({"id": request, "result": {"protocolVersion": 1, "agentCapabilities": {}}})
                elif method == "session/new":
                    _say({"id": request, "result": {"sessionId": "bench"}})
                elif method == "session/prompt":
                    prompt, due = request, time.monotonic()
                elif method == "session/cancel" and prompt is not None:
                    _say({"id": prompt, "result": {"stopReason": "cancelled"}})
                    prompt = None
                elif request is not None and method:
                    _say({"id": request, "result": {}})
        if prompt is not None and time.monotonic() >= due:
            _chunk(number)
            number, due = number + 1, due + pause


if __name__ == "__main__":
    main()
