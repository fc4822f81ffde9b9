"""Finds words in the rows of a conversation."""

from __future__ import annotations

from posthog_code.ui.panels.conversation.find_bar import FindBar
from posthog_code.ui.panels.conversation.stream import StreamView


class Finder:
    """Connects the find bar with the stream; the newest match comes first."""

    def __init__(self, bar: FindBar, stream: StreamView) -> None:
        self._bar, self._stream = bar, stream
        self._matches: list[int] = []
        self._at = 0

    def clear(self) -> None:
        self._matches = []
        self._stream.view.query = self._stream.view.found = ""
        self._stream.update_rows()

    def find(self, query: str) -> None:
        needle = query.strip().lower()
        source = self._stream.source
        self._stream.view.query, self._stream.view.found = needle, ""
        rows = range(source.count()) if needle else ()
        self._matches = [row for row in rows if needle in source.text_of(row).lower()]
        self._at = len(self._matches) - 1
        self._show()

    def step(self, by: int) -> None:
        if self._matches:
            self._at = (self._at + by) % len(self._matches)
            self._show()

    def _show(self) -> None:
        total = len(self._matches)
        self._bar.show_count(self._at + 1, total)
        if total and self._matches[self._at] < self._stream.source.count():
            row = self._matches[self._at]
            self._stream.view.found = self._stream.source.key(row)
            self._stream.scroll_to_row(row, 60)
        self._stream.update_rows()
