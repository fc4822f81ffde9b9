"""Expressions as SQL: values, columns, operators, times."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

from posthog_code.demo.posthog.hogql import times
from posthog_code.demo.posthog.hogql.scope import Scope, Sql, json_path, quoted
from posthog_code.demo.posthog.hogql.tokens import HogQLError
from posthog_code.demo.posthog.hogql.tree import (
    Between,
    Binary,
    Call,
    Case,
    Interval,
    Listing,
    Literal,
    Name,
    Node,
    Select,
    Subquery,
    Unary,
)

TIMES = ("DateTime", "Date")
_SQL = {
    "created_at": "{0}timestamp",
    "$session_id": "json_extract({0}properties, '$.\"$session_id\"')",
    "issue_id": "json_extract({0}properties, '$.\"$exception_issue_id\"')",
}
_PROPERTY = (
    "(CASE json_type({0}properties, {1}) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' "
    "ELSE json_extract({0}properties, {1}) END)"
)


class Expressions(ABC):
    """Compiles single expressions. Values become parameters of the statement, never part of its text."""

    def __init__(self, project: int, now: str) -> None:
        self.now = now
        self.parameters: dict[str, Any] = {"project": project}

    @abstractmethod
    def select(self, select: Select) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        """A whole query: its SQL, columns and types."""

    @abstractmethod
    def call(self, node: Call, scope: Scope) -> Sql:
        """A function."""

    def expression(self, node: Node, scope: Scope) -> Sql:
        match node:
            case Literal(value):
                return self._literal(value)
            case Name(parts):
                return self._column(parts, scope)
            case Call():
                return self.call(node, scope)
            case Binary():
                return self.binary(node, scope)
            case Unary(operator, value):
                made = self.expression(value, scope)
                if operator.startswith("is"):
                    return Sql(f"({made.text} {operator.upper()})", "UInt8")
                return Sql(
                    f"({'NOT ' if operator == 'not' else '-'}{made.text})", "UInt8" if operator == "not" else made.type
                )
            case Between(value, low, high, negated):
                first = Binary("and", Binary(">=", value, low), Binary("<=", value, high))
                made = self.expression(first, scope)
                return Sql(f"(NOT {made.text})", "UInt8") if negated else made
            case Case(branches, otherwise):
                return self.case(branches, otherwise, scope)
            case Listing(items):
                made_items = [self.expression(item, scope) for item in items]
                return Sql(
                    f"({', '.join(one.text for one in made_items)})", made_items[0].type if made_items else "String"
                )
            case Subquery(select):
                sql, columns, types = self.select(select)
                if len(columns) != 1:
                    raise HogQLError("A subquery in an expression must have one column.")
                return Sql(f"({sql})", types[0])
            case Interval():
                raise HogQLError("An INTERVAL can only be added to a time or taken from it.")
        raise HogQLError("* is only understood in SELECT * and count(*).")

    def _literal(self, value: Any) -> Sql:
        if isinstance(value, list):
            return Sql(f"({', '.join(self._literal(one).text for one in value)})", "Array", constant=True)
        if value is None:
            return Sql("NULL", "Nullable", constant=True)
        if isinstance(value, bool):
            return Sql("1" if value else "0", "Bool", constant=True)
        kind = "Int64" if isinstance(value, int) else "Float64" if isinstance(value, float) else "String"
        if kind == "String" and not isinstance(value, str):
            raise HogQLError("A value must be text, a number, a boolean, or a list of them.")
        return Sql(self.bound(value), kind, constant=True)

    def bound(self, value: Any) -> str:
        for name, known in self.parameters.items():
            if known == value and type(known) is type(value) and name != "project":
                return f":{name}"
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f":{name}"

    def _column(self, parts: tuple[str | int, ...], scope: Scope) -> Sql:
        first = str(parts[0])
        if len(parts) == 1 and first in scope.given and first not in scope.opened:
            return self.expression(scope.given[first], replace(scope, opened=(*scope.opened, first)))
        if len(parts) > 1 and first in (scope.alias, "events" if scope.events else scope.alias) and first:
            parts = parts[1:]
            first = str(parts[0])
        if scope.events and parts == ("person", "id"):
            return Sql("_e.person_id", "UUID")
        if first not in scope.columns:
            raise HogQLError(f"Unable to resolve field: {'.'.join(map(str, parts))}")
        kind = scope.columns[first]
        if not scope.events:
            text = f"{quoted(scope.alias)}.{quoted(first)}"
            if len(parts) > 1 and first == "properties":
                return Sql(_PROPERTY.format(f"{quoted(scope.alias)}.", self.bound(json_path(parts[1:]))), "Property")
            if len(parts) == 2 and kind == "Array" and isinstance(parts[1], int):
                return Sql(f"json_extract({text}, '$[{parts[1] - 1}]')", "String")
            if len(parts) > 1:
                raise HogQLError(f"Unable to resolve field: {'.'.join(map(str, parts))}")
            return Sql(text, kind)
        if first == "properties" and len(parts) > 1:
            return Sql(_PROPERTY.format("_e.", self.bound(json_path(parts[1:]))), "Property")
        if len(parts) > 1:
            raise HogQLError(f"Unable to resolve field: {'.'.join(map(str, parts))}")
        return Sql(_SQL.get(first, f"{{0}}{first}").format("_e."), kind)

    def case(self, branches: tuple[tuple[Node, Node], ...], otherwise: Node, scope: Scope) -> Sql:
        made = [(self.expression(when, scope), self.expression(then, scope)) for when, then in branches]
        last = self.expression(otherwise, scope)
        words = " ".join(f"WHEN {when.text} THEN {then.text}" for when, then in made)
        types = [then.type for _, then in made] + [last.type]
        kind = next((one for one in types if one != "Nullable"), "String")
        return Sql(f"(CASE {words} ELSE {last.text} END)", kind)

    def binary(self, node: Binary, scope: Scope) -> Sql:
        operator = node.operator
        if operator in ("+", "-") and isinstance(node.right, Interval):
            return self._shifted(self.expression(node.left, scope), node.right, 1 if operator == "+" else -1)
        left, right = self.expression(node.left, scope), self.expression(node.right, scope)
        if operator in ("and", "or"):
            return Sql(f"({left.text} {operator.upper()} {right.text})", "UInt8")
        if operator.endswith("in"):
            return self._contained(operator, node, left, right)
        if operator.endswith("like"):
            return _like(operator, left, right)
        if operator == "||":
            return Sql(f"({left.text} || {right.text})", "String")
        if operator in ("+", "-", "*", "/", "%"):
            if left.type in TIMES or right.type in TIMES:
                raise HogQLError("Times can only be moved by an INTERVAL.")
            text = (
                f"CAST({left.text} AS REAL) / {right.text}"
                if operator == "/"
                else f"{left.text} {operator} {right.text}"
            )
            return Sql(f"({text})", "Float64")
        # As HogQL does: a comparison with what is not there is false, but for "differs".
        bare = left.type != "Property" and right.type != "Property"
        left, right = self._alike(left, right)
        if operator == "!=":
            return Sql(f"({left.text} IS NOT {right.text})", "UInt8")
        text = f"{left.text} {operator} {right.text}"
        return Sql(f"({text})" if bare else f"coalesce({text}, 0)", "UInt8")

    def _contained(self, operator: str, node: Binary, left: Sql, right: Sql) -> Sql:
        listed = isinstance(node.right, Literal) and isinstance(node.right.value, list)
        if not listed and not isinstance(node.right, (Listing, Subquery)):
            raise HogQLError("IN needs a list or a subquery.")
        if left.type in TIMES or isinstance(node.left, Listing):
            raise HogQLError("IN is not supported for times and tuples.")
        if right.text == "()":
            return Sql("0" if operator == "in" else "1", "UInt8")
        words = "IN" if operator == "in" else "NOT IN"
        if left.type != "Property":
            return Sql(f"({left.text} {words} {right.text})", "UInt8")
        text = f"CAST({left.text} AS TEXT) {words} {right.text}"
        return Sql(f"coalesce({text}, {0 if operator == 'in' else 1})", "UInt8")

    def _alike(self, left: Sql, right: Sql) -> tuple[Sql, Sql]:
        """Both sides in a form that SQLite compares as ClickHouse does."""
        if left.type in TIMES or right.type in TIMES:
            return self.as_time(left), self.as_time(right)
        pair = []
        for one, other in ((left, right), (right, left)):
            if one.type == "Bool" and other.type == "Property":
                one = Sql("'true'" if one.text == "1" else "'false'", "String")
            elif one.type == "Property" and other.type in ("String", "UUID", "Bool"):
                one = Sql(f"CAST({one.text} AS TEXT)", "String")
            elif one.type == "Property" and other.type in ("Int64", "Float64", "UInt64"):
                one = Sql(f"CAST({one.text} AS REAL)", "Float64")
            pair.append(one)
        return pair[0], pair[1]

    def as_time(self, one: Sql) -> Sql:
        """A moment; a day is its first moment."""
        if one.type == "DateTime":
            return one
        if one.type == "Date":
            return Sql(f"({one.text} || 'T00:00:00.000000Z')", "DateTime")
        if one.type == "String" and one.constant:
            told = times.text_of(times.parsed(str(self.parameters[one.text[1:]])))
            return Sql(self.bound(told), "DateTime", told, True)
        if one.type in ("Property", "String"):
            return Sql(f"hog_time({one.text})", "DateTime")
        raise HogQLError("A time can only be compared with a time.")

    def _shifted(self, left: Sql, interval: Interval, sign: int) -> Sql:
        moment = self.as_time(left)
        if moment.time is not None:
            told = str(times.shifted(moment.time, sign * interval.amount, interval.unit))
            return Sql(self.bound(told), "DateTime", told, True)
        return Sql(f"hog_shift({moment.text}, {sign * interval.amount}, '{interval.unit}')", "DateTime")


def _like(operator: str, left: Sql, right: Sql) -> Sql:
    a, b = left.text, right.text
    if operator.endswith("ilike"):
        a, b = f"lower({a})", f"lower({b})"
    if operator.startswith("not"):
        return Sql(f"coalesce({a} NOT LIKE {b} ESCAPE '\\', 1)", "UInt8")
    return Sql(f"coalesce({a} LIKE {b} ESCAPE '\\', 0)", "UInt8")
