"""Questions and permissions: the agent's requests as the cloud tells them, and answers on their way back."""

from __future__ import annotations

from dataclasses import dataclass

from posthog_code.demo.posthog.wire import Json, Object


class CommandError(Exception):
    """A JSON-RPC error of a command: HTTP 200 all the same."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class Ask:
    """One request that waits for a person."""

    request_id: str
    """What `permission_response` names."""
    rpc_id: Json
    """The agent's own id of the request."""
    tool_call: Object
    options: list[Object]
    question: str = ""
    """For a form: what it asks, and in which field the answer goes; both "" for a permission."""
    field: str = ""
    values: tuple[str, ...] = ()

    def event(self) -> Object:
        return {
            "type": "permission_request",
            "requestId": self.request_id,
            "toolCall": self.tool_call,
            "options": self.options,
        }

    def frame(self, session_id: str) -> Object:
        params = {"sessionId": session_id, "toolCall": self.tool_call, "options": self.options}
        return {"id": self.rpc_id, "method": "session/request_permission", "params": params}


def ask_of(frame: Object, request_id: str) -> Ask:
    """A permission as it is; a form as the cloud's question with an option for each choice."""
    params = frame.get("params") or {}
    if frame["method"] == "session/request_permission":
        return Ask(request_id, frame["id"], params.get("toolCall") or {}, list(params.get("options") or ()))
    fields: Object = (params.get("requestedSchema") or {}).get("properties") or {"choice": {}}
    field, schema = next(iter(fields.items()))
    choices = [(str(part["const"]), str(part.get("title") or part["const"])) for part in schema.get("oneOf") or ()]
    message = str(params.get("message") or "")
    listed = [{"label": name, "description": ""} for _, name in choices]
    question = {"question": message, "header": "Question", "options": listed, "multiSelect": False}
    tool_call = {
        "toolCallId": f"question_{request_id}",
        "title": message,
        "kind": "other",
        "status": "pending",
        "rawInput": {"questions": [question]},
        "content": [],
        "locations": [],
        "_meta": {"codeToolKind": "question", "questions": [question]},
    }
    options: list[Object] = [
        {"optionId": f"option_{index}", "name": name, "kind": "allow_once"} for index, (_, name) in enumerate(choices)
    ]
    options.append({"optionId": "reject", "name": "Skip", "kind": "reject_once"})
    return Ask(request_id, frame["id"], tool_call, options, message, field, tuple(value for value, _ in choices))


def agents_answer(ask: Ask, params: Object) -> Object:
    """The result that the agent gets for a `permission_response`."""
    option = str(params.get("optionId") or "")
    if not ask.field:
        return {"outcome": {"outcome": "selected", "optionId": option}}
    custom = str(params.get("customInput") or "")
    answers = params.get("answers") or {}
    told = str(answers.get(ask.question) or "")
    if option == "reject" and not custom:
        return {"action": "decline"}
    labels = [str(choice["name"]) for choice in ask.options[:-1]]
    if told in labels:
        return {"action": "accept", "content": {ask.field: ask.values[labels.index(told)]}}
    if custom or told:
        return {"action": "accept", "content": {"other": custom or told}}
    index = int(option.removeprefix("option_")) if option.removeprefix("option_").isdigit() else 0
    value = ask.values[index] if index < len(ask.values) else ""
    return {"action": "accept", "content": {ask.field: value}}


def answered_call(ask: Ask, params: Object) -> Object:
    """The end of a question's tool call; `params` is {} when nobody answered."""
    option = str(params.get("optionId") or "reject")
    names = {str(choice["optionId"]): str(choice["name"]) for choice in ask.options}
    answers = params.get("answers") or {}
    text = str(answers.get(ask.question) or params.get("customInput") or names.get(option) or "")
    declined = option == "reject" and not params.get("customInput")
    return {
        "sessionUpdate": "tool_call_update",
        "toolCallId": ask.tool_call["toolCallId"],
        "status": "failed" if declined else "completed",
        "content": [{"type": "content", "content": {"type": "text", "text": "No answer" if declined else text}}],
    }


def logged_answer(ask: Ask, params: Object) -> Object:
    """The same answer as the log tells it: forms look like permissions there."""
    outcome: Object = {"outcome": "selected", "optionId": str(params.get("optionId") or "")}
    if ask.field and params.get("answers"):
        outcome["_meta"] = {"answers": params["answers"]}
    return {"outcome": outcome}
