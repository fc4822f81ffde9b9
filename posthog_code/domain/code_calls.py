"""Which functions of a file send something, found by their layout: a body is indented more than its function's line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from posthog_code.domain.code_use import CodeUse

DEPTH = 3
"""Calls that are followed: the body calls a function that calls a function that sends."""
LONGEST = 2_000
"""Lines of a function."""
_NAME = r"([A-Za-z_$][\w$]*[!?]?)"
_BLOCKS = ("if", "for", "while", "switch", "catch", "else", "do", "with", "match", "until", "unless", "elsif", "elif")
_KEYWORDS = frozenset((*_BLOCKS, "try", "case", "when", "new", "return", "function"))
_STRING = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`""")
_COMMENT = re.compile(r"(?:^|\s)(?://|#\s|/?\*\s).*$")
_DEFINITIONS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"^\s*(?:export\s+)?(?:default\s+)?(?:async\s+)?function\s*\*?\s*{_NAME}",
        rf"^\s*(?:export\s+)?(?:const|let|var)\s+{_NAME}\b[^=]*=\s*(?:async\s*)?(?:function\b|\(|{_NAME}\s*=>|useCallback|\w+\()",
        rf"^\s*(?:async\s+)?def\s+(?:self\.)?{_NAME}",
        rf"^func\s+(?:\([^)]*\)\s*)?{_NAME}",
        rf"^\s*(?:(?:public|private|protected|static|async|readonly|override)\s+)*#?{_NAME}\s*(?:=\s*(?:async\s*)?)?\([^;]*\{{\s*$",
    )
)


def sending_functions(lines: Sequence[str], uses: Iterable[CodeUse]) -> Mapping[str, tuple[CodeUse, ...]]:
    """Name of a function of this file to what its body sends, itself or through others of this file.

    `lines` are those of the whole file; `uses` are in it."""
    found: dict[str, dict[CodeUse, None]] = {}
    for use in uses:
        for name in _around(lines, use.line):
            found.setdefault(name, {})[use] = None
    for _ in range(DEPTH - 1):
        grown = False
        for number, called in _calls(lines, found):
            for name in _around(lines, number):
                if name == called:
                    continue
                own = found.setdefault(name, {})
                before = len(own)
                own.update(found[called])
                grown = grown or len(own) > before
        if not grown:
            break
    return {name: tuple(sent) for name, sent in found.items()}


def sent_through(
    lines: Sequence[str], first: int, last: int, functions: Mapping[str, tuple[CodeUse, ...]]
) -> tuple[CodeUse, ...]:
    """What functions send that these lines (from 1, both included) call or hand on."""
    body = lines[first - 1 : last]
    found: dict[CodeUse, None] = {}
    for _number, name in _calls(body, functions):
        found.update(dict.fromkeys(functions[name]))
    return tuple(found)


def _calls(lines: Sequence[str], names: Mapping[str, object]) -> list[tuple[int, str]]:
    """(line from 1, name) of every call, and of every place where the function is handed on, but not its definition."""
    if not names:
        return []
    known = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    # With a dot before it, or a colon after it, a name without parentheses is somebody else's.
    wanted = re.compile(rf"(?<![\w$])(?:({known})(?=\s*\()|(?<!\.)({known})(?![\w$]|\s*:(?!:)))")
    found = []
    for number, line in enumerate(lines, 1):
        said = _COMMENT.sub("", _STRING.sub("''", line))
        called = [match[1] or match[2] for match in wanted.finditer(said)]
        if (name := _defined(line)) in called:
            called.remove(name)
        found += [(number, name) for name in called]
    return found


def _around(lines: Sequence[str], number: int) -> list[str]:
    """Names of the functions around a line, innermost first."""
    if not 0 < number <= len(lines):
        return []
    names: list[str] = []
    margin = _indent(lines[number - 1])
    if name := _defined(lines[number - 1]):
        names.append(name)
    for place in range(number - 2, max(-1, number - 2 - LONGEST), -1):
        line = lines[place]
        if not line.strip():
            continue
        indent = _indent(line)
        if indent >= margin:
            continue
        if name := _defined(line):
            names.append(name)
        # What closes a long list of parameters stands where its function does.
        margin = indent + 1 if line.lstrip().startswith((")", "}")) and indent < margin else indent
        if not indent and not line.lstrip().startswith((")", "}")):
            break
    return names


def _defined(line: str) -> str:
    for pattern in _DEFINITIONS:
        if (match := pattern.match(line)) and match.group(1) not in _KEYWORDS:
            return match.group(1)
    return ""


def _indent(line: str) -> int:
    return len(line.expandtabs(4)) - len(line.expandtabs(4).lstrip())
