"""What is said of an agent that ended or could not be started."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

from posthog_code.domain.agent import AgentSpec
from posthog_code.domain.errors import AgentFailed


def exit_words(agent: AgentSpec, code: int, *, opened: bool, detail: str) -> AgentFailed:
    """For a process that ended by itself; `detail` is the end of its error output."""
    how = f"with exit code {code}"
    if code < 0:
        try:
            how = f"by {signal.Signals(-code).name}"
        except ValueError:
            how = f"by signal {-code}"
    if opened:
        return AgentFailed(
            f"{agent.name} ended {how}.", "Continue to start it again; the conversation is kept.", detail
        )
    hint = "Check its command in the settings; the details hold its last words."
    if agent.install:
        hint += f" To install it again: {agent.install}"
    return AgentFailed(f"{agent.name} ended {how} before it was ready.", hint, detail)


def start_words(agent: AgentSpec, command: Sequence[str], cwd: Path, error: OSError | None = None) -> AgentFailed:
    """For a program that could not be started."""
    if not cwd.is_dir():
        return AgentFailed(f"The folder {cwd} is not there, so {agent.name} cannot work in it.", "", str(error or ""))
    program = command[0] if command else ""
    hint = f"Install it: {agent.install}" if agent.install else "Check its command in the settings."
    if error is None or isinstance(error, FileNotFoundError):
        return AgentFailed(f"{agent.name} is not installed: {program or 'no command'} was not found.", hint, "")
    return AgentFailed(f"{agent.name} could not be started: {error.strerror or error}.", hint, " ".join(command))
