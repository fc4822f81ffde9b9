"""Reads `git diff --raw --numstat -z`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from posthog_code.adapters.git.cli import decode
from posthog_code.adapters.git.contents import Content
from posthog_code.domain.changes import ChangedFile, FileState


@dataclass(slots=True)
class Row:
    path: str
    state: FileState
    old_path: str = ""
    old_blob: str = ""
    new_blob: str = ""
    """Zeros when git takes the content from disk."""
    mode: str = ""
    """As git writes it, e.g. "100755"."""
    added: int = 0
    removed: int = 0
    binary: bool = False
    counted: bool = True
    """False for untracked files, whose lines are counted on disk."""


def parse(output: bytes) -> list[Row]:
    """Rows in git's order, one per path: a file in conflict comes twice in git's output."""
    fields = output.split(b"\0")
    rows: dict[str, Row] = {}
    at = 0
    while at < len(fields) and fields[at].startswith(b":"):
        _, new_mode, old_blob, new_blob, status = fields[at][1:].decode().split(" ")
        state = FileState(status[0]) if status[0] in "AMDRCTU" else FileState.MODIFIED
        first = decode(fields[at + 1])
        moved = state in (FileState.RENAMED, FileState.COPIED)
        path = decode(fields[at + 2]) if moved else first
        at += 3 if moved else 2
        known = rows.get(path)
        if known is not None:
            if FileState.CONFLICTED in (known.state, state):
                known.state = FileState.CONFLICTED
            known.old_blob = known.old_blob if known.old_blob.strip("0") else old_blob
            continue
        rows[path] = Row(path, state, first if moved else "", old_blob, new_blob, new_mode)
    while at < len(fields) and fields[at]:
        added, removed, name = fields[at].split(b"\t", 2)
        if name:
            at += 1
        else:
            name = fields[at + 2]
            at += 3
        row = rows.get(decode(name))
        if row is not None:
            row.binary = row.binary or added == b"-"
            row.added = 0 if added == b"-" else int(added)
            row.removed = 0 if removed == b"-" else int(removed)
    return list(rows.values())


def merge(rows: Iterable[Row], contents: Mapping[str, Content]) -> tuple[ChangedFile, ...]:
    """The changed files by path, with fingerprints from object ids or from what is on disk."""
    files = []
    for row in rows:
        content = contents.get(row.path)
        added, binary = row.added, row.binary
        if not row.counted:
            if content is None:
                continue  # it has gone since it was listed
            binary = content.binary
            added = 0 if binary else content.lines
        old = row.old_blob if row.old_blob.strip("0") else ""
        new = content.blob if content is not None else row.new_blob
        mode = content.mode if content is not None else row.mode
        fingerprint = f"{old[:20]}:{new[:20]}:{mode}"
        files.append(ChangedFile(row.path, row.state, added, row.removed, row.old_path, binary, fingerprint))
    return tuple(sorted(files, key=lambda file: file.path))
