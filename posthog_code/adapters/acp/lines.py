"""Bytes from a pipe, as lines of any length."""

from __future__ import annotations

LINE_LIMIT = 64 * 1024 * 1024
"""Bytes. A longer line is left out, so that a broken agent cannot fill the memory."""


class LineSplitter:
    """Cuts a stream of bytes into lines without their ends; costs no more than the bytes it is given.

    A line beyond `limit` bytes is dropped up to its end; `dropped` then holds its beginning until it is taken.
    """

    def __init__(self, limit: int = LINE_LIMIT, keep: int = 2_000) -> None:
        self.limit = limit
        self.keep = keep
        self.dropped: list[bytes] = []
        self._parts: list[bytes] = []
        self._size = 0
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are complete now, in order; empty ones are left out."""
        first, *rest = data.split(b"\n")
        self._add(first)
        lines: list[bytes] = []
        for part in rest:
            self._end(lines)
            self._add(part)
        return lines

    def finish(self) -> list[bytes]:
        """What is left at the end of the stream: a last line without its end."""
        lines: list[bytes] = []
        self._end(lines)
        return lines

    def _add(self, part: bytes) -> None:
        if self._skipping or not part:
            return
        self._parts.append(part)
        self._size += len(part)
        if self._size > self.limit:
            self.dropped.append(b"".join(self._parts[:64])[: self.keep])
            self._parts.clear()
            self._size = 0
            self._skipping = True

    def _end(self, lines: list[bytes]) -> None:
        if self._parts:
            line = b"".join(self._parts) if len(self._parts) > 1 else self._parts[0]
            self._parts.clear()
            self._size = 0
            if line := line.rstrip():
                lines.append(line)
        self._skipping = False
