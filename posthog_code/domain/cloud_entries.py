"""Entries of a run's log and stream: what they say, which way they went, and which of them are news.

Storage and stream tell the same frames in two ways: the stream has each piece of a message, storage the merged message;
they stamp separately; each may lag behind or lack a beginning. Comparing goes by the frames without their stamps, as a
multiset, from the place on where the two overlap.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from posthog_code.domain.cloud_parse import mapping, seconds, text
from posthog_code.domain.fold_tools import text_of

Frame = Mapping[str, Any]
SLACK = 24
"""Frames before the overlap that still count as told: events may come in another order than they were stored."""
_WINDOW = 60
_OURS = frozenset({"initialize", "authenticate", "fs/read_text_file", "fs/write_text_file"})


def frame_of(entry: Any) -> dict[str, Any] | None:
    """The JSON-RPC frame of a log entry; None for any other object."""
    found = entry.get("notification") if isinstance(entry, Mapping) else None
    return found if isinstance(found, dict) else None


def at_of(entry: Any) -> float:
    return seconds(entry.get("timestamp")) if isinstance(entry, Mapping) else 0.0


def extension(frame: Frame) -> str:
    """The name of a `_posthog/<name>` notification, with any number of underscores in front; "" for other frames."""
    method = frame.get("method")
    if not isinstance(method, str) or not method.startswith("_"):
        return ""
    space, _, name = method.lstrip("_").partition("/")
    return name if space == "posthog" else ""


def update_of(frame: Frame) -> Mapping[str, Any]:
    return mapping(mapping(frame.get("params")).get("update")) if frame.get("method") == "session/update" else {}


def said_by_agent(frame: Frame) -> str | None:
    """Text of a message or a piece of one; None for any other frame."""
    update = update_of(frame)
    kind = update.get("sessionUpdate")
    return text_of(update.get("content")) if kind in ("agent_message", "agent_message_chunk") else None


def is_piece(frame: Frame) -> bool:
    return update_of(frame).get("sessionUpdate") == "agent_message_chunk"


def direction(frame: Frame) -> str:
    """ "in" for what the agent sent, "out" for what was sent to it; the log does not say."""
    method = frame.get("method")
    if isinstance(method, str):
        session_call = method.startswith("session/") and method not in ("session/update", "session/request_permission")
        return "out" if method in _OURS or session_call else "in"
    result = mapping(frame.get("result"))
    return "out" if isinstance(result.get("outcome"), Mapping) or "action" in result else "in"


def prompt_text(frame: Frame) -> str | None:
    """What a person said to the agent with this frame; None when it is no prompt."""
    if frame.get("method") == "session/prompt":
        blocks = mapping(frame.get("params")).get("prompt")
        parts = [text(mapping(one).get("text")) for one in blocks] if isinstance(blocks, list) else [text(blocks)]
        return "\n".join(filter(None, parts))
    if extension(frame) == "user_message":
        return text(mapping(frame.get("params")).get("content"))
    update = update_of(frame)
    return text_of(update.get("content")) if update.get("sessionUpdate") == "user_message_chunk" else None


def holds_prompt(frames: Iterable[Frame], wanted: str) -> bool:
    """Whether one of the frames brought these words to the agent."""
    wanted = wanted.strip()
    return any((said := prompt_text(one)) is not None and wanted and wanted in said for one in frames)


def key_of(frame: Frame) -> bytes:
    """The same for equal frames, whatever the order of their keys."""
    plain = json.dumps(frame, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.blake2b(plain.encode(), digest_size=16).digest()


def news(told: Sequence[Frame], more: Sequence[Frame]) -> list[int]:
    """Which of the frames `more` are not among those `told`, by index, in order."""
    known = _keys(told)
    coming = _keys(more)
    start = _overlap(known, coming)
    places: dict[bytes, deque[int]] = {}
    for place in range(max(0, start - SLACK), len(known)):
        if (told_key := known[place]) is not None:
            places.setdefault(told_key, deque()).append(place)
    found: list[int] = []
    last, reached = -1, -1
    for index, key in enumerate(coming):
        if key is None:
            continue
        if left := places.get(key):
            last, reached = index, max(reached, left.popleft())
        else:
            found.append(index)
    # Text before a frame that was told was told too, merged or in pieces; behind the last one it may be half told.
    tail = _text_after(told, known, reached) if reached >= 0 else _ending(told)
    texts: list[int] = []
    so_far = ""
    open_run = True
    for index in range(last + 1, len(coming)):
        if coming[index] is not None:
            open_run = False
            continue
        said = said_by_agent(more[index]) or ""
        if open_run and tail and (tail.startswith(so_far + said) or (not so_far and tail.endswith(said))):
            so_far += said
            continue
        open_run = False
        texts.append(index)
    return sorted(found + texts)


def beginning_of_own(earlier: Sequence[Frame], stored: Sequence[Frame]) -> int:
    """Where a run's own part of its log begins: the log may tell the runs before it first, which are known already."""
    left = Counter(filter(None, _keys(earlier)))
    told = 0
    for index, key in enumerate(_keys(stored)):
        if key is None:
            continue
        if left[key] <= 0:
            return told
        left[key] -= 1
        told = index + 1
    return told


def differs(stored: Sequence[Frame], shown: Sequence[Frame]) -> bool:
    """Whether something of the stored log was not shown, or was shown more often than it happened.

    What was shown beyond the end of the stored log is not counted: storage lags.
    """
    kept, seen = Counter(filter(None, _keys(stored))), Counter(filter(None, _keys(shown)))
    if kept - seen:
        return True
    # Doubled is only what storage has at least once: anything else may not be stored yet.
    if any(seen[key] > count for key, count in kept.items() if key in seen) and _ends_alike(stored, shown):
        return True
    words, said = _all_text(stored), _all_text(shown)
    return not said.startswith(words)


def unstored(stored: Sequence[Frame], shown: Sequence[Frame]) -> list[int]:
    """What was shown and is not in the stored log (yet), by index: its end, and what storage never had. What storage
    has, and has in full, is no news however often it was shown."""
    found = news(stored, shown)
    if not _ends_alike(stored, shown):
        return found
    kept = {key for key in _keys(stored) if key is not None}
    return [index for index in found if said_by_agent(shown[index]) is None and key_of(shown[index]) not in kept]


def _ends_alike(stored: Sequence[Frame], shown: Sequence[Frame]) -> bool:
    one = next((key for key in reversed(_keys(stored[-50:])) if key is not None), None)
    other = next((key for key in reversed(_keys(shown[-50:])) if key is not None), None)
    return one is not None and one == other


def _all_text(frames: Iterable[Frame]) -> str:
    return "".join(said for one in frames if (said := said_by_agent(one)) is not None)


def _keys(frames: Sequence[Frame]) -> list[bytes | None]:
    """A key for each frame, None for the agent's text."""
    return [None if said_by_agent(one) is not None else key_of(one) for one in frames]


def _text_after(frames: Sequence[Frame], keys: Sequence[bytes | None], place: int) -> str:
    """The agent's text between the frame at `place` and the next one that is none."""
    parts: list[str] = []
    for index in range(place + 1, len(frames)):
        if keys[index] is not None:
            break
        parts.append(said_by_agent(frames[index]) or "")
    return "".join(parts)


def _ending(frames: Sequence[Frame]) -> str:
    """The agent's text at the very end."""
    parts: list[str] = []
    for one in reversed(frames):
        said = said_by_agent(one)
        if said is None:
            break
        parts.append(said)
    return "".join(reversed(parts))


def _overlap(known: Sequence[bytes | None], coming: Sequence[bytes | None]) -> int:
    """Index in `known` from which on it tells the same as `coming`; its length when nothing overlaps."""
    anchors = [key for key in coming if key is not None][:_WINDOW]
    wanted = Counter(anchors)
    places: dict[bytes, list[int]] = {}
    for index, key in enumerate(known):
        if key is not None and key in wanted:
            places.setdefault(key, []).append(index)
    for offset, anchor in enumerate(anchors[:20]):
        candidates = places.get(anchor, [])[-200:]
        if not candidates:
            continue

        def score(place: int) -> tuple[int, int]:
            window = Counter(key for key in known[place : place + 2 * _WINDOW] if key is not None)
            return (window & wanted).total(), place

        return max(0, max(candidates, key=score) - offset)
    return len(known)
