"""Turns: where one begins and ends, and what is closed with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from posthog_code.domain.fold_calls import CallFold
from posthog_code.domain.fold_rows import Rows
from posthog_code.domain.fold_text import TextFold
from posthog_code.domain.transcript import Notice, Plan, TurnFooter, UserMessage

_STOPPED_EARLY = {
    "max_tokens": ("The answer reached the model's length limit.", "Continue to let the agent go on from here."),
    "max_turn_requests": ("The agent reached its limit of steps for one turn.", "Continue to let it go on from here."),
    "refusal": ("The agent declined to go on.", "Its last prompt is not part of its memory. Put it another way."),
}


class TurnFold:
    def __init__(self, rows: Rows, texts: TextFold, calls: CallFold) -> None:
        self._rows = rows
        self._texts = texts
        self._calls = calls
        self.plan: int | None = None
        """Row of the running turn's plan."""
        self._prompts: set[str] = set()
        self._announced: int | None = None
        self._checkpoint = ""
        self._started_at = 0.0
        self._user: int | None = None
        self._waiting: int | None = None
        """Row of a message that was accepted before there was an agent to send it to."""
        self._footer: int | None = None
        self._echo = ""
        """What of the prompt the agent has not echoed yet."""
        self._echoed: int | None = None
        """The row of a message of the person that the agent replays."""
        for index, item in enumerate(rows.transcript.items):
            if isinstance(item, UserMessage):
                self._user, self._footer, self._started_at = index, None, item.at
            elif isinstance(item, TurnFooter):
                self._footer = index
            elif isinstance(item, Plan) and not item.stopped:
                self.plan = index

    def prompt(self, request_id: Any, content: Any, at: float) -> None:
        """A prompt of the person: its blocks, or plain text."""
        transcript = self._rows.transcript
        self._texts.interrupt_all(at)
        text, attachments = prompt_parts(content)
        if request_id is not None:
            self._prompts.add(str(request_id))
        self._begin(at)
        if self._waiting is not None:
            # The person's words stand there since they were typed; the frame may carry more blocks than they did.
            self._user, self._waiting = self._waiting, None
            user = transcript.items[self._user]
            assert isinstance(user, UserMessage)
            user.turn = transcript.turn
            self._rows.touch(self._user)
        else:
            self._user = self._rows.add(
                UserMessage(key=self._rows.key("u"), at=at, text=text, attachments=attachments, turn=transcript.turn)
            )
        self._echo, self._echoed = text, None

    def accepted(self, params: Mapping[str, Any], at: float) -> None:
        """Our note that the first prompt is on disk, before workspace and agent are there."""
        attachments = tuple(str(one) for one in params.get("attachments") or ())
        text = str(params.get("text") or "")
        self._waiting = self._rows.add(UserMessage(key=self._rows.key("u"), at=at, text=text, attachments=attachments))

    def announced(self, params: Mapping[str, Any], at: float) -> None:
        """Our note that a turn begins, before or after the prompt's own frame."""
        self._checkpoint = str(params.get("checkpoint") or "")
        number = params.get("turn")
        transcript = self._rows.transcript
        self._footer = None
        if not isinstance(number, int):
            return
        user = transcript.items[self._user] if self._user is not None else None
        if transcript.running and isinstance(user, UserMessage) and self._user == len(transcript.items) - 1:
            transcript.turn = user.turn = number
            self._rows.touch(self._user or 0)
        else:
            self._announced = number

    def echo(self, text: str, at: float) -> None:
        """A user_message_chunk: an echo of our prompt, or the replay of an earlier conversation."""
        transcript = self._rows.transcript
        if not text:
            return
        if transcript.running and self._echo:
            if self._echo.startswith(text):
                self._echo = self._echo[len(text) :]
                return
            if text.strip() and text.strip() in self._echo:
                return
        if transcript.running and self._echoed is None and self._same_as_prompt(text):
            return
        if self._echoed is not None and self._echoed == len(transcript.items) - 1:
            item = transcript.items[self._echoed]
            assert isinstance(item, UserMessage)
            item.text += text
            self._rows.touch(self._echoed)
            return
        self._texts.interrupt_all(at)
        self._echoed = self._rows.add(UserMessage(key=self._rows.key("u"), at=at, text=text, turn=transcript.turn))

    def answered(self, frame: Mapping[str, Any], at: float) -> bool:
        """The answer to a prompt; False when the frame is none."""
        request_id, result = str(frame.get("id")), frame.get("result")
        ours = request_id in self._prompts
        if not ours and not (isinstance(result, Mapping) and "stopReason" in result):
            return False
        self._prompts.discard(request_id)
        error = frame.get("error")
        if isinstance(error, Mapping):
            self._fail(error, at)
        elif isinstance(result, Mapping):
            self.finish(result, at)
        return not self._rows.transcript.running

    def finish(self, result: Mapping[str, Any], at: float) -> None:
        """The turn is over: `result` has the stopReason, sometimes the usage."""
        if not self._rows.transcript.running:
            return
        reason = str(result.get("stopReason") or "end_turn")
        self._end(at)
        if reason == "error":
            self._tell_failure(str(result.get("error") or ""), at)
        early = _STOPPED_EARLY.get(reason)
        if early:
            actions = ("continue_turn",) if reason != "refusal" else ()
            self._rows.add(
                Notice(key=self._rows.key("n"), at=at, level="warning", title=early[0], text=early[1], actions=actions)
            )
        self._foot(reason, at, tokens=_tokens(result))

    def summed_up(self, params: Mapping[str, Any], at: float) -> None:
        """Our note with the turn's figures: fills the footer, or ends the turn when nothing else did."""
        if self._rows.transcript.running:
            self.finish(params, at)
        if self._footer is None:
            self._foot(str(params.get("stopReason") or "end_turn"), at)
        footer = self._rows.transcript.items[self._footer or 0]
        if not isinstance(footer, TurnFooter):
            return
        footer.turn = int(params.get("turn") or footer.turn)
        footer.stop_reason = str(params.get("stopReason") or footer.stop_reason)
        footer.duration = float(params.get("duration") or footer.duration)
        footer.files = int(params.get("files") or 0)
        footer.added = int(params.get("added") or 0)
        footer.removed = int(params.get("removed") or 0)
        footer.tokens = int(params.get("tokens") or footer.tokens)
        footer.cost = float(params.get("cost") or 0.0)
        footer.checkpoint_before = str(params.get("checkpointBefore") or footer.checkpoint_before)
        self._rows.touch(self._footer or 0)

    def broke_off(self, name: str, params: Mapping[str, Any], at: float) -> bool:
        """The agent's process or the app ended in the middle of a turn; False when no turn was running."""
        if not self._rows.transcript.running:
            return False
        self._end(at)
        if name == "interrupted":
            level, title = "warning", "This turn was interrupted."
            actions: tuple[str, ...] = ("continue_turn", "retry_turn", "show_logs")
            text = "PostHog Code ended before the agent was done. Files and conversation are as they were."
        else:
            level, title = "error", "The agent stopped in the middle of a turn."
            text = _exit_words(params)
            actions = ("retry_turn", "continue_turn", "show_logs")
        self._rows.add(
            Notice(
                key=self._rows.key("n"),
                at=at,
                level=level,
                title=title,
                text=text,
                actions=actions,
            )
        )
        self._foot("interrupted" if name == "interrupted" else "error", at)
        return True

    def _begin(self, at: float) -> None:
        transcript = self._rows.transcript
        transcript.turn = self._announced if self._announced is not None else transcript.turn + 1
        transcript.running = True
        self._announced, self._footer, self.plan = None, None, None
        self._started_at = at

    def _fail(self, error: Mapping[str, Any], at: float) -> None:
        if not self._rows.transcript.running:
            return
        self._end(at)
        data = error.get("data")
        detail = data.get("details") or data.get("message") if isinstance(data, Mapping) else data
        text = str(error.get("message") or "")
        if detail and str(detail) not in text:
            text = f"{text}: {detail}" if text else str(detail)
        self._tell_failure(text, at)
        self._foot("error", at)

    def _tell_failure(self, text: str, at: float) -> None:
        self._rows.add(
            Notice(
                key=self._rows.key("n"),
                at=at,
                level="error",
                title="The agent could not finish this turn.",
                text=text,
                actions=("retry_turn", "show_logs"),
            )
        )

    def _end(self, at: float) -> None:
        transcript = self._rows.transcript
        self._texts.interrupt_all(at)
        self._calls.stop_all(at)
        if self.plan is not None:
            plan = transcript.items[self.plan]
            if isinstance(plan, Plan) and any(entry.status == "in_progress" for entry in plan.entries):
                plan.stopped = True
                self._rows.touch(self.plan)
            self.plan = None
        transcript.running = False
        self._prompts.clear()
        self._echo = ""

    def _foot(self, reason: str, at: float, tokens: int = 0) -> None:
        transcript = self._rows.transcript
        self._footer = self._rows.add(
            TurnFooter(
                key=self._rows.key("f"),
                at=at,
                turn=transcript.turn,
                duration=max(0.0, at - self._started_at) if self._started_at else 0.0,
                stop_reason=reason,
                tokens=tokens,
                checkpoint_before=self._checkpoint,
            )
        )
        self._checkpoint = ""

    def _same_as_prompt(self, text: str) -> bool:
        user = self._rows.transcript.items[self._user] if self._user is not None else None
        return isinstance(user, UserMessage) and text.strip() == user.text.strip()


def prompt_parts(content: Any) -> tuple[str, tuple[str, ...]]:
    """Text and attachments (paths, or names of pictures) of a prompt's content blocks."""
    if isinstance(content, str):
        return content, ()
    texts: list[str] = []
    attachments: list[str] = []
    for block in content if isinstance(content, list) else [content]:
        if not isinstance(block, Mapping):
            continue
        kind = block.get("type")
        if is_hidden(block):
            continue
        if kind == "text" and isinstance(block.get("text"), str):
            texts.append(block["text"])
        elif kind == "resource_link":
            attachments.append(_place(str(block.get("uri") or block.get("name") or "")))
        elif kind == "resource" and isinstance(block.get("resource"), Mapping):
            attachments.append(_place(str(block["resource"].get("uri") or "")))
        elif kind in ("image", "audio"):
            uri = str(block.get("uri") or "")
            attachments.append(_place(uri) if uri else str(kind))
    return "\n".join(texts), tuple(one for one in attachments if one)


def is_hidden(block: Mapping[str, Any]) -> bool:
    """Whether a content block is for the agent only."""
    notes = block.get("annotations")
    audience = notes.get("audience") if isinstance(notes, Mapping) else None
    return isinstance(audience, list) and bool(audience) and "user" not in audience


def _place(uri: str) -> str:
    return unquote(urlsplit(uri).path) if uri.startswith("file://") else uri


def _tokens(result: Mapping[str, Any]) -> int:
    usage = result.get("usage")
    if not isinstance(usage, Mapping):
        return 0
    total = usage.get("totalTokens") or usage.get("total_tokens")
    return int(total) if isinstance(total, int | float) else 0


def _exit_words(params: Mapping[str, Any]) -> str:
    reason, code = str(params.get("reason") or "").strip(), params.get("code")
    words = reason or (f"Its process ended (exit code {code})." if isinstance(code, int) else "Its process ended.")
    if not words.endswith((".", "!", "?")):
        words += "."
    return f"{words} Your files and the conversation are saved up to the last edit."
