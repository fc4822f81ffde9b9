"""What a journal tells about its task and turns, for the day on which nothing else does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from posthog_code.domain.fold_turns import prompt_parts
from posthog_code.domain.session import Turn
from posthog_code.domain.task import Task

Entry = tuple[dict[str, Any], str, float]
"""A frame, its direction, UNIX time in s."""


@dataclass(frozen=True, slots=True)
class JournalFacts:
    prompt: str = ""
    task: Mapping[str, str] = field(default_factory=dict)
    """What `facts_of` gave; empty in journals of earlier versions."""
    folder: str = ""
    """Where the agent worked."""
    agent_session_id: str = ""
    turns: tuple[Turn, ...] = ()
    """The last one has no stop reason when it was cut off."""
    began_at: float = 0.0
    ended_at: float = 0.0


def facts_of(task: Task, repository: str) -> dict[str, str]:
    """For the note with the first prompt: what a worktree does not tell. `repository` is its path."""
    return {
        "id": task.id,
        "title": task.title,
        "repository": repository,
        "agent": task.agent_id,
        "command": task.agent_command,
        "workspace": task.workspace.value,
        "base": task.base,
        "branch": task.branch,
        "mode": task.mode,
        "model": task.model,
    }


def read_facts(entries: Iterable[Entry]) -> JournalFacts:
    """Go through a whole journal once."""
    reader = _Reader()
    for frame, direction, at in entries:
        reader.take(frame, direction, at)
    return replace(reader.facts, turns=tuple(reader.turns))


class _Reader:
    def __init__(self) -> None:
        self.facts = JournalFacts()
        self.turns: list[Turn] = []
        self._opening: set[str] = set()
        """Ids of our session/new requests."""

    def take(self, frame: dict[str, Any], direction: str, at: float) -> None:
        self.facts = replace(self.facts, began_at=self.facts.began_at or at, ended_at=at)
        method, params = frame.get("method"), frame.get("params")
        if direction == "in":
            self._answer(frame)
        elif isinstance(method, str) and isinstance(params, Mapping):
            if direction == "note":
                self._note(method.removeprefix("_posthog_code/"), params, at)
            else:
                self._sent(method, frame, params)

    def _note(self, name: str, params: Mapping[str, Any], at: float) -> None:
        if name == "prompt" and not self.facts.prompt:
            task = params.get("task")
            known = {str(k): str(v) for k, v in task.items()} if isinstance(task, Mapping) else {}
            self.facts = replace(self.facts, prompt=str(params.get("text") or ""), task=known)
        elif name == "turn_started":
            number = _number(params.get("turn")) or len(self.turns) + 1
            self.turns.append(Turn(int(number), "", at, checkpoint_before=str(params.get("checkpoint") or "")))
        elif name in ("turn_ended", "interrupted") and self.turns and not self.turns[-1].stop_reason:
            reason = "interrupted" if name == "interrupted" else str(params.get("stopReason") or "end_turn")
            self.turns[-1] = replace(
                self.turns[-1],
                ended_at=at,
                stop_reason=reason,
                error=str(params.get("error") or ""),
                files=int(_number(params.get("files"))),
                added=int(_number(params.get("added"))),
                removed=int(_number(params.get("removed"))),
                tokens=int(_number(params.get("tokens"))),
                cost=_number(params.get("cost")),
            )

    def _sent(self, method: str, frame: Mapping[str, Any], params: Mapping[str, Any]) -> None:
        if method in ("session/new", "session/load", "session/resume"):
            self.facts = replace(self.facts, folder=str(params.get("cwd") or self.facts.folder))
            if method == "session/new":
                self._opening.add(str(frame.get("id")))
        elif method == "session/prompt":
            text, _attachments = prompt_parts(params.get("prompt"))
            self.facts = replace(self.facts, prompt=self.facts.prompt or text)
            if self.turns and not self.turns[-1].prompt:
                self.turns[-1] = replace(self.turns[-1], prompt=text)

    def _answer(self, frame: Mapping[str, Any]) -> None:
        result, request_id = frame.get("result"), str(frame.get("id"))
        if "method" not in frame and request_id in self._opening and isinstance(result, Mapping):
            self._opening.discard(request_id)
            self.facts = replace(self.facts, agent_session_id=str(result.get("sessionId") or ""))


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
