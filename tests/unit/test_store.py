"""The store: durable first, whole even when it is cut off, and together with other programs on the same folder."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from posthog_code.adapters.storage.database import SqliteDatabase
from posthog_code.domain.ids import SessionId, TaskId
from posthog_code.domain.session import Ask, AskKind, Session, SessionPhase
from posthog_code.domain.state import AppState, Topic
from posthog_code.services import edits
from posthog_code.services.merge import merged
from posthog_code.services.store import Store
from tests.unit.test_storage import SESSION, TASK, full_state

OTHER = TaskId("t2")


def opened(path: Path) -> tuple[SqliteDatabase, Store]:
    database = SqliteDatabase(path)
    return database, Store(database, database.load())


def titled(title: str) -> object:
    return lambda state: edits.edit_task(state, TASK, title=title)


def test_a_save_that_is_cut_off_is_carried_through(tmp_path: Path) -> None:
    async def scenario() -> None:
        database, store = opened(tmp_path / "db")
        await store.update(lambda _state: full_state())
        release = asyncio.Event()
        save = database.save

        async def slow(old: AppState, new: AppState) -> AppState | None:
            result = await save(old, new)
            await release.wait()
            return result

        database.save = slow  # type: ignore[method-assign]
        updating = asyncio.ensure_future(store.update(titled("second")))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        updating.cancel()
        asyncio.get_running_loop().call_later(0.02, release.set)
        with pytest.raises(asyncio.CancelledError):
            await updating
        assert store.state.tasks[TASK].title == "second"
        assert database.load().tasks[TASK].title == "second"
        database.close()

    asyncio.run(scenario())


def test_a_change_sees_what_another_program_wrote(tmp_path: Path) -> None:
    async def scenario() -> None:
        first_file, first = opened(tmp_path / "db")
        await first.update(lambda _state: full_state())
        second_file, second = opened(tmp_path / "db")
        task = full_state().tasks[TASK]
        await second.update(lambda state: edits.put_task(state, replace(task, id=OTHER, title="theirs")))
        await second.update(lambda state: edits.edit_task(state, TASK, unread=True))
        told: list[Topic] = []
        first.subscribe(told.extend)
        await first.update(titled("mine"))  # type: ignore[arg-type]
        assert first.state.tasks[OTHER].title == "theirs"
        assert (first.state.tasks[TASK].title, first.state.tasks[TASK].unread) == ("mine", True)
        assert Topic("task", OTHER) in told
        assert (await second.refresh()) >= {Topic("task", TASK)}
        assert second.state.tasks == first.state.tasks
        assert await second.refresh() == frozenset()
        first_file.close()
        second_file.close()

    asyncio.run(scenario())


def test_merging_keeps_what_is_only_in_memory() -> None:
    mine = full_state()
    ask = Ask("1", AskKind.PERMISSION, "Run?", 1.0)
    mine = edits.edit_session(mine, SESSION, asks=(ask,))
    same, told = merged(mine, full_state())
    assert (same, told) == (mine, frozenset())
    theirs = edits.put_session(full_state(), Session(SessionId("s2"), OTHER, "demo", phase=SessionPhase.WORKING))
    both, told = merged(mine, theirs)
    assert both.sessions[SESSION] is mine.sessions[SESSION]
    assert Topic("session", OTHER) in told and Topic("session", TASK) not in told
    gone, told = merged(mine, replace(full_state(), queue={}, comments={}))
    assert not gone.queue and {Topic("queue", TASK), Topic("comments", TASK)} <= told
