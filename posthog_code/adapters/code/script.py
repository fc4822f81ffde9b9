"""What expressions of JavaScript and TypeScript stand for: clients, names, functions, and members of objects."""

from __future__ import annotations

import re
from functools import cached_property

from tree_sitter import Node

from posthog_code.adapters.code.languages import captures
from posthog_code.adapters.code.module import Module, Surroundings, in_no_circle, nth, walk, word
from posthog_code.adapters.code.script_exports import WHOLE, Exports
from posthog_code.adapters.code.script_scopes import (
    CLASSES,
    FUNCTIONS,
    STRINGS,
    Binding,
    Scopes,
    annotation_of,
    literal,
)
from posthog_code.adapters.code.values import (
    Api,
    Client,
    Function,
    Maker,
    Other,
    Parameter,
    Space,
    Struct,
    Text,
    Value,
)
from posthog_code.adapters.code.vocabulary import SCRIPT, is_script_package, mentions

_INNER = frozenset(
    {
        "parenthesized_expression",
        "non_null_expression",
        "as_expression",
        "satisfies_expression",
        "await_expression",
        "expression_statement",
        "jsx_expression",
        "type_assertion",
    }
)
_CONVENTIONAL = frozenset({"posthog", "$posthog"})
"""What the client is called by everybody: enough where nothing says what a name is."""
_GLOBALS = frozenset({"window", "globalThis", "global", "self", "top", "parent"})
_PASSING = frozenset({"useCallback", "useMemo", "memo", "debounce", "throttle", "once", "memoize", "cache", "useEvent"})
"""Calls that give back the function they are given."""
_TYPE = re.compile(r"^(?:\w+\.)?(?:typeof )?(?:PostHog\w*|posthog)\b", re.IGNORECASE)
_MAKERS = frozenset({"PostHog", "PostHogClient", "usePostHog"})
_ASSIGNED = "(assignment_expression left: (member_expression object: (this) property: (_) @name) right: (_) @right)"


class ScriptValues(Module):
    """The reading of expressions; `ScriptModule` adds the calls."""

    vocabulary = SCRIPT
    functions = FUNCTIONS
    names = frozenset(
        {
            "identifier",
            "property_identifier",
            "shorthand_property_identifier",
            "shorthand_property_identifier_pattern",
            "type_identifier",
            "private_property_identifier",
        }
    )

    def __init__(self, path: str, language: str, text: bytes, project: Surroundings) -> None:
        super().__init__(path, language, text, project)
        self.scopes = Scopes()

    def evaluate(self, node: Node) -> Value | None:
        kind = node.type
        if kind in ("identifier", "shorthand_property_identifier", "type_identifier"):
            return self.resolve(word(node), node)
        if kind in _INNER:
            return self.value(nth(node)) if node.named_child_count else None
        if kind in STRINGS:
            text = literal(node)
            return None if text is None else Text(text)
        if kind in ("member_expression", "subscript_expression"):
            return self._member_expression(node)
        if kind in FUNCTIONS:
            return Function(self, node)
        if kind == "object" or kind in CLASSES or kind == "enum_declaration":
            return Struct(self, node)
        if kind == "call_expression":
            return self._call(node)
        if kind == "new_expression":
            return self._made(self.value(node.child_by_field_name("constructor")))
        if kind == "ternary_expression":
            return self._either(node, "consequence", "alternative")
        if kind == "binary_expression":
            operator = word(node.child_by_field_name("operator"))
            return self._either(node, "left", "right") if operator in ("||", "??", "&&") else None
        if kind in ("assignment_expression", "augmented_assignment_expression"):
            return self.value(node.child_by_field_name("right"))
        if kind == "this":
            return self._this(node)
        return Other() if kind in ("number", "true", "false", "array", "regex") else None

    def _either(self, node: Node, *fields: str) -> Value | None:
        values = [self.value(node.child_by_field_name(field)) for field in fields]
        if any(isinstance(value, Text) for value in values):
            return None
        return next((value for value in values if value is not None and not isinstance(value, Other)), None)

    def _made(self, value: Value | None) -> Value | None:
        if isinstance(value, Maker):
            return Client()
        if isinstance(value, Struct):
            return Struct(value.module, value.node, True)
        return value if isinstance(value, Other) else None

    # Names

    def resolve(self, name: str, at: Node) -> Value | None:
        """What a name stands for where it is used. Unbound, `posthog` is the global client."""
        binding = self.scopes.lookup(name, at)
        if binding is None:
            return Client() if name in _CONVENTIONAL else Maker() if name == "PostHog" else None
        return self.bound(name, binding)

    def bound(self, name: str, binding: Binding) -> Value | None:
        if binding.kind == "variable":
            return self._variable(name, binding)
        if binding.kind == "parameter":
            return self._parameter(name, binding)
        if binding.kind == "import":
            source = literal(binding.node.child_by_field_name("source")) or ""
            value = self.imported(source, binding.path[0])
            # A module that cannot be looked into, with a name that only one thing has.
            local = source.startswith((".", "@/", "~/", "#", "src/"))
            return Client() if value is None and name in _CONVENTIONAL and local else value
        if binding.kind == "function":
            return Function(self, binding.node)
        if binding.kind in ("class", "enum"):
            return Struct(self, binding.node)
        return Other() if name in _CONVENTIONAL else None

    def _variable(self, name: str, binding: Binding) -> Value | None:
        if _TYPE.match(binding.type) and not binding.path:
            return Client()
        start = binding.node.child_by_field_name("value")
        value = self.value(start)
        for key in binding.path:
            value = self.member(value, key)
        if value is None and (start is None or start.type in ("null", "undefined")):
            value = self._assigned(name)
        if value is None and name in _CONVENTIONAL and start is not None:
            mentioned = mentions(word(start)[:200].encode()) and start.type in (
                "call_expression",
                "await_expression",
            )
            return Client() if mentioned or binding.path else Other()
        return value

    def _assigned(self, name: str) -> Value | None:
        """The first thing that is assigned to a name declared without a value."""
        for token in self.occurrences((name,)):
            parent = token.parent
            if parent is None or parent.type not in ("assignment_expression", "augmented_assignment_expression"):
                continue
            if parent.child_by_field_name("left") == token:
                value = self.value(parent.child_by_field_name("right"))
                if value is not None and not isinstance(value, Other):
                    return value
        return None

    def _parameter(self, name: str, binding: Binding) -> Value | None:
        typed = binding.type
        if not binding.path and _TYPE.match(typed):
            return Client()
        if name in _CONVENTIONAL and (binding.path or not typed or "PostHog" in typed):
            return Client()
        if "..." in binding.path:
            return None
        return Parameter(binding.node, binding.index, name, ".".join(binding.path), typed)

    def imported(self, source: str, name: str) -> Value | None:
        """What an import gives; None when the file cannot be found."""
        if is_script_package(source):
            return library(name)
        targets = self.project.layout.resolve(self.language, self.path, source)
        if not targets:
            # `hooks/usePostHog` may be a file that only the bundler finds.
            local = source.startswith((".", "@/", "~/", "#", "src/")) or mentions(source.encode())
            return None if local else Other()
        module = self.project.module(targets[0])
        if not isinstance(module, ScriptValues):
            return None
        return Space(module) if name == "*" else module.export(name)

    # Members

    def _member_expression(self, node: Node) -> Value | None:
        target = node.child_by_field_name("object")
        key = node.child_by_field_name("property") or node.child_by_field_name("index")
        name = literal(key) if key is not None and key.type in STRINGS else word(key)
        if name is None or target is None:
            return None
        if target.type == "identifier" and word(target) in _GLOBALS and not self.scopes.lookup(word(target), target):
            return self.resolve(name, self.root or node) if name in (*_CONVENTIONAL, "PostHog") else None
        value = self.member(self.value(target), name)
        return Client() if isinstance(value, Parameter | None) and name in _CONVENTIONAL else value

    def member(self, value: Value | None, name: str) -> Value | None:
        """A property of something."""
        if isinstance(value, Client):
            if name in ("default", "posthog", "__loaded"):
                return value
            return Maker() if name in _MAKERS else Api(name)
        if isinstance(value, Api) and name in ("bind", "call", "apply"):
            return value
        if isinstance(value, Space) and isinstance(value.module, ScriptValues):
            return value.module.export(name)
        if isinstance(value, Struct) and isinstance(value.module, ScriptValues):
            return value.module.property(value, name)
        if isinstance(value, Function) and name in ("bind", "call"):
            return value
        if isinstance(value, Parameter) and not value.key:
            return Parameter(value.function, value.index, value.name, name)
        if isinstance(value, Text):
            return value if name in ("value", "name") else None
        return Other() if isinstance(value, Other) else None

    def property(self, struct: Struct, name: str) -> Value | None:
        """A property of an object, an enumeration's member, a class's field or method."""
        node = struct.node
        body = node if node.type == "object" else node.child_by_field_name("body")
        for child in body.named_children if body is not None else ():
            kind = child.type
            if kind in ("pair", "enum_assignment", "public_field_definition", "field_definition"):
                key = child.child_by_field_name("key") or child.child_by_field_name("name")
                key = key or child.child_by_field_name("property")
                if key is None or word(key).strip("'\"`") != name:
                    continue
                if _TYPE.match(annotation_of(child)):
                    return Client()
                value = self.value(child.child_by_field_name("value"))
                if value is not None or node.type not in CLASSES:
                    return value
            elif kind == "method_definition" and word(child.child_by_field_name("name")) == name:
                getter = any(part.type == "get" for part in child.children)
                return self.returned(child) if getter else Function(self, child)
            elif kind == "shorthand_property_identifier" and word(child) == name:
                return self.resolve(name, child)
            elif kind == "spread_element" and node.type == "object":
                inner = self.value(nth(child))
                if isinstance(inner, Struct) and (found := self.member(inner, name)) is not None:
                    return found
        return self._of_class(node, name) if node.type in CLASSES else None

    def _of_class(self, node: Node, name: str) -> Value | None:
        """A field that the constructor makes, or something inherited."""
        for function in (n for n in walk(node, FUNCTIONS) if n.type == "method_definition"):
            if word(function.child_by_field_name("name")) == "constructor":
                binding = self.scopes.table(function).get(name)
                parameters = function.child_by_field_name("parameters")
                if binding and any(
                    p.named_child_count and p.named_children[0].type == "accessibility_modifier"
                    and name in word(p.child_by_field_name("pattern"))
                    for p in (parameters.named_children if parameters else ())
                ):  # fmt: skip
                    found = self.bound(name, binding)
                    return self._typed(found, node) if isinstance(found, Parameter) else found
        found_nodes = captures(self.language, _ASSIGNED, node)
        for key, right in zip(found_nodes.get("name", ()), found_nodes.get("right", ()), strict=False):
            if word(key) == name and (value := self.value(right)) is not None:
                return self._typed(value, node) if isinstance(value, Parameter) else value
        heritage = next((child for child in node.named_children if child.type == "class_heritage"), None)
        if heritage is not None and heritage.named_child_count:
            base = heritage.named_children[0]
            parent = self.value(base.child_by_field_name("value") or base)
            if isinstance(parent, Struct):
                return self.member(parent, name)
        return None

    def _typed(self, value: Parameter, at: Node) -> Value | None:
        """An instance of the class that annotates a constructor's parameter."""
        if not value.type or not value.type.isidentifier():
            return None
        return self._made(self.resolve(value.type, at))

    def _this(self, node: Node) -> Value | None:
        current = self.enclosing(node, CLASSES | {"object"})
        return None if current is None else Struct(self, current, True)

    # Calls

    def _call(self, node: Node) -> Value | None:
        function = node.child_by_field_name("function")
        if function is None:
            return None
        if function.type == "import":
            source = literal(first_argument(node))
            return None if source is None else self.imported(source, "*")
        if function.type == "identifier" and word(function) == "require":
            source = literal(first_argument(node))
            return None if source is None else self.required(source)
        callee = self.value(function)
        if isinstance(callee, Maker):
            return Client()
        if isinstance(callee, Api):
            # `posthog.init()` gives the client; `posthog.capture.bind(posthog)` the function.
            last = word(function.child_by_field_name("property"))
            return callee if last == "bind" else Client() if callee.name in ("init", "usePostHog") else None
        if isinstance(callee, Function):
            if word(function.child_by_field_name("property")) == "bind":
                return callee
            return callee.module.returned(callee.node) if isinstance(callee.module, ScriptValues) else None
        last = word(function.child_by_field_name("property")) or word(function)
        if last in _PASSING or last in ("freeze", "seal"):
            value = self.value(first_argument(node))
            if last == "useMemo" and isinstance(value, Function) and isinstance(value.module, ScriptValues):
                return value.module.returned(value.node)
            return value
        return Other() if isinstance(callee, Other) else None

    def required(self, source: str) -> Value | None:
        if is_script_package(source):
            return Client()
        value = self.imported(source, "*")
        if isinstance(value, Space) and isinstance(value.module, ScriptValues):
            return value.module.export(WHOLE) or value
        return value

    def returned(self, function: Node) -> Value | None:
        """What a function gives back, when all of it is one thing."""
        body = function.child_by_field_name("body")
        if body is None:
            return None
        if body.type != "statement_block":
            return self.value(body)
        annotation = function.child_by_field_name("return_type")
        if annotation is not None and _TYPE.match(word(annotation).lstrip(": ")):
            return Client()
        for node in walk(body, FUNCTIONS | CLASSES):
            if node.type == "return_statement" and node.named_child_count:
                value = self.value(nth(node))
                if value is not None and not isinstance(value, Parameter):
                    return value
        return None

    # Exports

    @cached_property
    def exports(self) -> Exports | None:
        return None if self.root is None else Exports(self.root, self.scopes, self.occurrences(("exports",)))

    @in_no_circle
    def export(self, name: str) -> Value | None:
        """What other files get by a name."""
        if self.exports is None:
            return None
        found = self.exports.names.get(name)
        if isinstance(found, Binding):
            return self.bound(name, found)
        if isinstance(found, Node):
            return self.value(found)
        if found is not None:
            return self.imported(*found)
        if name == WHOLE:
            return None
        for source in self.exports.stars if name != "default" else ():
            value = self.imported(source, name)
            if value is not None and not isinstance(value, Other):
                return value
        whole = self.export(WHOLE)
        return whole if name == "default" else self.member(whole, name)


def library(name: str) -> Value:
    """What the library's packages export."""
    if name in ("default", "posthog", "*"):
        return Client()
    if name in _MAKERS:
        return Maker()
    return Api(name)


def first_argument(call: Node) -> Node | None:
    found = arguments(call)
    return found[0] if found else None


def arguments(call: Node) -> list[Node]:
    listed = call.child_by_field_name("arguments")
    if listed is None or listed.type != "arguments":
        return []
    return [child for child in listed.named_children if child.type != "comment"]
