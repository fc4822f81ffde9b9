"""What happens to a task when something is cut short, changes behind our back, or is lost."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from posthog_code.adapters.storage.attachments import FileAttachments
from posthog_code.domain.errors import Conflict, InvalidInput, NotFound
from posthog_code.domain.ids import TaskId
from posthog_code.domain.session import SessionPhase
from posthog_code.domain.task import TaskDraft, TaskPhase
from posthog_code.domain.transcript import Notice, TurnFooter, UserMessage
from posthog_code.ports.agent import Exited
from posthog_code.services import session_agent
from posthog_code.services.app import Services
from tests.helpers import (
    DEMO_AGENT,
    finished,
    git,
    run,
    running,
    session_of,
    start_task,
    task_of,
    until,
)

PROMPT = "Improve the add function"


def notices(services: Services, task_id: TaskId) -> list[str]:
    return [i.title for i in services.sessions.transcript(task_id).items if isinstance(i, Notice)]


async def working(services: Services, task_id: TaskId) -> None:
    await until(lambda: session_of(services, task_id).phase is SessionPhase.WORKING)


def test_closing_in_a_turn_leaves_it_interrupted_and_it_can_be_continued(tmp_path: Path, repository: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            task_id = await start_task(container.services, repository, "silent")
            await working(container.services, task_id)
            await container.services.sessions.prompt(task_id, PROMPT)
        async with running(tmp_path / "home") as container:
            services = container.services
            session = session_of(services, task_id)
            assert (session.phase, session.turns[-1].stop_reason) == (SessionPhase.INTERRUPTED, "interrupted")
            assert session.pid == 0
            assert await container.mend() == (0, 0)
            assert notices(services, task_id) == ["This turn was interrupted."]
            footers = [i for i in services.sessions.transcript(task_id).items if isinstance(i, TurnFooter)]
            assert [footer.stop_reason for footer in footers] == ["interrupted"]
            # What is queued waits for the person.
            assert [m.text for m in services.store.state.queue[task_id]] == [PROMPT]
            await services.sessions.continue_turn(task_id)
            session = await finished(services, task_id)
            assert [t.prompt for t in session.turns][2:] == [PROMPT]

    run(scenario())


def test_an_interrupted_turn_stays_so_when_its_process_goes_later(tmp_path: Path, repository: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, "silent")
            await working(services, task_id)
            agent = services.sessions._actors[task_id].agent
            await agent._record.set(phase=SessionPhase.INTERRUPTED)
            await agent._gone(Exited(0, "the process has ended"))
            assert session_of(services, task_id).phase is SessionPhase.INTERRUPTED
            await agent._record.set(phase=SessionPhase.READY)
            await agent._gone(Exited(0, "the process has ended"))
            assert session_of(services, task_id).phase is SessionPhase.IDLE

    run(scenario())


def slow_checkpoints(services: Services, reached: asyncio.Event) -> Any:
    checkpoints = services.sessions._parts.checkpoints
    take = checkpoints.take

    async def slow(*words: Any) -> Any:
        reached.set()
        await asyncio.sleep(60)
        return await take(*words)

    checkpoints.take = slow  # type: ignore[method-assign]
    return lambda: setattr(checkpoints, "take", take)


def test_stopping_before_the_agent_got_the_prompt_keeps_it(tmp_path: Path, repository: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services, reached = container.services, asyncio.Event()
            undo = slow_checkpoints(services, reached)
            task_id = await start_task(services, repository, PROMPT)
            await asyncio.wait_for(reached.wait(), 20)
            await services.sessions.stop(task_id)
            session = await finished(services, task_id)
            assert session.turns == () and not session.phase.busy
            assert notices(services, task_id) == ["The turn was stopped before the agent got the prompt."]
            undo()
            await services.sessions.retry_turn(task_id)
            session = await finished(services, task_id)
            assert [(t.prompt, t.stop_reason) for t in session.turns] == [(PROMPT, "end_turn")]
            messages = [i for i in services.sessions.transcript(task_id).items if isinstance(i, UserMessage)]
            assert len(messages) == 1

    run(scenario())


def test_closing_before_the_agent_got_the_prompt_is_told(tmp_path: Path, repository: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            reached = asyncio.Event()
            slow_checkpoints(container.services, reached)
            task_id = await start_task(container.services, repository, PROMPT)
            await asyncio.wait_for(reached.wait(), 20)
        async with running(tmp_path / "home") as container:
            services = container.services
            await container.mend()
            assert session_of(services, task_id).phase is SessionPhase.INTERRUPTED
            assert notices(services, task_id) == ["PostHog Code was closed before the agent got the prompt."]
            await services.sessions.retry_turn(task_id)
            assert (await finished(services, task_id)).turns[0].stop_reason == "end_turn"

    run(scenario())


def test_the_figures_of_an_interrupted_turn_are_read_again_at_start(tmp_path: Path, repository: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            task_id = await start_task(container.services, repository, "silent")
            await working(container.services, task_id)
        async with running(tmp_path / "home") as container:
            services = container.services
            # What the agent wrote before it was cut short, with nobody left to count it.
            (Path(task_of(services, task_id).path) / "late.txt").write_text("one\n")
            assert task_of(services, task_id).stat.files == 0
            await container.mend()
            await until(lambda: task_of(services, task_id).stat.files == 1)

    run(scenario())


def test_a_worktree_that_moved_on_behind_our_back(tmp_path: Path, repository: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, PROMPT)
            await finished(services, task_id)
            worktree = Path(task_of(services, task_id).path)
            git(worktree, "switch", "-qc", "elsewhere")
            await services.sessions.prompt(task_id, PROMPT)
            await finished(services, task_id)
            assert notices(services, task_id) == ["The worktree is on the branch elsewhere now."]
            assert task_of(services, task_id).branch == "elsewhere"
            worktree.rename(worktree.with_name("away"))
            await services.sessions.prompt(task_id, "and again")
            session = await finished(services, task_id)
            assert session.phase is SessionPhase.FAILED
            assert notices(services, task_id)[-1] == "The worktree of this task is not there."
            assert [m.text for m in services.store.state.queue[task_id]] == ["and again"]
            worktree.with_name("away").rename(worktree)
            await services.sessions.retry_turn(task_id)
            session = await finished(services, task_id)
            assert session.turns[-1].prompt == "and again"

    run(scenario())


def test_the_window_follows_what_the_command_line_does(tmp_path: Path, repository: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as window:
            seen = await start_task(window.services, repository, PROMPT)
            await finished(window.services, seen)
            await window.services.sessions.end(seen)
            await window.services.sessions.close()
            window.services.sessions._closed = False
            await window.services.sessions.load_transcript(seen)
            async with running(tmp_path / "home") as other:
                assert await other.services.sessions.prompt(seen, PROMPT)
                made = await start_task(other.services, repository, PROMPT)
                await finished(other.services, seen)
                await finished(other.services, made)
            await window.services.sessions.refresh()
            assert made in window.services.store.state.tasks
            assert len(session_of(window.services, seen).turns) == 2
            footers = [i for i in window.services.sessions.transcript(seen).items if isinstance(i, TurnFooter)]
            assert [footer.turn for footer in footers] == [1, 2]
            assert await window.services.sessions.prompt(seen, PROMPT)
            assert [t.number for t in (await finished(window.services, seen)).turns] == [1, 2, 3]

    run(scenario())


def test_a_set_up_that_runs_elsewhere_is_left_alone(tmp_path: Path, repository: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as window:
            repository_id = await window.services.repositories.add(repository)
            await window.services.repositories.update(
                repository_id, setup_script="while [ ! -e go ]; do sleep 0.1; done"
            )
            draft = TaskDraft(PROMPT, repository_id, "custom", agent_command=DEMO_AGENT, mode="auto")
            task_id = await window.services.tasks.create(draft)
            async with running(tmp_path / "home") as other:
                await other.mend()
                assert task_of(other.services, task_id).phase is TaskPhase.SETTING_UP
                with pytest.raises(Conflict):
                    await other.services.tasks.archive(task_id)
            path = await until(lambda: task_of(window.services, task_id).path)
            (Path(path) / "go").write_text("")
            await window.services.tasks.wait_for_setup(task_id)
            assert (await finished(window.services, task_id)).turns[0].stop_reason == "end_turn"

    run(scenario())


def test_nobody_puts_a_worktree_away_while_another_program_works_in_it(tmp_path: Path, repository: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as window:
            task_id = await start_task(window.services, repository, "silent")
            await working(window.services, task_id)
            async with running(tmp_path / "home") as other:
                with pytest.raises(Conflict):
                    await other.services.tasks.delete(task_id)
            assert Path(task_of(window.services, task_id).path).is_dir()
            # The one that drives it may: its turn is stopped first.
            await window.services.tasks.delete(task_id)
            assert task_of(window.services, task_id).phase is TaskPhase.DELETED
            assert session_of(window.services, task_id).turns[-1].stop_reason == "cancelled"
            with pytest.raises(InvalidInput):
                await window.services.sessions.retry_turn(task_id)

    run(scenario())


def test_a_set_up_can_be_stopped_at_any_moment_and_run_again(tmp_path: Path, repository: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            repository_id = await services.repositories.add(repository)
            draft = TaskDraft(PROMPT, repository_id, "custom", agent_command=DEMO_AGENT, mode="auto")
            for steps in (0, 1, 3, 8, 20):
                task_id = await services.tasks.create(draft)
                for _ in range(steps):
                    await asyncio.sleep(0.002)
                await services.tasks.cancel_setup(task_id)
                assert task_of(services, task_id).phase in (TaskPhase.SETUP_FAILED, TaskPhase.READY)
                await services.tasks.retry_setup(task_id)
                await services.tasks.wait_for_setup(task_id)
                assert task_of(services, task_id).phase is TaskPhase.READY
                await services.sessions.stop(task_id)
            assert git(repository, "worktree", "list", "--porcelain").count("worktree ") == 6

    run(scenario())


def test_a_lost_database_is_rebuilt_from_what_is_on_disk(tmp_path: Path, repository: Path) -> None:
    home = tmp_path / "home"

    async def before() -> tuple[TaskId, TaskId, TaskId]:
        async with running(home) as container:
            services = container.services
            first = await start_task(services, repository, PROMPT)
            await finished(services, first)
            second = await start_task(services, repository, "Improve the add function once more")
            await finished(services, second)
            await services.tasks.archive(second)
            third = await start_task(services, repository, "Never made", base="no-such-branch")
            return first, second, third

    async def after(first: TaskId, second: TaskId, third: TaskId) -> None:
        async with running(home) as container:
            services = container.services
            assert await container.mend() == (3, 0)
            task = task_of(services, first)
            assert (task.phase, task.prompt, task.branch) == (
                TaskPhase.READY,
                PROMPT,
                "posthog-code/improve-the-add-function",
            )
            turns = session_of(services, first).turns
            assert [(t.number, t.prompt, t.stop_reason) for t in turns] == [(1, PROMPT, "end_turn")]
            assert turns[0].files > 0 and turns[0].checkpoint_before
            assert (await services.changes.refresh(first)).files
            await services.sessions.prompt(first, PROMPT)
            assert len((await finished(services, first)).turns) == 2
            assert task_of(services, second).phase is TaskPhase.ARCHIVED
            await services.tasks.restore(second)
            assert Path(task_of(services, second).path).is_dir()
            assert task_of(services, third).phase is TaskPhase.SETUP_FAILED
            assert task_of(services, third).prompt == "Never made"
            assert await services.rebuild.run() == 0

    tasks = run(before())
    for path in home.glob("state.sqlite3*"):
        path.unlink()
    run(after(*tasks))


def test_the_trash_is_emptied_only_by_a_person_and_only_of_what_is_known(tmp_path: Path, repository: Path) -> None:
    async def scenario() -> None:
        home = tmp_path / "home"
        async with running(home) as container:
            services = container.services
            kept = await start_task(services, repository, PROMPT)
            gone = await start_task(services, repository, "Improve the add function once more")
            for task_id in (kept, gone):
                await finished(services, task_id)
            await services.tasks.archive(kept)
            await services.tasks.delete(gone)
            session_id = task_of(services, gone).session_id
            stranger = home / "trash" / "stranger"
            shutil.copytree(task_of(services, kept).trash_path, stranger, symlinks=True)
            note = (stranger / "note.json").read_text().replace(kept, "0123456789abcdef")
            (stranger / "note.json").write_text(note)
            locked = Path(task_of(services, gone).trash_path, "files", "locked")
            locked.mkdir()
            (locked / "file").write_text("x")
            locked.chmod(0o500)
            entries = await services.trash.list()
            assert {e.task.id if e.task else None for e in entries} == {kept, gone, None}
            assert await services.trash.list(before=1.0) == ()
            emptied = await services.trash.empty(entries)
            assert {e.task.id for e in emptied.removed if e.task} == {kept, gone}
            assert [e.worktree.trashed for e, _ in emptied.kept if e.worktree] == [stranger]
            assert stranger.is_dir() and os.listdir(home / "trash") == ["stranger"]
            assert gone not in services.store.state.tasks
            assert not (home / "journal" / f"{session_id}.jsonl").exists()
            assert git(repository, "for-each-ref", f"refs/posthog-code/{gone}/") == ""
            # An archived task comes back from its snapshot.
            await services.tasks.restore(kept)
            assert (await services.changes.refresh(kept)).files
            with pytest.raises(NotFound):
                await services.tasks.undo_delete(gone)

    run(scenario())


def test_an_agent_that_rests_gives_its_process_back_and_comes_again(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_agent, "REST_AFTER", 0.05)

    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, PROMPT)
            pid = (await until(lambda: session_of(services, task_id).pid and session_of(services, task_id))).pid
            await finished(services, task_id)
            await until(lambda: session_of(services, task_id).phase is SessionPhase.IDLE)
            assert session_of(services, task_id).pid == 0
            assert not Path(f"/proc/{pid}").exists()
            assert await services.sessions.prompt(task_id, PROMPT)
            assert (await finished(services, task_id)).turns[-1].stop_reason == "end_turn"
            assert notices(services, task_id) == []

    run(scenario())


def test_changes_in_view_stay_live_over_archive_and_restore(tmp_path: Path, repository: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, PROMPT)
            services.changes.watch(task_id)
            await finished(services, task_id)
            await services.tasks.archive(task_id)
            await services.tasks.restore(task_id)
            # It takes a moment until the restored folder is watched.
            for number in range(100):
                (Path(task_of(services, task_id).path) / f"new-{number}.txt").write_text("x")
                await asyncio.sleep(0.05)
                known = services.store.state.changes[task_id].files
                if any(f.path.startswith("new-") for f in known):
                    break
            else:
                raise AssertionError("nothing was noticed")
            services.changes.unwatch(task_id)

    run(scenario())


def test_pasted_files_are_kept_with_the_task(tmp_path: Path) -> None:
    temporary, own = tmp_path / "tmp", tmp_path / "own.txt"
    temporary.mkdir()
    pasted = temporary / "image-1.png"
    pasted.write_bytes(b"one")
    own.write_text("mine")
    attachments = FileAttachments(tmp_path / "kept", temporary)
    first = attachments.keep(TaskId("t"), (str(pasted), str(own), str(tmp_path / "missing")))
    pasted.write_bytes(b"two")
    second = attachments.keep(TaskId("t"), (str(pasted),))
    pasted.unlink()
    assert [Path(p).read_bytes() for p in (first[0], second[0])] == [b"one", b"two"]
    assert first[1:] == (str(own), str(tmp_path / "missing"))
    assert attachments.keep(TaskId("t"), first[:1]) == first[:1]
    attachments.forget(TaskId("t"))
    assert not Path(first[0]).exists()
