"""The cloud against the PostHog emulator: its scripts, its faults, both generations of the server.

Set POSTHOG_CODE_POSTHOG_LAB to the emulator's folder, and POSTHOG_CODE_POSTHOG_LAB_PYTHON to a Python that has what it
needs, to run these.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from posthog_code.domain.cloud_entries import frame_of, key_of, said_by_agent
from posthog_code.domain.cloud_requests import CloudDraft
from posthog_code.domain.errors import NotFound
from posthog_code.domain.ids import TaskId
from posthog_code.domain.session import SessionPhase
from posthog_code.domain.transcript import AgentText
from posthog_code.services.app import Services
from posthog_code.services.cloud_link import Link, Pace
from posthog_code.services.cloud_session import CloudSession
from tests.helpers import running, until

FOLDER = Path(os.environ.get("POSTHOG_CODE_POSTHOG_LAB") or "missing")
PYTHON = os.environ.get("POSTHOG_CODE_POSTHOG_LAB_PYTHON") or "python3"
KEY = "phx_emulator_personal_key_0001"
pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not (FOLDER / "emulator.py").is_file(), reason="the PostHog emulator is not here"),
]
PACE = Pace(first_wait=0.05, longest_wait=0.2, after_end=1.0)


class Lab:
    def __init__(self, url: str) -> None:
        self.url = url

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/__admin/{path}", data=data, method=method, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read() or b"null")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    process = subprocess.Popen(
        [PYTHON, str(FOLDER / "emulator.py"), "--port", "0", "--print-url", "--exit-with-stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdin is not None
    try:
        yield Lab(process.stdout.readline().strip())
    finally:
        process.stdin.close()
        process.wait(10)


@pytest.fixture(autouse=True)
def fresh(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.admin("POST", "reset", {})
    lab.admin("DELETE", "faults")
    lab.admin("POST", "config", {"flavor": "newest", "frame_interval_s": 0.002, "boot_s": 0.02})
    monkeypatch.setenv("POSTHOG_HOST", lab.url)
    monkeypatch.setenv("POSTHOG_API_KEY", KEY)


@asynccontextmanager
async def program(home: Path) -> AsyncIterator[Services]:
    async with running(home) as container:
        services = container.services
        services.sessions._new_session = lambda parts, task: CloudSession(
            parts, task.id, task.session_id, pace=PACE, patience=2.0
        )
        yield services


async def start(services: Services, script: str, **more: Any) -> tuple[TaskId, CloudSession]:
    draft = CloudDraft(prompt=f"Do the thing #script={script}", repository="acme/web", model="claude-opus-4-7", **more)
    task_id = await services.cloud.create(draft)
    session = services.sessions.cloud(task_id)
    session.watch()
    return task_id, session


async def end(lab: Lab, session: CloudSession) -> None:
    await asyncio.to_thread(lab.admin, "POST", f"runs/{session.task.cloud_run_id}/finish", {"status": "completed"})
    await until(lambda: session.link_state is Link.OVER, 30)
    await session.settled()


async def compared(services: Services, session: CloudSession) -> tuple[int, int, int, int, bool]:
    """Frames expected, shown, lost, doubled, and whether the agent's words are the same."""
    task = session.task
    cloud = services.account.cloud_of(task)
    page = await cloud.session_log(task.cloud_task_id, task.cloud_run_id)
    assert not page.more or len(page.entries) == 5000
    entries = list(page.entries)
    while page.more:
        page = await cloud.session_log(task.cloud_task_id, task.cloud_run_id, len(entries))
        entries += page.entries
    stored = [frame for entry in entries if (frame := frame_of(entry)) is not None]
    shown = [frame for frame, _ in (await session.stream.received(task.cloud_run_id)).since]
    was = Counter(key_of(f) for f in stored if said_by_agent(f) is None)
    now = Counter(key_of(f) for f in shown if said_by_agent(f) is None)
    words = "".join(said for f in stored if (said := said_by_agent(f)) is not None)
    told = "".join(said for f in shown if (said := said_by_agent(f)) is not None)
    return was.total(), now.total(), (was - now).total(), (now - was).total(), words == told


FAULTS: dict[str, dict[str, Any]] = {
    "none": {},
    "drop": {"kind": "sse_drop", "after_events": 20},
    "drop-mid-frame": {"kind": "sse_drop", "mid_frame": True, "after_events": 15, "times": 3},
    "eof": {"kind": "sse_eof", "after_events": 10, "times": 2},
    "rotate": {"kind": "sse_rotate", "after_events": 12, "times": 5},
    "error": {"kind": "sse_error", "after_events": 9},
    "malformed": {"kind": "sse_malformed", "after_events": 8},
    "duplicate": {"kind": "sse_duplicate", "count": 6, "after_events": 14},
    "out-of-order": {"kind": "sse_out_of_order", "after_events": 11},
    "split": {"kind": "sse_split", "after_events": 0},
    "crlf": {"kind": "sse_crlf", "after_events": 0},
    "unknown": {"kind": "sse_unknown", "event": "surprise", "after_events": 5},
    "huge": {"kind": "sse_huge", "bytes": 2_000_000, "after_events": 5},
    "502": {"kind": "html", "status": 502, "path": "/stream/", "times": 2},
    "429": {"kind": "throttle", "retry_after": 0, "path": "/stream/"},
    "log-503": {"kind": "html", "status": 503, "path": "/session_logs/", "times": 3},
}


@pytest.mark.parametrize("flavor", ["newest", "older"])
@pytest.mark.parametrize("name", FAULTS)
def test_a_run_with_a_fault(lab: Lab, tmp_path: Path, name: str, flavor: str) -> None:
    lab.admin("POST", "config", {"flavor": flavor, "stored_skew_ms": 250})
    if FAULTS[name]:
        lab.admin("POST", "faults", {"path": "/stream/", **FAULTS[name]})

    async def go() -> None:
        async with program(tmp_path) as services:
            _, session = await start(services, "unicode" if name in ("split", "crlf") else "standard")
            await until(lambda: session.session.phase is SessionPhase.READY, 30)
            await end(lab, session)
            found = await compared(services, session)
            assert found[0] == found[1] and found[2:] == (0, 0, True), found

    asyncio.run(go())


@pytest.mark.parametrize("script", ["subagent", "chatty", "structured", "no_changes"])
def test_a_script_joined_late(lab: Lab, tmp_path: Path, script: str) -> None:
    lab.admin("POST", "config", {"log_flush_s": 0.5, "stored_skew_ms": -400, "frame_interval_s": 0.005})

    async def go() -> None:
        async with program(tmp_path) as services:
            _, session = await start(services, script)
            await until(lambda: any(isinstance(i, AgentText) for i in session.stream.transcript.items), 30)
            await session.unwatch()
            session.watch()
            await until(lambda: session.session.phase is SessionPhase.READY, 30)
            await asyncio.sleep(0.6)  # until storage has caught up
            await end(lab, session)
            found = await compared(services, session)
            assert found[2:] == (0, 0, True), found

    asyncio.run(go())


def test_permissions_follow_ups_and_a_new_run(lab: Lab, tmp_path: Path) -> None:
    lab.admin("POST", "config", {"permissions": "always"})

    async def go() -> None:
        async with program(tmp_path) as services:
            task_id, session = await start(services, "standard")
            answered = 0
            while session.session.phase is not SessionPhase.READY:
                await until(lambda: session.session.asks or session.session.phase is SessionPhase.READY, 30)
                if not session.session.asks:
                    break
                ask = session.session.asks[0]
                allow = next(o for o in ask.options if o.kind.startswith("allow"))
                await services.sessions.answer(task_id, ask.id, allow.id)
                answered += 1
                await until(lambda ask=ask: ask not in session.session.asks)
            lab.admin("POST", "faults", {"kind": "status", "status": 504, "path": "/command/", "after": True})
            await services.sessions.prompt(task_id, "And a test #script=tiny")
            await until(
                lambda: not services.store.state.queue.get(task_id) and session.session.phase is SessionPhase.READY, 60
            )
            first = session.task.cloud_run_id
            await end(lab, session)
            found = await compared(services, session)
            assert found[2:] == (0, 0, True), found
            sent = _commands(lab)
            assert Counter(c["method"] for c in sent) == {"permission_response": answered, "user_message": 1}
            await services.sessions.prompt(task_id, "Go on #script=tiny")
            await until(lambda: session.task.cloud_run_id != first, 30)
            await until(lambda: session.session.phase is SessionPhase.READY, 30)
            runs = await services.account.cloud_of(session.task).runs(session.task.cloud_task_id)
            assert len(runs) == 2

    asyncio.run(go())


def _commands(lab: Lab) -> list[dict[str, Any]]:
    journal = lab.admin("GET", "journal?path=/command/")
    requests = next(v for v in journal.values() if isinstance(v, list)) if isinstance(journal, dict) else journal
    return [one["body"] for one in requests]


def test_a_failed_sandbox_and_a_roll_back(lab: Lab, tmp_path: Path) -> None:
    async def go() -> None:
        async with program(tmp_path) as services:
            _, session = await start(services, "sandbox_failure")
            await until(lambda: session.session.phase is SessionPhase.FAILED, 30)
            assert session.session.error
            before = len((await services.cloud.refresh()).tasks)
            lab.admin("POST", "faults", {"kind": "status", "status": 400, "path": "/start/", "body": {"detail": "no"}})
            with pytest.raises(Exception, match="no"):
                await services.cloud.create(CloudDraft("Never runs", "acme/web"))
            assert len((await services.cloud.refresh()).tasks) == before

    asyncio.run(go())


def test_new_tasks_appear_and_deleted_ones_go(lab: Lab, tmp_path: Path) -> None:
    async def go() -> None:
        async with program(tmp_path) as services:
            services.cloud._visible = 0.1
            services.cloud.set_visible(True)
            services.cloud.start()
            await until(lambda: services.cloud.list.fetched_at)
            assert not [t for t in services.cloud.list.tasks.values() if t.seen == ""]
            cloud = services.account.cloud()
            from posthog_code.domain.cloud_requests import NewCloudTask

            made = await cloud.create_task(NewCloudTask("From the web", "acme/web"))
            await until(lambda: made.id in services.cloud.list.tasks)
            await cloud.delete_task(made.id)
            await until(lambda: made.id not in services.cloud.list.tasks)
            with pytest.raises(NotFound):
                await services.cloud.open(made.id)

    asyncio.run(go())
