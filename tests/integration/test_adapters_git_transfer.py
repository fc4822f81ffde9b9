"""Snapshots between two clones: every kind of change arrives, and what is here already is never overwritten."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from posthog_code.adapters.git import make_git
from posthog_code.adapters.git.transfer import believable
from posthog_code.domain.errors import Conflict, InvalidInput, NotFound
from posthog_code.domain.ids import TaskId
from posthog_code.ports.git import Foreign, Snapshot
from tests.integration.git_world import World, git, index_of, isolate, make_world, print_of, run, write

OTHER = TaskId("task-2")
REF, THEIRS = "refs/posthog-code/task-1/to-cloud", "refs/posthog-code/task-2/from-cloud"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    isolate(monkeypatch, tmp_path / "home")
    made = make_world(tmp_path)
    bare = tmp_path / "origin.git"
    git(tmp_path, "clone", "-q", "--bare", str(made.repo), str(bare))
    git(made.repo, "remote", "add", "origin", str(bare))
    git(made.repo, "fetch", "-q", "origin")
    return made


def other_side(world: World) -> World:
    """A second clone with adapters of its own."""
    repo = world.root / "other"
    git(world.root, "clone", "-q", str(world.root / "origin.git"), str(repo))
    git(repo, "config", "user.name", "Ada Test")
    git(repo, "config", "user.email", "ada@example.com")
    return World(world.root / "there", repo, make_git(trash=world.root / "other-trash"))


def mess(folder: Path) -> None:
    """Every kind of change."""
    write(folder, "src/app.py", "committed\n")
    git(folder, "commit", "-qam", "second")
    write(folder, "src/app.py", "staged\n")
    git(folder, "add", "src/app.py")
    write(folder, "src/app.py", "staged, then changed\n")
    write(folder, "src/new ü.py", "new and staged\n")
    git(folder, "add", "src/new ü.py")
    write(folder, "notes/untracked.txt", "untracked\n")
    write(folder, "notes/large.bin", os.urandom(3_000_000))
    write(folder, "data.bin", bytes(reversed(range(256))) * 40)
    write(folder, "tool.sh", "#!/bin/sh\nexit 3\n").chmod(0o755)
    (folder / "run.sh").chmod(0o644)
    (folder / "also").symlink_to("tool.sh")
    (folder / "link").unlink()
    (folder / "link").symlink_to("README.md")
    (folder / "src/util.py").unlink()
    git(folder, "rm", "-q", "--cached", "README.md")
    (folder / "empty folder").mkdir()


def sent(world: World, folder: Path) -> tuple[Snapshot, Foreign, bytes, bytes]:
    adapters = world.adapters
    snapshot = run(adapters.checkpoints.take(folder, REF, "to send"))
    pushed = run(adapters.publishing.push(folder, snapshot.branch))
    parcel = run(adapters.transfer.export(folder, snapshot, [pushed]))
    one = parcel.snapshot
    return snapshot, Foreign(one.head, one.tree, one.index_tree, one.commit), parcel.pack, parcel.index


def received(there: World, foreign: Foreign, pack: bytes, branch: str) -> Path:
    transfer = there.adapters.transfer
    assert run(transfer.fetch(there.repo, branch)) == foreign.head
    snapshot = run(transfer.import_(there.repo, foreign, pack, ref=THEIRS, branch=branch))
    run(transfer.check_out(there.repo, there.worktree, branch=branch, head=snapshot.head, task_id=OTHER))
    run(there.adapters.checkpoints.restore(there.worktree, snapshot))
    assert run(there.adapters.checkpoints.verify(there.worktree, snapshot))
    return there.worktree


def test_everything_arrives_in_another_clone(world: World) -> None:
    here = world.add()
    mess(here)
    snapshot, foreign, pack, index = sent(world, here)
    assert pack.startswith(b"PACK") and index.startswith(b"DIRC") and len(pack) < 3_300_000
    there = other_side(world)
    folder = received(there, foreign, pack, snapshot.branch)
    assert print_of(folder) == print_of(here)
    assert index_of(folder)[0] == index_of(here)[0]
    assert git(folder, "diff", "--cached") == git(here, "diff", "--cached")
    assert git(folder, "log", "--format=%H %s") == git(here, "log", "--format=%H %s")
    # Without a pack that was sent, nothing is restored from half of it.
    lost = Foreign("1" * 40, foreign.tree, foreign.index_tree)
    with pytest.raises(NotFound):
        run(there.adapters.transfer.import_(there.repo, lost, b"", ref=THEIRS, branch="x"))
    with pytest.raises(InvalidInput):
        run(there.adapters.transfer.import_(there.repo, foreign, b"junk", ref=THEIRS, branch="x"))


def test_a_bundle_and_a_snapshot_of_another_program_are_taken_too(world: World) -> None:
    here = world.add()
    mess(here)
    (here / "empty folder").rmdir()
    snapshot, foreign, _, _ = sent(world, here)
    bundle = world.root / "x.bundle"
    git(here, "bundle", "create", "-q", str(bundle), REF, f"^{snapshot.head}")
    there = other_side(world)
    plain = Foreign(foreign.head, foreign.tree, foreign.index_tree)
    folder = received(there, plain, bundle.read_bytes(), snapshot.branch)
    assert print_of(folder) == print_of(here)
    assert index_of(folder)[0] == index_of(here)[0]


def test_ignored_files_stay_on_this_machine(world: World) -> None:
    write(world.repo, ".worktreeinclude", ".env\n")
    git(world.repo, "add", "-A")
    git(world.repo, "commit", "-qm", "list")
    write(world.repo, ".env", "SECRET=1\n")
    here = world.add()
    run(world.adapters.worktrees.carry(world.repo, here))
    write(here, "README.md", "changed\n")
    assert (here / ".env").read_text() == "SECRET=1\n"
    snapshot, foreign, pack, _ = sent(world, here)
    assert b".env" in git(here, "ls-tree", "--name-only", snapshot.tree)
    assert b".env\n" not in git(here, "ls-tree", "--name-only", foreign.tree)
    there = other_side(world)
    folder = received(there, foreign, pack, snapshot.branch)
    assert not (folder / ".env").exists() and (folder / "README.md").read_text() == "changed\n"
    secret = git(here, "hash-object", ".env").decode().strip()
    assert b"missing" in git(there.repo, "cat-file", "--batch-check", stdin=f"{secret}\n".encode())


def test_a_branch_with_commits_of_its_own_is_not_touched(world: World) -> None:
    here = world.add()
    mess(here)
    snapshot, foreign, pack, _ = sent(world, here)
    there = other_side(world)
    transfer, branch = there.adapters.transfer, snapshot.branch
    run(transfer.fetch(there.repo, branch))
    git(there.repo, "switch", "-qc", branch, "origin/main")
    write(there.repo, "mine.txt", "mine\n")
    git(there.repo, "add", "-A")
    git(there.repo, "commit", "-qm", "my own work")
    before = git(there.repo, "rev-parse", branch)
    run(transfer.import_(there.repo, foreign, pack, ref=THEIRS, branch=branch))
    met = run(transfer.meet(there.repo, branch, foreign.head))
    assert len(met.mine) == 1 and "my own work" in met.mine[0] and met.theirs == 1 and met.path == str(there.repo)
    arguments = {"branch": branch, "head": foreign.head, "task_id": OTHER}
    with pytest.raises(Conflict, match="checked out"):
        run(transfer.check_out(there.repo, there.worktree, **arguments))
    git(there.repo, "switch", "-q", "main")
    with pytest.raises(Conflict, match="1 commit"):
        run(transfer.check_out(there.repo, there.worktree, **arguments))
    assert git(there.repo, "rev-parse", branch) == before and not there.worktree.exists()
    # One that is merely behind is moved forward.
    git(there.repo, "branch", "-qf", branch, "main")
    run(transfer.check_out(there.repo, there.worktree, **arguments))
    assert git(there.worktree, "rev-parse", "HEAD").decode().strip() == foreign.head


def test_a_check_out_that_was_cut_short_is_done_again(world: World) -> None:
    head = git(world.repo, "rev-parse", "HEAD").decode().strip()
    transfer, path = world.adapters.transfer, world.worktree
    arguments = {"branch": "feature", "head": head, "task_id": OTHER}
    # Ended after git had registered the worktree, before our mark.
    path.parent.mkdir(parents=True)
    git(world.repo, "worktree", "add", "-q", "--no-checkout", "-b", "feature", str(path))
    run(transfer.check_out(world.repo, path, **arguments))
    assert (path / "README.md").is_file()
    # Ended while the files were written.
    admin = Path(git(path, "rev-parse", "--absolute-git-dir").decode().strip())
    marker = admin / "posthog-code-task"
    told = json.loads(marker.read_text())
    marker.write_text(json.dumps({**told, "created": 0.0}))
    (path / "README.md").unlink()
    run(transfer.check_out(world.repo, path, **arguments))
    assert (path / "README.md").is_file()
    # Complete: left as it is.
    write(path, "mine.txt", "mine\n")
    run(transfer.check_out(world.repo, path, **arguments))
    assert (path / "mine.txt").is_file()
    assert git(world.repo, "worktree", "list").count(b"\n") == 2


def test_a_branch_that_origin_does_not_have(world: World) -> None:
    assert run(world.adapters.transfer.fetch(world.repo, "nowhere")) == ""
    target = world.root / "cloned"
    run(world.adapters.transfer.clone(str(world.root / "origin.git"), target))
    assert (target / "README.md").is_file()
    with pytest.raises(Conflict):
        run(world.adapters.transfer.clone(str(world.root / "origin.git"), target))


def test_a_manifest_from_elsewhere_reaches_nothing_outside(world: World) -> None:
    files, paths = {"a.py", "src/b.py"}, {"a.py", "src/b.py", "link"}
    evil = {
        "version": 1,
        "conflicts": [["100644", "1" * 40, "1", "../x"], ["100644", "1" * 40, "1", "a.py"], ["x"], 7],
        "intent_to_add": ["/etc/passwd", "new.py", 3],
        "flags": {"../x": "S", "a.py": "h", "src/b.py": "--flag"},
        "absent": ["a.py", ".git/config"],
        "empty": ["../../out", "link/out", "a.py/x", "real/one", ".git/hooks", "/abs", "x/../../y", "Z/.GIT/x"],
        "modes": {"../../.bashrc": 0o777, "a.py": 0o4755, "link/x": 0o777, "src/b.py": "7"},
        "raw": ["../../.bashrc", "a.py", "link/x", None],
        "settled": ["/x", "a.py"],
    }
    kept = believable(evil, files, paths)
    assert kept == {
        "version": 1,
        "conflicts": [["100644", "1" * 40, "1", "a.py"]],
        "intent_to_add": ["new.py"],
        "flags": {"a.py": "h"},
        "absent": ["a.py"],
        "empty": ["real/one"],
        "modes": {"a.py": 0o755},
        "raw": ["a.py"],
        "settled": ["a.py"],
    }
    for odd in (None, [], {"modes": [], "raw": {}, "empty": "x", "conflicts": None}):
        assert believable(odd, files, paths)["raw"] == []
