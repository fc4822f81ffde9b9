"""The sample repositories: small real programs with a believable history, made by code."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posthog_code.resources import resources_dir

NAMES = ("harbor-web", "harbor-api", "harbor-docs")
OWNER = "harbor"
DEFAULT_BRANCH = "main"
DAY = 86_400

AUTHORS: Mapping[str, tuple[str, str]] = {
    "mira": ("Mira Okafor", "mira@harbor.example"),
    "priya": ("Priya Raman", "priya@harbor.example"),
    "jonas": ("Jonas Lind", "jonas@harbor.example"),
    "ana": ("Ana Duarte", "ana@harbor.example"),
}
"""Invented people. The first one is whose machine this is."""

LOCAL_SETTINGS = (
    "# Not in git: copied into each worktree.\nGATEWAY_KEY=demo-key-of-no-worth\nDATABASE_URL=sqlite:///harbor.db\n"
)


@dataclass(frozen=True, slots=True)
class Edit:
    """One replacement that a commit makes in a file that is already there."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Commit:
    author: str
    at: int
    """UNIX time, s."""
    message: str
    files: tuple[tuple[str, bytes], ...]
    """Full new contents by path."""


def git_environment() -> dict[str, str]:
    """The environment in which git reads no configuration of the person and asks nothing."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {
        **kept,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C.UTF-8",
    }


def git(folder: Path, *arguments: str, stdin: bytes | None = None) -> str:
    """What git prints. Raises subprocess.CalledProcessError with its complaint in `stderr`."""
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        input=stdin if stdin is not None else b"",
        capture_output=True,
        env=git_environment(),
        check=True,
    )
    return done.stdout.decode("utf-8", "replace").strip()


def make_repositories(folder: Path, now: float) -> list[Path]:
    """Make the sample repositories in `folder` and give their paths.

    The history ends shortly before `now` (UNIX time, s); equal arguments give equal commits. A repository that is there
    already is left as it is; one that was left half made is made again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [_make(folder / name, name, now) for name in NAMES]


def _make(target: Path, name: str, now: float) -> Path:
    if target.exists():
        return target
    draft = target.with_name(f".{name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    git(draft, "init", "--quiet", f"--initial-branch={DEFAULT_BRANCH}")
    git(draft, "fast-import", "--quiet", stdin=b"".join(_stream(history(name, now))))
    person, address = AUTHORS["mira"]
    for key, value in (("user.name", person), ("user.email", address), ("commit.gpgsign", "false"), ("gc.auto", "0")):
        git(draft, "config", key, value)
    git(draft, "reset", "--hard", "--quiet", DEFAULT_BRANCH)
    (draft / ".env.local").write_text(LOCAL_SETTINGS, encoding="utf-8")
    draft.rename(target)
    return target


def history(name: str, now: float) -> Iterator[Commit]:
    """The commits of a sample, oldest first."""
    source = resources_dir() / "demo" / "repositories" / name
    plan: list[dict[str, Any]] = tomllib.loads((source / "history.toml").read_text(encoding="utf-8"))["commit"]
    content = _first_forms(source, plan)
    for entry in plan:
        changed = list(entry.get("add", ()))
        for edit in _edits(entry):
            content[edit.path] = _replace_once(content[edit.path], edit.before, edit.after)
            changed.append(edit.path)
        files = tuple((path, content[path].encode()) for path in dict.fromkeys(changed))
        yield Commit(entry["author"], int(now + entry["day"] * DAY), entry["message"], files)


def _edits(entry: Mapping[str, Any]) -> list[Edit]:
    return [Edit(**edit) for edit in entry.get("edit", ())]


def _first_forms(source: Path, plan: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Each file as its first commit had it: the shipped form with the later edits taken back."""
    entries = list(plan)
    content = {
        path: (source / _shipped_name(path)).read_text(encoding="utf-8")
        for entry in entries
        for path in entry.get("add", ())
    }
    for entry in reversed(entries):
        for edit in reversed(_edits(entry)):
            content[edit.path] = _replace_once(content[edit.path], edit.after, edit.before)
    return content


def sample_text(name: str, path: str) -> str:
    """A file of a sample as its history ends."""
    return (resources_dir() / "demo" / "repositories" / name / _shipped_name(path)).read_text(encoding="utf-8")


def _replace_once(text: str, old: str, new: str) -> str:
    if old not in text:
        raise ValueError(f"the sample history does not fit its files: {old!r}")
    return text.replace(old, new, 1)


def _shipped_name(path: str) -> str:
    """Names with a leading dot are shipped as "dot-": a .gitignore among the resources would act on this project."""
    return "/".join(f"dot-{part[1:]}" if part.startswith(".") else part for part in path.split("/"))


def _stream(commits: Iterable[Commit]) -> Iterator[bytes]:
    """The input of `git fast-import`: one process for a whole history."""
    for commit in commits:
        person, address = AUTHORS[commit.author]
        stamp = f"{person} <{address}> {commit.at} +0000"
        message = commit.message.encode()
        yield f"commit refs/heads/{DEFAULT_BRANCH}\nauthor {stamp}\ncommitter {stamp}\n".encode()
        yield b"data %d\n%b\n" % (len(message), message)
        for path, data in commit.files:
            yield b"M 100644 inline %b\ndata %d\n%b\n" % (path.encode(), len(data), data)
        yield b"\n"
