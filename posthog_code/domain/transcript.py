"""A conversation as rows: what the fold makes of a session's frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from posthog_code.domain.session import Ask

OUTPUT_LIMIT = 256 * 1024
"""Characters of a tool call's output that are kept."""

_Class = TypeVar("_Class")


def _grows(name: str, limit: int = 0) -> Callable[[type[_Class]], type[_Class]]:
    """Make the field `name` a text that grows by `parts`, joined when somebody reads it.

    Adding to a str attribute copies it each time, which is quadratic for a message that arrives in a million pieces.
    With a `limit` only the last characters are kept, and `<name>_cut` counts the bytes that were left out.
    """

    def decorate(cls: type[_Class]) -> type[_Class]:
        slot: Any = cls.__dict__[name]

        def read(self: Any) -> str:
            text: str = slot.__get__(self, cls)
            if self.parts:
                text += "".join(self.parts)
                self.parts.clear()
                if limit and len(text) > limit:
                    cut = len(text) - limit
                    setattr(
                        self, f"{name}_cut", getattr(self, f"{name}_cut") + len(text[:cut].encode("utf-8", "replace"))
                    )
                    text = text[cut:]
                slot.__set__(self, text)
            return text

        def write(self: Any, text: str) -> None:
            if hasattr(self, "parts"):
                self.parts.clear()
            slot.__set__(self, text)

        setattr(cls, name, property(read, write))
        return cls

    return decorate


@dataclass(slots=True)
class Item:
    """One row. Items are changed in place by the fold only; `rev` grows with each change."""

    key: str
    """Stable within the session."""
    at: float
    """UNIX time of the first frame of the item, s."""
    rev: int = 0


@dataclass(slots=True)
class UserMessage(Item):
    text: str = ""
    attachments: tuple[str, ...] = ()
    turn: int = 0


@_grows("text")
@dataclass(slots=True)
class AgentText(Item):
    """Markdown. Grows while `open`."""

    text: str = ""
    open: bool = True
    message_id: str = ""
    parent_id: str = ""
    """Call id of the sub-agent's call that says it."""
    parts: list[str] = field(default_factory=list, repr=False, compare=False)
    """Text that is not joined yet: the fold appends here, everybody else reads `text`."""


@_grows("text")
@dataclass(slots=True)
class Thought(Item):
    text: str = ""
    open: bool = True
    ended_at: float = 0.0
    message_id: str = ""
    parent_id: str = ""
    parts: list[str] = field(default_factory=list, repr=False, compare=False)
    """As in AgentText."""


@dataclass(slots=True)
class DiffContent:
    path: str
    old_text: str
    """"" and `created` for a new file."""
    new_text: str
    created: bool = False


@_grows("output", OUTPUT_LIMIT)
@dataclass(slots=True)
class ToolCall(Item):
    call_id: str = ""
    title: str = ""
    kind: str = "other"
    """ACP: read, edit, delete, move, search, execute, think, fetch, switch_mode, other; unknown words are kept."""
    status: str = "pending"
    """pending, in_progress, completed, failed, or "stopped" when its turn ended first."""
    paths: tuple[str, ...] = ()
    """As the agent gave them (usually absolute)."""
    command: str = ""
    output: str = ""
    """Terminal or text output, at most the last 256 KB; `output_cut` says how much was left out."""
    output_cut: int = 0
    """Bytes."""
    exit_code: int | None = None
    diffs: tuple[DiffContent, ...] = ()
    parent_id: str = ""
    """Call id of the sub-agent's call that it belongs to."""
    ended_at: float = 0.0
    waited: float = 0.0
    """Seconds between `at` and `ended_at` in which it waited for a person; it did not run then."""
    raw_input: str = ""
    """JSON text."""
    turn: int = 0
    parts: list[str] = field(default_factory=list, repr=False, compare=False)
    """Output that is not joined yet, as in AgentText."""

    @property
    def ran(self) -> float:
        """Seconds; 0 before its end."""
        return max(0.0, self.ended_at - self.at - self.waited) if self.ended_at else 0.0


@dataclass(slots=True)
class PlanEntry:
    text: str
    status: str
    """pending, in_progress or completed."""


@dataclass(slots=True)
class Plan(Item):
    entries: tuple[PlanEntry, ...] = ()
    stopped: bool = False


@dataclass(slots=True)
class AskItem(Item):
    """A permission or question card; `answer` is set once it is over."""

    ask: Ask | None = None
    answer: str = ""
    """The option's name, the given answer, or "cancelled"."""
    answered_at: float = 0.0
    by: str = ""
    """you, rule (an --permissions policy) or agent (it went on by itself)."""


@dataclass(slots=True)
class TurnFooter(Item):
    turn: int = 0
    duration: float = 0.0
    stop_reason: str = ""
    files: int = 0
    added: int = 0
    removed: int = 0
    tokens: int = 0
    cost: float = 0.0
    checkpoint_before: str = ""


@dataclass(slots=True)
class Notice(Item):
    """Something of ours between the rows: an error, an interruption, an unknown frame, a mode change."""

    level: str = "info"
    """info, warning or error."""
    title: str = ""
    text: str = ""
    actions: tuple[str, ...] = ()
    """Ids of what can be done: retry_turn, continue_turn, show_logs, choose_agent, sign_in."""
    raw: str = ""


@dataclass(slots=True)
class Transcript:
    """Append-mostly. `rev` grows with every change; `changed_from` of a fold says from which row on."""

    items: list[Item] = field(default_factory=list)
    rev: int = 0
    turn: int = 0
    """Number of the running or last turn."""
    running: bool = False
    changes: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=4096), repr=False, compare=False)
    """The latest changes: `rev` and the first row that changed with it."""

    def changed_since(self, rev: int) -> int | None:
        """The first row that changed after `rev`; None when nothing did."""
        if rev == self.rev:
            return None
        first, reached = len(self.items), False
        for changed_rev, index in reversed(self.changes):
            if changed_rev <= rev:
                reached = True
                break
            first = min(first, index)
            reached = changed_rev == rev + 1
        return first if reached else 0
