"""Wrappers: functions that send their own argument on as a name, or that do nothing but send a fixed one."""

from __future__ import annotations

from typing import Protocol

from tree_sitter import Node

from posthog_code.adapters.code.values import Forward, Found, Named, Parameter, Text
from posthog_code.domain.code_use import UseKind, Wrapper

DEEPEST = 3
"""Wrappers of wrappers that are followed."""


class Functions(Protocol):
    """What a file knows of its functions."""

    path: str
    functions: frozenset[str]

    def enclosing(self, node: Node, types: frozenset[str]) -> Node | None: ...
    def thin(self, function: Node, site: Node) -> bool: ...
    def named(self, function: Node) -> Named | None: ...
    def public(self, function: Node, named: Named) -> bool: ...


def forward_of(module: Functions, use: Found) -> tuple[Node, Forward, Named] | None:
    """The wrapper that a use makes of the function around it: the function, what it does, how it is called."""
    if use.kind is UseKind.INIT or use.depth >= DEEPEST:
        return None
    sent = use.subject if use.nameless else use.name
    if isinstance(sent, Parameter):
        return _made(module, use, sent.function, sent, None)
    if use.nameless and use.kind is UseKind.FLAG:
        return None
    if use.nameless or isinstance(sent, Text):
        function = module.enclosing(use.site, module.functions)
        if function is not None and module.thin(function, use.site):
            return _made(module, use, function, None, sent.text if isinstance(sent, Text) else None)
    return None


def _made(
    module: Functions, use: Found, function: Node, parameter: Parameter | None, fixed: str | None
) -> tuple[Node, Forward, Named] | None:
    named = module.named(function)
    if named is None:
        return None
    index = parameter.index if parameter else -1
    line = function.start_point.row + 1
    wrapper = Wrapper(use.kind, named.qualified, module.path, line, index, module.public(function, named), fixed or "")
    forward = Forward(
        use.kind,
        wrapper,
        parameter.name if parameter else "",
        parameter.key if parameter else "",
        fixed,
        use.depth + 1,
    )
    return function, forward, named
