"""Frozen dataclasses to JSON and back, tolerant of what an older or newer version wrote."""

from __future__ import annotations

import dataclasses
import enum
import json
import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


def encode(value: Any) -> str:
    return json.dumps(_plain(value), ensure_ascii=True, separators=(",", ":"))


def decode(kind: type[T], text: str) -> T:
    """An instance of `kind`. Unknown keys are dropped and missing ones take their default.

    Raises ValueError when the text is no JSON object or a field without default is missing.
    """
    data = json.loads(text)
    if not isinstance(data, dict):
        raise ValueError(f"expected an object for {kind.__name__}")
    try:
        return typing.cast(T, _reader(typing.cast(Any, kind))(data))
    except (TypeError, KeyError) as error:
        raise ValueError(f"{kind.__name__}: {error}") from error


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, enum.Enum):
        return value.value
    return value


Reader = Callable[[Any], Any]


@cache
def _reader(kind: Any) -> Reader:
    """What turns JSON into a value of `kind`. Made once, since rows are many, and only for kinds that there are."""
    if isinstance(kind, typing.NewType):
        return _as_it_is
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        inner = next(arg for arg in args if arg is not type(None))
        return lambda value: None if value is None else _reader(inner)(value)
    if origin is tuple:
        return _tuple_reader(args)
    if origin is not None and issubclass(origin, typing.Mapping):
        return lambda value: {key: _reader(args[1])(one) for key, one in value.items()}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _class_reader(kind)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind
    return _whole_as_float if kind is float else _as_it_is


def _whole_as_float(value: Any) -> Any:
    return float(value) if isinstance(value, int) else value


def _as_it_is(value: Any) -> Any:
    return value


def _tuple_reader(args: tuple[Any, ...]) -> Reader:
    if len(args) == 2 and args[1] is Ellipsis:
        return lambda value: tuple(map(_reader(args[0]), value)) if value else ()
    return lambda value: tuple(_reader(arg)(one) for arg, one in zip(args, value, strict=False))


def _class_reader(kind: type) -> Reader:
    hints = typing.get_type_hints(kind)
    readers = {field.name: _reader(hints[field.name]) for field in dataclasses.fields(kind)}

    def read(value: Any) -> Any:
        found = {}
        for name, item in value.items():
            if name in readers:
                found[name] = readers[name](item)
        return kind(**found)

    return read
