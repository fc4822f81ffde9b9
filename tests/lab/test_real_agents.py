"""Real agents, driven by a scripted model, through the ACP client."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from posthog_code.adapters.acp import AcpRun, make_agent_host
from posthog_code.adapters.acp.survivors import family
from posthog_code.adapters.agents import make_catalogue
from posthog_code.domain.agent import AgentSpec
from posthog_code.domain.errors import AgentFailed
from posthog_code.ports.agent import Incoming, Opened, RunSpec
from tests.lab.real_agents import command, environment, model_server

pytestmark = [pytest.mark.lab, pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")]

LONG = "python3 -c 'import time; time.sleep(300)'"
SCRIPT: dict[str, Any] = {
    "scenarios": [
        {
            "name": "edit",
            "match": "do the edit",
            "turns": [
                {"thinking": "A small edit.", "text": "I look first.", "plan": ["Read", "Edit", "Run"]},
                {"read_file": "hello.py"},
                {"edit_file": {"path": "hello.py", "old": 'print("hello")', "new": 'print("hello, world")'}},
                {"run": {"command": "python3 hello.py | tee ran.txt", "why": "Run it", "escalate": True}},
                {"text": "All done."},
            ],
        },
        {
            "name": "slow",
            "match": "talk slowly",
            "turns": [{"text": {"repeat": "word {{i}} ", "times": 4000}, "chunk_delay": 0.05}],
        },
        {
            "name": "long",
            "match": "run a long command",
            "turns": [{"run": {"command": LONG, "escalate": True}}, {"text": "Slept."}],
        },
        {
            "name": "bad",
            "match": "fail please",
            "turns": [{"error": {"status": 400, "message": "bad request", "times": 9}}],
        },
        {"name": "hello", "turns": [{"text": "You said: {{prompt}}"}]},
    ]
}


class ClockForTests:
    def now(self) -> float:
        return time.time()

    def new_id(self) -> str:
        return "id"


class JournalForTests:
    path = Path("journal")

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def append(self, frame: dict[str, Any], direction: str, at: float) -> None: ...

    def append_raw(self, line: bytes, direction: str, at: float) -> None:
        self.lines.append(line)

    def sync(self) -> None: ...

    def close(self) -> None: ...


class Lab:
    """One agent in one repository; allows whatever is asked for."""

    def __init__(self, agent: AgentSpec, folder: Path, url: str) -> None:
        self.agent = agent.id
        self.repository = folder / "repository"
        self.inbox: list[Incoming] = []
        self.asked: list[str] = []
        self.run: AcpRun
        self._host = make_agent_host(ClockForTests())
        self._news = asyncio.Event()
        self.run_id = f"lab-{agent.id}-{os.getpid()}-{time.time_ns()}"
        self._spec = RunSpec(
            agent=agent,
            command=command(agent.id),
            cwd=self.repository,
            env={**dict(agent.env), **environment(agent.id, folder / "home", url)},
            run_id=self.run_id,
        )
        self.repository.mkdir()
        (self.repository / "hello.py").write_text('print("hello")\n')
        for words in (
            ["init", "-q"],
            ["add", "."],
            ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first"],
        ):
            subprocess.run(["git", *words], cwd=self.repository, check=True)

    async def start(self, resume: str = "") -> Opened:
        self.inbox.clear()
        self.run = await self._host.start(self._spec, JournalForTests(), self._told)
        return await self.run.open(resume=resume)

    def _told(self, incoming: Incoming) -> None:
        self.inbox.append(incoming)
        self._news.set()
        frame = incoming.frame or {}
        if frame.get("method") == "session/request_permission":
            option = next(o for o in frame["params"]["options"] if o["kind"] == "allow_once")
            self.asked.append(str(frame["params"]["toolCall"].get("kind") or frame["params"]["toolCall"].get("title")))
            self.run.respond(frame["id"], {"outcome": {"outcome": "selected", "optionId": option["optionId"]}})

    async def prompt(self, text: str) -> str:
        result = await self.run.prompt([{"type": "text", "text": text}])
        return str(result["stopReason"])

    @property
    def updates(self) -> list[dict[str, Any]]:
        return [
            i.frame["params"]["update"] for i in self.inbox if i.frame and i.frame.get("method") == "session/update"
        ]

    @property
    def text(self) -> str:
        return "".join(u["content"]["text"] for u in self.updates if u["sessionUpdate"] == "agent_message_chunk")

    def sleeps(self) -> bool:
        """Whether the long command runs."""
        return any(b"time.sleep(300)" in _command_line(pid) for pid in self.family())

    def family(self) -> set[int]:
        return set(family(self.run.pid, self.run.pid_started, {self.run_id}, own=True))

    async def until(self, condition: Any, seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = model_server()
    with server.ServerThread(server.Script.from_json(SCRIPT)) as running:
        yield running.url


@pytest.fixture(params=["codex", "claude-code", "opencode", "gemini"])
def lab(request: pytest.FixtureRequest, tmp_path: Path, url: str) -> Lab:
    spec = next(s for s in make_catalogue().specs() if s.id == request.param)
    return Lab(spec, tmp_path, url)


def play(story: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(150):
            await story

    asyncio.run(bounded())


def figure(lab: Lab, name: str, began: float) -> None:
    print(f"\n{lab.agent}: {name} {time.perf_counter() - began:.2f} s", end="")


def test_a_turn_that_edits_asks_and_runs(lab: Lab) -> None:
    async def story() -> None:
        began = time.perf_counter()
        opened = await lab.start()
        figure(lab, "start to session", began)
        assert opened.agent_session_id and not opened.resumed
        if lab.agent == "codex":
            await lab.run.set_mode("read-only")
        began = time.perf_counter()
        assert await lab.prompt("please do the edit") == "end_turn"
        figure(lab, "edit turn", began)
        assert (lab.repository / "hello.py").read_text() == 'print("hello, world")\n'
        assert (lab.repository / "ran.txt").read_text() == "hello, world\n"
        assert lab.text.endswith("All done.")
        assert len(lab.asked) >= 2, lab.asked
        kinds = {u["sessionUpdate"] for u in lab.updates}
        assert {"tool_call_update", "agent_message_chunk"} <= kinds
        assert "plan" in kinds or lab.agent in ("opencode", "gemini")
        assert not [i.garbage for i in lab.inbox if i.garbage]
        began = time.perf_counter()
        await lab.run.close()
        figure(lab, "close", began)
        assert lab.family() == set()

    play(story())


def test_cancel_of_text_and_of_a_command(lab: Lab) -> None:
    async def story() -> None:
        await lab.start()
        turn = asyncio.ensure_future(lab.prompt("talk slowly"))
        await lab.until(lambda: "word 3" in lab.text)
        began = time.perf_counter()
        await lab.run.cancel()
        assert await turn == "cancelled"
        figure(lab, "cancel of text", began)
        turn = asyncio.ensure_future(lab.prompt("run a long command"))
        await lab.until(lab.sleeps)
        began = time.perf_counter()
        await lab.run.cancel()
        assert await turn == "cancelled"
        figure(lab, "cancel of a command", began)
        assert await lab.prompt("hello") == "end_turn"
        await lab.run.close()
        assert lab.family() == set()

    play(story())


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_resume_after_a_restart(lab: Lab) -> None:
    async def story() -> None:
        first = await lab.start()
        await lab.prompt("remember me")
        await lab.run.close()
        began = time.perf_counter()
        again = await lab.start(resume=first.agent_session_id)
        figure(lab, "resume", began)
        if lab.agent == "gemini":
            # It does not know the session of a process that has just ended: a new one begins, and says so.
            assert not again.resumed and any("session/load was refused" in i.stderr for i in lab.inbox)
        else:
            assert again.resumed and again.agent_session_id == first.agent_session_id
        assert "remember me" not in lab.text
        await lab.prompt("hello again")
        assert "hello again" in lab.text
        await lab.run.close()
        unknown = await lab.start(resume="00000000-0000-4000-8000-000000000000")
        assert not unknown.resumed and unknown.agent_session_id
        await lab.run.close()
        assert lab.family() == set()

    play(story())


def test_kill_in_a_turn_leaves_nothing(lab: Lab) -> None:
    async def story() -> None:
        await lab.start()
        turn = asyncio.ensure_future(lab.prompt("run a long command"))
        await lab.until(lab.sleeps)
        os.kill(lab.run.pid, 9)
        began = time.perf_counter()
        with pytest.raises(AgentFailed, match="SIGKILL"):
            await turn
        await lab.run.close()
        figure(lab, "kill to nothing left", began)
        assert lab.family() == set()

    play(story())


APP = """
import asyncio, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.lab import test_real_agents as lab_tests

async def story():
    spec = next(s for s in lab_tests.make_catalogue().specs() if s.id == sys.argv[2])
    lab = lab_tests.Lab(spec, Path(sys.argv[3]), sys.argv[4])
    await lab.start()
    turn = asyncio.ensure_future(lab.prompt("run a long command"))
    await lab.until(lab.sleeps)
    print(lab.run_id, flush=True)
    await turn

asyncio.run(story())
"""


def test_kill_of_the_app_leaves_nothing(lab: Lab, tmp_path: Path, url: str) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    words = [sys.executable, "-c", APP, str(Path(__file__).parent), lab.agent, str(folder), url]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as app:
        assert app.stdout
        run_id = app.stdout.readline().strip()
        assert run_id and family(0, 0.0, {run_id}, own=False)
        app.kill()
    began = time.perf_counter()
    while family(0, 0.0, {run_id}, own=False) and time.perf_counter() - began < 30:
        time.sleep(0.05)
    figure(lab, "app killed to nothing left", began)
    assert not family(0, 0.0, {run_id}, own=False)


def test_an_error_of_the_model_is_heard(lab: Lab) -> None:
    async def story() -> None:
        await lab.start()
        try:
            await lab.prompt("fail please")
        except AgentFailed as error:
            assert "bad request" in error.title + error.detail
        else:
            # Codex ends the turn as if all were well and says it in text.
            assert "bad request" in lab.text
        await lab.run.close()

    play(story())
