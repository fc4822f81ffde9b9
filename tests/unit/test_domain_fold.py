"""The fold: frames in, rows out."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from posthog_code.domain.fold import Fold
from posthog_code.domain.session import AskKind
from posthog_code.domain.transcript import (
    OUTPUT_LIMIT,
    AgentText,
    AskItem,
    Notice,
    Plan,
    Thought,
    ToolCall,
    Transcript,
    TurnFooter,
    UserMessage,
)

TREE = "/home/ada/tree"


class Session:
    """Feeds a fold the way a session service does."""

    def __init__(self) -> None:
        self.fold = Fold(worktree=TREE)
        self.at = 100.0
        self.changed: list[int | None] = []

    @property
    def items(self) -> list[Any]:
        return self.fold.transcript.items

    def kinds(self) -> list[str]:
        return [type(item).__name__ for item in self.items]

    def feed(self, frame: dict[str, Any], direction: str = "in", after: float = 1.0) -> int | None:
        self.at += after
        self.changed.append(self.fold.apply(frame, direction, self.at))
        return self.changed[-1]

    def prompt(self, *blocks: Any, request_id: int = 1) -> None:
        content = [{"type": "text", "text": one} if isinstance(one, str) else one for one in blocks]
        self.feed({"id": request_id, "method": "session/prompt", "params": {"prompt": content}}, "out")

    def update(self, **update: Any) -> int | None:
        return self.feed(as_update(update))

    def text(self, text: str, kind: str = "agent_message_chunk", **extra: Any) -> int | None:
        return self.update(sessionUpdate=kind, content={"type": "text", "text": text}, **extra)

    def note(self, name: str, **params: Any) -> None:
        self.feed({"method": f"_posthog_code/{name}", "params": params}, "note")

    def end(self, reason: str = "end_turn", request_id: int = 1) -> None:
        self.feed({"id": request_id, "result": {"stopReason": reason}})

    def permission(self, request_id: int | str = 9, **call: Any) -> None:
        options = [
            {"optionId": "yes", "name": "Allow once", "kind": "allow_once"},
            {"optionId": "no", "name": "Reject", "kind": "reject_once"},
        ]
        params = {"toolCall": call, "options": options}
        self.feed({"id": request_id, "method": "session/request_permission", "params": params})


def as_update(update: dict[str, Any]) -> dict[str, Any]:
    return {"method": "session/update", "params": {"sessionId": "s", "update": update}}


def test_a_turn() -> None:
    s = Session()
    s.prompt("Fix it", {"type": "resource_link", "uri": "file:///home/ada/tree/a%20b.py", "name": "a b.py"})
    s.text("Let me ", "agent_thought_chunk")
    s.text("see.", "agent_thought_chunk")
    s.text("I ")
    s.text("will.")
    s.end()
    assert s.kinds() == ["UserMessage", "Thought", "AgentText", "TurnFooter"]
    user, thought, answer, footer = s.items
    assert (user.text, user.attachments, user.turn) == ("Fix it", ("/home/ada/tree/a b.py",), 1)
    assert (thought.text, thought.open) == ("Let me see.", False)
    assert thought.ended_at - thought.at == 2.0
    assert (answer.text, answer.open) == ("I will.", False)
    assert (footer.turn, footer.stop_reason, footer.duration) == (1, "end_turn", 5.0)
    assert not s.fold.transcript.running


def test_apply_tells_the_first_changed_row_and_revisions_grow() -> None:
    s = Session()
    s.prompt("x")
    assert s.text("a") == 1
    rev = s.items[1].rev
    assert s.text("b") == 1
    assert s.items[1].rev == rev + 1
    assert s.update(sessionUpdate="usage_update", used=1, size=2) is None
    before = s.fold.transcript.rev
    assert s.fold.transcript.changed_since(before) is None
    s.text("c")
    s.update(sessionUpdate="tool_call", toolCallId="c", title="t")
    assert s.fold.transcript.changed_since(before) == 1
    assert s.fold.transcript.changed_since(-5) == 0


def test_tool_call_from_pending_to_completed() -> None:
    s = Session()
    s.prompt("x")
    s.update(
        sessionUpdate="tool_call",
        toolCallId="c",
        title="Terminal",
        kind="execute",
        status="pending",
        rawInput={},
        content=[],
    )
    s.update(sessionUpdate="tool_call_update", toolCallId="c", title="ls -l", rawInput={"command": "ls -l"})
    output = [{"type": "content", "content": {"type": "text", "text": "```console\ntotal 0\n```"}}]
    s.update(
        sessionUpdate="tool_call_update",
        toolCallId="c",
        status="completed",
        content=output,
        rawOutput={"exit_code": 0},
    )
    call = s.items[1]
    assert (call.command, call.output, call.exit_code, call.status) == ("ls -l", "total 0", 0, "completed")
    assert call.ended_at == s.at


def test_output_streamed_in_meta_is_joined_and_limited() -> None:
    s = Session()
    s.prompt("x")
    content = [{"type": "terminal", "terminalId": "c"}]
    s.update(sessionUpdate="tool_call", toolCallId="c", kind="execute", title="run", content=content)
    piece = "0123456789" * 1000
    for _ in range(60):
        delta = {"terminal_output_delta": {"data": piece, "terminal_id": "c"}}
        s.update(sessionUpdate="tool_call_update", toolCallId="c", _meta=delta)
    ended = {"terminal_exit": {"exit_code": 3}}
    s.update(sessionUpdate="tool_call_update", toolCallId="c", status="completed", _meta=ended)
    call = s.items[1]
    assert len(call.output) == OUTPUT_LIMIT
    assert call.output_cut == 600_000 - OUTPUT_LIMIT
    assert call.exit_code == 3


def test_raw_output_only() -> None:
    s = Session()
    s.prompt("x")
    s.update(
        sessionUpdate="tool_call",
        toolCallId="c",
        title="run_commands: bash; -lc; make",
        kind="execute",
        rawInput={"commands": ["bash", "-lc", "make"]},
    )
    raw = [{"query": "bash", "result": "", "success": True}, {"query": "-lc", "result": "built", "success": True}]
    s.update(sessionUpdate="tool_call_update", toolCallId="c", status="completed", rawOutput=raw)
    assert (s.items[1].command, s.items[1].output) == ("make", "built")


def test_terminals_of_the_client() -> None:
    s = Session()
    s.prompt("x")
    s.update(sessionUpdate="tool_call", toolCallId="c", title="Shell: mak", status="in_progress")
    s.feed({"id": 5, "method": "terminal/create", "params": {"command": "make"}})
    s.feed({"id": 5, "result": {"terminalId": "t0"}}, "out")
    content = [{"type": "terminal", "terminalId": "t0"}]
    s.update(sessionUpdate="tool_call_update", toolCallId="c", title="Shell: make all", content=content)
    s.feed({"id": 6, "method": "terminal/output", "params": {"terminalId": "t0"}})
    s.feed({"id": 6, "result": {"output": "ok\n", "truncated": False, "exitStatus": {"exitCode": 2}}}, "out")
    call = s.items[1]
    assert (call.output, call.exit_code, call.command) == ("ok\n", 2, "make all")


def test_diff_paths_and_sub_agent() -> None:
    s = Session()
    s.prompt("x")
    diff = [{"type": "diff", "path": "/home/ada/tree/new.py", "oldText": None, "newText": "1\n"}]
    s.update(sessionUpdate="tool_call", toolCallId="c", title="Write new.py", content=diff)
    meta = {"claudeCode": {"parentToolCallId": "c"}}
    s.update(sessionUpdate="tool_call", toolCallId="d", title="Read x", kind="read", _meta=meta)
    first, second = s.items[1:]
    assert first.kind == "edit" and first.diffs[0].created and first.paths == ("/home/ada/tree/new.py",)
    assert second.parent_id == "c"


def test_sub_agent_text_does_not_break_the_main_text() -> None:
    s = Session()
    s.prompt("x")
    s.text("Hello ")
    s.text("inner", _meta={"claudeCode": {"parentToolUseId": "p"}})
    s.text("world")
    assert [item.text for item in s.items if isinstance(item, AgentText)] == ["Hello world", "inner"]


def test_updates_of_hidden_calls_make_no_row() -> None:
    s = Session()
    s.prompt("x")
    s.update(sessionUpdate="tool_call_update", toolCallId="hidden", rawInput={"a": 1})
    assert s.kinds() == ["UserMessage"]


def test_a_reused_call_id_in_another_turn_is_another_call() -> None:
    s = Session()
    for turn in (1, 2):
        s.prompt("x", request_id=turn)
        s.update(sessionUpdate="tool_call", toolCallId="1", title=f"call {turn}", status="completed")
        s.end(request_id=turn)
    assert [item.title for item in s.items if isinstance(item, ToolCall)] == ["call 1", "call 2"]


def test_the_plan_is_one_card_of_its_turn_and_stops_with_it() -> None:
    s = Session()
    s.prompt("x")
    s.update(sessionUpdate="plan", entries=[{"content": "a", "status": "in_progress"}])
    s.text("text")
    s.update(
        sessionUpdate="plan",
        entries=[{"content": "a", "status": "completed"}, {"content": "b", "status": "in_progress"}],
    )
    plan = s.items[1]
    assert isinstance(plan, Plan) and [e.status for e in plan.entries] == ["completed", "in_progress"]
    s.end("cancelled")
    assert plan.stopped
    s.prompt("y", request_id=2)
    s.update(sessionUpdate="plan", entries=[{"content": "c", "status": "pending"}])
    assert s.kinds().count("Plan") == 2


def test_permission_and_its_answer() -> None:
    s = Session()
    s.prompt("x")
    s.permission(
        toolCallId="c", title="Run make", kind="execute", rawInput={"command": "make", "description": "Builds"}
    )
    item = s.items[1]
    assert isinstance(item, AskItem) and item.ask is not None
    assert (item.ask.kind, item.ask.command, item.ask.detail) == (AskKind.PERMISSION, "make", "Builds")
    s.feed({"id": 9, "result": {"outcome": {"outcome": "selected", "optionId": "yes"}}}, "out")
    assert (item.answer, item.by, item.answered_at) == ("Allow once", "you", s.at)


def test_waiting_for_an_answer_is_no_run_time() -> None:
    s = Session()
    s.prompt("x")
    s.update(sessionUpdate="tool_call", toolCallId="c", title="make", kind="execute", status="pending")
    s.permission(toolCallId="c", title="make")
    s.at += 16
    s.note("answered", requestId="9", answer="no", by="you")
    s.feed({"id": 9, "result": {"outcome": {"outcome": "selected", "optionId": "no"}}}, "out", after=0.0)
    s.update(sessionUpdate="tool_call_update", toolCallId="c", status="failed")
    assert (s.items[1].waited, s.items[1].ran, s.items[1].ended_at - s.items[1].at) == (17.0, 2.0, 19.0)
    s.update(sessionUpdate="tool_call", toolCallId="d", title="make", kind="execute", status="pending")
    s.permission(request_id=10, toolCallId="d", title="make")
    s.end("cancelled")
    call = next(item for item in s.items if isinstance(item, ToolCall) and item.call_id == "d")
    assert (call.status, call.waited, call.ran) == ("stopped", 1.0, 1.0)


def test_the_note_of_an_answer_says_by_whom() -> None:
    s = Session()
    s.prompt("x")
    s.permission(toolCallId="c", title="Run")
    s.note("answered", requestId="9", answer="yes", by="rule")
    s.feed({"id": 9, "result": {"outcome": {"outcome": "selected", "optionId": "yes"}}}, "out")
    assert (s.items[1].answer, s.items[1].by) == ("Allow once", "rule")


def test_a_permission_with_only_a_call_id_takes_the_rest_from_the_call() -> None:
    s = Session()
    s.prompt("x")
    s.update(
        sessionUpdate="tool_call",
        toolCallId="c",
        title="Edit a.py",
        kind="edit",
        locations=[{"path": "/elsewhere/a.py"}],
    )
    s.permission(toolCallId="c")
    ask = s.items[2].ask
    assert (ask.title, ask.tool_kind, ask.paths, ask.outside) == ("Edit a.py", "edit", ("/elsewhere/a.py",), True)


def test_unanswered_asks_are_cancelled_with_their_turn_or_when_the_agent_goes_on() -> None:
    s = Session()
    s.prompt("x")
    s.update(sessionUpdate="tool_call", toolCallId="c", title="t")
    s.permission(toolCallId="c")
    s.permission(request_id="other", toolCallId="d", title="u")
    s.update(sessionUpdate="tool_call_update", toolCallId="c", status="completed")
    assert (s.items[2].answer, s.items[2].by) == ("cancelled", "agent")
    s.end("cancelled")
    assert s.items[3].answer == "cancelled"


def test_a_question_and_its_answer() -> None:
    s = Session()
    s.prompt("x")
    schema = {
        "properties": {"q": {"type": "string", "title": "Which?", "oneOf": [{"const": "a", "title": "First"}]}},
        "required": ["q"],
    }
    s.feed({"id": 4, "method": "elicitation/create", "params": {"message": "Choose", "requestedSchema": schema}})
    ask = s.items[1].ask
    assert ask.kind is AskKind.QUESTION and ask.fields[0].choices[0].name == "First" and ask.fields[0].required
    s.feed({"id": 4, "result": {"action": "accept", "content": {"q": "a"}}}, "out")
    assert s.items[1].answer == "First"


def test_the_echo_of_a_prompt_is_not_shown_twice() -> None:
    s = Session()
    s.prompt("please do")
    s.text("please ", "user_message_chunk")
    s.text("do", "user_message_chunk")
    s.text("please do", "user_message_chunk")
    assert s.kinds() == ["UserMessage"]


def test_a_replayed_conversation_is_shown() -> None:
    s = Session()
    s.text("earlier ", "user_message_chunk")
    s.text("prompt", "user_message_chunk")
    s.text("answer")
    assert [item.text for item in s.items] == ["earlier prompt", "answer"]


def test_text_sent_again_after_a_cut_is_shown_once() -> None:
    s = Session()
    s.prompt("x")
    s.text("The quick brown fox jumps over", messageId="m1")
    s.text("The quick brown ", messageId="m2")
    s.text("fox jumps over the lazy dog.", messageId="m2")
    s.text(" Done.", messageId="m2")
    assert [i.text for i in s.items if isinstance(i, AgentText)] == [
        "The quick brown fox jumps over the lazy dog. Done."
    ]


def test_a_new_message_that_only_begins_alike_is_kept_whole() -> None:
    s = Session()
    s.prompt("x")
    s.text("The quick brown fox jumps over", messageId="m1")
    s.text("The quick brown ", messageId="m2")
    s.text("bear sleeps.", messageId="m2")
    s.end()
    assert [i.text for i in s.items if isinstance(i, AgentText)] == [
        "The quick brown fox jumps over",
        "The quick brown bear sleeps.",
    ]


def test_a_shorter_repetition_is_not_lost() -> None:
    s = Session()
    s.prompt("x")
    s.text("The quick brown fox jumps over", messageId="m1")
    s.text("The quick brown fox", messageId="m2")
    s.end()
    assert [i.text for i in s.items if isinstance(i, AgentText)] == [
        "The quick brown fox jumps over",
        "The quick brown fox",
    ]


def test_a_merged_message_after_its_chunks_is_one_row() -> None:
    s = Session()
    s.prompt("x")
    s.text("Hello ")
    s.text("wor")
    s.text("Hello world", "agent_message")
    s.text("Another", "agent_message")
    assert [i.text for i in s.items if isinstance(i, AgentText)] == ["Hello world", "Another"]


def test_the_end_of_a_turn_closes_what_is_open() -> None:
    s = Session()
    s.prompt("x")
    s.update(sessionUpdate="tool_call", toolCallId="c", title="t", status="in_progress")
    s.text("half")
    s.end("cancelled")
    assert s.items[1].status == "stopped" and s.items[1].ended_at == s.at
    assert not s.items[2].open


def test_our_notes_number_the_turn_and_fill_its_footer() -> None:
    s = Session()
    s.note("turn_started", turn=7, checkpoint="abc")
    s.prompt("x")
    s.end()
    s.note("turn_ended", turn=7, stopReason="end_turn", duration=12.5, files=2, added=3, removed=1, tokens=99, cost=0.5)
    footers = [item for item in s.items if isinstance(item, TurnFooter)]
    assert len(footers) == 1
    assert (footers[0].turn, footers[0].duration, footers[0].files, footers[0].checkpoint_before) == (7, 12.5, 2, "abc")
    assert s.items[0].turn == 7


def test_a_prompt_that_fails_is_told() -> None:
    s = Session()
    s.prompt("x")
    s.feed({"id": 1, "error": {"code": -32603, "message": "API Error", "data": {"details": "400"}}})
    notice, footer = s.items[1:]
    assert isinstance(notice, Notice) and notice.text == "API Error: 400" and "retry_turn" in notice.actions
    assert footer.stop_reason == "error"


def test_a_turn_that_never_got_its_answer_is_told_by_our_note() -> None:
    s = Session()
    s.prompt("x")
    s.note("turn_ended", turn=1, stopReason="error", duration=2.0)
    assert s.kinds() == ["UserMessage", "Notice", "TurnFooter"]


def test_the_end_of_a_turn_without_a_prompt_leaves_the_footer_before_alone() -> None:
    s = Session()
    s.prompt("x")
    s.end()
    s.note("turn_started", turn=2)
    s.note("turn_ended", turn=2, stopReason="error", duration=1.0)
    assert [item.turn for item in s.items if isinstance(item, TurnFooter)] == [1, 2]


def test_a_turn_that_breaks_off_is_told_once() -> None:
    s = Session()
    s.prompt("x")
    s.text("half")
    s.note("process_exited", code=137, reason="")
    s.note("interrupted")
    notices = [item for item in s.items if isinstance(item, Notice)]
    assert len(notices) == 1 and "137" in notices[0].text
    s.note("process_exited", code=0, reason="")
    assert s.kinds().count("Notice") == 1


def test_unknown_and_broken_frames_are_never_fatal() -> None:
    s = Session()
    s.prompt("x")
    s.update(sessionUpdate="brand_new", value=1)
    s.feed({"method": "vendor/notify", "params": {"a": 1}})
    s.feed({"method": "session/update", "params": []})
    s.feed({"method": "session/update", "params": {"update": {"sessionUpdate": "plan", "entries": 5}}})
    s.feed({"id": None, "result": None})
    s.update(sessionUpdate="tool_call", toolCallId="c", title="t", content="x", locations=3, rawInput="text", _meta=4)
    s.update(sessionUpdate="agent_message_chunk", content="text")
    assert [item.raw for item in s.items if isinstance(item, Notice)] == ['{"sessionUpdate":"brand_new","value":1}']


def test_cloud_names() -> None:
    s = Session()
    s.feed({"method": "_posthog/user_message", "params": {"content": "go"}})
    s.text("done")
    s.feed({"method": "__posthog/turn_complete", "params": {"stopReason": "end_turn", "usage": {"totalTokens": 10}}})
    assert s.kinds() == ["UserMessage", "AgentText", "TurnFooter"]
    assert s.items[2].tokens == 10


def test_going_on_from_a_transcript() -> None:
    s = Session()
    s.prompt("x")
    s.update(sessionUpdate="tool_call", toolCallId="c", title="t", status="in_progress")
    s.permission(toolCallId="c")
    later = Fold(s.fold.transcript, TREE)
    later.apply({"id": 9, "result": {"outcome": {"outcome": "selected", "optionId": "no"}}}, "out", s.at)
    later.apply(as_update({"sessionUpdate": "tool_call_update", "toolCallId": "c", "status": "failed"}), "in", s.at)
    assert (s.items[1].status, s.items[2].answer) == ("failed", "Reject")


_pieces = st.lists(st.tuples(st.sampled_from(["say", "think", "call"]), st.text(min_size=1, max_size=30)), max_size=30)


def _frames(pieces: list[tuple[str, str]]) -> list[dict[str, Any]]:
    frames: list[dict[str, Any]] = []
    for number, (kind, text) in enumerate(pieces):
        if kind == "call":
            frames.append(as_update({"sessionUpdate": "tool_call", "toolCallId": f"c{number}", "title": text}))
        else:
            name = "agent_message_chunk" if kind == "say" else "agent_thought_chunk"
            frames.append(as_update({"sessionUpdate": name, "content": {"type": "text", "text": text}}))
    return frames


def _fold(frames: list[dict[str, Any]], start: Transcript | None = None) -> Transcript:
    fold = Fold(start)
    for frame in frames:
        fold.apply(frame, "in", 1.0)
    return fold.transcript


@settings(max_examples=60, deadline=None)
@given(_pieces)
def test_no_text_is_lost(pieces: list[tuple[str, str]]) -> None:
    items = _fold(_frames(pieces)).items
    said = "".join(item.text for item in items if isinstance(item, AgentText))
    thought = "".join(item.text for item in items if isinstance(item, Thought))
    assert said == "".join(text for kind, text in pieces if kind == "say")
    assert thought == "".join(text for kind, text in pieces if kind == "think")


@settings(max_examples=60, deadline=None)
@given(_pieces, st.integers(1, 5))
def test_chunking_does_not_matter(pieces: list[tuple[str, str]], size: int) -> None:
    fine: list[tuple[str, str]] = []
    for kind, text in pieces:
        parts = [text] if kind == "call" else [text[at : at + size] for at in range(0, len(text), size)]
        fine += [(kind, part) for part in parts]
    whole = [(type(i), getattr(i, "text", ""), getattr(i, "title", "")) for i in _fold(_frames(pieces)).items]
    pieced = [(type(i), getattr(i, "text", ""), getattr(i, "title", "")) for i in _fold(_frames(fine)).items]
    assert whole == pieced


@settings(max_examples=60, deadline=None)
@given(_pieces, st.integers(0, 30))
def test_a_prefix_and_the_rest_make_the_whole(pieces: list[tuple[str, str]], cut: int) -> None:
    frames = _frames(pieces)
    assert _fold(frames[cut:], _fold(frames[:cut])).items == _fold(frames).items


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60), st.integers(1, 7))
def test_messages_with_ids_lose_no_text(first: str, second: str, size: int) -> None:
    """Either both messages are there, or the second continues the first exactly."""
    frames = []
    for name, text in (("m1", first), ("m2", second)):
        for at in range(0, len(text), size):
            content = {"type": "text", "text": text[at : at + size]}
            frames.append(as_update({"sessionUpdate": "agent_message_chunk", "content": content, "messageId": name}))
    fold = Fold()
    fold.apply({"id": 1, "method": "session/prompt", "params": {"prompt": []}}, "out", 1.0)
    for frame in frames:
        fold.apply(frame, "in", 1.0)
    fold.apply({"id": 1, "result": {"stopReason": "end_turn"}}, "in", 1.0)
    shown = [item.text for item in fold.transcript.items if isinstance(item, AgentText)]
    apart = [text for text in (first, second) if text]
    assert shown == apart or (second.startswith(first) and shown == [second])


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "text", "path", "a"]), inner, max_size=3)
    ),
    max_leaves=8,
)
_KEYS = [
    "toolCallId",
    "title",
    "kind",
    "status",
    "content",
    "locations",
    "rawInput",
    "rawOutput",
    "_meta",
    "entries",
    "messageId",
]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(
        ["tool_call", "tool_call_update", "plan", "agent_message_chunk", "user_message_chunk", "agent_message", "x"]
    ),
    st.dictionaries(st.sampled_from(_KEYS), _json, max_size=6),
)
def test_any_shape_is_survived(kind: str, fields: dict[str, Any]) -> None:
    fold = Fold()
    fold.apply(as_update({"sessionUpdate": kind, **fields}), "in", 1.0)
    fold.apply(
        {"id": 1, "method": "session/request_permission", "params": {"toolCall": fields, "options": fields}}, "in", 1.0
    )
    fold.apply({"id": 2, "method": "elicitation/create", "params": {"requestedSchema": fields}}, "in", 1.0)
    fold.apply({"id": 1, "result": fields}, "out", 1.0)
    assert all(isinstance(item.key, str) for item in fold.transcript.items)


def test_user_messages_are_numbered() -> None:
    s = Session()
    for number in (1, 2):
        s.prompt(f"p{number}", request_id=number)
        s.end(request_id=number)
    assert [item.turn for item in s.items if isinstance(item, UserMessage)] == [1, 2]


def test_the_whole_output_of_a_command_replaces_pieces_of_which_some_were_lost() -> None:
    fold = Fold(Transcript(), "/w")

    def update(**fields: object) -> None:
        params = {"sessionId": "s", "update": {"sessionUpdate": "tool_call_update", "toolCallId": "1", **fields}}
        fold.apply({"method": "session/update", "params": params}, "in", 1.0)

    update(title="ls", kind="execute", _meta={"terminal_output_delta": {"data": "second\n"}})
    update(status="completed", rawOutput={"aggregated_output": "first\nsecond\n", "exit_code": 0})
    call = fold.transcript.items[-1]
    assert isinstance(call, ToolCall)
    assert call.output == "first\nsecond\n"
