"""Syntax colours by Pygments, as token paths of the theme. Pygments is imported at first use."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

Run = tuple[int, int, str]
"""Start and length in UTF-16 units within the line, and a token path such as `"syntax.keyword"`."""

MAX_TEXT = 512 * 1024
"""Larger texts are not coloured: a slow lexer may need seconds."""

# Most special first; a Pygments token type matches by its ancestors.
_STYLES = (
    ("Comment.Preproc", "syntax.keyword"),
    ("Comment", "syntax.comment"),
    ("Keyword.Constant", "syntax.constant"),
    ("Keyword.Type", "syntax.type"),
    ("Keyword", "syntax.keyword"),
    ("Operator.Word", "syntax.keyword"),
    ("Operator", "syntax.operator"),
    ("Punctuation", "syntax.punctuation"),
    ("Literal.String.Regex", "syntax.regexp"),
    ("Literal.String.Escape", "syntax.constant"),
    ("Literal.String", "syntax.string"),
    ("Literal.Number", "syntax.number"),
    ("Name.Function", "syntax.function"),
    ("Name.Class", "syntax.type"),
    ("Name.Exception", "syntax.type"),
    ("Name.Builtin.Pseudo", "syntax.constant"),
    ("Name.Builtin", "syntax.function"),
    ("Name.Decorator", "syntax.attribute"),
    ("Name.Attribute", "syntax.attribute"),
    ("Name.Tag", "syntax.tag"),
    ("Name.Constant", "syntax.constant"),
    ("Name.Property", "syntax.property"),
    ("Name.Variable", "syntax.variable"),
    ("Name.Entity", "syntax.constant"),
    ("Generic.Inserted", "syntax.inserted"),
    ("Generic.Deleted", "syntax.deleted"),
    ("Generic.Heading", "syntax.keyword"),
    ("Generic.Subheading", "syntax.function"),
)


@lru_cache(maxsize=128)
def lexer_for(filename: str) -> Any | None:
    """The Pygments lexer for a file name, an extension or a language word; None when there is none."""
    from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
    from pygments.util import ClassNotFound

    options = {"stripnl": False, "stripall": False, "ensurenl": False}
    if not filename:
        return None
    try:
        return get_lexer_for_filename(filename, **options)
    except ClassNotFound:
        try:
            return get_lexer_by_name(filename.lower(), **options)
        except ClassNotFound:
            return None


@cache
def _path_of(token: Any) -> str:
    name = str(token).removeprefix("Token.")
    for prefix, path in _STYLES:
        if name == prefix or name.startswith(prefix + "."):
            return path
    return ""


def syntax_runs(text: str, filename: str) -> list[list[Run]]:
    """The coloured runs of each line of `text`; empty lists where nothing is to be coloured.

    `filename` may be a path, or a language word as after the fence of a code block. Pure and safe in a worker thread.
    """
    lines = text.split("\n")
    runs: list[list[Run]] = [[] for _ in lines]
    lexer = lexer_for(filename) if len(text) <= MAX_TEXT else None
    if lexer is None:
        return runs
    row = column = 0
    tokens = [(token, value) for _, token, value in lexer.get_tokens_unprocessed(text)]
    for number, (token, value) in enumerate(tokens):
        path = _path_of(token)
        if not path and _is_name(token) and number + 1 < len(tokens) and tokens[number + 1][1].startswith("("):
            path = "syntax.function"
        for line, part in enumerate(value.split("\n")):
            if line:
                row, column = row + 1, 0
            if not part or row >= len(runs):
                continue
            length = utf16_length(part)
            if path:
                _append(runs[row], column, length, path)
            column += length
    return runs


@cache
def _is_name(token: Any) -> bool:
    """Whether a token is a name of which the lexer knows no more."""
    return str(token) in ("Token.Name", "Token.Name.Other")


def preload() -> None:
    """Import Pygments and its index of lexers, 0.1 s that may be spent in a worker thread."""
    lexer_for("main.py")


def utf16_length(text: str) -> int:
    """How many positions Qt counts for a text."""
    return len(text) if text.isascii() else len(text) + sum(ord(char) > 0xFFFF for char in text)


def _append(line: list[Run], start: int, length: int, path: str) -> None:
    if line and line[-1][2] == path and line[-1][0] + line[-1][1] == start:
        line[-1] = (line[-1][0], line[-1][1] + length, path)
    else:
        line.append((start, length, path))
