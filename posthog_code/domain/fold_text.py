"""Messages and thoughts of the agent: chunks become growing rows."""

from __future__ import annotations

from dataclasses import dataclass, field

from posthog_code.domain.fold_rows import Rows
from posthog_code.domain.transcript import AgentText, Thought

RESTART_LIMIT = 24
"""A message is taken for a second sending of an earlier one only when at least this many characters agree."""

_Text = AgentText | Thought
_TEXTS = (AgentText, Thought)
"""A tuple: making the union anew for each chunk costs more than the chunk."""


@dataclass(slots=True)
class _Again:
    """Text under a new message id that so far repeats a row: shown only once it says something else."""

    index: int
    expected: str
    message_id: str
    at: float
    got: int = 0
    parts: list[str] = field(default_factory=list)


class TextFold:
    """Each sub-agent (by the id of its call, "" for the agent itself) has a row of its own that grows."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._open: dict[str, int] = {}
        self._recent: dict[tuple[str, type[_Text]], int] = {}
        """The last row of each kind since anything else happened: what a second sending would repeat."""
        self._again: dict[str, _Again] = {}
        for index, item in enumerate(rows.transcript.items):
            if isinstance(item, _TEXTS) and item.open:
                self._open[item.parent_id] = index

    def chunk(self, kind: type[_Text], text: str, message_id: str, parent: str, at: float) -> None:
        """A piece of a message or thought."""
        if not text:
            return
        again = self._again.get(parent)
        if again is not None:
            same_kind = isinstance(self._rows.transcript.items[again.index], kind)
            if same_kind and message_id == again.message_id and self._repeats(parent, again, text):
                return
            if parent in self._again:
                self._settle(parent)
        index = self._open.get(parent)
        if index is not None:
            item = self._rows.transcript.items[index]
            assert isinstance(item, _TEXTS)
            if isinstance(item, kind) and not (message_id and item.message_id and message_id != item.message_id):
                item.parts.append(text)
                item.message_id = item.message_id or message_id
                self._rows.touch(index)
                return
            self.close(parent, at)
        if message_id and self._begins_again(kind, text, message_id, parent, at):
            return
        self._start(kind, text, message_id, parent, at)

    def whole(self, text: str, message_id: str, parent: str, at: float) -> None:
        """A merged message. The chunks that it was made of may have come before it."""
        self._settle(parent)
        index = self._recent.get((parent, AgentText))
        if index is not None:
            item = self._rows.transcript.items[index]
            if isinstance(item, AgentText) and text.startswith(item.text):
                if text != item.text:
                    item.text = text
                    self._rows.touch(index)
                self.close(parent, at)
                return
        self.close(parent, at)
        if text:
            self._start(AgentText, text, message_id, parent, at)
            self.close(parent, at)

    def close(self, parent: str, at: float) -> None:
        """Something else follows, or the message is over."""
        index = self._open.pop(parent, None)
        if index is None:
            return
        item = self._rows.transcript.items[index]
        if isinstance(item, _TEXTS):
            item.open = False
            if isinstance(item, Thought):
                item.ended_at = at
            self._rows.touch(index)

    def interrupt(self, parent: str, at: float) -> None:
        """Another kind of row follows: what comes then is new text, not a second sending."""
        self._settle(parent)
        self.close(parent, at)
        self._recent.pop((parent, AgentText), None)
        self._recent.pop((parent, Thought), None)

    def interrupt_all(self, at: float) -> None:
        for parent in {*self._open, *self._again, *(parent for parent, _ in self._recent)}:
            self.interrupt(parent, at)

    def _start(self, kind: type[_Text], text: str, message_id: str, parent: str, at: float) -> None:
        rows = self._rows
        prefix = "a" if kind is AgentText else "t"
        index = rows.add(kind(key=rows.key(prefix), at=at, text=text, message_id=message_id, parent_id=parent))
        self._open[parent] = index
        self._recent[(parent, kind)] = index

    def _begins_again(self, kind: type[_Text], text: str, message_id: str, parent: str, at: float) -> bool:
        index = self._recent.get((parent, kind))
        if index is None:
            return False
        earlier = self._rows.transcript.items[index]
        if not isinstance(earlier, kind) or not earlier.message_id or earlier.message_id == message_id:
            return False
        if len(earlier.text) < RESTART_LIMIT:
            return False
        again = _Again(index, earlier.text, message_id, at)
        self._again[parent] = again
        if self._repeats(parent, again, text):
            return True
        del self._again[parent]
        return False

    def _repeats(self, parent: str, again: _Again, text: str) -> bool:
        """Take a piece if it goes on repeating the earlier row; once past its end, the row grows again."""
        rest = len(again.expected) - again.got
        if len(text) < rest:
            if not again.expected.startswith(text, again.got):
                return False
            again.got += len(text)
            again.parts.append(text)
            return True
        if again.expected[again.got :] != text[:rest]:
            return False
        item = self._rows.transcript.items[again.index]
        assert isinstance(item, _TEXTS)
        item.message_id = again.message_id
        item.open = True
        if len(text) > rest:
            item.parts.append(text[rest:])
        self._open[parent] = again.index
        del self._again[parent]
        self._rows.touch(again.index)
        return True

    def _settle(self, parent: str) -> None:
        """A second sending that did not become one is a message of its own."""
        again = self._again.pop(parent, None)
        if again is None or not again.parts:
            return
        kind = AgentText if isinstance(self._rows.transcript.items[again.index], AgentText) else Thought
        self._start(kind, "".join(again.parts), again.message_id, parent, again.at)
