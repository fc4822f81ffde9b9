"""What the commands print: lines for people, JSON for programs."""

from __future__ import annotations

import dataclasses
import enum
import json
import os
import sys
from typing import Any

from posthog_code.domain.errors import Offline, UserError


def plain(value: Any) -> Any:
    """Dataclasses and enums as what JSON knows."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, enum.Enum):
        return value.value
    return value


def printable(text: str) -> str:
    """The text without what moves a terminal's cursor or turns its words around: much of it was written elsewhere."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t\u200d" else " " for c in text)


def for_a_command(error: UserError) -> UserError:
    """A command ends with its error: nothing is tried again after it, as it is while the window is open."""
    if not isinstance(error, Offline) or "tried again" not in error.hint:
        return error
    server = "GitHub" if "github" in error.title.lower() else "the server"
    return Offline(error.title, f"Run it again when {server} can be reached.", error.detail)


class Output:
    """Standard output in one of two languages. A closed pipe ends the output, not the work."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def data(self, value: Any) -> None:
        """One JSON document a line; nothing for people."""
        if self.as_json:
            self._write(json.dumps(plain(value)) + "\n")

    def text(self, line: str = "", end: str = "\n") -> None:
        """For people only."""
        if not self.as_json:
            self._write(printable(line) + end)

    def warning(self, line: str) -> None:
        """For people, whatever the language: standard error."""
        sys.stderr.write(printable(line) + "\n")

    def raw(self, data: bytes) -> None:
        try:
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            _quiet_pipe()

    def error(self, error: UserError) -> None:
        if self.as_json:
            value = {"error": error.code, "title": error.title, "hint": error.hint, "detail": error.detail}
            self._write(json.dumps(value) + "\n")
        lines = [error.title, *([error.hint] if error.hint else [])]
        if error.detail:
            lines += ["", *error.detail.strip().splitlines()[-20:]]
        sys.stderr.write(printable("\n".join(lines)) + "\n")

    def _write(self, text: str) -> None:
        try:
            sys.stdout.write(text.encode(errors="backslashreplace").decode())
            sys.stdout.flush()
        except BrokenPipeError:
            _quiet_pipe()


def _quiet_pipe() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
