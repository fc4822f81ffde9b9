"""Links into the app: `posthog-code://task/<id>[/run/<id>]` and `posthog-code://inbox/<report>`.

Anybody can put a link on a page. A link only ever shows something; its ids are checked before they reach a URL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from posthog_code.domain.errors import InvalidInput

SCHEME = "posthog-code"
LONGEST = 512
"""Characters of a link."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}\Z")


@dataclass(frozen=True, slots=True)
class TaskLink:
    """A cloud task, and perhaps one of its runs."""

    task_id: str
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class InboxLink:
    """A report of the inbox."""

    report_id: str


Link = TaskLink | InboxLink


def is_link(text: str) -> bool:
    """Whether an argument of the command line is meant as a link, well-formed or not."""
    return text[: len(SCHEME) + 1].lower() == f"{SCHEME}:"


def parse(text: str) -> Link:
    """Raises InvalidInput for anything but a whole link of a known kind. Query and fragment are ignored: other programs
    add to them."""
    text = text.strip()
    if len(text) > LONGEST or not text.isascii() or not text.isprintable() or "\\" in text or "%" in text:
        raise _bad(text)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise _bad(text) from None
    if parts.scheme.lower() != SCHEME or not text[len(SCHEME) :].startswith("://"):
        raise _bad(text)
    if parts.username is not None or parts.password is not None or port is not None:
        raise _bad(text)
    path = parts.path.removesuffix("/")
    match [parts.netloc.lower(), *path.split("/")[1:]]:
        case ["task", task_id] if _ID.match(task_id):
            return TaskLink(task_id.lower())
        case ["task", task_id, "run", run_id] if _ID.match(task_id) and _ID.match(run_id):
            return TaskLink(task_id.lower(), run_id.lower())
        case ["inbox", report_id] if _ID.match(report_id):
            return InboxLink(report_id.lower())
    raise _bad(text)


def _bad(text: str) -> InvalidInput:
    return InvalidInput(
        "This link leads nowhere.",
        f"Links look like {SCHEME}://task/ID, {SCHEME}://task/ID/run/ID or {SCHEME}://inbox/ID.",
        "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:200]),
    )
