"""A conversation on its way: a run's log as a journal that goes on, and a journal as entries of a run's log."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from posthog_code.domain.cloud_entries import at_of, direction, extension, frame_of, said_by_agent, update_of
from posthog_code.domain.cloud_parse import mapping, text
from posthog_code.domain.fold_tools import text_of
from posthog_code.domain.fold_turns import is_hidden, prompt_parts
from posthog_code.domain.session import Turn

Line = tuple[dict[str, Any], str, float]
"""A frame, its direction, UNIX time in s: a line of a journal."""
BOUNDARY = "handed_over"
"""Name of our note between what came from elsewhere and what follows. It names where it went, and the run."""
_OPENING = frozenset({"initialize", "authenticate", "session/new", "session/load", "session/resume"})
"""Calls about a connection that is over: of no meaning to another agent, and misleading in its journal."""
_CHUNKS = {"agent_message_chunk": "agent_message", "agent_thought_chunk": "agent_thought_chunk"}
_TOLD = frozenset({"compact_boundary", "error", "permission_response", "task_notification"})
"""Extension notifications that are part of the conversation, whichever run it is in."""
SUMMARY_LIMIT = 8_000
"""Characters of the summary that the next agent is given."""


@dataclass(frozen=True, slots=True)
class Conversation:
    lines: tuple[Line, ...] = ()
    turns: tuple[Turn, ...] = ()
    calls: int = 0
    """Tool calls."""

    @property
    def first_prompt(self) -> str:
        return self.turns[0].prompt if self.turns else ""


def conversation(entries: Iterable[Mapping[str, Any]]) -> Conversation:
    """What a run's log says, as lines of a journal with notes of where its turns begin and end."""
    reader = _Reader()
    for entry in entries:
        frame = frame_of(entry)
        if frame is not None:
            reader.take(frame, at_of(entry))
    reader.close()
    return Conversation(tuple(reader.lines), tuple(reader.turns), len(reader.calls))


class _Reader:
    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.turns: list[Turn] = []
        self.calls: set[str] = set()
        self._dropped: set[str] = set()
        """Ids of calls whose answers go with them."""
        self._reason = ""
        self._at = 0.0

    def take(self, frame: dict[str, Any], at: float) -> None:
        self._at = at = at or self._at
        method, name = frame.get("method"), extension(frame)
        if method in _OPENING:
            self._dropped.add(str(frame.get("id")))
            return
        if method is None and str(frame.get("id")) in self._dropped:
            self._dropped.discard(str(frame.get("id")))
            return
        if name == "user_message":
            return  # an echo of the prompt that follows
        if method == "session/prompt":
            self.close()
            words, _attachments = prompt_parts(mapping(frame.get("params")).get("prompt"))
            self.turns.append(Turn(len(self.turns) + 1, words, at))
            self._note("turn_started", turn=len(self.turns))
        result = mapping(frame.get("result")) if method is None else {}
        if "stopReason" in result:
            self._reason = text(result["stopReason"])
        elif method is None and isinstance(frame.get("error"), Mapping) and self._open:
            self._reason = "error"
        if (call := text(update_of(frame).get("toolCallId"))) and update_of(frame).get("sessionUpdate") == "tool_call":
            self.calls.add(call)
        self.lines.append((frame, direction(frame), at))
        if name == "turn_complete" and self._open:
            self._reason = text(mapping(frame.get("params")).get("stopReason")) or self._reason
            self.close()

    @property
    def _open(self) -> bool:
        return bool(self.turns) and not self.turns[-1].stop_reason

    def close(self) -> None:
        """The running turn, if there is one, is over: nobody works on it any more."""
        if self._open:
            turn = replace(self.turns[-1], ended_at=self._at, stop_reason=self._reason or "cancelled")
            self.turns[-1] = turn
            self._note("turn_ended", turn=turn.number, stopReason=turn.stop_reason, duration=turn.seconds)
        self._reason = ""

    def _note(self, name: str, **params: Any) -> None:
        self.lines.append((_note(name, params), "note", self._at))


def boundary(place: str, run_id: str, at: float) -> Line:
    """The mark after which the conversation goes on somewhere else: `place` is "cloud" or "local"."""
    return _note(BOUNDARY, {"to": place, "run": run_id}), "note", at


def notice(title: str, words: str, at: float) -> Line:
    return _note("notice", {"level": "info", "title": title, "text": words}), "note", at


def _note(name: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": f"_posthog_code/{name}", "params": params}


# -- to the cloud ------------------------------------------------------------------------------------------------


def entries(lines: Sequence[Line], run_id: str) -> list[dict[str, Any]]:
    """What a run's log does not have yet of a journal: all of it, or what came after it was taken over from that run.

    Text that came in pieces is one message, as the stored logs of runs have it; notes of ours stay here.
    """
    maker = EntryMaker()
    for frame, way, at in lines[_known(lines, run_id) :]:
        maker.take(frame, way, at)
    maker.flush()
    return maker.found


def _known(lines: Sequence[Line], run_id: str) -> int:
    """How many lines the run's log has already."""
    known = 0
    for index, (frame, way, _at) in enumerate(lines):
        if way == "note" and frame.get("method") == f"_posthog_code/{BOUNDARY}":
            known = index + 1 if mapping(frame.get("params")).get("run") == run_id else known
    return known


class EntryMaker:
    """Makes entries of the lines that it is given; text is held back until something else comes."""

    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []
        self._dropped: set[str] = set()
        self._session = ""
        self._pieces: list[str] = []
        self._first: tuple[dict[str, Any], str, float] | None = None
        """The first frame of the pieces, the kind of update they become, and its time."""

    def take(self, frame: dict[str, Any], way: str, at: float) -> None:
        method = frame.get("method")
        if way == "note":
            if method == "_posthog_code/turn_ended":
                self.flush()
                reason = text(mapping(frame.get("params")).get("stopReason")) or "end_turn"
                params = {"sessionId": self._session, "stopReason": reason}
                self._add({"jsonrpc": "2.0", "method": "_posthog/turn_complete", "params": params}, at)
            return
        if method in _OPENING:
            self._dropped.add(str(frame.get("id")))
            return
        if method is None and str(frame.get("id")) in self._dropped:
            self._dropped.discard(str(frame.get("id")))
            return
        if (name := extension(frame)) and name not in _TOLD:
            return  # of a sandbox that is gone, or told by our notes
        self._session = text(mapping(frame.get("params")).get("sessionId")) or self._session
        update = update_of(frame)
        kind = _CHUNKS.get(text(update.get("sessionUpdate")), "")
        if kind and self._goes_on(frame, kind):
            self._pieces.append(text_of(update.get("content")))
            return
        self.flush()
        if kind:
            self._first, self._pieces = (frame, kind, at), [text_of(update.get("content"))]
            return
        self._add(_visible(frame) if method == "session/prompt" else frame, at)

    def _goes_on(self, frame: dict[str, Any], kind: str) -> bool:
        if self._first is None or self._first[1] != kind:
            return False
        one, other = update_of(self._first[0]), update_of(frame)
        return all(one.get(key) == other.get(key) for key in ("messageId", "_meta"))

    def flush(self) -> None:
        if self._first is None:
            return
        frame, kind, at = self._first
        whole = {"type": "text", "text": "".join(self._pieces)}
        update = {**update_of(frame), "sessionUpdate": kind, "content": whole}
        self._first, self._pieces = None, []
        self._add({**frame, "params": {**mapping(frame.get("params")), "update": update}}, at)

    def _add(self, frame: Mapping[str, Any], at: float) -> None:
        self.found.append(entry(frame, at))


def _visible(frame: dict[str, Any]) -> dict[str, Any]:
    """A prompt without what only the agent it went to had to know."""
    params = mapping(frame.get("params"))
    blocks = params.get("prompt")
    if not isinstance(blocks, list):
        return frame
    shown = [block for block in blocks if not (isinstance(block, Mapping) and is_hidden(block))]
    return {**frame, "params": {**params, "prompt": shown}}


def entry(frame: Mapping[str, Any], at: float) -> dict[str, Any]:
    """A frame in the envelope of a run's log."""
    stamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"type": "notification", "timestamp": stamp, "notification": dict(frame)}


def missing(wanted: Sequence[dict[str, Any]], stored: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Those of the entries that a log does not have yet, in order: sending may have been cut short."""
    known = Counter(_key(one) for one in stored)
    left: list[dict[str, Any]] = []
    for one in wanted:
        key = _key(one)
        if known[key] > 0:
            known[key] -= 1
        else:
            left.append(one)
    return left


def _key(one: Mapping[str, Any]) -> str:
    parts = [round(at_of(one), 3), one.get("notification")]
    return json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)


# -- for the next agent -------------------------------------------------------------------------------------------


def summary(talk: Conversation, branch: str) -> str:
    """The conversation in brief, for an agent that was not in it; "" when nothing was said."""
    if not talk.turns:
        return ""
    told = _by_turn(talk.lines)
    head = (
        f"You take over work in progress on the branch {branch}. Another agent did the {len(talk.turns)} turns below; "
        "its changes, committed or not, are in your working directory. Look at them before you rely on this summary."
    )
    parts: list[str] = []
    left = SUMMARY_LIMIT - len(head)
    for number in range(len(talk.turns), 0, -1):
        # The latest turns matter most: the earliest are left out first.
        part = _turn_words(talk.turns[number - 1], told.get(number, []))
        if len(part) > left:
            parts.append(f"(The first {number} turns are left out.)")
            break
        parts.append(part)
        left -= len(part) + 2
    return "\n\n".join([head, *reversed(parts)])


def _by_turn(lines: Iterable[Line]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    number = 0
    for frame, way, _at in lines:
        if way == "note" and frame.get("method") == "_posthog_code/turn_started":
            number += 1
        elif way == "in":
            found.setdefault(number, []).append(frame)
    return found


def _turn_words(turn: Turn, frames: Sequence[dict[str, Any]]) -> str:
    said = "".join(said_by_agent(frame) or "" for frame in frames)
    deeds: dict[str, str] = {}
    for frame in frames:
        update = update_of(frame)
        if update.get("sessionUpdate") == "tool_call" and text(update.get("kind")) in (
            "edit",
            "delete",
            "move",
            "execute",
        ):
            deeds[text(update.get("toolCallId"))] = text(update.get("title"))
    words = [f"## Turn {turn.number} ({turn.stop_reason})", f"Person: {_cut(turn.prompt, 600)}"]
    if deeds:
        words.append("Did: " + "; ".join(_cut(title, 90) for title in list(deeds.values())[:12]))
    if said.strip():
        words.append(f"Agent: {_cut(said, 900)}")
    return "\n".join(words)


def _cut(words: str, limit: int) -> str:
    words = " ".join(words.split())
    return words if len(words) <= limit else words[: limit - 1] + "…"
