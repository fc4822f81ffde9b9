"""The places where people and machines enter code, by what the file is called and what is in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tree_sitter import Node

from posthog_code.domain.code_use import EntryKind, EntryPoint

if TYPE_CHECKING:
    from posthog_code.adapters.code.module import Module

_TEST = re.compile(
    r"(?:^|/)(?:tests?|__tests__|__mocks__|spec|e2e|fixtures)/|(?:^|/)test_[^/]*$|(?:^|/)conftest\.py$"
    r"|[._-](?:test|spec|stories)\.[^/]*$|\.d\.ts$"
)
_JOBS = frozenset({"jobs", "cron", "crons", "workers"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A place by its node; its lines are the node's."""

    kind: EntryKind
    name: str
    node: Node


def role_of(path: str) -> EntryKind | None:
    """What the public functions of a file are, as far as its name says."""
    *folders, name = path.lower().split("/")
    stem = name.split(".")[0]
    if stem == "route":
        return EntryKind.ROUTE
    if "webhook" in stem or "handler" in stem:
        return EntryKind.HANDLER
    if _JOBS & set(folders) and stem not in ("__init__", "index"):
        return EntryKind.JOB
    return None


def entries_of(module: Module, found: Iterable[Entry]) -> tuple[EntryPoint, ...]:
    """In the order of lines, each function once: the first kind that is found for it."""
    points: dict[tuple[int, int], EntryPoint] = {}
    for entry in found:
        line, end = entry.node.start_point.row + 1, entry.node.end_point.row + 1
        key = (entry.node.start_byte, entry.node.end_byte)
        points.setdefault(key, EntryPoint(entry.kind, entry.name, module.path, line, end))
    return tuple(sorted(points.values(), key=lambda point: (point.line, point.end_line, point.kind)))


def is_test(path: str) -> bool:
    """Tests are no way into the product."""
    return _TEST.search(path) is not None or path.endswith(("_test.go", "_spec.rb"))


def all_entries(module: Module, find: Callable[[Module], Iterable[Entry]]) -> tuple[EntryPoint, ...]:
    """() for tests, and for what could not be parsed."""
    if is_test(module.path) or module.root is None:
        return ()
    return entries_of(module, find(module))


def within(module: Module, node: Node, what: str) -> str:
    """`catch in save`: a place without a name of its own, by the function around it."""
    around = module.enclosing(node, module.functions)
    while around is not None:
        if named := module.named(around):
            return f"{what} in {named.qualified}"
        around = module.enclosing(around, module.functions)
    return what


def statements(block: Node | None) -> Iterator[Node]:
    for child in block.named_children if block is not None else ():
        if child.type != "comment":
            yield child
