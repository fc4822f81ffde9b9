"""What the frames of a cloud run say besides the conversation: is the agent up, what does it ask, what can be set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from posthog_code.domain.asks import ASK_METHODS, ask_from_request
from posthog_code.domain.cloud_entries import Frame, extension, update_of
from posthog_code.domain.cloud_parse import mapping, text
from posthog_code.domain.ids import RequestId
from posthog_code.domain.session import Ask
from posthog_code.domain.session_options import SessionFacts, after_result, after_update, session_facts
from posthog_code.domain.transcript import Transcript


@dataclass(slots=True)
class OpenAsk:
    ask: Ask
    reply_to: str = ""
    """The `requestId` that an answer names; "" while only the agent's own request is known."""
    questions: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Of a question: its text and the labels of its options, for each."""


@dataclass
class CloudFacts:
    """Facts of one run. Fed with each frame once, after the fold has seen it."""

    session: SessionFacts = field(default_factory=SessionFacts)
    started: bool = False
    """The agent is up and takes commands."""
    prompted: bool = False
    """A first prompt has come, or a turn has ended."""
    turns: int = 0
    """Turns that have ended."""
    asks: dict[RequestId, OpenAsk] = field(default_factory=dict)
    """Unanswered, oldest first."""
    adapter: str = ""
    folder: str = ""
    """The checkout in the sandbox, absolute; "" until an agent was started in it."""
    agent_session: str = ""
    """The agent's own id of the conversation, to go on with it elsewhere."""
    _reply_by_call: dict[str, str] = field(default_factory=dict)
    """Tool call to the `requestId` that came for it."""
    _asked: set[str] = field(default_factory=set)
    """Tool calls that were asked about, answered or not."""

    @classmethod
    def of(cls, frames: Iterable[tuple[Frame, float]], transcript: Transcript) -> CloudFacts:
        """What these frames tell, with their times."""
        facts = cls()
        for frame, at in frames:
            facts.learn(frame, at, transcript)
        return facts

    def keep_addresses(self, known: CloudFacts) -> None:
        """Where answers go, for the requests that were known before: only the live stream says it."""
        for request_id, one in self.asks.items():
            if not one.reply_to and (before := known.asks.get(request_id)) is not None:
                one.reply_to = before.reply_to

    def learn(self, frame: Frame, at: float, transcript: Transcript) -> None:
        method = frame.get("method")
        if method == "session/update":
            self.session = after_update(self.session, update_of(frame))
        elif method in ASK_METHODS and "id" in frame:
            self._ask(frame, at, transcript)
        elif method in ("session/new", "session/load", "session/resume"):
            self.folder = text(mapping(frame.get("params")).get("cwd")) or self.folder
        elif method == "session/prompt":
            self.started = self.prompted = True
        elif isinstance(method, str):
            self._extension(extension(frame), mapping(frame.get("params")))
        else:
            self._answer(frame)

    def permission(self, event: Mapping[str, Any]) -> bool:
        """A stream-only `permission_request`. False when the agent's own request for it has not come (yet)."""
        reply_to = text(event.get("requestId"))
        call = text(mapping(event.get("toolCall")).get("toolCallId"))
        if not reply_to:
            return True
        for one in self.asks.values():
            if call and one.ask.tool_call_id == call:
                one.reply_to = reply_to
                return True
        if not call and len(self.asks) == 1:
            next(iter(self.asks.values())).reply_to = reply_to
            return True
        if call:
            self._reply_by_call[call] = reply_to
        return call in self._asked

    def close(self, request_id: RequestId) -> None:
        self.asks.pop(request_id, None)

    def _ask(self, frame: Frame, at: float, transcript: Transcript) -> None:
        ask = ask_from_request(frame, transcript, at)
        call = mapping(mapping(frame.get("params")).get("toolCall"))
        self._asked.add(ask.tool_call_id)
        self.asks[ask.id] = OpenAsk(ask, self._reply_by_call.pop(ask.tool_call_id, ""), _questions(call))

    def _answer(self, frame: Frame) -> None:
        result = mapping(frame.get("result"))
        request_id = RequestId(str(frame.get("id")))
        if isinstance(result.get("outcome"), Mapping) or "action" in result:
            self.asks.pop(request_id, None)
        elif "stopReason" in result:
            self.asks.clear()
        elif "agentCapabilities" in result or "agentInfo" in result:
            fresh = session_facts(result, {})
            self.session = replace(self.session, agent_name=fresh.agent_name or self.session.agent_name)
        else:
            self.session = after_result(self.session, result)

    def _extension(self, name: str, params: Mapping[str, Any]) -> None:
        if name == "run_started":
            self.started = True
        elif name in ("turn_complete", "task_complete"):
            self.started = self.prompted = True
            self.turns += 1
            self.asks.clear()
        elif name == "git_checkpoint" and mapping(params.get("device")).get("type") == "local":
            # Handed over from a machine, which told all before: the agent here comes up now, and waits for a message.
            self.started, self.prompted = False, True
        elif name == "permission_response":
            reply_to = text(params.get("requestId"))
            for request_id, one in tuple(self.asks.items()):
                if one.reply_to == reply_to:
                    del self.asks[request_id]
        elif name == "sdk_session":
            self.adapter = text(params.get("adapter")) or self.adapter
            self.agent_session = text(params.get("sessionId")) or self.agent_session


def answer_params(one: OpenAsk, option_id: str, custom: str = "") -> dict[str, Any]:
    """Parameters of `permission_response`: an option that was offered, and for a question also its answer in words."""
    params: dict[str, Any] = {"requestId": one.reply_to, "optionId": option_id}
    if custom:
        params["customInput"] = custom
    label = next((option.name for option in one.ask.options if option.id == option_id), "")
    if one.questions and option_id.startswith("option_") and label:
        params["answers"] = {one.questions[0][0]: custom or label}
    return params


def question_params(one: OpenAsk, content: Mapping[str, Any] | None) -> dict[str, Any]:
    """As `answer_params` for a form: question to answer; None declines."""
    if content is None:
        refusal = next((o.id for o in one.ask.options if o.kind.startswith("reject") or o.id.startswith("reject")), "")
        return answer_params(one, refusal or (one.ask.options[-1].id if one.ask.options else "reject"), "Declined")
    answers = {
        str(key): ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        for key, value in content.items()
    }
    labels = [option.name for option in one.ask.options]
    first = next(iter(answers.values()), "")
    index = labels.index(first) if first in labels else 0
    option_id = one.ask.options[index].id if one.ask.options else "option_0"
    return {"requestId": one.reply_to, "optionId": option_id, "answers": answers}


def _questions(call: Mapping[str, Any]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    meta = mapping(call.get("_meta"))
    listed = meta.get("questions")
    if meta.get("codeToolKind") != "question" or not isinstance(listed, list):
        return ()
    found = []
    for one in listed:
        options = mapping(one).get("options")
        labels = tuple(text(mapping(o).get("label")) for o in options) if isinstance(options, list) else ()
        found.append((text(mapping(one).get("question")), labels))
    return tuple(found)


def request_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """The agent's own request, made of what the stream says of a permission."""
    return {
        "jsonrpc": "2.0",
        "id": text(event.get("requestId")),
        "method": "session/request_permission",
        "params": {"toolCall": event.get("toolCall"), "options": event.get("options")},
    }
