"""Blocks, lines and words of the conversation: pure parts of the panel."""

from __future__ import annotations

from posthog_code.domain.fold import Fold
from posthog_code.domain.session import Ask, AskKind, AskOption
from posthog_code.domain.transcript import AskItem, DiffContent, ToolCall, TurnFooter
from posthog_code.ui.panels.conversation import inline_diff, words
from posthog_code.ui.panels.conversation.blocks import Blocks
from posthog_code.ui.panels.conversation.tool_lines import tool_lines


def _update(fold: Fold, **update: object) -> int:
    first = fold.apply({"method": "session/update", "params": {"update": update}}, "in", 1.0)
    assert first is not None
    return first


def _say(fold: Fold, text: str) -> int:
    return _update(fold, sessionUpdate="agent_message_chunk", content={"type": "text", "text": text})


def test_following_a_transcript_gives_the_same_rows_as_building_it_anew() -> None:
    fold, followed = Fold(), Blocks()
    keys: list[str] = []

    def follow(first: int) -> None:
        change = followed.update(fold.transcript, first)
        del keys[change.at : change.at + change.removed]
        keys[change.at : change.at] = [b.key for b in followed.rows[change.at : change.at + change.inserted]]
        fresh = Blocks()
        fresh.update(fold.transcript, 0)
        assert [(b.key, b.kind, b.first, b.last) for b in followed.rows] == [
            (b.key, b.kind, b.first, b.last) for b in fresh.rows
        ]
        assert keys == [b.key for b in fresh.rows]

    prompt = {"id": 1, "method": "session/prompt", "params": {"prompt": [{"type": "text", "text": "go"}]}}
    follow(fold.apply(prompt, "out", 1.0) or 0)
    follow(_say(fold, "a"))
    for number in range(3):
        follow(_update(fold, sessionUpdate="tool_call", toolCallId=f"c{number}", title="t"))
    options = [{"optionId": "y", "name": "Yes", "kind": "allow_once"}]
    ask = {
        "id": 5,
        "method": "session/request_permission",
        "params": {"toolCall": {"toolCallId": "c2"}, "options": options},
    }
    follow(fold.apply(ask, "in", 1.0) or 0)
    assert [b.kind for b in followed.rows] == ["user", "text", "tools", "permission"]
    follow(_update(fold, sessionUpdate="tool_call_update", toolCallId="c0", status="completed"))
    answer = {"id": 5, "result": {"outcome": {"outcome": "selected", "optionId": "y"}}}
    follow(fold.apply(answer, "out", 1.0) or 0)
    assert [b.kind for b in followed.rows] == ["user", "text", "tools"]
    follow(_update(fold, sessionUpdate="tool_call", toolCallId="c9", title="t"))
    follow(_say(fold, "b"))
    assert [b.kind for b in followed.rows] == ["user", "text", "tools", "text"]


def test_a_change_far_up_is_told_as_one_changed_row() -> None:
    fold, blocks = Fold(), Blocks()
    _update(fold, sessionUpdate="tool_call", toolCallId="early", title="t")
    for number in range(20):
        _say(fold, "text")
        _update(fold, sessionUpdate="plan", entries=[{"content": f"{number}", "status": "pending"}])
    blocks.update(fold.transcript, 0)
    first = _update(fold, sessionUpdate="tool_call_update", toolCallId="early", status="completed")
    change = blocks.update(fold.transcript, first)
    assert (change.removed, change.inserted, change.changed) == (0, 0, (0,))


def test_a_sub_agents_calls_belong_to_its_call() -> None:
    parent = ToolCall(
        "c0", 0.0, call_id="p", title="check the schedules", kind="think", status="completed", ended_at=41.0
    )
    child = ToolCall("c1", 0.0, call_id="x", title="Read x", kind="read", status="completed", parent_id="p")
    closed = tool_lines([parent, child], "g", set(), set())
    assert [(line.kind, line.children) for line in closed] == [("call", 1)]
    opened = tool_lines([parent, child], "g", {"c0"}, set())
    assert [(line.kind, line.nested) for line in opened] == [("call", False), ("call", True)]
    assert words.verb_of(parent, True) == "Agent" and words.result_of(parent, 1) == "1 step · 41 s"


def test_words_of_calls() -> None:
    tree = "/w/tree"
    read = ToolCall("1", 0.0, kind="read", title="Read", paths=("/w/tree/a/b.py",), output="1\n2\n", status="completed")
    assert (words.verb_of(read), words.object_of(read, tree), words.result_of(read)) == ("Read", "a/b.py", "2 lines")
    run = ToolCall("2", 0.0, kind="execute", command="make  all\nmore", exit_code=2, status="failed", ended_at=6.1)
    assert (words.object_of(run, tree), words.result_of(run)) == ("make all", "exit 2 · 6.1 s")
    search = ToolCall("3", 0.0, kind="search", title="grep", raw_input='{"pattern":"legacy"}')
    assert words.object_of(search, tree) == "legacy"
    new = ToolCall(
        "4", 0.0, kind="edit", diffs=(DiffContent("/w/tree/n.py", "", "x", created=True),), paths=("/w/tree/n.py",)
    )
    assert words.verb_of(new) == "Create" and words.icon_of(new) == "ph.file-plus"
    named = ToolCall("5", 0.0, kind="read", title="ReadFile: hello.py")
    assert words.object_of(named, tree) == "hello.py"
    assert words.summary_of([read, run, search]) == "Explored 2 files, ran 1 command, 1 failed · 6.1 s"


def test_words_of_answers_and_footers() -> None:
    ask = Ask("1", AskKind.PERMISSION, "t", 0.0, options=(AskOption("y", "Yes, go", "allow_once"),))  # type: ignore[arg-type]
    assert words.answered_line(AskItem("q", 0.0, ask=ask, answer="Yes, go", by="you")) == "Allowed once · you"
    assert words.answered_line(AskItem("q", 0.0, ask=ask, answer="cancelled", by="you")) == "Not answered"
    footer = TurnFooter("f", 0.0, turn=3, duration=161.0, stop_reason="cancelled")
    assert words.footer_parts(footer) == ["Turn 3", "Stopped by you", "2 m 41 s"]
    footer.stop_reason = "error"
    assert words.footer_parts(footer)[1] == "Stopped"  # the word that the head of the task has
    assert words.tokens_words(48_200) == "48k tokens"
    assert words.permission_title("edit", "Claude Code", True) == "Claude Code asks to edit a file outside the worktree"


def test_inline_diffs() -> None:
    old = "\n".join(f"line {n}" for n in range(20))
    new = old.replace("line 10", "other").replace("line 11\n", "")
    lines = inline_diff.diff_lines(DiffContent("a", old, new))
    assert [line.sign for line in lines] == [" ", " ", "−", "−", "+", " ", " "]
    assert inline_diff.counts((DiffContent("a", old, new),)) == (1, 2)
    assert inline_diff.counts((DiffContent("a", "", "1\n2\n", created=True),)) == (2, 0)
    huge = DiffContent("a", "\n".join(map(str, range(5000))), "\n".join(map(str, range(5000, 10_000))))
    assert inline_diff.counts((huge,)) == (5000, 5000)
    assert len(inline_diff.diff_lines(huge)) == inline_diff.MAX_LINES + 1
