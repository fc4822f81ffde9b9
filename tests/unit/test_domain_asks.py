"""Permissions and questions as facts."""

from __future__ import annotations

from posthog_code.domain.ansi import plain
from posthog_code.domain.asks import answer_words, ask_from_request, is_outside
from posthog_code.domain.transcript import Transcript


def _ask(call: dict[str, object], worktree: str = "/w"):
    frame = {"id": 1, "method": "session/request_permission", "params": {"toolCall": call, "options": []}}
    return ask_from_request(frame, Transcript(), 5.0, worktree)


def test_commands_however_they_are_told() -> None:
    assert _ask({"title": "x", "rawInput": {"command": ["bash", "-lc", "make all"]}}).command == "make all"
    assert _ask({"title": "x", "rawInput": {"command": ["ls", "a b"]}}).command == "ls 'a b'"
    text = {"type": "text", "text": "Requesting approval to perform: Run command `make`"}
    asked = _ask({"title": "Shell: make", "content": [{"type": "content", "content": text}]})
    assert (asked.command, asked.tool_kind) == ("make", "execute")
    assert _ask({"title": "npm test", "kind": "execute"}).command == "npm test"


def test_paths_inside_and_outside() -> None:
    inside = _ask({"title": "Edit", "kind": "edit", "locations": [{"path": "a/b.py"}]})
    assert (inside.paths, inside.outside) == (("/w/a/b.py",), False)
    outside = _ask({"title": "Edit", "kind": "edit", "rawInput": {"file_path": "/etc/hosts"}})
    assert (outside.paths, outside.outside) == (("/etc/hosts",), True)
    assert is_outside("../x", "/w") and is_outside("/wide/x", "/w") and not is_outside("/w/./x", "/w")


def test_a_form_of_many_kinds() -> None:
    schema = {
        "properties": {
            "tags": {"type": "array", "items": {"enum": ["a", "b"]}},
            "sure": {"type": "boolean", "title": "Sure?"},
            "n": {"type": "integer"},
        },
        "required": ["n"],
    }
    frame = {"id": "q", "method": "elicitation/create", "params": {"message": "Go?", "requestedSchema": schema}}
    ask = ask_from_request(frame, Transcript(), 5.0)
    tags, sure, number = ask.fields
    assert tags.multiple and [c.id for c in tags.choices] == ["a", "b"]
    assert (sure.kind, sure.title, number.kind, number.required) == ("boolean", "Sure?", "integer", True)
    content = {"tags": ["a", "b"], "sure": True, "n": 3}
    assert answer_words(ask, {"action": "accept", "content": content}) == "a, b, Yes, 3"
    assert answer_words(ask, {"action": "decline"}) == "declined"
    assert answer_words(None, {"outcome": {"outcome": "cancelled"}}) == "cancelled"


def test_terminal_output_as_plain_text() -> None:
    assert plain("\x1b[31mred\x1b[0m\r\n\x1b]0;title\x07x") == "red\nx"
    assert plain("10%\r50%\r100%\ndonx\be") == "100%\ndone"
    assert plain("a\x00b\tc") == "ab\tc"
