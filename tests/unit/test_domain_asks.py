"""Permissions and questions as facts."""

from __future__ import annotations

import pytest

from posthog_code.domain.ansi import plain
from posthog_code.domain.asks import answer_words, ask_from_request, is_outside, reach_words, uses_network
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


@pytest.mark.parametrize(
    "command",
    [
        "curl -s https://example.com",
        "cd web && npm install",
        "FOO=1 pip3 install x",
        "python3 -m pip install -r requirements.txt",
        "bash -lc 'wget x'",
        "sudo docker pull a",
        "git -C web fetch",
        "make | ssh host",
        "ls\nscp a b",
        "x $(curl y)",
        "yarn",
    ],
)
def test_commands_that_use_the_network(command: str) -> None:
    assert uses_network(command)


@pytest.mark.parametrize(
    "command",
    [
        "npm test",
        "git status",
        "git commit -m 'git push'",
        "grep curl x",
        "echo 'curl x'",
        "yarn test",
        'a "b',
        "",
        "git",
    ],
)
def test_commands_of_which_nothing_is_said(command: str) -> None:
    assert not uses_network(command)


def test_what_a_permission_reaches() -> None:
    inside = _ask({"title": "Edit", "kind": "edit", "locations": [{"path": "/w/a/b.py"}, {"path": "c"}, {"path": "d"}]})
    assert reach_words(inside, "/w") == ("writes a/b.py, c and 1 more",)
    outside = _ask({"title": "Edit", "kind": "edit", "locations": [{"path": "/etc/hosts"}]})
    assert reach_words(outside, "/w") == ("writes outside the worktree: /etc/hosts",)
    assert reach_words(_ask({"title": "r", "kind": "read", "locations": [{"path": "a"}]}), "/w") == ("reads a",)
    assert reach_words(_ask({"title": "r", "kind": "fetch"}), "/w") == ("uses the network",)
    assert reach_words(_ask({"title": "r", "kind": "execute", "rawInput": {"command": "npm ci"}}), "/w") == (
        "uses the network",
    )
    assert reach_words(_ask({"title": "r", "kind": "execute", "rawInput": {"command": "make"}}), "/w") == ()
