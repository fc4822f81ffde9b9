"""The whole state of a worktree as git objects: files, index, and what a tree cannot say."""

from __future__ import annotations

import asyncio
import filecmp
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from posthog_code.adapters.git.carry import INCLUDE, ignored_matches, patterns
from posthog_code.adapters.git.cli import NO_HOOKS, GitCli, decode, encode
from posthog_code.adapters.git.places import Place, read_marker
from posthog_code.adapters.git.survey import Survey, add_listed, survey
from posthog_code.domain.errors import GitFailed

EMPTY_BLOBS = (
    "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
)
SKIP_SMUDGE = {"GIT_LFS_SKIP_SMUDGE": "1"}
_TRIES = 3
_ATTRIBUTES = ("text", "eol", "filter", "ident", "working-tree-encoding", "crlf")


@dataclass(frozen=True, slots=True)
class Capture:
    tree: str
    """Tree of the files on disk."""
    index_tree: str
    """Tree of the index; entries in conflict and entries without content (intent to add) are in the manifest."""
    manifest: bytes
    """JSON: what trees cannot say. Equal states give equal bytes."""
    pinned: tuple[str, ...]
    """Blobs that only the manifest names."""
    unstored: tuple[str, ...]
    """What no snapshot can hold, in words for a person."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the index."""

    flag: str
    """"H", "S" (skip-worktree), "M" (conflict); in lower case when assumed unchanged."""
    mode: str
    blob: str
    stage: str
    path: str


async def capture(cli: GitCli, place: Place) -> Capture:
    """Write the worktree's state into the object store. Its own index is read, never written."""
    with temporary_index(place) as index:
        env = {"GIT_INDEX_FILE": os.fspath(index)}
        listing, ignored, listed = await asyncio.gather(
            cli.read(place.top, "ls-files", "-z", "-s", "-v", env=env),
            cli.read(place.top, "ls-files", "-z", "-o", "-i", "--exclude-standard", "--directory"),
            listed_ignored(cli, place),
        )
        odd = await asyncio.to_thread(odd_entries, listing.out)
        marker = read_marker(place.git_dir)
        since = marker.created if marker else 0.0
        skipped = frozenset(path.rstrip("/") for path in ignored.items)
        seen, (index_tree, conflicts, hollow) = await asyncio.gather(
            asyncio.to_thread(survey, os.fspath(place.top), skipped, since), _index_tree(cli, place, env, odd)
        )
        add_listed(seen, os.fspath(place.top), listed, since)
        await _add_all(cli, place, env, odd, seen, listed)
        raw = await _raw_files(cli, place, env, seen, since)
        tree = (await cli.write(place.top, "write-tree", env=env)).text
    gitlinks = {entry.path for entry in odd if entry.mode == "160000"}
    flags = {e.path: e.flag for e in odd if e.stage == "0" and (e.flag.islower() or e.flag == "S")}
    absent = [e.path for e in odd if e.flag.upper() == "S" and not os.path.lexists(place.top / e.path)]
    manifest = {
        "version": 1,
        "conflicts": [[e.mode, e.blob, e.stage, e.path] for e in conflicts],
        "intent_to_add": sorted(hollow),
        "flags": flags,
        "absent": absent,
        "empty": seen.empty,
        "modes": seen.modes,
        "raw": sorted(raw),
        "settled": await _settled(cli, place, raw),
    }
    unstored = [f"{path} (a git repository of its own)" for path in seen.nested if path not in gitlinks]
    unstored += [f"{path} (a socket, pipe or device)" for path in seen.special]
    unstored += [f"{path} (a folder that cannot be read)" for path in seen.unreadable]
    unstored += await _submodules_at_risk(cli, place, [path for path in seen.nested if path in gitlinks])
    text = json.dumps(manifest, sort_keys=True, ensure_ascii=True).encode()
    return Capture(tree, index_tree, text, tuple(e.blob for e in conflicts), tuple(unstored))


@contextmanager
def temporary_index(place: Place) -> Iterator[Path]:
    """A copy of the index. Its time stays the same: git takes entries as young as the index for possibly changed."""
    with tempfile.TemporaryDirectory(prefix="posthog-code-") as folder:
        index = Path(folder, "index")
        source = place.git_dir / "index"
        if source.exists():
            shutil.copy2(source, index)
        yield index


def odd_entries(listing: bytes) -> list[Entry]:
    """The entries of `ls-files -z -s -v` that need more than a tree."""
    odd: list[Entry] = []
    for line in listing.split(b"\0"):
        head, _, name = line.partition(b"\t")
        if not name:
            continue
        flag, mode, blob, stage = head.decode().split(" ")
        if flag != "H" or stage != "0" or mode == "160000" or blob in EMPTY_BLOBS:
            odd.append(Entry(flag, mode, blob, stage, decode(name)))
    return odd


async def listed_ignored(cli: GitCli, place: Place) -> list[str]:
    """Ignored files that the worktree's list wants kept."""
    main = place.common_dir.parent if place.common_dir.name == ".git" else place.top
    return await ignored_matches(cli, place.top, patterns(place.top, main, INCLUDE), collapse=False)


async def _index_tree(
    cli: GitCli, place: Place, env: dict[str, str], odd: list[Entry]
) -> tuple[str, list[Entry], list[str]]:
    """(tree of the staged state, entries in conflict, intent-to-add paths); takes conflicts out of the copy."""
    conflicts = [entry for entry in odd if entry.stage != "0"]
    if conflicts:
        lines = b"".join(b"0 " + b"0" * len(e.blob) + b"\t" + encode(e.path) + b"\0" for e in conflicts)
        await cli.write(place.top, "update-index", "-z", "--index-info", stdin=lines, env=env)
    tree = (await cli.write(place.top, "write-tree", env=env)).text
    empty = [entry.path for entry in odd if entry.blob in EMPTY_BLOBS and entry.stage == "0"]
    hollow: list[str] = []
    if empty:
        found = await cli.read(place.top, "ls-tree", "-r", "-z", "--name-only", "--full-tree", tree)
        stored = set(found.items)
        hollow = [path for path in empty if path not in stored]
    return tree, conflicts, hollow


async def _add_all(
    cli: GitCli, place: Place, env: dict[str, str], odd: list[Entry], seen: Survey, listed: list[str]
) -> None:
    """Bring the copy of the index to the state on disk."""
    assumed = [e.path for e in odd if e.stage == "0" and e.flag.islower()]
    if assumed:
        await _update(cli, place, env, "--no-assume-unchanged", assumed)
    present = [e.path for e in odd if e.stage == "0" and e.flag.upper() == "S" and os.path.lexists(place.top / e.path)]
    if present:
        await _update(cli, place, env, "--no-skip-worktree", present)
    links = {entry.path for entry in odd if entry.mode == "160000"}
    left_out = [f":(top,exclude,literal){path}" for path in seen.nested if path not in links]
    quiet = ("-c", "advice.addEmbeddedRepo=false", "-c", "core.safecrlf=false", "-c", "core.sparseCheckout=false")
    command = (*NO_HOOKS, *quiet, "add", "--all", "--", ":(top)", *left_out)
    for attempt in range(_TRIES):
        try:
            await cli.write(place.top, *command, env=env)
            break
        except GitFailed:
            if attempt == _TRIES - 1:
                raise  # until then: a file may have gone or grown while git was reading it
    extra = [path for path in listed if path in seen.files]
    if extra:
        await _update(cli, place, env, "--add", extra)


async def _update(cli: GitCli, place: Place, env: dict[str, str], option: str, paths: Iterable[str]) -> None:
    data = b"".join(encode(path) + b"\0" for path in paths)
    await cli.write(
        place.top, "-c", "core.safecrlf=false", "update-index", option, "-z", "--stdin", stdin=data, env=env
    )


async def _raw_files(cli: GitCli, place: Place, env: dict[str, str], seen: Survey, since: float) -> list[str]:
    """Files whose bytes a checkout would not give back (line ends, filters): stored as they are instead."""
    if not await may_convert(cli, place, seen.files):
        return []
    filtered = (await cli.read(place.top, "config", "--get-regexp", r"^filter\.", ok=(0, 1))).code == 0
    if not since:  # not one of our worktrees: nothing tells which files came from a checkout
        changed = await cli.read(
            place.top, "diff-index", "--cached", "-z", "--name-only", "--no-renames", "HEAD", env=env, ok=(0, 128)
        )
        seen.touched = [path for path in changed.items if path in seen.files]
        filtered = False
    candidates = sorted(seen.files) if filtered else seen.touched
    converted = await conversions(cli, place, env, candidates)
    if not filtered:
        suspects = list(converted)
    else:
        touched = set(seen.touched)
        suspects = [path for path, kinds in converted.items() if path in touched or "filter" in kinds]
    different = await not_as_checked_out(cli, place, env, suspects)
    if different:
        data = b"".join(encode(path) + b"\n" for path in different if "\n" not in path)
        blobs = await cli.write(place.top, "hash-object", "-w", "--no-filters", "--stdin-paths", stdin=data)
        named = [path for path in different if "\n" not in path]
        lines = b""
        for path, blob in zip(named, blobs.text.split("\n"), strict=True):
            mode = b"100755" if os.access(place.top / path, os.X_OK) else b"100644"
            lines += mode + b" " + blob.encode() + b"\t" + encode(path) + b"\0"
        await cli.write(place.top, "update-index", "-z", "--index-info", stdin=lines, env=env)
    return different


async def _settled(cli: GitCli, place: Place, raw: list[str]) -> list[str]:
    """Those of the raw files that git calls unmodified: after a checkout of other bytes it would not."""
    if not raw:
        return []
    status = await cli.read(place.top, "status", "--porcelain=v2", "-z", "--untracked-files=no", "--no-renames")
    changed = {item.split(" ", 8)[-1] for item in status.items if item.startswith("1 ") and item[3] != "."}
    return sorted(set(raw) - changed)


async def may_convert(cli: GitCli, place: Place, files: set[str]) -> bool:
    """Whether anything in this repository could make git change bytes between disk and store."""
    if any(path == ".gitattributes" or path.endswith("/.gitattributes") for path in files):
        return True
    if (place.common_dir / "info" / "attributes").exists():
        return True
    config = await cli.read(place.top, "config", "-z", "--get-regexp", r"^core\.(autocrlf|attributesfile)$", ok=(0, 1))
    if any(not item.lower().endswith("\nfalse") for item in config.items):
        return True
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(home, "git", "attributes").exists() or Path("/etc/gitattributes").exists()


async def conversions(
    cli: GitCli, place: Place, env: dict[str, str], paths: Iterable[str]
) -> dict[str, frozenset[str]]:
    """The paths that have attributes (or a setting) that convert, with the names of these attributes."""
    data = b"".join(encode(path) + b"\0" for path in paths)
    if not data:
        return {}
    auto = await cli.read(place.top, "config", "--get", "core.autocrlf", ok=(0, 1))
    everything = auto.text.lower() in ("true", "input")
    answer = await cli.read(place.top, "check-attr", "-z", "--stdin", *_ATTRIBUTES, stdin=data, env=env)
    fields = answer.out.split(b"\0")
    found: dict[str, set[str]] = {}
    for at in range(0, len(fields) - 2, 3):
        path, name, value = fields[at : at + 3]
        if everything:
            found.setdefault(decode(path), set())
        if value not in (b"unspecified", b"unset"):
            found.setdefault(decode(path), set()).add(name.decode())
    return {path: frozenset(names) for path, names in found.items()}


async def not_as_checked_out(cli: GitCli, place: Place, env: dict[str, str], paths: Iterable[str]) -> list[str]:
    """Those of the paths whose bytes on disk differ from what a checkout of the index in `env` writes."""
    wanted = [path for path in paths if (place.top / path).is_file() and not (place.top / path).is_symlink()]
    if not wanted:
        return []
    with tempfile.TemporaryDirectory(prefix="posthog-code-") as folder:
        data = b"".join(encode(path) + b"\0" for path in wanted)
        await cli.write(
            place.top,
            *NO_HOOKS,
            "checkout-index",
            "--quiet",
            "-z",
            "--stdin",
            f"--prefix={folder}/",
            stdin=data,
            env=env | SKIP_SMUDGE,
        )

        def compare() -> list[str]:
            return [path for path in wanted if not _equal(place.top / path, Path(folder, path))]

        return await asyncio.to_thread(compare)


def _equal(one: Path, other: Path) -> bool:
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False


async def _submodules_at_risk(cli: GitCli, place: Place, paths: list[str]) -> list[str]:
    """Submodules with anything that only their own folder holds."""
    if not paths:
        return []
    status = await cli.read(
        place.top,
        "--literal-pathspecs",
        "status",
        "--porcelain=v2",
        "-z",
        "--ignore-submodules=none",
        "--no-renames",
        "--",
        *paths,
    )
    words = []
    for item in status.items:
        fields = item.split(" ", 8)
        if fields[0] == "1" and fields[2].startswith("S") and fields[2] != "S...":
            words.append(f"{fields[8]} (a submodule with changes or commits of its own)")
    return words
