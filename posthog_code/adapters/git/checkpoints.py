"""Checkpoints: snapshots of worktrees that hidden refs keep."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

from posthog_code.adapters.git.capture import (
    SKIP_SMUDGE,
    Capture,
    capture,
    conversions,
    listed_ignored,
    may_convert,
    not_as_checked_out,
    temporary_index,
)
from posthog_code.adapters.git.cli import NO_HOOKS, GitCli, decode, encode
from posthog_code.adapters.git.guard import WriteGuard
from posthog_code.adapters.git.names import HIDDEN, hidden_ref, is_commit_id, is_ref_name
from posthog_code.adapters.git.places import Place, locate
from posthog_code.adapters.git.survey import checkout_mode
from posthog_code.domain.errors import InvalidInput, NotFound, Refused
from posthog_code.ports.git import Snapshot

MANIFEST = "manifest.json"
Manifest = dict[str, Any]
"""See capture.capture for its keys."""

_CHECKOUT = (*NO_HOOKS, "-c", "checkout.workers=4", "-c", "submodule.recurse=false")
_WHO = {
    "GIT_AUTHOR_NAME": "PostHog Code",
    "GIT_AUTHOR_EMAIL": "checkpoints@posthog-code.invalid",
    "GIT_COMMITTER_NAME": "PostHog Code",
    "GIT_COMMITTER_EMAIL": "checkpoints@posthog-code.invalid",
}


class GitCheckpoints:
    """Implements ports.git.Checkpoints.

    A snapshot is a commit of the files on disk whose last parent is a commit of the index, whose last parent in turn
    holds the manifest. Both name HEAD as first parent, so that everything it needs stays reachable.
    """

    def __init__(self, cli: GitCli, guard: WriteGuard) -> None:
        self._cli = cli
        self._guard = guard

    async def take(self, worktree: Path, ref: str, message: str) -> Snapshot:
        hidden_ref(ref)
        place = self._place(worktree)
        async with self._cli.lanes.writing(place.git_dir):
            state, head, branch = await asyncio.gather(
                capture(self._cli, place), self._head(worktree), self._branch(worktree)
            )
            return await self.compose(worktree, state, head, branch, ref, message)

    async def compose(self, folder: Path, state: Capture, head: str, branch: str, ref: str, message: str) -> Snapshot:
        """The commits of a snapshot from its parts, which are in the object store; kept by `ref` unless that is ""."""
        facts = await self._commit(folder, await self._facts_tree(folder, state), "manifest", [])
        index = await self._commit(folder, state.index_tree, "index", [head, facts] if head else [facts])
        body = [message.strip() or "Checkpoint", ""]
        body += [f"Snapshot-Head: {head}", f"Snapshot-Branch: {branch}", f"Snapshot-Index: {state.index_tree}"]
        commit = await self._commit(folder, state.tree, "\n".join(body), [head, index] if head else [index])
        if ref:
            await self._cli.write(folder, *NO_HOOKS, "update-ref", "--no-deref", hidden_ref(ref), commit)
        return Snapshot(commit, ref, state.tree, state.index_tree, head, branch)

    async def read(self, repository: Path, ref_or_commit: str) -> Snapshot:
        if not is_commit_id(ref_or_commit) and not is_ref_name(ref_or_commit):
            raise InvalidInput(f"“{ref_or_commit}” is not a checkpoint.")
        shown = await self._cli.read(
            repository,
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            f"{ref_or_commit}^{{commit}}",
            ok=(0, 1, 128),
        )
        if shown.code:
            raise NotFound("This checkpoint is not there any more.", "", ref_or_commit)
        text = (await self._cli.read(repository, "cat-file", "commit", shown.text)).text
        head, _, body = text.partition("\n\n")
        trailers = dict(
            line.split(": ", 1) for line in body.split("\n") if line.startswith("Snapshot-") and ": " in line
        )
        if "Snapshot-Index" not in trailers:
            raise NotFound("This commit is not a checkpoint.", "", ref_or_commit)
        ref = "" if is_commit_id(ref_or_commit) else ref_or_commit
        return Snapshot(
            shown.text,
            ref,
            head.split("\n", 1)[0].removeprefix("tree "),
            trailers["Snapshot-Index"],
            trailers.get("Snapshot-Head", ""),
            trailers.get("Snapshot-Branch", ""),
        )

    async def verify(self, worktree: Path, snapshot: Snapshot) -> bool:
        """Raises Refused, with their names, when there is something that no snapshot can hold."""
        place = self._place(worktree)
        async with self._cli.lanes.writing(place.git_dir):
            state = await capture(self._cli, place)
            if state.unstored:
                raise Refused(
                    "The worktree holds what a snapshot cannot keep: " + "; ".join(state.unstored[:5]) + ".",
                    "Move these away (or push and remove them), then try again.",
                    "\n".join(state.unstored),
                )
            stored = await self._manifest(worktree, snapshot)
            if (state.tree, state.index_tree, state.manifest) != (snapshot.tree, snapshot.index_tree, stored):
                return False
            if await self._head(worktree) != snapshot.head or await self._branch(worktree) != snapshot.branch:
                return False
            return await self._bytes_equal(place, snapshot, json.loads(stored))

    async def restore(self, worktree: Path, snapshot: Snapshot, *, index: bool = True) -> None:
        place = self._guard.writable(worktree)
        manifest = json.loads(await self._manifest(worktree, snapshot))
        async with self._cli.lanes.writing(place.git_dir):
            # Seen from the files on disk, so that git removes what the snapshot does not know, and nothing ignored.
            now = await capture(self._cli, place)
            with temporary_index(place) as scratch:
                env = {"GIT_INDEX_FILE": os.fspath(scratch)} | SKIP_SMUDGE
                await self._cli.write(worktree, "read-tree", "--reset", now.tree, env=env)
                await self._keep_ignored(place, snapshot.tree, env)
                await self._cli.write(worktree, "update-index", "-q", "--refresh", env=env, ok=(0, 1))
                await self._cli.write(worktree, *_CHECKOUT, "read-tree", "--reset", "-u", snapshot.tree, env=env)
                await self._outside_sparse(place, snapshot.tree, manifest, env)
            await self._exact(place, snapshot.tree, json.loads(now.manifest), manifest)
            if index:
                await self._restore_index(place, snapshot, manifest)

    async def delete_refs(self, repository: Path, prefix: str) -> None:
        hidden_ref(prefix.rstrip("/") if prefix != HIDDEN else HIDDEN + "x")
        found = await self._cli.read(repository, "for-each-ref", "--format=%(refname)", prefix.rstrip("/"))
        refs = [ref for ref in found.text.split("\n") if ref.startswith(HIDDEN)]
        if refs:
            data = b"".join(b"delete " + encode(ref) + b"\n" for ref in refs)
            await self._cli.write(repository, *NO_HOOKS, "update-ref", "--no-deref", "--stdin", stdin=data)

    def _place(self, worktree: Path) -> Place:
        place = locate(worktree)
        if place is None:
            raise NotFound(f"The worktree {worktree} is not there.", "Restore the task to create it again.")
        return place

    async def _head(self, worktree: Path) -> str:
        found = await self._cli.read(worktree, "rev-parse", "--verify", "--quiet", "HEAD^{commit}", ok=(0, 1, 128))
        return found.text if found.code == 0 else ""

    async def _branch(self, worktree: Path) -> str:
        found = await self._cli.read(worktree, "symbolic-ref", "--quiet", "HEAD", ok=(0, 1))
        return found.text.removeprefix("refs/heads/")

    async def _facts_tree(self, worktree: Path, state: Capture) -> str:
        blob = (await self._cli.write(worktree, "hash-object", "-w", "--stdin", stdin=state.manifest)).text
        rows = [(MANIFEST, blob)] + [(f"pinned-{oid}", oid) for oid in sorted(set(state.pinned))]
        data = b"".join(f"100644 blob {oid}\t{name}\0".encode() for name, oid in rows)
        return (await self._cli.write(worktree, "mktree", "-z", stdin=data)).text

    async def _commit(self, worktree: Path, tree: str, message: str, parents: list[str]) -> str:
        options = [part for parent in parents for part in ("-p", parent)]
        result = await self._cli.write(
            worktree,
            "-c",
            "commit.gpgSign=false",
            "commit-tree",
            *options,
            tree,
            stdin=encode(message + "\n"),
            env=_WHO,
        )
        return result.text

    async def manifest(self, folder: Path, snapshot: Snapshot) -> bytes:
        """What the trees of a snapshot do not say. Raises NotFound."""
        return await self._manifest(folder, snapshot)

    async def _manifest(self, worktree: Path, snapshot: Snapshot) -> bytes:
        parent = 2 if snapshot.head else 1
        name = f"{snapshot.commit}^{parent}^{parent}:{MANIFEST}"
        found = await self._cli.read(worktree, "cat-file", "blob", name, ok=(0, 128))
        if found.code:
            raise NotFound("This checkpoint is not complete.", "Use another one.", found.err)
        return found.out

    async def _bytes_equal(self, place: Place, snapshot: Snapshot, manifest: Manifest) -> bool:
        """Compare every file with the stored bytes, whatever git believes from file times."""
        listing = await self._cli.read(place.top, "ls-tree", "-r", "-z", "--full-tree", snapshot.tree)
        different = await asyncio.to_thread(_unlike, place.top, listing.out, set(manifest["absent"]))
        if not different:
            return True
        if any(path in manifest["raw"] for path in different):
            return False
        if not await may_convert(self._cli, place, set(different) | {".gitattributes"}):
            return False
        with temporary_index(place) as scratch:
            env = {"GIT_INDEX_FILE": os.fspath(scratch)}
            await self._cli.write(place.top, "read-tree", snapshot.tree, env=env)
            converted = await conversions(self._cli, place, env, different)
            if set(different) - set(converted):
                return False
            return not await not_as_checked_out(self._cli, place, env, different)

    async def _keep_ignored(self, place: Place, tree: str, env: dict[str, str]) -> None:
        """Ignored files that are in the checkpoint of now, but not in the one to restore, stay on disk."""
        listed = await listed_ignored(self._cli, place)
        if not listed:
            return
        stored = await self._cli.read(place.top, "ls-tree", "-r", "-z", "--name-only", "--full-tree", tree)
        known = set(stored.items)
        data = b"".join(encode(path) + b"\0" for path in listed if path not in known)
        await self._cli.write(place.top, "update-index", "--force-remove", "-z", "--stdin", stdin=data, env=env)

    async def _outside_sparse(self, place: Place, tree: str, manifest: Manifest, env: dict[str, str]) -> None:
        """In a sparse checkout git writes only what belongs to it; there may have been more on disk."""
        if not any(flag.upper() == "S" for flag in manifest["flags"].values()):
            return
        absent = set(manifest["absent"])
        listing = await self._cli.read(place.top, "ls-tree", "-r", "-z", "--name-only", "--full-tree", tree)
        missing = [path for path in listing.items if path not in absent and not os.path.lexists(place.top / path)]
        data = b"".join(encode(path) + b"\0" for path in missing)
        await self._cli.write(place.top, "update-index", "--no-skip-worktree", "-z", "--stdin", stdin=data, env=env)
        await self._cli.write(place.top, *_CHECKOUT, "checkout-index", "-z", "--stdin", stdin=data, env=env)

    async def _exact(self, place: Place, tree: str, now: Manifest, manifest: Manifest) -> None:
        """What a checkout does not do: bytes without filters, permissions, empty folders."""
        for path in manifest["raw"]:
            found = await self._cli.read(place.top, "cat-file", "blob", f"{tree}:{path}")
            await asyncio.to_thread(_overwrite, place.top / path, found.out)

        def finish() -> None:
            for path in now["modes"]:
                _set_mode(place.top / path, None)
            for path, bits in manifest["modes"].items():
                _set_mode(place.top / path, bits)
            for path in set(now["empty"]) - set(manifest["empty"]):
                _remove_empty(place.top, path)
            for path in manifest["empty"]:
                (place.top / path).mkdir(parents=True, exist_ok=True)

        await asyncio.to_thread(finish)

    async def _restore_index(self, place: Place, snapshot: Snapshot, manifest: Manifest) -> None:
        top = place.top
        await self._cli.write(top, *NO_HOOKS, "read-tree", "--reset", snapshot.index_tree)
        if manifest["settled"]:
            # Git keeps the sizes that its own checkout has given, and takes another size for a change.
            settled = {encode(path) for path in manifest["settled"]}
            listing = await self._cli.read(top, "ls-files", "-s", "-z")
            lines = b"".join(line + b"\0" for line in listing.out.split(b"\0") if line.partition(b"\t")[2] in settled)
            await self._cli.write(top, *NO_HOOKS, "update-index", "-z", "--index-info", stdin=lines)
        conflicts = manifest["conflicts"]
        if conflicts:
            lines = b"".join(
                f"{mode} {blob} {stage}\t".encode() + encode(path) + b"\0" for mode, blob, stage, path in conflicts
            )
            await self._cli.write(top, *NO_HOOKS, "update-index", "-z", "--index-info", stdin=lines)
        hollow = manifest["intent_to_add"]
        present = [path for path in hollow if os.path.lexists(top / path)]
        if present:
            await self._cli.write(top, "--literal-pathspecs", "add", "--intent-to-add", "--force", "--", *present)
        await self._cli.write(top, *NO_HOOKS, "update-index", "-q", "--refresh", ok=(0, 1))
        flags = manifest["flags"]
        for option, wanted in (
            ("--assume-unchanged", [path for path, flag in flags.items() if flag.islower()]),
            ("--skip-worktree", [path for path, flag in flags.items() if flag.upper() == "S"]),
        ):
            if wanted:
                data = b"".join(encode(path) + b"\0" for path in wanted)
                await self._cli.write(top, *NO_HOOKS, "update-index", option, "-z", "--stdin", stdin=data)


def _unlike(top: Path, listing: bytes, absent: set[str]) -> list[str]:
    """Paths of `ls-tree -r -z` whose content on disk has another object id."""
    unlike = []
    for line in listing.split(b"\0"):
        if not line:
            continue
        head, _, name = line.partition(b"\t")
        mode, kind, oid = head.decode().split(" ")
        path = decode(name)
        if kind == "commit" or path in absent:
            continue
        if _object_id(top / path, mode, len(oid)) != oid:
            unlike.append(path)
    return unlike


def _object_id(path: Path, mode: str, length: int) -> str:
    digest = hashlib.sha1(usedforsecurity=False) if length == 40 else hashlib.sha256()
    try:
        info = path.lstat()
        if stat.S_ISLNK(info.st_mode) != (mode == "120000"):
            return ""
        if mode == "120000":
            data = os.fsencode(os.readlink(path))
            digest.update(b"blob %d\0" % len(data) + data)
            return digest.hexdigest()
        with path.open("rb") as file:
            digest.update(b"blob %d\0" % info.st_size)
            while chunk := file.read(1024 * 1024):
                digest.update(chunk)
    except OSError:
        return ""
    return digest.hexdigest()


def _overwrite(path: Path, data: bytes) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    path.write_bytes(data)
    path.chmod(mode)


def _set_mode(path: Path, bits: int | None) -> None:
    """None: what a checkout would give."""
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if stat.S_ISREG(mode):
        path.chmod(checkout_mode(mode) if bits is None else bits)


def _remove_empty(top: Path, path: str) -> None:
    folder = top / path
    while folder != top:
        try:
            folder.rmdir()
        except OSError:
            return  # in use, or gone already
        folder = folder.parent
