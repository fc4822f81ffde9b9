"""What names and expressions are, while a query is compiled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from posthog_code.demo.posthog.hogql.functions import AGGREGATES
from posthog_code.demo.posthog.hogql.tree import Between, Binary, Call, Case, Listing, Node, Unary

COLUMNS = {
    "uuid": "UUID",
    "event": "String",
    "timestamp": "DateTime",
    "created_at": "DateTime",
    "distinct_id": "String",
    "person_id": "UUID",
    "properties": "String",
    "$session_id": "String",
    "issue_id": "UUID",
}
"""Of the table events."""
STAR = ("uuid", "event", "properties", "timestamp", "distinct_id", "person_id")


@dataclass(frozen=True, slots=True)
class Sql:
    text: str
    type: str
    time: str | None = None
    """The value, for times that are constant."""
    constant: bool = False


@dataclass(slots=True)
class Scope:
    columns: Mapping[str, str]
    """Names with their types."""
    events: bool = False
    alias: str = ""
    given: dict[str, Node] = field(default_factory=dict)
    """Aliases of the SELECT."""
    opened: tuple[str, ...] = ()
    """Aliases that are being looked at."""


def aggregate_of(name: str) -> str:
    """The function that an aggregate stands for, "" for other functions."""
    base = name.removesuffix("If") if name not in ("if", "multiIf") else name
    base = {"countDistinct": "uniq", "uniqCombined": "uniq", "anyLast": "any", "COUNT": "count"}.get(base, base)
    return base if base in AGGREGATES or base == "quantile" else ""


def children(node: Node) -> tuple[Node, ...]:
    match node:
        case Call(_, arguments):
            return arguments
        case Binary(_, left, right):
            return (left, right)
        case Unary(_, value):
            return (value,)
        case Between(value, low, high, _):
            return (value, low, high)
        case Case(branches, otherwise):
            return (*(one for pair in branches for one in pair), otherwise)
        case Listing(items):
            return items
    return ()


def json_path(parts: tuple[str | int, ...]) -> str:
    """A place in JSON, as SQLite writes it."""
    steps = (f"[{part - 1}]" if isinstance(part, int) else f".{json.dumps(part)}" for part in parts)
    return "$" + "".join(steps)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
