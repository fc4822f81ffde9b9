"""A HogQL tree as SQL for the events of one project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from posthog_code.demo.posthog.hogql.calls import Calls
from posthog_code.demo.posthog.hogql.parser import HogQLError, parse
from posthog_code.demo.posthog.hogql.scope import COLUMNS, STAR, Scope, aggregate_of, children, quoted
from posthog_code.demo.posthog.hogql.tree import Call, Interval, Listing, Literal, Name, Node, Select, Star, Subquery

DEFAULT_LIMIT, LARGEST_LIMIT = 100, 50_000


@dataclass(frozen=True, slots=True)
class Compiled:
    sql: str
    parameters: Mapping[str, Any]
    columns: tuple[str, ...]
    types: tuple[str, ...]
    limit: int
    """One row more is asked for, so that it is known whether there are more."""


def compile_query(text: str, values: Mapping[str, Any], project: int, now: str) -> Compiled:
    """`now` is the time of `now()`. Raises HogQLError."""
    return _Compiler(project, now).whole(parse(text, values))


class _Compiler(Calls):
    def whole(self, select: Select) -> Compiled:
        limit = min(DEFAULT_LIMIT if select.limit is None else select.limit, LARGEST_LIMIT)
        sql, columns, types = self.select(replace(select, limit=limit + 1))
        return Compiled(sql, self.parameters, columns, types, limit)

    def select(self, select: Select) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        scope, source = self._source(select)
        scope.given = {
            item.name: item.value for item in select.items if item.aliased and item.value != Name((item.name,))
        }
        columns: list[str] = []
        parts: list[str] = []
        types: list[str] = []
        for item in select.items:
            if isinstance(item.value, Star):
                for name in STAR if scope.events else scope.columns:
                    made = self.expression(Name((name,)), scope)
                    columns.append(name)
                    parts.append(made.text)
                    types.append(made.type)
                continue
            made = self.expression(item.value, replace(scope, opened=(item.name,)))
            columns.append(item.name)
            parts.append(made.text)
            types.append(made.type)
        if len(set(columns)) < len(columns):
            raise HogQLError("Two columns have the same name.")
        self._check_groups(select, scope)
        named = (f"{part} AS {quoted(name)}" for part, name in zip(parts, columns, strict=True))
        words = ["SELECT DISTINCT" if select.distinct else "SELECT", ", ".join(named)]
        words += [source] if source else []
        if select.where is not None:
            words += ["WHERE", self.expression(select.where, self._of_rows(scope)).text]
        if select.groups:
            words += ["GROUP BY", ", ".join(self._ordinal(one, scope, len(parts)) for one in select.groups)]
        if select.having is not None:
            words += ["HAVING", self.expression(select.having, scope).text]
        sql = " ".join(words)
        for further in select.unions:
            sql += f" UNION ALL {self.select(further)[0]}"
        return self._cut(select, scope, sql, columns), tuple(columns), tuple(types)

    def _of_rows(self, scope: Scope) -> Scope:
        """The scope of WHERE: `max(timestamp) AS timestamp` does not hide the column there."""
        hidden = {name for name, node in scope.given.items() if name in scope.columns and self._aggregates(node, scope)}
        return replace(scope, given={name: node for name, node in scope.given.items() if name not in hidden})

    def _cut(self, select: Select, scope: Scope, sql: str, columns: list[str]) -> str:
        """With its order and limit."""
        if select.unions and (select.orders or any(one.orders or one.limit is not None for one in select.unions)):
            raise HogQLError("ORDER BY and LIMIT of a part of UNION ALL are not supported: use a subquery.")
        if select.orders:
            keys = []
            for order in select.orders:
                key = self._ordinal(order.value, scope, len(columns))
                keys.append(f"{key} {'DESC' if order.descending else 'ASC'} NULLS LAST")
            sql += f" ORDER BY {', '.join(keys)}"
        if select.limit is not None or select.offset:
            sql += f" LIMIT {-1 if select.limit is None else select.limit} OFFSET {select.offset}"
        return sql

    def _ordinal(self, node: Node, scope: Scope, count: int) -> str:
        if isinstance(node, Literal) and isinstance(node.value, int):
            if not 1 <= node.value <= count:
                raise HogQLError(f"There is no column {node.value}.")
            return str(node.value)
        return self.expression(node, scope).text

    def _source(self, select: Select) -> tuple[Scope, str]:
        if select.source is None:
            return Scope({}), ""
        if isinstance(select.source, Select):
            sql, columns, types = self.select(select.source)
            alias = select.alias or "inner"
            return Scope(dict(zip(columns, types, strict=True)), alias=alias), f"FROM ({sql}) AS {quoted(alias)}"
        if select.source != "events":
            raise HogQLError(f"Unknown table `{select.source}`.")
        # Under a name that no query can give, so that columns are never mistaken for aliases.
        source = "FROM (SELECT * FROM rows WHERE project = :project) AS _e"
        return Scope(COLUMNS, True, select.alias), source

    def _check_groups(self, select: Select, scope: Scope) -> None:
        """ClickHouse refuses a column that is neither grouped nor aggregated; SQLite would choose any row's."""
        groups = set()
        for node in select.groups:
            if isinstance(node, Literal) and isinstance(node.value, int) and 1 <= node.value <= len(select.items):
                node = select.items[node.value - 1].value
            groups.add(self.expression(node, scope).text)
        values = [item.value for item in select.items] + [order.value for order in select.orders]
        values += [select.having] if select.having is not None else []
        if not groups and not any(self._aggregates(value, scope) for value in values):
            if select.having is not None:
                raise HogQLError("HAVING needs GROUP BY or an aggregate.")
            return
        for value in values:
            self._check_grouped(value, scope, groups)

    def _check_grouped(self, node: Node, scope: Scope, groups: set[str]) -> None:
        if isinstance(node, (Literal, Interval, Subquery)):
            return
        if isinstance(node, Star):
            raise HogQLError("* cannot be selected together with aggregates.")
        if isinstance(node, Call) and aggregate_of(node.name):
            return
        if not isinstance(node, Listing) and self.expression(node, scope).text in groups:
            return
        if isinstance(node, Name):
            given = scope.given.get(str(node.parts[0])) if len(node.parts) == 1 else None
            if given is None:
                shown = ".".join(map(str, node.parts))
                raise HogQLError(f"Column `{shown}` is not under an aggregate function and not in GROUP BY.")
            name = str(node.parts[0])
            self._check_grouped(
                given, replace(scope, given={k: v for k, v in scope.given.items() if k != name}), groups
            )
        for child in children(node):
            self._check_grouped(child, scope, groups)

    def _aggregates(self, node: Node, scope: Scope) -> bool:
        if isinstance(node, Call) and aggregate_of(node.name):
            return True
        if (
            isinstance(node, Name)
            and len(node.parts) == 1
            and (given := scope.given.get(str(node.parts[0]))) is not None
        ):
            name = str(node.parts[0])
            return self._aggregates(given, replace(scope, given={k: v for k, v in scope.given.items() if k != name}))
        return any(self._aggregates(child, scope) for child in children(node))
