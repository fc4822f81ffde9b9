"""What the rows say: verbs, objects and results of tool calls, summaries, answers, times."""

from __future__ import annotations

import json
import os.path
import re
import time
from collections.abc import Sequence

from posthog_code.domain import text
from posthog_code.domain.transcript import AskItem, ToolCall, TurnFooter

VERBS = {
    "read": "Read",
    "edit": "Edit",
    "delete": "Delete",
    "move": "Move",
    "search": "Search",
    "execute": "Run",
    "think": "Think",
    "fetch": "Fetch",
    "switch_mode": "Mode",
}
ICONS = {
    "read": "ph.file-text",
    "edit": "ph.pencil-simple",
    "create": "ph.file-plus",
    "delete": "ph.trash",
    "move": "ph.arrow-square-out",
    "search": "ph.magnifying-glass",
    "execute": "ph.terminal-window",
    "think": "ph.brain",
    "fetch": "ph.globe-simple",
    "switch_mode": "ph.compass",
    "agent": "ph.robot",
}
_TOOL_NAME = re.compile(r"^[A-Z][a-z]+[A-Z]\w*: ")
"""Some agents put their tool's name first: "ReadFile: hello.py"."""
_OBJECT_KEYS = ("pattern", "query", "url", "path", "description", "prompt")
SETTLED = frozenset({"completed", "failed", "stopped"})


def is_created(call: ToolCall) -> bool:
    return bool(call.diffs) and all(diff.created for diff in call.diffs)


def icon_of(call: ToolCall, has_children: bool = False) -> str:
    if has_children:
        return ICONS["agent"]
    if call.kind == "edit" and is_created(call):
        return ICONS["create"]
    return ICONS.get(call.kind, "ph.puzzle-piece")


def verb_of(call: ToolCall, has_children: bool = False) -> str:
    if has_children:
        return "Agent"
    if call.kind == "edit" and is_created(call):
        return "Create"
    return VERBS.get(call.kind, "")


def relative(path: str, worktree: str) -> str:
    if worktree and path.startswith(worktree.rstrip("/") + "/"):
        return path[len(worktree.rstrip("/")) + 1 :]
    home = os.path.expanduser("~")
    if home != "/" and path.startswith(home + "/"):
        return "~" + path[len(home) :]
    return path


def object_of(call: ToolCall, worktree: str, has_children: bool = False) -> str:
    """What the call is about, in one line: a path, a command, a pattern, or the agent's own title."""
    if call.command and call.kind not in ("read", "edit", "search"):
        return " ".join(call.command.split("\n", 1)[0].split())
    if has_children or call.kind in ("other", "think", "switch_mode"):
        return _one_line(call.title)
    if call.paths and call.kind in ("read", "edit", "delete", "move"):
        names = [relative(path, worktree) for path in call.paths]
        return " → ".join(names) if call.kind == "move" else _with_more(names)
    if call.raw_input:
        try:
            raw = json.loads(call.raw_input)
        except ValueError:
            raw = None
        if isinstance(raw, dict):
            for key in _OBJECT_KEYS:
                if isinstance(raw.get(key), str) and raw[key]:
                    return _one_line(raw[key])
    if call.paths:
        return _with_more([relative(path, worktree) for path in call.paths])
    return _without_verb(_one_line(call.title), verb_of(call))


def _with_more(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _one_line(words: str) -> str:
    return " ".join(words.replace("`", "").split())


def _without_verb(words: str, verb: str) -> str:
    words = _TOOL_NAME.sub("", words)
    return words[len(verb) + 1 :] if verb and words.lower().startswith(verb.lower() + " ") else words


def result_of(call: ToolCall, children: int = 0) -> str:
    """A few muted words at the right of a settled call."""
    if call.status not in SETTLED:
        return ""
    parts: list[str] = []
    if call.status == "stopped":
        parts.append("stopped")
    elif call.exit_code:
        parts.append(f"exit {call.exit_code}" if call.exit_code > 0 else "killed")
    elif call.status == "failed":
        parts.append("failed")
    elif children:
        parts.append(text.plural(children, "step"))
    elif call.kind == "read" and call.output:
        parts.append(text.plural(call.output.rstrip("\n").count("\n") + 1, "line"))
    seconds = call.ran
    if seconds >= 1.0:
        parts.append(text.duration(seconds))
    return " · ".join(parts)


def summary_of(calls: Sequence[ToolCall]) -> str:
    """ "Explored 9 files, ran 3 commands · 41 s"."""
    files = {path for call in calls if call.kind in ("read", "search") for path in call.paths or (call.call_id,)}
    edited = {
        path for call in calls if call.kind in ("edit", "delete", "move") for path in call.paths or (call.call_id,)
    }
    ran = sum(call.kind == "execute" for call in calls)
    rest = sum(call.kind not in ("read", "search", "edit", "delete", "move", "execute") for call in calls)
    parts: list[str] = []
    if files:
        parts.append(f"explored {text.plural(len(files), 'file')}")
    if edited:
        parts.append(f"edited {text.plural(len(edited), 'file')}")
    if ran:
        parts.append(f"ran {text.plural(ran, 'command')}")
    if rest:
        parts.append(f"used {text.plural(rest, 'other tool') if parts else text.plural(rest, 'tool')}")
    failed = sum(call.status == "failed" for call in calls)
    if failed:
        parts.append(f"{failed} failed")
    seconds = max((call.ended_at for call in calls), default=0.0) - min((call.at for call in calls), default=0.0)
    seconds -= sum(call.waited for call in calls)
    words = ", ".join(parts)
    return f"{words[:1].upper()}{words[1:]}" + (f" · {text.duration(seconds)}" if seconds >= 1.0 else "")


def clock(at: float) -> str:
    return time.strftime("%H:%M", time.localtime(at)) if at else ""


_BY = {"you": "you", "rule": "by rule", "agent": "the agent went on"}
_PAST = {
    "allow_once": "Allowed once",
    "allow_always": "Allowed always",
    "reject_once": "Rejected",
    "reject_always": "Rejected always",
}


def answered_line(item: AskItem) -> str:
    """ "Allowed once · you · 14:32"."""
    ask = item.ask
    words = item.answer
    if item.answer == "cancelled":
        words = "Not answered"
    elif item.answer == "declined":
        words = "Declined"
    elif ask is not None:
        kinds = [option.kind for option in ask.options if option.name == item.answer]
        words = _PAST.get(kinds[0], item.answer) if kinds else item.answer
        if not ask.options and ask.fields:
            words = f"Answered: {item.answer}"
    # Nobody answered: that is nobody's doing, unless the agent did not wait.
    by = item.by if item.answer != "cancelled" or item.by == "agent" else ""
    parts = [words, _BY.get(by, by), clock(item.answered_at)]
    return " · ".join(part for part in parts if part)


def permission_title(kind: str, agent: str, outside: bool) -> str:
    who = agent or "The agent"
    if kind == "execute":
        return f"{who} asks to run a command"
    if kind in ("edit", "delete", "move"):
        verb = {"edit": "edit", "delete": "delete", "move": "move"}[kind]
        return f"{who} asks to {verb} a file" + (" outside the worktree" if outside else "")
    if kind == "read":
        return f"{who} asks to read a file" + (" outside the worktree" if outside else "")
    if kind == "fetch":
        return f"{who} asks to open a web page"
    if kind == "switch_mode":
        return f"{who} is done planning"
    return f"{who} asks for permission"


_STOPS = {
    "cancelled": "Stopped by you",
    "interrupted": "Interrupted",
    "error": "Stopped",
    "refusal": "Declined",
    "max_tokens": "Length limit",
    "max_turn_requests": "Step limit",
}


def footer_parts(footer: TurnFooter) -> list[str]:
    parts = [f"Turn {footer.turn}"]
    if footer.stop_reason in _STOPS:
        parts.append(_STOPS[footer.stop_reason])
    if footer.duration:
        parts.append(text.duration(footer.duration))
    return parts


def tokens_words(tokens: int) -> str:
    return f"{round(tokens / 1000)}k tokens" if tokens >= 10_000 else f"{text.count(tokens)} tokens"


CONVERSATION_KEYS = (
    ("J K", "Next, previous message"),
    ("] [", "Next, previous turn"),
    ("Return", "Open or fold"),
    ("O", "Show the file"),
    ("Y", "Copy"),
    ("End", "The latest"),
    ("Ctrl+F", "Find"),
    ("1…9", "Answer with this option"),
    ("A R", "Allow once, reject"),
    ("Ctrl+Return", "Send"),
    ("Alt+Return", "Stop the turn and send now"),
    ("Shift+Tab", "Next mode"),
    ("Alt+M Alt+E", "Choose the model, the effort"),
    ("Ctrl+U", "Attach files"),
)
"""For the list of keys, the composer's among them."""
