"""The inbox's commands, as a person or a script runs them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from posthog_code.domain.inbox import DISMISSED
from tests.helpers import DEMO_AGENT, git, make_repository
from tests.helpers import run as drive
from tests.integration.cloud_server import KEY
from tests.integration.inbox_server import InboxServer, told


class Shell:
    def __init__(self, server: InboxServer, home: Path) -> None:
        self.server, self.home = server, home

    async def __call__(self, *words: str, key: str = KEY) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        env = {
            **os.environ,
            "POSTHOG_HOST": self.server.url,
            "POSTHOG_API_KEY": key,
            "POSTHOG_CODE_HOME": str(self.home),
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "posthog_code", *words),
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, error = await asyncio.wait_for(process.communicate(), 90)
        return process.returncode or 0, out.decode(), error.decode()

    async def json(self, *words: str) -> tuple[int, Any]:
        """Exit code and the last document."""
        code, out, error = await self(*words, "--json")
        assert out, error
        return code, json.loads(out.splitlines()[-1])


@asynccontextmanager
async def shell(home: Path) -> AsyncIterator[Shell]:
    server = InboxServer()
    await server.start()
    try:
        yield Shell(server, home)
    finally:
        await server.stop()


def test_looking(tmp_path: Path) -> None:
    async def go() -> None:
        async with shell(tmp_path / "home") as run:
            run.server.report("0199-aaaa", title="Charged twice", is_suggested_reviewer=True)
            run.server.evidence("0199-aaaa", paths=("src/pay.ts:24",))
            run.server.report("0199-bbbb", priority="P4", title="Dark mode")
            run.server.report("0199-cccc", status=DISMISSED)
            code, found = await run.json("inbox")
            assert code == 0 and found["tab"] == "for_you" and not found["problem"]
            (row,) = found["reports"]
            assert row["id"] == "0199-aaaa" and row["people"] == 30 and row["score"] > 0 and row["unread"]
            assert found["counts"] == {"for_you": 1, "all": 2, "snoozed": 0, "dismissed": 1}
            code, out, _ = await run("inbox", "list", "--tab", "all")
            first, second = out.splitlines()
            assert "Charged twice" in first and "30 people" in first and "Dark mode" in second
            code, found = await run.json("inbox", "show", "posthog-code://inbox/0199-aaaa")
            assert code == 0 and found["evidence"]["errors"][0]["place"] == "src/pay.ts:24"
            assert {one["id"] for one in found["factors"]} >= {"people", "severity", "closeness"}
            code, out, _ = await run("inbox", "show", "aaaa")
            assert code == 0 and "of 100" in out and "30 people in 7 days" in out and "src/pay.ts:24" in out
            code, found = await run.json("inbox", "--tab", "all", "list", "--search", "charged")
            assert [(one["id"], one["unread"]) for one in found["reports"]] == [("0199-aaaa", False)]
            for words in (("show", "0199"), ("show", "zzzz")):
                code, out, error = await run("inbox", *words)
                assert code == 2 and error and "Traceback" not in error
            code, _, error = await run("inbox", key="phx_wrong_key_1")
            assert code == 2 and "phx_" not in error and "Traceback" not in error
            run.server.answering = False
            code, out, error = await run("inbox", "--tab", "all")
            assert code == 1 and "Charged twice" in out and "This is the list of" in error

    drive(go())


def test_triage(tmp_path: Path) -> None:
    async def go() -> None:
        async with shell(tmp_path / "home") as run:
            for name in ("aaaa", "bbbb", "cccc"):
                run.server.report(name)
            code, found = await run.json("inbox", "snooze", "aaaa", "--for", "3")
            assert code == 0 and found["outcome"] == {"aaaa": ""}
            assert run.server.states[-1][1] == {"state": "potential", "snooze_for": 3}
            run.server.refused.add("cccc")
            code, found = await run.json(
                "inbox", "dismiss", "bbbb", "cccc", "--reason", "wrong_repo", "--note", "Not us"
            )
            assert code == 1 and found["outcome"]["bbbb"] == "" and found["outcome"]["cccc"]
            assert run.server.reports["bbbb"]["dismissal_reason"] == "wrong_repo"
            code, found = await run.json("inbox", "--tab", "snoozed")
            assert [one["id"] for one in found["reports"]] == ["aaaa"] and found["counts"]["dismissed"] == 1
            code, out, _ = await run("inbox", "restore", "aaaa", "bbbb")
            assert code == 0 and out.count("Restored") == 2
            assert {one["status"] for one in run.server.reports.values()} == {"ready"}
            for words in (("snooze", "aaaa", "--for", "0"), ("dismiss", "zzzz")):
                code, _, error = await run("inbox", *words)
                assert code == 2 and error and "Traceback" not in error

    drive(go())


def test_start(tmp_path: Path) -> None:
    async def go() -> None:
        repository = make_repository(tmp_path / "web")
        git(repository, "remote", "add", "origin", "https://github.com/acme/web.git")
        async with shell(tmp_path / "home") as run:
            run.server.report("aaaa", title="Adds up wrong")
            run.server.evidence("aaaa", paths=("calc.py:4",))
            agent = ("--agent-command", DEMO_AGENT, "--permissions", "allow", "--mode", "auto")
            code, _, error = await run("inbox", "start", "aaaa", *agent)
            assert code == 2 and "acme/web" in error
            code, out, error = await run("inbox", "start", "aaaa", "--repo", str(repository), *agent, "--json")
            assert code == 0, error
            first = json.loads(out.splitlines()[0])
            assert first["event"] == "task" and first["report"] == "aaaa"
            row = (await run.json("inbox", "--tab", "all"))[1]["reports"][0]
            assert row["tasks"] == [first["task"]]
            assert git(repository, "status", "--porcelain") == ""
            code, found = await run.json("inbox", "start", "aaaa", "--cloud")
            assert code == 0 and found["cloud_task"] in run.server.tasks
            assert told(run.server, "/runs/")[0]["run_source"] == "signal_report"
            code, _, error = await run("inbox", "start", "aaaa", "--cloud", "--repo", str(repository))
            assert code == 2 and "--repo" in error

    drive(go())
