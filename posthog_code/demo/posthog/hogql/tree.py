"""What a HogQL query consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Literal:
    value: Any
    """str, int, float, bool, None, or a list of them from a placeholder."""


@dataclass(frozen=True, slots=True)
class Name:
    parts: tuple[str | int, ...]
    """Numbers are places in an array, from 1."""


@dataclass(frozen=True, slots=True)
class Star:
    pass


@dataclass(frozen=True, slots=True)
class Interval:
    amount: int
    unit: str


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: tuple[Node, ...]
    parameters: tuple[Node, ...] = ()
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    """In lower case: or, and, =, !=, <, <=, >, >=, like, ilike, in (also with "not "), +, -, *, /, %, ||."""
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Unary:
    operator: str
    """not, -, is null, is not null."""
    value: Node


@dataclass(frozen=True, slots=True)
class Between:
    value: Node
    low: Node
    high: Node
    negated: bool


@dataclass(frozen=True, slots=True)
class Case:
    branches: tuple[tuple[Node, Node], ...]
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Listing:
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One column of a SELECT."""

    value: Node
    name: str
    """Alias, or the text of the expression."""
    aliased: bool


@dataclass(frozen=True, slots=True)
class Order:
    value: Node
    descending: bool


@dataclass(frozen=True, slots=True)
class Select:
    items: tuple[Item, ...]
    source: str | Select | None
    """Table, subquery, or nothing."""
    alias: str = ""
    distinct: bool = False
    where: Node | None = None
    groups: tuple[Node, ...] = ()
    having: Node | None = None
    orders: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
    unions: tuple[Select, ...] = ()
    """Further parts of a UNION ALL."""


@dataclass(frozen=True, slots=True)
class Subquery:
    select: Select


Node = Literal | Name | Star | Interval | Call | Binary | Unary | Between | Case | Listing | Subquery
