"""Lists of changed files and diffs, by git's machine formats."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, aclosing
from pathlib import Path

from posthog_code.adapters.git.capture import temporary_index
from posthog_code.adapters.git.carry import inside
from posthog_code.adapters.git.cli import NO_HOOKS, GitCli, encode
from posthog_code.adapters.git.contents import Contents
from posthog_code.adapters.git.failures import last_lines
from posthog_code.adapters.git.guard import WriteGuard
from posthog_code.adapters.git.names import is_commit_id, is_ref_name
from posthog_code.adapters.git.places import Place, locate
from posthog_code.adapters.git.summaries import Row, merge, parse
from posthog_code.domain.changes import ChangeSet, FileState, Scope
from posthog_code.domain.errors import Conflict, InvalidInput, NotFound

_DIFF = (
    "-c", "diff.suppressBlankEmpty=false", "-c", f"diff.orderFile={os.devnull}", "diff", "--no-color", "--no-ext-diff",
    "--no-textconv", "--no-relative", "--submodule=short", "--diff-algorithm=default", "-M",
)  # fmt: skip
_LIST = (*_DIFF, "--raw", "--numstat", "-z", "--no-abbrev")
_PATCH = (*_DIFF, "--patch", "--full-index", "--src-prefix=a/", "--dst-prefix=b/", "--inter-hunk-context=0")


class GitChanges:
    """Implements ports.git.Changes."""

    def __init__(self, cli: GitCli, guard: WriteGuard) -> None:
        self._cli = cli
        self._guard = guard
        self._contents = Contents()

    async def summary(self, worktree: Path, *, scope: Scope, old: str, new: str = "") -> ChangeSet:
        _commits(old, new)
        if new:
            rows = parse((await self._cli.read(worktree, *_LIST, old, new, "--")).out)
            return ChangeSet(scope, merge(rows, {}), old)
        place = _place(worktree)
        listed, (untracked, conflicted) = await asyncio.gather(
            self._cli.read(worktree, *_LIST, old, "--"), self._strangers(worktree, ())
        )
        rows = parse(listed.out)
        gone = [row.path for row in rows if row.state is FileState.DELETED]
        back = [path for path in gone if os.path.lexists(worktree / path)]
        if (untracked and gone) or back:
            # A file that went and one that came may be a rename, or one and the same: let git look at both.
            with temporary_index(place) as index:
                env = {"GIT_INDEX_FILE": os.fspath(index)}
                await self._intend(worktree, [*untracked, *back], env)
                rows = parse((await self._cli.read(worktree, *_LIST, old, "--", env=env)).out)
            untracked = []
        rows += [Row(path, FileState.ADDED, counted=False) for path in untracked]
        for row in rows:
            if row.path in conflicted:
                row.state = FileState.CONFLICTED
        on_disk = [row.path for row in rows if row.state is not FileState.DELETED and not row.new_blob.strip("0")]
        facts = await asyncio.to_thread(self._contents.of, worktree, on_disk)
        return ChangeSet(scope, merge(rows, facts), old)

    async def diff(
        self, worktree: Path, *, old: str, new: str = "", paths: Sequence[str] = (), context: int = 3
    ) -> AsyncIterator[bytes]:
        _commits(old, new)
        patch = ("--literal-pathspecs", *_PATCH, f"--unified={context}")
        with ExitStack() as stack:
            env: dict[str, str] = {}
            if not new:
                place = _place(worktree)
                unknown = await self._unknown(worktree, old, paths)
                if unknown:
                    index = stack.enter_context(temporary_index(place))
                    env["GIT_INDEX_FILE"] = os.fspath(index)
                    await self._intend(worktree, unknown, env)
            ends = (old, new) if new else (old,)
            async with aclosing(self._cli.stream(worktree, *patch, *ends, "--", *paths, env=env)) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def _unknown(self, worktree: Path, old: str, paths: Sequence[str]) -> list[str]:
        """Files on disk that the index does not know: untracked ones, and those that only `old` has."""
        (untracked, _), gone = await asyncio.gather(
            self._strangers(worktree, paths),
            self._cli.read(
                worktree, "--literal-pathspecs", "diff-index", "--cached", "-z", "--name-only", "--diff-filter=D",
                "--no-renames", old, "--", *paths,
            ),
        )  # fmt: skip
        known = set(untracked)
        return untracked + [path for path in gone.items if path not in known and os.path.lexists(worktree / path)]

    async def _strangers(self, worktree: Path, paths: Sequence[str]) -> tuple[list[str], set[str]]:
        """(untracked files, files in conflict)."""
        options = ("-z", "-t", "--others", "--unmerged", "--exclude-standard")
        listing = await self._cli.read(worktree, "--literal-pathspecs", "ls-files", *options, "--", *paths)
        untracked: list[str] = []
        conflicted: set[str] = set()
        for item in listing.items:
            if not item.startswith("? "):
                conflicted.add(item.split("\t", 1)[1])
            elif not item.endswith("/"):  # a nested repository is no file
                untracked.append(item[2:])
        return untracked, conflicted

    async def _intend(self, worktree: Path, paths: Sequence[str], env: dict[str, str]) -> None:
        data = b"".join(encode(path) + b"\0" for path in paths)
        await self._cli.write(
            worktree,
            *NO_HOOKS,
            "--literal-pathspecs",
            "add",
            "--intent-to-add",
            "--force",
            "--pathspec-from-file=-",
            "--pathspec-file-nul",
            stdin=data,
            env=env,
        )

    async def blob(self, worktree: Path, commit: str, path: str) -> bytes | None:
        if not commit:
            return await asyncio.to_thread(_on_disk, worktree, path)
        _commits(commit, "")
        found = await self._cli.read(worktree, "cat-file", "blob", f"{commit}:{path}", ok=(0, 128))
        return found.out if found.code == 0 else None

    async def apply(self, worktree: Path, patch: bytes, *, reverse: bool = False) -> None:
        options = ("--reverse",) if reverse else ()
        place = self._guard.writable(worktree)
        async with self._cli.lanes.writing(place.git_dir):
            result = await self._cli.write(
                worktree, "apply", "--whitespace=nowarn", *options, "-", stdin=patch, ok=(0, 1, 128)
            )
        if result.code:
            raise Conflict(
                "The change no longer fits the files, so nothing was written.",
                "The files have changed since; look at the diff again.",
                last_lines(result.err),
            )


def _commits(*names: str) -> None:
    for name in names:
        if name and not is_commit_id(name) and not is_ref_name(name):
            raise InvalidInput(f"“{name}” is not a commit.", "Choose another base.")


def _place(worktree: Path) -> Place:
    place = locate(worktree)
    if place is None:
        raise NotFound(f"The worktree {worktree} is not there.", "Restore the task to create it again.")
    return place


def _on_disk(worktree: Path, path: str) -> bytes | None:
    target = inside(worktree, path)
    try:
        if target is None:
            return None
        return os.fsencode(os.readlink(target)) if target.is_symlink() else target.read_bytes()
    except OSError:
        return None
