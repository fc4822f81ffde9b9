from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path

import pytest

from posthog_code.adapters.git.places import locate
from posthog_code.domain.errors import Conflict, InvalidInput, NotFound, Refused
from posthog_code.domain.ids import TaskId
from tests.integration.git_world import REF, TASK, World, frozen, git, isolate, make_world, print_of, run, write


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    isolate(monkeypatch, tmp_path)
    return make_world(tmp_path)


def test_facts_and_branches(world: World) -> None:
    facts = run(world.adapters.git.facts(world.repo / "src"))
    assert facts.path == world.repo and facts.default_branch == facts.current_branch == "main" and not facts.dirty
    assert facts.git_dir == world.repo / ".git"
    path = world.add()
    assert run(world.adapters.git.facts(path)).path == world.repo
    branches = {branch.name: branch for branch in run(world.adapters.git.branches(world.repo))}
    assert branches["posthog-code/task-one"].checked_out == str(path)
    assert branches["main"].commit == facts.head and branches["main"].at > 0
    write(world.repo, "new.txt", "x")
    assert run(world.adapters.git.facts(world.repo)).dirty


def test_facts_says_what_is_wrong(world: World, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        run(world.adapters.git.facts(tmp_path / "nowhere"))
    (tmp_path / "plain").mkdir()
    with pytest.raises(InvalidInput, match="not a git repository"):
        run(world.adapters.git.facts(tmp_path / "plain"))
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "-q")
    with pytest.raises(InvalidInput, match="no commits"):
        run(world.adapters.git.facts(tmp_path / "empty"))
    git(tmp_path, "clone", "-q", "--bare", str(world.repo), "bare.git")
    with pytest.raises(InvalidInput, match="bare"):
        run(world.adapters.git.facts(tmp_path / "bare.git"))


def test_remote_branches_and_resolve(world: World, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(world.repo), "clone")
    clone = tmp_path / "clone"
    git(world.repo, "branch", "feature")
    git(world.repo, "tag", "-a", "v1", "-m", "v1")
    git(clone, "fetch", "-q", "--tags")
    git(clone, "config", "user.name", "x")
    branches = run(world.adapters.git.branches(clone))
    assert [(branch.name, branch.remote) for branch in branches if "feature" in branch.name] == [
        ("origin/feature", True)
    ]
    head = git(world.repo, "rev-parse", "HEAD").decode().strip()
    for name in ("main", "feature", "origin/feature", "v1", head, head[:8], "HEAD"):
        assert run(world.adapters.git.resolve(clone, name)) == head
    for name in ("nothing", "--help", "-x", "a b", "HEAD~0;x"):
        with pytest.raises(NotFound):
            run(world.adapters.git.resolve(clone, name))
    facts = run(world.adapters.git.facts(clone))
    assert facts.default_branch == "main" and facts.remote_url == str(world.repo)


def test_merge_base_follows_the_base_on_both_sides(world: World, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(world.repo), "clone")
    clone = tmp_path / "clone"
    write(world.repo, "later.txt", "later\n")
    git(world.repo, "add", "-A")
    git(world.repo, "commit", "-qm", "second")
    second = git(world.repo, "rev-parse", "HEAD").decode().strip()
    git(clone, "fetch", "-q")
    git(clone, "switch", "-q", "--no-track", "-c", "work", "origin/main")
    assert run(world.adapters.git.merge_base(clone, "main")) == second
    git(clone, "switch", "-q", "--orphan", "alone")
    git(clone, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x")
    assert run(world.adapters.git.merge_base(clone, "origin/main")) == second


def test_add_makes_a_marked_and_locked_worktree(world: World) -> None:
    hook = write(world.repo, ".git/hooks/post-checkout", f"#!/bin/sh\ntouch '{world.root}/hook-ran'\n")
    hook.chmod(0o755)
    before = frozen(world.repo)
    lines: list[str] = []
    path = world.add(on_line=lines.append)
    assert frozen(world.repo) == before
    assert print_of(path) == print_of(world.repo)
    assert not (world.root / "hook-ran").exists()
    place = locate(path)
    assert place is not None and json.loads((place.git_dir / "posthog-code-task").read_text())["task"] == TASK
    facts = {fact.path: fact for fact in run(world.adapters.worktrees.list(world.repo))}
    assert facts[path].task_id == TASK and facts[path].locked and not facts[path].missing
    assert facts[path].branch == "posthog-code/task-one" and not facts[world.repo].task_id
    assert git(path, "status", "--porcelain") == b""
    assert any(line.startswith("$ git") and "worktree add" in line for line in lines)
    assert any("exit 0" in line and "ms" in line for line in world.lines)


def test_add_refuses_what_is_taken(world: World) -> None:
    path = world.add()
    other = world.root / "other"
    with pytest.raises(Conflict) as caught:
        world.add(path=other)
    assert caught.value.title == "posthog-code/task-one is already checked out in another worktree."
    assert caught.value.hint == "Open that task, or use another name."
    with pytest.raises(Conflict, match="exists already"):
        world.add("posthog-code/other", path=path)
    for branch in ("posthog-code", "posthog-code/Task-One", "posthog-code/task-one/more"):
        with pytest.raises(Conflict):
            world.add(branch, path=other)
    for branch in ("-f", "a b", "a..b", "", "HEAD", "x.lock"):
        with pytest.raises(InvalidInput):
            world.add(branch, path=other)
    for bad in (world.repo, world.repo.parent, world.repo / ".git" / "x"):
        with pytest.raises(Refused):
            world.add("posthog-code/other", path=bad)
    assert not other.exists() and len(run(world.adapters.worktrees.list(world.repo))) == 2


@pytest.mark.parametrize("stop_at", range(1, 6))
def test_add_rolls_back_when_cancelled_anywhere(world: World, stop_at: int) -> None:
    refs = git(world.repo, "for-each-ref")
    before = frozen(world.repo)

    async def cancelled() -> None:
        count = 0
        original = world.adapters.worktrees._cli.write

        async def write_(*args: object, **extra: object) -> object:
            nonlocal count
            count += 1
            if count == stop_at:
                task.cancel()
                await asyncio.sleep(0)
            return await original(*args, **extra)  # type: ignore[arg-type]

        world.adapters.worktrees._cli.write = write_  # type: ignore[method-assign,assignment]
        task = asyncio.ensure_future(
            world.adapters.worktrees.add(world.repo, world.worktree, branch="b", base="main", task_id=TASK)
        )
        await asyncio.wait({task})
        world.adapters.worktrees._cli.write = original  # type: ignore[method-assign]
        assert task.cancelled() or stop_at > 3

    run(cancelled())
    if stop_at <= 3:
        assert not world.worktree.exists() and git(world.repo, "for-each-ref") == refs
        assert not (world.repo / ".git" / "worktrees").exists()
        assert os.listdir(world.worktree.parent) == []
    assert frozen(world.repo) == before


def test_several_at_once(world: World) -> None:
    trees = world.adapters.worktrees

    async def several() -> None:
        jobs = (
            trees.add(world.repo, world.root / f"t{n}", branch=f"t{n}", base="main", task_id=TASK) for n in range(5)
        )
        await asyncio.gather(*jobs)

    run(several())
    for number in range(5):
        assert git(world.root / f"t{number}", "status", "--porcelain") == b""


def test_add_rolls_back_when_the_checkout_fails(world: World) -> None:
    git(world.repo, "config", "filter.broken.clean", "cat")
    git(world.repo, "config", "filter.broken.smudge", "false")
    git(world.repo, "config", "filter.broken.required", "true")
    write(world.repo, ".gitattributes", "*.py filter=broken\n")
    git(world.repo, "add", ".gitattributes")
    git(world.repo, "commit", "-qm", "filter")
    refs = git(world.repo, "for-each-ref")
    with pytest.raises(Exception, match="filter"):
        world.add()
    assert not world.worktree.exists() and git(world.repo, "for-each-ref") == refs
    assert not (world.repo / ".git" / "worktrees").exists()


def test_a_stale_registration_of_ours_is_no_obstacle(world: World) -> None:
    path = world.add()
    shutil.rmtree(path)
    assert next(f for f in run(world.adapters.worktrees.list(world.repo)) if f.path == path).missing
    world.add("posthog-code/again")
    git(world.repo, "worktree", "add", "-q", str(world.root / "foreign"))
    shutil.rmtree(world.root / "foreign")
    with pytest.raises(Conflict, match="registered"):
        world.add("posthog-code/third", path=world.root / "foreign")


def test_carry_copies_and_links_only_ignored_files(world: World) -> None:
    write(world.repo, ".env", "SECRET=1\n").chmod(0o600)
    write(world.repo, "node_modules/a/index.js", "1\n")
    (world.repo / "node_modules" / "b").symlink_to("a")
    write(world.repo, "notes.txt", "untracked, not ignored\n")
    write(world.repo, "deep/x.log", "log\n")
    write(world.repo, ".worktreeinclude", "# secrets\n.env\nnotes.txt\nREADME.md\n*.log\n")
    write(world.repo, ".worktreelink", "node_modules/\n")
    before = frozen(world.repo)
    path = world.add()
    lines: list[str] = []
    done = run(world.adapters.worktrees.carry(world.repo, path, lines.append))
    assert sorted(done) == [".env", "deep/x.log", "node_modules"]
    assert (path / ".env").read_text() == "SECRET=1\n" and (path / ".env").stat().st_mode & 0o777 == 0o600
    assert os.readlink(path / "node_modules") == str(world.repo / "node_modules")
    assert not (path / "notes.txt").exists() and git(path, "status", "--porcelain") == b""
    assert frozen(world.repo) == before
    assert run(world.adapters.worktrees.carry(world.repo, path, lines.append)) == ()


def test_carry_copies_whole_folders(world: World) -> None:
    write(world.repo, "node_modules/a/index.js", "1\n")
    write(world.repo, "node_modules/.bin/tool", "#!/bin/sh\n").chmod(0o755)
    (world.repo / "node_modules" / "up").symlink_to("../README.md")
    write(world.repo, ".worktreeinclude", "/node_modules/\n")
    path = world.add()
    assert run(world.adapters.worktrees.carry(world.repo, path)) == ("node_modules",)
    assert print_of(path / "node_modules") == print_of(world.repo / "node_modules")


def test_submodules_are_initialised_or_told(world: World, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(world.repo), "library")
    git(world.repo, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(tmp_path / "library"), "lib")
    git(world.repo, "commit", "-qm", "submodule")
    lines: list[str] = []
    path = world.add(on_line=lines.append)  # git does not fetch submodules from local paths by default
    assert any("submodules were not initialised" in line for line in lines)
    assert (path / "lib").is_dir()


def test_trash_needs_marker_and_equal_snapshot(world: World) -> None:
    path = world.add()
    write(path, "work.txt", "work\n")
    trees = world.adapters.worktrees
    snapshot = run(world.adapters.checkpoints.take(path, REF, "archive"))

    async def remove(worktree: Path = path, task: str = TASK) -> Path:
        return await trees.remove_to_trash(
            world.repo, worktree, task_id=TaskId(task), snapshot=snapshot, trash=world.trash
        )

    with pytest.raises(Refused, match="another task"):
        run(remove(task="task-2"))
    for worktree in (world.repo, world.repo.parent):
        with pytest.raises(Refused):
            run(remove(worktree))
    git(world.repo, "worktree", "add", "-q", str(world.root / "foreign"))
    with pytest.raises(Refused, match="no mark"):
        run(remove(world.root / "foreign"))
    write(path, "late.txt", "written after the snapshot\n")
    with pytest.raises(Refused, match="changed"):
        run(remove())
    (path / "late.txt").unlink()
    git(world.repo, "worktree", "unlock", str(path))
    git(world.repo, "worktree", "lock", "--reason", "mine", str(path))
    with pytest.raises(Refused, match="locked"):
        run(remove())
    git(world.repo, "worktree", "unlock", str(path))
    before = frozen(world.repo)
    moved = run(remove())
    assert not path.exists() and (moved / "files" / "work.txt").read_text() == "work\n"
    assert frozen(world.repo) == before
    names = [fact.path.name for fact in run(trees.list(world.repo))]
    assert names == ["my repo", "foreign"]
    assert git(world.repo, "rev-parse", "posthog-code/task-one")


def test_put_back_is_an_exact_undo(world: World) -> None:
    path = world.add()
    write(path, "node_modules/a.js", "ignored\n")
    write(path, "staged.txt", "staged\n")
    git(path, "add", "staged.txt")
    write(path, "staged.txt", "more\n")
    place = locate(path)
    assert place is not None
    index = (place.git_dir / "index").read_bytes()
    before = print_of(path)
    snapshot = run(world.adapters.checkpoints.take(path, REF, "archive"))
    trees = world.adapters.worktrees
    moved = run(trees.remove_to_trash(world.repo, path, task_id=TASK, snapshot=snapshot, trash=world.trash))
    with pytest.raises(Refused):
        run(trees.put_back(world.repo, moved, path, task_id=TaskId("task-2")))
    facts = run(trees.put_back(world.repo, moved, path, task_id=TASK))
    assert facts.task_id == TASK and facts.locked and facts.branch == "posthog-code/task-one"
    assert print_of(path) == before and (place.git_dir / "index").read_bytes() == index
    assert not moved.exists()
    moved = run(trees.remove_to_trash(world.repo, path, task_id=TASK, snapshot=snapshot, trash=world.trash))
    git(world.repo, "worktree", "add", "-q", str(world.root / "other"), "posthog-code/task-one")
    with pytest.raises(Conflict):
        run(trees.put_back(world.repo, moved, path, task_id=TASK))
    git(world.repo, "worktree", "remove", str(world.root / "other"))
    run(trees.put_back(world.repo, moved, path, task_id=TASK))
    assert run(world.adapters.checkpoints.verify(path, snapshot))


def test_trash_on_another_file_system(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = world.add()
    write(path, "deep/work.txt", "work\n").chmod(0o640)
    before = print_of(path)
    snapshot = run(world.adapters.checkpoints.take(path, REF, "archive"))
    rename = os.rename

    def other_device(source: Path, target: Path) -> None:
        if str(target).startswith(str(world.trash)) and not str(source).startswith(str(world.trash)):
            raise OSError(18, "Invalid cross-device link")
        rename(source, target)

    monkeypatch.setattr(os, "rename", other_device)
    trees = world.adapters.worktrees
    moved = run(trees.remove_to_trash(world.repo, path, task_id=TASK, snapshot=snapshot, trash=world.trash))
    monkeypatch.undo()
    assert print_of(moved / "files") == before and not path.exists() and os.listdir(path.parent) == []


def test_discard_new(world: World) -> None:
    trees = world.adapters.worktrees
    path = world.add("posthog-code/one")
    run(trees.discard_new(world.repo, path, task_id=TASK, branch="posthog-code/one"))
    assert not path.exists() and git(world.repo, "branch", "--list", "posthog-code/*") == b""
    path = world.add("posthog-code/two")
    write(path, "precious.txt", "x")
    git(path, "commit", "-q", "--allow-empty", "-m", "own commit")
    run(trees.discard_new(world.repo, path, task_id=TASK, branch="posthog-code/two"))
    assert not path.exists() and b"two" in git(world.repo, "branch", "--list", "posthog-code/*")
    kept = world.root / "new-trash"
    assert [file.read_text() for file in kept.rglob("precious.txt")] == ["x"]
    with pytest.raises(Refused):
        run(trees.discard_new(world.repo, world.repo, task_id=TASK, branch="main"))
    run(trees.discard_new(world.repo, path, task_id=TASK, branch="posthog-code/two"))
