"""Ways into Go: functions that take a request, exported handlers and jobs, and errors that are dealt with."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from posthog_code.adapters.code.entries import Entry, role_of, statements, within
from posthog_code.adapters.code.go_calls import GoModule
from posthog_code.adapters.code.go_values import FUNCTIONS, arguments, literal, receiver_type
from posthog_code.adapters.code.module import Module, word
from posthog_code.domain.code_use import EntryKind

_REQUEST = re.compile(
    r"\bhttp\.ResponseWriter\b.*\*http\.Request\b|\*gin\.Context\b|\becho\.Context\b|\*fiber\.Ctx\b|\*fasthttp\.RequestCtx\b",
    re.DOTALL,
)
_HANDLER = re.compile(r"^(?:[hH]andle(?:[A-Z]\w*|Request|)|On[A-Z]\w*|handler|LambdaHandler)$")
_WORKERS = frozenset({"Work", "ProcessTask", "Perform"})
_FAILED = re.compile(r"\b\w*[eE]rr\w*\s*!=\s*nil\b")


def go_entries(module: Module) -> Iterator[Entry]:
    assert isinstance(module, GoModule)
    root = module.root
    assert root is not None
    role = role_of(module.path)
    for node in (node for owner in FUNCTIONS for node in module.keyword("func", owner)):
        taken = word(node.child_by_field_name("parameters"))
        name = word(node.child_by_field_name("name"))
        if _REQUEST.search(taken):
            if node.type != "func_literal" or not _is_middleware(node):
                yield Entry(EntryKind.ROUTE, _route_name(node, name), node)
        elif node.type == "func_literal":
            continue
        elif _HANDLER.match(name):
            yield Entry(EntryKind.HANDLER, name, node)
        elif node.type == "method_declaration" and name in _WORKERS and "context.Context" in taken:
            yield Entry(EntryKind.JOB, f"{receiver_type(node)}.{name}", node)
        elif role is not None and role is not EntryKind.ROUTE and name[:1].isupper() and _acts(node, name):
            yield Entry(role, name, node)
    if b"!= nil" in module.text:
        yield from _errors(module)


def _acts(node: Node, name: str) -> bool:
    """Not what only makes or describes something."""
    return not name.startswith(("New", "With", "String")) and bool(list(statements(node.child_by_field_name("body"))))


def _is_middleware(node: Node) -> bool:
    """`http.HandlerFunc(func(w, r) { … next.ServeHTTP(w, r) … })`."""
    listed = node.parent
    call = listed.parent if listed is not None and listed.type == "argument_list" else None
    return (
        call is not None
        and word(call.child_by_field_name("function")).endswith("HandlerFunc")
        and ".ServeHTTP(" in word(node)
    )


def _route_name(node: Node, name: str) -> str:
    if node.type == "method_declaration":
        return f"{receiver_type(node)}.{name}"
    if name:
        return name
    call = node.parent.parent if node.parent is not None else None
    given = arguments(call) if call is not None and call.type == "call_expression" else []
    if not given or not given[0].type.endswith("string_literal"):
        return "request"
    verb = word(call.child_by_field_name("function")).rsplit(".", 1)[-1].upper() if call is not None else ""
    path = literal(given[0])
    return path if verb in ("HANDLEFUNC", "HANDLE") else f"{verb} {path}"


def _errors(module: GoModule) -> Iterator[Entry]:
    for branch in module.keyword("if", "if_statement"):
        if not _FAILED.search(word(branch.child_by_field_name("condition"))):
            continue
        body = branch.child_by_field_name("consequence")
        held = [node for child in statements(body) for node in
                (statements(child) if child.type == "statement_list" else (child,))]  # fmt: skip
        passed_on = ("return_statement", "continue_statement", "break_statement")
        if held and not (len(held) == 1 and held[0].type in passed_on):
            yield Entry(EntryKind.ERROR_PATH, within(module, branch, "err"), body or branch)
