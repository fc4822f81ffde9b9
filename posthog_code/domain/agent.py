"""Agents as data: how one is found, started and spoken to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class AgentStatus(StrEnum):
    READY = "ready"
    NOT_INSTALLED = "not_installed"
    SIGNED_OUT = "signed_out"
    """Installed, and a sure sign says that it has no credentials."""


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """One entry of the catalogue (a TOML file)."""

    id: str
    name: str
    letter: str
    """One letter for its tile."""
    command: tuple[str, ...]
    """Program and arguments; the program is looked up on PATH."""
    version_command: tuple[str, ...] = ()
    install: str = ""
    """The exact line that installs it."""
    sign_in: str = ""
    """What to do to sign in, as a line to run or a sentence."""
    signed_in_files: tuple[str, ...] = ()
    """Files (with ~) any of which tells that somebody signed in."""
    signed_in_env: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    """Variables set for the process, besides the person's own environment."""
    offers_fs: bool = False
    """Whether it needs the client's fs/* methods (offering them breaks some agents)."""
    offers_terminal: bool = False
    modes: tuple[tuple[str, str], ...] = ()
    """Known modes (id, name) shown before a session has told its own."""
    default_mode: str = ""
    homepage: str = ""


@dataclass(frozen=True, slots=True)
class AgentInfo:
    """A catalogue entry and what this machine has of it."""

    spec: AgentSpec
    status: AgentStatus
    path: str = ""
    version: str = ""
    reason: str = ""


def usual_agent(found: Sequence[AgentInfo], wanted: str) -> str:
    """The wanted one when it is there, else the first that is ready, else the first that is installed, else ""."""
    usable = [info for info in found if info.status is not AgentStatus.NOT_INSTALLED]
    if not found or any(info.spec.id == wanted for info in usable):
        return wanted
    ready = [info for info in usable if info.status is AgentStatus.READY]
    return next((info.spec.id for info in [*ready, *usable]), "")
