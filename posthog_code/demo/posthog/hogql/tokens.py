"""HogQL text as tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*|/\*.*?\*/)
  | (?P<number>\d+\.\d+(?:[eE][+-]?\d+)?|\d+(?:[eE][+-]?\d+)?)
  | (?P<string>'(?:[^'\\]|\\.|'')*')
  | (?P<quoted>`[^`]*`|"[^"]*")
  | (?P<name>[A-Za-z_$][\w$]*)
  | (?P<mark><=|>=|!=|<>|==|\|\||::|[-+*/%=<>(),.\[\]{};])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}


class HogQLError(Exception):
    """The query is wrong, or beyond what is understood here; the sentence says where."""


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    """number, string, quoted, name, mark or end."""
    text: str
    """Of strings and quoted names: without quotes and escapes."""
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """Raises HogQLError."""
    found = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise HogQLError(f"Syntax error at position {at}: {text[at : at + 20]!r}")
        kind, told = str(match.lastgroup), match.group()
        if kind == "string":
            told = _unescaped(told[1:-1])
        elif kind == "quoted":
            told = told[1:-1]
        if kind != "space":
            found.append(Token(kind, told, at, match.end()))
        at = match.end()
    return [*found, Token("end", "", at, at)]


def _unescaped(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        told = match.group()
        return "'" if told == "''" else _ESCAPES.get(told[1], told[1])

    return re.sub(r"''|\\.", one, text, flags=re.DOTALL)
