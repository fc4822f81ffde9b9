"""Full and read-only disks, for real: a small file system of our own is filled and emptied again."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from posthog_code.domain.errors import StorageFailed, UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.session import Ask, SessionPhase
from posthog_code.domain.task import TaskDraft, TaskPhase
from posthog_code.domain.transcript import TurnFooter
from tests.helpers import (
    DEMO_AGENT,
    finished,
    git,
    make_repository,
    running,
    session_of,
    start_task,
    task_of,
    tree_hash,
    until,
)

SIZE = 16 * 1024 * 1024


class Disk:
    """A file system of SIZE bytes."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def fill(self) -> None:
        for number, size in enumerate((1 << 20, 1 << 12, 1)):
            with open(self.root / f"ballast-{number}", "wb", buffering=0) as file:
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    pass

    def free(self) -> None:
        for path in self.root.glob("ballast-*"):
            path.unlink()

    def remount(self, how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(self.root)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    root = tmp_path / "disk"
    root.mkdir()
    mount = shutil.which("mount")
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(root)]
    if mount is None or os.name != "posix" or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a file system cannot be mounted here")
    try:
        yield Disk(root)
    finally:
        subprocess.run(["umount", "-l", str(root)], check=True)


def sentence(error: UserError) -> str:
    """What the person reads; there is a way on in it."""
    assert error.title and error.hint, error
    assert "Traceback" not in error.detail
    return f"{error.title} {error.hint}"


def test_no_task_is_made_on_a_full_disk(disk: Disk, repository: Path) -> None:
    async def main() -> None:
        async with running(disk.root / "home") as container:
            services = container.services
            repository_id = await services.repositories.add(repository)
            draft = TaskDraft("Improve add", repository_id, "custom", agent_command=DEMO_AGENT, mode="auto")
            disk.fill()
            before = services.store.state
            with pytest.raises(StorageFailed) as caught:
                await services.tasks.create(draft)
            assert "space" in sentence(caught.value)
            with pytest.raises(StorageFailed):
                await services.repositories.update(repository_id, name="another")
            assert services.store.state is before, "what could not be saved is not shown"
            disk.free()
            task_id = await services.tasks.create(draft)
            await services.tasks.wait_for_setup(task_id)
            assert (await finished(services, task_id)).turns[-1].stop_reason == "end_turn"

    asyncio.run(main())


def test_a_worktree_that_does_not_fit(disk: Disk, tmp_path: Path, repository: Path) -> None:
    """The folder of worktrees is on the small disk, the data folder is not."""
    (repository / "big.bin").write_bytes(os.urandom(3 << 20))
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "Big")

    async def main() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            await services.settings.set(worktrees_dir=str(disk.root / "trees"))
            disk.fill()
            task_id = await start_task(services, repository, "Improve add")
            task = task_of(services, task_id)
            assert task.phase is TaskPhase.SETUP_FAILED and task.prompt == "Improve add"
            failed = next(step for step in task.steps if step.state.value == "failed")
            assert "disk is full" in failed.detail and "try again" in failed.detail
            assert git(repository, "worktree", "list").count("\n") == 0, "what was made is taken back"
            assert git(repository, "branch", "--list", "posthog-code/*") == ""
            disk.free()
            await services.tasks.retry_setup(task_id)
            await services.tasks.wait_for_setup(task_id)
            assert (await finished(services, task_id)).turns[-1].stop_reason == "end_turn"

    asyncio.run(main())


@pytest.mark.parametrize("when", ["asked", "working"])
def test_a_turn_on_a_disk_that_fills_up(disk: Disk, repository: Path, when: str) -> None:
    home = disk.root / "home"
    allow: list[bool] = []

    def policy(_task_id: TaskId, ask: Ask) -> str | None:
        return ask.options[0].id if allow and ask.options else None

    async def main() -> TaskId:
        async with running(home, policy) as container:
            services = container.services
            prompt = "Improve the add function" if when == "asked" else "stream: 400 chunks"
            task_id = await start_task(services, repository, prompt, mode="ask")
            if when == "asked":
                await until(lambda: session_of(services, task_id).asks)
            else:
                await until(lambda: session_of(services, task_id).phase is SessionPhase.WORKING)
            pid = session_of(services, task_id).pid
            disk.fill()
            if when == "asked":
                ask = session_of(services, task_id).asks[0]
                try:
                    await services.sessions.answer(task_id, ask.id, ask.options[0].id)
                except StorageFailed as error:
                    assert "space" in sentence(error)
                if session_of(services, task_id).asks or session_of(services, task_id).phase.busy:
                    await services.sessions.stop(task_id)
            session = await finished(services, task_id)
            assert not session.phase.busy and not session.asks
            if session.turns[-1].stop_reason == "error":
                assert "space" in session.turns[-1].error
            await until(lambda: not Path(f"/proc/{pid}").exists() or session_of(services, task_id).pid == pid)
            assert not services.sessions.transcript(task_id).running
            turns = len(session.turns)
            disk.free()
            allow.append(True)
            await services.sessions.prompt(task_id, "hello")
            session = await finished(services, task_id)
            assert session.turns[-1].stop_reason == "end_turn" and len(session.turns) == turns + 1
            return task_id

    task_id = asyncio.run(main())

    async def again() -> None:
        async with running(home) as container:
            services = container.services
            assert await services.reconcile.run() == 0, "no turn is left open on disk"
            transcript = await services.sessions.load_transcript(task_id)
            assert not transcript.running
            assert sum(isinstance(item, TurnFooter) for item in transcript.items) == 2

    asyncio.run(again())


def test_a_checkpoint_and_an_archive_that_do_not_fit(disk: Disk, tmp_path: Path) -> None:
    """The repository is on the small disk: what would be put away cannot be snapshotted, so it stays."""
    repository = make_repository(disk.root / "repo")

    async def main() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, "Improve add")
            await finished(services, task_id)
            worktree = Path(task_of(services, task_id).path)
            (worktree / "new.bin").write_bytes(os.urandom(300_000))
            (worktree / "staged.txt").write_text("staged\n")
            git(worktree, "add", "staged.txt")
            tree, index = tree_hash(worktree), git(worktree, "ls-files", "--stage")
            disk.fill()
            for put_away in (services.tasks.archive, services.tasks.delete):
                with pytest.raises(UserError) as caught:
                    await put_away(task_id)
                assert "full" in sentence(caught.value)
                assert tree_hash(worktree) == tree and git(worktree, "ls-files", "--stage") == index
                assert task_of(services, task_id).phase is TaskPhase.READY
            assert not list(container.paths.trash.glob("*"))
            await services.sessions.prompt(task_id, "again")
            session = await finished(services, task_id)
            assert session.phase is SessionPhase.FAILED and "full" in session.error and session.error_hint
            assert len(session.turns) == 1 and len(services.store.state.queue[task_id]) == 1, "the prompt waits"
            disk.free()
            await services.sessions.retry_turn(task_id)
            assert (await finished(services, task_id)).turns[-1].stop_reason == "end_turn"
            tree, index = tree_hash(worktree), git(worktree, "ls-files", "--stage")
            await services.tasks.archive(task_id)
            assert not worktree.exists()
            await services.tasks.restore(task_id)
            assert tree_hash(worktree) == tree and git(worktree, "ls-files", "--stage") == index

    asyncio.run(main())


def test_an_archive_whose_trash_is_full(disk: Disk, tmp_path: Path, repository: Path) -> None:
    """The data folder with its trash is on another file system, which has no room for the copy."""

    async def main() -> None:
        async with running(disk.root / "home") as container:
            services = container.services
            await services.settings.set(worktrees_dir=str(tmp_path / "trees"))
            task_id = await start_task(services, repository, "Improve add")
            await finished(services, task_id)
            worktree = Path(task_of(services, task_id).path)
            (worktree / "big.log").write_bytes(os.urandom(SIZE))
            tree = tree_hash(worktree)
            with pytest.raises(UserError) as caught:
                await services.tasks.archive(task_id)
            assert "full" in sentence(caught.value)
            assert tree_hash(worktree) == tree and task_of(services, task_id).phase is TaskPhase.READY
            assert git(worktree, "status", "--porcelain") is not None
            (worktree / "big.log").unlink()
            await services.tasks.archive(task_id)
            assert task_of(services, task_id).phase is TaskPhase.ARCHIVED

    asyncio.run(main())


@pytest.mark.parametrize("words", [["tasks"], ["run", "--agent", "demo", "x"], ["prompt", "{task}", "x"], []])
def test_a_data_folder_that_became_read_only(disk: Disk, repository: Path, words: list[str]) -> None:
    home = disk.root / "home"

    async def make() -> str:
        async with running(home) as container:
            task_id = await start_task(container.services, repository, "Improve add")
            await finished(container.services, task_id)
            return str(task_id)

    task_id = asyncio.run(make())
    disk.remount("ro")
    try:
        words = [word.replace("{task}", task_id) for word in words]
        if words[:1] == ["run"]:
            words += ["--repo", str(repository)]
        done = subprocess.run(
            [sys.executable, "-m", "posthog_code", *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "POSTHOG_CODE_HOME": str(home)},
        )
    finally:
        disk.remount("rw")
    assert "Traceback" not in done.stderr
    assert done.returncode == 2 and "cannot be written" in done.stderr and "POSTHOG_CODE_HOME" in done.stderr
