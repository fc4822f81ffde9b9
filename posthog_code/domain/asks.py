"""Requests of an agent that a person answers: permissions and questions (ACP session/request_permission and
elicitation/create), as facts."""

from __future__ import annotations

import os.path
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from posthog_code.domain import fold_tools as tools
from posthog_code.domain.ids import RequestId
from posthog_code.domain.session import Ask, AskKind, AskOption, Choice, QuestionField
from posthog_code.domain.transcript import ToolCall, Transcript

ASK_METHODS = frozenset({"session/request_permission", "elicitation/create"})


def ask_from_request(frame: Mapping[str, Any], transcript: Transcript, at: float, worktree: str = "") -> Ask:
    """The ask of a request frame at UNIX time `at`. Some agents name only the tool call's id: what it would do is then
    looked up in the transcript. `worktree` is the absolute folder that paths are measured against ("" for unknown)."""
    params = frame.get("params")
    params = params if isinstance(params, Mapping) else {}
    request_id = RequestId(str(frame.get("id")))
    if frame.get("method") == "elicitation/create":
        return _question(request_id, params, at)
    return _permission(request_id, params, transcript, at, worktree)


def answer_words(ask: Ask | None, result: Mapping[str, Any]) -> str:
    """The answer of a response frame's `result` in words: the option's name, the given values, "declined" or
    "cancelled"."""
    outcome = result.get("outcome")
    if isinstance(outcome, Mapping):
        if outcome.get("outcome") != "selected":
            return "cancelled"
        return option_name(ask, str(outcome.get("optionId") or ""))
    action = result.get("action")
    if action == "accept":
        content = result.get("content")
        return content_words(ask, content) if isinstance(content, Mapping) else "answered"
    return "declined" if action == "decline" else "cancelled"


def option_name(ask: Ask | None, option_id: str) -> str:
    if ask is None:
        return option_id
    return next((option.name for option in ask.options if option.id == option_id), option_id)


def content_words(ask: Ask | None, content: Mapping[str, Any]) -> str:
    """The values of a form in the order of its fields, choices by their names."""
    fields = {one.name: one for one in ask.fields} if ask else {}
    names = [name for name in fields if name in content] + [name for name in content if name not in fields]
    words: list[str] = []
    for name in names:
        value = content[name]
        titles = {choice.id: choice.name for choice in fields[name].choices} if name in fields else {}
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, bool):
                words.append("Yes" if part else "No")
            elif part not in ("", None):
                words.append(titles.get(str(part), str(part)))
    return ", ".join(words) or "answered"


def is_outside(path: str, worktree: str) -> bool:
    """Whether an absolute or relative `path` leaves the folder `worktree`."""
    if not worktree or not path:
        return False
    full = os.path.normpath(os.path.join(worktree, os.path.expanduser(path)))
    root = os.path.normpath(worktree)
    return full != root and not full.startswith(root.rstrip("/\\") + os.sep)


def reach_words(ask: Ask, worktree: str) -> tuple[str, ...]:
    """What a permission would reach, as far as its request tells: "writes src/a.py", "uses the network"."""
    words: list[str] = []
    verb = _VERBS.get(ask.tool_kind, "")
    shown = ", ".join(_inside(path, worktree) for path in ask.paths[:2])
    shown += f" and {len(ask.paths) - 2} more" if len(ask.paths) > 2 else ""
    if ask.outside:
        words.append(f"{verb} outside the worktree: {shown}".strip())
    elif ask.paths and verb:
        words.append(f"{verb} {shown}")
    if ask.tool_kind == "fetch" or uses_network(ask.command):
        words.append("uses the network")
    return tuple(words)


_VERBS = {"read": "reads", "search": "reads", "edit": "writes", "delete": "deletes", "move": "moves"}
_REMOTE = frozenset({"curl", "wget", "ssh", "scp", "sftp"})
_FETCHING = {
    "pip": {"install", "download", "wheel"},
    "uv": {"add", "sync", "install"},
    "npm": {"install", "i", "ci", "add", "update", "publish"},
    "pnpm": {"install", "i", "add", "update", "publish"},
    "yarn": {"", "install", "add", "upgrade", "publish"},
    "git": {"push", "fetch", "clone", "pull", "ls-remote"},
    "docker": {"pull", "push"},
}
"""Words after these programs with which they use the network; "" for none."""
_PREFIXES = frozenset({"sudo", "env", "time", "nohup", "exec", "command"})
_SHELLS = frozenset({"sh", "bash", "zsh"})


def uses_network(command: str) -> bool:
    """A cautious guess from a command line: True only for programs that are known to. False says nothing."""
    return any(_is_remote(words) for words in _simple_commands(command))


def _simple_commands(command: str) -> Iterator[list[str]]:
    """The words of each command of a shell line, without what stands before its program."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars="();<>|&\n")
    lexer.whitespace, lexer.commenters = " \t\r", ""
    try:
        tokens = list(lexer)
    except ValueError:
        tokens = command.split()  # quotes that do not close
    words: list[str] = []
    for token in [*tokens, ";"]:
        if token.strip("();|&\n"):
            if words or not (token in _PREFIXES or ("=" in token and not token.startswith("-"))):
                words.append(token)
        elif words:
            yield words
            words = []


def _is_remote(words: list[str]) -> bool:
    program = os.path.basename(words[0])
    if program in _SHELLS and any(word.startswith("-") and word.endswith("c") for word in words[1:-1]):
        return uses_network(words[-1])
    if program.startswith("python") and words[1:3] == ["-m", "pip"]:
        program, words = "pip", words[2:]
    rest = [word for word in words[1:] if not word.startswith("-")]
    if program == "git" and words[1:2] in (["-C"], ["-c"]):
        rest = rest[1:]
    if program == "uv" and rest[:1] == ["pip"]:
        rest = rest[1:]
    known = _FETCHING.get("pip" if program == "pip3" else program, set())
    return program in _REMOTE or (rest[0] if rest else "") in known


def _inside(path: str, worktree: str) -> str:
    if worktree and os.path.isabs(path) and not is_outside(path, worktree):
        return os.path.relpath(path, worktree)
    return path


def _permission(
    request_id: RequestId, params: Mapping[str, Any], transcript: Transcript, at: float, worktree: str
) -> Ask:
    call = params.get("toolCall")
    call = call if isinstance(call, Mapping) else {}
    call_id = str(call.get("toolCallId") or "")
    known = _find_call(transcript, call_id)
    diffs = tools.diffs_of(call.get("content")) or (known.diffs if known else ())
    title = str(call.get("title") or (known.title if known else "") or "Use a tool")
    text = tools.output_of(call.get("content"))
    command = tools.command_of(call.get("rawInput")) or (known.command if known else "")
    kind = str(call.get("kind") or (known.kind if known else ""))
    if not command and kind in ("", "other", "execute"):
        command = tools.command_from_words(title, text)
    if not command and kind == "execute" and "rawInput" not in call:
        command = title
    kind = kind or tools.guess_kind(title, command, diffs)
    paths = tools.paths_of(call, diffs) or (known.paths if known else ())
    options = params.get("options")
    raw = call.get("rawInput")
    reason = str(raw.get("description") or raw.get("reason") or "") if isinstance(raw, Mapping) else ""
    if not reason and text and command not in text:
        reason = text
    return Ask(
        id=request_id,
        kind=AskKind.PERMISSION,
        title=title,
        asked_at=at,
        tool_call_id=call_id,
        tool_kind=kind,
        command=command,
        detail=reason,
        paths=tuple(os.path.normpath(os.path.join(worktree, path)) if worktree else path for path in paths),
        outside=any(is_outside(path, worktree) for path in paths),
        options=tuple(
            AskOption(str(option.get("optionId")), str(option.get("name") or ""), str(option.get("kind") or ""))
            for option in (options if isinstance(options, list) else ())
            if isinstance(option, Mapping)
        ),
    )


def _find_call(transcript: Transcript, call_id: str) -> ToolCall | None:
    if not call_id:
        return None
    return next(
        (item for item in reversed(transcript.items) if isinstance(item, ToolCall) and item.call_id == call_id), None
    )


def _question(request_id: RequestId, params: Mapping[str, Any], at: float) -> Ask:
    schema = params.get("requestedSchema")
    schema = schema if isinstance(schema, Mapping) else {}
    properties = schema.get("properties")
    required = schema.get("required")
    required = required if isinstance(required, list) else ()
    fields = tuple(
        _field(str(name), prop, name in required)
        for name, prop in (properties.items() if isinstance(properties, Mapping) else ())
        if isinstance(prop, Mapping)
    )
    url = str(params.get("url") or "")
    return Ask(
        id=request_id,
        kind=AskKind.QUESTION,
        title=str(params.get("message") or schema.get("title") or "The agent has a question"),
        asked_at=at,
        tool_call_id=str(params.get("toolCallId") or ""),
        detail=url or str(schema.get("description") or ""),
        fields=fields,
    )


def _field(name: str, prop: Mapping[str, Any], required: bool) -> QuestionField:
    kind = str(prop.get("type") or "string")
    multiple = kind == "array"
    source = prop.get("items") if multiple else prop
    source = source if isinstance(source, Mapping) else {}
    title = str(prop.get("title") or prop.get("description") or name)
    return QuestionField(
        name=name,
        title=title,
        choices=_choices(source),
        required=required,
        multiple=multiple,
        kind="string" if multiple else kind,
    )


def _choices(source: Mapping[str, Any]) -> tuple[Choice, ...]:
    for key in ("oneOf", "anyOf"):
        named = source.get(key)
        if isinstance(named, list):
            return tuple(
                Choice(str(one["const"]), str(one.get("title") or one["const"]), str(one.get("description") or ""))
                for one in named
                if isinstance(one, Mapping) and "const" in one
            )
    plain = source.get("enum")
    if isinstance(plain, list):
        names = source.get("enumNames")
        titles = names if isinstance(names, list) and len(names) == len(plain) else plain
        return tuple(Choice(str(value), str(title)) for value, title in zip(plain, titles, strict=True))
    return ()
