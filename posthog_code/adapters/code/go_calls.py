"""Calls of PostHog's library in Go, and the functions that wrap them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tree_sitter import Node

from posthog_code.adapters.code.go_values import FUNCTIONS, GoValues, arguments, keyed, literal, receiver_type
from posthog_code.adapters.code.module import nth, walk, word
from posthog_code.adapters.code.values import Api, Client, Forward, Found, Function, Named, Parameter, Text
from posthog_code.adapters.code.vocabulary import GO, GO_MESSAGES
from posthog_code.domain.code_use import UseKind

_STRINGS = frozenset({"interpreted_string_literal", "raw_string_literal"})


class GoModule(GoValues):
    """One file of Go."""

    calls = frozenset({"call_expression"})
    busy = frozenset({"for_statement", "assignment_statement", "go_statement", "select_statement", "send_statement"})

    def callee(self, call: Node) -> Node | None:
        return call.child_by_field_name("function")

    def site(self, token: Node) -> Node | None:
        callee, parent = token, token.parent
        if parent is not None and parent.type == "selector_expression":
            if parent.child_by_field_name("field") != token:
                return None
            callee, parent = parent, parent.parent
        if parent is not None and parent.type == "call_expression" and parent.child_by_field_name("function") == callee:
            return parent
        return None

    def found(self, site: Node, token: Node) -> Iterable[Found]:
        name, given = word(token), arguments(site)
        function = site.child_by_field_name("function")
        target = self.value(function)
        if isinstance(target, Function):
            found = self.through(target, site, name)
        elif name == "Enqueue":
            found = self._enqueued(site, given[0], isinstance(target, Api)) if given else []
        elif name in GO:
            found = self._asked(site, name, given, target)
        else:
            return []
        for use in found:
            if use.kind is UseKind.FLAG:
                use.variant = self._variant(site)
        return found

    def _enqueued(self, site: Node, given: Node, to_client: bool) -> list[Found]:
        node = self._message(given)
        if node.type == "call_expression":
            made = self.value(node.child_by_field_name("function"))
            if isinstance(made, Api) and made.name in GO_MESSAGES:
                return [Found(UseKind.ERROR, "Enqueue", site, nameless=True)]
            return []
        type_name = self.message_type(node.child_by_field_name("type"))
        value = self.value(given)
        if not type_name and isinstance(value, Parameter):
            type_name = self._message_of(value)
        method = GO_MESSAGES.get(type_name)
        if method is None:
            return []
        if method.argument < 0:
            return [Found(method.kind, "Enqueue", site, nameless=True, subject=value)]
        use = Found(method.kind, "Enqueue", site, value)
        if node.type == "composite_literal":
            use.properties = self._keys(keyed(node, "Properties"))
        return [use]

    def _message_of(self, parameter: Parameter) -> str:
        package, _, name = parameter.type.lstrip("*").rpartition(".")
        return name if isinstance(self.imported_package(package), Client) and name in GO_MESSAGES else ""

    def _message(self, node: Node) -> Node:
        """The composite literal (or call) that is passed, also by way of a variable."""
        for _ in range(4):
            if node.type in ("unary_expression", "parenthesized_expression") and node.named_child_count:
                node = node.named_children[0]
            elif node.type == "identifier" and (made := self._made(node)) is not None:
                node = made
            else:
                break
        return node

    def _made(self, name: Node) -> Node | None:
        """What a variable is declared with."""
        scope = self.enclosing(name, FUNCTIONS)
        for node in walk(scope, FUNCTIONS) if scope is not None else ():
            if node.type == "short_var_declaration":
                left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
                if left is not None and right is not None and word(left) == word(name) and right.named_child_count:
                    return right.named_children[0]
        return None

    def _asked(self, site: Node, name: str, given: list[Node], target: object) -> list[Found]:
        method = GO[name]
        if method.kind is UseKind.INIT:
            return [Found(UseKind.INIT, name, site, nameless=True)] if isinstance(target, Api) else []
        payload = self._message(given[0]) if given else None
        typed = payload is not None and word(payload.child_by_field_name("type")).startswith(
            tuple(f"{alias}.FeatureFlag" for alias in self.imports if isinstance(self.imported_package(alias), Client))
            or ("\0",)
        )
        if not typed and not isinstance(target, Api):
            return []
        if method.argument < 0:
            return [Found(method.kind, name, site, nameless=True)]
        return [Found(method.kind, name, site, self.value(payload))]

    def _keys(self, node: Node | None) -> tuple[str, ...]:
        """Names in `posthog.NewProperties().Set("a", 1)`, `posthog.Properties{"a": 1}` and maps."""
        if node is None:
            return ()
        found = []
        for inner in (node, *walk(node, frozenset())):
            if inner.type == "call_expression":
                given = arguments(inner)
                if word(inner.child_by_field_name("function")).endswith(".Set") and given and given[0].type in _STRINGS:
                    found.append(literal(given[0]))
            elif inner.type == "keyed_element":
                key = self.value(nth(inner))
                if isinstance(key, Text):
                    found.append(key.text)
        return tuple(reversed(found)) if "Set(" in word(node) else tuple(found)

    # The compared variant

    def _variant(self, site: Node) -> str:
        if found := self._compared(site):
            return found
        listed = site.parent
        declared = listed.parent if listed is not None and listed.type == "expression_list" else None
        if declared is None or declared.type not in ("short_var_declaration", "assignment_statement"):
            return ""
        left, scope = declared.child_by_field_name("left"), self.enclosing(declared, FUNCTIONS)
        if left is None or not left.named_child_count or scope is None:
            return ""
        name = word(left.named_children[0])
        for token in self.occurrences((name,)) if name.isidentifier() else ():
            if scope.start_byte <= token.start_byte < scope.end_byte and (found := self._compared(token)):
                return found
        return ""

    def _compared(self, node: Node) -> str:
        parent = node.parent
        if parent is None:
            return ""
        if parent.type == "binary_expression" and word(parent.child_by_field_name("operator")) in ("==", "!="):
            left, right = parent.child_by_field_name("left"), parent.child_by_field_name("right")
            other = self.value(right if left == node else left)
            return other.text if isinstance(other, Text) else ""
        if parent.type == "expression_switch_statement" and parent.child_by_field_name("value") == node:
            for case in (child for child in parent.named_children if child.type == "expression_case"):
                chosen = self.value(case.child_by_field_name("value"))
                if isinstance(chosen, Text):
                    return chosen.text
        return ""

    # Wrappers

    def argument(self, site: Node, forward: Forward) -> Node | None:
        given, index = arguments(site), forward.wrapper.argument
        return given[index] if index < len(given) else None

    def named(self, function: Node) -> Named | None:
        if function.type == "func_literal":
            listed = function.parent
            declared = listed.parent if listed is not None and listed.type == "expression_list" else None
            left = declared.child_by_field_name("left") if declared is not None else None
            name = word(left)
            return Named(name, name, False) if left is not None and name.isidentifier() else None
        name = word(function.child_by_field_name("name"))
        owner = receiver_type(function) if function.type == "method_declaration" else ""
        return Named(name, f"{owner}.{name}" if owner else name, name[:1].isupper())

    def aliases(self, token: Node) -> Iterator[str]:
        """`track := analytics.Track`."""
        node, parent = token, token.parent
        if parent is not None and parent.type == "selector_expression":
            node, parent = parent, parent.parent
        declared = parent.parent if parent is not None and parent.type == "expression_list" else None
        if declared is not None and declared.type == "short_var_declaration":
            right, left = declared.child_by_field_name("right"), declared.child_by_field_name("left")
            if right == parent and left is not None and word(left).isidentifier() and node is not None:
                yield word(left)
