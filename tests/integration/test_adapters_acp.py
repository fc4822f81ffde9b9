"""The ACP client against an agent process that behaves, and one that does not."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from posthog_code.adapters.acp import Timeouts
from posthog_code.adapters.acp.lines import LineSplitter
from posthog_code.adapters.acp.process import death_signal_prefix
from posthog_code.adapters.acp.survivors import family
from posthog_code.domain.errors import AgentFailed, NotSignedIn, UserError
from posthog_code.ports.agent import RunSpec
from tests.integration.acp_bench import Bench, running, until_gone


def play(story: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await story

    asyncio.run(bounded())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_turn_is_told_in_order_and_journalled_first(bench: Bench) -> None:
    async def story() -> None:
        opened = await bench.start()
        assert opened.agent_session_id == "s1" and not opened.resumed
        assert opened.session["cwd"] == str(bench.cwd)
        assert opened.initialize["agentInfo"]["name"] == "test"
        seen: list[int] = []
        bench.on_frame = lambda frame: seen.append(
            next(n for n, (kept, _) in enumerate(bench.journal.entries) if kept == frame)
        )
        answer = await bench.prompt("flood 200")
        assert answer == {"stopReason": "end_turn"}
        assert bench.text == "".join(map(str, range(200)))
        assert seen == sorted(seen) and len(seen) == 201
        told = [i.frame or i.sent for i in bench.inbox if i.frame or i.sent]
        assert told == [frame for frame, _ in bench.journal.entries]
        assert [d for _, d in bench.journal.entries][:4] == ["out", "in", "out", "in"]
        assert await bench.run.set_mode("plan") == {"echo": {"sessionId": "s1", "modeId": "plan"}}
        option = await bench.run.set_option("auto", True)
        assert option["echo"] == {"sessionId": "s1", "configId": "auto", "value": True, "type": "boolean"}
        assert (await bench.run.set_model("m"))["echo"]["modelId"] == "m"
        await bench.run.close()
        assert bench.inbox[-1].exited is not None
        with pytest.raises(AgentFailed):
            await bench.prompt("hello")
        with pytest.raises(AgentFailed):
            await bench.prompt("hello again")

    play(story())


def test_what_we_ask_fits_the_schema(bench: Bench) -> None:
    from acp import schema

    async def story() -> None:
        await bench.start(resume="old")
        await bench.prompt("hello")
        await bench.run.set_option("auto", True)
        await bench.run.set_option("model", "m")
        await bench.run.close()

    play(story())
    frames = {(f["method"], type(f["params"].get("value"))): f["params"] for f in bench.sent if "method" in f}
    none = type(None)
    for key, model in {
        ("initialize", none): schema.InitializeRequest,
        ("session/new", none): schema.NewSessionRequest,
        ("session/prompt", none): schema.PromptRequest,
        ("session/set_config_option", bool): schema.SetSessionConfigOptionBooleanRequest,
        ("session/set_config_option", str): schema.SetSessionConfigOptionSelectRequest,
    }.items():
        model.model_validate(frames[key])


def test_garbage_is_told_and_survived(bench: Bench) -> None:
    async def story() -> None:
        await bench.start("banner")
        await bench.prompt("garbage")
        assert bench.garbage[0] == "Welcome to the agent!"
        assert bench.garbage[1:7] == ["not json", "[1, 2]", '"text"', "null", "17", "{broken"]
        assert len(bench.garbage) == 10 and max(map(len, bench.garbage)) == 2000
        texts = [f["params"]["t"] for f in bench.frames if f.get("method") == "x/y"]
        assert texts == ["\ufffd", "? and \U0001f600"]
        assert bench.text == "after it"
        await bench.run.close()

    play(story())


def test_a_line_of_10_mb(bench: Bench) -> None:
    async def story() -> None:
        await bench.start()
        await bench.prompt("long-line 10000000")
        assert len(bench.text) == 10_000_000
        await bench.run.close()

    play(story())


def test_a_line_beyond_the_limit_is_left_out() -> None:
    lines = LineSplitter(limit=10, keep=4)
    assert lines.feed(b"one\n\n  \ntw") == [b"one"]
    assert lines.feed(b"o\nabcdefghijk") == [b"two"]
    assert lines.feed(b"lmnop") == []
    assert lines.feed(b"q\r\nthree\r\nfo") == [b"three"]
    assert lines.finish() == [b"fo"]
    assert lines.dropped == [b"abcd"]


def test_5_mb_of_errors_do_not_block(bench: Bench) -> None:
    async def story() -> None:
        await bench.start()
        assert await bench.prompt("stderr 5000000") == {"stopReason": "end_turn"}
        await bench.until(lambda: sum(len(i.stderr) + 1 for i in bench.inbox if i.stderr) == 5_000_000)
        await bench.run.close()

    play(story())


@pytest.mark.parametrize(
    ("start", "words", "detail"),
    [
        ("exit", "ended with exit code 7 before it was ready", "no such model"),
        ("version", "speaks version 9", ""),
        ("no-id", "session/new with something else", "sessionId: Field required"),
    ],
)
def test_an_agent_that_cannot_be_opened_says_why(bench: Bench, start: str, words: str, detail: str) -> None:
    async def story() -> None:
        with pytest.raises(AgentFailed) as failure:
            await bench.start(start)
        assert words in failure.value.title
        assert detail in failure.value.detail
        assert bench.inbox[-1].exited is not None

    play(story())


def test_an_agent_that_never_answers(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Timeouts(initialize=0.2, stdin=0.1, terminate=0.1))

    async def story() -> None:
        with pytest.raises(AgentFailed, match="did not answer initialize within"):
            await bench.start("silent")
        await until_gone(bench.run.pid)

    play(story())


def test_sign_in_is_asked_for(bench: Bench) -> None:
    async def story() -> None:
        with pytest.raises(NotSignedIn) as failure:
            await bench.start("auth")
        assert failure.value.hint == "Run: test login"
        with pytest.raises(NotSignedIn) as failure:
            await bench.start("auth", sign_in="")
        assert failure.value.hint == "Run: other login"

    play(story())


def test_programs_that_cannot_be_started(bench: Bench, tmp_path: Path) -> None:
    spec = bench.spec(install="pip install it")
    text = tmp_path / "text"
    text.write_text("no program")

    async def start(**fields: Any) -> UserError:
        with pytest.raises(AgentFailed) as failure:
            await bench.start(spec=RunSpec(**{**{k: getattr(spec, k) for k in RunSpec.__slots__}, **fields}))
        return failure.value

    async def story() -> None:
        missing = await start(command=("no-such-program",))
        assert "no-such-program was not found" in missing.title and "pip install it" in missing.hint
        assert "is not installed" in (await start(command=())).title
        assert "is not installed" in (await start(command=(str(text),))).title
        assert "The folder" in (await start(cwd=tmp_path / "gone")).title
        text.write_bytes(b"\x7fELF")
        text.chmod(0o755)
        assert "was ready" in (await start(command=(str(text),))).title or "could not be started"

    play(story())


def test_an_error_answer_is_told_in_the_agents_words(bench: Bench) -> None:
    async def story() -> None:
        await bench.start("refuses")
        with pytest.raises(AgentFailed) as failure:
            await bench.prompt("hello")
        assert "API Error: 400" in failure.value.title and "bad model" in failure.value.detail
        await bench.run.close()

    play(story())


def test_exit_in_a_turn_fails_the_prompt(bench: Bench) -> None:
    async def story() -> None:
        await bench.start()
        with pytest.raises(AgentFailed) as failure:
            await bench.prompt("exit 4")
        assert "exit code 4" in failure.value.title and "I had enough" in failure.value.detail
        exited = bench.inbox[-1].exited
        assert exited and exited.code == 4
        await bench.run.cancel()
        await bench.run.close()

    play(story())


def test_kill_is_noticed_although_a_child_holds_the_output_open(bench: Bench) -> None:
    async def story() -> None:
        await bench.start()
        with pytest.raises(AgentFailed, match="SIGKILL"):
            await bench.prompt("hold")
        child = int(bench.text.split()[1])
        await until_gone(child)
        await bench.run.close()

    play(story())


@pytest.mark.parametrize("rest", ["", "exit"])
def test_orphaned_grandchildren_end_with_the_run(bench: Bench, rest: str) -> None:
    async def story() -> None:
        await bench.start()
        if rest:
            with pytest.raises(AgentFailed, match="exit code 3"):
                await bench.prompt(f"orphan {rest}")
        else:
            await bench.prompt("orphan")
        child = int((await bench.until(lambda: bench.text)).split()[1])
        await bench.run.close()
        await until_gone(child, 0.1)

    play(story())


def test_close_returns_when_nothing_is_left_of_a_stubborn_agent(bench: Bench) -> None:
    async def story() -> None:
        await bench.start("stubborn")
        pid = bench.run.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        assert len(children) == 1
        await asyncio.gather(bench.run.close(), bench.run.close())
        await until_gone(pid, 0.1)
        await until_gone(int(children[0]), 0.1)

    play(story())


def test_close_asks_for_it_and_stops_the_turn(bench: Bench) -> None:
    async def story() -> None:
        await bench.start("closes")
        turn = asyncio.ensure_future(bench.prompt("slow"))
        await bench.until(lambda: bench.text)
        await bench.run.close()
        assert await turn == {"stopReason": "cancelled"}
        assert [f["method"] for f in bench.sent][-2:] == ["session/cancel", "session/close"]

    play(story())


def test_an_agent_that_closes_its_output_is_ended(bench: Bench) -> None:
    async def story() -> None:
        await bench.start()
        with pytest.raises(AgentFailed, match="closed its output"):
            await bench.prompt("close-output")
        await bench.run.close()

    play(story())


def test_survivors_of_an_earlier_run_are_reaped(bench: Bench) -> None:
    async def story() -> None:
        await bench.start()
        run = bench.run
        await bench.prompt("orphan")
        orphan = int(bench.text.split()[1])
        assert not bench.host.reap(run.pid, run.pid_started + 1)
        assert not bench.host.reap(run.pid, 0.0)
        assert await asyncio.to_thread(bench.host.reap, run.pid, run.pid_started)
        await until_gone(orphan, 0.1)
        await bench.until(lambda: bench.inbox[-1].exited)
        assert not await asyncio.to_thread(bench.host.reap, run.pid, run.pid_started)
        await bench.run.close()
        await bench.start()
        assert await asyncio.to_thread(bench.host.reap_marked, [bench.run_id]) == 1
        assert await asyncio.to_thread(bench.host.reap_marked, [bench.run_id, ""]) == 0
        await bench.run.close()

    play(story())


APP = """
import asyncio, pathlib, sys
sys.path.insert(0, sys.argv[1])
from acp_bench import Bench

async def story():
    bench = Bench(pathlib.Path(sys.argv[2]))
    await bench.start()
    await bench.prompt("orphan")
    print(bench.run.pid, bench.text.split()[1], bench.run_id, flush=True)
    if sys.argv[3] == "close":
        await bench.run.close()
    else:
        await asyncio.sleep(600)

asyncio.run(story())
"""


@pytest.mark.skipif(not death_signal_prefix(), reason="no parent-death signal here")
@pytest.mark.parametrize("end", ["kill", "close"])
def test_nothing_outlives_the_app(tmp_path: Path, end: str) -> None:
    words = [sys.executable, "-c", APP, str(Path(__file__).parent), str(tmp_path), end]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        agent, orphan, run_id = process.stdout.readline().split()
        wardens: list[int] = []
        if end == "kill":
            assert running(int(agent)) and running(int(orphan))
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            wardens = [int(child) for child in children if child != agent]
            process.kill()
        assert process.wait(10) == (-9 if end == "kill" else 0)
    # The agent by its parent-death signal, the orphan (which ignores TERM) by the warden.
    for pid in (int(agent), int(orphan), *wardens):
        asyncio.run(until_gone(pid))
    assert not family(0, 0.0, {run_id}, own=False)


def test_cancel_in_the_middle_of_a_turn(bench: Bench) -> None:
    async def story() -> None:
        await bench.start()
        await bench.run.cancel()
        turn = asyncio.ensure_future(bench.prompt("slow"))
        await bench.until(lambda: bench.text)
        with pytest.raises(AgentFailed, match="still working"):
            await bench.prompt("hello")
        await bench.run.cancel()
        await bench.run.cancel()
        assert await turn == {"stopReason": "cancelled"}
        assert bench.text == "workingstopping"
        assert await bench.prompt("hello") == {"stopReason": "end_turn"}
        await bench.run.close()

    play(story())


def test_a_cancel_that_is_ignored_ends_the_agent(bench: Bench) -> None:
    async def story() -> None:
        await bench.start()
        turn = asyncio.ensure_future(bench.prompt("deaf"))
        await bench.until(lambda: bench.text)
        await bench.run.cancel()
        with pytest.raises(AgentFailed, match="did not stop within"):
            await turn
        await bench.until(lambda: bench.inbox[-1].exited)
        await until_gone(bench.run.pid)

    play(story())


def test_permission_is_answered_once(bench: Bench) -> None:
    async def story() -> None:
        await bench.start()

        def allow(frame: dict[str, Any]) -> None:
            if frame.get("method") == "session/request_permission":
                result = {"outcome": {"outcome": "selected", "optionId": "y"}}
                bench.run.respond(frame["id"], result)
                bench.run.respond(frame["id"], result)
                bench.run.respond("unknown", result)

        bench.on_frame = allow
        await bench.prompt("permission")
        assert json.loads(bench.text) == {"outcome": {"outcome": "selected", "optionId": "y"}}
        assert len([f for f in bench.sent if "result" in f]) == 1
        await bench.run.close()

    play(story())


def test_open_questions_are_cancelled_with_the_turn(bench: Bench) -> None:
    async def story() -> None:
        await bench.start()
        turn = asyncio.ensure_future(bench.prompt("permission"))
        await bench.until(lambda: [f for f in bench.frames if f.get("method") == "session/request_permission"])
        await bench.run.cancel()
        assert await turn == {"stopReason": "cancelled"}
        assert json.loads(bench.text) == {"outcome": {"outcome": "cancelled"}}
        bench.inbox.clear()
        await bench.prompt("forgotten")
        await bench.prompt("late")
        assert json.loads(bench.text) == [{"outcome": {"outcome": "cancelled"}}]
        bench.inbox.clear()
        await bench.prompt("withdraw")
        assert json.loads(bench.text)["code"] == -32800
        bench.inbox.clear()
        await bench.prompt("ask some/method")
        assert json.loads(bench.text)["code"] == -32601
        await bench.run.close()

    play(story())


def test_resume_ladder(bench: Bench) -> None:
    async def story() -> None:
        opened = await bench.start(resume="old")
        assert (opened.agent_session_id, opened.resumed) == ("s1", False)
        await bench.run.close()
        bench.inbox.clear()
        # session/resume is refused, session/load works; what it replays is neither told nor journalled.
        kept = len(bench.journal.entries)
        opened = await bench.start("resumes", resume="old")
        assert (opened.agent_session_id, opened.resumed, opened.session) == ("old", True, {})

        def updates() -> list[str]:
            told = [f["params"] for f in bench.frames if f.get("method") == "session/update"]
            return [params["update"]["sessionUpdate"] for params in told]

        # The last of what this agent sends of itself, after the end of its replay.
        await bench.until(updates)
        assert updates() == ["available_commands_update"]
        assert "replayed" not in json.dumps(bench.journal.entries[kept:])
        await bench.prompt("flood 1")
        assert bench.text == "0"
        await bench.run.close()
        opened = await bench.start("loads", resume="gone")
        assert (opened.agent_session_id, opened.resumed) == ("s1", False)
        await bench.run.close()

    play(story())


def test_a_journal_that_cannot_be_written_stops_the_agent(bench: Bench) -> None:
    async def story() -> None:
        await bench.start()
        bench.on_frame = lambda frame: setattr(bench.journal, "broken", True)
        with pytest.raises(UserError, match="journal"):
            await bench.prompt("flood 100")
        assert bench.text == "0"
        await bench.until(lambda: bench.inbox[-1].exited)
        await bench.run.close()

    play(story())


def test_mcp_servers_that_the_agent_cannot_reach_are_left_out(bench: Bench) -> None:
    async def story() -> None:
        bench.run = await bench.host.start(bench.spec(), bench.journal, bench.told)
        servers = [
            {"name": "a", "command": "a", "args": [], "env": []},
            {"type": "http", "name": "b", "url": "http://b"},
        ]
        await bench.run.open(mcp_servers=servers)
        sent = next(f for f in bench.sent if f.get("method") == "session/new")
        assert [s["name"] for s in sent["params"]["mcpServers"]] == ["a"]
        await bench.run.close()

    play(story())


def test_a_flood_is_read_fast(bench: Bench) -> None:
    async def story() -> None:
        await bench.start()
        began = time.perf_counter()
        await bench.prompt("flood 10000")
        # Generous: a shared machine, and the agent's own time is in it.
        assert time.perf_counter() - began < 5
        await bench.run.close()

    play(story())
