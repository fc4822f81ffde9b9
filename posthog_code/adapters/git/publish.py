"""Commit and push: what leaves the worktree. Never forced."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from posthog_code.adapters.git.cli import GitCli, OnLine, encode
from posthog_code.adapters.git.config import identity
from posthog_code.adapters.git.failures import explain, last_lines, redact
from posthog_code.adapters.git.guard import WriteGuard
from posthog_code.adapters.git.names import branch_ref
from posthog_code.adapters.git.repository import GitRepositories
from posthog_code.domain.errors import GitFailed, NotFound, Refused

Auth = Callable[[str], str | None]
"""Token for the URL of a remote; None to leave it to the person's own credentials."""

PUSH_TIMEOUT = 900.0
_ANY = range(256)
_TEMPLATE_FOLDERS = (".github", "", "docs")
_TEMPLATE = "pull_request_template"


class GitPublishing:
    """Implements ports.git.Publishing."""

    def __init__(self, cli: GitCli, guard: WriteGuard, repositories: GitRepositories, auth: Auth | None = None) -> None:
        self._cli = cli
        self._guard = guard
        self._repositories = repositories
        self._auth = auth

    async def status(self, worktree: Path, base: str) -> tuple[tuple[str, ...], int]:
        changed, count = await asyncio.gather(
            self._cli.read(worktree, "status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames"),
            self._ahead(worktree, base),
        )
        return tuple(_status_path(item) for item in changed.items), count

    async def _ahead(self, worktree: Path, base: str) -> int:
        start = await self._repositories.merge_base(worktree, base)
        counted = await self._cli.read(worktree, "rev-list", "--count", f"{start}..HEAD", "--")
        return int(counted.text)

    async def commit_all(self, worktree: Path, message: str, on_line: OnLine | None = None) -> str:
        place = self._guard.writable(worktree)
        name, email = await identity(self._cli, worktree)
        if not name or not email:
            missing = "user.name" if not name else "user.email"
            value = '"Your Name"' if not name else "you@example.com"
            raise Refused(
                f"Git does not know who you are ({missing} is not set), so nothing was committed.",
                f"Run `git config --global {missing} {value}` and try again.",
            )
        async with self._cli.lanes.writing(place.git_dir):
            await self._cli.write(worktree, "add", "--all", "--", ":(top)", on_line=on_line)
            result = await self._cli.write(
                worktree,
                "commit",
                "--cleanup=whitespace",
                "--file=-",
                stdin=encode(message.strip() + "\n"),
                ok=_ANY,
                on_line=on_line,
                hooks=True,
            )
            if result.code:
                raise await self._commit_failed(worktree, result.out.decode("utf-8", "replace") + result.err)
            head = await self._cli.read(worktree, "rev-parse", "--verify", "HEAD^{commit}")
        return head.text

    async def _commit_failed(self, worktree: Path, output: str) -> Exception:
        if "index.lock" in output or "No space left" in output or "Read-only file system" in output:
            return explain(("commit",), 1, output)
        staged = await self._cli.read(worktree, "diff", "--cached", "--quiet", ok=(0, 1))
        if staged.code == 0:
            return Refused("There is nothing to commit.", "", last_lines(output))
        return GitFailed(
            "The commit was refused, by a hook or by git.",
            "Read the output below, fix it in the worktree and try again.",
            last_lines(redact(output)),
        )

    async def push(self, worktree: Path, branch: str, on_line: OnLine | None = None) -> str:
        place = self._guard.writable(worktree)
        ref = branch_ref(branch)
        url = await self._cli.read(worktree, "remote", "get-url", "--push", "origin", ok=(0, 2, 128))
        if url.code:
            raise NotFound(
                "The repository has no remote “origin”.", "Add one with `git remote add origin URL` and try again."
            )
        async with self._cli.lanes.writing(place.git_dir):
            commit = (await self._cli.read(worktree, "rev-parse", "--verify", "--end-of-options", ref)).text
            await self._cli.write(
                worktree,
                "push",
                "--porcelain",
                "--set-upstream",
                "origin",
                f"{ref}:{ref}",
                env=credentials(self._auth, url.text),
                timeout=PUSH_TIMEOUT,
                on_line=on_line,
                hooks=True,
            )
        return commit

    async def log(self, worktree: Path, base: str, limit: int = 50) -> tuple[tuple[str, str], ...]:
        start = await self._repositories.merge_base(worktree, base)
        listing = await self._cli.read(
            worktree,
            "log",
            "-z",
            "--no-show-signature",
            f"--max-count={limit}",
            "--format=%H %s",
            f"{start}..HEAD",
            "--",
        )
        pairs = (item.partition(" ") for item in listing.items)
        return tuple((commit, subject) for commit, _, subject in pairs)

    async def template(self, worktree: Path) -> tuple[str, str]:
        return await asyncio.to_thread(_find_template, worktree)


def credentials(auth: Auth | None, url: str) -> dict[str, str]:
    """The token as a header in the environment: arguments and logs never have it."""
    parts = urlsplit(url)
    token = auth(url) if auth and parts.scheme in ("http", "https") else None
    if not token:
        return {}
    host = parts.netloc.rpartition("@")[2]
    count = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    secret = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": str(count + 1),
        f"GIT_CONFIG_KEY_{count}": f"http.{parts.scheme}://{host}/.extraHeader",
        f"GIT_CONFIG_VALUE_{count}": f"Authorization: Basic {secret}",
    }


def _status_path(item: str) -> str:
    """Path of a record of `status --porcelain=v2 --no-renames`."""
    fields = {"1": 8, "u": 10, "?": 1, "!": 1}
    return item.split(" ", fields[item[0]])[-1]


def _find_template(worktree: Path) -> tuple[str, str]:
    for folder in _TEMPLATE_FOLDERS:
        try:
            entries = sorted((worktree / folder).iterdir())
        except OSError:
            continue
        for entry in entries:
            if entry.stem.lower() != _TEMPLATE or entry.suffix.lower() not in (".md", ".txt", ""):
                continue
            files = sorted(entry.glob("*.md")) if entry.is_dir() else [entry]
            for file in files:
                try:
                    return file.relative_to(worktree).as_posix(), file.read_text("utf-8", "replace")
                except OSError:
                    continue
    return "", ""
