"""What expressions of Go stand for. A package is all of its files; types tell which method is meant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from tree_sitter import Node

from posthog_code.adapters.code.module import Module, in_no_circle, nth, word
from posthog_code.adapters.code.values import Api, Client, Function, Other, Parameter, Space, Struct, Text, Value
from posthog_code.adapters.code.vocabulary import GO, GO_MESSAGES, is_go_package

FUNCTIONS = frozenset({"function_declaration", "method_declaration", "func_literal"})
_STRINGS = frozenset({"interpreted_string_literal", "raw_string_literal"})
_HOLDERS = frozenset({"if_statement", "for_statement", "expression_switch_statement", "type_switch_statement"})
MESSAGES = frozenset({*GO_MESSAGES, "FeatureFlagPayload"})


@dataclass(slots=True)
class Declarations:
    """What a file declares for its package."""

    functions: dict[str, Node] = field(default_factory=dict)
    methods: dict[tuple[str, str], Node] = field(default_factory=dict)
    types: dict[str, Node] = field(default_factory=dict)
    values: dict[str, tuple[Node | None, Node | None]] = field(default_factory=dict)
    """Constants and variables: type and value."""


class GoValues(Module):
    """The reading of expressions; `GoModule` adds the calls."""

    vocabulary = GO | {"Enqueue": GO_MESSAGES["Capture"]}
    functions = FUNCTIONS
    names = frozenset({"identifier", "field_identifier", "type_identifier", "package_identifier"})
    converters = frozenset({"string", "bool"})

    def evaluate(self, node: Node) -> Value | None:
        kind = node.type
        if kind in ("identifier", "package_identifier"):
            return self.resolve(word(node), node)
        if kind in _STRINGS:
            return Text(literal(node))
        if kind in ("parenthesized_expression", "literal_element", "expression_list", "unary_expression"):
            return self.value(nth(node)) if node.named_child_count else None
        if kind == "selector_expression":
            name = word(node.child_by_field_name("field"))
            return self.member(self.value(node.child_by_field_name("operand")), name)
        if kind == "composite_literal":
            return self._composite(node)
        if kind == "call_expression":
            return self._call(node)
        if kind in FUNCTIONS:
            return Function(self, node)
        return None

    # Names

    def resolve(self, name: str, at: Node) -> Value | None:
        current: Node | None = at
        while current is not None:
            for declared, type_node, value_node, where in _declared(current, at):
                if declared == name:
                    return self._local(name, type_node, value_node, where)
            current = current.parent
        found = self.package_member(name)
        if found is not None:
            return found
        return self.imported_package(name)

    def _local(
        self, name: str, type_node: Node | None, value_node: Node | None, where: tuple[Node, int]
    ) -> Value | None:
        if type_node is not None:
            found = self.typed(type_node)
            if isinstance(found, Client | Struct) or (isinstance(found, Other) and where[1] < 0):
                return found
        if where[1] >= 0:
            return Parameter(where[0], where[1], name, "", word(type_node))
        return self.value(value_node)

    def imported_package(self, name: str) -> Value | None:
        path = self.imports.get(name)
        if path is None:
            return None
        if is_go_package(path):
            return Client()
        files = self.project.go_packages(self.path).get(name, [])
        module = next((m for file in files if isinstance(m := self.project.module(file), GoValues)), None)
        return Space(module) if module is not None else Other()

    @cached_property
    def imports(self) -> dict[str, str]:
        """Packages by the name that this file calls them."""
        found = {}
        for statement in self.root.named_children if self.root is not None else ():
            if statement.type != "import_declaration":
                continue
            specs = [child for child in statement.named_children if child.type == "import_spec"]
            for listed in (child for child in statement.named_children if child.type == "import_spec_list"):
                specs += listed.named_children
            for spec in specs:
                path = literal(spec.child_by_field_name("path"))
                name = word(spec.child_by_field_name("name"))
                found[name or _package_name(path)] = path
        return found

    @cached_property
    def declarations(self) -> Declarations:
        found = Declarations()
        for node in self.root.named_children if self.root is not None else ():
            name = word(node.child_by_field_name("name"))
            if node.type == "function_declaration":
                found.functions[name] = node
            elif node.type == "method_declaration":
                found.methods[receiver_type(node), name] = node
            elif node.type == "type_declaration":
                for spec in node.named_children:
                    found.types[word(spec.child_by_field_name("name"))] = spec
            elif node.type in ("const_declaration", "var_declaration"):
                for declared, type_node, value_node in _specs(node):
                    found.values[declared] = (type_node, value_node)
        return found

    def siblings(self) -> Iterator[GoValues]:
        """The files of this package, this one first."""
        yield self
        for path in self.project.layout.resolve("go", self.path, "."):
            module = self.project.module(path) if path != self.path else None
            if isinstance(module, GoValues):
                yield module

    @in_no_circle
    def package_member(self, name: str) -> Value | None:
        for module in self.siblings():
            declared = module.declarations
            if name in declared.functions:
                return Function(module, declared.functions[name])
            if name in declared.values:
                type_node, value_node = declared.values[name]
                typed = module.typed(type_node) if type_node is not None else None
                return typed if isinstance(typed, Client | Struct) else module.value(value_node)
            if name in declared.types:
                return Struct(module, declared.types[name])
        return None

    # Types and members

    def typed(self, node: Node | None) -> Value | None:
        """A thing of this type."""
        if node is None:
            return None
        if node.type in ("pointer_type", "parenthesized_type"):
            return self.typed(nth(node))
        if node.type == "qualified_type":
            package = self.imported_package(word(node.child_by_field_name("package")))
            name = word(node.child_by_field_name("name"))
            if isinstance(package, Client):
                return Client() if name == "Client" else None
            found = self.member(package, name)
            return Struct(found.module, found.node, True) if isinstance(found, Struct) else package
        if node.type == "type_identifier":
            found = self.package_member(word(node))
            spec = found.node.child_by_field_name("type") if isinstance(found, Struct) else None
            if isinstance(found, Struct) and spec is not None and spec.type in ("struct_type", "interface_type"):
                return Struct(found.module, found.node, True)
            if spec is not None and spec.type == "qualified_type" and isinstance(found, Struct):
                return found.module.typed(spec) if isinstance(found.module, GoValues) else None
        return None

    def member(self, value: Value | None, name: str) -> Value | None:
        if isinstance(value, Client):
            return Api(name)
        if isinstance(value, Space) and isinstance(value.module, GoValues):
            return value.module.package_member(name)
        if isinstance(value, Struct) and isinstance(value.module, GoValues):
            return value.module.property(value, name)
        return Other() if isinstance(value, Other) else None

    def property(self, struct: Struct, name: str) -> Value | None:
        """A method of the type, or a field."""
        owner = word(struct.node.child_by_field_name("name"))
        body = struct.node.child_by_field_name("type")
        for module in self.siblings():
            if method := module.declarations.methods.get((owner, name)):
                return Function(module, method)
        if body is None:
            return None
        if body.type == "interface_type":
            # Whoever implements it in this package.
            for module in self.siblings():
                for (_, method_name), method in module.declarations.methods.items():
                    if method_name == name:
                        return Function(module, method)
            return None
        listed = body.named_children[0].named_children if body.named_child_count else []
        for declaration in listed:
            names = [word(child) for child in declaration.children_by_field_name("name")]
            type_node = declaration.child_by_field_name("type")
            if name in names:
                return self.typed(type_node)
            if not names and type_node is not None:
                # Embedded: its members are this type's.
                inner = self.typed(type_node)
                if word(type_node).rsplit(".", 1)[-1].lstrip("*") == name:
                    return inner
                if inner is not None and not isinstance(inner, Other) and (found := self.member(inner, name)):
                    return found
        return None

    def _composite(self, node: Node) -> Value | None:
        """A message of PostHog stands for the name in it; any other is a thing of its type."""
        type_node = node.child_by_field_name("type")
        message = self.message_type(type_node)
        if message:
            return self.value(keyed(node, "Event" if message == "Capture" else "Key"))
        return self.typed(type_node)

    def message_type(self, type_node: Node | None) -> str:
        """The name of one of PostHog's message types; "" for anything else."""
        if type_node is not None and type_node.type == "pointer_type":
            type_node = nth(type_node)
        if type_node is None or type_node.type != "qualified_type":
            return ""
        path = self.imports.get(word(type_node.child_by_field_name("package")), "")
        name = word(type_node.child_by_field_name("name"))
        return name if is_go_package(path) and name in MESSAGES else ""

    def _call(self, node: Node) -> Value | None:
        function = node.child_by_field_name("function")
        if word(function) == "string":
            given = arguments(node)
            return self.value(given[0]) if given else None
        callee = self.value(function)
        if isinstance(callee, Api):
            return Client() if callee.name in ("New", "NewWithConfig") else None
        if isinstance(callee, Function) and isinstance(callee.module, GoValues):
            result = callee.node.child_by_field_name("result")
            if result is not None and result.type == "parameter_list" and result.named_child_count:
                result = result.named_children[0].child_by_field_name("type")
            return callee.module.typed(result)
        return Other() if isinstance(callee, Other) else None


def _specs(node: Node) -> Iterator[tuple[str, Node | None, Node | None]]:
    specs = [child for child in node.named_children if child.type in ("const_spec", "var_spec")]
    for listed in (child for child in node.named_children if child.type == "var_spec_list"):
        specs += listed.named_children
    for spec in specs:
        values = spec.child_by_field_name("value")
        given = values.named_children if values is not None else []
        for index, name in enumerate(spec.children_by_field_name("name")):
            yield word(name), spec.child_by_field_name("type"), given[index] if index < len(given) else None


_Declared = tuple[str, Node | None, Node | None, tuple[Node, int]]


def _declared(scope: Node, at: Node) -> Iterator[_Declared]:
    """Names of one scope with type, value, and the function and position of a parameter (-1 for others)."""
    if scope.type in FUNCTIONS:
        yield from _parameters(scope)
    elif scope.type in ("statement_list", "block"):
        for statement in scope.named_children:
            if statement.start_byte > at.start_byte:
                break
            yield from _of_statement(statement)
    elif scope.type in _HOLDERS:
        first = scope.child_by_field_name("initializer")
        if first is not None:
            yield from _of_statement(first)
        for clause in (child for child in scope.named_children if child.type == "range_clause"):
            left = clause.child_by_field_name("left")
            for name in left.named_children if left is not None else ():
                yield word(name), None, None, (scope, -1)


def _of_statement(node: Node) -> Iterator[_Declared]:
    if node.type == "short_var_declaration":
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        values = right.named_children if right is not None else []
        for index, name in enumerate(left.named_children if left is not None else ()):
            # Of several results the first is the thing, the last the error.
            value = values[index] if index < len(values) else None
            yield word(name), None, value, (node, -1)
    elif node.type in ("var_declaration", "const_declaration"):
        for name_of, type_node, value_node in _specs(node):
            yield name_of, type_node, value_node, (node, -1)


def _parameters(function: Node) -> Iterator[_Declared]:
    receiver = function.child_by_field_name("receiver")
    for declaration in receiver.named_children if receiver is not None else ():
        for name in declaration.children_by_field_name("name"):
            yield word(name), declaration.child_by_field_name("type"), None, (function, -1)
    listed = function.child_by_field_name("parameters")
    index = 0
    for declaration in listed.named_children if listed is not None else ():
        for name in declaration.children_by_field_name("name"):
            yield word(name), declaration.child_by_field_name("type"), None, (function, index)
            index += 1


def receiver_type(method: Node) -> str:
    receiver = method.child_by_field_name("receiver")
    declared = (
        receiver.named_children[0].child_by_field_name("type") if receiver and receiver.named_child_count else None
    )
    return word(declared).lstrip("*").split("[")[0]


def keyed(composite: Node, key: str) -> Node | None:
    """The value of a field in a composite literal."""
    body = composite.child_by_field_name("body")
    for element in body.named_children if body is not None else ():
        if element.type == "keyed_element" and element.named_child_count == 2 and word(nth(element)) == key:
            return nth(element, 1)
    return None


def arguments(call: Node) -> list[Node]:
    listed = call.child_by_field_name("arguments")
    return [child for child in listed.named_children if child.type != "comment"] if listed is not None else []


def literal(node: Node | None) -> str:
    text = word(node)
    return text[1:-1].replace('\\"', '"') if len(text) >= 2 else ""


def _package_name(path: str) -> str:
    """`posthog` for `github.com/posthog/posthog-go`, as its package clause says."""
    if is_go_package(path):
        return "posthog"
    last = path.rsplit("/", 1)[-1]
    if last[:1] == "v" and last[1:].isdigit() and "/" in path:
        last = path.rsplit("/", 2)[-2]
    return last
