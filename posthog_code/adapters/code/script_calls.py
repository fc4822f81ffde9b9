"""Calls of PostHog's libraries in JavaScript and TypeScript, JSX included, and the functions that wrap them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tree_sitter import Node

from posthog_code.adapters.code.module import nth, word
from posthog_code.adapters.code.script import ScriptValues, arguments
from posthog_code.adapters.code.script_scopes import CLASSES, FUNCTIONS, patterns
from posthog_code.adapters.code.values import (
    Api,
    Forward,
    Found,
    Function,
    Maker,
    Named,
    Struct,
    Text,
    Value,
)
from posthog_code.adapters.code.vocabulary import SCRIPT, Method
from posthog_code.domain.code_use import UseKind

_ELEMENTS = frozenset({"jsx_opening_element", "jsx_self_closing_element"})
_AROUND = frozenset({"parenthesized_expression", "non_null_expression", "await_expression", "as_expression"})
_COMPARED = frozenset({"===", "==", "!==", "!="})
_SCOPE = FUNCTIONS | {"program"}
_DEFAULTS = re.compile(rb"\bimport\s+([\w$]+)\s*(?:,|from)|([\w$]+)\s*=\s*require\(")
_RENAMED = re.compile(rb"([\w$]+)\s+as\s+([\w$]+)")


class ScriptModule(ScriptValues):
    """One file of JavaScript, TypeScript or either with JSX."""

    calls = frozenset({"call_expression"})
    busy = frozenset(
        {
            "new_expression",
            "assignment_expression",
            "augmented_assignment_expression",
            "update_expression",
            "throw_statement",
            "for_statement",
            "for_in_statement",
            "while_statement",
            "jsx_element",
            "jsx_self_closing_element",
            "jsx_opening_element",
            "yield_expression",
        }
    )

    def callee(self, call: Node) -> Node | None:
        return call.child_by_field_name("function")

    def site(self, token: Node) -> Node | None:
        callee, parent = token, token.parent
        if parent is not None and parent.type in ("member_expression", "subscript_expression"):
            if parent.child_by_field_name("property") != token:
                return None
            callee, parent = parent, parent.parent
        while parent is not None and parent.type == "non_null_expression":
            callee, parent = parent, parent.parent
        if parent is None:
            return None
        if parent.type == "call_expression" and parent.child_by_field_name("function") == callee:
            return parent
        if parent.type == "new_expression" and parent.child_by_field_name("constructor") == callee:
            return parent
        if parent.type in _ELEMENTS and parent.child_by_field_name("name") == callee:
            return parent
        return None

    def found(self, site: Node, token: Node) -> Iterable[Found]:
        name = word(token)
        if site.type == "new_expression":
            made = self.value(site.child_by_field_name("constructor"))
            return [Found(UseKind.INIT, name, site, nameless=True)] if isinstance(made, Maker) else []
        field = "name" if site.type in _ELEMENTS else "function"
        target = self.value(site.child_by_field_name(field))
        if isinstance(target, Function):
            found = self.through(target, site, name)
        elif isinstance(target, Api) and (method := SCRIPT.get(target.name)) is not None:
            use = (
                self._element(site, target.name, method) if field == "name" else self._called(site, target.name, method)
            )
            found = [use] if use is not None else []
        else:
            return []
        for use in found:
            if use.kind is UseKind.FLAG and not use.variant:
                use.variant = self._variant(site)
            elif use.kind is UseKind.EVENT and not use.properties and use.via:
                use.properties = next((keys for a in arguments(site) if (keys := self._keys(a))), ())
        return found

    def _element(self, site: Node, name: str, method: Method) -> Found | None:
        if name == "PostHogProvider":
            given = _attribute(site, "apiKey") is not None
            return Found(method.kind, name, site, nameless=True) if given else None
        if name != "PostHogFeature":
            return None
        variant = self.value(_attribute(site, "match"))
        use = Found(method.kind, name, site, self.value(_attribute(site, "flag")))
        use.variant = variant.text if isinstance(variant, Text) else ""
        return use

    def _called(self, site: Node, name: str, method: Method) -> Found | None:
        given = arguments(site)
        if name in ("PostHogFeature", "PostHogProvider", "PostHog"):
            return None
        if method.argument < 0:
            subject = self.value(given[0]) if given else None
            return Found(method.kind, name, site, nameless=True, subject=subject)
        if not given:
            return None
        use = Found(method.kind, name, site, self.value(given[0]))
        message = use.name
        if isinstance(message, Struct) and message.node.type == "object":
            use.name = self.member(message, method.keys[0])
            if message.module is self:
                use.properties = self._keys(property_of(message.node, "properties"))
        elif method.kind is UseKind.EVENT and len(given) > method.properties:
            use.properties = self._keys(given[method.properties])
        return use

    def name_of(self, value: Value | None, kind: UseKind) -> Value | None:
        if isinstance(value, Struct) and value.node.type == "object":
            return self.member(value, "event" if kind is UseKind.EVENT else "key")
        return value

    def _keys(self, node: Node | None) -> tuple[str, ...]:
        """Literal names of an object's properties."""
        value = self.value(node)
        if not isinstance(value, Struct) or value.node.type != "object":
            return ()
        found = []
        for child in value.node.named_children:
            key = child.child_by_field_name("key") if child.type == "pair" else child
            if key is not None and key.type in ("property_identifier", "shorthand_property_identifier", "string"):
                found.append(word(key).strip("'\""))
        return tuple(found)

    # The compared variant

    def _variant(self, site: Node) -> str:
        if found := self._compared(site):
            return found
        parent, value = site.parent, site
        while parent is not None and parent.type in _AROUND:
            value, parent = parent, parent.parent
        if parent is None or parent.type != "variable_declarator" or parent.child_by_field_name("value") != value:
            return ""
        name, scope = parent.child_by_field_name("name"), self.enclosing(parent, _SCOPE)
        if name is None or name.type != "identifier" or scope is None:
            return ""
        for token in self.occurrences((word(name),)):
            if scope.start_byte <= token.start_byte < scope.end_byte and (found := self._compared(token)):
                return found
        return ""

    def _compared(self, node: Node) -> str:
        """What an expression is compared with, directly or in a switch."""
        parent = node.parent
        while parent is not None and parent.type in _AROUND:
            node, parent = parent, parent.parent
        if parent is None:
            return ""
        if parent.type == "binary_expression" and word(parent.child_by_field_name("operator")) in _COMPARED:
            left, right = parent.child_by_field_name("left"), parent.child_by_field_name("right")
            other = self.value(right if left == node else left)
            return other.text if isinstance(other, Text) else ""
        if parent.type == "switch_statement" and parent.child_by_field_name("value") == node:
            body = parent.child_by_field_name("body")
            for case in body.named_children if body is not None else ():
                chosen = self.value(case.child_by_field_name("value"))
                if isinstance(chosen, Text):
                    return chosen.text
        return ""

    # Wrappers

    def argument(self, site: Node, forward: Forward) -> Node | None:
        if site.type in _ELEMENTS:
            return _attribute(site, forward.key) if forward.key else None
        given, index = arguments(site), forward.wrapper.argument
        if index >= len(given) or given[index].type == "spread_element":
            return None
        node: Node | None = given[index]
        for key in filter(None, forward.key.split(".")):
            value = self.value(node)
            if not isinstance(value, Struct) or value.module is not self:
                return None
            node = property_of(value.node, key)
        return node

    def named(self, function: Node) -> Named | None:
        name = word(function.child_by_field_name("name"))
        if function.type == "method_definition":
            owner = self._owner(function)
            if name == "constructor":
                return None
            return Named(name, f"{owner}.{name}" if owner else name)
        if name:
            return Named(name, name)
        node, parent = function, function.parent
        while parent is not None and parent.type in ("arguments", "call_expression", *_AROUND):
            node, parent = parent, parent.parent
        if parent is None:
            return None
        if parent.type == "variable_declarator":
            target = parent.child_by_field_name("name")
            return Named(word(target), word(target)) if target and target.type == "identifier" else None
        if parent.type in ("pair", "public_field_definition", "field_definition"):
            key = parent.child_by_field_name("key") or parent.child_by_field_name("name")
            key = key or parent.child_by_field_name("property")
            name, owner = word(key).strip("'\""), self._owner(parent)
            return Named(name, f"{owner}.{name}" if owner else name)
        if parent.type == "assignment_expression" and parent.child_by_field_name("right") == node:
            name = word(parent.child_by_field_name("left")).rsplit(".", 1)[-1]
            return Named(name, name)
        if parent.type == "export_statement":
            return Named("default", "default")
        if parent.type == "return_statement" or parent.type in FUNCTIONS:
            # A function that gives back the wrapper is how others come by it.
            outer = self.enclosing(function, FUNCTIONS)
            return self.named(outer) if outer is not None else None
        return None

    def public(self, function: Node, named: Named) -> bool:
        return self.exports is not None and self.exports.holds(function)

    def _owner(self, member: Node) -> str:
        """What holds a method: its class, or the variable of its object."""
        holder = self.enclosing(member, CLASSES | {"object", "variable_declarator"} | FUNCTIONS)
        if holder is not None and holder.type == "object":
            holder = self.enclosing(holder, CLASSES | {"variable_declarator"} | FUNCTIONS)
        return word(holder.child_by_field_name("name")) if holder is not None else ""

    def aliases(self, token: Node) -> Iterator[str]:
        parent = token.parent
        if parent is None:
            return
        if parent.type == "import_specifier" and parent.child_by_field_name("name") == token:
            if (alias := parent.child_by_field_name("alias")) is not None:
                yield word(alias)
        elif parent.type == "pair_pattern" and parent.child_by_field_name("key") == token:
            if (value := parent.child_by_field_name("value")) is not None:
                yield from (name for name, _ in patterns(value))
        elif parent.type == "pair" and parent.child_by_field_name("value") == token:
            yield word(parent.child_by_field_name("key")).strip("'\"")
        else:
            yield from self._declared_from(token)

    def _declared_from(self, token: Node) -> Iterator[str]:
        """Variables that are made from a mention: `const send = analytics.track`, `const t = useTrack()`."""
        node, parent = token, token.parent
        for _ in range(8):
            if parent is None or parent.type in ("statement_block", "program"):
                return
            if parent.type == "variable_declarator" and parent.child_by_field_name("value") == node:
                target = parent.child_by_field_name("name")
                for name, _path in patterns(target) if target is not None else ():
                    if isinstance(self.resolve(name, parent), Function | Api):
                        yield name
                return
            node, parent = parent, parent.parent

    def renamed(self, tokens: set[str]) -> set[str]:
        """Default imports, and `import { track as log }` or `export { send as track }`."""
        if not tokens:
            return set()
        found = {(m[1] or m[2]).decode("utf-8", "replace") for m in _DEFAULTS.finditer(self.text)}
        for match in _RENAMED.finditer(self.text):
            if match[1].decode("utf-8", "replace") in tokens:
                found.add(match[2].decode("utf-8", "replace"))
        return found


def property_of(node: Node | None, name: str) -> Node | None:
    """The value of an object's property as written; a shorthand is its own value."""
    for child in node.named_children if node is not None and node.type == "object" else ():
        if child.type == "pair" and word(child.child_by_field_name("key")).strip("'\"") == name:
            return child.child_by_field_name("value")
        if child.type == "shorthand_property_identifier" and word(child) == name:
            return child
    return None


def _attribute(element: Node, name: str) -> Node | None:
    """The value of a JSX attribute: a string, or the expression in its braces."""
    for child in element.named_children:
        if child.type == "jsx_attribute" and word(nth(child)) == name:
            return nth(child, 1) if child.named_child_count > 1 else None
    return None
