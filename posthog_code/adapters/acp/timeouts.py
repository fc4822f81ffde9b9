"""How long an agent is waited for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds."""

    initialize: float = 60.0
    session: float = 120.0
    """session/new, load and resume: they may start MCP servers and other programs."""
    setting: float = 30.0
    cancel: float = 10.0
    """From session/cancel to the end of the process group."""
    session_close: float = 1.0
    stdin: float = 0.5
    """From the end of its input to TERM."""
    terminate: float = 2.0
    """From TERM to KILL."""
    output_end: float = 2.0
    """From the end of its output to the end of a process that lives on."""
