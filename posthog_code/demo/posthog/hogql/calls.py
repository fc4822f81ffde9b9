"""Function calls as SQL."""

from __future__ import annotations

from abc import ABC

from posthog_code.demo.posthog.hogql import times
from posthog_code.demo.posthog.hogql.expressions import Expressions
from posthog_code.demo.posthog.hogql.functions import AGGREGATES, EXTRACTS, ON_TIMES, PLAIN
from posthog_code.demo.posthog.hogql.scope import Scope, Sql, aggregate_of, json_path
from posthog_code.demo.posthog.hogql.tokens import HogQLError
from posthog_code.demo.posthog.hogql.tree import Binary, Call, Interval, Listing, Literal, Star


class Calls(Expressions, ABC):
    """Adds functions to expressions."""

    def call(self, node: Call, scope: Scope) -> Sql:
        name = node.name
        if aggregate := aggregate_of(name):
            return self._aggregate_call(node, aggregate, scope)
        if node.distinct or node.parameters:
            raise HogQLError(f"{name} does not take that.")
        if name in ("now", "today", "yesterday"):
            told = self.now if name == "now" else str(times.floored(self.now, 1, "day"))
            told = str(times.shifted(told, -1, "day")) if name == "yesterday" else told
            return Sql(self.bound(told), "DateTime", told, True)
        if name in EXTRACTS:
            return self._extract(node, scope)
        special = _SPECIAL.get(name)
        if special is not None:
            return special(self, node, scope)
        if name not in PLAIN:
            raise HogQLError(f"Unsupported function call '{name}(...)'.")
        pattern, kind = PLAIN[name]
        made = [self.expression(one, scope) for one in node.arguments]
        if len(made) != sum(f"{{{number}}}" in pattern for number in range(3)):
            raise HogQLError(f"Function '{name}' has a wrong number of arguments.")
        if name in ON_TIMES:
            made[0] = self.as_time(made[0])
        return Sql(pattern.format(*(one.text for one in made)), kind)

    def _aggregate_call(self, node: Call, base: str, scope: Scope) -> Sql:
        arguments = list(node.arguments)
        pattern, kind = AGGREGATES[base] if base != "quantile" else ("hog_quantile({0}, {1})", "Float64")
        condition = ""
        if node.name.endswith("If"):
            if not arguments:
                raise HogQLError(f"{node.name} needs a condition.")
            condition = self.expression(arguments.pop(), scope).text
        if base == "quantile":
            if len(node.parameters) != 1 or not isinstance(node.parameters[0], Literal):
                raise HogQLError("quantile needs its level, as in quantile(0.95)(x).")
            arguments.append(node.parameters[0])
        if base == "count" and (not arguments or arguments == [Star()]):
            return Sql(f"count(CASE WHEN {condition} THEN 1 END)" if condition else "count(*)", "UInt64")
        if len(arguments) != 1 + ("{1}" in pattern) or (node.distinct and base != "count"):
            raise HogQLError(f"Function '{node.name}' has a wrong number of arguments.")
        made = [self.expression(one, scope) for one in arguments]
        texts = [one.text for one in made]
        if made[0].type == "Property" and base in ("sum", "avg", "median", "quantile"):
            texts[0] = f"CAST({texts[0]} AS REAL)"
        if condition:
            # A row that does not count has no value at all.
            place = 1 if base.startswith("arg") else 0
            texts[place] = f"(CASE WHEN {condition} THEN {texts[place]} END)"
        if node.distinct:
            texts[0] = f"DISTINCT {texts[0]}"
        return Sql(pattern.format(*texts), kind or made[0].type)

    def _extract(self, node: Call, scope: Scope) -> Sql:
        first, *keys = node.arguments
        path: list[str | int] = []
        for key in keys:
            if not isinstance(key, Literal) or not isinstance(key.value, (str, int)):
                raise HogQLError(f"{node.name} needs constant keys.")
            path.append(key.value)
        text, where = self.expression(first, scope).text, self.bound(json_path(tuple(path)))
        kind = EXTRACTS[node.name]
        found = f"json_extract({text}, {where})"
        if node.name == "JSONExtractRaw":
            found = f"json_quote(json_extract({text}, {where}))"
        elif kind == "String":
            found = f"coalesce({found}, '')"
        else:
            found = f"coalesce(CAST({found} AS {'REAL' if kind == 'Float64' else 'INTEGER'}), 0)"
        return Sql(found, kind)

    # -- functions that are not patterns

    def _if(self, node: Call, scope: Scope) -> Sql:
        count = len(node.arguments)
        if count < 3 or count % 2 == 0 or (node.name == "if" and count != 3):
            raise HogQLError(f"{node.name} has a wrong number of arguments.")
        pairs = tuple(zip(node.arguments[0:-1:2], node.arguments[1::2], strict=True))
        return self.case(pairs, node.arguments[-1], scope)

    def _several(self, node: Call, scope: Scope) -> Sql:
        word = {"coalesce": "coalesce", "ifNull": "coalesce", "nullIf": "nullif", "greatest": "max", "least": "min"}
        made = [self.expression(one, scope) for one in node.arguments]
        if len(made) < 2:
            raise HogQLError(f"{node.name} needs two arguments.")
        kind = next((one.type for one in made if one.type != "Nullable"), "String")
        return Sql(f"{word[node.name]}({', '.join(one.text for one in made)})", kind)

    def _concat(self, node: Call, scope: Scope) -> Sql:
        made = [f"coalesce({self.expression(one, scope).text}, '')" for one in node.arguments]
        return Sql(f"({' || '.join(made)})", "String")

    def _search_any(self, node: Call, scope: Scope) -> Sql:
        """Whether a text holds one of several."""
        if len(node.arguments) != 2:
            raise HogQLError(f"{node.name} needs a text and a list.")
        listed = node.arguments[1]
        if isinstance(listed, Literal) and isinstance(listed.value, list):
            listed = Listing(tuple(Literal(one) for one in listed.value))
        if not isinstance(listed, Listing):
            raise HogQLError(f"{node.name} needs a list.")
        text = self.expression(node.arguments[0], scope).text
        needles = [self.expression(one, scope).text for one in listed.items]
        if node.name.endswith("Insensitive"):
            text, needles = f"lower({text})", [f"lower({one})" for one in needles]
        found = " OR ".join(f"instr({text}, {one}) > 0" for one in needles)
        return Sql(f"coalesce({found or '0'}, 0)", "UInt8")

    def _logic(self, node: Call, scope: Scope) -> Sql:
        made = [self.expression(one, scope).text for one in node.arguments]
        return Sql(f"({f' {node.name.upper()} '.join(made)})", "UInt8")

    def _operator(self, node: Call, scope: Scope) -> Sql:
        if len(node.arguments) != 2:
            raise HogQLError(f"{node.name} needs two arguments.")
        return self.binary(Binary(_OPERATORS[node.name], *node.arguments), scope)

    def _round(self, node: Call, scope: Scope) -> Sql:
        made = [self.expression(one, scope).text for one in node.arguments[:2]]
        return Sql(f"round({', '.join(made)})", "Float64")

    def _to_time(self, node: Call, scope: Scope) -> Sql:
        made = self.expression(node.arguments[0], scope) if node.arguments else Sql("NULL", "Nullable")
        if made.type in ("Int64", "Float64", "UInt64"):
            return Sql(f"hog_time({made.text})", "DateTime")
        return self.as_time(made)

    def _floored(self, node: Call, scope: Scope) -> Sql:
        """dateTrunc('hour', x), toStartOfInterval(x, INTERVAL 4 HOUR), toStartOfWeek(x)."""
        if node.name == "toStartOfWeek":
            moment, amount, unit = self.expression(node.arguments[0], scope), 1, "week"
        elif node.name == "toStartOfInterval" and len(node.arguments) == 2 and isinstance(node.arguments[1], Interval):
            interval = node.arguments[1]
            moment, amount, unit = self.expression(node.arguments[0], scope), interval.amount, interval.unit
        elif node.name in ("dateTrunc", "date_trunc") and isinstance(node.arguments[0], Literal):
            moment, amount, unit = self.expression(node.arguments[1], scope), 1, str(node.arguments[0].value).lower()
        else:
            raise HogQLError(f"Function '{node.name}' has wrong arguments.")
        if (unit not in times.SECONDS and unit not in times.MONTHS) or amount < 1:
            raise HogQLError(f"Unknown unit {unit!r}.")
        return Sql(f"hog_floor({self.as_time(moment).text}, {amount}, '{unit}')", "DateTime")

    def _between(self, node: Call, scope: Scope) -> Sql:
        if len(node.arguments) != 3 or not isinstance(node.arguments[0], Literal):
            raise HogQLError("dateDiff needs a unit and two times.")
        unit = str(node.arguments[0].value).lower()
        if unit not in times.SECONDS and unit not in times.MONTHS:
            raise HogQLError(f"Unknown unit {unit!r}.")
        first, second = (self.as_time(self.expression(one, scope)).text for one in node.arguments[1:])
        return Sql(f"hog_between('{unit}', {first}, {second})", "Int64")


_OPERATORS = {
    "equals": "=",
    "notEquals": "!=",
    "greater": ">",
    "greaterOrEquals": ">=",
    "less": "<",
    "lessOrEquals": "<=",
    "plus": "+",
    "minus": "-",
    "multiply": "*",
    "divide": "/",
    "like": "like",
    "ilike": "ilike",
    "in": "in",
    "notIn": "not in",
}
_SPECIAL = {
    "if": Calls._if,
    "multiIf": Calls._if,
    **dict.fromkeys(("coalesce", "ifNull", "nullIf", "greatest", "least"), Calls._several),
    "concat": Calls._concat,
    "multiSearchAny": Calls._search_any,
    "multiSearchAnyCaseInsensitive": Calls._search_any,
    "and": Calls._logic,
    "or": Calls._logic,
    "round": Calls._round,
    **dict.fromkeys(("toDateTime", "toDateTime64", "parseDateTimeBestEffort", "fromUnixTimestamp"), Calls._to_time),
    **dict.fromkeys(("dateTrunc", "date_trunc", "toStartOfInterval", "toStartOfWeek"), Calls._floored),
    "dateDiff": Calls._between,
    "date_diff": Calls._between,
    **dict.fromkeys(_OPERATORS, Calls._operator),
}
