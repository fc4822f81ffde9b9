"""Snapshots between machines: packed for one that lacks them, taken over from one that made them."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence, Set
from pathlib import Path
from typing import Any

from posthog_code.adapters.git import trash as bin_
from posthog_code.adapters.git.capture import Capture, listed_ignored
from posthog_code.adapters.git.checkpoints import GitCheckpoints
from posthog_code.adapters.git.cli import NO_HOOKS, GitCli, OnLine, encode
from posthog_code.adapters.git.guard import WriteGuard
from posthog_code.adapters.git.names import branch_ref, commit_id, hidden_ref, is_commit_id
from posthog_code.adapters.git.places import Place, common_dir_of, locate, read_marker, registrations, same_file
from posthog_code.adapters.git.publish import Auth, credentials
from posthog_code.adapters.git.worktrees import GitWorktrees
from posthog_code.domain.errors import Conflict, GitFailed, InvalidInput, NotFound
from posthog_code.domain.ids import TaskId
from posthog_code.domain.text import plural
from posthog_code.ports.git import Foreign, Meeting, Parcel, Snapshot

NETWORK_TIMEOUT = 900.0
SUBJECTS = 20
_EMPTY: dict[str, Any] = {
    "version": 1,
    "conflicts": [],
    "intent_to_add": [],
    "flags": {},
    "absent": [],
    "empty": [],
    "modes": {},
    "raw": [],
    "settled": [],
}
"""A manifest that adds nothing to the trees: all that a snapshot of another program tells."""
_MODES = frozenset({"100644", "100755", "120000", "160000"})
_FLAGS = frozenset({"H", "h", "S", "s"})


class GitTransfer:
    """Implements ports.git.Transfer."""

    def __init__(
        self,
        cli: GitCli,
        guard: WriteGuard,
        checkpoints: GitCheckpoints,
        worktrees: GitWorktrees,
        auth: Auth | None = None,
    ) -> None:
        self._cli = cli
        self._guard = guard
        self._checkpoints = checkpoints
        self._worktrees = worktrees
        self._auth = auth

    # -- the network -------------------------------------------------------------------------------------------

    async def fetch(self, repository: Path, branch: str, on_line: OnLine | None = None) -> str:
        ref = branch_ref(branch)
        url = await self._cli.read(repository, "remote", "get-url", "origin", ok=(0, 2, 128))
        if url.code:
            raise NotFound(
                "The repository has no remote “origin”.", "Add one with `git remote add origin URL` and try again."
            )
        tracking = f"refs/remotes/origin/{branch}"
        async with self._cli.lanes.writing(self._common(repository)):
            try:
                await self._cli.write(
                    repository,
                    "fetch",
                    "--no-tags",
                    "--no-write-fetch-head",
                    "--no-recurse-submodules",
                    "origin",
                    f"+{ref}:{tracking}",
                    env=credentials(self._auth, url.text),
                    timeout=NETWORK_TIMEOUT,
                    on_line=on_line,
                )
            except GitFailed as error:
                if "couldn't find remote ref" in error.detail:
                    return ""
                raise
        found = await self._cli.read(repository, "rev-parse", "--verify", "--end-of-options", f"{tracking}^{{commit}}")
        return found.text

    async def clone(self, url: str, path: Path, on_line: OnLine | None = None) -> None:
        if os.path.lexists(path) and (not path.is_dir() or any(path.iterdir())):
            raise Conflict(f"The folder {path} exists already.", "Choose another one.")
        if url.startswith("-"):
            raise InvalidInput("This is no address of a repository.", "", url)
        path.parent.mkdir(parents=True, exist_ok=True)
        await self._cli.write(
            path.parent,
            "clone",
            "--no-recurse-submodules",
            "--",
            url,
            os.fspath(path),
            env=credentials(self._auth, url),
            timeout=NETWORK_TIMEOUT,
            on_line=on_line,
        )

    # -- out ---------------------------------------------------------------------------------------------------

    async def export(self, worktree: Path, snapshot: Snapshot, known: Sequence[str] = ()) -> Parcel:
        place = locate(worktree)
        if place is None:
            raise NotFound(f"The worktree {worktree} is not there.", "Restore the task to create it again.")
        async with self._cli.lanes.writing(place.git_dir):
            portable = await self._portable(place, snapshot)
            listed = [portable.commit, *(f"^{commit}" for commit in known if is_commit_id(commit))]
            pack = await self._cli.write(
                worktree, "pack-objects", "--revs", "--stdout", "-q", stdin="".join(f"{o}\n" for o in listed).encode()
            )
            index = await self._index_file(worktree, portable.index_tree)
        return Parcel(portable, pack.out, index)

    async def _portable(self, place: Place, snapshot: Snapshot) -> Snapshot:
        """The same without the ignored files that a snapshot of ours keeps: they are often secrets."""
        listed = set(await listed_ignored(self._cli, place))
        stored = await self._cli.read(place.top, "ls-tree", "-r", "-z", "--name-only", "--full-tree", snapshot.tree)
        drop = [path for path in stored.items if path in listed]
        if not drop:
            return snapshot
        manifest = json.loads(await self._checkpoints.manifest(place.top, snapshot))
        gone = set(drop)
        manifest["modes"] = {path: bits for path, bits in manifest["modes"].items() if path not in gone}
        for key in ("raw", "settled"):
            manifest[key] = [path for path in manifest[key] if path not in gone]
        with tempfile.TemporaryDirectory(prefix="posthog-code-") as folder:
            env = {"GIT_INDEX_FILE": os.path.join(folder, "index")}
            await self._cli.write(place.top, "read-tree", snapshot.tree, env=env)
            data = b"".join(encode(path) + b"\0" for path in drop)
            await self._cli.write(place.top, "update-index", "--force-remove", "-z", "--stdin", stdin=data, env=env)
            tree = (await self._cli.write(place.top, "write-tree", env=env)).text
        state = _capture(tree, snapshot.index_tree, manifest)
        return await self._checkpoints.compose(
            place.top, state, snapshot.head, snapshot.branch, "", "A checkpoint without ignored files"
        )

    async def _index_file(self, worktree: Path, tree: str) -> bytes:
        """Made anew: git's own one may be split, sparse, or in a format that only this machine's git has."""
        with tempfile.TemporaryDirectory(prefix="posthog-code-") as folder:
            path = Path(folder, "index")
            env = {"GIT_INDEX_FILE": os.fspath(path)}
            plain = ("-c", "index.version=2", "-c", "core.splitIndex=false", "-c", "index.sparse=false")
            await self._cli.write(worktree, *plain, "read-tree", tree, env=env)
            return path.read_bytes()

    # -- in ----------------------------------------------------------------------------------------------------

    async def import_(self, repository: Path, foreign: Foreign, data: bytes, *, ref: str, branch: str) -> Snapshot:
        hidden_ref(ref)
        for part in (foreign.head, foreign.tree, foreign.index_tree):
            commit_id(part)
        async with self._cli.lanes.writing(self._common(repository)):
            if data.startswith(b"PACK"):
                await self._cli.write(repository, "index-pack", "--stdin", "--fix-thin", stdin=data)
            elif data.startswith(b"# v"):
                with tempfile.TemporaryDirectory(prefix="posthog-code-") as folder:
                    bundle = Path(folder, "bundle")
                    bundle.write_bytes(data)
                    await self._cli.write(repository, "bundle", "unbundle", os.fspath(bundle))
            elif data:
                raise InvalidInput("The checkpoint is in a format that is not known here.", "Update PostHog Code.")
            await self._complete(repository, foreign)
            manifest = await self._known_manifest(repository, foreign)
            return await self._checkpoints.compose(
                repository,
                _capture(foreign.tree, foreign.index_tree, manifest),
                foreign.head,
                branch,
                ref,
                "Taken over from another machine",
            )

    async def _complete(self, repository: Path, foreign: Foreign) -> None:
        """Raises NotFound when an object of the snapshot, or of the history before it, is not here."""
        names = (f"{foreign.head}^{{commit}}", f"{foreign.tree}^{{tree}}", f"{foreign.index_tree}^{{tree}}")
        for name in names:
            found = await self._cli.read(repository, "cat-file", "-e", name, ok=(0, 1, 128))
            if found.code:
                raise _incomplete(name)
        names = (foreign.head, foreign.tree, foreign.index_tree)
        data = "".join(f"{name}\n" for name in names).encode()
        walk = await self._cli.read(
            repository, "rev-list", "--objects", "--quiet", "--stdin", "--not", "--all", stdin=data, ok=(0, 1, 128)
        )
        if walk.code:
            raise _incomplete(walk.err)

    async def _known_manifest(self, repository: Path, foreign: Foreign) -> dict[str, Any]:
        """What a snapshot that this program made tells besides its trees."""
        if not is_commit_id(foreign.commit):
            return dict(_EMPTY)
        try:
            made = await self._checkpoints.read(repository, foreign.commit)
            if (made.tree, made.index_tree) != (foreign.tree, foreign.index_tree):
                return dict(_EMPTY)
            manifest = json.loads(await self._checkpoints.manifest(repository, made))
        except (NotFound, ValueError):
            return dict(_EMPTY)
        listing = await self._cli.read(repository, "ls-tree", "-r", "-z", "--full-tree", foreign.tree)
        rows = [item.partition("\t") for item in listing.items]
        files = {path for head, _, path in rows if head.startswith("100")}
        return believable(manifest, files, {path for _, _, path in rows})

    # -- branches and folders ----------------------------------------------------------------------------------

    async def tree(self, repository: Path, commit: str) -> str:
        name = f"{commit_id(commit)}^{{tree}}"
        return (await self._cli.read(repository, "rev-parse", "--verify", "--end-of-options", name)).text

    async def meet(self, repository: Path, branch: str, commit: str) -> Meeting:
        ref = branch_ref(branch)
        commit_id(commit)
        shape = "--format=%(refname)%00%(objectname)%00%(worktreepath)"
        listing = await self._cli.read(repository, "for-each-ref", shape, ref)
        rows = (line.split("\0") for line in listing.text.split("\n") if line)
        local, path = next(((row[1], row[2]) for row in rows if row[0] == ref), ("", ""))
        if not local or local == commit:
            return Meeting(local, path)
        counts = await self._cli.read(repository, "rev-list", "--left-right", "--count", f"{local}...{commit}", "--")
        mine, theirs = (int(part) for part in counts.text.split())
        subjects: tuple[str, ...] = ()
        if mine:
            log = await self._cli.read(
                repository, "log", "-z", f"--max-count={SUBJECTS}", "--format=%h %s", f"{commit}..{local}", "--"
            )
            subjects = tuple(log.items)
        return Meeting(local, path, subjects, theirs)

    async def check_out(
        self,
        repository: Path,
        path: Path,
        *,
        branch: str,
        head: str,
        task_id: TaskId,
        on_line: OnLine | None = None,
    ) -> None:
        commit_id(head)
        common = self._common(repository)
        self._guard.outside_main(repository, path)
        if await self._made_before(path, common, branch, task_id):
            return
        met = await self.meet(repository, branch, head)
        if met.path:
            raise Conflict(
                f"{branch} is already checked out in another worktree.",
                "Open that task, or use another name.",
                met.path,
            )
        if met.mine:
            raise Conflict(
                f"The local branch {branch} has {plural(len(met.mine), 'commit')} that the other side does not have.",
                "Nothing was overwritten. Push or merge them first, or use another branch name.",
                "\n".join(met.mine),
            )
        if met.local and met.theirs:
            async with self._cli.lanes.writing(common):
                # Forward only, and only from where it was found.
                await self._cli.write(repository, *NO_HOOKS, "update-ref", branch_ref(branch), head, met.local)
        await self._worktrees.readd(repository, path, branch=branch, head=head, task_id=task_id, on_line=on_line)

    async def _made_before(self, path: Path, common: Path, branch: str, task_id: TaskId) -> bool:
        """Whether an earlier call got as far as a worktree with our mark; less than that is taken away."""
        place = locate(path)
        if place is not None and same_file(place.common_dir, common):
            marker = self._guard.marker(place)
            ours = marker is not None and marker.task_id == task_id
            if marker is not None and ours and marker.created:
                return True
            if not ours and (marker is not None or any(entry.name != ".git" for entry in path.iterdir())):
                raise Conflict(f"The folder {path} exists already.", "Use another name.")
            async with self._cli.lanes.writing(common):
                _take_away(place)
            return False
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
        async with self._cli.lanes.writing(common):
            for admin in registrations(common, path):
                if not os.path.lexists(path) and read_marker(admin) is None:
                    bin_.unregister(Place(path, admin, common))
        return False

    def _common(self, repository: Path) -> Path:
        common = common_dir_of(repository)
        if common is None:
            raise NotFound(f"The repository {repository} is not there.", "Add it again from where it is now.")
        return common


def believable(manifest: Any, files: Set[str], paths: Set[str]) -> dict[str, Any]:
    """What of a manifest from another machine may be acted on here: it names only what is in the snapshot, and nothing
    outside of the worktree. `files` are the regular files of the tree, `paths` all that is in it."""
    told = manifest if isinstance(manifest, dict) else {}

    def listed(key: str) -> list[Any]:
        return told[key] if isinstance(told.get(key), list) else []

    def named(key: str) -> list[tuple[Any, Any]]:
        return list(told[key].items()) if isinstance(told.get(key), dict) else []

    conflicts = [
        row
        for row in listed("conflicts")
        if isinstance(row, list) and len(row) == 4 and all(isinstance(part, str) for part in row)
        and row[0] in _MODES and is_commit_id(row[1]) and row[2] in ("1", "2", "3") and _inside(row[3])
    ]  # fmt: skip
    return {
        "version": 1,
        "conflicts": conflicts,
        "intent_to_add": [path for path in listed("intent_to_add") if _inside(path)],
        "flags": {path: flag for path, flag in named("flags") if _inside(path) and flag in _FLAGS},
        "absent": [path for path in listed("absent") if _inside(path)],
        "empty": [path for path in listed("empty") if _inside(path) and not _below_any(path, paths)],
        "modes": {path: bits & 0o777 for path, bits in named("modes") if path in files and type(bits) is int},
        "raw": [path for path in listed("raw") if isinstance(path, str) and path in files],
        "settled": [path for path in listed("settled") if isinstance(path, str) and path in files],
    }


def _inside(path: Any) -> bool:
    """A relative path that stays in the worktree and out of git's own folder."""
    if not isinstance(path, str) or not path or path.startswith("/") or "\0" in path or "\\" in path:
        return False
    parts = path.split("/")
    return all(part not in ("", ".", "..") and part.lower() != ".git" for part in parts)


def _below_any(path: str, paths: Set[str]) -> bool:
    """Whether the path, or a folder that it is in, is something else than a folder in the tree (a link, say)."""
    parts = path.split("/")
    return any("/".join(parts[:count]) in paths for count in range(1, len(parts) + 1))


def _capture(tree: str, index_tree: str, manifest: dict[str, Any]) -> Capture:
    text = json.dumps(manifest, sort_keys=True, ensure_ascii=True).encode()
    return Capture(tree, index_tree, text, tuple(row[1] for row in manifest["conflicts"]), ())


def _take_away(place: Place) -> None:
    """A worktree whose files git was still writing when everything ended: nobody else has been in it."""
    aside = place.top.with_name(f".{place.top.name}.posthog-code-removed")
    shutil.rmtree(aside, ignore_errors=True)
    os.rename(place.top, aside)
    bin_.unregister(place)
    shutil.rmtree(aside, ignore_errors=True)


def _incomplete(detail: str) -> NotFound:
    return NotFound("The checkpoint is not complete.", "Some of what it needs was not uploaded.", detail)
