"""`posthog-code watch` and `flaky` as processes of their own, against a PostHog over real HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from posthog_code.app.paths import Paths
from posthog_code.domain.cloud import Account
from posthog_code.domain.ids import SessionId, TaskId
from posthog_code.domain.session import Session
from tests.helpers import run
from tests.integration.release_world import T, world

PROJECT = 20101
HOUR = 3600.0
KEY = "phx_demo"


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


class Server:
    def __init__(self, url: str) -> None:
        self.url = url

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def query(self, hogql: str) -> list[list[Any]]:
        body = {"query": {"kind": "HogQLQuery", "query": hogql}}
        return self.post(f"/api/projects/{PROJECT}/query/", body)["results"]

    def signals(self, kind: str) -> int:
        return int(self.query(f"SELECT count() FROM events WHERE properties.signal_kind = '{kind}'")[0][0])

    def live(self, released: float, before: int, after: int, pages: int = 25, new: int = 0) -> None:
        """A week before and a day after a release, with so many errors an hour."""
        events: list[dict[str, Any]] = []

        def add(event: str, at: float, number: int, **more: Any) -> None:
            properties = {"$pathname": "/checkout", "$session_id": f"s{int(at // HOUR)}-{number}", **more}
            events.append({"event": event, "distinct_id": f"p{number}", "timestamp": iso(at), "properties": properties})

        for hour in range(-168, 24):
            start = released + hour * HOUR
            for number in range(before if hour < 0 else after):
                add("$exception", start + 30 + number, number, **error("f1", "GatewayTimeout"))
            for number in range(pages):
                add("$pageview", start + 5 + number, number)
        for number in range(new):
            add("$exception", released + HOUR + number, number, **error("f2", "KeyError"))
        for place in range(0, len(events), 10_000):
            self.post("/__demo/event", {"events": events[place : place + 10_000]})


def error(fingerprint: str, name: str) -> dict[str, Any]:
    frames = [{"source": "/srv/app.py", "lineno": 9}, {"source": "/srv/src/pay.py", "lineno": 3}]
    listed = [{"type": name, "value": "no answer", "stacktrace": {"type": "raw", "frames": frames}}]
    return {"$exception_fingerprint": fingerprint, "$exception_types": [name], "$exception_list": listed}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    command = [sys.executable, "-m", "posthog_code.demo.posthog", "--root", str(tmp_path / "hub"), "--pace", "0"]
    process = subprocess.Popen([*command, "--empty", "--quiet"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdin is not None
    try:
        url = json.loads(process.stdout.readline())["url"]
        monkeypatch.setenv("POSTHOG_API_KEY", KEY)
        monkeypatch.setenv("POSTHOG_HOST", url)
        yield Server(url)
        process.stdin.close()
        process.wait(10)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def prepare(home: Path) -> None:
    """A data folder with one merged task; nobody is signed in there."""

    async def go() -> None:
        async with world(home) as place:
            store = place.container.services.store
            task = replace(place.state.tasks[T], report_id="")
            await store.update(lambda state: replace(state, account=Account(), tasks={T: task}))

    run(go())


def start(home: Path, *words: str) -> subprocess.Popen[str]:
    env = {**os.environ, "POSTHOG_CODE_HOME": str(home / "data"), "GITHUB_API_URL": "http://127.0.0.1:9/api/v3"}
    command = [sys.executable, "-m", "posthog_code", *words]
    return subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def posthog_code(home: Path, *words: str) -> tuple[int, str, str]:
    out, err = (process := start(home, *words)).communicate(timeout=120)
    return process.returncode, out, err


def watch(home: Path, *words: str) -> tuple[int, dict[str, Any]]:
    code, out, err = posthog_code(home, "watch", T, "--once", "--json", *words)
    assert out, err
    return code, json.loads(out.splitlines()[-1])


def test_better(tmp_path: Path, server: Server) -> None:
    released = time.time() - 25 * HOUR
    prepare(tmp_path)
    server.live(released, before=12, after=1)
    code, found = watch(tmp_path, "--released-at", iso(released))
    assert (code, found["state"], found["direction"], found["released_by"]) == (0, "better", "better", "you")
    assert found["verdict"].startswith("−92 % errors per hour, 12 to 1; no new errors")
    assert {one["id"]: one["place"] for one in found["metrics"]}["errors"] == "src/pay.py:2"
    code, out, _err = posthog_code(tmp_path, "watch", T, "--once")
    assert code == 0 and out.startswith("Better; released") and "−92 % errors per hour" in out
    code, out, _err = posthog_code(tmp_path, "watch", T, "--before")
    assert code == 0 and "errors that pass the changed code: GatewayTimeout" in out
    assert server.signals("regression") == 0


def test_worse_is_told_once_by_any_number_of_programs(tmp_path: Path, server: Server) -> None:
    released = time.time() - 26 * HOUR
    prepare(tmp_path)
    server.live(released, before=1, after=9, new=5)
    running = [start(tmp_path, "watch", T, "--once", "--json", "--released-at", iso(released)) for _ in range(3)]
    told = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [1, 1, 1], told
    code, found = watch(tmp_path)
    assert (code, found["state"], found["new_errors"]) == (1, "worse", ["KeyError"])
    assert "src/pay.py:2" in found["follow_up_prompt"] and found["follow_up"] == ""
    assert server.signals("regression") == 1


def test_the_same_and_nothing(tmp_path: Path, server: Server) -> None:
    released = time.time() - 25 * HOUR
    prepare(tmp_path)
    code, found = watch(tmp_path, "--released-at", iso(released))
    assert (code, found["state"], found["direction"]) == (0, "unknown", "unknown")
    server.live(released, before=3, after=3)
    code, found = watch(tmp_path)
    assert (code, found["state"]) == (0, "same") and found["verdict"].startswith("As before: 3 errors per hour")


def test_the_report_gets_the_figures(tmp_path: Path, server: Server) -> None:
    released = time.time() - 25 * HOUR
    prepare(tmp_path)
    report = server.post("/__demo/signals/report", {"title": "Charged twice", "status": "ready", "priority": "P1"})

    async def go() -> None:
        async with world(tmp_path) as place:
            task = replace(place.state.tasks[T], report_id=report["id"])
            await place.container.services.store.update(lambda state: replace(state, tasks={T: task}))

    run(go())
    server.live(released, before=12, after=1)
    code, found = watch(tmp_path, "--released-at", iso(released))
    assert (code, found["state"], found["problem"]) == (0, "better", "")
    request = urllib.request.Request(
        f"{server.url}/api/projects/{PROJECT}/signals/reports/{report['id']}/",
        headers={"Authorization": f"Bearer {KEY}"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.load(answer)["status"] in ("resolved", "suppressed")


def test_errors(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    released = time.time() - 5 * HOUR
    prepare(tmp_path)
    assert posthog_code(tmp_path, "watch", "nothing", "--once")[0] == 2
    assert posthog_code(tmp_path, "watch", T, "--released-at", "soon")[0] == 2
    code, found = watch(tmp_path, "--released-at", iso(released))
    assert code == 0 and found["state"] == "watching"
    server.post("/__demo/faults", {"kind": "status", "path": "/query/", "status": 503, "times": -1})
    code, again = watch(tmp_path)
    assert code == 2 and again["problem"] and again["checked_at"] == found["checked_at"]
    assert again["metrics"] == found["metrics"] and again["state"] == "watching"
    monkeypatch.delenv("POSTHOG_API_KEY")
    code, _out, err = posthog_code(tmp_path, "watch", T, "--once")
    assert code == 2 and "not signed in" in err


# -- flaky -------------------------------------------------------------------------------------------------------------

NAME = "tests/test_pay.py::test_retry"
FAILED = f"FAILED {NAME} - TimeoutError: late\n1 failed, 4 passed in 2.31s\n"
PASSED = "tests/test_pay.py .....                  [100%]\n5 passed in 0.31s\n"


def converse(home: Path, tasks: int) -> None:
    """Conversations in which the same test failed, and passed in the next turn."""

    async def go() -> None:
        async with world(home) as place:
            services = place.container.services
            journals = services.sessions._parts.journals
            for number in range(tasks):
                task_id, session = TaskId(f"flaky{number}"), SessionId(f"fs{number}")
                task = replace(place.state.tasks[T], id=task_id, session_id=session, report_id="")
                await services.store.update(
                    lambda state, task=task, session=session: replace(
                        state,
                        tasks={**state.tasks, task.id: task},
                        sessions={**state.sessions, session: Session(session, task.id, "custom")},
                        account=Account(),
                        pull_requests={},
                    )
                )
                journal = journals.open(session)
                for turn, output in enumerate((FAILED, PASSED)):
                    journal.append(_note("turn_started", turn=turn + 1), "note", 10.0 * turn)
                    for frame in _run(f"call{turn}", output):
                        journal.append(frame, "in", 10.0 * turn + 1)
                journal.close()

    run(go())


def _note(name: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": f"_posthog_code/{name}", "params": params}


def _run(call: str, output: str) -> list[dict[str, Any]]:
    begun = {
        "sessionUpdate": "tool_call", "toolCallId": call, "title": "pytest -q", "kind": "execute",
        "status": "in_progress", "rawInput": {"command": "pytest -q"},
    }  # fmt: skip
    content = [{"type": "content", "content": {"type": "text", "text": output}}]
    done = {"sessionUpdate": "tool_call_update", "toolCallId": call, "status": "completed", "content": content}
    return [
        {"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": "a", "update": update}}
        for update in (begun, done)
    ]


def test_a_flaky_test_seen_in_three_tasks_is_told_once(tmp_path: Path, server: Server) -> None:
    converse(tmp_path, 2)
    code, out, err = posthog_code(tmp_path, "flaky", "--json")
    assert code == 0, err
    (row,) = json.loads(out)
    assert (row["test"], row["repository"], len(row["tasks"]), row["told"]) == (NAME, "acme/shop", 2, False)
    code, _out, err = posthog_code(tmp_path, "flaky", "--emit", row["id"])
    assert code == 2 and "2 of 3 tasks" in err
    converse(tmp_path, 3)
    code, out, err = posthog_code(tmp_path, "flaky", "--emit", row["id"])
    assert code == 0 and NAME in out, err
    code, _out, err = posthog_code(tmp_path, "flaky", "--emit", row["id"])
    assert code == 2 and "knows of it" in err
    assert server.signals("flaky_test") == 1
    assert json.loads(posthog_code(tmp_path, "flaky", "--json")[1])[0]["told"] is True


def test_nothing_is_sent_without_an_account(tmp_path: Path) -> None:
    converse(tmp_path, 3)
    code, out, _err = posthog_code(tmp_path, "flaky")
    assert code == 0 and NAME in out and "may be told" in out
    code, _out, err = posthog_code(tmp_path, "flaky", "--emit", out.split()[0])
    assert code == 2 and "not signed in" in err
    assert Paths(tmp_path / "data").database.exists()
