"""Ways into JavaScript and TypeScript: routes, exported handlers, jobs, actions in JSX, and what failed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from posthog_code.adapters.code.entries import Entry, role_of, statements, within
from posthog_code.adapters.code.module import Module, nth, word
from posthog_code.adapters.code.script import arguments
from posthog_code.adapters.code.script_calls import ScriptModule
from posthog_code.adapters.code.script_scopes import FUNCTIONS, STRINGS, literal
from posthog_code.adapters.code.values import Function
from posthog_code.domain.code_use import EntryKind

_VERBS = re.compile(rb"\.\s*(get|post|put|patch|delete|del|all|options|head)\s*\(")
_HTTP = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_SERVERS = re.compile(r"(?:^|\.|_)(?:app|server|fastify|hono|koa|route[rs]?|api)$|[rR]outer$|App$|Routes$")
_ACTIONS = re.compile(
    rb"\b(on(?:Click|DoubleClick|Submit|Change|Input|Press|LongPress|Drop|Select"
    rb"|Toggle|KeyDown|KeyUp|ValueChange|CheckedChange|OpenChange|Confirm))\s*=\s*\{"
)
_HANDLER = re.compile(r"^(?:handle[A-Z_]\w*|on[A-Z]\w*|handler|lambdaHandler)$")
_CATCH = re.compile(rb"\.\s*(catch)\s*\(")
_JOB_CALLS = {"schedule": 1, "process": 0, "createFunction": 2, "repeat": 0}
"""Callee's last word, and how many arguments come before the function."""
_SCHEDULERS = re.compile(r"(?i)cron|schedul|queue|inngest|agenda|bull")


def script_entries(module: Module) -> Iterator[Entry]:
    assert isinstance(module, ScriptModule)
    yield from _routes(module)
    yield from _jobs(module)
    yield from _exported(module)
    if b"catch" in module.text:
        yield from _errors(module)
    if module.language != "typescript" and b"={" in module.text and b"on" in module.text:
        yield from _actions(module)


def _routes(module: ScriptModule) -> Iterator[Entry]:
    for token in module.matching(_VERBS):
        site = module.site(token)
        function = site.child_by_field_name("function") if site is not None else None
        if site is None or function is None or function.type != "member_expression":
            continue
        given, owner = arguments(site), function.child_by_field_name("object")
        path = literal(given[0]) if given else None
        if owner is not None and owner.type == "call_expression":
            # `router.route('/x').get(handler)`
            inner = owner.child_by_field_name("function")
            route = arguments(owner)
            if word(inner).endswith(".route") and route and route[0].type in STRINGS:
                path, given = literal(route[0]), [route[0], *given]
        elif not _SERVERS.search(word(owner)):
            continue
        if path is None or not path.startswith(("/", "*")) or len(given) < 2:
            continue
        handler = _function(module, given[-1])
        if handler is not None or given[-1].type in ("identifier", "member_expression"):
            yield Entry(EntryKind.ROUTE, f"{word(token).upper()} {path}", handler or site)


def _jobs(module: ScriptModule) -> Iterator[Entry]:
    for token in module.occurrences((*_JOB_CALLS, "Worker")):
        site = module.site(token)
        if site is None:
            continue
        given = arguments(site)
        if site.type == "new_expression":
            before, known = 1, word(token) == "Worker"
        else:
            before, known = _JOB_CALLS.get(word(token), 9), bool(_SCHEDULERS.search(word(module.callee(site))))
        handler = _function(module, given[before]) if known and len(given) > before else None
        if handler is not None:
            name = literal(given[0]) if before and given[0].type in STRINGS else None
            yield Entry(EntryKind.JOB, name or word(token), handler)


def _exported(module: ScriptModule) -> Iterator[Entry]:
    role, root = role_of(module.path), module.root
    assert root is not None
    is_api = re.search(r"(?:^|/)pages/api/", module.path) is not None
    acts = _directive(root) == "use server"
    for name, node in _exported_functions(module, root):
        if role is EntryKind.ROUTE and (name in _HTTP or not name[:1].isupper()):
            yield Entry(EntryKind.ROUTE, name, node)
        elif is_api and name in ("default", "handler"):
            yield Entry(EntryKind.ROUTE, module.path.rsplit("pages", 1)[1].rsplit(".", 1)[0], node)
        elif acts:
            yield Entry(EntryKind.ACTION, name, node)
        elif role is not None and role is not EntryKind.ROUTE:
            yield Entry(role, name, node)
        elif _HANDLER.match(name):
            yield Entry(EntryKind.HANDLER, name, node)


def _directive(root: Node) -> str:
    for statement in statements(root):
        if statement.type != "expression_statement" or not statement.named_child_count:
            return ""
        return literal(statement.named_children[0]) or ""
    return ""


def _exported_functions(module: ScriptModule, root: Node) -> Iterator[tuple[str, Node]]:
    for statement in root.named_children:
        if statement.type == "expression_statement" and "exports" in word(statement)[:40]:
            assignment = nth(statement)
            right = assignment.child_by_field_name("right") if assignment is not None else None
            if assignment is not None and right is not None and right.type in FUNCTIONS:
                yield word(assignment.child_by_field_name("left")).rsplit(".", 1)[-1], right
        if statement.type != "export_statement":
            continue
        value, declaration = statement.child_by_field_name("value"), statement.child_by_field_name("declaration")
        if value is not None and (function := _function(module, value)) is not None:
            yield "default", function
        elif declaration is not None and declaration.type in FUNCTIONS:
            default = any(child.type == "default" for child in statement.children)
            yield word(declaration.child_by_field_name("name")) or "default", declaration
            if default:
                yield "default", declaration
        elif declaration is not None and declaration.type in ("lexical_declaration", "variable_declaration"):
            for declarator in declaration.named_children:
                function = _function(module, declarator.child_by_field_name("value"))
                if function is not None:
                    yield word(declarator.child_by_field_name("name")), function


def _function(module: ScriptModule, node: Node | None) -> Node | None:
    """The function of this file that an expression is, names, or is wrapped around."""
    if node is None:
        return None
    if node.type in FUNCTIONS:
        return node
    if node.type == "call_expression":
        return next((found for a in arguments(node) if (found := _function(module, a)) is not None), None)
    if node.type not in ("identifier", "member_expression"):
        return None
    value = module.value(node)
    return value.node if isinstance(value, Function) and value.module is module else None


def _errors(module: ScriptModule) -> Iterator[Entry]:
    for clause in module.keyword("catch", "catch_clause"):
        held = list(statements(clause.child_by_field_name("body")))
        if held and [node.type for node in held] != ["throw_statement"]:
            yield Entry(EntryKind.ERROR_PATH, within(module, clause, "catch"), clause)
    for token in module.matching(_CATCH):
        site = module.site(token)
        given = arguments(site) if site is not None else []
        handler = _function(module, given[0]) if given else None
        body = handler.child_by_field_name("body") if handler is not None else None
        if handler is None or body is None or site is None:
            continue
        works = bool(list(statements(body))) if body.type == "statement_block" else body.named_child_count > 0
        if works and body.type not in STRINGS:
            yield Entry(EntryKind.ERROR_PATH, within(module, site, "catch"), handler)


def _actions(module: ScriptModule) -> Iterator[Entry]:
    for token in module.matching(_ACTIONS):
        name, attribute = word(token), token.parent
        holder = nth(attribute, 1) if attribute is not None and attribute.type == "jsx_attribute" else None
        if attribute is None or holder is None or holder.type != "jsx_expression" or not holder.named_child_count:
            continue
        function = _function(module, holder.named_children[0])
        if function is None:
            continue
        named = module.named(function)
        element = attribute.parent.child_by_field_name("name") if attribute.parent is not None else None
        yield Entry(EntryKind.ACTION, named.qualified if named else f"{word(element)} {name}", function)
