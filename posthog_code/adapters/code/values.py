"""What an expression stands for, as far as it matters: a client of PostHog, a name, or a way to one of them."""

from __future__ import annotations

from dataclasses import dataclass

from tree_sitter import Node

from posthog_code.domain.code_use import UseKind, Wrapper


class Unit:
    """A file that values come from."""

    path: str


@dataclass(frozen=True, slots=True)
class Client:
    """A client of PostHog, or its package used as one."""


@dataclass(frozen=True, slots=True)
class Maker:
    """A class or hook that gives a client when it is called."""


@dataclass(frozen=True, slots=True)
class Api:
    """A function of the library: a client's method, a hook, a component."""

    name: str


@dataclass(frozen=True, slots=True)
class Text:
    """A string that is known."""

    text: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument of a function of this file."""

    function: Node
    index: int
    name: str
    key: str = ""
    """The property of it that is meant, when an object is taken apart."""
    type: str = ""
    """As written, without the package's name of PostHog itself."""


@dataclass(frozen=True, slots=True)
class Function:
    module: Unit
    node: Node


@dataclass(frozen=True, slots=True)
class Struct:
    """A class, an enumeration, an object or a Ruby module: something with members."""

    module: Unit
    node: Node
    instance: bool = False


@dataclass(frozen=True, slots=True)
class Space:
    """A file as a namespace."""

    module: Unit


@dataclass(frozen=True, slots=True)
class Other:
    """Something that certainly has nothing to do with PostHog."""


Value = Client | Maker | Api | Text | Parameter | Function | Struct | Space | Other


@dataclass(slots=True)
class Found:
    """One use, before it is put in words of the domain."""

    kind: UseKind
    method: str
    site: Node
    name: Value | None = None
    nameless: bool = False
    """There is no name to give: exceptions, identify, all flags."""
    properties: tuple[str, ...] = ()
    variant: str = ""
    via: str = ""
    subject: Value | None = None
    """What is sent, where it is no name: the exception."""
    depth: int = 0
    """How many wrappers it goes through."""


@dataclass(frozen=True, slots=True)
class Forward:
    """What a call of a wrapper does."""

    kind: UseKind
    wrapper: Wrapper
    parameter: str = ""
    key: str = ""
    fixed: str | None = None
    """The name it always sends."""
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Named:
    """How a function is called by others."""

    token: str
    qualified: str
    exported: bool = True
