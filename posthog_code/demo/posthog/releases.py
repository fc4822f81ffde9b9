"""What is on the main branches of the demo's GitHub: which files were changed since the world was made, and when."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from posthog_code.demo.repositories import DEFAULT_BRANCH, git


@dataclass(frozen=True, slots=True)
class Release:
    sha: str
    repository: str
    at: float
    """UNIX time of the merge."""
    paths: frozenset[str]


class Mains:
    """Reads the bare repositories in `folder` (None: there are none). Calls block for some milliseconds."""

    def __init__(self, folder: Path | None, since: float) -> None:
        self._folder = folder
        self._since = since
        """Commits before are the samples' own history."""
        self._heads: dict[str, tuple[int, ...]] = {}
        self._known: dict[str, list[Release]] = {}
        self._pulls = folder.parent.parent / "github.json" if folder else None
        self._merged: dict[str, float] = {}
        self._read_at = 0

    def releases(self) -> list[Release]:
        """Everything that came to main since the world was made, oldest first."""
        for path in sorted(self._folder.glob("*.git")) if self._folder else ():
            # Of the files that hold the branch: asked with every query, so no process is started for it.
            head = tuple(_changed(path / name) for name in (f"refs/heads/{DEFAULT_BRANCH}", "packed-refs"))
            if head != self._heads.get(path.stem):
                self._known[path.stem] = self._read(path)
                self._heads[path.stem] = head
        merged = self._merge_times()
        found = (replace(one, at=merged.get(one.sha, one.at)) for listed in self._known.values() for one in listed)
        return sorted(found, key=lambda one: one.at)

    def _merge_times(self) -> dict[str, float]:
        """When GitHub says that pull requests were merged, by commit: the demo world may have put it back."""
        try:
            changed = _changed(self._pulls) if self._pulls else 0
            if self._pulls and changed not in (0, self._read_at):
                kept = json.loads(self._pulls.read_text(encoding="utf-8"))["pulls"].values()
                pulls = [pull for listed in kept for pull in listed.values()]
                self._merged = {pull["merge_sha"]: pull["merged_at"] for pull in pulls if pull["merged_at"]}
                self._read_at = changed
        except (OSError, ValueError, KeyError):
            pass  # it is being replaced: the next look finds it
        return self._merged

    def commit(self, repository: str, subject: str) -> str:
        """The newest commit with this subject, "" for none."""
        if self._folder is None:
            return ""
        path = self._folder / f"{repository}.git"
        return _ask(path, "log", "-1", "--format=%H", "--fixed-strings", f"--grep={subject}", DEFAULT_BRANCH)

    def _read(self, path: Path) -> list[Release]:
        told = _ask(
            path,
            "log",
            "--first-parent",
            "--diff-merges=first-parent",
            "--no-renames",
            "--name-only",
            "--format=%x00%H %ct",
            f"--since=@{int(self._since)}",
            DEFAULT_BRANCH,
        )
        found = []
        for entry in told.split("\0")[1:]:
            first, *names = entry.strip().splitlines()
            sha, at = first.split()
            found.append(Release(sha, path.stem, float(at), frozenset(name for name in names if name)))
        return found


def _changed(path: Path) -> int:
    """When a file was changed, in ns; 0 for one that is not there."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _ask(path: Path, *arguments: str) -> str:
    try:
        return git(path, *arguments)
    except (OSError, subprocess.CalledProcessError):
        return ""
