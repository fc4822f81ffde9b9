"""Mentions and commands in a text: what is being typed, and which files fit best."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from posthog_code.ui.models import fuzzy

MENTION = re.compile(r"(?<!\S)@[^\s@]*[^\s@.,;:!?)\]]")
_ENOUGH = 400


@dataclass(frozen=True, slots=True)
class Token:
    """What is being typed at the cursor."""

    kind: str
    """@ or /."""
    start: int
    """Position of the sign."""
    query: str


def token_at(text: str, cursor: int) -> Token | None:
    """The mention or command whose end the cursor is at; a command only at the start of the message."""
    start = cursor
    while start > 0 and not text[start - 1].isspace():
        start -= 1
    word = text[start:cursor]
    if word.startswith("@"):
        return Token("@", start, word[1:])
    if text.startswith("/") and "\n" not in text[:cursor] and text[:cursor].lstrip("/") == text[1:cursor]:
        query = text[1:cursor]
        return Token("/", 0, query) if " " not in query or (len(query) < 40 and query.count(" ") == 1) else None
    return None


def rank_files(query: str, files: Sequence[str], recent: Sequence[str] = (), limit: int = 40) -> list[str]:
    """The files that fit a query best. Without a query: the recent ones first, then the rest in order."""
    if not query:
        first = [path for path in recent if path]
        seen = set(first)
        return (first + [path for path in files[: limit * 4] if path not in seen])[:limit]
    low = query.lower()
    found = [path for path in files if low in path.lower()]
    if len(found) > _ENOUGH:
        found.sort(key=lambda path: (low not in path.rsplit("/", 1)[-1].lower(), len(path)))
        found = found[:_ENOUGH]
    if len(found) < limit:
        scattered = re.compile(".*?".join(re.escape(char) for char in low if not char.isspace()), re.IGNORECASE)
        have = set(found)
        found += [path for path in files if path not in have and scattered.search(path)][:_ENOUGH]
    favourite = {path: number for number, path in enumerate(recent)}
    scored: list[tuple[float, str]] = []
    for path in found:
        hit = fuzzy.match(query, path)
        if hit is None:
            continue
        name = path.rsplit("/", 1)[-1].lower()
        bonus = (12.0 if name.startswith(low) else 6.0 if low in name else 0.0) + (4.0 if path in favourite else 0.0)
        scored.append((hit.score + bonus, path))
    scored.sort(key=lambda pair: (-pair[0], len(pair[1]), pair[1]))
    return [path for _, path in scored[:limit]]


def mentioned(text: str, files: frozenset[str] | set[str]) -> list[str]:
    """Files named by @mentions, in order, each once."""
    found = [word[1:] for word in MENTION.findall(text)]
    return list(dict.fromkeys(path for path in found if path in files))
