"""Putting the files of a task back to before a turn, with a real agent process and real git."""

from __future__ import annotations

from pathlib import Path

import pytest

from posthog_code.domain.errors import Conflict, NotFound
from posthog_code.domain.session import SessionPhase
from tests.helpers import finished, git, run, running, session_of, start_task, task_of, until


def test_files_go_back_and_come_again(tmp_path: Path, repository: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, "Improve the add function")
            session = await finished(services, task_id)
            folder = Path(task_of(services, task_id).path)
            assert session.turns[0].files
            changed = git(folder, "status", "--porcelain")
            assert changed and await services.restore.own_edits(task_id) == ()
            (folder / "mine.txt").write_text("by hand")
            assert await services.restore.own_edits(task_id) == ("mine.txt",)
            head = git(folder, "rev-parse", "HEAD")
            kept = await services.restore.before_turn(task_id, 1)
            assert git(folder, "status", "--porcelain") == "" and git(folder, "rev-parse", "HEAD") == head
            assert not services.store.state.changes[task_id].files
            await services.restore.undo(task_id, kept)
            assert (folder / "mine.txt").read_text() == "by hand"
            assert set(changed.splitlines()) < set(git(folder, "status", "--porcelain").splitlines())
            with pytest.raises(NotFound, match="turn 7"):
                await services.restore.before_turn(task_id, 7)

    run(scenario())


def test_not_while_a_turn_runs(tmp_path: Path, repository: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, "silent")
            await until(lambda: session_of(services, task_id).phase is SessionPhase.WORKING)
            with pytest.raises(Conflict, match="still working"):
                await services.restore.before_turn(task_id, 1)
            await services.sessions.stop(task_id)
            await finished(services, task_id)

    run(scenario())
