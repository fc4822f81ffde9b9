"""A session: one conversation with one agent, and what the agent offers in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from posthog_code.domain.ids import RequestId, SessionId, TaskId


class SessionPhase(StrEnum):
    IDLE = "idle"
    """No agent process; it is started when the next prompt is sent."""
    STARTING = "starting"
    READY = "ready"
    WORKING = "working"
    WAITING = "waiting"
    """The turn goes on once the person has answered a permission or question."""
    CANCELLING = "cancelling"
    INTERRUPTED = "interrupted"
    """The app or the agent ended in the middle of a turn; it can be continued."""
    FAILED = "failed"
    """The agent did not start or broke off; `error` says why."""

    @property
    def busy(self) -> bool:
        return self in _BUSY


_BUSY = frozenset({SessionPhase.WORKING, SessionPhase.WAITING, SessionPhase.CANCELLING})


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of an option: a mode, a model, an effort."""

    id: str
    name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class ConfigOption:
    """Something of the session that can be set. Mode, model and effort are options with those categories."""

    id: str
    name: str
    category: str
    """"mode", "model", "thought_level" or what the agent says."""
    current: str
    choices: tuple[Choice, ...] = ()
    wire: str = "option"
    """How it is set: "option" (session/set_config_option), "mode" (session/set_mode), "model" (session/set_model)."""


@dataclass(frozen=True, slots=True)
class AgentCommand:
    """A slash command that the agent offers."""

    name: str
    description: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    used: int = 0
    """Tokens in the context window now."""
    size: int = 0
    """Size of the context window in tokens; 0 when unknown."""
    cost: float = 0.0
    currency: str = ""


class AskKind(StrEnum):
    PERMISSION = "permission"
    QUESTION = "question"


@dataclass(frozen=True, slots=True)
class AskOption:
    id: str
    name: str
    kind: str = ""
    """For permissions: allow_once, allow_always, reject_once, reject_always, or unknown words. Rely on this, never on
    the id."""


@dataclass(frozen=True, slots=True)
class QuestionField:
    """One field of a question's form (ACP elicitation)."""

    name: str
    title: str
    choices: tuple[Choice, ...] = ()
    required: bool = False
    multiple: bool = False
    """An array: several choices may be taken."""
    kind: str = "string"
    """string, number, integer or boolean."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A pending permission or question; the agent waits until it is answered."""

    id: RequestId
    kind: AskKind
    title: str
    asked_at: float
    tool_call_id: str = ""
    tool_kind: str = ""
    """ACP tool kind: read, edit, delete, move, search, execute, think, fetch, switch_mode, other."""
    command: str = ""
    """The command line that would run, when it is known."""
    detail: str = ""
    """Why, or what the edit is, in the agent's words."""
    paths: tuple[str, ...] = ()
    """Absolute paths it would touch."""
    outside: bool = False
    """At least one path is outside the worktree."""
    options: tuple[AskOption, ...] = ()
    fields: tuple[QuestionField, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """One prompt and all that the agent did for it."""

    number: int
    """From 1."""
    prompt: str
    started_at: float
    ended_at: float = 0.0
    stop_reason: str = ""
    """end_turn, cancelled, refusal, max_tokens, max_turn_requests, error, interrupted; "" while it runs."""
    error: str = ""
    checkpoint_before: str = ""
    checkpoint_after: str = ""
    files: int = 0
    added: int = 0
    removed: int = 0
    tokens: int = 0
    cost: float = 0.0

    @property
    def seconds(self) -> float:
        """How long it took; 0.0 while it runs. The journal has the same figure, so that all places round it alike."""
        return round(max(0.0, self.ended_at - self.started_at), 3) if self.ended_at else 0.0


@dataclass(frozen=True, slots=True)
class Session:
    id: SessionId
    task_id: TaskId
    agent_id: str
    agent_session_id: str = ""
    """The agent's own id (ACP sessionId), to load or resume it after a restart."""
    phase: SessionPhase = SessionPhase.IDLE
    error: str = ""
    error_hint: str = ""
    options: tuple[ConfigOption, ...] = ()
    commands: tuple[AgentCommand, ...] = ()
    usage: Usage = field(default_factory=Usage)
    asks: tuple[Ask, ...] = ()
    turns: tuple[Turn, ...] = ()
    pid: int = 0
    pid_started: float = 0.0
    """Start time of the process as the OS gives it, so that a reused pid is never taken for ours."""
    agent_name: str = ""
    """Name and version that the agent gave at `initialize`."""
    context: str = ""
    """What the agent is told with the next prompt and the person does not see: a conversation that it was not in."""
    synced_at: float = 0.0
    """Of a cloud session: when the cloud was last heard of, while it cannot be reached; 0.0 when all is fresh."""

    @property
    def turn(self) -> Turn | None:
        return self.turns[-1] if self.turns else None

    def option(self, category: str) -> ConfigOption | None:
        return next((o for o in self.options if o.category == category), None)
