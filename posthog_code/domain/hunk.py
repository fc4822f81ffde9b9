"""What can be done with a hunk: name it over time, take it out as a patch, copy from it."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from posthog_code.domain.changes import FileState
from posthog_code.domain.diff_index import DiffIndex, Hunk, Row

_CHANGED = (Row.ADDED, Row.REMOVED)


def hunk_key(index: DiffIndex, hunk: Hunk) -> str:
    """The hunk's identity: path, removed and added lines, and its place among equal ones of the file.

    It survives commits, a moved base and edits elsewhere in the file, which change line numbers and context only.
    """
    digest, size = hunk_digest(index, hunk), _size(index, hunk)
    ordinal = 0
    for other in index.hunks(hunk.file):
        if other.number >= hunk.number:
            break
        if _size(index, other) == size and hunk_digest(index, other) == digest:
            ordinal += 1
    return f"{digest}.{ordinal}"


def _size(index: DiffIndex, hunk: Hunk) -> tuple[int, int]:
    count = index.kinds.count
    return count(Row.ADDED, hunk.row, hunk.end_row), count(Row.REMOVED, hunk.row, hunk.end_row)


def hunk_digest(index: DiffIndex, hunk: Hunk) -> str:
    """The identity without the place among equal ones: cheap, where something else tells those apart."""
    digest = blake2b(index.files[hunk.file].path.encode("utf-8", "surrogateescape"), digest_size=12)
    for row in range(hunk.row + 1, hunk.end_row):
        if index.kinds[row] in _CHANGED:
            digest.update(b"\n" + index.line(row))
    return digest.hexdigest()


def patch_for_hunk(index: DiffIndex, hunk: Hunk) -> bytes:
    """A patch of this hunk alone, for `git apply -R`.

    It changes nothing but the hunk's lines: renames and mode changes of the file stay.
    """
    return file_head(index, hunk.file) + bytes(index.data[hunk.start : hunk.end])


def patch_for_file(index: DiffIndex, number: int) -> bytes:
    """A patch of all hunks of a file, for `git apply -R`; empty when it has none."""
    hunks = list(index.hunks(number))
    body = b"".join(bytes(index.data[hunk.start : hunk.end]) for hunk in hunks)
    return file_head(index, number) + body if hunks else b""


def file_head(index: DiffIndex, number: int) -> bytes:
    """The lines of a patch before its hunks, in terms of the file as it is called now."""
    header = index.files[number].header
    old, new = _prefixed(b"a/", header.token), _prefixed(b"b/", header.token)
    lines = [b"diff --git " + old + b" " + new]
    # Git ends names with blanks by a tab, so that a date after them cannot be taken for a part.
    tab = b"\t" if b" " in header.token else b""
    if header.state is FileState.ADDED:
        lines += [b"new file mode " + header.new_mode.encode(), b"--- /dev/null", b"+++ " + new + tab]
    elif header.state is FileState.DELETED:
        lines += [b"deleted file mode " + header.old_mode.encode(), b"--- " + old + tab, b"+++ /dev/null"]
    else:
        lines += [b"--- " + old + tab, b"+++ " + new + tab]
    return b"\n".join(lines) + b"\n"


def _prefixed(prefix: bytes, token: bytes) -> bytes:
    return b'"' + prefix + token[1:] if token.startswith(b'"') else prefix + token


def copy_code(index: DiffIndex, rows: Iterable[int]) -> str:
    """Lines as they are in the file: no numbers, no signs, no headers."""
    lines = [index.text(row) for row in rows if index.kinds[row] in _CODE]
    return "\n".join(lines)


_CODE = frozenset({Row.ADDED, Row.REMOVED, Row.CONTEXT, Row.RAW})


def copy_patch(index: DiffIndex, first: int, last: int) -> bytes:
    """A patch that has the chosen rows (both included) and nothing else of their hunks.

    Removed lines that were not chosen become context, added ones are left out, so that it applies to the old side.
    """
    out: list[bytes] = []
    file = -1
    number = index.hunk_of(first)
    if number < 0:
        number = index.hunk_of(min(first + 1, len(index) - 1))
    while 0 <= number < len(index.hunk_rows) and index.hunk_rows[number] <= last:
        hunk = index.hunk(number)
        number += 1
        body = _chosen(index, hunk, first, last)
        if body is None:
            continue
        if hunk.file != file:
            file = hunk.file
            out.append(file_head(index, file))
        out.append(body)
    return b"".join(out)


def _chosen(index: DiffIndex, hunk: Hunk, first: int, last: int) -> bytes | None:
    lines: list[bytes] = []
    old = new = 0
    changed = skipped = False
    for row in range(hunk.row + 1, hunk.end_row):
        kind, line = index.kinds[row], index.line(row)
        inside = first <= row <= last
        if kind == Row.NO_NEWLINE:
            if not skipped:
                lines.append(line)
            continue
        skipped = kind == Row.ADDED and not inside
        if skipped:
            continue
        if kind == Row.REMOVED and not inside:
            kind, line = Row.CONTEXT, b" " + line[1:]
        changed = changed or kind in _CHANGED
        old += kind != Row.ADDED
        new += kind != Row.REMOVED
        lines.append(line)
    if not changed:
        return None
    head = f"@@ -{hunk.old},{old} +{hunk.new},{new} @@\n".encode()
    return head + b"\n".join(lines) + b"\n"
