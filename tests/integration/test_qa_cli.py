"""The commands `signals`, `qa` and `enrich`, and the check in front of `pr create`, as programs."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from posthog_code.demo.world import start_posthog
from tests.helpers import DEMO_AGENT, git
from tests.integration.cloud_server import KEY, Fault
from tests.integration.signals_server import Reply, SignalsServer
from tests.integration.test_cli import events, program

ROUTE = """from flask import Flask
from posthog import Posthog

app = Flask(__name__)
posthog = Posthog("phc_key")


@app.route("/pay", methods=["POST"])
def pay():
    charge()
    posthog.capture("ada", "paid")
    return "ok"
"""
REFUND = """

@app.route("/refund", methods=["POST"])
def refund():
    if posthog.feature_enabled("refunds", "ada"):
        undo()
    return "ok"
"""


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """(data folder, worktree, task id) of a task that added a route without an event."""
    folder = tmp_path_factory.mktemp("qa")
    home, repository = folder / "home", folder / "repo"
    repository.mkdir()
    git(repository, "init", "-q", "-b", "main")
    git(repository, "config", "user.name", "Ada")
    git(repository, "config", "user.email", "ada@example.com")
    (repository / "app.py").write_text(ROUTE)
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "First")
    agent = ("--agent", "custom", "--agent-command", DEMO_AGENT)
    done = program(home, "run", "--repo", str(repository), *agent, "--permissions", "deny", "--json", "Look at app.py")
    summary = events(done)[-1]
    worktree = Path(summary["worktree"])
    git(worktree, "reset", "-q", "--hard")
    git(worktree, "clean", "-qfd")
    (worktree / "app.py").write_text(ROUTE + REFUND)
    return home, worktree, summary["task"]


@pytest.fixture
def task(seeded: tuple[Path, Path, str], tmp_path: Path) -> tuple[Path, Path, str]:
    """The same task for one test: what it writes is put back."""
    home, worktree, task_id = seeded
    (worktree / "app.py").write_text(ROUTE + REFUND)
    return home, worktree, task_id


def test_qa_names_missing_places_and_passes_once_they_are_there(task: tuple[Path, Path, str]) -> None:
    home, worktree, task_id = task
    done = program(home, "qa", task_id)
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("0 of 1 changed path sends an event. Missing: ")
    assert "app.py:16" in done.stdout and "needs an event" in done.stdout
    told = json.loads(program(home, "qa", task_id, "--json").stdout)
    assert (told["passed"], told["covered"], told["total"]) == (False, 0, 1)
    assert told["places"][0]["missing"] == ["event"] and told["places"][0]["entry"]["kind"] == "route"
    (worktree / "app.py").write_text(ROUTE + REFUND.replace("undo()", 'undo(); posthog.capture("ada", "refunded")'))
    done = program(home, "qa", task_id)
    assert (done.returncode, done.stdout) == (0, "1 of 1 changed path sends an event.\n")
    (worktree / "app.py").write_text(ROUTE + "# nothing\n")
    done = program(home, "qa", task_id)
    assert done.returncode == 0 and "nothing to check" in done.stdout


def test_qa_counts_calls_through_functions_of_the_file(task: tuple[Path, Path, str]) -> None:
    home, worktree, task_id = task
    helper = '\n\ndef told():\n    posthog.capture("ada", "refunded")\n'
    (worktree / "app.py").write_text(ROUTE + REFUND.replace("undo()", "told()") + helper)
    assert program(home, "qa", task_id).returncode == 0


def test_qa_ends_with_2_on_errors(task: tuple[Path, Path, str]) -> None:
    home, worktree, task_id = task
    done = program(home, "qa", "nothing")
    assert done.returncode == 2 and "There is no task" in done.stderr
    away = worktree.with_name("away")
    shutil.move(worktree, away)
    try:
        done = program(home, "qa", task_id, "--json")
        assert done.returncode == 2 and json.loads(done.stdout)["error"] == "not_found"
    finally:
        shutil.move(away, worktree)


def test_a_file_that_cannot_be_parsed_is_told_and_the_rest_is_read(task: tuple[Path, Path, str]) -> None:
    home, worktree, task_id = task
    (worktree / "app.py").write_text(ROUTE + REFUND + "\n\ndef broken(:\n    ((\n")
    done = program(home, "qa", task_id)
    assert done.returncode == 1 and "app.py" in done.stderr


def test_signals_without_an_account(task: tuple[Path, Path, str]) -> None:
    home, _worktree, task_id = task
    done = program(home, "signals", task_id)
    assert done.returncode == 0, done.stderr
    assert "flag       refunds" in done.stdout and "app.py:17" in done.stdout and "Sign in" in done.stdout
    told = json.loads(program(home, "signals", task_id, "--json").stdout)
    assert [(row["kind"], row["name"], row["state"]) for row in told["rows"]] == [("flag", "refunds", "")]


class Product(SignalsServer):
    """Answers the three queries by what they are about."""

    def __init__(self) -> None:
        super().__init__()
        self.flags = [
            {"id": 5, "key": "refunds", "active": True, "created_at": "2024-01-01T00:00:00Z",
             "filters": {"groups": [{"rollout_percentage": 100, "properties": []}]}}
        ]  # fmt: skip
        self.events = [{"id": "e1", "name": "paid", "verified": True}]
        self.queries: list[dict[str, Any]] = []

    async def _query(self, method: str, parts: list[str], data: Any) -> Reply:
        self.queries.append(data["query"])
        text = data["query"]["query"]
        if "$feature_flag_called" in text:
            rows = [{"flag": "refunds", "evaluations": 31_000}]
        elif "$exception" in text:
            frames = [{"source": "/srv/app.py", "line": 10}]
            rows = [{"issue_id": "i1", "types": ["GatewayTimeout"], "exceptions": [{"stacktrace": {"frames": frames}}],
                     "occurrences": 12, "people": 7, "sessions": ["s1"]}]  # fmt: skip
        else:
            rows = [{"event": "paid", "volume": 70_000, "week": 18_200, "people": 9, "last_seen": None}]
        return 200, {"columns": list(rows[0]), "results": [list(row.values()) for row in rows]}, {}


@asynccontextmanager
async def product() -> AsyncIterator[tuple[Product, dict[str, str]]]:
    server = Product()
    await server.start()
    try:
        yield server, {"POSTHOG_API_KEY": KEY, "POSTHOG_HOST": server.url}
    finally:
        await server.stop()


def test_signals_with_an_account(task: tuple[Path, Path, str]) -> None:
    home, worktree, task_id = task
    (worktree / "app.py").write_text(ROUTE.replace('    posthog.capture("ada", "paid")\n', "") + REFUND)

    async def go() -> None:
        async with product() as (server, env):
            done = await asyncio.to_thread(program, home, "signals", task_id, "--json", env=env)
            told = json.loads(done.stdout)
            rows = [(row["kind"], row["name"], row["figure"], row["state"][:5], row["line"]) for row in told["rows"]]
            assert rows == [
                ("flag", "refunds", "100 % on for all", "Stale", 16),
                ("event", "paid", "18.2k events", "Remov", 11),
                ("error", "GatewayTimeout", "12 errors", "7 peo", 10),
            ]
            assert told["recordings"] == 1 and not told["partial"] and not told["problem"]
            assert "/feature_flags/5" in told["rows"][0]["url"] and "/error_tracking/i1" in told["rows"][2]["url"]
            assert len(server.queries) == 3
            assert [query["values"] for query in server.queries if "names" in query["values"]] == [{"names": ["paid"]}]
            # Nothing of the code is in what was asked, but names.
            assert "charge" not in str(server.asked) and "undo" not in str(server.asked)

    asyncio.run(go())


def test_signals_when_queries_are_limited(task: tuple[Path, Path, str]) -> None:
    home, _worktree, task_id = task

    async def go() -> None:
        async with product() as (server, env):
            body = b'{"type": "throttled", "code": "throttled", "detail": "Too many queries."}'
            headers = {"Content-Type": "application/json", "Retry-After": "60"}
            server.faults.append(Fault("POST", "/query/", 429, body, headers, times=99))
            done = await asyncio.to_thread(program, home, "signals", task_id, env=env)
            assert done.returncode == 0 and "Stale" in done.stdout and "Figures are missing" in done.stderr

    asyncio.run(go())


def test_signals_from_a_whole_product(task: tuple[Path, Path, str], tmp_path: Path) -> None:
    """Definitions, HogQL and errors of the stand-in, which works its answers out of the events that it keeps."""
    home, worktree, task_id = task
    (worktree / "src" / "payments").mkdir(parents=True, exist_ok=True)
    uses = (
        "import posthog from 'posthog-js';",
        "export function submit() {",
        "  if (posthog.isFeatureEnabled('checkout-retry-v2')) posthog.capture('payment_submitted');",
        "  posthog.capture('receipt_opened');",
        "  posthog.capture('never_heard_of');",
        "  return posthog.getFeatureFlag('express-checkout');",
        "}",
    )
    (worktree / "src" / "payments" / "pay.ts").write_text("\n".join(uses))
    cloud = start_posthog(tmp_path, 0, seeds=False)
    try:
        env = {"POSTHOG_API_KEY": "phx_demo", "POSTHOG_HOST": cloud.url}
        told = json.loads(program(home, "signals", task_id, "--json", env=env).stdout)
    finally:
        cloud.stop()
        shutil.rmtree(worktree / "src")
    rows = {row["name"]: row for row in told["rows"]}
    assert not told["problem"] and not told["partial"]
    assert {name: row["state"].split(",")[0] for name, row in rows.items() if row["kind"] in ("flag", "event")} == {
        "refunds": "New in this task",
        "checkout-retry-v2": "Stale",
        "express-checkout": "Active",
        "payment_submitted": "Active",
        "receipt_opened": "Unverified",
        "never_heard_of": "New in this task",
    }
    assert (
        rows["checkout-retry-v2"]["figure"] == "100 % on for all"
        and "checks in 7 days" in rows["checkout-retry-v2"]["detail"]
    )
    assert rows["payment_submitted"]["figure"].endswith(" events") and rows["payment_submitted"]["figure"] != "0 events"
    assert any(row["kind"] == "experiment" for row in told["rows"])


def test_enrich_reads_folders_and_files(task: tuple[Path, Path, str], tmp_path: Path) -> None:
    home, worktree, _task_id = task
    done = program(home, "enrich", str(worktree))
    assert done.returncode == 0, done.stderr
    assert "app.py:11  event    paid" in done.stdout and "app.py:17  flag     refunds" in done.stdout
    assert "in 1 file." in done.stdout
    told = json.loads(program(home, "enrich", str(worktree / "app.py"), "--json").stdout)
    assert {use["name"] for use in told["files"][0]["uses"] if use["name"]} == {"paid", "refunds"}
    # No repository, and nothing to find.
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "a.go").write_text("package a\n")
    assert "0 uses in 1 file." in program(home, "enrich", str(tmp_path / "plain")).stdout
    done = program(home, "enrich", str(tmp_path / "none"))
    assert done.returncode == 2 and "no file or folder" in done.stderr


def test_a_required_check_stops_a_pull_request(task: tuple[Path, Path, str]) -> None:
    home, worktree, task_id = task
    assert program(home, "repositories", "--require-check", "repo", "on").returncode == 0
    done = program(home, "pr", "create", task_id)
    assert done.returncode == 2 and "app.py:16" in done.stderr and "--without-coverage" in done.stderr
    assert git(worktree, "status", "--porcelain")  # nothing was committed
    # From here on it stops where it would without the check.
    done = program(home, "pr", "create", task_id, "--without-coverage")
    assert done.returncode == 2 and "no remote" in done.stderr and "app.py:16" not in done.stderr
    git(worktree, "reset", "-q", "--soft", "main")
    program(home, "repositories", "--require-check", "repo", "off")
    done = program(home, "pr", "create", task_id)
    assert "no remote" in done.stderr and "Missing: " in done.stdout
    git(worktree, "reset", "-q", "--soft", "main")
    done = program(home, "repositories", "--require-check", "repo", "perhaps")
    assert done.returncode == 2 and "neither on nor off" in done.stderr
