"""Calls of PostHog's library in Ruby, and the methods that wrap them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tree_sitter import Node

from posthog_code.adapters.code.module import nth, word
from posthog_code.adapters.code.ruby_values import FUNCTIONS, HOLDERS, RubyValues, named_arguments, pairs, positional
from posthog_code.adapters.code.values import Api, Client, Forward, Found, Function, Maker, Named, Text
from posthog_code.adapters.code.vocabulary import RUBY
from posthog_code.domain.code_use import UseKind

_SCOPE = FUNCTIONS | {"program"}
_NOT_CALLED = frozenset(
    {
        "method_parameters",
        "block_parameters",
        "keyword_parameter",
        "optional_parameter",
        "method",
        "singleton_method",
        "alias",
        "block_parameter",
        "splat_parameter",
    }
)


class RubyModule(RubyValues):
    """One file of Ruby."""

    calls = frozenset({"call"})
    busy = frozenset({"while", "until", "for", "yield", "super"})

    def callee(self, call: Node) -> Node | None:
        return call.child_by_field_name("method")

    def _harmless(self, call: Node) -> bool:
        return isinstance(self.target(call), Api | Maker) or isinstance(self.value(call), Client)

    def site(self, token: Node) -> Node | None:
        parent = token.parent
        if parent is None:
            return None
        if parent.type == "call" and parent.child_by_field_name("method") == token:
            return parent
        if token.type != "identifier" or parent.type in _NOT_CALLED:
            return None
        if parent.type in ("assignment", "operator_assignment") and parent.child_by_field_name("left") == token:
            return None
        # A method without arguments is called by its name alone.
        return token

    def found(self, site: Node, token: Node) -> Iterable[Found]:
        name = word(token)
        if site.type == "identifier":
            target = None if self.local(name, site) is not None else self.own_method(name, site)
            return self.through(target, site, name)
        target = self.target(site)
        if isinstance(target, Function):
            found = self.through(target, site, name)
        elif isinstance(target, Api) and name in RUBY:
            use = self._called(site, name)
            found = [use] if use is not None else []
        elif name == "new" and isinstance(self.value(site.child_by_field_name("receiver")), Maker):
            return [Found(UseKind.INIT, name, site, nameless=True)]
        else:
            return []
        for use in found:
            if use.kind is UseKind.FLAG:
                use.variant = self._variant(site)
        return found

    def _called(self, site: Node, name: str) -> Found | None:
        method = RUBY[name]
        given, named = positional(site), named_arguments(site)
        if method.kind is UseKind.INIT:
            return Found(method.kind, name, site, nameless=True) if name == "init" else None
        if method.kind is UseKind.EVENT:
            if "event" not in named and given and (message := self.literal_hash(given[0])) is not None:
                named = pairs(message.named_children)
            event = named.get("event")
            if event is None:
                # A message that is made elsewhere.
                return Found(method.kind, name, site) if len(given) == 1 and not named else None
            use = Found(method.kind, name, site, self.value(event))
            properties = named.get("properties")
            if properties is not None and properties.type == "hash":
                use.properties = tuple(pairs(properties.named_children))
            return use
        if method.argument < 0:
            subject = self.value(given[0]) if given else None
            return Found(method.kind, name, site, nameless=True, subject=subject)
        node = (
            given[0] if given and given[0].type != "hash" else next((named[k] for k in method.keys if k in named), None)
        )
        return None if node is None else Found(method.kind, name, site, self.value(node))

    # The compared variant

    def _variant(self, site: Node) -> str:
        if found := self._compared(site):
            return found
        parent = site.parent
        if parent is None or parent.type != "assignment" or parent.child_by_field_name("right") != site:
            return ""
        left, scope = parent.child_by_field_name("left"), self.enclosing(parent, _SCOPE)
        if left is None or left.type != "identifier" or scope is None:
            return ""
        for token in self.occurrences((word(left),)):
            if scope.start_byte <= token.start_byte < scope.end_byte and (found := self._compared(token)):
                return found
        return ""

    def _compared(self, node: Node) -> str:
        parent = node.parent
        while parent is not None and parent.type == "parenthesized_statements":
            node, parent = parent, parent.parent
        if parent is None:
            return ""
        if parent.type == "binary" and word(parent.child_by_field_name("operator")) in ("==", "!=", "==="):
            left, right = parent.child_by_field_name("left"), parent.child_by_field_name("right")
            other = self.value(right if left == node else left)
            return other.text if isinstance(other, Text) else ""
        if parent.type == "case" and parent.child_by_field_name("value") == node:
            for branch in (child for child in parent.named_children if child.type == "when"):
                pattern = branch.child_by_field_name("pattern")
                chosen = self.value(nth(pattern)) if pattern is not None else None
                if isinstance(chosen, Text):
                    return chosen.text
        return ""

    # Wrappers

    def argument(self, site: Node, forward: Forward) -> Node | None:
        named = named_arguments(site) if site.type == "call" else {}
        if forward.parameter in named:
            return named[forward.parameter]
        given, index = positional(site) if site.type == "call" else [], forward.wrapper.argument
        return given[index] if index < len(given) else None

    def named(self, function: Node) -> Named | None:
        if function.type == "lambda":
            return None
        name = word(function.child_by_field_name("name"))
        holder = self.enclosing(function, HOLDERS)
        owner = word(holder.child_by_field_name("name")) if holder is not None else ""
        return Named(name, f"{owner}.{name}" if owner else name, name != "initialize")

    def aliases(self, token: Node) -> Iterator[str]:
        return iter(())
