"""Title, description and commit message that are proposed for a pull request."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import PurePath

from posthog_code.domain.check_log import scrub
from posthog_code.domain.publishing import NewPullRequest
from posthog_code.domain.text import plural
from posthog_code.domain.transcript import AgentText, Item, TurnFooter, UserMessage

SUMMARY_LIMIT = 1_500
"""Characters of the prompt, and of what the agent said last."""
SUMMARY_LINES = 20
"""Lines of what the agent said last."""
TITLE_LIMIT = 256
_WHY = re.compile(r"\b(why|motivation|problem|context|background|reason)\b", re.IGNORECASE)
_WHAT = re.compile(r"\b(what|changes?|summary|description|overview)\b", re.IGNORECASE)
_HEADING = re.compile(r"^#{1,6}\s+\S")


def title(task_title: str, subjects: tuple[str, ...], uncommitted: int) -> str:
    """One commit and nothing else: its subject; otherwise the task's title, or the last commit's subject."""
    if len(subjects) == 1 and not uncommitted:
        return subjects[0][:TITLE_LIMIT]
    return (task_title.rstrip("….") or (subjects[0] if subjects else ""))[:TITLE_LIMIT]


def last_words(items: Sequence[Item]) -> str:
    """The agent's closing text of the latest turn that ended by itself; "" when no turn did, or it said nothing.

    A turn that was stopped or broke off has none: what stands last there was never meant as a summary.
    """
    ended = False
    for item in reversed(items):
        if isinstance(item, TurnFooter):
            ended = item.stop_reason == "end_turn"
        elif isinstance(item, UserMessage) and ended:
            return ""
        elif ended and isinstance(item, AgentText) and not item.parent_id and item.text.strip():
            return item.text.strip()
    return ""


def body(template: str, prompt: str, summary: str, hidden: tuple[str, ...] = ()) -> str:
    """The template with why and what filled in below their headings, or a description of the same two parts.

    `hidden` are folders of this machine, which say nothing to others and are taken out.
    """
    why = _public(prompt, hidden, SUMMARY_LIMIT)
    what = _public(summary, hidden, SUMMARY_LIMIT, SUMMARY_LINES)
    if not template.strip():
        parts = [f"## {head}\n\n{text}" for head, text in (("Why", why), ("What", what)) if text]
        return "\n\n".join(parts)
    lines = template.replace("\r\n", "\n").strip("\n").split("\n")
    headings = [(index, line) for index, line in enumerate(lines) if _HEADING.match(line)]
    why_at = next((index for index, line in headings if _WHY.search(line)), -1)
    what_at = next((index for index, line in headings if _WHAT.search(line) and index != why_at), -1)
    places: dict[int, list[str]] = {}
    for text, at, other in ((why, why_at, what_at), (what, what_at, why_at)):
        if text:
            places.setdefault(at if at >= 0 else other, []).append(text)
    first = "\n\n".join(places.pop(-1, []))
    out: list[str] = [first, ""] if first else []
    for index, line in enumerate(lines):
        out.append(line)
        if index in places:
            out += ["", "\n\n".join(places[index])]
            if index + 1 < len(lines) and lines[index + 1].strip():
                out.append("")
    return "\n".join(out)


def commit_message(task_title: str, paths: tuple[str, ...], subjects: tuple[str, ...]) -> str:
    """A subject for what is not committed yet: the task's title for the first commit, else the files."""
    if not paths:
        return ""
    words = task_title.rstrip("….").strip()
    if words and words not in subjects:
        return words[:72]
    names = [PurePath(path).name for path in paths]
    return f"Update {names[0]}" if len(names) == 1 else f"Update {names[0]} and {plural(len(names) - 1, 'other file')}"


def to_json(new: NewPullRequest) -> str:
    """What was typed, to be kept over a restart."""
    return json.dumps(asdict(new))


def from_json(text: str) -> NewPullRequest | None:
    """None for anything that `to_json` did not write."""
    blank = NewPullRequest("", "", "")
    try:
        data = json.loads(text)
        fields = {key: data[key] for key in asdict(blank) if isinstance(data.get(key), type(getattr(blank, key)))}
    except (ValueError, AttributeError, TypeError):
        return None
    return replace(blank, **fields)


def _public(text: str, hidden: tuple[str, ...], limit: int, lines: int = 0) -> str:
    text = text.strip()
    for folder in sorted(hidden, key=len, reverse=True):
        if folder and folder != "/":
            text = text.replace(folder.rstrip("/\\") + "/", "").replace(folder, ".")
    return scrub(_cut(text, limit, lines))


def _cut(text: str, limit: int, lines: int) -> str:
    """At most `limit` characters and `lines` lines (0 for any), up to the end of a paragraph where there is one."""
    kept = "\n".join(text[:limit].split("\n")[: lines or None])
    if kept == text:
        return text
    paragraphs = kept.rpartition("\n\n")[0].rstrip()
    if paragraphs.count("```") % 2:
        paragraphs = paragraphs[: paragraphs.rindex("```")].rstrip()
    if paragraphs:
        return f"{paragraphs}\n\n…"
    if len(kept) == limit:
        kept = kept.rsplit("\n", 1)[0]
    return f"{kept.rstrip()}\n```\n\n…" if kept.count("```") % 2 else f"{kept.rstrip()} …"
