"""One file and what is found in it: calls are looked for by name, and believed by what their receiver is bound to."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from functools import cache, wraps
from typing import Protocol, TypeVar

from tree_sitter import Node

from posthog_code.adapters.code.imports import Layout
from posthog_code.adapters.code.languages import Parsed
from posthog_code.adapters.code.values import (
    Api,
    Client,
    Forward,
    Found,
    Function,
    Maker,
    Named,
    Text,
    Unit,
    Value,
)
from posthog_code.adapters.code.vocabulary import Method
from posthog_code.adapters.code.wrappers import DEEPEST, forward_of
from posthog_code.domain.code_use import CodeUse, UseKind, Wrapper

_DEEPEST_VALUE = 24
"""Steps from a name to what it stands for."""


@cache
def _names(tokens: frozenset[str]) -> re.Pattern[bytes]:
    words = b"|".join(re.escape(token.encode()) for token in sorted(tokens))
    # Nothing before the words: a search that begins with them is several times as fast.
    return re.compile(rb"(?:" + words + rb")(?![\w$])")


_WORD = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$")


@cache
def _keyword(text: str) -> re.Pattern[bytes]:
    return re.compile(text.encode() + rb"\b")


def span(node: Node) -> tuple[int, int]:
    """Identity of a node within its tree."""
    return (node.start_byte, node.end_byte)


def word(node: Node | None) -> str:
    """The text of a node; "" for none."""
    return "" if node is None or node.text is None else node.text.decode("utf-8", "replace")


_M = TypeVar("_M", bound="Module")


def in_no_circle(find: Callable[[_M, str], Value | None]) -> Callable[[_M, str], Value | None]:
    """A look-up by name that finds nothing where it is under way already: files may pass names on to each other."""

    @wraps(find)
    def once(module: _M, name: str) -> Value | None:
        key = (find.__qualname__, name)
        if key in module.asking:
            return None
        module.asking.add(key)
        try:
            return find(module, name)
        finally:
            module.asking.discard(key)

    return once


def nth(node: Node | None, index: int = 0) -> Node | None:
    """A named child; None where there is none."""
    return node.named_child(index) if node is not None and index < node.named_child_count else None


def walk(node: Node, stop: frozenset[str]) -> Iterator[Node]:
    """Named nodes below this one, without entering those of the given types."""
    todo = list(reversed(node.named_children))
    while todo:
        current = todo.pop()
        yield current
        if current.type not in stop:
            todo.extend(reversed(current.named_children))


class Surroundings(Protocol):
    """The files around one, as far as it needs them."""

    layout: Layout

    def parse(self, path: str, language: str, text: bytes) -> Parsed: ...
    def module(self, path: str) -> Module | None: ...
    def imports(self, path: str) -> tuple[str, ...]: ...
    def matters(self, path: str) -> bool: ...
    def tokens(self, path: str, level: int) -> set[str]: ...
    def go_packages(self, path: str) -> dict[str, list[str]]: ...


class Module(Unit, ABC):
    """One file in one language. Nodes and values are resolved when something asks for them."""

    vocabulary: dict[str, Method]
    names: frozenset[str]
    """Types of nodes that are names in this language."""
    functions: frozenset[str]
    """Types of nodes that are functions."""
    calls: frozenset[str]
    busy: frozenset[str]
    """Types of nodes that say that a function does more than send something."""
    converters: frozenset[str] = frozenset({"Boolean", "String", "bool", "str"})

    def __init__(self, path: str, language: str, text: bytes, project: Surroundings) -> None:
        self.path = path
        self.language = language
        self.text = text
        self.project = project
        self.problem = ""
        self.uses: dict[tuple[int, int, UseKind, str], Found] = {}
        self.wrappers: list[Wrapper] = []
        self.asking: set[tuple[str, str]] = set()
        """Look-ups that are under way."""
        self._forwards: dict[tuple[int, int], list[Forward]] = {}
        self._own_tokens: set[str] = set()
        self._level = -1
        self._running = False
        self._root: Node | None = None
        self._parsed = False
        self._depth = 0

    # The tree

    @property
    def root(self) -> Node | None:
        """None when the text is none that can be parsed."""
        if not self._parsed:
            self._parsed = True
            found = self.project.parse(self.path, self.language, self.text)
            self.problem = found.problem
            self._root = found.tree.root_node if found.tree else None
        return self._root

    @property
    def running(self) -> bool:
        """It is being analysed, further up."""
        return self._running

    def occurrences(self, tokens: Iterable[str]) -> Iterator[Node]:
        """Names of the code, not of comments and strings, in their order."""
        chosen = frozenset(tokens)
        for match in _names(chosen).finditer(self.text) if chosen else ():
            if match.start() and self.text[match.start() - 1] in _WORD:
                continue
            node = self._at(match.span())
            if node is not None and node.type in self.names:
                yield node

    def matching(self, pattern: re.Pattern[bytes]) -> Iterator[Node]:
        """Names in the code that are the pattern's first group."""
        for match in pattern.finditer(self.text):
            node = self._at(match.span(1))
            if node is not None and node.type in self.names:
                yield node

    def _at(self, place: tuple[int, int]) -> Node | None:
        """The node that has exactly this place."""
        node = self.root.named_descendant_for_byte_range(*place) if self.root is not None else None
        return node if node is not None and span(node) == place else None

    def keyword(self, text: str, owner: str) -> Iterator[Node]:
        """Statements by the keyword that they begin with: found in the text, without walking the tree."""
        root = self.root
        for match in _keyword(text).finditer(self.text) if root is not None else ():
            node = root.descendant_for_byte_range(match.start(), match.end()) if root is not None else None
            if node is not None and node.type == text and node.parent is not None and node.parent.type == owner:
                yield node.parent

    def enclosing(self, node: Node, types: frozenset[str]) -> Node | None:
        """The nearest node around this one of the given types."""
        current = node.parent
        while current is not None and current.type not in types:
            current = current.parent
        return current

    # What a language knows

    @abstractmethod
    def site(self, token: Node) -> Node | None:
        """The call (or element, or assignment) whose last word of the callee this is."""

    @abstractmethod
    def found(self, site: Node, token: Node) -> Iterable[Found]:
        """The uses that a site is, if it is one."""

    @abstractmethod
    def evaluate(self, node: Node) -> Value | None:
        """What an expression stands for; None when it cannot be told."""

    @abstractmethod
    def argument(self, site: Node, forward: Forward) -> Node | None:
        """What a call of a wrapper passes as the name."""

    @abstractmethod
    def named(self, function: Node) -> Named | None:
        """How others call a function; None when nobody can."""

    def public(self, function: Node, named: Named) -> bool:
        """Whether other files can call it."""
        return named.exported

    @abstractmethod
    def aliases(self, token: Node) -> Iterable[str]:
        """Other names in this file that a mention of a wrapper or function gives it."""

    # Values

    def value(self, node: Node | None) -> Value | None:
        """As `evaluate`, for any node, and with an end to going round in circles."""
        if node is None or self._depth >= _DEEPEST_VALUE:
            return None
        self._depth += 1
        try:
            return self.evaluate(node)
        finally:
            self._depth -= 1

    def thin(self, function: Node, site: Node) -> bool:
        """Whether all that a function does is this one use: it calls nothing else but the library."""
        body = function.child_by_field_name("body")
        if body is None:
            return False
        todo = [body]
        while todo:
            node = todo.pop()
            if span(node) == span(site) and node.type == site.type:
                continue
            if node.type in self.busy or node.type in self.functions:
                return False
            if node.type in self.calls and not self._harmless(node):
                return False
            todo.extend(node.named_children)
        return True

    def _harmless(self, call: Node) -> bool:
        function = self.callee(call)
        if word(function) in self.converters:
            return True
        return isinstance(self.value(function), Api | Maker) or isinstance(self.value(call), Client)

    @abstractmethod
    def callee(self, call: Node) -> Node | None:
        """What is called."""

    def name_of(self, value: Value | None, kind: UseKind) -> Value | None:
        """The name in what a wrapper is given: itself, or a property of a message."""
        return value

    # Analysis

    def analyse(self, level: int) -> None:
        """Find the uses, with wrappers of imported files that are at most so many files away."""
        if self._running or self._level >= level:
            return
        if self._level >= 0 and not self.project.imports(self.path):
            return
        self._running = True
        try:
            self._level = level
            self.uses.clear()
            self._forwards.clear()
            self.wrappers.clear()
            self._own_tokens.clear()
            # Its own wrappers first: files that import each other see them.
            self._rounds(set(self.vocabulary))
            self._rounds(self.imported_tokens(level))
        finally:
            self._running = False

    def imported_tokens(self, level: int) -> set[str]:
        """Names of wrappers in the files that this one imports."""
        found: set[str] = set()
        if level <= 0:
            return found
        for path in self.project.imports(self.path):
            if self.project.matters(path):
                found |= self.project.tokens(path, level - 1)
        return found | self.renamed(found)

    def renamed(self, tokens: set[str]) -> set[str]:
        """Names that imports and exports of this file give to what is called otherwise."""
        return set()

    def tokens(self, level: int) -> set[str]:
        """Names by which wrappers of this file, and of those it imports, are called."""
        if self._running:
            return set(self._own_tokens)
        self.analyse(level)
        return self._own_tokens | self.renamed(self._own_tokens) | self.imported_tokens(level)

    def forwards(self, function: Node) -> list[Forward]:
        return self._forwards.get(span(function), [])

    def _rounds(self, tokens: set[str]) -> None:
        known: set[str] = set()
        for _ in range(DEEPEST + 2):
            fresh: set[str] = set()
            for token in self.occurrences(tokens):
                site = self.site(token)
                found = [] if site is None else list(self.found(site, token))
                for use in found:
                    fresh |= self._take(use)
                if site is None or not found:
                    fresh |= set(self.aliases(token)) - known
            known |= fresh
            tokens = fresh
            if not tokens:
                return

    def _take(self, use: Found) -> set[str]:
        """Note a use; gives the names of a wrapper that it makes."""
        key = (*span(use.site), use.kind, use.via)
        if key in self.uses:
            return set()
        self.uses[key] = use
        made = forward_of(self, use)
        if made is None:
            return set()
        function, forward, named = made
        kept = self._forwards.setdefault(span(function), [])
        if any((f.kind, f.parameter, f.key, f.fixed) == (forward.kind, forward.parameter, forward.key, forward.fixed)
               for f in kept):  # fmt: skip
            return set()
        kept.append(forward)
        self.wrappers.append(forward.wrapper)
        self._own_tokens.add(named.token)
        return {named.token}

    def through(self, target: Value | None, site: Node, method: str) -> list[Found]:
        """The uses that a call of a wrapper is."""
        if not isinstance(target, Function) or not isinstance(target.module, Module):
            return []
        if target.module is not self:
            target.module.analyse(max(self._level - 1, 0))
        found = []
        for forward in target.module.forwards(target.node):
            if forward.depth > DEEPEST:
                continue
            use = Found(forward.kind, method, site, depth=forward.depth)
            use.via = f"{forward.wrapper.path}:{forward.wrapper.line}"
            passed = self.argument(site, forward) if forward.wrapper.argument >= 0 else None
            if forward.kind not in (UseKind.EVENT, UseKind.FLAG):
                use.nameless, use.subject = True, self.value(passed)
            elif forward.fixed is not None:
                use.name = Text(forward.fixed)
            elif passed is None and forward.wrapper.argument >= 0:
                continue
            else:
                use.name = self.name_of(self.value(passed), forward.kind)
            found.append(use)
        return found

    # In words of the domain

    def code_uses(self) -> tuple[CodeUse, ...]:
        found = [self._code_use(use) for use in self.uses.values()]
        return tuple(sorted(found, key=lambda use: (use.line, use.end_line, use.kind, use.name, use.via)))

    def _code_use(self, use: Found) -> CodeUse:
        name = use.name.text if isinstance(use.name, Text) else ""
        return CodeUse(
            use.kind,
            name,
            self.path,
            use.site.start_point.row + 1,
            use.site.end_point.row + 1,
            use.method,
            not name and not use.nameless,
            use.properties,
            use.variant,
            use.via,
        )
