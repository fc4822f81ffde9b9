"""Reading repositories: what they are, their branches, files and merge bases."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path

from posthog_code.adapters.git.cli import GitCli
from posthog_code.adapters.git.failures import INSTALL_LINE
from posthog_code.adapters.git.names import is_commit_id, is_ref_name, may_be_abbreviated
from posthog_code.domain.errors import GitFailed, InvalidInput, NotFound, ToolMissing
from posthog_code.ports.git import Branch, OwnWork, RepositoryFacts

OLDEST = (2, 31)
_OWN_COMMITS = 2000

_BRANCH_FORMAT = "%(refname)%00%(objectname)%00%(committerdate:unix)%00%(worktreepath)%00%(symref)"


class GitRepositories:
    """Implements ports.git.Git. Reads only."""

    def __init__(self, cli: GitCli) -> None:
        self._cli = cli

    async def check(self) -> str:
        text = (await self._cli.read(Path(Path.cwd().anchor), "version")).text
        match = re.search(r"(\d+)\.(\d+)(\.\d+)*", text)
        if match is None:
            raise GitFailed("Git does not tell its version.", f"Is it git that runs? {INSTALL_LINE}", text)
        if (int(match[1]), int(match[2])) < OLDEST:
            needed = ".".join(map(str, OLDEST))
            raise ToolMissing(f"Git {match[0]} is too old: {needed} or newer is needed.", INSTALL_LINE)
        return match[0]

    async def facts(self, path: Path) -> RepositoryFacts:
        if not path.is_dir():
            raise NotFound(f"The folder {path} is not there.", "Choose another folder.")
        found = await self._cli.read(
            path, "rev-parse", "--is-bare-repository", "--is-inside-work-tree", "--git-common-dir", ok=(0, 128)
        )
        # The path comes last: it may have line breaks of its own.
        lines = found.text.split("\n", 2)
        if found.code or len(lines) < 3:
            raise _not_a_repository(path, found.err)
        if lines[0] == "true":
            raise InvalidInput(f"{path} is a bare repository.", "Choose a checkout: a folder with files in it.")
        if lines[1] != "true":
            raise InvalidInput(f"{path} is a git directory, not a checkout.", "Choose the folder that contains it.")
        common = Path(path, lines[2]).resolve()
        top = await self._main_checkout(path, common)
        head = await self._cli.read(
            top, "rev-parse", "--verify", "--quiet", "--end-of-options", "HEAD^{commit}", ok=(0, 1, 128)
        )
        if head.code:
            raise InvalidInput(f"{path} has no commits yet.", "Make a first commit, then add the repository.")
        current, origin_head, url, dirty = await asyncio.gather(
            self._cli.read(top, "symbolic-ref", "--quiet", "--short", "HEAD", ok=(0, 1)),
            self._cli.read(top, "symbolic-ref", "--quiet", "refs/remotes/origin/HEAD", ok=(0, 1, 128)),
            self._cli.read(top, "config", "--get", "remote.origin.url", ok=(0, 1)),
            # A filter that fails is no reason to refuse the repository: whoever checks files out is told.
            self._cli.read(
                top, "status", "--porcelain", "-z", "--no-renames", "--ignore-submodules=dirty", ok=(0, 1, 128)
            ),
        )
        default = origin_head.text.removeprefix("refs/remotes/origin/") or current.text
        if not default:
            default = await self._first_branch(top, ("main", "master"))
        return RepositoryFacts(top, common, default, current.text, head.text, url.text, bool(dirty.out))

    async def _main_checkout(self, path: Path, common: Path) -> Path:
        if common.name == ".git" and (common.parent / ".git").resolve() == common:
            return common.parent
        # The git directory lives elsewhere (a submodule, --separate-git-dir): only its own checkout can name it.
        git_dir = await self._cli.read(path, "rev-parse", "--absolute-git-dir")
        if Path(git_dir.text).resolve() != common:
            raise InvalidInput(
                f"{path} is a worktree, and its main checkout was not found.", "Choose the main checkout itself."
            )
        top = await self._cli.read(path, "rev-parse", "--show-toplevel")
        return Path(top.text)

    async def _first_branch(self, top: Path, names: tuple[str, ...]) -> str:
        refs = [f"refs/heads/{name}" for name in names]
        found = await self._cli.read(top, "for-each-ref", "--format=%(refname)", *refs)
        there = found.text.split("\n")
        return next((name for name, ref in zip(names, refs, strict=True) if ref in there), "")

    async def branches(self, repository: Path) -> tuple[Branch, ...]:
        result = await self._cli.read(
            repository,
            "for-each-ref",
            "--sort=-committerdate",
            f"--format={_BRANCH_FORMAT}",
            "refs/heads",
            "refs/remotes",
        )
        rows = [line.split("\0") for line in result.text.split("\n") if line]
        local = {row[0].removeprefix("refs/heads/") for row in rows if row[0].startswith("refs/heads/")}
        branches = []
        for ref, commit, at, worktree, symref in rows:
            when = float(at or 0)
            if ref.startswith("refs/heads/"):
                branches.append(Branch(ref.removeprefix("refs/heads/"), commit, when, False, worktree))
            elif not symref:
                name = ref.removeprefix("refs/remotes/")
                if name.partition("/")[2] not in local:
                    branches.append(Branch(name, commit, when, True))
        return tuple(branches)

    async def resolve(self, repository: Path, name: str) -> str:
        found = await self._refs(repository, name)
        if found:
            return found[0]
        if is_commit_id(name) or may_be_abbreviated(name) or name == "HEAD":
            result = await self._cli.read(
                repository,
                "rev-parse",
                "--verify",
                "--quiet",
                "--end-of-options",
                f"{name}^{{commit}}",
                ok=(0, 1, 128),
            )
            if result.code == 0:
                return result.text
        raise NotFound(f"There is no branch, tag or commit “{name}”.", "Choose another base, or fetch it first.")

    async def _refs(self, repository: Path, name: str) -> list[str]:
        """Commits of the local branch, origin's, another remote's branch and the tag of that name, in this order."""
        if not is_ref_name(name):
            return []
        plain = name.removeprefix("refs/heads/").removeprefix("refs/remotes/").removeprefix("refs/tags/")
        wanted = [f"refs/heads/{plain}", f"refs/remotes/origin/{plain}", f"refs/remotes/{plain}", f"refs/tags/{plain}"]
        if plain != name:
            wanted = [name]
        shape = "--format=%(refname)%00%(objecttype)%00%(objectname)%00%(*objectname)"
        result = await self._cli.read(repository, "for-each-ref", shape, *wanted)
        commits = {}
        for line in result.text.split("\n"):
            if line:
                ref, _, commit, peeled = line.split("\0")
                commits[ref] = peeled or commit
        return [commits[ref] for ref in wanted if ref in commits]

    async def files(self, folder: Path) -> tuple[str, ...]:
        result = await self._cli.read(
            folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"
        )
        return tuple(result.items)

    async def merge_base(self, folder: Path, base: str, head: str = "HEAD") -> str:
        commits = (await self._refs(folder, base))[:2] or [await self.resolve(folder, base)]
        # Against local and remote branch at once: the base may have moved on either side.
        result = await self._cli.read(folder, "merge-base", head, *commits, ok=(0, 1))
        return result.text.split("\n")[0] if result.code == 0 else commits[0]

    async def own_work(self, repository: Path, since: float) -> Mapping[str, OwnWork]:
        found = await self._cli.read(repository, "config", "--get", "user.email", ok=(0, 1))
        if not (email := found.text.strip()):
            return {}
        result = await self._cli.read(
            repository,
            "log",
            "--branches",
            "--remotes",
            "--no-merges",
            # Fixed strings: an address is no pattern, and the brackets keep it from being the end of a longer one.
            "--fixed-strings",
            "--regexp-ignore-case",
            f"--author=<{email}>",
            f"--since=@{max(0, int(since))}",
            f"--max-count={_OWN_COMMITS}",
            "--format=%x01%h %ct",
            "--no-renames",
            "--name-only",
            "-z",
        )
        return _own_work(result.items)


def _own_work(items: list[str]) -> dict[str, OwnWork]:
    """From the NUL-separated log: a line with commit and time, then its files."""
    commits: dict[str, set[str]] = {}
    latest: dict[str, float] = {}
    commit, at = "", 0.0
    for item in items:
        item = item.removeprefix("\n")
        if item.startswith("\x01"):
            commit, _, when = item[1:].partition(" ")
            at = float(when) if when.isdigit() else 0.0
        elif item and commit:
            commits.setdefault(item, set()).add(commit)
            latest[item] = max(at, latest.get(item, 0.0))
    return {path: OwnWork(frozenset(found), latest[path]) for path, found in commits.items()}


def _not_a_repository(path: Path, output: str) -> InvalidInput:
    if "dubious ownership" in output:
        return InvalidInput(
            f"{path} belongs to another user, so git does not open it.",
            f"If you trust it: git config --global --add safe.directory '{path}'",
            output.strip(),
        )
    return InvalidInput(
        f"{path} is not a git repository.", "Choose a folder with a git repository, or run git init there."
    )
