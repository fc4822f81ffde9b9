"""Labelled code: `tests/fixtures/code_uses/*.cases`, read into cases.

`=== name` begins a case, `--- path` a file of it. What a line is expected to hold stands behind it, after `//>` or
`#>`: `KIND NAME`, with `?` for a name that cannot be known, then ` = VARIANT` and ` via PATH` (without a path: by a
wrapper of the same file). Several are divided by `;`. The marks are cut off before the code is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from posthog_code.domain.code_use import FileUses

FOLDER = Path(__file__).parent / "fixtures" / "code_uses"
ENDINGS = {"javascript": "js", "typescript": "ts", "tsx": "tsx", "python": "py", "go": "go", "ruby": "rb"}
_MARK = re.compile(r"[ \t]*(?://|#)> ?(.*)$")

Use = tuple[str, int, str, str, str, str]
"""Path, line, kind, name, variant, path of the wrapper."""


@dataclass
class Case:
    language: str
    name: str
    files: dict[str, list[str]] = field(default_factory=dict)
    expected: set[Use] = field(default_factory=set)

    @property
    def texts(self) -> dict[str, bytes]:
        return {path: ("\n".join(lines) + "\n").encode() for path, lines in self.files.items()}


def cases(language: str) -> list[Case]:
    found: list[Case] = []
    path = ""
    for line in (FOLDER / f"{language}.cases").read_text(encoding="utf-8").splitlines():
        if line.startswith("=== "):
            found.append(Case(language, line[4:]))
            path = f"a.{ENDINGS.get(language, language)}"
        elif line.startswith("--- "):
            path = line[4:]
            found[-1].files[path] = []
        elif path:
            lines = found[-1].files.setdefault(path, [])
            mark = _MARK.search(line)
            lines.append(line[: mark.start()] if mark else line)
            if mark:
                found[-1].expected |= {_use(words.strip(), path, len(lines)) for words in mark[1].split(";")}
    return found


def _use(words: str, path: str, line: int) -> Use:
    words, has_via, via = words.partition(" via")
    words, _, variant = words.partition(" = ")
    kind, _, name = words.partition(" ")
    return (path, line, kind, name, variant, (via.strip() or path) if has_via else "")


def found_in(files: dict[str, FileUses]) -> Iterator[Use]:
    for path, file in files.items():
        for use in file.uses:
            name = "?" if use.dynamic else use.name
            yield (path, use.line, use.kind.value, name, use.variant, use.via.rsplit(":", 1)[0])
