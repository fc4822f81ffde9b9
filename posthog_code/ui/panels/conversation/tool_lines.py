"""The lines of a list of tool calls: which are folded, which are open, and what is below an open one."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field

from posthog_code.domain.ansi import plain
from posthog_code.domain.transcript import AgentText, AskItem, Item, Thought, ToolCall
from posthog_code.ui.panels.conversation import inline_diff, words
from posthog_code.ui.panels.conversation.inline_diff import DiffLine

FOLD_OVER = 6
"""More settled calls than this fold to one line."""
OUTPUT_LINES = 12
MAX_OUTPUT_LINES = 4000


@dataclass(slots=True)
class Line:
    """One line, or one block of output below a call."""

    kind: str
    """summary, call, answered, said, output, diff or more."""
    key: str
    """Of the item that it belongs to; "" where nothing happens on Enter."""
    call: ToolCall | None = None
    text: str = ""
    nested: bool = False
    children: int = 0
    opened: bool = False
    output: list[str] = field(default_factory=list)
    diff: list[DiffLine] = field(default_factory=list)
    path: str = ""


def tool_lines(items: Sequence[Item], group_key: str, opened: Container[str], whole: Container[str]) -> list[Line]:
    """The lines of a group. `opened` has the keys of open calls and groups, `whole` those with all of their output."""
    calls = {item.call_id: item for item in items if isinstance(item, ToolCall)}
    children: dict[str, list[Item]] = {}
    top: list[Item] = []
    for item in items:
        parent = getattr(item, "parent_id", "")
        if parent and parent in calls and calls[parent] is not item:
            children.setdefault(parent, []).append(item)
        else:
            top.append(item)
    lines: list[Line] = []
    settled = [item for item in top if isinstance(item, ToolCall) and item.status in words.SETTLED]
    folds = len(settled) > FOLD_OVER
    if folds:
        every = [item for item in items if isinstance(item, ToolCall) and item.status in words.SETTLED]
        lines.append(Line("summary", group_key, text=words.summary_of(every), opened=group_key in opened))
    hidden = folds and group_key not in opened
    for item in top:
        if isinstance(item, ToolCall):
            if not (hidden and item.status in words.SETTLED):
                lines += _call_lines(item, children.get(item.call_id, []), opened, whole)
        elif hidden:
            continue
        elif isinstance(item, AskItem):
            lines.append(Line("answered", "", text=words.answered_line(item)))
        elif isinstance(item, AgentText | Thought) and item.text.strip():
            lines.append(Line("said", "", text=" ".join(item.text.split()), nested=True))
    return lines


def _call_lines(call: ToolCall, children: list[Item], opened: Container[str], whole: Container[str]) -> list[Line]:
    inner = [item for item in children if isinstance(item, ToolCall)]
    is_open = call.key in opened
    lines = [Line("call", call.key, call, children=len(inner), opened=is_open)]
    if not is_open:
        return lines
    for child in children:
        if isinstance(child, ToolCall):
            lines.append(Line("call", child.key, child, nested=True, opened=child.key in opened))
            if child.key in opened:
                lines += _details(child, whole)
        elif isinstance(child, AgentText | Thought) and child.text.strip():
            lines.append(Line("said", "", text=" ".join(child.text.split()), nested=True))
    if inner and not call.output.strip() and not call.diffs:
        return lines
    return lines + _details(call, whole)


def _details(call: ToolCall, whole: Container[str]) -> list[Line]:
    lines: list[Line] = []
    if "\n" in call.command:
        lines.append(Line("output", "", call, output=call.command.split("\n")))
    for diff in call.diffs:
        lines.append(Line("diff", "", call, diff=inline_diff.diff_lines(diff), path=diff.path))
    if call.output.strip() and not (call.diffs and call.status != "failed"):
        output = plain(call.output).rstrip("\n").split("\n")[-MAX_OUTPUT_LINES:]
        shown = output if call.key in whole else output[-OUTPUT_LINES:]
        lines.append(Line("output", "", call, output=shown))
        if len(shown) < len(output):
            lines.append(Line("more", call.key, call, text=f"Show all {len(output):,} lines"))
        elif call.output_cut:
            lines.append(Line("said", "", call, text="The beginning was left out. The log has everything."))
    elif not lines and not call.diffs:
        words_ = "No output" if call.status in words.SETTLED else "Waiting for output"
        lines.append(Line("said", "", call, text=words_))
    return lines
