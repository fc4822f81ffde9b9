"""Ways into Ruby: actions of controllers, Sinatra's routes, jobs, handlers, and what was rescued."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from posthog_code.adapters.code.entries import Entry, role_of, statements, within
from posthog_code.adapters.code.module import Module, word
from posthog_code.adapters.code.ruby_calls import RubyModule
from posthog_code.adapters.code.ruby_values import METHODS, literal, positional
from posthog_code.domain.code_use import EntryKind

_VERBS = ("get", "post", "put", "patch", "delete", "options", "head")
_JOB_BASE = re.compile(r"(?:^|::)(?:ApplicationJob|Base)$|Worker$")
_JOB_MODULE = re.compile(r"Sidekiq::(?:Job|Worker)|Resque|Shoryuken::Worker|Sneakers::Worker")
_HANDLER = re.compile(r"^(?:handle\w*|on_\w+|lambda_handler)$")
_HIDDEN = frozenset({"private", "protected"})
_RUNS = frozenset({"call", "process", "run", "execute", "perform"})
_PASSED_ON = frozenset({"raise", "retry", "nil", "next"})


def ruby_entries(module: Module) -> Iterator[Entry]:
    assert isinstance(module, RubyModule)
    root = module.root
    assert root is not None
    for node in module.keyword("class", "class"):
        yield from _of_class(module, node)
    for node in root.named_children:
        if node.type in METHODS and _HANDLER.match(word(node.child_by_field_name("name"))):
            yield Entry(EntryKind.HANDLER, word(node.child_by_field_name("name")), node)
    for token in module.occurrences((*_VERBS, "task")):
        yield from _of_block(module, token)
    if b"rescue" in module.text:
        yield from _errors(module)


def _of_class(module: RubyModule, node: Node) -> Iterator[Entry]:
    name = word(node.child_by_field_name("name")).rsplit("::", 1)[-1]
    above = word(node.child_by_field_name("superclass")).lstrip("< ")
    role = role_of(module.path)
    is_job = (above.startswith("ActiveJob") or bool(_JOB_BASE.search(above) and "Job" in above)) or any(
        word(call.child_by_field_name("method")) == "include"
        and any(_JOB_MODULE.search(word(a)) for a in positional(call))
        for call in statements(node.child_by_field_name("body"))
        if call.type == "call"
    )
    for method in _public(node):
        called = word(method.child_by_field_name("name"))
        title = f"{name}#{called}"
        if called == "initialize":
            continue
        if name.endswith("Controller"):
            if method.type == "method":
                yield Entry(EntryKind.ROUTE, title, method)
        elif is_job:
            if called in ("perform", "work"):
                yield Entry(EntryKind.JOB, title, method)
        elif _HANDLER.match(called) or (role is EntryKind.HANDLER and called in _RUNS):
            yield Entry(EntryKind.HANDLER, title, method)
        elif role is EntryKind.JOB and called in _RUNS:
            yield Entry(EntryKind.JOB, title, method)


def _public(node: Node) -> Iterator[Node]:
    """Methods before `private`, and none that is named after it."""
    for child in statements(node.child_by_field_name("body")):
        if child.type == "identifier" and word(child) in _HIDDEN:
            return
        if child.type in METHODS:
            yield child


def _of_block(module: RubyModule, token: Node) -> Iterator[Entry]:
    """`get '/x' do … end` and `task :name do … end`."""
    site = module.site(token)
    if site is None or site.type != "call" or site.child_by_field_name("receiver") is not None:
        return
    block, given = site.child_by_field_name("block"), positional(site)
    if block is None:
        return
    name = word(token)
    if name == "task":
        if module.path.endswith((".rake", "Rakefile")):
            title = word(given[0] if given else site.child_by_field_name("arguments")).lstrip(":").split(":")[0]
            yield Entry(EntryKind.JOB, title.split(" ")[0], site)
    elif given and (path := literal(given[0])) is not None and path.startswith("/"):
        yield Entry(EntryKind.ROUTE, f"{name.upper()} {path}", site)


def _errors(module: RubyModule) -> Iterator[Entry]:
    for clause in module.keyword("rescue", "rescue"):
        held = list(statements(clause.child_by_field_name("body")))
        if held and not (len(held) == 1 and word(held[0]).split(" ")[0] in _PASSED_ON):
            yield Entry(EntryKind.ERROR_PATH, within(module, clause, "rescue"), clause)
