"""The research of a report as lines of a log, and its tickets; whatever cannot be understood is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from posthog_code.domain.inbox import Artefact, Evidence, ReportSignal
from posthog_code.domain.text import one_line, plural
from posthog_code.ui.models.inbox_list import source_name

SUPPORT = ("zendesk", "conversations", "intercom")
ISSUES = ("github", "linear", "jira", "gitlab")
_LONGEST = 400
_NAMES = {
    "priority_judgment": "Priority",
    "actionability_judgment": "Can it be acted on",
    "signal_finding": "Finding",
    "safety_judgment": "Safety",
    "repo_selection": "Repository",
    "suggested_reviewers": "Reviewers",
    "video_segment": "Recording",
    "code_reference": "Code",
    "commit": "Commit",
    "task_run": "Task",
    "note": "Note",
    "title_change": "New title",
    "summary_change": "New summary",
    "dismissal": "Dismissed",
}


_WORDS = {
    "immediately_actionable": "At once",
    "requires_human_input": "After somebody's input",
    "not_actionable": "Not in code",
}
"""What the server calls whether something can be done."""


@dataclass(frozen=True, slots=True)
class LogLine:
    title: str
    text: str
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Ticket:
    """What somebody wrote, and where."""

    source: str
    text: str
    at: float = 0.0
    url: str = ""
    quote: bool = True


def research(evidence: Evidence) -> list[LogLine]:
    """What the research found, oldest first, then why each signal is here."""
    lines = [line for artefact in sorted(evidence.artefacts, key=lambda a: a.created_at) if (line := _line(artefact))]
    for signal in evidence.signals:
        text = one_line(signal.reason, _LONGEST)
        if text:
            lines.append(LogLine(f"Signal from {source_name(signal.source_product)}", text, signal.at))
    return lines


def tickets(evidence: Evidence) -> list[Ticket]:
    """Tickets of people first, then issues."""
    order = (*SUPPORT, *ISSUES)
    found = [_ticket(signal) for signal in evidence.signals if signal.source_product in order and signal.content]
    return sorted(found, key=lambda ticket: not ticket.quote)


def _ticket(signal: ReportSignal) -> Ticket:
    url = next(
        (one_line(str(signal.extra[k]), 2000) for k in ("html_url", "url", "web_url") if signal.extra.get(k)), ""
    )
    return Ticket(
        signal.source_product,
        one_line(signal.content, _LONGEST),
        signal.at,
        url if url.startswith(("https://", "http://")) else "",
        signal.source_product in SUPPORT,
    )


def _line(artefact: Artefact) -> LogLine | None:
    kind, content = artefact.type, artefact.content
    title = _NAMES.get(kind, one_line(kind.replace("_", " "), 40).capitalize())
    text = _reviewers(content) if isinstance(content, list) else _words(kind, content)
    return LogLine(title, one_line(text, _LONGEST), artefact.created_at) if title and text else None


def _words(kind: str, content: Any) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, Mapping):
        return ""
    said = {key: str(content.get(key) or "") for key in ("priority", "actionability", "choice", "repository")}
    why = str(content.get("explanation") or content.get("reason") or content.get("content") or "")
    if kind == "signal_finding":
        paths = content.get("relevant_code_paths")
        places = ", ".join(str(path) for path in paths[:3]) if isinstance(paths, list) else ""
        data = str(content.get("data_queried") or "")
        sure = "verified" if content.get("verified") is True else "not verified"
        sure = f"{sure} with {data}" if data and sure == "verified" else sure
        return ": ".join(part for part in (", ".join(part for part in (places, sure) if part), why) if part)
    if kind == "safety_judgment":
        choice = content.get("choice")
        safe = ("Safe" if choice else "Not safe") if isinstance(choice, bool) else ""
        return ": ".join(part for part in (safe, why) if part)
    first = next((_WORDS.get(value, value) for value in said.values() if value), "")
    return ": ".join(part for part in (first, why or str(content.get("text") or content.get("note") or "")) if part)


def _reviewers(content: list[Any]) -> str:
    people = [one for one in content if isinstance(one, Mapping)]
    names = [str(one.get("github_name") or one.get("github_login") or "") for one in people]
    commits = sum(len(one["relevant_commits"]) for one in people if isinstance(one.get("relevant_commits"), list))
    told = ", ".join(name for name in names if name)
    return f"{told} ({plural(commits, 'commit')})" if told and commits else told
