from __future__ import annotations

import os
import random
import shutil
import socket
from pathlib import Path

import pytest

from posthog_code.adapters.git.places import locate
from posthog_code.domain.errors import InvalidInput, NotFound, Refused
from posthog_code.ports.git import Snapshot
from tests.integration.git_world import REF, TASK, World, git, index_of, isolate, make_world, print_of, run, write


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    isolate(monkeypatch, tmp_path)
    return make_world(tmp_path)


def disturb(path: Path) -> None:
    """Every kind of change that an agent may leave."""
    rng = random.Random(7)
    write(path, "src/app.py", "staged\n")
    git(path, "add", "src/app.py")
    write(path, "src/app.py", "staged\nand more, not staged\n")
    git(path, "mv", "src/util.py", "src/renamed.py")
    write(path, "big.bin", rng.randbytes(5 * 1024 * 1024))
    write(path, "data.bin", rng.randbytes(1000))
    (path / "README.md").unlink()
    git(path, "rm", "-q", "--cached", "run.sh")
    (path / "link").unlink()
    (path / "link").symlink_to("src")
    (path / "dangling").symlink_to("no/where")
    write(path, "tool", "#!/bin/sh\n").chmod(0o755)
    write(path, "secret", "0600\n").chmod(0o600)
    write(path, "umläut and 'quote\".txt", "x\n")
    write(path, "new\nline.txt", "x\n")
    write(path, b"undecodable-\xff\xfe.txt", "x\n")
    write(path, "-dash.txt", "x\n")
    write(path, ":(top)colon.txt", "x\n")
    write(path, "intent.txt", "intent\n")
    git(path, "add", "-N", "intent.txt")
    write(path, "empty.txt", "")
    git(path, "add", "empty.txt")
    (path / "hollow" / "inner").mkdir(parents=True)
    write(path, "only.log", "ignored\n")
    write(path, "forced.log", "ignored but added\n")
    git(path, "add", "-f", "forced.log")


def archive(world: World, path: Path) -> Snapshot:
    snapshot = run(world.adapters.checkpoints.take(path, REF, "archive"))
    moved = run(
        world.adapters.worktrees.remove_to_trash(world.repo, path, task_id=TASK, snapshot=snapshot, trash=world.trash)
    )
    shutil.rmtree(moved)
    return snapshot


def bring_back(world: World, path: Path, snapshot: Snapshot) -> None:
    run(world.adapters.worktrees.readd(world.repo, path, branch=snapshot.branch, head=snapshot.head, task_id=TASK))
    run(world.adapters.checkpoints.restore(path, snapshot))


def test_archive_and_restore_give_the_same_worktree(world: World) -> None:
    path = world.add()
    disturb(path)
    files, index, head = print_of(path), index_of(path), git(path, "rev-parse", "HEAD")
    snapshot = archive(world, path)
    assert not path.exists()
    bring_back(world, path, run(world.adapters.checkpoints.read(world.repo, REF)))
    files.pop("only.log")  # ignored and not listed
    assert print_of(path) == files
    assert index_of(path) == index and git(path, "rev-parse", "HEAD") == head
    assert run(world.adapters.checkpoints.verify(path, snapshot))


def test_restore_takes_ignored_files_out_of_the_trash(world: World) -> None:
    path = world.add()
    disturb(path)
    write(path, "node_modules/deep/x.js", "ignored\n")
    (path / "node_modules" / "bin").symlink_to("deep")
    files = print_of(path)
    trees = world.adapters.worktrees
    snapshot = run(world.adapters.checkpoints.take(path, REF, "archive"))
    moved = run(trees.remove_to_trash(world.repo, path, task_id=TASK, snapshot=snapshot, trash=world.trash))
    write(moved / "files", "src/app.py", "changed in the trash\n")
    bring_back(world, path, snapshot)
    run(trees.take_rest(moved, path))
    assert print_of(path) == files
    assert print_of(moved / "files", skip=()).keys() == {"src", "src/app.py"}  # what differs is never thrown away
    write(moved / "files", "src/app.py", (path / "src" / "app.py").read_bytes())
    run(trees.take_rest(moved, path))
    assert not moved.exists() and print_of(path) == files


def test_submodules(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("COUNT", "1"), ("KEY_0", "protocol.file.allow"), ("VALUE_0", "always")):
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    git(world.root, "clone", "-q", str(world.repo), "library")
    git(world.repo, "submodule", "add", "-q", str(world.root / "library"), "lib")
    git(world.repo, "commit", "-qm", "submodule")
    path = world.add()
    files, index = print_of(path / "lib"), index_of(path)
    assert files
    write(path, "lib/precious.txt", "x")
    with pytest.raises(Refused, match=r"lib .a submodule with changes"):
        archive(world, path)
    (path / "lib" / "precious.txt").unlink()
    snapshot = archive(world, path)
    bring_back(world, path, snapshot)
    assert print_of(path / "lib") == files and index_of(path) == index


def test_sparse_checkout(world: World) -> None:
    path = world.add()
    git(path, "sparse-checkout", "set", "--no-cone", "/README.md", "/run.sh")
    assert not (path / "src").exists()
    write(path, "README.md", "changed\n")
    write(path, "new.txt", "new\n")
    files = print_of(path)
    snapshot = run(world.adapters.checkpoints.take(path, REF, "x"))
    assert run(world.adapters.checkpoints.verify(path, snapshot))
    write(path, "README.md", "changed again\n")
    (path / "new.txt").unlink()
    run(world.adapters.checkpoints.restore(path, snapshot))
    assert print_of(path) == files


def test_taking_touches_nothing(world: World) -> None:
    path = world.add()
    disturb(path)
    place = locate(path)
    assert place is not None
    index = place.git_dir / "index"
    before = (index.read_bytes(), index.stat().st_mtime_ns, print_of(path), git(path, "stash", "list"))
    own = {entry.name for entry in place.git_dir.iterdir()}
    first = run(world.adapters.checkpoints.take(path, REF, "one"))
    again = run(world.adapters.checkpoints.take(path, REF, "two"))
    assert (index.read_bytes(), index.stat().st_mtime_ns, print_of(path), git(path, "stash", "list")) == before
    assert {entry.name for entry in place.git_dir.iterdir()} == own
    assert (first.tree, first.index_tree) == (again.tree, again.index_tree)
    assert git(path, "log", "--oneline", "--all", "--not", "--glob=refs/posthog-code/*") == b""
    assert run(world.adapters.checkpoints.read(world.repo, REF)) == again
    assert run(world.adapters.checkpoints.read(world.repo, again.commit)).tree == again.tree


def test_verify_sees_every_difference(world: World) -> None:
    path = world.add()
    write(path, ".env", "ignored\n")
    check = world.adapters.checkpoints
    snapshot = run(check.take(path, REF, "x"))
    assert run(check.verify(path, snapshot))
    write(path, ".env", "not listed, so not compared\n")
    assert run(check.verify(path, snapshot))
    info = (path / "README.md").stat()
    write(path, "README.md", "# Sampl3\n")
    os.utime(path / "README.md", ns=(info.st_atime_ns, info.st_mtime_ns))
    assert not run(check.verify(path, snapshot))
    write(path, "README.md", "# Sample\n")
    assert run(check.verify(path, snapshot))
    for change, undo in (
        (lambda: write(path, "new.txt", "x"), lambda: (path / "new.txt").unlink()),
        (lambda: (path / "folder").mkdir(), lambda: (path / "folder").rmdir()),
        (lambda: (path / "README.md").chmod(0o600), lambda: (path / "README.md").chmod(0o644)),
        (lambda: git(path, "rm", "-q", "--cached", "link"), lambda: git(path, "add", "link")),
        (lambda: git(path, "switch", "-qc", "other"), lambda: git(path, "switch", "-q", "posthog-code/task-one")),
    ):
        change()
        assert not run(check.verify(path, snapshot))
        undo()
        assert run(check.verify(path, snapshot))


def test_listed_ignored_files_are_kept(world: World) -> None:
    path = world.add()
    write(path, ".worktreeinclude", ".env\nnode_modules/keep/\n")
    write(path, ".env", "A=1\n").chmod(0o600)
    write(path, "node_modules/keep/x.js", "keep\n")
    write(path, "node_modules/other/y.js", "other\n")
    files, index = print_of(path), index_of(path)
    snapshot = archive(world, path)
    bring_back(world, path, snapshot)
    assert print_of(path) == {k: v for k, v in files.items() if not k.startswith("node_modules/other")}
    assert index_of(path) == index


def test_restore_in_place_keeps_ignored_files(world: World) -> None:
    path = world.add()
    write(path, ".worktreeinclude", "*.log\n")
    write(path, "one.txt", "one\n")
    check = world.adapters.checkpoints
    snapshot = run(check.take(path, REF, "before"))
    files, index = print_of(path), index_of(path)
    write(path, "later.log", "ignored\n")
    write(path, "node_modules/x.js", "ignored\n")
    write(path, "later/later.txt", "later\n")
    (path / "hollow").mkdir()
    (path / "src" / "app.py").chmod(0o600)
    (path / "one.txt").unlink()
    shutil.rmtree(path / "src")
    git(path, "add", "-A")
    git(path, "commit", "-qm", "agent's commit")
    head = git(path, "rev-parse", "HEAD")
    run(check.restore(path, snapshot))
    now = print_of(path)
    assert now.pop("later.log") and now.pop("node_modules") and now.pop("node_modules/x.js")
    assert now == files and git(path, "rev-parse", "HEAD") == head
    assert git(path, "ls-files", "-s", "-v", "-z") == index[0]


def test_bytes_survive_line_end_conversion_and_filters(world: World) -> None:
    git(world.repo, "config", "filter.upper.clean", "tr a-z A-Z")
    git(world.repo, "config", "filter.upper.smudge", "cat")
    write(world.repo, ".gitattributes", "*.txt text=auto\n*.win text eol=crlf\n*.up filter=upper\n*.id ident\n")
    write(world.repo, "old.txt", "one\ntwo\n")
    git(world.repo, "add", "-A")
    git(world.repo, "commit", "-qm", "attributes")
    path = world.add()
    write(path, "old.txt", b"one\r\ntwo\r\n")
    write(path, "mixed.win", b"one\r\ntwo\nthree\r\n")
    write(path, "pure.win", b"one\r\ntwo\r\n")
    write(path, "a.up", b"lower\n")
    write(path, "b.id", b"$Id: 1234 $\n")
    write(path, "lf.txt", b"lf\n")
    files, index = print_of(path), index_of(path)
    snapshot = archive(world, path)
    bring_back(world, path, snapshot)
    assert print_of(path) == files
    assert index_of(path) == index
    assert run(world.adapters.checkpoints.verify(path, snapshot))


def test_autocrlf(world: World) -> None:
    git(world.repo, "config", "core.autocrlf", "input")
    path = world.add()
    write(path, "README.md", b"# Sample\r\nmore\r\n")
    write(path, "new.txt", b"a\r\nb\r\n")
    files, index = print_of(path), index_of(path)
    snapshot = archive(world, path)
    bring_back(world, path, snapshot)
    assert print_of(path) == files and index_of(path) == index


def test_conflicted_index_is_kept(world: World) -> None:
    path = world.add()
    write(path, "README.md", "# ours\n")
    git(path, "commit", "-qam", "ours")
    write(world.repo, "README.md", "# theirs\n")
    git(world.repo, "commit", "-qam", "theirs")
    git(path, "merge", "-q", "main", ok=False)
    assert b"u UU" in git(path, "status", "--porcelain=v2")
    files, index = print_of(path), git(path, "ls-files", "-s", "-z")
    snapshot = archive(world, path)
    bring_back(world, path, snapshot)
    assert print_of(path) == files and git(path, "ls-files", "-s", "-z") == index


def test_flags_of_the_index_do_not_hide_changes(world: World) -> None:
    path = world.add()
    git(path, "update-index", "--assume-unchanged", "README.md")
    git(path, "update-index", "--skip-worktree", "src/app.py")
    write(path, "README.md", "hidden change\n")
    write(path, "src/app.py", "hidden too\n")
    files, index = print_of(path), index_of(path)
    snapshot = archive(world, path)
    bring_back(world, path, snapshot)
    assert print_of(path) == files and index_of(path) == index


def test_what_git_cannot_store_stops_the_removal_only(world: World) -> None:
    path = world.add()
    check = world.adapters.checkpoints
    git(path, "init", "-q", "nested")
    write(path, "nested/precious.txt", "x")
    snapshot = run(check.take(path, REF, "goes on"))
    with pytest.raises(Refused, match=r"nested .a git repository of its own"):
        run(check.verify(path, snapshot))
    with pytest.raises(Refused, match="nested"):
        archive(world, path)
    assert (path / "nested" / "precious.txt").exists()
    shutil.rmtree(path / "nested")
    cwd = os.getcwd()
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(path)
        try:
            server.bind("agent.sock")
        finally:
            os.chdir(cwd)
        snapshot = run(check.take(path, REF, "goes on"))
        with pytest.raises(Refused, match="socket"):
            run(check.verify(path, snapshot))


def test_detached_and_recreated_branch(world: World) -> None:
    path = world.add()
    git(path, "commit", "-q", "--allow-empty", "-m", "own")
    write(path, "x.txt", "x")
    snapshot = archive(world, path)
    git(world.repo, "branch", "-D", snapshot.branch)
    bring_back(world, path, snapshot)
    assert git(path, "rev-parse", "HEAD").decode().strip() == snapshot.head
    assert git(path, "branch", "--show-current").decode().strip() == snapshot.branch
    git(path, "switch", "-q", "--detach")
    snapshot = archive(world, path)
    assert snapshot.branch == ""
    bring_back(world, path, snapshot)
    assert git(path, "branch", "--show-current") == b"" and (path / "x.txt").read_text() == "x"


def test_main_checkout_is_never_restored_into(world: World) -> None:
    snapshot = run(world.adapters.checkpoints.take(world.repo, REF, "local task"))
    with pytest.raises(Refused, match="main checkout"):
        run(world.adapters.checkpoints.restore(world.repo, snapshot))


def test_refs(world: World) -> None:
    path = world.add()
    check = world.adapters.checkpoints
    for ref in ("refs/heads/x", "refs/posthog-code/../heads/x", "HEAD", "--delete"):
        with pytest.raises(InvalidInput):
            run(check.take(path, ref, "x"))
    run(check.take(path, REF, "x"))
    run(check.take(path, "refs/posthog-code/task-10/1", "x"))
    with pytest.raises(InvalidInput):
        run(check.delete_refs(world.repo, "refs/heads/"))
    run(check.delete_refs(world.repo, "refs/posthog-code/task-1/"))
    assert git(world.repo, "for-each-ref", "--format=%(refname)", "refs/posthog-code").split() == [
        b"refs/posthog-code/task-10/1"
    ]
    with pytest.raises(NotFound):
        run(check.read(world.repo, REF))
    with pytest.raises(NotFound):
        run(check.read(world.repo, "main"))


def test_snapshot_survives_garbage_collection(world: World) -> None:
    path = world.add()
    disturb(path)
    files, index = print_of(path), index_of(path)
    snapshot = archive(world, path)
    git(world.repo, "reflog", "expire", "--expire=now", "--all")
    git(world.repo, "gc", "-q", "--prune=now")
    bring_back(world, path, snapshot)
    files.pop("only.log")
    assert print_of(path) == files and index_of(path) == index
