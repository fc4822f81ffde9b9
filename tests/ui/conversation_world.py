"""A fake world for the conversation and the composer: a store, services that take notes, and a session of frames."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from posthog_code.domain.agent import AgentInfo, AgentSpec, AgentStatus
from posthog_code.domain.errors import UserError
from posthog_code.domain.fold import Fold
from posthog_code.domain.ids import MessageId, RepositoryId, SessionId, TaskId
from posthog_code.domain.session import AgentCommand, Choice, ConfigOption, Session, SessionPhase, Usage
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import QueuedMessage, Repository, Task, TaskPhase, Workspace
from posthog_code.domain.transcript import AskItem, Transcript
from posthog_code.ui.actions import Actions
from posthog_code.ui.bridge import Bridge
from posthog_code.ui.commands import CommandRegistry
from posthog_code.ui.context import Toasts, UiContext
from posthog_code.ui.nav import Nav

TASK, SESSION, REPOSITORY = TaskId("t1"), SessionId("s1"), RepositoryId("r1")
TREE = "/home/dev/trees/double-charge"
NOW = 1_760_000_000.0


class Scope:
    """Runs coroutines at once, also inside each other: enough for services that never wait."""

    def spawn(self, coro: Coroutine[Any, Any, Any], name: str) -> None:
        try:
            coro.send(None)
        except StopIteration:
            return
        raise AssertionError(f"{name} waits for something")


class Store:
    def __init__(self, state: AppState) -> None:
        self.state = state
        self._callbacks: list[Callable[[frozenset[Topic]], None]] = []

    def subscribe(self, callback: Callable[[frozenset[Topic]], None]) -> Callable[[], None]:
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def touch(self, *topics: Topic) -> None:
        for callback in list(self._callbacks):
            callback(frozenset(topics))


@dataclass
class Notes:
    """A service that only notes its calls, and raises what it is told to."""

    name: str
    calls: list[tuple[Any, ...]]
    fail: dict[str, UserError]

    def __getattr__(self, method: str) -> Any:
        async def call(*args: Any) -> Any:
            self.calls.append((f"{self.name}.{method}", *args))
            if method in self.fail:
                raise self.fail[method]
            return None

        return call


@dataclass
class World:
    """The fake of everything outside of the two widgets."""

    transcript: Transcript = field(default_factory=Transcript)
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    toasts: list[tuple[str, str]] = field(default_factory=list)
    fail: dict[str, UserError] = field(default_factory=dict)
    files: tuple[str, ...] = (
        "src/payments/retry.ts",
        "src/payments/submitPayment.ts",
        "README.md",
        "tests/retry.test.ts",
    )

    def __post_init__(self) -> None:
        self.fold = Fold(self.transcript, TREE)
        self.at = NOW
        self._next = 0
        task = Task(
            id=TASK,
            repository_id=REPOSITORY,
            title="Stop double charges",
            prompt="Stop the double charge.",
            workspace=Workspace.WORKTREE,
            agent_id="claude-code",
            session_id=SESSION,
            created_at=NOW,
            updated_at=NOW,
            phase=TaskPhase.READY,
            path=TREE,
        )
        session = Session(
            id=SESSION,
            task_id=TASK,
            agent_id="claude-code",
            options=(
                ConfigOption(
                    "mode",
                    "Mode",
                    "mode",
                    "default",
                    (Choice("plan", "Plan"), Choice("default", "Ask"), Choice("acceptEdits", "Accept edits")),
                ),
                ConfigOption("model", "Model", "model", "opus", (Choice("opus", "Opus 4.5"), Choice("haiku", "Haiku"))),
                ConfigOption(
                    "effort", "Effort", "thought_level", "high", (Choice("low", "Low"), Choice("high", "High"))
                ),
            ),
            commands=(
                AgentCommand("review", "look at the changes as a reviewer would"),
                AgentCommand("release", "write the release note for this task"),
                AgentCommand("replay", "watch the recordings of the linked report"),
            ),
            usage=Usage(used=44_000, size=200_000, cost=0.34, currency="USD"),
        )
        agent = AgentInfo(AgentSpec("claude-code", "Claude Code", "C", ("claude",)), AgentStatus.READY)
        self.store = Store(
            AppState(
                repositories={REPOSITORY: Repository(REPOSITORY, "/home/dev/harbor-web", "harbor-web", "main")},
                tasks={TASK: task},
                sessions={SESSION: session},
                agents=(agent,),
            )
        )
        sessions = Notes("sessions", self.calls, self.fail)
        sessions.__dict__.update(
            transcript=lambda task_id: self.transcript,
            load_transcript=self._load,
            prompt=self._prompt,
            unqueue=self._unqueue,
        )
        repositories = Notes("repositories", self.calls, self.fail)
        repositories.__dict__.update(files=self._files)
        services = SimpleNamespace(
            store=self.store,
            sessions=sessions,
            repositories=repositories,
            tasks=Notes("tasks", self.calls, self.fail),
            reviews=Notes("reviews", self.calls, self.fail),
        )
        self.crashes: list[BaseException] = []
        actions = Actions(Scope(), on_user_error=self._toast_error, on_crash=self.crashes.append)
        toasts = Toasts()
        toasts.attach(self)
        self.ctx = UiContext(
            services=services,  # type: ignore[arg-type]
            bridge=Bridge(self.store, frame_ms=1),
            actions=actions,
            nav=Nav(),
            toasts=toasts,
            commands=CommandRegistry(),
            now=lambda: self.at,
        )

    # -- services

    async def _load(self, task_id: TaskId) -> Transcript:
        return self.transcript

    async def _files(self, repository_id: RepositoryId, task_id: TaskId | None = None) -> tuple[str, ...]:
        return self.files

    async def _prompt(self, task_id: TaskId, text: str, attachments: tuple[str, ...] = ()) -> bool:
        self.calls.append(("sessions.prompt", task_id, text, attachments))
        if "prompt" in self.fail:
            raise self.fail["prompt"]
        if self.session.phase.busy:
            self.queue(text, attachments)
            return False
        return True

    async def _unqueue(self, task_id: TaskId, message_id: MessageId) -> str:
        self.calls.append(("sessions.unqueue", task_id, message_id))
        queue = self.store.state.queue[TASK]
        self.set(queue={TASK: tuple(m for m in queue if m.id != message_id)})
        return next(m.text for m in queue if m.id == message_id)

    def _toast_error(self, error: UserError) -> None:
        self.toasts.append(("error", error.title))

    def show_toast(self, title: str, text: str, kind: str, actions: object, timeout: float, *rest: object) -> None:
        self.toasts.append((kind, title))

    def called(self, name: str) -> list[tuple[Any, ...]]:
        return [call[1:] for call in self.calls if call[0] == name]

    # -- state

    @property
    def session(self) -> Session:
        return self.store.state.sessions[SESSION]

    def set(self, **fields: Any) -> None:
        self.store.state = replace(self.store.state, **fields)
        self.store.touch(Topic("task", TASK), Topic("session", TASK), Topic("queue", TASK), Topic("comments", TASK))

    def set_session(self, **fields: Any) -> None:
        self.set(sessions={SESSION: replace(self.session, **fields)})

    def set_task(self, **fields: Any) -> None:
        self.set(tasks={TASK: replace(self.store.state.tasks[TASK], **fields)})

    def queue(self, text: str, attachments: tuple[str, ...] = ()) -> None:
        known = self.store.state.queue.get(TASK, ())
        message = QueuedMessage(MessageId(f"m{len(known)}{text[:4]}"), TASK, text, self.at, attachments)
        self.set(queue={TASK: (*known, message)})

    # -- frames

    def frame(self, frame: dict[str, Any], direction: str = "in", after: float = 0.0) -> None:
        self.at += after
        self.fold.apply(frame, direction, self.at)
        self.store.touch(Topic("transcript", TASK))

    def prompt(self, text: str) -> None:
        self._next += 1
        blocks = [{"type": "text", "text": text}]
        self.frame({"id": self._next, "method": "session/prompt", "params": {"prompt": blocks}}, "out")
        self.set_session(phase=SessionPhase.WORKING)

    def update(self, after: float = 0.0, **update: Any) -> None:
        self.frame({"method": "session/update", "params": {"update": update}}, after=after)

    def say(self, text: str, kind: str = "agent_message_chunk", after: float = 0.0) -> None:
        self.update(after, sessionUpdate=kind, content={"type": "text", "text": text})

    def call(self, call_id: str, status: str = "completed", after: float = 0.0, **fields: Any) -> None:
        self.update(sessionUpdate="tool_call", toolCallId=call_id, status="in_progress", **fields)
        if status != "in_progress":
            self.update(after, sessionUpdate="tool_call_update", toolCallId=call_id, status=status)

    def ask(self, request_id: int = 77, **call: Any) -> None:
        options = [
            {"optionId": "once", "name": "Allow once", "kind": "allow_once"},
            {
                "optionId": "always",
                "name": "Always allow `pnpm prisma migrate *` in harbor-web",
                "kind": "allow_always",
            },
            {"optionId": "no", "name": "Reject", "kind": "reject_once"},
        ]
        params = {"toolCall": {"toolCallId": "ask", **call}, "options": options}
        self.frame({"id": request_id, "method": "session/request_permission", "params": params})
        self._sync_asks()

    def question(self, request_id: int = 78) -> None:
        one_of = [
            {"const": "a", "title": "Keep the old keys", "description": "Nothing changes for clients."},
            {"const": "b", "title": "Migrate them"},
        ]
        schema = {
            "type": "object",
            "properties": {
                "answer": {"type": "string", "title": "Which way?", "oneOf": one_of},
                "other": {"type": "string", "title": "Something else"},
            },
        }
        params = {"message": "How should existing keys be treated?", "requestedSchema": schema}
        self.frame({"id": request_id, "method": "elicitation/create", "params": params})
        self._sync_asks()

    def _sync_asks(self) -> None:
        asks = tuple(i.ask for i in self.transcript.items if isinstance(i, AskItem) and i.ask and not i.answer)
        phase = SessionPhase.WAITING if asks else SessionPhase.WORKING
        self.set_session(asks=asks, phase=phase)

    def answer(self, request_id: int, option: str) -> None:
        result = {"outcome": {"outcome": "selected", "optionId": option}}
        self.frame({"id": request_id, "result": result}, "out")
        self._sync_asks()

    def end(self, reason: str = "end_turn", **figures: Any) -> None:
        self.frame({"id": self._next, "result": {"stopReason": reason}})
        params = {"turn": self.transcript.turn, "stopReason": reason, **figures}
        self.frame({"method": "_posthog_code/turn_ended", "params": params}, "note")
        self.set_session(phase=SessionPhase.IDLE)
