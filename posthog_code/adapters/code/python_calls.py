"""Calls of PostHog's library in Python, and the functions that wrap them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tree_sitter import Node

from posthog_code.adapters.code.module import nth, walk, word
from posthog_code.adapters.code.python_values import FUNCTIONS, PythonValues
from posthog_code.adapters.code.values import Api, Client, Forward, Found, Function, Maker, Named, Text
from posthog_code.adapters.code.vocabulary import PYTHON, Method
from posthog_code.domain.code_use import UseKind

_SCOPE = frozenset({"function_definition", "module"})
_AROUND = frozenset({"parenthesized_expression", "await"})


class PythonModule(PythonValues):
    """One file of Python."""

    calls = frozenset({"call"})
    busy = frozenset(
        {
            "raise_statement",
            "for_statement",
            "while_statement",
            "augmented_assignment",
            "yield",
            "delete_statement",
            "list_comprehension",
            "class_definition",
        }
    )

    def callee(self, call: Node) -> Node | None:
        return call.child_by_field_name("function")

    def site(self, token: Node) -> Node | None:
        callee, parent = token, token.parent
        if parent is not None and parent.type == "attribute":
            if parent.child_by_field_name("attribute") != token:
                return None
            callee, parent = parent, parent.parent
        if parent is None:
            return None
        if parent.type == "call" and parent.child_by_field_name("function") == callee:
            return parent
        if parent.type == "assignment" and callee.type == "attribute" and parent.child_by_field_name("left") == callee:
            return parent
        return None

    def found(self, site: Node, token: Node) -> Iterable[Found]:
        name = word(token)
        if site.type == "assignment":
            return self._configured(site, token, name)
        target = self.value(site.child_by_field_name("function"))
        if isinstance(target, Maker):
            return [Found(UseKind.INIT, name, site, nameless=True)]
        if isinstance(target, Function):
            found = self.through(target, site, name)
        elif isinstance(target, Api) and (method := PYTHON.get(target.name)) is not None:
            use = self._called(site, target.name, method)
            found = [use] if use is not None else []
        else:
            return []
        for use in found:
            if use.kind is UseKind.FLAG:
                use.variant = self._variant(site)
            elif use.kind is UseKind.EVENT and not use.properties:
                use.properties = self._keys(site)
        return found

    def _configured(self, site: Node, token: Node, name: str) -> list[Found]:
        """`posthog.api_key = …`: how the module's own client is set up."""
        target = site.child_by_field_name("left")
        owner = target.child_by_field_name("object") if target is not None else None
        if name not in ("api_key", "project_api_key") or not isinstance(self.value(owner), Client):
            return []
        return [Found(UseKind.INIT, name, site, nameless=True)]

    def _called(self, site: Node, name: str, method: Method) -> Found | None:
        if method.kind is UseKind.INIT:
            return None
        positional, named = arguments(site)
        given = next((named[key] for key in method.keys if key in named), None)
        if method.argument < 0:
            subject = self.value(positional[0]) if positional else None
            return Found(method.kind, name, site, nameless=True, subject=subject)
        if given is None and method.kind is UseKind.EVENT:
            given = _event(positional)
        elif given is None and positional:
            given = positional[method.argument]
        if given is None:
            listed = site.child_by_field_name("arguments")
            return Found(method.kind, name, site) if listed is not None and listed.named_child_count else None
        return Found(method.kind, name, site, self.value(given))

    def _keys(self, site: Node) -> tuple[str, ...]:
        """Literal names in the dictionary of properties."""
        positional, named = arguments(site)
        given = named.get("properties") or next((node for node in positional if node.type == "dictionary"), None)
        if given is not None and given.type == "identifier":
            binding = self.lookup(word(given), given)
            given = binding.node if binding is not None and binding.kind == "value" else None
        found = []
        for pair in given.named_children if given is not None and given.type == "dictionary" else ():
            key = self.value(pair.child_by_field_name("key"))
            if isinstance(key, Text):
                found.append(key.text)
        return tuple(found)

    # The compared variant

    def _variant(self, site: Node) -> str:
        if found := self._compared(site):
            return found
        parent, value = site.parent, site
        while parent is not None and parent.type in _AROUND:
            value, parent = parent, parent.parent
        if parent is None or parent.type not in ("assignment", "named_expression"):
            return ""
        if parent.child_by_field_name("right") != value and parent.child_by_field_name("value") != value:
            return ""
        target = parent.child_by_field_name("left") or parent.child_by_field_name("name")
        scope = self.enclosing(parent, _SCOPE)
        if target is None or target.type != "identifier" or scope is None:
            return ""
        for token in self.occurrences((word(target),)):
            if scope.start_byte <= token.start_byte < scope.end_byte and (found := self._compared(token)):
                return found
        return ""

    def _compared(self, node: Node) -> str:
        parent = node.parent
        while parent is not None and parent.type in (*_AROUND, "named_expression"):
            node, parent = parent, parent.parent
        if parent is None:
            return ""
        if parent.type == "comparison_operator":
            for other in parent.named_children:
                chosen = self.value(other) if other != node else None
                if isinstance(chosen, Text):
                    return chosen.text
        if parent.type == "match_statement" and parent.child_by_field_name("subject") == node:
            for pattern in walk(parent, frozenset({"block_body"})):
                if pattern.type == "case_pattern" and pattern.named_child_count:
                    chosen = self.value(nth(pattern))
                    if isinstance(chosen, Text):
                        return chosen.text
        return ""

    # Wrappers

    def argument(self, site: Node, forward: Forward) -> Node | None:
        positional, named = arguments(site)
        if forward.parameter in named:
            return named[forward.parameter]
        index = forward.wrapper.argument
        return positional[index] if index < len(positional) else None

    def named(self, function: Node) -> Named | None:
        if function.type == "lambda":
            parent = function.parent
            target = parent.child_by_field_name("left") if parent is not None and parent.type == "assignment" else None
            return Named(word(target), word(target)) if target is not None and target.type == "identifier" else None
        name = word(function.child_by_field_name("name"))
        outer = self.enclosing(function, FUNCTIONS | {"class_definition"})
        if outer is not None and outer.type == "class_definition":
            return Named(name, f"{word(outer.child_by_field_name('name'))}.{name}", not name.startswith("_"))
        return Named(name, name, outer is None and not name.startswith("_"))

    def aliases(self, token: Node) -> Iterator[str]:
        node, parent = token, token.parent
        if parent is not None and parent.type == "dotted_name":
            node, parent = parent, parent.parent
        if parent is not None and parent.type == "attribute":
            node, parent = parent, parent.parent
        if parent is None:
            return
        if parent.type == "aliased_import" and parent.child_by_field_name("name") == node:
            yield word(parent.child_by_field_name("alias"))
        elif parent.type == "assignment" and parent.child_by_field_name("right") == node:
            target = parent.child_by_field_name("left")
            if target is not None and target.type == "identifier":
                yield word(target)


def arguments(call: Node) -> tuple[list[Node], dict[str, Node]]:
    """What is passed by position, and by name. Nothing behind a splat has a known position."""
    listed = call.child_by_field_name("arguments")
    positional: list[Node] = []
    named: dict[str, Node] = {}
    splat = False
    for node in listed.named_children if listed is not None else ():
        if node.type == "keyword_argument":
            value = node.child_by_field_name("value")
            if value is not None:
                named[word(node.child_by_field_name("name"))] = value
        elif node.type in ("list_splat", "dictionary_splat"):
            splat = True
        elif node.type != "comment" and not splat:
            positional.append(node)
    return positional, named


def _event(positional: list[Node]) -> Node | None:
    """`capture(event, …)`, and `capture(distinct_id, event, properties)` of before version 6."""
    if len(positional) > 1 and positional[1].type != "dictionary":
        return positional[1]
    return positional[0] if positional else None
