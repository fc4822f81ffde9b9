"""The rows of a conversation for the virtual list."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from posthog_code.domain.task import TaskPhase
from posthog_code.domain.transcript import AgentText, Notice, Plan, Thought, ToolCall, UserMessage
from posthog_code.ui.kit.virtual_list import VirtualList
from posthog_code.ui.panels.conversation import words
from posthog_code.ui.panels.conversation.blocks import Block, Blocks, Change
from posthog_code.ui.panels.conversation.row_base import GAP, Row
from posthog_code.ui.panels.conversation.row_cards import FooterRow, LineRow, PlanRow, SkeletonRow, WorkingRow
from posthog_code.ui.panels.conversation.row_message import ThoughtRow, UserRow
from posthog_code.ui.panels.conversation.row_notice import NoticeRow, SetupRow
from posthog_code.ui.panels.conversation.row_permission import PermissionRow
from posthog_code.ui.panels.conversation.row_prompt import PromptRow
from posthog_code.ui.panels.conversation.row_question import QuestionRow
from posthog_code.ui.panels.conversation.row_text import TextRow
from posthog_code.ui.panels.conversation.row_tools import ToolsRow, stops
from posthog_code.ui.panels.conversation.tool_lines import FOLD_OVER, tool_lines
from posthog_code.ui.panels.conversation.view_state import ViewState

ROWS: dict[str, type[Row]] = {
    "user": UserRow,
    "text": TextRow,
    "thought": ThoughtRow,
    "tools": ToolsRow,
    "plan": PlanRow,
    "permission": PermissionRow,
    "question": QuestionRow,
    "answered": LineRow,
    "line": LineRow,
    "footer": FooterRow,
    "notice": NoticeRow,
    "prompt": PromptRow,
    "setup": SetupRow,
    "working": WorkingRow,
    "skeleton": SkeletonRow,
}


_TEXT_KINDS = frozenset({"text", "user", "notice"})


class ConversationSource:
    """The blocks of the transcript, and the rows round them that come from the task: set-up, working, loading."""

    def __init__(self, view: ViewState) -> None:
        self.view = view
        self.blocks = Blocks()
        self.before: list[Block] = []
        """The prompt and the set-up card of a task whose agent has not been told anything yet."""
        self.after: list[Block] = []
        self._rev = 0

    # -- what the list asks

    def count(self) -> int:
        return len(self.before) + len(self.blocks.rows) + len(self.after)

    def block(self, row: int) -> Block:
        row -= len(self.before)
        if row < 0:
            return self.before[row]
        rows = self.blocks.rows
        return rows[row] if row < len(rows) else self.after[row - len(rows)]

    def key(self, row: int) -> str:
        return self.block(row).key

    def kind(self, row: int) -> str:
        return self.block(row).kind

    def estimate(self, row: int, width: int) -> int:
        block = self.block(row)
        if block.kind in _TEXT_KINDS:
            text = getattr(self.view.transcript.items[block.first], "text", "")
            lines = max(text.count("\n") + 1, len(text) * 7 // max(1, width))
            return lines * 21 + (GAP if block.kind == "text" else 44 + GAP)
        if block.kind == "tools":
            calls = block.last - block.first + 1
            return (28 if calls > FOLD_OVER else 28 * calls) + 2 + GAP
        if block.kind == "plan":
            item = self.view.transcript.items[block.first]
            return 54 + 23 * len(item.entries) + GAP if isinstance(item, Plan) else 100
        if block.kind in ("permission", "question", "setup"):
            return 220
        return 20 + GAP

    def create(self, kind: str) -> QWidget:
        return ROWS[kind](self.view)

    def bind(self, widget: QWidget, row: int, width: int) -> int:
        assert isinstance(widget, Row)
        return widget.show_block(self.block(row), width)

    # -- keeping up

    def restart(self) -> None:
        """Another transcript: build everything anew."""
        self.blocks = Blocks()
        self.blocks.update(self.view.transcript, 0)
        self._rev = self.view.transcript.rev
        self.before, self.after = self._before(), self._after()

    def follow(self, view: VirtualList) -> int:
        """Tell the list what the transcript and the task changed since the last call; gives the number of new rows."""
        first = self.view.transcript.changed_since(self._rev)
        self._rev = self.view.transcript.rev
        added = self._follow_edges(view)
        if first is not None:
            change = self.blocks.update(self.view.transcript, first)
            self._tell(view, change, len(self.before))
            added += change.inserted
            self._retire_notices(view, change)
        return added

    def _retire_notices(self, view: VirtualList, change: Change) -> None:
        """The buttons of a notice go once another turn has begun."""
        new = self.blocks.rows[change.at : change.at + change.inserted]
        if any(block.kind == "user" for block in new):
            for row in range(max(0, change.at - 6), change.at):
                if self.blocks.rows[row].kind == "notice":
                    view.rows_changed(len(self.before) + row, len(self.before) + row)

    @staticmethod
    def _tell(view: VirtualList, change: Change, offset: int) -> None:
        if change.removed:
            view.rows_removed(offset + change.at, change.removed)
        if change.inserted:
            view.rows_inserted(offset + change.at, change.inserted)
        for row in change.changed:
            view.rows_changed(offset + row, offset + row)

    def _follow_edges(self, view: VirtualList) -> int:
        before, after = self._before(), self._after()
        added = 0
        if [block.key for block in before] != [block.key for block in self.before]:
            old, self.before = len(self.before), before
            view.rows_removed(0, old)
            view.rows_inserted(0, len(before))
        elif before:
            self.before = before
            view.rows_changed(0, len(before) - 1)
        if [block.key for block in after] != [block.key for block in self.after]:
            at = len(self.before) + len(self.blocks.rows)
            old, self.after = len(self.after), after
            view.rows_removed(at, old)
            view.rows_inserted(at, len(after))
        elif after:
            last = self.count() - 1
            view.rows_changed(last, last)
        return added

    def _task_blocks(self) -> tuple[bool, bool]:
        """Whether the prompt and whether the set-up card are shown."""
        state, task_id = self.view.ctx.state, self.view.task_id
        task = state.tasks.get(task_id) if task_id else None
        if task is None:
            return False, False
        told = any(isinstance(item, UserMessage) for item in self.view.transcript.items[:20])
        setting_up = task.phase in (TaskPhase.SETTING_UP, TaskPhase.SETUP_FAILED)
        return not told and bool(task.prompt), setting_up

    def _before(self) -> list[Block]:
        prompt, setup = self._task_blocks()
        blocks = [Block("prompt", "prompt", 0, 0)] if prompt else []
        return [*blocks, Block("setup", "setup", 0, 0)] if setup else blocks

    def _after(self) -> list[Block]:
        return [Block("working", "working", 0, 0)] if self._is_quiet() else []

    def _is_quiet(self) -> bool:
        """The agent is busy, and nothing on the screen shows it."""
        state, task_id = self.view.ctx.state, self.view.task_id
        session = state.session_of(task_id) if task_id else None
        if session is None:
            return False
        if session.phase.value in ("starting", "cancelling"):
            return True
        if session.phase.value != "working":
            return False
        items = self.view.transcript.items
        last = items[-1] if items else None
        if isinstance(last, AgentText | Thought) and last.open and last.text.strip():
            return False
        return not (isinstance(last, ToolCall) and last.status not in words.SETTLED)

    # -- moving with keys

    def stops_of(self, row: int) -> list[str]:
        """The keys in a row that J and K stop at."""
        block = self.block(row)
        if block.kind == "tools":
            items = self.view.transcript.items[block.first : block.last + 1]
            found = stops(tool_lines(items, block.key, self.view.opened, frozenset()))
            return found or [block.key]
        if block.kind in ("footer", "working", "skeleton", "answered"):
            return []
        return [block.key]

    def row_of(self, key: str) -> int:
        """The row that has a key, or holds the call of that key; -1 for none."""
        for row in range(self.count() - 1, -1, -1):
            block = self.block(row)
            if block.key == key:
                return row
            if block.kind == "tools" and any(
                item.key == key for item in self.view.transcript.items[block.first : block.last + 1]
            ):
                return row
        return -1

    def text_of(self, row: int) -> str:
        """What *find* searches in a row."""
        block = self.block(row)
        if block.kind in ("prompt", "setup", "working", "skeleton"):
            return ""
        parts: list[str] = []
        for item in self.view.transcript.items[block.first : block.last + 1]:
            if isinstance(item, AgentText | Thought | UserMessage):
                parts.append(item.text)
            elif isinstance(item, ToolCall):
                parts += [item.title, item.command, *item.paths, item.output]
            elif isinstance(item, Notice):
                parts += [item.title, item.text]
            elif isinstance(item, Plan):
                parts += [entry.text for entry in item.entries]
        return "\n".join(parts)
