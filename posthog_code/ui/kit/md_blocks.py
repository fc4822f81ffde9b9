"""Markdown as a flat list of blocks. Pure: no Qt, no I/O, nothing is fetched.

Raw HTML stays text and an image becomes a link to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

LINE = "\u2028"
"""A line break inside a block, as Qt's text layout wants it."""

_URL = re.compile(r"https?://[^\s<>\"'`)\]]+[^\s<>\"'`)\].,;:!?]")


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a block's text; positions count Python characters."""

    start: int
    end: int
    style: str
    """strong, emphasis, code, strike or link."""
    href: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """Words with their spans."""

    text: str = ""
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """One thing below another."""

    kind: str
    """text, heading, code, table or rule."""
    content: Text = field(default_factory=Text)
    level: int = 0
    """Of a heading, 1 to 6."""
    indent: int = 0
    """Depth of the list it is in."""
    marker: str = ""
    """Bullet or number, on the first block of a list item."""
    quote: int = 0
    """Depth of the quotations it is in."""
    language: str = ""
    rows: tuple[tuple[Text, ...], ...] = ()
    """Cells of a table, its head first."""
    aligns: tuple[str, ...] = ()
    """left, center or right for each column."""
    tight: bool = False
    """Close to the block above, as the items of a list."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The blocks of one top-level element and the source line it starts at."""

    line: int
    blocks: tuple[Block, ...]


@cache
def _parser() -> Any:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def parse(source: str) -> list[Chunk]:
    """The top-level elements of a Markdown text, in order."""
    tokens = _parser().parse(source)
    chunks: list[Chunk] = []
    start = 0
    for end, token in enumerate(tokens, 1):
        if token.level == 0 and token.nesting <= 0:
            part = tokens[start:end]
            first = next((item.map[0] for item in part if item.map), 0)
            chunks.append(Chunk(first, tuple(_Flattener(part).blocks())))
            start = end
    return chunks


class _Flattener:
    """Turns the nested tokens of one element into blocks."""

    def __init__(self, tokens: Sequence[Any]) -> None:
        self._tokens = tokens
        self._quote = 0
        self._lists: list[int | None] = []
        """Next number of each open list, None for bullets."""
        self._marker = ""
        self._tight = False

    def blocks(self) -> Iterator[Block]:
        tokens = self._tokens
        at = 0
        while at < len(tokens):
            token = tokens[at]
            kind = token.type
            if kind == "table_open":
                end = next(n for n in range(at, len(tokens)) if tokens[n].type == "table_close")
                yield self._table(tokens[at:end])
                at = end
            elif kind == "inline":
                before = tokens[at - 1]
                level = int(before.tag[1]) if before.type == "heading_open" else 0
                yield self._block("heading" if level else "text", inline(token.children or []), level=level)
            elif kind in ("fence", "code_block"):
                words = (token.info or "").split()
                yield self._block("code", Text(token.content.rstrip("\n")), language=words[0] if words else "")
            elif kind == "hr":
                yield self._block("rule", Text())
            else:
                self._nest(token)
            at += 1

    def _nest(self, token: Any) -> None:
        kind = token.type
        if kind == "blockquote_open":
            self._quote += 1
        elif kind == "blockquote_close":
            self._quote -= 1
        elif kind == "bullet_list_open":
            self._lists.append(None)
        elif kind == "ordered_list_open":
            self._lists.append(int((token.attrs or {}).get("start", 1)))
        elif kind in ("bullet_list_close", "ordered_list_close"):
            self._lists.pop()
        elif kind == "list_item_open" and self._lists:
            number = self._lists[-1]
            self._marker = "•" if number is None else f"{number}."
            if number is not None:
                self._lists[-1] = number + 1
        elif kind == "paragraph_open":
            self._tight = bool(token.hidden)

    def _block(self, kind: str, content: Text, level: int = 0, language: str = "") -> Block:
        marker, self._marker = self._marker, ""
        if marker == "•" and content.text[:4] in ("[ ] ", "[x] ", "[X] "):
            marker = "☐" if content.text[1] == " " else "☑"
            spans = tuple(Span(max(0, s.start - 4), s.end - 4, s.style, s.href) for s in content.spans if s.end > 4)
            content = Text(content.text[4:], spans)
        return Block(
            kind,
            content,
            level=level,
            indent=len(self._lists),
            marker=marker,
            quote=self._quote,
            language=language,
            tight=self._tight and bool(self._lists),
        )

    def _table(self, tokens: Sequence[Any]) -> Block:
        rows: list[tuple[Text, ...]] = []
        aligns: list[str] = []
        cells: list[Text] = []
        for number, token in enumerate(tokens):
            if token.type == "tr_open":
                cells = []
            elif token.type == "tr_close":
                rows.append(tuple(cells))
            elif token.type in ("th_open", "td_open"):
                cells.append(inline(tokens[number + 1].children or []))
                if token.type == "th_open":
                    style = str((token.attrs or {}).get("style", ""))
                    aligns.append(style.rpartition(":")[2] or "left")
        self._marker = ""
        return Block("table", indent=len(self._lists), quote=self._quote, rows=tuple(rows), aligns=tuple(aligns))


def inline(tokens: Sequence[Any]) -> Text:
    """The words of a paragraph and what is special about parts of them."""
    text = ""
    spans: list[Span] = []
    open_at: list[tuple[str, int, str]] = []
    styles = {"strong_open": "strong", "em_open": "emphasis", "s_open": "strike", "link_open": "link"}
    for token in tokens:
        kind = token.type
        if kind in styles:
            href = str((token.attrs or {}).get("href", "")) if kind == "link_open" else ""
            open_at.append((styles[kind], len(text), href))
        elif kind.endswith("_close") and open_at:
            style, start, href = open_at.pop()
            spans.append(Span(start, len(text), style, href))
        elif kind == "code_inline":
            spans.append(Span(len(text), len(text) + len(token.content), "code"))
            text += token.content
        elif kind == "softbreak":
            text += " "
        elif kind == "hardbreak":
            text += LINE
        elif kind == "image":
            words = token.content or "image"
            spans.append(Span(len(text), len(text) + len(words), "link", str((token.attrs or {}).get("src", ""))))
            text += words
        else:
            if not any(style == "link" for style, _, _ in open_at):
                spans.extend(
                    Span(len(text) + match.start(), len(text) + match.end(), "link", match.group())
                    for match in _URL.finditer(token.content)
                )
            text += token.content
    return Text(text, tuple(spans))
