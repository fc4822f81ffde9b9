"""What a tool call's frames say, whatever the agent's habits: command, paths, diffs, output.

Agents fill different fields: some send only `rawInput` and `rawOutput`, some only text content, Codex streams the
output in `_meta.terminal_output_delta`, others use terminals of ours.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from posthog_code.domain.transcript import OUTPUT_LIMIT, DiffContent

RAW_LIMIT = 64 * 1024
_SHELLS = {"bash", "sh", "zsh", "/bin/bash", "/bin/sh", "/bin/zsh", "/usr/bin/bash"}
_PATH_KEYS = ("file_path", "filePath", "abs_path", "path", "target_file", "notebook_path")
_TEXT_KEYS = ("formatted_output", "aggregated_output", "stdout", "output", "result", "content", "text", "message")
_COMMAND_IN_TEXT = re.compile(r"[Rr]un command `(.+)`", re.DOTALL)
_TITLE_PREFIX = re.compile(r"^(?:Shell|bash|Bash|Run|Terminal|run_commands|execute): ")
_KIND_WORDS = (
    ("edit", ("edit", "write", "replace", "patch", "create", "update")),
    ("read", ("read", "view", "open", "cat ")),
    ("search", ("search", "grep", "glob", "find", "list")),
    ("execute", ("shell", "bash", "terminal", "run", "exec", "command")),
    ("fetch", ("fetch", "http", "web")),
    ("think", ("think",)),
)


def text_of(block: Any) -> str:
    """Markdown for one content block; "" for what has nothing to show."""
    if not isinstance(block, Mapping):
        return block if isinstance(block, str) else ""
    kind = block.get("type")
    if kind == "text":
        text = block.get("text")
        return text if isinstance(text, str) else ""
    if kind == "resource_link":
        uri = str(block.get("uri") or "")
        return f"[{block.get('title') or block.get('name') or uri}]({uri})"
    if kind == "resource" and isinstance(block.get("resource"), Mapping):
        resource = block["resource"]
        return str(resource.get("text") or f"[{resource.get('uri', 'resource')}]({resource.get('uri', '')})")
    if kind in ("image", "audio"):
        return f"*{str(kind).capitalize()} ({block.get('mimeType', 'unknown type')})*"
    return ""


def command_of(raw_input: Any) -> str:
    """The command line in a rawInput, as one would type it; "" when there is none."""
    if not isinstance(raw_input, Mapping):
        return ""
    for key in ("command", "cmd", "commands", "bashCommand"):
        value = raw_input.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
        if isinstance(value, Sequence) and not isinstance(value, str) and value:
            words = [str(word) for word in value]
            if len(words) == 3 and words[0] in _SHELLS and words[1].startswith("-"):
                return words[2].strip()
            return "\n".join(words) if key == "commands" else shlex.join(words)
    return ""


def command_from_words(title: str, content: str = "") -> str:
    """The command line of an execute call that carries it only in its words."""
    found = _COMMAND_IN_TEXT.search(content)
    if found:
        return found.group(1).strip()
    if title.startswith("`") and title.rstrip().endswith("`"):
        return title.strip().strip("`")
    return _TITLE_PREFIX.sub("", title).strip() if _TITLE_PREFIX.match(title) else ""


def paths_of(update: Mapping[str, Any], diffs: Sequence[DiffContent] = ()) -> tuple[str, ...]:
    """Files of a call: its locations, else its diffs, else what the input names."""
    found: list[str] = []
    locations = update.get("locations")
    if isinstance(locations, list):
        found = [str(place["path"]) for place in locations if isinstance(place, Mapping) and place.get("path")]
    found = found or [diff.path for diff in diffs]
    raw = update.get("rawInput")
    if not found and isinstance(raw, Mapping):
        found = [str(raw[key]) for key in _PATH_KEYS if isinstance(raw.get(key), str) and raw[key]][:1]
    return tuple(dict.fromkeys(found))


def diffs_of(content: Any) -> tuple[DiffContent, ...]:
    if not isinstance(content, list):
        return ()
    return tuple(
        DiffContent(
            path=str(part.get("path") or ""),
            old_text=str(part.get("oldText") or ""),
            new_text=str(part.get("newText") or ""),
            created=not part.get("oldText"),
        )
        for part in content
        if isinstance(part, Mapping) and part.get("type") == "diff"
    )


def terminals_of(content: Any) -> list[str]:
    if not isinstance(content, list):
        return []
    return [
        str(part.get("terminalId"))
        for part in content
        if isinstance(part, Mapping) and part.get("type") == "terminal" and part.get("terminalId")
    ]


def output_of(content: Any) -> str:
    """The text parts of a call's content, without the code fence that some agents put round them."""
    if not isinstance(content, list):
        return ""
    texts = [
        _unfenced(text_of(part.get("content")))
        for part in content
        if isinstance(part, Mapping) and part.get("type") == "content"
    ]
    return "\n".join(text for text in texts if text)


def _unfenced(text: str) -> str:
    stripped = text.strip("\n")
    if stripped.startswith("```") and stripped.endswith("```") and "\n" in stripped:
        body = stripped.split("\n", 1)[1]
        return body[: -len("```")].removesuffix("\n")
    return text


def whole_output_of(raw: Any) -> str:
    """The complete output of a command as Codex gives it at the end; "" when there is none."""
    text = raw.get("aggregated_output") if isinstance(raw, Mapping) else None
    return text if isinstance(text, str) else ""


def raw_output_text(raw: Any) -> str:
    """Readable text of a rawOutput, for agents that send no content."""
    if raw is None or raw == [] or raw == {}:
        return ""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, list):
        return "\n".join(text for text in (raw_output_text(part) for part in raw) if text)
    if isinstance(raw, Mapping):
        for key in _TEXT_KEYS:
            value = raw.get(key)
            if isinstance(value, str) and value:
                error = raw.get("stderr")
                return value + (f"\n{error}" if key == "stdout" and isinstance(error, str) and error else "")
            if isinstance(value, list) and value and key in ("content", "result"):
                return raw_output_text(value)
        error = raw.get("stderr") or raw.get("error")
        if isinstance(error, str):
            return error
        if set(raw) <= {
            "exit_code",
            "exitCode",
            "success",
            "query",
            "stdout",
            "stderr",
            "output",
            "truncated",
            "result",
        }:
            return ""
        return dump(raw)
    return str(raw)


def exit_code_of(update: Mapping[str, Any]) -> int | None:
    meta, raw = update.get("_meta"), update.get("rawOutput")
    ended = meta.get("terminal_exit") if isinstance(meta, Mapping) else None
    for source in (ended, raw):
        if isinstance(source, Mapping):
            for key in ("exit_code", "exitCode"):
                code = source.get(key)
                if isinstance(code, int) and not isinstance(code, bool):
                    return code
    return None


def output_delta_of(update: Mapping[str, Any]) -> str:
    """Codex: output streamed beside the protocol."""
    meta = update.get("_meta")
    if not isinstance(meta, Mapping):
        return ""
    for key in ("terminal_output_delta", "terminal_output"):
        delta = meta.get(key)
        if isinstance(delta, Mapping) and isinstance(delta.get("data"), str):
            return str(delta["data"])
    return ""


def parent_of(update: Mapping[str, Any]) -> str:
    """Claude: the call whose sub-agent did this."""
    meta = update.get("_meta")
    claude = meta.get("claudeCode") if isinstance(meta, Mapping) else None
    if not isinstance(claude, Mapping):
        return ""
    return str(claude.get("parentToolCallId") or claude.get("parentToolUseId") or "")


def guess_kind(title: str, command: str, diffs: Sequence[DiffContent]) -> str:
    """A kind for agents that leave it out."""
    if diffs:
        return "edit"
    if command:
        return "execute"
    low = title.lower()
    for kind, words in _KIND_WORDS:
        if any(low.startswith(word) for word in words):
            return kind
    return "other"


def dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)[:RAW_LIMIT]


def kept(text: str) -> tuple[str, int]:
    """The last part of an output and how many bytes were left out before it."""
    if len(text) <= OUTPUT_LIMIT:
        return text, 0
    cut = len(text) - OUTPUT_LIMIT
    return text[cut:], len(text[:cut].encode("utf-8", "replace"))
