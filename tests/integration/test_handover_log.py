"""Conversations on their way between a run's log and a journal: complete, in order, each thing once."""

from __future__ import annotations

from typing import Any

from posthog_code.domain.fold import Fold
from posthog_code.domain.transcript import AgentText, AskItem, ToolCall, TurnFooter, UserMessage
from posthog_code.services.handover_log import (
    SUMMARY_LIMIT,
    Line,
    boundary,
    conversation,
    entries,
    entry,
    missing,
    summary,
)
from posthog_code.services.prompts import hidden_block

AT = 1_790_000_000.0


def update(what: str, /, **fields: Any) -> dict[str, Any]:
    params = {"sessionId": "s1", "update": {"sessionUpdate": what, **fields}}
    return {"jsonrpc": "2.0", "method": "session/update", "params": params}


def said(text: str, kind: str = "agent_message_chunk", **fields: Any) -> dict[str, Any]:
    return update(kind, content={"type": "text", "text": text}, **fields)


def note(name: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": f"_posthog_code/{name}", "params": params}


def prompt(number: int, *blocks: dict[str, Any]) -> dict[str, Any]:
    return {
        "jsonrpc": "2.0",
        "id": number,
        "method": "session/prompt",
        "params": {"sessionId": "s1", "prompt": list(blocks)},
    }


def journal() -> list[Line]:
    """Two turns as this program journals them; the agent's own requests have the same ids as ours."""
    text = {"type": "text", "text": "Fix the login"}
    again = {"type": "text", "text": "And a test"}
    call = {"toolCallId": "t1", "title": "Edit a.py", "kind": "edit", "status": "pending"}
    options = [{"optionId": "yes", "name": "Allow", "kind": "allow_once"}]
    ask = {"sessionId": "s1", "toolCall": {"toolCallId": "t1"}, "options": options}
    frames: list[tuple[dict[str, Any], str]] = [
        (note("prompt", text="Fix the login", attachments=[], task={"id": "x"}), "note"),
        ({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}, "out"),
        ({"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": 1}}, "in"),
        ({"jsonrpc": "2.0", "id": 2, "method": "session/new", "params": {"cwd": "/x"}}, "out"),
        ({"jsonrpc": "2.0", "id": 2, "result": {"sessionId": "s1"}}, "in"),
        (note("turn_started", turn=1, checkpoint="c"), "note"),
        (prompt(3, hidden_block("A secret summary"), text), "out"),
        (said("I'll ", messageId="m1"), "in"),
        (said("look.", messageId="m1"), "in"),
        (said("hm", "agent_thought_chunk"), "in"),
        (update("tool_call", **call), "in"),
        ({"jsonrpc": "2.0", "id": 3, "method": "session/request_permission", "params": ask}, "in"),
        ({"jsonrpc": "2.0", "id": 3, "result": {"outcome": {"outcome": "selected", "optionId": "yes"}}}, "out"),
        (update("tool_call_update", toolCallId="t1", status="completed"), "in"),
        (said("Done."), "in"),
        ({"jsonrpc": "2.0", "id": 3, "result": {"stopReason": "end_turn"}}, "in"),
        (note("turn_ended", turn=1, stopReason="end_turn"), "note"),
        (note("turn_started", turn=2, checkpoint="d"), "note"),
        (prompt(4, again), "out"),
        (said("A test."), "in"),
        ({"jsonrpc": "2.0", "id": 4, "result": {"stopReason": "end_turn"}}, "in"),
        (note("turn_ended", turn=2, stopReason="end_turn"), "note"),
    ]
    return [(frame, way, AT + index) for index, (frame, way) in enumerate(frames)]


def rows(lines: Any) -> list[tuple[str, ...]]:
    fold = Fold()
    for frame, way, at in lines:
        fold.apply(frame, way, at)
    found: list[tuple[str, ...]] = []
    for item in fold.transcript.items:
        if isinstance(item, UserMessage):
            found.append(("user", item.text, str(item.turn)))
        elif isinstance(item, AgentText):
            found.append(("agent", item.text))
        elif isinstance(item, ToolCall):
            found.append(("call", item.call_id, item.status))
        elif isinstance(item, AskItem):
            found.append(("ask", item.answer))
        elif isinstance(item, TurnFooter):
            found.append(("end", str(item.turn), item.stop_reason))
    return found


def test_there_and_back_is_the_same_conversation() -> None:
    here = journal()
    up = entries(here, "run-1")
    kinds = [one["notification"].get("params", {}).get("update", {}).get("sessionUpdate") for one in up]
    assert "agent_message_chunk" not in kinds and kinds.count("agent_message") == 3
    assert "initialize" not in str(up) and "session/new" not in str(up)
    assert "secret summary" not in str(up), "what only the agent had to know stays here"
    talk = conversation(up)
    assert rows(talk.lines) == rows(here)
    assert [(turn.number, turn.prompt, turn.stop_reason) for turn in talk.turns] == [
        (1, "Fix the login", "end_turn"),
        (2, "And a test", "end_turn"),
    ]
    assert talk.calls == 1
    # Once more around: nothing is added.
    assert [one["notification"] for one in entries(list(talk.lines), "run-2")] == [one["notification"] for one in up]


def test_only_what_a_run_does_not_have_goes_up() -> None:
    here = journal()
    back = [*here, boundary("local", "run-1", AT + 50)]
    assert entries(back, "run-1") == []
    assert len(entries(back, "run-2")) == len(entries(here, "run-2"))
    more = [*back, (prompt(9, {"type": "text", "text": "More"}), "out", AT + 60), (said("Yes."), "in", AT + 61)]
    assert [one["notification"].get("method") for one in entries(more, "run-1")] == ["session/prompt", "session/update"]


def test_sending_again_after_a_cut_sends_the_rest() -> None:
    up = entries(journal(), "run-1")
    for cut in range(len(up) + 1):
        stored = [dict(reversed(one.items())) for one in up[:cut]]
        assert missing(up, stored) == up[cut:]
    same = entry({"method": "x"}, AT)
    assert missing([same, same, same], [same]) == [same, same]


def test_a_log_of_a_sandbox() -> None:
    """Echoes are no second prompts; a turn that was cut off is over; odd entries do no harm."""
    log: list[Any] = [
        {"type": "seed_boundary"},
        {"nothing": 1},
        entry({"jsonrpc": "2.0", "method": "_posthog/run_started", "params": {"sessionId": "s1"}}, AT),
        entry({"jsonrpc": "2.0", "method": "__posthog/user_message", "params": {"content": "Go"}}, AT + 1),
        entry(prompt(1, {"type": "text", "text": "Go"}), AT + 2),
        entry(said("Go", "user_message_chunk"), AT + 2),
        entry(said("On it.", "agent_message"), AT + 3),
        entry(update("tool_call", toolCallId="t9", title="Run make", kind="execute", status="pending"), AT + 4),
        {"type": "notification", "notification": 7},
    ]
    talk = conversation(log)
    assert rows(talk.lines) == [
        ("user", "Go", "1"),
        ("agent", "On it."),
        ("call", "t9", "stopped"),
        ("end", "1", "cancelled"),
    ]
    assert talk.turns[0].stop_reason == "cancelled"
    assert "Run make" in summary(talk, "feature") and "On it." in summary(talk, "feature")
    assert conversation([]).turns == () and summary(conversation([]), "x") == ""


def test_a_summary_stays_short_and_keeps_the_latest() -> None:
    log = []
    for number in range(60):
        log.append(entry(prompt(number, {"type": "text", "text": f"Prompt {number} " + "x" * 900}), AT + number))
        log.append(entry(said("y" * 5000, "agent_message"), AT + number))
    text = summary(conversation(log), "feature")
    assert len(text) < SUMMARY_LIMIT + 100
    assert "Prompt 59 " in text and "Prompt 0 " not in text and "are left out" in text
