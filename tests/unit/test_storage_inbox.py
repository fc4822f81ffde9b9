"""The inbox on disk: a row for each thing, so that little is written, and nothing is lost between two programs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from posthog_code.adapters.storage.database import SqliteDatabase
from posthog_code.adapters.storage.rows import differ, writes
from posthog_code.domain.ids import TaskId
from posthog_code.domain.inbox import Artefact, ErrorSample, Evidence, Inbox, Recording, Report, ReportSignal, Triage
from posthog_code.domain.state import AppState
from posthog_code.services.store import Store

INBOX = Inbox(
    reports={f"r{n}": Report(f"r{n}", title="Größe \ud800", sources=("github",), created_at=1.5) for n in range(3)},
    evidence={
        "r1": Evidence(
            "r1",
            signals=(ReportSignal("s", extra={"labels": ["a"], "n": None}),),
            artefacts=(Artefact("a", "note", [{"x": 1}]),),
            errors=(ErrorSample("f", series=(1, 2)),),
            recordings=(Recording("s", marks=(1.5,)),),
            commits={"abc": "why"},
        )
    },
    triage={"r1": Triage(task_ids=(TaskId("t"),), seen_at=2.0), "x:y": Triage(dismissed_signals=3)},
    project_id=7,
    fetched_at=9.0,
    loading=True,
    error="Offline.",
)


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "state.sqlite3")
    state = database.load()
    asyncio.run(database.save(state, replace(state, inbox=INBOX)))
    assert database.load().inbox == replace(INBOX, loading=False, error="")
    fewer = replace(INBOX, reports={"r1": INBOX.reports["r1"]}, evidence={}, project_id=8)
    asyncio.run(database.save(replace(state, inbox=INBOX), replace(state, inbox=fewer)))
    assert database.load().inbox == replace(fewer, loading=False, error="")
    assert not database.problems
    database.close()


def test_only_what_changed_is_written() -> None:
    old = AppState(inbox=INBOX)
    assert writes(old, replace(old, inbox=replace(INBOX, fetched_at=10.0, loading=False))) == []
    triage = {**INBOX.triage, "r0": Triage(seen_at=1.0)}
    keys = [
        values[0] for _, values in writes(old, replace(old, inbox=replace(INBOX, triage=triage))) if len(values) > 1
    ]
    assert keys == ["triage:r0"]


def test_what_no_row_holds_is_no_work_for_the_disk() -> None:
    old = AppState(inbox=INBOX)
    assert not differ(old, replace(old, agents=(), code_signals={}, changes={}))
    assert differ(old, replace(old, inbox=replace(INBOX, triage={})))


def test_what_was_decided_in_another_program(tmp_path: Path) -> None:
    async def go() -> None:
        first, second = SqliteDatabase(tmp_path / "s.sqlite3"), SqliteDatabase(tmp_path / "s.sqlite3")
        one, two = Store(first, first.load()), Store(second, second.load())
        await one.update(lambda state: replace(state, inbox=INBOX))
        await two.refresh()

        def decide(report_id: str) -> object:
            def change(state: AppState) -> AppState:
                triage = {**state.inbox.triage, report_id: Triage(dismissed_signals=4)}
                return replace(state, inbox=replace(state.inbox, triage=triage))

            return change

        await two.update(decide("r0"))  # type: ignore[arg-type]
        await one.update(decide("r2"))  # type: ignore[arg-type]
        await two.refresh()
        for store in (one, two):
            assert store.state.inbox.triage.keys() == {"r0", "r1", "r2", "x:y"}
        assert first.load().inbox.triage == one.state.inbox.triage
        first.close()
        second.close()

    asyncio.run(go())
