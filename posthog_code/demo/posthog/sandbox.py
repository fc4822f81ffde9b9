"""A run's sandbox: a clone in which the agent works, its branch on the remote, and checkpoints of it."""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from posthog_code.demo.posthog.wire import Object
from posthog_code.demo.repositories import git, git_environment

CHECKPOINTS = "refs/posthog-code-checkpoint"
AUTHOR = ("PostHog Code", "code@posthog.example")


class SandboxError(Exception):
    """git refused; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    facts: Object
    """For the `git_checkpoint` notification, without the artifacts' paths."""
    pack: bytes
    """Base64 text of a pack: the checkpoint commit and all it needs beyond what the remote had."""
    index: bytes
    """Base64 text of git's index file."""


class Sandbox:
    def __init__(self, folder: Path, remote: str) -> None:
        self.folder = folder
        self.remote = remote

    def clone(self, base: str) -> str:
        """Make the clone with `base` checked out; gives the branch (the remote's default one for a base of "").

        Raises SandboxError.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        chosen = ["--branch", base] if base else []
        self._git("clone", "--quiet", *chosen, self.remote, str(self.folder), folder=self.folder.parent)
        name, address = AUTHOR
        for key, value in (("user.name", name), ("user.email", address), ("gc.auto", "0"), ("commit.gpgsign", "false")):
            self._git("config", key, value)
        return self.branch()

    def reconnect(self) -> None:
        """The remote may have another address than when the clone was made. Raises SandboxError."""
        self._git("remote", "set-url", "origin", self.remote)

    def branch(self) -> str:
        return self._git("rev-parse", "--abbrev-ref", "HEAD")

    def dirty(self) -> bool:
        return bool(self._git("status", "--porcelain"))

    def publish(self, branch: str, message: str) -> bool:
        """Commit everything to `branch` and push it; whether there was anything. Raises SandboxError."""
        if self.dirty():
            if self.branch() != branch:
                self._git("checkout", "--quiet", "-B", branch)
            self._git("add", "--all")
            self._git("commit", "--quiet", "--no-verify", "-m", message)
        elif self.branch() != branch or not self._ahead(branch):
            return False
        self._git("push", "--quiet", "--set-upstream", "origin", f"HEAD:refs/heads/{branch}")
        return True

    def _ahead(self, branch: str) -> bool:
        known = self._git("for-each-ref", "--format=%(objectname)", f"refs/remotes/origin/{branch}")
        return known != self._git("rev-parse", "HEAD")

    def free_branch(self, wanted: str) -> str:
        """`wanted`, or with a number behind it when the remote has that one already."""
        taken = set(self._git("for-each-ref", "--format=%(refname:lstrip=3)", "refs/remotes/origin").split())
        names = [wanted, *(f"{wanted}-{number}" for number in range(2, 100))]
        return next(name for name in names if name not in taken)

    def make_mess(self) -> None:
        """Leave every kind of change in the files: what a hand-over has to carry."""
        top = self.folder
        tracked = [name for name in self._git("ls-files", "*.md").split("\n") if name]
        if tracked:
            path = top / tracked[0]
            path.write_text(path.read_text(encoding="utf-8") + "\nStaged by the cloud.\n", encoding="utf-8")
            self._git("add", "--", tracked[0])
            path.write_text(path.read_text(encoding="utf-8") + "Not staged.\n", encoding="utf-8")
        if len(tracked) > 1:
            (top / tracked[-1]).unlink()
        (top / "notes").mkdir(exist_ok=True)
        (top / "notes" / "staged new.txt").write_text("new and staged\n", encoding="utf-8")
        self._git("add", "--", "notes/staged new.txt")
        (top / "notes" / "untracked ü.txt").write_text("new and not staged\n", encoding="utf-8")
        (top / "notes" / "picture.bin").write_bytes(bytes(range(256)) * 64)
        script = top / "notes" / "check.sh"
        script.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
        script.chmod(0o755)
        link = top / "notes" / "link"
        if not link.is_symlink():
            link.symlink_to("check.sh")

    # -- checkpoints

    def checkpoint(self) -> Checkpoint:
        """A commit of the files as they are (ignored ones left out), whose second parent is a commit of the index."""
        head = self._git("rev-parse", "HEAD")
        branch = self.branch()
        self._git("update-index", "-q", "--refresh", fails=True)
        index_file = self.folder / ".git" / "index"
        index_tree = self._git("write-tree")
        scratch = self.folder / ".git" / f"checkpoint-{secrets.token_hex(4)}"
        shutil.copyfile(index_file, scratch)
        try:
            self._git("add", "--all", index=scratch)
            worktree_tree = self._git("write-tree", index=scratch)
        finally:
            scratch.unlink(missing_ok=True)
        checkpoint_id = secrets.token_hex(8)
        index_commit = self._git("commit-tree", "-p", head, "-m", "index", index_tree)
        message = f"Checkpoint {checkpoint_id}"
        commit = self._git("commit-tree", "-p", head, "-p", index_commit, "-m", message, worktree_tree)
        ref = f"{CHECKPOINTS}/{checkpoint_id}"
        self._git("update-ref", ref, commit)
        pushed = self._git("for-each-ref", "--format=%(refname)", f"refs/remotes/origin/{branch}")
        facts = {
            "checkpointId": checkpoint_id,
            "commit": commit,
            "checkpointRef": ref,
            "headRef": f"refs/heads/{branch}" if branch != "HEAD" else None,
            "head": head,
            "branch": branch if branch != "HEAD" else None,
            "indexTree": index_tree,
            "worktreeTree": worktree_tree,
            "upstreamRemote": "origin" if pushed else None,
            "upstreamMergeRef": f"refs/heads/{branch}" if pushed else None,
            "remoteUrl": self.remote,
            "device": {"type": "cloud", "name": "sandbox"},
        }
        return Checkpoint(facts, base64.b64encode(self._pack(commit)), base64.b64encode(index_file.read_bytes()))

    def _pack(self, commit: str) -> bytes:
        known = self._git("for-each-ref", "--format=^%(objectname)", "refs/remotes/origin").split()
        listed = "\n".join([commit, *dict.fromkeys(known)]) + "\n"
        command = ["git", "-C", str(self.folder), "pack-objects", "--revs", "--stdout", "-q"]
        done = subprocess.run(command, input=listed.encode(), capture_output=True, env=git_environment(), check=False)
        if done.returncode:
            raise SandboxError(done.stderr.decode("utf-8", "replace").strip())
        return done.stdout

    def apply(self, facts: Object, pack: bytes, index: bytes) -> None:
        """Bring the clone to a checkpoint: branch, HEAD, files and index. Raises SandboxError.

        `pack` and `index` are base64 text; the pack may also be a bundle. Without a usable index file the index gets
        `indexTree`.
        """
        data = base64.b64decode(pack) if pack else b""
        if data.startswith(b"PACK"):
            self._git("index-pack", "--stdin", "--fix-thin", stdin=data)
        elif data:
            bundle = self.folder / ".git" / "checkpoint.bundle"
            bundle.write_bytes(data)
            self._git("bundle", "unbundle", str(bundle))
            bundle.unlink()
        head, branch = str(facts.get("head") or ""), str(facts.get("branch") or "")
        if head and branch:
            self._git("checkout", "--quiet", "--force", "-B", branch, head)
        elif head:
            self._git("checkout", "--quiet", "--force", "--detach", head)
        worktree, staged = str(facts.get("worktreeTree") or ""), str(facts.get("indexTree") or "")
        if worktree:
            self._git("read-tree", "--reset", "-u", worktree)
        raw = base64.b64decode(index) if index else b""
        if raw.startswith(b"DIRC"):
            (self.folder / ".git" / "index").write_bytes(raw)
        if staged and self._git("write-tree", fails=True) != staged:
            self._git("read-tree", "--reset", staged)
        self._git("update-index", "-q", "--refresh", fails=True)

    def _git(
        self,
        *arguments: str,
        folder: Path | None = None,
        stdin: bytes | None = None,
        index: Path | None = None,
        fails: bool = False,
    ) -> str:
        try:
            if index is None:
                return git(folder or self.folder, *arguments, stdin=stdin)
            environment = {**git_environment(), "GIT_INDEX_FILE": os.fspath(index)}
            command = ["git", "-C", str(self.folder), *arguments]
            done = subprocess.run(command, capture_output=True, env=environment, check=True, stdin=subprocess.DEVNULL)
            return done.stdout.decode("utf-8", "replace").strip()
        except subprocess.CalledProcessError as error:
            if fails:
                return ""
            said = error.stderr.decode("utf-8", "replace").strip()
            raise SandboxError(said[-300:] or f"git {arguments[0]} failed") from error
