"""What expressions of Ruby stand for: clients, names, classes and modules, and their methods."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from posthog_code.adapters.code.module import Module, Surroundings, in_no_circle, nth, walk, word
from posthog_code.adapters.code.values import Api, Client, Function, Maker, Other, Parameter, Struct, Text, Value
from posthog_code.adapters.code.vocabulary import RUBY

METHODS = frozenset({"method", "singleton_method"})
FUNCTIONS = METHODS | {"lambda"}
HOLDERS = frozenset({"class", "module"})
_VARIABLES = frozenset({"instance_variable", "global_variable", "class_variable"})
_NESTED = METHODS | HOLDERS
_ASSIGNMENTS = frozenset({"assignment", "operator_assignment"})
_CONVENTIONAL = frozenset({"posthog", "@posthog", "$posthog", "@@posthog", "POSTHOG", "posthog_client"})


class RubyValues(Module):
    """The reading of expressions; `RubyModule` adds the calls."""

    vocabulary = RUBY
    functions = FUNCTIONS
    names = frozenset({"identifier", "constant"})
    converters = frozenset()

    def __init__(self, path: str, language: str, text: bytes, project: Surroundings) -> None:
        super().__init__(path, language, text, project)
        self._written: dict[str, list[Node]] | None = None

    def evaluate(self, node: Node) -> Value | None:
        kind = node.type
        if kind in ("identifier", "hash_key_symbol"):
            return self._identifier(word(node), node)
        if kind in _VARIABLES:
            return self._variable(word(node), node)
        if kind == "constant":
            return self._constant(word(node), node)
        if kind == "scope_resolution":
            name, scope = word(node.child_by_field_name("name")), node.child_by_field_name("scope")
            if scope is None:
                return self._constant(name, self.root or node)
            found = self.member(self.value(scope), name)
            return found if found is not None else self.from_files(word(node))
        if kind == "string":
            text = literal(node)
            return None if text is None else Text(text)
        if kind == "simple_symbol":
            return Text(word(node).lstrip(":"))
        if kind in ("parenthesized_statements", "then", "begin"):
            return self.value(node.named_children[-1]) if node.named_child_count else None
        if kind == "call":
            return self._call(node)
        if kind in _ASSIGNMENTS:
            return self.value(node.child_by_field_name("right"))
        if kind == "binary" and word(node.child_by_field_name("operator")) in ("||", "or"):
            values = [self.value(node.child_by_field_name(side)) for side in ("left", "right")]
            return next((v for v in values if isinstance(v, Client | Struct)), None)
        if kind == "conditional":
            values = [self.value(node.child_by_field_name(side)) for side in ("consequence", "alternative")]
            return next((v for v in values if isinstance(v, Client | Struct)), None)
        if kind == "self":
            holder = self.enclosing(node, HOLDERS)
            return Struct(self, holder, True) if holder is not None else None
        if kind in FUNCTIONS:
            return Function(self, node)
        return Other() if kind in ("integer", "array", "hash", "float") else None

    # Names

    def local(self, name: str, at: Node) -> Value | None:
        """A parameter, or the first thing that the method around assigns to a name."""
        current: Node | None = at
        while current is not None:
            if current.type in FUNCTIONS or current.type in ("do_block", "block"):
                for declared, index, _ in parameters(current):
                    if declared == name:
                        if current.type not in FUNCTIONS:
                            return Other()
                        return Client() if name in _CONVENTIONAL else Parameter(current, index, name)
            if current.type in METHODS or current.type in HOLDERS or current.type == "program":
                for node in walk(current, _NESTED):
                    left = node.child_by_field_name("left") if node.type in _ASSIGNMENTS else None
                    if left is not None and left.type == "identifier" and word(left) == name:
                        if left.start_byte == at.start_byte:
                            return None
                        value = self.value(node.child_by_field_name("right"))
                        return Other() if value is None and name in _CONVENTIONAL else value
                return None
            current = current.parent
        return None

    def literal_hash(self, node: Node) -> Node | None:
        """The hash that an expression is, or that the variable it names was given."""
        scope = self.enclosing(node, METHODS | HOLDERS | {"program"}) if node.type == "identifier" else None
        for made in walk(scope, _NESTED) if scope is not None else ():
            left = made.child_by_field_name("left") if made.type == "assignment" else None
            if left is not None and word(left) == word(node):
                node = made.child_by_field_name("right") or node
                break
        return node if node.type == "hash" else None

    def _identifier(self, name: str, node: Node) -> Value | None:
        found = self.local(name, node)
        if found is not None:
            return found
        method = self.own_method(name, node)
        if isinstance(method, Function) and isinstance(method.module, RubyValues):
            given = method.module.returned(method.node)
            return Client() if given is None and name in _CONVENTIONAL else given
        if isinstance(method, Client):
            return method
        return Client() if name in _CONVENTIONAL else None

    def own_method(self, name: str, at: Node) -> Value | None:
        """A method that is called without a receiver: of the class around, of the file, of the files it requires."""
        holder = self.enclosing(at, HOLDERS)
        while holder is not None:
            found = self.property(Struct(self, holder), name)
            if found is not None:
                return found
            holder = self.enclosing(holder, HOLDERS)
        if self.root is not None and (method := _method(self.root, name)) is not None:
            return Function(self, method)
        for module in self.required():
            if module.root is not None and (method := _method(module.root, name)) is not None:
                return Function(module, method)
        return None

    def _variable(self, name: str, node: Node) -> Value | None:
        found: Value | None = None
        for right in self.written.get(name, ()):
            value = self.value(right)
            if isinstance(value, Client | Struct | Text):
                return value
            found = found or value
        if found is None and name in _CONVENTIONAL and not self.written.get(name):
            return Client()
        return found

    @property
    def written(self) -> dict[str, list[Node]]:
        """What is assigned to instance and global variables and to constants, by name."""
        if self._written is None:
            self._written = {}
            for node in walk(self.root, frozenset()) if self.root is not None else ():
                left = node.child_by_field_name("left") if node.type in _ASSIGNMENTS else None
                right = node.child_by_field_name("right")
                if left is not None and right is not None and (left.type in _VARIABLES or left.type == "constant"):
                    self._written.setdefault(word(left), []).append(right)
        return self._written

    def _constant(self, name: str, at: Node) -> Value | None:
        holder = self.enclosing(at, HOLDERS)
        while holder is not None:
            if (found := self.inner(holder, name)) is not None:
                return found
            holder = self.enclosing(holder, HOLDERS)
        if (found := self.export(name)) is not None:
            return found
        if (found := self.from_files(name)) is not None:
            return found
        if name == "PostHog":
            return Client()
        return Client() if name in _CONVENTIONAL else None

    def required(self) -> Iterator[RubyValues]:
        for path in self.project.imports(self.path):
            module = self.project.module(path)
            if isinstance(module, RubyValues):
                yield module

    @in_no_circle
    def from_files(self, name: str) -> Value | None:
        """A constant of a file that is required, or that Rails loads by its name."""
        first, _, rest = name.partition("::")
        for module in self.required():
            found = module.export(first)
            for part in filter(None, rest.split("::")):
                found = module.member(found, part)
            if found is not None:
                return found
        return None

    @in_no_circle
    def export(self, name: str) -> Value | None:
        return self.inner(self.root, name) if self.root is not None else None

    def inner(self, holder: Node, name: str) -> Value | None:
        """A class, module or constant that is declared in another, or at the top."""
        body = holder if holder.type == "program" else holder.child_by_field_name("body")
        for node in body.named_children if body is not None else ():
            if node.type in HOLDERS and word(node.child_by_field_name("name")) == name:
                return Struct(self, node)
            left = node.child_by_field_name("left") if node.type in _ASSIGNMENTS else None
            if left is not None and left.type == "constant" and word(left) == name:
                return self.value(node.child_by_field_name("right"))
        return None

    # Members and calls

    def member(self, value: Value | None, name: str) -> Value | None:
        if isinstance(value, Client):
            return Maker() if name == "Client" else Api(name)
        if isinstance(value, Struct) and isinstance(value.module, RubyValues):
            return value.module.inner(value.node, name) or value.module.property(value, name)
        return Other() if isinstance(value, Other) else None

    def property(self, struct: Struct, name: str) -> Value | None:
        """A method of a class or module, of what it includes, or of the class that it extends."""
        method = _method(struct.node, name)
        if method is not None:
            return Function(self, method)
        body = struct.node.child_by_field_name("body")
        for node in body.named_children if body is not None else ():
            called = word(node.child_by_field_name("method")) if node.type == "call" else ""
            given = [word(child) for child in positional(node)] if called else []
            if called in ("attr_reader", "attr_accessor") and f":{name}" in given:
                return self._variable(f"@{name}", node)
            if called in ("include", "extend", "prepend"):
                for child in positional(node):
                    mixed = self.value(child)
                    if isinstance(mixed, Struct) and (found := self.member(mixed, name)) is not None:
                        return found
        above = struct.node.child_by_field_name("superclass")
        parent = self.value(nth(above)) if above is not None else None
        return self.member(parent, name) if isinstance(parent, Struct) else None

    def target(self, call: Node) -> Value | None:
        """What a call calls."""
        name, receiver = word(call.child_by_field_name("method")), call.child_by_field_name("receiver")
        if receiver is None:
            return self.own_method(name, call)
        return self.member(self.value(receiver), name)

    def _call(self, node: Node) -> Value | None:
        name, receiver = word(node.child_by_field_name("method")), node.child_by_field_name("receiver")
        value = self.value(receiver)
        if name == "new":
            if isinstance(value, Maker):
                return Client()
            if isinstance(value, Struct):
                return Struct(value.module, value.node, True)
            unknown = receiver is not None and receiver.type in ("constant", "scope_resolution")
            return Other() if unknown else value
        if name in ("freeze", "to_s", "instance", "itself", "dup"):
            return value
        if isinstance(value, Client) and name in ("client", "instance"):
            return value
        target = self.target(node)
        if isinstance(target, Function) and isinstance(target.module, RubyValues):
            return target.module.returned(target.node)
        if isinstance(target, Client | Text):
            return target
        if receiver is not None and name in _CONVENTIONAL and not isinstance(value, Other):
            return Client()
        return Other() if isinstance(value, Other) else None

    def returned(self, method: Node) -> Value | None:
        """What a method gives back: its last expression."""
        body = method.child_by_field_name("body")
        if body is None:
            return None
        last = body.named_children[-1] if body.type == "body_statement" and body.named_child_count else body
        if last.type == "return" and last.named_child_count:
            last = last.named_children[0].named_children[0] if last.named_children[0].named_child_count else last
        value = self.value(last)
        return None if isinstance(value, Parameter) else value


def _method(holder: Node, name: str) -> Node | None:
    body = holder if holder.type == "program" else holder.child_by_field_name("body")
    for node in body.named_children if body is not None else ():
        if node.type in METHODS and word(node.child_by_field_name("name")) == name:
            return node
        if node.type == "singleton_class" and (found := _method(node, name)) is not None:
            return found
        # `private def …`, `module_function def …`
        for child in positional(node) if node.type == "call" else ():
            if child.type in METHODS and word(child.child_by_field_name("name")) == name:
                return child
    return None


def parameters(function: Node) -> Iterator[tuple[str, int, Node]]:
    listed = function.child_by_field_name("parameters")
    index = 0
    for node in listed.named_children if listed is not None else ():
        if node.type in ("splat_parameter", "hash_splat_parameter", "block_parameter"):
            continue
        yield word(node if node.type == "identifier" else node.child_by_field_name("name")), index, node
        index += 1


def _listed(call: Node) -> list[Node]:
    listed = call.child_by_field_name("arguments")
    return listed.named_children if listed is not None else []


def positional(call: Node) -> list[Node]:
    return [
        node for node in _listed(call) if node.type not in ("pair", "comment", "block_argument", "hash_splat_argument")
    ]


def named_arguments(call: Node) -> dict[str, Node]:
    """Keyword arguments, and those of a first hash in braces."""
    found = pairs(_listed(call))
    for node in positional(call)[:1]:
        if node.type == "hash":
            found = pairs(node.named_children) | found
    return found


def pairs(nodes: list[Node]) -> dict[str, Node]:
    """Values by key; `event:` alone stands for the variable of that name."""
    found = {}
    for node in nodes:
        key = node.child_by_field_name("key") if node.type == "pair" else None
        if key is not None:
            name = word(key).strip(":'\"")
            found[name] = node.child_by_field_name("value") or key
    return found


def literal(node: Node | None) -> str | None:
    """The text of a string without interpolation."""
    if node is None or node.type != "string":
        return None
    if any(child.type == "interpolation" for child in node.named_children):
        return None
    return "".join(word(child) for child in node.named_children)
