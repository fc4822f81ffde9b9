"""A conversation as rows: what the fold makes of a session's frames."""

from __future__ import annotations

from dataclasses import dataclass, field

from posthog_code.domain.session import Ask


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


@dataclass(slots=True)
class AgentText(Item):
    """Markdown. Grows while `open`."""

    text: str = ""
    open: bool = True
    message_id: str = ""


@dataclass(slots=True)
class Thought(Item):
    text: str = ""
    open: bool = True
    ended_at: float = 0.0


@dataclass(slots=True)
class DiffContent:
    path: str
    old_text: str
    """"" and `created` for a new file."""
    new_text: str
    created: bool = False


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
    raw_input: str = ""
    """JSON text."""


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
