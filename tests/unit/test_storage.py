"""Database, journals and logs against real files."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthog_code.adapters.storage.codec import decode, encode
from posthog_code.adapters.storage.database import SqliteDatabase
from posthog_code.adapters.storage.journal import FileJournals
from posthog_code.adapters.storage.schema import VERSION
from posthog_code.adapters.storage.task_logs import FileTaskLogs
from posthog_code.domain.errors import Conflict, StorageFailed
from posthog_code.domain.ids import CommentId, MessageId, RepositoryId, SessionId, TaskId
from posthog_code.domain.logs import LogLine, LogSource
from posthog_code.domain.pull_request import Check, CheckState, PullRequest, PullRequestState
from posthog_code.domain.review import Comment
from posthog_code.domain.session import Ask, AskKind, Session, SessionPhase, Turn
from posthog_code.domain.settings import Settings
from posthog_code.domain.state import AppState
from posthog_code.domain.task import DiffStat, QueuedMessage, Repository, Step, StepState, Task, TaskPhase, Workspace

TASK, SESSION, REPOSITORY = TaskId("t1"), SessionId("s1"), RepositoryId("r1")


def full_state() -> AppState:
    task = Task(
        id=TASK,
        repository_id=REPOSITORY,
        title="Größe ändern \ud800",
        prompt="line\nline",
        workspace=Workspace.WORKTREE,
        agent_id="demo",
        session_id=SESSION,
        created_at=1.5,
        updated_at=2.0,
        phase=TaskPhase.READY,
        steps=(Step("worktree", "Create the worktree", StepState.DONE, 1.0, 2.0, "x"),),
        stat=DiffStat(1, 2, 3),
    )
    session = Session(SESSION, TASK, "demo", phase=SessionPhase.READY, turns=(Turn(1, "p", 1.0, 2.0, "end_turn"),))
    pull = PullRequest(7, "T", "u", PullRequestState.OPEN, "b", "main", checks=(Check("c", CheckState.FAILED),))
    comment = Comment(CommentId("c1"), TASK, "a b.py", "new", 1, 2, "code", "text", 3.0)
    return AppState(
        repositories={REPOSITORY: Repository(REPOSITORY, "/x", "x", "main")},
        tasks={TASK: task},
        sessions={SESSION: session},
        queue={
            TASK: (QueuedMessage(MessageId("m1"), TASK, "next", 4.0), QueuedMessage(MessageId("m2"), TASK, "b", 5.0))
        },
        comments={TASK: (comment,)},
        viewed={TASK: {"odd\udcff.py": "f1"}},
        drafts={"": "half a prompt", TASK: "half a message"},
        pull_requests={TASK: pull},
        publishing={TASK: (Step("push", "Push"),)},
        settings=Settings(theme="dark", agent_paths={"codex": "/opt/codex"}),
    )


def save(path: Path, *states: AppState) -> None:
    database = SqliteDatabase(path)
    old = AppState()
    for new in states:
        asyncio.run(database.save(old, new))
        old = new
    database.close()


def load(path: Path) -> AppState:
    database = SqliteDatabase(path)
    try:
        return database.load()
    finally:
        database.close()


def test_everything_comes_back(tmp_path: Path) -> None:
    state = full_state()
    save(tmp_path / "db", state)
    assert load(tmp_path / "db") == state


def test_removed_things_are_gone_and_pending_asks_are_not_kept(tmp_path: Path) -> None:
    state = full_state()
    asking = replace(state.sessions[SESSION], asks=(Ask("1", AskKind.PERMISSION, "Run?", 1.0),))
    later = replace(state, queue={TASK: ()}, drafts={}, sessions={SESSION: asking}, comments={})
    save(tmp_path / "db", state, later)
    found = load(tmp_path / "db")
    assert not found.queue.get(TASK)
    assert found.drafts == {}
    assert found.comments == {}
    assert found.sessions[SESSION].asks == ()


def test_a_row_that_cannot_be_read_stays_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "db"
    save(path, full_state())
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO tasks VALUES ('bad', 'r1', 'ready', '{\"id\": 1')")
    database = SqliteDatabase(path)
    assert list(database.load().tasks) == [TASK]
    assert len(database.problems) == 1
    database.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM tasks").fetchone() == (2,)


def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "db"
    path.write_bytes(b"this is no database, whatever it was before" * 100)
    database = SqliteDatabase(path)
    assert database.load() == AppState()
    assert "kept as db.damaged-1" in database.problems[0]
    assert (tmp_path / "db.damaged-1").read_bytes().startswith(b"this is no database")
    database.close()


def test_a_newer_file_is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "db"
    save(path, full_state())
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(StorageFailed, match="newer version"):
        SqliteDatabase(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM tasks").fetchone() == (1,)


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFailed):
        SqliteDatabase(tmp_path / "file" / "db")


def test_a_failed_write_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "db"
    save(path, full_state())
    database = SqliteDatabase(path)
    state = database.load()
    database._thread.submit(database._connection.execute, "PRAGMA query_only = 1").result()
    later = replace(state, drafts={"": "new"})
    with pytest.raises(StorageFailed):
        asyncio.run(database.save(state, later))
    database.close()
    assert load(path) == state


def test_codec_drops_unknown_and_defaults_missing() -> None:
    text = json.dumps({"number": 3, "prompt": "p", "started_at": 1, "from_the_future": True})
    assert decode(Turn, text) == Turn(3, "p", 1.0)
    with pytest.raises(ValueError, match="number"):
        decode(Turn, '{"prompt": "p", "started_at": 1}')


@given(st.text(), st.text())
@settings(max_examples=50)
def test_codec_round_trip_of_any_text(prompt: str, error: str) -> None:
    turn = Turn(1, prompt, 0.25, error=error)
    assert decode(Turn, encode(turn)) == turn


# -- journals ----------------------------------------------------------------------------------------------------


def test_journal_keeps_frames_in_order(tmp_path: Path) -> None:
    journals = FileJournals(tmp_path)
    journal = journals.open(SESSION)
    journal.append({"a": "\ud800 ü \n"}, "out", 1000.5)
    journal.append_raw(b'{"b": 2}', "in", 1001.0)
    journal.close()
    assert list(journals.read(SESSION)) == [({"a": "\ud800 ü \n"}, "out", 1000.5), ({"b": 2}, "in", 1001.0)]
    line = json.loads((tmp_path / "s1.jsonl").read_text().splitlines()[0])
    assert line["type"] == "notification"
    assert line["timestamp"] == "1970-01-01T00:16:40.500Z"


@given(st.integers(min_value=1, max_value=200))
@settings(max_examples=30, deadline=None)
def test_a_torn_last_line_is_dropped_wherever_it_was_cut(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    folder = tmp_path_factory.mktemp("journal")
    journals = FileJournals(folder)
    journal = journals.open(SESSION)
    for number in range(3):
        journal.append({"n": number, "pad": "x" * 50}, "in", float(number))
    journal.close()
    path = folder / "s1.jsonl"
    data = path.read_bytes()
    cut = min(cut, len(data) - 1)
    path.write_bytes(data[:-cut])
    whole = data[:-cut].count(b"\n")
    journal = journals.open(SESSION)
    journal.append({"n": 99}, "note", 9.0)
    journal.close()
    assert [frame["n"] for frame, _, _ in journals.read(SESSION)] == [*range(whole), 99]


def test_damaged_lines_in_the_middle_cost_only_themselves(tmp_path: Path) -> None:
    journals = FileJournals(tmp_path)
    journal = journals.open(SESSION)
    journal.append({"n": 1}, "in", 1.0)
    journal.close()
    with open(tmp_path / "s1.jsonl", "ab") as file:
        file.write(b'\x00\x00garbage\n{"type":"notification"}\n[1]\n')
    journal = journals.open(SESSION)
    journal.append({"n": 2}, "in", 2.0)
    journal.close()
    assert [frame["n"] for frame, _, _ in journals.read(SESSION)] == [1, 2]


def test_only_one_process_writes_a_journal(tmp_path: Path) -> None:
    journals = FileJournals(tmp_path)
    code = (
        "import sys; from pathlib import Path; from posthog_code.adapters.storage.journal import FileJournals\n"
        "j = FileJournals(Path(sys.argv[1])).open('s1'); print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == b"open\n"
        assert journals.in_use(SESSION)
        with pytest.raises(Conflict):
            journals.open(SESSION)
        other.stdin.close()
        other.wait()
    assert not journals.in_use(SESSION)
    journals.open(SESSION).close()


def test_a_full_disk_leaves_whole_lines_only(tmp_path: Path) -> None:
    journals = FileJournals(tmp_path)
    journal = journals.open(SESSION)
    journal.append({"n": 1}, "in", 1.0)
    real = os.write
    calls = []

    def short_write(fd: int, data: bytes) -> int:
        calls.append(fd)
        if len(calls) == 1:
            return real(fd, data[:10])
        raise OSError(28, "No space left on device")

    os.write = short_write  # type: ignore[assignment]
    try:
        with pytest.raises(StorageFailed):
            journal.append({"n": 2}, "in", 2.0)
    finally:
        os.write = real
    journal.append({"n": 3}, "in", 3.0)
    journal.close()
    assert [frame["n"] for frame, _, _ in journals.read(SESSION)] == [1, 3]


def test_task_logs_round_trip(tmp_path: Path) -> None:
    logs = FileTaskLogs(tmp_path / "logs")
    lines = [
        LogLine(1.0, LogSource.GIT, "git status", "info", ""),
        LogLine(2.0, LogSource.STDERR, "\ud800", "error", "{}"),
    ]
    logs.append(TASK, lines)
    with open(logs.path(TASK), "ab") as file:
        file.write(b"torn")
    assert list(logs.read(TASK)) == lines
    assert list(logs.read(TaskId("none"))) == []
