"""A task's life through the services: real git, a real agent process, real files."""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from posthog_code.domain.changes import Scope
from posthog_code.domain.errors import Conflict, InvalidInput, NotFound
from posthog_code.domain.review import CommentState
from posthog_code.domain.session import SessionPhase
from posthog_code.domain.task import StepState, TaskDraft, TaskPhase, Workspace
from posthog_code.domain.transcript import TurnFooter, UserMessage
from tests.helpers import (
    finished,
    git,
    make_repository,
    run,
    running,
    session_of,
    start_task,
    task_of,
    tree_hash,
    until,
)


def test_a_prompt_becomes_a_diff_and_the_checkout_is_untouched(tmp_path: Path, repository: Path) -> None:
    async def scenario() -> None:
        before = tree_hash(repository), (repository / ".git" / "index").read_bytes()
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, "Improve the add function")
            session = await finished(services, task_id)
            task = task_of(services, task_id)
            assert session.phase is SessionPhase.READY
            assert session.turns[0].stop_reason == "end_turn"
            assert session.turns[0].files > 0
            assert task.branch == "posthog-code/improve-the-add-function"
            assert Path(task.path).is_relative_to(tmp_path / "home")
            changes = await services.changes.refresh(task_id)
            assert "calc.py" in {file.path for file in changes.files}
            assert task_of(services, task_id).stat.files == len(changes.files)
            last = await services.changes.refresh(task_id, Scope.LAST_TURN)
            assert {f.path for f in last.files} == {f.path for f in changes.files}
            diff = b"".join([chunk async for chunk in services.changes.diff(task_id)])
            assert b"diff --git a/calc.py b/calc.py" in diff
            items = services.sessions.transcript(task_id).items
            assert sum(isinstance(item, UserMessage) for item in items) == 1
            footer = next(item for item in items if isinstance(item, TurnFooter))
            assert (footer.turn, footer.files) == (1, session.turns[0].files)
        assert (tree_hash(repository), (repository / ".git" / "index").read_bytes()) == before

    run(scenario())


def test_the_task_is_durable_before_anything_is_set_up(tmp_path: Path, repository: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            repository_id = await services.repositories.add(repository)
            task_id = await services.tasks.create(TaskDraft("Do it well", repository_id, "custom"))
            assert task_of(services, task_id).phase is TaskPhase.SETTING_UP
            user = services.sessions.transcript(task_id).items[0]
            assert isinstance(user, UserMessage) and user.text == "Do it well"
            await services.tasks.wait_for_setup(task_id)
            # The custom entry has no command: the agent cannot start, and says so.
            session = await finished(services, task_id)
            assert session.phase is SessionPhase.FAILED
            assert session.error
            assert session.turns == ()
        async with running(tmp_path / "home") as container:
            assert container.services.store.state.tasks[task_id].prompt == "Do it well"

    run(scenario())


def test_follow_ups_wait_their_turn_and_can_be_taken_back(tmp_path: Path, repository: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, "silent: never answer")
            await until(lambda: session_of(services, task_id).phase is SessionPhase.WORKING)
            assert await services.sessions.prompt(task_id, "first") is False
            assert await services.sessions.prompt(task_id, "second") is False
            waiting = services.store.state.queue[task_id]
            assert [m.text for m in waiting] == ["first", "second"]
            assert await services.sessions.unqueue(task_id, waiting[0].id) == "first"
            with pytest.raises(NotFound):
                await services.sessions.unqueue(task_id, waiting[0].id)
            await services.sessions.stop(task_id)
            session = await finished(services, task_id)
            assert session.turns[-1].stop_reason == "cancelled"
            assert session.phase is SessionPhase.READY
            # A stopped turn holds the queue until the person goes on.
            assert [m.text for m in services.store.state.queue[task_id]] == ["second"]
            assert await services.sessions.prompt(task_id, "third") is True
            session = await finished(services, task_id)
            assert [turn.prompt for turn in session.turns[1:]] == ["second", "third"]
            assert services.store.state.queue[task_id] == ()

    run(scenario())


def test_a_permission_waits_for_the_person(tmp_path: Path, repository: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, "Improve the add function", mode="ask")
            answered = 0
            while services.store.state.session_of(task_id).phase is not SessionPhase.READY or not answered:
                session = await until(
                    lambda: (s := session_of(services, task_id)).asks or ((s.turns and s.turns[-1].stop_reason) and s)
                )
                asks = session_of(services, task_id).asks
                if not asks:
                    break
                assert session_of(services, task_id).phase is SessionPhase.WAITING
                option = next(o.id for o in asks[0].options if o.kind == "allow_once")
                await services.sessions.answer(task_id, asks[0].id, option)
                answered += 1
                del session
            assert answered >= 2
            session = await finished(services, task_id)
            assert session.turns[-1].stop_reason == "end_turn"
            assert session.turns[-1].files > 0

    run(scenario())


def test_review_comments_reach_the_agent_as_one_follow_up(tmp_path: Path, repository: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, "Improve the add function")
            await finished(services, task_id)
            with pytest.raises(InvalidInput):
                await services.reviews.send(task_id)
            for line in (4, 5):
                await services.reviews.add(
                    task_id, path="calc.py", side="new", start=line, end=line, code="def add", text=f"Name line {line}"
                )
            assert await services.reviews.send(task_id, "Please look again.")
            session = await finished(services, task_id)
            assert len(session.turns) == 2
            prompt = session.turns[1].prompt
            assert "Please look again." in prompt
            assert "calc.py, line 4" in prompt and "Name line 5" in prompt
            assert {c.state for c in services.store.state.comments[task_id]} == {CommentState.SENT}

    run(scenario())


def fill(worktree: Path) -> None:
    """Changes of every kind, staged and not."""
    (worktree / "staged.txt").write_text("staged\n")
    (worktree / "both.txt").write_text("one\n")
    git(worktree, "add", "staged.txt", "both.txt")
    (worktree / "both.txt").write_text("two\n")
    (worktree / "calc.py").write_text("changed = True\n")
    (worktree / "untracked ü.txt").write_text("new\n")
    (worktree / "binary.bin").write_bytes(os.urandom(4096))
    (worktree / "large.bin").write_bytes(os.urandom(5 * 1024 * 1024))
    (worktree / "run.sh").write_text("#!/bin/sh\n")
    (worktree / "run.sh").chmod(0o755)
    (worktree / "link").symlink_to("calc.py")
    (worktree / "dangling").symlink_to("nowhere")
    (worktree / "deep").mkdir()
    (worktree / "deep" / "file.crlf").write_bytes(b"a\r\nb\r\n")
    git(worktree, "rm", "-q", "--cached", "tests/__init__.py")
    (worktree / "tests" / "test_calc.py").unlink()
    (worktree / "kept.log").write_text("ignored, but somebody's\n")


def without_ignored(state: tuple[object, ...]) -> tuple[object, ...]:
    """What a snapshot promises: ignored files live on in the trash only."""
    tree = state[0]
    assert isinstance(tree, dict)
    kept = {path: value for path, value in tree.items() if not path.endswith(".log") and "__pycache__" not in path}
    return (kept, *state[1:])


def state_of(worktree: Path) -> tuple[object, ...]:
    return (
        tree_hash(worktree),
        git(worktree, "ls-files", "-s"),
        git(worktree, "status", "--porcelain=v2", "-z", "--branch"),
        git(worktree, "rev-parse", "HEAD"),
    )


@pytest.mark.parametrize("way", ["archive", "archive, trash emptied", "archive, restore cut short", "delete"])
def test_putting_away_and_bringing_back_gives_the_same_tree_and_index(
    tmp_path: Path, repository: Path, way: str
) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, "Improve the add function")
            await finished(services, task_id)
            worktree = Path(task_of(services, task_id).path)
            git(worktree, "add", "-A")
            git(worktree, "commit", "-qm", "What the agent did")
            fill(worktree)
            before = state_of(worktree)
            risk = await services.tasks.risk(task_id)
            assert risk.unpushed_commits == 1 and "large.bin" in risk.uncommitted
            if way.startswith("archive"):
                await services.tasks.archive(task_id)
                assert task_of(services, task_id).phase is TaskPhase.ARCHIVED
            else:
                await services.tasks.delete(task_id)
                assert task_id not in {t.id for t in services.store.state.visible_tasks()}
            assert not worktree.exists()
            assert (await services.sessions.load_transcript(task_id)).items
            if way == "archive, trash emptied":
                shutil.rmtree(task_of(services, task_id).trash_path)
                before = without_ignored(before)
            if way == "archive, restore cut short":
                task = task_of(services, task_id)
                await container.services.tasks._shelf._worktrees.readd(
                    repository, worktree, branch=task.branch, head=str(before[3]), task_id=task_id
                )
                before = without_ignored(before)
            if way.startswith("archive"):
                found = await services.changes.refresh(task_id)
                assert "large.bin" in {f.path for f in found.files}
                await services.tasks.restore(task_id)
            else:
                await services.tasks.undo_delete(task_id)
            assert state_of(worktree) == before
            assert task_of(services, task_id).phase is TaskPhase.READY
            assert await services.sessions.prompt(task_id, "Improve the add function again")
            assert (await finished(services, task_id)).turns[-1].stop_reason == "end_turn"

    run(scenario())


def test_a_failing_set_up_script_says_so_and_can_be_run_again(tmp_path: Path, repository: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            repository_id = await services.repositories.add(repository)
            script = (
                "echo installing $POSTHOG_CODE_BRANCH on $POSTHOG_CODE_PORT\n[ -f ready ] || { echo no ready; exit 3; }"
            )
            await services.repositories.update(repository_id, setup_script=script)
            task_id = await start_task(services, repository, "Improve the add function")
            task = task_of(services, task_id)
            assert task.phase is TaskPhase.SETUP_FAILED
            failed = task.steps[-1]
            assert failed.state is StepState.FAILED
            assert "exit code 3" in failed.detail and "no ready" in failed.detail
            assert f"installing {task.branch} on {task.port_base}" in failed.detail
            assert session_of(services, task_id).turns == ()
            # A message typed meanwhile waits.
            assert await services.sessions.prompt(task_id, "and then this") is False
            (Path(task.path) / "ready").write_text("")
            await services.tasks.retry_setup(task_id)
            await services.tasks.wait_for_setup(task_id)
            session = await finished(services, task_id)
            assert [turn.prompt for turn in session.turns] == ["Improve the add function", "and then this"]

    run(scenario())


def test_a_missing_base_rolls_back_and_keeps_the_prompt(tmp_path: Path, repository: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, "Improve it", base="no-such-branch")
            task = task_of(services, task_id)
            assert task.phase is TaskPhase.SETUP_FAILED
            assert "no-such-branch" in task.steps[0].detail
            assert (task.prompt, task.path) == ("Improve it", "")
            assert git(repository, "worktree", "list", "--porcelain").count("worktree ") == 1
            assert git(repository, "branch", "--list", "posthog-code/*") == ""

    run(scenario())


def test_names_that_are_taken(tmp_path: Path, repository: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            first = await start_task(services, repository, "Improve the add function")
            second = await start_task(services, repository, "Improve the add function")
            assert task_of(services, second).branch == "posthog-code/improve-the-add-function-2"
            taken = task_of(services, first).branch
            third = await start_task(services, repository, "Something else", branch=taken)
            task = task_of(services, third)
            assert task.phase is TaskPhase.SETUP_FAILED
            assert taken in task.steps[0].detail
            await finished(services, first)
            await finished(services, second)

    run(scenario())


def test_a_local_task_works_in_the_checkout_and_never_cleans_it_up(tmp_path: Path, repository: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, "Improve the add function", workspace=Workspace.LOCAL)
            await finished(services, task_id)
            assert task_of(services, task_id).path == str(repository)
            assert git(repository, "status", "--porcelain") != ""
            dirty = tree_hash(repository)
            await services.tasks.delete(task_id)
            assert tree_hash(repository) == dirty

    run(scenario())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: None, "no"),
        (lambda p: p.mkdir(), "not a git repository"),
        (lambda p: git(p.parent, "init", "-q", "--bare", p.name), "bare"),
        (lambda p: git(p.parent, "init", "-q", p.name), "no commits"),
    ],
    ids=["missing", "plain folder", "bare", "no commits"],
)
def test_folders_that_cannot_hold_tasks(tmp_path: Path, make: object, words: str) -> None:
    path = tmp_path / "a folder"
    make(path)  # type: ignore[operator]

    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            with pytest.raises((NotFound, InvalidInput)) as caught:
                await container.services.repositories.add(path)
            assert words in str(caught.value).lower()
            assert container.services.store.state.repositories == {}

    run(scenario())


def test_odd_paths_detached_heads_and_dirty_checkouts_are_fine(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / 'it\'s a "repo" \n für alle')
    git(folder, "checkout", "-q", "--detach")
    (folder / "calc.py").write_text("dirty = 1\n")
    before = tree_hash(folder)

    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, folder / "tests", "Improve the add function", base="main")
            assert (await finished(services, task_id)).turns[0].stop_reason == "end_turn"
            assert (Path(task_of(services, task_id).path) / "calc.py").read_text() != "dirty = 1\n"
            assert tree_hash(folder) == before

    run(scenario())


def test_two_programs_do_not_drive_one_session(tmp_path: Path, repository: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as one, running(tmp_path / "home") as two:
            task_id = await start_task(one.services, repository, "silent")
            await until(lambda: session_of(one.services, task_id).phase is SessionPhase.WORKING)
            other = two.services
            other.store.adopt(replace(one.services.store.state))
            assert await other.reconcile.run() == 0
            with pytest.raises(Conflict):
                await other.sessions.prompt(task_id, "me too")
            with pytest.raises(Conflict):
                await other.sessions.retry_turn(task_id)
            await one.services.sessions.stop(task_id)
            await asyncio.wait_for(one.services.sessions.wait_idle(task_id), 20)

    run(scenario())
