"""Makes, lists and puts away worktrees. Only what carries our mark is ever moved, and it is moved, not deleted."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from posthog_code.adapters.git import trash as bin_
from posthog_code.adapters.git.carry import carry
from posthog_code.adapters.git.cli import NO_HOOKS, GitCli, OnLine, encode
from posthog_code.adapters.git.guard import WriteGuard
from posthog_code.adapters.git.names import branch_ref, commit_id
from posthog_code.adapters.git.patience import finish
from posthog_code.adapters.git.places import (
    Marker,
    Place,
    admin_dirs,
    back_pointer,
    common_dir_of,
    locate,
    read_marker,
    registrations,
    same_file,
    write_marker,
)
from posthog_code.adapters.git.repository import GitRepositories
from posthog_code.domain.errors import Conflict, GitFailed, NotFound, Refused, UserError
from posthog_code.domain.ids import TaskId
from posthog_code.ports.git import Snapshot, WorktreeFacts

LOCK_REASON = "PostHog Code task"

CHECKOUT = (*NO_HOOKS, "-c", "checkout.workers=4", "-c", "checkout.thresholdForParallelism=1000")
SKIP_SMUDGE = {"GIT_LFS_SKIP_SMUDGE": "1"}
_CLOCK_SLACK = 0.05
"""Seconds by which file times may lag behind the clock."""


class GitWorktrees:
    """Implements ports.git.Worktrees."""

    def __init__(
        self,
        cli: GitCli,
        guard: WriteGuard,
        repositories: GitRepositories,
        verify: Callable[[Path, Snapshot], Awaitable[bool]],
        trash: Path | None = None,
    ) -> None:
        self._cli = cli
        self._guard = guard
        self._repositories = repositories
        self._verify = verify
        self._trash = trash

    async def add(
        self,
        repository: Path,
        path: Path,
        *,
        branch: str,
        base: str,
        task_id: TaskId,
        on_line: OnLine | None = None,
    ) -> WorktreeFacts:
        ref = branch_ref(branch)
        commit = await self._repositories.resolve(repository, base)
        common = self._common(repository)
        async with self._cli.lanes.writing(common):
            self._check_folder(repository, path, common, task_id)
            await self._check_branch(repository, branch)
            command = ("worktree", "add", "--no-checkout", "--no-track", "-b", branch, "--", os.fspath(path), commit)
            await self._make(repository, path, common, command, task_id, commit, on_line, new_ref=ref)
        return await self._fill(repository, path, common, branch, commit, task_id, on_line, new_ref=ref)

    async def readd(
        self,
        repository: Path,
        path: Path,
        *,
        branch: str,
        head: str,
        task_id: TaskId,
        on_line: OnLine | None = None,
    ) -> WorktreeFacts:
        commit_id(head)
        common = self._common(repository)
        new_ref = ""
        async with self._cli.lanes.writing(common):
            self._check_folder(repository, path, common, task_id)
            there = await self._branch_at(repository, branch) if branch else ("", "")
            if there[1]:
                raise _taken(branch, there[1])
            if not branch:
                what: tuple[str, ...] = ("--detach", "--", os.fspath(path), head)
            elif there[0]:
                what = ("--", os.fspath(path), branch)
            else:
                new_ref = branch_ref(branch)
                what = ("--no-track", "-b", branch, "--", os.fspath(path), head)
            command = ("worktree", "add", "--no-checkout", *what)
            await self._make(repository, path, common, command, task_id, head, on_line, new_ref=new_ref)
        return await self._fill(repository, path, common, branch, there[0] or head, task_id, on_line, new_ref=new_ref)

    async def _make(
        self,
        repository: Path,
        path: Path,
        common: Path,
        command: tuple[str, ...],
        task_id: TaskId,
        commit: str,
        on_line: OnLine | None,
        *,
        new_ref: str,
    ) -> None:
        """Register the worktree, without files yet, and mark it as ours before anything else happens to it."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            await self._cli.write(repository, *NO_HOOKS, *command, on_line=on_line)
            place = locate(path)
            if place is None or not same_file(place.common_dir, common):
                raise GitFailed(f"Git did not make a worktree at {path}.", "Look at the task's log.")
            write_marker(place.git_dir, Marker(task_id, 0.0, commit))
            reason = f"{LOCK_REASON} {task_id}"
            await self._cli.write(repository, "worktree", "lock", "--reason", reason, "--", os.fspath(path))
        except BaseException:
            await finish(self._roll_back(repository, path, common, new_ref, commit))
            raise

    async def _fill(
        self,
        repository: Path,
        path: Path,
        common: Path,
        branch: str,
        commit: str,
        task_id: TaskId,
        on_line: OnLine | None,
        *,
        new_ref: str,
    ) -> WorktreeFacts:
        """Write the files. Outside the repository's lane: two tasks may fill their folders at the same time."""
        try:
            place = self._guard.removable(repository, path, task_id)
            async with self._cli.lanes.writing(place.git_dir):
                await self._cli.write(
                    path,
                    *CHECKOUT,
                    "reset",
                    "--hard",
                    "--no-recurse-submodules",
                    "HEAD",
                    env=SKIP_SMUDGE,
                    on_line=on_line,
                )
                await self._extras(path, on_line or _silent)
                write_marker(place.git_dir, Marker(task_id, time.time() - _CLOCK_SLACK, commit))
        except BaseException:
            await finish(self._roll_back(repository, path, common, new_ref, commit, lane=True))
            raise
        return WorktreeFacts(path, branch, commit, task_id, locked=True)

    async def _extras(self, path: Path, on_line: OnLine) -> None:
        """Submodules and the LFS files that are here already. A failure is told, and is no error."""
        if (path / ".gitmodules").is_file():
            try:
                await self._cli.write(
                    path, *NO_HOOKS, "submodule", "update", "--init", "--recursive", timeout=900, on_line=on_line
                )
            except UserError as error:
                on_line(f"submodules were not initialised: {error.title} {error.detail}".rstrip())
        attributes = path / ".gitattributes"
        try:
            has_lfs = attributes.is_file() and b"filter=lfs" in attributes.read_bytes()
        except OSError:
            has_lfs = False
        if has_lfs:
            try:
                await self._cli.write(path, *NO_HOOKS, "lfs", "checkout", timeout=300, on_line=on_line)
            except UserError as error:
                on_line(f"LFS files are pointers for now (git lfs pull fetches them): {error.title}")

    async def _roll_back(
        self, repository: Path, path: Path, common: Path, new_ref: str, commit: str, *, lane: bool = False
    ) -> None:
        """Take away what a failed `add` has made: the folder was not there before, so everything in it is git's."""
        if lane:
            async with self._cli.lanes.writing(common):
                await self._roll_back(repository, path, common, new_ref, commit)
            return
        self._guard.outside_main(repository, path)
        place = locate(path)
        if place is not None and place.linked and same_file(place.common_dir, common):
            await asyncio.to_thread(_take_down, place)
        else:
            _drop_empty(path)
            for admin in registrations(common, path):
                await asyncio.to_thread(bin_.unregister, Place(path, admin, common))
        if new_ref:
            await self._cli.write(repository, *NO_HOOKS, "update-ref", "-d", new_ref, commit, ok=(0, 1, 128))

    async def carry(self, repository: Path, worktree: Path, on_line: OnLine | None = None) -> tuple[str, ...]:
        place = self._guard.writable(worktree)
        if not place.linked:
            return ()
        return await carry(self._cli, repository, worktree, place.common_dir, on_line or _silent)

    async def list(self, repository: Path) -> tuple[WorktreeFacts, ...]:
        common = self._common(repository)
        listing = await self._cli.read(repository, "worktree", "list", "--porcelain")
        admins = {back_pointer(admin): admin for admin in admin_dirs(common)}
        facts = []
        for block in listing.text.split("\n\n"):
            rows = dict(line.partition(" ")[::2] for line in block.split("\n") if line)
            if "worktree" not in rows or "bare" in rows:
                continue
            path = Path(rows["worktree"])
            admin = admins.get(os.fspath(path / ".git"))
            marker = read_marker(admin) if admin else None
            facts.append(
                WorktreeFacts(
                    path,
                    rows.get("branch", "").removeprefix("refs/heads/"),
                    rows.get("HEAD", ""),
                    marker.task_id if marker else "",
                    "locked" in rows,
                    not path.is_dir(),
                )
            )
        return tuple(facts)

    async def remove_to_trash(
        self, repository: Path, worktree: Path, *, task_id: TaskId, snapshot: Snapshot, trash: Path
    ) -> Path:
        self._guard.outside_main(repository, trash / worktree.name)
        place = self._guard.removable(repository, worktree, task_id)
        _check_lock(place)
        if not await self._verify(worktree, snapshot):
            raise Refused(
                "The worktree has changed since its snapshot was taken, so it was not removed.",
                "Make sure that nothing writes to it any more and try again.",
                os.fspath(worktree),
            )
        async with self._cli.lanes.writing(place.common_dir), self._cli.lanes.writing(place.git_dir):
            self._guard.removable(repository, worktree, task_id)
            with bin_.told():
                return await finish(asyncio.to_thread(bin_.move_in, place, trash, task_id))

    async def put_back(self, repository: Path, trashed: Path, path: Path, *, task_id: TaskId) -> WorktreeFacts:
        """Undo `remove_to_trash` with everything that was in the folder, ignored files included.

        Raises NotFound when the trash was swept or the branch is gone (restore from the snapshot then), Conflict when
        the folder or the branch is taken, Refused when it is another task's.
        """
        trashed = bin_.of_task(trashed, task_id)
        note = bin_.read_note(trashed)
        common = self._common(repository)
        if note.task_id != task_id or not same_file(note.common_dir, common):
            raise Refused(f"{trashed} does not belong to this task.", "Restore the task from its snapshot instead.")
        self._guard.outside_main(repository, path)
        async with self._cli.lanes.writing(common):
            branch = bin_.branch_of(trashed)
            if branch:
                commit, elsewhere = await self._branch_at(repository, branch)
                if elsewhere:
                    raise _taken(branch, elsewhere)
                if not commit:
                    raise NotFound(f"The branch {branch} is gone.", "Restore the task from its snapshot instead.")
            with bin_.told():
                await finish(asyncio.to_thread(bin_.move_out, trashed, path))
        facts = await self.list(repository)
        return next(fact for fact in facts if same_file(fact.path, path))

    async def take_rest(self, trashed: Path, worktree: Path) -> None:
        place = self._guard.writable(worktree)
        marker = self._guard.marker(place)
        trashed = bin_.of_task(trashed, marker.task_id if marker else "")
        note = bin_.read_note(trashed, whole=False)
        if marker is None or marker.task_id != note.task_id:
            raise Refused(f"{trashed} does not belong to this task.", "Nothing was moved.", os.fspath(worktree))
        with bin_.told():
            missing = await asyncio.to_thread(bin_.only_in_trash, trashed, worktree)
            if missing:
                data = b"".join(encode(path) + b"\0" for path in missing)
                known = await self._cli.read(worktree, "check-ignore", "-z", "--stdin", stdin=data, ok=(0, 1))
                async with self._cli.lanes.writing(place.git_dir):
                    await finish(asyncio.to_thread(bin_.move_rest, trashed, worktree, known.items))
            await finish(asyncio.to_thread(bin_.drop_duplicates, trashed, worktree))

    async def discard_new(self, repository: Path, worktree: Path, *, task_id: TaskId, branch: str) -> None:
        ref = branch_ref(branch)
        if not os.path.lexists(worktree):
            return
        place = self._guard.removable(repository, worktree, task_id)
        _check_lock(place)
        marker = self._guard.marker(place)
        changed = await self._cli.read(worktree, "status", "--porcelain", "-z", "--untracked-files=all")
        tip, _ = await self._branch_at(repository, branch)
        own_work = bool(changed.out)
        async with self._cli.lanes.writing(place.common_dir), self._cli.lanes.writing(place.git_dir):
            if not own_work:
                await finish(asyncio.to_thread(_take_down, place))
            elif self._trash is not None:
                with bin_.told():
                    await finish(asyncio.to_thread(bin_.move_in, place, self._trash, task_id))
            else:
                raise Refused("The worktree has files that are nowhere else.", "Move them away first.", changed.text)
            if marker and marker.head and tip == marker.head:
                await self._cli.write(repository, *NO_HOOKS, "update-ref", "-d", ref, marker.head, ok=(0, 1, 128))

    def _common(self, repository: Path) -> Path:
        common = common_dir_of(repository)
        if common is None:
            raise NotFound(f"The repository {repository} is not there.", "Add it again from where it is now.")
        return common

    def _check_folder(self, repository: Path, path: Path, common: Path, task_id: str) -> None:
        self._guard.outside_main(repository, path)
        if os.path.lexists(path):
            raise Conflict(f"The folder {path} exists already.", "Use another name.")
        for admin in registrations(common, path):
            marker = read_marker(admin)
            if marker is None or marker.task_id != task_id:
                raise Conflict(
                    f"{path} is registered as a worktree that is missing.",
                    "Use another name, or run `git worktree prune` in the repository.",
                )
            # Ours, and its folder is gone: the registration has nothing behind it any more.
            bin_.unregister(Place(path, admin, common))

    async def _branch_at(self, repository: Path, branch: str) -> tuple[str, str]:
        """(commit, worktree that has it checked out) of a local branch; "" for none."""
        ref = branch_ref(branch)
        shape = "--format=%(refname)%00%(objectname)%00%(worktreepath)"
        result = await self._cli.read(repository, "for-each-ref", shape, ref)
        for line in result.text.split("\n"):
            name, _, rest = line.partition("\0")
            if name == ref:
                commit, _, path = rest.partition("\0")
                return commit, path
        return "", ""

    async def _check_branch(self, repository: Path, branch: str) -> None:
        commit, path = await self._branch_at(repository, branch)
        if path:
            raise _taken(branch, path)
        if commit:
            raise Conflict(f"The branch {branch} exists already.", "Use another name.")
        names = await self._cli.read(repository, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads")
        for name in names.text.split("\n"):
            # Refs are files on many systems: names that differ in case, or of which one is a folder, collide.
            if name.casefold() == branch.casefold():
                raise Conflict(f"The branch {name} differs from {branch} only in case.", "Use another name.")
            if name and (branch.startswith(name + "/") or name.startswith(branch + "/")):
                raise Conflict(f"The branch {branch} cannot exist beside {name}.", "Use another name.")


def _silent(_line: str) -> None:
    return None


def _taken(branch: str, path: str) -> Conflict:
    return Conflict(
        f"{branch} is already checked out in another worktree.", "Open that task, or use another name.", path
    )


def _check_lock(place: Place) -> None:
    """A lock that somebody else has put on the worktree is an answer."""
    try:
        reason = (place.git_dir / "locked").read_text("utf-8", "replace").strip()
    except FileNotFoundError:
        return
    if not reason.startswith(LOCK_REASON):
        raise Refused(
            f"The worktree {place.top} is locked.", "Unlock it with `git worktree unlock` if it may go.", reason
        )


def _take_down(place: Place) -> None:
    """Remove a worktree that holds nothing but what git has put there."""
    aside = place.top.with_name(f".{place.top.name}.posthog-code-removed")
    os.rename(place.top, aside)
    bin_.unregister(place)
    shutil.rmtree(aside)


def _drop_empty(path: Path) -> None:
    """Remove a folder that has nothing in it."""
    try:
        path.rmdir()
    except OSError:
        pass  # never made, or not empty: then it is not ours to remove
