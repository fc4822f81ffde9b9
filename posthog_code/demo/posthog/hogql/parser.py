"""HogQL as a tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from posthog_code.demo.posthog.hogql.tokens import HogQLError, Token, tokens
from posthog_code.demo.posthog.hogql.tree import (
    Between,
    Binary,
    Call,
    Case,
    Interval,
    Item,
    Listing,
    Literal,
    Name,
    Node,
    Order,
    Select,
    Star,
    Subquery,
    Unary,
)

__all__ = ["HogQLError", "parse"]

UNITS = ("second", "minute", "hour", "day", "week", "month", "quarter", "year")
_CLAUSES = frozenset(
    """
    from where group having order limit offset union as and or not in like ilike between is asc desc then else end when
    prewhere join left right inner outer cross on using settings window over by all array nulls with qualify
    """.split()  # noqa: SIM905
)
_COMPARISONS = {"=": "=", "==": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


def parse(text: str, values: Mapping[str, Any]) -> Select:
    """Raises HogQLError."""
    return _Parser(text, values).query()


class _Parser:
    def __init__(self, text: str, values: Mapping[str, Any]) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._values = values
        self._at = 0
        self._named: dict[str, Select] = {}
        """Queries of WITH."""

    # -- tokens

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._token
        self._at += token.kind != "end"
        return token

    def _is(self, *words: str) -> bool:
        """Whether these words or marks come next."""
        ahead = self._tokens[self._at : self._at + len(words)]
        return [t.text.lower() if t.kind in ("name", "mark") else None for t in ahead] == list(words)

    def _take(self, *words: str) -> bool:
        found = self._is(*words)
        self._at += len(words) if found else 0
        return found

    def _need(self, word: str) -> None:
        if not self._take(word):
            raise self._wrong(f"expected {word.upper()}")

    def _wrong(self, why: str) -> HogQLError:
        token = self._token
        return HogQLError(f"Syntax error at position {token.start}: {why}, found {token.text[:40] or 'the end'!r}")

    def _name(self) -> str:
        token = self._next()
        if token.kind not in ("name", "quoted") or (token.kind == "name" and token.text.lower() in _CLAUSES):
            self._at -= 1
            raise self._wrong("expected a name")
        return token.text

    # -- queries

    def query(self) -> Select:
        select = self._selects()
        self._take(";")
        if self._token.kind != "end":
            raise self._wrong("expected the end of the query")
        return select

    def _selects(self) -> Select:
        if self._take("with"):
            while True:
                name = self._name()
                self._need("as")
                self._need("(")
                self._named[name] = self._selects()
                self._need(")")
                if not self._take(","):
                    break
        first = self._select()
        more = []
        while self._take("union", "all"):
            more.append(self._select())
        return replace(first, unions=tuple(more)) if more else first

    def _select(self) -> Select:
        self._need("select")
        distinct = self._take("distinct")
        items = [self._item()]
        while self._take(","):
            items.append(self._item())
        source, alias = self._source() if self._take("from") else (None, "")
        where = self._expression() if self._take("where") else None
        groups: tuple[Node, ...] = ()
        if self._take("group", "by"):
            groups = tuple(self._expressions())
        having = self._expression() if self._take("having") else None
        orders: tuple[Order, ...] = ()
        if self._take("order", "by"):
            orders = self._orders()
        limit, offset = self._limits()
        return Select(tuple(items), source, alias, distinct, where, groups, having, orders, limit, offset)

    def _item(self) -> Item:
        start = self._token.start
        value = self._expression()
        text = self._text[start : self._tokens[self._at - 1].end]
        if self._take("as"):
            return Item(value, self._name(), True)
        if self._token.kind in ("name", "quoted") and self._token.text.lower() not in _CLAUSES:
            return Item(value, self._name(), True)
        return Item(value, str(value.parts[-1]) if isinstance(value, Name) else text, isinstance(value, Name))

    def _source(self) -> tuple[str | Select, str]:
        source: str | Select
        if self._take("("):
            source = self._selects()
            self._need(")")
            alias = ""
        else:
            alias = self._name()
            source = self._named.get(alias, alias)
        if self._take("as") or (self._token.kind in ("name", "quoted") and self._token.text.lower() not in _CLAUSES):
            alias = self._name()
        return source, alias

    def _orders(self) -> tuple[Order, ...]:
        found = []
        while True:
            value = self._expression()
            descending = self._take("desc")
            if not descending:
                self._take("asc")
            found.append(Order(value, descending))
            if not self._take(","):
                return tuple(found)

    def _limits(self) -> tuple[int | None, int]:
        limit, offset = None, 0
        if self._take("limit"):
            limit = self._count()
            if self._take(","):
                offset, limit = limit, self._count()
        if self._take("offset"):
            offset = self._count()
        return limit, offset

    def _count(self) -> int:
        value = self._primary()
        if isinstance(value, Literal) and isinstance(value.value, int) and value.value >= 0:
            return value.value
        raise self._wrong("expected a number of rows")

    # -- expressions

    def _expressions(self) -> list[Node]:
        found = [self._expression()]
        while self._take(","):
            found.append(self._expression())
        return found

    def _expression(self) -> Node:
        left = self._conjunction()
        while self._take("or"):
            left = Binary("or", left, self._conjunction())
        return left

    def _conjunction(self) -> Node:
        left = self._negation()
        while self._take("and"):
            left = Binary("and", left, self._negation())
        return left

    def _negation(self) -> Node:
        return Unary("not", self._negation()) if self._take("not") else self._comparison()

    def _comparison(self) -> Node:
        left = self._sum()
        while True:
            if self._token.kind == "mark" and self._token.text in _COMPARISONS:
                left = Binary(_COMPARISONS[self._next().text], left, self._sum())
            elif self._take("is"):
                negated = self._take("not")
                self._need("null")
                left = Unary("is not null" if negated else "is null", left)
            elif (found := self._worded(left)) is not None:
                left = found
            else:
                return left

    def _worded(self, left: Node) -> Node | None:
        """[NOT] LIKE, ILIKE, IN, BETWEEN; None for anything else."""
        start = self._at
        negated = self._take("not")
        prefix = "not " if negated else ""
        for word in ("like", "ilike", "in"):
            if self._take(word):
                return Binary(prefix + word, left, self._members() if word == "in" else self._sum())
        if self._take("between"):
            low = self._sum()
            self._need("and")
            return Between(left, low, self._sum(), negated)
        self._at = start
        return None

    def _members(self) -> Node:
        """What IN looks into: brackets around one value are a list here."""
        if not self._is("("):
            return self._primary()
        self._need("(")
        found = self._bracketed()
        return found if isinstance(found, (Listing, Subquery)) else Listing((found,))

    def _sum(self) -> Node:
        left = self._product()
        while self._is("+") or self._is("-") or self._is("||"):
            left = Binary(self._next().text, left, self._product())
        return left

    def _product(self) -> Node:
        left = self._sign()
        while self._is("*") or self._is("/") or self._is("%"):
            left = Binary(self._next().text, left, self._sign())
        return left

    def _sign(self) -> Node:
        if self._take("-"):
            value = self._sign()
            if isinstance(value, Literal) and isinstance(value.value, (int, float)):
                return Literal(-value.value)
            return Unary("-", value)
        return self._primary()

    def _primary(self) -> Node:
        token = self._token
        if token.kind == "number":
            self._next()
            return Literal(float(token.text) if not token.text.isdigit() else int(token.text))
        if token.kind == "string":
            self._next()
            return Literal(token.text)
        if self._take("{"):
            name = self._name()
            self._need("}")
            if name not in self._values:
                raise HogQLError(f"Global variable not found: {name}")
            return Literal(self._values[name])
        if self._take("("):
            return self._bracketed()
        if self._take("["):
            items = tuple(self._expressions()) if not self._is("]") else ()
            self._need("]")
            return Listing(items)
        if self._take("*"):
            return Star()
        return self._word()

    def _bracketed(self) -> Node:
        if self._is("select") or self._is("with"):
            select = self._selects()
            self._need(")")
            return Subquery(select)
        items = self._expressions()
        trailing = self._take(",")
        self._need(")")
        return items[0] if len(items) == 1 and not trailing else Listing(tuple(items))

    def _word(self) -> Node:
        for word, value in (("null", None), ("true", True), ("false", False)):
            if self._take(word):
                return Literal(value)
        if self._is("case"):
            return self._case()
        if self._is("interval"):
            return self._interval()
        name = self._name()
        if self._take("("):
            return self._call(name)
        parts: list[str | int] = [name]
        while True:
            if self._take("."):
                parts.append(self._next().text)
            elif self._take("["):
                token = self._next()
                if token.kind not in ("string", "number") or "." in token.text:
                    raise HogQLError("An array may only be asked for a name or a place.")
                parts.append(int(token.text) if token.kind == "number" else token.text)
                self._need("]")
            else:
                return Name(tuple(parts))

    def _call(self, name: str) -> Node:
        distinct = self._take("distinct")
        arguments = tuple(self._expressions()) if not self._is(")") else ()
        self._need(")")
        parameters: tuple[Node, ...] = ()
        if self._take("("):
            parameters, arguments = arguments, tuple(self._expressions()) if not self._is(")") else ()
            self._need(")")
        if self._is("over"):
            raise HogQLError("Window functions are not supported.")
        unit = name.removeprefix("toInterval").lower()
        if unit in UNITS and name != unit and len(arguments) == 1:
            amount = arguments[0]
            if isinstance(amount, Literal) and isinstance(amount.value, int):
                return Interval(amount.value, unit)
        return Call(name, arguments, parameters, distinct)

    def _case(self) -> Node:
        self._need("case")
        subject = None if self._is("when") else self._expression()
        branches = []
        while self._take("when"):
            condition = self._expression()
            self._need("then")
            if subject is not None:
                condition = Binary("=", subject, condition)
            branches.append((condition, self._expression()))
        otherwise = self._expression() if self._take("else") else Literal(None)
        self._need("end")
        return Case(tuple(branches), otherwise)

    def _interval(self) -> Node:
        self._need("interval")
        token = self._next()
        amount, _, unit = token.text.partition(" ")
        unit = (unit or self._next().text).lower().removesuffix("s")
        if token.kind not in ("number", "string") or not amount.isdigit() or unit not in UNITS:
            raise HogQLError("An INTERVAL is a number and a unit, as in INTERVAL 7 DAY.")
        return Interval(int(amount), unit)
