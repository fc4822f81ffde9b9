from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from posthog_code.adapters.git.places import locate
from posthog_code.domain.changes import ChangedFile, ChangeSet, FileState, Scope
from posthog_code.domain.errors import Conflict, InvalidInput, NotFound, Refused
from tests.integration.git_world import REF, World, git, index_of, isolate, make_world, print_of, run, write
from tests.processes import children


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    isolate(monkeypatch, tmp_path)
    return make_world(tmp_path)


def head(folder: Path) -> str:
    return git(folder, "rev-parse", "HEAD").decode().strip()


def summary(world: World, path: Path, old: str = "", new: str = "") -> dict[str, ChangedFile]:
    found: ChangeSet = run(world.adapters.changes.summary(path, scope=Scope.ALL, old=old or head(world.repo), new=new))
    assert len({file.path for file in found.files}) == len(found.files)
    return {file.path: file for file in found.files}


def diff(world: World, path: Path, old: str = "", new: str = "", paths: tuple[str, ...] = ()) -> bytes:
    async def collect() -> bytes:
        chunks = world.adapters.changes.diff(path, old=old or head(world.repo), new=new, paths=paths)
        return b"".join([chunk async for chunk in chunks])

    return run(collect())


def test_nothing_changed(world: World) -> None:
    path = world.add()
    assert summary(world, path) == {} and diff(world, path) == b""


def test_kinds_of_changes_and_counts(world: World) -> None:
    path = world.add()
    write(path, "src/app.py", "".join(f"line_{n} = {n + (n == 3)}\n" for n in range(200)))
    git(path, "add", "src/app.py")
    git(path, "commit", "-qm", "own commit")
    write(path, "new.txt", "one\ntwo")
    write(path, "new.bin", b"\0\1\2")
    write(path, "umläut 'x\".txt", "x\n")
    write(path, b"bad-\xff.txt", "x\n")
    write(path, "line\nend.txt", "x\n")
    (path / "README.md").unlink()
    (path / "run.sh").chmod(0o644)
    (path / "link").unlink()
    write(path, "link", "a file now\n")
    write(path, "node_modules/x.js", "ignored\n")
    before = index_of(path)
    place = locate(path)
    assert place is not None
    index = (place.git_dir / "index").stat().st_mtime_ns
    files = summary(world, path)
    assert (place.git_dir / "index").stat().st_mtime_ns == index and index_of(path) == before
    assert {name: (file.state, file.added, file.removed) for name, file in files.items()} == {
        "src/app.py": (FileState.MODIFIED, 1, 1),
        "new.txt": (FileState.ADDED, 2, 0),
        "new.bin": (FileState.ADDED, 0, 0),
        "umläut 'x\".txt": (FileState.ADDED, 1, 0),
        "bad-\udcff.txt": (FileState.ADDED, 1, 0),
        "line\nend.txt": (FileState.ADDED, 1, 0),
        "README.md": (FileState.DELETED, 0, 1),
        "run.sh": (FileState.MODIFIED, 0, 0),
        "link": (FileState.TYPE_CHANGED, 1, 1),
    }
    assert files["new.bin"].binary and not files["new.txt"].binary


def test_untracked_only_is_counted_like_git_does(world: World) -> None:
    path = world.add()
    write(path, "a.txt", "1\n2\n3")
    write(path, "empty.txt", "")
    write(path, "zero.bin", b"text\0")
    (path / "points").symlink_to("a.txt")
    git(path, "init", "-q", "nested")
    files = summary(world, path)
    assert {name: (file.added, file.binary) for name, file in files.items()} == {
        "a.txt": (3, False),
        "empty.txt": (0, False),
        "zero.bin": (0, True),
        "points": (1, False),
    }
    patch = diff(world, path)
    assert patch.count(b"diff --git") == 4 and b"+3\n\\ No newline" in patch


def test_renames_of_untracked_files(world: World) -> None:
    path = world.add()
    (path / "src" / "util.py").rename(path / "src" / "moved.py")
    files = summary(world, path)
    assert list(files) == ["src/moved.py"] and files["src/moved.py"].state is FileState.RENAMED
    assert files["src/moved.py"].old_path == "src/util.py"
    assert b"rename from src/util.py" in diff(world, path)
    git(path, "add", "-A")
    assert list(summary(world, path)) == ["src/moved.py"]


def test_removed_from_index_but_on_disk(world: World) -> None:
    path = world.add()
    git(path, "rm", "-q", "--cached", "README.md")
    assert summary(world, path) == {} and diff(world, path) == b""
    write(path, "README.md", "# Changed\n")
    assert summary(world, path)["README.md"].state is FileState.MODIFIED


def test_conflicts(world: World) -> None:
    path = world.add()
    write(path, "README.md", "# ours\n")
    git(path, "commit", "-qam", "ours")
    base = head(world.repo)
    write(world.repo, "README.md", "# theirs\n")
    git(world.repo, "commit", "-qam", "theirs")
    git(path, "merge", "-q", "main", ok=False)
    assert summary(world, path, base)["README.md"].state is FileState.CONFLICTED


def test_against_a_checkpoint(world: World) -> None:
    path = world.add()
    write(path, ".worktreeinclude", ".env\n")
    write(path, ".env", "A=1\n")
    write(path, "untracked.txt", "one\n")
    first = run(world.adapters.checkpoints.take(path, REF, "start"))
    assert summary(world, path, first.commit) == {} and diff(world, path, first.commit) == b""
    write(path, "untracked.txt", "one\ntwo\n")
    write(path, ".env", "A=2\n")
    write(path, "more.txt", "x\n")
    running = summary(world, path, first.commit)
    second = run(world.adapters.checkpoints.take(path, REF + "2", "end"))
    ended = summary(world, path, first.commit, second.commit)
    counts = {name: (file.state, file.added, file.removed) for name, file in ended.items()}
    assert counts == {
        ".env": (FileState.MODIFIED, 1, 1),
        "more.txt": (FileState.ADDED, 1, 0),
        "untracked.txt": (FileState.MODIFIED, 1, 0),
    }
    assert {name: (file.state, file.added, file.removed) for name, file in running.items()} == counts
    assert diff(world, path, first.commit) == diff(world, path, first.commit, second.commit)


def test_fingerprints_follow_content(world: World) -> None:
    path = world.add()
    write(path, "src/app.py", "one\n")
    write(path, "new.txt", "new\n")
    first = {name: file.fingerprint for name, file in summary(world, path).items()}
    os.utime(path / "src" / "app.py")
    assert {name: file.fingerprint for name, file in summary(world, path).items()} == first
    write(path, "src/app.py", "two\n")
    second = {name: file.fingerprint for name, file in summary(world, path).items()}
    assert second["src/app.py"] != first["src/app.py"] and second["new.txt"] == first["new.txt"]
    git(path, "add", "-A")
    git(path, "commit", "-qm", "committed")
    third = {name: file.fingerprint for name, file in summary(world, path).items()}
    assert third == second


def test_diff_applies_and_reverts(world: World) -> None:
    path = world.add()
    before = print_of(path)
    write(path, "src/app.py", "".join(f"line_{n} = {n + (n in (3, 150))}\n" for n in range(200)))
    write(path, "deep/new.txt", "new\n")
    after = print_of(path)
    patch = diff(world, path)
    for setting in ("diff.noprefix=true", "diff.mnemonicPrefix=true", "color.ui=always", "diff.external=false"):
        git(path, "config", *setting.split("="))
        assert diff(world, path) == patch
        git(path, "config", "--unset", setting.split("=")[0])
    changes = world.adapters.changes
    run(changes.apply(path, patch, reverse=True))
    after.pop("deep", None)
    assert print_of(path) == before
    with pytest.raises(Conflict, match="no longer fits"):
        run(changes.apply(path, patch, reverse=True))
    run(changes.apply(path, patch))
    assert (path / "deep" / "new.txt").read_text() == "new\n"
    with pytest.raises(Refused, match="main checkout"):
        run(changes.apply(world.repo, patch))


def test_diff_of_paths_takes_names_literally(world: World) -> None:
    path = world.add()
    for name in ("a[1].txt", "a1.txt", "*.txt", ":(glob)x", "--stat"):
        write(path, name, "x\n")
    for name in ("a[1].txt", "*.txt", ":(glob)x", "--stat"):
        assert diff(world, path, paths=(name,)).count(b"diff --git") == 1
    with pytest.raises(InvalidInput):
        diff(world, path, old="--output=/tmp/x")


def test_leaving_a_diff_ends_git(world: World) -> None:
    path = world.add()
    write(path, "huge.txt", "a line of some length, again and again\n" * 400_000)

    async def first() -> list[str]:
        chunks = world.adapters.changes.diff(path, old=head(world.repo))
        async for chunk in chunks:
            assert 0 < len(chunk) <= 65536
            break
        await chunks.aclose()  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        return [line for line in children(os.getpid()).values() if "--full-index" in line]

    assert run(first()) == []
    assert any("diff" in line and "exit -" in line for line in world.lines)


def test_blob(world: World) -> None:
    path = world.add()
    changes = world.adapters.changes
    write(path, "README.md", b"\xff\0disk")
    assert run(changes.blob(path, "", "README.md")) == b"\xff\0disk"
    assert run(changes.blob(path, head(world.repo), "README.md")) == b"# Sample\n"
    assert run(changes.blob(path, "", "link")) == b"src/app.py"
    assert run(changes.blob(path, "", "none")) is None and run(changes.blob(path, head(path), "none")) is None
    assert run(changes.blob(path, "", "../../secret")) is None


def test_missing_worktree(world: World) -> None:
    with pytest.raises(NotFound):
        summary(world, world.worktree)
