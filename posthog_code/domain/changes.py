"""The list of changed files, and which two states are compared."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What the Changes tab compares."""

    ALL = "all"
    """The worktree, untracked files included, against the merge base with the base branch."""
    UNCOMMITTED = "uncommitted"
    """The worktree against HEAD."""
    LAST_TURN = "last_turn"
    """The checkpoints before and after the last turn (the worktree while it runs)."""


class FileState(StrEnum):
    ADDED = "A"
    MODIFIED = "M"
    DELETED = "D"
    RENAMED = "R"
    COPIED = "C"
    TYPE_CHANGED = "T"
    CONFLICTED = "U"


@dataclass(frozen=True, slots=True)
class ChangedFile:
    path: str
    """Relative to the worktree, with / between folders; undecodable bytes are surrogate-escaped."""
    state: FileState
    added: int = 0
    removed: int = 0
    """Lines; 0 for binary files."""
    old_path: str = ""
    """For renames and copies."""
    binary: bool = False
    fingerprint: str = ""
    """Changes when the file's diff changes; what *viewed* marks hang on."""


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """All changed files of one scope."""

    scope: Scope
    files: tuple[ChangedFile, ...]
    base: str
    """What it is compared with, as a commit."""

    @property
    def added(self) -> int:
        return sum(f.added for f in self.files)

    @property
    def removed(self) -> int:
        return sum(f.removed for f in self.files)
