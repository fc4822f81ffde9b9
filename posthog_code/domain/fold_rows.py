"""The transcript under the fold's hands: adds and touches rows, and remembers the first one that changed."""

from __future__ import annotations

from posthog_code.domain.transcript import Item, Transcript


class Rows:
    def __init__(self, transcript: Transcript) -> None:
        self.transcript = transcript
        self.first: int | None = None
        """Index of the first row changed since `take`."""

    def add(self, item: Item) -> int:
        index = len(self.transcript.items)
        self.transcript.items.append(item)
        if self.first is None:
            self.first = index
        return index

    def touch(self, index: int) -> None:
        self.transcript.items[index].rev += 1
        if self.first is None or index < self.first:
            self.first = index

    def key(self, prefix: str) -> str:
        """Rows are never removed, so their place names them."""
        return f"{prefix}{len(self.transcript.items)}"

    def take(self) -> int | None:
        """The first row changed since the last call."""
        first, self.first = self.first, None
        if first is not None:
            self.transcript.rev += 1
            self.transcript.changes.append((self.transcript.rev, first))
        return first
