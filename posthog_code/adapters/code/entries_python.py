"""Ways into Python: decorated views, tasks and commands, class-based views, and what was excepted."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from posthog_code.adapters.code.entries import Entry, role_of, statements, within
from posthog_code.adapters.code.languages import captures
from posthog_code.adapters.code.module import Module, nth, word
from posthog_code.adapters.code.python_calls import PythonModule, arguments
from posthog_code.adapters.code.python_values import literal
from posthog_code.adapters.code.values import Function
from posthog_code.domain.code_use import EntryKind

_VERBS = frozenset({"get", "post", "put", "patch", "delete", "head", "options"})
_ROUTES = _VERBS | {"route", "api_route", "websocket"}
_VIEWS = frozenset({"api_view", "require_http_methods", "require_GET", "require_POST", "csrf_exempt", "action"})
_JOBS = frozenset({"task", "shared_task", "periodic_task", "db_task", "actor", "job", "scheduled_job", "cron_job"})
_HANDLERS = frozenset({"receiver", "event", "command", "on_event", "subscriber", "on", "message_handler", "listener"})
_HANDLER = re.compile(r"^(?:handle_\w+|on_\w+|lambda_handler|handler|handle)$")
_VIEW_CLASS = re.compile(r"(?:View|ViewSet|APIView|Resource|MethodView|ModelViewSet|HTTPEndpoint|RequestHandler)$")
_VIEW_METHODS = _VERBS | {"list", "create", "retrieve", "update", "partial_update", "destroy"}
_OPTIONAL = re.compile(r"\b(?:ImportError|ModuleNotFoundError|StopIteration|CancelledError|KeyboardInterrupt)\b")
"""No failure: something is not installed, or has come to its end."""
_PASSED_ON = frozenset({"raise_statement", "pass_statement", "continue_statement", "break_statement"})


def python_entries(module: Module) -> Iterator[Entry]:
    assert isinstance(module, PythonModule)
    root = module.root
    assert root is not None
    for node in root.named_children:
        definition = node.child_by_field_name("definition") if node.type == "decorated_definition" else node
        if definition is None:
            continue
        if definition.type == "function_definition":
            yield from _of_function(module, definition, node)
        elif definition.type == "class_definition":
            yield from _of_class(module, definition)
    yield from _decorated_inside(module)
    yield from _urls(module)
    if b"except" in module.text:
        yield from _errors(module)


def _of_function(module: PythonModule, function: Node, outer: Node) -> Iterator[Entry]:
    name = word(function.child_by_field_name("name"))
    if decorated := _decorated(outer):
        kind, title = decorated
        yield Entry(kind, title or name, function)
        return
    role = role_of(module.path)
    first = next((word(p).split(":")[0] for p in statements(function.child_by_field_name("parameters"))), "")
    if name.startswith("_"):
        return
    if first == "request" and re.search(r"(?:^|/)views(?:/|\.py$|_)", module.path):
        yield Entry(EntryKind.ROUTE, name, function)
    elif _HANDLER.match(name):
        yield Entry(EntryKind.HANDLER, name, function)
    elif role is not None and role is not EntryKind.ROUTE:
        yield Entry(role, name, function)


def _decorated(outer: Node) -> tuple[EntryKind, str] | None:
    """What a decorator makes of a function, with the route's path."""
    for decorator in outer.named_children if outer.type == "decorated_definition" else ():
        inner = nth(decorator) if decorator.type == "decorator" else None
        if inner is None:
            continue
        called = inner.child_by_field_name("function") if inner.type == "call" else inner
        owner, _, last = word(called).rpartition(".")
        positional = arguments(inner)[0] if inner.type == "call" else []
        path = literal(positional[0]) if positional else None
        if last in _ROUTES and owner and path is not None and (path.startswith("/") or path == ""):
            return EntryKind.ROUTE, f"{last.upper()} {path}" if last in _VERBS else path
        if last in _VIEWS:
            return EntryKind.ROUTE, ""
        if last in _JOBS:
            return EntryKind.JOB, ""
        if last in _HANDLERS and (owner or last == "receiver"):
            return EntryKind.HANDLER, ""
    return None


def _decorated_inside(module: PythonModule) -> Iterator[Entry]:
    """Routes that are declared in a function that makes the app, and in classes."""
    root = module.root
    assert root is not None
    if not re.search(rb"\n[ \t]+@", module.text):
        return
    for outer in captures("python", "(decorated_definition) @outer", root).get("outer", ()):
        function = outer.child_by_field_name("definition")
        if function is not None and function.type == "function_definition" and (found := _decorated(outer)):
            yield Entry(found[0], found[1] or word(function.child_by_field_name("name")), function)


def _of_class(module: PythonModule, node: Node) -> Iterator[Entry]:
    bases = node.child_by_field_name("superclasses")
    named = [word(base).rsplit(".", 1)[-1] for base in statements(bases)]
    owner = word(node.child_by_field_name("name"))
    is_view = any(_VIEW_CLASS.search(base) for base in named)
    is_command = any(base in ("BaseCommand", "Command") for base in named)
    body = node.child_by_field_name("body")
    for child in statements(body) if is_view or is_command else ():
        function = child.child_by_field_name("definition") if child.type == "decorated_definition" else child
        if function is None or function.type != "function_definition":
            continue
        name = word(function.child_by_field_name("name"))
        if is_view and name in _VIEW_METHODS:
            yield Entry(EntryKind.ROUTE, f"{owner}.{name}", function)
        elif is_command and name == "handle":
            yield Entry(EntryKind.JOB, f"{owner}.{name}", function)


def _urls(module: PythonModule) -> Iterator[Entry]:
    """Views of the same file in `urlpatterns`."""
    if b"urlpatterns" not in module.text:
        return
    for token in module.occurrences(("path", "re_path", "url")):
        site = module.site(token)
        positional = arguments(site)[0] if site is not None and site.type == "call" else []
        if len(positional) < 2 or (path := literal(positional[0])) is None:
            continue
        view = module.value(positional[1])
        if isinstance(view, Function) and view.module is module:
            yield Entry(EntryKind.ROUTE, f"/{path}", view.node)


def _errors(module: PythonModule) -> Iterator[Entry]:
    for clause in module.keyword("except", "except_clause"):
        body = next((child for child in reversed(clause.named_children) if child.type == "block"), None)
        held = list(statements(body))
        if _OPTIONAL.search(word(nth(clause))):
            continue
        if held and not (len(held) == 1 and held[0].type in _PASSED_ON):
            yield Entry(EntryKind.ERROR_PATH, within(module, clause, "except"), clause)
