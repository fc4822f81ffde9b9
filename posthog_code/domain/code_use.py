"""Uses of product analytics in code, and the places where people and machines enter it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class UseKind(StrEnum):
    EVENT = "event"
    """A capture call."""
    FLAG = "flag"
    """A flag is checked, or its variant or payload read."""
    ERROR = "error"
    """An exception is captured."""
    IDENTIFY = "identify"
    INIT = "init"
    """The client is made."""


@dataclass(frozen=True, slots=True)
class CodeUse:
    kind: UseKind
    name: str
    """Event name or flag key; "" when it is not a literal (`dynamic`)."""
    path: str
    line: int
    """From 1: the line of the call."""
    end_line: int
    method: str = ""
    """As called: capture, isFeatureEnabled, get_feature_flag_payload, …"""
    dynamic: bool = False
    properties: tuple[str, ...] = ()
    """Literal property names of an event."""
    variant: str = ""
    """The variant that a flag is compared with, when the code says so."""
    via: str = ""
    """`path:line` of the wrapper's definition when the call goes through one."""


class EntryKind(StrEnum):
    ROUTE = "route"
    HANDLER = "handler"
    """A webhook, message or command handler."""
    JOB = "job"
    ACTION = "action"
    """What a person does in the user interface (onClick, onSubmit, server action)."""
    ERROR_PATH = "error_path"
    """A catch, except, rescue, or `if err != nil` that ends the work."""


@dataclass(frozen=True, slots=True)
class EntryPoint:
    kind: EntryKind
    name: str
    path: str
    line: int
    end_line: int


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A function that sends its own argument on as an event name or flag key."""

    kind: UseKind
    name: str
    """Function name; "Class.method" for methods."""
    path: str
    line: int
    argument: int
    """Position of the name among the arguments, from 0; -1 when it takes none."""
    exported: bool = True
    fixed: str = ""
    """The name that it always sends, whatever its arguments are."""


@dataclass(frozen=True, slots=True)
class FileUses:
    """What one file holds. Raised nothing: a file that cannot be parsed has `problem` set."""

    path: str
    language: str = ""
    """javascript, typescript, tsx, python, go or ruby; "" for files we do not read."""
    uses: tuple[CodeUse, ...] = ()
    entries: tuple[EntryPoint, ...] = ()
    wrappers: tuple[Wrapper, ...] = ()
    problem: str = ""
    """Why it is incomplete: too large, not text, syntax errors (what could be read is here all the same)."""
