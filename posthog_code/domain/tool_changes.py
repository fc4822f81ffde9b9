"""What an agent changed, as its tool calls tell it: for a run whose files cannot be read.

An edit says what a file (or a part of it) was and became, not where in the file: line numbers count from the edit's own
first line.
"""

from __future__ import annotations

import difflib
import hashlib
import os.path
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from posthog_code.domain.changes import ChangedFile, ChangeSet, FileState, Scope
from posthog_code.domain.transcript import Item, ToolCall

_LONGEST = 2_000_000
"""Characters of an edit that are compared."""


@dataclass(frozen=True, slots=True)
class Edit:
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class EditedFile:
    path: str
    """Relative to the sandbox's checkout."""
    created: bool
    edits: tuple[Edit, ...]


def edited(items: Iterable[Item], folder: str = "") -> tuple[EditedFile, ...]:
    """Files by path, each with its edits in the order in which they were made. `folder` is the checkout that the
    paths are in; "" takes the folder that all of them share."""
    calls = [item for item in items if isinstance(item, ToolCall) and item.status != "failed" and item.diffs]
    folder = folder or shared_folder([diff.path for call in calls for diff in call.diffs])
    found: dict[str, list[Edit]] = {}
    created: set[str] = set()
    for call in calls:
        for diff in call.diffs:
            path = relative(diff.path, folder)
            if diff.created and path not in found:
                created.add(path)
            edits = found.setdefault(path, [])
            if edits and edits[-1].new == diff.old_text:
                # Whole files follow on each other: the first old and the last new are the change.
                edits[-1] = Edit(edits[-1].old, diff.new_text)
            else:
                edits.append(Edit("" if diff.created else diff.old_text, diff.new_text))
    return tuple(
        EditedFile(path, path in created, tuple(edit for edit in found[path] if edit.old != edit.new))
        for path in sorted(found)
        if any(edit.old != edit.new for edit in found[path])
    )


def shared_folder(paths: Sequence[str]) -> str:
    """The folder that all absolute paths are in."""
    folders = [os.path.dirname(path) for path in paths if path.startswith("/")]
    return os.path.commonpath(folders) if folders else ""


def relative(path: str, folder: str) -> str:
    """A path as git would write it."""
    if folder and path.startswith(folder.rstrip("/") + "/"):
        path = path[len(folder.rstrip("/")) + 1 :]
    return path.lstrip("/")


def diff_of(file: EditedFile) -> bytes:
    """The file's part of a diff, in git's form."""
    hunks = [_hunk(edit, file.created) for edit in file.edits]
    name = file.path
    head = [f"diff --git a/{name} b/{name}"]
    if file.created:
        head += ["new file mode 100644", "--- /dev/null"]
    else:
        head.append(f"--- a/{name}")
    head.append(f"+++ b/{name}")
    return ("\n".join(head) + "\n" + "".join(hunks)).encode("utf-8", "surrogateescape")


def change_set(files: Sequence[EditedFile], scope: Scope) -> ChangeSet:
    """The list of what the edits changed."""
    return ChangeSet(scope, tuple(_changed(file) for file in files), "")


def _changed(file: EditedFile) -> ChangedFile:
    text = diff_of(file)
    lines = text.split(b"\n")
    added = sum(line.startswith(b"+") and not line.startswith(b"+++ b/") for line in lines)
    removed = sum(line.startswith(b"-") and not line.startswith((b"--- a/", b"--- /dev/null")) for line in lines)
    state = FileState.ADDED if file.created else FileState.MODIFIED
    return ChangedFile(file.path, state, added, removed, fingerprint=hashlib.sha256(text).hexdigest()[:16])


def _hunk(edit: Edit, created: bool) -> str:
    old, new = _lines(edit.old), _lines(edit.new)
    if len(edit.old) + len(edit.new) > _LONGEST:
        groups = [["".join(f"-{line}" for line in old) + "".join(f"+{line}" for line in new)]]
        return f"@@ -1,{len(old)} +1,{len(new)} @@\n" + groups[0][0]
    out: list[str] = []
    for line in list(difflib.unified_diff(old, new, n=3))[2:]:
        out.append(line)
        if not line.endswith("\n"):
            out.append("\n\\ No newline at end of file\n")
    return "".join(out)


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True) if "\r" not in text else [part + "\n" for part in text.split("\n")]
