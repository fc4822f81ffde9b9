"""A task's log: read off the loop, nothing twice, nothing lost, no secrets, bounded."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

from posthog_code.adapters.storage.journal import FileJournals
from posthog_code.adapters.storage.task_logs import FileTaskLogs
from posthog_code.domain.ids import SessionId, TaskId
from posthog_code.domain.logs import LogLine, LogSource
from posthog_code.domain.redact import redact
from posthog_code.domain.state import Topic
from posthog_code.services.logs import Logs
from posthog_code.services.store import Store
from tests.unit.test_storage import full_state

TASK, SESSION = TaskId("t1"), SessionId("s1")


class Clock:
    def now(self) -> float:
        return 100.0

    def new_id(self) -> str:
        return "id"


class SlowFiles(FileTaskLogs):
    """Waits in the middle of reading until it is let go."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.reading, self.go = threading.Event(), threading.Event()
        self.thread = threading.main_thread()

    def read(self, task_id: TaskId) -> Any:
        lines = list(super().read(task_id))
        self.thread = threading.current_thread()
        self.reading.set()
        assert self.go.wait(10)
        return iter(lines)


def frame(text: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "session/cancel", "params": {"sessionId": text}}


def test_loading_reads_in_a_thread_and_keeps_what_comes_meanwhile(tmp_path: Path) -> None:
    async def scenario() -> None:
        files, journals = SlowFiles(tmp_path / "logs"), FileJournals(tmp_path / "journal")
        store = Store(object(), full_state())  # type: ignore[arg-type]
        logs = Logs(store, journals, files, Clock())
        logs.write(TASK, LogSource.GIT, "before")
        journal = journals.open(SESSION)
        # In the journal already, but the session has not told the log of it yet.
        journal.append(frame("a"), "out", 100.0)
        told: list[Topic] = []
        store.subscribe(told.extend)
        loading = asyncio.ensure_future(logs.load(TASK))
        await asyncio.to_thread(files.reading.wait, 10)
        assert files.thread is not threading.main_thread()
        assert logs.lines(TASK).count == 0
        logs.write(TASK, LogSource.GIT, "meanwhile")
        logs.frame(TASK, frame("a"), "out", 100.1)
        files.go.set()
        await loading
        view = logs.lines(TASK)
        texts = [view.brief(i).text for i in range(view.count)]
        assert sorted(t for t in texts if t in ("before", "meanwhile")) == ["before", "meanwhile"]
        assert len(texts) == 3
        assert Topic("log", TASK) in told
        logs.write(TASK, LogSource.GIT, "after")
        assert view.brief(view.count - 1).text == "after"
        logs.forget(TASK)
        assert logs.lines(TASK).count == 0
        journal.close()

    asyncio.run(scenario())


def test_secrets_do_not_reach_the_log(tmp_path: Path) -> None:
    files = FileTaskLogs(tmp_path / "logs")
    logs = Logs(Store(object(), full_state()), FileJournals(tmp_path), files, Clock())  # type: ignore[arg-type]
    secret = "abcdEFGH1234567890abcdEFGH"
    words = [
        f"export ANTHROPIC_API_KEY={secret}",
        f"Authorization: Bearer {secret}",
        f"token ghp_{secret}",
        f"https://ada:{secret}@host/repo",
        f'{{"api_key": "{secret}"}}',
    ]
    logs.write(TASK, LogSource.SETUP, "\n".join(words), data=words[2])
    assert secret not in (tmp_path / "logs" / "t1.jsonl").read_text()
    assert len(list(files.read(TASK))) == len(words)
    for plain in ("read 3 tokens: a, b", "git push --token-file=x", "commit 4f2a9c1", "see secretary notes"):
        assert redact(plain) == plain or "token-file" in plain


def test_a_log_file_does_not_grow_for_ever(tmp_path: Path) -> None:
    files = FileTaskLogs(tmp_path, limit=2_000)
    for number in range(500):
        files.append(TASK, [LogLine(float(number), LogSource.STDERR, f"line {number}")])
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 5_000
    kept = [line.text for line in files.read(TASK)]
    assert kept[-1] == "line 499" and len(kept) > 20
    assert kept == [f"line {n}" for n in range(500 - len(kept), 500)]
    files.remove(TASK)
    assert not list(tmp_path.iterdir())
