"""The header that `git diff` writes before the hunks of one file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from posthog_code.domain.changes import FileState

_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_PLAIN = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r"}
_BOTH_QUOTED = re.compile(rb'("(?:[^"\\]|\\.)*") ("(?:[^"\\]|\\.)*")$')
_NULL = b"/dev/null"
_SUBMODULE = b"160000"


@dataclass(slots=True)
class FileHeader:
    """What one header says. Paths are surrogate-escaped, as everywhere."""

    path: str = ""
    old_path: str = ""
    """The path before a rename or copy, else ""."""
    state: FileState = FileState.MODIFIED
    binary: bool = False
    combined: bool = False
    """A merge in progress (`diff --cc`): its lines have more than one sign and are shown as they are."""
    old_mode: str = ""
    new_mode: str = ""
    submodule: bool = False
    token: bytes = b""
    """The path as git wrote it (quoted when it has to be), without its prefix."""


def unquote(token: bytes) -> bytes:
    """A path as git writes it, without the C-style quotes that it puts round special names."""
    if len(token) < 2 or not token.startswith(b'"') or not token.endswith(b'"'):
        return token

    def plain(match: re.Match[bytes]) -> bytes:
        escape = match.group(1)
        return bytes((int(escape, 8) & 255,)) if len(escape) == 3 else _PLAIN.get(escape, escape)

    return _ESCAPE.sub(plain, token[1:-1])


def decode(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def parse_header(lines: Sequence[bytes]) -> FileHeader:
    """Read the lines from `diff --git` up to the first hunk."""
    header = FileHeader()
    old = new = b""
    first = lines[0] if lines else b""
    if first.startswith((b"diff --cc ", b"diff --combined ")):
        header.combined, header.state = True, FileState.CONFLICTED
        new = first.split(b" ", 2)[2]
        header.token = new
    elif first.startswith(b"diff --git "):
        old, new = _names(first[11:])
        header.token = _without_prefix(new)
    for line in lines[1:]:
        word, _, rest = line.partition(b" ")
        if word == b"---" and not header.combined:
            if rest != _NULL:
                old = rest.rstrip(b"\t")
        elif word == b"+++" and not header.combined:
            if rest != _NULL:
                new = rest.rstrip(b"\t")
                header.token = _without_prefix(new)
        elif word == b"new" and rest.startswith(b"file mode "):
            header.state, header.new_mode = FileState.ADDED, decode(rest[10:])
        elif word == b"deleted" and rest.startswith(b"file mode "):
            header.state, header.old_mode = FileState.DELETED, decode(rest[10:])
        elif word == b"old" and rest.startswith(b"mode "):
            header.old_mode = decode(rest[5:])
        elif word == b"new" and rest.startswith(b"mode "):
            header.new_mode = decode(rest[5:])
        elif word in (b"rename", b"copy") and rest.startswith((b"from ", b"to ")):
            header.state = FileState.RENAMED if word == b"rename" else FileState.COPIED
            side, _, name = rest.partition(b" ")
            if side == b"from":
                header.old_path = decode(unquote(name))
            else:
                header.token = name
        elif line.startswith((b"Binary files ", b"GIT binary patch")):
            header.binary = True
        elif word == b"index" and rest.endswith(_SUBMODULE):
            header.submodule = True
    if header.state is FileState.DELETED:
        header.token = _without_prefix(old) or header.token
    if _SUBMODULE.decode() in (header.old_mode, header.new_mode):
        header.submodule = True
    header.path = decode(unquote(header.token))
    return header


def _names(rest: bytes) -> tuple[bytes, bytes]:
    """Both names of a `diff --git` line. Only needed where no other line gives them, and then they are the same."""
    quoted = _BOTH_QUOTED.match(rest)
    if quoted:
        return quoted.group(1), quoted.group(2)
    half = len(rest) // 2
    if rest[half : half + 1] == b" " and rest[1:half] == rest[half + 2 :]:
        return rest[:half], rest[half + 1 :]
    old, _, new = rest.partition(b" b/")
    return old, b"b/" + new


def _without_prefix(token: bytes) -> bytes:
    if token.startswith((b'"a/', b'"b/')):
        return b'"' + token[3:]
    return token[2:] if token.startswith((b"a/", b"b/")) else token
