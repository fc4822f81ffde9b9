"""From a transcript's items to the rows that are shown: tool calls that follow each other share one row."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from posthog_code.domain.session import AskKind
from posthog_code.domain.transcript import (
    AgentText,
    AskItem,
    Item,
    Notice,
    Plan,
    Thought,
    ToolCall,
    Transcript,
    TurnFooter,
    UserMessage,
)

_TEXTS = (AgentText, Thought)


@dataclass(slots=True)
class Block:
    """One row: the items first to last (inclusive) of the transcript."""

    key: str
    kind: str
    """user, text, thought, tools, plan, permission, question, answered, footer, notice, line, setup, working."""
    first: int
    last: int
    stamp: int = 0
    """Changes whenever one of its items does."""


@dataclass(frozen=True, slots=True)
class Change:
    """How the rows differ from before."""

    at: int
    removed: int
    inserted: int
    changed: tuple[int, ...] = ()
    """Rows before `at` and after the inserted ones that show something else."""


class Blocks:
    """The rows of one transcript, kept up to date from the first changed item on."""

    def __init__(self) -> None:
        self.rows: list[Block] = []
        self._firsts: list[int] = []
        self._parents: set[str] = set()

    def update(self, transcript: Transcript, first: int) -> Change:
        """Build the rows anew from item `first` on and say what that changed."""
        at = max(0, bisect_right(self._firsts, first) - 1)
        # The row before may take the changed item in (a permission that is answered joins the calls before it).
        at = max(0, at - 1)
        start = self.rows[at].first if at < len(self.rows) else 0
        if not self.rows:
            at = start = 0
        old = self.rows[at:]
        new = self._build(transcript, start)
        self.rows[at:] = new
        self._firsts[at:] = [block.first for block in new]
        return _difference(at, old, new)

    def row_of_item(self, index: int) -> int:
        """The row that shows an item, or the one before it."""
        return max(0, bisect_right(self._firsts, index) - 1)

    def _build(self, transcript: Transcript, start: int) -> list[Block]:
        items = transcript.items
        blocks: list[Block] = []
        index, count = start, len(items)
        while index < count:
            item = items[index]
            if isinstance(item, ToolCall) or (isinstance(item, _TEXTS) and item.parent_id):
                last, stamp = self._group_end(items, index)
                blocks.append(Block(f"g{item.key}", "tools", index, last, stamp))
                index = last + 1
                continue
            kind = kind_of(item)
            if kind:
                blocks.append(Block(item.key, kind, index, index, item.rev))
            index += 1
        return blocks

    @staticmethod
    def _group_end(items: list[Item], start: int) -> tuple[int, int]:
        """The last item of a run of tool calls, with what belongs to it, and the run's stamp."""
        last, stamp, index = start, 0, start
        while index < len(items):
            item = items[index]
            joins = isinstance(item, ToolCall) or _is_nested(item) or _is_settled_permission(item)
            if not joins and kind_of(item):
                break
            if joins:
                last = index
            stamp += item.rev + 1
            index += 1
        return last, stamp


def kind_of(item: Item) -> str:
    """The kind of row that a single item makes; "" for one that shows nothing."""
    match item:
        case AgentText():
            return "text" if item.text and not item.text.isspace() else ""
        case Thought():
            return "thought" if item.text and not item.text.isspace() else ""
        case UserMessage():
            return "user"
        case TurnFooter():
            return "footer"
        case Plan():
            return "plan" if item.entries else ""
        case AskItem():
            if item.answer or item.ask is None:
                return "answered"
            return "permission" if item.ask.kind is AskKind.PERMISSION else "question"
        case Notice():
            return "line" if item.level == "info" and not item.actions else "notice"
        case _:
            return ""


def _is_nested(item: Item) -> bool:
    return isinstance(item, _TEXTS) and bool(item.parent_id)


def _is_settled_permission(item: Item) -> bool:
    return (
        isinstance(item, AskItem) and bool(item.answer) and item.ask is not None and item.ask.kind is AskKind.PERMISSION
    )


def _difference(at: int, old: list[Block], new: list[Block]) -> Change:
    head = 0
    while head < len(old) and head < len(new) and _same(old[head], new[head]):
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and _same(old[-1 - tail], new[-1 - tail]):
        tail += 1
    changed = [at + i for i in range(head) if old[i] != new[i]]
    shift = len(new) - len(old)
    for i in range(len(old) - tail, len(old)):
        if old[i].stamp != new[i + shift].stamp:
            changed.append(at + i + shift)
    return Change(at + head, len(old) - head - tail, len(new) - head - tail, tuple(changed))


def _same(one: Block, other: Block) -> bool:
    return one.key == other.key and one.kind == other.kind
