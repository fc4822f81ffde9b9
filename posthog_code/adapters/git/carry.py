"""Brings ignored files that a worktree needs (secrets, caches) from the main checkout, as the repository lists them."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from posthog_code.adapters.git.cli import GitCli, encode

INCLUDE = ".worktreeinclude"
LINK = ".worktreelink"

_FICLONE = 0x40049409
"""Linux ioctl: share the blocks of another file (copy on write)."""


def patterns(first: Path, second: Path, name: str) -> list[str]:
    """Lines of the list in the first checkout, else in the second."""
    for folder in (first, second):
        try:
            return (folder / name).read_text("utf-8", "surrogateescape").splitlines()
        except OSError:
            continue
    return []


async def ignored_matches(cli: GitCli, folder: Path, lines: Sequence[str], *, collapse: bool) -> list[str]:
    """Ignored paths of a checkout that the patterns list, in gitignore syntax.

    `collapse` gives a wholly ignored and wholly listed folder as one path with a trailing slash.
    """
    if not any(line.strip() and not line.lstrip().startswith("#") for line in lines):
        return []
    from pathspec import GitIgnoreSpec

    spec = GitIgnoreSpec.from_lines(lines)
    command = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard")
    found: list[str] = []
    whole: list[str] = []
    for path in (await cli.read(folder, *command, "--directory")).items:
        if not path.endswith("/"):
            found += [path] if spec.match_file(path) else []
        elif spec.match_file(path):
            whole.append(path)
        elif _may_match_below(lines, path):
            inside = await cli.read(folder, "--literal-pathspecs", *command, "--", path)
            found += [item for item in inside.items if spec.match_file(item)]
    if collapse:
        return sorted([*whole, *found])
    for path in whole:
        inside = await cli.read(folder, "--literal-pathspecs", *command, "--", path)
        found += inside.items
    return sorted(set(found))


def _may_match_below(lines: Iterable[str], folder: str) -> bool:
    """Whether a pattern could match inside `folder`: looking into every ignored folder would be slow."""
    for line in lines:
        pattern = line.strip().lstrip("!").lstrip("/")
        if not pattern or pattern.startswith("#"):
            continue
        head = pattern.split("/", 1)[0]
        anchored = "/" in pattern.rstrip("/")
        if not anchored or any(char in head for char in "*?[") or folder.startswith(head + "/"):
            return True
    return False


def inside(root: Path, relative: str) -> Path | None:
    """The path below `root`, unless a symbolic link on the way leads out of it."""
    target = root / relative
    parent = Path(os.path.realpath(target.parent))
    real = Path(os.path.realpath(root))
    if ".." in Path(relative).parts or (parent != real and real not in parent.parents):
        return None
    return target


async def carry(
    cli: GitCli, repository: Path, worktree: Path, git_common: Path, on_line: Callable[[str], None]
) -> tuple[str, ...]:
    """See ports.git.Worktrees.carry."""
    done: list[str] = []
    jobs = ((INCLUDE, copy_path, "copied"), (LINK, link_path, "linked"))
    for name, act, word in jobs:
        lines = patterns(repository, worktree, name)
        for path in await ignored_matches(cli, repository, lines, collapse=True):
            plain = path.rstrip("/")
            source, target = inside(repository, plain), inside(worktree, plain)
            if source is None or target is None:
                on_line(f"{plain}: not {word}, it lies outside the repository")
                continue
            if os.path.lexists(target):
                on_line(f"{plain}: not {word}, it is there already")
                continue
            try:
                await asyncio.to_thread(act, source, target)
            except (OSError, shutil.Error) as error:
                on_line(f"{plain}: not {word}: {error}")
                continue
            done.append(plain)
            on_line(f"{plain}: {word}")
        if act is link_path:
            await _hide_links(cli, worktree, git_common, done, on_line)
    return tuple(done)


async def _hide_links(
    cli: GitCli, worktree: Path, git_common: Path, paths: list[str], on_line: Callable[[str], None]
) -> None:
    """A pattern for a folder (`node_modules/`) does not match a link to one: list it in the local exclude file."""
    links = [path for path in paths if (worktree / path).is_symlink()]
    if not links:
        return
    data = b"\0".join(encode(path) for path in links) + b"\0"
    known = await cli.read(worktree, "check-ignore", "-z", "--stdin", stdin=data, ok=(0, 1))
    visible = [path for path in links if path not in set(known.items)]
    if not visible:
        return
    exclude = git_common / "info" / "exclude"
    try:
        exclude.parent.mkdir(exist_ok=True)
        old = exclude.read_bytes() if exclude.exists() else b""
        lines = [b"/" + _escaped(path) for path in visible]
        fresh = [line for line in lines if line not in old.splitlines()]
        if fresh:
            gap = b"" if not old or old.endswith(b"\n") else b"\n"
            with exclude.open("ab") as file:
                file.write(gap + b"\n".join(fresh) + b"\n")
    except OSError as error:
        on_line(f"links will show as untracked files: {error}")


def _escaped(path: str) -> bytes:
    special = "\\*?[ "
    return encode("".join("\\" + char if char in special else char for char in path))


def link_path(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source, target_is_directory=source.is_dir())


def copy_path(source: Path, target: Path) -> None:
    """Copy a file, link or folder with modes and times; sockets and pipes are left out."""
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = source.lstat().st_mode
    if stat.S_ISLNK(mode):
        target.symlink_to(os.readlink(source))
    elif stat.S_ISDIR(mode):
        target.mkdir()
        with os.scandir(source) as entries:
            names = [os.fsdecode(entry.name) for entry in entries]
        for name in names:
            copy_path(source / name, target / name)
        shutil.copystat(source, target)
    elif stat.S_ISREG(mode):
        clone_file(source, target)
        shutil.copystat(source, target)


def clone_file(source: Path, target: Path) -> None:
    """Share the blocks where the file system can (Btrfs, XFS), else copy them in the kernel."""
    with source.open("rb") as reader, target.open("xb") as writer:
        try:
            import fcntl

            fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
            return
        except (ImportError, OSError):
            pass  # another file system or operating system: an ordinary copy does
        shutil.copyfileobj(reader, writer, 1024 * 1024)
