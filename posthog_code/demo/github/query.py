"""Enough of GraphQL to execute a client's documents: parse, then project objects through the selections.

Not supported, since no client of ours sends it: subscriptions, block strings, directives other than @include and @skip.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(
    r'[\s,﻿]+|#[^\n]*|(\.\.\.|"(?:\\.|[^"\\\n])*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[_A-Za-z]\w*|[{}()\[\]:!$=@|&])'
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}

Json = Any


class QueryError(Exception):
    """The document is wrong, or asks for what does not exist: GitHub then gives no data."""

    def __init__(self, message: str, code: str = "", **extensions: str) -> None:
        super().__init__(message)
        self.error: dict[str, Json] = {"message": message}
        if code:
            self.error["extensions"] = {"code": code, **extensions}


class FieldError(Exception):
    """One field cannot be given: it becomes null and stands among the errors."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Variable:
    name: str


@dataclass(slots=True)
class Selection:
    name: str
    """Field name, "..." for an inline fragment, "...Name" for a named one."""
    alias: str = ""
    arguments: dict[str, Json] = field(default_factory=dict)
    condition: str = ""
    children: list[Selection] = field(default_factory=list)
    directives: dict[str, dict[str, Json]] = field(default_factory=dict)


@dataclass(slots=True)
class Operation:
    kind: str
    name: str
    defaults: dict[str, Json]
    selections: list[Selection]


@dataclass(slots=True)
class Document:
    operations: list[Operation] = field(default_factory=list)
    fragments: dict[str, Selection] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Object:
    """A value with fields. A field is a value or a function of its arguments."""

    typename: str
    fields: Mapping[str, Json]
    interfaces: tuple[str, ...] = ()


def parse(text: str) -> Document:
    """Raises QueryError for what is no document."""
    return _Parser(text).document()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise QueryError(f"Unexpected character {text[at]!r}")
            if match[1]:
                self._tokens.append(match[1])
            at = match.end()
        self._at = 0

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self, wanted: str = "") -> str:
        token = self._peek()
        if not token or (wanted and token != wanted):
            raise QueryError(f"Expected {wanted or 'more'}, got {token or 'the end'}")
        self._at += 1
        return token

    def _take(self, token: str) -> bool:
        if self._peek() != token:
            return False
        self._at += 1
        return True

    def document(self) -> Document:
        document = Document()
        while self._peek():
            if self._peek() == "{":
                document.operations.append(Operation("query", "", {}, self._selections()))
            elif self._take("fragment"):
                name = self._next()
                self._next("on")
                document.fragments[name] = Selection("...", condition=self._next(), children=self._selections())
            else:
                document.operations.append(self._operation())
        return document

    def _operation(self) -> Operation:
        kind = self._next()
        if kind not in ("query", "mutation"):
            raise QueryError(f"Unexpected {kind}")
        name = self._next() if self._peek() not in ("(", "{", "@") else ""
        defaults: dict[str, Json] = {}
        if self._take("("):
            while not self._take(")"):
                self._next("$")
                variable = self._next()
                self._next(":")
                self._type()
                if self._take("="):
                    defaults[variable] = self._value()
        self._directives()
        return Operation(kind, name, defaults, self._selections())

    def _type(self) -> None:
        if self._take("["):
            self._type()
            self._next("]")
        else:
            self._next()
        self._take("!")

    def _selections(self) -> list[Selection]:
        self._next("{")
        found: list[Selection] = []
        while not self._take("}"):
            found.append(self._selection())
        return found

    def _selection(self) -> Selection:
        if self._take("..."):
            if self._peek() not in ("on", "{", "@"):
                return Selection("..." + self._next(), directives=self._directives())
            condition = self._next() and self._next() if self._peek() == "on" else ""
            return Selection("...", condition=condition, directives=self._directives(), children=self._selections())
        name, alias = self._next(), ""
        if self._take(":"):
            name, alias = self._next(), name
        arguments = self._arguments()
        directives = self._directives()
        children = self._selections() if self._peek() == "{" else []
        return Selection(name, alias, arguments, "", children, directives)

    def _arguments(self) -> dict[str, Json]:
        found: dict[str, Json] = {}
        if self._take("("):
            while not self._take(")"):
                name = self._next()
                self._next(":")
                found[name] = self._value()
        return found

    def _directives(self) -> dict[str, dict[str, Json]]:
        found = {}
        while self._take("@"):
            name = self._next()
            found[name] = self._arguments()
        return found

    def _value(self) -> Json:
        token = self._next()
        if token == "$":
            return Variable(self._next())
        if token == "[":
            items = []
            while not self._take("]"):
                items.append(self._value())
            return items
        if token == "{":
            entries = {}
            while not self._take("}"):
                name = self._next()
                self._next(":")
                entries[name] = self._value()
            return entries
        if token.startswith('"'):
            return re.sub(r"\\(u[0-9A-Fa-f]{4}|.)", _unescape, token[1:-1])
        if re.match(r"-?\d", token):
            return float(token) if re.search(r"[.eE]", token) else int(token)
        return {"true": True, "false": False, "null": None}.get(token, token)


def _unescape(match: re.Match[str]) -> str:
    told = match[1]
    return chr(int(told[1:], 16)) if told[0] == "u" and len(told) == 5 else _ESCAPES.get(told, told)


def execute(text: str, variables: Mapping[str, Json], name: str, root: Callable[[str], Object]) -> dict[str, Json]:
    """The body of GitHub's answer. `root` gives the object for "query" or "mutation"."""
    try:
        document = parse(text)
        operations = [one for one in document.operations if not name or one.name == name]
        if len(operations) != 1:
            raise QueryError("An operation name is required" if not name else f"No operation named {name!r}")
        operation = operations[0]
        executor = _Executor(document.fragments, {**operation.defaults, **variables})
        data = executor.project(root(operation.kind), operation.selections, ())
    except QueryError as error:
        return {"errors": [error.error]}
    return {"data": data, "errors": executor.errors} if executor.errors else {"data": data}


class _Executor:
    def __init__(self, fragments: Mapping[str, Selection], variables: Mapping[str, Json]) -> None:
        self._fragments = fragments
        self._variables = variables
        self.errors: list[dict[str, Json]] = []

    def project(self, value: Json, selections: list[Selection], path: tuple[str | int, ...]) -> Json:
        if isinstance(value, (list, tuple)):
            return [self.project(item, selections, (*path, index)) for index, item in enumerate(value)]
        if not isinstance(value, Object):
            if selections and value is not None:
                raise QueryError(f"{path[-1]} has no fields", "selectionMismatch")
            return value
        if not selections:
            raise QueryError(f"Field must have selections (returns {value.typename})", "selectionMismatch")
        result: dict[str, Json] = {}
        for selection in self._flat(value, selections):
            key = selection.alias or selection.name
            try:
                given = self._field(value, selection)
            except FieldError as error:
                self.errors.append({"type": error.kind, "path": [*path, key], "message": str(error)})
                given = None
            projected = self.project(given, selection.children, (*path, key))
            if isinstance(projected, dict) and isinstance(result.get(key), dict):
                result[key].update(projected)
            else:
                result[key] = projected
        return result

    def _flat(self, value: Object, selections: list[Selection]) -> list[Selection]:
        found: list[Selection] = []
        for selection in selections:
            if not self._wanted(selection):
                continue
            if not selection.name.startswith("..."):
                found.append(selection)
                continue
            inner = selection
            if len(selection.name) > 3:
                if selection.name[3:] not in self._fragments:
                    raise QueryError(f"Fragment {selection.name[3:]} was used, but not defined", "undefinedFragment")
                inner = self._fragments[selection.name[3:]]
            if inner.condition in ("", value.typename, *value.interfaces):
                found += self._flat(value, inner.children)
        return found

    def _wanted(self, selection: Selection) -> bool:
        include = self._resolved(selection.directives.get("include", {}).get("if", True))
        skip = self._resolved(selection.directives.get("skip", {}).get("if", False))
        return bool(include) and not skip

    def _field(self, value: Object, selection: Selection) -> Json:
        if selection.name == "__typename":
            return value.typename
        if selection.name not in value.fields:
            raise QueryError(
                f"Field '{selection.name}' doesn't exist on type '{value.typename}'",
                "undefinedField",
                typeName=value.typename,
                fieldName=selection.name,
            )
        given = value.fields[selection.name]
        if not callable(given):
            return given
        return given(**{key: self._resolved(argument) for key, argument in selection.arguments.items()})

    def _resolved(self, argument: Json) -> Json:
        if isinstance(argument, Variable):
            return self._variables.get(argument.name)
        if isinstance(argument, list):
            return [self._resolved(item) for item in argument]
        if isinstance(argument, dict):
            return {key: self._resolved(item) for key, item in argument.items()}
        return argument
