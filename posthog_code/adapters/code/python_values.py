"""What expressions of Python stand for: clients, names, functions, classes and modules."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

from posthog_code.adapters.code.languages import captures
from posthog_code.adapters.code.module import Module, Surroundings, in_no_circle, nth, span, walk, word
from posthog_code.adapters.code.values import Api, Client, Function, Maker, Other, Parameter, Space, Struct, Text, Value
from posthog_code.adapters.code.vocabulary import PYTHON

FUNCTIONS = frozenset({"function_definition", "lambda"})
_SCOPES = FUNCTIONS | {"module", "class_definition"}
_NESTED = frozenset({"function_definition", "class_definition", "lambda"})
_TYPE = re.compile(r"""^["']?(?:Optional\[)?["']?(?:\w+\.)?(?:Posthog|PostHog)\b""")
_PACKAGES = frozenset({"posthog", "posthoganalytics"})
_MAKERS = frozenset({"Posthog", "PostHog", "Client"})
_SELF_FIELDS = "(assignment left: (attribute object: (identifier) @object attribute: (identifier) @name)) @made"


@dataclass(frozen=True, slots=True)
class Binding:
    kind: str
    """import, from, value, parameter, function, class, other."""
    node: Node
    name: str = ""
    """The imported name, or the dotted module."""
    index: int = 0
    type: str = ""


class PythonValues(Module):
    """The reading of expressions; `PythonModule` adds the calls."""

    vocabulary = PYTHON
    functions = FUNCTIONS
    names = frozenset({"identifier"})

    def __init__(self, path: str, language: str, text: bytes, project: Surroundings) -> None:
        super().__init__(path, language, text, project)
        self._tables: dict[tuple[str, int, int], dict[str, Binding]] = {}

    def evaluate(self, node: Node) -> Value | None:
        kind = node.type
        if kind == "identifier":
            return self.resolve(word(node), node)
        if kind in ("string", "concatenated_string"):
            text = literal(node)
            return None if text is None else Text(text)
        if kind in ("parenthesized_expression", "await", "expression_statement"):
            return self.value(nth(node)) if node.named_child_count else None
        if kind == "attribute":
            return self._attribute(node)
        if kind == "call":
            return self._call(node)
        if kind in FUNCTIONS:
            return Function(self, node)
        if kind == "class_definition":
            return Struct(self, node)
        if kind in ("boolean_operator", "conditional_expression"):
            # `a or b` and `a if c else b`: the first that is known. Names that depend on something are not.
            values = [self.value(child) for child in node.named_children]
            if any(isinstance(value, Text) for value in values):
                return None
            return next((value for value in values if isinstance(value, Client | Struct | Function)), None)
        if kind in ("named_expression", "assignment"):
            return self.value(node.child_by_field_name("value") or node.child_by_field_name("right"))
        return Other() if kind in ("integer", "float", "list", "dictionary", "tuple", "true", "false") else None

    # Names

    def resolve(self, name: str, at: Node) -> Value | None:
        binding = self.lookup(name, at)
        if binding is None:
            return Client() if name == "posthog" else None
        return self.bound(name, binding)

    def lookup(self, name: str, at: Node) -> Binding | None:
        """The binding in the functions around, then in the module; a class's own names are not seen by its methods."""
        current: Node | None = at
        inside_function = False
        while current is not None:
            if current.type in _SCOPES:
                visible = current.type != "class_definition" or not inside_function
                if visible and (binding := self.table(current).get(name)):
                    return binding
                inside_function = inside_function or current.type in FUNCTIONS
            current = current.parent
        return None

    def table(self, scope: Node) -> dict[str, Binding]:
        key = (scope.type, *span(scope))
        if key not in self._tables:
            table = self._tables[key] = {}
            for name, binding in self._declared(scope):
                kept = table.get(name)
                # `client = None` first, and a client later.
                empty = kept is not None and kept.kind == "value" and kept.node.type == "none" and not kept.type
                if kept is None or empty:
                    table[name] = binding
        return self._tables[key]

    def bound(self, name: str, binding: Binding) -> Value | None:
        if binding.kind == "import":
            return self._module(binding.name)
        if binding.kind == "from":
            package, _, imported = binding.name.rpartition("|")
            return self.imported(package, imported)
        if _TYPE.match(binding.type):
            return Client()
        if binding.kind == "value":
            value = self.value(binding.node)
            if value is None and binding.node.type == "none":
                value = self._assigned(name)
            return Other() if value is None and name == "posthog" and not _mentions(binding.node) else (
                Client() if value is None and name == "posthog" else value
            )  # fmt: skip
        if binding.kind == "parameter":
            if name == "posthog" and not binding.type:
                return Client()
            return Parameter(binding.node, binding.index, name, "", binding.type)
        if binding.kind == "function":
            return Function(self, binding.node)
        return Struct(self, binding.node) if binding.kind == "class" else Other()

    @in_no_circle
    def _assigned(self, name: str) -> Value | None:
        """What some function gives to a name of the module that is None at first."""
        for token in self.occurrences((name,)):
            made = token.parent
            if made is not None and made.type == "assignment" and made.child_by_field_name("left") == token:
                value = self.value(made.child_by_field_name("right"))
                if isinstance(value, Client | Struct):
                    return value
        return None

    def _declared(self, scope: Node) -> Iterator[tuple[str, Binding]]:
        if scope.type in FUNCTIONS:
            yield from parameters(scope)
        body = scope if scope.type == "module" else scope.child_by_field_name("body")
        for node in walk(body, _NESTED) if body is not None else ():
            kind = node.type
            if kind == "assignment":
                left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
                if left is not None and left.type == "identifier":
                    yield word(left), Binding("value", right or node, type=word(node.child_by_field_name("type")))
                elif left is not None and left.type in ("pattern_list", "tuple_pattern"):
                    for target in left.named_children:
                        yield word(target), Binding("other", node)
            elif kind in ("function_definition", "class_definition"):
                word_of = "class" if kind == "class_definition" else "function"
                yield word(node.child_by_field_name("name")), Binding(word_of, node)
            elif kind in ("import_statement", "import_from_statement"):
                yield from _imports(node)
            elif kind == "as_pattern":
                for target in node.named_children[1:]:
                    yield word(target), Binding("value", node.named_children[0])
            elif kind in ("for_statement", "for_in_clause"):
                looped = node.child_by_field_name("left")
                if looped is not None and looped.type == "identifier":
                    yield word(looped), Binding("other", node)
            elif kind == "named_expression":
                yield word(node.child_by_field_name("name")), Binding("value", node)

    # Modules

    def _module(self, dotted: str) -> Value | None:
        if self._library(dotted):
            return Client()
        found = self._file(dotted)
        return Space(found) if found is not None else Other()

    def _library(self, dotted: str) -> bool:
        """Whether a module is the library's, and not of a package of this repository with the same name."""
        if dotted.split(".")[0] not in _PACKAGES:
            return False
        found = self.project.layout.resolve("python", self.path, dotted)
        return not (found and found[0].startswith(("posthog/", "src/posthog/")))

    def _file(self, dotted: str) -> PythonValues | None:
        targets = self.project.layout.resolve("python", self.path, dotted)
        module = self.project.module(targets[0]) if targets else None
        return module if isinstance(module, PythonValues) else None

    def imported(self, package: str, name: str) -> Value | None:
        """What `from package import name` gives; None for a file that cannot be found."""
        if self._library(package):
            return Maker() if name in _MAKERS else Client() if name in ("posthog", "default_client") else Api(name)
        module = self._file(package)
        if module is not None and (found := module.export(name)) is not None:
            return found
        inner = self._file(f"{package}{name}" if package.endswith(".") else f"{package}.{name}")
        if inner is not None:
            return Space(inner)
        if module is None and name == "posthog":
            return Client()
        return None if package.startswith(".") or module is not None else Other()

    @in_no_circle
    def export(self, name: str) -> Value | None:
        if self.root is None:
            return None
        binding = self.table(self.root).get(name)
        if binding is not None:
            return self.bound(name, binding)
        for star in (n for n in self.root.named_children if n.type == "import_from_statement"):
            if any(child.type == "wildcard_import" for child in star.named_children):
                source = self._file(word(star.child_by_field_name("module_name")))
                if source is not None and (found := source.export(name)) is not None:
                    return found
        return None

    # Members and calls

    def _attribute(self, node: Node) -> Value | None:
        target, name = node.child_by_field_name("object"), word(node.child_by_field_name("attribute"))
        if target is not None and target.type == "identifier" and word(target) in ("self", "cls"):
            owner = self.enclosing(node, frozenset({"class_definition"}))
            if owner is not None:
                found = self.member(Struct(self, owner, True), name)
                return Client() if found is None and name == "posthog" else found
        value = self.member(self.value(target), name)
        if value is None and isinstance(target, Node) and target.type in ("attribute", "identifier"):
            # `import app.events` and then `app.events.NAME`.
            value = self._dotted(node)
        return Client() if value is None and name == "posthog" else value

    def _dotted(self, node: Node) -> Value | None:
        package, _, name = word(node).rpartition(".")
        first = package.split(".")[0]
        binding = self.lookup(first, node)
        if binding is None or binding.kind != "import" or binding.name.split(".")[0] != first:
            return None
        module = self._file(package)
        return module.export(name) if module is not None else None

    def member(self, value: Value | None, name: str) -> Value | None:
        if isinstance(value, Client):
            return Maker() if name in _MAKERS else value if name in ("client", "default_client") else Api(name)
        if isinstance(value, Space) and isinstance(value.module, PythonValues):
            found = value.module.export(name)
            if found is None and posixpath.basename(value.module.path) == "__init__.py":
                inner = value.module._file(f".{name}")
                return Space(inner) if inner is not None else None
            return found
        if isinstance(value, Struct) and isinstance(value.module, PythonValues):
            return value.module.property(value, name)
        if isinstance(value, Text):
            return value if name in ("value", "name") else None
        return Other() if isinstance(value, Other) else None

    def property(self, struct: Struct, name: str) -> Value | None:
        """A class's method, attribute, or field that a method sets; then its bases'."""
        binding = self.table(struct.node).get(name)
        if binding is not None and binding.kind == "function":
            if "property" in word(nth(binding.node.parent) if binding.node.parent else None):
                return self.returned(binding.node)
            return Function(self, binding.node)
        if binding is not None and (value := self.bound(name, binding)) is not None and binding.node.type != "none":
            return value
        found = captures("python", _SELF_FIELDS, struct.node)
        for made in found.get("made", ()):
            left = made.child_by_field_name("left")
            if left is None or word(left) not in (f"self.{name}", f"cls.{name}"):
                continue
            if _TYPE.match(word(made.child_by_field_name("type"))):
                return Client()
            value = self.value(made.child_by_field_name("right"))
            if isinstance(value, Parameter):
                value = self._typed(value, struct.node)
            if value is not None:
                return value
        bases = struct.node.child_by_field_name("superclasses")
        for base in bases.named_children if bases is not None else ():
            parent = self.value(base)
            if isinstance(parent, Struct) and (value := self.member(parent, name)) is not None:
                return value
        return None

    def _typed(self, value: Parameter, at: Node) -> Value | None:
        if value.name == "posthog":
            return Client()
        made = self.resolve(value.type, at) if value.type.isidentifier() else None
        return Client() if isinstance(made, Maker) else Struct(made.module, made.node, True) if isinstance(
            made, Struct) else None  # fmt: skip

    def _call(self, node: Node) -> Value | None:
        function = node.child_by_field_name("function")
        callee = self.value(function)
        if isinstance(callee, Maker):
            return Client()
        if isinstance(callee, Struct) and not callee.instance:
            return Struct(callee.module, callee.node, True)
        if isinstance(callee, Function) and isinstance(callee.module, PythonValues):
            return callee.module.returned(callee.node)
        if word(function).rsplit(".", 1)[-1] in ("partial", "lru_cache", "wraps"):
            listed = node.child_by_field_name("arguments")
            return self.value(nth(listed)) if listed is not None and listed.named_child_count == 1 else None
        return Other() if isinstance(callee, Other) else None

    def returned(self, function: Node) -> Value | None:
        if _TYPE.match(word(function.child_by_field_name("return_type"))):
            return Client()
        body = function.child_by_field_name("body")
        if body is None:
            return None
        if function.type == "lambda":
            return self.value(body)
        for node in walk(body, _NESTED):
            if node.type == "return_statement" and node.named_child_count:
                value = self.value(nth(node))
                if value is not None and not isinstance(value, Parameter):
                    return value
        return None


def _mentions(node: Node) -> bool:
    return node.type == "call" and "posthog" in word(node)[:200].lower()


def _imports(node: Node) -> Iterator[tuple[str, Binding]]:
    package = word(node.child_by_field_name("module_name"))
    for child in node.children_by_field_name("name"):
        alias = child.child_by_field_name("alias")
        name = word(child.child_by_field_name("name")) if alias is not None else word(child)
        if package:
            yield word(alias) or name, Binding("from", node, f"{package}|{name}")
        elif alias is not None:
            yield word(alias), Binding("import", node, name)
        else:
            yield name.split(".")[0], Binding("import", node, name.split(".")[0])


def parameters(function: Node) -> Iterator[tuple[str, Binding]]:
    """Positions count what a caller passes: without self and cls."""
    listed = function.child_by_field_name("parameters")
    index = 0
    for node in listed.named_children if listed is not None else ():
        if node.type in ("list_splat_pattern", "dictionary_splat_pattern", "comment"):
            continue
        named = node if node.type == "identifier" else node.child_by_field_name("name") or nth(node)
        name = word(named)
        if index == 0 and name in ("self", "cls"):
            continue
        if node.type in ("keyword_separator", "positional_separator"):
            continue
        yield name, Binding("parameter", function, name, index, word(node.child_by_field_name("type")))
        index += 1


def literal(node: Node | None) -> str | None:
    """The text of a string, also of one in pieces; None with substitutions, and for bytes."""
    if node is None:
        return None
    if node.type == "concatenated_string":
        parts = [literal(child) for child in node.named_children if child.type == "string"]
        return None if None in parts else "".join(part for part in parts if part is not None)
    if node.type != "string" or any(child.type == "interpolation" for child in node.named_children):
        return None
    if "b" in word(nth(node)).lower():
        return None
    return "".join(word(child) for child in node.named_children if child.type == "string_content")
