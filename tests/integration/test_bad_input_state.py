"""What was kept is damaged, newer, gone, or in use by somebody else: nothing else is lost with it."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from posthog_code.domain.errors import Conflict, NotFound, Refused, UserError
from posthog_code.domain.ids import TaskId
from posthog_code.domain.session import SessionPhase
from posthog_code.domain.task import TaskPhase
from posthog_code.domain.transcript import AgentText, UserMessage
from posthog_code.services.app import Services
from tests.helpers import DEMO_AGENT, finished, git, running, session_of, start_task, task_of, tree_hash, until

HERE = Path(__file__).parent
RAW = f"{sys.executable} {HERE / 'bad_input_agent.py'}"


def sentence(error: UserError) -> str:
    assert error.title and error.hint, error
    return f"{error.title} {error.hint}"


def program(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "posthog_code", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "POSTHOG_CODE_HOME": str(home)},
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


async def worked(services: Services, repository: Path) -> tuple[TaskId, Path]:
    """A task with one turn, and with work that is nowhere else."""
    task_id = await start_task(services, repository, "edit calc.py changed", agent_command=RAW)
    await finished(services, task_id)
    worktree = Path(task_of(services, task_id).path)
    (worktree / "untracked.txt").write_text("untracked\n")
    (worktree / "debug.log").write_text("ignored\n")
    return task_id, worktree


# -- the database and the journals ---------------------------------------------------------------------------------


def make_task(home: Path, repository: Path) -> TaskId:
    async def main() -> TaskId:
        async with running(home) as container:
            return (await worked(container.services, repository))[0]

    return asyncio.run(main())


def test_a_corrupt_database_keeps_journals_and_worktrees(tmp_path: Path, repository: Path) -> None:
    home = tmp_path / "home"
    task_id = make_task(home, repository)
    journals = {p: p.read_bytes() for p in (home / "journal").glob("*.jsonl")}
    trees = tree_hash(home / "worktrees")
    for suffix in ("-wal", "-shm"):
        (home / f"state.sqlite3{suffix}").unlink(missing_ok=True)
    old = (home / "state.sqlite3").read_bytes()
    (home / "state.sqlite3").write_bytes(b"\0" * 100 + old[100:2000])
    assert program(home, "tasks", "--json").returncode == 0
    assert (home / "state.sqlite3.damaged-1").read_bytes() == b"\0" * 100 + old[100:2000]
    assert {p: p.read_bytes() for p in journals} == journals and tree_hash(home / "worktrees") == trees
    assert json.loads(program(home, "tasks", "--json").stdout) == [] or task_id

    async def main() -> None:
        async with running(home) as container:
            # The old worktree is no obstacle to new work.
            fresh, _ = await worked(container.services, repository)
            assert task_of(container.services, fresh).phase is TaskPhase.READY

    asyncio.run(main())


@pytest.mark.parametrize("table", ["tasks", "sessions", "repositories", "settings"])
def test_a_corrupt_row(tmp_path: Path, repository: Path, table: str) -> None:
    home = tmp_path / "home"
    task_id = make_task(home, repository)
    with contextlib.closing(sqlite3.connect(home / "state.sqlite3")) as database, database:
        column = "value" if table == "settings" else "body"
        if table == "settings":
            database.execute("INSERT OR REPLACE INTO settings VALUES ('theme', '{broken')")
        database.execute(f"UPDATE {table} SET {column} = '{{broken'")

    async def main() -> None:
        async with running(home) as container:
            services = container.services
            assert services.problems
            await services.reconcile.run()
            for use in (
                lambda: services.sessions.load_transcript(task_id),
                lambda: services.changes.refresh(task_id),
                lambda: services.sessions.prompt(task_id, "again"),
                lambda: services.tasks.archive(task_id),
            ):
                with contextlib.suppress(UserError):
                    await use()

    asyncio.run(main())
    assert program(home, "tasks", "--json").returncode == 0
    assert program(home, "show", task_id, "--json", "--transcript").returncode in (0, 2)


def test_a_newer_database(tmp_path: Path, repository: Path) -> None:
    home = tmp_path / "home"
    make_task(home, repository)
    with contextlib.closing(sqlite3.connect(home / "state.sqlite3")) as database:
        database.execute("PRAGMA user_version = 99")
    before = (home / "state.sqlite3").read_bytes()
    for words in (["tasks"], []):
        done = program(home, *words)
        assert done.returncode == 2 and "newer version" in done.stderr and "POSTHOG_CODE_HOME" in done.stderr
    assert (home / "state.sqlite3").read_bytes() == before


def journal_of(home: Path) -> Path:
    return next((home / "journal").glob("*.jsonl"))


@pytest.mark.parametrize("harm", ["middle", "torn", "deleted", "binary", "folder"])
def test_a_damaged_journal(tmp_path: Path, repository: Path, harm: str) -> None:
    home = tmp_path / "home"
    task_id = make_task(home, repository)
    journal = journal_of(home)
    lines = journal.read_bytes().splitlines(keepends=True)
    if harm == "middle":
        lines[3:3] = [
            b'{"type":"notif\n',
            b"[1]\n",
            b"\xff\xfe\n",
            b'{"notification":7}\n',
            b"null\n",
            b"[" * 99999 + b"\n",
        ]
        journal.write_bytes(b"".join(lines))
    elif harm == "torn":
        journal.write_bytes(b"".join(lines)[:-30])
    elif harm == "binary":
        journal.write_bytes(os.urandom(5000))
    else:
        journal.unlink()
        if harm == "folder":
            journal.mkdir()

    async def main() -> None:
        async with running(home) as container:
            services = container.services
            items = (await services.sessions.load_transcript(task_id)).items
            if harm in ("middle", "torn"):
                assert isinstance(items[0], UserMessage) and any(isinstance(i, AgentText) for i in items)
            services.logs.lines(task_id)
            if harm == "folder":
                with pytest.raises(UserError) as caught:
                    await services.sessions.prompt(task_id, "say")
                sentence(caught.value)
                return
            await services.sessions.prompt(task_id, "say")
            assert (await finished(services, task_id)).turns[-1].stop_reason == "end_turn"
        async with running(home) as container:
            items = (await container.services.sessions.load_transcript(task_id)).items
            assert sum(isinstance(i, AgentText) for i in items) >= 1

    asyncio.run(main())


# -- worktrees, marks, trash, branches and refs --------------------------------------------------------------------


def test_a_worktree_that_was_deleted_by_hand(tmp_path: Path, repository: Path) -> None:
    async def main() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id, worktree = await worked(services, repository)
            await services.sessions.prompt(task_id, "edit second.txt from the second turn")
            await finished(services, task_id)
            tree = tree_hash(worktree)
            shutil.rmtree(worktree)
            assert any(isinstance(i, AgentText) for i in (await services.sessions.load_transcript(task_id)).items)
            with pytest.raises(UserError) as caught:
                await services.changes.refresh(task_id)
            sentence(caught.value)
            await services.sessions.prompt(task_id, "say")
            session = await finished(services, task_id)
            assert session.phase is SessionPhase.FAILED
            assert "Archive and restore" in f"{session.error} {session.error_hint}"
            await services.tasks.archive(task_id)
            await services.tasks.restore(task_id)
            del tree["debug.log"]  # ignored files are in no checkpoint
            assert tree_hash(worktree) == tree
            await services.sessions.retry_turn(task_id)
            assert (await finished(services, task_id)).turns[-1].stop_reason == "end_turn"

    asyncio.run(main())


def test_an_archive_that_was_refused_does_not_hide_later_work(tmp_path: Path, repository: Path) -> None:
    """The snapshot of a refused archive is not what a later loss is repaired from."""

    async def main() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id, worktree = await worked(services, repository)
            marker = next((repository / ".git" / "worktrees").glob("*/posthog-code*"))
            kept = marker.read_bytes()
            marker.unlink()
            with pytest.raises(Refused) as caught:
                await services.tasks.archive(task_id)
            sentence(caught.value)
            marker.write_bytes(kept)
            await services.sessions.prompt(task_id, "edit later.txt later")
            await finished(services, task_id)
            shutil.rmtree(worktree)
            await services.tasks.archive(task_id)
            await services.tasks.restore(task_id)
            assert (worktree / "later.txt").read_text() == "later"

    asyncio.run(main())


def test_without_our_mark_nothing_is_removed(tmp_path: Path, repository: Path) -> None:
    async def main() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id, worktree = await worked(services, repository)
            tree = tree_hash(worktree)
            for marker in (repository / ".git" / "worktrees").glob("*/posthog-code*"):
                marker.unlink()
            for put_away in (services.tasks.archive, services.tasks.delete):
                with pytest.raises(Refused) as caught:
                    await put_away(task_id)
                assert "no mark" in sentence(caught.value)
            assert tree_hash(worktree) == tree and task_of(services, task_id).phase is TaskPhase.READY

    asyncio.run(main())


@pytest.mark.parametrize("gone", ["trash", "branch", "both"])
def test_what_a_restore_needs_is_gone(tmp_path: Path, repository: Path, gone: str) -> None:
    async def main() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id, worktree = await worked(services, repository)
            tree, index = tree_hash(worktree), git(worktree, "ls-files", "--stage")
            branch = task_of(services, task_id).branch
            await services.tasks.archive(task_id)
            if gone in ("trash", "both"):
                shutil.rmtree(container.paths.trash)
                del tree["debug.log"]
            if gone in ("branch", "both"):
                git(repository, "branch", "-D", branch)
            await services.tasks.restore(task_id)
            assert tree_hash(worktree) == tree and git(worktree, "ls-files", "--stage") == index
            assert git(worktree, "branch", "--show-current") == branch

    asyncio.run(main())


def test_hidden_refs_are_deleted(tmp_path: Path, repository: Path) -> None:
    async def main() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id, worktree = await worked(services, repository)
            tree = tree_hash(worktree)
            await services.tasks.archive(task_id)
            for ref in git(repository, "for-each-ref", "--format=%(refname)", "refs/posthog-code").splitlines():
                git(repository, "update-ref", "-d", ref)
            git(repository, "reflog", "expire", "--expire=now", "--all")
            git(repository, "gc", "-q", "--prune=now")
            # The folder itself is in the trash still: the snapshot is not needed.
            await services.tasks.restore(task_id)
            assert tree_hash(worktree) == tree
            await services.tasks.archive(task_id)
            for ref in git(repository, "for-each-ref", "--format=%(refname)", "refs/posthog-code").splitlines():
                git(repository, "update-ref", "-d", ref)
            git(repository, "reflog", "expire", "--expire=now", "--all")
            git(repository, "gc", "-q", "--prune=now")
            shutil.rmtree(container.paths.trash)
            with pytest.raises(NotFound) as caught:
                await services.tasks.restore(task_id)
            assert task_of(services, task_id).branch in sentence(caught.value) + caught.value.detail
            assert task_of(services, task_id).phase is TaskPhase.ARCHIVED

    asyncio.run(main())


def test_something_else_is_where_the_worktree_was(tmp_path: Path, repository: Path) -> None:
    async def main() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id, worktree = await worked(services, repository)
            tree = tree_hash(worktree)
            await services.tasks.archive(task_id)
            worktree.mkdir(parents=True)
            (worktree / "mine.txt").write_text("mine\n")
            with pytest.raises(Conflict) as caught:
                await services.tasks.restore(task_id)
            assert "Move it away" in sentence(caught.value)
            assert (worktree / "mine.txt").read_text() == "mine\n"
            worktree.rename(tmp_path / "moved-away")
            await services.tasks.restore(task_id)
            assert tree_hash(worktree) == tree

    asyncio.run(main())


# -- two at once ---------------------------------------------------------------------------------------------------


def test_two_command_lines_on_one_task(tmp_path: Path, repository: Path) -> None:
    home = tmp_path / "home"

    async def main() -> None:
        async with running(home) as container:
            services = container.services
            task_id = await start_task(services, repository, "silent", agent_command=DEMO_AGENT)
            await until(lambda: session_of(services, task_id).phase is SessionPhase.WORKING)
            done = await asyncio.to_thread(program, home, "prompt", task_id, "another")
            assert done.returncode == 2 and "in use by another PostHog Code" in done.stderr
            done = await asyncio.to_thread(program, home, "archive", task_id)
            assert done.returncode == 2 and done.stderr.strip(), "an agent works there, in another program"
            assert Path(task_of(services, task_id).path).is_dir()
            shown = await asyncio.to_thread(program, home, "show", task_id, "--json", "--transcript")
            assert shown.returncode == 0 and json.loads(shown.stdout)["turns"] == 1
            assert session_of(services, task_id).phase is SessionPhase.WORKING
            await services.sessions.stop(task_id)
            await finished(services, task_id)

    asyncio.run(main())


def is_locked(path: Path) -> bool:
    try:
        with open(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def test_a_second_window_brings_the_first_to_the_front(tmp_path: Path) -> None:
    home = tmp_path / "home"
    command = [sys.executable, "-m", "posthog_code"]
    env = {**os.environ, "POSTHOG_CODE_HOME": str(home), "QT_QPA_PLATFORM": "offscreen"}
    first = subprocess.Popen(command, env=env, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 30
        while not is_locked(home / "window.lock"):
            assert time.monotonic() < deadline and first.poll() is None
            time.sleep(0.02)
        second = subprocess.run(command, env=env, capture_output=True, timeout=30, check=False)
        assert second.returncode == 0, second.stderr
        assert b"Traceback" not in second.stderr and first.poll() is None
    finally:
        first.terminate()
        errors = first.communicate(timeout=20)[1]
    assert first.returncode == 0 and b"Traceback" not in errors
