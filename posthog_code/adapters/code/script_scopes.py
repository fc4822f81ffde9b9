"""What a name is bound to in JavaScript and TypeScript: the innermost declaration around its use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

from posthog_code.adapters.code.module import nth, span, word

FUNCTIONS = frozenset(
    {
        "function_declaration",
        "function_expression",
        "arrow_function",
        "method_definition",
        "generator_function_declaration",
        "generator_function",
    }
)
CLASSES = frozenset({"class_declaration", "class", "abstract_class_declaration"})
_BLOCKS = frozenset({"program", "statement_block", "switch_case", "switch_default", "class_static_block"})
_SCOPES = _BLOCKS | FUNCTIONS | {"for_statement", "for_in_statement", "catch_clause"} | CLASSES
STRINGS = frozenset({"string", "template_string"})


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a name is declared, and the way from the declared thing to the name."""

    kind: str
    """import, variable, parameter, function, class, enum, other."""
    node: Node
    """The declaration: an import statement, a declarator, a function (for its parameters), …"""
    path: tuple[str, ...] = ()
    """Properties to follow; for imports the imported name: `default`, `*`, or a name."""
    index: int = 0
    """Of a parameter."""
    type: str = ""
    """A parameter's or variable's annotation, as written."""


Table = dict[str, Binding]


class Scopes:
    """Tables of declarations, made when a name is looked up through them."""

    def __init__(self) -> None:
        self._tables: dict[tuple[str, int, int], Table] = {}

    def lookup(self, name: str, at: Node) -> Binding | None:
        """None for a name of another file or of the platform."""
        current: Node | None = at
        while current is not None:
            if current.type in _SCOPES and (binding := self.table(current).get(name)):
                return binding
            current = current.parent
        return None

    def table(self, scope: Node) -> Table:
        key = (scope.type, *span(scope))
        if key not in self._tables:
            table = self._tables[key] = {}
            for name, binding in _declared(scope):
                table.setdefault(name, binding)
        return self._tables[key]


def _declared(scope: Node) -> Iterator[tuple[str, Binding]]:
    if scope.type in _BLOCKS:
        for child in scope.named_children:
            yield from _of_statement(child)
    elif scope.type in FUNCTIONS:
        yield from _parameters(scope)
        name = scope.child_by_field_name("name")
        if name is not None and scope.type == "function_expression":
            yield word(name), Binding("function", scope)
    elif scope.type in CLASSES:
        yield word(scope.child_by_field_name("name")), Binding("class", scope)
    elif scope.type == "catch_clause":
        if (caught := scope.child_by_field_name("parameter")) is not None:
            for declared, path in patterns(caught):
                yield declared, Binding("other", scope, path)
    elif scope.type == "for_in_statement":
        if (left := scope.child_by_field_name("left")) is not None and scope.child_by_field_name("kind"):
            for declared, path in patterns(left):
                yield declared, Binding("other", scope, path)
    elif (first := scope.child_by_field_name("initializer")) is not None:
        yield from _of_statement(first)


def _of_statement(node: Node) -> Iterator[tuple[str, Binding]]:
    kind = node.type
    if kind in ("lexical_declaration", "variable_declaration"):
        for declarator in node.named_children:
            target = declarator.child_by_field_name("name")
            if declarator.type == "variable_declarator" and target is not None:
                annotation = annotation_of(declarator)
                for name, path in patterns(target):
                    yield name, Binding("variable", declarator, path, type=annotation)
    elif kind in ("function_declaration", "generator_function_declaration"):
        yield word(node.child_by_field_name("name")), Binding("function", node)
    elif kind in CLASSES:
        yield word(node.child_by_field_name("name")), Binding("class", node)
    elif kind == "enum_declaration":
        yield word(node.child_by_field_name("name")), Binding("enum", node)
    elif kind == "import_statement":
        yield from _imported(node)
    elif kind in ("export_statement", "ambient_declaration"):
        for child in node.named_children:
            yield from _of_statement(child)
    elif kind in ("internal_module", "module", "expression_statement"):
        for child in node.named_children:
            if child.type == "internal_module":
                yield word(child.child_by_field_name("name")), Binding("other", child)


def _imported(node: Node) -> Iterator[tuple[str, Binding]]:
    clause = next((child for child in node.named_children if child.type == "import_clause"), None)
    if clause is None:
        return
    for child in clause.named_children:
        if child.type == "identifier":
            yield word(child), Binding("import", node, ("default",))
        elif child.type == "namespace_import":
            yield word(nth(child)), Binding("import", node, ("*",))
        elif child.type == "named_imports":
            for specifier in child.named_children:
                name = word(specifier.child_by_field_name("name"))
                alias = specifier.child_by_field_name("alias")
                yield word(alias) if alias is not None else name, Binding("import", node, (name,))


def _parameters(function: Node) -> Iterator[tuple[str, Binding]]:
    single = function.child_by_field_name("parameter")
    if single is not None:
        yield word(single), Binding("parameter", function)
        return
    listed = function.child_by_field_name("parameters")
    index = 0
    for parameter in listed.named_children if listed is not None else ():
        if parameter.type == "comment":
            continue
        pattern = parameter.child_by_field_name("pattern") or parameter
        if word(pattern) == "this":
            continue
        annotation = annotation_of(parameter)
        for name, path in patterns(pattern):
            yield name, Binding("parameter", function, path, index, annotation)
        index += 1


def annotation_of(node: Node) -> str:
    annotation = node.child_by_field_name("type")
    return word(annotation).lstrip(": ") if annotation is not None else ""


def patterns(node: Node, path: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The names that a pattern declares, each with the properties that lead to it."""
    kind = node.type
    if kind in ("identifier", "shorthand_property_identifier_pattern"):
        name = word(node)
        yield name, (*path, name) if kind != "identifier" else path
    elif kind == "object_pattern":
        for child in node.named_children:
            yield from patterns(child, path)
    elif kind == "pair_pattern":
        key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
        if key is not None and value is not None:
            yield from patterns(value, (*path, word(key).strip("'\"")))
    elif kind in ("object_assignment_pattern", "assignment_pattern"):
        if (left := node.child_by_field_name("left")) is not None:
            yield from patterns(left, path)
    elif kind == "array_pattern":
        for index, child in enumerate(node.named_children):
            yield from patterns(child, (*path, str(index)))
    elif kind == "rest_pattern":
        for child in node.named_children:
            yield from patterns(child, (*path, "..."))


def literal(node: Node | None) -> str | None:
    """The text of a string without substitutions; None for anything else."""
    if node is None or node.type not in STRINGS:
        return None
    parts = []
    for child in node.named_children:
        if child.type not in ("string_fragment", "escape_sequence"):
            return None
        parts.append(_plain(word(child)) if child.type == "escape_sequence" else word(child))
    return "".join(parts)


def _plain(escape: str) -> str:
    """Enough for names: what an escaped character stands for."""
    return {"\\n": "\n", "\\t": "\t"}.get(escape, escape[1:])
