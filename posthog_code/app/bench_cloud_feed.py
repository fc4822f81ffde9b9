"""What the stand-in for the cloud is told in a benchmark: pieces of the agents' words, stamped when they are sent."""

from __future__ import annotations

import http.client
import json
import sys
import time
from typing import Any
from urllib.parse import urlsplit


def frame(text: str) -> dict[str, Any]:
    """A piece of a message, as agents send it."""
    update = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}
    return {"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": "s", "update": update}}


def feed(url: str, rate: float, seconds: float, runs: list[str]) -> None:
    """`rate` events a second for all runs together, in turn."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    began, sent = time.monotonic(), 0
    while (now := time.monotonic()) - began < seconds:
        due = began + sent / rate
        if due > now:
            time.sleep(due - now)
        words = f"Word {sent} <{time.monotonic():.6f}> " + ("\n\n" if sent % 40 == 39 else "")
        body = json.dumps({"notification": frame(words)})
        headers = {"Content-Type": "application/json"}
        connection.request("POST", f"/__demo/runs/{runs[sent % len(runs)]}/emit", body, headers)
        connection.getresponse().read()
        sent += 1
    connection.close()


if __name__ == "__main__":
    feed(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), sys.argv[4:])
