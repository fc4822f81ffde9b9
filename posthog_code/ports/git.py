"""Git, as the services need it. Paths are absolute; every method may raise GitFailed or ToolMissing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from posthog_code.domain.changes import ChangeSet, Scope
from posthog_code.domain.ids import TaskId

OnLine = Callable[[str], None]
"""Called with each line of output as it comes (also with the command itself, before it runs)."""


@dataclass(frozen=True, slots=True)
class RepositoryFacts:
    path: Path
    """Top level of the main checkout."""
    git_dir: Path
    """The common git directory."""
    default_branch: str
    """origin/HEAD, else the checked-out branch, else main or master if there."""
    current_branch: str
    """"" when HEAD is detached."""
    head: str
    """Commit of HEAD."""
    remote_url: str = ""
    dirty: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    name: str
    commit: str
    at: float
    """UNIX time of its last commit, s."""
    remote: bool = False
    """Only on the remote so far, e.g. "origin/feature"."""
    checked_out: str = ""
    """Path of the worktree that has it checked out, "" for none."""


@dataclass(frozen=True, slots=True)
class WorktreeFacts:
    path: Path
    branch: str
    """"" when detached."""
    head: str
    task_id: str = ""
    """From our marker; "" when it is not ours."""
    locked: bool = False
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole state of a worktree as a commit that a hidden ref keeps."""

    commit: str
    ref: str
    tree: str
    """Tree of the files on disk (tracked, untracked, listed ignored ones)."""
    index_tree: str
    """Tree of the index (what is staged)."""
    head: str
    branch: str


@dataclass(frozen=True, slots=True)
class OwnWork:
    """What the person did to one file lately."""

    commits: frozenset[str]
    """Abbreviated ids of their own commits that changed it."""
    last: float
    """UNIX time of the latest, s."""


class Git(Protocol):
    """Repositories and branches. Never writes to the main checkout's files, index or HEAD."""

    async def check(self) -> str:
        """Version of git. Raises ToolMissing, with the install line, when absent or too old (below 2.31)."""

    async def facts(self, path: Path) -> RepositoryFacts:
        """Raises NotFound (no such folder), InvalidInput (not a repository, bare, no commits)."""

    async def branches(self, repository: Path) -> tuple[Branch, ...]:
        """Local and remote ones, newest first."""

    async def resolve(self, repository: Path, name: str) -> str:
        """Commit of a branch, tag or commit; prefers the local branch, then origin's. Raises NotFound."""

    async def files(self, folder: Path) -> tuple[str, ...]:
        """Tracked and untracked, not ignored, relative paths."""

    async def merge_base(self, folder: Path, base: str, head: str = "HEAD") -> str:
        """Merge base of `head` and `base` (or its upstream); `base`'s commit when they share none. Raises NotFound."""

    async def own_work(self, repository: Path, since: float) -> Mapping[str, OwnWork]:
        """Files that the person's own commits (by git's own user.email there) changed since a UNIX time, on any branch,
        at most the latest 2,000 commits. Empty when git knows no email."""


class Worktrees(Protocol):
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
        """Create branch and worktree with hooks off, locked and marked with the task's id.

        Raises Conflict when the branch or folder is taken; rolls back what it made on any failure or cancellation.
        """

    async def carry(self, repository: Path, worktree: Path, on_line: OnLine | None = None) -> tuple[str, ...]:
        """Copy the ignored files that `.worktreeinclude` lists and link those of `.worktreelink`; gives their paths.

        Failures are lines for `on_line`, not errors.
        """

    async def list(self, repository: Path) -> tuple[WorktreeFacts, ...]: ...

    async def remove_to_trash(
        self, repository: Path, worktree: Path, *, task_id: TaskId, snapshot: Snapshot, trash: Path
    ) -> Path:
        """Verify that `snapshot` equals the worktree, then move the folder to `trash` and prune its registration.

        Raises Refused without a matching marker, when it is the main checkout, or when the snapshot differs. Gives
        the path in the trash. The branch stays.
        """

    async def put_back(self, repository: Path, trashed: Path, path: Path, *, task_id: TaskId) -> WorktreeFacts:
        """Undo `remove_to_trash`, with everything that was in the folder (ignored files too).

        Raises NotFound when the trash was swept or the branch is gone (`readd` and `restore` then), Conflict when the
        folder or branch is taken, Refused when the folder in the trash is another task's.
        """

    async def discard_new(self, repository: Path, worktree: Path, *, task_id: TaskId, branch: str) -> None:
        """Undo `add` of a set-up that failed: only if marked as ours; the branch goes only while it has no commit of
        its own; changed files make it move to trash instead of vanishing (Refused if it cannot be proven)."""

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
        """Create the worktree again for a restore: existing branch, or recreated at `head`."""

    async def take_rest(self, trashed: Path, worktree: Path) -> None:
        """Move into a restored worktree what only the trashed folder has: ignored files such as dependencies."""


class Checkpoints(Protocol):
    """Snapshots of worktrees as hidden refs. The agent's index, HEAD and stash are never touched."""

    async def take(self, worktree: Path, ref: str, message: str) -> Snapshot:
        """Everything tracked and untracked, of any size, plus listed ignored files, in one commit kept by `ref`."""

    async def read(self, repository: Path, ref_or_commit: str) -> Snapshot:
        """Raises NotFound."""

    async def verify(self, worktree: Path, snapshot: Snapshot) -> bool:
        """Whether files and index of the worktree equal the snapshot now."""

    async def restore(self, worktree: Path, snapshot: Snapshot, *, index: bool = True) -> None:
        """Make files (and the index) equal the snapshot. HEAD and branch stay. Files that the snapshot does not know
        and that are not ignored are removed, so take a snapshot first."""

    async def delete_refs(self, repository: Path, prefix: str) -> None:
        """Forget hidden refs; only below refs/posthog-code/."""


class Changes(Protocol):
    async def summary(self, worktree: Path, *, scope: Scope, old: str, new: str = "") -> ChangeSet:
        """Changed files with counts. `old` is a commit; `new` a commit, or "" for the files on disk with untracked
        ones. Reads take no optional lock and never write the worktree's own index."""

    def diff(
        self, worktree: Path, *, old: str, new: str = "", paths: Sequence[str] = (), context: int = 3
    ) -> AsyncIterator[bytes]:
        """`git diff` in chunks as they come (unified, full index, renames found, a/ b/ prefixes, no colour, quoted
        paths off)."""

    async def blob(self, worktree: Path, commit: str, path: str) -> bytes | None:
        """A file at a commit, or on disk when `commit` is ""; None when it is not there."""

    async def apply(self, worktree: Path, patch: bytes, *, reverse: bool = False) -> None:
        """Apply a patch, or its reverse, to the files on disk (never the index). Raises Conflict when it does not
        fit; then nothing was changed."""


class Publishing(Protocol):
    async def status(self, worktree: Path, base: str) -> tuple[tuple[str, ...], int]:
        """(paths that are not committed, commits ahead of the merge base with `base`)."""

    async def commit_all(self, worktree: Path, message: str, on_line: OnLine | None = None) -> str:
        """Add everything and commit, hooks on; gives the commit. Raises GitFailed with the hook's output, Refused
        without user.name/user.email (with the line that sets them)."""

    async def push(self, worktree: Path, branch: str, on_line: OnLine | None = None) -> str:
        """Push to origin with upstream; never forced. Gives the pushed commit. Raises Conflict when rejected as
        non-fast-forward, NotSignedIn, Offline, GitFailed."""

    async def log(self, worktree: Path, base: str, limit: int = 50) -> tuple[tuple[str, str], ...]:
        """(commit, subject) of commits ahead of the merge base, newest first."""

    async def template(self, worktree: Path) -> tuple[str, str]:
        """(path, text) of the pull request template, or ("", "")."""


@dataclass(frozen=True, slots=True)
class MarkedWorktree:
    """A worktree that our marker calls a task's."""

    path: Path
    repository: Path
    """Top level of the main checkout."""
    task_id: TaskId
    branch: str
    """"" when detached."""
    base_commit: str
    """What it was made from."""


@dataclass(frozen=True, slots=True)
class TrashedWorktree:
    trashed: Path
    """The folder in the trash."""
    task_id: TaskId
    path: Path
    """Where the worktree was."""
    repository: Path
    branch: str
    at: float
    """UNIX time when it was put there, s."""
    size: int
    """Bytes."""


class Remains(Protocol):
    """What is on disk of tasks, whatever the database says."""

    async def worktrees(self, folder: Path) -> tuple[MarkedWorktree, ...]:
        """Complete worktrees with our marker in a folder of worktrees."""

    async def trashed(self, trash: Path) -> tuple[TrashedWorktree, ...]:
        """Worktrees in the trash."""

    async def remove(self, trashed: TrashedWorktree) -> None:
        """Remove one from the trash, for good. Raises Refused when it is another task's, NotFound, StorageFailed."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A snapshot as another machine can take it."""

    snapshot: Snapshot
    """Without ignored files: they stay on this machine. No ref keeps it."""
    pack: bytes
    """A git pack with everything of it that the other side does not have."""
    index: bytes
    """The staged state as git's index file."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """What another machine tells of a snapshot of its own."""

    head: str
    tree: str
    """Tree of the files."""
    index_tree: str
    commit: str = ""
    """Its commit; of one that `Transfer.export` made, more than the trees is understood."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """A local branch beside a commit that it should be at."""

    local: str = ""
    """Commit of the local branch, "" when there is none."""
    path: str = ""
    """Worktree that has it checked out."""
    mine: tuple[str, ...] = ()
    """Subjects of commits that only the local branch has, newest first, at most 20."""
    theirs: int = 0
    """Commits that only the other side has."""


class Transfer(Protocol):
    """Snapshots between machines. Branches and files that are here already are never overwritten."""

    async def fetch(self, repository: Path, branch: str, on_line: OnLine | None = None) -> str:
        """Bring origin's branch up to date; gives its commit, "" when origin has no such branch. Raises NotSignedIn,
        Offline."""

    async def clone(self, url: str, path: Path, on_line: OnLine | None = None) -> None:
        """Raises Conflict when the folder is there already."""

    async def export(self, worktree: Path, snapshot: Snapshot, known: Sequence[str] = ()) -> Parcel:
        """Pack a snapshot for a side that has the commits `known` and all before them."""

    async def import_(self, repository: Path, foreign: Foreign, data: bytes, *, ref: str, branch: str) -> Snapshot:
        """Make a foreign snapshot one of ours, kept by the hidden `ref`, that is to be restored on `branch`. `data` is
        a git pack or bundle, or nothing when its objects are here. Raises NotFound when something is missing."""

    async def tree(self, repository: Path, commit: str) -> str:
        """Tree of a commit."""

    async def meet(self, repository: Path, branch: str, commit: str) -> Meeting:
        """Compare the local branch with a commit that is here."""

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
        """Make the task's worktree at `path` on `branch` at `head`. A local branch that is merely behind is moved
        forward. May be called again after it was cut short, with the same path, which must have been free before the
        first call. Raises Conflict when the branch has commits of its own or is checked out elsewhere."""


class Watcher(Protocol):
    """File-system events of a worktree (no polling where the OS has events)."""

    async def changes(self, worktree: Path) -> AsyncIterator[None]:
        """Yields once when it has begun to watch, then whenever something in the worktree or its git state changes,
        coalesced over 250 ms."""
        yield None
