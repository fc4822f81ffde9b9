"""One run's record: the stored log, the stream's buffer, and the waiting for more."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

from posthog_code.demo.posthog.wire import Object, now, stamp

Event = tuple[int, int, str]
"""Milliseconds, number within them, JSON text: both numbers make the id."""


def event_type(entry: Object) -> str:
    """What filters of the log go by: the kind of a session update, else the method."""
    frame = entry.get("notification") or {}
    if frame.get("method") == "session/update":
        return str(((frame.get("params") or {}).get("update") or {}).get("sessionUpdate") or "")
    return str(frame.get("method") or "")


class RunLog:
    """The stream carries each chunk of a message; the stored log gets the chunks as one `agent_message`, and only when
    the next other entry comes. Both are kept in files. Safe for many threads."""

    def __init__(self, folder: Path, config: Object) -> None:
        self._folder = folder
        self._config = config
        self._buffer = int(config["stream_buffer"])
        self.changed = threading.Condition()
        self.entries: list[Object] = []
        self.events: list[Event] = []
        """The newest ones."""
        self.sent = 0
        """Events ever made."""
        self.ended = False
        """No more will come from the run as it is."""
        self._chunks: list[Object] = []
        self._readable: list[float] = []
        """When each entry can be read; monotonic time in s."""
        self._last = (0, 0)
        folder.mkdir(parents=True, exist_ok=True)
        for line in _lines(folder / "log.ndjson"):
            self.entries.append(json.loads(line))
            self._readable.append(0.0)
        for line in _lines(folder / "events.ndjson"):
            milliseconds, number, text = json.loads(line)
            self.events.append((milliseconds, number, text))
            self._last = (milliseconds, number)
        self.sent = len(self.events)
        del self.events[: -self._buffer]

    # -- writing

    def frame(self, frame: Object, at: float | None = None) -> None:
        """One JSON-RPC frame of the agent's connection, into the log and onto the stream."""
        moment = now() if at is None else at
        entry = {"type": "notification", "timestamp": stamp(moment), "notification": {"jsonrpc": "2.0", **frame}}
        with self.changed:
            if event_type(entry) == "agent_message_chunk":
                self._chunks.append(entry)
            else:
                self._merge()
                skew = float(self._config["stored_skew_ms"]) / 1000
                self._store({**entry, "timestamp": stamp(moment + skew)} if skew else entry)
            self._push(entry, moment)

    def event(self, body: Object, at: float | None = None) -> None:
        """Onto the stream only."""
        with self.changed:
            self._push(body, now() if at is None else at)

    def append(self, entries: list[Object]) -> None:
        """Into the stored log only. Chunks are never stored."""
        with self.changed:
            self._merge()
            for entry in entries:
                if event_type(entry) != "agent_message_chunk":
                    self._store(entry)

    def end(self, ended: bool = True) -> None:
        """Streams end, or (after a hand-over) begin again."""
        with self.changed:
            self._merge()
            self.ended = ended
            self.changed.notify_all()

    def trim(self, keep: int) -> None:
        with self.changed:
            del self.events[: max(0, len(self.events) - keep)]

    # -- reading

    def after(self, event_id: tuple[int, int] | None) -> list[Event]:
        with self.changed:
            if event_id is None:
                return list(self.events)
            return [event for event in self.events if (event[0], event[1]) > event_id]

    def newest(self) -> tuple[int, int]:
        return self._last

    def stored(self) -> list[Object]:
        with self.changed:
            moment = time.monotonic()
            return [entry for entry, at in zip(self.entries, self._readable, strict=True) if at <= moment]

    def _merge(self) -> None:
        if not self._chunks:
            return
        first, chunks, self._chunks = self._chunks[0], self._chunks, []
        updates = [chunk["notification"]["params"]["update"] for chunk in chunks]
        text = "".join(str((update.get("content") or {}).get("text", "")) for update in updates)
        merged = {**updates[0], "sessionUpdate": "agent_message", "content": {"type": "text", "text": text}}
        frame = first["notification"]
        params = {**frame["params"], "update": merged}
        self._store({**first, "notification": {**frame, "params": params}})

    def _store(self, entry: Object) -> None:
        self._readable.append(time.monotonic() + float(self._config["log_flush_s"]))
        self.entries.append(entry)
        with (self._folder / "log.ndjson").open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, separators=(",", ":")) + "\n")

    def _push(self, body: Object, at: float) -> None:
        milliseconds = max(int(at * 1000), self._last[0])
        number = self._last[1] + 1 if milliseconds == self._last[0] else 0
        self._last = (milliseconds, number)
        text = json.dumps(body, separators=(",", ":"))
        self.events.append((milliseconds, number, text))
        self.sent += 1
        del self.events[: -self._buffer]
        with (self._folder / "events.ndjson").open("a", encoding="utf-8") as file:
            file.write(json.dumps([milliseconds, number, text], separators=(",", ":")) + "\n")
        self.changed.notify_all()


def _lines(path: Path) -> list[str]:
    """Whole lines: a torn last one was never told to anybody."""
    if not path.is_file():
        return []
    return [line for line in path.read_text(encoding="utf-8").split("\n")[:-1] if line]
