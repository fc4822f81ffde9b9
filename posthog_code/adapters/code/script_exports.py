"""What a JavaScript or TypeScript file offers to others, by name; resolved when somebody asks for one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tree_sitter import Node

from posthog_code.adapters.code.module import nth, word
from posthog_code.adapters.code.script_scopes import CLASSES, FUNCTIONS, Binding, Scopes, literal

WHOLE = "module.exports"
"""The name of what CommonJS exports as a whole."""
Export = Node | Binding | tuple[str, str]
"""An expression, a declaration, or a name of another file."""


class Exports:
    """The names of one file."""

    def __init__(self, root: Node, scopes: Scopes, mentions: Iterable[Node]) -> None:
        """`mentions`: every `exports` in the file."""
        self.names: dict[str, Export] = {}
        self.stars: list[str] = []
        """Files whose names are passed on."""
        for statement in root.named_children:
            if statement.type == "export_statement":
                self.names.update(self._of_statement(statement, scopes.table(root)))
        for token in mentions:
            self.names.update(_common(token))

    def holds(self, node: Node) -> bool:
        """Whether other files can get at something that is declared here."""
        statement = node
        while statement.parent is not None and statement.parent.type != "program":
            statement = statement.parent
        if statement.type == "export_statement" or WHOLE in self.names:
            return True
        for found in self.names.values():
            inner = found.node if isinstance(found, Binding) else found
            if isinstance(inner, Node) and statement.start_byte <= inner.start_byte < statement.end_byte:
                return True
        return False

    def _of_statement(self, statement: Node, table: dict[str, Binding]) -> Iterator[tuple[str, Export]]:
        source = literal(statement.child_by_field_name("source"))
        clause = next((c for c in statement.named_children if c.type in ("export_clause", "namespace_export")), None)
        declaration, value = statement.child_by_field_name("declaration"), statement.child_by_field_name("value")
        if clause is None and source is not None:
            self.stars.append(source)
        elif clause is not None and clause.type == "namespace_export" and source is not None:
            yield word(nth(clause)), (source, "*")
        elif clause is not None:
            yield from _of_clause(clause, source, table)
        elif value is not None:
            yield "default", value
        elif declaration is not None:
            default = any(child.type == "default" for child in statement.children)
            if default and declaration.type in FUNCTIONS | CLASSES:
                yield "default", declaration
            for name, binding in table.items():
                if declaration.start_byte <= binding.node.start_byte < declaration.end_byte:
                    yield name, binding


def _of_clause(clause: Node, source: str | None, table: dict[str, Binding]) -> Iterator[tuple[str, Export]]:
    for specifier in clause.named_children:
        local = word(specifier.child_by_field_name("name"))
        outer = word(specifier.child_by_field_name("alias")) or local
        if source is not None:
            yield outer, (source, local)
        elif local in table:
            yield outer, table[local]


def _common(token: Node) -> Iterator[tuple[str, Node]]:
    """`exports.name = …`, `module.exports.name = …` and `module.exports = …`."""
    name, outer = WHOLE, token.parent
    if outer is None or outer.type not in ("member_expression", "assignment_expression"):
        return
    if word(outer.child_by_field_name("object")) == "module" and outer.parent is not None:
        token, outer = outer, outer.parent
    if outer.type == "member_expression" and outer.parent is not None:
        name = word(outer.child_by_field_name("property"))
        token, outer = outer, outer.parent
    right = outer.child_by_field_name("right") if outer.type == "assignment_expression" else None
    if right is not None and outer.child_by_field_name("left") == token:
        yield name, right
