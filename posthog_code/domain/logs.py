"""Lines of a task's log: what happened besides the conversation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LogSource(StrEnum):
    AGENT = "agent"
    """ACP frames and the life of the agent's process."""
    TOOLS = "tools"
    """Tool calls, derived from the frames."""
    GIT = "git"
    SETUP = "setup"
    STDERR = "stderr"
    NETWORK = "network"


@dataclass(frozen=True, slots=True)
class LogLine:
    at: float
    """UNIX time, s."""
    source: LogSource
    text: str
    """One line."""
    level: str = "info"
    """info, warning or error."""
    data: str = ""
    """The raw frame or details as JSON text; "" for none."""
