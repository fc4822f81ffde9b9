"""Real repositories in temporary folders, for the tests of the git adapter."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import subprocess
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from posthog_code.adapters.git import GitAdapters, make_git
from posthog_code.domain.ids import TaskId

T = TypeVar("T")
TASK = TaskId("task-1")
REF = "refs/posthog-code/task-1/1-end"


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 60))


def git(folder: Path, *args: str | bytes, ok: bool = True, stdin: bytes | None = None) -> bytes:
    done = subprocess.run(["git", *args], cwd=folder, capture_output=True, input=stdin)
    assert done.returncode == 0 or not ok, done.stderr.decode(errors="replace")
    return done.stdout


def isolate(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    for name in list(os.environ):
        if name.startswith("GIT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@dataclass
class World:
    root: Path
    repo: Path
    adapters: GitAdapters
    lines: list[str] = field(default_factory=list)

    @property
    def worktree(self) -> Path:
        return self.root / "worktrees" / "sample" / "task one"

    @property
    def trash(self) -> Path:
        return self.root / "trash"

    def add(self, branch: str = "posthog-code/task-one", base: str = "main", **extra: Any) -> Path:
        path = extra.pop("path", self.worktree)
        run(self.adapters.worktrees.add(self.repo, path, branch=branch, base=base, task_id=TASK, **extra))
        return path


def make_world(tmp_path: Path) -> World:
    """A repository with a few kinds of files in one commit on main."""
    repo = tmp_path / "my repo"
    repo.mkdir()
    git(repo, "init", "-q", "-b", "main")
    git(repo, "config", "user.name", "Ada Test")
    git(repo, "config", "user.email", "ada@example.com")
    write(repo, "README.md", "# Sample\n")
    write(repo, "src/app.py", "".join(f"line_{n} = {n}\n" for n in range(200)))
    write(repo, "src/util.py", "def util():\n    return 1\n" * 20)
    write(repo, "run.sh", "#!/bin/sh\necho hi\n")
    (repo / "run.sh").chmod(0o755)
    (repo / "link").symlink_to("src/app.py")
    write(repo, ".gitignore", "node_modules/\n.env\n*.log\n")
    write(repo, "data.bin", bytes(range(256)) * 40)
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "first")
    lines: list[str] = []
    adapters = make_git(lambda _folder, line: lines.append(line), trash=tmp_path / "new-trash")
    return World(tmp_path, repo, adapters, lines)


def write(folder: Path, name: str | bytes, data: str | bytes) -> Path:
    path = Path(os.fsdecode(os.path.join(os.fsencode(folder), os.fsencode(name))))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def print_of(folder: Path, *, skip: tuple[str, ...] = (".git",)) -> dict[str, str]:
    """Kind, permissions and content hash of everything below a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = os.fspath(path.relative_to(folder))
        if name.split("/")[0] in skip:
            continue
        info = path.lstat()
        if stat.S_ISLNK(info.st_mode):
            found[name] = f"link {os.readlink(path)}"
        elif stat.S_ISDIR(info.st_mode):
            found[name] = "folder"
        else:
            found[name] = f"{stat.S_IMODE(info.st_mode):o} {hashlib.sha1(path.read_bytes()).hexdigest()}"
    return found


def index_of(folder: Path) -> tuple[bytes, bytes]:
    return git(folder, "ls-files", "-s", "-v", "-z"), git(folder, "status", "--porcelain=v2", "-z", "-uall")


def frozen(repo: Path) -> tuple[dict[str, str], str, bytes, bytes]:
    """What must stay the same in a main checkout whatever happens to its worktrees."""
    index = repo / ".git" / "index"
    return (
        print_of(repo),
        hashlib.sha1(index.read_bytes()).hexdigest() + str(index.stat().st_mtime_ns),
        (repo / ".git" / "HEAD").read_bytes(),
        (repo / ".git" / "config").read_bytes(),
    )
