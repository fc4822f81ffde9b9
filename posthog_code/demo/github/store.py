"""What the stand-in remembers: pull requests in one JSON file, code in bare repositories."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from posthog_code.demo.repositories import DEFAULT_BRANCH, git, git_environment

Pull = dict[str, Any]
"""number, title, body, draft, state, head, base, author, created, updated, heads [{sha, at}], threads, reviews,
comments, requested, reruns {check: at}, done, merged_at, merge_sha, closed_at; times are UNIX times in s."""

FIRST_NUMBERS = {"harbor-web": 482, "harbor-api": 1188}
VIEWER = "mira-okafor"


class Store:
    """All methods may be called from any thread, holding `lock` for what belongs together."""

    def __init__(self, root: Path, pace: float) -> None:
        self.root = root
        self.pace = pace
        """Seconds of real time for one scripted second; 0 makes everything happen at once."""
        self.lock = threading.RLock()
        self._file = root / "github.json"
        self.pulls: dict[str, dict[str, Pull]] = {}
        """By full repository name, then by number as text."""
        self._ids = 41_000_000_000
        if self._file.is_file():
            kept = json.loads(self._file.read_text(encoding="utf-8"))
            self.pulls, self._ids = kept["pulls"], kept["ids"]

    def save(self) -> None:
        """Written beside and renamed, so that a reader never finds half of it."""
        draft = self._file.with_suffix(".part")
        draft.write_text(json.dumps({"ids": self._ids, "pulls": self.pulls}, indent=1), encoding="utf-8")
        os.replace(draft, self._file)

    def new_id(self) -> int:
        """Past 2^31, as GitHub's are."""
        self._ids += 7
        return self._ids

    def now(self) -> float:
        return time.time()

    def passed(self, since: float) -> float:
        """Scripted seconds since a UNIX time."""
        return float("inf") if self.pace <= 0 else (self.now() - since) / self.pace

    # -- repositories

    def bare(self, name: str) -> Path | None:
        """The bare repository of `owner/name`, None if there is none."""
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", name) or any(part in (".", "..") for part in name.split("/")):
            return None
        path = self.root / "git" / f"{name}.git"
        return path if path.is_dir() else None

    def names(self) -> list[str]:
        return [f"{path.parent.name}/{path.stem}" for path in sorted((self.root / "git").glob("*/*.git"))]

    def sha(self, name: str, branch: str) -> str:
        """The commit of a branch, "" if there is no such branch."""
        return self.git(name, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}")

    def git(self, name: str, *arguments: str) -> str:
        """What a reading command prints, "" where it fails."""
        path = self.bare(name)
        if path is None:
            return ""
        try:
            return git(path, *arguments)
        except subprocess.CalledProcessError:
            return ""

    def default_branch(self, name: str) -> str:
        return self.git(name, "symbolic-ref", "--short", "HEAD") or DEFAULT_BRANCH

    def stat(self, name: str, base: str, head: str) -> tuple[int, int, int]:
        """Files, added and removed lines of a head against its merge base."""
        files = added = removed = 0
        for line in self.git(name, "diff", "--numstat", f"{base}...{head}").splitlines():
            plus, minus, _ = line.split("\t", 2)
            files += 1
            added += int(plus) if plus.isdigit() else 0
            removed += int(minus) if minus.isdigit() else 0
        return files, added, removed

    def merge_tree(self, name: str, base: str, head: str) -> str:
        """The tree of a merge; "" when it conflicts."""
        return self.git(name, "merge-tree", "--write-tree", base, head).split("\n")[0]

    # -- pull requests

    def pull(self, name: str, number: int | str) -> Pull | None:
        return self.pulls.get(name, {}).get(str(number))

    def next_number(self, name: str) -> int:
        numbers = [int(number) for number in self.pulls.get(name, {})]
        return max(numbers) + 3 if numbers else FIRST_NUMBERS.get(name.split("/")[-1], 21)

    def observe(self, name: str, pull: Pull) -> None:
        """Notice what was pushed since the last look."""
        sha = self.sha(name, pull["head"])
        if pull["state"] == "open" and sha and sha != pull["heads"][-1]["sha"]:
            pull["heads"].append({"sha": sha, "at": self.now()})
            pull["updated"] = self.now()
            self.save()

    def commit_merge(self, name: str, pull: Pull, squash: bool, title: str, message: str) -> str:
        """Merge on the server; gives the new commit, "" when there are conflicts."""
        path, base, head = self.bare(name), self.sha(name, pull["base"]), pull["heads"][-1]["sha"]
        tree = self.merge_tree(name, base, head)
        if path is None or not tree:
            return ""
        parents = ["-p", base] if squash else ["-p", base, "-p", head]
        who = {"NAME": "Mira Okafor", "EMAIL": "mira@harbor.example"}
        signature = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()}
        made = subprocess.run(
            ["git", "commit-tree", tree, *parents, "-m", title, "-m", message],
            cwd=path,
            env={**git_environment(), **signature},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        git(path, "update-ref", f"refs/heads/{pull['base']}", made, base)
        return made
