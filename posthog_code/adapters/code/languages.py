"""Syntax trees. A grammar is loaded when the first file of its language is parsed."""

from __future__ import annotations

import importlib
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache

from tree_sitter import Language, Node, Parser, Query, QueryCursor, Tree

LARGEST = 1_000_000
"""Bytes. Larger files are made by programs."""
LONGEST_LINE = 5_000
"""Bytes in a line, from which on a file counts as minified."""
_CHUNK = 4_096
"""Parsing holds the interpreter's lock; where it asks for the next piece, other threads get their turn."""

_GRAMMARS = {
    "javascript": ("tree_sitter_javascript", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
    "python": ("tree_sitter_python", "language"),
    "go": ("tree_sitter_go", "language"),
    "ruby": ("tree_sitter_ruby", "language"),
}


@cache
def grammar(language: str) -> Language:
    module, function = _GRAMMARS[language]
    return Language(getattr(importlib.import_module(module), function)())


@cache
def _parser(language: str) -> Parser:
    return Parser(grammar(language))


@cache
def query(language: str, text: str) -> Query:
    return Query(grammar(language), text)


def captures(language: str, text: str, node: Node) -> dict[str, list[Node]]:
    """Nodes by the names that the query gives them."""
    return QueryCursor(query(language, text)).captures(node)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A tree that may be partial, or why there is none."""

    tree: Tree | None
    problem: str = ""


def unreadable(text: bytes) -> str:
    """Why a text is not parsed at all; "" when it is."""
    if len(text) > LARGEST:
        return f"larger than {LARGEST // 1_000_000} MB"
    if b"\0" in text:
        return "not a text file"
    # A long line is looked for only where the average makes one likely.
    if len(text) > LONGEST_LINE and len(text) // (text.count(b"\n") + 1) > 300 and _longest(text) > LONGEST_LINE:
        return "minified"
    return ""


def _longest(text: bytes) -> int:
    return max(map(len, text.split(b"\n")))


def parse(language: str, text: bytes) -> Parsed:
    """The tree of a text, with what is wrong about it."""
    if problem := unreadable(text):
        return Parsed(None, problem)
    parser = _parser(language)
    if len(text) <= 4 * _CHUNK:
        tree = parser.parse(text)
    else:
        tree = parser.parse(lambda offset, _point: text[offset : offset + _CHUNK])
    if not tree.root_node.has_error:
        return Parsed(tree)
    return Parsed(tree, f"syntax error in line {first_error(tree.root_node)}")


class Trees:
    """The trees that were made last, by content. A tree takes some thirty times the memory of its text."""

    def __init__(self, most: int = 512_000) -> None:
        """`most`: bytes of text whose trees are kept."""
        self._most = most
        self._kept: OrderedDict[tuple[str, bytes], tuple[int, Parsed]] = OrderedDict()
        self._size = 0

    def parse(self, language: str, digest: bytes, text: bytes) -> Parsed:
        key = (language, digest)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key][1]
        parsed = parse(language, text)
        self._kept[key] = (len(text), parsed)
        self._size += len(text)
        while self._size > self._most and len(self._kept) > 1:
            self._size -= self._kept.popitem(last=False)[1][0]
        return parsed


def first_error(root: Node) -> int:
    """The line, from 1, of the first place that could not be parsed."""
    node = root
    while True:
        for child in node.children:
            if child.is_error or child.is_missing:
                return child.start_point.row + 1
            if child.has_error:
                node = child
                break
        else:
            return node.start_point.row + 1
